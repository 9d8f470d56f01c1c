//! The first turn of a new connection: it is reported, offered for reading at once and again at the end of the turn,
//! and watched. The two offers are skipped where they usually find nothing.

use super::{
    Event, Key,
    connections::{Connections, Occupant, Sharing, connection},
    event::CloseReason,
    table::List,
};
use crate::{
    error::{Errno, Result},
    event::Interest,
    stream::Input,
};

impl<T, const SOURCES: usize> Connections<'_, T, SOURCES> {
    /// The next event of a connection just accepted.
    #[inline]
    pub(super) fn newcomer(&mut self) -> Option<Event> {
        let fresh = self.table.len(List::New) + self.table.len(List::Greeted) + self.table.len(List::OfferedAtOnce);
        if fresh == 0 { None } else { self.next_newcomer() }
    }

    fn next_newcomer(&mut self) -> Option<Event> {
        loop {
            if let Some(key) = self.table.first(List::OfferedAtOnce) {
                self.learn(key);
                self.table.move_to(key, List::Late);
            } else if let Some(key) = self.table.first(List::Greeted) {
                if self.reads(key) && self.at_once.is_due() {
                    return Some(self.offer(key, List::OfferedAtOnce));
                }
                self.table.move_to(key, List::Late);
            } else {
                let key = self.table.first(List::New)?;
                self.table.move_to(key, List::Greeted);
                return Some(Event::Opened(key));
            }
        }
    }

    /// The next event, at the end of a turn, of a connection accepted in it.
    pub(super) fn latecomer(&mut self) -> Option<Event> {
        loop {
            if let Some(key) = self.table.first(List::OfferedAtEnd) {
                self.learn(key);
                self.table.move_to(key, List::Unwatched);
            } else {
                let key = self.table.first(List::Late)?;
                if self.reads(key) && self.at_end.is_due() {
                    return Some(self.offer(key, List::OfferedAtEnd));
                }
                self.table.move_to(key, List::Unwatched);
            }
        }
    }

    fn reads(&self, key: Key) -> bool {
        self.get(key).is_some_and(super::Connection::reads)
    }

    fn offer(&mut self, key: Key, list: List) -> Event {
        if let Some(connection) = connection(&mut self.table, key) {
            connection.reads.found = None;
        }
        self.table.move_to(key, list);
        Event::Readable(key)
    }

    /// Learns whether the last offer found anything.
    pub(super) fn learn(&mut self, key: Key) {
        let list = self.table.list(key);
        let Some(found) = connection(&mut self.table, key).and_then(|connection| connection.reads.found.take()) else {
            return;
        };
        match list {
            List::OfferedAtOnce => self.at_once.learn(found),
            List::OfferedAtEnd => self.at_end.learn(found),
            _ => {}
        }
    }
}

