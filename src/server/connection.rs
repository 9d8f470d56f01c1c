//! [`Connection`]: a connection of a [`Server`](super::Server), and the server's state for it.

use core::time::Duration;

use rustix::fd::{AsFd, BorrowedFd};

use super::{ListenerId, route::Dial};
use crate::{
    accept::Ticket,
    addr::Endpoint,
    error::Result,
    event::Interest,
    stream::{Incomplete, Stream},
    sys,
};

/// A connection, accepted or outgoing, and the data you keep with it.
#[derive(Debug)]
pub struct Connection<T> {
    /// Your data for the connection: a parser's state, pending output, a name.
    pub data: T,
    pub(super) id: u64,
    pub(super) stream: Stream,
    pub(super) peer: Endpoint,
    pub(super) origin: Option<Origin>,
    /// Its place in the admission; `None` once released, and for connections that were not accepted.
    pub(super) ticket: Option<Ticket>,
    /// The interest it is to be watched with.
    pub(super) interest: Interest,
    /// The interest that the poller has, once it watches the connection.
    pub(super) watched: Interest,
    pub(super) reads: Reads,
    /// Its own idle timeout instead of the server's.
    pub(super) idle_timeout: Option<Option<Duration>>,
    pub(super) deadline: Option<(Duration, Expiry)>,
    /// The attempts to connect, while they last.
    pub(super) dial: Option<Dial>,
    pub(super) opened_at: Duration,
    pub(super) last_active: Duration,
}

/// Where an accepted connection came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) listener: ListenerId,
    pub(super) tag: u64,
}

/// What reads have found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reads {
    /// Whether the first read since the last offer found anything; `None` before that read.
    pub(super) found: Option<bool>,
    /// Whether the last read took everything there was.
    pub(super) drained: bool,
}

/// What happens when a [deadline](super::Server::set_deadline) passes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Expiry {
    /// The server closes the connection and reports [`CloseReason::Deadline`](super::CloseReason::Deadline).
    Close,
    /// The server reports [`Event::Deadline`](super::Event::Deadline) and keeps the connection.
    Report,
}

/// A connection without its data: reads and writes. With the feature `std` it implements `Read` and `Write`, for a TLS
/// session that lives in the data.
#[derive(Debug)]
pub struct Io<'c> {
    stream: &'c Stream,
    reads: &'c mut Reads,
}

impl<T> Connection<T> {
    pub(super) const fn new(id: u64, stream: Stream, peer: Endpoint, data: T, now: Duration) -> Self {
        Self {
            data,
            id,
            stream,
            peer,
            origin: None,
            ticket: None,
            interest: Interest::READABLE,
            watched: Interest::empty(),
            reads: Reads { found: None, drained: false },
            idle_timeout: None,
            deadline: None,
            dial: None,
            opened_at: now,
            last_active: now,
        }
    }

    /// Splits the connection from its data, so that bytes can be read into the data.
    ///
    /// ```
    /// # use anet::server::Connection;
    /// struct Session {
    ///     buffer: [u8; 4096],
    ///     len: usize,
    /// }
    ///
    /// fn fill(connection: &mut Connection<Session>) -> anet::Result<usize> {
    ///     let (session, mut io) = connection.split();
    ///     let read = io.read(&mut session.buffer[session.len..])?;
    ///     session.len += read;
    ///     Ok(read)
    /// }
    /// ```
    pub const fn split(&mut self) -> (&mut T, Io<'_>) {
        (&mut self.data, Io { stream: &self.stream, reads: &mut self.reads })
    }

