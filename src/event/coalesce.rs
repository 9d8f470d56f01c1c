//! [`Coalescer`]: how long to let events gather before a wait.
//!
//! Pure.

use core::{mem, time::Duration};

use crate::accept::Probe;

/// Decides before each wait whether to pause, so that one wait gives several events.
///
/// A server that waits again as soon as it has handled one event is woken for nearly every event, and so are its peers
/// by the answers. Being woken costs more than the system calls of a request do. With many connections that are active
/// at a time, a short pause lets more events gather: fewer waits, less CPU time and more requests a second, at the
/// price of a delay that is never longer than asked for.
///
/// With few connections a pause would only let the peers wait, so there is none: it takes at least
/// [`ACTIVE_MIN`](Self::ACTIVE_MIN) active ones, and a pause lasts until about half of them should be ready. It also
/// takes a wait that gave several events, so the first event after a quiet time is never delayed. A pause that should
/// bring fewer than four events is left out, and pauses that bring nothing become rare. Where the server has little time
/// to wait, events gather by themselves while it works, and a pause would only cost capacity: so every 64 turns, 16 turns
/// without a pause show how much of the time it waits, and there are pauses while that is a third or more.
///
/// The caller's clock is the monotonic one. [`Poller::wait_coalescing`](super::Poller::wait_coalescing) pauses and
/// waits; [`Server::with_coalescing`](crate::server::Server::with_coalescing) and
/// [`EventLoop::with_coalescing`](super::EventLoop::with_coalescing) use it. For a loop of your own, call
/// [`pause`](Self::pause), sleep, [`slept`](Self::slept), wait, and [`learn`](Self::learn).
#[derive(Clone, Debug)]
pub struct Coalescer {
    max_delay: Duration,
    window: Window,
    /// How many sources were active in the last whole window.
    active: u32,
    /// When the last wait ended, and when the next one was announced.
    woken_at: Duration,
    asked_at: Option<Duration>,
    /// How many nanoseconds had passed since the wait before, and how many sources were ready at its end.
    gathering: u64,
    gathered: u32,
    /// The average time between events, and by how much pauses last longer than asked for, in nanoseconds.
    period: u64,
    excess: u64,
    /// Whether a pause came before the last wait.
    paused: bool,
    /// Whether one comes before the next.
    pauses: bool,
    probe: Probe,
    trial: Trial,
}

/// A window ends after this time and this number of events, and after the longest time with fewer.
const WINDOW: Duration = Duration::from_millis(1);
const WINDOW_EVENTS: u32 = 256;
const WINDOW_LONGEST: Duration = Duration::from_millis(10);
/// A shorter pause costs more than it saves.
const SHORTEST: Duration = Duration::from_micros(10);
/// A pause that should bring fewer events is not worth its delay.
const EVENTS_MIN: u64 = 4;
/// The most nanoseconds that enter an average, because one long interruption must not outweigh the rest.
const NANOS_MAX: u64 = 200_000;

/// The sources active since a time.
#[derive(Clone, Debug)]
struct Window {
    since: Duration,
    events: u32,
    active: u32,
    /// Which sources were counted, by a hash of their keys: two of them may count as one.
    counted: [u64; Self::WORDS],
}

impl Window {
    const WORDS: usize = 16;

    const fn new(since: Duration) -> Self {
        Self { since, events: 0, active: 0, counted: [0; Self::WORDS] }
    }

    #[inline]
    fn count(&mut self, key: u64) {
        self.events = self.events.saturating_add(1);
        // Fibonacci hashing: the upper bits depend on all others.
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
        let (word, bit) = ((hash / 64) as usize % Self::WORDS, 1 << (hash % 64));
        if self.counted[word] & bit == 0 {
            self.counted[word] |= bit;
            self.active += 1;
        }
    }

    fn is_over(&self, now: Duration) -> bool {
        let time = now.saturating_sub(self.since);
        time >= WINDOW && self.events >= WINDOW_EVENTS || time >= WINDOW_LONGEST
    }
}

/// How much of the time the server waits, if it does not pause.
#[derive(Clone, Debug)]
struct Trial {
    is_under_way: bool,
    /// Until it ends, or until the next one begins.
    turns: u32,
    busy: u64,
    waiting: u64,
}

