//! [`Backoff`]: how long to pause a listener that yields only errors.
//!
//! Pure: the caller reads the clock.

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
    /// A `longest` shorter than `first` is raised to it. No pause is shorter than 1 us: a pause of zero would never
    /// double.
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

    /// Starts a pause and returns when it ends; the next one is twice as long.
    pub(crate) fn pause(&mut self, now: Duration) -> Duration {
        let until = now.saturating_add(self.next);
        self.next = self.next.saturating_mul(2).min(self.longest);
        self.until = Some(until);
        until
    }

    /// Ends the pause; returns whether there was one.
    pub(crate) fn end(&mut self) -> bool {
        self.until.take().is_some()
    }

    /// Ends the pause if its time has come; returns whether it did.
    pub(crate) fn end_if_due(&mut self, now: Duration) -> bool {
        self.until.is_some_and(|until| until <= now) && self.end()
    }

    /// Starts over with the first pause.
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

const fn longer(one: Duration, other: Duration) -> Duration {
    if one.as_nanos() < other.as_nanos() { other } else { one }
}
