//! A [`Datagram`] as a number, and as std's own types.

use rustix::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};

use super::Datagram;

/// The number of the descriptor, which the socket keeps.
impl AsRawFd for Datagram {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// The number of the descriptor, which is the caller's to close.
impl IntoRawFd for Datagram {
    fn into_raw_fd(self) -> RawFd {
        OwnedFd::from(self).into_raw_fd()
    }
}

/// What std has, with its descriptor and options as they are.
///
/// ```
/// use anet::Datagram;
/// use std::net::UdpSocket;
///
/// let socket = Datagram::from(UdpSocket::bind("127.0.0.1:0")?);
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.send_to(b"hello", std::net::SocketAddr::try_from(socket.local_addr()?)?)?;
/// let mut buf = [0; 16];
/// assert_eq!(socket.recv_from(&mut buf)?.0.bytes, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "std")]
impl From<std::net::UdpSocket> for Datagram {
    fn from(socket: std::net::UdpSocket) -> Self {
        OwnedFd::from(socket).into()
    }
}

/// What std has, with its descriptor and options as they are.
#[cfg(feature = "std")]
impl From<std::os::unix::net::UnixDatagram> for Datagram {
    fn from(socket: std::os::unix::net::UnixDatagram) -> Self {
        OwnedFd::from(socket).into()
    }
}

/// The same socket for std, which takes it for UDP without looking. A non-blocking socket stays non-blocking.
#[cfg(feature = "std")]
impl From<Datagram> for std::net::UdpSocket {
    fn from(socket: Datagram) -> Self {
        OwnedFd::from(socket).into()
    }
}

/// The same socket for std, which takes it for a Unix socket without looking. A non-blocking socket stays non-blocking.
#[cfg(feature = "std")]
impl From<Datagram> for std::os::unix::net::UnixDatagram {
    fn from(socket: Datagram) -> Self {
        OwnedFd::from(socket).into()
    }
}
