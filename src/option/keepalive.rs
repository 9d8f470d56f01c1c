//! TCP keepalive: when a silent peer counts as dead.

use core::time::Duration;

use rustix::fd::AsFd;

use super::{in_range, set_keepalive, whole_seconds};
use crate::error::{Opt, Result};

/// When the kernel probes an idle connection, and when it drops it: `idle + count * interval` after the last byte.
///
/// The kernel counts in whole seconds and accepts idle times and intervals of 1 to 32767 s and counts of 1 to 127
/// (measured on Linux 6.18); a value of this type is always within these ranges.
///
/// Keepalive is inactive while sent bytes are unacknowledged; use `TCP_USER_TIMEOUT` for those.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TcpKeepalive {
    idle_s: u16,
    interval_s: u16,
    count: u8,
}

impl TcpKeepalive {
    /// Probes after `idle` without a byte, then every `interval`; times are rounded up to whole seconds.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`](crate::error::Cause::OutOfRange) for an idle time or interval outside 1..=32767 s or a count
    /// outside 1..=127.
    pub fn new(idle: Duration, interval: Duration, count: u32) -> Result<Self> {
        Ok(Self {
            idle_s: in_range(Opt::TCP_KEEPIDLE, whole_seconds(idle))? as u16,
            interval_s: in_range(Opt::TCP_KEEPINTVL, whole_seconds(interval))? as u16,
            count: in_range(Opt::TCP_KEEPCNT, count)? as u8,
        })
    }

    /// Redis's rule: the first probe after `idle`, then two more at intervals of a third of that time.
    ///
    /// ```
    /// use anet::option::TcpKeepalive;
    /// use core::time::Duration;
    ///
    /// let keepalive = TcpKeepalive::after_idle(Duration::from_secs(300))?;
    /// assert_eq!(keepalive.interval(), Duration::from_secs(100));
    /// assert_eq!(keepalive.gives_up_after(), Duration::from_secs(600));
    /// # Ok::<(), anet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`OutOfRange`](crate::error::Cause::OutOfRange) for a time outside 1..=32767 s.
    #[doc(alias = "anetKeepAlive")]
    pub fn after_idle(idle: Duration) -> Result<Self> {
        let interval = (whole_seconds(idle) / 3).max(1);
        Self::new(idle, Duration::from_secs(interval.into()), 3)
    }

    /// The time without a byte before the first probe.
    pub const fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_s as u64)
    }

    /// The time between probes.
    pub const fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_s as u64)
    }

    /// The number of unanswered probes after which the connection ends with `ETIMEDOUT`.
    pub const fn count(&self) -> u32 {
        self.count as u32
    }

    /// The time from the last byte of a vanished peer to the end of the connection.
    pub const fn gives_up_after(&self) -> Duration {
        Duration::from_secs(self.idle_s as u64 + self.interval_s as u64 * self.count as u64)
    }
}

/// How to notice that a peer has vanished, without a protocol of your own: keepalive for an idle connection, and
/// `TCP_USER_TIMEOUT` for one with unacknowledged bytes, on which keepalive is inactive.
///
/// Every plan is within the kernel's ranges, and both options agree: Linux ends an idle connection at its first probe
/// after the user timeout, whatever the count, and here that is the last probe.
///
/// ```
/// use anet::{SocketOptions, option::DeadPeerPlan};
/// use core::time::Duration;
///
/// const S: fn(u64) -> Duration = Duration::from_secs;
/// let plan = DeadPeerPlan::within(S(60));
/// let keepalive = plan.keepalive();
/// assert_eq!((keepalive.idle(), keepalive.interval(), keepalive.count()), (S(30), S(10), 3));
/// assert_eq!((plan.user_timeout(), plan.noticed_after()), (S(55), S(60)));
///
/// // For a listener or a connector:
/// let options = SocketOptions::new().with_dead_peer_plan(Some(plan));
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "TCP_USER_TIMEOUT")]
pub struct DeadPeerPlan {
    keepalive: TcpKeepalive,
}

