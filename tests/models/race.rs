//! The connect race, against a simulated network and clock.

use core::time::Duration;
use std::collections::BTreeSet;

use anet::{
    Endpoint,
    connect::race::{CANDIDATES_MAX, Order, Race, Step},
    resolve::Family,
};

/// Without optimization a tenth: the whole takes a minute.
const SCHEDULES: u64 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
const MS: Duration = Duration::from_millis(1);
/// How long the kernel lets an attempt run.
const KERNELS_LIMIT: Duration = Duration::from_secs(127);

/// Pseudo-random numbers, the same in every run: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn time(&mut self, end: u64) -> Duration {
        MS * u32::try_from(self.below(end)).unwrap()
    }

    fn is_one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Connected,
    Failed,
    Full,
}

/// How a race has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    Won,
    TimedOut,
    Failed,
}

/// A race with the network around it.
struct World {
    numbers: Numbers,
    race: Race,
    now: Duration,
    stagger: Duration,
    deadline: Option<Duration>,
    has_optional_source: bool,
    endpoints: Vec<Endpoint>,
    /// The answers to come: when, which family, how many addresses.
    answers: Vec<(Duration, Family, u64)>,
    /// When each attempt ends; `None`: never.
    running: Vec<(usize, Option<Duration>, End)>,
    /// How often each address has begun, the repetitions for a full backlog aside.
    begun: [u32; CANDIDATES_MAX],
    full: BTreeSet<usize>,
    last_begun: Option<Duration>,
    last_failed: Option<Duration>,
}

