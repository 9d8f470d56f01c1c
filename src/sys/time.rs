//! The monotonic clock, for waits that a signal interrupts.

use core::time::Duration;

use rustix::{
    event::{PollFd, Timespec},
    time::{ClockId, clock_gettime},
};

/// The time on the monotonic clock at which waiting ends. 16 bytes.
///
/// A timeout starts again with each call that takes it; a deadline is the same for every call.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// `None`: never.
    at: Option<Duration>,
}

impl Deadline {
    /// The deadline `timeout` from now. With `None`, or a time that the clock cannot represent, it never comes.
    #[inline]
    pub fn after(timeout: impl Into<Option<Duration>>) -> Self {
        Self { at: timeout.into().and_then(end_of) }
    }

    /// The time left, zero if the deadline has passed; `None` if it never comes.
    pub fn remaining(self) -> Option<Duration> {
        self.at.map(|at| if at.is_zero() { at } else { at.saturating_sub(now()) })
    }

    /// Whether the deadline has passed.
    pub fn is_over(self) -> bool {
        self.remaining().is_some_and(|time| time.is_zero())
    }
}

fn end_of(timeout: Duration) -> Option<Duration> {
    // A wait of zero ends before a signal can interrupt it.
    if timeout.is_zero() { Some(timeout) } else { now().checked_add(timeout) }
}

/// `clock_gettime(CLOCK_MONOTONIC)`, which is no system call where the kernel provides a vDSO.
pub(crate) fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}

/// A `Duration` as the kernel takes it, shortened to the longest that the kernel can represent.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
}

/// Sleeps; a signal may end it early.
pub(crate) fn sleep(time: Duration) {
    sleep_unless_ready(&mut [], time);
}

/// Sleeps until one of `fds` is ready, at most for `time`; a signal may end it early.
pub(crate) fn sleep_unless_ready(fds: &mut [PollFd<'_>], time: Duration) {
    // `poll` of nothing needs no feature of rustix beyond those in use, and has no error that matters here.
    let _ = rustix::event::poll(fds, Some(&timespec(time)));
}
