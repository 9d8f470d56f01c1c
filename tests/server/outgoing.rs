//! Outgoing connections, and connections inserted by the caller.

use super::*;

/// A listener whose backlog is full, so the kernel drops new connections.
fn full_listener() -> (Listener, Vec<Stream>) {
    let listener = listen::tcp(any_local_address(), &SocketOptions::new().with_backlog(0)).unwrap();
    let clients = (0..64).map_while(|_| {
        connect::blocking(&[listener.local_addr().unwrap()], Connector::new().with_timeout(Some(4 * SHORT))).ok()
    });
    let clients = clients.collect();
    (listener, clients)
}

fn connected(event: Event) -> Option<Key> {
    if let Event::Connected(key) = event { Some(key) } else { None }
}

fn failure(event: Event) -> Option<(Key, Error)> {
    match event {
        Event::Closing(key, CloseReason::ConnectFailed(error)) => Some((key, error)),
        _ => None,
    }
}

#[test]
fn an_outgoing_connection_is_reported_and_carries_bytes_both_ways() {
    for listener in [any_listener(), unix_listener()] {
        let addrs = [listener.local_addr().unwrap()];
        let mut slots = slots(2);
        let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
        let key = server.connect(&addrs, &Connector::new(), 7).unwrap();
        assert!(server.get(key).unwrap().is_connecting() && server.is_empty());
        assert_eq!(wait_for(&mut server, connected), key);
        let (peer, _) = accept_within(&listener, SECOND);
        let connection = server.get(key).unwrap();
        assert_eq!((connection.data, connection.peer_addr(), connection.listener()), (7, &addrs[0], None));
        assert!(!connection.is_connecting() && server.len() == 1);
        connection.write_all(b"ping").unwrap();
        eventually(SECOND, || peer.read(&mut [0; 4]).ok());
        peer.write_all(b"x").unwrap();
        let readable = |event| if let Event::Readable(key) = event { Some(key) } else { None };
        assert_eq!(wait_for(&mut server, readable), key);
        echo(&mut server, key);
        assert_eq!(eventually(SECOND, || peer.read(&mut [0; 4]).ok()), 1);
    }
}

#[test]
fn an_address_that_refuses_gives_way_to_the_next() {
    let dead = HeldPort::new();
    let listener = any_listener();
    let addrs = [
        dead.endpoint(),
        Endpoint::from(UnixAddr::path("/nonexistent/socket").unwrap()),
        listener.local_addr().unwrap(),
    ];
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let key = server.connect(&addrs, &Connector::new(), 0).unwrap();
    assert_eq!(wait_for(&mut server, connected), key);
    assert_eq!(server.get(key).unwrap().peer_addr(), &addrs[2]);
}

#[test]
fn when_every_address_refuses_the_last_error_is_the_reason_and_nothing_stays_open() {
    with_own_descriptors(|| {
        let dead = [(); 3].map(|()| HeldPort::new());
        let addrs = dead.each_ref().map(HeldPort::endpoint);
        let mut slots = slots(1);
        let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
        let before = open_fds();
        for _ in 0..20 {
            let key = server.connect(&addrs, &Connector::new(), 5).unwrap();
            let (failed, error) = wait_for(&mut server, failure);
            assert_eq!((failed, error.errno()), (key, Some(anet::Errno::CONNREFUSED)));
            // The data can be taken out only now.
            assert_eq!(server.get(key).unwrap().data, 5);
            assert!(server.next_event().is_none() && server.get(key).is_none());
            assert_eq!(open_fds(), before);
        }
    });
}

#[test]
fn an_immediate_failure_returns_its_error() {
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let nowhere = Endpoint::from(UnixAddr::path("/nonexistent/socket").unwrap());
    let refused = server.connect_to(nowhere, &Connector::new(), 5).unwrap_err();
    assert_eq!((refused.value, refused.error.errno()), (5, Some(anet::Errno::NOENT)));
    let refused = server.connect(&[], &Connector::new(), 6).unwrap_err();
    assert_eq!((refused.value, refused.error.cause()), (6, anet::error::Cause::NothingToTry));
    let listener = any_listener();
    server.connect_to(listener.local_addr().unwrap(), &Connector::new(), 7).unwrap();
    let refused = server.connect_to(listener.local_addr().unwrap(), &Connector::new(), 8).unwrap_err();
    assert_eq!((refused.value, refused.error.cause()), (8, anet::error::Cause::NoRoom));
}

