//! Outgoing connections: a race of attempts to the addresses of a list; the first that connects wins.
//!
//! An attempt costs `socket` and `connect`. At the end of the turn the server polls the attempt, where that pays; on
//! the loopback device it has nearly always completed, and such a connection is added to the poller once, with its own
//! interest. An attempt that begins beside another one takes a slot of its own while it lasts: see
//! [`rival`](super::rival).

use core::fmt;

use rustix::{
    fd::{AsFd, OwnedFd},
    net::AddressFamily,
};

#[cfg(doc)]
use super::ROUTES_MAX;
use super::{
    Event, Key, Server,
    connections::{Connections, connection},
    event::CloseReason,
    route::{Dial, Phase, TIMED_OUT},
    table::List,
};
use crate::{
    addr::Endpoint,
    connect::{
        Connector, Outcome,
        attempt::{self, Begun, Found},
        race::{Attempt, CANDIDATES_MAX, Step},
    },
    error::{Cause, Error, Op, Result, ResultExt},
    event::{Interest, Readiness},
    stream::Stream,
    sys,
};

/// A value that a server refused, and the error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused<V> {
    /// The refused value.
    pub value: V,
    /// Why it was refused.
    pub error: Error,
}

impl<V> Refused<V> {
    pub(super) const fn no_room(value: V) -> Self {
        Self { value, error: Error::refused(Op::Connect, Cause::NoRoom) }
    }
}

impl<V> fmt::Display for Refused<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<V: fmt::Debug> core::error::Error for Refused<V> {}

/// Drops the value.
impl<V> From<Refused<V>> for Error {
    fn from(refused: Refused<V>) -> Self {
        refused.error
    }
}

impl<'t, T, const SOURCES: usize> Server<'t, T, SOURCES> {
    /// Starts connecting to the first of `endpoints` that can be reached, and keeps `data` with the connection. The
    /// attempts are staggered as in [`connect`](crate::connect); one that begins beside another takes a vacant slot
    /// while it lasts, and if there is none, the other is given up. [`Event::Connected`] reports success; if every
    /// attempt has failed or the time is over, [`Event::Closing`] reports the most telling error in
    /// [`CloseReason::ConnectFailed`]. While you handle either, [`attempts`](Self::attempts) has the whole list. The key
    /// is valid at once; until the connection is established, writing to it fails with `EAGAIN`.
    ///
    /// The interest is `READABLE` at first. A connection to itself, possible for a port in the ephemeral range where
    /// nothing listens, counts as refused.
    ///
    /// ```
    /// use anet::{connect::Connector, server::{Event, Server, Slot}};
    ///
    /// # let upstream = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let live = upstream.local_addr()?.to_string();
    /// # let dead = { let gone = std::net::TcpListener::bind("127.0.0.1:0")?; gone.local_addr()?.to_string() };
    /// let upstreams = [dead.parse()?, live.parse()?];
    /// let mut slots = [const { Slot::<&str>::VACANT }; 4];
    /// let mut server = Server::new(&mut slots)?;
    /// let key = server.connect(&upstreams, &Connector::new(), "a request")?;
    /// 'connected: loop {
    ///     server.wait(None)?;
    ///     while let Some(event) = server.next_event() {
    ///         match event {
    ///             Event::Connected(connected) if connected == key => break 'connected,
    ///             Event::Closing(_, reason) => panic!("{reason:?}"),
    ///             _ => {}
    ///         }
    ///     }
    /// }
    /// let connection = server.get(key).unwrap();
    /// assert_eq!((connection.peer_addr(), connection.data), (&upstreams[1], "a request"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The error returns the data: [`NoRoom`](Cause::NoRoom) if no slot is vacant or [`ROUTES_MAX`] other lists are in
    /// use, or the most telling error if every attempt failed at once; see
    /// [`Pending::advance`](crate::connect::Pending::advance).
    #[doc(alias = "anetTcpNonBlockConnect")]
    pub fn connect(&mut self, endpoints: &'t [Endpoint], connector: &Connector, data: T) -> Result<Key, Refused<T>> {
        let first = endpoints.first().copied().unwrap_or(NOWHERE);
        self.connections.dial(first, Some(endpoints), connector, data)
    }

