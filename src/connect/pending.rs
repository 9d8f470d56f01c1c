//! [`Pending`]: a connection being made.

use core::time::Duration;

use arrayvec::ArrayVec;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{
    Connector, Outcome,
    attempt::{self, Begun},
    log::Log,
    race::{Attempt, CANDIDATES_MAX, Race, Step},
};
use crate::{
    addr::Endpoint,
    error::{AddrError, Cause, Errno, Error, Op, Result},
    option,
    resolve::{Address, Addresses, Family},
    stream::Stream,
    sys::{self, PollFd, PollFlags},
};

/// A connection being made to one of several addresses: a [`Race`] with its sockets.
///
/// [`wait`](Self::wait) blocks until it is made. A program that has other work to do calls [`advance`](Self::advance)
/// when one of the sockets is ready or [`timeout`](Self::timeout) has passed. Dropping it closes all sockets.
///
/// `L` is the list of addresses. With an owned list, such as an array, a `Vec` or an `Arc<[Endpoint]>`, it borrows
/// nothing, and a table can hold many:
///
/// ```
/// use anet::{Endpoint, connect::{LocalAddr, Pending}, event::{Events, Interest, Poller}};
/// use std::sync::Arc;
///
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let live = Endpoint::from(server.local_addr()?);
/// # let dead = "127.0.0.1:1".parse()?;
/// let lists: [Arc<[Endpoint]>; 2] = [Arc::from([dead, live]), Arc::from([live, dead])];
/// let mut dials = lists.map(|list| Some(Pending::new(list, LocalAddr::Any)));
/// let (poller, mut events) = (Poller::new()?, Events::<8>::new());
/// let mut streams = Vec::new();
/// while streams.len() < 2 {
///     for (key, slot) in dials.iter_mut().enumerate() {
///         let Some(pending) = slot else { continue };
///         // All sockets of a dial have its key.
///         if let Some(stream) = pending.advance(|fd| poller.add(fd, key as u64, Interest::WRITABLE))? {
///             streams.push(stream);
///             *slot = None;
///         }
///     }
///     let timeout = dials.iter().flatten().filter_map(Pending::timeout).min();
///     if streams.len() < 2 {
///         poller.wait(&mut events, timeout)?;
///     }
/// }
/// assert!(streams.iter().all(|stream| stream.peer_addr() == Ok(live)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pending<L> {
    endpoints: L,
    connector: Connector,
    race: Race,
    sockets: [Option<OwnedFd>; CANDIDATES_MAX],
    log: Log,
    started: Duration,
}

/// A list that grows while a name is resolved.
impl<L: AsRef<[Endpoint]> + Extend<Endpoint>> Pending<L> {
    /// Waits for the addresses of this family too; see [`Race::awaiting`].
    #[must_use]
    pub fn awaiting(mut self, family: Family) -> Self {
        self.race = self.race.awaiting(family);
        self
    }

    /// Adds an address, which [`advance`](Self::advance) tries when it is due. Those beyond [`CANDIDATES_MAX`] are
    /// ignored.
    pub fn push(&mut self, endpoint: Endpoint) {
        if self.race.push(&endpoint).is_some() {
            self.endpoints.extend([endpoint]);
        }
    }

    /// Adds the addresses that a lookup has found so far, those that are not there yet. Until it is complete, the
    /// families among them count as answered, and half of the room is kept for the other.
    pub fn resolved(&mut self, addresses: &Addresses, is_complete: bool) {
        let room = if is_complete { CANDIDATES_MAX } else { CANDIDATES_MAX / 2 };
        for endpoint in addresses.iter().take(room).map(Address::endpoint) {
            if !self.endpoints.as_ref().contains(&endpoint) {
                self.push(endpoint);
            }
        }
        for family in [Family::V4, Family::V6] {
            if is_complete || addresses.of_family(family).next().is_some() {
                self.answered(family);
            }
        }
    }

    /// Reports that all addresses of a family have been added; see [`Race::answered`].
    pub fn answered(&mut self, family: Family) {
        self.race.answered(family, sys::now());
    }
}

/// An attempt to connect to one address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Tried<'p> {
    /// The address.
    pub endpoint: &'p Endpoint,
    /// Whether the source address was bound.
    pub has_source: bool,
    /// When it began, after the start of the race.
    pub began: Duration,
    /// How long it took; zero while it is running.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

impl<L: AsRef<[Endpoint]>> Pending<L> {
    /// Starts the clock of the connector's time limit; makes no attempt yet. A [`LocalAddr`](super::LocalAddr) converts
    /// to a connector with the defaults.
    pub fn new(endpoints: L, connector: impl Into<Connector>) -> Self {
        let (connector, started) = (connector.into(), sys::now());
        let mut race = connector.race(started);
        // A list that is too long is refused as a whole.
        let known = Some(endpoints.as_ref()).filter(|list| list.len() <= CANDIDATES_MAX);
        for endpoint in known.into_iter().flatten() {
            race.push(endpoint);
        }
        Self { endpoints, connector, race, sockets: [const { None }; CANDIDATES_MAX], log: Log::new(), started }
    }

