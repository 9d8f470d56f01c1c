//! The system calls of a server's connection, and a connection that cannot be watched.

use std::{
    io::{BufRead, Read},
    net::TcpStream,
};

use anet::server::{CloseReason, Event, Server, Slot};

use crate::{
    trace::{between_marks, traced, traced_beside},
    *,
};

/// In sequence.
const CONNECTIONS: usize = 1000;
const READ: &str = "recvfrom";
const WRITE: &str = "sendto";

/// Echoes input, closes connections whose peer has closed, and passes every other event to `tell`.
fn serve_once(server: &mut Server<'_, u32>, mut tell: impl FnMut(Event)) {
    server.wait(PATIENCE).unwrap();
    while let Some(event) = server.next_event() {
        let Event::Readable(key) = event else {
            tell(event);
            continue;
        };
        let client = server.get_mut(key).unwrap();
        let mut buf = [0; 64];
        match client.read(&mut buf) {
            Ok(len @ 1..) => client.write_all(&buf[..len]).unwrap(),
            Err(error) if error.is_would_block() => {}
            Ok(_) | Err(_) => drop(server.close(key)),
        }
    }
}

/// A server with one client in its listener's backlog.
fn with_server(client_asks: bool, test: impl FnOnce(Server<'_, u32>, Stream)) {
    let (listener, _poller, mut clients) = tcp_with_clients(&options(), 1);
    let client = clients.remove(0);
    if client_asks {
        client.write_all(b"ask").unwrap();
    }
    let mut slots = [const { Slot::VACANT }; 4];
    let mut server = Server::new(&mut slots[..]).unwrap();
    server.listen(listener).unwrap();
    test(server, client);
}

fn serve_between_marks(server: &mut Server<'_, u32>) {
    between_marks((), |()| serve_once(server, |event| assert!(matches!(event, Event::Opened(_)))));
}

#[test]
#[ignore = "needs strace"]
fn a_connection_that_closes_after_its_request_is_never_watched() {
    let trace = traced(&[], || {
        with_server(true, |mut server, client| {
            client.shutdown(anet::stream::Shutdown::Write).unwrap();
            serve_between_marks(&mut server);
            assert!(server.is_empty());
        });
    });
    let calls = [&[WAIT], accepted(), &["getsockopt", READ, WRITE, READ, "close"]].concat();
    assert_eq!(trace.between_marks(), calls);
}

#[test]
#[ignore = "needs strace"]
fn a_connection_that_stays_is_watched_after_its_first_turn() {
    let trace = traced(&[], || {
        with_server(true, |mut server, client| {
            serve_between_marks(&mut server);
            client.write_all(b"again").unwrap();
            serve_between_marks(&mut server);
            drop(client);
            serve_between_marks(&mut server);
            assert!(server.is_empty());
        });
    });
    let first = [&[WAIT], accepted(), &["getsockopt", READ, WRITE, READ, "epoll_ctl"]].concat();
    assert_eq!(trace.between_marks(), [&first[..], &[WAIT, READ, WRITE], &[WAIT, READ, "close"]].concat());
}

/// The amortised cost, all waits and queries included. However slow the client is, its connection is reported only with
/// its request, which carries the end of the stream.
#[test]
#[ignore = "needs strace"]
fn short_connections_in_sequence_cost_at_most_seven_calls_each() {
    let work = || {
        let mut slots = [const { Slot::VACANT }; 4];
        let mut server = Server::new(&mut slots[..]).unwrap();
        let listener = tcp(&options().with_tcp_defer_accept(PATIENCE));
        println!("port {}", listener.local_addr().unwrap().as_inet().unwrap().port());
        server.listen(listener).unwrap();
        between_marks((), |()| {
            while server.counters().accept.accepted < CONNECTIONS as u64 || !server.is_empty() {
                serve_once(&mut server, |event| assert!(matches!(event, Event::Opened(_))));
            }
        });
    };
    let trace = traced_beside(&[], work, |said| {
        let port = said.lines().find_map(|line| line.unwrap().split_once("port ")?.1.parse().ok()).unwrap();
        (0..CONNECTIONS).for_each(|_| ask_and_go(port));
    });
    let calls = trace.between_marks().len();
    println!("{calls} calls for {CONNECTIONS} connections");
    // Without `accept4` its replacement costs more calls.
    let most = 7 + accepted().len() - 1;
    assert!((5 * CONNECTIONS..=most * CONNECTIONS).contains(&calls), "{calls}");
}

fn ask_and_go(port: u16) {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // Held back until the end of the stream follows.
    rustix::net::send(&client, b"?", rustix::net::SendFlags::MORE).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    client.read_exact(&mut [0]).unwrap();
}

/// Clients that wait for the server to speak first, or are slow to send a request.
#[test]
#[ignore = "needs strace"]
fn silent_connections_are_soon_no_longer_read() {
    let trace = traced(&[], || {
        let (listener, _poller, _clients) = tcp_with_clients(&options(), MANY);
        let mut slots = [const { Slot::VACANT }; MANY];
        let mut server = Server::new(&mut slots[..]).unwrap();
        server.listen(listener).unwrap();
        serve_between_marks(&mut server);
        assert_eq!(server.len(), MANY);
    });
    let calls = trace.between_marks();
    let reads = calls.iter().filter(|call| **call == READ).count();
    // Two reads, at once and at the end of the turn, for each of the first, second, third and sixth connection.
    assert_eq!((calls.iter().filter(|call| **call == "epoll_ctl").count(), reads), (MANY, 8));
}

#[test]
#[ignore = "needs strace"]
fn a_connection_that_cannot_be_watched_is_reported_and_closed() {
    for errno in ["ENOSPC", "ENOMEM"] {
        let trace = traced(&[&format!("epoll_ctl:error={errno}:when=3+")], || {
            with_server(false, |mut server, client| {
                let mut reported = Vec::new();
                between_marks((), |()| {
                    serve_once(&mut server, |event| {
                        if let Event::Closing(_, CloseReason::Unwatched(error)) = event {
                            reported.push(error.op());
                        }
                    });
                });
                assert_eq!((reported, server.len()), (vec![Op::EventControl], 0));
                assert_eq!(client.read(&mut [0]), Ok(0));
            });
        });
        // One call to watch it, and one to learn the reason, which may have passed.
        assert_eq!(trace.between_marks_matching("(INJECTED)"), 2);
    }
}
