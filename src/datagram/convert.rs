//! Conversions of a [`Datagram`] to a raw descriptor, and from and to std's types.

use rustix::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};

use super::Datagram;

/// The raw descriptor; the socket still owns it.
impl AsRawFd for Datagram {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// The raw descriptor; the caller must close it.
impl IntoRawFd for Datagram {
    fn into_raw_fd(self) -> RawFd {
        OwnedFd::from(self).into_raw_fd()
    }
}

/// Takes over std's descriptor; its options do not change.
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

/// Takes over std's descriptor; its options do not change.
#[cfg(feature = "std")]
impl From<std::os::unix::net::UnixDatagram> for Datagram {
    fn from(socket: std::os::unix::net::UnixDatagram) -> Self {
        OwnedFd::from(socket).into()
    }
}

/// The same socket as a std type; std does not check that it is UDP. A non-blocking socket stays non-blocking.
#[cfg(feature = "std")]
impl From<Datagram> for std::net::UdpSocket {
    fn from(socket: Datagram) -> Self {
        OwnedFd::from(socket).into()
    }
}

/// The same socket as a std type; std does not check that it is a Unix socket. A non-blocking socket stays
/// non-blocking.
#[cfg(feature = "std")]
impl From<Datagram> for std::os::unix::net::UnixDatagram {
    fn from(socket: Datagram) -> Self {
        OwnedFd::from(socket).into()
    }
}
