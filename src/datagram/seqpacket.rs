//! `SOCK_SEQPACKET`: Unix connections that keep the boundaries of messages.
//!
//! A connection delivers messages reliably and in order, as a [`Datagram`] does over Unix sockets, and its end shows,
//! as a stream's does: once the peer has closed, [`recv`](Datagram::recv) returns an empty message. Do not send empty
//! ones.
//!
//! ```
//! use anet::{SocketOptions, UnixAddr, datagram::seqpacket};
//!
//! let listener = seqpacket::listen(&UnixAddr::UNNAMED, &SocketOptions::new())?;
//! let client = seqpacket::connect(&listener.local_addr()?, &SocketOptions::new())?;
//! let server = listener.accept()?;
//! client.send(b"one")?;
//! client.send(b"two")?;
//! drop(client);
//!
//! let mut buf = [0; 16];
//! assert_eq!(server.recv(&mut buf)?.bytes, b"one");
//! assert_eq!(server.recv(&mut buf)?.bytes, b"two");
//! assert_eq!(server.recv(&mut buf)?.bytes, b"");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Datagram;
use crate::{
    addr::{Endpoint, UnixAddr},
    error::{AddrError, Op, Result, ResultExt},
    option::SocketOptions,
    sys,
};

/// A socket that accepts connections which keep the boundaries of messages.
#[derive(Debug)]
pub struct SeqPacketListener {
    fd: OwnedFd,
}

/// Listens on a Unix address; [`UNNAMED`](UnixAddr::UNNAMED) lets the kernel choose an abstract name. The file of a
/// path stays until it is removed.
///
/// # Errors
///
/// Those of [`Datagram::bind`] for a Unix address.
pub fn listen(addr: &UnixAddr, options: &SocketOptions) -> Result<SeqPacketListener, AddrError> {
    let addr = Endpoint::Unix(*addr);
    open_listener(&addr, options).map_err(|error| AddrError::new(error, addr))
}

/// Connects to a listener; the connection is non-blocking.
///
/// # Errors
///
/// `ENOENT`, `ECONNREFUSED` without a listener, `EPROTOTYPE` for another type of socket, `EACCES`, `EAGAIN` if the
/// listener's backlog is full; `EMFILE`, `ENFILE`; those of the options.
pub fn connect(listener: &Endpoint, options: &SocketOptions) -> Result<Datagram, AddrError> {
    let connect = || {
        let fd = new_socket(options)?;
        sys::connect(fd.as_fd(), listener).op(Op::Connect)?;
        Ok(Datagram::from(fd))
    };
    connect().map_err(|error| AddrError::new(error, *listener))
}

/// Two connected sockets. Both are non-blocking and close-on-exec.
///
/// # Errors
///
/// `EMFILE`, `ENFILE`.
#[doc(alias = "socketpair")]
pub fn pair() -> Result<(Datagram, Datagram)> {
    let (one, other) = sys::pair(sys::PairKind::SeqPacket).op(Op::SocketPair)?;
    Ok((one.into(), other.into()))
}

fn open_listener(addr: &Endpoint, options: &SocketOptions) -> Result<SeqPacketListener> {
    let fd = new_socket(options)?;
    sys::bind(fd.as_fd(), addr).op(Op::Bind)?;
    sys::listen(&fd, i32::try_from(options.backlog()).unwrap_or(i32::MAX)).op(Op::Listen)?;
    Ok(SeqPacketListener { fd })
}

fn new_socket(options: &SocketOptions) -> Result<OwnedFd> {
    let fd = sys::seqpacket_socket().op(Op::Socket)?;
    options.set_on_unix(&fd)?;
    Ok(fd)
}

impl SeqPacketListener {
    /// Takes a connection; it is non-blocking and close-on-exec.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none, `EMFILE`, `ENFILE`.
    #[doc(alias = "accept4")]
    pub fn accept(&self) -> Result<Datagram> {
        sys::accept4(self.fd.as_fd()).op(Op::Accept).map(|(fd, _)| Datagram::from(fd))
    }

    /// The local address.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if the kernel is out of memory.
    pub fn local_addr(&self) -> Result<Endpoint> {
        sys::local_addr(self.fd.as_fd()).op(Op::LocalAddr)
    }
}

impl AsFd for SeqPacketListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
