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

    #[test]
    fn a_fraction_of_a_second_is_rounded_up() {
        let keepalive = TcpKeepalive::after_idle(Duration::from_millis(2500)).unwrap();
        assert_eq!(keepalive.idle(), Duration::from_secs(3));
    }
}
