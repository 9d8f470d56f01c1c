//! Closing by name, and what it does to the peer and to the port.

use std::{
    fs,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anet::{
    Endpoint, Errno, Error, Listener, Op, SocketOptions, Stream,
    error::Cause,
    listen, option,
    stream::{Deadline, Incomplete, Shutdown},
};

use crate::support::*;

const LIMIT: Duration = Duration::from_millis(100);

/// A client and a server's end: TCP and Unix. The server's end blocks in the first two, and not in the others.
fn pairs() -> Vec<(Stream, Stream)> {
    let mut pairs = vec![connected_pair(), Stream::pair().unwrap(), connected_pair(), Stream::pair().unwrap()];
    for (number, (_, server)) in pairs.iter_mut().enumerate() {
        option::set_nonblocking(server, number >= 2).unwrap();
    }
    pairs
}

/// The bytes that arrive before the end or a reset, and whether it was the end.
fn read_all(stream: &Stream) -> (usize, bool) {
    let mut buf = vec![0; 65536];
    let mut read = 0;
    loop {
        match stream.read(&mut buf) {
            Ok(0) => return (read, true),
            Ok(len) => read += len,
            Err(_) => return (read, false),
        }
    }
}

/// Half of it is still in the server's send buffer when the server closes.
const ANSWER: usize = 200_000;
const UPLOAD: usize = 1_000_000;

/// How many of `peers` clients read a whole answer and then the end, if each is sending a megabyte when the server
/// answers and closes.
fn served(peers: usize, close: fn(Stream)) -> usize {
    let listener =
        listen::tcp(any_local_address(), &SocketOptions::new().with_send_buffer_size(Some(400_000))).unwrap();
    let server_addr = listener.local_addr().unwrap();
    thread::scope(|scope| {
        let clients = scope.spawn(move || {
            let upload = vec![b'u'; UPLOAD];
            let served = |_: &usize| {
                let client = client_at(server_addr);
                // A reset fails the upload; the client still reads what it can.
                let _ = client.write_all(&upload);
                read_all(&client) == (ANSWER, true)
            };
            (0..peers).filter(served).count()
        });
        let answer = vec![b'a'; ANSWER];
        for _ in 0..peers {
            let (stream, _) = accept_within(&listener, PATIENCE);
            stream.read_exact_deadline(&mut [0; 1000], Deadline::after(PATIENCE)).unwrap();
            stream.write_all_deadline(&answer, Deadline::after(PATIENCE)).unwrap();
            close(stream);
        }
        clients.join().unwrap()
    })
}

#[test]
fn closed_lingering_1000_of_1000_peers_that_are_still_sending_read_the_whole_answer() {
    let lingering = served(1000, |stream| {
        let discarded = stream.close_lingering(2 * UPLOAD, Deadline::after(PATIENCE)).unwrap();
        assert_eq!(discarded, UPLOAD - 1000);
    });
    let plain = served(1000, drop);
    println!("whole answers of 1000: {lingering} closed lingering, {plain} closed plainly");
    assert_eq!(lingering, 1000);
    assert!(plain < 1000, "{plain}");
}

#[test]
fn a_peer_that_closes_ends_the_lingering_with_the_number_of_bytes_discarded() {
    for (client, server) in pairs() {
        client.write_all(&[0; 100_000]).unwrap();
        let client = thread::spawn(move || {
            let answer = read_all(&client);
            client.write_all(&[0; 50_000]).unwrap();
            answer
        });
        server.write_all(b"answer").unwrap();
        assert_eq!(server.close_lingering(1_000_000, Deadline::after(PATIENCE)), Ok(150_000));
        assert_eq!(client.join().unwrap(), (6, true));
    }
}

#[test]
fn a_silent_peer_is_given_up_at_the_deadline() {
    for (client, server) in pairs() {
        client.write_all(b"abc").unwrap();
        let start = Instant::now();
        let Incomplete { done, error } = server.close_lingering(100, Deadline::after(LIMIT)).unwrap_err();
        assert_eq!((done, error.cause()), (3, Cause::DeadlinePassed));
        assert!(start.elapsed() >= LIMIT && start.elapsed() < PATIENCE);
        assert_eq!(client.read(&mut [0]), Ok(0));
    }
}

#[test]
fn a_peer_that_dribbles_does_not_postpone_the_deadline() {
    for (client, server) in pairs() {
        let is_over = &AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) && client.write(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(5));
                }
            });
            let start = Instant::now();
            let Incomplete { done, error } =
                interrupted(|| server.close_lingering(100_000, Deadline::after(LIMIT)).unwrap_err());
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(error.cause(), Cause::DeadlinePassed);
            assert!(done > 0 && start.elapsed() < PATIENCE, "{done}");
        });
    }
}

