//! UDP servers: receiving, sending, and ownership of the port.

mod support;

use std::{
    net::{SocketAddr, UdpSocket},
    os::unix::net::UnixDatagram,
};

use anet::{
    Datagram, Endpoint, Errno, Error, Op, SocketOptions,
    error::Cause,
    fd::{AsFd, OwnedFd},
    listen, option,
};
use support::*;

/// The most bytes a UDP datagram has over IPv4, and over IPv6.
const LARGEST: [usize; 2] = [65535 - 20 - 8, 65535 - 8];

fn serve(addr: SocketAddr) -> (Datagram, SocketAddr) {
    let server = listen::udp(addr, &SocketOptions::new()).unwrap();
    let local = server.local_addr().unwrap().as_inet().unwrap();
    (server, local)
}

/// A client connected to its server.
fn client_of(server: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind((server.ip(), 0)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.connect(server).unwrap();
    client
}

/// A socket connected to itself, so that datagrams of others to its port are refused, and the port.
fn deaf() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(any_local_address()).unwrap();
    let addr = socket.local_addr().unwrap();
    socket.connect(addr).unwrap();
    (socket, addr)
}

/// The bytes of the next datagram and its whole length.
fn receive(server: &Datagram, room: usize) -> (Vec<u8>, Option<usize>, bool, Endpoint) {
    let mut buf = vec![0; room];
    eventually(PATIENCE, || match server.recv_from(&mut buf) {
        Err(error) if error.is_would_block() => None,
        other => {
            let (received, from) = other.unwrap();
            Some((received.bytes.to_vec(), received.whole_len(), received.is_truncated(), from))
        }
    })
}

#[test]
fn a_socket_is_nonblocking_close_on_exec_and_does_not_share_its_port() {
    for addr in any_local_addresses() {
        let (server, local) = serve(addr);
        assert!(option::nonblocking(&server).unwrap() && option::cloexec(&server).unwrap());
        assert!(!option::reuse_address(&server).unwrap() && !option::reuse_port(&server).unwrap());
        assert_would_block(server.recv_from(&mut [0; 8]).map(drop));
        assert_ne!(local.port(), 0);
    }
}

#[test]
fn datagrams_are_echoed_over_both_families() {
    for addr in any_local_addresses() {
        let (server, local) = serve(addr);
        let client = client_of(local);
        for request in [&b"one"[..], b"", &[7; 2000]] {
            client.send(request).unwrap();
            let (bytes, whole_len, is_truncated, from) = receive(&server, 2048);
            assert_eq!((&bytes[..], whole_len, is_truncated), (request, Some(request.len()), false));
            assert_eq!(from, client.local_addr().unwrap().into());
            server.send_to(&bytes, &from).unwrap();
            let mut reply = [0; 2048];
            let len = client.recv(&mut reply).unwrap();
            assert_eq!(&reply[..len], request);
        }
    }
}

#[test]
fn a_datagram_longer_than_the_buffer_is_truncated_and_marked() {
    let (server, local) = serve(any_local_address());
    let client = client_of(local);
    for room in [0, 1, 4, 5, 6] {
        client.send(b"12345").unwrap();
        let (bytes, whole_len, is_truncated, _) = receive(&server, room);
        assert_eq!(bytes, b"12345"[..room.min(5)]);
        assert_eq!((whole_len, is_truncated), (Some(5), room < 5));
    }
    // The rest of a truncated datagram is discarded.
    assert_would_block(server.recv_from(&mut [0; 8]).map(drop));
}

#[test]
fn the_largest_datagram_is_sent_and_one_byte_more_is_refused() {
    for (addr, largest) in any_local_addresses().into_iter().zip(LARGEST) {
        let (server, local) = serve(addr);
        let (other, other_addr) = serve(addr);
        let bytes = vec![9; largest + 1];
        other.send_to(&bytes[..largest], &local.into()).unwrap();
        let (received, whole_len, ..) = receive(&server, largest + 1);
        assert_eq!((received.len(), whole_len), (largest, Some(largest)));
        let error = other.send_to(&bytes, &local.into()).unwrap_err();
        assert_eq!((error.op(), error.cause()), (Op::SendTo, Cause::DatagramTooLong { len: largest as u32 + 1 }));
        assert_eq!(error.to_string(), format!("sendto: Datagram of {} bytes, which is too long", largest + 1));
        assert_eq!(other.local_addr().unwrap(), other_addr.into());
    }
}

