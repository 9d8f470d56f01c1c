//! The poller: what is reported, when, and for how long.

mod support;

use std::time::{Duration, Instant};

use anet::{
    Errno, Error, Op,
    event::{Events, Interest, Poller},
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

/// The keys reported within a second, in order.
fn ready_keys(poller: &Poller) -> Vec<u64> {
    let mut events = Events::<64>::new();
    poller.wait(&mut events, Some(SECOND)).unwrap();
    let mut keys: Vec<_> = events.iter().map(|event| event.key()).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_listener_is_readable_when_somebody_waits() {
    let poller = Poller::new().unwrap();
    let listener = any_listener();
    poller.add(&listener, 42, Interest::READABLE).unwrap();
    expect_no_events(&poller);
    let _client = client_of(&listener);
    assert_eq!(ready_keys(&poller), [42]);
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
fn events_say_what_a_descriptor_is_ready_for() {
    let poller = Poller::new().unwrap();
    let (client, server) = connected_pair();
    poller.add(&server, u64::MAX, Interest::READABLE | Interest::WRITABLE).unwrap();
    let mut events = Events::<8>::new();
    poller.wait(&mut events, Some(SECOND)).unwrap();
    let event = events.at(0).unwrap();
    assert_eq!((event.key(), event.is_readable(), event.is_writable()), (u64::MAX, false, true));

    client.shutdown(Shutdown::Both).unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    eventually(SECOND, || {
        poller.wait(&mut events, Some(SECOND)).unwrap();
        events.at(0).filter(|event| event.is_hangup() && event.is_readable() && !event.is_error())
    });
}

#[test]
fn an_error_is_reported_whatever_was_asked_for() {
    let poller = Poller::new().unwrap();
    let (client, server) = connected_pair();
    poller.add(&server, 1, Interest::empty()).unwrap();
    expect_no_events(&poller);
    option::set_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    let mut events = Events::<8>::new();
    poller.wait(&mut events, Some(SECOND)).unwrap();
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
fn a_wait_takes_no_more_than_the_array_holds_and_leaves_nobody_out() {
    let poller = Poller::new().unwrap();
    let pairs: Vec<_> = (0..10).map(|_| connected_pair()).collect();
    for (key, (_, server)) in pairs.iter().enumerate() {
        poller.add(server, key as u64, Interest::WRITABLE).unwrap();
    }
    let mut events = Events::<4>::new();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        assert_eq!(poller.wait(&mut events, Some(SECOND)).unwrap(), 4);
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
fn a_wait_without_events_ends_when_its_time_is_over_and_not_before() {
    let poller = Poller::new().unwrap();
    for ms in [1, 20] {
        let timeout = Duration::from_millis(ms);
        let start = Instant::now();
        assert_eq!(poller.wait(&mut Events::<1>::new(), Some(timeout)).unwrap(), 0);
        assert!(start.elapsed() >= timeout && start.elapsed() < SECOND);
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
    assert!(elapsed >= timeout && elapsed < SECOND, "{elapsed:?}");
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
fn the_longest_timeout_is_taken() {
    let poller = Poller::new().unwrap();
    let (_client, server) = connected_pair();
    poller.add(&server, 1, Interest::WRITABLE).unwrap();
    assert_eq!(poller.wait(&mut Events::<1>::new(), Some(Duration::MAX)).unwrap(), 1);
}
