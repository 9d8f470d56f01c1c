//! Waiting for descriptors some of which are ready, and visiting those.
//!
//! One iteration makes some eventfds readable, waits, and reads the key of every event; then, no longer timed, it makes
//! them unreadable again. The writes are timed because the kernel divides its work differently: for an edge the write
//! puts its descriptor on the ready list and the wait takes it off, for a level the wait does both. Timed by itself,
//! the wait of `mio` in `wake_100_of_1000` takes 0.89 of the time of that of `epoll_c`, with the writes 1.05. Emptying
//! an eventfd is all that an edge needs to recur, so nothing has to be re-armed. All have room for 1024 events and wait
//! without a timeout.
//!
//! - `anet`: `event::Poller`, level-triggered.
//! - `mio`: `mio::Poll`, which is always edge-triggered.
//! - `polling`: `polling::Poller`, level-triggered; each wait also sets its timer and arms its own descriptors.
//! - `epoll_c`: `epoll_wait` of the C library, level-triggered, with an array that all waits use.

use std::{
    hint::black_box,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
    time::{Duration, Instant},
};

use anet::event::{self, Interest, Waker};
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use mio::unix::SourceFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const ROOM: usize = 1024;
/// The descriptors open beside the watched ones.
const OTHERS: u64 = 64;

trait Selector {
    fn new() -> Self;
    /// Watches an eventfd for reading.
    fn add(&mut self, source: &Waker, key: usize);
    /// Waits without a timeout; the number of events and the sum of their keys.
    fn wait(&mut self) -> (usize, usize);
}

fn visited(keys: impl Iterator<Item = usize>) -> (usize, usize) {
    keys.fold((0, 0), |(count, sum), key| (count + 1, sum + black_box(key)))
}

struct Anet {
    poller: event::Poller,
    events: event::Events<ROOM>,
}

impl Selector for Anet {
    fn new() -> Self {
        Self { poller: event::Poller::new().unwrap(), events: event::Events::new() }
    }

    fn add(&mut self, source: &Waker, key: usize) {
        self.poller.add(source, key as u64, Interest::READABLE).unwrap();
    }

    fn wait(&mut self) -> (usize, usize) {
        self.poller.wait(&mut self.events, None).unwrap();
        visited(self.events.iter().map(|event| event.key() as usize))
    }
}

struct Mio {
    poll: mio::Poll,
    events: mio::Events,
}

impl Selector for Mio {
    fn new() -> Self {
        Self { poll: mio::Poll::new().unwrap(), events: mio::Events::with_capacity(ROOM) }
    }

    fn add(&mut self, source: &Waker, key: usize) {
        let fd = raw(source);
        self.poll.registry().register(&mut SourceFd(&fd), mio::Token(key), mio::Interest::READABLE).unwrap();
    }

    fn wait(&mut self) -> (usize, usize) {
        self.poll.poll(&mut self.events, None).unwrap();
        visited(self.events.iter().map(|event| event.token().0))
    }
}

struct Polling {
    poller: polling::Poller,
    events: polling::Events,
}

impl Selector for Polling {
    fn new() -> Self {
        let room = ROOM.try_into().unwrap();
        Self { poller: polling::Poller::new().unwrap(), events: polling::Events::with_capacity(room) }
    }

    fn add(&mut self, source: &Waker, key: usize) {
        let interest = polling::Event::readable(key);
        // SAFETY: the eventfds outlive the poller, for `wake` drops it first.
        unsafe { self.poller.add_with_mode(raw(source), interest, polling::PollMode::Level) }.unwrap();
    }

    fn wait(&mut self) -> (usize, usize) {
        self.events.clear();
        self.poller.wait(&mut self.events, None).unwrap();
        visited(self.events.iter().map(|event| event.key))
    }
}

struct EpollC {
    epoll: OwnedFd,
    events: Box<[libc::epoll_event; ROOM]>,
}

impl Selector for EpollC {
    fn new() -> Self {
        // SAFETY: the call takes no memory.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(epoll >= 0);
        // SAFETY: the descriptor is new and has no other owner.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        Self { epoll, events: Box::new([libc::epoll_event { events: 0, u64: 0 }; ROOM]) }
    }

    fn add(&mut self, source: &Waker, key: usize) {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: key as u64 };
        // SAFETY: the event is read during the call alone.
        let answer =
            unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, raw(source), &raw mut event) };
        assert_eq!(answer, 0);
    }

    fn wait(&mut self) -> (usize, usize) {
        // SAFETY: the array has the room that is given.
        let len = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), self.events.as_mut_ptr(), ROOM as i32, -1) };
        let len = usize::try_from(len).unwrap();
        visited(self.events[..len].iter().map(|event| event.u64 as usize))
    }
}

fn raw(source: &Waker) -> RawFd {
    source.as_fd().as_raw_fd()
}

fn eventfds(count: usize) -> Vec<Waker> {
    let limit = getrlimit(Resource::Nofile);
    let needed = count as u64 + OTHERS;
    if limit.current.is_some_and(|current| current < needed) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(needed), ..limit }).unwrap();
    }
    (0..count).map(|_| Waker::new().unwrap()).collect()
}

/// The time from the first wake-up to the last visit, when every `step`th source is woken.
fn timed(selector: &mut impl Selector, sources: &[Waker], step: usize, iterations: u64) -> Duration {
    let ready = || sources.iter().step_by(step);
    let expected = (0..sources.len()).step_by(step).fold((0, 0), |(count, sum), key| (count + 1, sum + key));
    let mut total = Duration::ZERO;
    for _ in 0..iterations {
        let start = Instant::now();
        ready().for_each(|source| source.wake().unwrap());
        let seen = selector.wait();
        total += start.elapsed();
        assert_eq!(seen, expected);
        ready().for_each(|source| source.reset().unwrap());
    }
    total
}

fn wake<S: Selector>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, ready: usize, total: usize) {
    group.bench_function(name, |b| {
        let sources = eventfds(total);
        let mut selector = S::new();
        for (key, source) in sources.iter().enumerate() {
            selector.add(source, key);
        }
        b.iter_custom(|iterations| timed(&mut selector, &sources, total / ready, iterations));
    });
}

fn wakes(c: &mut Criterion) {
    for (ready, total) in [(1, 1), (1, 1000), (100, 1000)] {
        let mut group = c.benchmark_group(format!("wake_{ready}_of_{total}"));
        wake::<Anet>(&mut group, "anet", ready, total);
        wake::<Mio>(&mut group, "mio", ready, total);
        wake::<Polling>(&mut group, "polling", ready, total);
        wake::<EpollC>(&mut group, "epoll_c", ready, total);
        group.finish();
    }
}

criterion_group!(benches, wakes);
criterion_main!(benches);
