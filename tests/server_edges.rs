//! The server at its edges: odd times, odd interests, listeners that end while nobody can be accepted.

mod support;

use std::time::{Duration, Instant};

use anet::{
    Endpoint, Listener, Profile, Stream, UnixAddr,
    accept::{Admission, Engine, Limits},
    event::Interest,
    listen::{self, Access},
    server::{CloseReason, Event, Key, Server, Slot},
};
use support::*;

const SHORT: Duration = Duration::from_millis(50);

fn slots(count: usize) -> Vec<Slot<u32>> {
    std::iter::repeat_with(|| Slot::VACANT).take(count).collect()
}

fn listening(server: Server<'_, u32>) -> (Server<'_, u32>, Endpoint) {
    let mut server = server;
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    server.listen(listener).unwrap();
    (server, addr)
}

/// What is told in one turn, which has an end.
fn events<const N: usize>(server: &mut Server<'_, u32, N>, time: Duration) -> Vec<Event> {
    server.wait(Some(time)).unwrap();
    let events: Vec<_> = std::iter::from_fn(|| server.next_event()).take(10_000).collect();
    assert!(events.len() < 10_000, "a turn without an end");
    events
}

/// A client that has connected and has not spoken, and its key, once the server watches it.
fn watched_client<const N: usize>(server: &mut Server<'_, u32, N>, addr: Endpoint) -> (Stream, Key) {
    let client = client_at(addr);
    let key = eventually(SECOND, || {
        events(server, SHORT)
            .into_iter()
            .find_map(|event| if let Event::Opened(key) = event { Some(key) } else { None })
    });
    (client, key)
}

/// How many waits there are in this time of a server that has nothing to do.
fn waits<const N: usize>(server: &mut Server<'_, u32, N>, time: Duration) -> usize {
    let start = Instant::now();
    let mut waits = 0;
    while start.elapsed() < time {
        events(server, time);
        waits += 1;
    }
    waits
}

fn closing(event: &Event) -> Option<(Key, CloseReason)> {
    if let Event::Closing(key, reason) = event { Some((*key, *reason)) } else { None }
}

fn shut_down(listener: &Listener) -> impl FnOnce() + use<> {
    let duplicate = rustix::fd::AsFd::as_fd(listener).try_clone_to_owned().unwrap();
    move || rustix::net::shutdown(&duplicate, rustix::net::Shutdown::Both).unwrap()
}

fn unix_listener() -> Listener {
    listen::unix(&UnixAddr::UNNAMED, &Profile::new(), &Access::default()).unwrap()
}

#[test]
fn who_may_not_be_idle_at_all_and_is_kept_does_not_hold_up_the_turn() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots).unwrap().with_idle_timeout(Some(Duration::ZERO)));
    let _client = client_at(addr);
    let mut told = 0;
    eventually(SECOND, || {
        server.wait(Some(SHORT)).unwrap();
        while let Some(event) = server.next_event() {
            if let Some((key, _)) = closing(&event) {
                server.touch(key);
                told += 1;
                assert!(told < 1000, "told of the same for ever");
            }
        }
        (told > 3).then_some(())
    });
}

#[test]
fn a_listener_that_is_gone_is_told_when_there_is_room_and_nothing_spins_before() {
    for listener in [any_listener(), unix_listener()] {
        let mut slots = slots(1);
        let mut server = Server::<u32>::new(&mut slots).unwrap();
        let addr = listener.local_addr().unwrap();
        let shut = shut_down(&listener);
        let id = server.listen(listener).unwrap();
        let (_client, key) = watched_client(&mut server, addr);
        let _waiting = client_at(addr);
        assert!(events(&mut server, SHORT).is_empty());
        shut();
        assert!(waits(&mut server, SHORT) <= 3);
        server.close(key);
        eventually(SECOND, || {
            let told = events(&mut server, SHORT);
            // Who waited at a Unix listener is served all the same.
            told.iter().for_each(|event| {
                if let Event::Opened(key) = event {
                    let _ = server.close(*key);
                }
            });
            told.iter().any(|event| matches!(event, Event::ListenerGone(gone, _) if *gone == id)).then_some(())
        });
        assert_eq!(server.listeners().count(), 0);
    }
}

#[test]
fn a_listener_that_is_gone_while_it_pauses_does_not_make_the_server_spin() {
    with_own_descriptors(|| {
        let mut slots = slots(4);
        let mut server = Server::<u32>::new(&mut slots).unwrap();
        let listener = any_listener();
        let addr = listener.local_addr().unwrap();
        let shut = shut_down(&listener);
        server.listen_with(listener, Engine::new().with_backoff(4 * SHORT, 4 * SHORT)).unwrap();
        let _client = client_at(addr);
        let occupied = occupy_all_descriptors();
        assert!(matches!(events(&mut server, SECOND)[..], [Event::AcceptFailed(..)]));
        shut();
        drop(occupied);
        assert!(waits(&mut server, SHORT) <= 3);
        let told = eventually(SECOND, || events(&mut server, SHORT).pop());
        assert!(matches!(told, Event::ListenerGone(..)), "{told:?}");
    });
}

