//! System calls counted by strace, and the crate's reaction to injected errors.
//!
//! Each test runs itself again under strace: the child does its work between two marks in the trace and checks the
//! result, and the parent compares the calls between the marks. strace also injects errors.

#![cfg(target_os = "linux")]

mod acceptor;
mod buffers;
mod errors;
mod fallback;
#[cfg(feature = "dns")]
mod names;
mod one_call;
mod pipes;
mod port_files;
mod programs;
mod server;
mod trace;

use std::time::Duration;

use anet::{
    Endpoint, Error, Listener, Op, SocketOptions, Stream, UnixAddr,
    accept::{BatchEnd, BatchOutcome},
    connect::{self, LocalAddr},
    event::{Events, Interest, Poller},
    listen::{self, Access},
    option::{self, TcpKeepalive},
};

use trace::between_marks;

/// Connections in a test that counts calls.
const MANY: usize = 10;
const IDLE: Duration = Duration::from_secs(300);
/// Longer than any step takes on this host.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

/// The call of a wait; the newer architectures lack the one without a signal mask.
const WAIT: &str =
    if cfg!(any(target_arch = "aarch64", target_arch = "riscv64")) { "epoll_pwait" } else { "epoll_wait" };
/// The calls of a connection without `accept4`.
const STEP_BY_STEP: [&str; 4] = ["accept", "fcntl", "fcntl", "fcntl"];

/// The call that accepts a connection, to count and to inject errors into.
const ACCEPT: &str = if cfg!(anet_force_accept_fallback) { "accept" } else { "accept4" };

/// The calls of a connection.
fn accepted() -> &'static [&'static str] {
    if cfg!(anet_force_accept_fallback) { &STEP_BY_STEP } else { &["accept4"] }
}

fn options() -> SocketOptions {
    SocketOptions::new().with_tcp_nodelay(true).with_tcp_keepalive(Some(TcpKeepalive::after_idle(IDLE).unwrap()))
}

fn tcp(options: &SocketOptions) -> Listener {
    listen::tcp(([127, 0, 0, 1], 0).into(), options).unwrap()
}

/// A listener with this many queued connections, and a poller that watches it.
fn tcp_with_clients(options: &SocketOptions, clients: usize) -> (Listener, Poller, Vec<Stream>) {
    with_clients(tcp(options), clients)
}

fn unix_with_clients(options: &SocketOptions, clients: usize) -> (Listener, Poller, Vec<Stream>) {
    with_clients(listen::unix(&UnixAddr::UNNAMED, options, &Access::default()).unwrap(), clients)
}

fn with_clients(listener: Listener, clients: usize) -> (Listener, Poller, Vec<Stream>) {
    let addr = listener.local_addr().unwrap();
    let clients = (0..clients).map(|_| connect::blocking(&[addr], LocalAddr::Any).unwrap()).collect();
    let poller = Poller::new().unwrap();
    poller.add(&listener, 0, Interest::READABLE).unwrap();
    // The first clock reading of a process looks up how to read it without a system call.
    poller.wait(&mut Events::<1>::new(), Some(Duration::from_millis(1))).unwrap();
    (listener, poller, clients)
}

fn wait(poller: &Poller) {
    assert_eq!(poller.wait(&mut Events::<4>::new(), PATIENCE), Ok(1));
}

fn wait_and_accept(poller: &Poller, listener: &Listener, streams: &mut Vec<Stream>) {
    for _ in 0..MANY {
        wait(poller);
        streams.push(listener.accept().unwrap().0);
    }
}

/// Accepts as many as have connected; each must have the options set and the address of its client.
fn accept_all_configured(connections: usize) {
    let (listener, _poller, clients) = tcp_with_clients(&options(), connections);
    let streams: Vec<(Stream, Endpoint)> = between_marks(Vec::with_capacity(connections), |streams| {
        (0..connections).for_each(|_| streams.push(listener.accept().unwrap()));
    });
    for ((stream, peer), client) in streams.iter().zip(&clients) {
        assert_configured(stream);
        assert_eq!(*peer, client.local_addr().unwrap());
    }
}

fn assert_configured(stream: &Stream) {
    assert_nonblocking_and_cloexec(stream);
    assert_eq!(option::tcp_nodelay(stream), Ok(true));
    assert_eq!(option::keepalive(stream), Ok(true));
    assert_eq!(option::tcp_keepidle(stream), Ok(IDLE));
    assert_eq!(option::tcp_keepintvl(stream), Ok(IDLE / 3));
    assert_eq!(option::tcp_keepcnt(stream), Ok(3));
}

fn assert_nonblocking_and_cloexec(stream: &Stream) {
    assert_eq!(option::nonblocking(stream), Ok(true));
    assert_eq!(option::cloexec(stream), Ok(true));
}

fn raw(error: Error) -> i32 {
    error.errno().unwrap().raw_os_error()
}
