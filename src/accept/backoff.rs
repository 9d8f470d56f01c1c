//! [`Backoff`]: how long to leave a listener alone that has nothing but errors.
//!
//! Pure: the clock's readings come from the caller.

use core::time::Duration;

/// Pauses that double from the first to the longest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    until: Option<Duration>,
}

impl Backoff {
    /// A longest pause shorter than the first is taken to be as long. No pause is shorter than 1 us: the one of zero
    /// would never double.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        let first = longer(first, Duration::from_micros(1));
        Self { first, longest: longer(longest, first), next: first, until: None }
    }

    /// The same pauses from the beginning.
    pub(crate) const fn anew(&self) -> Self {
        Self::new(self.first, self.longest)
    }

    /// When the pause ends, if there is one.
    pub(crate) const fn until(&self) -> Option<Duration> {
        self.until
    }

    /// Begins a pause and says when it ends; the next one is twice as long.
    pub(crate) fn pause(&mut self, now: Duration) -> Duration {
        let until = now.saturating_add(self.next);
        self.next = self.next.saturating_mul(2).min(self.longest);
        self.until = Some(until);
        until
    }

    /// Ends the pause, and says whether there was one.
    pub(crate) fn end(&mut self) -> bool {
        self.until.take().is_some()
    }

    /// Ends the pause if its time has come, and says whether that was so.
    pub(crate) fn end_if_due(&mut self, now: Duration) -> bool {
        self.until.is_some_and(|until| until <= now) && self.end()
    }

    /// Begins with the first pause again.
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

const fn longer(one: Duration, other: Duration) -> Duration {
    if one.as_nanos() < other.as_nanos() { other } else { one }
}
