//! Multicast: which datagrams reach a member of a group. On the loopback device, which carries multicast if it is asked
//! by index.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anet::{Datagram, Errno, SocketOptions, listen, option};

use crate::{
    datagram::receive,
    support::{namespace::in_namespace, *},
};

const LOOPBACK: u32 = 1;
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));
const OTHER_GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 4));
const SOURCE_GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(232, 1, 2, 3));

/// A socket that receives from the groups it joins alone, and its port.
fn member() -> (Datagram, u16) {
    let member = listen::udp("0.0.0.0:0".parse().unwrap(), &SocketOptions::new()).unwrap();
    option::set_ip_multicast_all(&member, false).unwrap();
    let port = member.local_addr().unwrap().port().unwrap();
    (member, port)
}

fn sender(ip: Ipv4Addr) -> Datagram {
    let sender = listen::udp(SocketAddr::new(ip.into(), 0), &SocketOptions::new()).unwrap();
    option::set_ip_multicast_if(&sender, Ipv4Addr::LOCALHOST).unwrap();
    sender
}

#[test]
fn a_member_receives_its_group_until_it_leaves() {
    let (member, port) = member();
    let sender = sender(Ipv4Addr::LOCALHOST);
    let send = |text: &[u8], group| sender.send_to(text, &SocketAddr::new(group, port).into()).unwrap();
    send(b"before", GROUP);
    member.join_group(GROUP, LOOPBACK).unwrap();
    send(b"other group", OTHER_GROUP);
    send(b"within", GROUP);
    assert_eq!(receive(&member), b"within");
    let again = member.join_group(GROUP, LOOPBACK).unwrap_err();
    assert!(again.is_addr_in_use());
    assert!(again.to_string().starts_with("setsockopt MCAST_JOIN_GROUP: "));
    member.leave_group(GROUP, LOOPBACK).unwrap();
    send(b"after", GROUP);
    member.join_group(OTHER_GROUP, LOOPBACK).unwrap();
    send(b"end", OTHER_GROUP);
    assert_eq!(receive(&member), b"end");
    assert_eq!(member.leave_group(GROUP, LOOPBACK).unwrap_err().errno(), Some(Errno::ADDRNOTAVAIL));
}

#[test]
fn a_member_for_a_source_does_not_hear_others() {
    let (member, port) = member();
    let (wanted, unwanted) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3));
    member.join_source(SOURCE_GROUP, wanted.into(), LOOPBACK).unwrap();
    let to = SocketAddr::new(SOURCE_GROUP, port).into();
    sender(unwanted).send_to(b"unwanted", &to).unwrap();
    sender(wanted).send_to(b"wanted", &to).unwrap();
    assert_eq!(receive(&member), b"wanted");
    assert_would_block(member.recv(&mut [0; 8]).map(drop));
    member.join_source(SOURCE_GROUP, unwanted.into(), LOOPBACK).unwrap();
    sender(unwanted).send_to(b"now wanted", &to).unwrap();
    assert_eq!(receive(&member), b"now wanted");
    member.leave_source(SOURCE_GROUP, wanted.into(), LOOPBACK).unwrap();
    sender(wanted).send_to(b"no longer", &to).unwrap();
    assert_would_block(member.recv(&mut [0; 8]).map(drop));
    assert!(member.leave_source(SOURCE_GROUP, wanted.into(), LOOPBACK).is_err());
}

#[test]
fn joining_refuses_what_is_no_group_and_what_is_no_interface() {
    let (member, _) = member();
    let errno = |result: Result<(), anet::Error>| result.unwrap_err().errno();
    assert_eq!(errno(member.join_group(Ipv4Addr::LOCALHOST.into(), LOOPBACK)), Some(Errno::INVAL));
    assert_eq!(errno(member.join_group(GROUP, 999_999)), Some(Errno::NODEV));
    assert!(member.join_group(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x1234).into(), LOOPBACK).is_err());
}

/// A loopback device delivers no multicast over IPv6.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_member_over_ipv6_receives_its_group_and_source() {
    if lacks_ipv6() {
        return;
    }
    in_namespace(|| {
        let source = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
        let device = device_with(source);
        let member = listen::udp("[::]:0".parse().unwrap(), &SocketOptions::new()).unwrap();
        option::set_ipv6_multicast_all(&member, false).unwrap();
        let port = member.local_addr().unwrap().port().unwrap();
        let sender = listen::udp(SocketAddr::new(source.into(), 0), &SocketOptions::new()).unwrap();
        option::set_ipv6_multicast_if(&sender, device).unwrap();
        let group = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0, 0x1234);
        let send = |text: &[u8]| sender.send_to(text, &SocketAddr::new(group.into(), port).into()).unwrap();
        send(b"before");
        member.join_group(group.into(), device).unwrap();
        send(b"hello");
        assert_eq!(receive(&member), b"hello");
        member.leave_group(group.into(), device).unwrap();

        let elsewhere = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        member.join_source(group.into(), elsewhere.into(), device).unwrap();
        send(b"from another source");
        member.join_source(group.into(), source.into(), device).unwrap();
        send(b"from the source");
        assert_eq!(receive(&member), b"from the source");
    });
}

/// Makes a network device with this address, and returns its index.
fn device_with(ip: Ipv6Addr) -> u32 {
    let commands = [
        "link add anet0 type veth peer name anet1".to_owned(),
        "link set anet0 up".to_owned(),
        "link set anet1 up".to_owned(),
        format!("-6 addr add {ip}/64 dev anet0 nodad"),
    ];
    for command in commands {
        assert!(std::process::Command::new("ip").args(command.split(' ')).status().unwrap().success(), "ip {command}");
    }
    // SAFETY: the name is terminated.
    unsafe { libc::if_nametoindex(c"anet0".as_ptr()) }
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn memberships_run_out_at_the_hosts_limit() {
    in_namespace(|| {
        std::fs::write("/proc/sys/net/ipv4/igmp_max_memberships", "3").unwrap();
        let (member, _) = member();
        let groups = (1..=4).map(|last| IpAddr::V4(Ipv4Addr::new(239, 9, 9, last)));
        let joined: Vec<_> =
            groups.map(|group| member.join_group(group, LOOPBACK).map_err(|error| error.errno())).collect();
        assert_eq!(joined, [Ok(()), Ok(()), Ok(()), Err(Some(Errno::NOBUFS))]);
    });
}
