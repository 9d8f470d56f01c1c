//! Application heartbeats: PING, PONG, and when to give up a silent peer.
//!
//! TCP keepalive probes the peer's kernel; a heartbeat probes the peer itself, over any stream, and so also detects a
//! process that hangs. This module decides, for one connection: from the bytes that arrive and the current time, it
//! determines whether to wait, to send a ping or to give up. It holds no descriptor and no clock, makes no system call,
//! allocates nothing and panics on no time. Times are [`Duration`]s since an epoch of the caller's choosing, read from
//! a clock that does not go back (`CLOCK_MONOTONIC`).
//!
//! Any byte is a sign of life, not only a PONG: a peer that sends is never pinged.
//!
//! With a [`Server`](crate::server::Server), keep the [`Pulse`] in the connection's data and let the connection's
//! deadline be the pulse's: start it at [`Opened`](crate::server::Event::Opened) with the clock of
//! [`Server::now`](crate::server::Server::now), call [`set_deadline`](crate::server::Server::set_deadline) with
//! [`Expiry::Report`](crate::server::Expiry::Report) after each [`tick`](Pulse::tick), and tick at
//! [`Event::Deadline`](crate::server::Event::Deadline). Bytes that arrive need no new deadline: the next tick comes early
//! and only returns when to tick again. `examples/heartbeat.rs` is such a server.
//!
//! ```
//! use anet::heartbeat::{Heartbeat, Action};
//! use core::time::Duration;
//!
//! let s = Duration::from_secs;
//! let heartbeat = Heartbeat::new(s(10), 2)?;
//!
//! let mut pulse = heartbeat.start(s(100));
//! assert_eq!(pulse.tick(s(105)), Action::Wait { until: s(110) });
//! assert_eq!(pulse.tick(s(110)), Action::SendPing);
//! pulse.received(s(111));
//! assert_eq!(pulse.tick(pulse.deadline()), Action::SendPing);
//! assert_eq!(pulse.tick(s(131)), Action::SendPing);
//! assert_eq!(pulse.tick(s(141)), Action::Dead);
//! # Ok::<(), anet::heartbeat::HeartbeatError>(())
//! ```

use core::{fmt, time::Duration};

/// How often a silent peer is pinged, and how many answers it may miss. Any number of connections can share one. 8
/// bytes.
///
/// A peer is dead `interval * (misses + 1)` after its last byte, if the caller is on time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "repl-ping-replica-period")]
pub struct Heartbeat {
    interval_ms: u32,
    misses: u8,
}

/// The state of one connection. 24 bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Pulse {
    deadline: Duration,
    interval_ms: u32,
    misses: u8,
    outstanding: u8,
}

// Less where 64-bit numbers are aligned to 32 bits.
const _: () = assert!(size_of::<Heartbeat>() == 8 && size_of::<Pulse>() <= 24 && size_of::<Action>() <= 16);

/// What to do about a connection now. An answer that the caller does not know could not be followed, so this enum is
/// complete.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[must_use]
pub enum Action {
    /// Do nothing before `until`.
    Wait {
        /// When to call [`tick`](Pulse::tick) again, unless bytes arrive first.
        until: Duration,
    },
    /// Send a PING. It counts as sent even if the send buffer is full: a peer that does not read is silent too.
    SendPing,
    /// Close: the peer was silent for a whole interval after each ping. This stays the verdict until a byte arrives.
    Dead,
}

/// Why a heartbeat is invalid.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum HeartbeatError {
    /// An interval of more than 4294967295 ms (49 days).
    IntervalTooLong,
    /// An interval of zero, in which no peer can answer.
    ZeroInterval,
    /// No pings before a peer is dead. To close silent peers without a ping, use an idle timeout.
    ZeroMisses,
}

impl Heartbeat {
    /// Pings after each `interval` of silence, rounded up to whole milliseconds. A peer is dead when it has left
    /// `misses` pings in a row (1 to 255) unanswered, each for another interval.
    ///
    /// # Errors
    ///
    /// [`HeartbeatError`] names the invalid value.
    pub const fn new(interval: Duration, misses: u8) -> Result<Self, HeartbeatError> {
        let interval_ms = interval.as_nanos().div_ceil(1_000_000);
        match (interval_ms, misses) {
            (0, _) => Err(HeartbeatError::ZeroInterval),
            (0x1_0000_0000.., _) => Err(HeartbeatError::IntervalTooLong),
            (_, 0) => Err(HeartbeatError::ZeroMisses),
            _ => Ok(Self { interval_ms: interval_ms as u32, misses }),
        }
    }

    /// The state of a connection that was made at `now`, which counts as a sign of life.
    pub const fn start(self, now: Duration) -> Pulse {
        let Self { interval_ms, misses } = self;
        let mut pulse = Pulse { deadline: now, interval_ms, misses, outstanding: 0 };
        pulse.received(now);
        pulse
    }

