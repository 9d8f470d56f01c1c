//! The monotonic clock, for waits that a signal interrupts.

use core::time::Duration;

use rustix::{
    event::Timespec,
    time::{ClockId, clock_gettime},
};

/// The end of a wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// On the monotonic clock; `None`: never.
    at: Option<Duration>,
}

impl Deadline {
    /// A wait that may take this long from now; `None`: for ever.
    #[inline]
    pub(crate) fn after(timeout: Option<Duration>) -> Self {
        Self { at: timeout.and_then(end_of) }
    }

    /// What is left of it; `None`: it has no end.
    pub(crate) fn remaining(self) -> Option<Duration> {
        self.at.map(|at| if at.is_zero() { at } else { at.saturating_sub(now()) })
    }

    /// Whether nothing is left of it.
    pub(crate) fn is_over(self) -> bool {
        self.remaining().is_some_and(|time| time.is_zero())
    }
}

fn end_of(timeout: Duration) -> Option<Duration> {
    // A wait of no time is over before a signal can interrupt it.
    if timeout.is_zero() { Some(timeout) } else { now().checked_add(timeout) }
}

/// `clock_gettime(CLOCK_MONOTONIC)`, which is no system call where the kernel provides a vDSO.
pub(crate) fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}

/// A `Duration` as the kernel takes it; longer than the kernel can count is as long as it can.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
}

/// Waits; a signal may end it early.
pub(crate) fn sleep(time: Duration) {
    // `poll` of nothing needs no feature of rustix beyond those in use, and has no error that matters here.
    let _ = rustix::event::poll(&mut [], Some(&timespec(time)));
}
