//! [`Race`]: which connection attempt begins when (RFC 8305). No system calls, no clock.

use core::time::Duration;

use super::candidates::{Candidates, Set};
use crate::{addr::Endpoint, error::Error, resolve::Family};

/// The most addresses of a race.
pub const CANDIDATES_MAX: usize = 16;

/// How long an attempt runs before the next begins beside it, by default (RFC 8305, 8: Connection Attempt Delay).
pub const STAGGER_DEFAULT: Duration = Duration::from_millis(250);

/// How long the addresses of one family wait for those of the [first](Order::Alternating) (RFC 8305, 8: Resolution
/// Delay).
pub const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// How long to wait before a Unix socket whose backlog is full is tried again; doubled each time up to the longest.
const RETRY_FIRST: Duration = Duration::from_millis(1);
const RETRY_DOUBLINGS: u8 = 5;

/// The order in which the addresses of a list are tried.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Order {
    /// The order of the list.
    #[default]
    Listed,
    /// The families in turn, beginning with this one; within a family, the order of the list (RFC 8305, 4).
    Alternating(Family),
}

/// What to do next in a [`Race`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Begin this attempt. The race counts it as running until you report its end.
    Begin(Attempt),
    /// Wait until an attempt ends, an answer arrives, or this time (`None`: indefinitely).
    Wait {
        /// When to ask again.
        until: Option<Duration>,
    },
    /// The time for all attempts is over: abandon those that are running.
    TimedOut,
    /// Every attempt has failed.
    Failed,
}

/// An attempt to begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attempt {
    /// The number of the address, in the order of [`push`](Race::push), from 0.
    pub candidate: usize,
    /// Whether to bind the source address first, if there is one.
    pub has_source: bool,
}

/// Connection attempts to up to [`CANDIDATES_MAX`] addresses, staggered: the next begins when one fails, and otherwise
/// when the last has run for a while. The first that succeeds wins.
///
/// The race decides what begins when. You make the calls, report failures, and close the other attempts once one has
/// succeeded; [`Pending`](super::Pending) and [`Server`](crate::server::Server) do. Times are readings of any clock.
///
/// ```
/// use anet::{Endpoint, connect::race::{Attempt, Race, Step}};
/// use core::time::Duration;
///
/// const MS: fn(u64) -> Duration = Duration::from_millis;
/// let begin = |candidate| Step::Begin(Attempt { candidate, has_source: true });
/// let mut race = Race::new().with_deadline(Some(MS(1000)));
/// for text in ["192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:80"] {
///     race.push(&text.parse::<Endpoint>()?);
/// }
///
/// assert_eq!(race.next(MS(0)), begin(0));
/// assert_eq!(race.next(MS(0)), Step::Wait { until: Some(MS(250)) });
/// // The first is silent, so the second begins beside it.
/// assert_eq!(race.next(MS(250)), begin(1));
/// // The second refuses: the third begins at once.
/// race.failed(1, MS(260));
/// assert_eq!(race.next(MS(260)), begin(2));
/// assert_eq!(race.next(MS(260)), Step::Wait { until: Some(MS(1000)) });
/// assert_eq!(race.running().collect::<Vec<_>>(), [0, 2]);
/// # Ok::<(), anet::addr::ParseError>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "happy eyeballs")]
pub struct Race {
    stagger: Duration,
    deadline: Option<Duration>,
    /// No other address begins earlier.
    next_at: Duration,
    /// When to try again the addresses whose backlog was full.
    retry_at: Duration,
    candidates: Candidates,
    /// Being tried.
    running: Set,
    /// Had a full backlog.
    full: Set,
    /// Failed from the source address; to be tried without it.
    again: Set,
    /// Tried without the source address.
    second: Set,
    retries: u8,
    source_is_optional: bool,
    /// Whether the addresses of this family are still to come.
    awaits_v4: bool,
    awaits_v6: bool,
}

/// Setting up.
impl Race {
    /// A race without addresses, staggered by [`STAGGER_DEFAULT`], without a deadline, in the order of the list.
    pub const fn new() -> Self {
        Self {
            stagger: STAGGER_DEFAULT,
            deadline: None,
            next_at: Duration::ZERO,
            retry_at: Duration::ZERO,
            candidates: Candidates::new(Order::Listed),
            running: Set::EMPTY,
            full: Set::EMPTY,
            again: Set::EMPTY,
            second: Set::EMPTY,
            retries: 0,
            source_is_optional: false,
            awaits_v4: false,
            awaits_v6: false,
        }
    }

