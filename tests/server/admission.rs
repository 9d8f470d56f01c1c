//! Admission: waiting in the backlog, and rejection.

use super::*;

#[test]
fn with_all_slots_taken_clients_wait_in_the_backlog_until_one_is_free() {
    let mut slots = slots(3);
    let (mut server, addr) = server(&mut slots);
    let clients: Vec<_> = (0..20).map(|_| client_at(addr)).collect();
    clients.iter().for_each(|client| client.write_all(b"x").unwrap());
    echo_until(&mut server, |server| server.len() == 3);
    let start = Instant::now();
    let mut turns = 0;
    while start.elapsed() < SHORT {
        turns += 1;
        assert!(events(&mut server, SHORT).is_empty());
    }
    assert!(turns <= 3 && server.len() == 3, "{turns} turns");
    let mut served = 0;
    for client in clients {
        echo_until(&mut server, |_| client.read_now());
        served += 1;
    }
    assert_eq!((served, server.counters().accept.accepted, server.counters().rejected), (20, 20, 0));
}

#[test]
fn a_rejected_client_reads_the_reason_even_if_it_has_sent_something() {
    let mut slots = slots(8);
    let (mut server, addr) = admitting(Limits::new().with_max_clients(1), &mut slots);
    let _first = client_at(addr);
    let [silent, talker] = [client_at(addr), client_at(addr)];
    talker.write_all(b"PING\r\n").unwrap();
    echo_until(&mut server, |server| server.counters().rejected == 2);
    for client in [silent, talker] {
        // Input after the rejection does not turn the close into a reset either.
        client.write_all(b"PING\r\n").unwrap();
        echo_once(&mut server);
        assert_reads(&client, redis::rejection(Reason::MaxClients));
        assert_ends(&client);
    }
    assert_eq!((server.len(), server.admission().clients()), (1, 1));
}

#[test]
fn the_rejection_message_is_configurable() {
    let mut slots = slots(4);
    let server = Server::new(&mut slots[..]).unwrap().with_admission(Admission::new(Limits::new().with_max_clients(0)));
    let (mut server, addr) = listening(server.with_rejection(|reason| match reason {
        Reason::MaxClients => b"503 come back later\n",
        _ => b"403 no\n",
    }));
    let client = client_at(addr);
    echo_until(&mut server, |server| server.counters().rejected == 1);
    assert_reads(&client, "503 come back later\n");
    assert_ends(&client);
}

#[test]
fn the_limit_per_source_holds_and_a_close_frees_a_place() {
    let mut slots = slots(8);
    let (mut server, addr) = admitting(Limits::new().with_max_per_source(Some(2)), &mut slots);
    let mut clients: Vec<_> = (0..3).map(|_| client_at(addr)).collect();
    echo_until(&mut server, |server| server.len() == 2 && server.counters().rejected == 1);
    assert_reads(&clients.pop().unwrap(), redis::rejection(Reason::MaxPerSource));
    clients.pop();
    echo_until(&mut server, |server| server.len() == 1);
    let again = client_at(addr);
    again.write_all(b"x").unwrap();
    echo_until(&mut server, |_| again.read_now());
}

/// A rejected connection gives up its slot to an admitted one.
#[test]
fn a_closing_connection_makes_room() {
    let mut slots = slots(2);
    let (mut server, addr) = admitting(Limits::new().with_max_clients(1), &mut slots);
    let first = client_at(addr);
    echo_until(&mut server, |server| server.len() == 1);
    let _rejected = client_at(addr);
    echo_until(&mut server, |server| server.counters().rejected == 1);
    server.set_limits(Limits::new());
    let second = client_at(addr);
    second.write_all(b"x").unwrap();
    echo_until(&mut server, |_| second.read_now());
    assert_eq!(server.len(), 2);
    drop(first);
}