impl DeadPeerPlan {
    /// The shortest and the longest time of a plan. The kernel's smallest values are an idle time and an interval of a
    /// second each; its longest user timeout is 2³¹-1 ms.
    const SHORTEST_S: u32 = 2;
    const LONGEST_S: u32 = 0x7fff_ffff / 1000;

    /// The plan to notice a dead peer within `time`, rounded down to whole seconds; less than 2 s is 2 s, and more than
    /// 2,147,483 s (24 days) is that. An idle connection is probed three times in the second half of the time, or once
    /// or twice if the time is less than 4 s, so that one lost packet does not end it; more often if the time is longer
    /// than 18 hours.
    pub const fn within(time: Duration) -> Self {
        let total = match time.as_secs() {
            ..2 => Self::SHORTEST_S,
            seconds if seconds > Self::LONGEST_S as u64 => Self::LONGEST_S,
            seconds => seconds as u32,
        };
        // At least one second is idle, and each interval is at least another.
        let usual = if total > PROBES { PROBES } else { total - 1 };
        let longer_than_idle = total.saturating_sub(SECONDS_MAX);
        let count = max(usual, longer_than_idle.div_ceil(SECONDS_MAX));
        let interval = max(1, max(total / 2 / count, longer_than_idle.div_ceil(count)));
        let idle = total - count * interval;
        Self { keepalive: TcpKeepalive { idle_s: idle as u16, interval_s: interval as u16, count: count as u8 } }
    }

    /// When to probe an idle connection.
    pub const fn keepalive(&self) -> TcpKeepalive {
        self.keepalive
    }

    /// How long sent bytes may stay unacknowledged: until half an interval before [`noticed_after`](Self::noticed_after),
    /// because the kernel notices about two retransmission timeouts late (measured on loopback: 0.4 s).
    pub const fn user_timeout(&self) -> Duration {
        let half_an_interval = Duration::from_millis(self.keepalive.interval_s as u64 * 500);
        self.noticed_after().saturating_sub(half_an_interval)
    }

    /// The time from the last byte of a vanished peer to the end of an idle connection with `ETIMEDOUT`. The kernel's
    /// timers add a little: at most an eighth of each time (`kernel/time/timer.c`); measured on Linux 6.18, 0.03 s to
    /// 2 s and 0.29 s to 9 s.
    pub const fn noticed_after(&self) -> Duration {
        self.keepalive.gives_up_after()
    }
}

const PROBES: u32 = 3;
/// The longest idle time, and the longest interval.
const SECONDS_MAX: u32 = 32767;

const fn max(one: u32, other: u32) -> u32 {
    if one > other { one } else { other }
}

/// Switches keepalive on and sets its times and `TCP_USER_TIMEOUT`; five calls. Systems other than Linux have no user
/// timeout.
///
/// # Errors
///
/// Those of [`set_tcp_keepalive`].
pub fn set_dead_peer_plan(fd: impl AsFd, plan: &DeadPeerPlan) -> Result<()> {
    set_tcp_keepalive(&fd, &plan.keepalive)?;
    #[cfg(target_os = "linux")]
    super::set_tcp_user_timeout(&fd, Some(plan.user_timeout()))?;
    Ok(())
}

/// Switches keepalive on and sets its times, in Redis's order; four calls. OpenBSD has no per-socket times.
///
/// # Errors
///
/// See the [module](super). On a Unix socket `SO_KEEPALIVE` succeeds, without effect, and `TCP_KEEPIDLE` fails with
/// `EOPNOTSUPP`.
#[doc(alias = "anetKeepAlive")]
pub fn set_tcp_keepalive(fd: impl AsFd, keepalive: &TcpKeepalive) -> Result<()> {
    set_keepalive(&fd, true)?;
    set_times(fd, keepalive)
}

