//! Conversions between [`Listener`], raw descriptors and std's types.

use rustix::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};

use super::Listener;

/// Returns the descriptor; the listener keeps ownership.
impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// Returns the descriptor, which the caller must close.
impl IntoRawFd for Listener {
    fn into_raw_fd(self) -> RawFd {
        OwnedFd::from(self).into_raw_fd()
    }
}

/// Takes the listener unchanged: on a blocking one, [`accept`](Listener::accept) blocks. Use
/// [`adopt`](Listener::adopt) to make it non-blocking.
///
/// ```
/// use anet::Listener;
/// use std::net::{TcpListener, TcpStream};
///
/// let listener = Listener::from(TcpListener::bind("127.0.0.1:0")?);
/// let client = TcpStream::connect(std::net::SocketAddr::try_from(listener.local_addr()?)?)?;
/// let (_stream, peer) = listener.accept()?;
/// assert_eq!(peer, client.local_addr()?.into());
///
/// let of_std = TcpListener::from(listener);
/// of_std.set_nonblocking(true)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "std")]
impl From<std::net::TcpListener> for Listener {
    fn from(listener: std::net::TcpListener) -> Self {
        OwnedFd::from(listener).into()
    }
}

/// Takes the listener unchanged: on a blocking one, [`accept`](Listener::accept) blocks.
/// [`remove_file`](Listener::remove_file) leaves its file alone.
#[cfg(feature = "std")]
impl From<std::os::unix::net::UnixListener> for Listener {
    fn from(listener: std::os::unix::net::UnixListener) -> Self {
        OwnedFd::from(listener).into()
    }
}

/// Passes the socket to std, which does not check that it is TCP. A non-blocking listener stays non-blocking; options
/// that connections do not inherit are no longer set.
#[cfg(feature = "std")]
impl From<Listener> for std::net::TcpListener {
    fn from(listener: Listener) -> Self {
        OwnedFd::from(listener).into()
    }
}

/// Passes the socket to std, which does not check that it is a Unix socket. A non-blocking listener stays non-blocking;
/// options that connections do not inherit are no longer set. The file stays.
#[cfg(feature = "std")]
impl From<Listener> for std::os::unix::net::UnixListener {
    fn from(listener: Listener) -> Self {
        OwnedFd::from(listener).into()
    }
}
