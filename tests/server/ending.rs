//! How connections end: idle timeout, lingering close, draining.

use super::*;

#[test]
fn idle_connections_are_closed_in_order_of_last_activity() {
    let mut slots = slots(4);
    let idle = Duration::from_millis(300);
    let (mut server, addr) = server(&mut slots);
    let start = Instant::now();
    let (clients, keys): (Vec<_>, Vec<_>) = (0..3).map(|_| watched_client(&mut server, addr)).unzip();
    std::thread::sleep(idle / 3);
    clients[0].write_all(b"x").unwrap();
    echo_once(&mut server);
    // Set only now: a busy host may take as long for the lines above.
    server.set_idle_timeout(Some(idle));
    let mut closed = Vec::new();
    while closed.len() < 3 {
        let key = wait_for(&mut server, |event| match event {
            Event::Closing(key, CloseReason::IdleTimeout) => Some(key),
            _ => None,
        });
        closed.push((key, start.elapsed()));
        server.get(key).unwrap().write_all(b"bye").unwrap();
    }
    assert!(server.next_event().is_none() && server.is_empty());
    assert_eq!(closed.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [keys[1], keys[2], keys[0]]);
    assert!(closed[0].1 >= idle && closed[2].1 >= idle + idle / 3, "{closed:?}");
    for (client, text) in clients.iter().zip(["xbye", "bye", "bye"]) {
        assert_reads(client, text);
        assert_ends(client);
    }
    assert_eq!(server.counters().timed_out, 3);
}

#[test]
fn touching_a_connection_keeps_it() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap().with_idle_timeout(Some(SHORT)));
    let (_client, key) = watched_client(&mut server, addr);

    for _ in 0..3 {
        let closing = wait_for(&mut server, |event| matches!(event, Event::Closing(..)).then_some(event));
        assert!(matches!(closing, Event::Closing(closing, CloseReason::IdleTimeout) if closing == key));
        server.touch(key);
        assert!(server.next_event().is_none() && server.get(key).is_some());
    }
}

/// Reads everything slowly, and keeps writing.
#[test]
fn a_lingering_close_lets_a_peer_that_goes_on_sending_read_everything() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap().with_lingering_timeout(PATIENCE));
    let text = vec![b'r'; 100_000];
    let (client, key) = watched_client(&mut server, addr);

    client.write_all(b"request").unwrap();
    server.get(key).unwrap().write_all(&text).unwrap();
    server.get_mut(key).unwrap().data = 5;
    assert_eq!(server.close_lingering(key), Some(5));
    assert!(server.get(key).is_none() && server.is_empty());
    let mut read = Vec::new();
    while read.len() < text.len() {
        client.write_all(b"unread input").unwrap();
        echo_once_quickly(&mut server);
        let mut buffer = [0; 10_000];
        let len = client.read(&mut buffer).unwrap();
        read.extend_from_slice(&buffer[..len]);
    }
    assert_eq!(read, text);
    assert_ends(&client);
}

fn echo_once_quickly(server: &mut Server<'_, u32>) {
    assert!(events(server, Duration::ZERO).is_empty());
}

#[test]
fn a_peer_that_never_closes_is_read_from_as_long_as_the_linger_timeout() {
    with_own_descriptors(|| {
        let mut slots = slots(4);
        let server = Server::new(&mut slots[..]).unwrap().with_lingering_timeout(Duration::from_millis(200));
        let (mut server, addr) = listening(server);
        let idle = open_fds();
        let (client, key) = watched_client(&mut server, addr);
        let start = Instant::now();
        server.close_lingering(key);
        assert_ends(&client);
        while open_fds() > idle + 1 {
            assert!(events(&mut server, SECOND).is_empty());
        }
        assert!((Duration::from_millis(200)..PATIENCE).contains(&start.elapsed()), "{:?}", start.elapsed());
    });
}

