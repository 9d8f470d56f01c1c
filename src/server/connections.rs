//! [`Connections`]: every connection of a server, from admission to close.

use core::time::Duration;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{
    Connection, Counters, Incoming, Key, ListenerId, Slot, Slots,
    connection::{Expiry, Origin},
    deadlines::Deadlines,
    event::CloseReason,
    options::Treatment,
    outgoing::Refused,
    rival::Rival,
    route::Routes,
    table::{List, Table},
};
use crate::{
    accept::{Admission, Probe, Reason, Ticket, Verdict},
    addr::Endpoint,
    error::Result,
    event::{Coalescer, Interest, Poller},
    stream::Stream,
    sys,
};

/// The contents of a slot.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all slots hold connections, and nothing is boxed here")]
pub(super) enum Occupant<T> {
    Connection(Connection<T>),
    /// Closed lingering: read from until the peer closes too or the time is over.
    Leaving(Stream, Duration),
    /// A duplicate of a descriptor passed to `watch`.
    Foreign(OwnedFd, Interest),
    Rival(Rival),
}

pub(super) struct Connections<'t, T, const SOURCES: usize> {
    pub(super) poller: Poller,
    pub(super) table: Table<'t, Slot<T>>,
    pub(super) deadlines: Deadlines,
    pub(super) routes: Routes<'t>,
    pub(super) admission: Admission<SOURCES>,
    pub(super) settings: Settings<T>,
    pub(super) counters: Counters,
    /// The last reading of the clock.
    pub(super) now: Duration,
    /// When the remaining connections are closed, once the server drains.
    pub(super) drained_at: Option<Duration>,
    /// Whether it pays to read from a connection just accepted, to read from it at the end of its first turn, to ask
    /// then whether an outgoing one is established, and to read then from one closed lingering.
    pub(super) at_once: Probe,
    pub(super) at_end: Probe,
    pub(super) at_dial: Probe,
    pub(super) at_leave: Probe,
    /// Reported as `Closing`, and closed when the caller asks for the next event.
    pub(super) closing: Option<(Key, CloseReason)>,
    /// Reported as `Connected` last.
    pub(super) connected: Option<Key>,
    /// Whether a descriptor was released since the last `take_released`.
    pub(super) released: bool,
    pub(super) sharing: Sharing,
    pub(super) coalescer: Option<Coalescer>,
}

/// The settings of a server.
pub(super) struct Settings<T> {
    pub(super) make_data: fn(&Incoming<'_>) -> T,
    pub(super) rejection: Option<fn(Reason) -> &'static [u8]>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) linger_timeout: Duration,
}

/// Whether other processes are known to hold duplicates of this one's descriptors. A poller keeps reporting a file that
/// any process has open, and only a descriptor still open here can be deleted from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sharing {
    /// There is no sign of it: closing a descriptor is enough.
    Unknown,
    /// The poller has reported a connection closed earlier, and must be replaced.
    Discovered,
    /// A descriptor is deleted from the poller before it is closed.
    Known,
}

/// Admitting.
impl<'t, T, const SOURCES: usize> Connections<'t, T, SOURCES> {
    pub(super) fn new(
        slots: Slots<'t, T>,
        admission: Admission<SOURCES>,
        make_data: fn(&Incoming<'_>) -> T,
    ) -> Result<Self> {
        let settings = Settings {
            make_data,
            rejection: None,
            idle_timeout: None,
            linger_timeout: super::LINGERING_TIMEOUT_DEFAULT,
        };
        let Slots(mut slots) = slots;
        Ok(Self {
            poller: Poller::new()?,
            deadlines: Deadlines::new(&mut slots),
            table: Table::new(slots),
            routes: Routes::new(),
            admission,
            settings,
            counters: Counters::default(),
            now: sys::now(),
            drained_at: None,
            at_once: Probe::new(),
            at_end: Probe::new(),
            at_dial: Probe::new(),
            at_leave: Probe::new(),
            closing: None,
            connected: None,
            released: false,
            sharing: Sharing::Unknown,
            coalescer: None,
        })
    }

    /// The same connections with another admission.
    pub(super) fn with_admission<const N: usize>(self, admission: Admission<N>) -> Connections<'t, T, N> {
        Connections {
            poller: self.poller,
            table: self.table,
            deadlines: self.deadlines,
            routes: self.routes,
            admission,
            settings: self.settings,
            counters: self.counters,
            now: self.now,
            drained_at: self.drained_at,
            at_once: self.at_once,
            at_end: self.at_end,
            at_dial: self.at_dial,
            at_leave: self.at_leave,
            closing: self.closing,
            connected: self.connected,
            released: self.released,
            sharing: self.sharing,
            coalescer: self.coalescer,
        }
    }

