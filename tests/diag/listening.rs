//! Bind lists that name interfaces, in namespaces with several addresses.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
};

use anet::{
    Errno, Error, Op, SocketOptions,
    diag::Route,
    error::Cause,
    listen::{Access, BindList, ListenerSet, Protocols, SpecError},
};

use crate::{
    support::{namespace::in_namespace, open_fds, with_own_descriptors},
    tools::ip,
};

fn open(list: &str, protocols: Protocols) -> Result<ListenerSet, SpecError> {
    let list = BindList::parse(list, 0).unwrap();
    ListenerSet::open_with(&list, protocols, &SocketOptions::new(), &Access::default())
}

fn fails(list: &str) -> (usize, Error) {
    let before = open_fds();
    let failed = open(list, Protocols::TcpAndUdp).unwrap_err();
    assert_eq!(open_fds(), before, "{list}");
    (failed.index(), failed.error.error())
}

fn tcp_addrs(set: &ListenerSet) -> Vec<SocketAddr> {
    set.iter().map(|listener| listener.local_addr().unwrap().as_inet().unwrap()).collect()
}

fn udp_addrs(set: &ListenerSet) -> Vec<SocketAddr> {
    set.datagrams().iter().map(|datagram| datagram.local_addr().unwrap().as_inet().unwrap()).collect()
}

fn index(name: &str) -> u32 {
    Route::open().unwrap().interface_named(name, &mut [0; 8192]).unwrap().index
}

/// The addresses of an interface with a port, as a listing has them.
fn listed(name: &str, port: u16) -> Vec<SocketAddr> {
    let (mut route, mut buf) = (Route::open().unwrap(), [0; 8192]);
    let addresses = route.addresses_of(index(name), &mut buf).unwrap();
    addresses.map(|addr| addr.unwrap().with_port(port)).collect()
}

