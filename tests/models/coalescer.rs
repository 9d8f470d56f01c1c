//! The coalescer, against a simulated server, its clients and their clock.

use core::time::Duration;
use std::collections::BinaryHeap;

use core::cmp::Reverse;

use anet::event::Coalescer;

const MAX_DELAY: u64 = 200_000;
/// What the kernel adds to a pause, in nanoseconds.
const SLACK: u64 = 50_000;
/// What being woken and a wait cost the server, what an event costs it, and what an answer costs the client.
const WAKE: u64 = 6_000;
const WAIT: u64 = 500;
const EVENT: u64 = 3_000;
const CLIENT: u64 = 5_000;

/// A small deterministic generator (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// An exponentially distributed time with this mean.
    fn exponential(&mut self, mean: f64) -> u64 {
        let uniform = ((self.next() >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        (-uniform.ln() * mean) as u64
    }
}

/// What a run has shown.
#[derive(Debug, Default)]
struct Seen {
    served: u64,
    waits: u64,
    pauses: u64,
    ended_at: u64,
    longest_pause: u64,
    /// How long requests waited until they were served, in all and at most.
    delay: u64,
    longest_delay: u64,
}

impl Seen {
    fn rate(&self) -> f64 {
        self.served as f64 / self.ended_at as f64
    }

    fn mean_delay(&self) -> u64 {
        self.delay / self.served
    }

    fn waits_for_each(&self) -> f64 {
        self.waits as f64 / self.served as f64
    }
}

/// Serves until `count` requests are answered. `arrivals` has the first requests; `answered` returns when the next one of
/// a client arrives whose answer was sent at a time.
fn serve(
    coalescer: &mut Option<Coalescer>,
    count: u64,
    arrivals: impl IntoIterator<Item = (u64, u64)>,
    mut answered: impl FnMut(u64, u64) -> Option<u64>,
) -> Seen {
    let mut arrivals: BinaryHeap<Reverse<(u64, u64)>> = arrivals.into_iter().map(Reverse).collect();
    let (mut now, mut seen) = (0, Seen::default());
    while seen.served < count {
        if let Some(coalescer) = coalescer
            && let Some(pause) = coalescer.pause(Duration::from_nanos(now))
        {
            seen.longest_pause = seen.longest_pause.max(pause.as_nanos() as u64);
            seen.pauses += 1;
            now += pause.as_nanos() as u64 + SLACK;
            coalescer.slept(pause, pause + Duration::from_nanos(SLACK));
        }
        seen.waits += 1;
        now += WAIT;
        let Some(Reverse((first, _))) = arrivals.peek() else { break };
        if *first > now {
            now = first + WAKE;
        }
        let mut ready = Vec::new();
        while let Some(Reverse(request)) = arrivals.peek().filter(|Reverse((at, _))| *at <= now) {
            ready.push(*request);
            arrivals.pop();
        }
        if let Some(coalescer) = coalescer {
            coalescer.learn(Duration::from_nanos(now), ready.iter().map(|(_, client)| *client));
        }
        for (at, client) in ready {
            now += EVENT;
            seen.served += 1;
            seen.delay += now - at;
            seen.longest_delay = seen.longest_delay.max(now - at);
            arrivals.extend(answered(client, now).map(|at| Reverse((at, client))));
        }
    }
    seen.ended_at = now;
    seen
}

fn coalescing() -> Option<Coalescer> {
    Some(Coalescer::new(Duration::from_nanos(MAX_DELAY)))
}

/// Clients in one thread, which asks for each connection again once its answer is read.
fn closed_loop(coalescer: Option<Coalescer>, clients: u64) -> Seen {
    closed_loop_of(CLIENT, coalescer, clients)
}

/// The same if an answer costs the client so much.
fn closed_loop_of(cost: u64, mut coalescer: Option<Coalescer>, clients: u64) -> Seen {
    let mut free_at = 0;
    serve(&mut coalescer, 50_000, (0..clients).map(|client| (client * cost, client)), |_, sent_at| {
        free_at = free_at.max(sent_at) + cost;
        Some(free_at)
    })
}

/// Requests at random times, from 1000 clients that do not wait for answers.
fn open_loop(coalescer: Option<Coalescer>, requests_a_second: u64) -> Seen {
    open_loop_at(coalescer, |_| requests_a_second)
}

/// The same at a rate that depends on the time in nanoseconds.
fn open_loop_at(mut coalescer: Option<Coalescer>, requests_a_second: impl Fn(u64) -> u64) -> Seen {
    let mut random = Random(1);
    let mut at = 0;
    let arrivals: Vec<_> = (0..50_000)
        .map(|_| {
            at += random.exponential(1e9 / requests_a_second(at) as f64);
            (at, random.next() % 1000)
        })
        .collect();
    serve(&mut coalescer, 50_000, arrivals, |_, _| None)
}

/// A request waits for one pause, and for those that gathered in it and are served before it.
fn assert_bounded(with: &Seen, without: &Seen, what: &str) {
    const PAUSE: u64 = MAX_DELAY + SLACK;
    assert!(with.longest_pause <= MAX_DELAY, "{what}: {with:?}");
    assert!(with.mean_delay() <= without.mean_delay() + PAUSE * 3 / 2, "{what}: {with:?} {without:?}");
    assert!(with.longest_delay <= without.longest_delay + 3 * PAUSE, "{what}: {with:?} {without:?}");
}

#[test]
fn few_clients_never_wait_for_each_other() {
    for clients in [1, 2, 5, 10, 20, 39] {
        let seen = closed_loop(coalescing(), clients);
        assert_eq!((seen.pauses, seen.ended_at), (0, closed_loop(None, clients).ended_at), "{clients}");
    }
}

#[test]
fn many_clients_are_served_in_fewer_waits_and_no_less_fast() {
    for clients in [50, 100, 200, 1000] {
        let (with, without) = (closed_loop(coalescing(), clients), closed_loop(None, clients));
        assert!(with.waits_for_each() < without.waits_for_each() / 5.0, "{clients}: {with:?} {without:?}");
        assert!(with.rate() > 0.98 * without.rate(), "{clients}: {with:?} {without:?}");
        assert_bounded(&with, &without, &clients.to_string());
    }
}

#[test]
fn a_server_that_always_has_work_does_not_pause() {
    for clients in [50, 200, 1000] {
        let (with, without) =
            (closed_loop_of(EVENT / 2, coalescing(), clients), closed_loop_of(EVENT / 2, None, clients));
        assert_eq!((with.pauses, with.ended_at), (0, without.ended_at), "{clients}: {with:?} {without:?}");
    }
}

#[test]
fn requests_at_random_times_are_delayed_only_where_there_are_many() {
    for rate in [1000, 5000] {
        assert_eq!(open_loop(coalescing(), rate).pauses, 0, "{rate}");
    }
    for rate in [50_000, 100_000, 200_000] {
        let (with, without) = (open_loop(coalescing(), rate), open_loop(None, rate));
        assert!(with.waits < without.waits / 3, "{rate}: {with:?} {without:?}");
        assert!(with.ended_at < without.ended_at + 10 * MAX_DELAY, "{rate}: {with:?} {without:?}");
        assert_bounded(&with, &without, &rate.to_string());
    }
}

#[test]
fn load_that_comes_and_goes_or_grows_slowly_is_coalesced_while_it_is_high() {
    // 20 ms on, 30 ms nearly off.
    let on_and_off = |at: u64| -> u64 { if at % 50_000_000 < 20_000_000 { 150_000 } else { 500 } };
    let slow_start = |at: u64| 1000 + at / 5_000;
    for (what, rate) in [("on and off", &on_and_off as &dyn Fn(u64) -> u64), ("slow start", &slow_start)] {
        let (with, without) = (open_loop_at(coalescing(), rate), open_loop_at(None, rate));
        assert!(with.waits < without.waits / 2, "{what}: {with:?} {without:?}");
        assert_bounded(&with, &without, what);
    }
}

/// After a burst, at most one pause finds nothing; a request that comes alone is served at once.
#[test]
fn bursts_do_not_delay_what_comes_between_them() {
    let mut coalescer = coalescing();
    for burst in 0..1000_u64 {
        let began_at = 100_000_000 * (burst + 1);
        let Some(state) = &mut coalescer else { unreachable!() };
        for turn in 0..50 {
            state.learn(Duration::from_nanos(began_at + turn * 20_000), (0..5).map(|number| turn * 5 + number));
        }
        let alone = Duration::from_nanos(began_at + 50_000_000);
        state.learn(alone, [7]);
        assert_eq!(state.pause(alone), None, "{burst}");
    }
}

#[test]
fn no_history_makes_a_pause_too_long() {
    let mut random = Random(1);
    for _ in 0..if cfg!(debug_assertions) { 5_000 } else { 1_000_000 } {
        let max_delay = Duration::from_nanos(random.next() % 1_000_000);
        let mut coalescer = Coalescer::new(max_delay);
        let mut now = random.next() >> (random.next() % 64);
        for _ in 0..20 {
            now = now.saturating_add(random.next() >> (30 + random.next() % 34));
            let events = random.next() % 100;
            let keys = random.next() >> (random.next() % 64);
            coalescer.learn(Duration::from_nanos(now), (0..events).map(|number| keys.wrapping_mul(number)));
            if random.next().is_multiple_of(3) {
                coalescer.count_another();
            }
            if let Some(pause) = coalescer.pause(Duration::from_nanos(now)) {
                assert!(pause <= max_delay);
                coalescer.slept(pause, Duration::from_nanos(random.next() >> (random.next() % 64)));
            }
        }
    }
}
