//! Deadlines of connections: set, moved, cleared.

use super::*;
use anet::server::Expiry;
#[cfg(feature = "std")]
use anet::server::Slots;

fn at(server: &Server<'_, u32>, time: Duration, expiry: Expiry) -> Option<(Duration, Expiry)> {
    Some((server.now() + time, expiry))
}

fn deadline(event: Event) -> Option<Key> {
    if let Event::Deadline(key) = event { Some(key) } else { None }
}

#[test]
fn a_deadline_is_reported_once_and_the_connection_kept() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let (client, key) = watched_client(&mut server, addr);
    let start = Instant::now();
    server.set_deadline(key, at(&server, SHORT, Expiry::Report));
    assert_eq!(wait_for(&mut server, deadline), key);
    assert!((SHORT / 2..SECOND).contains(&start.elapsed()));
    assert!(server.get(key).unwrap().deadline().is_none());
    assert!(events(&mut server, 2 * SHORT).is_empty());
    client.write_all(b"x").unwrap();
    echo_until(&mut server, |_| client.read_now());
}

#[test]
fn a_deadline_that_closes_is_the_reason_of_the_close() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let (client, key) = watched_client(&mut server, addr);
    server.set_deadline(key, at(&server, SHORT, Expiry::Close));
    assert_eq!(wait_for(&mut server, |event| closing(&event)), (key, CloseReason::Deadline));
    assert!(server.next_event().is_none() && server.is_empty());
    assert_ends(&client);
}

#[test]
fn a_deadline_can_be_moved_both_ways_and_cleared() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let (_clients, keys): (Vec<_>, Vec<_>) = (0..3).map(|_| watched_client(&mut server, addr)).unzip();
    for key in &keys {
        server.set_deadline(*key, at(&server, 10 * SHORT, Expiry::Report));
    }
    server.set_deadline(keys[0], at(&server, SHORT, Expiry::Report));
    server.set_deadline(keys[1], at(&server, 2 * SHORT, Expiry::Report));
    server.set_deadline(keys[2], None);
    server.set_deadline(keys[0], at(&server, 4 * SHORT, Expiry::Report));
    assert_eq!(wait_for(&mut server, deadline), keys[1]);
    assert_eq!(wait_for(&mut server, deadline), keys[0]);
    assert!(events(&mut server, 8 * SHORT).is_empty());
}

#[test]
fn a_deadline_ends_with_its_connection() {
    let mut slots = slots(1);
    let (mut server, addr) = server(&mut slots);
    let (_client, key) = watched_client(&mut server, addr);
    server.set_deadline(key, at(&server, SHORT, Expiry::Report));
    server.close(key);
    let (_next, next_key) = watched_client(&mut server, addr);
    server.set_deadline(key, at(&server, SHORT, Expiry::Report));
    assert!(events(&mut server, 3 * SHORT).is_empty() && server.get(next_key).is_some());
}

#[test]
fn a_deadline_that_was_cleared_does_not_end_a_wait() {
    let mut slots = slots(1);
    let (mut server, addr) = server(&mut slots);
    let (_client, key) = watched_client(&mut server, addr);
    server.set_deadline(key, at(&server, SHORT, Expiry::Report));
    server.set_deadline(key, None);
    assert_eq!(server.next_timeout(), None);
    assert_eq!(waits(&mut server, 3 * SHORT), 1);
}

#[test]
fn each_listener_can_have_a_separate_idle_timeout_and_tag() {
    let mut slots = slots(8);
    let (mut server, patient) = listening(Server::new(&mut slots[..]).unwrap().with_idle_timeout(Some(10 * SECOND)));
    let listener = any_listener();
    let impatient = listener.local_addr().unwrap();
    let options = ListenOptions::new().with_idle_timeout(Some(SHORT)).with_tag(3);
    server.listen_with(listener, options).unwrap();
    let (_patient, kept) = watched_client(&mut server, patient);
    let (_impatient, key) = watched_client(&mut server, impatient);
    assert_eq!((server.get(kept).unwrap().tag(), server.get(key).unwrap().tag()), (0, 3));
    assert_eq!(wait_for(&mut server, |event| closing(&event)), (key, CloseReason::IdleTimeout));
    assert!(server.get(kept).is_some());
}

#[test]
fn the_server_reports_its_next_timeout_to_an_outer_loop() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap().with_idle_timeout(Some(2 * SHORT)));
    assert_eq!(server.next_timeout(), None);
    let (_client, key) = watched_client(&mut server, addr);
    let timeout = server.next_timeout().unwrap();
    assert!((Duration::from_millis(1)..3 * SHORT).contains(&timeout), "{timeout:?}");
    // An outer poller watches the server's and waits no longer than that.
    let outer = anet::event::Poller::new().unwrap();
    outer.add(&server, 0, Interest::READABLE).unwrap();
    let mut ready = anet::event::Events::<4>::new();
    assert_eq!(outer.wait(&mut ready, Some(timeout)), Ok(0));
    let closed = events(&mut server, Duration::ZERO).iter().find_map(closing);
    assert_eq!(closed, Some((key, CloseReason::IdleTimeout)));
    let _next = client_at(addr);
    assert_eq!(outer.wait(&mut ready, Some(SECOND)), Ok(1));
}

/// A server and its table in one struct, and a table far larger than any stack.
#[cfg(feature = "std")]
#[test]
fn a_struct_can_own_its_server_and_a_large_table() {
    struct Service {
        server: Server<'static, [u8; 4096]>,
    }
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    let mut service = Service { server: Server::with_data(Slots::allocate(20_000), |_| [1; 4096]).unwrap() };
    service.server.listen(listener).unwrap();
    let client = client_at(addr);
    client.write_all(b"xyz").unwrap();
    eventually(SECOND, || {
        service.server.wait(Some(SHORT)).unwrap();
        while let Some(event) = service.server.next_event() {
            if let Event::Readable(key) = event {
                let (data, mut io) = service.server.get_mut(key).unwrap().split();
                let read = io.read(data).ok()?;
                assert_eq!(&data[..read], b"xyz");
                return Some(());
            }
        }
        None
    });
}
