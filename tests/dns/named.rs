//! Connections of a server to names.

use std::{
    collections::HashMap,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anet::{
    Errno, Op,
    connect::{Connector, Outcome},
    error::Cause,
    resolve::{Families, dns::Config},
    server::{CloseReason, Event, Key, Lookup, Server as Loop, Slot},
};

use super::{
    config,
    server::{A, AAAA, Asked, NXDOMAIN, Reply, Server, TRUNCATED, dead_server},
    support::{PATIENCE, SECOND, open_fds, with_own_descriptors},
    with_config,
};

pub(super) const SHORT: Duration = Duration::from_millis(50);

pub(super) fn slots(count: usize) -> Vec<Slot<u32>> {
    std::iter::repeat_with(|| Slot::VACANT).take(count).collect()
}

pub(super) fn lookups(config: &Config, count: usize) -> Vec<Lookup> {
    std::iter::repeat_with(|| Lookup::new(with_config(config.clone()))).take(count).collect()
}

/// A loop with these lookups.
pub(super) fn a_loop<'t>(slots: &'t mut [Slot<u32>], lookups: &'t mut [Lookup]) -> Loop<'t, u32> {
    Loop::new(slots).unwrap().with_lookups(lookups).unwrap()
}

pub(super) fn upstream() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Runs the loop until an event that `what` picks.
pub(super) fn wait_for<T>(server: &mut Loop<'_, u32>, mut what: impl FnMut(Event) -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE, "not in time");
        server.wait(Some(SHORT)).unwrap();
        while let Some(event) = server.next_event() {
            if let Some(found) = what(event) {
                return found;
            }
        }
    }
}

pub(super) fn connected(event: Event) -> Option<Key> {
    if let Event::Connected(key) = event { Some(key) } else { None }
}

/// The connection that failed, the operation and the cause.
pub(super) fn failed(event: Event) -> Option<(Key, Op, Cause)> {
    match event {
        Event::Closing(key, CloseReason::ConnectFailed(error)) => Some((key, error.op(), error.cause())),
        _ => None,
    }
}

pub(super) fn closing(event: Event) -> Option<(Key, CloseReason)> {
    if let Event::Closing(key, why) = event { Some((key, why)) } else { None }
}

/// Runs the loop for a while; there must be no event.
pub(super) fn idle(server: &mut Loop<'_, u32>, time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        server.wait(Some(SHORT / 5)).unwrap();
        assert!(server.next_event().is_none());
    }
}

pub(super) fn connect(server: &mut Loop<'_, u32>, name: &str, port: u16) -> Key {
    server.connect_to_name(name, port, Families::Any, &Connector::new(), 7).unwrap()
}

/// The loopback address of each family.
pub(super) fn here(asked: &Asked) -> Reply {
    asked.addresses(&["127.0.0.1", "::1"])
}

/// A listener whose backlog is full, so that connections to it stay under way.
pub(super) struct SilentListener {
    listener: anet::Listener,
    _clients: Vec<anet::Stream>,
}

impl SilentListener {
    pub(super) fn new() -> Self {
        let options = anet::SocketOptions::new().with_backlog(0);
        let listener = anet::listen::tcp("127.0.0.1:0".parse().unwrap(), &options).unwrap();
        let addr = listener.local_addr().unwrap();
        let limited = Connector::new().with_timeout(Some(4 * SHORT));
        let _clients = (0..64).map_while(|_| anet::connect::blocking(&[addr], limited).ok()).collect();
        Self { listener, _clients }
    }

    pub(super) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port().unwrap()
    }
}

