//! Bind lists on hosts with other settings: without IPv6, with other defaults, with hardly a free port.
//!
//! Each test makes a network namespace in a separate thread, without effects outside.
#![cfg(target_os = "linux")]

mod support;

use std::{
    fs,
    net::{SocketAddr, TcpListener, UdpSocket},
};

use anet::{
    Errno, Error, Op, SocketOptions,
    listen::{self, Access, BindList, ListenerSet, Protocols, SpecError},
    option,
    resolve::Hosts,
};
use support::{namespace::in_namespace, *};

const ALL_PROTOCOLS: [Protocols; 3] = [Protocols::Tcp, Protocols::Udp, Protocols::TcpAndUdp];

fn set_sysctl(name: &str, value: &str) {
    fs::write(format!("/proc/sys/net/{name}"), value).unwrap_or_else(|error| panic!("{name}: {error}"));
}

fn disable_v6() {
    set_sysctl("ipv6/conf/all/disable_ipv6", "1");
}

/// Lets the kernel choose among these ports.
fn set_ephemeral_ports(first: u16, last: u16) {
    set_sysctl("ipv4/ip_local_port_range", &format!("{first} {last}"));
}

fn open(list: &str, protocols: Protocols) -> Result<ListenerSet, SpecError> {
    ListenerSet::open_with(&BindList::parse(list, 0).unwrap(), protocols, &SocketOptions::new(), &Access::default())
}

/// The sockets of both kinds.
fn addrs(set: &ListenerSet) -> Vec<SocketAddr> {
    let tcp = set.iter().map(|listener| listener.local_addr().unwrap());
    let udp = set.datagrams().iter().map(|datagram| datagram.local_addr().unwrap());
    tcp.chain(udp).map(|addr| addr.as_inet().unwrap()).collect()
}

/// The one port of all sockets.
fn port(set: &ListenerSet) -> u16 {
    let addrs = addrs(set);
    assert!(addrs.iter().all(|addr| addr.port() == addrs[0].port()), "{addrs:?}");
    addrs[0].port()
}