#[test]
fn draining_serves_open_connections_and_the_backlog_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let unix_addr = UnixAddr::path(path.as_os_str().as_encoded_bytes()).unwrap();
    let mut slots = slots(32);
    let mut server = Server::new(&mut slots[..]).unwrap();
    let held = HeldPort::new();
    let addr = held.endpoint();
    server.listen(listen::tcp(held.addr(), &SocketOptions::new()).unwrap()).unwrap();
    server.listen(listen::unix(&unix_addr, &SocketOptions::new(), &Access::default()).unwrap()).unwrap();
    let mut clients = vec![client_at(addr), client_at(unix_addr.into())];
    echo_until(&mut server, |server| server.len() == 2);
    // These are in the backlog when draining begins.
    clients.extend((0..12).flat_map(|_| [client_at(addr), client_at(unix_addr.into())]));
    assert!(!server.is_drained());
    server.drain(PATIENCE).unwrap();
    assert_eq!((server.len(), server.listeners().count()), (26, 0));
    let refused = connect::blocking(&[addr], Connector::new().with_timeout(Some(PATIENCE))).unwrap_err();
    assert!(!path.exists() && refused.errno() == Some(anet::Errno::CONNREFUSED), "{refused}");
    for client in clients {
        client.write_all(b"x").unwrap();
        echo_until(&mut server, |_| client.read_now());
    }
    echo_until(&mut server, |server| server.is_drained());
    server.wait(None).unwrap();
    assert!(server.next_event().is_none());
}

#[test]
fn connections_open_at_the_end_of_the_grace_are_closed() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let (clients, keys): (Vec<_>, Vec<_>) = (0..2).map(|_| watched_client(&mut server, addr)).unzip();
    let start = Instant::now();
    server.drain(SHORT).unwrap();
    let mut closing = Vec::new();
    while !server.is_drained() {
        for event in events(&mut server, SECOND) {
            let Event::Closing(key, CloseReason::DrainTimeout) = event else { panic!("{event:?}") };
            closing.push(key);
        }
    }
    assert!((SHORT..PATIENCE).contains(&start.elapsed()));
    assert_eq!(closing, keys);
    clients.iter().for_each(assert_ends);
}

#[test]
fn the_idle_timeout_can_be_changed() {
    let mut slots = slots(1);
    let (mut server, addr) = server(&mut slots);
    let (_client, key) = watched_client(&mut server, addr);
    assert!(events(&mut server, SHORT).is_empty());
    server.set_idle_timeout(Some(SHORT));
    let closing = wait_for(&mut server, |event| matches!(event, Event::Closing(..)).then_some(event));
    assert!(matches!(closing, Event::Closing(idle, CloseReason::IdleTimeout) if idle == key));
}

#[test]
fn an_idle_timeout_of_zero_does_not_hold_up_the_turn() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap().with_idle_timeout(Some(Duration::ZERO)));
    let _client = client_at(addr);
    let mut reported = 0;
    eventually(PATIENCE, || {
        server.wait(Some(SHORT)).unwrap();
        while let Some(event) = server.next_event() {
            if let Some((key, _)) = closing(&event) {
                server.touch(key);
                reported += 1;
                assert!(reported < 1000, "the same event is reported forever");
            }
        }
        (reported > 3).then_some(())
    });
}

#[test]
fn a_server_that_listens_again_has_not_drained() {
    let mut slots = slots(4);
    let (mut server, _) = listening(Server::new(&mut slots[..]).unwrap());
    server.drain(Duration::ZERO).unwrap();
    assert!(server.is_drained());
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    server.listen(listener).unwrap();
    let (_client, key) = watched_client(&mut server, addr);
    assert!(!server.is_drained() && server.get(key).is_some());
    assert!(waits(&mut server, SHORT) <= 2);
}

