//! Pings, in namespaces: over loopback, and from one namespace to another.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use anet::{
    Errno,
    error::{Cause, ErrorKind},
    event::{Events, Interest, Poller},
    fd::AsFd,
    icmp::{self, Answer, Failure, IcmpSocket, Outcome, Pinger, Plan, Quoted, Statistics, Target},
    option,
};

use crate::{
    support::namespace::in_namespace,
    tools::{ip, output},
};

pub fn allow_unprivileged() {
    std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").unwrap();
}

pub fn socket(is_v4: bool) -> IcmpSocket {
    if is_v4 { IcmpSocket::open_v4() } else { IcmpSocket::open_v6() }.unwrap()
}

/// Both kinds of socket.
fn with_each_kind(test: impl Fn(bool) + Sync) {
    for is_raw in [false, true] {
        in_namespace(|| {
            if !is_raw {
                allow_unprivileged();
            }
            test(is_raw);
        });
    }
}

/// Pings these targets of one version until the plan is over; returns what happened.
pub fn run(targets: &mut [Target], plan: Plan, socket: &IcmpSocket) -> Vec<(usize, Outcome)> {
    let mut pinger = Pinger::new(targets, plan, icmp::now());
    let poller = Poller::new().unwrap();
    poller.add(socket, 0, Interest::READABLE).unwrap();
    let (mut buf, mut outcomes) = (vec![0; 70_000], Vec::new());
    while let Some(deadline) = pinger.deadline() {
        poller.wait(&mut Events::<1>::new(), Some(deadline.saturating_sub(icmp::now()))).unwrap();
        while let Some(arrival) = socket.receive(&mut buf).unwrap() {
            assert!(arrival.is_kernel_time || matches!(arrival.answer, Answer::Failure(..)));
            outcomes.extend(pinger.take(&arrival));
        }
        while pinger.next_lost(icmp::now()).is_some() {}
        while let Some(request) = pinger.next_request(icmp::now()) {
            pinger.sent(&request, socket.send(&request, &mut buf));
        }
    }
    outcomes
}

