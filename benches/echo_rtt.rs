//! The round trip of 64 bytes over one TCP connection on the loopback device.
//!
//! The server has a separate thread; the client is the same for all and blocks. All sockets have no-delay. The kernel's
//! placement of the two threads matters more than anything else: compare medians of several runs.
//!
//! - `anet_server`: `server::Server` with an idle timeout, so that it also keeps the order of the last activity.
//! - `mio`: `mio::Poll`, which is edge-triggered: its rule is to read until `WouldBlock`, one more call a round trip.
//! - `epoll_c`: `epoll_wait`, `recv` and `send` of the C library, level-triggered, for this one connection.
//! - `std_blocking`: `read` and `write`, no wait.

use std::{
    io::{ErrorKind, Read, Write},
    mem,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    thread,
    time::Duration,
};

use anet::{
    Listener,
    server::{Event, Server, Slot},
};
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};

const MESSAGE: [u8; 64] = [b'm'; 64];
/// More than a message: a read that fills its buffer would need another one.
const BUFFER: usize = 4096;

/// Until the client has closed.
fn anet_server(listener: TcpListener) {
    let mut slots = [const { Slot::<()>::VACANT }; 64];
    let mut server = Server::new(&mut slots).unwrap().with_idle_timeout(Some(Duration::from_secs(300)));
    server.listen(Listener::adopt(listener).unwrap()).unwrap();
    let mut buf = [0; BUFFER];
    while server.counters().accept.accepted == 0 || !server.is_empty() {
        server.wait(None).unwrap();
        while let Some(event) = server.next_event() {
            let Event::Readable(key) = event else { continue };
            let client = server.get_mut(key).unwrap();
            match client.read(&mut buf) {
                Ok(len @ 1..) => client.write_all(&buf[..len]).unwrap(),
                Err(error) if error.is_would_block() => {}
                Ok(_) | Err(_) => drop(server.close(key)),
            }
        }
    }
}

fn mio(listener: TcpListener) {
    let mut stream = mio::net::TcpStream::from_std(accepted(&listener, true));
    let mut poll = mio::Poll::new().unwrap();
    poll.registry().register(&mut stream, mio::Token(0), mio::Interest::READABLE).unwrap();
    let mut events = mio::Events::with_capacity(64);
    let mut buf = [0; BUFFER];
    loop {
        poll.poll(&mut events, None).unwrap();
        for _ in &events {
            loop {
                match stream.read(&mut buf) {
                    Ok(0) => return,
                    Ok(len) => stream.write_all(&buf[..len]).unwrap(),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

fn epoll_c(listener: TcpListener) {
    let stream = accepted(&listener, true);
    // SAFETY: it takes no pointers.
    let poll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    assert!(poll >= 0);
    // SAFETY: the descriptor is new and has no other owner.
    let poll = unsafe { OwnedFd::from_raw_fd(poll) };
    let mut interest = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    // SAFETY: the event is read and not kept.
    let answer =
        unsafe { libc::epoll_ctl(poll.as_raw_fd(), libc::EPOLL_CTL_ADD, stream.as_raw_fd(), &raw mut interest) };
    assert_eq!(answer, 0);
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    loop {
        // SAFETY: the array has room for that many events.
        let ready = unsafe { libc::epoll_wait(poll.as_raw_fd(), events.as_mut_ptr(), 64, -1) };
        for _ in 0..ready {
            if !echo_c(&stream) {
                return;
            }
        }
    }
}

/// Returns whether more may come.
fn echo_c(stream: &TcpStream) -> bool {
    let mut buf = mem::MaybeUninit::<[u8; BUFFER]>::uninit();
    // SAFETY: the buffer has room for that many bytes.
    let len = unsafe { libc::recv(stream.as_raw_fd(), buf.as_mut_ptr().cast(), BUFFER, 0) };
    assert!(len >= 0);
    // SAFETY: that many bytes are initialised.
    let sent = unsafe { libc::send(stream.as_raw_fd(), buf.as_ptr().cast(), len as usize, libc::MSG_NOSIGNAL) };
    assert_eq!(sent, len);
    len > 0
}

fn std_blocking(listener: TcpListener) {
    let mut stream = accepted(&listener, false);
    let mut buf = [0; BUFFER];
    while let Ok(len @ 1..) = stream.read(&mut buf) {
        stream.write_all(&buf[..len]).unwrap();
    }
}

fn accepted(listener: &TcpListener, nonblocking: bool) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(nonblocking).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The options that a listener passes on to its connections.
fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    anet::option::set_tcp_nodelay(&listener, true).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

fn round_trips(c: &mut Criterion) {
    let mut group = c.benchmark_group("echo_rtt");
    round_trip(&mut group, "anet_server", anet_server);
    round_trip(&mut group, "mio", mio);
    round_trip(&mut group, "epoll_c", epoll_c);
    round_trip(&mut group, "std_blocking", std_blocking);
    group.finish();
}

fn round_trip(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, serve: fn(TcpListener)) {
    group.bench_function(name, |b| {
        let (listener, addr) = listener();
        let server = thread::spawn(move || serve(listener));
        let mut client = TcpStream::connect(addr).unwrap();
        client.set_nodelay(true).unwrap();
        let mut echo = [0; MESSAGE.len()];
        b.iter(|| {
            client.write_all(&MESSAGE).unwrap();
            client.read_exact(&mut echo).unwrap();
        });
        assert_eq!(echo, MESSAGE);
        drop(client);
        server.join().unwrap();
    });
}

criterion_group!(benches, round_trips);
criterion_main!(benches);
