//! Who is served, and what is told.

use super::*;

#[test]
fn clients_of_all_listeners_are_served_each_with_data_of_its_own() {
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
fn a_client_that_leaves_is_read_to_its_end_and_its_slot_is_used_again() {
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
fn a_server_that_speaks_first_is_told_of_a_silent_client_once() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let client = client_at(addr);
    let key = told(&mut server, opened);
    server.get_mut(key).unwrap().write_all(b"220 ready\r\n").unwrap();
    assert_reads(&client, "220 ready\r\n");
    assert!(events(&mut server, SHORT).into_iter().all(|event| opened(event).is_none()));
    let connection = server.get(key).unwrap();
    assert_eq!(connection.peer_addr(), &client.local_addr().unwrap());
    assert_eq!(connection.stream().peer_addr().unwrap(), client.local_addr().unwrap());
}

#[test]
fn the_clock_tells_how_long_a_client_is_idle() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let (client, key) = watched_client(&mut server, addr);
    let idle = |server: &Server<'_, u32>| server.now() - server.get(key).unwrap().last_active();
    std::thread::sleep(SHORT);
    events(&mut server, Duration::ZERO);
    assert!((SHORT..PATIENCE).contains(&idle(&server)), "{:?}", idle(&server));
    client.write_all(b"x").unwrap();
    told(&mut server, |event| matches!(event, Event::Readable(_)).then_some(()));
    assert_eq!(idle(&server), Duration::ZERO);
}

#[test]
fn a_key_names_nobody_once_its_connection_is_closed() {
    let mut slots = slots(1);
    let (mut server, addr) = server(&mut slots);
    let mut keys = Vec::new();
    for _ in 0..20 {
        let _client = client_at(addr);
        let key = told(&mut server, opened);
        server.get_mut(key).unwrap().data = 7;
        assert!(!keys.contains(&key));
        assert!(keys.iter().all(|&old| server.get(old).is_none() && server.close(old).is_none()));
        assert_eq!((server.close(key), server.close(key)), (Some(7), None));
        assert!(server.take(key).is_none());
        keys.push(key);
    }
}

#[test]
fn an_event_of_a_connection_that_was_closed_meanwhile_is_not_told() {
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

/// The slots are all those that were closed, and the events are for the old keys.
#[test]
fn an_event_does_not_reach_the_next_one_in_the_slot() {
    let mut slots = slots(2);
    let (mut server, addr) = server(&mut slots);
    let (old, keys): (Vec<_>, Vec<_>) = (0..2).map(|_| watched_client(&mut server, addr)).unzip();
    old.iter().for_each(|client| client.write_all(b"x").unwrap());
    let _new = client_at(addr);
    // The events of the two come before that of the listener or after it.
    server.wait(Some(PATIENCE)).unwrap();
    assert!(keys.iter().all(|key| server.close(*key).is_some()));
    let events: Vec<_> = std::iter::from_fn(|| server.next_event()).collect();
    for event in events {
        let (Event::Opened(key) | Event::Readable(key)) = event else { panic!("{event:?}") };
        assert!(!keys.contains(&key) && server.get(key).is_some());
    }
}

#[test]
fn what_is_told_is_what_the_interest_asks_for() {
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
    // A reset is told to whoever does not want to be told of anything.
    anet::option::set_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    assert!(matches!(events(&mut server, PATIENCE)[..], [Event::Readable(k)] if k == key));
}

#[test]
fn a_new_connection_can_wait_for_room_to_write_first() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let client = client_at(addr);
    client.write_all(b"x").unwrap();
    let key = told(&mut server, opened);
    server.set_interest(key, Interest::WRITABLE);
    assert!(server.next_event().is_none());
    assert!(matches!(events(&mut server, PATIENCE)[..], [Event::Writable(k)] if k == key));
}

#[test]
fn connections_are_numbered_and_know_when_they_came() {
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
fn a_descriptor_of_the_callers_own_is_reported_with_its_id() {
    let mut slots = slots(1);
    let (mut server, _) = server(&mut slots);
    let waker = Waker::new().unwrap();
    let watched = server.watch(&waker, Interest::READABLE).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| waker.wake().unwrap());
        let id = told(&mut server, |event| match event {
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
        let (client, key) =
            if is_watched { watched_client(&mut server, addr) } else { (client_at(addr), told(&mut server, opened)) };
        let (stream, peer, data) = server.take(key).unwrap();
        assert_eq!((peer, data), (client.local_addr().unwrap(), 0));
        client.write_all(b"x").unwrap();
        assert!(events(&mut server, SHORT).is_empty() && server.is_empty());
        assert_eq!(stream.read(&mut [0; 8]), Ok(1));
    }
}

/// As when an event is handled with an early return.
#[test]
fn events_that_were_not_taken_out_are_told_after_the_next_wait() {
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
fn what_a_server_leaves_in_its_slots_is_closed_by_the_next() {
    with_own_descriptors(|| {
        let mut slots = slots(2);
        let (mut first, addr) = server(&mut slots);
        let client = client_at(addr);
        told(&mut first, opened);
        // Its slots stay as they are.
        std::mem::forget(first);
        let before = open_fds();
        let second = Server::<u32>::new(&mut slots[..]).unwrap();
        assert!(second.is_empty());
        // The connection is closed, and there is a poller more.
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
fn a_one_shot_interest_is_made_ready_again_by_setting_it_again() {
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
fn setting_an_edge_triggered_interest_again_tells_of_what_is_there() {
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
fn who_is_not_to_be_told_any_more_is_not_told_in_the_same_turn() {
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
fn who_cannot_be_watched_is_told_and_closed() {
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
fn something_can_be_given_to_all() {
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
