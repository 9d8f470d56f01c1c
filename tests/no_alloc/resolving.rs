//! Resolving names: from files, and from a server of this process.

use std::{
    ffi::CString,
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anet::{
    connect::Connector,
    resolve::{
        Families, Hosts, Numeric, Resolve,
        dns::{Config, Stub},
    },
    server::{Event, Lookup, Server, Slot},
};

use super::{TIMES, allocations, support::open_fds};

#[test]
fn looking_up_names_in_files_does_not_allocate() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hosts");
    std::fs::write(&path, "10.0.0.1 db.internal\n2001:db8::1 db.internal\n").unwrap();
    let path = CString::new(path.to_str().unwrap()).unwrap();
    let count = allocations(|| {
        for _ in 0..TIMES {
            assert_eq!(Numeric.resolve("2001:db8::1", 80, Families::Any).unwrap().len(), 1);
            assert_eq!(Hosts::at(&path).resolve("db.internal", 80, Families::Any).unwrap().len(), 2);
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn asking_a_server_does_not_allocate_and_leaves_no_descriptor() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let addr = server.local_addr().unwrap();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| answer_until(&ends, &server));
        let (count, leaked) = super::support::with_own_descriptors(|| {
            let before = open_fds();
            (allocations(|| look_up(addr)), open_fds() - before)
        });
        ends.store(true, Ordering::SeqCst);
        assert_eq!((count, leaked), (0, 0));
    });
}

fn look_up(server: SocketAddr) {
    let config = Config::new().with_name_servers(&[server]).with_edns0(true).with_timeout(Duration::from_secs(30));
    let mut stub = Stub::with_config(c"/nonexistent", config).unwrap();
    for _ in 0..TIMES {
        let addresses = stub.resolve_within("db.internal", 80, Families::Any, Duration::from_secs(60)).unwrap();
        assert_eq!(addresses.len(), 1);
    }
}

#[test]
fn connecting_to_names_does_not_allocate() {
    let dns = UdpSocket::bind("127.0.0.1:0").unwrap();
    dns.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let (dns_addr, port) = (dns.local_addr().unwrap(), upstream.local_addr().unwrap().port());
    let names: Vec<String> = (0..100).map(|number| format!("n{number}.internal")).collect();
    let config = Config::new().with_name_servers(&[dns_addr]).with_timeout(Duration::from_secs(30));
    let mut lookups = [(); 2].map(|()| Lookup::new(Stub::with_config(c"/nonexistent", config.clone()).unwrap()));
    let mut slots = [const { Slot::<()>::VACANT }; 4];
    let mut server = Server::new(&mut slots).unwrap().with_lookups(&mut lookups).unwrap();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| answer_until(&ends, &dns));
        let count = allocations(|| {
            for name in &names {
                let key = server.connect_to_name(name, port, Families::Any, &Connector::new(), ()).unwrap();
                loop {
                    server.wait(None).unwrap();
                    if let Some(Event::Connected(connected)) = server.next_event() {
                        assert_eq!(connected, key);
                        break;
                    }
                }
                server.close(key);
            }
        });
        ends.store(true, Ordering::SeqCst);
        assert_eq!(count, 0);
    });
    assert_eq!(server.counters().held, 100);
}

/// Answers each question about IPv4 with one address, and any other with none.
fn answer_until(ends: &AtomicBool, server: &UdpSocket) {
    let mut buf = [0; 512];
    while !ends.load(Ordering::SeqCst) {
        let Ok((len, from)) = server.recv_from(&mut buf) else { continue };
        let question_end = 12 + buf[12..len].iter().position(|&byte| byte == 0).unwrap() + 5;
        let is_v4 = buf[question_end - 3] == 1;
        buf[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
        let mut answer = buf[..question_end].to_vec();
        if is_v4 {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
        }
        server.send_to(&answer, from).unwrap();
    }
}
