//! How connections of a server to names end, and what is left of them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anet::{
    Op,
    connect::Connector,
    error::Cause,
    resolve::Families,
    server::{CloseReason, Event, Expiry, Key, Lookup, Server as Loop},
};

use super::{
    config,
    named::{SHORT, a_loop, closing, connect, connected, failed, here, idle, lookups, slots, upstream, wait_for},
    server::{A, AAAA, NXDOMAIN, Server, dead_server},
    support::{SECOND, open_fds, with_own_descriptors},
};

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
