//! [`Datagram`]: a socket that sends and receives whole messages, UDP or Unix.
//!
//! One call receives one datagram, and one call sends one. A datagram that the buffer is too short for is cut, and
//! [`Received`] says so. An empty datagram is a datagram, not the end of anything. Sending to a Unix socket that nobody
//! reads is an error number, never a `SIGPIPE`.
//!
//! What arrives when the receive buffer is full is lost without an error on either side (`udp(7)`): a server that is to
//! stand bursts asks for a larger one ([`maximize_recv_buffer`](crate::option::maximize_recv_buffer)).
//!
//! ```
//! use anet::{SocketOptions, listen};
//!
//! let server = listen::udp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
//! # let client = std::net::UdpSocket::bind("127.0.0.1:0")?;
//! # client.send_to(b"hello", server.local_addr()?.to_string())?;
//! let mut buf = [0; 2048];
//! let (request, client_addr) = server.recv_from(&mut buf)?;
//! if !request.is_truncated() {
//!     server.send_to(request.bytes, &client_addr)?;
//! }
//! # let mut reply = [0; 8];
//! # assert_eq!(client.recv(&mut reply)?, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod convert;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::{
    addr::Endpoint,
    error::{Op, Result, ResultExt},
    sys,
};

/// A datagram socket, made by [`listen::udp`](crate::listen::udp) or from a descriptor. Dropping it closes it.
#[derive(Debug)]
#[doc(alias = "socket")]
pub struct Datagram {
    fd: OwnedFd,
}

/// A datagram that has come.
#[derive(Debug, Eq, PartialEq)]
pub struct Received<'buf> {
    /// The bytes, as many as the buffer has taken.
    pub bytes: &'buf mut [u8],
    whole_len: Option<usize>,
}

impl Received<'_> {
    /// Whether the datagram was longer than the buffer; the rest of it is lost.
    #[doc(alias = "MSG_TRUNC")]
    #[inline]
    pub fn is_truncated(&self) -> bool {
        self.whole_len != Some(self.bytes.len())
    }

    /// How many bytes the datagram had; `None` for a truncated one where the system does not tell, which Linux does.
    #[inline]
    pub const fn whole_len(&self) -> Option<usize> {
        self.whole_len
    }
}

impl Datagram {
    /// Receives one datagram into `buf`, and says who has sent it.
    ///
    /// A Unix socket that has no name of its own is [`Endpoint::Unknown`] with family 0, and cannot be answered.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if nothing is there (non-blocking) or came in time, `EINTR`; `ECONNREFUSED` on a connected socket whose
    /// peer does not listen, told once for what was sent before. The next call goes on after either.
    #[doc(alias = "recvfrom")]
    #[doc(alias = "recvmsg")]
    #[inline]
    pub fn recv_from<'buf>(&self, buf: &'buf mut [u8]) -> Result<(Received<'buf>, Endpoint)> {
        let arrival = sys::recv_from(self.fd.as_fd(), buf).op(Op::ReceiveFrom)?;
        let bytes = buf.get_mut(..arrival.len).unwrap_or_default();
        Ok((Received { bytes, whole_len: arrival.whole_len }, arrival.from))
    }

    /// Sends one datagram, whole or not at all. That it was sent does not say that it arrives.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` for more than the protocol or the send buffer takes (UDP: 65507 bytes over IPv4, 65527 over IPv6);
    /// `EAGAIN` if the send buffer is full, `ENOBUFS` if a queue below it is; `EINTR`; `EINVAL` for port 0, [`MissingScope`](crate::error::Cause::MissingScope), `EACCES`
    /// for a broadcast address; `ENETUNREACH`, `EHOSTUNREACH`; `EAFNOSUPPORT` for an address of another family than
    /// the socket's. `ECONNREFUSED` from a Unix address that nobody reads, or on a connected UDP socket for an earlier
    /// datagram.
    #[doc(alias = "sendto")]
    #[inline]
    pub fn send_to(&self, bytes: &[u8], to: &Endpoint) -> Result<()> {
        sys::send_to(self.fd.as_fd(), bytes, to).op_with(Op::SendTo, to)
    }

    /// A second descriptor of the same socket, close-on-exec. Each datagram goes to one of the readers.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    #[doc(alias = "dup")]
    pub fn try_clone(&self) -> Result<Self> {
        sys::duplicate(self.fd.as_fd()).op(Op::Duplicate).map(Self::from)
    }

    /// The address that datagrams are received at, with the port that the kernel has chosen if 0 was asked.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if the kernel is out of memory.
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> Result<Endpoint> {
        sys::local_addr(self.fd.as_fd()).op(Op::LocalAddr)
    }
}

/// Takes a datagram socket that came from elsewhere. On a stream socket receiving would throw bytes away.
impl From<OwnedFd> for Datagram {
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

/// Gives the socket away.
impl From<Datagram> for OwnedFd {
    fn from(datagram: Datagram) -> Self {
        datagram.fd
    }
}

impl AsFd for Datagram {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
