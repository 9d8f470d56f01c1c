//! The end of a [`Server`]: no new connections, and time for those that are there.

use core::time::Duration;

use super::{ListenerId, Server};
use crate::{accept::BatchEnd, error::Result, sys};

/// How long a backlog is at most, where Linux has not been configured otherwise (`net.core.somaxconn`).
const BACKLOG_LONGEST: usize = 4096;

impl<T, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// Stops listening, and gives the connections that are there as much time as `grace` to come to their end; the rest
    /// is closed then. Connections in a backlog are still accepted, as far as there are slots and descriptors, but no
    /// more than 4096 of one listener if there are fewer slots; a client that connects while the listener is being
    /// closed is reset (measured: 2 in 30 hand-overs under load, against 80 without accepting).
    ///
    /// Go on with the loop until [`is_drained`](Self::is_drained), and close connections that have nothing to be
    /// answered at once. Those that are accepted here are reported as [`Opened`](super::Event::Opened) afterwards.
    /// Called again, it takes the time anew.
    ///
    /// # Errors
    ///
    /// Those of [`Listener::remove_file`](crate::Listener::remove_file) for the first Unix listener whose file could
    /// not be removed; all are closed all the same.
    pub fn drain(&mut self, grace: Duration) -> Result<()> {
        self.connections.now = sys::now();
        self.connections.drained_at = Some(self.connections.now.saturating_add(grace));
        let mut removed = Ok(());
        while let Some(id) = self.listeners.any() {
            let file = self.listeners.get(id).map_or(Ok(false), |entry| entry.listener.remove_file()).map(drop);
            removed = removed.and(file);
            self.accept_all(id);
            self.listeners.remove(&self.connections.poller, id);
        }
        removed
    }

    /// Takes what waits, as far as there is room; not what goes on coming.
    fn accept_all(&mut self, id: ListenerId) {
        // There is no later turn for a listener that pauses.
        if let Some(entry) = self.listeners.get_mut(id) {
            let _ = entry.options.acceptor.notify_release();
        }
        // Rejected connections take no room.
        let mut left = self.connections.room().max(BACKLOG_LONGEST);
        while self.connections.room().min(left) > 0 {
            let Some(outcome) = self.take_in(id, left) else { return };
            left = left.saturating_sub(outcome.accepted + outcome.failed);
            if outcome.end != BatchEnd::LimitReached {
                return;
            }
        }
    }

    /// Whether [`drain`](Self::drain) was called and no connection is left, not one that is [closed
    /// lingering](Self::close_lingering) either: a peer that does not close holds it up for the linger time, but never
    /// beyond the grace.
    pub fn is_drained(&self) -> bool {
        self.connections.drained_at.is_some() && self.connections.is_empty()
    }
}
