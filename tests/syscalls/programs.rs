//! The system calls of a connection in programs shaped like those of `examples`, whose clients run beside them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::ChildStdout,
    thread,
};

use anet::{
    connect::Connector,
    server::{Event, Key, Server, Slot},
    stream::Shutdown,
};

use crate::{
    trace::{between_marks, traced_beside},
    *,
};

/// In sequence.
const CONNECTIONS: usize = 500;

/// Listens, and handles events until all counted connections have closed.
fn serve<'t, T: Default>(server: &mut Server<'t, T>, mut handle: impl FnMut(&mut Server<'t, T>, Event)) {
    // A connection is reported with its request, however slow the client is.
    let listener = tcp(&options().with_tcp_defer_accept(PATIENCE));
    println!("port {}", listener.local_addr().unwrap().as_inet().unwrap().port());
    server.listen(listener).unwrap();
    between_marks((), |()| {
        while server.counters().accept.accepted < CONNECTIONS as u64 || !server.is_empty() {
            server.wait(PATIENCE).unwrap();
            while let Some(event) = server.next_event() {
                handle(server, event);
            }
        }
    });
}

/// Runs that many clients in sequence.
fn clients(said: &mut BufReader<ChildStdout>, client: impl Fn(TcpStream)) {
    let port: u16 = said.lines().find_map(|line| line.unwrap().split_once("port ")?.1.parse().ok()).unwrap();
    (0..CONNECTIONS).for_each(|_| client(TcpStream::connect(("127.0.0.1", port)).unwrap()));
}

/// Without `accept4` its replacement costs more calls.
#[track_caller]
fn assert_at_most(tenths_of_a_call: usize, calls: usize) {
    println!("{calls} calls for {CONNECTIONS} connections");
    let most = CONNECTIONS * (tenths_of_a_call + 10 * (accepted().len() - 1)) / 10;
    assert!((CONNECTIONS..=most).contains(&calls), "{calls}");
}

/// Answers each request and closes the connection.
fn serve_closing_first(close: impl Fn(&mut Server<'_, ()>, Key)) {
    let mut slots = [const { Slot::VACANT }; 4];
    serve(&mut Server::new(&mut slots[..]).unwrap(), |server, event| {
        let Event::Readable(key) = event else { return };
        let client = server.get_mut(key).unwrap();
        match client.read(&mut [0; 64]) {
            Ok(1..) => {
                client.write_all(b"answer").unwrap();
                close(server, key);
            }
            Err(error) if error.is_would_block() => {}
            Ok(_) | Err(_) => drop(server.close(key)),
        }
    });
}

fn ask(mut server: TcpStream) {
    server.write_all(b"question").unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
}

#[test]
#[ignore = "needs strace"]
fn a_connection_that_the_server_closes_first_costs_at_most_six_calls() {
    let work = || {
        serve_closing_first(|server, key| {
            server.close(key);
        });
    };
    let trace = traced_beside(&[], work, |said| clients(said, ask));
    assert_at_most(60, trace.between_marks().len());
}

/// The client has usually closed by the end of the turn, so its close costs one read.
#[test]
#[ignore = "needs strace"]
fn a_connection_that_the_server_closes_lingering_costs_at_most_eight_calls() {
    let work = || {
        serve_closing_first(|server, key| {
            server.close_lingering(key);
        });
    };
    let trace = traced_beside(&[], work, |said| clients(said, ask));
    assert_at_most(80, trace.between_marks().len());
}

/// A side of a proxy: its other side, and the bytes to send once that is connected.
#[derive(Debug, Default)]
struct Side {
    other: Option<Key>,
    early: Vec<u8>,
    is_read: bool,
}

fn pass(server: &mut Server<'_, Side>, key: Key) {
    let mut buf = [0; 64];
    let side = server.get_mut(key).unwrap();
    let received = match side.read(&mut buf) {
        Ok(len) => &buf[..len],
        Err(error) if error.is_would_block() => return,
        Err(error) => panic!("{error}"),
    };
    side.data.is_read = received.is_empty();
    let to = side.data.other.unwrap();
    let other = server.get_mut(to).unwrap();
    if received.is_empty() && other.data.is_read {
        server.close(key);
        server.close(to);
    } else if received.is_empty() {
        other.stream().shutdown(Shutdown::Write).unwrap();
    } else if other.is_connecting() {
        other.data.early.extend_from_slice(received);
    } else {
        other.write_all(received).unwrap();
    }
    if received.is_empty() {
        server.set_interest(key, Interest::empty());
    }
}

fn proxy(upstreams: &[Endpoint]) {
    let mut slots = [const { Slot::VACANT }; 8];
    serve(&mut Server::new(&mut slots[..]).unwrap(), |server, event| match event {
        Event::Opened(client) => {
            let side = Side { other: Some(client), ..Side::default() };
            let upstream = server.connect(upstreams, &Connector::new(), side).unwrap();
            server.get_mut(client).unwrap().data.other = Some(upstream);
        }
        Event::Connected(upstream) => {
            let side = server.get(upstream).unwrap();
            option::set_tcp_nodelay(side, true).unwrap();
            if !side.data.early.is_empty() {
                side.write_all(&side.data.early).unwrap();
            }
        }
        Event::Readable(key) => pass(server, key),
        event => panic!("{event:?}"),
    });
}

/// Answers each connection's request, and closes when its client does.
fn answer_all(upstream: &TcpListener) {
    for _ in 0..CONNECTIONS {
        let (mut proxy, _) = upstream.accept().unwrap();
        proxy.read_exact(&mut [0; 8]).unwrap();
        proxy.write_all(b"answer").unwrap();
        assert_eq!(proxy.read(&mut [0]).unwrap(), 0);
    }
}

/// Two connections, two requests and answers, two closes: 22 on mio, with the same options on both sides.
#[test]
#[ignore = "needs strace"]
fn a_proxied_short_connection_costs_at_most_23_calls() {
    let work = || {
        let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
        let addrs = [upstream.local_addr().unwrap().into()];
        thread::scope(|scope| {
            scope.spawn(|| answer_all(&upstream));
            proxy(&addrs);
        });
    };
    let client = |mut proxy: TcpStream| {
        proxy.write_all(b"question").unwrap();
        proxy.read_exact(&mut [0; 6]).unwrap();
    };
    let trace = traced_beside(&[], work, |said| clients(said, client));
    assert_at_most(231, trace.between_marks().len());
}