#[test]
fn a_name_is_looked_up_and_its_addresses_are_tried_in_turn() {
    let dns = Server::answering(|asked| asked.addresses(&["127.0.0.1", "::1", "::2"]));
    let (listener, port) = upstream();
    let (mut slots, mut lookups) = (slots(4), lookups(&config(&[dns.addr()]), 1));
    let mut server = a_loop(&mut slots, &mut lookups);
    let key = connect(&mut server, "db.internal", port);
    let connection = server.get(key).unwrap();
    assert!(connection.is_connecting() && connection.peer_addr().port().is_none() && server.is_empty());
    assert_eq!(connection.write(b"early").unwrap_err().errno(), Some(Errno::NOTCONN));
    assert!(server.attempts(key).next().is_none());
    assert_eq!(wait_for(&mut server, connected), key);
    let tried: Vec<_> = server.attempts(key).map(|(endpoint, outcome)| (endpoint.to_string(), outcome)).collect();
    // Where there is no IPv6, the first fails in another way.
    let [(first, Outcome::Failed(_)), (second, Outcome::Connected)] = &tried[..] else { panic!("{tried:?}") };
    assert_eq!([first, second], [&format!("[::1]:{port}"), &format!("127.0.0.1:{port}")]);
    let connection = server.get(key).unwrap();
    assert_eq!((connection.data, connection.peer_addr().to_string()), (7, format!("127.0.0.1:{port}")));
    connection.write_all(b"ping").unwrap();
    drop(listener.accept().unwrap());
    assert_eq!(dns.asked().len(), 2);
    let closed = wait_for(&mut server, |event| matches!(event, Event::Readable(_)).then_some(event));
    assert!(matches!(closed, Event::Readable(readable) if readable == key));
}

#[test]
fn numeric_text_and_local_names_ask_no_server() {
    let dns = Server::answering(here);
    let (listener, port) = upstream();
    let (mut slots, mut lookups) = (slots(4), lookups(&config(&[dns.addr()]), 1));
    let mut server = a_loop(&mut slots, &mut lookups);
    for name in ["127.0.0.1", "localhost", "db.localhost."] {
        let connector = Connector::new();
        let key = server.connect_to_name(name, port, Families::OnlyV4, &connector, 7).unwrap();
        // An attempt is under way at once.
        assert_eq!(server.get(key).unwrap().peer_addr().port(), Some(port), "{name}");
        assert_eq!(wait_for(&mut server, connected), key);
        listener.accept().unwrap();
        server.close(key);
    }
    for (name, cause) in [
        ("", Cause::InvalidHostName { at: 0 }),
        ("a b", Cause::InvalidHostName { at: 1 }),
        ("::1", Cause::NoAddress),
        (&"a".repeat(1000), Cause::InvalidHostName { at: 0 }),
    ] {
        let refused = server.connect_to_name(name, port, Families::OnlyV4, &Connector::new(), 9).unwrap_err();
        assert_eq!((refused.value, refused.error.op(), refused.error.cause()), (9, Op::Resolve, cause), "{name}");
    }
    assert_eq!(dns.asked().len(), 0);
}

#[test]
fn without_lookups_no_name_is_connected_to() {
    let mut slots = slots(4);
    let mut server = Loop::<u32>::new(&mut slots[..]).unwrap();
    let refused = server.connect_to_name("localhost", 80, Families::Any, &Connector::new(), 9).unwrap_err();
    assert_eq!((refused.value, refused.error.cause()), (9, Cause::NoRoom));
}

/// The server never answers for the other family.
#[test]
fn the_first_family_is_tried_at_once_and_the_other_after_the_resolution_delay() {
    let (_listener, port) = upstream();
    let dns = Server::start(|asked| if asked.kind == A { vec![here(asked).bytes()] } else { Vec::new() });
    for (families, wait) in [(Families::PreferV4, Duration::ZERO), (Families::Any, SHORT)] {
        let (mut slots, mut lookups) = (slots(2), lookups(&config(&[dns.addr()]), 1));
        let mut server = a_loop(&mut slots, &mut lookups);
        let start = Instant::now();
        let key = server.connect_to_name("db.internal", port, families, &Connector::new(), 7).unwrap();
        assert_eq!(wait_for(&mut server, connected), key);
        // The timeout of the servers is far longer.
        assert!((wait..20 * SHORT).contains(&start.elapsed()), "{:?}", start.elapsed());
        // The lookup ends with the last connection that waits for it.
        assert!(server.next_event().is_none());
        idle(&mut server, SHORT);
    }
}