    /// Does what is due, without blocking: takes the results of attempts that have ended and begins the next ones.
    /// Returns the stream once connected, non-blocking.
    ///
    /// `watch` gets each new socket: have it reported when it is writable. The stream returned is one that `watch` got.
    /// The sockets of failed attempts are closed, which removes them from a poller unless a forked child has them too.
    ///
    /// A proxy that gives each upstream a tenth of a second before it tries the next beside it:
    ///
    /// ```
    /// use anet::{Endpoint, connect::{Connector, Pending}, event::{Events, Interest, Poller}};
    /// use core::time::Duration;
    ///
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let live = Endpoint::from(server.local_addr()?);
    /// # let dead: Endpoint = "127.0.0.1:1".parse()?;
    /// let upstreams = [dead, live];
    /// let (poller, mut events) = (Poller::new()?, Events::<1>::new());
    /// let mut pending = Pending::new(&upstreams, Connector::new().with_stagger(Duration::from_millis(100)));
    /// let upstream = loop {
    ///     if let Some(stream) = pending.advance(|fd| poller.add(fd, 0, Interest::WRITABLE))? {
    ///         break stream;
    ///     }
    ///     poller.wait(&mut events, pending.timeout())?;
    /// };
    /// assert_eq!(upstream.peer_addr()?, live);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Once every attempt has failed, the error that says most about the way to the peer: what the peer answered
    /// (`ECONNREFUSED`, `ECONNRESET`) before silence (`ETIMEDOUT`) before the lack of a route (`EHOSTUNREACH`,
    /// `ENETUNREACH`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`); [`attempts`](Self::attempts) has all of them. When the time
    /// limit has passed, the attempts that were running have failed with `ETIMEDOUT`.
    ///
    /// `EADDRNOTAVAIL` also for a source that is not an address of this host or if no ephemeral port is left,
    /// `EAFNOSUPPORT` for a source of the other family, [`MissingScope`](Cause::MissingScope) for a link-local address
    /// without scope, [`SelfConnected`](Cause::SelfConnected) if the kernel chose the destination port as the source
    /// port and no listener has it, `EMFILE`, `ENFILE`; those of the options and of `watch`. On a Unix socket `ENOENT`,
    /// `EACCES`; a full backlog is no error, but tried again until the time limit.
    /// [`NothingToTry`](Cause::NothingToTry) for an empty list, [`TooManyAddresses`](Cause::TooManyAddresses) for more
    /// than [`CANDIDATES_MAX`]. [`AddrError::endpoint`] is the address that failed: the source address if it could not
    /// be bound.
    #[doc(alias = "anetTcpNonBlockConnect")]
    #[doc(alias = "anetTcpNonBlockBestEffortBindConnect")]
    pub fn advance(
        &mut self,
        mut watch: impl FnMut(BorrowedFd<'_>) -> Result<()>,
    ) -> Result<Option<Stream>, AddrError> {
        let connected = self.settle(Some(Duration::ZERO))?;
        let connected = if connected.is_some() { connected } else { self.begin_due(true, &mut watch)? };
        Ok(connected.map(Stream::from))
    }

    /// How long until [`advance`](Self::advance) is due, whatever the sockets do; `None`: it depends on them alone.
    pub fn timeout(&self) -> Option<Duration> {
        self.race.wake_at().map(|at| at.saturating_sub(sys::now()))
    }

    /// Waits until the connection is made, with the addresses known so far. The returned stream is blocking.
    ///
    /// # Errors
    ///
    /// Those of [`advance`](Self::advance).
    #[doc(alias = "connect")]
    pub fn wait(&mut self) -> Result<Stream, AddrError> {
        for family in [Family::V4, Family::V6] {
            self.race.answered(family, sys::now());
        }
        // A single attempt without a time limit is left to the kernel.
        let is_shared = self.endpoints.as_ref().len() != 1 || self.connector.timeout().is_some();
        let mut connected = None;
        while connected.is_none() {
            connected = self.begin_due(is_shared, &mut |_| Ok(()))?;
            if connected.is_none() {
                connected = self.settle(self.timeout())?;
            }
        }
        let stream = connected.map(Stream::from).ok_or_else(|| self.failure())?;
        if is_shared {
            option::set_nonblocking(&stream, false).map_err(AddrError::nowhere)?;
        }
        Ok(stream)
    }

    /// All attempts so far, in the order in which they began.
    pub fn attempts(&self) -> impl Iterator<Item = Tried<'_>> {
        let endpoints = self.endpoints.as_ref();
        self.log.iter().filter_map(|record| {
            Some(Tried {
                endpoint: endpoints.get(record.attempt.candidate)?,
                has_source: self.connector.source_of(record.attempt).is_some(),
                began: record.began.saturating_sub(self.started),
                took: record.ended.saturating_sub(record.began),
                outcome: record.outcome,
            })
        })
    }

    fn endpoint(&self, candidate: usize) -> Option<Endpoint> {
        self.endpoints.as_ref().get(candidate).copied()
    }