impl Trial {
    /// Averages over an uneven load.
    const TURNS: u32 = 16;
    const TURNS_BETWEEN: u32 = 64;

    const fn new() -> Self {
        Self { is_under_way: true, turns: Self::TURNS, busy: 0, waiting: 0 }
    }

    const fn between() -> Self {
        Self { is_under_way: false, turns: Self::TURNS_BETWEEN, ..Self::new() }
    }

    /// Counts a turn and the wait behind it, in nanoseconds. A trial is repeated until it has shown that the server waits
    /// for a third of the time.
    const fn count(&mut self, busy: u64, waiting: u64) {
        self.turns -= 1;
        self.busy += busy;
        self.waiting += waiting;
        if self.turns == 0 {
            let pays = self.is_under_way && self.waiting >= self.busy / 2;
            *self = if pays { Self::between() } else { Self::new() };
        }
    }
}

impl Coalescer {
    /// With fewer sources active at a time there is no pause.
    pub const ACTIVE_MIN: u32 = 40;

    /// A coalescer that delays no event by more than `max_delay`. 200 us are a good choice; the kernel may add its own
    /// timer slack (`prctl(2)`, 50 us by default), which the coalescer learns and deducts.
    pub const fn new(max_delay: Duration) -> Self {
        Self {
            max_delay,
            window: Window::new(Duration::ZERO),
            active: 0,
            woken_at: Duration::ZERO,
            asked_at: None,
            gathering: 0,
            gathered: 0,
            period: 0,
            excess: 0,
            paused: false,
            pauses: false,
            probe: Probe::new(),
            trial: Trial::new(),
        }
    }

    /// The longest delay.
    pub const fn max_delay(&self) -> Duration {
        self.max_delay
    }

    /// Whether to ask for a [`pause`](Self::pause); saves reading the clock.
    #[inline]
    pub const fn may_pause(&self) -> bool {
        self.active >= Self::ACTIVE_MIN || self.window.active >= Self::ACTIVE_MIN
    }

    /// How long to pause at `now`, before a wait; `None`: not at all.
    pub fn pause(&mut self, now: Duration) -> Option<Duration> {
        if !self.may_pause() {
            return None;
        }
        self.asked_at = Some(now);
        let time = self.time_to_gather(now);
        if self.trial.is_under_way || self.gathered <= 1 || nanos(time) < EVENTS_MIN * self.period {
            return None;
        }
        let asked = time.saturating_sub(Duration::from_nanos(self.excess));
        if asked < SHORTEST {
            // What was learned from a few pauses must not rule out all others.
            self.excess = average(self.excess, 0);
            return None;
        }
        self.pauses = self.probe.is_due();
        self.pauses.then_some(asked)
    }

    /// The time until half of the active sources should be ready.
    fn time_to_gather(&self, now: Duration) -> Duration {
        let active = self.active.max(self.window.active);
        let gathered_at = self.woken_at + Duration::from_nanos(u64::from(active / 2) * self.period);
        gathered_at.saturating_sub(now).min(self.max_delay)
    }

    /// Learns how long a pause was.
    pub fn slept(&mut self, asked: Duration, actual: Duration) {
        self.excess = average(self.excess, nanos(actual.saturating_sub(asked)));
    }

    /// Learns from a wait that ended at `now` which sources were ready.
    pub fn learn(&mut self, now: Duration, ready: impl IntoIterator<Item = u64>) {
        if self.paused {
            self.probe.learn(self.gathered > 1);
        }
        if self.gathered > 0 {
            self.period = average(self.period, self.gathering / u64::from(self.gathered));
        }
        if self.window.is_over(now) {
            self.active = self.window.active;
            self.window = Window::new(now);
        }
        if let Some(asked_at) = self.asked_at.take() {
            let busy = nanos(asked_at.saturating_sub(self.woken_at));
            self.trial.count(busy, nanos(now.saturating_sub(asked_at)));
        }
        let before = self.window.events;
        ready.into_iter().for_each(|key| self.window.count(key));
        self.gathered = self.window.events - before;
        self.gathering = nanos(now.saturating_sub(self.woken_at));
        self.woken_at = now;
        self.paused = mem::take(&mut self.pauses);
    }

