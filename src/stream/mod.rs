//! [`Stream`]: a connected socket, TCP or Unix.
//!
//! Each read or write is one system call and returns the kernel's result. [`read_exact`](Stream::read_exact),
//! [`read_until`](Stream::read_until), [`write_all`](Stream::write_all) and
//! [`write_all_vectored`](Stream::write_all_vectored) continue until all bytes are transferred; their variants with a
//! [`Deadline`] stop there. Writing to a closed peer fails with `EPIPE` and never raises `SIGPIPE`, except by
//! [`Splice`]. The functions of [`option`] set options.
//!
//! # Closing
//!
//! | | the peer reads | the caller |
//! |---|---|---|
//! | drop | what was written, then the end; a reset if unread input was left here or arrives later | does not wait |
//! | [`shutdown`](Stream::shutdown)`(Write)` | what was written, then the end | can still read |
//! | [`close_lingering`](Stream::close_lingering) | what was written, then the end, even if it is still sending | waits for the peer to close, up to a limit |
//! | [`abort`](Stream::abort) | a reset; what was not sent yet is discarded | does not wait |
//!
//! The side that closes first keeps the connection in `TIME_WAIT` for a minute, without a descriptor; after a reset
//! neither side does. A listener without `SO_REUSEADDR` cannot bind the port during that time;
//! [listeners](crate::listen) have it by default.
//!
//! [`set_linger`](Stream::set_linger) makes a plain close wait until the peer has acknowledged everything. That is not
//! a lingering close: unread input still turns it into a reset.

mod closing;
mod convert;
mod exact;
#[cfg(feature = "std")]
mod io;
#[cfg(target_os = "linux")]
mod message;
mod oob;
mod options;
mod queues;
#[cfg(target_os = "linux")]
mod splice;
mod until;
mod vectored;

use core::time::Duration;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

pub use crate::sys::Deadline;
pub(crate) use closing::{Input, discard};
pub use exact::Incomplete;
pub use rustix::io::{IoSlice, IoSliceMut};
#[cfg(target_os = "linux")]
pub use splice::{Splice, Spliced};

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

/// The directions of a connection to shut down. POSIX defines these three only, so this enum is exhaustive.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Shutdown {
    /// Reads that find nothing return the end of the stream. Over TCP, bytes that the peer still sends can be read all
    /// the same; a Unix peer that writes gets `EPIPE` (measured on Linux 6.18).
    Read,
    /// The peer reads the end of the stream after all bytes written before.
    Write,
    /// Both directions.
    Both,
}

impl Stream {
    /// Creates two Unix streams that are connected to each other, blocking and without names.
    ///
    /// ```
    /// use anet::Stream;
    ///
    /// let (parent, child) = Stream::pair()?;
    /// parent.write_all(b"hello")?;
    /// let mut buf = [0; 5];
    /// child.read_exact(&mut buf)?;
    /// # assert_eq!(&buf, b"hello");
    /// # Ok::<(), anet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`.
    #[doc(alias = "socketpair")]
    pub fn pair() -> Result<(Self, Self)> {
        let (one, other) = sys::stream_pair().op(Op::SocketPair)?;
        Ok((one.into(), other.into()))
    }

