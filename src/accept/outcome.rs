//! [`Outcome`]: the result of one turn of an [`Acceptor`](super::Acceptor), and [`Counters`] over all turns.

use core::{ops::AddAssign, time::Duration};

use super::BatchEnd;

/// The result of one wake-up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "under pressure the poller goes on reporting the listener until the interest is taken off"]
pub struct Outcome {
    /// Connections passed to the caller.
    pub accepted: usize,
    /// Connections that failed before they reached the caller; they count against the limit too.
    pub failed: usize,
    /// Connections shed with a [`Reserve`](super::Reserve); they count against the limit too.
    pub shed: usize,
    /// Why the turn ended. If the reserve lent its descriptor and could not be refilled, this is
    /// [`BatchEnd::OutOfResources`] with that error.
    pub end: BatchEnd,
    /// What to do with the listener's interest in the poller.
    pub watch: Watch,
}

/// What to do with a listener's interest in the poller.
///
/// An answer that the caller does not know could not be followed, so this enum is complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Watch {
    /// Go on watching.
    Keep,
    /// Take the interest off, and put it back as soon as [`Acceptor::resume`](super::Acceptor::resume) or
    /// [`Acceptor::notify_release`](super::Acceptor::notify_release) returns `true`.
    ///
    /// An empty interest ([`Poller::modify`](crate::event::Poller::modify)) can be put back without memory, but a
    /// registration with `EXCLUSIVE` must be deleted and added.
    Pause {
        /// When the pause ends by itself.
        until: Duration,
    },
    /// The listener no longer listens: delete it from the poller.
    Stop,
}

/// What an acceptor has counted since it was created.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Counters {
    /// Connections passed to the caller.
    pub accepted: u64,
    /// Connections that failed by themselves ([`Error::is_peer_failure`](crate::Error::is_peer_failure)).
    pub failed_peers: u64,
    /// Accepts that failed in any other way: no connection, no resources, the listener gone.
    pub failing_calls: u64,
    /// How often resources ran out. Each lasts until a turn finds enough of them, however many pauses that takes.
    pub pressure: u64,
    /// Connections shed with a [`Reserve`](super::Reserve).
    pub shed: u64,
}

impl Counters {
    /// All zero.
    pub(crate) const ZERO: Self = Self { accepted: 0, failed_peers: 0, failing_calls: 0, pressure: 0, shed: 0 };
}

/// Sums the counters of several acceptors.
impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.failed_peers += other.failed_peers;
        self.failing_calls += other.failing_calls;
        self.pressure += other.pressure;
        self.shed += other.shed;
    }
}
