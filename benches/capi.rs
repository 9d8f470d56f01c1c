//! Redis's accept loop through the C ABI and through libc.
//!
//! Each wake-up accepts up to 10 connections or until `EAGAIN`, and formats each peer's address and port, and the error
//! text. A burst of 10 or 50 ends at the limit, one of 1 with `EAGAIN`. Only the server's side is timed: the clients
//! connect before the clock starts, and all sockets are closed after it has stopped.
//!
//! - `anet_capi`: `anetTcpAccept`, called as C calls it.
//! - `c_sequence`: the steps of Redis's `anet.c`: `accept4`, `inet_ntop`, `ntohs`; `strerror` and `snprintf` on failure.

use std::{
    ffi::{c_char, c_int, c_void},
    hint::black_box,
    mem,
    net::{SocketAddr, TcpStream},
    os::fd::{FromRawFd, OwnedFd},
    ptr,
    time::{Duration, Instant},
};

use anet::{
    capi::{anetFdToString_62, anetNonBlock, anetTcpAccept_70, anetTcpServer_60},
    option,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const BATCH: usize = 10;
const ERR_LEN: usize = 256;
/// As in Redis.
const IP_LEN: usize = 46;

type Accept = unsafe extern "C" fn(*mut c_char, c_int, *mut c_char, usize, *mut c_int) -> c_int;

/// A listener as Redis has it.
fn listener() -> (c_int, SocketAddr) {
    let mut bind_addr = *b"127.0.0.1\0";
    // SAFETY: the address is a text, and there is no error buffer.
    let fd = unsafe { anetTcpServer_60(ptr::null_mut(), 0, bind_addr.as_mut_ptr().cast(), 511) };
    // SAFETY: there is no error buffer.
    assert_eq!(unsafe { anetNonBlock(ptr::null_mut(), fd) }, 0);
    let mut port = 0;
    // SAFETY: only the port is asked for.
    assert_eq!(unsafe { anetFdToString_62(fd, ptr::null_mut(), 0, &raw mut port, 1) }, 0);
    (fd, ([127, 0, 0, 1], port as u16).into())
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

/// One wake-up.
fn accept_handler(accept: Accept, listener: c_int, accepted: &mut Vec<OwnedFd>) {
    let (mut err, mut ip, mut port) = ([0; ERR_LEN], [0; IP_LEN], 0);
    for _ in 0..BATCH {
        // SAFETY: the buffers have the lengths that are given.
        let fd = unsafe { accept(err.as_mut_ptr(), listener, ip.as_mut_ptr(), IP_LEN, &raw mut port) };
        if fd == -1 {
            black_box(&err);
            return;
        }
        black_box((&ip, port));
        // SAFETY: the descriptor is new and has no other owner.
        accepted.push(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}

/// The time that wake-ups take for `iterations` bursts.
fn timed(accept: Accept, iterations: u64, burst: usize, (listener, addr): (c_int, SocketAddr)) -> Duration {
    let mut accepted = Vec::with_capacity(burst);
    let mut total = Duration::ZERO;
    for _ in 0..iterations {
        let clients = connect(burst, addr);
        let start = Instant::now();
        while accepted.len() < burst {
            accept_handler(accept, listener, &mut accepted);
        }
        total += start.elapsed();
        assert_eq!(accepted.len(), burst);
        // Clients first: their reset leaves no port in TIME_WAIT.
        drop(clients);
        accepted.clear();
    }
    total
}

unsafe extern "C" {
    fn inet_ntop(family: c_int, from: *const c_void, to: *mut c_char, len: libc::socklen_t) -> *const c_char;
}

/// # Safety
///
/// As for `anetTcpAccept`, and no pointer is NULL.
unsafe extern "C" fn c_sequence(
    err: *mut c_char,
    listener: c_int,
    ip: *mut c_char,
    ip_len: usize,
    port: *mut c_int,
) -> c_int {
    // SAFETY: all zeroes is a valid sockaddr_storage.
    let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut len = size_of_val(&storage) as libc::socklen_t;
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let fd = loop {
        // SAFETY: storage and length belong together.
        let fd = unsafe { libc::accept4(listener, (&raw mut storage).cast(), &raw mut len, flags) };
        if fd != -1 || errno() != libc::EINTR {
            break fd;
        }
    };
    if fd == -1 {
        // SAFETY: the string lives until the next call on this thread.
        let reason = unsafe { libc::strerror(errno()) };
        // SAFETY: the caller vouches for the buffer, and both strings are terminated.
        unsafe { libc::snprintf(err, ERR_LEN, c"accept: %s".as_ptr(), reason) };
        return -1;
    }
    let (from, number) = address(&storage);
    // SAFETY: the address is of that family, and the caller vouches for the buffer.
    unsafe { inet_ntop(storage.ss_family.into(), from, ip, ip_len as libc::socklen_t) };
    // SAFETY: the caller vouches for the pointer.
    unsafe { port.write(u16::from_be(number).into()) };
    fd
}

fn address(storage: &libc::sockaddr_storage) -> (*const c_void, u16) {
    let storage = ptr::from_ref(storage);
    // SAFETY: it has the size and alignment for any socket address.
    if unsafe { (*storage).ss_family } == libc::AF_INET as libc::sa_family_t {
        // SAFETY: it is of that family.
        let addr = unsafe { &*storage.cast::<libc::sockaddr_in>() };
        ((&raw const addr.sin_addr).cast(), addr.sin_port)
    } else {
        // SAFETY: the listener has peers of two families.
        let addr = unsafe { &*storage.cast::<libc::sockaddr_in6>() };
        ((&raw const addr.sin6_addr).cast(), addr.sin6_port)
    }
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn tcp_accept(c: &mut Criterion) {
    let mut group = c.benchmark_group("tcp_accept");
    for burst in [1, 10, 50] {
        let impls: [(_, Accept); 2] = [("anet_capi", anetTcpAccept_70), ("c_sequence", c_sequence)];
        for (name, accept) in impls {
            group.bench_function(BenchmarkId::new(name, burst), |b| {
                let listener = listener();
                b.iter_custom(|iterations| timed(accept, iterations, burst, listener));
                // SAFETY: the descriptor has no other owner.
                drop(unsafe { OwnedFd::from_raw_fd(listener.0) });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, tcp_accept);
criterion_main!(benches);
