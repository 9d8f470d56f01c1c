//! One wait, with nanosecond precision where it matters.

use core::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use crate::{
    error::Errno,
    sys::{
        Result,
        selector::{Event, Selector},
    },
};

/// Whether this kernel has `epoll_pwait2`.
static EPOLL_PWAIT2: AtomicU8 = AtomicU8::new(if cfg!(anet_force_epoll_fallback) { MISSING } else { UNKNOWN });
const UNKNOWN: u8 = 0;
const THERE: u8 = 1;
const MISSING: u8 = 2;

#[inline]
pub(super) fn wait_once(selector: &Selector, events: &mut [Event], timeout: Option<Duration>) -> Result<usize> {
    match timeout {
        Some(precise) if counts_below_a_millisecond(precise) => wait_precisely(selector, events, precise),
        _ => selector.wait(events, timeout),
    }
}

/// Whether a timeout needs such precision; one longer than `epoll_wait` can count does not.
fn counts_below_a_millisecond(time: Duration) -> bool {
    time.subsec_nanos() % 1_000_000 != 0 && time < Selector::LONGEST
}

fn wait_precisely(selector: &Selector, events: &mut [Event], timeout: Duration) -> Result<usize> {
    if EPOLL_PWAIT2.load(Ordering::Relaxed) != MISSING {
        match selector.wait_precisely(events, timeout) {
            // Before Linux 5.11, or forbidden by a seccomp filter.
            Err(Errno::NOSYS | Errno::PERM) => learn(MISSING),
            answer => {
                learn(THERE);
                return answer;
            }
        }
    }
    selector.wait(events, Some(timeout))
}

/// The first answer decides. A call that has succeeded is not missing: a killed tracer can leave a single `ENOSYS`
/// behind.
fn learn(answer: u8) {
    if EPOLL_PWAIT2.load(Ordering::Relaxed) == UNKNOWN {
        let _ = EPOLL_PWAIT2.compare_exchange(UNKNOWN, answer, Ordering::Relaxed, Ordering::Relaxed);
    }
}
