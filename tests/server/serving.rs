//! Serving connections, and the events that the server reports.

use super::*;

#[test]
fn clients_of_all_listeners_are_served_with_separate_data() {
    if lacks_ipv6() {
        return;
    }
    let mut slots = slots(64);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let v6 = listen::tcp(any_local_address_v6(), &SocketOptions::new()).unwrap();
    let listeners = [any_listener(), v6, unix_listener()].map(|listener| {
        let addr = listener.local_addr().unwrap();
        (server.listen(listener).unwrap(), addr)
    });
    let mut clients = Vec::new();
    for round in 1..=15 {
        for (_, addr) in &listeners {
            let client = client_at(*addr);
            client.write_all(&b"0123456789abcdef"[..round]).unwrap();
            clients.push(client);
        }
    }
    echo_until(&mut server, |server| server.iter().filter(|(_, client)| client.data > 0).count() == 45);
    for (index, client) in clients.iter().enumerate() {
        assert_reads(client, &"0123456789abcdef"[..index / 3 + 1]);
    }
    let mut by_listener = BTreeMap::<_, Vec<u32>>::new();
    for (_, client) in server.iter() {
        by_listener.entry(client.listener().unwrap()).or_default().push(client.data);
    }
    for (id, _) in listeners {
        let bytes = by_listener.get_mut(&id).unwrap();
        bytes.sort_unstable();
        assert_eq!(*bytes, (1..=15).collect::<Vec<_>>());
    }
    assert_eq!((server.len(), server.counters().accept.accepted), (45, 45));
}

#[test]
fn a_client_that_leaves_is_read_to_its_end_and_its_slot_is_reused() {
    with_own_descriptors(|| {
        let before = open_fds();
        let mut slots = slots(2);
        let (mut server, addr) = server(&mut slots);
        let idle = open_fds();
        for _ in 0..50 {
            let client = client_at(addr);
            client.write_all(b"x").unwrap();
            echo_until(&mut server, |server| server.len() == 1);
            assert_reads(&client, "x");
            drop(client);
            echo_until(&mut server, |server| server.is_empty());
            assert_eq!(open_fds(), idle);
        }
        drop(server);
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn a_server_that_speaks_first_sees_a_silent_client_opened_once() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let client = client_at(addr);
    let key = wait_for(&mut server, opened);
    server.get_mut(key).unwrap().write_all(b"220 ready\r\n").unwrap();
    assert_reads(&client, "220 ready\r\n");
    assert!(events(&mut server, SHORT).into_iter().all(|event| opened(event).is_none()));
    let connection = server.get(key).unwrap();
    assert_eq!(connection.peer_addr(), &client.local_addr().unwrap());
    assert_eq!(connection.stream().peer_addr().unwrap(), client.local_addr().unwrap());
}

#[test]
fn the_clock_shows_how_long_a_client_has_been_idle() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let (client, key) = watched_client(&mut server, addr);
    let idle = |server: &Server<'_, u32>| server.now() - server.get(key).unwrap().last_active();
    std::thread::sleep(SHORT);
    events(&mut server, Duration::ZERO);
    assert!((SHORT..PATIENCE).contains(&idle(&server)), "{:?}", idle(&server));
    client.write_all(b"x").unwrap();
    wait_for(&mut server, |event| matches!(event, Event::Readable(_)).then_some(()));
    assert_eq!(idle(&server), Duration::ZERO);
}

#[test]
fn a_key_is_invalid_once_its_connection_is_closed() {
    let mut slots = slots(1);
    let (mut server, addr) = server(&mut slots);
    let mut keys = Vec::new();
    for _ in 0..20 {
        let _client = client_at(addr);
        let key = wait_for(&mut server, opened);
        server.get_mut(key).unwrap().data = 7;
        assert!(!keys.contains(&key));
        assert!(keys.iter().all(|&old| server.get(old).is_none() && server.close(old).is_none()));
        assert_eq!((server.close(key), server.close(key)), (Some(7), None));
        assert!(server.take(key).is_none());
        keys.push(key);
    }
}

#[test]
fn pending_events_of_a_closed_connection_are_discarded() {
    let mut slots = slots(8);
    let (mut server, addr) = server(&mut slots);
    let (clients, keys): (Vec<_>, Vec<_>) = (0..4).map(|_| watched_client(&mut server, addr)).unzip();
    clients.iter().for_each(|client| client.write_all(b"x").unwrap());
    server.wait(Some(PATIENCE)).unwrap();
    let Some(Event::Readable(first)) = server.next_event() else { panic!("all four are readable") };
    for key in keys.into_iter().filter(|key| *key != first) {
        assert!(server.close(key).is_some());
    }
    assert!(server.next_event().is_none());
}

/// The new connection reuses a closed slot; pending events have the old keys.
#[test]
fn an_event_does_not_reach_the_next_connection_in_the_slot() {
    let mut slots = slots(2);
    let (mut server, addr) = server(&mut slots);
    let (old, keys): (Vec<_>, Vec<_>) = (0..2).map(|_| watched_client(&mut server, addr)).unzip();
    old.iter().for_each(|client| client.write_all(b"x").unwrap());
    let _new = client_at(addr);
    // The events of the two may come before the listener's or after it.
    server.wait(Some(PATIENCE)).unwrap();
    assert!(keys.iter().all(|key| server.close(*key).is_some()));
    let events: Vec<_> = std::iter::from_fn(|| server.next_event()).collect();
    for event in events {
        let (Event::Opened(key) | Event::Readable(key)) = event else { panic!("{event:?}") };
        assert!(!keys.contains(&key) && server.get(key).is_some());
    }
}

#[test]
fn only_events_of_the_interest_are_reported() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let (client, key) = watched_client(&mut server, addr);

    client.write_all(b"x").unwrap();
    server.set_interest(key, Interest::WRITABLE);
    assert!(matches!(events(&mut server, PATIENCE)[..], [Event::Writable(k)] if k == key));
    server.set_interest(key, Interest::READABLE | Interest::WRITABLE);
    assert!(
        matches!(events(&mut server, PATIENCE)[..], [Event::Readable(a), Event::Writable(b)] if a == key && b == key)
    );
    server.set_interest(key, Interest::empty());
    assert!(events(&mut server, SHORT).is_empty());
    // A reset is reported even with an empty interest.
    anet::option::set_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    assert!(matches!(events(&mut server, PATIENCE)[..], [Event::Readable(k)] if k == key));
}