    /// How many connections fit; lingering ones make room.
    #[inline]
    pub(super) const fn room(&self) -> usize {
        self.table.len(List::Vacant) + self.leaving()
    }

    pub(super) const fn leaving(&self) -> usize {
        self.table.len(List::Leaving) + self.table.len(List::LeavingWatched)
    }

    /// Keeps a new connection or rejects it.
    pub(super) fn admit(&mut self, id: ListenerId, treatment: &Treatment, stream: Stream, peer: Endpoint) {
        // Without room, no connection is accepted.
        if self.room() == 0 {
            return;
        }
        let ticket = match self.admission.admit(&peer) {
            Verdict::Admit(ticket) => ticket,
            Verdict::Reject(reason) => {
                let text = treatment.rejection.or(self.settings.rejection);
                return self.reject(stream, text.map_or(&[], |text| text(reason)));
            }
        };
        let place = Place { admission: &mut self.admission, ticket: Some(ticket) };
        let data = (self.settings.make_data)(&Incoming { peer: &peer, listener: id, tag: treatment.tag });
        let ticket = place.keep();
        self.counters.admitted += 1;
        if let Some(coalescer) = &mut self.coalescer {
            coalescer.count_another();
        }
        let mut connection = self.number(stream, peer, data);
        connection.origin = Some(Origin { listener: id, tag: treatment.tag });
        connection.ticket = ticket;
        connection.idle_timeout = treatment.idle_timeout;
        let _ = self.hold(connection, List::New);
    }

    fn reject(&mut self, stream: Stream, text: &[u8]) {
        self.counters.rejected += 1;
        if text.is_empty() {
            return;
        }
        // As much as an empty send buffer takes.
        let _ = stream.write(text);
        let Some(key) = self.table.vacant() else { return };
        if let Some(until) = self.begin_leaving(&stream, false) {
            self.table.fill(key, Occupant::Leaving(stream, until), List::Leaving);
            self.schedule(key);
        }
    }

    /// A connection with the next number.
    pub(super) const fn number(&mut self, stream: Stream, peer: Endpoint, data: T) -> Connection<T> {
        self.counters.held += 1;
        Connection::new(self.counters.held, stream, peer, data, self.now)
    }

    /// Gives a connection a slot; a lingering one makes room.
    #[allow(clippy::result_large_err, reason = "what has no room goes back to the caller")]
    pub(super) fn hold(&mut self, connection: Connection<T>, list: List) -> Result<Key, Connection<T>> {
        if self.table.len(List::Vacant) == 0 {
            self.release_one();
        }
        let Some(key) = self.table.vacant() else { return Err(connection) };
        self.table.fill(key, Occupant::Connection(connection), list);
        self.schedule(key);
        Ok(key)
    }

    /// Holds a connection from elsewhere.
    pub(super) fn insert(&mut self, stream: Stream, peer: Endpoint, data: T) -> Result<Key, Refused<(Stream, T)>> {
        let connection = self.number(stream, peer, data);
        self.hold(connection, List::Unwatched).map_err(|connection| {
            let (stream, _, data) = connection.into_parts();
            Refused::no_room((stream, data))
        })
    }
}

/// The lists of established connections.
pub(super) const OPEN: [List; 8] = [
    List::Open,
    List::Unwatched,
    List::Unwatchable,
    List::OfferedAtEnd,
    List::Late,
    List::OfferedAtOnce,
    List::Greeted,
    List::New,
];

/// The lists of connections still connecting.
pub(super) const MAKING: [List; 4] = [List::Dialled, List::Waiting, List::Connecting, List::Unconnected];