/// The server answers for IPv6 at the second try, while the first connection is under way to IPv4.
#[test]
fn the_order_of_the_families_does_not_depend_on_which_answers_first() {
    let silent = SilentListener::new();
    let tries = AtomicUsize::new(0);
    let dns = Server::start(move |asked| {
        let is_late = asked.kind == AAAA && tries.fetch_add(1, Ordering::SeqCst) == 0;
        if is_late { Vec::new() } else { vec![here(asked).bytes()] }
    });
    let config = config(&[dns.addr()]).with_timeout(2 * SHORT).with_attempts(2);
    let (mut slots, mut lookups) = (slots(8), lookups(&config, 1));
    let mut server = a_loop(&mut slots, &mut lookups);
    let families = |server: &Loop<'_, u32>, key| {
        server.attempts(key).map(|(endpoint, _)| endpoint.ip().unwrap().is_ipv6()).collect::<Vec<_>>()
    };
    let first = connect(&mut server, "db.internal", silent.port());
    let start = Instant::now();
    while dns.asked().len() < 3 || start.elapsed() < 3 * SHORT {
        idle(&mut server, SHORT / 5);
    }
    assert!(!families(&server, first)[0]);
    // IPv6 refuses at once, and the other one is under way.
    let second = connect(&mut server, "db.internal", silent.port());
    idle(&mut server, SHORT / 5);
    assert_eq!((families(&server, second), dns.asked().len()), (vec![false, true], 3));
}

/// The first family's address refuses; the other family's arrives later.
#[test]
fn an_answer_that_comes_during_the_race_joins_it() {
    let (_listener, port) = upstream();
    let dns = Server::answering(|asked| {
        if asked.kind == A {
            thread::sleep(4 * SHORT);
        }
        here(asked)
    });
    let (mut slots, mut lookups) = (slots(2), lookups(&config(&[dns.addr()]), 1));
    let mut server = a_loop(&mut slots, &mut lookups);
    let key = connect(&mut server, "db.internal", port);
    assert_eq!(wait_for(&mut server, connected), key);
    assert_eq!(server.attempts(key).count(), 2);
    assert_eq!(server.get(key).unwrap().peer_addr().to_string(), format!("127.0.0.1:{port}"));
}

#[test]
fn connections_at_a_time_share_one_lookup_and_later_ones_its_answer() {
    let (_listener, port) = upstream();
    let dns = Server::answering(here);
    let (mut slots, mut lookups) = (slots(100), lookups(&config(&[dns.addr()]), 2));
    let mut server = a_loop(&mut slots, &mut lookups);
    for _ in 0..50 {
        connect(&mut server, "db.internal", port);
    }
    for _ in 0..50 {
        wait_for(&mut server, connected);
    }
    assert_eq!((server.len(), dns.asked().len()), (50, 2));
    let key = connect(&mut server, "DB.internal", port);
    assert_eq!(wait_for(&mut server, connected), key);
    assert_eq!(dns.asked().len(), 2);
    // Another port is another lookup.
    let (_other, other_port) = upstream();
    let key = connect(&mut server, "db.internal", other_port);
    assert_eq!(wait_for(&mut server, connected), key);
    assert_eq!(dns.asked().len(), 4);
}

#[test]
fn after_a_failure_the_next_connection_asks_again() {
    let (listener, port) = upstream();
    let dns = Server::answering(here);
    let (mut slots, mut lookups) = (slots(2), lookups(&config(&[dns.addr()]), 1));
    let mut server = a_loop(&mut slots, &mut lookups);
    drop(listener);
    for lookup in 1..=3 {
        let key = connect(&mut server, "db.internal", port);
        let (closed, op, cause) = wait_for(&mut server, failed);
        assert_eq!((closed, op, cause), (key, Op::Connect, Cause::Errno(Errno::CONNREFUSED)));
        assert_eq!(server.attempts(key).count(), 2);
        assert_eq!(dns.asked().len(), 2 * lookup);
    }
}