    /// Sets how long an attempt runs before the next begins beside it. RFC 8305 recommends 250 ms, at least 100 ms, and
    /// forbids less than 10 ms towards the Internet. [`Duration::MAX`] tries one address after another.
    #[must_use]
    pub const fn with_stagger(mut self, time: Duration) -> Self {
        self.stagger = time;
        self
    }

    /// Sets when the race is over.
    #[must_use]
    pub const fn with_deadline(mut self, at: Option<Duration>) -> Self {
        self.deadline = at;
        self
    }

    /// Sets the order.
    #[must_use]
    pub const fn with_order(mut self, order: Order) -> Self {
        self.candidates = Candidates::new(order);
        self
    }

    /// Tries an address that fails from the source address again without it, after all others.
    #[must_use]
    pub const fn with_optional_source(mut self) -> Self {
        self.source_is_optional = true;
        self
    }

    /// Waits for the addresses of this family, too: a race whose addresses have all failed is not over before they
    /// are [answered](Self::answered).
    #[must_use]
    pub const fn awaiting(mut self, family: Family) -> Self {
        self.set_awaited(family, true);
        self
    }

    const fn set_awaited(&mut self, family: Family, is_awaited: bool) {
        match family {
            Family::V4 => self.awaits_v4 = is_awaited,
            Family::V6 => self.awaits_v6 = is_awaited,
        }
    }

    /// Adds an address and returns its number; `None` beyond [`CANDIDATES_MAX`]. Addresses may be added at any time.
    pub fn push(&mut self, endpoint: &Endpoint) -> Option<usize> {
        self.candidates.push(endpoint)
    }

    /// Reports that all addresses of a family have been [pushed](Self::push), or that there are none.
    ///
    /// The first attempt begins as soon as the order's first family is answered. If the other answers first, it waits
    /// for [`RESOLUTION_DELAY`]. A family that is not [awaited](Self::awaiting) changes nothing.
    pub fn answered(&mut self, family: Family, now: Duration) {
        let was_awaited = self.awaits(family);
        self.set_awaited(family, false);
        if !was_awaited || self.candidates.has_begun() {
            return;
        }
        self.next_at = if self.is_awaiting() && self.candidates.lacks_first_family() {
            now.saturating_add(RESOLUTION_DELAY)
        } else {
            now
        };
    }

    /// How many addresses there are.
    #[cfg(feature = "dns")]
    pub(crate) const fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Whether the addresses of this family are still to come.
    const fn awaits(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.awaits_v4,
            Family::V6 => self.awaits_v6,
        }
    }

    const fn is_awaiting(&self) -> bool {
        self.awaits_v4 || self.awaits_v6
    }
}

/// Running.
impl Race {
    /// What to do at `now`. Call it again after each step but [`Wait`](Step::Wait), after each report, and when the
    /// time of a `Wait` has come.
    pub fn next(&mut self, now: Duration) -> Step {
        if self.deadline.is_some_and(|at| at <= now) {
            return Step::TimedOut;
        }
        if let Some(candidate) = self.full.first().filter(|_| self.retry_at <= now) {
            self.full.remove(candidate);
            return self.begin(candidate);
        }
        if let Some(candidate) = self.pick().filter(|_| self.next_at <= now) {
            self.next_at = now.saturating_add(self.stagger);
            return self.begin(candidate);
        }
        if self.is_over() { Step::Failed } else { Step::Wait { until: self.wake_at() } }
    }

    fn begin(&mut self, candidate: usize) -> Step {
        self.candidates.begin(candidate);
        if self.again.remove(candidate) {
            self.second.insert(candidate);
        }
        self.running.insert(candidate);
        Step::Begin(Attempt { candidate, has_source: !self.second.contains(candidate) })
    }

    /// The address to try next, if it were time.
    fn pick(&self) -> Option<usize> {
        self.candidates.pick(self.candidates.untried()).or_else(|| self.candidates.pick(self.again))
    }

