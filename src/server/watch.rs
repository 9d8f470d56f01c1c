//! Watched descriptors that are not the server's: a waker, a datagram socket, a pipe that signal handlers write to.

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
    /// Watches a descriptor that is not a connection: a [`Waker`](crate::event::Waker), a datagram socket. It takes a
    /// slot. The server reports [`Event::Watched`](super::Event::Watched) with the returned id at every wait while the
    /// descriptor is ready: reset the waker, read from the socket. After [`unwatch`](Self::unwatch) the id is not
    /// reported again.
    ///
    /// The server keeps a duplicate, so the file stays open until you unwatch it, even if you close your descriptor.
    ///
    /// A signal does not end a wait. To handle one, have its handler write to a pipe and watch the pipe.
    ///
    /// # Errors
    ///
    /// [`NoRoom`](Cause::NoRoom) if no slot is vacant; `EMFILE`; those of
    /// [`Poller::add`](crate::event::Poller::add).
    pub fn watch(&mut self, fd: impl AsFd, interest: Interest) -> Result<WatchId> {
        self.connections.watch_foreign(fd, interest)
    }

    /// Changes the interest of a watched descriptor. An id that is no longer watched is ignored.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::modify`](crate::event::Poller::modify).
    pub fn set_watch(&mut self, id: WatchId, interest: Interest) -> Result<()> {
        self.connections.set_foreign_interest(id, interest)
    }

    /// Stops watching a descriptor; returns whether it was watched.
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

    /// The id of the watched descriptor with this key, if there is one.
    #[inline]
    pub(super) fn foreign(&self, key: super::Key) -> Option<WatchId> {
        (self.table.list(key) == List::Foreign).then_some(WatchId(key))
    }
}
