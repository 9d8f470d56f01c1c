//! Accepting a burst of TCP connections as configured sockets.
//!
//! Only the server's side is timed: the clients connect before the clock starts, and all sockets are closed after it
//! has stopped. All listeners have the backlog 511 and all but `bare` end with the same kind of socket: non-blocking,
//! close-on-exec, no-delay, keepalive 300 s.
//!
//! - `anet`: `accept_batch(10)` until the burst is taken, on a listener with options.
//! - `anet_engine`: `Acceptor::accept` with the same limit until the burst is taken, on the same listener.
//! - `redis_style`: the steps of Redis 7: `accept4` until 10 or `EAGAIN`, whose text is formatted; five `setsockopt`,
//!   the address as text.
//! - `std`: `accept`, `set_nonblocking`, `set_nodelay`; std has no keepalive.
//! - `bare`: `accept4` with the address, on a listener with the options set; nothing else, and no failing call.

use std::{
    ffi::{c_char, c_int, c_void},
    hint::black_box,
    mem,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
    time::{Duration, Instant},
};

use anet::{
    Listener, SocketOptions,
    accept::Acceptor,
    listen,
    option::{self, TcpKeepalive},
};
use criterion::{Criterion, criterion_group, criterion_main};

const BATCH: usize = 10;
const ANY: &str = "127.0.0.1:0";

fn preset_listener() -> Listener {
    let keepalive = TcpKeepalive::after_idle(Duration::from_secs(300)).unwrap();
    let options = SocketOptions::new().with_tcp_nodelay(true).with_tcp_keepalive(Some(keepalive));
    listen::tcp(ANY.parse().unwrap(), &options).unwrap()
}

/// A listener as Redis makes it, without options for its connections.
fn plain_listener() -> Listener {
    listen::tcp(ANY.parse().unwrap(), &SocketOptions::new()).unwrap()
}

fn addr(listener: &Listener) -> SocketAddr {
    listener.local_addr().unwrap().as_inet().unwrap()
}

/// Clients whose close leaves nothing in `TIME_WAIT`.
fn connect(burst: usize, server: SocketAddr) -> Vec<TcpStream> {
    let connect = |_| {
        let client = TcpStream::connect(server).unwrap();
        option::set_linger(&client, Some(Duration::ZERO)).unwrap();
        client
    };
    (0..burst).map(connect).collect()
}

/// The time that `accept` takes for `iterations` bursts.
fn timed<T>(iterations: u64, burst: usize, server: SocketAddr, mut accept: impl FnMut(usize, &mut Vec<T>)) -> Duration {
    let mut accepted = Vec::with_capacity(burst);
    let mut total = Duration::ZERO;
    for _ in 0..iterations {
        let clients = connect(burst, server);
        let start = Instant::now();
        accept(burst, &mut accepted);
        total += start.elapsed();
        assert_eq!(accepted.len(), burst);
        // Clients first: their reset leaves no port in TIME_WAIT.
        drop(clients);
        accepted.clear();
    }
    total
}

fn redis_style(listener: c_int, accepted: &mut Vec<OwnedFd>) {
    for _ in 0..BATCH {
        // SAFETY: all zeroes is a valid sockaddr_storage.
        let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
        let mut len = size_of_val(&storage) as libc::socklen_t;
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: storage and length belong together.
        let fd = unsafe { libc::accept4(listener, (&raw mut storage).cast(), &raw mut len, flags) };
        if fd == -1 {
            black_box(error_text());
            return;
        }
        black_box(address_text(&storage));
        set(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
        set(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
        set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 300);
        set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 100);
        set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3);
        // SAFETY: the descriptor is new and has no other owner.
        accepted.push(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}

fn error_text() -> [c_char; 256] {
    let mut text = [0; 256];
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap();
    // SAFETY: the string lives until the next call on this thread.
    let reason = unsafe { libc::strerror(errno) };
    // SAFETY: the buffer has the size that is given, and both strings are terminated.
    unsafe { libc::snprintf(text.as_mut_ptr(), text.len(), c"accept: %s".as_ptr(), reason) };
    text
}

unsafe extern "C" {
    fn inet_ntop(family: c_int, from: *const c_void, to: *mut c_char, len: libc::socklen_t) -> *const c_char;
}

fn address_text(storage: &libc::sockaddr_storage) -> ([c_char; 46], u16) {
    // SAFETY: the listener is of the IPv4 family, and so are its peers.
    let addr = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
    let mut text = [0; 46];
    // SAFETY: an IPv4 address is read, and the buffer has the size that is given.
    unsafe { inet_ntop(libc::AF_INET, (&raw const addr.sin_addr).cast(), text.as_mut_ptr(), 46) };
    (text, u16::from_be(addr.sin_port))
}

fn set(fd: c_int, level: c_int, option: c_int, value: c_int) {
    // SAFETY: the value is an int and its size is given.
    let answer = unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), 4) };
    assert_eq!(answer, 0);
}

fn std_style(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn bare(listener: c_int) -> OwnedFd {
    // SAFETY: all zeroes is a valid sockaddr_storage.
    let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut len = size_of_val(&storage) as libc::socklen_t;
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: storage and length belong together.
    let fd = unsafe { libc::accept4(listener, (&raw mut storage).cast(), &raw mut len, flags) };
    assert!(fd >= 0);
    black_box(&storage);
    // SAFETY: the descriptor is new and has no other owner.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn raw_fd(listener: &Listener) -> c_int {
    anet::fd::AsFd::as_fd(listener).as_raw_fd()
}

fn accept_burst(c: &mut Criterion, burst: usize) {
    let mut group = c.benchmark_group(format!("accept_burst_{burst}"));
    group.bench_function("anet", |b| {
        let listener = preset_listener();
        b.iter_custom(|iterations| {
            timed(iterations, burst, addr(&listener), |burst, accepted| {
                while accepted.len() < burst {
                    listener.accept_batch(BATCH, |stream, peer| {
                        black_box(&peer);
                        accepted.push(stream);
                    });
                }
            })
        });
    });
    group.bench_function("anet_engine", |b| {
        let listener = preset_listener();
        let mut acceptor = Acceptor::new().with_limit(BATCH);
        b.iter_custom(|iterations| {
            timed(iterations, burst, addr(&listener), |burst, accepted| {
                while accepted.len() < burst {
                    let turn = acceptor.accept(&listener, Duration::ZERO, |stream, peer| {
                        black_box(&peer);
                        accepted.push(stream);
                    });
                    let _ = black_box(turn);
                }
            })
        });
    });
    group.bench_function("redis_style", |b| {
        let listener = plain_listener();
        b.iter_custom(|iterations| {
            timed(iterations, burst, addr(&listener), |burst, accepted| {
                while accepted.len() < burst {
                    redis_style(raw_fd(&listener), accepted);
                }
            })
        });
    });
    group.bench_function("std", |b| {
        let listener = TcpListener::bind(ANY).unwrap();
        let server = listener.local_addr().unwrap();
        b.iter_custom(|iterations| {
            timed(iterations, burst, server, |burst, accepted| {
                accepted.extend((0..burst).map(|_| std_style(&listener)));
            })
        });
    });
    group.bench_function("bare", |b| {
        let listener = preset_listener();
        b.iter_custom(|iterations| {
            timed(iterations, burst, addr(&listener), |burst, accepted| {
                accepted.extend((0..burst).map(|_| bare(raw_fd(&listener))));
            })
        });
    });
    group.finish();
}

fn bursts(c: &mut Criterion) {
    for burst in [1, 10, 50] {
        accept_burst(c, burst);
    }
}

criterion_group!(benches, bursts);
criterion_main!(benches);
