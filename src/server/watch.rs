//! Descriptors that are not the server's: a waker, a socket for datagrams, a pipe that signals write to.

use rustix::fd::AsFd;

use super::{
    Server,
    connections::{Connections, Occupant},
    event::WatchId,
    table::List,
};
use crate::{
    error::{Cause, Error, Op, Result, ResultExt},
    event::Interest,
    sys,
};

impl<T, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// Watches a descriptor that is not the server's as well: a [`Waker`](crate::event::Waker), a socket for datagrams.
    /// It takes a slot. [`Event::Watched`](super::Event::Watched) is reported with the id that this returns, at every
    /// wait for as long as the descriptor is ready: reset the waker, read from the socket. After
    /// [`unwatch`](Self::unwatch) nothing more is reported with that id.
    ///
    /// The server keeps a duplicate, so the file stays open until it is unwatched, even if you close yours.
    ///
    /// A signal does not end a wait. To handle one, let its handler write to a pipe and watch the pipe.
    ///
    /// # Errors
    ///
    /// [`NoRoom`](Cause::NoRoom) if no slot is vacant; `EMFILE`; those of
    /// [`Poller::add`](crate::event::Poller::add).
    pub fn watch(&mut self, fd: impl AsFd, interest: Interest) -> Result<WatchId> {
        self.connections.watch_foreign(fd, interest)
    }

    /// Watches it for something else. An id that is not watched any more is no error.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::modify`](crate::event::Poller::modify).
    pub fn set_watch(&mut self, id: WatchId, interest: Interest) -> Result<()> {
        self.connections.set_foreign_interest(id, interest)
    }

    /// Watches it no more; says whether it was watched.
    pub fn unwatch(&mut self, id: WatchId) -> bool {
        self.connections.unwatch_foreign(id)
    }
}

impl<T, const SOURCES: usize> Connections<'_, T, SOURCES> {
    fn watch_foreign(&mut self, fd: impl AsFd, interest: Interest) -> Result<WatchId> {
        if self.table.len(List::Vacant) == 0 {
            self.release_one();
        }
        let key = self.table.vacant().ok_or_else(|| Error::refused(Op::EventControl, Cause::NoRoom))?;
        let duplicate = sys::duplicate(fd.as_fd()).op(Op::Duplicate)?;
        self.poller.add(&duplicate, key.to_bits(), interest)?;
        self.table.fill(key, Occupant::Foreign(duplicate, interest), List::Foreign);
        Ok(WatchId(key))
    }

    fn set_foreign_interest(&mut self, WatchId(key): WatchId, interest: Interest) -> Result<()> {
        let Some(Occupant::Foreign(fd, watched)) = self.table.get_mut(key) else { return Ok(()) };
        *watched = interest;
        self.poller.modify(fd, key.to_bits(), interest)
    }

    fn unwatch_foreign(&mut self, WatchId(key): WatchId) -> bool {
        let Some(Occupant::Foreign(fd, _)) = self.table.get(key) else { return false };
        // The caller has another duplicate, so closing this one is not enough.
        let _ = self.poller.delete(fd);
        self.table.remove(key);
        self.released = true;
        true
    }

    /// Whether an event with this key is one of a watched descriptor.
    #[inline]
    pub(super) fn foreign(&self, key: super::Key) -> Option<WatchId> {
        (self.table.list(key) == List::Foreign).then_some(WatchId(key))
    }
}
