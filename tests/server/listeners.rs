//! Listeners that come and go.

use super::*;

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
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
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
    let id = server.get(key).unwrap().listener().unwrap();
    let listener = server.unlisten(id).unwrap();
    assert!(events(&mut server, SHORT).is_empty());
    client.write_all(b"x").unwrap();
    echo_until(&mut server, |_| client.read_now());
    server.listen(listener).unwrap();
    waiting.write_all(b"x").unwrap();
    echo_until(&mut server, |_| waiting.read_now());
    assert_eq!(server.counters().accept.accepted, 2);
}

fn shut_down(listener: &Listener) -> impl FnOnce() + use<> {
    let duplicate = rustix::fd::AsFd::as_fd(listener).try_clone_to_owned().unwrap();
    move || rustix::net::shutdown(&duplicate, rustix::net::Shutdown::Both).unwrap()
}

#[test]
fn a_listener_that_is_gone_is_told_when_there_is_room_and_nothing_spins_before() {
    for listener in [any_listener(), unix_listener()] {
        let mut slots = slots(1);
        let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
        let addr = listener.local_addr().unwrap();
        let shut = shut_down(&listener);
        let id = server.listen(listener).unwrap();
        let (_client, key) = watched_client(&mut server, addr);
        let _waiting = client_at(addr);
        assert!(events(&mut server, SHORT).is_empty());
        shut();
        assert!(waits(&mut server, SHORT) <= 3);
        server.close(key);
        eventually(PATIENCE, || {
            let told = events(&mut server, SHORT);
            // Who waited at a Unix listener is served all the same.
            told.iter().for_each(|event| {
                if let Event::Opened(key) = event {
                    let _ = server.close(*key);
                }
            });
            told.iter().any(|event| matches!(event, Event::ListenerGone(gone, _) if *gone == id)).then_some(())
        });
        assert_eq!(server.listeners().count(), 0);
    }
}

#[test]
fn a_listener_that_is_gone_while_it_pauses_does_not_make_the_server_spin() {
    with_own_descriptors(|| {
        let mut slots = slots(4);
        let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
        let listener = any_listener();
        let addr = listener.local_addr().unwrap();
        let shut = shut_down(&listener);
        server
            .listen_with(
                listener,
                ListenOptions::new().with_acceptor(Acceptor::new().with_backoff(4 * SHORT, 4 * SHORT)),
            )
            .unwrap();
        let _client = client_at(addr);
        let occupied = occupy_all_descriptors();
        assert!(matches!(events(&mut server, PATIENCE)[..], [Event::AcceptFailed(..)]));
        shut();
        drop(occupied);
        // The hang-up, and the end of the pause; the wait that is told of it is the last.
        let mut waits = 0;
        let told = eventually(PATIENCE, || {
            waits += 1;
            events(&mut server, SECOND).pop()
        });
        assert!(matches!(told, Event::ListenerGone(..)) && waits <= 4, "{told:?} after {waits} waits");
    });
}

/// Its accepts say `EAGAIN` and its poller that it is readable, both for ever.
#[test]
fn a_unix_listener_that_is_gone_is_told_once_who_waits_there_is_served() {
    let mut slots = slots(4);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let listener = unix_listener();
    let _clients = [(); 2].map(|()| client_of(&listener));
    let shut = shut_down(&listener);
    server.listen(listener).unwrap();
    shut();
    let mut told = Vec::new();
    eventually(PATIENCE, || {
        told.extend(events(&mut server, SHORT));
        told.iter().any(|event| matches!(event, Event::ListenerGone(..))).then_some(())
    });
    assert_eq!(server.len(), 2);
    assert!(waits(&mut server, SHORT) <= 3);
}