    /// Begins the attempts that are due; returns the socket of one that is connected at once.
    fn begin_due(
        &mut self,
        nonblocking: bool,
        watch: &mut impl FnMut(BorrowedFd<'_>) -> Result<()>,
    ) -> Result<Option<OwnedFd>, AddrError> {
        loop {
            let now = sys::now();
            match self.race.next(now) {
                Step::Begin(attempt) => {
                    self.log.begin(attempt, now);
                    match self.begin(attempt, nonblocking, watch) {
                        Ok(None) => {}
                        Ok(Some(fd)) => return Ok(Some(self.won(attempt.candidate, fd))),
                        Err(error) => self.lost(attempt.candidate, error),
                    }
                }
                Step::Wait { .. } => return Ok(None),
                Step::TimedOut => {
                    self.log.end_all(now, Outcome::Failed(Error::new(Op::Connect, Errno::TIMEDOUT)));
                    return Err(self.failure());
                }
                Step::Failed => return Err(self.failure()),
            }
        }
    }

    fn begin(
        &mut self,
        attempt: Attempt,
        nonblocking: bool,
        watch: &mut impl FnMut(BorrowedFd<'_>) -> Result<()>,
    ) -> Result<Option<OwnedFd>> {
        let Some(endpoint) = self.endpoint(attempt.candidate) else { return Ok(None) };
        let source = self.connector.source_of(attempt);
        match attempt::begin(&endpoint, source, self.connector.options(), nonblocking)? {
            Begun::Connected(fd) => {
                attempt::refuse_itself(fd.as_fd(), &endpoint)?;
                watch(fd.as_fd())?;
                return Ok(Some(fd));
            }
            Begun::InProgress(fd) => {
                watch(fd.as_fd())?;
                if let Some(place) = self.sockets.get_mut(attempt.candidate) {
                    *place = Some(fd);
                }
            }
            Begun::Full(_) => self.race.found_full(attempt.candidate, sys::now()),
        }
        Ok(None)
    }

    /// Waits until an attempt has ended, at most `timeout`, and takes the results; returns the socket of one that is
    /// connected.
    fn settle(&mut self, timeout: Option<Duration>) -> Result<Option<OwnedFd>, AddrError> {
        let ready = self.poll(timeout).map_err(AddrError::nowhere)?;
        for (candidate, flags) in ready {
            let Some(fd) = self.sockets.get_mut(candidate).and_then(Option::take) else { continue };
            let Some(endpoint) = self.endpoint(candidate) else { continue };
            match attempt::outcome(fd.as_fd(), flags, &endpoint) {
                Ok(()) => return Ok(Some(self.won(candidate, fd))),
                Err(error) => {
                    // The next attempt may need this descriptor's place under the descriptor limit.
                    drop(fd);
                    self.lost(candidate, error);
                }
            }
        }
        Ok(None)
    }

    /// The attempts that have ended.
    fn poll(&self, timeout: Option<Duration>) -> Result<ArrayVec<(usize, PollFlags), CANDIDATES_MAX>> {
        let sockets = || self.sockets.iter().enumerate().filter_map(|(number, fd)| Some((number, fd.as_ref()?)));
        let mut fds: ArrayVec<_, CANDIDATES_MAX> =
            sockets().map(|(_, fd)| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::OUT)).collect();
        if fds.is_empty() && timeout.is_some_and(|time| time.is_zero()) {
            return Ok(ArrayVec::new());
        }
        match sys::poll_all(&mut fds, timeout) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::new(Op::Poll, errno)),
        }
        let ready = sockets().zip(&fds).map(|((number, _), fd)| (number, fd.revents()));
        Ok(ready.filter(|(_, flags)| !flags.is_empty()).collect())
    }

    /// Closes the other sockets.
    fn won(&mut self, candidate: usize, fd: OwnedFd) -> OwnedFd {
        let now = sys::now();
        self.log.end(candidate, now, Outcome::Connected);
        self.log.end_all(now, Outcome::Abandoned);
        self.sockets.fill_with(|| None);
        self.race = Race::new();
        fd
    }

    fn lost(&mut self, candidate: usize, error: Error) {
        let now = sys::now();
        self.log.end(candidate, now, Outcome::Failed(error));
        self.race.failed(candidate, now);
    }

    /// The most telling error; closes the sockets.
    fn failure(&mut self) -> AddrError {
        self.sockets.fill_with(|| None);
        let Some((attempt, error)) = self.log.most_telling() else {
            let is_long = self.endpoints.as_ref().len() > CANDIDATES_MAX;
            let cause = if is_long { Cause::TooManyAddresses } else { Cause::NothingToTry };
            return AddrError::nowhere(Error::refused(Op::Connect, cause));
        };
        let source = self.connector.source_of(attempt).filter(|_| error.op() == Op::Bind).map(Endpoint::from);
        match source.or_else(|| self.endpoint(attempt.candidate)) {
            Some(endpoint) => AddrError::new(error, endpoint),
            None => AddrError::nowhere(error),
        }
    }
}
