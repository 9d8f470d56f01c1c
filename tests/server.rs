//! The server: who is served, who waits, who is turned away, and how connections end.

mod support;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anet::{
    Endpoint, Error, Listener, Profile, Stream, UnixAddr,
    accept::{Admission, Engine, Limits, Reason},
    connect::{self, Source},
    event::{Interest, Waker},
    listen::{self, Access},
    server::{CloseReason, Event, Key, LISTENERS_MAX, Server, Slot},
    stream::Shutdown,
};
use support::*;

const SHORT: Duration = Duration::from_millis(50);

fn slots<T>(count: usize) -> Vec<Slot<T>> {
    std::iter::repeat_with(|| Slot::VACANT).take(count).collect()
}

/// A server with a listener, and where that is.
fn listening(server: Server<'_, u32>) -> (Server<'_, u32>, Endpoint) {
    let mut server = server;
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    server.listen(listener).unwrap();
    (server, addr)
}

fn server(slots: &mut [Slot<u32>]) -> (Server<'_, u32>, Endpoint) {
    listening(Server::new(slots).unwrap())
}

/// Waits once and takes all events out.
fn events<const N: usize>(server: &mut Server<'_, u32, N>, time: Duration) -> Vec<Event> {
    server.wait(Some(time)).unwrap();
    std::iter::from_fn(|| server.next_event()).collect()
}

/// Waits until something of this kind has been told, and returns what.
fn told<T, const N: usize>(server: &mut Server<'_, u32, N>, mut what: impl FnMut(Event) -> Option<T>) -> T {
    eventually(SECOND, || {
        server.wait(Some(SHORT)).unwrap();
        while let Some(event) = server.next_event() {
            if let Some(found) = what(event) {
                return Some(found);
            }
        }
        None
    })
}

fn opened(event: Event) -> Option<Key> {
    if let Event::Opened(key) = event { Some(key) } else { None }
}

/// A client that has connected and has not spoken, and its key, once the server watches it.
fn watched_client<const N: usize>(server: &mut Server<'_, u32, N>, addr: Endpoint) -> (Stream, Key) {
    let client = client_at(addr);
    let key = told(server, opened);
    while server.next_event().is_some() {}
    (client, key)
}

/// One turn of a server that sends back what it reads and counts the bytes.
fn echo_once<const N: usize>(server: &mut Server<'_, u32, N>) {
    server.wait(Some(SHORT)).unwrap();
    while let Some(event) = server.next_event() {
        if let Event::Readable(key) = event {
            echo(server, key);
        }
    }
}

fn echo<const N: usize>(server: &mut Server<'_, u32, N>, key: Key) {
    let client = server.get_mut(key).unwrap();
    let mut buffer = [0; 64];
    match client.read(&mut buffer) {
        Ok(len @ 1..) => {
            client.data += len as u32;
            client.write_all(&buffer[..len]).unwrap();
        }
        Err(error) if error.is_would_block() => {}
        Ok(_) | Err(_) => drop(server.close(key)),
    }
}

/// Serves until the condition holds.
fn echo_until<const N: usize>(server: &mut Server<'_, u32, N>, mut done: impl FnMut(&Server<'_, u32, N>) -> bool) {
    let start = Instant::now();
    while !done(server) {
        assert!(start.elapsed() < 10 * SECOND);
        echo_once(server);
    }
}

fn assert_reads(client: &Stream, text: &str) {
    let mut buffer = vec![0; text.len()];
    client.set_read_timeout(Some(5 * SECOND)).unwrap();
    client.read_exact(&mut buffer).unwrap();
    assert_eq!(String::from_utf8_lossy(&buffer), text);
}

/// The end, and not a reset.
fn assert_ends(client: &Stream) {
    client.set_read_timeout(Some(5 * SECOND)).unwrap();
    assert_eq!(client.read(&mut [0; 64]), Ok(0));
}

fn unix_listener() -> Listener {
    listen::unix(&UnixAddr::UNNAMED, &Profile::new(), &Access::default()).unwrap()
}

#[test]
fn clients_of_all_listeners_are_served_each_with_data_of_its_own() {
    let mut slots = slots(64);
    let mut server = Server::<u32>::new(&mut slots).unwrap();
    let v6 = listen::tcp(any_local_address_v6(), &Profile::new()).unwrap();
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
        by_listener.entry(client.listener()).or_default().push(client.data);
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
    assert_eq!(connection.peer(), &client.local_addr().unwrap());
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
    assert!((SHORT..10 * SECOND).contains(&idle(&server)), "{:?}", idle(&server));
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
        assert!(server.set_interest(key, Interest::WRITABLE).is_ok() && server.take(key).unwrap().is_none());
        keys.push(key);
    }
}

