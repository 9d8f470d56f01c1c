//! Bind lists for TCP and UDP, and lists with host names.

mod support;

use std::{
    net::{SocketAddr, UdpSocket},
    path::Path,
};

use anet::{
    Errno, Error, Op, Result, SocketOptions,
    error::Cause,
    listen::{Access, BindList, ListenerSet, Protocols, SpecError},
    option,
    resolve::{self, Address, Source},
};
use support::*;

fn open(list: &str, protocols: Protocols) -> Result<ListenerSet, SpecError> {
    ListenerSet::open_with(&BindList::parse(list, 0).unwrap(), protocols, &SocketOptions::new(), &Access::default())
}

/// Every name has these addresses.
fn open_resolving(list: &str, protocols: Protocols, addrs: &[&str]) -> Result<ListenerSet, SpecError> {
    let list = BindList::parse(list, 0).unwrap();
    let resolver = resolve::from_fn(|_, port, _| {
        let addr = |addr: &&str| Address::new(SocketAddr::new(addr.parse().unwrap(), port), Source::Other);
        Ok(addrs.iter().map(addr).collect())
    });
    ListenerSet::open_resolving(&list, protocols, &SocketOptions::new(), &Access::default(), resolver)
}

fn tcp_addrs(set: &ListenerSet) -> Vec<SocketAddr> {
    set.iter().map(|listener| listener.local_addr().unwrap().as_inet().unwrap()).collect()
}

fn udp_addrs(set: &ListenerSet) -> Vec<SocketAddr> {
    set.datagrams().iter().map(|datagram| datagram.local_addr().unwrap().as_inet().unwrap()).collect()
}

#[test]
fn tcp_and_udp_share_addresses_and_the_port() {
    if lacks_ipv6() {
        return;
    }
    for list in ["127.0.0.1 ::1 127.0.0.2", "* ::*"] {
        let set = open(list, Protocols::TcpAndUdp).unwrap();
        let addrs = tcp_addrs(&set);
        assert_eq!(addrs, udp_addrs(&set), "{list}");
        assert!(addrs.iter().all(|addr| addr.port() == addrs[0].port() && addr.port() != 0), "{addrs:?}");
        assert_eq!(addrs.len(), BindList::parse(list, 0).unwrap().len());
    }
}

#[test]
fn udp_alone_opens_no_tcp() {
    if lacks_ipv6() {
        return;
    }
    let set = open("127.0.0.1 ::1", Protocols::Udp).unwrap();
    assert_eq!((set.as_slice().len(), set.datagrams().len()), (0, 2));
    let addrs = udp_addrs(&set);
    assert_eq!(addrs[0].port(), addrs[1].port());
    assert!(set.datagrams().iter().all(|datagram| !option::reuse_address(datagram).unwrap()));
}

#[test]
fn unix_sockets_are_listened_on_whatever_the_protocols_are() {
    for (protocols, datagrams) in [(Protocols::Tcp, 0), (Protocols::Udp, 1), (Protocols::TcpAndUdp, 1)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let set = open(&format!("{} 127.0.0.1", path.display()), protocols).unwrap();
        assert_eq!(set.as_slice()[0].local_addr().unwrap().as_unix().unwrap().as_path(), Some(bytes_of(&path)));
        assert_eq!(set.datagrams().len(), datagrams);
    }
}

fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// A port taken for UDP but not for TCP, at an address from which no test connects: at the usual one, connections of
/// finished tests still hold thousands of ports.
fn taken_for_udp() -> UdpSocket {
    UdpSocket::bind("127.0.78.1:0").unwrap()
}

#[test]
fn a_port_taken_for_udp_alone_fails_the_list_and_leaves_nothing() {
    if lacks_ipv6() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    with_own_descriptors(|| {
        let taken = taken_for_udp();
        let before = open_fds();
        let list = format!("127.0.0.2 ::1 {} {}", path.display(), taken.local_addr().unwrap());
        let failed = open(&list, Protocols::TcpAndUdp).unwrap_err();
        assert_eq!((failed.index(), failed.error.error()), (3, Error::new(Op::Bind, Errno::ADDRINUSE)));
        assert_eq!(open_fds(), before);
        assert!(!path.exists());
        // The port is free for TCP.
        open(&list, Protocols::Tcp).unwrap();
    });
}

#[test]
fn a_missing_address_is_skipped_once_for_both_protocols() {
    let set = open("127.0.0.1 -203.0.113.1", Protocols::TcpAndUdp).unwrap();
    assert_eq!((set.as_slice().len(), set.datagrams().len()), (1, 1));
    let [skipped] = set.skipped() else { panic!("{set:?}") };
    assert_eq!((skipped.index(), skipped.error.errno()), (1, Some(Errno::ADDRNOTAVAIL)));
    let failed = open("-203.0.113.1 -203.0.113.2", Protocols::TcpAndUdp).unwrap_err();
    assert_eq!((failed.index(), failed.error.errno()), (0, Some(Errno::ADDRNOTAVAIL)));
}

