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
    server::{CloseReason, Event, Expiry, Key, Lookup, Server as Loop, Slot},
};

use super::{
    config,
    server::{A, AAAA, Asked, NXDOMAIN, Reply, Server, TRUNCATED, dead_server},
    support::{PATIENCE, SECOND, open_fds, with_own_descriptors},
    with_config,
};

const SHORT: Duration = Duration::from_millis(50);

fn slots(count: usize) -> Vec<Slot<u32>> {
    std::iter::repeat_with(|| Slot::VACANT).take(count).collect()
}

fn lookups(config: &Config, count: usize) -> Vec<Lookup> {
    std::iter::repeat_with(|| Lookup::new(with_config(config.clone()))).take(count).collect()
}

/// A loop with these lookups.
fn a_loop<'t>(slots: &'t mut [Slot<u32>], lookups: &'t mut [Lookup]) -> Loop<'t, u32> {
    Loop::new(slots).unwrap().with_lookups(lookups).unwrap()
}

fn upstream() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Runs the loop until an event that `what` picks.
fn wait_for<T>(server: &mut Loop<'_, u32>, mut what: impl FnMut(Event) -> Option<T>) -> T {
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

fn connected(event: Event) -> Option<Key> {
    if let Event::Connected(key) = event { Some(key) } else { None }
}

/// The connection that failed, the operation and the cause.
fn failed(event: Event) -> Option<(Key, Op, Cause)> {
    match event {
        Event::Closing(key, CloseReason::ConnectFailed(error)) => Some((key, error.op(), error.cause())),
        _ => None,
    }
}

fn closing(event: Event) -> Option<(Key, CloseReason)> {
    if let Event::Closing(key, why) = event { Some((key, why)) } else { None }
}

/// Runs the loop for a while; there must be no event.
fn idle(server: &mut Loop<'_, u32>, time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        server.wait(Some(SHORT / 5)).unwrap();
        assert!(server.next_event().is_none());
    }
}

fn connect(server: &mut Loop<'_, u32>, name: &str, port: u16) -> Key {
    server.connect_to_name(name, port, Families::Any, &Connector::new(), 7).unwrap()
}

