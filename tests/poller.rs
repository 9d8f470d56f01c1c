//! The poller: readiness, timeouts and modes.

mod support;

use std::{
    sync::atomic::{AtomicI32, Ordering::SeqCst},
    time::{Duration, Instant},
};

use anet::{
    Errno, Error, Op,
    event::{BusyPoll, Coalescer, Events, Interest, Poller, Waker},
    fd::{AsFd, OwnedFd},
    option,
    stream::Shutdown,
};
use support::*;

const NOW: Option<Duration> = Some(Duration::ZERO);

fn expect_no_events(poller: &Poller) {
    let mut events = Events::<8>::new();
    assert_eq!(poller.wait(&mut events, NOW).unwrap(), 0);
    assert!(events.is_empty() && events.iter().next().is_none() && events.at(0).is_none());
}

/// The keys reported first, in order.
fn ready_keys(poller: &Poller) -> Vec<u64> {
    let mut events = Events::<64>::new();
    poller.wait(&mut events, Some(PATIENCE)).unwrap();
    let mut keys: Vec<_> = events.iter().map(|event| event.key()).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_listener_with_a_pending_connection_is_readable() {
    let poller = Poller::new().unwrap();
    let listener = any_listener();
    poller.add(&listener, 42, Interest::READABLE).unwrap();
    expect_no_events(&poller);
    let _client = client_of(&listener);
    assert_eq!(ready_keys(&poller), [42]);
}

#[test]
fn a_poller_made_from_a_descriptor_keeps_its_registrations() {
    let poller = Poller::new().unwrap();
    let (client, server) = connected_pair();
    poller.add(&server, 7, Interest::READABLE).unwrap();
    let poller = Poller::from(OwnedFd::from(poller));
    client.write_all(b"x").unwrap();
    assert_eq!(ready_keys(&poller), [7]);
}

/// As many sources as make it pause.
#[test]
fn waiting_for_several_events_loses_none_of_them() {
    let poller = Poller::new().unwrap();
    let pairs: Vec<_> = (0..2 * Coalescer::ACTIVE_MIN).map(|_| connected_pair()).collect();
    for (number, (_, server)) in pairs.iter().enumerate() {
        poller.add(server, number as u64, Interest::READABLE).unwrap();
    }
    let (mut coalescer, mut events) = (Coalescer::new(Duration::from_millis(1)), Events::<64>::new());
    let mut read = vec![0; pairs.len()];
    for round in 1..=20 {
        pairs.iter().for_each(|(client, _)| client.write_all(b"x").unwrap());
        while read.iter().sum::<usize>() < round * pairs.len() {
            poller.wait_coalescing(&mut events, Some(PATIENCE), &mut coalescer, &[]).unwrap();
            for event in &events {
                let number = event.key() as usize;
                read[number] += pairs[number].1.read(&mut [0; 8]).unwrap();
            }
        }
    }
    assert!(read.iter().all(|&bytes| bytes == 20), "{read:?}");
    assert_eq!(poller.wait_coalescing(&mut events, NOW, &mut coalescer, &[]), Ok(0));
}

#[test]
fn readiness_is_reported_until_it_is_gone() {
    let poller = Poller::new().unwrap();
    let (client, server) = connected_pair();
    poller.add(&server, 1, Interest::READABLE).unwrap();
    client.write_all(b"xy").unwrap();
    for _ in 0..2 {
        assert_eq!(ready_keys(&poller), [1]);
        server.read(&mut [0]).unwrap();
    }
    expect_no_events(&poller);
}

#[test]
fn events_show_what_a_descriptor_is_ready_for() {
    let poller = Poller::new().unwrap();
    let (client, server) = connected_pair();
    poller.add(&server, u64::MAX, Interest::READABLE | Interest::WRITABLE).unwrap();
    let mut events = Events::<8>::new();
    poller.wait(&mut events, Some(PATIENCE)).unwrap();
    let event = events.at(0).unwrap();
    assert_eq!((event.key(), event.is_readable(), event.is_writable()), (u64::MAX, false, true));

    client.shutdown(Shutdown::Both).unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    eventually(PATIENCE, || {
        poller.wait(&mut events, Some(PATIENCE)).unwrap();
        events.at(0).filter(|event| event.is_hangup() && event.is_readable() && !event.is_error())
    });
}

#[test]
fn an_error_is_reported_whatever_the_interest() {
    let poller = Poller::new().unwrap();
    let (client, server) = connected_pair();
    poller.add(&server, 1, Interest::empty()).unwrap();
    expect_no_events(&poller);
    option::set_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    let mut events = Events::<8>::new();
    poller.wait(&mut events, Some(PATIENCE)).unwrap();
    let event = events.at(0).unwrap();
    assert!(event.is_error() && event.is_readable() && event.is_writable(), "{event:?}");
}

#[test]
fn key_and_interest_can_be_changed() {
    let poller = Poller::new().unwrap();
    let (_client, server) = connected_pair();
    poller.add(&server, 1, Interest::READABLE).unwrap();
    expect_no_events(&poller);
    poller.modify(&server, 2, Interest::WRITABLE).unwrap();
    assert_eq!(ready_keys(&poller), [2]);
    poller.delete(&server).unwrap();
    expect_no_events(&poller);
}

#[test]
fn misuse_is_a_typed_error() {
    let poller = Poller::new().unwrap();
    let (_client, server) = connected_pair();
    let control = |errno| Err(Error::new(Op::EventControl, errno));
    assert_eq!(poller.modify(&server, 1, Interest::READABLE), control(Errno::NOENT));
    assert_eq!(poller.delete(&server), control(Errno::NOENT));
    poller.add(&server, 1, Interest::READABLE).unwrap();
    assert_eq!(poller.add(&server, 1, Interest::READABLE), control(Errno::EXIST));
    let file = OwnedFd::from(std::fs::File::open("/proc/self/exe").unwrap());
    assert_eq!(poller.add(&file, 1, Interest::READABLE), control(Errno::PERM));
    assert_eq!(poller.add(poller.as_fd(), 1, Interest::READABLE), control(Errno::INVAL));
    let error = poller.wait(&mut Events::<0>::new(), NOW).unwrap_err();
    assert_eq!(error, Error::new(Op::EventWait, Errno::INVAL));
}

#[test]
fn a_wait_fills_the_array_at_most_and_later_waits_report_the_rest() {
    let poller = Poller::new().unwrap();
    let pairs: Vec<_> = (0..10).map(|_| connected_pair()).collect();
    for (key, (_, server)) in pairs.iter().enumerate() {
        poller.add(server, key as u64, Interest::WRITABLE).unwrap();
    }
    let mut events = Events::<4>::new();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        assert_eq!(poller.wait(&mut events, Some(PATIENCE)).unwrap(), 4);
        seen.extend((&events).into_iter().map(|event| event.key()));
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn a_closed_descriptor_is_forgotten() {
    let poller = Poller::new().unwrap();
    let (_client, server) = connected_pair();
    poller.add(&server, 1, Interest::WRITABLE).unwrap();
    drop(server);
    expect_no_events(&poller);
}

#[test]
fn a_wait_without_events_ends_at_its_timeout_and_not_before() {
    let poller = Poller::new().unwrap();
    for ms in [1, 20] {
        let timeout = Duration::from_millis(ms);
        let start = Instant::now();
        assert_eq!(poller.wait(&mut Events::<1>::new(), Some(timeout)).unwrap(), 0);
        assert!(start.elapsed() >= timeout && start.elapsed() < PATIENCE);
    }
}

#[test]
fn signals_neither_end_nor_lengthen_a_wait() {
    let poller = Poller::new().unwrap();
    let timeout = Duration::from_millis(100);
    let elapsed = interrupted(|| {
        let start = Instant::now();
        assert_eq!(poller.wait(&mut Events::<1>::new(), Some(timeout)).unwrap(), 0);
        start.elapsed()
    });
    assert!(elapsed >= timeout && elapsed < PATIENCE, "{elapsed:?}");
}

#[test]
fn a_poller_can_be_watched_by_another() {
    let (inner, outer) = (Poller::new().unwrap(), Poller::new().unwrap());
    let (client, server) = connected_pair();
    inner.add(&server, 1, Interest::READABLE).unwrap();
    outer.add(&inner, 2, Interest::READABLE).unwrap();
    expect_no_events(&outer);
    client.write_all(b"x").unwrap();
    assert_eq!(ready_keys(&outer), [2]);
    assert_eq!(ready_keys(&inner), [1]);
}

#[test]
fn the_longest_timeout_is_accepted() {
    let poller = Poller::new().unwrap();
    let (_client, server) = connected_pair();
    poller.add(&server, 1, Interest::WRITABLE).unwrap();
    assert_eq!(poller.wait(&mut Events::<1>::new(), Some(Duration::MAX)).unwrap(), 1);
}

#[test]
fn an_edge_is_reported_once_until_new_input_arrives() {
    let poller = Poller::new().unwrap();
    let (client, server) = connected_pair();
    poller.add(&server, 1, Interest::READABLE | Interest::EDGE).unwrap();
    for _ in 0..2 {
        client.write_all(b"x").unwrap();
        assert_eq!(ready_keys(&poller), [1]);
        expect_no_events(&poller);
    }
}

#[test]
fn a_one_shot_registration_reports_nothing_until_it_is_modified() {
    let poller = Poller::new().unwrap();
    let (client, server) = connected_pair();
    let once = Interest::READABLE | Interest::ONE_SHOT;
    poller.add(&server, 1, once).unwrap();
    client.write_all(b"x").unwrap();
    assert_eq!(ready_keys(&poller), [1]);
    client.write_all(b"x").unwrap();
    expect_no_events(&poller);
    poller.modify(&server, 2, once).unwrap();
    assert_eq!(ready_keys(&poller), [2]);
    expect_no_events(&poller);
}

#[test]
fn a_half_closed_connection_is_reported_on_request() {
    let poller = Poller::new().unwrap();
    let (client, server) = connected_pair();
    poller.add(&server, 1, Interest::READ_HANGUP).unwrap();
    client.write_all(b"last words").unwrap();
    expect_no_events(&poller);
    client.shutdown(Shutdown::Write).unwrap();
    let mut events = Events::<8>::new();
    poller.wait(&mut events, Some(PATIENCE)).unwrap();
    let event = events.at(0).unwrap();
    assert!(event.is_read_hangup() && event.is_readable() && !event.is_hangup());
    assert_eq!(server.read(&mut [0; 64]).unwrap(), 10);
}

#[test]
fn urgent_data_is_reported_on_request() {
    let poller = Poller::new().unwrap();
    let (client, server) = connected_pair();
    poller.add(&server, 1, Interest::PRIORITY).unwrap();
    client.write_all(b"x").unwrap();
    expect_no_events(&poller);
    rustix::net::send(&client, b"!", rustix::net::SendFlags::OOB).unwrap();
    let mut events = Events::<8>::new();
    poller.wait(&mut events, Some(PATIENCE)).unwrap();
    assert!(events.at(0).unwrap().is_priority());
}

/// Of four pollers that watch one listener exclusively, one wakes; without the flag all do.
#[test]
fn an_exclusive_listener_wakes_one_poller() {
    const CONNECTION: u64 = 1;
    const END: u64 = 2;
    for (extra, expected) in [(Interest::EXCLUSIVE, 1), (Interest::empty(), 4)] {
        let (listener, end) = (any_listener(), Waker::new().unwrap());
        let is_woken_by_the_connection = |thread: &AtomicI32| {
            let poller = Poller::new().unwrap();
            poller.add(&listener, CONNECTION, Interest::READABLE | Interest::EDGE | extra).unwrap();
            poller.add(&end, END, Interest::READABLE).unwrap();
            // SAFETY: it reads the thread's id.
            thread.store(unsafe { libc::gettid() }, SeqCst);
            let mut reported = ready_keys(&poller);
            while !reported.contains(&END) {
                reported.extend(ready_keys(&poller));
            }
            reported.contains(&CONNECTION)
        };
        let threads = [const { AtomicI32::new(0) }; 4];
        let woken = std::thread::scope(|scope| {
            let sleepers = threads.each_ref().map(|thread| scope.spawn(|| is_woken_by_the_connection(thread)));
            // The kernel skips a poller without a sleeping thread.
            threads.iter().for_each(|thread| eventually(PATIENCE, || sleeps(thread.load(SeqCst)).then_some(())));
            client_of(&listener);
            end.wake().unwrap();
            sleepers.map(|sleeper| sleeper.join().unwrap())
        });
        assert_eq!(woken.into_iter().filter(|is_woken| *is_woken).count(), expected);
    }
}

/// Whether a thread of this process is sleeping.
fn sleeps(thread: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('S'))
}

#[test]
fn exclusive_cannot_be_modified_or_combined() {
    let poller = Poller::new().unwrap();
    let (_client, server) = connected_pair();
    let invalid = Err(Error::new(Op::EventControl, Errno::INVAL));
    let exclusive = Interest::READABLE | Interest::EXCLUSIVE;
    assert_eq!(poller.add(&server, 1, exclusive | Interest::ONE_SHOT), invalid);
    poller.add(&server, 1, exclusive).unwrap();
    assert_eq!(poller.modify(&server, 1, exclusive), invalid);
}

#[test]
fn a_wait_of_less_than_a_millisecond_is_not_cut_short() {
    let poller = Poller::new().unwrap();
    let timeout = Duration::from_micros(100);
    let mut waits: Vec<_> = (0..101)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(poller.wait(&mut Events::<1>::new(), Some(timeout)).unwrap(), 0);
            start.elapsed()
        })
        .collect();
    waits.sort_unstable();
    assert!(waits[0] >= timeout, "{:?} is too early", waits[0]);
    println!("100 us asked: shortest {:?}, median {:?}, longest {:?}", waits[0], waits[50], waits[100]);
    assert!(waits[50] < PATIENCE);
}

