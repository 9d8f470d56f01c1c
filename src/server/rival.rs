//! Attempts beside the one of a connection's own socket. Each has a slot, and belongs to a connection that is
//! connecting.

use rustix::fd::{AsFd, OwnedFd};

use super::{
    Event, Key,
    connections::{Connections, Occupant, connection},
    route::Dial,
    table::List,
};
use crate::{
    addr::Endpoint,
    connect::attempt,
    error::{Cause, Error, Op, Result},
    event::{Interest, Readiness},
    stream::Stream,
};

/// An attempt beside another one.
#[derive(Debug)]
pub(super) struct Rival {
    pub(super) fd: OwnedFd,
    /// The connection.
    of: Key,
    /// Which address it is for.
    candidate: usize,
    endpoint: Endpoint,
}

impl<T, const SOURCES: usize> Connections<'_, T, SOURCES> {
    pub(super) fn add_rival(&mut self, of: Key, candidate: usize, endpoint: Endpoint, fd: OwnedFd) -> Result<()> {
        let key = self.table.vacant().ok_or_else(|| Error::refused(Op::Connect, Cause::NoRoom))?;
        self.poller.add(&fd, key.to_bits(), Interest::WRITABLE)?;
        self.table.fill(key, Occupant::Rival(Rival { fd, of, candidate, endpoint }), List::Rival);
        Ok(())
    }

    /// Handles a poller event of a rival.
    pub(super) fn report_rival(&mut self, key: Key, ready: Readiness) -> Option<Event> {
        if ready.is_error() || ready.is_hangup() {
            self.rival_failed(key, None);
            return self.unconnected();
        }
        if ready.is_writable() { self.rival_connected(key) } else { None }
    }

    pub(super) fn rival_failed(&mut self, key: Key, why: Option<Error>) {
        let Some(Occupant::Rival(rival)) = self.take_out(key) else { return };
        let error = why.unwrap_or_else(|| attempt::error_of(rival.fd.as_fd()));
        // The next attempt may need this descriptor's place under the descriptor limit.
        drop(rival.fd);
        self.go_on(rival.of, Some((rival.candidate, error)));
    }

    /// The rival's socket takes the place of the connection's.
    fn rival_connected(&mut self, key: Key) -> Option<Event> {
        if let Err(error) = self.refuse_itself(key) {
            self.rival_failed(key, Some(error));
            return self.unconnected();
        }
        let Some(Occupant::Rival(Rival { fd, of, candidate, endpoint })) = self.table.remove(key) else { return None };
        self.forget(of);
        let connection = connection(&mut self.table, of)?;
        connection.dial.as_mut()?.candidate = candidate;
        (connection.stream, connection.peer) = (Stream::from(fd), endpoint);
        connection.watched = connection.interest;
        let watched = self.poller.modify(&connection.stream, of.to_bits(), connection.interest);
        let list = if watched.is_ok() { List::Open } else { List::Unwatchable };
        Some(self.connected(of, list))
    }

    fn refuse_itself(&self, key: Key) -> Result<()> {
        let Some(Occupant::Rival(Rival { fd, endpoint, .. })) = self.table.get(key) else { return Ok(()) };
        attempt::refuse_itself(fd.as_fd(), endpoint)
    }

    /// Gives a connection without an attempt of its own the socket of a rival, if it has one; returns a rival that the
    /// poller refuses.
    pub(super) fn promote_rival(&mut self, key: Key, dial: &mut Dial) -> Option<(usize, Error)> {
        if self.table.list(key) != List::Waiting {
            return None;
        }
        let rival = self.rival_of(key)?;
        let Some(Occupant::Rival(Rival { fd, candidate, endpoint, .. })) = self.table.remove(rival) else {
            return None;
        };
        dial.candidate = candidate;
        if let Err(error) = self.poller.modify(&fd, key.to_bits(), Interest::WRITABLE) {
            return Some((candidate, error));
        }
        let connection = connection(&mut self.table, key)?;
        (connection.stream, connection.peer) = (Stream::from(fd), endpoint);
        connection.watched = Interest::WRITABLE;
        self.table.move_to(key, List::Connecting);
        None
    }

    /// Closes the other attempts of a connection.
    pub(super) fn remove_rivals(&mut self, of: Key) {
        while let Some(key) = self.rival_of(of) {
            self.take_out(key);
        }
    }

    fn rival_of(&self, connection: Key) -> Option<Key> {
        let is_its = |occupant: &Occupant<T>| matches!(occupant, Occupant::Rival(rival) if rival.of == connection);
        self.table.iter(List::Rival).find(|(_, occupant)| is_its(occupant)).map(|(key, _)| key)
    }
}