fn endpoint(family: Option<Family>) -> Endpoint {
    match family {
        Some(Family::V4) => "192.0.2.1:1",
        Some(Family::V6) => "[2001:db8::1]:1",
        None => "/run/x",
    }
    .parse()
    .unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let stagger = if numbers.is_one_in(8) { Duration::MAX } else { numbers.time(400) };
        let deadline = numbers.is_one_in(2).then(|| numbers.time(3000));
        let order = [Order::Listed, Order::Alternating(Family::V4), Order::Alternating(Family::V6)];
        let order = order[numbers.below(3) as usize];
        let has_optional_source = numbers.is_one_in(3);
        let mut race = Race::new().with_stagger(stagger).with_deadline(deadline).with_order(order);
        if has_optional_source {
            race = race.with_optional_source();
        }
        let mut world = Self {
            numbers,
            race,
            now: Duration::ZERO,
            stagger,
            deadline,
            has_optional_source,
            endpoints: Vec::new(),
            answers: Vec::new(),
            running: Vec::new(),
            begun: [0; CANDIDATES_MAX],
            full: BTreeSet::new(),
            last_begun: None,
            last_failed: None,
        };
        world.prepare();
        world
    }

    /// A list, or a name whose families are answered later.
    fn prepare(&mut self) {
        if self.numbers.is_one_in(2) {
            for _ in 0..self.numbers.below(CANDIDATES_MAX as u64 + 1) {
                let family = [None, Some(Family::V4), Some(Family::V6)][self.numbers.below(3) as usize];
                self.push(family);
            }
            return;
        }
        for family in [Family::V4, Family::V6] {
            self.race = self.race.clone().awaiting(family);
            let answer = (self.numbers.time(300), family, self.numbers.below(5));
            self.answers.push(answer);
        }
    }

    fn push(&mut self, family: Option<Family>) {
        let endpoint = endpoint(family);
        assert_eq!(self.race.push(&endpoint), Some(self.endpoints.len()));
        self.endpoints.push(endpoint);
    }

    fn run(&mut self) -> Outcome {
        for _ in 0..2000 {
            self.answer();
            if self.end_attempts() {
                return Outcome::Won;
            }
            match self.race.next(self.now) {
                Step::Begin(attempt) => {
                    self.check_begin(attempt.candidate, attempt.has_source);
                    self.begin(attempt.candidate);
                }
                Step::Wait { until } => self.sleep(until),
                Step::TimedOut => return Outcome::TimedOut,
                Step::Failed => return Outcome::Failed,
            }
            // Reports of attempts that are not running change nothing.
            let stray = self.numbers.below(CANDIDATES_MAX as u64 + 2) as usize;
            if self.running.iter().all(|(candidate, ..)| *candidate != stray) {
                self.race.failed(stray, self.now);
                self.race.found_full(stray, self.now);
            }
            let running: BTreeSet<_> = self.running.iter().map(|(candidate, ..)| *candidate).collect();
            assert!(self.race.running().eq(running), "an attempt has leaked");
        }
        panic!("a race without an end");
    }

    fn answer(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.answers.extract_due(now);
        for (_, family, count) in due {
            (0..count).for_each(|_| self.push(Some(family)));
            self.race.answered(family, now);
        }
    }

    /// Reports what has ended; returns whether an attempt is connected.
    fn end_attempts(&mut self) -> bool {
        let now = self.now;
        while let Some(at) = self.running.iter().position(|(_, end, _)| end.is_some_and(|at| at <= now)) {
            let (candidate, _, end) = self.running.swap_remove(at);
            match end {
                End::Connected => return true,
                End::Failed => {
                    self.race.failed(candidate, now);
                    self.last_failed = Some(now);
                }
                End::Full => {
                    self.race.found_full(candidate, now);
                    self.full.insert(candidate);
                }
            }
        }
        false
    }

    fn check_begin(&mut self, candidate: usize, has_source: bool) {
        assert!(candidate < self.endpoints.len() && self.deadline.is_none_or(|at| self.now < at));
        assert!(self.running.iter().all(|(running, ..)| *running != candidate), "two attempts at one address");
        if self.full.remove(&candidate) {
            return;
        }
        self.begun[candidate] += 1;
        assert!(self.begun[candidate] <= if self.has_optional_source { 2 } else { 1 });
        assert_eq!(has_source, self.begun[candidate] == 1);
        // A second round begins when every address has begun.
        assert!(has_source || self.begun[..self.endpoints.len()].iter().all(|&begun| begun > 0));
        if let Some(last) = self.last_begun {
            let is_after_failure = self.last_failed.is_some_and(|at| at >= last);
            assert!(is_after_failure || self.now >= last.saturating_add(self.stagger), "earlier than the stagger");
        }
        self.last_begun = Some(self.now);
    }

    fn begin(&mut self, candidate: usize) {
        let is_unix = self.endpoints[candidate].as_unix().is_some();
        let took = if is_unix || self.numbers.is_one_in(4) { Duration::ZERO } else { self.numbers.time(600) };
        let end = match self.numbers.below(10) {
            0 => Some(End::Connected),
            1 | 2 if is_unix => Some(End::Full),
            1..4 => None,
            _ => Some(End::Failed),
        };
        self.running.push((candidate, end.map(|_| self.now + took), end.unwrap_or(End::Failed)));
    }

    /// Sleeps until something happens. The race must say when to wake up if nothing else does.
    fn sleep(&mut self, until: Option<Duration>) {
        let ends = self.running.iter().filter_map(|(_, end, _)| *end);
        let answers = self.answers.iter().map(|(at, ..)| *at);
        let next = ends.chain(answers).chain(until).min();
        let Some(next) = next.filter(|at| *at < self.now + KERNELS_LIMIT) else {
            // Only silent attempts are left, and no deadline: the kernel gives them up.
            assert!(!self.running.is_empty(), "a race that nothing wakes up");
            let now = self.now;
            self.running.iter_mut().for_each(|(_, end, _)| *end = Some(now));
            return;
        };
        assert!(next > self.now, "a wait without waiting");
        // A caller may ask early.
        self.now = if self.numbers.is_one_in(10) { self.now + (next - self.now) / 2 } else { next };
    }
}

trait ExtractDue {
    fn extract_due(&mut self, now: Duration) -> Self;
}

impl ExtractDue for Vec<(Duration, Family, u64)> {
    fn extract_due(&mut self, now: Duration) -> Self {
        let (due, later) = self.iter().partition(|(at, ..)| *at <= now);
        *self = later;
        due
    }
}

#[test]
fn random_schedules_end_and_leak_no_attempt() {
    let mut outcomes = [0_u32; 3];
    for seed in 0..SCHEDULES {
        let mut world = World::new(seed);
        let outcome = world.run();
        outcomes[outcome as usize] += 1;
        match outcome {
            Outcome::Won => {}
            Outcome::TimedOut => assert!(world.deadline.is_some_and(|at| at <= world.now), "seed {seed}"),
            Outcome::Failed => {
                assert!(world.running.is_empty() && world.answers.is_empty() && world.full.is_empty(), "seed {seed}");
                let times = if world.has_optional_source { 2 } else { 1 };
                assert!(world.begun[..world.endpoints.len()].iter().all(|&begun| begun == times), "seed {seed}");
            }
        }
    }
    println!("won, timed out, failed: {outcomes:?}");
    assert!(outcomes.iter().all(|&count| u64::from(count) > SCHEDULES / 100), "{outcomes:?}");
}