    fn is_over(&self) -> bool {
        self.pick().is_none() && self.running.is_empty() && self.full.is_empty() && !self.is_awaiting()
    }

    /// When to call [`next`](Self::next) at the latest, whatever happens; `None`: only after a report.
    pub fn wake_at(&self) -> Option<Duration> {
        let next = self.pick().map(|_| self.next_at);
        let retry = (!self.full.is_empty()).then_some(self.retry_at);
        [self.deadline, next, retry].into_iter().flatten().min()
    }

    /// Reports that an attempt has failed. The next one is due at once.
    pub fn failed(&mut self, candidate: usize, now: Duration) {
        if !self.running.remove(candidate) {
            return;
        }
        self.next_at = now;
        if self.source_is_optional && !self.second.contains(candidate) {
            self.again.insert(candidate);
        }
    }

    /// Reports that an attempt found the backlog of a Unix socket full (`EAGAIN`), so that nothing is in progress. It
    /// begins again after a pause of 1 ms at first and 32 ms at last.
    pub fn found_full(&mut self, candidate: usize, now: Duration) {
        if self.running.remove(candidate) {
            self.full.insert(candidate);
            self.retry_at = now.saturating_add(RETRY_FIRST * (1 << self.retries));
            self.retries = (self.retries + 1).min(RETRY_DOUBLINGS);
        }
    }

    /// Reports that an attempt was closed to make room for the one that has just begun.
    pub(crate) fn gave_way(&mut self, candidate: usize) {
        let next_at = self.next_at;
        self.failed(candidate, next_at);
    }

    /// Whether an attempt at this address has failed, and none is running or to be repeated at once.
    pub(crate) const fn has_failed(&self, candidate: usize) -> bool {
        self.candidates.has_tried(candidate) && !self.running.contains(candidate) && !self.full.contains(candidate)
    }

    /// Whether an attempt is running.
    pub(crate) const fn is_running(&self, candidate: usize) -> bool {
        self.running.contains(candidate)
    }

    /// The numbers of the addresses being tried.
    pub fn running(&self) -> impl Iterator<Item = usize> + use<> {
        self.running.iter()
    }
}

impl Default for Race {
    fn default() -> Self {
        Self::new()
    }
}