#[test]
fn a_connection_that_is_closed_leaves_the_lookup_to_the_others() {
    let (_listener, port) = upstream();
    let dns = Server::answering(|asked| {
        thread::sleep(SHORT);
        here(asked)
    });
    let (mut slots, mut lookups) = (slots(4), lookups(&config(&[dns.addr()]), 1));
    let mut server = a_loop(&mut slots, &mut lookups);
    let keys = [(); 3].map(|()| connect(&mut server, "db.internal", port));
    server.close(keys[1]);
    let mut made = [(); 2].map(|()| wait_for(&mut server, connected));
    made.sort_unstable();
    assert_eq!(made, [keys[0], keys[2]]);
    assert_eq!(dns.asked().len(), 2);
}

#[test]
fn a_lookup_in_use_makes_room_for_no_other_name() {
    let dead = dead_server();
    let (mut slots, mut lookups) = (slots(8), lookups(&config(&[dead.local_addr().unwrap()]), 2));
    let mut server = a_loop(&mut slots, &mut lookups);
    let first = connect(&mut server, "a.internal", 80);
    connect(&mut server, "b.internal", 80);
    let refused = server.connect_to_name("c.internal", 80, Families::Any, &Connector::new(), 9).unwrap_err();
    assert_eq!((refused.value, refused.error.op(), refused.error.cause()), (9, Op::Connect, Cause::NoRoom));
    // Those under way are shared.
    connect(&mut server, "a.internal", 80);
    let other = Connector::new().with_timeout(Some(SECOND));
    server.connect_to_name("a.internal", 80, Families::Any, &other, 9).unwrap_err();
    server.close(first);
    server.connect_to_name("c.internal", 80, Families::Any, &Connector::new(), 9).unwrap_err();
}

#[test]
fn without_room_an_expired_answer_is_better_than_none() {
    let silent = SilentListener::new();
    let dns = Server::answering(|asked| match asked.kind {
        A => asked.reply().address(&asked.name, 0, "127.0.0.1".parse().unwrap()),
        _ => asked.reply(),
    });
    let (mut slots, mut lookups) = (slots(8), lookups(&config(&[dns.addr()]), 2));
    let mut server = a_loop(&mut slots, &mut lookups);
    for asked in [2, 4, 4] {
        connect(&mut server, "db.internal", silent.port());
        idle(&mut server, 4 * SHORT);
        assert_eq!(dns.asked().len(), asked);
        thread::sleep(SECOND);
    }
    assert!(server.connect_to_name("x.internal", 80, Families::Any, &Connector::new(), 9).is_err());
}

/// Forged datagrams first, then an answer over TCP, a byte at a time.
#[test]
fn a_hostile_server_neither_deceives_nor_holds_up_the_loop() {
    let (_listener, port) = upstream();
    let dns = Server::start_stream(
        |asked| {
            if asked.over_tcp {
                return vec![here(asked).bytes()];
            }
            let forged = Reply { id: asked.id ^ 1, ..asked.addresses(&["192.0.2.1", "2001:db8::1"]) }.bytes();
            let mut messages = vec![forged; 100];
            messages.push(asked.reply().flags(TRUNCATED).bytes());
            messages
        },
        |stream, message| {
            use std::io::Write;
            stream.set_nodelay(true).unwrap();
            for byte in (message.len() as u16).to_be_bytes().iter().chain(message) {
                let _ = stream.write_all(&[*byte]);
                thread::sleep(Duration::from_micros(100));
            }
        },
    );
    let (mut slots, mut lookups) = (slots(2), lookups(&config(&[dns.addr()]), 1));
    let mut server = a_loop(&mut slots, &mut lookups);
    let key = connect(&mut server, "db.internal", port);
    assert_eq!(wait_for(&mut server, connected), key);
    assert!(server.attempts(key).all(|(endpoint, _)| endpoint.ip().is_some_and(|ip| ip.is_loopback())));
}

