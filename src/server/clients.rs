//! [`Clients`]: who is connected, from being admitted to being gone.

use core::time::Duration;

use rustix::fd::AsFd;

use super::{
    Connection, Counters, Key, ListenerId,
    connection::Stage,
    event::{CloseReason, Event},
    table::{List, Table},
};
use crate::{
    accept::{Admission, Probe, Reason, Verdict},
    addr::Endpoint,
    error::Result,
    event::{Interest, Poller},
    stream::{Shutdown, Stream},
    sys,
};

/// How often a connection that is being closed is read from at a time, and how many bytes at most.
const DISCARDS: usize = 16;
const DISCARDED_BYTES: usize = 4096;

/// What is in a slot.
#[derive(Debug)]
pub enum Occupant<T> {
    Client(Connection<T>),
    /// Read from until the peer closes, or the time is over.
    Leaving(Stream, Duration),
}

/// Whether anything can still come from a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Incoming {
    Over,
    Possible,
}

pub(super) struct Clients<'t, T, const SOURCES: usize> {
    table: Table<'t, Occupant<T>>,
    pub(super) admission: Admission<SOURCES>,
    pub(super) rejection: fn(Reason) -> &'static [u8],
    pub(super) idle_timeout: Option<Duration>,
    pub(super) linger_timeout: Duration,
    pub(super) counters: Counters,
    /// The last reading of the clock.
    pub(super) now: Duration,
    /// When whoever is still there is closed, once the server drains.
    pub(super) drained_at: Option<Duration>,
    /// Whether it pays to read from a connection when it has just come, and at the end of its first turn.
    at_once: Probe,
    at_end: Probe,
    /// To be closed, now that the caller has been told.
    doomed: Option<(Key, CloseReason)>,
    /// Whether a descriptor was released since this was last asked.
    pub(super) released: bool,
}

/// Coming.
impl<'t, T, const SOURCES: usize> Clients<'t, T, SOURCES> {
    pub(super) fn new(table: Table<'t, Occupant<T>>, admission: Admission<SOURCES>, now: Duration) -> Self {
        Self {
            table,
            admission,
            rejection: |reason| reason.message().as_bytes(),
            idle_timeout: None,
            linger_timeout: super::LINGER_DEFAULT,
            counters: Counters::default(),
            now,
            drained_at: None,
            at_once: Probe::new(),
            at_end: Probe::new(),
            doomed: None,
            released: false,
        }
    }

    /// How many can come: who leaves makes room.
    pub(super) const fn room(&self) -> usize {
        self.table.len(List::Vacant) + self.table.len(List::Leaving)
    }

    /// Keeps a new connection, or tells it why not.
    pub(super) fn take_in(&mut self, poller: &Poller, listener: ListenerId, stream: Stream, peer: Endpoint)
    where
        T: Default,
    {
        // Nobody is accepted for whom there is no room.
        if self.room() == 0 {
            return;
        }
        match self.admission.admit(&peer) {
            Verdict::Admit(ticket) => {
                self.make_room();
                self.counters.admitted += 1;
                let connection = Connection::new(self.counters.admitted, stream, peer, listener, ticket, self.now);
                self.table.insert(Occupant::Client(connection), List::New);
            }
            Verdict::Reject(reason) => {
                self.counters.rejected += 1;
                // As much as there is room for in a send buffer that is empty.
                let _ = stream.write((self.rejection)(reason));
                self.part(poller, stream, false);
            }
        }
    }

    fn make_room(&mut self) {
        if self.table.len(List::Vacant) == 0 {
            self.table.first(List::Leaving).and_then(|key| self.table.remove(key));
        }
    }

    /// Gives up the descriptor of who is on the way out for the longest time, for those who come.
    #[cold]
    pub(super) fn release_one(&mut self) {
        if let Some(key) = self.table.first(List::Leaving) {
            self.table.remove(key);
            self.released = true;
        }
    }

    /// What is to be told of those who have just come.
    pub(super) fn newcomer(&mut self) -> Option<Event> {
        while let Some(key) = self.table.first(List::New) {
            let Some(client) = client(&mut self.table, key) else { break };
            if client.stage == Stage::Accepted {
                client.stage = Stage::Opened;
                return Some(Event::Opened(key));
            } else if client.stage == Stage::Opened && client.reads() && self.at_once.is_due() {
                client.offer(Stage::OfferedAtOnce);
                return Some(Event::Readable(key));
            }
            self.learn(key);
            self.table.move_to(key, List::Unwatched);
        }
        None
    }

