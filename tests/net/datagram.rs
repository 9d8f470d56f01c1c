//! Datagram sockets: opening, peers, and what the kernel reports of a datagram.

use std::{
    net::{IpAddr, Ipv4Addr, UdpSocket},
    os::unix::net::UnixDatagram,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anet::{
    Datagram, Endpoint, Errno, Error, Op, SocketOptions, UnixAddr,
    addr::SUN_PATH_LEN,
    datagram::{
        Request,
        cmsg::{self, ControlMessage, Ecn, Encoder},
        seqpacket,
    },
    error::Cause,
    listen, option,
};

use crate::support::*;

pub fn server() -> Datagram {
    listen::udp(any_local_address(), &SocketOptions::new()).unwrap()
}

pub fn client_of(server: &Datagram) -> Datagram {
    Datagram::connected(&server.local_addr().unwrap(), &SocketOptions::new()).unwrap()
}

/// Receives a datagram that arrives soon.
pub fn receive(socket: &Datagram) -> Vec<u8> {
    let mut buf = vec![0; 1 << 16];
    eventually(PATIENCE, || match socket.recv(&mut buf) {
        Err(error) if error.is_would_block() => None,
        other => Some(other.unwrap().bytes.to_vec()),
    })
}

#[test]
fn a_client_exchanges_datagrams_with_a_server_over_every_family() {
    let mut addrs: Vec<Endpoint> = any_local_addresses().into_iter().map(Endpoint::from).collect();
    addrs.push(UnixAddr::UNNAMED.into());
    for addr in addrs {
        let server = Datagram::bind(&addr, &SocketOptions::new()).unwrap();
        let client = client_of(&server);
        assert_eq!(client.peer_addr(), server.local_addr());
        client.send(b"question").unwrap();
        let mut buf = [0; 16];
        let from = eventually(PATIENCE, || server.recv_from(&mut buf).ok().map(|(_, from)| from));
        assert_eq!(from, client.local_addr().unwrap());
        server.send_to(b"answer", &from).unwrap();
        assert_eq!(receive(&client), b"answer");
        assert_would_block(client.recv(&mut buf).map(drop));
    }
}

#[test]
fn a_new_socket_is_nonblocking_and_close_on_exec() {
    let server = server();
    let (one, other) = Datagram::pair().unwrap();
    let (sequenced, _peer) = seqpacket::pair().unwrap();
    let client = client_of(&server);
    let unix = Datagram::bind(&UnixAddr::UNNAMED.into(), &SocketOptions::new()).unwrap();
    for socket in [&server, &client, &one, &other, &sequenced, &unix] {
        assert_eq!((option::nonblocking(socket), option::cloexec(socket)), (Ok(true), Ok(true)));
    }
}

#[test]
fn a_client_has_its_options_before_it_connects_and_none_of_the_listeners() {
    let options = SocketOptions::new().with_mark(None).with_ip_ttl(Some(7)).with_broadcast(true).with_reuse_port(true);
    let client = Datagram::connected(&server().local_addr().unwrap(), &options).unwrap();
    assert_eq!(option::ip_ttl(&client), Ok(7));
    assert_eq!((option::broadcast(&client), option::reuse_port(&client)), (Ok(true), Ok(false)));
}

#[test]
fn a_datagram_without_bytes_arrives_and_ends_nothing() {
    let (server, (one, other)) = (server(), Datagram::pair().unwrap());
    let client = client_of(&server);
    for (from, to) in [(&client, &server), (&one, &other)] {
        from.send(b"").unwrap();
        from.send(b"next").unwrap();
        assert_eq!(receive(to), b"");
        assert_eq!(receive(to), b"next");
    }
}

#[test]
fn a_datagram_longer_than_the_buffer_reports_its_whole_length() {
    let (server, (one, other)) = (server(), Datagram::pair().unwrap());
    let client = client_of(&server);
    for (from, to) in [(&client, &server), (&one, &other)] {
        for room in [0, 1, 99, 100] {
            from.send(&[7; 100]).unwrap();
            from.send(&[7; 100]).unwrap();
            let mut buf = vec![0; room];
            let received =
                eventually(PATIENCE, || to.recv(&mut buf).ok().map(|got| (got.is_truncated(), got.whole_len())));
            assert_eq!(received, (room < 100, Some(100)));
            let mut control = [0; 0];
            let message = to.recv_with(&mut buf, &mut control).unwrap();
            assert_eq!((message.bytes.len(), message.whole_len(), message.is_truncated()), (room, 100, room < 100));
        }
    }
}

#[test]
fn only_the_peer_of_a_connected_socket_is_heard_until_it_disconnects() {
    let (peer, stranger) = (server(), server());
    let client = client_of(&peer);
    let addr = client.local_addr().unwrap();
    stranger.send_to(b"unheard", &addr).unwrap();
    peer.send_to(b"heard", &addr).unwrap();
    assert_eq!(receive(&client), b"heard");

    let bound = server();
    bound.connect(&peer.local_addr().unwrap()).unwrap();
    bound.disconnect().unwrap();
    assert_eq!(bound.peer_addr(), Err(Error::new(Op::PeerAddr, Errno::NOTCONN)));
    assert_eq!(bound.send(b"to no peer"), Err(Error::new(Op::SendTo, Errno::DESTADDRREQ)));
    stranger.send_to(b"now heard", &bound.local_addr().unwrap()).unwrap();
    assert_eq!(receive(&bound), b"now heard");
}

#[test]
fn a_connected_socket_may_connect_to_another_peer() {
    let (first, second) = (server(), server());
    let client = client_of(&first);
    client.connect(&second.local_addr().unwrap()).unwrap();
    client.send(b"hello").unwrap();
    assert_eq!(receive(&second), b"hello");
    assert_would_block(first.recv(&mut [0; 8]).map(drop));
}

#[test]
fn a_refusal_reaches_a_connected_socket_once_and_an_unconnected_one_never() {
    let gone = server().local_addr().unwrap();
    let client = Datagram::connected(&gone, &SocketOptions::new()).unwrap();
    client.send(b"lost").unwrap();
    let refused =
        eventually(PATIENCE, || client.recv(&mut [0; 8]).map(drop).err().filter(|error| !error.is_would_block()));
    assert_eq!(refused, Error::new(Op::ReceiveFrom, Errno::CONNREFUSED));
    assert_would_block(client.recv(&mut [0; 8]).map(drop));
    client.send(b"lost as well").unwrap();
    let refused = eventually(PATIENCE, || client.send(b"not sent").err());
    assert_eq!(refused, Error::new(Op::SendTo, Errno::CONNREFUSED));

    let unconnected = server();
    unconnected.send_to(b"lost", &gone).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert_would_block(unconnected.recv(&mut [0; 8]).map(drop));
    unconnected.send_to(b"lost", &gone).unwrap();
}

#[test]
fn a_datagram_over_the_limit_is_a_typed_error_of_every_way_to_send() {
    let server = server();
    let (client, to) = (client_of(&server), server.local_addr().unwrap());
    let bytes = vec![0; 65508];
    let no_control = &Encoder::default();
    let errors = [
        client.send(&bytes).unwrap_err(),
        client.send_to(&bytes, &to).unwrap_err(),
        client.send_with(&bytes, None, no_control).unwrap_err(),
        client.send_with(&bytes, Some(&to), no_control).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.cause(), Cause::DatagramTooLong { len: 65508 });
    }
    client.send(&bytes[1..]).unwrap();
    assert_eq!(receive(&server).len(), 65507);

    let (one, _other) = Datagram::pair().unwrap();
    option::set_send_buffer_size(&one, 8192).unwrap();
    assert_eq!(one.send(&bytes).unwrap_err().cause(), Cause::DatagramTooLong { len: 65508 });
}

