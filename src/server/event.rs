//! [`Event`]: what a server reports.

use super::{Key, LISTENERS_MAX};
use crate::{
    error::Error,
    event::{Interest, Readiness},
};

/// What has happened. Events you do not handle can be ignored.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection was accepted and admitted; this is its first event. If the server speaks first in your protocol,
    /// write now; otherwise wait for [`Readable`](Self::Readable).
    Opened(Key),
    /// An outgoing connection is established. [`attempts`](super::Server::attempts) has what was tried before.
    Connected(Key),
    /// The connection may be readable: bytes, the end of the stream or an error. A new connection may have nothing yet.
    /// One read is enough: what remains is reported again, except with [`ONE_SHOT`](Interest::ONE_SHOT).
    Readable(Key),
    /// The connection is writable. Reported only if the interest includes it.
    Writable(Key),
    /// A connection with [`EDGE`](Interest::EDGE) interest became ready: one event for both directions, reported once.
    /// Read and write until `EAGAIN`.
    Ready(Key, Readiness),
    /// The [deadline](super::Server::set_deadline) of a connection has passed and is cleared.
    Deadline(Key),
    /// The server closes the connection and drops its data when you next ask for an event or wait. Write a last message
    /// or take the data out now.
    Closing(Key, CloseReason),
    /// Accepting failed for lack of descriptors or memory, or with another error that may pass. The server retries by
    /// itself. The event is reported once, and again only after an accept has succeeded.
    AcceptFailed(ListenerId, Error),
    /// The listener no longer listens and was closed.
    ListenerGone(ListenerId, Error),
    /// A descriptor passed to [`watch`](super::Server::watch) is ready.
    Watched(WatchId, Readiness),
}

/// Why a server closes a connection by itself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum CloseReason {
    /// It was not reported for longer than its [idle timeout](super::Server::with_idle_timeout).
    /// [`touch`](super::Server::touch) keeps it open.
    IdleTimeout,
    /// Its [deadline](super::Server::set_deadline) has passed.
    Deadline,
    /// The grace period of [`drain`](super::Server::drain) is over.
    DrainTimeout,
    /// No address of an outgoing connection could be reached. The error is the most telling one, and its address is
    /// [`peer_addr`](super::Connection::peer_addr); [`attempts`](super::Server::attempts) has all of them. If a name has
    /// no address, the error has the operation [`Resolve`](crate::Op::Resolve).
    ConnectFailed(Error),
    /// The poller cannot watch it: `ENOMEM`, `ENOSPC` at `fs.epoll.max_user_watches`, or `EINVAL` for its interest.
    Unwatched(Error),
}

/// Identifies a listener of a server. An id is reused only after a hundred million other listeners.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ListenerId(pub(super) u32);

/// Identifies a [watched](super::Server::watch) descriptor of a server; as unique as a [`Key`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WatchId(pub(super) Key);

/// The subject of a poller event, by its key: the upper half of a [`Key`] is its generation, which is neither 0 nor
/// `u32::MAX`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Subject {
    /// A connection, or a watched descriptor.
    Slot(Key),
    Listener(ListenerId),
    /// A lookup, by its number.
    #[cfg(feature = "dns")]
    Lookup(u32),
}

impl ListenerId {
    /// Combines the position, below [`LISTENERS_MAX`], with the serial number above it.
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
        Key::from_bits(bits).map_or_else(|| Self::other(bits), Self::Slot)
    }

    const fn other(bits: u64) -> Self {
        #[cfg(feature = "dns")]
        if bits >> 32 != 0 {
            return Self::Lookup(bits as u32);
        }
        Self::Listener(ListenerId(bits as u32))
    }

    /// The key of a lookup.
    #[cfg(feature = "dns")]
    pub(super) const fn lookup_bits(number: u32) -> u64 {
        (u32::MAX as u64) << 32 | number as u64
    }
}

/// Whether to report an event to the reader, by the current interest, which may have changed since the kernel returned
/// the event. Errors concern every interest; with an empty one, they are reported as readable.
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
    fn a_poller_key_identifies_its_subject() {
        for bits in [1 << 32, u64::from(u32::MAX - 1) << 32 | 7] {
            let Subject::Slot(key) = Subject::of(bits) else { panic!("{bits:#x}") };
            assert_eq!(key.to_bits(), bits);
        }
        for number in [0, 1, u32::MAX] {
            assert_eq!(Subject::of(ListenerId(number).to_bits()), Subject::Listener(ListenerId(number)));
            #[cfg(feature = "dns")]
            assert_eq!(Subject::of(Subject::lookup_bits(number)), Subject::Lookup(number));
        }
    }
}
