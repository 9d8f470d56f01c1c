//! Listing 20,000 TCP sockets and 1,000 addresses: what it costs in time and memory.
//!
//! The bench makes a network namespace of its own, so it needs `CAP_SYS_ADMIN`; it says so where that is missing, and
//! measures nothing. Each connection is two sockets, of which the accepting one stays in its listener's queue: so 20,000
//! sockets need 10,100 descriptors. Each listing begins with opening a socket, and every entry is read in full.
//!
//! Sockets:
//! - `anet`: `SockDiag::inet` with a buffer of 32 KiB.
//! - `netlink-packet-sock-diag`: the same requests with the same buffer.
//! - `ss -tan`: the program, with its output discarded.
//!
//! Addresses:
//! - `anet`: `Route::addresses` with a buffer of 32 KiB.
//! - `getifaddrs`: glibc's, which lists the interfaces too and copies everything.
//! - `ip -j addr`: the program, with its output discarded.
//!
//! It also prints how much memory a process has resident at most that writes a list as text: this program started
//! again, with `list-nothing` for comparison, beside `ss` and `ip`.
#![cfg(target_os = "linux")]

use std::{
    env,
    fs::read_to_string,
    hint::black_box,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    ptr,
};

use anet::{
    SocketOptions,
    diag::{InetFilter, Route, SockDiag},
    listen,
};
use criterion::{Criterion, criterion_group};
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

const LISTENERS: usize = 100;
const ADDRESSES: usize = 1_000;
const BUF_LEN: usize = 32 * 1024;
/// What this program writes when it is started again.
const LISTS: [&str; 3] = ["list-nothing", "list-sockets", "list-addresses"];

/// Listeners, and connections that wait in their queues.
struct Sockets {
    _listeners: Vec<TcpListener>,
    _clients: Vec<TcpStream>,
    count: usize,
}

impl Sockets {
    /// `LISTENERS` listeners with this many connections each; a connection is two sockets.
    fn open(connections: usize) -> Self {
        let options = SocketOptions::new().with_backlog(connections as u32);
        let open = |_| TcpListener::from(listen::tcp("127.0.0.1:0".parse().unwrap(), &options).unwrap());
        let listeners: Vec<_> = (0..LISTENERS).map(open).collect();
        let mut clients = Vec::with_capacity(LISTENERS * connections);
        for listener in &listeners {
            let addr = listener.local_addr().unwrap();
            clients.extend((0..connections).map(|_| TcpStream::connect(addr).unwrap()));
        }
        Self { _listeners: listeners, _clients: clients, count: LISTENERS * (1 + 2 * connections) }
    }
}

fn list_sockets(buf: &mut [u8]) -> usize {
    let mut count = 0;
    for socket in SockDiag::open().unwrap().inet(InetFilter::tcp(), buf).unwrap() {
        black_box(socket.unwrap());
        count += 1;
    }
    count
}

/// As the example of `netlink-packet-sock-diag` does.
fn list_sockets_with_allocation(buf: &mut [u8]) -> usize {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG).unwrap();
    socket.bind_auto().unwrap();
    socket.connect(&SocketAddr::new(0, 0)).unwrap();
    let v4 = dump(&socket, AF_INET, SocketId::new_v4(), buf);
    v4 + dump(&socket, AF_INET6, SocketId::new_v6(), buf)
}

fn dump(socket: &Socket, family: u8, socket_id: SocketId, buf: &mut [u8]) -> usize {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let (extensions, states) = (ExtensionFlags::empty(), StateFlags::all());
    let request = InetRequest { family, protocol: IPPROTO_TCP, extensions, states, socket_id };
    let mut packet = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    packet.finalize();
    let mut bytes = vec![0; packet.header.length as usize];
    packet.serialize(&mut bytes);
    socket.send(&bytes, 0).unwrap();
    let mut count = 0;
    loop {
        let len = socket.recv(&mut &mut *buf, 0).unwrap();
        let mut at = 0;
        while at < len {
            let message = <NetlinkMessage<SockDiagMessage>>::deserialize(&buf[at..len]).unwrap();
            at += message.header.length as usize;
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    black_box(response);
                    count += 1;
                }
                NetlinkPayload::Done(_) => return count,
                other => panic!("{other:?}"),
            }
        }
    }
}

fn list_addresses(buf: &mut [u8]) -> usize {
    let mut count = 0;
    for addr in Route::open().unwrap().addresses(buf).unwrap() {
        black_box(addr.unwrap());
        count += 1;
    }
    count
}

fn getifaddrs() -> usize {
    let mut first = ptr::null_mut();
    // SAFETY: it writes a list, which is freed below.
    assert_eq!(unsafe { libc::getifaddrs(&raw mut first) }, 0);
    let (mut count, mut next) = (0, first);
    while !next.is_null() {
        count += 1;
        // SAFETY: an entry of the list, which ends with null.
        next = unsafe { (*next).ifa_next };
    }
    // SAFETY: the list from above, once.
    unsafe { libc::freeifaddrs(first) };
    count
}