#[test]
fn a_flood_is_given_up_at_the_limit() {
    for (client, server) in pairs() {
        thread::scope(|scope| {
            scope.spawn(|| while client.write_all(&[0; 65536]).is_ok() {});
            let Incomplete { done, error } = server.close_lingering(1_000_003, Deadline::after(PATIENCE)).unwrap_err();
            assert_eq!((done, error.cause()), (1_000_003, Cause::LimitReached));
            assert_eq!(error.to_string(), "read: Limit reached");
        });
    }
}

#[test]
fn a_peer_that_is_gone_or_resets_ends_the_lingering_at_once() {
    let (client, server) = connected_pair();
    client.abort().unwrap();
    eventually(PATIENCE, || server.take_error().unwrap());
    let gone = server.close_lingering(100, Deadline::after(PATIENCE)).unwrap_err();
    assert_eq!((gone.done, gone.error), (0, Error::new(Op::Shutdown, Errno::NOTCONN)));

    let (client, server) = connected_pair();
    let client = thread::spawn(move || {
        assert_eq!(client.read(&mut [0]), Ok(0));
        client.abort().unwrap();
    });
    let reset = server.close_lingering(100, Deadline::after(PATIENCE)).unwrap_err();
    assert_eq!(reset.error, Error::new(Op::Read, Errno::CONNRESET));
    client.join().unwrap();
}

#[test]
fn closing_by_any_name_leaves_no_descriptor_open() {
    with_own_descriptors(|| {
        let before = open_fds();
        for (client, server) in pairs() {
            drop(client);
            let _ = server.close_lingering(10, Deadline::after(PATIENCE));
        }
        for (_client, server) in pairs() {
            let _ = server.close_lingering(10, Deadline::after(Duration::ZERO));
        }
        for (client, server) in pairs() {
            server.abort().unwrap();
            drop(client);
        }
        assert_eq!(open_fds(), before);
    });
}

/// How many segments bring a client an answer and the end.
fn segments_of(write: fn(&Stream, &[u8]) -> Result<(), Incomplete>, close: fn(Stream)) -> u32 {
    let (client, server) = connected_pair();
    server.set_nodelay(true).unwrap();
    let segments = || option::tcp_info(&client).unwrap().segments_received().unwrap();
    let before = segments();
    write(&server, b"answer").unwrap();
    close(server);
    assert_eq!(read_all(&client), (6, true));
    segments() - before
}

#[test]
fn the_end_travels_with_the_last_write() {
    assert_eq!(segments_of(Stream::write_all, drop), 2);
    assert_eq!(segments_of(Stream::write_last, drop), 1);
    assert_eq!(segments_of(Stream::write_last, |server| server.shutdown(Shutdown::Write).unwrap()), 1);
}

#[test]
fn a_last_write_that_does_not_fit_loses_nothing() {
    for (client, server) in pairs().split_off(2) {
        let answer: Vec<u8> = (0..20_000_000u32).map(|number| number as u8).collect();
        let Incomplete { mut done, error } = server.write_last(&answer).unwrap_err();
        assert!(done > 0 && error.is_would_block(), "{done} {error}");
        let reading = thread::spawn(move || {
            let mut read = vec![0; 20_000_000];
            (client.read_exact(&mut read), client.read(&mut [0; 1]), read)
        });
        while let Err(more) = server.write_last(&answer[done..]) {
            assert!(more.error.is_would_block(), "{more}");
            done += more.done;
            thread::sleep(Duration::from_millis(1));
        }
        drop(server);
        let (whole, end, read) = reading.join().unwrap();
        assert_eq!((whole, end), (Ok(()), Ok(0)));
        assert!(read == answer);
    }
}

#[test]
fn unread_input_turns_a_plain_close_into_a_reset() {
    for (client, server) in pairs() {
        client.write_all(b"unread").unwrap();
        eventually(PATIENCE, || (server.recv_queue_bytes() == Ok(6)).then_some(()));
        drop(server);
        let error = eventually(PATIENCE, || client.read(&mut [0]).err());
        assert_eq!(error, Error::new(Op::Read, Errno::CONNRESET));
    }
}

#[test]
fn an_aborted_connection_is_reset_and_its_unsent_bytes_are_lost() {
    let (client, server) = connected_pair();
    let Incomplete { done, .. } = server.write_all(&vec![0; 50_000_000]).unwrap_err();
    server.abort().unwrap();
    let (read, was_end) = read_all(&client);
    assert!(!was_end && read < done, "{read} of {done}");
}

#[test]
fn an_aborted_unix_stream_ends_like_a_closed_one() {
    let (client, server) = Stream::pair().unwrap();
    server.write_all(b"answer").unwrap();
    server.abort().unwrap();
    assert_eq!(read_all(&client), (6, true));
}

