//! From "in progress" to a connected stream.

use core::time::Duration;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::{
    addr::Endpoint,
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    option,
    stream::Stream,
    sys::{self, Deadline},
};

/// How far a connection has come.
#[derive(Debug)]
pub enum Progress {
    /// It is made.
    Connected(Stream),
    /// It is under way.
    Pending(Pending),
}

/// A connection under way. Wait until it is writable or has an error, then [`finish`](Self::finish) it; dropping it
/// gives it up.
#[derive(Debug)]
pub struct Pending {
    fd: OwnedFd,
    peer: Endpoint,
}

impl Pending {
    pub(super) const fn new(fd: OwnedFd, peer: Endpoint) -> Self {
        Self { fd, peer }
    }

    /// The address being connected to.
    pub const fn peer_addr(&self) -> &Endpoint {
        &self.peer
    }

    /// Asks how it went: connected, failed, or still pending if asked too early.
    ///
    /// # Errors
    ///
    /// `ECONNREFUSED`, `ETIMEDOUT`, `EHOSTUNREACH`, `ENETUNREACH`, `ECONNRESET`;
    /// [`SelfConnected`](Cause::SelfConnected) if the kernel has chosen the very port that was connected to, and nobody
    /// listens there. The socket is closed then.
    #[doc(alias = "SO_ERROR")]
    pub fn finish(self) -> Result<Progress> {
        if let Some(errno) = option::take_error(&self.fd)? {
            return Err(Error::new(Op::Connect, errno));
        }
        match sys::peer_addr(self.fd.as_fd()) {
            Err(Errno::NOTCONN) => self.pending_or_decided(),
            Err(errno) => Err(Error::new(Op::PeerAddr, errno)),
            Ok(peer) => connected(self.fd, peer).map(Progress::Connected),
        }
    }

    /// There was no error and no peer: it goes on, or one of them has come since.
    fn pending_or_decided(self) -> Result<Progress> {
        if !sys::poll_writable(self.fd.as_fd(), Some(Duration::ZERO)).op(Op::Poll)? {
            return Ok(Progress::Pending(self));
        }
        if let Some(errno) = option::take_error(&self.fd)? {
            return Err(Error::new(Op::Connect, errno));
        }
        let peer = sys::peer_addr(self.fd.as_fd()).op(Op::Connect)?;
        connected(self.fd, peer).map(Progress::Connected)
    }

    /// Waits until there is something to ask.
    pub(super) fn wait(self, deadline: Deadline) -> Result<Self> {
        loop {
            match sys::poll_writable(self.fd.as_fd(), deadline.remaining()) {
                Ok(true) => return Ok(self),
                Err(Errno::INTR) if !deadline.is_over() => {}
                Ok(false) | Err(Errno::INTR) => return Err(Error::new(Op::Connect, Errno::TIMEDOUT)),
                Err(errno) => return Err(Error::new(Op::Poll, errno)),
            }
        }
    }
}

impl AsFd for Pending {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Gives the socket away; writable or in error, `SO_ERROR` says how it went.
impl From<Pending> for OwnedFd {
    fn from(pending: Pending) -> Self {
        pending.fd
    }
}

/// A connected socket as a stream, unless it is connected to itself.
pub(super) fn connected(fd: OwnedFd, peer: Endpoint) -> Result<Stream> {
    if peer.as_inet().is_some() && sys::local_addr(fd.as_fd()).op(Op::LocalAddr)? == peer {
        return Err(Error::refused(Op::Connect, Cause::SelfConnected));
    }
    Ok(Stream::from(fd))
}
