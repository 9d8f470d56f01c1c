//! Round-trip times of many hosts, beside the times at which the kernel has seen the packets.

use std::{
    collections::HashMap,
    io,
    mem::zeroed,
    net::Ipv4Addr,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use anet::{
    icmp::{IcmpSocket, Outcome, Plan, Target},
    option,
};

use crate::{
    pings::{allow_unprivileged, run, socket},
    support::namespace::in_namespace,
};

/// A packet of 127.0.1.x: the host, the sequence number, and whether it is a reply.
type Packet = (u8, u16, bool);

/// Sees every packet of a namespace, as `tcpdump` does.
struct Tap(OwnedFd);

impl Tap {
    fn open() -> Self {
        let protocol = i32::from((libc::ETH_P_ALL as u16).to_be());
        // SAFETY: a system call without pointers.
        let number = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, protocol) };
        assert!(number >= 0, "socket: {}", io::Error::last_os_error());
        // SAFETY: a descriptor that nothing else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(number) };
        option::set_timestampns(&fd, true).unwrap();
        option::set_recv_buffer_size_force(&fd, 64 << 20).unwrap();
        option::set_recv_timeout(&fd, Some(Duration::from_millis(100))).unwrap();
        Self(fd)
    }

    /// The next packet that is a request as it leaves or a reply as it arrives, with its time on the wall clock. Outer
    /// `None`: there is none now.
    fn next(&self) -> Option<Option<(Packet, Duration)>> {
        // SAFETY: all zeroes are a valid address.
        let mut from: libc::sockaddr_ll = unsafe { zeroed() };
        // SAFETY: all zeroes are a valid header.
        let mut header: libc::msghdr = unsafe { zeroed() };
        let (mut bytes, mut control) = ([0_u8; 128], [0_u64; 16]);
        let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        header.msg_name = (&raw mut from).cast();
        header.msg_namelen = size_of::<libc::sockaddr_ll>() as u32;
        (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        // SAFETY: every pointer is to a live value of the length beside it.
        if unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut header, 0) } < 28 {
            return None;
        }
        // The header of the one control message has two words on a 64-bit host; a `timespec` follows.
        let time = Duration::new(control[2], control[3] as u32);
        let (kind, source, destination) = (bytes[20], bytes[15], bytes[19]);
        let sequence = u16::from_be_bytes([bytes[26], bytes[27]]);
        Some(match (kind, from.sll_pkttype) {
            (8, libc::PACKET_OUTGOING) => Some(((destination, sequence, false), time)),
            (0, libc::PACKET_HOST) => Some(((source, sequence, true), time)),
            _ => None,
        })
    }
}

/// 200 hosts at 20 requests a second for 10 seconds, on one thread. Returns the round-trip times and how far they are
/// from those between the packets that leave and arrive.
fn ping_two_hundred_hosts(socket: &IcmpSocket) -> (Vec<Duration>, Vec<Duration>) {
    let tap = Tap::open();
    let mut targets: Vec<_> = (1..=200).map(|n| Target::new(Ipv4Addr::new(127, 0, 1, n).into())).collect();
    let plan = Plan::default().with_interval(Duration::from_millis(50)).with_count(Some(200));
    let is_over = AtomicBool::new(false);
    let (outcomes, seen) = thread::scope(|scope| {
        let tapping = scope.spawn(|| {
            let mut seen = HashMap::<Packet, Duration>::new();
            loop {
                match tap.next() {
                    Some(packet) => seen.extend(packet),
                    None if is_over.load(Relaxed) => return seen,
                    None => {}
                }
            }
        });
        let outcomes = run(&mut targets, plan, socket);
        is_over.store(true, Relaxed);
        (outcomes, tapping.join().unwrap())
    });
    assert_eq!(outcomes.len(), 40_000);
    for target in &targets {
        let statistics = target.statistics();
        assert_eq!((statistics.sent, statistics.received, statistics.duplicates), (200, 200, 0));
    }
    let times = outcomes.into_iter().map(|(target, outcome)| {
        let Outcome::Reply { sequence, rtt } = outcome else { panic!("{outcome:?}") };
        let key = |is_reply| (target as u8 + 1, sequence as u16, is_reply);
        (rtt, rtt.abs_diff(seen[&key(true)] - seen[&key(false)]))
    });
    times.unzip()
}

/// The value below which this share of the values is.
fn quantile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    values[((values.len() - 1) as f64 * share) as usize]
}

fn report(name: &str, times: &mut [Duration]) -> Duration {
    let [median, most, all] = [0.5, 0.99, 1.0].map(|share| quantile(times, share));
    println!("{name}: median {median:?}, 99 % {most:?}, greatest {all:?}");
    median
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN, takes 20 s"]
fn nothing_is_lost_among_two_hundred_hosts_and_the_times_are_those_of_the_kernel() {
    in_namespace(|| {
        allow_unprivileged();
        for has_send_times in [false, true] {
            let socket = if has_send_times { socket(true).with_send_times().unwrap() } else { socket(true) };
            let (mut rtts, mut errors) = ping_two_hundred_hosts(&socket);
            println!("40000 of 40000 answered, send times of the kernel: {has_send_times}");
            report("round-trip time", &mut rtts);
            let error = report("difference to the kernel's", &mut errors);
            // Microseconds on a quiet host; other tests may keep the processors from both.
            assert!(error < Duration::from_millis(1), "{error:?}");
        }
    });
}