/// Holding.
impl<T, const SOURCES: usize> Connections<'_, T, SOURCES> {
    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<&Connection<T>> {
        self.table.get(key).and_then(Occupant::connection)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Connection<T>> {
        connection(&mut self.table, key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Connection<T>)> {
        let all = OPEN.into_iter().flat_map(|list| self.table.iter(list));
        all.filter_map(|(key, occupant)| Some((key, occupant.connection()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut Connection<T>)> {
        let connections =
            self.table.iter_mut().filter_map(|(key, _, occupant)| Some((key, occupant.connection_mut()?)));
        connections.filter(|(_, connection)| !connection.is_connecting())
    }

    pub(super) fn len(&self) -> usize {
        OPEN.into_iter().map(|list| self.table.len(list)).sum()
    }

    /// Whether there is no connection at all, connecting and lingering ones included.
    pub(super) fn is_empty(&self) -> bool {
        self.len() + self.leaving() == 0 && MAKING.into_iter().all(|list| self.table.len(list) == 0)
    }

    pub(super) fn set_interest(&mut self, key: Key, interest: Interest) {
        let Some(connection) = connection(&mut self.table, key) else { return };
        // Setting them again rearms them.
        let rearms = interest.intersects(Interest::EDGE | Interest::ONE_SHOT);
        connection.interest = interest;
        if connection.watched != interest || rearms {
            self.table.mark(key);
        }
    }

    #[inline]
    pub(super) fn touch(&mut self, key: Key) {
        let Some(connection) = connection(&mut self.table, key) else { return };
        connection.last_active = self.now;
        if self.closing == Some((key, CloseReason::IdleTimeout)) {
            self.closing = None;
        }
    }

    pub(super) fn set_deadline(&mut self, key: Key, deadline: Option<(Duration, Expiry)>) {
        if let Some(connection) = connection(&mut self.table, key) {
            connection.deadline = deadline;
            self.schedule(key);
        }
    }

    /// Makes sure that a slot is visited in time.
    pub(super) fn schedule(&mut self, key: Key) {
        let idle_timeout = self.settings.idle_timeout;
        let due = self.table.get(key).and_then(|occupant| occupant.due(idle_timeout));
        if let Some(at) = due {
            self.deadlines.no_later_than(self.table.slots_mut(), key.slot, at);
        }
    }

    /// Schedules every slot again, because a new timeout may expire sooner.
    pub(super) fn set_idle_timeout(&mut self, time: Option<Duration>) {
        self.settings.idle_timeout = time;
        let slots = self.table.slots_mut().len();
        for slot in 0..u32::try_from(slots).unwrap_or(u32::MAX) {
            self.table.key(slot).into_iter().for_each(|key| self.schedule(key));
        }
    }

    /// Whether a descriptor was released since the last call.
    pub(super) const fn take_released(&mut self) -> bool {
        core::mem::replace(&mut self.released, false)
    }
}

impl<T> Occupant<T> {
    const fn connection(&self) -> Option<&Connection<T>> {
        match self {
            Self::Connection(connection) => Some(connection),
            _ => None,
        }
    }

    pub(super) const fn connection_mut(&mut self) -> Option<&mut Connection<T>> {
        match self {
            Self::Connection(connection) => Some(connection),
            _ => None,
        }
    }

    /// When its next deadline passes.
    pub(super) fn due(&self, idle_timeout: Option<Duration>) -> Option<Duration> {
        match self {
            Self::Connection(connection) => connection.due(idle_timeout),
            Self::Leaving(_, until) => Some(*until),
            Self::Foreign(..) | Self::Rival(_) => None,
        }
    }
}

impl<T> AsFd for Occupant<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Connection(connection) => connection.as_fd(),
            Self::Leaving(stream, _) => stream.as_fd(),
            Self::Foreign(fd, _) => fd.as_fd(),
            Self::Rival(rival) => rival.fd.as_fd(),
        }
    }
}

/// A place in the admission that is released if making a connection's data panics.
struct Place<'a, const SOURCES: usize> {
    admission: &'a mut Admission<SOURCES>,
    ticket: Option<Ticket>,
}

impl<const SOURCES: usize> Place<'_, SOURCES> {
    fn keep(mut self) -> Option<Ticket> {
        self.ticket.take()
    }
}

impl<const SOURCES: usize> Drop for Place<'_, SOURCES> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.admission.release(ticket);
        }
    }
}

/// Borrows the table alone, not the other fields of [`Connections`].
#[inline]
pub(super) fn connection<'a, T>(table: &'a mut Table<'_, Slot<T>>, key: Key) -> Option<&'a mut Connection<T>> {
    table.get_mut(key)?.connection_mut()
}