    /// What is to be told at the end of a turn of those who came in it. Whom nothing is to be told of is watched.
    pub(super) fn latecomer(&mut self, poller: &Poller) -> Option<Event> {
        while let Some(key) = self.table.first(List::Unwatched) {
            let Some(client) = client(&mut self.table, key) else { break };
            if client.stage != Stage::OfferedAtEnd && client.reads() && self.at_end.is_due() {
                client.offer(Stage::OfferedAtEnd);
                return Some(Event::Readable(key));
            }
            self.learn(key);
            if let Err(error) = self.watch(poller, key) {
                return Some(self.doom(key, CloseReason::Unwatched(error)));
            }
        }
        None
    }

    /// Whether somebody has come of whom the poller does not tell.
    pub(super) const fn has_newcomers(&self) -> bool {
        self.table.len(List::New) + self.table.len(List::Unwatched) > 0
    }

    fn watch(&mut self, poller: &Poller, key: Key) -> Result<()> {
        let Some(client) = client(&mut self.table, key) else { return Ok(()) };
        poller.add(&client.stream, key.to_bits(), client.interest)?;
        client.stage = Stage::Watched;
        self.table.move_to(key, List::Open);
        Ok(())
    }

    /// Whether the last offer was worth it.
    fn learn(&mut self, key: Key) {
        let Some(client) = client(&mut self.table, key) else { return };
        match (client.stage, client.found.take()) {
            (Stage::OfferedAtOnce, Some(found)) => self.at_once.learn(found),
            (Stage::OfferedAtEnd, Some(found)) => self.at_end.learn(found),
            _ => {}
        }
    }
}

/// Being there.
impl<T, const SOURCES: usize> Clients<'_, T, SOURCES> {
    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<&Connection<T>> {
        self.table.get(key).and_then(Occupant::client)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Connection<T>> {
        client(&mut self.table, key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Connection<T>)> {
        let lists = [List::Open, List::Unwatched, List::New];
        let all = lists.into_iter().flat_map(|list| self.table.iter(list));
        all.filter_map(|(key, occupant)| Some((key, occupant.client()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut Connection<T>)> {
        self.table.iter_mut().filter_map(|(key, occupant)| Some((key, occupant.client_mut()?)))
    }

    pub(super) const fn len(&self) -> usize {
        self.table.len(List::Open) + self.table.len(List::Unwatched) + self.table.len(List::New)
    }

    /// Nobody is there, and nobody is on the way out.
    pub(super) const fn is_empty(&self) -> bool {
        self.len() + self.table.len(List::Leaving) == 0
    }

    pub(super) fn set_interest(&mut self, poller: &Poller, key: Key, interest: Interest) -> Result<()> {
        let Some(client) = client(&mut self.table, key) else { return Ok(()) };
        // To set them again makes them ready again.
        let rearms = interest.intersects(Interest::EDGE | Interest::ONE_SHOT);
        if client.stage == Stage::Watched && (client.interest != interest || rearms) {
            poller.modify(&client.stream, key.to_bits(), interest)?;
        }
        client.interest = interest;
        Ok(())
    }

    #[inline]
    pub(super) fn touch(&mut self, key: Key) {
        let Some(client) = client(&mut self.table, key) else { return };
        client.last_active = self.now;
        if client.stage == Stage::Watched {
            self.table.move_to(key, List::Open);
        }
        if self.doomed == Some((key, CloseReason::IdleTimeout)) {
            self.doomed = None;
        }
    }

    /// Something can be read from who is on the way out.
    pub(super) fn discard(&mut self, key: Key) {
        let Some(Occupant::Leaving(stream, _)) = self.table.get(key) else { return };
        if discard(stream) == Incoming::Over {
            self.table.remove(key);
            self.released = true;
        }
    }
}

/// Going.
impl<T, const SOURCES: usize> Clients<'_, T, SOURCES> {
    pub(super) fn remove(&mut self, key: Key) -> Option<Connection<T>> {
        self.get(key)?;
        self.learn(key);
        let Some(Occupant::Client(mut client)) = self.table.remove(key) else { return None };
        if let Some(ticket) = client.ticket.take() {
            self.admission.release(ticket);
        }
        self.released = true;
        Some(client)
    }

    /// Lets the peer read what was written and then the end; what it still sends is read, as far as there is room for
    /// those who leave, because input left unread would turn the close into a reset.
    pub(super) fn part(&mut self, poller: &Poller, stream: Stream, is_watched: bool) {
        let cannot_come = stream.shutdown(Shutdown::Write).is_err() || discard(&stream) == Incoming::Over;
        if cannot_come || self.linger_timeout.is_zero() || self.table.len(List::Vacant) == 0 {
            return;
        }
        // The last reading is old if the handler took long.
        let until = sys::now().saturating_add(self.linger_timeout);
        let Some(key) = self.table.insert(Occupant::Leaving(stream, until), List::Leaving) else { return };
        let Some(Occupant::Leaving(stream, _)) = self.table.get(key) else { return };
        let change = if is_watched { Poller::modify } else { Poller::add };
        if change(poller, stream, key.to_bits(), Interest::READABLE).is_err() {
            self.table.remove(key);
        }
    }

    /// The next whose time is over.
    pub(super) fn overdue(&mut self) -> Option<Event> {
        self.let_leave();
        if self.grace_is_over() {
            let key = self.table.first(List::Open)?;
            return Some(self.doom(key, CloseReason::DrainTimeout));
        }
        let key = self.idle()?;
        self.counters.timed_out += 1;
        Some(self.doom(key, CloseReason::IdleTimeout))
    }

    /// The next who is idle for too long. More may be ready than a wait takes from the kernel: who is, is not idle.
    fn idle(&mut self) -> Option<Key> {
        // Who is touched even in a timeout of zero is left alone until the clock is read again.
        while self.idle_deadline()? < self.now {
            let key = self.table.first(List::Open)?;
            if !self.get(key)?.is_ready() {
                return Some(key);
            }
            self.touch(key);
        }
        None
    }

    /// Closes who has had the time to leave.
    fn let_leave(&mut self) {
        let drained = self.grace_is_over();
        while let Some(key) = self.table.first(List::Leaving)
            && let Some(Occupant::Leaving(_, until)) = self.table.get(key)
            && (drained || *until <= self.now)
        {
            self.table.remove(key);
            self.released = true;
        }
    }

    fn grace_is_over(&self) -> bool {
        self.drained_at.is_some_and(|at| at <= self.now)
    }

    const fn doom(&mut self, key: Key, reason: CloseReason) -> Event {
        self.doomed = Some((key, reason));
        Event::Closing(key, reason)
    }

    /// Closes the one of whom the caller was told last that it would be.
    pub(super) fn close_doomed(&mut self) {
        if let Some((key, _)) = self.doomed.take() {
            self.remove(key);
        }
    }

    /// Whether a descriptor was released since the last time this was asked.
    pub(super) const fn take_released(&mut self) -> bool {
        core::mem::replace(&mut self.released, false)
    }

    /// When something is to be done although nothing happens.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let leaving = self.table.first(List::Leaving).and_then(|key| match self.table.get(key)? {
            Occupant::Leaving(_, until) => Some(*until),
            Occupant::Client(_) => None,
        });
        [self.idle_deadline(), leaving, self.drained_at].into_iter().flatten().min()
    }

    fn idle_deadline(&self) -> Option<Duration> {
        let idle_timeout = self.idle_timeout?;
        let first = self.get(self.table.first(List::Open)?)?;
        Some(first.last_active.saturating_add(idle_timeout))
    }
}