    /// How long a peer may be silent before it is pinged, and after each ping.
    pub const fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms as u64)
    }

    /// How many unanswered pings in a row make a peer dead.
    pub const fn misses(&self) -> u8 {
        self.misses
    }
}

impl Pulse {
    /// Notes that bytes have arrived, a PONG or any other: no ping is outstanding, and a new interval begins.
    ///
    /// Read what has arrived before calling [`tick`](Self::tick). After a stall of the whole process the answer may be
    /// there, unread, and a live peer would be given up.
    #[doc(alias = "pong")]
    pub const fn received(&mut self, now: Duration) {
        self.outstanding = 0;
        self.begin_interval(now);
    }

    /// Returns what to do at `now`. Changes nothing before the [`deadline`](Self::deadline), so you may call it at any
    /// time.
    ///
    /// Each ping has a whole interval from the `tick` that requested it, not from when that was due: a late caller
    /// pings later, and never gives up a peer that had less than an interval to answer. There is no jitter. A clock
    /// that jumps back only makes it wait.
    pub fn tick(&mut self, now: Duration) -> Action {
        if now < self.deadline {
            return Action::Wait { until: self.deadline };
        }
        if self.outstanding >= self.misses {
            return Action::Dead;
        }
        self.outstanding += 1;
        self.begin_interval(now);
        Action::SendPing
    }

    /// When to call [`tick`](Self::tick) next.
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// How many pings have been sent since the last byte arrived.
    pub const fn outstanding(&self) -> u8 {
        self.outstanding
    }

    const fn begin_interval(&mut self, now: Duration) {
        self.deadline = now.saturating_add(Duration::from_millis(self.interval_ms as u64));
    }
}

impl fmt::Display for HeartbeatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::IntervalTooLong => "A heartbeat interval of more than 4294967295 ms",
            Self::ZeroInterval => "A heartbeat interval of zero",
            Self::ZeroMisses => "A heartbeat without pings",
        })
    }
}

impl core::error::Error for HeartbeatError {}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn invalid_values_are_refused() {
        let cases = [
            (MS(0), 1, HeartbeatError::ZeroInterval),
            (MS(0), 0, HeartbeatError::ZeroInterval),
            (MS(1), 0, HeartbeatError::ZeroMisses),
            (MS(1 << 32), 1, HeartbeatError::IntervalTooLong),
            (MS(u64::from(u32::MAX)) + Duration::from_nanos(1), 1, HeartbeatError::IntervalTooLong),
            (Duration::MAX, 0, HeartbeatError::IntervalTooLong),
        ];
        for (interval, misses, error) in cases {
            assert_eq!(Heartbeat::new(interval, misses), Err(error));
        }
    }

    #[test]
    fn an_interval_is_rounded_up_to_whole_milliseconds() {
        let shortest = Heartbeat::new(Duration::from_nanos(1), 255).unwrap();
        assert_eq!((shortest.interval(), shortest.misses()), (MS(1), 255));
        let longest = MS(u64::from(u32::MAX));
        assert_eq!(Heartbeat::new(longest, 1).unwrap().interval(), longest);
    }

    #[test]
    fn a_late_ping_gets_a_whole_interval() {
        let mut pulse = Heartbeat::new(MS(10), 1).unwrap().start(MS(0));
        assert_eq!(pulse.tick(MS(1000)), Action::SendPing);
        assert_eq!(pulse.tick(MS(1009)), Action::Wait { until: MS(1010) });
        assert_eq!((pulse.tick(MS(1010)), pulse.outstanding()), (Action::Dead, 1));
    }

    #[test]
    fn a_byte_revives_a_dead_peer() {
        let mut pulse = Heartbeat::new(MS(10), 1).unwrap().start(MS(0));
        assert_eq!((pulse.tick(MS(10)), pulse.tick(MS(20))), (Action::SendPing, Action::Dead));
        assert_eq!(pulse.tick(MS(500)), Action::Dead);
        pulse.received(MS(501));
        assert_eq!((pulse.tick(MS(502)), pulse.outstanding()), (Action::Wait { until: MS(511) }, 0));
    }

    #[test]
    fn a_clock_that_jumps_back_makes_it_wait() {
        let mut pulse = Heartbeat::new(MS(10), 1).unwrap().start(MS(100));
        assert_eq!(pulse.tick(MS(0)), Action::Wait { until: MS(110) });
        pulse.received(MS(0));
        assert_eq!(pulse.deadline(), MS(10));
    }

    #[test]
    fn the_longest_duration_does_not_panic() {
        let mut pulse = Heartbeat::new(MS(10), 2).unwrap().start(Duration::MAX - MS(5));
        assert_eq!(pulse.deadline(), Duration::MAX);
        let verdicts: [Action; 3] = core::array::from_fn(|_| pulse.tick(Duration::MAX));
        assert_eq!(verdicts, [Action::SendPing, Action::SendPing, Action::Dead]);
    }
}
