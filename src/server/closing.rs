//! How connections end: closed at once, closed lingering, taken out, or closed by the server itself.

use core::time::Duration;

use super::{
    Connection, Event, Key, Slot,
    connection::Expiry,
    connections::{Connections, MAKING, OPEN, Occupant, Sharing, connection},
    event::CloseReason,
    route::Dial,
    table::{List, Room},
};
use crate::{
    accept::Ticket,
    event::Interest,
    stream::{Input, Shutdown, Stream, discard},
    sys,
};

/// The most reads from a lingering connection at a time.
const DISCARDS: usize = 16;

impl List {
    /// Whether the poller watches the occupants of this list.
    const fn is_watched(self) -> bool {
        matches!(self, Self::Open | Self::Connecting | Self::LeavingWatched | Self::Foreign | Self::Rival)
    }
}

/// Leaving.
impl<T, const SOURCES: usize> Connections<'_, T, SOURCES> {
    /// Removes a connection; dropping it closes its descriptor.
    pub(super) fn remove(&mut self, key: Key) -> Option<Connection<T>> {
        self.get(key)?;
        self.learn(key);
        self.remove_rivals(key);
        let Some(Occupant::Connection(mut connection)) = self.take_out(key) else { return None };
        self.give_back(connection.ticket.take(), connection.dial.take());
        Some(connection)
    }

    /// Removes a connection and deletes it from the poller.
    pub(super) fn remove_unwatched(&mut self, key: Key) -> Option<Connection<T>> {
        if self.sharing != Sharing::Known && self.table.list(key).is_watched() {
            // The descriptor is open and watched, so deleting it cannot fail.
            let _ = self.get(key).map(|connection| self.poller.delete(connection));
        }
        self.remove(key)
    }

    /// Empties a slot. A descriptor that may be open elsewhere is deleted from the poller, which would report it
    /// indefinitely.
    pub(super) fn take_out(&mut self, key: Key) -> Option<Occupant<T>> {
        self.forget(key);
        self.released = true;
        self.table.remove(key)
    }

    /// Deletes from the poller a descriptor about to be closed, where closing is not enough.
    pub(super) fn forget(&self, key: Key) {
        if self.sharing == Sharing::Known && self.table.list(key).is_watched() {
            let _ = self.table.get(key).map(|occupant| self.poller.delete(occupant));
        }
    }

    /// Releases the ticket and the route of a connection.
    fn give_back(&mut self, ticket: Option<Ticket>, dial: Option<Dial>) {
        if let Some(ticket) = ticket {
            self.admission.release(ticket);
        }
        if let Some(dial) = dial {
            self.routes.release(&dial);
        }
    }

    /// Closes a connection lingering: the peer reads what was written, then the end. What it still sends is read for as
    /// long as the slot is not needed, because unread input would turn the close into a reset.
    pub(super) fn leave(&mut self, key: Key) -> Option<T> {
        let connection = self.get(key)?;
        let until = self.begin_leaving(&connection.stream, connection.reads.drained);
        let list = until.and_then(|_| self.list_to_leave_in(key));
        let (Some(until), Some(list)) = (until, list) else {
            return self.remove(key).map(|connection| connection.into_parts().2);
        };
        self.learn(key);
        let mut left = None;
        self.table.replace(key, list, |occupant| match occupant {
            Occupant::Connection(connection) => {
                let Connection { stream, data, ticket, dial, .. } = connection;
                left = Some((data, ticket, dial));
                Occupant::Leaving(stream, until)
            }
            other => other,
        });
        self.schedule(key);
        let (data, ticket, dial) = left?;
        self.give_back(ticket, dial);
        Some(data)
    }

    /// The list for a lingering connection; `None` if the poller refuses it.
    fn list_to_leave_in(&self, key: Key) -> Option<List> {
        let connection = self.get(key)?;
        if !self.table.list(key).is_watched() {
            return Some(List::Leaving);
        }
        let is_right = connection.watched == Interest::READABLE;
        let watched = is_right || self.poller.modify(connection, key.to_bits(), Interest::READABLE).is_ok();
        watched.then_some(List::LeavingWatched)
    }

    /// Shuts down the writing half and returns the time until which to read; `None` if there is no reason to read. A
    /// stream known to be drained is read when the poller reports it.
    pub(super) fn begin_leaving(&self, stream: &Stream, is_drained: bool) -> Option<Duration> {
        if stream.shutdown(Shutdown::Write).is_err() || self.settings.linger_timeout.is_zero() {
            return None;
        }
        let has_input = is_drained || discard(stream, DISCARDS) == Input::Possible;
        // The last reading of the clock is old if the handler took long.
        has_input.then(|| sys::now().saturating_add(self.settings.linger_timeout))
    }

    /// Discards the input of a lingering connection, and closes it at the end of the input.
    pub(super) fn discard(&mut self, key: Key) -> Input {
        let Some(Occupant::Leaving(stream, _)) = self.table.get(key) else { return Input::Over };
        let input = discard(stream, DISCARDS);
        if input == Input::Over {
            self.take_out(key);
        }
        input
    }

    /// Closes the connection that has lingered longest, to make room.
    #[cold]
    pub(super) fn release_one(&mut self) {
        let left = [List::LeavingWatched, List::Leaving].into_iter().find_map(|list| self.table.first(list));
        left.and_then(|key| self.take_out(key));
    }
}