    /// Reads available bytes; see [`Stream::read`]. Prefer this to reading from the [stream](Self::stream): from these
    /// reads the server learns whether to offer new connections before the poller reports them.
    ///
    /// # Errors
    ///
    /// Those of [`Stream::read`]. `EAGAIN` is possible even after [`Readable`](super::Event::Readable).
    #[inline]
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        self.split().1.read(buf)
    }

    /// Writes what the send buffer has room for; see [`Stream::write`].
    ///
    /// # Errors
    ///
    /// Those of [`Stream::write`].
    #[inline]
    pub fn write(&self, buf: &[u8]) -> Result<usize> {
        self.stream.write(buf)
    }

    /// Writes all of `buf`, or returns how far it got; see [`Stream::write_all`].
    ///
    /// # Errors
    ///
    /// [`Incomplete`], also if the send buffer is full: this never blocks.
    pub fn write_all(&self, buf: &[u8]) -> Result<(), Incomplete> {
        self.stream.write_all(buf)
    }

    /// Writes the last bytes before [`Server::close`](super::Server::close) or
    /// [`Server::close_lingering`](super::Server::close_lingering), so that the end of the stream travels with them; see
    /// [`Stream::write_last`].
    ///
    /// # Errors
    ///
    /// [`Incomplete`], also if the send buffer is full: this never blocks.
    pub fn write_last(&self, buf: &[u8]) -> Result<(), Incomplete> {
        self.stream.write_last(buf)
    }

    /// The stream. A duplicate of its descriptor keeps the peer from seeing the end when the connection is closed.
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The peer's address when the connection was made; while connecting, the address being tried, which is of no
    /// known family while a name is resolved.
    #[doc(alias = "getpeername")]
    pub const fn peer_addr(&self) -> &Endpoint {
        &self.peer
    }

    /// Its number among all connections this server has held, from 1. No other connection ever has the same number, so
    /// it can name the connection in a log or to the peer.
    #[doc(alias = "CLIENT ID")]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The listener that accepted it; `None` for outgoing and inserted connections.
    pub fn listener(&self) -> Option<ListenerId> {
        self.origin.map(|origin| origin.listener)
    }

    /// The [tag](super::ListenOptions::with_tag) of the listener that accepted it; 0 for others.
    pub fn tag(&self) -> u64 {
        self.origin.map_or(0, |origin| origin.tag)
    }

    /// What the connection is watched for.
    pub const fn interest(&self) -> Interest {
        self.interest
    }

    /// When it was admitted, inserted or started, on the monotonic clock, like [`Server::now`](super::Server::now).
    pub const fn opened_at(&self) -> Duration {
        self.opened_at
    }

    /// When it was last reported as readable or writable, or [touched](super::Server::touch), on the monotonic clock.
    pub const fn last_active(&self) -> Duration {
        self.last_active
    }

    /// When its [deadline](super::Server::set_deadline) passes, on the monotonic clock.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline.map(|(at, _)| at)
    }

    /// Whether the connection is still connecting.
    pub fn is_connecting(&self) -> bool {
        self.dial.as_ref().is_some_and(|dial| !dial.is_connected())
    }

    /// Whether the interest includes reading.
    pub(super) const fn reads(&self) -> bool {
        self.interest.contains(Interest::READABLE)
    }

    /// Whether a poller would report it now; `false` with `EDGE` or `ONE_SHOT`.
    pub(super) fn is_ready(&self) -> bool {
        let mut asked = sys::PollFlags::empty();
        asked.set(sys::PollFlags::IN, self.reads());
        asked.set(sys::PollFlags::OUT, self.interest.contains(Interest::WRITABLE));
        let is_level = !self.interest.intersects(Interest::EDGE | Interest::ONE_SHOT);
        let poll = || sys::poll_now(self.stream.as_fd(), asked).is_ok_and(|ready| !ready.is_empty());
        is_level && !asked.is_empty() && poll()
    }

    /// When its next deadline passes; `idle_timeout` is the server's.
    pub(super) fn due(&self, idle_timeout: Option<Duration>) -> Option<Duration> {
        let deadline = self.deadline.map(|(at, _)| at);
        let other = match &self.dial {
            Some(dial) if !dial.is_connected() => dial.due(),
            _ => self.idle_at(idle_timeout),
        };
        [deadline, other].into_iter().flatten().min()
    }

    /// When it becomes idle: 1 ns after the timeout, so that a connection active at the current reading of the clock
    /// never is.
    pub(super) fn idle_at(&self, idle_timeout: Option<Duration>) -> Option<Duration> {
        let time = self.idle_timeout.unwrap_or(idle_timeout)?;
        Some(self.last_active.saturating_add(time).saturating_add(Duration::from_nanos(1)))
    }

    /// Returns the stream, the peer and the data.
    pub(super) fn into_parts(self) -> (Stream, Endpoint, T) {
        (self.stream, self.peer, self.data)
    }
}

impl<T> AsFd for Connection<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Io<'_> {
    /// See [`Connection::read`].
    ///
    /// # Errors
    ///
    /// Those of [`Stream::read`].
    #[inline]
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let read = self.stream.read(buf);
        if self.reads.found.is_none() {
            self.reads.found = Some(!read.is_err_and(|error| error.is_would_block()));
        }
        self.reads.drained = match read {
            Ok(len) => len > 0 && len < buf.len(),
            Err(error) => error.is_would_block(),
        };
        read
    }

    /// See [`Connection::write`].
    ///
    /// # Errors
    ///
    /// Those of [`Stream::write`].
    #[inline]
    pub fn write(&self, buf: &[u8]) -> Result<usize> {
        self.stream.write(buf)
    }

    /// See [`Connection::write_all`].
    ///
    /// # Errors
    ///
    /// [`Incomplete`].
    pub fn write_all(&self, buf: &[u8]) -> Result<(), Incomplete> {
        self.stream.write_all(buf)
    }

    /// See [`Connection::write_last`].
    ///
    /// # Errors
    ///
    /// [`Incomplete`].
    pub fn write_last(&self, buf: &[u8]) -> Result<(), Incomplete> {
        self.stream.write_last(buf)
    }

    /// The stream.
    pub const fn stream(&self) -> &Stream {
        self.stream
    }
}

impl AsFd for Io<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(feature = "std")]
impl std::io::Read for Io<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        Ok(Io::read(self, buf)?)
    }
}

#[cfg(feature = "std")]
impl std::io::Write for Io<'_> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        Ok(Io::write(self, buf)?)
    }

    fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
        Ok(self.stream.write_vectored(bufs)?)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