#[test]
fn a_broadcast_needs_the_option_and_then_arrives_with_its_destination() {
    let server = listen::udp("0.0.0.0:0".parse().unwrap(), &SocketOptions::new()).unwrap();
    server.request(Request::LOCAL_ADDR).unwrap();
    let port = server.local_addr().unwrap().port().unwrap();
    let to: Endpoint = format!("127.255.255.255:{port}").parse().unwrap();
    let client = Datagram::bind(&any_local_address().into(), &SocketOptions::new()).unwrap();
    assert_eq!(client.send_to(b"all", &to), Err(Error::new(Op::SendTo, Errno::ACCESS)));
    option::set_broadcast(&client, true).unwrap();
    client.send_to(b"all", &to).unwrap();
    let (mut buf, mut control) = ([0; 8], [0; cmsg::DETAILS_SPACE]);
    let details = eventually(PATIENCE, || server.recv_with(&mut buf, &mut control).ok().map(|got| got.details()));
    assert_eq!(details.destination, Some("127.255.255.255".parse().unwrap()));
    assert_eq!(details.local_ip, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
}

#[test]
fn everything_that_was_requested_is_reported_in_one_value() {
    for addr in any_local_addresses() {
        let server = listen::udp(addr, &SocketOptions::new()).unwrap();
        server.request(Request::all()).unwrap();
        let client = client_of(&server);
        let is_v4 = addr.is_ipv4();
        let mut space = [0; 2 * cmsg::space(4)];
        let mut control = Encoder::new(&mut space);
        let class = 0b1010_0000 | Ecn::Capable0.bits();
        for message in if is_v4 {
            [ControlMessage::TypeOfService(class), ControlMessage::TimeToLive(9)]
        } else {
            [ControlMessage::TrafficClass(class), ControlMessage::HopLimit(9)]
        } {
            control.push(&message).unwrap();
        }
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        client.send_with(b"x", None, &control).unwrap();

        let (mut buf, mut space) = ([0; 8], [0; cmsg::DETAILS_SPACE]);
        let message =
            eventually(PATIENCE, || server.recv_with(&mut buf, &mut space).ok().map(|m| (m.details(), m.from)));
        let (details, from) = message;
        assert_eq!(from, client.local_addr().unwrap());
        assert_eq!((details.local_ip, details.destination), (Some(addr.ip()), Some(addr.ip())));
        assert_eq!((details.interface, details.ttl), (Some(1), Some(9)), "loopback is interface 1");
        assert_eq!((details.traffic_class, details.ecn()), (Some(class), Some(Ecn::Capable0)));
        let elapsed = details.time.unwrap().checked_sub(before).unwrap();
        assert!(elapsed < PATIENCE, "{elapsed:?}");
        assert_eq!((details.segment_size, details.dropped, details.credentials), (None, None, None));
    }
}

#[test]
fn a_dual_stack_socket_reports_both_families() {
    if lacks_ipv6() {
        return;
    }
    let server = listen::udp("[::]:0".parse().unwrap(), &SocketOptions::new().with_only_v6(false)).unwrap();
    server.request(Request::all()).unwrap();
    let port = server.local_addr().unwrap().port().unwrap();
    for (ip, reported) in [("127.0.0.1", "::ffff:127.0.0.1"), ("::1", "::1")] {
        let peer = std::net::SocketAddr::new(ip.parse().unwrap(), port);
        let client = Datagram::connected(&peer.into(), &SocketOptions::new()).unwrap();
        client.send(b"question").unwrap();
        let (mut buf, mut space) = ([0; 8], [0; cmsg::DETAILS_SPACE]);
        let (details, from) =
            eventually(PATIENCE, || server.recv_with(&mut buf, &mut space).ok().map(|m| (m.details(), m.from)));
        assert_eq!(details.local_ip, Some(reported.parse().unwrap()));
        assert_eq!((details.ttl, details.traffic_class), (Some(64), Some(0)));
        // The answer leaves from the address that was asked.
        let mut space = [0; cmsg::space(20)];
        let mut control = Encoder::new(&mut space);
        control.push(&ControlMessage::source(details.local_ip.unwrap())).unwrap();
        server.send_with(b"answer", Some(&from), &control).unwrap();
        assert_eq!(receive(&client), b"answer");
    }
}

#[test]
fn a_wildcard_server_answers_from_the_address_that_was_asked() {
    let server = listen::udp("0.0.0.0:0".parse().unwrap(), &SocketOptions::new()).unwrap();
    server.request(Request::LOCAL_ADDR).unwrap();
    let port = server.local_addr().unwrap().port().unwrap();
    let client = Datagram::connected(&format!("127.0.0.9:{port}").parse().unwrap(), &SocketOptions::new()).unwrap();
    client.send(b"question").unwrap();
    let (mut buf, mut space) = ([0; 16], [0; cmsg::DETAILS_SPACE]);
    let (details, from) =
        eventually(PATIENCE, || server.recv_with(&mut buf, &mut space).ok().map(|m| (m.details(), m.from)));
    // Without a source the kernel answers from 127.0.0.1, which a client connected to 127.0.0.9 does not hear.
    server.send_to(b"unheard", &from).unwrap();
    let mut space = [0; cmsg::space(12)];
    let mut control = Encoder::new(&mut space);
    control.push(&ControlMessage::source(details.local_ip.unwrap())).unwrap();
    server.send_with(b"heard", Some(&from), &control).unwrap();
    assert_eq!(receive(&client), b"heard");
}

#[test]
fn dropped_datagrams_are_counted() {
    let server = server();
    server.request(Request::DROPPED).unwrap();
    option::set_recv_buffer_size(&server, 4096).unwrap();
    let client = client_of(&server);
    for _ in 0..100 {
        client.send(&[0; 1000]).unwrap();
    }
    let (mut buf, mut space) = ([0; 1000], [0; cmsg::DETAILS_SPACE]);
    let mut received = 0;
    while server.recv_with(&mut buf, &mut space).is_ok() {
        received += 1;
    }
    // A datagram carries the count at its arrival.
    client.send(b"x").unwrap();
    let last = server.recv_with(&mut buf, &mut space).unwrap().details();
    assert_eq!(last.dropped, Some(100 - received));
    assert!(received < 100);
}

#[test]
fn a_unix_datagram_socket_has_a_path_an_abstract_name_or_an_automatic_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = UnixAddr::path(directory.path().join("socket").to_str().unwrap()).unwrap();
    let name = UnixAddr::abstract_name(format!("anet-{}", directory.path().display())).unwrap();
    for addr in [path, name, UnixAddr::UNNAMED] {
        let server = Datagram::bind(&addr.into(), &SocketOptions::new()).unwrap();
        let local = server.local_addr().unwrap();
        if addr.is_unnamed() {
            assert_eq!(local.as_unix().unwrap().as_abstract_name().unwrap().len(), 5);
        } else {
            assert_eq!(local, addr.into());
        }
        let second = Datagram::bind(&local, &SocketOptions::new()).unwrap_err();
        assert!(second.error().is_addr_in_use());
        let client = client_of(&server);
        client.send(b"hello").unwrap();
        assert_eq!(receive(&server), b"hello");
        drop(server);
        assert_eq!(client.send(b"gone"), Err(Error::new(Op::SendTo, Errno::CONNREFUSED)));
    }
}