/// OpenBSD has system-wide times only.
#[cfg(not(target_os = "openbsd"))]
fn set_times(fd: impl AsFd, keepalive: &TcpKeepalive) -> Result<()> {
    super::set_tcp_keepidle(&fd, keepalive.idle())?;
    super::set_tcp_keepintvl(&fd, keepalive.interval())?;
    super::set_tcp_keepcnt(&fd, keepalive.count())
}

#[cfg(target_os = "openbsd")]
fn set_times(_: impl AsFd, _: &TcpKeepalive) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;

    fn after_idle(seconds: u64) -> Result<TcpKeepalive> {
        TcpKeepalive::after_idle(Duration::from_secs(seconds))
    }

    #[test]
    fn a_dead_peer_is_dropped_when_redis_would() {
        for (idle, total) in [(1, 4), (2, 5), (5, 8), (10, 19), (60, 120), (300, 600)] {
            assert_eq!(after_idle(idle).unwrap().gives_up_after(), Duration::from_secs(total), "idle {idle}");
        }
    }

    #[test]
    fn an_out_of_range_time_is_refused_with_its_value() {
        for idle in [0, 32768, 300_000] {
            let error = after_idle(idle).unwrap_err();
            assert_eq!(error.cause(), Cause::OutOfRange { value: idle as u32 });
        }
        let second = Duration::from_secs(1);
        for count in [0, 128] {
            assert!(TcpKeepalive::new(second, second, count).is_err());
        }
        assert!(TcpKeepalive::new(Duration::from_secs(32767), second, 127).is_ok());
        assert!(TcpKeepalive::new(second, Duration::MAX, 1).is_err());
    }

    /// Idle time, interval and count for a time in seconds.
    fn plan(seconds: u64) -> (u32, u32, u32) {
        let TcpKeepalive { idle_s, interval_s, count } = DeadPeerPlan::within(Duration::from_secs(seconds)).keepalive;
        (idle_s.into(), interval_s.into(), count.into())
    }

    #[test]
    fn a_plan_probes_in_the_second_half_of_the_time() {
        let cases = [
            (0, (1, 1, 1)),
            (2, (1, 1, 1)),
            (3, (1, 1, 2)),
            (4, (1, 1, 3)),
            (5, (2, 1, 3)),
            (6, (3, 1, 3)),
            (60, (30, 10, 3)),
            (600, (300, 100, 3)),
            (65_534, (32_765, 10_923, 3)),
            (u64::MAX, (32_708, 32_535, 65)),
        ];
        for (seconds, expected) in cases {
            assert_eq!(plan(seconds), expected, "{seconds} s");
        }
    }

    /// All times up to 3 days, and a sample of the longer ones.
    #[test]
    fn every_plan_is_legal_and_takes_exactly_the_time() {
        let longest = u64::from(DeadPeerPlan::LONGEST_S);
        for seconds in (0..260_000).chain((260_000..longest + 3).step_by(977)).chain(longest - 3..longest + 3) {
            let (idle, interval, count) = plan(seconds);
            assert!((1..=32767).contains(&idle) && (1..=32767).contains(&interval) && (1..=127).contains(&count));
            let plan = DeadPeerPlan::within(Duration::from_secs(seconds) + Duration::from_millis(999));
            let total = Duration::from_secs(seconds.clamp(2, longest));
            assert_eq!(plan.noticed_after(), total, "{seconds} s");
            let (interval, until) = (plan.keepalive().interval(), plan.user_timeout());
            assert!(until < total && until > total - interval && until.as_millis() <= 0x7fff_ffff, "{seconds} s");
            assert_eq!(TcpKeepalive::new(plan.keepalive().idle(), interval, count).unwrap(), plan.keepalive);
        }
    }

    #[test]
    fn a_fraction_of_a_second_is_rounded_up() {
        let keepalive = TcpKeepalive::after_idle(Duration::from_millis(2500)).unwrap();
        assert_eq!(keepalive.idle(), Duration::from_secs(3));
    }
}