/// The connections in `TIME_WAIT` with this local port.
fn time_waits(port: u16) -> usize {
    const TIME_WAIT: &str = "06";
    let table = fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let port = format!(":{port:04X}");
    let is_one = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next().is_some_and(|local| local.ends_with(&port));
        local && fields.nth(1) == Some(TIME_WAIT)
    };
    table.lines().skip(1).filter(is_one).count()
}

fn port(endpoint: anet::Result<Endpoint>) -> u16 {
    endpoint.unwrap().as_inet().unwrap().port()
}

#[test]
fn the_side_that_closes_first_is_left_in_time_wait_and_after_a_reset_neither_is() {
    for first in ["client", "server", "abort"] {
        let listener = any_listener();
        let client = client_of(&listener);
        let (server, _) = accept_within(&listener, PATIENCE);
        option::set_nonblocking(&server, false).unwrap();
        let ports = [port(client.local_addr()), port(listener.local_addr())];
        let (one, other) = if first == "client" { (client, server) } else { (server, client) };
        if first == "abort" {
            one.abort().unwrap();
        } else {
            drop(one);
        }
        read_all(&other);
        drop(other);
        let expected = match first {
            "client" => [1, 0],
            "server" => [0, 1],
            _ => [0, 0],
        };
        eventually(PATIENCE, || (ports.map(time_waits) == expected).then_some(()));
    }
}

/// A server that closes a connection first and ends: its port stays in `TIME_WAIT`.
fn port_in_time_wait(reuse: bool, ip: &str) -> SocketAddr {
    let options = SocketOptions::new().with_reuse_address(reuse);
    let listener = listen::tcp(format!("{ip}:0").parse().unwrap(), &options).unwrap();
    let addr = listener.local_addr().unwrap();
    let client = client_of(&listener);
    let (server, _) = accept_within(&listener, PATIENCE);
    drop((server, listener));
    assert_eq!(client.read(&mut [0]), Ok(0));
    drop(client);
    eventually(PATIENCE, || (time_waits(port(Ok(addr))) > 0).then_some(()));
    addr.as_inet().unwrap()
}

#[test]
fn a_server_restarts_on_its_port_only_if_it_had_and_has_so_reuseaddr() {
    let restart = |addr, reuse| -> Result<Listener, _> {
        listen::tcp(addr, &SocketOptions::new().with_reuse_address(reuse)).map_err(|error| error.error())
    };
    let in_use = Error::new(Op::Bind, Errno::ADDRINUSE);
    // An address of its own, so that no other socket takes the port meanwhile.
    let with = port_in_time_wait(true, "127.73.0.1");
    assert_eq!(restart(with, false).unwrap_err(), in_use);
    drop(restart(with, true).unwrap());
    let without = port_in_time_wait(false, "127.73.0.2");
    assert_eq!(restart(without, false).unwrap_err(), in_use);
    // The old connections are without it.
    assert_eq!(restart(without, true).unwrap_err(), in_use);
}

#[test]
fn a_listener_has_so_reuseaddr_by_default() {
    let addr = port_in_time_wait(true, "127.73.0.3");
    listen::tcp(addr, &SocketOptions::new()).unwrap();
}

#[test]
fn with_so_linger_a_close_blocks_even_if_the_socket_does_not() {
    let (client, server) = connected_pair();
    let Incomplete { done, error } = server.write_all(&vec![0; 50_000_000]).unwrap_err();
    assert!(error.is_would_block());
    server.set_linger(Some(SECOND)).unwrap();
    let start = Instant::now();
    server.shutdown(Shutdown::Write).unwrap();
    let shut = start.elapsed();
    drop(server);
    let closed = start.elapsed();
    assert!(shut < SECOND, "shutdown took {shut:?}");
    assert!(closed >= SECOND && closed < PATIENCE, "closing took {closed:?}");
    // The time is over, and the bytes are not lost: the kernel goes on without the caller.
    assert_eq!(read_all(&client), (done, true));
}

#[test]
fn with_so_linger_a_close_ends_as_soon_as_the_peer_has_everything() {
    let (client, server) = connected_pair();
    let Incomplete { done, .. } = server.write_all(&vec![0; 50_000_000]).unwrap_err();
    server.set_linger(Some(PATIENCE)).unwrap();
    let client = thread::spawn(move || read_all(&client));
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < PATIENCE);
    assert_eq!(client.join().unwrap(), (done, true));
}

#[test]
fn so_linger_does_not_keep_unread_input_from_resetting() {
    let (client, server) = connected_pair();
    client.write_all(b"unread").unwrap();
    eventually(PATIENCE, || (server.recv_queue_bytes() == Ok(6)).then_some(()));
    server.set_linger(Some(SECOND)).unwrap();
    drop(server);
    let error = eventually(PATIENCE, || client.read(&mut [0]).err());
    assert_eq!(error.errno(), Some(Errno::CONNRESET));
}
