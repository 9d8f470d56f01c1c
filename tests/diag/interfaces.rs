//! Interfaces and addresses, beside `ip`.

use std::{
    fmt::Write,
    net::{IpAddr, UdpSocket},
    time::Duration,
};

use anet::{
    Errno,
    diag::{
        AddrFlags, Interface, InterfaceAddr, InterfaceFlags, Route,
        netlink::{Protocol, Request, RequestFlags, Socket},
    },
    error::Cause,
};
use serde_json::{Map, Value, json};

use crate::{
    support::{PATIENCE, eventually, namespace::in_namespace, open_fds, with_own_descriptors},
    tools::{self, ip, ip_for_kernels_with},
};

const BUF_LEN: usize = 8192;

pub fn interfaces() -> Vec<Interface> {
    let mut buf = [0; BUF_LEN];
    Route::open().unwrap().interfaces(&mut buf).unwrap().map(Result::unwrap).collect()
}

fn addresses() -> Vec<InterfaceAddr> {
    let mut buf = [0; BUF_LEN];
    Route::open().unwrap().addresses(&mut buf).unwrap().map(Result::unwrap).collect()
}

/// Interfaces of several kinds, up and down, with addresses of every sort.
fn furnish() {
    ip("link add veth0 mtu 1400 txqueuelen 77 type veth peer name veth1
        link add br0 type bridge
        link add mv0 link veth0 type macvlan mode bridge
        link set mv0 group 5
        link set veth1 master br0
        link set veth0 up
        link set br0 up
        tuntap add dev tap0 mode tap
        tuntap add dev tun0 mode tun
        addr add 10.1.0.1/24 brd + dev veth0 label veth0:x
        addr add 10.1.0.9/24 dev veth0
        addr add 10.1.9.1 peer 10.1.9.2/32 dev veth0
        addr add 192.0.2.1/28 dev br0 valid_lft 1000 preferred_lft 500
        addr add 198.51.100.7/32 dev lo scope link
        addr add 2001:db8::1/64 dev veth0 preferred_lft 0
        addr add 2001:db8::2/64 dev veth0 valid_lft 5000 preferred_lft 900 nodad
        addr add 2001:db8:1::1 peer 2001:db8:1::2/128 dev veth0 noprefixroute
        addr add fe80::7/64 dev mv0
        link set veth1 up");
    ip_for_kernels_with("VLANs", "link add vlan7 link veth0 type vlan id 7");
    ip_for_kernels_with("dummy devices", "link add dum0 type dummy");
    UdpSocket::bind("10.1.0.1:0").unwrap().send_to(&[0; 100], "10.1.0.200:9").unwrap();
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn interfaces_and_addresses_equal_those_of_ip() {
    in_namespace(|| {
        furnish();
        compare_all();
    });
}

/// Addresses that are not usable yet: a bridge without ports never leaves this state.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_tentative_address_is_not_usable() {
    in_namespace(|| {
        ip("link add br0 type bridge
            link set br0 up
            addr add 2001:db8::1/64 dev br0
            addr add 2001:db8::2/64 dev br0 nodad");
        compare_all();
        let usable = |text: &str| {
            let ip: IpAddr = text.parse().unwrap();
            addresses().iter().find(|addr| addr.ip == ip).unwrap().is_usable()
        };
        assert_eq!((usable("2001:db8::1"), usable("2001:db8::2")), (false, true));
    });
}

/// Ours, between two equal listings of `ip`: the counters change while there is traffic.
fn settled_listings() -> (Vec<Value>, Vec<Interface>, Vec<InterfaceAddr>) {
    eventually(PATIENCE, || {
        let before = tools::json("ip -j -d -s addr");
        let ours = (interfaces(), addresses());
        (before == tools::json("ip -j -d -s addr")).then_some((before, ours.0, ours.1))
    })
}

/// Compares all interfaces and addresses, and returns how many addresses there are.
pub fn compare_all() -> usize {
    let (theirs, interfaces, addresses) = settled_listings();
    assert_eq!(interfaces.len(), theirs.len());
    for (interface, theirs) in interfaces.iter().zip(&theirs) {
        compare_interface(interface, &interfaces, theirs);
        let mut ours: Vec<_> = addresses.iter().filter(|addr| addr.index == interface.index).map(addr_info).collect();
        let mut theirs = theirs["addr_info"].as_array().unwrap().clone();
        ours.sort_by_key(Value::to_string);
        theirs.iter_mut().for_each(forget_lifetime_left);
        theirs.sort_by_key(Value::to_string);
        assert_eq!(ours, theirs, "{interface:?}");
    }
    addresses.len()
}

fn compare_interface(ours: &Interface, all: &[Interface], theirs: &Value) {
    let name_of = |index: Option<u32>| {
        let interface = all.iter().find(|interface| Some(interface.index) == index);
        interface.map_or(Value::Null, |interface| interface.name.to_string().into())
    };
    let counters = ours.counters;
    let facts = [
        ("ifindex", json!(ours.index)),
        ("ifname", json!(ours.name.to_string())),
        ("flags", flags(ours)),
        ("mtu", json!(ours.mtu)),
        ("qdisc", json!(ours.queueing.unwrap().to_string())),
        ("operstate", json!(ours.state.to_string())),
        ("group", if ours.group == 0 { json!("default") } else { json!(ours.group.to_string()) }),
        ("txqlen", if ours.queue_len == 0 { Value::Null } else { json!(ours.queue_len) }),
        ("link_type", json!(link_type(ours.hardware))),
        ("address", ours.address.map_or(Value::Null, |addr| addr.to_string().into())),
        ("broadcast", ours.broadcast.map_or(Value::Null, |addr| addr.to_string().into())),
        ("link", name_of(ours.link)),
        ("master", name_of(ours.master)),
    ];
    for (key, value) in facts {
        assert_eq!(value, theirs[key], "{key} of {ours:?}\n{theirs}");
    }
    let kind = ours.kind.map_or(Value::Null, |kind| kind.to_string().into());
    assert_eq!(kind, theirs["linkinfo"]["info_kind"], "{ours:?}");
    let (rx, tx) = (&theirs["stats64"]["rx"], &theirs["stats64"]["tx"]);
    let numbers = [
        (counters.received_bytes, &rx["bytes"]),
        (counters.received_packets, &rx["packets"]),
        (counters.receive_errors, &rx["errors"]),
        (counters.receive_drops, &rx["dropped"]),
        (counters.received_multicasts, &rx["multicast"]),
        (counters.sent_bytes, &tx["bytes"]),
        (counters.sent_packets, &tx["packets"]),
        (counters.send_errors, &tx["errors"]),
        (counters.send_drops, &tx["dropped"]),
        (counters.collisions, &tx["collisions"]),
    ];
    for (number, theirs) in numbers {
        assert_eq!(json!(number), *theirs, "{ours:?}\n{rx} {tx}");
    }
}

/// In the order and with the names of `ip`, which derives the first and shows no others.
fn flags(interface: &Interface) -> Value {
    let names = [
        (InterfaceFlags::LOOPBACK, "LOOPBACK"),
        (InterfaceFlags::BROADCAST, "BROADCAST"),
        (InterfaceFlags::POINT_TO_POINT, "POINTOPOINT"),
        (InterfaceFlags::MULTICAST, "MULTICAST"),
        (InterfaceFlags::NO_ARP, "NOARP"),
        (InterfaceFlags::ALL_MULTICAST, "ALLMULTI"),
        (InterfaceFlags::PROMISCUOUS, "PROMISC"),
        (InterfaceFlags::MASTER, "MASTER"),
        (InterfaceFlags::SLAVE, "SLAVE"),
        (InterfaceFlags::UP, "UP"),
        (InterfaceFlags::LOWER_UP, "LOWER_UP"),
        (InterfaceFlags::DORMANT, "DORMANT"),
    ];
    let flags = interface.flags;
    let no_carrier = interface.is_up() && !flags.contains(InterfaceFlags::RUNNING);
    let shown = names.iter().filter(|(flag, _)| flags.contains(*flag)).map(|&(_, name)| name);
    json!(no_carrier.then_some("NO-CARRIER").into_iter().chain(shown).collect::<Vec<_>>())
}

fn link_type(hardware: u16) -> &'static str {
    match hardware {
        1 => "ether",
        772 => "loopback",
        65534 => "none",
        other => panic!("hardware {other}"),
    }
}

/// An address as `ip -j` shows it.
fn addr_info(addr: &InterfaceAddr) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| _ = object.insert(key.to_owned(), value);
    put("family", json!(if addr.ip.is_ipv4() { "inet" } else { "inet6" }));
    put("local", json!(addr.ip.to_string()));
    if let Some(peer) = addr.peer {
        put("address", json!(peer.to_string()));
    }
    put("prefixlen", json!(addr.prefix_len));
    if let Some(broadcast) = addr.broadcast {
        put("broadcast", json!(broadcast.to_string()));
    }
    put("scope", json!(addr.scope.to_string()));
    let names = [
        (AddrFlags::SECONDARY, if addr.ip.is_ipv4() { "secondary" } else { "temporary" }),
        (AddrFlags::TENTATIVE, "tentative"),
        (AddrFlags::DEPRECATED, "deprecated"),
        (AddrFlags::NO_DAD, "nodad"),
        (AddrFlags::DAD_FAILED, "dadfailed"),
        (AddrFlags::NO_PREFIX_ROUTE, "noprefixroute"),
        (AddrFlags::MANAGE_TEMPORARY, "mngtmpaddr"),
    ];
    for (flag, name) in names {
        if addr.flags.contains(flag) {
            put(name, json!(true));
        }
    }
    if !addr.flags.contains(AddrFlags::PERMANENT) {
        put("dynamic", json!(true));
    }
    if let Some(label) = addr.label {
        put("label", json!(label.to_string()));
    }
    put("valid_life_time", lifetime(addr.valid));
    put("preferred_life_time", lifetime(addr.preferred));
    let mut value = Value::Object(object);
    forget_lifetime_left(&mut value);
    value
}