#[test]
fn a_peer_with_a_path_of_108_bytes_is_answered() {
    let directory = tempfile::Builder::new().prefix("a").tempdir_in("/tmp").unwrap();
    let server = Datagram::bind(&UnixAddr::UNNAMED.into(), &SocketOptions::new()).unwrap();
    let mut path = directory.path().to_str().unwrap().as_bytes().to_vec();
    path.push(b'/');
    path.resize(SUN_PATH_LEN, b'x');
    let client = UnixDatagram::unbound().unwrap();
    bind_all_of_sun_path(&client, &path);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = server.local_addr().unwrap();
    let name = to.as_unix().unwrap().as_abstract_name().unwrap();
    let to = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name).unwrap();
    for _ in 0..2 {
        client.send_to_addr(b"question", &to).unwrap();
    }
    let (mut buf, mut space) = ([0; 16], [0; 64]);
    let from = server.recv_from(&mut buf).unwrap().1;
    assert_eq!(from.as_unix().unwrap().as_path(), Some(&path[..]));
    assert_eq!(server.recv_with(&mut buf, &mut space).unwrap().from, from);
    // rustix refuses a path without room for a terminator, and so an answer fails cleanly or arrives.
    match server.send_with(b"answer", Some(&from), &Encoder::default()) {
        Ok(()) => assert_eq!(client.recv(&mut buf).unwrap(), 6),
        Err(error) => assert_eq!(error.errno(), Some(Errno::NAMETOOLONG)),
    }
}

