//! Adding, removing and losing listeners.

use super::*;

#[test]
fn a_listener_that_is_gone_is_reported_and_the_others_keep_serving() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let gone = any_listener();
    let shut = rustix::fd::AsFd::as_fd(&gone).try_clone_to_owned().unwrap();
    let id = server.listen(gone).unwrap();
    rustix::net::shutdown(&shut, rustix::net::Shutdown::Both).unwrap();
    let reported_id = wait_for(&mut server, |event| match event {
        Event::ListenerGone(id, error) => Some((id, error.errno())),
        _ => None,
    });
    assert_eq!(reported_id, (id, Some(anet::Errno::INVAL)));
    assert_eq!(server.listeners().count(), 1);
    let client = client_at(addr);
    client.write_all(b"x").unwrap();
    echo_until(&mut server, |_| client.read_now());
}

#[test]
fn the_number_of_listeners_is_limited() {
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
fn a_removed_listener_keeps_its_backlog_and_its_connections() {
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
fn a_listener_that_is_gone_is_reported_once_there_is_room_without_spinning() {
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
            let reported = events(&mut server, SHORT);
            // Connections in a Unix listener's backlog are still served.
            reported.iter().for_each(|event| {
                if let Event::Opened(key) = event {
                    let _ = server.close(*key);
                }
            });
            reported.iter().any(|event| matches!(event, Event::ListenerGone(gone, _) if *gone == id)).then_some(())
        });
        assert_eq!(server.listeners().count(), 0);
    }
}

#[test]
fn a_listener_that_is_gone_during_a_pause_does_not_make_the_server_spin() {
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
        // One wait for the hang-up, one for the end of the pause; the last one reports the loss.
        let mut waits = 0;
        let reported = eventually(PATIENCE, || {
            waits += 1;
            events(&mut server, SECOND).pop()
        });
        assert!(matches!(reported, Event::ListenerGone(..)) && waits <= 4, "{reported:?} after {waits} waits");
    });
}

/// Accepting fails with `EAGAIN` and the poller reports it readable, both indefinitely.
#[test]
fn a_unix_listener_that_is_gone_is_reported_once_its_backlog_is_served() {
    let mut slots = slots(4);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let listener = unix_listener();
    let _clients = [(); 2].map(|()| client_of(&listener));
    let shut = shut_down(&listener);
    server.listen(listener).unwrap();
    shut();
    let mut reported = Vec::new();
    eventually(PATIENCE, || {
        reported.extend(events(&mut server, SHORT));
        reported.iter().any(|event| matches!(event, Event::ListenerGone(..))).then_some(())
    });
    assert_eq!(server.len(), 2);
    assert!(waits(&mut server, SHORT) <= 3);
}