/// Writes a list as text, so that another process measures this one.
fn write_list(list: &str) {
    let (mut out, mut buf) = (std::io::stdout().lock(), [0; BUF_LEN]);
    match list {
        "list-sockets" => {
            for socket in SockDiag::open().unwrap().inet(InetFilter::tcp(), &mut buf).unwrap() {
                let socket = socket.unwrap();
                let (queues, ends) = ((socket.receive_queue, socket.send_queue), (socket.local, socket.peer));
                writeln!(out, "{} {} {} {} {}", socket.state, queues.0, queues.1, ends.0, ends.1).unwrap();
            }
        }
        "list-addresses" => {
            for addr in Route::open().unwrap().addresses(&mut buf).unwrap() {
                let addr = addr.unwrap();
                writeln!(out, "{} {}/{} {}", addr.index, addr.ip, addr.prefix_len, addr.scope).unwrap();
            }
        }
        _ => {
            writeln!(out, "nothing").unwrap();
            // Waits until it has been measured.
            let _ = std::io::stdin().read(&mut buf);
        }
    }
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

fn run(words: &[&str]) {
    assert!(command(words).stdout(Stdio::null()).status().unwrap().success());
}

/// The most memory a program has had resident in KB, as far as it is known while its output is read: a pipe holds back
/// a program that has more to write.
fn print_memory(words: &[&str]) {
    let mut child = command(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut out, mut buf, mut most) = (child.stdout.take().unwrap(), vec![0; 4096], 0);
    while out.read(&mut buf).unwrap() > 0 {
        let status = read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        most = peak.map_or(most, |peak| peak.parse().unwrap());
        drop(child.stdin.take());
    }
    assert!(child.wait().unwrap().success());
    let name = if words[0].starts_with('/') { "anet" } else { words[0] };
    println!("memory/{name} {}: {most} KB", words[1..].join(" "));
}

fn print_own_memory(list: &str) {
    print_memory(&[env::current_exe().unwrap().to_str().unwrap(), list]);
}

fn sockets(c: &mut Criterion, is_test: bool) {
    let open = Sockets::open(if is_test { 3 } else { 100 });
    let mut buf = vec![0; BUF_LEN];
    assert_eq!(list_sockets(&mut buf), open.count);
    assert_eq!(list_sockets_with_allocation(&mut buf), open.count);
    print_own_memory("list-nothing");
    print_own_memory("list-sockets");
    print_memory(&["ss", "-tan"]);
    let mut group = c.benchmark_group(format!("list_{}_tcp_sockets", open.count));
    group.sample_size(20);
    group.bench_function("anet", |b| b.iter(|| list_sockets(&mut buf)));
    group.bench_function("netlink-packet-sock-diag", |b| b.iter(|| list_sockets_with_allocation(&mut buf)));
    group.bench_function("ss -tan", |b| b.iter(|| run(&["ss", "-tan"])));
    group.finish();
}

fn addresses(c: &mut Criterion) {
    let commands: String =
        (0..ADDRESSES).map(|n| format!("addr add 10.{}.{}.1/32 dev lo\n", n / 250, n % 250)).collect();
    ip(&commands);
    let mut buf = vec![0; BUF_LEN];
    assert_eq!(list_addresses(&mut buf), ADDRESSES + 2);
    assert!(getifaddrs() > ADDRESSES);
    print_own_memory("list-addresses");
    print_memory(&["ip", "-j", "addr"]);
    let mut group = c.benchmark_group(format!("list_{ADDRESSES}_addresses"));
    group.sample_size(20);
    group.bench_function("anet", |b| b.iter(|| list_addresses(&mut buf)));
    group.bench_function("getifaddrs", |b| b.iter(getifaddrs));
    group.bench_function("ip -j addr", |b| b.iter(|| run(&["ip", "-j", "addr"])));
    group.finish();
}

fn ip(commands: &str) {
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A network of this thread's own.
fn enter_namespace() -> bool {
    // SAFETY: it affects only sockets that this thread makes later.
    unsafe { libc::unshare(libc::CLONE_NEWNET) == 0 }
}

/// As many descriptors as are allowed.
fn raise_descriptor_limit() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
}

fn all(c: &mut Criterion) {
    if !enter_namespace() {
        println!("SKIPPED: needs CAP_SYS_ADMIN");
        return;
    }
    raise_descriptor_limit();
    ip("link set lo up");
    sockets(c, env::args().any(|arg| arg == "--test"));
    addresses(c);
}

criterion_group!(benches, all);

fn main() {
    match env::args().nth(1) {
        Some(list) if LISTS.contains(&list.as_str()) => write_list(&list),
        _ => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}
