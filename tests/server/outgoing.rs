//! Outgoing connections, and connections inserted by the caller.

use super::*;

/// A listener whose backlog is full, so the kernel drops new connections.
fn full_listener() -> (Listener, Vec<Stream>) {
    let listener = listen::tcp(any_local_address(), &SocketOptions::new().with_backlog(0)).unwrap();
    let clients = (0..64).map_while(|_| {
        connect::blocking(&[listener.local_addr().unwrap()], Connector::new().with_attempt_timeout(Some(4 * SHORT)))
            .ok()
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
fn an_address_that_does_not_answer_gives_way_after_the_attempts_timeout() {
    let (full, _clients) = full_listener();
    let listener = any_listener();
    let addrs = [full.local_addr().unwrap(), listener.local_addr().unwrap()];
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let start = Instant::now();
    let key = server.connect(&addrs, &Connector::new().with_attempt_timeout(Some(2 * SHORT)), 0).unwrap();
    assert_eq!(wait_for(&mut server, connected), key);
    assert!((2 * SHORT..SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(server.get(key).unwrap().peer_addr(), &addrs[1]);
}

#[test]
fn the_timeout_of_all_addresses_ends_the_attempts() {
    let (full, _clients) = full_listener();
    let addrs = [full.local_addr().unwrap(); 4];
    let connector = Connector::new().with_attempt_timeout(Some(2 * SHORT)).with_timeout(Some(3 * SHORT));
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let start = Instant::now();
    let key = server.connect(&addrs, &connector, 0).unwrap();
    let (failed, error) = wait_for(&mut server, failure);
    assert_eq!((failed, error.errno()), (key, Some(anet::Errno::TIMEDOUT)));
    assert!((3 * SHORT..SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
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