    /// Counts a source that was ready at the end of the last wait and had no event of its own, such as a connection that
    /// was accepted.
    pub const fn count_another(&mut self) {
        self.window.active = self.window.active.saturating_add(1);
        self.window.events = self.window.events.saturating_add(1);
        self.gathered = self.gathered.saturating_add(1);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(NANOS_MAX)
}

/// An average in which the past fades.
const fn average(past: u64, new: u64) -> u64 {
    past - past / 8 + new / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const MAX_DELAY: Duration = micros(200);

    const fn micros(time: u64) -> Duration {
        Duration::from_micros(time)
    }

    /// A coalescer that has seen a wait end every 100 us with 10 events, each time of the next of `sources` in turn.
    fn busy(sources: u64) -> (Coalescer, Duration) {
        busy_for(micros(50), sources)
    }

    /// The same if the server works for so long before each wait.
    fn busy_for(work: Duration, sources: u64) -> (Coalescer, Duration) {
        let mut coalescer = Coalescer::new(MAX_DELAY);
        let mut now = Duration::ZERO;
        for turn in 0..60 {
            coalescer.pause(now + work);
            now += micros(100);
            coalescer.learn(now, (0..10).map(|number| (turn * 10 + number) % sources));
        }
        (coalescer, now)
    }

    #[test]
    fn few_active_sources_never_wait_for_others() {
        for sources in [1, 2, 10, 39] {
            let (mut coalescer, now) = busy(sources);
            assert_eq!((coalescer.may_pause(), coalescer.pause(now)), (false, None), "{sources}");
        }
    }

    #[test]
    fn a_server_that_hardly_waits_does_not_pause() {
        for (work, pauses) in [(50, true), (66, true), (68, false), (100, false)] {
            let (mut coalescer, now) = busy_for(micros(work), 1000);
            assert_eq!(coalescer.pause(now + micros(work)).is_some(), pauses, "{work}");
        }
    }

    #[test]
    fn a_pause_lasts_until_half_of_the_active_sources_should_be_ready() {
        let (mut coalescer, now) = busy(50);
        // 10 us pass between two events, and averages are rounded down.
        let pause = coalescer.pause(now + micros(100)).unwrap();
        assert!((micros(140)..=micros(150)).contains(&pause), "{pause:?}");
        assert_eq!(coalescer.pause(now + micros(300)), None);
    }

    #[test]
    fn no_pause_is_longer_than_the_longest_delay() {
        let (mut coalescer, now) = busy(1000);
        assert_eq!(coalescer.pause(now), Some(MAX_DELAY));
    }

    #[test]
    fn the_first_event_after_a_quiet_time_is_not_delayed() {
        let (mut coalescer, now) = busy(50);
        coalescer.learn(now + micros(500), [1]);
        assert_eq!(coalescer.pause(now + micros(500)), None);
    }

    #[test]
    fn the_excess_of_earlier_pauses_is_deducted_but_does_not_rule_out_others() {
        let (mut coalescer, now) = busy(1000);
        for _ in 0..100 {
            coalescer.slept(micros(100), micros(150));
        }
        let pause = coalescer.pause(now).unwrap();
        assert!((micros(150)..micros(155)).contains(&pause), "{pause:?}");
        for _ in 0..100 {
            coalescer.slept(micros(100), Duration::from_secs(1));
        }
        let waits = (0..10).find(|_| coalescer.pause(now).is_some());
        assert!(waits > Some(0));
    }

    #[test]
    fn pauses_that_bring_nothing_become_rare() {
        let (mut coalescer, mut now) = busy(1000);
        let mut paused = Vec::new();
        for turn in 0..100 {
            // Two events without a pause, one after a pause.
            let pause = coalescer.pause(now);
            now += micros(20);
            paused.extend(pause.map(|_| turn));
            coalescer.learn(now, 0..if pause.is_some() { 1 } else { 2 });
            coalescer.learn(now, 0..2);
        }
        assert!((4..20).contains(&paused.len()), "{paused:?}");
    }

    #[test]
    fn sources_that_stop_are_forgotten() {
        let (mut coalescer, mut now) = busy(50);
        for _ in 0..30 {
            now += Duration::from_millis(1);
            coalescer.learn(now, [1, 2]);
        }
        assert!(!coalescer.may_pause());
    }
}