/// A name with as many addresses as there is room, of each family.
#[test]
fn both_families_of_a_name_with_many_addresses_are_tried() {
    let (_listener, port) = upstream();
    let dns = Server::answering(|asked| {
        if asked.kind == A {
            thread::sleep(SHORT);
        }
        let many = (1..=30).map(|n| if asked.kind == A { format!("127.0.1.{n}") } else { format!("::{}", n + 1) });
        many.fold(asked.reply(), |reply, text| reply.address(&asked.name, 60, text.parse().unwrap()))
    });
    let (mut slots, mut lookups) = (slots(20), lookups(&config(&[dns.addr()]).with_edns0(true), 1));
    let mut server = a_loop(&mut slots, &mut lookups);
    let connector = Connector::new().with_stagger(Duration::from_millis(1));
    let key = server.connect_to_name("db.internal", port, Families::Any, &connector, 7).unwrap();
    // Only 127.0.0.1 is listened at.
    let (closed, ..) = wait_for(&mut server, failed);
    assert_eq!(closed, key);
    let tried: Vec<_> = server.attempts(key).map(|(endpoint, _)| endpoint.ip().unwrap().is_ipv4()).collect();
    assert_eq!((tried.len(), tried.iter().filter(|is_v4| **is_v4).count()), (16, 8));
}

/// A health checker: a hundred names on one loop, with eight lookups. A name without room waits for its turn.
#[test]
fn a_hundred_names_are_checked_with_eight_lookups() {
    let (_listener, port) = upstream();
    let dns = Server::answering(|asked| {
        let number: u32 = asked.name[1..].split('.').next().unwrap().parse().unwrap();
        match number % 4 {
            0 => asked.reply().flags(NXDOMAIN),
            // Nothing listens there.
            1 => asked.addresses(&["127.0.0.9"]),
            _ => here(asked),
        }
    });
    with_own_descriptors(|| {
        let (mut slots, mut lookups) = (slots(32), lookups(&config(&[dns.addr()]), 8));
        let mut server = a_loop(&mut slots, &mut lookups);
        let before = open_fds();
        let connector = Connector::new().with_timeout(Some(PATIENCE));
        let (mut waiting, mut healthy) = ((0..100).collect::<Vec<u32>>(), HashMap::new());
        while healthy.len() < 100 {
            while let Some(number) = waiting.pop() {
                let name = format!("n{number}.internal");
                match server.connect_to_name(&name, port, Families::Any, &connector, number) {
                    Ok(_) => {}
                    Err(refused) => {
                        assert_eq!(refused.error.cause(), Cause::NoRoom);
                        waiting.push(refused.value);
                        break;
                    }
                }
            }
            server.wait(None).unwrap();
            while let Some(event) = server.next_event() {
                match event {
                    Event::Connected(key) => drop(server.close(key).map(|number| healthy.insert(number, true))),
                    Event::Closing(key, CloseReason::ConnectFailed(_)) => {
                        let number = server.get(key).unwrap().data;
                        healthy.insert(number, false);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(healthy.iter().all(|(number, healthy)| *healthy == (number % 4 > 1)));
        assert_eq!((open_fds(), server.len()), (before, 0));
    });
}

/// A client that reconnects to a name follows it to another server, without waiting for the TTL.
#[test]
fn a_client_that_reconnects_follows_its_name() {
    let (old, port) = upstream();
    let moved = Arc::new(AtomicBool::new(false));
    let has_moved = moved.clone();
    let dns = Server::answering(move |asked| {
        let addr = if has_moved.load(Ordering::SeqCst) { "127.0.0.2" } else { "127.0.0.1" };
        asked.addresses(&[addr])
    });
    let new = TcpListener::bind(("127.0.0.2", port)).unwrap();
    let (mut slots, mut lookups) = (slots(1), lookups(&config(&[dns.addr()]), 1));
    let mut server = a_loop(&mut slots, &mut lookups);
    let key = connect(&mut server, "redis.internal", port);
    assert_eq!(wait_for(&mut server, connected), key);
    drop((old.accept().unwrap(), old));
    moved.store(true, Ordering::SeqCst);
    wait_for(&mut server, |event| if let Event::Readable(readable) = event { Some(readable) } else { None });
    server.close(key);
    // The answer is still valid, but its server is gone.
    let key = connect(&mut server, "redis.internal", port);
    assert_eq!(wait_for(&mut server, failed).0, key);
    assert!(server.next_event().is_none());
    let key = connect(&mut server, "redis.internal", port);
    assert_eq!(wait_for(&mut server, connected), key);
    new.accept().unwrap();
    assert!(dns.asked().iter().all(|asked| [A, AAAA].contains(&asked.kind)));
}