/// The expected outcome of a failed list.
fn assert_fails(list: &str, protocols: Protocols, index: usize, errno: Errno) {
    let before = open_fds();
    let failed = open(list, protocols).unwrap_err();
    assert_eq!((failed.index(), failed.error.error()), (index, Error::new(Op::Bind, errno)), "{list} {protocols:?}");
    assert_eq!(open_fds(), before, "{list} {protocols:?} leaves descriptors open");
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn disabled_ipv6_is_skipped_if_optional_and_an_error_if_required() {
    in_namespace(|| {
        disable_v6();
        for protocols in ALL_PROTOCOLS {
            let set = open("127.0.0.1 -::1", protocols).unwrap();
            let [skipped] = set.skipped() else { panic!("{set:?}") };
            assert_eq!((skipped.index(), skipped.error.error()), (1, Error::new(Op::Bind, Errno::ADDRNOTAVAIL)));
            assert!(addrs(&set).iter().all(SocketAddr::is_ipv4));
            assert_fails("127.0.0.1 ::1", protocols, 1, Errno::ADDRNOTAVAIL);
            assert_fails("-::1", protocols, 0, Errno::ADDRNOTAVAIL);
            // The IPv6 wildcard can be bound even on a host without an IPv6 address.
            let set = open("* ::*", protocols).unwrap();
            assert_eq!((set.skipped(), addrs(&set).len() % 2), (&[][..], 0));
            port(&set);
        }
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_name_is_served_on_ipv4_where_ipv6_is_disabled() {
    in_namespace(|| {
        disable_v6();
        let list = BindList::parse("localhost", 0).unwrap();
        let (options, access) = (SocketOptions::new(), Access::default());
        let resolver = Hosts::at(c"/nonexistent");
        let set = ListenerSet::open_resolving(&list, Protocols::TcpAndUdp, &options, &access, resolver).unwrap();
        assert_eq!((addrs(&set).len(), set.skipped().len()), (2, 1));
        port(&set);
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn the_hosts_default_for_v6only_makes_no_difference() {
    in_namespace(|| {
        for default in ["0", "1"] {
            set_sysctl("ipv6/bindv6only", default);
            for protocols in ALL_PROTOCOLS {
                for list in ["* ::*", "::* *"] {
                    let set = open(list, protocols).unwrap();
                    port(&set);
                    assert_eq!(set.skipped(), []);
                    assert!(set.iter().all(only_v6_or_v4) && set.datagrams().iter().all(only_v6_or_v4), "{list}");
                }
            }
            let both = SocketOptions::new().with_only_v6(false);
            let any = "[::]:0".parse().unwrap();
            assert_eq!(option::only_v6(listen::tcp(any, &both).unwrap()), Ok(false));
            assert_eq!(option::only_v6(listen::udp(any, &both).unwrap()), Ok(false));
        }
    });
}

fn only_v6_or_v4(socket: impl anet::fd::AsFd) -> bool {
    // An IPv4 socket does not have the option.
    option::only_v6(socket).unwrap_or(true)
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn an_explicit_port_taken_for_one_family_or_protocol_fails_the_list() {
    in_namespace(|| {
        let list = "127.0.0.1:7000 [::1]:7000";
        let tcp = TcpListener::bind("[::1]:7000").unwrap();
        assert_fails(list, Protocols::Tcp, 1, Errno::ADDRINUSE);
        assert_fails(list, Protocols::TcpAndUdp, 1, Errno::ADDRINUSE);
        open(list, Protocols::Udp).unwrap();
        drop(tcp);

        let udp = UdpSocket::bind("127.0.0.1:7000").unwrap();
        assert_fails(list, Protocols::Udp, 0, Errno::ADDRINUSE);
        assert_fails(list, Protocols::TcpAndUdp, 0, Errno::ADDRINUSE);
        open(list, Protocols::Tcp).unwrap();
        drop(udp);
        assert_eq!(addrs(&open(list, Protocols::TcpAndUdp).unwrap()).len(), 4);
    });
}

/// Ten ports, of which nine are taken for one family or protocol: the free one is found, wherever it is.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn the_only_free_port_is_found() {
    in_namespace(|| {
        set_ephemeral_ports(20000, 20009);
        for free in 20000..20010 {
            let others = || (20000..20010).filter(|&port| port != free);
            let tcp: Vec<_> = others().map(|port| TcpListener::bind(("::1", port)).unwrap()).collect();
            for protocols in [Protocols::Tcp, Protocols::TcpAndUdp] {
                assert_eq!(port(&open("127.0.0.1 ::1", protocols).unwrap()), free);
            }
            drop(tcp);
            let _udp: Vec<_> = others().map(|port| UdpSocket::bind(("::1", port)).unwrap()).collect();
            for protocols in [Protocols::Udp, Protocols::TcpAndUdp] {
                assert_eq!(port(&open("127.0.0.1 ::1", protocols).unwrap()), free);
            }
        }
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_host_without_a_free_port_is_an_error_that_names_the_address() {
    in_namespace(|| {
        // Fewer ports than tries, and more.
        for last in [20000, 20009, 20099] {
            set_ephemeral_ports(20000, last);
            let tcp: Vec<_> = (20000..=last).map(|port| TcpListener::bind(("::1", port)).unwrap()).collect();
            assert_fails("127.0.0.1 127.0.0.2 ::1", Protocols::Tcp, 2, Errno::ADDRINUSE);
            assert_fails("127.0.0.1 127.0.0.2 ::1", Protocols::TcpAndUdp, 2, Errno::ADDRINUSE);
            assert_fails("::1 127.0.0.1", Protocols::Tcp, 0, Errno::ADDRINUSE);
            drop(tcp);
            let _udp: Vec<_> = (20000..=last).map(|port| UdpSocket::bind(("127.0.0.1", port)).unwrap()).collect();
            assert_fails("127.0.0.1 ::1", Protocols::TcpAndUdp, 0, Errno::ADDRINUSE);
            assert_fails("::1 127.0.0.1", Protocols::Udp, 1, Errno::ADDRINUSE);
        }
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_chosen_port_that_a_later_address_requests_is_given_up() {
    in_namespace(|| {
        set_ephemeral_ports(20000, 20009);
        for protocols in ALL_PROTOCOLS {
            for asked in 20000..20010 {
                let set = open(&format!("127.0.0.1:0 127.0.0.1:{asked}"), protocols).unwrap();
                let addrs = addrs(&set);
                assert_eq!(addrs[1].port(), asked);
                assert_ne!(addrs[0].port(), asked);
            }
        }
    });
}

/// Other tests rely on this.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_held_port_is_not_chosen_and_can_be_requested() {
    in_namespace(|| {
        set_ephemeral_ports(20000, 20001);
        let held = HeldPort::new();
        let other = 40001 - held.addr().port();
        for list in ["127.0.0.1", "*", "* ::*"] {
            for _ in 0..20 {
                assert_eq!(port(&open(list, Protocols::Tcp).unwrap()), other);
            }
        }
        for _ in 0..2 {
            assert_eq!(port(&open(&held.addr().to_string(), Protocols::Tcp).unwrap()), held.addr().port());
        }
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn sixteen_addresses_open_and_roll_back() {
    in_namespace(|| {
        let places: Vec<_> = (1..=17).map(|n| format!("127.0.0.{n}")).collect();
        let set = open(&places[..16].join(" "), Protocols::TcpAndUdp).unwrap();
        assert_eq!((set.as_slice().len(), set.datagrams().len()), (16, 16));
        port(&set);
        assert!(BindList::parse(&places.join(" "), 0).is_err());

        let _taken = UdpSocket::bind("127.0.0.16:7000").unwrap();
        let places: Vec<_> = (1..=16).map(|n| format!("127.0.0.{n}:7000")).collect();
        assert_fails(&places.join(" "), Protocols::TcpAndUdp, 15, Errno::ADDRINUSE);
        assert_fails(&format!("{} 203.0.113.1", places[..15].join(" ")), Protocols::TcpAndUdp, 15, Errno::ADDRNOTAVAIL);
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn the_port_of_a_udp_server_cannot_be_taken() {
    in_namespace(|| {
        let set = open("* ::*", Protocols::Udp).unwrap();
        let port = port(&set);
        let reusing = SocketOptions::new().with_udp_reuse_address(true).with_reuse_port(true);
        for ip in ["0.0.0.0", "127.0.0.1", "[::]", "[::1]"] {
            let addr = format!("{ip}:{port}").parse().unwrap();
            for options in [SocketOptions::new(), reusing] {
                let error = listen::udp(addr, &options).unwrap_err();
                assert_eq!(error, Error::new(Op::Bind, Errno::ADDRINUSE), "{addr}");
            }
            assert_fails(&addr.to_string(), Protocols::Udp, 0, Errno::ADDRINUSE);
        }
    });
}
