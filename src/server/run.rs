//! The loop of a [`Server`]: a wait, then its events.

use core::time::Duration;

use arrayvec::ArrayVec;
use rustix::fd::AsFd;

use super::{
    BATCH, Event, Key, ListenerId, Server,
    connections::{Connections, Sharing},
    event::{Subject, is_for_reader},
    listeners::Entry,
    options::ListenOptions,
    table::List,
};
use crate::{
    accept::{BatchEnd, Outcome},
    error::Result,
    event::{Events, Interest, Poller, Readiness},
    sys,
};

/// How long to delay a wait while the poller cannot be replaced for lack of a descriptor.
const RENEWAL_PAUSE: Duration = Duration::from_millis(1);

impl<T, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// Waits until there may be something to report, at most `timeout` (`None`: indefinitely). Then take all events
    /// with [`next_event`](Self::next_event); there may be none.
    ///
    /// A signal does not end the wait. Once the server has [drained](Self::is_drained) it returns at once.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::wait`](crate::event::Poller::wait).
    #[doc(alias = "aeProcessEvents")]
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<()> {
        let until_next = self.next_timeout();
        let timeout = [timeout, until_next].into_iter().flatten().min();
        self.connections.wait(&mut self.events, timeout)?;
        self.begin_turn();
        Ok(())
    }

    /// The longest that the next [`wait`](Self::wait) lasts, whatever its own timeout; `None`: indefinitely.
    ///
    /// For a server embedded in another loop: call this before every wait of that loop, and call `wait` with a timeout
    /// of zero when the time is over or the server's [descriptor](AsFd) is readable. This also passes to the kernel
    /// what has changed since the last turn.
    pub fn next_timeout(&mut self) -> Option<Duration> {
        self.connections.close_doomed();
        self.connections.watch_changed();
        self.connections.watch_new();
        self.renew_poller();
        if self.connections.has_work() || self.is_drained() {
            return Some(Duration::ZERO);
        }
        if self.connections.take_released() {
            self.listeners.notify_release();
        }
        let resume_at = self.listeners.resume_at().filter(|_| self.connections.room() > 0);
        let deadline = [self.connections.next_deadline(), resume_at].into_iter().flatten().min();
        deadline.map(|at| if at <= self.connections.now { Duration::ZERO } else { at.saturating_sub(sys::now()) })
    }

    fn begin_turn(&mut self) {
        self.cursor = 0;
        self.connections.now = sys::now();
        self.connections.table.next_turn();
        for ready in &self.events {
            if let Subject::Listener(id) = Subject::of(ready.key()) {
                self.listeners.report(id);
            }
        }
        self.listeners.end_pauses(self.connections.now);
    }

    fn renew_poller(&mut self) {
        if self.connections.sharing == Sharing::Discovered {
            match self.connections.renew_poller() {
                Ok(()) => self.listeners.move_to(&self.connections.poller),
                Err(_) => sys::sleep(RENEWAL_PAUSE),
            }
        }
    }

    /// The next event; `None` when all have been reported and it is time to wait.
    #[inline]
    pub fn next_event(&mut self) -> Option<Event> {
        self.connections.close_doomed();
        loop {
            if let Some(event) = self.connections.newcomer() {
                return Some(event);
            }
            if let Some(id) = self.next_listener() {
                if let Some(event) = self.accept(id) {
                    return Some(event);
                }
            } else if let Some(ready) = self.events.at(self.cursor / 2) {
                if let Some(event) = self.report(ready) {
                    return Some(event);
                }
            } else {
                return self.end_of_turn();
            }
        }
    }

    /// The next listener to accept from, while there is room.
    #[inline]
    fn next_listener(&mut self) -> Option<ListenerId> {
        if self.connections.room() == 0 { None } else { self.listeners.next_waiting(self.connections.now) }
    }

    /// The event to report for a poller event; `None` if there is none, or none left. The cursor counts half events:
    /// the first half is the reader's, the second the writer's.
    #[inline]
    fn report(&mut self, ready: Readiness) -> Option<Event> {
        let is_first = self.cursor % 2 == 0;
        self.cursor += 1;
        let key = match Subject::of(ready.key()) {
            Subject::Slot(key) => key,
            // Already accepted from.
            Subject::Listener(_) => return None,
            #[cfg(feature = "dns")]
            Subject::Lookup(number) => {
                self.cursor += 1;
                self.connections.advance_lookup(number as usize);
                return None;
            }
        };
        if !is_first {
            return self.report_to_writer(key, ready);
        }
        if self.connections.table.list(key) == List::Open {
            return self.report_open(key, ready);
        }
        self.cursor += 1;
        self.connections.report_other(key, ready)
    }

    #[inline]
    fn report_open(&mut self, key: Key, ready: Readiness) -> Option<Event> {
        let interest = self.connections.get(key)?.interest();
        self.connections.touch(key);
        if interest.contains(Interest::EDGE) {
            self.cursor += 1;
            return Some(Event::Ready(key, ready));
        }
        is_for_reader(ready, interest).then_some(Event::Readable(key))
    }

    /// The reader may have closed the connection, or have nothing more to write.
    #[inline]
    fn report_to_writer(&self, key: Key, ready: Readiness) -> Option<Event> {
        let writes = self.connections.get(key)?.interest().contains(Interest::WRITABLE);
        (writes && ready.is_writable()).then_some(Event::Writable(key))
    }

    fn accept(&mut self, id: ListenerId) -> Option<Event> {
        let outcome = self.take_in(id, usize::MAX)?;
        if matches!(outcome.end, BatchEnd::OutOfResources(_)) {
            self.connections.release_one();
        }
        let has_room = self.connections.room() > 0;
        self.listeners.after(&self.connections.poller, id, outcome, has_room, self.connections.now)
    }

    /// Accepts what waits at a listener while there is room, at most `most`; `None` if the listener is gone.
    pub(super) fn take_in(&mut self, id: ListenerId, most: usize) -> Option<Outcome> {
        let Self { listeners, connections, reserve, .. } = self;
        let Entry { listener, options: ListenOptions { acceptor, treatment }, .. } = listeners.get_mut(id)?;
        let (room, now) = (connections.room().min(most), connections.now);
        let admit = |stream, peer| connections.admit(id, treatment, stream, peer);
        Some(match reserve {
            Some(reserve) => acceptor.accept_or_shed_at_most(listener, room, now, reserve, admit),
            None => acceptor.accept_at_most(listener, room, now, admit),
        })
    }

    fn end_of_turn(&mut self) -> Option<Event> {
        self.listeners.pause_waiting(&self.connections.poller);
        self.connections.end_of_turn()
    }
}