#[test]
fn refusals_have_their_error_numbers() {
    let (server, _) = serve(any_local_address());
    let refused = |to: &str| server.send_to(b"x", &to.parse().unwrap()).unwrap_err();
    assert_eq!(refused("127.0.0.1:0"), Error::new(Op::SendTo, Errno::INVAL));
    assert_eq!(refused("255.255.255.255:9"), Error::new(Op::SendTo, Errno::ACCESS));
    assert_eq!(refused("[::1]:9"), Error::new(Op::SendTo, Errno::AFNOSUPPORT));
    let unknown = server.send_to(b"x", &Endpoint::Unknown { family: 0 }).unwrap_err();
    assert_eq!(unknown, Error::new(Op::SendTo, Errno::AFNOSUPPORT));
    let elsewhere = listen::udp("203.0.113.1:0".parse().unwrap(), &SocketOptions::new()).unwrap_err();
    assert_eq!(elsewhere, Error::new(Op::Bind, Errno::ADDRNOTAVAIL));
}

#[test]
fn a_client_that_is_gone_does_not_stop_a_server() {
    let (server, local) = serve(any_local_address());
    let (_holds_its_port, gone) = deaf();
    for _ in 0..3 {
        server.send_to(b"to a closed port", &gone.into()).unwrap();
    }
    assert_would_block(server.recv_from(&mut [0; 8]).map(drop));
    client_of(local).send(b"next").unwrap();
    assert_eq!(receive(&server, 8).0, b"next");
}

/// The peer's refusal of an earlier datagram is reported once, and the socket stays usable.
#[test]
fn a_connected_socket_reports_a_refusal_once() {
    let (_deaf, refusing) = deaf();
    let client = Datagram::from(OwnedFd::from(client_of(refusing)));
    option::set_nonblocking(&client, true).unwrap();
    let refusing = Endpoint::from(refusing);
    client.send_to(b"x", &refusing).unwrap();
    assert_eq!(client.send_to(b"x", &refusing), Err(Error::new(Op::SendTo, Errno::CONNREFUSED)));
    client.send_to(b"x", &refusing).unwrap();
    let refused = client.recv_from(&mut [0; 8]).map(drop);
    assert_eq!(refused, Err(Error::new(Op::ReceiveFrom, Errno::CONNREFUSED)));
    assert_would_block(client.recv_from(&mut [0; 8]).map(drop));
}

/// With `SO_REUSEADDR` on both, the one bound last would get the datagrams.
#[test]
fn the_port_of_a_server_cannot_be_taken() {
    let wildcard = |addr: &SocketAddr| if addr.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().unwrap();
    for addr in any_local_addresses().into_iter().flat_map(|addr| [addr, wildcard(&addr)]) {
        let (server, local) = serve(addr);
        for options in [SocketOptions::new(), SocketOptions::new().with_udp_reuse_address(true)] {
            let error = listen::udp(local, &options.with_reuse_port(true)).unwrap_err();
            assert_eq!(error, Error::new(Op::Bind, Errno::ADDRINUSE), "{local}");
        }
        drop(server);
        // Another socket on this host may get the port meanwhile; the test then tries another one.
        eventually(PATIENCE, || {
            let (server, local) = serve(addr);
            drop(server);
            listen::udp(local, &SocketOptions::new()).ok()
        });
    }
}

#[test]
fn sockets_that_ask_for_it_share_a_port() {
    for options in [SocketOptions::new().with_udp_reuse_address(true), SocketOptions::new().with_reuse_port(true)] {
        let first = listen::udp(any_local_address(), &options).unwrap();
        let local = first.local_addr().unwrap();
        let second = listen::udp(local.as_inet().unwrap(), &options).unwrap();
        assert_eq!(second.local_addr().unwrap(), local);
    }
}

#[test]
fn ipv6_sockets_exclude_ipv4_unless_dual_stack_is_set() {
    if lacks_ipv6() {
        return;
    }
    // The same port may be taken for IPv4 by another socket of this host.
    eventually(PATIENCE, || {
        let (server, local) = serve("[::]:0".parse().unwrap());
        assert!(option::only_v6(&server).unwrap());
        listen::udp(([0, 0, 0, 0], local.port()).into(), &SocketOptions::new()).ok()
    });

    let both = listen::udp("[::]:0".parse().unwrap(), &SocketOptions::new().with_only_v6(false)).unwrap();
    let port = both.local_addr().unwrap().port().unwrap();
    let client = client_of(([127, 0, 0, 1], port).into());
    client.send(b"v4").unwrap();
    let (.., from) = receive(&both, 8);
    assert_eq!(from.canonical(), client.local_addr().unwrap().into());
    both.send_to(b"reply", &from).unwrap();
    assert_eq!(client.recv(&mut [0; 8]).unwrap(), 5);
}