#[test]
fn an_address_that_does_not_answer_gives_way_after_the_stagger() {
    let (full, _clients) = full_listener();
    let listener = any_listener();
    let addrs = [full.local_addr().unwrap(), listener.local_addr().unwrap()];
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let start = Instant::now();
    let key = server.connect(&addrs, &Connector::new().with_stagger(2 * SHORT), 0).unwrap();
    assert_eq!(wait_for(&mut server, connected), key);
    assert!((2 * SHORT..SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(server.get(key).unwrap().peer_addr(), &addrs[1]);
}

#[test]
fn the_timeout_of_all_addresses_ends_the_attempts() {
    let (full, _clients) = full_listener();
    let addrs = [full.local_addr().unwrap(); 4];
    let connector = Connector::new().with_stagger(2 * SHORT).with_timeout(Some(3 * SHORT));
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let start = Instant::now();
    let key = server.connect(&addrs, &connector, 0).unwrap();
    let (failed, error) = wait_for(&mut server, failure);
    assert_eq!((failed, error.errno()), (key, Some(anet::Errno::TIMEDOUT)));
    assert!((3 * SHORT..SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
}

/// The attempts of a dial, and the slot of each that runs beside another.
#[test]
fn the_first_of_several_attempts_wins_and_the_others_are_closed() {
    let connector = Connector::new().with_stagger(SHORT);
    with_own_descriptors(|| {
        let ((full, _clients), listener) = (full_listener(), any_listener());
        let (silent, good) = (full.local_addr().unwrap(), listener.local_addr().unwrap());
        for (list, slots_needed) in [(vec![silent, silent, good], 3), (vec![silent, silent, silent, good], 4)] {
            let (mut slots, before) = (slots(slots_needed), open_fds());
            let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
            let key = server.connect(&list, &connector, 7).unwrap();
            assert_eq!(wait_for(&mut server, connected), key);
            let outcomes: Vec<_> = server.attempts(key).collect();
            let silents = list[1..].iter().map(|_| (silent, Outcome::Abandoned));
            assert_eq!(outcomes, silents.chain([(good, Outcome::Connected)]).collect::<Vec<_>>());
            let connection = server.get(key).unwrap();
            assert_eq!((connection.data, connection.peer_addr(), connection.is_connecting()), (7, &good, false));
            assert_eq!(connection.stream().peer_addr().unwrap(), good);
            // The poller, and the connection.
            assert_eq!(open_fds(), before + 2);
            assert!(server.next_event().is_none());
            assert_eq!((server.attempts(key).count(), server.len()), (0, 1));
            // It is watched under its own key, and the other slots are vacant.
            let (peer, _) = accept_within(&listener, SECOND);
            peer.write_all(b"x").unwrap();
            let readable = |event| if let Event::Readable(key) = event { Some(key) } else { None };
            assert_eq!(wait_for(&mut server, readable), key);
            for _ in 1..slots_needed {
                server.connect_to(silent, &connector, 8).unwrap();
            }
        }
    });
}

#[test]
fn a_rival_that_fails_leaves_the_first_attempt_running() {
    let (full, _clients) = full_listener();
    let (silent, dead) = (full.local_addr().unwrap(), HeldPort::new());
    let list = [silent, dead.endpoint()];
    let mut slots = slots(2);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let connector = Connector::new().with_stagger(SHORT).with_timeout(Some(4 * SHORT));
    let key = server.connect(&list, &connector, 7).unwrap();
    eventually(SECOND, || {
        assert!(events(&mut server, SHORT / 4).is_empty());
        server.attempts(key).any(|(_, outcome)| outcome != Outcome::Running).then_some(())
    });
    let refused = Outcome::Failed(Error::new(anet::Op::Connect, anet::Errno::CONNREFUSED));
    let outcomes: Vec<_> = server.attempts(key).collect();
    assert_eq!(outcomes, [(silent, Outcome::Running), (list[1], refused)]);
    assert!(server.get(key).unwrap().is_connecting());
    let (failed, error) = wait_for(&mut server, failure);
    // The refusal says more than the silence.
    assert_eq!((failed, error.errno()), (key, Some(anet::Errno::CONNREFUSED)));
    assert_eq!(server.get(key).unwrap().peer_addr(), &list[1]);
    let timed_out = Outcome::Failed(Error::new(anet::Op::Connect, anet::Errno::TIMEDOUT));
    assert!(server.attempts(key).eq([(silent, timed_out), (list[1], refused)]));
    assert!(server.next_event().is_none() && server.get(key).is_none());
}

/// The socket of the first attempt fails while the second is running, which then becomes the connection's own.
#[test]
fn a_rival_becomes_the_connections_own_when_the_first_attempt_fails() {
    with_own_descriptors(|| {
        let (late, clients) = full_listener();
        let ((full, _clients), before) = (full_listener(), open_fds());
        let (silent, list) = (late.local_addr().unwrap(), [late.local_addr().unwrap(), full.local_addr().unwrap()]);
        let mut slots = slots(2);
        let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
        let key = server.connect(&list, &Connector::new().with_stagger(SHORT), 7).unwrap();
        eventually(SECOND, || {
            assert!(events(&mut server, SHORT).is_empty());
            (server.attempts(key).count() == 2).then_some(())
        });
        assert_eq!((open_fds(), server.get(key).unwrap().peer_addr()), (before + 3, &silent));
        // The kernel repeats its request after a second, and then it is refused.
        drop((late, clients));
        eventually(10 * SECOND, || {
            assert!(events(&mut server, SHORT).is_empty());
            (server.get(key).unwrap().peer_addr() == &list[1]).then_some(())
        });
        assert!(server.get(key).unwrap().is_connecting());
        full.accept().unwrap();
        assert_eq!(wait_for(&mut server, connected), key);
        assert_eq!(server.get(key).unwrap().stream().peer_addr().unwrap(), list[1]);
    });
}

#[test]
fn closing_a_connection_closes_all_its_attempts() {
    with_own_descriptors(|| {
        let (full, _clients) = full_listener();
        let list = [full.local_addr().unwrap(); 4];
        let mut slots = slots(4);
        let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
        let before = open_fds();
        for close in [Server::close, Server::close_lingering, |server: &mut Server<'_, u32>, key| {
            server.take(key).map(|(.., data)| data)
        }] {
            let key = server.connect(&list, &Connector::new().with_stagger(SHORT), 7).unwrap();
            eventually(SECOND, || {
                assert!(events(&mut server, SHORT).is_empty());
                (open_fds() == before + 4).then_some(())
            });
            assert_eq!(close(&mut server, key), Some(7));
            assert_eq!(open_fds(), before);
        }
    });
}

/// The port is the client's own, so the kernel connects the socket to itself.
#[test]
fn a_connection_to_itself_is_refused() {
    let held = HeldPort::new();
    let connector = Connector::new().with_local_addr(LocalAddr::Bound(held.addr()));
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    for _ in 0..10 {
        let key = server.connect_to(held.endpoint(), &connector, 0).unwrap();
        let (failed, error) = wait_for(&mut server, failure);
        assert_eq!((failed, error.cause()), (key, anet::error::Cause::SelfConnected));
        assert!(server.next_event().is_none());
    }
}

#[test]
fn a_unix_server_with_a_full_backlog_is_connected_to_once_there_is_room() {
    let listener = listen::unix(&UnixAddr::UNNAMED, &SocketOptions::new().with_backlog(0), &Access::default()).unwrap();
    let addr = listener.local_addr().unwrap();
    let _fills_the_backlog = client_at(addr);
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let key = server.connect_to(addr, &Connector::new(), 7).unwrap();
    for _ in 0..10 {
        assert!(events(&mut server, SHORT).is_empty());
    }
    assert!(server.get(key).unwrap().is_connecting());
    accept_within(&listener, SECOND);
    assert_eq!(wait_for(&mut server, connected), key);
    server.get(key).unwrap().write_all(b"ping").unwrap();
}

#[test]
fn many_connections_share_a_list_and_too_many_lists_are_refused() {
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    let lists = [[addr]; anet::server::ROUTES_MAX + 1];
    let mut slots = slots(200);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    for _ in 0..100 {
        server.connect(&lists[0], &Connector::new(), 0).unwrap();
    }
    for list in &lists[1..lists.len() - 1] {
        server.connect(list, &Connector::new(), 0).unwrap();
    }
    assert!(server.connect(&lists[lists.len() - 1], &Connector::new(), 0).is_err());
    let made = anet::server::ROUTES_MAX + 99;
    eventually(5 * SECOND, || {
        drop(events(&mut server, SHORT));
        (server.len() == made).then_some(())
    });
    // The lists are no longer in use.
    server.connect(&lists[lists.len() - 1], &Connector::new(), 0).unwrap();
}

#[test]
fn a_connection_that_is_being_made_can_be_closed() {
    with_own_descriptors(|| {
        let (full, _clients) = full_listener();
        let mut slots = slots(1);
        let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
        let before = open_fds();
        for _ in 0..2 * anet::server::ROUTES_MAX {
            let key = server.connect_to(full.local_addr().unwrap(), &Connector::new(), 9).unwrap();
            assert!(events(&mut server, Duration::ZERO).is_empty());
            assert_eq!(server.close(key), Some(9));
            assert_eq!(open_fds(), before);
        }
    });
}

#[test]
fn draining_gives_up_connections_that_are_being_made_when_the_grace_is_over() {
    let (full, _clients) = full_listener();
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let key = server.connect_to(full.local_addr().unwrap(), &Connector::new(), 9).unwrap();
    server.drain(SHORT).unwrap();
    assert!(!server.is_drained());
    let closed = wait_for(&mut server, |event| closing(&event));
    assert_eq!(closed, (key, CloseReason::DrainTimeout));
    assert!(server.next_event().is_none() && server.is_drained());
}

#[test]
fn an_inserted_connection_is_served_like_any_other() {
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let (client, stream) = connected_pair();
    anet::option::set_nonblocking(&stream, false).unwrap();
    let peer = client.local_addr().unwrap();
    let key = server.insert(stream, peer, 0).unwrap();
    client.write_all(b"x").unwrap();
    echo_until(&mut server, |_| client.read_now());
    assert_eq!((server.get(key).unwrap().data, server.get(key).unwrap().peer_addr()), (1, &peer));
    let (_other, stream) = connected_pair();
    let refused = server.insert(stream, peer, 3).unwrap_err();
    assert_eq!(refused.value.1, 3);
    // It can be given away and taken back.
    let (stream, peer, data) = server.take(key).unwrap();
    let key = server.insert(stream, peer, data).unwrap();
    client.write_all(b"x").unwrap();
    echo_until(&mut server, |_| client.read_now());
    assert_eq!(server.get(key).unwrap().data, 2);
}
