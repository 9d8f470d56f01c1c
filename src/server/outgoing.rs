//! Outgoing connections: one address after another, until one connects or none is left.
//!
//! An attempt costs `socket` and `connect`. At the end of the turn the server polls the attempt, where that pays; on
//! the loopback device it has nearly always completed, and such a connection is added to the poller once, with its own
//! interest.

use core::{fmt, time::Duration};

use rustix::fd::AsFd;

use super::{
    Event, Key, Server,
    connections::{Connections, connection},
    event::CloseReason,
    table::List,
};
use crate::{
    addr::Endpoint,
    connect::Connector,
    error::{Cause, Errno, Error, Op},
    event::{Interest, Readiness},
    option,
    stream::Stream,
    sys,
};

/// The most different lists of addresses, or connectors, that connection attempts can use at a time. Any number of
/// connections can share one.
pub const ROUTES_MAX: usize = 32;

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

/// The state of a connection attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial {
    /// Which route it takes.
    pub(super) route: usize,
    /// Which address of the route is being tried.
    attempt: usize,
    /// When to give up that address, and when to give up the attempt.
    attempt_until: Option<Duration>,
    until: Option<Duration>,
    /// Why the last address failed.
    pub(super) error: Error,
}

impl Dial {
    pub(super) fn until(&self) -> Option<Duration> {
        [self.attempt_until, self.until].into_iter().flatten().min()
    }
}

/// The lists of addresses in use, with the number of attempts that use each.
#[derive(Debug)]
pub(super) struct Routes<'t> {
    all: [Option<Route<'t>>; ROUTES_MAX],
}

#[derive(Debug)]
struct Route<'t> {
    /// `None`: the single address is that of the connection.
    endpoints: Option<&'t [Endpoint]>,
    connector: Connector,
    users: usize,
}

impl<'t> Routes<'t> {
    pub(super) const fn new() -> Self {
        Self { all: [const { None }; ROUTES_MAX] }
    }

    /// The number of a matching route, or of a new one.
    fn take(&mut self, endpoints: Option<&'t [Endpoint]>, connector: &Connector) -> Option<usize> {
        let is_same = |route: &Route<'t>| route.connector == *connector && is_same_list(route.endpoints, endpoints);
        let same = self.all.iter().position(|route| route.as_ref().is_some_and(is_same));
        let number = same.or_else(|| self.all.iter().position(Option::is_none))?;
        let new = || Route { endpoints, connector: *connector, users: 0 };
        self.all.get_mut(number)?.get_or_insert_with(new).users += 1;
        Some(number)
    }

    pub(super) fn release(&mut self, number: usize) {
        let Some(place) = self.all.get_mut(number) else { return };
        *place = place.take().filter(|route| route.users > 1).map(|route| Route { users: route.users - 1, ..route });
    }

    fn get(&self, number: usize) -> Option<&Route<'t>> {
        self.all.get(number)?.as_ref()
    }
}

fn is_same_list(one: Option<&[Endpoint]>, other: Option<&[Endpoint]>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => core::ptr::eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

impl Route<'_> {
    /// The address to try at an attempt; `first` is the connection's own.
    fn endpoint(&self, attempt: usize, first: &Endpoint) -> Option<Endpoint> {
        match self.endpoints {
            Some(endpoints) => endpoints.get(attempt).copied(),
            None => (attempt == 0).then_some(*first),
        }
    }
}

impl<'t, T, const SOURCES: usize> Server<'t, T, SOURCES> {
    /// Starts connecting to the first of `endpoints`, in order, that can be reached, and keeps `data` with the
    /// connection. [`Event::Connected`] reports success; if no address is left or the time is over, [`Event::Closing`]
    /// reports the error in [`CloseReason::ConnectFailed`]. The key is valid at once; until the connection is
    /// established, writing to it fails with `EAGAIN`.
    ///
    /// The interest is `READABLE` at first. The server does not check for self-connections: a connection to a port in
    /// the ephemeral range where nothing listens can reach itself. Where that matters, compare the stream's two
    /// addresses.
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
    /// use, or the error of the last address if every one failed at once; see
    /// [`connect::start`](crate::connect::start).
    #[doc(alias = "anetTcpNonBlockConnect")]
    pub fn connect(&mut self, endpoints: &'t [Endpoint], connector: &Connector, data: T) -> Result<Key, Refused<T>> {
        let first = endpoints.first().copied().unwrap_or(Endpoint::Unknown { family: 0 });
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
}

impl<'t, T, const SOURCES: usize> Connections<'t, T, SOURCES> {
    fn dial(
        &mut self,
        first: Endpoint,
        endpoints: Option<&'t [Endpoint]>,
        connector: &Connector,
        data: T,
    ) -> Result<Key, Refused<T>> {
        let route = if self.room() == 0 { None } else { self.routes.take(endpoints, connector) };
        let Some(route) = route else { return Err(Refused::no_room(data)) };
        let now = sys::now();
        let until = connector.timeout().map(|time| now.saturating_add(time));
        let mut dial = Dial { route, attempt: 0, attempt_until: None, until, error: NOTHING_TO_TRY };
        let Some((stream, peer)) = self.begin(&mut dial, &first, now) else {
            self.routes.release(route);
            return Err(Refused { value: data, error: dial.error });
        };
        let mut connection = self.number(stream, peer, data);
        connection.dial = Some(dial);
        self.hold(connection, List::Dialled).map_err(|connection| {
            self.routes.release(route);
            Refused::no_room(connection.data)
        })
    }