#[test]
fn an_event_of_a_connection_that_was_closed_meanwhile_is_not_told() {
    let mut slots = slots(8);
    let (mut server, addr) = server(&mut slots);
    let (clients, keys): (Vec<_>, Vec<_>) = (0..4).map(|_| watched_client(&mut server, addr)).unzip();
    clients.iter().for_each(|client| client.write_all(b"x").unwrap());
    server.wait(Some(SECOND)).unwrap();
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
    server.wait(Some(SECOND)).unwrap();
    assert!(keys.iter().all(|key| server.close(*key).is_some()));
    let events: Vec<_> = std::iter::from_fn(|| server.next_event()).collect();
    for event in events {
        let (Event::Opened(key) | Event::Readable(key)) = event else { panic!("{event:?}") };
        assert!(!keys.contains(&key) && server.get(key).is_some());
    }
}

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

trait ReadNow {
    fn read_now(&self) -> bool;
}

impl ReadNow for Stream {
    /// Reads an `x` if it has come.
    fn read_now(&self) -> bool {
        self.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        match self.read(&mut [0; 8]) {
            Err(error) if error.is_would_block() => false,
            read => read.unwrap() == 1,
        }
    }
}

fn admitting(limits: Limits, slots: &mut [Slot<u32>]) -> (Server<'_, u32, 8>, Endpoint) {
    let mut server = Server::with_admission(slots, Admission::<8>::new(limits)).unwrap();
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    server.listen(listener).unwrap();
    (server, addr)
}

#[test]
fn who_is_rejected_reads_why_whether_it_has_spoken_or_not() {
    let mut slots = slots(8);
    let (mut server, addr) = admitting(Limits::new().with_max_clients(1), &mut slots);
    let _first = client_at(addr);
    let [silent, talker] = [client_at(addr), client_at(addr)];
    talker.write_all(b"PING\r\n").unwrap();
    echo_until(&mut server, |server| server.counters().rejected == 2);
    for client in [silent, talker] {
        // What is sent after the rejection does not turn the end into a reset either.
        client.write_all(b"PING\r\n").unwrap();
        echo_once(&mut server);
        assert_reads(&client, Reason::MaxClients.message());
        assert_ends(&client);
    }
    assert_eq!((server.len(), server.admission().clients()), (1, 1));
}

#[test]
fn the_text_for_the_rejected_is_the_servers_own() {
    let mut slots = slots(4);
    let server = Server::with_admission(&mut slots, Admission::new(Limits::new().with_max_clients(0))).unwrap();
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
fn a_source_may_have_as_many_as_it_may_and_gets_a_place_back() {
    let mut slots = slots(8);
    let (mut server, addr) = admitting(Limits::new().with_max_per_source(Some(2)), &mut slots);
    let mut clients: Vec<_> = (0..3).map(|_| client_at(addr)).collect();
    echo_until(&mut server, |server| server.len() == 2 && server.counters().rejected == 1);
    assert_reads(&clients.pop().unwrap(), Reason::MaxPerSource.message());
    clients.pop();
    echo_until(&mut server, |server| server.len() == 1);
    let again = client_at(addr);
    again.write_all(b"x").unwrap();
    echo_until(&mut server, |_| again.read_now());
}

/// The slots of those who were rejected are for whoever is admitted.
#[test]
fn who_is_on_the_way_out_makes_room() {
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
fn who_is_idle_is_closed_in_the_order_of_the_last_activity() {
    let mut slots = slots(4);
    let idle = Duration::from_millis(300);
    let (mut server, addr) = listening(Server::new(&mut slots).unwrap().with_idle_timeout(Some(idle)));
    let (clients, keys): (Vec<_>, Vec<_>) = (0..3).map(|_| watched_client(&mut server, addr)).unzip();
    let start = Instant::now();
    std::thread::sleep(idle / 3);
    clients[0].write_all(b"x").unwrap();
    echo_once(&mut server);
    let mut closed = Vec::new();
    while closed.len() < 3 {
        let key = told(&mut server, |event| match event {
            Event::Closing(key, CloseReason::IdleTimeout) => Some(key),
            _ => None,
        });
        closed.push((key, start.elapsed()));
        server.get(key).unwrap().write_all(b"bye").unwrap();
    }
    assert!(server.next_event().is_none() && server.is_empty());
    assert_eq!(closed.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [keys[1], keys[2], keys[0]]);
    // The first clients may have come a little before the time was taken.
    assert!(closed[0].1 + SHORT >= idle && closed[2].1 + SHORT >= idle + idle / 3, "{closed:?}");
    for (client, text) in clients.iter().zip(["xbye", "bye", "bye"]) {
        assert_reads(client, text);
        assert_ends(client);
    }
    assert_eq!(server.counters().timed_out, 3);
}

#[test]
fn who_is_touched_is_kept() {
    let mut slots = slots(4);
    let (mut server, addr) = listening(Server::new(&mut slots).unwrap().with_idle_timeout(Some(SHORT)));
    let (_client, key) = watched_client(&mut server, addr);

    for _ in 0..3 {
        let closing = told(&mut server, |event| matches!(event, Event::Closing(..)).then_some(event));
        assert!(matches!(closing, Event::Closing(closing, CloseReason::IdleTimeout) if closing == key));
        server.touch(key);
        assert!(server.next_event().is_none() && server.get(key).is_some());
    }
}

#[test]
fn what_is_told_is_what_the_interest_asks_for() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let (client, key) = watched_client(&mut server, addr);

    client.write_all(b"x").unwrap();
    server.set_interest(key, Interest::WRITABLE).unwrap();
    assert!(matches!(events(&mut server, SECOND)[..], [Event::Writable(k)] if k == key));
    server.set_interest(key, Interest::READABLE | Interest::WRITABLE).unwrap();
    assert!(
        matches!(events(&mut server, SECOND)[..], [Event::Readable(a), Event::Writable(b)] if a == key && b == key)
    );
    server.set_interest(key, Interest::empty()).unwrap();
    assert!(events(&mut server, SHORT).is_empty());
    // A reset is told to whoever does not want to be told of anything.
    anet::option::set_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    assert!(matches!(events(&mut server, SECOND)[..], [Event::Readable(k)] if k == key));
}

#[test]
fn a_new_connection_can_wait_for_room_to_write_first() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let client = client_at(addr);
    client.write_all(b"x").unwrap();
    let key = told(&mut server, opened);
    server.set_interest(key, Interest::WRITABLE).unwrap();
    assert!(server.next_event().is_none());
    assert!(matches!(events(&mut server, SECOND)[..], [Event::Writable(k)] if k == key));
}