#[test]
fn the_send_buffer_is_the_largest_unless_the_options_say_otherwise() {
    let (server, _) = serve(any_local_address());
    assert_eq!(option::send_buffer_size(&server).unwrap(), 2 * limit("wmem_max"));
    let options = SocketOptions::new().with_send_buffer_size(Some(50_000)).with_recv_buffer_size(Some(60_000));
    let modest = listen::udp(any_local_address(), &options).unwrap();
    assert_eq!(option::send_buffer_size(&modest).unwrap(), 100_000);
    assert_eq!(option::recv_buffer_size(&modest).unwrap(), 120_000);
}

#[test]
fn the_largest_buffer_is_what_the_kernel_grants() {
    let (server, _) = serve(any_local_address());
    option::set_send_buffer_size(&server, 10_000).unwrap();
    for _ in 0..2 {
        assert_eq!(option::maximize_send_buffer(&server).unwrap(), 2 * limit("wmem_max"));
        assert_eq!(option::maximize_recv_buffer(&server).unwrap(), 2 * limit("rmem_max"));
    }
    assert_eq!(option::send_buffer_size(&server).unwrap(), 2 * limit("wmem_max"));
    assert_eq!(option::recv_buffer_size(&server).unwrap(), 2 * limit("rmem_max"));
}

/// The host's limit, in bytes as requested.
fn limit(name: &str) -> usize {
    std::fs::read_to_string(format!("/proc/sys/net/core/{name}")).unwrap().trim().parse().unwrap()
}

#[test]
#[ignore = "needs CAP_NET_ADMIN"]
fn a_privileged_process_can_exceed_the_buffer_limit() {
    let (server, _) = serve(any_local_address());
    let (send, receive) = (2 * limit("wmem_max"), 2 * limit("rmem_max"));
    option::set_send_buffer_size_force(&server, send).unwrap();
    option::set_recv_buffer_size_force(&server, receive).unwrap();
    assert_eq!(option::send_buffer_size(&server).unwrap(), 2 * send);
    assert_eq!(option::recv_buffer_size(&server).unwrap(), 2 * receive);
}

#[test]
fn unix_datagrams_are_sent_and_received() {
    let directory = tempfile::tempdir().unwrap();
    let [here, there] = ["here", "there"].map(|name| directory.path().join(name));
    let server = UnixDatagram::bind(&here).unwrap();
    server.set_nonblocking(true).unwrap();
    let server = Datagram::from(OwnedFd::from(server));
    let client = UnixDatagram::bind(&there).unwrap();
    client.send_to(b"12345", &here).unwrap();
    let (bytes, whole_len, is_truncated, from) = receive(&server, 3);
    assert_eq!((&bytes[..], whole_len, is_truncated), (&b"123"[..], Some(5), true));
    server.send_to(b"reply", &from).unwrap();
    assert_eq!(client.recv(&mut [0; 8]).unwrap(), 5);

    UnixDatagram::unbound().unwrap().send_to(b"unbound socket", &here).unwrap();
    assert_eq!(receive(&server, 16).3, Endpoint::Unknown { family: 0 });
    drop(client);
    assert_eq!(server.send_to(b"x", &from), Err(Error::new(Op::SendTo, Errno::CONNREFUSED)));
}

/// A name that fills all 108 bytes, for which the kernel reports a length beyond its struct.
#[test]
fn a_peer_with_the_longest_name_is_read() {
    let (server, client) = (UnixDatagram::unbound().unwrap(), UnixDatagram::unbound().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().join("s");
    let server_fd = server.as_fd().try_clone_to_owned().unwrap();
    bind_unix(&server, here.as_os_str().as_encoded_bytes());
    let stem = directory.path().join("x");
    let mut longest = stem.as_os_str().as_encoded_bytes().to_vec();
    longest.resize(108, b'x');
    bind_unix(&client, &longest);
    client.send_to(b"hello", &here).unwrap();
    let (.., from) = receive(&Datagram::from(server_fd), 8);
    assert_eq!(from.as_unix().unwrap().as_sun_path(), longest);
}

/// Binds to a path of up to 108 bytes, without a terminator.
fn bind_unix(socket: &UnixDatagram, path: &[u8]) {
    use std::os::fd::AsRawFd;
    // SAFETY: all zeroes is a valid address.
    let mut addr: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    addr.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in addr.sun_path.iter_mut().zip(path) {
        *to = *from as libc::c_char;
    }
    let len = (size_of::<libc::sa_family_t>() + path.len()) as libc::socklen_t;
    // SAFETY: `len` bytes of the address are readable: the path has 108 at most.
    let answer = unsafe { libc::bind(socket.as_raw_fd(), (&raw const addr).cast(), len) };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_datagram_socket_converts_to_a_descriptor_and_back() {
    let (server, local) = serve(any_local_address());
    let fd: OwnedFd = server.into();
    assert_eq!(Datagram::from(fd).local_addr().unwrap(), local.into());
}
