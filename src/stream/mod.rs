//! [`Stream`]: a connected socket, TCP or Unix.
//!
//! Reads and writes are one system call each and say what the kernel says; [`read_exact`](Stream::read_exact) and
//! [`write_all`](Stream::write_all) go on until all bytes are through, and
//! [`read_exact_deadline`](Stream::read_exact_deadline) and [`write_all_deadline`](Stream::write_all_deadline) no longer
//! than until a [`Deadline`]. Writing to a closed peer is `EPIPE`, never a `SIGPIPE`. Options are set with [`option`];
//! dropping a `Stream` closes it and never waits, unless `SO_LINGER` asks for it.

mod convert;
mod exact;
#[cfg(feature = "std")]
mod io;
mod options;

use core::time::Duration;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

pub use crate::sys::Deadline;
pub use exact::Incomplete;
pub use rustix::io::{IoSlice, IoSliceMut};

use crate::{
    addr::Endpoint,
    error::{Cause, Error, Op, Result, ResultExt},
    option, sys,
};

/// A connected stream socket.
#[derive(Debug)]
#[doc(alias = "socket")]
pub struct Stream {
    fd: OwnedFd,
}

/// Which directions of a connection to close. The three of POSIX; there are no others.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Shutdown {
    /// Reads end at once; what the peer still sends is thrown away.
    Read,
    /// The peer reads an end of stream after what has been written.
    Write,
    /// Both.
    Both,
}

impl Stream {
    /// Reads what is there, at most `buf.len()` bytes; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if nothing is there (non-blocking) or came in time, `EINTR`, `ECONNRESET`, `ETIMEDOUT` from a peer
    /// that keepalive or the user timeout has given up.
    ///
    /// The kernel has the same `EAGAIN` for a [timeout](Self::set_read_timeout) as for a non-blocking socket, and asking
    /// which it was would be a second call. [`read_exact`](Self::read_exact) and std's `Read` ask, and report a timeout
    /// as [`TimedOut`](crate::error::Cause::TimedOut).
    #[doc(alias = "recv")]
    #[inline]
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        sys::recv(self.fd.as_fd(), buf).op(Op::Read)
    }

    /// Reads as [`read`](Self::read) does and leaves the bytes to be read again.
    ///
    /// ```
    /// # use anet::Stream;
    /// # let (client, server) = std::os::unix::net::UnixStream::pair()?;
    /// # let [client, server] = [client, server].map(Stream::from);
    /// client.write_all(b"GET / HTTP/1.1")?;
    /// let mut first = [0; 1];
    /// server.peek(&mut first)?;
    /// let is_tls = first == [0x16];
    /// # assert!(!is_tls);
    /// # let mut request = [0; 14];
    /// # server.read_exact(&mut request)?;
    /// # assert_eq!(&request, b"GET / HTTP/1.1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    #[doc(alias = "MSG_PEEK")]
    pub fn peek(&self, buf: &mut [u8]) -> Result<usize> {
        sys::peek(self.fd.as_fd(), buf).op(Op::Read)
    }

    /// Reads into several buffers in turn; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read). Of more than 1024 buffers the first 1024 are filled.
    #[doc(alias = "readv")]
    pub fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        sys::readv(&self.fd, bufs).op(Op::Read)
    }

    /// Writes what the send buffer has room for, at least one byte of a `buf` that is not empty.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is no room (non-blocking) or none came in time, `EINTR`, `EPIPE` and `ECONNRESET` if the peer
    /// is gone. [`write_all`](Self::write_all) and std's `Write` tell the two `EAGAIN`s apart, as for
    /// [`read`](Self::read).
    #[doc(alias = "send")]
    #[inline]
    pub fn write(&self, buf: &[u8]) -> Result<usize> {
        sys::send(self.fd.as_fd(), buf).op(Op::Write)
    }

    /// Writes several buffers in turn, as much as the send buffer has room for.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write), and `EMSGSIZE` for more than 1024 buffers.
    #[doc(alias = "writev")]
    #[doc(alias = "sendmsg")]
    pub fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        sys::send_vectored(self.fd.as_fd(), bufs).op(Op::Write)
    }

    /// Closes one or both directions; the descriptor stays.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the connection is gone already.
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        let how = match how {
            Shutdown::Read => sys::Shutdown::Read,
            Shutdown::Write => sys::Shutdown::Write,
            Shutdown::Both => sys::Shutdown::Both,
        };
        sys::shutdown(&self.fd, how).op(Op::Shutdown)
    }

    /// A second descriptor of the same connection, close-on-exec. Options and the end of the stream are shared; the
    /// connection is closed with the last descriptor.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    #[doc(alias = "dup")]
    pub fn try_clone(&self) -> Result<Self> {
        sys::duplicate(self.fd.as_fd()).op(Op::Duplicate).map(Self::from)
    }

    /// This end's address.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if the kernel is out of memory.
    #[doc(alias = "getsockname")]
    #[doc(alias = "anetFdToString")]
    pub fn local_addr(&self) -> Result<Endpoint> {
        sys::local_addr(self.fd.as_fd()).op(Op::LocalAddr)
    }

    /// The peer's address. A server has it from [`accept`](crate::Listener::accept) already, and safer: a peer that
    /// has reset the connection has no address here any more.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the connection is gone.
    #[doc(alias = "getpeername")]
    #[doc(alias = "anetFdToString")]
    pub fn peer_addr(&self) -> Result<Endpoint> {
        sys::peer_addr(self.fd.as_fd()).op(Op::PeerAddr)
    }

    /// Takes the error that waits on the socket; reading clears it.
    ///
    /// # Errors
    ///
    /// Those of [`option::take_error`].
    #[doc(alias = "SO_ERROR")]
    #[doc(alias = "anetGetError")]
    pub fn take_error(&self) -> Result<Option<crate::Errno>> {
        option::take_error(self)
    }

    /// What `EAGAIN` means: on a socket that blocks, its timeout has passed. One call more (`fcntl`), and none for any
    /// other error.
    fn name_timeout(&self, error: Error) -> Error {
        if error.is_would_block() && option::nonblocking(self) == Ok(false) {
            return Error::refused(error.op(), Cause::TimedOut);
        }
        error
    }

    /// Lets each read wait this long at most; `None`: for ever. A read with a time limit can end with `EINTR` even
    /// where the signal's handler asks for restarts (`signal(7)`), and a read that is repeated waits as long again.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_recv_timeout`].
    #[doc(alias = "SO_RCVTIMEO")]
    pub fn set_read_timeout(&self, time: Option<Duration>) -> Result<()> {
        option::set_recv_timeout(self, time)
    }

    /// Lets each write wait this long at most; `None`: for ever.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_send_timeout`].
    #[doc(alias = "SO_SNDTIMEO")]
    pub fn set_write_timeout(&self, time: Option<Duration>) -> Result<()> {
        option::set_send_timeout(self, time)
    }
}

/// Takes a connected socket that came from elsewhere. On Apple's systems it keeps its own `SO_NOSIGPIPE`.
impl From<OwnedFd> for Stream {
    #[inline]
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

/// Gives the socket away.
impl From<Stream> for OwnedFd {
    fn from(stream: Stream) -> Self {
        stream.fd
    }
}

impl AsFd for Stream {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
