//! [`Event`]: what a server reports to its author.

use super::{Key, LISTENERS_MAX};
use crate::{
    error::Error,
    event::{Interest, Readiness},
};

/// What has happened. Events you do not handle can be ignored.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection was accepted and admitted; it is the first event of this connection. A server that speaks first
    /// does so now; others wait for [`Readable`](Self::Readable).
    Opened(Key),
    /// An outgoing connection is made.
    Connected(Key),
    /// It is worth reading from the connection: there are bytes, the end or an error, and for a new connection there
    /// may be nothing yet. One read is enough: what is left is reported again, except with
    /// [`ONE_SHOT`](Interest::ONE_SHOT).
    Readable(Key),
    /// There is room to write. Reported only where the interest asks for it.
    Writable(Key),
    /// A connection with [`EDGE`](Interest::EDGE) interest is ready, and for what: one event for both directions,
    /// reported once. Read and write until `EAGAIN`.
    Ready(Key, Readiness),
    /// The [deadline](super::Server::set_deadline) of a connection has passed, and is cleared.
    Deadline(Key),
    /// The server closes the connection when you ask for the next event or wait, and drops its data: this is the place
    /// to write a last word, or to take something out.
    Closing(Key, CloseReason),
    /// Accepting failed for want of descriptors or memory, or in another way that may pass. The server tries again by
    /// itself; the event comes once, and again only after accepting has worked in between.
    AcceptFailed(ListenerId, Error),
    /// The listener does not listen any more, and was closed.
    ListenerGone(ListenerId, Error),
    /// A descriptor that was given to [`watch`](super::Server::watch) is ready.
    Watched(WatchId, Readiness),
}

/// Why a server closes a connection by itself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum CloseReason {
    /// Nothing was reported of it for longer than [`with_idle_timeout`](super::Server::with_idle_timeout) says. To keep
    /// it, [`touch`](super::Server::touch) it.
    IdleTimeout,
    /// Its [deadline](super::Server::set_deadline) has passed.
    Deadline,
    /// The time that [`drain`](super::Server::drain) has given is over.
    DrainTimeout,
    /// No address of an outgoing connection could be reached; the error is the last one, `ETIMEDOUT` where the time was
    /// over. [`peer_addr`](super::Connection::peer_addr) is the address it belongs to.
    ConnectFailed(Error),
    /// The poller cannot watch it: `ENOMEM`, `ENOSPC` at `fs.epoll.max_user_watches`, or `EINVAL` for the interest that
    /// was set.
    Unwatched(Error),
}

/// Which listener of a server. No other one gets the id before a hundred million have come after it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ListenerId(pub(super) u32);

/// Which [watched](super::Server::watch) descriptor of a server; as unique as a [`Key`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WatchId(pub(super) Key);

/// What an event of the poller is about, by its key: the upper half of a [`Key`] is its generation, which is never 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Subject {
    /// A connection, or a watched descriptor.
    Slot(Key),
    Listener(ListenerId),
}

impl ListenerId {
    /// The position below [`LISTENERS_MAX`], and above it which one of those that have had it.
    pub(super) const fn new(position: usize, serial: u32) -> Self {
        Self(serial.wrapping_mul(LISTENERS_MAX as u32).wrapping_add(position as u32))
    }

    pub(super) const fn position(self) -> usize {
        self.0 as usize % LISTENERS_MAX
    }

    pub(super) const fn to_bits(self) -> u64 {
        self.0 as u64
    }
}

impl Subject {
    #[inline]
    pub(super) fn of(bits: u64) -> Self {
        Key::from_bits(bits).map_or(Self::Listener(ListenerId(bits as u32)), Self::Slot)
    }
}

/// Whether an event is a reader's, by what the connection is watched for, which may have changed since the event was
/// taken from the kernel. Errors concern every interest; without any, they are reported as readable.
#[inline]
pub(super) fn is_for_reader(event: Readiness, interest: Interest) -> bool {
    if interest.intersects(Interest::READABLE | Interest::READ_HANGUP | Interest::PRIORITY) {
        event.is_readable() || event.is_priority()
    } else {
        !interest.contains(Interest::WRITABLE) && (event.is_error() || event.is_hangup())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poller_key_says_what_it_is_about() {
        for bits in [1 << 32, u64::from(u32::MAX - 1) << 32 | 7] {
            let Subject::Slot(key) = Subject::of(bits) else { panic!("{bits:#x}") };
            assert_eq!(key.to_bits(), bits);
        }
        for number in [0, 1, u32::MAX] {
            assert_eq!(Subject::of(ListenerId(number).to_bits()), Subject::Listener(ListenerId(number)));
        }
    }
}