    /// Starts connecting to one address, like [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn connect_to(&mut self, endpoint: Endpoint, connector: &Connector, data: T) -> Result<Key, Refused<T>> {
        self.connections.dial(endpoint, None, connector, data)
    }

    /// The addresses that an outgoing connection has tried so far and what became of each: while it is connecting, and
    /// as long as its [`Event::Connected`] or [`Event::Closing`] is the last event. An address tried with and without
    /// a source address is listed once. Connections with the same list share the errors: each is the latest at its
    /// address.
    pub fn attempts(&self, key: Key) -> impl Iterator<Item = (Endpoint, Outcome)> {
        self.connections.attempts(key)
    }
}

impl<'t, T, const SOURCES: usize> Connections<'t, T, SOURCES> {
    fn dial(
        &mut self,
        first: Endpoint,
        endpoints: Option<&'t [Endpoint]>,
        connector: &Connector,
        data: T,
    ) -> Result<Key, Refused<T>> {
        let list = endpoints.unwrap_or_else(|| core::slice::from_ref(&first));
        if list.len() > CANDIDATES_MAX {
            return Err(Refused { value: data, error: Error::refused(Op::Connect, Cause::TooManyAddresses) });
        }
        let route = if self.room() == 0 { None } else { self.routes.take(endpoints, connector) };
        let Some(route) = route else { return Err(Refused::no_room(data)) };
        let mut race = connector.race(sys::now());
        for endpoint in list {
            race.push(endpoint);
        }
        self.launch(Dial::new(route, race), first, data)
    }

    /// Gives a dial a connection; `own` is its single address, if it has one.
    pub(super) fn launch(&mut self, mut dial: Dial, own: Endpoint, data: T) -> Result<Key, Refused<T>> {
        let (fd, peer, list) = match self.begin_first(&mut dial, &own) {
            Ok(begun) => begun,
            Err(error) => {
                self.end(&mut dial);
                self.routes.release(&dial);
                return Err(Refused { value: data, error });
            }
        };
        let mut connection = self.number(fd.into(), peer, data);
        connection.dial = Some(dial);
        self.hold(connection, list).map_err(|mut connection| {
            connection.dial.take().into_iter().for_each(|dial| self.routes.release(&dial));
            Refused::no_room(connection.data)
        })
    }

    /// Begins with the first address that does not fail at once.
    fn begin_first(&mut self, dial: &mut Dial, own: &Endpoint) -> Result<(OwnedFd, Endpoint, List)> {
        loop {
            let attempt = match dial.race.next(sys::now()) {
                Step::Begin(attempt) => attempt,
                // For the first address of a name.
                Step::Wait { .. } => return Ok((placeholder()?, NOWHERE, List::Waiting)),
                Step::TimedOut => return Err(dial.error()),
                Step::Failed => return Err(dial.failure.map_or(NOTHING_TO_TRY, |(_, error)| error)),
            };
            if let Some((begun, peer)) = self.begin(dial, attempt, own) {
                dial.candidate = attempt.candidate;
                return Ok(match begun {
                    Begun::Connected(fd) | Begun::InProgress(fd) => (fd, peer, List::Dialled),
                    Begun::Full(fd) => (fd, peer, List::Waiting),
                });
            }
        }
    }

    /// Begins an attempt; if it fails at once, notes that.
    fn begin(&mut self, dial: &mut Dial, attempt: Attempt, own: &Endpoint) -> Option<(Begun, Endpoint)> {
        let Attempt { candidate, .. } = attempt;
        let endpoint = self.routes.endpoint(dial.route, candidate, own)?;
        let connector = self.routes.connector(dial.route)?;
        match attempt::begin(&endpoint, connector.source_of(attempt), connector.options(), true) {
            Ok(begun) => {
                if matches!(begun, Begun::Full(_)) {
                    dial.race.found_full(candidate, sys::now());
                }
                Some((begun, endpoint))
            }
            Err(error) => {
                self.note(dial, candidate, error);
                None
            }
        }
    }

    fn note(&mut self, dial: &mut Dial, candidate: usize, error: Error) {
        dial.failed(candidate, error, sys::now());
        self.routes.note(dial.route, candidate, error);
    }

