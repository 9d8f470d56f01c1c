//! [`Connection`]: a client of a [`Server`](super::Server), and what the server knows of it.

use core::time::Duration;

use rustix::fd::{AsFd, BorrowedFd};

use super::ListenerId;
use crate::{
    accept::Ticket,
    addr::Endpoint,
    error::Result,
    event::Interest,
    stream::{Incomplete, Stream},
};

/// A client's connection, and the data that the server's author keeps with it.
#[derive(Debug)]
pub struct Connection<T> {
    /// What belongs to the connection: a parser's state, output that waits, a name.
    pub data: T,
    id: u64,
    pub(super) stream: Stream,
    peer: Endpoint,
    listener: ListenerId,
    /// Its place in the admission; none once that is given back.
    pub(super) ticket: Option<Ticket>,
    /// What it is watched for, or will be.
    pub(super) interest: Interest,
    pub(super) stage: Stage,
    /// Whether the first read since it was offered has found anything.
    pub(super) found: Option<bool>,
    opened_at: Duration,
    pub(super) last_active: Duration,
}

/// How far a new connection has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Nobody has been told of it.
    Accepted,
    /// The caller has been told.
    Opened,
    /// The caller has been told to read at once.
    OfferedAtOnce,
    /// The caller has been told to read at the end of the turn.
    OfferedAtEnd,
    /// The poller tells when there is something to be read.
    Watched,
}

impl<T> Connection<T> {
    pub(super) fn new(
        id: u64,
        stream: Stream,
        peer: Endpoint,
        listener: ListenerId,
        ticket: Ticket,
        now: Duration,
    ) -> Self
    where
        T: Default,
    {
        Self {
            data: T::default(),
            id,
            stream,
            peer,
            listener,
            ticket: Some(ticket),
            interest: Interest::READABLE,
            stage: Stage::Accepted,
            found: None,
            opened_at: now,
            last_active: now,
        }
    }

    /// Reads what is there; see [`Stream::read`]. Better than reading from the stream itself: the server learns whether
    /// new connections are worth reading from before the poller says so.
    ///
    /// # Errors
    ///
    /// Those of [`Stream::read`]. `EAGAIN` is to be expected after [`Readable`](super::Event::Readable) too.
    #[inline]
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let read = self.stream.read(buf);
        if self.found.is_none() {
            self.found = Some(!read.is_err_and(|error| error.is_would_block()));
        }
        read
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

    /// Writes all of `buf` or says how far it came; see [`Stream::write_all`].
    ///
    /// # Errors
    ///
    /// [`Incomplete`], for want of room in the send buffer too: nobody waits here.
    pub fn write_all(&self, buf: &[u8]) -> Result<(), Incomplete> {
        self.stream.write_all(buf)
    }

    /// The stream. A duplicate of its descriptor must not outlive the connection: the poller would tell of it for ever.
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The peer's address, as it was when the connection was made.
    #[doc(alias = "getpeername")]
    pub const fn peer_addr(&self) -> &Endpoint {
        &self.peer
    }

    /// Its number among all that this server has admitted, from 1: a name for it in a log, or for its peer, that no
    /// other connection ever has.
    #[doc(alias = "CLIENT ID")]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The listener it came from.
    pub const fn listener(&self) -> ListenerId {
        self.listener
    }

    /// What the connection is watched for.
    pub const fn interest(&self) -> Interest {
        self.interest
    }

    /// When it was admitted, on the monotonic clock; [`Server::now`](super::Server::now) is the same clock.
    pub const fn opened_at(&self) -> Duration {
        self.opened_at
    }

    /// When it was last told to be readable or writable, or [touched](super::Server::touch), on the monotonic clock.
    pub const fn last_active(&self) -> Duration {
        self.last_active
    }

    pub(super) fn is_watched(&self) -> bool {
        self.stage == Stage::Watched
    }

    /// Gives the stream and the data away.
    pub(super) fn into_parts(self) -> (Stream, Endpoint, T) {
        (self.stream, self.peer, self.data)
    }
}

impl<T> AsFd for Connection<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