fn quick(count: u32) -> Plan {
    Plan::default().with_interval(Duration::from_millis(5)).with_count(Some(count)).with_timeout(Duration::from_secs(5))
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn every_request_to_this_host_is_answered() {
    with_each_kind(|is_raw| {
        for place in ["127.0.0.1", "::1"] {
            let addr: IpAddr = place.parse().unwrap();
            let sockets = [socket(addr.is_ipv4()), socket(addr.is_ipv4()).with_send_times().unwrap()];
            assert!(sockets.iter().all(|socket| socket.is_raw() == is_raw));
            for (payload_len, socket) in [16, 56, 1000, 9000].into_iter().zip(sockets.iter().cycle()) {
                let mut targets = [Target::new(addr)];
                let outcomes = run(&mut targets, quick(10).with_payload_len(payload_len), socket);
                assert_eq!(outcomes.len(), 10);
                let Statistics { sent, received, duplicates, errors, .. } = *targets[0].statistics();
                assert_eq!((sent, received, duplicates, errors), (10, 10, 0, 0), "{place} {payload_len}");
            }
        }
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn two_sockets_of_a_process_take_their_own_answers_only() {
    with_each_kind(|_| {
        let sockets = [socket(true), socket(true)];
        assert_ne!(sockets[0].identifier(), sockets[1].identifier());
        std::thread::scope(|scope| {
            for socket in &sockets {
                scope.spawn(|| {
                    let mut targets = [Target::new(Ipv4Addr::LOCALHOST.into())];
                    run(&mut targets, quick(50), socket);
                    let statistics = targets[0].statistics();
                    assert_eq!((statistics.received, statistics.duplicates), (50, 0));
                });
            }
        });
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_process_without_permission_learns_which_sysctl_to_change() {
    in_namespace(|| {
        // Gives up the capabilities of this thread; its namespace's sysctl permits no group.
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65534)).unwrap();
        for error in [IcmpSocket::open_v4().unwrap_err(), IcmpSocket::open_v6().unwrap_err()] {
            assert_eq!((error.cause(), error.kind()), (Cause::PingForbidden, ErrorKind::PermissionDenied));
            assert!(error.to_string().contains("net.ipv4.ping_group_range"), "{error}");
        }
    });
}

/// Two namespaces, with a router between them and a narrow link behind it:
/// here 10.1.0.1 - 10.1.0.2 router 10.2.0.1 (MTU 1280) - 10.2.0.2 far.
fn with_router(test: impl FnOnce() + Send) {
    in_namespace(|| {
        ip("link add name near0 type veth peer name router0
            addr add 10.1.0.1/24 dev near0
            addr add fd01::1/64 dev near0 nodad
            link set near0 up
            route add default via 10.1.0.2");
        output("ip -6 route add default via fd01::2");
        let mut router = Holder::new();
        output(&format!("ip link set router0 netns {}", router.pid()));
        let mut far = Holder::new();
        router.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        // Otherwise it reports one failure a second.
        router.run("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
        router.run("ip link set lo up");
        router.run("ip addr add 10.1.0.2/24 dev router0");
        router.run("ip addr add fd01::2/64 dev router0 nodad");
        router.run("ip link set router0 up");
        router.run("ip link add name router1 mtu 1280 type veth peer name far0 mtu 1280");
        router.run(&format!("ip link set far0 netns {}", far.pid()));
        router.run("ip addr add 10.2.0.1/24 dev router1");
        router.run("ip addr add fd02::1/64 dev router1 nodad");
        router.run("ip link set router1 up");
        far.run("ip addr add 10.2.0.2/24 dev far0");
        far.run("ip addr add fd02::2/64 dev far0 nodad");
        far.run("ip link set far0 up");
        far.run("ip route add default via 10.2.0.1");
        far.run("ip -6 route add default via fd02::1");
        test();
        drop((router, far));
    });
}

/// A process that keeps a namespace.
struct Holder(std::process::Child);

impl Holder {
    fn new() -> Self {
        let command = ["--net", "sleep", "60"];
        let child = std::process::Command::new("unshare").args(command).spawn().unwrap();
        let own = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let path = format!("/proc/{}/ns/net", child.id());
        crate::support::eventually(crate::support::PATIENCE, || {
            std::fs::read_link(&path).ok().filter(|namespace| *namespace != own)
        });
        Self(child)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn run(&mut self, command: &str) {
        output(&format!("nsenter --net=/proc/{}/ns/net {command}", self.pid()));
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn only_failure(outcomes: &[(usize, Outcome)]) -> Failure {
    match outcomes {
        [(0, Outcome::Failure { sequence: 1, failure })] => *failure,
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_router_explains_why_a_request_failed() {
    with_router(|| {
        for is_raw in [false, true] {
            if is_raw {
                std::fs::write("/proc/sys/net/ipv4/ping_group_range", "1 0").unwrap();
            } else {
                allow_unprivileged();
            }
            let hosts = [("10.2.0.2", "10.9.0.1"), ("fd02::2", "fd09::1")];
            for ((far, nowhere), has_send_times) in hosts.into_iter().flat_map(|pair| [(pair, false), (pair, true)]) {
                let addr: IpAddr = far.parse().unwrap();
                let is_v4 = addr.is_ipv4();
                let one = |text: &str, plan: Plan, prepare: &dyn Fn(&IcmpSocket)| {
                    let mut socket = socket(is_v4);
                    assert_eq!(socket.is_raw(), is_raw);
                    if has_send_times {
                        socket = socket.with_send_times().unwrap();
                    }
                    prepare(&socket);
                    let mut targets = [Target::new(text.parse().unwrap())];
                    run(&mut targets, plan, &socket)
                };
                let reply = one(far, quick(3), &|_| {});
                assert!(matches!(reply[..], [(0, Outcome::Reply { .. }), ..]) && reply.len() == 3, "{reply:?}");

                let unreachable = only_failure(&one(nowhere, quick(1), &|_| {}));
                assert_eq!(unreachable, Failure::Unreachable { code: 0 });
                let exceeded = only_failure(&one(far, quick(1), &|socket| {
                    if is_v4 { option::set_ip_ttl(socket, 1) } else { option::set_ipv6_unicast_hops(socket, 1) }
                        .unwrap();
                }));
                assert_eq!(exceeded, Failure::TimeExceeded { code: 0 });
                let too_big = one(far, quick(1).with_payload_len(1400), &|socket| {
                    if is_v4 {
                        // Ignores what the kernel has learnt, so that the router answers each time.
                        option::set_ip_mtu_discover(socket, 3).unwrap();
                    } else {
                        option::set_ipv6_mtu_discover(socket, 3).unwrap();
                    }
                });
                assert_eq!(only_failure(&too_big), Failure::TooBig { mtu: 1280 }, "{far} raw: {is_raw}");
            }
        }
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_request_without_a_route_is_an_error_and_not_lost() {
    with_each_kind(|_| {
        let socket = socket(true);
        let mut targets = [Target::new("192.0.2.1".parse().unwrap())];
        assert_eq!(run(&mut targets, quick(3), &socket), []);
        let statistics = targets[0].statistics();
        assert_eq!((statistics.sent, statistics.errors, statistics.received), (3, 3, 0));
        let mut pinger = Pinger::new(&mut targets, quick(9), icmp::now());
        let request = pinger.next_request(icmp::now()).unwrap();
        assert_eq!(socket.send(&request, &mut [0; 100]).unwrap_err().errno(), Some(Errno::NETUNREACH));
        assert_eq!(socket.send(&request, &mut [0; 10]).unwrap_err().errno(), Some(Errno::MSGSIZE));
    });
}

/// Their replies do not overflow the socket's buffer.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_thousand_hosts_that_are_due_at_once_are_not_lost() {
    with_each_kind(|_| {
        for payload_len in [56, 1400] {
            let host = |n: u16| Target::new(Ipv4Addr::new(127, 1, (n / 250) as u8, (n % 250) as u8 + 1).into());
            let mut targets: Vec<_> = (0..1000).map(host).collect();
            let plan = quick(3).with_interval(Duration::ZERO).with_payload_len(payload_len);
            let outcomes = run(&mut targets, plan, &socket(true));
            assert!(outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Reply { .. })));
            assert_eq!(outcomes.len(), 3000, "{payload_len}");
        }
    });
}

/// On a quiet host both are some ten microseconds; what counts is that they are of the same size.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn the_statistics_are_like_those_of_ping() {
    in_namespace(|| {
        allow_unprivileged();
        let theirs = output("ping -q -c 20 -i 0.005 127.0.0.1");
        let mut targets = [Target::new(Ipv4Addr::LOCALHOST.into())];
        run(&mut targets, quick(20), &socket(true));
        let ours = targets[0].statistics().to_string();
        println!("{theirs}\n{ours}");
        let shape = |text: &str| -> Vec<String> {
            let words = text.lines().rev().take(2).flat_map(str::split_whitespace);
            let words = words.filter(|word| !word.ends_with("ms") && *word != "time");
            words.map(|word| word.replace(|letter: char| letter.is_ascii_digit() || letter == '.', "")).collect()
        };
        let plain = theirs.lines().map(|line| line.split(", time").next().unwrap()).collect::<Vec<_>>().join("\n");
        let plain = plain.split(", pipe").next().unwrap().to_owned();
        assert_eq!(shape(&ours), shape(&plain));
    });
}

/// Every request has one, and it comes before the reply.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn the_time_of_a_request_comes_before_its_reply() {
    with_each_kind(|_| {
        for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let socket = socket(ip.is_ipv4()).with_send_times().unwrap();
            let mut targets = [Target::new(ip)];
            let mut pinger = Pinger::new(&mut targets, quick(2).with_interval(Duration::ZERO), icmp::now());
            let mut buf = [0; 300];
            while let Some(request) = pinger.next_request(icmp::now()) {
                let before = socket.send(&request, &mut buf);
                pinger.sent(&request, before);
                anet_wait(&socket);
                let sent = socket.receive(&mut buf).unwrap().unwrap();
                let Answer::Sent(Quoted { destination, request: echo }) = sent.answer else { panic!("{sent:?}") };
                assert_eq!((destination, u32::from(echo.sequence)), (ip, request.sequence));
                assert!(sent.is_kernel_time && sent.at > before.unwrap());
                assert_eq!(pinger.take(&sent), None);
                let sent_at = sent.at;
                let reply = socket.receive(&mut buf).unwrap().unwrap();
                let rtt = reply.at - sent_at;
                let expected = Outcome::Reply { sequence: request.sequence, rtt };
                assert_eq!(pinger.take(&reply), Some((0, expected)));
                assert!(socket.receive(&mut buf).unwrap().is_none());
            }
        }
    });
}

/// A buffer that is too short is an error, and the next answer arrives.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn an_answer_that_does_not_fit_is_an_error() {
    with_each_kind(|_| {
        let socket = socket(true);
        let mut targets = [Target::new(Ipv4Addr::LOCALHOST.into())];
        let mut pinger = Pinger::new(&mut targets, quick(2).with_interval(Duration::ZERO), icmp::now());
        let mut buf = [0; 200];
        while let Some(request) = pinger.next_request(icmp::now()) {
            pinger.sent(&request, socket.send(&request, &mut buf));
        }
        anet_wait(&socket);
        let error = socket.receive(&mut [0; 20]).unwrap_err();
        assert!(matches!(error.cause(), Cause::MessageTruncated { .. }), "{error}");
        let arrival = socket.receive(&mut buf).unwrap().unwrap();
        assert!(matches!(pinger.take(&arrival), Some((0, Outcome::Reply { sequence: 2, .. }))));
        assert_eq!(arrival.hop_limit, Some(64));
    });
}

fn anet_wait(socket: impl AsFd) {
    let poller = Poller::new().unwrap();
    poller.add(socket, 0, Interest::READABLE).unwrap();
    assert_eq!(poller.wait(&mut Events::<1>::new(), Some(crate::support::PATIENCE)), Ok(1));
}