/// Binds a path without terminator, which std refuses.
fn bind_all_of_sun_path(socket: &UnixDatagram, path: &[u8]) {
    use std::os::fd::AsRawFd;
    // SAFETY: all zeroes is a valid address.
    let mut addr: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    addr.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in addr.sun_path.iter_mut().zip(path) {
        *to = *from as libc::c_char;
    }
    let len = size_of_val(&addr) as libc::socklen_t;
    // SAFETY: the address is a whole `sockaddr_un`, and its length is given.
    let answer = unsafe { libc::bind(socket.as_raw_fd(), (&raw const addr).cast(), len) };
    assert_eq!(answer, 0, "bind: {}", std::io::Error::last_os_error());
}

#[test]
fn a_sequenced_connection_keeps_boundaries_and_shows_its_end() {
    let listener = seqpacket::listen(&UnixAddr::UNNAMED, &SocketOptions::new()).unwrap();
    let addr = listener.local_addr().unwrap();
    assert_would_block(listener.accept().map(drop));
    let client = seqpacket::connect(&addr, &SocketOptions::new()).unwrap();
    let server = listener.accept().unwrap();
    client.send(&[1; 100]).unwrap();
    client.send(b"two").unwrap();
    let mut buf = [0; 10];
    let received = server.recv(&mut buf).unwrap();
    assert_eq!((received.bytes.len(), received.whole_len()), (10, Some(100)));
    assert_eq!(server.recv(&mut buf).unwrap().bytes, b"two");
    assert_would_block(server.recv(&mut buf).map(drop));
    drop(client);
    assert_eq!(server.recv(&mut buf).unwrap().bytes, b"");
    assert_eq!(server.send(b"x"), Err(Error::new(Op::SendTo, Errno::PIPE)));
    drop(listener);
    let refused = seqpacket::connect(&addr, &SocketOptions::new()).unwrap_err();
    assert_eq!(refused.error(), Error::new(Op::Connect, Errno::CONNREFUSED));
}

