//! Conversions of a [`Stream`] to a raw descriptor, and from and to std's types.

use rustix::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};

use super::Stream;

/// The raw descriptor; the stream still owns it.
impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// The raw descriptor; the caller must close it.
impl IntoRawFd for Stream {
    fn into_raw_fd(self) -> RawFd {
        OwnedFd::from(self).into_raw_fd()
    }
}

/// Takes over std's descriptor; its options do not change.
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

/// Takes over std's descriptor; its options do not change.
#[cfg(feature = "std")]
impl From<std::os::unix::net::UnixStream> for Stream {
    fn from(stream: std::os::unix::net::UnixStream) -> Self {
        OwnedFd::from(stream).into()
    }
}

/// The same connection as a std type; std does not check that it is TCP. A non-blocking stream stays non-blocking.
#[cfg(feature = "std")]
impl From<Stream> for std::net::TcpStream {
    fn from(stream: Stream) -> Self {
        OwnedFd::from(stream).into()
    }
}

/// The same connection as a std type; std does not check that it is a Unix socket. A non-blocking stream stays
/// non-blocking.
#[cfg(feature = "std")]
impl From<Stream> for std::os::unix::net::UnixStream {
    fn from(stream: Stream) -> Self {
        OwnedFd::from(stream).into()
    }
}