/// The loopback address of each family.
fn here(asked: &Asked) -> Reply {
    asked.addresses(&["127.0.0.1", "::1"])
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
    assert!(connection.write(b"early").is_err() && server.attempts(key).next().is_none());
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
    assert_eq!(families(&server, first)[0], false);
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
fn a_lookup_without_an_address_is_the_reason() {
    let dns = Server::answering(|asked| match asked.name.as_str() {
        "empty.internal." => asked.reply(),
        _ => asked.reply().flags(NXDOMAIN),
    });
    with_own_descriptors(|| {
        let (mut slots, mut lookups) = (slots(1), lookups(&config(&[dns.addr()]), 1));
        let mut server = a_loop(&mut slots, &mut lookups);
        let before = open_fds();
        for (name, cause) in [("none.internal", Cause::HostNotFound), ("empty.internal", Cause::NoAddress)] {
            let key = connect(&mut server, name, 80);
            assert_eq!(wait_for(&mut server, failed), (key, Op::Resolve, cause));
            // The data can be taken out only now.
            assert_eq!((server.get(key).unwrap().data, server.attempts(key).count()), (7, 0));
            assert!(server.next_event().is_none() && server.get(key).is_none());
            assert_eq!(open_fds(), before);
        }
    });
}

#[test]
fn a_dead_server_ends_the_connection_at_its_deadline_or_when_all_tries_are_over() {
    let dead = dead_server();
    let addr = dead.local_addr().unwrap();
    with_own_descriptors(|| {
        let (mut slots, mut lookups) = (slots(1), lookups(&config(&[addr]).with_timeout(4 * SHORT), 1));
        let mut server = a_loop(&mut slots, &mut lookups);
        let before = open_fds();
        for (limit, cause) in [(Some(2 * SHORT), Cause::DeadlinePassed), (None, Cause::NoAnswer)] {
            let start = Instant::now();
            let connector = Connector::new().with_timeout(limit);
            let key = server.connect_to_name("db.internal", 80, Families::Any, &connector, 7).unwrap();
            assert_eq!(wait_for(&mut server, failed), (key, Op::Resolve, cause));
            let expected = limit.unwrap_or(4 * SHORT);
            assert!((expected..expected + SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
            assert!(server.next_event().is_none());
            assert_eq!(open_fds(), before);
        }
    });
}

#[test]
fn closing_the_last_connection_ends_the_lookup() {
    let dead = dead_server();
    let addr = dead.local_addr().unwrap();
    with_own_descriptors(|| {
        let (mut slots, mut lookups) = (slots(4), lookups(&config(&[addr]), 1));
        let mut server = a_loop(&mut slots, &mut lookups);
        let before = open_fds();
        for close in [Loop::close, Loop::close_lingering, |server: &mut Loop<'_, u32>, key| {
            server.take(key).map(|(.., data)| data)
        }] {
            let keys = [(); 2].map(|()| connect(&mut server, "db.internal", 80));
            idle(&mut server, SHORT);
            // A socket for each family, and one that stands in for each connection.
            assert_eq!(open_fds(), before + 4);
            assert_eq!(close(&mut server, keys[0]), Some(7));
            assert_eq!(open_fds(), before + 3);
            assert_eq!(close(&mut server, keys[1]), Some(7));
            assert_eq!(open_fds(), before);
            idle(&mut server, SHORT);
        }
        let key = connect(&mut server, "db.internal", 80);
        server.set_deadline(key, Some((server.now() + SHORT, Expiry::Close)));
        let closed = wait_for(&mut server, closing);
        assert_eq!(closed, (key, CloseReason::Deadline));
        assert!(server.next_event().is_none());
        assert_eq!(open_fds(), before);

        let key = connect(&mut server, "db.internal", 80);
        server.drain(SHORT).unwrap();
        let closed = wait_for(&mut server, closing);
        assert_eq!(closed, (key, CloseReason::DrainTimeout));
        assert!(server.next_event().is_none() && server.is_drained());
        assert_eq!(open_fds(), before);
    });
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

/// A listener whose backlog is full, so that connections to it stay under way.
struct SilentListener {
    listener: anet::Listener,
    _clients: Vec<anet::Stream>,
}

impl SilentListener {
    fn new() -> Self {
        let options = anet::SocketOptions::new().with_backlog(0);
        let listener = anet::listen::tcp("127.0.0.1:0".parse().unwrap(), &options).unwrap();
        let addr = listener.local_addr().unwrap();
        let limited = Connector::new().with_timeout(Some(4 * SHORT));
        let _clients = (0..64).map_while(|_| anet::connect::blocking(&[addr], limited).ok()).collect();
        Self { listener, _clients }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port().unwrap()
    }
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

#[test]
fn a_dropped_loop_leaves_no_lookup_under_way() {
    let (_listener, port) = upstream();
    let (dead, dns) = (dead_server(), Server::answering(here));
    let (dead, live) = (dead.local_addr().unwrap(), dns.addr());
    with_own_descriptors(|| {
        let mut lookups = lookups(&config(&[dead, live]).with_timeout(SHORT), 1);
        let before = open_fds();
        for _ in 0..2 {
            let mut slots = slots(2);
            let mut server = a_loop(&mut slots, &mut lookups);
            connect(&mut server, "db.internal", 80);
            idle(&mut server, SHORT / 2);
            drop(server);
            assert_eq!(open_fds(), before);
            // Not even if it is forgotten.
            let mut server = a_loop(&mut slots, &mut lookups);
            connect(&mut server, "db.internal", 80);
            std::mem::forget(server);
            let mut other_slots = super::named::slots(2);
            let mut server = a_loop(&mut other_slots, &mut lookups);
            let key = connect(&mut server, "other.internal", port);
            assert_eq!(wait_for(&mut server, connected), key);
            drop(server);
            // The forgotten poller and the socket that stands in for its connection.
            assert!(open_fds() <= before + 2 + 1);
            drop(slots);
            close_all_but(before);
        }
    });
}

/// Closes what a forgotten loop left open: the descriptors after the first ones.
fn close_all_but(keep: usize) {
    let mut numbers: Vec<i32> = std::fs::read_dir("/proc/thread-self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    for number in numbers.into_iter().skip(keep) {
        // SAFETY: nothing else uses the descriptors of this thread's own table.
        unsafe { libc::close(number) };
    }
}

/// Duplicates of the sockets to the servers stay open elsewhere, as in a forked child, and a second answer arrives.
#[test]
fn a_socket_that_a_child_still_has_keeps_no_lookup_awake() {
    let (_listener, port) = upstream();
    let dns = Server::start(|asked| vec![here(asked).bytes(); 3]);
    let addr = dns.addr();
    with_own_descriptors(|| {
        let (mut slots, mut lookups) = (slots(2), lookups(&config(&[addr]), 1));
        let mut server = a_loop(&mut slots, &mut lookups);
        connect(&mut server, "db.internal", port);
        let copies: Vec<i32> = (3..32)
            // SAFETY: a number that is no descriptor is an error.
            .map(|number| unsafe { libc::dup(number) })
            .filter(|copy| *copy >= 0)
            .collect();
        assert!(copies.len() > 4);
        wait_for(&mut server, connected);
        assert!(server.next_event().is_none());
        let (start, mut waits) = (Instant::now(), 0);
        while start.elapsed() < 10 * SHORT {
            server.wait(Some(SHORT)).unwrap();
            while server.next_event().is_some() {}
            waits += 1;
        }
        assert!(waits < 40, "{waits} waits");
        // SAFETY: they are copies that nothing else uses.
        copies.into_iter().for_each(|copy| assert_eq!(unsafe { libc::close(copy) }, 0));
    });
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

/// Times the turns of a loop with a heartbeat every millisecond, while no server answers.
#[test]
fn a_dead_server_does_not_hold_up_a_loop_that_connects() {
    const BEAT: Duration = Duration::from_millis(1);
    let dead = dead_server();
    let config = config(&[dead.local_addr().unwrap()]).with_timeout(SHORT).with_attempts(3);
    let (mut slots, mut lookups) = (slots(64), lookups(&config, 4));
    let mut server = a_loop(&mut slots, &mut lookups);
    let (mut slowest, mut beats, mut over) = (Duration::ZERO, 0, 0);
    super::timed(&mut slowest, || {
        for number in 0..64 {
            connect(&mut server, ["a.internal", "b.internal", "c.internal", "d.internal"][number % 4], 80);
        }
    });
    println!("connecting 64 times took {slowest:?}");
    slowest = Duration::ZERO;
    while over < 64 {
        // What the wait returns with is due to the loop, and the rest to the handling.
        server.wait(Some(BEAT)).unwrap();
        super::timed(&mut slowest, || {
            while let Some(event) = server.next_event() {
                over += usize::from(failed(event).is_some_and(|(.., cause)| cause == Cause::NoAnswer));
            }
        });
        beats += 1;
    }
    println!("longest turn {slowest:?}, {beats} beats");
    assert!(beats > 50 && slowest < Duration::from_millis(100), "{slowest:?}, {beats} beats");
}

/// Pseudo-random numbers, the same in every run: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }
}

/// Names of every kind: each connection is reported once, and nothing is left in the end.
#[test]
fn random_connections_and_closes_leave_nothing() {
    let dns = Server::start(|asked| {
        let reply = match (&asked.name[..1], asked.kind) {
            ("a", _) => here(asked),
            ("b", _) => asked.addresses(&["127.0.0.9"]),
            ("c", _) => asked.reply().flags(NXDOMAIN),
            // No answer for one family, or none at all.
            ("d", A) | ("e", AAAA) => here(asked),
            ("f", _) => asked.reply().address(&asked.name, 0, "127.0.0.1".parse().unwrap()),
            _ => return Vec::new(),
        };
        vec![reply.bytes()]
    });
    let addr = dns.addr();
    with_own_descriptors(|| {
        let config = config(&[addr]).with_timeout(Duration::from_millis(3)).with_attempts(2);
        let ((listener, port), mut lookups) = (upstream(), lookups(&config, 5));
        listener.set_nonblocking(true).unwrap();
        let before = open_fds();
        for seed in 0..60 {
            println!("seed {seed}");
            random_course(seed, port, &mut lookups);
            assert_eq!(open_fds(), before, "seed {seed}");
            // Makes room in the backlog.
            while listener.accept().is_ok() {}
        }
    });
}

fn random_course(seed: u64, port: u16, lookups: &mut [Lookup]) {
    const NAMES: [&str; 9] = ["a.x", "b.x", "c.x", "d.x", "e.x", "f.x", "silent.x", "localhost", "127.0.0.1"];
    let mut numbers = Numbers(seed);
    let mut slots = slots(12);
    let mut server = a_loop(&mut slots, lookups);
    // Every connection, and whether it is established.
    let mut all: HashMap<Key, bool> = HashMap::new();
    for _ in 0..200 {
        let key = all.keys().min_by_key(|key| key.to_bits() ^ seed).copied();
        match (numbers.below(8), key) {
            (0..4, _) => {
                let name = NAMES[numbers.below(NAMES.len() as u64) as usize];
                let families = [Families::Any, Families::PreferV4, Families::OnlyV4, Families::OnlyV6];
                let limit = [None, Some(Duration::from_millis(numbers.below(8)))][numbers.below(2) as usize];
                let connector = Connector::new().with_timeout(limit).with_stagger(Duration::from_millis(1));
                let families = families[numbers.below(4) as usize];
                if let Ok(key) = server.connect_to_name(name, port, families, &connector, 7) {
                    assert_eq!(all.insert(key, false), None);
                }
            }
            (4, Some(key)) => {
                assert_eq!(server.close(key), Some(7));
                all.remove(&key);
            }
            (5, Some(key)) => server.set_deadline(key, Some((server.now() + SHORT / 10, Expiry::Close))),
            _ => {
                server.wait(Some(Duration::from_millis(numbers.below(3)))).unwrap();
                while let Some(event) = server.next_event() {
                    match event {
                        Event::Connected(key) => assert_eq!(all.insert(key, true), Some(false)),
                        Event::Closing(key, reason) => {
                            let was_connected = all.remove(&key).unwrap();
                            let is_failure = matches!(reason, CloseReason::ConnectFailed(_));
                            assert!(!(was_connected && is_failure));
                            assert!(server.attempts(key).count() <= 3);
                            if numbers.below(2) == 0 {
                                assert_eq!(server.close(key), Some(7));
                            }
                        }
                        // The upstream is never accepted from, so nothing comes.
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
        assert!(all.iter().all(|(key, established)| {
            server.get(*key).is_some_and(|connection| connection.is_connecting() != *established)
        }));
    }
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