impl<T> Occupant<T> {
    const fn client(&self) -> Option<&Connection<T>> {
        match self {
            Self::Client(client) => Some(client),
            Self::Leaving(..) => None,
        }
    }

    const fn client_mut(&mut self) -> Option<&mut Connection<T>> {
        match self {
            Self::Client(client) => Some(client),
            Self::Leaving(..) => None,
        }
    }
}

impl<T> Connection<T> {
    /// Whether reading is what it waits for.
    const fn reads(&self) -> bool {
        self.interest.contains(Interest::READABLE)
    }

    /// Whether the poller would tell of it at this moment; never of who is told of changes alone.
    fn is_ready(&self) -> bool {
        let mut asked = sys::PollFlags::empty();
        asked.set(sys::PollFlags::IN, self.reads());
        asked.set(sys::PollFlags::OUT, self.interest.contains(Interest::WRITABLE));
        let is_level = !self.interest.intersects(Interest::EDGE | Interest::ONE_SHOT);
        is_level && !asked.is_empty() && sys::poll_now(self.stream.as_fd(), asked).unwrap_or(false)
    }

    const fn offer(&mut self, stage: Stage) {
        self.stage = stage;
        self.found = None;
    }
}

/// Apart from the other fields of [`Clients`].
#[inline]
fn client<'a, T>(table: &'a mut Table<'_, Occupant<T>>, key: Key) -> Option<&'a mut Connection<T>> {
    table.get_mut(key)?.client_mut()
}

/// Reads what has come and throws it away.
fn discard(stream: &Stream) -> Incoming {
    let mut buffer = [0; DISCARDED_BYTES];
    for _ in 0..DISCARDS {
        match stream.read(&mut buffer) {
            Ok(1..) => {}
            Err(error) if error.is_interrupted() => {}
            Err(error) if error.is_would_block() => return Incoming::Possible,
            Ok(0) | Err(_) => return Incoming::Over,
        }
    }
    Incoming::Possible
}