    /// Starts with the first address that does not fail at once; `dial` records which.
    fn begin(&self, dial: &mut Dial, own: &Endpoint, now: Duration) -> Option<(Stream, Endpoint)> {
        let route = self.routes.get(dial.route)?;
        while let Some(endpoint) = route.endpoint(dial.attempt, own) {
            dial.attempt_until = route.connector.attempt_timeout().map(|time| now.saturating_add(time));
            match route.connector.begin(&endpoint) {
                Ok(stream) => return Some((stream, endpoint)),
                Err(error) => dial.error = error,
            }
            dial.attempt += 1;
        }
        None
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

    /// Polls an attempt that is not watched yet.
    fn look_after(&mut self, key: Key) -> Option<Event> {
        let connection = connection(&mut self.table, key)?;
        let ready = sys::poll_now(connection.as_fd(), sys::PollFlags::OUT).unwrap_or(sys::PollFlags::empty());
        self.at_dial.learn(!ready.is_empty());
        if ready.intersects(sys::PollFlags::ERR | sys::PollFlags::HUP) {
            self.attempt_failed(key, None);
            None
        } else if ready.is_empty() {
            None
        } else {
            Some(self.connected(key, List::Unwatched))
        }
    }

    fn watch_dialled(&mut self, key: Key) {
        let Some(connection) = connection(&mut self.table, key) else { return };
        connection.watched = Interest::WRITABLE;
        match self.poller.add(&connection.stream, key.to_bits(), Interest::WRITABLE) {
            Ok(()) => self.table.move_to(key, List::Connecting),
            Err(error) => self.give_up(key, error),
        }
    }

    /// Handles a poller event of an attempt.
    pub(super) fn report_connecting(&mut self, key: Key, ready: Readiness) -> Option<Event> {
        if ready.is_error() || ready.is_hangup() {
            self.attempt_failed(key, None);
            return self.unconnected();
        }
        ready.is_writable().then(|| {
            let event = self.connected(key, List::Open);
            self.table.mark(key);
            event
        })
    }

    fn connected(&mut self, key: Key, list: List) -> Event {
        self.table.move_to(key, list);
        let now = self.now;
        if let Some(connection) = connection(&mut self.table, key) {
            connection.last_active = now;
            if let Some(dial) = connection.dial.take() {
                self.routes.release(dial.route);
            }
        }
        self.schedule(key);
        Event::Connected(key)
    }

    /// Continues with the next address, if there is one and time is left.
    fn attempt_failed(&mut self, key: Key, why: Option<Error>) {
        let now = sys::now();
        let Some(tried) = connection(&mut self.table, key) else { return };
        let Some(mut dial) = tried.dial else { return };
        let own = tried.peer;
        dial.error = why.unwrap_or_else(|| error_of(&tried.stream));
        dial.attempt += 1;
        let is_over = dial.until.is_some_and(|until| until <= now);
        let begun = if is_over { None } else { self.begin(&mut dial, &own, now) };
        let Some((stream, peer)) = begun else { return self.give_up(key, dial.error) };
        self.forget(key);
        if let Some(connection) = connection(&mut self.table, key) {
            (connection.stream, connection.peer, connection.dial) = (stream, peer, Some(dial));
        }
        self.table.move_to(key, List::Dialled);
        self.schedule(key);
    }

    fn give_up(&mut self, key: Key, error: Error) {
        if let Some(dial) = connection(&mut self.table, key).and_then(|connection| connection.dial.as_mut()) {
            // Nothing is due any more.
            *dial = Dial { attempt_until: None, until: None, error, ..*dial };
        }
        self.forget(key);
        self.table.move_to(key, List::Unconnected);
    }

    /// Handles an address, or an attempt, that took too long.
    pub(super) fn attempt_timed_out(&mut self, key: Key) {
        self.attempt_failed(key, Some(Error::new(Op::Connect, Errno::TIMEDOUT)));
    }

    /// The next attempt that failed.
    pub(super) fn unconnected(&mut self) -> Option<Event> {
        let key = self.table.first(List::Unconnected)?;
        let error = self.get(key)?.dial.map_or(NOTHING_TO_TRY, |dial| dial.error);
        Some(self.doom(key, CloseReason::ConnectFailed(error)))
    }
}

const NOTHING_TO_TRY: Error = Error::refused(Op::Connect, Cause::NothingToTry);

/// Why an attempt has failed.
fn error_of(stream: &Stream) -> Error {
    match option::take_error(stream) {
        Ok(Some(errno)) => Error::new(Op::Connect, errno),
        // It hung up without an error.
        Ok(None) => Error::new(Op::Connect, Errno::CONNRESET),
        Err(error) => error,
    }
}