/// The port that the kernel chooses for the first address may be the one that a later address asks for.
#[test]
fn the_same_address_twice_is_an_error_after_a_bounded_number_of_tries() {
    with_own_descriptors(|| {
        let before = open_fds();
        for protocols in [Protocols::Tcp, Protocols::Udp, Protocols::TcpAndUdp] {
            let failed = open("127.0.0.1:0 127.0.0.1:0", protocols).unwrap_err();
            assert_eq!((failed.index(), failed.error.errno()), (1, Some(Errno::ADDRINUSE)));
        }
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn the_parts_of_a_set_live_on() {
    if lacks_ipv6() {
        return;
    }
    let (listeners, datagrams) = open("127.0.0.1 ::1", Protocols::TcpAndUdp).unwrap().into_parts();
    assert_eq!((listeners.size_hint(), datagrams.size_hint()), ((2, Some(2)), (2, Some(2))));
    for (listener, datagram) in listeners.zip(datagrams) {
        assert_eq!(listener.local_addr().unwrap(), datagram.local_addr().unwrap());
    }
    assert_eq!(open("127.0.0.1", Protocols::TcpAndUdp).unwrap().into_iter().count(), 1);
}

#[test]
fn a_name_stands_for_all_its_addresses() {
    if lacks_ipv6() {
        return;
    }
    let set = open_resolving("a.internal", Protocols::TcpAndUdp, &["127.0.0.1", "::1", "127.0.0.1"]).unwrap();
    assert_eq!((tcp_addrs(&set).len(), tcp_addrs(&set)), (2, udp_addrs(&set)));
    assert_eq!(tcp_addrs(&set)[0].port(), tcp_addrs(&set)[1].port());
    assert_eq!(set.skipped(), []);
}

#[test]
fn a_name_is_served_without_the_addresses_that_are_taken_or_missing() {
    let taken = taken_for_udp();
    let port = taken.local_addr().unwrap().port();
    let list = format!("a.internal:{port}");
    let set = open_resolving(&list, Protocols::TcpAndUdp, &["127.0.78.1", "203.0.113.1", "127.0.78.2"]).unwrap();
    assert_eq!(tcp_addrs(&set).len(), 2);
    assert_eq!(udp_addrs(&set), [SocketAddr::from(([127, 0, 78, 2], port))]);
    let skipped: Vec<_> =
        set.skipped().iter().map(|skipped| (skipped.index(), skipped.error.errno().unwrap())).collect();
    assert_eq!(skipped, [(0, Errno::ADDRNOTAVAIL), (0, Errno::ADDRINUSE)]);
}

#[test]
fn a_name_without_a_usable_address_is_an_error() {
    let taken = taken_for_udp();
    let list = format!("127.0.0.3 a.internal:{}", taken.local_addr().unwrap().port());
    // TCP has its socket, UDP has none.
    let failed = open_resolving(&list, Protocols::TcpAndUdp, &["127.0.78.1", "203.0.113.1"]).unwrap_err();
    assert_eq!((failed.index(), failed.error.error()), (1, Error::new(Op::Bind, Errno::ADDRINUSE)));
    let failed = open_resolving("a.internal", Protocols::Tcp, &["203.0.113.1", "203.0.113.2"]).unwrap_err();
    assert_eq!(failed.error, Error::new(Op::Bind, Errno::ADDRNOTAVAIL));
    let set = open_resolving("127.0.0.1 -a.internal", Protocols::Tcp, &["203.0.113.1"]).unwrap();
    assert_eq!((set.as_slice().len(), set.skipped().len()), (1, 1));
}

#[test]
fn a_name_without_address_and_one_with_too_many_are_refused() {
    let failed = open_resolving("127.0.0.1 a.internal", Protocols::Tcp, &[]).unwrap_err();
    assert_eq!((failed.index(), failed.error.cause()), (1, Cause::HostNotFound));
    assert_eq!(failed.to_string(), "entry 2 of the bind list: resolve: Host not found");

    let addrs: Vec<_> = (1..=17).map(|n| format!("127.0.0.{n}")).collect();
    let addrs: Vec<_> = addrs.iter().map(String::as_str).collect();
    let set = open_resolving("a.internal", Protocols::TcpAndUdp, &addrs[..16]).unwrap();
    assert_eq!((set.as_slice().len(), set.datagrams().len()), (16, 16));
    let failed = open_resolving("a.internal", Protocols::Tcp, &addrs).unwrap_err();
    assert_eq!(failed.error.cause(), Cause::TooManyAddresses);
}

#[test]
fn a_resolver_error_fails_the_list() {
    let list = BindList::parse("127.0.0.1 a.internal b.internal", 0).unwrap();
    let error = Error::new(Op::Resolve, Errno::TIMEDOUT);
    let mut asked = Vec::new();
    let resolver = resolve::from_fn(|host, port, _| {
        asked.push((host.to_owned(), port));
        Err(error)
    });
    let failed =
        ListenerSet::open_resolving(&list, Protocols::Tcp, &SocketOptions::new(), &Access::default(), resolver)
            .unwrap_err();
    assert_eq!((failed.index(), failed.error.error()), (1, error));
    assert_eq!(asked, [("a.internal".to_owned(), 0)]);
}

#[cfg(feature = "std")]
#[test]
fn the_system_resolver_knows_localhost_and_no_invalid_name() {
    let open = |list| {
        let list = BindList::parse(list, 0).unwrap();
        let (options, access) = (SocketOptions::new(), Access::default());
        ListenerSet::open_resolving(&list, Protocols::TcpAndUdp, &options, &access, resolve::System)
    };
    let set = open("localhost").unwrap();
    assert!(tcp_addrs(&set).iter().all(|addr| addr.ip().is_loopback()));
    assert_eq!(tcp_addrs(&set), udp_addrs(&set));
    // RFC 6761: no resolver has an address for it.
    // Without a server the C library cannot tell.
    let failed = open("anet.invalid").unwrap_err();
    assert!([Cause::HostNotFound, Cause::NoAnswer].contains(&failed.error.cause()), "{failed}");
}
