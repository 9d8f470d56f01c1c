//! A [`Stream`] as a number, and as std's own types.

use rustix::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};

use super::Stream;

/// The number of the descriptor, which the stream keeps.
impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// The number of the descriptor, which is the caller's to close.
impl IntoRawFd for Stream {
    fn into_raw_fd(self) -> RawFd {
        OwnedFd::from(self).into_raw_fd()
    }
}

/// What std has, with its descriptor and options as they are.
///
/// ```
/// use anet::Stream;
/// use std::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = Stream::from(TcpStream::connect(listener.local_addr()?)?);
/// stream.write_all(b"hello")?;
///
/// let of_std = TcpStream::from(stream);
/// assert_eq!(of_std.peer_addr()?, listener.local_addr()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "std")]
impl From<std::net::TcpStream> for Stream {
    fn from(stream: std::net::TcpStream) -> Self {
        OwnedFd::from(stream).into()
    }
}

/// What std has, with its descriptor and options as they are.
#[cfg(feature = "std")]
impl From<std::os::unix::net::UnixStream> for Stream {
    fn from(stream: std::os::unix::net::UnixStream) -> Self {
        OwnedFd::from(stream).into()
    }
}

/// The same connection for std, which takes it for TCP without looking. A non-blocking stream stays non-blocking.
#[cfg(feature = "std")]
impl From<Stream> for std::net::TcpStream {
    fn from(stream: Stream) -> Self {
        OwnedFd::from(stream).into()
    }
}

/// The same connection for std, which takes it for a Unix socket without looking. A non-blocking stream stays
/// non-blocking.
#[cfg(feature = "std")]
impl From<Stream> for std::os::unix::net::UnixStream {
    fn from(stream: Stream) -> Self {
        OwnedFd::from(stream).into()
    }
}
