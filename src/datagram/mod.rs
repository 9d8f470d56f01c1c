//! [`Datagram`]: a socket that sends and receives whole messages, UDP or Unix.
//!
//! Each call sends or receives one datagram. A datagram longer than the buffer is truncated; see
//! [`Received::is_truncated`]. An empty datagram is a valid datagram, not the end of a stream. Sending to a Unix socket
//! without a reader fails with an error number and never raises `SIGPIPE`.
//!
//! A connected socket hears its peer alone, and learns that nothing receives there; an unconnected one does not, except
//! through the error queue (`recv_error`). On Linux, `recv_with` returns what the kernel reports of a datagram, such as
//! the address it was sent to and its ECN bits; [`Batch`] receives and sends many in one call, and joins those to one
//! address; [`Segmenter`] sends many from one buffer; [`cmsg`] has the control messages, [`seqpacket`] Unix connections
//! of messages.
//!
//! A UDP datagram that arrives when the receive buffer is full is lost without an error on either side (`udp(7)`): a
//! server that must survive bursts needs a larger buffer
//! ([`maximize_recv_buffer`](crate::option::maximize_recv_buffer)).
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

#[cfg(target_os = "linux")]
mod batch;
#[cfg(target_os = "linux")]
pub mod cmsg;
mod convert;
#[cfg(target_os = "linux")]
mod details;
#[cfg(target_os = "linux")]
mod message;
#[cfg(target_os = "linux")]
mod multicast;
mod open;
#[cfg(target_os = "linux")]
mod segments;
#[cfg(target_os = "linux")]
pub mod seqpacket;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::{
    addr::Endpoint,
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    sys,
};

#[cfg(target_os = "linux")]
pub use {
    batch::{Batch, Entry, EntryMut},
    details::{Details, Request},
    message::{Message, Segments, Undelivered},
    segments::{SEGMENTS_MAX, Segmenter},
};

/// A datagram socket: a server ([`bind`](Datagram::bind), [`listen::udp`](crate::listen::udp)), a client
/// ([`connected`](Datagram::connected)) or half of a [`pair`](Datagram::pair). Dropping it closes it.
#[derive(Debug)]
#[doc(alias = "socket")]
pub struct Datagram {
    fd: OwnedFd,
}

/// A received datagram.
#[derive(Debug, Eq, PartialEq)]
pub struct Received<'buf> {
    /// The bytes of the datagram that fit into the buffer.
    pub bytes: &'buf mut [u8],
    whole_len: Option<usize>,
}

impl Received<'_> {
    /// Whether the datagram was longer than the buffer. The rest of it is lost.
    #[doc(alias = "MSG_TRUNC")]
    #[inline]
    pub fn is_truncated(&self) -> bool {
        self.whole_len != Some(self.bytes.len())
    }

    /// The length of the datagram in bytes; `None` for a truncated one on systems that do not report it. Linux does.
    #[inline]
    pub const fn whole_len(&self) -> Option<usize> {
        self.whole_len
    }
}

impl Datagram {
    /// Receives one datagram into `buf`, and returns it with the sender's address.
    ///
    /// An unnamed Unix sender is [`Endpoint::Unknown`] with family 0; you cannot reply to it.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if no datagram is available (non-blocking) or the timeout has passed, `EINTR`; `ECONNREFUSED` on a
    /// connected socket whose peer is not listening, once for datagrams sent before. After either the next call
    /// continues.
    #[doc(alias = "recvfrom")]
    #[doc(alias = "recvmsg")]
    #[inline]
    pub fn recv_from<'buf>(&self, buf: &'buf mut [u8]) -> Result<(Received<'buf>, Endpoint)> {
        let arrival = sys::recv_from(self.fd.as_fd(), buf).op(Op::ReceiveFrom)?;
        let bytes = buf.get_mut(..arrival.len).unwrap_or_default();
        Ok((Received { bytes, whole_len: arrival.whole_len }, arrival.from))
    }

    /// Sends one datagram, whole or not at all. Success does not mean that the datagram arrives.
    ///
    /// # Errors
    ///
    /// [`DatagramTooLong`](Cause::DatagramTooLong) for more bytes than the protocol or the send buffer allows (UDP:
    /// 65507 bytes over IPv4, 65527 over IPv6); `EAGAIN` if the send buffer is full, `ENOBUFS` if a queue below it is;
    /// `EINTR`; `EINVAL` for port 0, [`MissingScope`](Cause::MissingScope), `EACCES` for a broadcast address;
    /// `ENETUNREACH`, `EHOSTUNREACH`; `EAFNOSUPPORT` for an address of another family than the socket's. `ECONNREFUSED`
    /// for a Unix address without a reader, or on a connected UDP socket for an earlier datagram.
    #[doc(alias = "sendto")]
    #[inline]
    pub fn send_to(&self, bytes: &[u8], to: &Endpoint) -> Result<()> {
        sys::send_to(self.fd.as_fd(), bytes, to).map_err(|errno| send_error(Op::SendTo, errno, bytes.len(), Some(to)))
    }

    /// Receives one datagram into `buf`, without the sender's address, such as on a connected socket.
    ///
    /// # Errors
    ///
    /// Those of [`recv_from`](Self::recv_from).
    #[doc(alias = "recvfrom")]
    #[inline]
    pub fn recv<'buf>(&self, buf: &'buf mut [u8]) -> Result<Received<'buf>> {
        let (len, whole_len) = sys::recv_datagram(self.fd.as_fd(), buf).op(Op::ReceiveFrom)?;
        Ok(Received { bytes: buf.get_mut(..len).unwrap_or_default(), whole_len })
    }

    /// Sends one datagram to the peer of a connected socket, whole or not at all.
    ///
    /// # Errors
    ///
    /// `EDESTADDRREQ` (UDP) or `ENOTCONN` (Unix) if the socket is not connected; those of [`send_to`](Self::send_to).
    /// `ECONNREFUSED` over UDP is the answer to an earlier datagram, and this one was not sent.
    #[inline]
    pub fn send(&self, bytes: &[u8]) -> Result<()> {
        let sent = sys::send(self.fd.as_fd(), bytes);
        sent.map(drop).map_err(|errno| send_error(Op::SendTo, errno, bytes.len(), None))
    }

    /// Duplicates the descriptor, close-on-exec. Each datagram goes to one reader only.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    #[doc(alias = "dup")]
    pub fn try_clone(&self) -> Result<Self> {
        sys::duplicate(self.fd.as_fd()).op(Op::Duplicate).map(Self::from)
    }

    /// The local address. If the socket was bound to port 0, it has the port that the kernel chose.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if the kernel is out of memory.
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> Result<Endpoint> {
        sys::local_addr(self.fd.as_fd()).op(Op::LocalAddr)
    }
}

/// The error of sending `len` bytes.
#[cold]
fn send_error(op: Op, errno: Errno, len: usize, to: Option<&Endpoint>) -> Error {
    match (errno, to) {
        (Errno::MSGSIZE, _) => {
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            Error::refused(op, Cause::DatagramTooLong { len })
        }
        (_, Some(to)) => Error::with_addr(op, errno, to),
        (_, None) => Error::new(op, errno),
    }
}

/// Takes ownership of a datagram socket created elsewhere. On a stream socket, receiving would discard bytes.
impl From<OwnedFd> for Datagram {
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

/// Gives up ownership of the socket.
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