/// Its accepts say `EAGAIN` and its poller that it is readable, both for ever.
#[test]
fn a_unix_listener_that_is_gone_is_told_once_who_waits_there_is_served() {
    let mut slots = slots(4);
    let mut server = Server::<u32>::new(&mut slots).unwrap();
    let listener = unix_listener();
    let _clients = [(); 2].map(|()| client_of(&listener));
    let shut = shut_down(&listener);
    server.listen(listener).unwrap();
    shut();
    let mut told = Vec::new();
    eventually(SECOND, || {
        told.extend(events(&mut server, SHORT));
        told.iter().any(|event| matches!(event, Event::ListenerGone(..))).then_some(())
    });
    assert_eq!(server.len(), 2);
    assert!(waits(&mut server, SHORT) <= 3);
}

#[test]
fn a_one_shot_interest_is_made_ready_again_by_setting_it_again() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots).unwrap());
    let (client, key) = watched_client(&mut server, addr);
    let once = Interest::READABLE | Interest::ONE_SHOT;
    client.write_all(b"x").unwrap();
    for _ in 0..3 {
        server.set_interest(key, once).unwrap();
        assert!(matches!(events(&mut server, SHORT)[..], [Event::Readable(k)] if k == key));
        assert!(events(&mut server, SHORT).is_empty());
    }
}

#[test]
fn setting_an_edge_triggered_interest_again_tells_of_what_is_there() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots).unwrap());
    let (client, key) = watched_client(&mut server, addr);
    client.write_all(b"x").unwrap();
    for _ in 0..3 {
        server.set_interest(key, Interest::READABLE | Interest::EDGE).unwrap();
        assert!(matches!(events(&mut server, SHORT)[..], [Event::Readable(k)] if k == key));
        assert!(events(&mut server, SHORT).is_empty());
    }
}

#[test]
fn who_is_not_to_be_told_any_more_is_not_told_in_the_same_turn() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots).unwrap());
    let clients = [(); 2].map(|()| watched_client(&mut server, addr));
    clients.iter().for_each(|(client, _)| client.write_all(b"x").unwrap());
    std::thread::sleep(SHORT);
    server.wait(Some(SECOND)).unwrap();
    let Some(Event::Readable(first)) = server.next_event() else { panic!("both are readable") };
    let other = clients.iter().map(|(_, key)| *key).find(|key| *key != first).unwrap();
    server.set_interest(other, Interest::empty()).unwrap();
    let rest: Vec<_> = std::iter::from_fn(|| server.next_event()).collect();
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn a_server_that_listens_again_has_not_drained() {
    let mut slots = slots(4);
    let (mut server, _) = listening(Server::new(&mut slots).unwrap());
    server.drain(Duration::ZERO).unwrap();
    assert!(server.is_drained());
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    server.listen(listener).unwrap();
    let (_client, key) = watched_client(&mut server, addr);
    assert!(!server.is_drained() && server.get(key).is_some());
    assert!(waits(&mut server, SHORT) <= 2);
}

/// More than one wait takes from the kernel.
#[test]
fn who_has_sent_something_that_was_not_told_yet_is_not_idle() {
    let mut slots = slots(400);
    let idle = Duration::from_millis(500);
    let (mut server, addr) = listening(Server::new(&mut slots).unwrap().with_idle_timeout(Some(idle)));
    let clients: Vec<_> = (0..400).map(|_| client_at(addr)).collect();
    eventually(SECOND, || {
        drop(events(&mut server, Duration::ZERO));
        (server.len() == 400).then_some(())
    });
    clients.iter().for_each(|client| client.write_all(b"x").unwrap());
    // The server is stopped for a while, or works on something long.
    std::thread::sleep(idle + SHORT);
    let closed: Vec<_> = events(&mut server, SECOND).iter().filter_map(closing).collect();
    assert!(closed.is_empty(), "{}", closed.len());
    let silent = eventually(5 * SECOND, || {
        let told = events(&mut server, SHORT);
        told.iter().for_each(|event| {
            if let Event::Readable(key) = event {
                let _ = server.get_mut(*key).unwrap().read(&mut [0; 8]);
            }
        });
        server.is_empty().then_some(server.counters().timed_out)
    });
    assert_eq!(silent, 400);
}

#[test]
fn who_comes_when_the_server_begins_to_drain_has_come_then() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots).unwrap().with_idle_timeout(Some(4 * SHORT)));
    std::thread::sleep(5 * SHORT);
    let _client = client_at(addr);
    server.drain(SECOND).unwrap();
    let told = events(&mut server, SHORT);
    assert!(told.iter().all(|event| closing(event).is_none()), "{told:?}");
}

