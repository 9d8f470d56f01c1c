//! The event loop: handlers that change pending events, timers, and the order of calls.

mod support;

use std::{
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use anet::{
    Errno, Error, Op, Stream,
    event::{EventLoop, FileHandler, FileSlot, TimerError, TimerId, TimerSlot},
    fd::{AsFd, OwnedFd},
};
use support::*;

const MS: Duration = Duration::from_millis(1);
const NOW: Option<Duration> = Some(Duration::ZERO);

type Loop = EventLoop<'static, State>;

/// Streams that are all readable and writable, and the calls made.
#[derive(Default)]
struct State {
    streams: Vec<Option<Stream>>,
    clients: Vec<Stream>,
    called: Vec<(&'static str, u64)>,
    timer: Option<TimerId>,
}

impl State {
    fn with_streams(count: usize) -> Self {
        let mut state = Self::default();
        for _ in 0..count {
            let (client, server) = connected_pair();
            client.write_all(b"x").unwrap();
            state.clients.push(client);
            state.streams.push(Some(server));
        }
        state
    }

    fn stream(&self, index: u64) -> &Stream {
        self.streams[index as usize].as_ref().unwrap()
    }
}

fn read(_: &mut EventLoop<'_, State>, state: &mut State, index: u64) {
    state.called.push(("read", index));
}

fn write(_: &mut EventLoop<'_, State>, state: &mut State, index: u64) {
    state.called.push(("write", index));
}

/// In leaked memory: as much as a test needs.
fn any_loop() -> Loop {
    let files = vec![FileSlot::VACANT; 1024].leak();
    EventLoop::new(files, vec![TimerSlot::VACANT; 8].leak()).unwrap()
}

fn loop_reading(state: &State, handler: FileHandler<State>) -> Loop {
    let mut events = any_loop();
    for index in 0..state.streams.len() as u64 {
        events.on_readable(state.stream(index), index, handler).unwrap();
    }
    events
}

/// The calls of a turn.
fn turn(events: &mut EventLoop<'_, State>, state: &mut State) -> Vec<(&'static str, u64)> {
    state.called.clear();
    events.run_once(state, NOW).unwrap();
    std::mem::take(&mut state.called)
}

#[test]
fn handlers_are_called_with_their_descriptor_while_it_is_ready() {
    let mut state = State::with_streams(2);
    let mut events = loop_reading(&state, read);
    for _ in 0..2 {
        assert_eq!(turn(&mut events, &mut state), [("read", 0), ("read", 1)]);
    }
    state.stream(0).read(&mut [0]).unwrap();
    assert_eq!(turn(&mut events, &mut state), [("read", 1)]);
}

#[test]
fn a_handler_may_remove_itself() {
    let mut state = State::with_streams(2);
    let mut events = loop_reading(&state, |events, state, index| {
        state.called.push(("read", index));
        events.remove(state.stream(index)).unwrap();
    });
    assert_eq!(turn(&mut events, &mut state).len(), 2);
    assert_eq!(turn(&mut events, &mut state), []);
}

#[test]
fn a_handler_may_remove_one_whose_event_is_pending() {
    let mut state = State::with_streams(3);
    let mut events = loop_reading(&state, |events, state, index| {
        state.called.push(("read", index));
        for other in (0..3).filter(|&other| other != index) {
            events.remove(state.stream(other)).unwrap();
        }
    });
    assert_eq!(turn(&mut events, &mut state).len(), 1);
    assert_eq!(turn(&mut events, &mut state).len(), 1);
}

#[test]
fn a_registration_renewed_in_a_handler_waits_for_the_next_turn() {
    let mut state = State::with_streams(2);
    let mut events = loop_reading(&state, |events, state, index| {
        state.called.push(("first", index));
        for other in 0..2 {
            events.remove(state.stream(other)).unwrap();
            events.on_readable(state.stream(other), 10 + other, read).unwrap();
        }
    });
    assert_eq!(turn(&mut events, &mut state).len(), 1);
    assert_eq!(turn(&mut events, &mut state), [("read", 10), ("read", 11)]);
}

/// The kernel has reported both; the first handler closes the other descriptor and gives its number to a stream without
/// input.
#[test]
fn an_event_of_a_closed_descriptor_never_reaches_the_one_that_has_its_number_now() {
    fn replace_the_other(events: &mut EventLoop<'_, State>, state: &mut State, index: u64) {
        state.called.push(("old", index));
        let other = 1 - index as usize;
        let closed = state.streams[other].take().unwrap();
        events.remove(&closed).unwrap();
        let number = closed.as_fd().as_raw_fd();
        let (client, silent) = connected_pair();
        drop(closed);
        let reused = Stream::from(rustix::io::dup(&silent).unwrap());
        assert_eq!(reused.as_fd().as_raw_fd(), number);
        events.on_readable(&reused, 99, read).unwrap();
        state.streams[other] = Some(reused);
        state.clients.push(client);
    }
    with_own_descriptors(|| {
        let mut state = State::with_streams(2);
        let mut events = loop_reading(&state, replace_the_other);
        let called = turn(&mut events, &mut state);
        assert_eq!(called.len(), 1, "{called:?}");
    });
}

#[test]
fn a_descriptor_closed_without_being_removed_can_be_registered_again() {
    with_own_descriptors(|| {
        let mut state = State::with_streams(1);
        let mut events = loop_reading(&state, read);
        events.on_writable(state.stream(0), 5, write).unwrap();
        let (client, silent) = connected_pair();
        let number = state.stream(0).as_fd().as_raw_fd();
        state.streams[0] = None;
        let reused = Stream::from(rustix::io::dup(&silent).unwrap());
        assert_eq!(reused.as_fd().as_raw_fd(), number);
        events.on_readable(&reused, 7, read).unwrap();
        assert_eq!(turn(&mut events, &mut state), []);
        client.write_all(b"x").unwrap();
        events.run_once(&mut state, Some(PATIENCE)).unwrap();
        assert_eq!(state.called, [("read", 7)]);
    });
}

/// The number of a descriptor closed without being removed, reused by a file that the kernel cannot watch.
fn reused_by_a_regular_file(state: &mut State) -> OwnedFd {
    let number = state.stream(0).as_fd().as_raw_fd();
    state.streams[0] = None;
    let file = OwnedFd::from(std::fs::File::open("/proc/self/exe").unwrap());
    assert_eq!(file.as_raw_fd(), number);
    file
}

#[test]
fn a_number_that_a_regular_file_has_now_can_be_removed() {
    with_own_descriptors(|| {
        let mut state = State::with_streams(1);
        let mut events = loop_reading(&state, read);
        let file = reused_by_a_regular_file(&mut state);
        events.remove(&file).unwrap();
        assert_eq!(events.on_readable(&file, 7, read), Err(Error::new(Op::EventControl, Errno::PERM)));
        assert_eq!(turn(&mut events, &mut state), []);
    });
}

#[test]
fn both_directions_of_a_number_that_a_regular_file_has_now_can_be_removed_one_by_one() {
    with_own_descriptors(|| {
        let mut state = State::with_streams(1);
        let mut events = loop_reading(&state, read);
        events.on_writable(state.stream(0), 5, write).unwrap();
        let file = reused_by_a_regular_file(&mut state);
        events.remove_readable(&file).unwrap();
        events.remove_writable(&file).unwrap();
    });
}

/// Removing must not start watching the stream that now has the number.
#[test]
fn removing_a_number_that_another_stream_has_now_leaves_that_unwatched() {
    with_own_descriptors(|| {
        let mut state = State::with_streams(1);
        let mut events = loop_reading(&state, read);
        events.on_writable(state.stream(0), 5, write).unwrap();
        let (_client, other) = connected_pair();
        let number = state.stream(0).as_fd().as_raw_fd();
        state.streams[0] = None;
        let reused = Stream::from(rustix::io::dup(&other).unwrap());
        assert_eq!(reused.as_fd().as_raw_fd(), number);
        events.remove_readable(&reused).unwrap();
        let not_there = Err(Error::new(Op::EventControl, Errno::NOENT));
        assert_eq!(events.write_first(&reused, true), not_there);
    });
}

#[test]
fn reading_comes_before_writing_unless_asked_otherwise() {
    let mut state = State::with_streams(1);
    let mut events = loop_reading(&state, read);
    events.on_writable(state.stream(0), 5, write).unwrap();
    assert_eq!(turn(&mut events, &mut state), [("read", 0), ("write", 5)]);
    events.write_first(state.stream(0), true).unwrap();
    assert_eq!(turn(&mut events, &mut state), [("write", 5), ("read", 0)]);
    events.remove_writable(state.stream(0)).unwrap();
    assert_eq!(turn(&mut events, &mut state), [("read", 0)]);
}

#[test]
fn a_handler_for_reading_may_end_that_for_writing() {
    let mut state = State::with_streams(1);
    let mut events = loop_reading(&state, |events, state, index| {
        state.called.push(("read", index));
        events.remove_writable(state.stream(index)).unwrap();
    });
    events.on_writable(state.stream(0), 5, write).unwrap();
    assert_eq!(turn(&mut events, &mut state), [("read", 0)]);
}

#[test]
fn a_number_beyond_the_capacity_is_an_error_and_no_panic() {
    let (mut files, mut times) = ([FileSlot::VACANT; 3], [TimerSlot::VACANT; 1]);
    let mut events = EventLoop::<State>::new(&mut files, &mut times).unwrap();
    let (_client, server) = connected_pair();
    let out_of_range = Err(Error::new(Op::EventControl, Errno::RANGE));
    assert_eq!(events.on_readable(&server, 0, |_, _, _| {}), out_of_range);
    assert_eq!(events.remove(&server), out_of_range);
    assert_eq!(events.write_first(&server, true), out_of_range);
}

#[test]
#[ignore = "needs 11,000 descriptors"]
fn ten_thousand_descriptors_are_served() {
    const MANY: usize = 10_000;
    struct Many {
        seen: Vec<u32>,
    }
    with_own_descriptors(|| {
        let (mut files, mut times) = (vec![FileSlot::VACANT; MANY + 1000], []);
        let mut events = EventLoop::new(&mut files, &mut times).unwrap();
        let pipe = anet::pipe::pipe(anet::pipe::EndFlags::empty(), anet::pipe::EndFlags::empty()).unwrap();
        let ends: Vec<_> = (0..MANY).map(|_| rustix::io::dup(&pipe.write).unwrap()).collect();
        for (index, end) in ends.iter().enumerate() {
            events.on_writable(end, index as u64, |_, many: &mut Many, index| many.seen[index as usize] += 1).unwrap();
        }
        let mut many = Many { seen: vec![0; MANY] };
        let turns = MANY.div_ceil(128);
        for _ in 0..turns {
            events.run_once(&mut many, Some(PATIENCE)).unwrap();
        }
        // The kernel reports level-triggered descriptors in turn, so none is left out while others are reported twice.
        assert!(many.seen.iter().all(|&seen| seen == 1 || seen == 2), "{:?}", many.seen.iter().max());
        assert_eq!(many.seen.iter().sum::<u32>() as usize, turns * 128);
    });
}

#[test]
fn slots_used_by_another_loop_work_like_new_ones() {
    let mut state = State::with_streams(1);
    let (mut files, mut times) = (vec![FileSlot::VACANT; 1024], vec![TimerSlot::VACANT; 2]);
    for _ in 0..2 {
        let mut events = EventLoop::new(&mut files, &mut times).unwrap();
        assert!(events.remove(state.stream(0)).is_ok() && events.write_first(state.stream(0), true).is_err());
        events.on_readable(state.stream(0), 0, read).unwrap();
        events.after(Duration::ZERO, 1, |_, state, _, number| state.called.push(("once", number))).unwrap();
        events.every(SECOND, 2, |_, _, _, _| panic!("too early")).unwrap();
        assert_eq!(turn(&mut events, &mut state), [("read", 0), ("once", 1)]);
    }
}

/// Twelve megabytes of timers and eight of files, made by a thread with a stack of 64 kB.
#[test]
#[cfg(feature = "std")]
fn tables_of_any_size_are_made_without_using_the_stack() {
    fn make() {
        let mut timers = anet::event::Timers::boxed(200_000);
        let ids: Vec<_> = (0..200_000).map(|key| timers.insert_at(SECOND, key).unwrap()).collect();
        assert_eq!(timers.insert_at(SECOND, 0), Err(TimerError::Full));
        assert_eq!(timers.cancel(ids[199_999]), Some(199_999));

        let mut state = State::with_streams(1);
        let mut events = EventLoop::boxed(200_000, 200_000).unwrap();
        events.on_readable(state.stream(0), 7, read).unwrap();
        events.after(Duration::ZERO, 8, |_, state: &mut State, _, number| state.called.push(("once", number))).unwrap();
        assert_eq!(turn(&mut events, &mut state), [("read", 7), ("once", 8)]);
    }
    std::thread::Builder::new().stack_size(65536).spawn(make).unwrap().join().unwrap();
}

#[test]
fn hooks_are_called_around_the_wait() {
    let mut state = State::with_streams(1);
    let mut events = loop_reading(&state, read);
    events.before_sleep(Some(|_, state| state.called.push(("before", 0))));
    events.after_sleep(Some(|_, state| state.called.push(("after", 0))));
    assert_eq!(turn(&mut events, &mut state), [("before", 0), ("after", 0), ("read", 0)]);
}

#[test]
fn a_hook_may_register_what_the_wait_then_reports() {
    let mut state = State::with_streams(1);
    let mut events = any_loop();
    events.before_sleep(Some(|events, state| events.on_readable(state.stream(0), 3, read).unwrap()));
    assert_eq!(turn(&mut events, &mut state), [("read", 3)]);
}

#[test]
fn stopping_ends_the_run_after_the_turn() {
    let mut state = State::with_streams(2);
    let mut events = loop_reading(&state, |events, state, index| {
        state.called.push(("read", index));
        events.stop();
    });
    for _ in 0..2 {
        state.called.clear();
        events.run(&mut state).unwrap();
        assert_eq!(state.called.len(), 2);
    }
}

#[test]
fn stopping_before_the_wait_does_not_wait() {
    let mut state = State::default();
    let mut events = any_loop();
    events.before_sleep(Some(|events, _| events.stop()));
    events.run(&mut state).unwrap();
}

#[test]
fn a_handler_may_run_the_loop() {
    let mut state = State::with_streams(2);
    let mut events = loop_reading(&state, |events, state, index| {
        state.called.push(("read", index));
        events.remove(state.stream(index)).unwrap();
        events.run_once(state, NOW).unwrap();
    });
    assert_eq!(turn(&mut events, &mut state), [("read", 0), ("read", 1)]);
}

#[test]
fn timers_fire_once_or_repeatedly_and_not_too_early() {
    let mut state = State::default();
    let mut events = any_loop();
    let start = Instant::now();
    events.after(5 * MS, 1, |_, state, _, number| state.called.push(("once", number))).unwrap();
    events
        .every(2 * MS, 2, |events, state, id, number| {
            state.called.push(("again", number));
            if state.called.iter().filter(|(name, _)| *name == "again").count() == 5 {
                assert!(events.cancel(id) && !events.cancel(id));
                events.stop();
            }
        })
        .unwrap();
    events.run(&mut state).unwrap();
    assert!(start.elapsed() >= 10 * MS);
    assert_eq!(state.called.iter().filter(|(name, _)| *name == "once").count(), 1);
}

#[test]
fn a_cancelled_timer_never_fires_even_if_it_is_due() {
    let mut state = State::default();
    let mut events = any_loop();
    events.after(MS, 1, |events, state, _, _| assert!(events.cancel(state.timer.unwrap()))).unwrap();
    state.timer = Some(events.after(MS, 2, |_, _, _, _| panic!("cancelled")).unwrap());
    events.after(2 * MS, 3, |events, _, _, _| events.stop()).unwrap();
    std::thread::sleep(3 * MS);
    events.run(&mut state).unwrap();
}

/// Otherwise a timer that renews itself without a delay would starve the files.
#[test]
fn a_timer_made_by_a_timer_handler_fires_in_the_next_turn() {
    fn again(events: &mut EventLoop<'_, State>, state: &mut State, _: TimerId, number: u64) {
        state.called.push(("time", number));
        events.after(Duration::ZERO, number + 1, again).unwrap();
    }
    let mut state = State::with_streams(1);
    let mut events = loop_reading(&state, read);
    events.after(Duration::ZERO, 0, again).unwrap();
    for number in 0..3 {
        assert_eq!(turn(&mut events, &mut state), [("read", 0), ("time", number)]);
    }
}

#[test]
fn a_full_table_of_timers_is_an_error() {
    let mut events = any_loop();
    let ids: Vec<_> = (0..8).map(|number| events.after(SECOND, number, |_, _, _, _| {}).unwrap()).collect();
    assert_eq!(events.after(SECOND, 8, |_, _, _, _| {}), Err(TimerError::Full));
    assert_eq!(events.every(Duration::ZERO, 8, |_, _, _, _| {}), Err(TimerError::ZeroPeriod));
    assert!(events.cancel(ids[3]));
    events.after(SECOND, 8, |_, _, _, _| {}).unwrap();
}