#[test]
fn a_new_connection_can_wait_to_be_writable_first() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let client = client_at(addr);
    client.write_all(b"x").unwrap();
    let key = wait_for(&mut server, opened);
    server.set_interest(key, Interest::WRITABLE);
    assert!(server.next_event().is_none());
    assert!(matches!(events(&mut server, PATIENCE)[..], [Event::Writable(k)] if k == key));
}

#[test]
fn connections_have_a_number_and_an_accept_time() {
    let mut slots = slots(1);
    let (mut server, addr) = server(&mut slots);
    let mut before = server.now();
    for number in 1..=3 {
        let (_client, key) = watched_client(&mut server, addr);
        let connection = server.get(key).unwrap();
        assert_eq!(connection.id(), number);
        assert!((before..=server.now()).contains(&connection.opened_at()));
        before = server.now();
        server.close(key);
    }
    assert_eq!(server.counters().admitted, 3);
}

#[test]
fn a_watched_descriptor_is_reported_with_its_id() {
    let mut slots = slots(1);
    let (mut server, _) = server(&mut slots);
    let waker = Waker::new().unwrap();
    let watched = server.watch(&waker, Interest::READABLE).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| waker.wake().unwrap());
        let id = wait_for(&mut server, |event| match event {
            Event::Watched(id, ready) if ready.is_readable() => Some(id),
            _ => None,
        });
        assert_eq!(id, watched);
    });
    assert!(server.unwatch(watched) && !server.unwatch(watched));
    assert!(events(&mut server, SHORT).is_empty());
}

#[test]
fn a_connection_can_be_given_away() {
    let mut slots = slots(2);
    let (mut server, addr) = server(&mut slots);
    for is_watched in [true, false] {
        let (client, key) = if is_watched {
            watched_client(&mut server, addr)
        } else {
            (client_at(addr), wait_for(&mut server, opened))
        };
        let (stream, peer, data) = server.take(key).unwrap();
        assert_eq!((peer, data), (client.local_addr().unwrap(), 0));
        client.write_all(b"x").unwrap();
        assert!(events(&mut server, SHORT).is_empty() && server.is_empty());
        assert_eq!(stream.read(&mut [0; 8]), Ok(1));
    }
}