#[test]
fn the_time_to_leave_begins_with_the_close() {
    with_own_descriptors(|| {
        let mut slots = slots(4);
        let server = Server::new(&mut slots).unwrap().with_linger_timeout(4 * SHORT);
        let (mut server, addr) = listening(server);
        let (client, key) = watched_client(&mut server, addr);
        client.write_all(b"x").unwrap();
        server.wait(Some(SECOND)).unwrap();
        // A handler that takes its time.
        std::thread::sleep(5 * SHORT);
        server.close_lingering(key);
        let lingering = open_fds();
        for _ in 0..2 {
            assert!(events(&mut server, Duration::ZERO).is_empty());
        }
        assert_eq!(open_fds(), lingering);
    });
}

#[test]
fn draining_accepts_with_descriptors_that_were_released_just_before() {
    with_own_descriptors(|| {
        let mut slots = slots(8);
        let (mut server, addr) = listening(Server::new(&mut slots).unwrap());
        let (_first, key) = watched_client(&mut server, addr);
        let _second = client_at(addr);
        let _occupied = occupy_all_descriptors();
        assert!(matches!(events(&mut server, SECOND)[..], [Event::AcceptFailed(..)]));
        server.close(key);
        server.drain(SECOND).unwrap();
        assert_eq!(server.len(), 1);
    });
}

/// Whoever connects is rejected, so that there is always room.
#[test]
fn draining_comes_to_an_end_whoever_goes_on_connecting() {
    let mut slots = slots(64);
    let limits = Limits::new().with_max_clients(0);
    let mut server = Server::with_admission(&mut slots, Admission::<1>::new(limits)).unwrap();
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    server.listen(listener).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let addr = std::net::SocketAddr::from(([127, 0, 0, 1], addr.port().unwrap()));
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = std::net::TcpStream::connect_timeout(&addr, SHORT);
                }
            });
        }
        std::thread::sleep(SHORT);
        let start = Instant::now();
        server.drain(Duration::ZERO).unwrap();
        let took = start.elapsed();
        let accepted = server.counters().accept.accepted;
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        // A backlog, and what waited when the server began.
        assert!(accepted <= 4096, "{accepted} in {took:?}");
    });
}

#[test]
fn who_is_on_the_way_out_gives_up_the_descriptor_for_who_comes() {
    with_own_descriptors(|| {
        let mut slots = slots(64);
        let mut server = Server::with_admission(&mut slots, Admission::<1>::new(Limits::new())).unwrap();
        let listener = any_listener();
        let addr = listener.local_addr().unwrap();
        server.listen(listener).unwrap();
        server.set_limits(Limits::new().with_max_clients(0));
        let rejected: Vec<_> = (0..4).map(|_| client_at(addr)).collect();
        eventually(SECOND, || {
            drop(events(&mut server, SHORT));
            (server.counters().rejected == 4).then_some(())
        });
        server.set_limits(Limits::new());
        let _clients: Vec<_> = (0..2).map(|_| client_at(addr)).collect();
        let _occupied = occupy_all_descriptors();
        let start = Instant::now();
        eventually(5 * SECOND, || {
            drop(events(&mut server, SECOND));
            (server.len() == 2).then_some(())
        });
        assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
        drop(rejected);
    });
}

/// `EPOLLEXCLUSIVE` cannot be combined with `EPOLLRDHUP`.
#[test]
fn who_cannot_be_watched_is_told_and_closed() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots).unwrap());
    let client = client_at(addr);
    let mut reasons = Vec::new();
    eventually(SECOND, || {
        server.wait(Some(SHORT)).unwrap();
        while let Some(event) = server.next_event() {
            if let Event::Opened(key) = event {
                server.set_interest(key, Interest::READ_HANGUP | Interest::EXCLUSIVE).unwrap();
            }
            reasons.extend(closing(&event));
        }
        (!reasons.is_empty()).then_some(())
    });
    assert!(matches!(reasons[..], [(_, CloseReason::Unwatched(error))] if error.errno() == Some(anet::Errno::INVAL)));
    assert!(server.is_empty() && server.admission().clients() == 0);
    assert_eq!(client.read(&mut [0; 8]), Ok(0));
}

#[test]
fn the_longest_times_are_times() {
    let mut slots = slots(4);
    let server = Server::new(&mut slots).unwrap().with_idle_timeout(Some(Duration::MAX));
    let (mut server, addr) = listening(server.with_linger_timeout(Duration::MAX));
    let (client, key) = watched_client(&mut server, addr);
    let (other, other_key) = watched_client(&mut server, addr);
    server.close_lingering(key);
    server.drain(Duration::MAX).unwrap();
    server.drain(Duration::MAX).unwrap();
    drop(client);
    assert!(events(&mut server, Duration::MAX).is_empty());
    other.write_all(b"x").unwrap();
    server.wait(None).unwrap();
    assert!(matches!(server.next_event(), Some(Event::Readable(key)) if key == other_key));
    assert!(server.next_event().is_none() && !server.is_drained());
    server.close(other_key);
    assert!(server.is_drained());
}
