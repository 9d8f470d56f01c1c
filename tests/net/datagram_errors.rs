//! The error queue: which datagram was not delivered, and why.

use anet::{
    Datagram, Errno, Error, Op, SocketOptions,
    datagram::{Request, cmsg::ErrorOrigin},
    listen, option,
};

use crate::{datagram::server, support::*};

#[test]
fn an_unconnected_socket_learns_which_datagram_was_refused_and_by_which_host() {
    for addr in any_local_addresses() {
        let gone = listen::udp(addr, &SocketOptions::new()).unwrap().local_addr().unwrap();
        let socket = Datagram::bind(&addr.into(), &SocketOptions::new()).unwrap();
        socket.request(Request::ERRORS).unwrap();
        assert_would_block(socket.recv_error(&mut [0; 8]).map(drop));
        socket.send_to(b"refused", &gone).unwrap();
        let mut buf = [0; 64];
        let returned =
            eventually(PATIENCE, || socket.recv(&mut [0; 8]).map(drop).err().filter(|error| !error.is_would_block()));
        assert_eq!(returned, Error::new(Op::ReceiveFrom, Errno::CONNREFUSED));

        let undelivered = socket.recv_error(&mut buf).unwrap();
        assert_eq!((&*undelivered.bytes, undelivered.to), (&b"refused"[..], gone));
        let error = undelivered.error.unwrap();
        assert_eq!(error.errno, Some(Errno::CONNREFUSED));
        // Destination unreachable, port unreachable (RFC 792, RFC 4443).
        let expected = if addr.is_ipv4() { (ErrorOrigin::Icmp, 3, 3) } else { (ErrorOrigin::Icmp6, 1, 4) };
        assert_eq!((error.origin, error.kind, error.code), expected);
        assert_eq!(error.offender.ip(), Some(addr.ip()));
        assert_would_block(socket.recv_error(&mut buf).map(drop));
    }
}

#[test]
fn the_report_of_a_datagram_too_long_for_its_path_has_the_mtu() {
    let server = server();
    let socket = Datagram::connected(&server.local_addr().unwrap(), &SocketOptions::new()).unwrap();
    socket.request(Request::ERRORS).unwrap();
    // IP_PMTUDISC_PROBE would send it; with IP_PMTUDISC_DO the kernel refuses what must be fragmented. Loopback carries
    // every datagram that fits into a packet, so the interface's MTU is what limits here.
    option::set_ip_mtu_discover(&socket, 2).unwrap();
    let mtu = option::ip_mtu(&socket).unwrap();
    if mtu >= 65535 {
        // Nothing is too long for this loopback device but what is too long for UDP.
        assert!(socket.send(&[0; 65507]).is_ok());
        return;
    }
    let error = socket.send(&[0; 65507]).unwrap_err();
    assert!(matches!(error.cause(), anet::error::Cause::DatagramTooLong { len: 65507 }));
    let mut buf = [0; 8];
    let report = socket.recv_error(&mut buf).unwrap().error.unwrap();
    assert_eq!((report.errno, report.origin, report.info), (Some(Errno::MSGSIZE), ErrorOrigin::Local, mtu));
}

#[test]
fn a_report_is_cut_to_the_buffer() {
    let gone = server().local_addr().unwrap();
    let socket = server();
    socket.request(Request::ERRORS).unwrap();
    socket.send_to(b"refused", &gone).unwrap();
    let mut buf = [0; 3];
    let undelivered =
        eventually(PATIENCE, || socket.recv_error(&mut buf).ok().map(|report| (report.bytes.to_vec(), report.to)));
    assert_eq!(undelivered, (b"ref".to_vec(), gone));
}