/// Deadlines.
impl<T, const SOURCES: usize> Connections<'_, T, SOURCES> {
    /// The event of the next connection whose time is over.
    pub(super) fn overdue(&mut self) -> Option<Event> {
        if self.grace_is_over() {
            return self.outlast();
        }
        loop {
            let (key, at) = self.next_due()?;
            if at > self.now {
                return None;
            }
            if let Some(event) = self.expire(key) {
                return Some(event);
            }
        }
    }

    fn next_due(&mut self) -> Option<(Key, Duration)> {
        let idle_timeout = self.settings.idle_timeout;
        let due = |slot: &Slot<T>| slot.value()?.due(idle_timeout);
        let (slot, at) = self.deadlines.first(self.table.slots_mut(), due)?;
        Some((self.table.key(slot)?, at))
    }

    /// When the next deadline passes.
    pub(super) fn next_deadline(&mut self) -> Option<Duration> {
        let due = self.next_due().map(|(_, at)| at);
        #[cfg(feature = "dns")]
        let due = [due, self.routes.lookups.due()].into_iter().flatten().min();
        [due, self.drained_at].into_iter().flatten().min()
    }

    /// Handles a slot that is due; afterwards it is due later or not at all.
    fn expire(&mut self, key: Key) -> Option<Event> {
        let now = self.now;
        let Some(connection) = connection(&mut self.table, key) else {
            self.take_out(key);
            return None;
        };
        if let Some((_, expiry)) = connection.deadline.take_if(|(at, _)| *at <= now) {
            return Some(match expiry {
                Expiry::Report => Event::Deadline(key),
                Expiry::Close => self.doom(key, CloseReason::Deadline),
            });
        }
        if connection.is_connecting() {
            self.go_on(key, None);
            return None;
        }
        // More may be ready than one wait takes from the kernel; a ready connection is not idle.
        if connection.is_ready() {
            connection.last_active = now;
            return None;
        }
        self.counters.timed_out += 1;
        Some(self.doom(key, CloseReason::IdleTimeout))
    }

    /// Closes the connections that are left when the grace period is over.
    fn outlast(&mut self) -> Option<Event> {
        while self.leaving() > 0 {
            self.release_one();
        }
        let key = OPEN.into_iter().chain(MAKING).find_map(|list| self.table.first(list))?;
        Some(self.doom(key, CloseReason::DrainTimeout))
    }

    fn grace_is_over(&self) -> bool {
        self.drained_at.is_some_and(|at| at <= self.now)
    }

    pub(super) const fn doom(&mut self, key: Key, reason: CloseReason) -> Event {
        self.closing = Some((key, reason));
        Event::Closing(key, reason)
    }

    /// Closes the connection whose `Closing` was reported last.
    #[inline]
    pub(super) fn close_doomed(&mut self) {
        self.forget_dial();
        if let Some((key, _)) = self.closing.take() {
            self.remove(key);
        }
    }
}
