//! `examples/proxy.rs` between a test's clients and upstreams.

use super::*;
use std::io::ErrorKind;

fn proxy(args: &[&str], upstreams: [SocketAddr; 2]) -> Server {
    let upstreams = upstreams.map(|addr| addr.to_string());
    let words = upstreams.each_ref().map(String::as_str);
    Server::start(&program("ANET_PROXY", env!("CARGO_BIN_EXE_proxy")), &[args, &words].concat())
}

/// An upstream that a test accepts from.
fn upstream() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

fn accepted(listener: &TcpListener) -> TcpStream {
    configured(listener.accept().unwrap().0)
}

/// An address that refuses connections while its socket lives: it is bound and does not listen.
fn dead() -> (rustix::fd::OwnedFd, SocketAddr) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&held, &"127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
    let addr = getsockname(&held).unwrap().try_into().unwrap();
    (held, addr)
}

#[test]
fn bytes_pass_in_both_directions() {
    let (listener, addr) = upstream();
    let server = proxy(&[], [addr, addr]);
    let mut client = server.client();
    let mut upstream = accepted(&listener);
    for number in 0..10 {
        write!(client, "question {number}").unwrap();
        assert_eq!(read(&mut upstream, 10), format!("question {number}"));
        write!(upstream, "answer {number}").unwrap();
        assert_eq!(read(&mut client, 8), format!("answer {number}"));
    }
}

#[test]
fn where_the_first_upstream_refuses_the_second_one_serves() {
    let ((_held, dead), (listener, live)) = (dead(), upstream());
    let server = proxy(&[], [dead, live]);
    for _ in 0..3 {
        let mut client = server.client();
        client.write_all(b"early").unwrap();
        assert_eq!(read(&mut accepted(&listener), 5), "early");
    }
}

#[test]
fn where_no_upstream_can_be_reached_the_client_reads_the_end_and_the_proxy_lives() {
    let (_held, dead) = dead();
    let server = proxy(&[], [dead, dead]);
    for _ in 0..3 {
        assert_eq!(read_to_end(&mut server.client()), "");
    }
}

/// The name has an address of each family, and the upstream listens at one of them.
#[test]
fn an_upstream_may_be_a_name() {
    let (listener, addr) = upstream();
    let name = format!("localhost:{}", addr.port());
    let server = Server::start(env!("CARGO_BIN_EXE_proxy"), &[&name]);
    for _ in 0..3 {
        let mut client = server.client();
        client.write_all(b"early").unwrap();
        let mut upstream = accepted(&listener);
        assert_eq!(read(&mut upstream, 5), "early");
        upstream.write_all(b"answer").unwrap();
        assert_eq!(read(&mut client, 6), "answer");
    }
    drop(listener);
    assert_eq!(read_to_end(&mut server.client()), "");
}

#[test]
fn each_direction_ends_independently() {
    let (listener, addr) = upstream();
    let server = proxy(&[], [addr, addr]);
    for client_first in [true, false] {
        let client = server.client();
        let upstream = accepted(&listener);
        let (mut first, mut second) = if client_first { (client, upstream) } else { (upstream, client) };
        first.write_all(b"all of it").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut second), "all of it");
        for _ in 0..3 {
            second.write_all(b"x").unwrap();
            assert_eq!(read(&mut first, 1), "x");
        }
        drop(second);
        assert_eq!(read_to_end(&mut first), "");
    }
}

#[test]
fn bytes_sent_before_the_end_arrive_although_they_are_read_late() {
    let (listener, addr) = upstream();
    let server = proxy(&[], [addr, addr]);
    let mut client = server.client();
    let mut upstream = accepted(&listener);
    let sender = thread::spawn(move || {
        (0..100).for_each(|_| client.write_all(&[b'x'; 100_000]).unwrap());
        // Closed with nothing to read.
    });
    thread::sleep(Duration::from_millis(200));
    assert_eq!(read_to_end(&mut upstream).len(), 10_000_000);
    sender.join().unwrap();
}

/// Both directions of the upstream's connection have ended by then, and the rest of the answer waits in its socket.
#[test]
fn a_slow_client_that_has_sent_its_end_reads_the_whole_answer() {
    let (listener, addr) = upstream();
    let server = proxy(&[], [addr, addr]);
    // The kernel chooses how much the sockets on the way to the client hold.
    for len in (1..80).map(|steps| steps << 16) {
        let mut client = server.client();
        client.shutdown(Shutdown::Write).unwrap();
        let mut upstream = accepted(&listener);
        assert_eq!(read_to_end(&mut upstream), "");
        let sender = thread::spawn(move || upstream.write_all(&vec![b'x'; len]).unwrap());
        thread::sleep(Duration::from_millis(20));
        assert_eq!(read_to_end(&mut client).len(), len);
        sender.join().unwrap();
    }
}

#[test]
fn a_client_whose_upstream_does_not_read_is_not_read() {
    let (listener, addr) = upstream();
    let server = proxy(&[], [addr, addr]);
    let mut client = server.client();
    let mut upstream = accepted(&listener);
    client.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut sent = 0;
    while let Ok(len @ 1..) = client.write(&[b'x'; 1 << 16]) {
        sent += len;
        assert!(sent < 200 << 20, "the proxy takes everything");
    }
    // The other direction continues, and so does this one once there is room.
    upstream.write_all(b"x").unwrap();
    assert_eq!(read(&mut client, 1), "x");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut upstream).len(), sent);
}

#[test]
fn a_reset_on_one_side_ends_the_other() {
    let (listener, addr) = upstream();
    let server = proxy(&[], [addr, addr]);
    for client_goes in [true, false] {
        let mut client = server.client();
        let mut upstream = accepted(&listener);
        // An upstream connection reset before use gives way to the next upstream.
        upstream.write_all(b"x").unwrap();
        assert_eq!(read(&mut client, 1), "x");
        let (goes, mut stays) = if client_goes { (client, upstream) } else { (upstream, client) };
        anet::option::set_linger(&goes, Some(Duration::ZERO)).unwrap();
        drop(goes);
        let ended = stays.read(&mut [0]);
        assert!(matches!(&ended, Ok(0)) || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    }
}

#[test]
fn a_pair_is_idle_when_nothing_passes_in_either_direction() {
    let (listener, addr) = upstream();
    let server = proxy(&["--idle-time", "500"], [addr, addr]);
    let mut client = server.client();
    let mut upstream = accepted(&listener);
    // Longer than the idle time in total, and in one direction only.
    for _ in 0..10 {
        client.write_all(b"x").unwrap();
        assert_eq!(read(&mut upstream, 1), "x");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(read_to_end(&mut upstream), "");
    assert_eq!(read_to_end(&mut client), "");
}