    fn attempts(&self, key: Key) -> impl Iterator<Item = (Endpoint, Outcome)> {
        let connection = self.get(key);
        let dial = connection.and_then(|connection| connection.dial.as_ref());
        (0..CANDIDATES_MAX).filter_map(move |candidate| {
            let endpoint = self.routes.endpoint(dial?.route, candidate, &connection?.peer)?;
            Some((endpoint, self.routes.outcome(dial?, candidate)?))
        })
    }

    /// The next event, at the end of a turn, of an attempt started in it. Attempts still in progress are watched.
    pub(super) fn dialled(&mut self) -> Option<Event> {
        while let Some(key) = self.table.first(List::Dialled) {
            let event = if self.at_dial.is_due() { self.look_after(key) } else { None };
            if event.is_some() {
                return event;
            }
            if self.table.list(key) == List::Dialled {
                self.watch_dialled(key);
            }
        }
        None
    }

    /// Looks how far an attempt is that is not watched yet.
    fn look_after(&mut self, key: Key) -> Option<Event> {
        let connection = connection(&mut self.table, key)?;
        let found = attempt::look(connection.stream.as_fd(), &connection.peer);
        self.at_dial.learn(found != Found::InProgress);
        match found {
            Found::InProgress => None,
            Found::Connected => Some(self.connected(key, List::Unwatched)),
            Found::ConnectedSomewhere => self.connected_elsewhere(key, List::Unwatched),
            Found::Failed => {
                self.attempt_failed(key, None);
                None
            }
        }
    }

    /// An attempt is connected, if not to itself.
    fn connected_elsewhere(&mut self, key: Key, list: List) -> Option<Event> {
        let connection = self.get(key)?;
        match attempt::refuse_itself(connection.as_fd(), &connection.peer) {
            Ok(()) => Some(self.connected(key, list)),
            Err(error) => {
                self.attempt_failed(key, Some(error));
                None
            }
        }
    }

    fn watch_dialled(&mut self, key: Key) {
        let Some(connection) = connection(&mut self.table, key) else { return };
        connection.watched = Interest::WRITABLE;
        match self.poller.add(&connection.stream, key.to_bits(), Interest::WRITABLE) {
            Ok(()) => self.table.move_to(key, List::Connecting),
            Err(error) => self.attempt_failed(key, Some(error)),
        }
    }

    /// Handles a poller event of an attempt.
    pub(super) fn report_connecting(&mut self, key: Key, ready: Readiness) -> Option<Event> {
        if ready.is_error() || ready.is_hangup() {
            self.attempt_failed(key, None);
            return self.unconnected();
        }
        if !ready.is_writable() {
            return None;
        }
        let event = self.connected_elsewhere(key, List::Open);
        self.table.mark(key);
        event.or_else(|| self.unconnected())
    }

    /// The dial remains until the next event, for the list of what was tried.
    pub(super) fn connected(&mut self, key: Key, list: List) -> Event {
        self.table.move_to(key, list);
        let now = self.now;
        if let Some(connection) = connection(&mut self.table, key) {
            connection.last_active = now;
            if let Some(dial) = connection.dial.as_mut() {
                dial.phase = Phase::Connected;
                self.connected = Some(key);
            }
        }
        self.remove_rivals(key);
        self.schedule(key);
        Event::Connected(key)
    }

    /// Forgets what the connection tried that was reported last as connected.
    #[inline]
    pub(super) fn forget_dial(&mut self) {
        let Some(key) = self.connected.take() else { return };
        if let Some(dial) = connection(&mut self.table, key).and_then(|connection| connection.dial.take()) {
            self.routes.release(&dial);
        }
    }

    /// The attempt of the connection's own socket has failed.
    pub(super) fn attempt_failed(&mut self, key: Key, why: Option<Error>) {
        let Some(tried) = connection(&mut self.table, key) else { return };
        let error = why.unwrap_or_else(|| attempt::error_of(tried.as_fd()));
        let Some(candidate) = tried.dial.as_ref().map(|dial| dial.candidate) else { return };
        self.set_waiting(key);
        self.go_on(key, Some((candidate, error)));
    }

    /// Does what is due in a race, after a failure or at its time.
    pub(super) fn go_on(&mut self, key: Key, failed: Option<(usize, Error)>) {
        let Some(connection) = connection(&mut self.table, key) else { return };
        let own = connection.peer;
        let Some(mut dial) = connection.dial.take() else { return };
        if let Some((candidate, error)) = failed {
            self.note(&mut dial, candidate, error);
        }
        if self.run(key, &mut dial, &own) {
            return self.give_up(key, dial);
        }
        if let Some(connection) = self.get_mut(key) {
            connection.dial = Some(dial);
        }
        self.schedule(key);
    }