/// An interface with two IPv4 and two IPv6 addresses, all of them usable at once.
fn furnish() {
    fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
    ip("link add veth0 type veth peer name veth1
        addr add 10.1.0.1/24 dev veth0
        addr add 10.1.9.1 peer 10.1.9.2/32 dev veth0
        addr add 2001:db8::1/64 dev veth0 nodad
        link set veth0 up
        link set veth1 up");
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn all_addresses_of_an_interface_are_served() {
    in_namespace(|| {
        furnish();
        for item in ["%veth0".to_owned(), "dev:veth0".to_owned(), format!("%{}", index("veth0"))] {
            let set = open(&item, Protocols::TcpAndUdp).unwrap();
            let addrs = tcp_addrs(&set);
            assert_eq!(addrs, udp_addrs(&set));
            assert_eq!(addrs, listed("veth0", addrs[0].port()), "{item}");
            let texts: Vec<_> = addrs.iter().map(|addr| addr.ip().to_string()).collect();
            assert_eq!(texts[..2], ["10.1.0.1", "10.1.9.1"]);
            assert!(texts[2..].contains(&"2001:db8::1".to_owned()) && texts.len() == 4, "{texts:?}");
            let scoped = addrs.iter().find(|addr| addr.ip().to_string().starts_with("fe80:")).unwrap();
            assert!(matches!(scoped, SocketAddr::V6(addr) if addr.scope_id() == index("veth0")), "{scoped}");
            for (addr, listener) in addrs.iter().zip(&set) {
                let client = TcpStream::connect(addr).unwrap();
                let (_, peer) = listener.accept().unwrap();
                assert_eq!(peer.as_inet(), Some(client.local_addr().unwrap()));
            }
        }
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn an_interface_shares_the_chosen_port_with_the_rest_of_the_list() {
    in_namespace(|| {
        furnish();
        let set = open("127.0.0.1 -%veth9 %lo:7000 %veth0 ::1", Protocols::TcpAndUdp).unwrap();
        let ports: Vec<_> = tcp_addrs(&set).iter().map(SocketAddr::port).collect();
        assert_eq!((ports.len(), ports[1..3].to_vec()), (8, vec![7000, 7000]));
        assert!(ports[3..].iter().all(|&port| port == ports[0]), "{ports:?}");
        let [skipped] = set.skipped() else { panic!("{set:?}") };
        assert_eq!((skipped.index(), skipped.error.error()), (1, Error::new(Op::Address, Errno::NODEV)));
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn an_interface_without_addresses_is_an_error_unless_it_is_optional() {
    in_namespace(|| {
        fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
        ip("link add br0 type bridge
            link add br1 type bridge
            link set br1 up");
        let expected = [
            ("veth9", Cause::Errno(Errno::NODEV), "address: No such device"),
            ("999999", Cause::Errno(Errno::NODEV), "address: No such device"),
            ("br0", Cause::Errno(Errno::NETDOWN), "address: Network is down"),
            ("br1", Cause::InterfaceWithoutAddress, "address: Interface has no address"),
        ];
        for (name, cause, text) in expected {
            let (index, error) = fails(&format!("127.0.0.1 %{name}"));
            assert_eq!((index, error.cause(), error.to_string()), (1, cause, text.to_owned()));
            for protocols in [Protocols::Tcp, Protocols::Udp, Protocols::TcpAndUdp] {
                let set = open(&format!("127.0.0.1 -%{name}"), protocols).unwrap();
                let [skipped] = set.skipped() else { panic!("{set:?}") };
                assert_eq!((skipped.index(), skipped.error.error()), (1, error));
            }
            assert_eq!(fails(&format!("-%{name}")), (0, error));
        }
        // An address of an interface that is down is an address of this host.
        ip("addr add 10.1.0.1/24 dev br0");
        assert_eq!(tcp_addrs(&open("%br0:7000", Protocols::Tcp).unwrap()), ["10.1.0.1:7000".parse().unwrap()]);
        assert_eq!(fails("-fe80::1%veth9"), (0, Error::new(Op::Address, Errno::NODEV)));
        assert_eq!(open("127.0.0.1 -fe80::1%veth9", Protocols::Tcp).unwrap().skipped().len(), 1);
    });
}

/// A bridge without ports never ends duplicate address detection.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_tentative_address_is_skipped_if_the_interface_has_another() {
    in_namespace(|| {
        ip("link add br0 type bridge
            link set br0 up
            addr add 2001:db8::1/64 dev br0");
        assert_eq!(fails("%br0"), (0, Error::new(Op::Bind, Errno::ADDRNOTAVAIL)));
        ip("addr add 10.1.0.1/24 dev br0");
        let set = open("%br0:7000", Protocols::TcpAndUdp).unwrap();
        assert_eq!(tcp_addrs(&set), ["10.1.0.1:7000".parse().unwrap()]);
        assert_eq!((udp_addrs(&set).len(), set.skipped().len()), (1, listed("br0", 0).len() - 1));
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn an_address_of_an_interface_that_is_in_use_fails_the_list() {
    in_namespace(|| {
        furnish();
        let taken = TcpListener::bind("10.1.9.1:7000").unwrap();
        for item in ["%veth0:7000", "-%veth0:7000"] {
            assert_eq!(fails(item), (0, Error::new(Op::Bind, Errno::ADDRINUSE)));
        }
        drop(taken);
        assert_eq!(tcp_addrs(&open("%veth0:7000", Protocols::Tcp).unwrap()).len(), 4);
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn an_interface_with_more_addresses_than_a_list_can_have_is_an_error() {
    in_namespace(|| {
        let add = |n: u32| ip(&format!("addr add 10.1.0.{n}/32 dev lo"));
        (1..=14).for_each(add);
        assert_eq!(tcp_addrs(&open("%lo", Protocols::TcpAndUdp).unwrap()).len(), 16);
        let (index, error) = fails("%lo 127.0.0.1:7000");
        assert_eq!((index, error.cause()), (1, Cause::TooManyAddresses));
        add(15);
        let (index, error) = fails("-%lo");
        assert_eq!((index, error.cause()), (0, Cause::TooManyAddresses));
    });
}

#[test]
fn the_loopback_interface_needs_no_privilege() {
    with_own_descriptors(|| {
        let before = open_fds();
        let set = open("%lo", Protocols::Tcp).unwrap();
        assert!(tcp_addrs(&set).contains(&SocketAddr::from(([127, 0, 0, 1], tcp_addrs(&set)[0].port()))));
        drop(set);
        assert_eq!(open_fds(), before);
    });
}
