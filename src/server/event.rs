//! [`Event`]: what a server tells its author.

use super::{Key, LISTENERS_MAX};
use crate::{
    error::Error,
    event::{self, Interest},
};

/// What has happened. Who does not care passes it over: nothing is lost by that.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection has come and was admitted; nothing else is told of it before. A server that speaks first does so
    /// now; the others wait for [`Readable`](Self::Readable).
    Opened(Key),
    /// It is worth reading from the connection: there are bytes, the end or an error, and for a new connection there
    /// may be nothing yet. One read is enough; what is left is told of again, except with
    /// [`EDGE`](Interest::EDGE) or [`ONE_SHOT`](Interest::ONE_SHOT).
    Readable(Key),
    /// There is room to write. Told only where the interest asks for it.
    Writable(Key),
    /// The server closes the connection as soon as the next event is asked for or waited for, and drops its data: the
    /// place to write a last word, or to take something out.
    Closing(Key, CloseReason),
    /// Accepting has failed for want of descriptors or memory, or in another way that may pass. The server tries again
    /// by itself; it tells once, and again only after it has worked meanwhile.
    AcceptFailed(ListenerId, Error),
    /// The listener does not listen any more, and was closed.
    ListenerGone(ListenerId, Error),
    /// A descriptor that was given to [`watch`](super::Server::watch), with the number it was given with, is ready. The
    /// key of the [`Event`](event::Event) is the server's own. It is told in the turn in which it was
    /// [unwatched](super::Server::unwatch), too.
    Watched(u32, event::Event),
}

/// Why a server closes a connection by itself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum CloseReason {
    /// Nothing was told of it for longer than [`with_idle_timeout`](super::Server::with_idle_timeout) says. To keep it,
    /// [`touch`](super::Server::touch) it.
    IdleTimeout,
    /// The time that [`drain`](super::Server::drain) has given is over.
    DrainTimeout,
    /// The poller cannot watch it: `ENOMEM`, `ENOSPC` at `fs.epoll.max_user_watches`, or `EINVAL` for the interest that
    /// was set.
    Unwatched(Error),
}

/// Which listener of a server. No other one gets the id when it is gone, before a hundred million have come after it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ListenerId(pub(super) u32);

/// Whom an event of the poller is about, by its key.
///
/// The upper half of a connection's key is its generation, which is neither 0 nor the highest number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    Connection(Key),
    Listener(ListenerId),
    Watched(u32),
}

const WATCHED: u64 = (u32::MAX as u64) << 32;

impl ListenerId {
    /// The place below [`LISTENERS_MAX`], and above it which one of those who have had it.
    pub(super) const fn new(place: usize, serial: u32) -> Self {
        Self(serial.wrapping_mul(LISTENERS_MAX as u32).wrapping_add(place as u32))
    }

    pub(super) const fn place(self) -> usize {
        self.0 as usize % LISTENERS_MAX
    }

    pub(super) const fn to_bits(self) -> u64 {
        self.0 as u64
    }
}

impl Source {
    #[inline]
    pub(super) fn of(bits: u64) -> Self {
        match Key::from_bits(bits) {
            Some(key) => Self::Connection(key),
            None if bits >= WATCHED => Self::Watched(bits as u32),
            None => Self::Listener(ListenerId(bits as u32)),
        }
    }

    /// The poller's key of a descriptor that is not the server's.
    pub(super) const fn watched(number: u32) -> u64 {
        WATCHED | number as u64
    }
}

/// Whether an event is for whoever reads, by what the connection is watched for, which may have changed since the event
/// was taken from the kernel. Errors are told to everybody, and to who neither reads nor writes as if he did read.
#[inline]
pub(super) fn is_for_reader(event: event::Event, interest: Interest) -> bool {
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
    fn a_poller_key_says_whom_it_is_about() {
        for bits in [1 << 32, u64::from(u32::MAX - 1) << 32 | 7] {
            let Source::Connection(key) = Source::of(bits) else { panic!("{bits:#x}") };
            assert_eq!(key.to_bits(), bits);
        }
        for number in [0, 1, u32::MAX] {
            assert_eq!(Source::of(Source::watched(number)), Source::Watched(number));
            assert_eq!(Source::of(ListenerId(number).to_bits()), Source::Listener(ListenerId(number)));
        }
    }
}