/// Watching.
impl<T, const SOURCES: usize> Connections<'_, T, SOURCES> {
    /// Whether there is anything to report or do without the poller.
    pub(super) fn has_work(&self) -> bool {
        const WAITING: [List; 8] = [
            List::Dialled,
            List::New,
            List::Greeted,
            List::OfferedAtOnce,
            List::Late,
            List::OfferedAtEnd,
            List::Unwatchable,
            List::Unconnected,
        ];
        WAITING.into_iter().any(|list| self.table.len(list) > 0)
    }

    /// Watches the connections that are not watched yet.
    pub(super) fn watch_new(&mut self) {
        while let Some(key) = self.table.first(List::Unwatched) {
            let Some(connection) = connection(&mut self.table, key) else { break };
            connection.watched = connection.interest;
            let watched = self.poller.add(&connection.stream, key.to_bits(), connection.interest);
            self.table.move_to(key, if watched.is_ok() { List::Open } else { List::Unwatchable });
        }
        while let Some(key) = self.table.first(List::Leaving) {
            if !self.has_left(key) {
                self.watch_leaving(key);
            }
        }
    }

    /// Whether a peer has closed too by the end of the turn: one read saves watching it.
    fn has_left(&mut self, key: Key) -> bool {
        if !self.at_leave.is_due() {
            return false;
        }
        let has_left = self.discard(key) == Input::Over;
        self.at_leave.learn(has_left);
        has_left
    }

    fn watch_leaving(&mut self, key: Key) {
        let Some(occupant) = self.table.get(key) else { return };
        match self.poller.add(occupant, key.to_bits(), Interest::READABLE) {
            Ok(()) => self.table.move_to(key, List::LeavingWatched),
            // Unwatched, it would never be read again.
            Err(_) => drop(self.take_out(key)),
        }
    }

    /// Passes each changed interest to the poller: once, however often it has changed.
    pub(super) fn watch_changed(&mut self) {
        while let Some(key) = self.table.next_marked() {
            if self.table.list(key) != List::Open {
                continue;
            }
            let Some(connection) = connection(&mut self.table, key) else { continue };
            let rearms = connection.interest.intersects(Interest::EDGE | Interest::ONE_SHOT);
            if connection.watched == connection.interest && !rearms {
                continue;
            }
            connection.watched = connection.interest;
            if self.poller.modify(&connection.stream, key.to_bits(), connection.interest).is_err() {
                self.table.move_to(key, List::Unwatchable);
            }
        }
    }

    /// The next connection that the poller has refused to watch. Asks the poller once more, which also returns the
    /// error.
    pub(super) fn unwatchable(&mut self) -> Option<Event> {
        while let Some(key) = self.table.first(List::Unwatchable) {
            let Err(error) = self.watch_again(key) else { continue };
            return Some(self.doom(key, CloseReason::Unwatched(error)));
        }
        None
    }

    fn watch_again(&mut self, key: Key) -> Result<()> {
        let Some(connection) = connection(&mut self.table, key) else { return Ok(()) };
        match self.poller.add(&connection.stream, key.to_bits(), connection.interest) {
            // It is watched with another interest.
            Err(error) if error.is(Errno::EXIST) => {
                self.poller.modify(&connection.stream, key.to_bits(), connection.interest)?;
            }
            added => added?,
        }
        self.table.move_to(key, List::Open);
        Ok(())
    }

    /// Watches everything with a new poller, which has no trace of files closed here but still open elsewhere.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`: the old poller stays in use.
    pub(super) fn renew_poller(&mut self) -> Result<()> {
        self.poller.renew()?;
        self.sharing = Sharing::Known;
        for slot in 0..self.table.slots_mut().len() as u32 {
            let Some(key) = self.table.key(slot) else { break };
            self.move_to_new_poller(key);
        }
        #[cfg(feature = "dns")]
        self.routes.lookups.watch(&self.poller)?;
        Ok(())
    }

    fn move_to_new_poller(&mut self, key: Key) {
        let list = self.table.list(key);
        let Some(occupant) = self.table.get(key) else { return };
        let Some(interest) = watched_for(list, occupant) else { return };
        let Err(error) = self.poller.add(occupant, key.to_bits(), interest) else { return };
        match list {
            List::Open => self.table.move_to(key, List::Unwatchable),
            List::Connecting => self.table.move_to(key, List::Dialled),
            List::LeavingWatched => self.table.move_to(key, List::Leaving),
            List::Rival => self.rival_failed(key, Some(error)),
            _ => {}
        }
    }
}

/// The interest with which the poller watches an occupant; `None` if it does not.
fn watched_for<T>(list: List, occupant: &Occupant<T>) -> Option<Interest> {
    match (list, occupant) {
        (List::Open | List::Connecting, Occupant::Connection(connection)) => Some(connection.watched),
        (List::LeavingWatched, _) => Some(Interest::READABLE),
        (List::Rival, _) => Some(Interest::WRITABLE),
        (List::Foreign, Occupant::Foreign(_, interest)) => Some(*interest),
        _ => None,
    }
}