    /// Reads the available bytes, at most `buf.len()`; returns 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if no bytes are available (non-blocking) or the timeout has passed, `EINTR`, `ECONNRESET`, `ETIMEDOUT`
    /// if keepalive or the user timeout has given up on the peer.
    ///
    /// The kernel returns the same `EAGAIN` for a [timeout](Self::set_read_timeout) as for a non-blocking socket, and
    /// telling them apart takes a second call. [`read_exact`](Self::read_exact) and std's `Read` make that call, and
    /// report a timeout as [`TimedOut`](crate::error::Cause::TimedOut).
    #[doc(alias = "recv")]
    #[inline]
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        sys::recv(self.fd.as_fd(), buf).op(Op::Read)
    }

    /// Reads as [`read`](Self::read) does, but leaves the bytes in the receive buffer.
    ///
    /// ```
    /// # use anet::Stream;
    /// # let (client, server) = std::os::unix::net::UnixStream::pair()?;
    /// # let [client, server] = [client, server].map(|end| Stream::from(std::os::fd::OwnedFd::from(end)));
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
    #[inline]
    pub fn peek(&self, buf: &mut [u8]) -> Result<usize> {
        sys::peek(self.fd.as_fd(), buf).op(Op::Read)
    }

    /// Reads into several buffers in turn; returns 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read). Buffers after the first 1024 are ignored.
    #[doc(alias = "readv")]
    #[inline]
    pub fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        sys::readv(&self.fd, bufs).op(Op::Read)
    }

    /// Writes as many bytes as the send buffer has room for, at least one if `buf` is not empty.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is no room (non-blocking) or the timeout has passed, `EINTR`, `EPIPE` and `ECONNRESET` if the
    /// peer has disconnected. [`write_all`](Self::write_all) and std's `Write` tell the two `EAGAIN`s apart, as for
    /// [`read`](Self::read).
    #[doc(alias = "send")]
    #[inline]
    pub fn write(&self, buf: &[u8]) -> Result<usize> {
        sys::send(self.fd.as_fd(), buf).op(Op::Write)
    }

    /// Writes as [`write`](Self::write) does, and announces that more follows: the kernel sends full segments only, until
    /// a write without this or 200 ms later (`send(2)`, `tcp(7)`). It puts a header in front of what
    /// [`Splice`] or another call sends into the same segment.
    ///
    /// It has no effect on Unix streams. [`option::set_tcp_cork`] does the same for all writes until it is cleared, at
    /// the cost of two more calls; [`write_vectored`](Self::write_vectored) needs neither.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    #[cfg(target_os = "linux")]
    #[doc(alias = "MSG_MORE")]
    #[doc(alias = "TCP_CORK")]
    #[inline]
    pub fn write_more(&self, buf: &[u8]) -> Result<usize> {
        sys::send_more(self.fd.as_fd(), buf).op(Op::Write)
    }

    /// Writes several buffers in turn, as much as the send buffer has room for.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write), and `EMSGSIZE` for more than 1024 buffers.
    #[doc(alias = "writev")]
    #[doc(alias = "sendmsg")]
    #[inline]
    pub fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        sys::send_vectored(self.fd.as_fd(), bufs).op(Op::Write)
    }

    /// Shuts down one or both directions; the descriptor stays open.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the socket is no longer connected.
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        let how = match how {
            Shutdown::Read => sys::Shutdown::Read,
            Shutdown::Write => sys::Shutdown::Write,
            Shutdown::Both => sys::Shutdown::Both,
        };
        sys::shutdown(&self.fd, how).op(Op::Shutdown)
    }

    /// Duplicates the descriptor, close-on-exec. Both share the connection, its options and the end of the stream;
    /// closing the last descriptor closes the connection.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    #[doc(alias = "dup")]
    pub fn try_clone(&self) -> Result<Self> {
        sys::duplicate(self.fd.as_fd()).op(Op::Duplicate).map(Self::from)
    }

    /// The local address.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if the kernel is out of memory.
    #[doc(alias = "getsockname")]
    #[doc(alias = "anetFdToString")]
    pub fn local_addr(&self) -> Result<Endpoint> {
        sys::local_addr(self.fd.as_fd()).op(Op::LocalAddr)
    }

    /// The peer's address. A server should use the one from [`accept`](crate::Listener::accept): after the peer has
    /// reset the connection this call fails.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the socket is no longer connected.
    #[doc(alias = "getpeername")]
    #[doc(alias = "anetFdToString")]
    pub fn peer_addr(&self) -> Result<Endpoint> {
        sys::peer_addr(self.fd.as_fd()).op(Op::PeerAddr)
    }

    /// Returns the pending error of the socket and clears it.
    ///
    /// # Errors
    ///
    /// Those of [`option::take_error`].
    #[doc(alias = "SO_ERROR")]
    #[doc(alias = "anetGetError")]
    pub fn take_error(&self) -> Result<Option<crate::Errno>> {
        option::take_error(self)
    }

    /// Turns `EAGAIN` of a blocking socket into `TimedOut`. Takes one more call (`fcntl`), and none for any other
    /// error.
    #[cold]
    fn name_timeout(&self, error: Error) -> Error {
        if error.is_would_block() && option::nonblocking(self) == Ok(false) {
            return Error::refused(error.op(), Cause::TimedOut);
        }
        error
    }

    /// Limits the wait of each read; `None`: reads wait indefinitely. A read with a timeout can fail with `EINTR` even
    /// if the signal's handler has `SA_RESTART` (`signal(7)`), and a repeated read starts a new wait.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_recv_timeout`].
    #[doc(alias = "SO_RCVTIMEO")]
    pub fn set_read_timeout(&self, time: Option<Duration>) -> Result<()> {
        option::set_recv_timeout(self, time)
    }

    /// Limits the wait of each write; `None`: writes wait indefinitely.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_send_timeout`].
    #[doc(alias = "SO_SNDTIMEO")]
    pub fn set_write_timeout(&self, time: Option<Duration>) -> Result<()> {
        option::set_send_timeout(self, time)
    }
}

/// Takes ownership of a connected socket created elsewhere. On Apple's systems its `SO_NOSIGPIPE` does not change.
impl From<OwnedFd> for Stream {
    #[inline]
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

/// Gives up ownership of the socket.
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