/// More connections than one wait takes from the kernel.
#[test]
fn a_connection_with_unreported_input_is_not_idle() {
    // Other tests leave too few of the usual 1024 descriptors.
    with_own_descriptors(|| {
        let mut slots = slots(400);
        let (mut server, addr) = server(&mut slots);
        let clients: Vec<_> = (0..400).map(|_| client_at(addr)).collect();
        eventually(PATIENCE, || {
            drop(events(&mut server, Duration::ZERO));
            (server.len() == 400).then_some(())
        });
        clients.iter().for_each(|client| client.write_all(b"x").unwrap());
        server.set_idle_timeout(Some(SHORT));
        // As if the server were stopped for a while, or busy.
        std::thread::sleep(2 * SHORT);
        let closed: Vec<_> = events(&mut server, PATIENCE).iter().filter_map(closing).collect();
        assert!(closed.is_empty(), "{}", closed.len());
        let silent = eventually(PATIENCE, || {
            let reported = events(&mut server, SHORT);
            reported.iter().for_each(|event| {
                if let Event::Readable(key) = event {
                    let _ = server.get_mut(*key).unwrap().read(&mut [0; 8]);
                }
            });
            server.is_empty().then_some(server.counters().timed_out)
        });
        assert_eq!(silent, 400);
    });
}

#[test]
fn a_connection_that_drain_accepts_starts_with_a_fresh_idle_time() {
    const IDLE: Duration = SHORT.saturating_mul(4);
    in_less_than(IDLE, || {
        let mut slots = slots(4);
        let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap().with_idle_timeout(Some(IDLE)));
        std::thread::sleep(IDLE + SHORT);
        let start = Instant::now();
        let _client = client_at(addr);
        server.drain(PATIENCE).unwrap();
        (start, events(&mut server, SHORT).iter().all(|event| closing(event).is_none()))
    });
}

#[test]
fn the_linger_timeout_starts_with_the_close() {
    const LINGER: Duration = SHORT.saturating_mul(4);
    with_own_descriptors(|| {
        in_less_than(LINGER, || {
            let mut slots = slots(4);
            let server = Server::new(&mut slots[..]).unwrap().with_lingering_timeout(LINGER);
            let (mut server, addr) = listening(server);
            let (client, key) = watched_client(&mut server, addr);
            client.write_all(b"x").unwrap();
            server.wait(Some(PATIENCE)).unwrap();
            // A slow handler.
            std::thread::sleep(LINGER + SHORT);
            let start = Instant::now();
            server.close_lingering(key);
            let lingering = open_fds();
            for _ in 0..2 {
                assert!(events(&mut server, Duration::ZERO).is_empty());
            }
            (start, open_fds() == lingering)
        });
    });
}

#[test]
fn draining_accepts_with_descriptors_released_just_before() {
    with_own_descriptors(|| {
        let mut slots = slots(8);
        let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap());
        let (_first, key) = watched_client(&mut server, addr);
        let _second = client_at(addr);
        let _occupied = occupy_all_descriptors();
        assert!(matches!(events(&mut server, PATIENCE)[..], [Event::AcceptFailed(..)]));
        server.close(key);
        server.drain(SECOND).unwrap();
        assert_eq!(server.len(), 1);
    });
}

/// Every new connection is rejected, so there is always room.
#[test]
fn draining_ends_although_clients_keep_connecting() {
    let mut slots = slots(64);
    let limits = Limits::new().with_max_clients(0);
    let mut server = Server::new(&mut slots[..]).unwrap().with_admission(Admission::<1>::new(limits));
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
        // One full backlog, and the connections that waited at the start.
        assert!(accepted <= 4096, "{accepted} in {took:?}");
    });
}

#[test]
fn the_longest_durations_are_accepted() {
    let mut slots = slots(4);
    let server = Server::new(&mut slots[..]).unwrap().with_idle_timeout(Some(Duration::MAX));
    let (mut server, addr) = listening(server.with_lingering_timeout(Duration::MAX));
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