/// How `ip` shows a lifetime without an end.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

fn lifetime(time: Option<Duration>) -> Value {
    json!(time.unwrap_or(FOREVER).as_secs())
}

/// The two listings are not of the same second.
fn forget_lifetime_left(addr: &mut Value) {
    for key in ["valid_life_time", "preferred_life_time"] {
        let seconds = addr[key].as_u64().unwrap();
        if seconds != u64::from(u32::MAX) && seconds > 10 {
            addr[key] = json!(seconds.div_ceil(100) * 100);
        }
    }
}

/// Commands that add as many IPv4 addresses to the loopback interface.
pub fn add_to_loopback(count: u32) -> String {
    let mut commands = String::new();
    for n in 0..count {
        writeln!(commands, "addr add 10.{}.{}.1/32 dev lo", n / 250, n % 250).unwrap();
    }
    commands
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_listing_interrupted_by_a_change_says_that_it_is_incomplete() {
    in_namespace(|| {
        ip(&add_to_loopback(1000));
        let mut route = Route::open().unwrap();
        let mut buf = [0; BUF_LEN];
        let mut listing = route.addresses(&mut buf).unwrap();
        for _ in 0..10 {
            listing.next().unwrap().unwrap();
        }
        ip("addr del 10.3.9.1/32 dev lo");
        let last = listing.by_ref().find_map(Result::err).expect("an error");
        assert!(last.is_interrupted_dump(), "{last}");
        assert_eq!(last.cause(), Cause::DumpInterrupted);
        assert!(listing.next().is_none());
        assert_eq!(route.addresses(&mut buf).unwrap().map(Result::unwrap).count(), 999 + 2);
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn one_interface_is_found_by_name_and_by_number() {
    in_namespace(|| {
        furnish();
        let mut route = Route::open().unwrap();
        let mut buf = [0; BUF_LEN];
        for interface in interfaces() {
            let name = interface.name.to_string();
            assert_eq!(route.interface_named(&name, &mut buf).unwrap().index, interface.index);
            assert_eq!(route.interface(interface.index, &mut buf).unwrap().name, interface.name);
            let ours: Vec<_> = route.addresses_of(interface.index, &mut buf).unwrap().map(Result::unwrap).collect();
            assert!(ours.iter().all(|addr| addr.index == interface.index));
            assert_eq!(ours.len(), addresses().iter().filter(|addr| addr.index == interface.index).count());
        }
    });
}

#[test]
fn a_missing_interface_is_an_error() {
    let mut route = Route::open().unwrap();
    let mut buf = [0; BUF_LEN];
    assert_eq!(route.interface_named("anet-none", &mut buf).unwrap_err().errno(), Some(Errno::NODEV));
    assert_eq!(route.interface(0x7fff_0000, &mut buf).unwrap_err().errno(), Some(Errno::NODEV));
    let absent: Result<Vec<_>, _> = route.addresses_of(0x7fff_0000, &mut buf).unwrap().collect();
    assert_eq!(absent.unwrap_err().errno(), Some(Errno::NODEV));
    for name in ["", "sixteen-letters-"] {
        let error = route.interface_named(name, &mut buf).unwrap_err();
        assert!(matches!(error.cause(), Cause::OutOfRange { .. }), "{error}");
    }
    assert!(route.interface_named("lo", &mut buf).unwrap().is_loopback());
}

#[test]
fn a_short_buffer_is_an_error() {
    let mut route = Route::open().unwrap();
    for len in [0, 1, 15, 16, 500] {
        let mut buf = vec![0; len];
        let all: Result<Vec<_>, _> = route.interfaces(&mut buf).unwrap().collect();
        let error = all.unwrap_err();
        assert!(matches!(error.cause(), Cause::MessageTruncated { .. }), "{len}: {error}");
        let text = error.to_text();
        assert!(text.starts_with("recvfrom: Message of ") && text.ends_with(" bytes is longer than the buffer"));
    }
}

#[test]
fn an_abandoned_listing_does_not_disturb_the_next() {
    with_own_descriptors(|| {
        let mut route = Route::open().unwrap();
        let before = open_fds();
        let mut buf = [0; BUF_LEN];
        for _ in 0..10 {
            assert!(route.interfaces(&mut buf).unwrap().next().unwrap().is_ok());
            assert!(route.addresses(&mut buf).unwrap().all(|addr| addr.is_ok()));
        }
        assert_eq!(open_fds(), before);
    });
}

/// `RTM_GETADDR` with a prefix length, which a strict kernel refuses.
#[test]
fn the_kernels_explanation_is_in_the_text() {
    let mut socket = Socket::open(Protocol::Route).unwrap();
    let request = Request::new(22, RequestFlags::DUMP, &[0, 9, 0, 0, 0, 0, 0, 0]).unwrap();
    let error = socket.execute(request, &mut [0; BUF_LEN]).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::INVAL));
    assert!(!error.explanation().is_empty());
    assert_eq!(error.to_string(), format!("netlink: Invalid argument ({})", error.explanation()));
    println!("{error}");
}