/// Reads everything, slowly, while more is written.
#[test]
fn a_lingering_close_lets_a_peer_that_goes_on_sending_read_everything() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let text = vec![b'r'; 100_000];
    let (client, key) = watched_client(&mut server, addr);

    client.write_all(b"request").unwrap();
    server.get(key).unwrap().write_all(&text).unwrap();
    server.get_mut(key).unwrap().data = 5;
    assert_eq!(server.close_lingering(key), Some(5));
    assert!(server.get(key).is_none() && server.is_empty());
    let mut read = Vec::new();
    while read.len() < text.len() {
        client.write_all(b"more that nobody reads").unwrap();
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
        let server = Server::new(&mut slots).unwrap().with_linger_timeout(Duration::from_millis(200));
        let (mut server, addr) = listening(server);
        let idle = open_fds();
        let (client, key) = watched_client(&mut server, addr);
        let start = Instant::now();
        server.close_lingering(key);
        assert_ends(&client);
        while open_fds() > idle + 1 {
            assert!(events(&mut server, SECOND).is_empty());
        }
        assert!((Duration::from_millis(200)..SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
    });
}

#[test]
fn draining_serves_the_backlog_and_who_is_there_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let unix_addr = UnixAddr::path(path.as_os_str().as_encoded_bytes()).unwrap();
    let mut slots = slots(32);
    let (mut server, addr) = server(&mut slots);
    server.listen(listen::unix(&unix_addr, &Profile::new(), &Access::default()).unwrap()).unwrap();
    let mut clients = vec![client_at(addr), client_at(unix_addr.into())];
    echo_until(&mut server, |server| server.len() == 2);
    // They are in the backlog when the server begins to drain.
    clients.extend((0..12).flat_map(|_| [client_at(addr), client_at(unix_addr.into())]));
    assert!(!server.is_drained());
    server.drain(10 * SECOND).unwrap();
    assert_eq!((server.len(), server.listeners().count()), (26, 0));
    assert!(!path.exists() && connect::blocking(&[addr], Source::Any, Some(SECOND)).is_err());
    for client in clients {
        client.write_all(b"x").unwrap();
        echo_until(&mut server, |_| client.read_now());
    }
    echo_until(&mut server, |server| server.is_drained());
    server.wait(None).unwrap();
    assert!(server.next_event().is_none());
}

#[test]
fn who_is_still_there_when_the_grace_is_over_is_closed() {
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
    assert!((SHORT..SECOND).contains(&start.elapsed()));
    assert_eq!(closing, keys);
    clients.iter().for_each(assert_ends);
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
        // Room for one, which serves them all one after the other.
        occupied.pop();
        for client in clients {
            echo_until(&mut server, |_| client.read_now());
        }
        assert_eq!(server.counters().accept.accepted, 10);
    });
}