#[test]
fn a_datagram_socket_is_not_a_stream_and_an_unknown_family_cannot_be_opened() {
    let stream = std::os::unix::net::UnixListener::bind_addr(
        &<std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(format!(
            "anet-stream-{}",
            std::process::id()
        ))
        .unwrap(),
    )
    .unwrap();
    let addr = anet::Listener::from(anet::fd::OwnedFd::from(stream));
    let addr = addr.local_addr().unwrap();
    let refused = Datagram::connected(&addr, &SocketOptions::new()).unwrap_err();
    assert!(refused.errno().is_some_and(|errno| [Errno::PROTOTYPE, Errno::CONNREFUSED].contains(&errno)));
    let unknown = Endpoint::Unknown { family: 40 };
    let cause = Cause::UnknownFamily { family: 40 };
    assert_eq!(Datagram::bind(&unknown, &SocketOptions::new()).unwrap_err().cause(), cause);
    assert_eq!(Datagram::connected(&unknown, &SocketOptions::new()).unwrap_err().cause(), cause);
}

#[test]
fn a_signal_every_200_us_neither_loses_nor_repeats_a_datagram() {
    const COUNT: u32 = 10_000;
    let server = server();
    let client = UdpSocket::bind(any_local_address()).unwrap();
    client.connect(server.local_addr().unwrap().as_inet().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    option::set_nonblocking(&server, false).unwrap();
    let echo = std::thread::spawn(move || {
        interrupted(|| {
            let mut buf = [0; 8];
            for _ in 0..COUNT {
                let (received, from) = loop {
                    match server.recv_from(&mut buf) {
                        Err(error) if error.is_interrupted() => {}
                        // The borrow of `buf` ends with the number.
                        other => {
                            break other
                                .map(|(got, from)| (u32::from_ne_bytes(got.bytes.try_into().unwrap()), from))
                                .unwrap();
                        }
                    }
                };
                server.send_to(&received.to_ne_bytes(), &from).unwrap();
            }
        });
    });
    for number in 0..COUNT {
        client.send(&number.to_ne_bytes()).unwrap();
        let mut buf = [0; 8];
        assert_eq!(client.recv(&mut buf).unwrap(), 4);
        assert_eq!(buf[..4], number.to_ne_bytes());
    }
    echo.join().unwrap();
}