/// How much an error says about the way to the peer: what the peer answered more than silence, and silence more than
/// that this host has no such address or route.
pub(crate) fn telling(error: &Error) -> u8 {
    use crate::error::{Cause, Errno, ErrorKind as Kind};
    match (error.kind(), error.cause()) {
        (Kind::OutOfDescriptors | Kind::OutOfMemory, _) => 6,
        (Kind::ConnectionRefused | Kind::ConnectionReset, _) => 5,
        (Kind::TimedOut, _) => 3,
        (_, Cause::NothingToTry) => 0,
        (Kind::AddrNotAvailable | Kind::Unsupported, _)
        | (_, Cause::MissingScope | Cause::Errno(Errno::NETUNREACH)) => 1,
        (Kind::Unreachable, _) => 2,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const V4: &str = "192.0.2.1:1";
    const V6: &str = "[2001:db8::1]:1";
    const UNIX: &str = "/run/x";

    fn race(endpoints: &[&str]) -> Race {
        with(Race::new(), endpoints)
    }

    fn with(mut race: Race, endpoints: &[&str]) -> Race {
        for endpoint in endpoints {
            race.push(&endpoint.parse().unwrap());
        }
        race
    }

    const fn first(candidate: usize) -> Step {
        Step::Begin(Attempt { candidate, has_source: true })
    }

    const fn second(candidate: usize) -> Step {
        Step::Begin(Attempt { candidate, has_source: false })
    }

    fn wait(ms: u64) -> Step {
        Step::Wait { until: Some(MS(ms)) }
    }

    const FOREVER: Step = Step::Wait { until: None };

    /// The order in which the addresses begin when each fails at once.
    fn order_of(order: Order, endpoints: &[&str]) -> Vec<usize> {
        let mut race = with(Race::new().with_order(order), endpoints);
        let mut begun = Vec::new();
        while let Step::Begin(attempt) = race.next(MS(0)) {
            begun.push(attempt.candidate);
            race.failed(attempt.candidate, MS(0));
        }
        begun
    }

    #[test]
    fn the_families_alternate_from_the_first() {
        let (v4, v6) = (Order::Alternating(Family::V4), Order::Alternating(Family::V6));
        let cases: [(Order, &[&str], &[usize]); 8] = [
            (Order::Listed, &[V4, V4, V6, UNIX, V6], &[0, 1, 2, 3, 4]),
            (v6, &[V4, V4, V4, V6, V6], &[3, 0, 4, 1, 2]),
            (v4, &[V4, V4, V4, V6, V6], &[0, 3, 1, 4, 2]),
            (v6, &[V6, V6, V6, V4], &[0, 3, 1, 2]),
            (v4, &[V6, V6, V6, V4], &[3, 0, 1, 2]),
            (v6, &[V4, V4], &[0, 1]),
            (v6, &[UNIX, V4, V6], &[2, 0, 1]),
            (v6, &[], &[]),
        ];
        for (order, endpoints, expected) in cases {
            assert_eq!(order_of(order, endpoints), expected, "{order:?} {endpoints:?}");
        }
    }

    #[test]
    fn the_next_attempt_begins_after_the_stagger_beside_the_others() {
        let mut race = race(&[V4, V4, V4]);
        assert_eq!((race.next(MS(5)), race.next(MS(5))), (first(0), wait(255)));
        assert_eq!(race.next(MS(254)), wait(255));
        assert_eq!((race.next(MS(260)), race.next(MS(260))), (first(1), wait(510)));
        assert_eq!((race.next(MS(510)), race.next(MS(510))), (first(2), FOREVER));
        assert_eq!(race.running().collect::<Vec<_>>(), [0, 1, 2]);
        for candidate in [1, 0, 2] {
            assert_eq!(race.next(MS(600)), FOREVER);
            race.failed(candidate, MS(600));
        }
        assert_eq!(race.next(MS(600)), Step::Failed);
    }

    #[test]
    fn a_failure_begins_the_next_attempt_at_once_and_restarts_the_stagger() {
        let mut race = race(&[V4, V4, V4]);
        race.next(MS(0));
        race.failed(0, MS(100));
        assert_eq!((race.next(MS(100)), race.next(MS(100))), (first(1), wait(350)));
    }

    #[test]
    fn the_deadline_ends_the_race_whatever_is_running() {
        let mut race = with(Race::new().with_deadline(Some(MS(100))), &[V4, V4]);
        assert_eq!((race.next(MS(0)), race.next(MS(0))), (first(0), wait(100)));
        assert_eq!(race.next(MS(100)), Step::TimedOut);
        assert_eq!(race.running().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn an_optional_source_is_omitted_after_all_addresses_have_begun() {
        let mut race = with(Race::new().with_optional_source(), &[V4, V4]);
        assert_eq!(race.next(MS(0)), first(0));
        race.failed(0, MS(0));
        assert_eq!((race.next(MS(0)), race.next(MS(0))), (first(1), wait(250)));
        assert_eq!((race.next(MS(250)), race.next(MS(250))), (second(0), FOREVER));
        race.failed(0, MS(260));
        assert_eq!(race.next(MS(260)), FOREVER);
        race.failed(1, MS(270));
        assert_eq!(race.next(MS(270)), second(1));
        race.failed(1, MS(280));
        assert_eq!(race.next(MS(280)), Step::Failed);
    }

    #[test]
    fn a_full_backlog_is_tried_again_after_longer_and_longer_pauses() {
        let mut race = with(Race::new().with_stagger(Duration::MAX), &[UNIX, V4]);
        let (mut now, mut pauses) = (MS(0), Vec::new());
        for _ in 0..8 {
            assert_eq!(race.next(now), first(0));
            race.found_full(0, now);
            let Step::Wait { until: Some(at) } = race.next(now) else { panic!("does not wait") };
            pauses.push((at - now).as_millis());
            now = at;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 32, 32]);
        assert_eq!(race.next(now), first(0));
        race.failed(0, now);
        assert_eq!(race.next(now), first(1));
    }

    /// When a family is answered, and with which addresses.
    type Answer<'a> = (u64, Family, &'a [&'a str]);

    /// When which address begins.
    type Begun = (u64, usize);

    /// The addresses that arrive, at which times, and the attempts that begin, at which times.
    fn resolving(order: Order, answers: &[Answer<'_>]) -> Vec<Begun> {
        let mut race = Race::new().with_order(order).awaiting(Family::V4).awaiting(Family::V6);
        let mut begun = Vec::new();
        for now in 0..1000 {
            for (_, family, endpoints) in answers.iter().filter(|(at, ..)| *at == now) {
                race = with(race, endpoints);
                race.answered(*family, MS(now));
            }
            while let Step::Begin(attempt) = race.next(MS(now)) {
                begun.push((now, attempt.candidate));
            }
        }
        begun
    }

    #[test]
    fn the_first_family_begins_at_once_and_the_other_waits_for_it() {
        use Family::{V4 as Four, V6 as Six};
        let six = Order::Alternating(Six);
        let cases: [(&[Answer<'_>], &[Begun]); 8] = [
            (&[(10, Six, &[V6]), (20, Four, &[V4])], &[(10, 0), (260, 1)]),
            (&[(10, Four, &[V4]), (40, Six, &[V6])], &[(40, 1), (290, 0)]),
            (&[(10, Four, &[V4]), (80, Six, &[V6])], &[(60, 0), (310, 1)]),
            (&[(10, Four, &[V4]), (20, Six, &[])], &[(20, 0)]),
            (&[(10, Six, &[]), (20, Four, &[V4])], &[(20, 0)]),
            (&[(10, Four, &[]), (200, Six, &[V6])], &[(200, 0)]),
            (&[(10, Four, &[V4]), (700, Six, &[V6])], &[(60, 0), (700, 1)]),
            (&[(10, Four, &[V4, V4])], &[(60, 0), (310, 1)]),
        ];
        for (answers, expected) in cases {
            assert_eq!(resolving(six, answers), expected, "{answers:?}");
        }
        assert_eq!(resolving(Order::Alternating(Four), &[(10, Four, &[V4]), (20, Six, &[V6])]), [(10, 0), (260, 1)]);
        assert_eq!(resolving(Order::Listed, &[(10, Four, &[V4]), (20, Six, &[V6])]), [(10, 0), (260, 1)]);
    }

    #[test]
    fn a_second_answer_does_not_lengthen_the_delay() {
        let mut race = with(Race::new().with_order(Order::Alternating(Family::V6)), &[V4]);
        race = race.awaiting(Family::V4).awaiting(Family::V6);
        race.answered(Family::V4, MS(0));
        race.answered(Family::V4, MS(40));
        assert_eq!((race.next(MS(40)), race.next(MS(50))), (wait(50), first(0)));
    }

    #[test]
    fn a_race_is_not_over_while_answers_are_awaited() {
        let mut race = Race::new().awaiting(Family::V4).awaiting(Family::V6);
        assert_eq!(race.next(MS(0)), FOREVER);
        race.push(&V4.parse().unwrap());
        race.answered(Family::V4, MS(0));
        assert_eq!(race.next(MS(50)), first(0));
        race.failed(0, MS(60));
        assert_eq!(race.next(MS(60)), FOREVER);
        race.answered(Family::V6, MS(70));
        assert_eq!(race.next(MS(70)), Step::Failed);
        assert_eq!(Race::new().next(MS(0)), Step::Failed);
    }

    #[test]
    fn more_addresses_than_fit_and_reports_of_others_are_ignored() {
        let mut race = race(&[V4; CANDIDATES_MAX]);
        assert_eq!(race.push(&V4.parse().unwrap()), None);
        for candidate in [0, CANDIDATES_MAX, usize::MAX] {
            race.failed(candidate, MS(0));
            race.found_full(candidate, MS(0));
        }
        assert_eq!((race.next(MS(0)), race.running().count()), (first(0), 1));
    }

    #[test]
    fn the_longest_times_do_not_panic() {
        let mut race = with(Race::new().with_stagger(Duration::MAX), &[V4, UNIX]);
        assert_eq!(race.next(Duration::MAX), first(0));
        race.failed(0, Duration::MAX);
        assert_eq!(race.next(Duration::MAX), first(1));
        race.found_full(1, Duration::MAX);
        assert_eq!(race.next(Duration::MAX), first(1));
    }
}