#[test]
fn a_listener_that_is_gone_is_told_and_the_others_serve_on() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let gone = any_listener();
    let shut = rustix::fd::AsFd::as_fd(&gone).try_clone_to_owned().unwrap();
    let id = server.listen(gone).unwrap();
    rustix::net::shutdown(&shut, rustix::net::Shutdown::Both).unwrap();
    let told_id = told(&mut server, |event| match event {
        Event::ListenerGone(id, error) => Some((id, error.errno())),
        _ => None,
    });
    assert_eq!(told_id, (id, Some(anet::Errno::INVAL)));
    assert_eq!(server.listeners().count(), 1);
    let client = client_at(addr);
    client.write_all(b"x").unwrap();
    echo_until(&mut server, |_| client.read_now());
}

#[test]
fn there_is_room_for_so_many_listeners_at_a_time() {
    let mut slots = slots(1);
    let mut server = Server::<u32>::new(&mut slots).unwrap();
    let ids: Vec<_> = (0..LISTENERS_MAX).map(|_| server.listen(unix_listener()).unwrap()).collect();
    let error = server.listen(unix_listener()).unwrap_err();
    assert_eq!(error.cause(), anet::error::Cause::TooManyAddresses);
    assert!(server.unlisten(ids[7]).is_some() && server.unlisten(ids[7]).is_none());
    let id = server.listen(unix_listener()).unwrap();
    assert!(!ids.contains(&id) && server.unlisten(id).is_some());
}

#[test]
fn a_listener_that_is_given_back_keeps_its_backlog_and_its_connections() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let (client, key) = watched_client(&mut server, addr);
    let waiting = client_at(addr);
    let id = server.get(key).unwrap().listener();
    let listener = server.unlisten(id).unwrap();
    assert!(events(&mut server, SHORT).is_empty());
    client.write_all(b"x").unwrap();
    echo_until(&mut server, |_| client.read_now());
    server.listen(listener).unwrap();
    waiting.write_all(b"x").unwrap();
    echo_until(&mut server, |_| waiting.read_now());
    assert_eq!(server.counters().accept.accepted, 2);
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
fn the_idle_timeout_can_be_changed() {
    let mut slots = slots(1);
    let (mut server, addr) = server(&mut slots);
    let (_client, key) = watched_client(&mut server, addr);
    assert!(events(&mut server, SHORT).is_empty());
    server.set_idle_timeout(Some(SHORT));
    let closing = told(&mut server, |event| matches!(event, Event::Closing(..)).then_some(event));
    assert!(matches!(closing, Event::Closing(idle, CloseReason::IdleTimeout) if idle == key));
}

/// The pause would last ten seconds.
#[test]
fn a_descriptor_that_the_author_closes_ends_a_pause() {
    with_own_descriptors(|| {
        let mut slots = slots(4);
        let mut server = Server::<u32>::new(&mut slots).unwrap();
        let listener = any_listener();
        let client = client_of(&listener);
        server.listen_with(listener, Engine::new().with_backoff(10 * SECOND, 10 * SECOND)).unwrap();
        let occupied = occupy_all_descriptors();
        told(&mut server, |event| matches!(event, Event::AcceptFailed(..)).then_some(()));
        drop(occupied);
        server.released();
        client.write_all(b"x").unwrap();
        echo_until(&mut server, |_| client.read_now());
    });
}

#[test]
fn a_descriptor_of_the_callers_own_is_told_of_by_its_number() {
    let mut slots = slots(1);
    let (mut server, _) = server(&mut slots);
    let waker = Waker::new().unwrap();
    server.watch(&waker, u32::MAX, Interest::READABLE).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| waker.wake().unwrap());
        let number = told(&mut server, |event| match event {
            Event::Watched(number, event) if event.is_readable() => Some(number),
            _ => None,
        });
        assert_eq!(number, u32::MAX);
    });
    server.unwatch(&waker).unwrap();
    assert!(events(&mut server, SHORT).is_empty());
}

#[test]
fn a_connection_can_be_given_away() {
    let mut slots = slots(2);
    let (mut server, addr) = server(&mut slots);
    for is_watched in [true, false] {
        let (client, key) =
            if is_watched { watched_client(&mut server, addr) } else { (client_at(addr), told(&mut server, opened)) };
        let (stream, peer, data) = server.take(key).unwrap().unwrap();
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
            assert!(start.elapsed() < 5 * SECOND);
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
        let second = Server::<u32>::new(&mut slots).unwrap();
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
fn without_slots_nobody_is_accepted_and_nothing_spins() {
    let (mut server, addr) = server(&mut []);
    let _client = client_at(addr);
    assert!(events(&mut server, SECOND).is_empty());
    let start = Instant::now();
    assert!(events(&mut server, SHORT).is_empty());
    assert!(start.elapsed() >= SHORT);
}
