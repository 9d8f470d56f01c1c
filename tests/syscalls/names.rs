//! What it costs a server to connect to a name.

use std::{net::UdpSocket, thread};

use anet::{
    Endpoint,
    connect::Connector,
    resolve::{
        Families,
        dns::{Config, Stub},
    },
    server::{Event, Key, Lookup, Server, Slot},
};

use super::{
    WAIT, tcp,
    trace::{between_marks, traced},
};

/// A server whose lookups ask a DNS server of this process, and an address to connect to.
fn with_server(work: impl FnOnce(Server<'_, ()>, Endpoint)) {
    let upstream = tcp(&super::options());
    let dns = UdpSocket::bind("127.0.0.1:0").unwrap();
    let config = Config::new().with_name_servers(&[dns.local_addr().unwrap()]);
    thread::spawn(move || answer(&dns));
    let (mut slots, mut lookups) = (
        [const { Slot::VACANT }; 4],
        [(); 2].map(|()| Lookup::new(Stub::with_config(c"/nonexistent", config.clone()).unwrap())),
    );
    let server = Server::new(&mut slots).unwrap().with_lookups(&mut lookups).unwrap();
    work(server, upstream.local_addr().unwrap());
}

/// Answers questions about IPv4 with 127.0.0.1.
fn answer(dns: &UdpSocket) {
    let mut buf = [0; 512];
    loop {
        let (len, from) = dns.recv_from(&mut buf).unwrap();
        buf[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1];
        dns.send_to(&[&buf[..len], &record].concat(), from).unwrap();
    }
}

fn dial(server: &mut Server<'_, ()>, name: &str, addr: &Endpoint) -> Key {
    server.connect_to_name(name, addr.port().unwrap(), Families::OnlyV4, &Connector::new(), ()).unwrap()
}

fn until_connected(server: &mut Server<'_, ()>, key: Key) {
    loop {
        server.wait(None).unwrap();
        while let Some(event) = server.next_event() {
            if matches!(event, Event::Connected(connected) if connected == key) {
                return;
            }
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn numeric_text_and_a_name_just_looked_up_cost_the_calls_of_an_address() {
    let trace = traced(&[], || {
        with_server(|mut server, addr| {
            let key = dial(&mut server, "db.internal", &addr);
            until_connected(&mut server, key);
            server.close(key);
            for name in [None, Some("127.0.0.1"), Some("db.internal")] {
                let key = between_marks(None, |made| {
                    let key = match name {
                        None => server.connect_to(addr, &Connector::new(), ()).unwrap(),
                        Some(name) => dial(&mut server, name, &addr),
                    };
                    until_connected(&mut server, key);
                    *made = Some(key);
                });
                key.map(|key| server.close(key));
            }
        });
    });
    let calls = ["socket", "connect", WAIT, "getsockopt"];
    assert_eq!(trace.between_marks(), calls.repeat(3));
}

#[test]
#[ignore = "needs strace"]
fn a_lookup_costs_a_query_and_its_answer() {
    let trace = traced(&[], || {
        with_server(|mut server, addr| {
            between_marks((), |()| {
                let key = dial(&mut server, "db.internal", &addr);
                until_connected(&mut server, key);
            });
        });
    });
    // Not every architecture has `open`, and the wait has a time limit.
    let usual = |call| match call {
        "openat" => "open",
        "epoll_pwait2" => WAIT,
        call => call,
    };
    let calls: Vec<_> = trace.between_marks().into_iter().map(usual).collect();
    let lookup = ["open", "getrandom", "socket", "connect", "epoll_ctl", "sendto", "socket"];
    let answer = [WAIT, WAIT, "recvfrom", "close"];
    let connection = ["socket", "connect", "close", "getsockopt"];
    assert_eq!(calls, [&lookup[..], &answer, &connection].concat());
}