/// A handler that returns early leaves events unread.
#[test]
fn unread_events_are_reported_after_the_next_wait() {
    let mut slots = slots(8);
    let (mut server, addr) = server(&mut slots);
    let clients: Vec<_> = (0..5).map(|_| client_at(addr)).collect();
    clients.iter().for_each(|client| client.write_all(b"x").unwrap());
    let start = Instant::now();
    for client in &clients {
        while !client.read_now() {
            assert!(start.elapsed() < PATIENCE);
            server.wait(None).unwrap();
            if let Some(Event::Readable(key)) = server.next_event() {
                echo(&mut server, key);
            }
        }
    }
    assert_eq!(server.len(), 5);
}

#[test]
fn connections_left_in_slots_are_closed_by_the_next_server() {
    with_own_descriptors(|| {
        let mut slots = slots(2);
        let (mut first, addr) = server(&mut slots);
        let client = client_at(addr);
        wait_for(&mut first, opened);
        // The slots keep their connections.
        std::mem::forget(first);
        let before = open_fds();
        let second = Server::<u32>::new(&mut slots[..]).unwrap();
        assert!(second.is_empty());
        // The connection is closed; the new server adds a poller.
        assert_eq!(open_fds(), before);
        assert_ends(&client);
    });
}

#[test]
fn a_half_closed_client_is_answered() {
    let mut slots = slots(2);
    let (mut server, addr) = server(&mut slots);
    let client = client_at(addr);
    client.write_all(b"x").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    echo_until(&mut server, |server| server.counters().accept.accepted == 1 && server.is_empty());
    assert_reads(&client, "x");
    assert_ends(&client);
}

#[test]
fn setting_a_one_shot_interest_again_rearms_it() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap());
    let (client, key) = watched_client(&mut server, addr);
    let once = Interest::READABLE | Interest::ONE_SHOT;
    client.write_all(b"x").unwrap();
    for _ in 0..3 {
        server.set_interest(key, once);
        assert!(matches!(events(&mut server, PATIENCE)[..], [Event::Readable(k)] if k == key));
        assert!(events(&mut server, SHORT).is_empty());
    }
}

#[test]
fn setting_an_edge_triggered_interest_again_reports_pending_input() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap());
    let (client, key) = watched_client(&mut server, addr);
    client.write_all(b"x").unwrap();
    for _ in 0..3 {
        server.set_interest(key, Interest::READABLE | Interest::EDGE);
        assert!(
            matches!(events(&mut server, PATIENCE)[..], [Event::Ready(k, ready)] if k == key && ready.is_readable())
        );
        assert!(events(&mut server, SHORT).is_empty());
    }
}

#[test]
fn clearing_an_interest_takes_effect_in_the_same_turn() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap());
    let clients = [(); 2].map(|()| watched_client(&mut server, addr));
    clients.iter().for_each(|(client, _)| client.write_all(b"x").unwrap());
    std::thread::sleep(SHORT);
    server.wait(Some(PATIENCE)).unwrap();
    let Some(Event::Readable(first)) = server.next_event() else { panic!("both are readable") };
    let other = clients.iter().map(|(_, key)| *key).find(|key| *key != first).unwrap();
    server.set_interest(other, Interest::empty());
    let rest: Vec<_> = std::iter::from_fn(|| server.next_event()).collect();
    assert!(rest.is_empty(), "{rest:?}");
}

/// `EPOLLEXCLUSIVE` cannot be combined with `EPOLLRDHUP`.
#[test]
fn a_connection_that_cannot_be_watched_is_reported_and_closed() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap());
    let client = client_at(addr);
    let mut reasons = Vec::new();
    eventually(PATIENCE, || {
        server.wait(Some(SHORT)).unwrap();
        while let Some(event) = server.next_event() {
            if let Event::Opened(key) = event {
                server.set_interest(key, Interest::READ_HANGUP | Interest::EXCLUSIVE);
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
fn a_message_can_be_sent_to_all_connections() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let (clients, keys): (Vec<_>, Vec<_>) = (0..3).map(|_| watched_client(&mut server, addr)).unzip();
    server.close_lingering(keys[1]);
    let mut given = Vec::new();
    for (key, connection) in server.iter_mut() {
        connection.data = 7;
        connection.write_all(b"news").unwrap();
        given.push(key);
    }
    given.sort_unstable();
    assert_eq!(given, [keys[0], keys[2]]);
    assert!(server.iter().all(|(_, connection)| connection.data == 7));
    assert_reads(&clients[0], "news");
    assert_ends(&clients[1]);
}