impl<T, const SOURCES: usize> Connections<'_, T, SOURCES> {
    fn wait(&mut self, events: &mut Events<BATCH>, timeout: Option<Duration>) -> Result<usize> {
        let Some(coalescer) = &mut self.coalescer else { return self.poller.wait(events, timeout) };
        // One more than can be urgent shows that there are too many.
        let foreign = self.table.iter(List::Foreign).take(Poller::URGENT_MAX + 1);
        let urgent: ArrayVec<_, { Poller::URGENT_MAX + 1 }> = foreign.map(|(_, occupant)| occupant.as_fd()).collect();
        self.poller.wait_coalescing(events, timeout, coalescer, &urgent)
    }

    /// The next event once every poller event has been reported.
    fn end_of_turn(&mut self) -> Option<Event> {
        #[cfg(feature = "dns")]
        self.advance_due_lookups();
        if let Some(event) = self.latecomer().or_else(|| self.dialled()) {
            return Some(event);
        }
        self.watch_new();
        self.unwatchable().or_else(|| self.unconnected()).or_else(|| self.overdue())
    }

    /// Handles a poller event of anything but an open connection.
    fn report_other(&mut self, key: Key, ready: Readiness) -> Option<Event> {
        match self.table.list(key) {
            List::Foreign => self.foreign(key).map(|id| Event::Watched(id, ready)),
            List::Connecting => self.report_connecting(key, ready),
            List::Rival => self.report_rival(key, ready),
            List::LeavingWatched => {
                self.discard(key);
                None
            }
            _ => {
                if self.sharing == Sharing::Unknown && self.table.left_before_this_turn(key) {
                    self.sharing = Sharing::Discovered;
                }
                None
            }
        }
    }
}
