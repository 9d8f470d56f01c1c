//! A [`Listener`] as a number, and as std's own types.

use rustix::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};

use super::Listener;

/// The number of the descriptor, which the listener keeps.
impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// The number of the descriptor, which is the caller's to close.
impl IntoRawFd for Listener {
    fn into_raw_fd(self) -> RawFd {
        OwnedFd::from(self).into_raw_fd()
    }
}

/// What std has, as it is: a listener that blocks waits in [`accept`](Listener::accept), and
/// [`adopt`](Listener::adopt) makes it non-blocking.
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

/// What std has, as it is: a listener that blocks waits in [`accept`](Listener::accept). Its file is not this listener's
/// to [remove](Listener::remove_file).
#[cfg(feature = "std")]
impl From<std::os::unix::net::UnixListener> for Listener {
    fn from(listener: std::os::unix::net::UnixListener) -> Self {
        OwnedFd::from(listener).into()
    }
}

/// The same listener for std, which takes it for TCP without looking. A non-blocking listener stays non-blocking;
/// options that connections do not inherit are not set any more.
#[cfg(feature = "std")]
impl From<Listener> for std::net::TcpListener {
    fn from(listener: Listener) -> Self {
        OwnedFd::from(listener).into()
    }
}

/// The same listener for std, which takes it for a Unix socket without looking. A non-blocking listener stays
/// non-blocking; options that connections do not inherit are not set any more. The file stays.
#[cfg(feature = "std")]
impl From<Listener> for std::os::unix::net::UnixListener {
    fn from(listener: Listener) -> Self {
        OwnedFd::from(listener).into()
    }
}