#[test]
fn a_waker_ends_a_wait_from_another_thread() {
    let (poller, waker) = (Poller::new().unwrap(), Waker::new().unwrap());
    poller.add(&waker, 9, Interest::READABLE).unwrap();
    expect_no_events(&poller);
    std::thread::scope(|scope| {
        scope.spawn(|| waker.wake().unwrap());
        assert_eq!(ready_keys(&poller), [9]);
    });
    assert_eq!(ready_keys(&poller), [9]);
    waker.reset().unwrap();
    expect_no_events(&poller);
}

#[test]
fn any_number_of_wakes_is_one_event_and_a_reset_clears_them() {
    let (poller, waker) = (Poller::new().unwrap(), Waker::new().unwrap());
    poller.add(&waker, 9, Interest::READABLE).unwrap();
    for _ in 0..100_000 {
        waker.wake().unwrap();
    }
    waker.reset().unwrap();
    waker.reset().unwrap();
    expect_no_events(&poller);
    waker.wake().unwrap();
    assert_eq!(ready_keys(&poller), [9]);
}

#[cfg(target_os = "linux")]
#[test]
fn busy_polling_is_set_read_back_and_bounded() {
    let poller = Poller::new().unwrap();
    let default = match poller.busy_poll() {
        // Before Linux 6.9, and in a kernel built without it.
        Err(error) if matches!(error.errno(), Some(Errno::NOTTY | Errno::OPNOTSUPP)) => {
            assert_eq!(poller.set_busy_poll(BusyPoll::default()), Err(error));
            return eprintln!("SKIPPED: this kernel has no busy polling for epoll");
        }
        default => default.unwrap(),
    };
    assert_eq!(default, BusyPoll::default());

    let micros = |time| BusyPoll { time: Duration::from_micros(time), packets: 16, prefers_polling: true };
    poller.set_busy_poll(micros(50)).unwrap();
    assert_eq!(poller.busy_poll(), Ok(micros(50)));
    for time in [1 << 31, u64::MAX / 1_000_000] {
        let error = poller.set_busy_poll(micros(time)).unwrap_err();
        assert!(error.errno() == Some(Errno::INVAL) && error.to_string().contains("EPIOCSPARAMS"), "{error}");
    }
    let rounded = BusyPoll { time: Duration::from_nanos(1001), ..micros(0) };
    poller.set_busy_poll(rounded).unwrap();
    assert_eq!(poller.busy_poll(), Ok(micros(2)));
}