    /// Begins the attempts that are due; returns whether the race is over.
    fn run(&mut self, key: Key, dial: &mut Dial, own: &Endpoint) -> bool {
        loop {
            match dial.race.next(sys::now()) {
                Step::Begin(attempt) => self.begin_beside(key, dial, attempt, own),
                Step::Wait { .. } => match self.promote_rival(key, dial) {
                    Some((candidate, error)) => self.note(dial, candidate, error),
                    None => return false,
                },
                Step::TimedOut => {
                    while let Some(candidate) = dial.race.running().next() {
                        self.note(dial, candidate, TIMED_OUT);
                    }
                    return true;
                }
                Step::Failed => return true,
            }
        }
    }

    /// Begins an attempt in the connection's own slot if that has none, otherwise in another slot; without a vacant one
    /// the attempt of the connection's own gives way.
    fn begin_beside(&mut self, key: Key, dial: &mut Dial, attempt: Attempt, own: &Endpoint) {
        if self.table.list(key) != List::Waiting && self.table.len(List::Vacant) == 0 {
            self.release_one();
        }
        if self.table.list(key) != List::Waiting && self.table.len(List::Vacant) == 0 {
            self.routes.note(dial.route, dial.candidate, TIMED_OUT);
            dial.race.gave_way(dial.candidate);
            dial.remember(dial.candidate, TIMED_OUT);
            self.set_waiting(key);
        }
        let Some((Begun::Connected(fd) | Begun::InProgress(fd), endpoint)) = self.begin(dial, attempt, own) else {
            return;
        };
        if self.table.list(key) == List::Waiting {
            dial.candidate = attempt.candidate;
            self.install(key, fd, endpoint, List::Dialled);
        } else if let Err(error) = self.add_rival(key, attempt.candidate, endpoint, fd) {
            self.note(dial, attempt.candidate, error);
        }
    }

    /// The attempt of the connection's own socket is over. The socket stays until another takes its place.
    fn set_waiting(&mut self, key: Key) {
        if self.table.list(key) == List::Connecting {
            let _ = self.get(key).map(|connection| self.poller.delete(connection));
        }
        self.table.move_to(key, List::Waiting);
    }

    /// Gives a connection the socket of an attempt.
    fn install(&mut self, key: Key, fd: OwnedFd, endpoint: Endpoint, list: List) {
        if let Some(connection) = connection(&mut self.table, key) {
            (connection.stream, connection.peer) = (Stream::from(fd), endpoint);
        }
        self.table.move_to(key, list);
    }

    /// The connection's address is that of the most telling error.
    fn give_up(&mut self, key: Key, mut dial: Dial) {
        self.remove_rivals(key);
        self.forget(key);
        self.end(&mut dial);
        dial.candidate = dial.failure.map_or(dial.candidate, |(candidate, _)| candidate);
        let Some(connection) = connection(&mut self.table, key) else { return };
        connection.peer = self.routes.endpoint_of(&dial, &connection.peer);
        connection.dial = Some(dial);
        self.table.move_to(key, List::Unconnected);
    }

    /// Every attempt of a dial has failed, or its time is over.
    fn end(&mut self, dial: &mut Dial) {
        dial.phase = Phase::Failed;
        #[cfg(feature = "dns")]
        self.routes.lookups.failed(dial);
    }

    /// The next connection of which every attempt has failed.
    pub(super) fn unconnected(&mut self) -> Option<Event> {
        let key = self.table.first(List::Unconnected)?;
        let error = self.get(key)?.dial.as_ref().map_or(NOTHING_TO_TRY, Dial::error);
        Some(self.doom(key, CloseReason::ConnectFailed(error)))
    }
}

/// A socket for a connection that has no attempt yet: reading and writing fail.
fn placeholder() -> Result<OwnedFd> {
    sys::stream_socket(AddressFamily::UNIX, true).op(Op::Socket)
}

/// The address of such a connection.
pub(super) const NOWHERE: Endpoint = Endpoint::Unknown { family: 0 };

const NOTHING_TO_TRY: Error = Error::refused(Op::Connect, Cause::NothingToTry);
