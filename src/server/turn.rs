//! The loop of a [`Server`]: a wait, and then what there is to tell.

use core::time::Duration;

use super::{
    Event, Key, ListenerId, Server,
    event::{Source, is_for_reader},
    listeners::Door,
};
use crate::{
    accept::{BatchEnd, Turn},
    error::Result,
    event::{Event as Ready, Interest},
    sys,
};

impl<T: Default, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// Waits until there may be something to tell, at most `timeout` (`None`: for ever). Afterwards take all events out
    /// with [`next_event`](Self::next_event); it is no error if there are none.
    ///
    /// Once the server has [drained](Self::is_drained) it returns at once.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::wait`](crate::event::Poller::wait).
    #[doc(alias = "aeProcessEvents")]
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<()> {
        self.clients.close_doomed();
        if self.clients.take_released() && self.listeners.any_closed() {
            self.listeners.released();
        }
        let timeout = self.until_next(timeout);
        self.poller.wait(&mut self.events, timeout)?;
        (self.at, self.half_told) = (0, false);
        self.clients.now = sys::now();
        Ok(())
    }

    /// How long to wait. Listeners are watched again before, if they can be.
    fn until_next(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        if self.clients.has_newcomers() || self.is_drained() {
            return Some(Duration::ZERO);
        }
        let mut deadline = self.clients.next_deadline();
        if self.listeners.any_closed() && self.clients.room() > 0 {
            self.listeners.reopen(&self.poller, sys::now());
            deadline = [deadline, self.listeners.next_deadline()].into_iter().flatten().min();
        }
        let until_deadline = deadline.map(|at| at.saturating_sub(sys::now()));
        [timeout, until_deadline].into_iter().flatten().min()
    }

    /// The next thing to be told; `None` when everything has been, and it is time to wait.
    #[inline]
    pub fn next_event(&mut self) -> Option<Event> {
        self.clients.close_doomed();
        loop {
            if let Some(event) = self.clients.newcomer() {
                return Some(event);
            }
            let Some(ready) = self.events.at(self.at) else {
                return self.clients.latecomer(&self.poller).or_else(|| self.clients.overdue());
            };
            if let Some(event) = self.tell(ready) {
                return Some(event);
            }
        }
    }

    /// What to tell of an event of the poller; `None` if that is nothing, or nothing more.
    #[inline]
    fn tell(&mut self, ready: Ready) -> Option<Event> {
        match Source::of(ready.key()) {
            Source::Connection(key) if self.half_told => {
                self.half_told = false;
                self.at += 1;
                self.tell_writer(key, ready)
            }
            Source::Connection(key) => {
                self.half_told = true;
                self.tell_reader(key, ready)
            }
            Source::Listener(id) => {
                self.at += 1;
                self.accept(id, ready)
            }
            Source::Watched(number) => {
                self.at += 1;
                Some(Event::Watched(number, ready))
            }
        }
    }

    #[inline]
    fn tell_reader(&mut self, key: Key, ready: Ready) -> Option<Event> {
        let Some(client) = self.clients.get(key) else {
            self.clients.discard(key);
            return None;
        };
        let is_told = is_for_reader(ready, client.interest());
        self.clients.touch(key);
        is_told.then_some(Event::Readable(key))
    }

    /// Who reads may have closed it, or have no more to write.
    #[inline]
    fn tell_writer(&self, key: Key, ready: Ready) -> Option<Event> {
        let writes = self.clients.get(key)?.interest().contains(Interest::WRITABLE);
        (writes && ready.is_writable()).then_some(Event::Writable(key))
    }

    fn accept(&mut self, id: ListenerId, ready: Ready) -> Option<Event> {
        if self.clients.room() == 0 {
            self.listeners.close(&self.poller, id);
            return None;
        }
        let mut turn = self.take_in(id, usize::MAX)?;
        match turn.end {
            BatchEnd::OutOfResources(_) => self.clients.release_one(),
            // All that a Unix socket says which was shut down is `EAGAIN` (measured on Linux 6.18).
            BatchEnd::Drained if ready.is_hangup() => turn = turn.gone(),
            _ => {}
        }
        self.listeners.after(&self.poller, id, turn)
    }

    /// Takes who waits at a listener, as far as there is room and no more than `most`; `None` if it is gone.
    pub(super) fn take_in(&mut self, id: ListenerId, most: usize) -> Option<Turn> {
        let Self { poller, listeners, clients, .. } = self;
        let Door { listener, engine, .. } = listeners.get_mut(id)?;
        let room = clients.room().min(most);
        Some(engine.accept_at_most(listener, room, clients.now, |stream, peer| {
            clients.take_in(poller, id, stream, peer);
        }))
    }
}