#[test]
fn without_descriptors_clients_wait_and_are_served_as_soon_as_one_is_closed() {
    with_own_descriptors(|| {
        let mut slots = slots(64);
        let (mut server, addr) = server(&mut slots);
        let clients: Vec<_> = (0..10).map(|_| client_at(addr)).collect();
        clients.iter().for_each(|client| client.write_all(b"x").unwrap());
        let mut occupied = occupy_all_descriptors();
        let mut failures: Vec<Error> = Vec::new();
        let start = Instant::now();
        let mut turns = 0;
        while start.elapsed() < 5 * SHORT {
            failures.extend(events(&mut server, SHORT).into_iter().filter_map(|event| match event {
                Event::AcceptFailed(_, error) => Some(error),
                _ => None,
            }));
            turns += 1;
        }
        assert!(failures.len() == 1 && failures[0].is_out_of_files(), "{failures:?}");
        assert!(turns < 40, "{turns}");
        // Room for one at a time, which serves all in sequence.
        occupied.pop();
        for client in clients {
            echo_until(&mut server, |_| client.read_now());
        }
        assert_eq!(server.counters().accept.accepted, 10);
    });
}

/// The pause alone would outlast the test.
#[test]
fn a_descriptor_that_the_caller_closes_ends_a_pause() {
    with_own_descriptors(|| {
        let mut slots = slots(4);
        let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
        let listener = any_listener();
        let client = client_of(&listener);
        let acceptor = Acceptor::new().with_backoff(10 * PATIENCE, 10 * PATIENCE);
        server.listen_with(listener, ListenOptions::new().with_acceptor(acceptor)).unwrap();
        let occupied = occupy_all_descriptors();
        wait_for(&mut server, |event| matches!(event, Event::AcceptFailed(..)).then_some(()));
        drop(occupied);
        server.notify_release();
        client.write_all(b"x").unwrap();
        echo_until(&mut server, |_| client.read_now());
    });
}

#[test]
fn without_slots_no_connection_is_accepted_and_nothing_spins() {
    let (mut server, addr) = server(&mut []);
    let _client = client_at(addr);
    assert!(events(&mut server, SECOND).is_empty());
    let start = Instant::now();
    assert!(events(&mut server, SHORT).is_empty());
    assert!(start.elapsed() >= SHORT);
}

#[test]
fn a_closing_connection_gives_up_its_descriptor_to_a_new_one() {
    with_own_descriptors(|| {
        let mut slots = slots(64);
        // Their linger timeout is as long as the test.
        let (mut server, addr) = admitting(Limits::new(), &mut slots);
        server.set_limits(Limits::new().with_max_clients(0));
        let rejected: Vec<_> = (0..4).map(|_| client_at(addr)).collect();
        eventually(PATIENCE, || {
            drop(events(&mut server, SHORT));
            (server.counters().rejected == 4).then_some(())
        });
        server.set_limits(Limits::new());
        let _clients: Vec<_> = (0..2).map(|_| client_at(addr)).collect();
        let _occupied = occupy_all_descriptors();
        eventually(PATIENCE, || {
            drop(events(&mut server, SECOND));
            (server.len() == 2).then_some(())
        });
        drop(rejected);
    });
}

#[test]
fn with_a_reserve_clients_without_a_descriptor_read_the_reason_at_once() {
    with_own_descriptors(|| {
        let mut slots = slots(64);
        let reserve = anet::accept::Reserve::new(b"no descriptors\r\n").unwrap();
        let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap().with_reserve(reserve));
        let clients: Vec<_> = (0..6).map(|_| client_at(addr)).collect();
        let mut occupied = occupy_all_descriptors();
        (0..2).for_each(|_| occupied.pop());
        eventually(PATIENCE, || {
            assert!(!events(&mut server, SHORT).iter().any(|event| matches!(event, Event::AcceptFailed(..))));
            (server.counters().accept.shed == 4).then_some(())
        });
        assert_eq!(server.len(), 2);
        for client in &clients[2..] {
            assert_reads(client, "no descriptors\r\n");
            assert_ends(client);
        }
        assert!(waits(&mut server, SHORT) <= 3);
    });
}
