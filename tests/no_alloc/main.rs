//! Nothing allocates: a counting allocator watches the operations of a server.
//!
//! Each thread counts for itself, so the test harness and other tests do not disturb. Only the work given to
//! [`allocations`] counts; clients connect outside it.

#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

#[cfg(feature = "dns")]
mod resolving;
mod serving;
#[path = "../support/mod.rs"]
mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fmt::Write,
    hint::black_box,
    time::Duration,
};

use anet::{
    Datagram, Endpoint, Errno, Error, ErrorText, Listener, Op, SocketOptions, Stream, UnixAddr,
    accept::BatchEnd,
    connect::{self, Connector, LocalAddr, Pending},
    datagram::{
        Batch, Request, Segmenter,
        cmsg::{DETAILS_SPACE, Encoder, fds_space},
    },
    diag::{self, Changes, Details, InetFilter, InetProtocol, Route, SockDiag, SocketStates},
    error::Opt,
    event::{Events, Interest, Poller},
    fd::AsFd,
    icmp::{self, IcmpSocket, Pinger, Plan, Target},
    listen::{self, Access, BindList, ListenerSet, Protocols, port_file},
    option::{self, TcpKeepalive},
    pipe::{EndFlags, pipe},
    stream::{Deadline, IoSlice, IoSliceMut, Shutdown, Splice, Spliced},
};

use support::HeldPort;

/// How often each operation is repeated.
const TIMES: usize = 10_000;
/// Connections that wait at a time; below the backlog and the usual limit of descriptors.
const GROUP: usize = 100;
/// Longer than any step takes on this host.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is forwarded to `System` unchanged. Counting does not allocate: the cell is initialised at compile
// time and has no destructor to register.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller upholds the contract of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller upholds the contract of `System`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller upholds the contract of `System`.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract of `System`.
        unsafe { System.dealloc(at, layout) }
    }
}

fn count() {
    COUNT.set(COUNT.get() + 1);
}

/// How often this thread allocates during `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn the_counter_sees_a_vector_grow() {
    let mut bytes = Vec::new();
    assert_eq!(allocations(|| bytes.push(black_box(1_u8))), 1);
    assert_eq!(allocations(|| bytes.reserve_exact(100)), 1);
    assert_eq!(allocations(|| bytes.push(2)), 0);
    assert_eq!(allocations(|| drop(vec![0_u8; black_box(10)])), 1);
}

#[test]
fn accepting_over_tcp_does_not_allocate() {
    // The priority is set on each connection, as TCP does not pass it on.
    accept_one_by_one(&tcp(&options().with_priority(Some(1))));
    accept_in_batches(&tcp(&options()));
}

#[test]
fn accepting_over_unix_does_not_allocate() {
    accept_one_by_one(&unix(&options()));
    accept_in_batches(&unix(&options()));
}

#[test]
fn reading_and_writing_do_not_allocate() {
    for listener in [tcp(&options()), unix(&options())] {
        let (client, server) = pair(&listener);
        let count = allocations(|| (0..TIMES).for_each(|_| exchange(&client, &server)));
        assert_eq!(count, 0);
    }
}

#[test]
fn options_do_not_allocate() {
    let (client, server) = pair(&tcp(&options()));
    let count = allocations(|| (0..TIMES).for_each(|_| set_and_get(&client, &server)));
    assert_eq!(count, 0);
}

#[test]
fn address_texts_do_not_allocate() {
    const TEXTS: [&str; 6] =
        ["1.2.3.4:80", "[2001:db8::1]:443", "[fe80::1%2]:80", "[::ffff:10.0.0.1]:1", "/run/anet.sock", "@anet"];
    let count = allocations(|| {
        for text in TEXTS.iter().cycle().take(TIMES) {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_text().as_str(), *text);
            assert!("1.2.3.4:65536".parse::<Endpoint>().is_err());
            assert_eq!(BindList::parse("127.0.0.1 -::1 *", 6379).unwrap().len(), 3);
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn error_texts_do_not_allocate() {
    let ops = [Op::Accept, Op::Bind, Op::Connect, Op::Read, Op::Set(Opt::TCP_KEEPIDLE)];
    let count = allocations(|| {
        for number in 0..TIMES {
            let error = Error::new(ops[number % ops.len()], Errno::from_raw_os_error(1 + (number % 140) as i32));
            assert!(error.to_text().as_str().contains(": "));
            let mut text = ErrorText::new();
            write!(text, "{error:?} and {}", refused()).unwrap();
            assert!(text.as_str().ends_with("out of range 1..=32767"), "{}", text.as_str());
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn waiting_does_not_allocate() {
    let poller = Poller::new().unwrap();
    let (client, server) = pair(&tcp(&options()));
    poller.add(&server, 1, Interest::WRITABLE).unwrap();
    let mut events = Events::<16>::new();
    let count = allocations(|| {
        for _ in 0..TIMES {
            poller.add(&client, 2, Interest::READABLE).unwrap();
            poller.modify(&client, 2, Interest::WRITABLE).unwrap();
            assert_eq!(poller.wait(&mut events, PATIENCE), Ok(2));
            assert_eq!(events.iter().map(|event| event.key()).sum::<u64>(), 3);
            poller.delete(&client).unwrap();
            poller.modify(&server, 1, Interest::READABLE).unwrap();
            assert_eq!(poller.wait(&mut events, Some(Duration::ZERO)), Ok(0));
            poller.modify(&server, 1, Interest::WRITABLE).unwrap();
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn connecting_does_not_allocate() {
    let source = LocalAddr::BestEffort(([127, 0, 0, 1], 0).into());
    // Outside the range that the kernel chooses from, so no other test can listen there.
    let closed = "127.0.0.1:1".parse().unwrap();
    for listener in [tcp(&options()), unix(&options())] {
        let addr = listener.local_addr().unwrap();
        let count = allocations(|| {
            for _ in 0..TIMES {
                let client = finish(&mut Pending::new([closed, addr], source));
                drop(accept(&listener));
                reset_on_close(&client);
            }
        });
        assert_eq!(count, 0);
    }
}

#[test]
fn failing_to_connect_does_not_allocate() {
    let held = HeldPort::new();
    let closed = held.endpoint();
    let nowhere = Endpoint::Unix(UnixAddr::abstract_name("anet-no-alloc-absent").unwrap());
    let count = allocations(|| {
        for _ in 0..TIMES {
            let error = connect::blocking(&[nowhere, closed], Connector::new().with_timeout(PATIENCE)).unwrap_err();
            assert!(error.to_text().ends_with(": Connection refused"));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn opening_listeners_and_pipes_does_not_allocate() {
    let path = std::env::temp_dir().join(format!("anet-no-alloc-{}.sock", std::process::id()));
    let addr = UnixAddr::path(path.to_str().unwrap()).unwrap();
    let count = allocations(|| {
        for _ in 0..GROUP {
            let list = BindList::parse("127.0.0.1 -::1", 0).unwrap();
            drop(black_box(ListenerSet::open(&list, &options(), &Access::default()).unwrap()));
            let list = BindList::parse("%lo", 0).unwrap();
            drop(black_box(ListenerSet::open(&list, &options(), &Access::default()).unwrap()));
            let listener = listen::unix(&addr, &options(), &Access { mode: Some(0o700), group: None }).unwrap();
            assert_eq!(listener.remove_file(), Ok(true));
            assert!(option::nonblocking(&pipe(EndFlags::NONBLOCK, EndFlags::empty()).unwrap().read).unwrap());
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn opening_udp_sockets_and_writing_a_port_file_does_not_allocate() {
    let path = std::env::temp_dir().join(format!("anet-no-alloc-{}.ports", std::process::id()));
    let count = allocations(|| {
        for _ in 0..GROUP {
            let list = BindList::parse("127.0.0.1 -::1", 0).unwrap();
            let set = ListenerSet::open_with(&list, Protocols::TcpAndUdp, &options(), &Access::default()).unwrap();
            port_file::write(&path, &set, set.datagrams()).unwrap();
        }
    });
    std::fs::remove_file(path).unwrap();
    assert_eq!(count, 0);
}

#[test]
fn datagrams_do_not_allocate() {
    let [server, client] = [(); 2].map(|()| listen::udp(([127, 0, 0, 1], 0).into(), &options()).unwrap());
    let addr = server.local_addr().unwrap();
    let count = allocations(|| {
        for _ in 0..TIMES {
            client.send_to(b"request", &addr).unwrap();
            let mut buf = [0; 4];
            wait(&server, Interest::READABLE);
            let (request, from) = server.recv_from(&mut buf).unwrap();
            assert!(request.is_truncated() && Ok(from) == client.local_addr());
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn seeing_the_network_does_not_allocate() {
    let (client, server) = pair(&tcp(&options()));
    let peer_port = client.peer_addr().unwrap().port().unwrap();
    let (mut buf, mut change_buf) = ([0; 32 * 1024], [0; 8192]);
    let count = allocations(|| {
        let mut route = Route::open().unwrap();
        let mut changes = Changes::open(&mut change_buf).unwrap();
        let mut sock_diag = SockDiag::open().unwrap();
        for _ in 0..GROUP {
            assert!(route.interfaces(&mut buf).unwrap().map(Result::unwrap).any(|interface| interface.is_loopback()));
            // Another process may change them meanwhile.
            black_box(route.addresses(&mut buf).unwrap().filter(Result::is_ok).count());
            assert!(route.interface_named("anet-none", &mut buf).unwrap_err().to_text().contains("No such device"));
            black_box(changes.next_change().unwrap());
            let filter = InetFilter::tcp().with_local_port(peer_port).with_details(Details::all());
            let info = sock_diag.inet(filter, &mut buf).unwrap().find_map(|socket| socket.unwrap().info);
            assert!(info.is_some());
            assert!(sock_diag.unix(SocketStates::all(), &mut buf).unwrap().all(|socket| socket.is_ok()));
        }
        let local = server.local_addr().unwrap();
        let holder = diag::holder(&local, InetProtocol::Tcp, &mut buf).unwrap().unwrap();
        // Other processes may be none of our business.
        black_box(holder.process().is_ok());
    });
    assert_eq!(count, 0);
}

/// Without permission to ping, the messages go round without a socket.
#[test]
fn pinging_does_not_allocate() {
    let mut targets = [Target::new([127, 0, 0, 1].into())];
    let socket = IcmpSocket::open_v4();
    let mut buf = [0; 2048];
    let count = allocations(|| {
        let plan = Plan::default().with_interval(Duration::ZERO).with_count(Some(1000));
        let mut pinger = Pinger::new(&mut targets, plan, icmp::now());
        while let Some(request) = pinger.next_request(icmp::now()) {
            let Ok(socket) = &socket else {
                let mut message = [0; 64];
                message.copy_from_slice(request.encode(7, &mut buf).unwrap());
                message[0] = 0;
                let answer = icmp::parse(icmp::Version::V4, &message).unwrap();
                assert!(pinger.take(&icmp::Arrival::new(request.to.ip(), icmp::now(), answer)).is_some());
                continue;
            };
            pinger.sent(&request, socket.send(&request, &mut buf));
            wait(socket, Interest::READABLE);
            let arrival = socket.receive(&mut buf).unwrap().unwrap();
            assert!(pinger.take(&arrival).is_some());
        }
        let mut text = ErrorText::new();
        write!(text, "{}", pinger.targets()[0].statistics()).unwrap();
        assert!(text.contains("1000 received"), "{}", text.as_str());
    });
    assert_eq!(count, 0);
}

#[test]
fn a_million_datagrams_in_batches_do_not_allocate() {
    const BATCH: usize = 64;
    let [server, client] = [(); 2].map(|()| listen::udp(([127, 0, 0, 1], 0).into(), &options()).unwrap());
    server.request(Request::all()).unwrap();
    let addr = server.local_addr().unwrap();
    let (mut requests, mut answers) = (Batch::<BATCH, 16>::new(), Batch::<BATCH, 16, DETAILS_SPACE>::new());
    let count = allocations(|| {
        for _ in 0..1_000_000 / BATCH / 2 {
            for number in 0..BATCH as u64 {
                requests.push(&number.to_ne_bytes(), Some(&addr)).unwrap();
            }
            assert_eq!(requests.send(&client).unwrap(), BATCH);
            let mut received = 0;
            while received < BATCH {
                wait(&server, Interest::READABLE);
                received += answers.recv(&server).unwrap();
                answers.iter_mut().for_each(|mut entry| entry.bytes_mut()[0] ^= 1);
                assert!(answers.iter().all(|entry| entry.details().ttl == Some(64)));
                answers.send(&server).unwrap();
            }
            let mut received = 0;
            while received < BATCH {
                wait(&client, Interest::READABLE);
                received += requests.recv(&client).unwrap();
            }
            requests.clear();
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn control_messages_and_segments_do_not_allocate() {
    let (one, other) = Datagram::pair().unwrap();
    let server = listen::udp(([127, 0, 0, 1], 0).into(), &options()).unwrap();
    let client = Datagram::connected(&server.local_addr().unwrap(), &options()).unwrap();
    let mut segmenter = Segmenter::for_socket(&client);
    let mut batch = Batch::<3, 16>::new();
    let count = allocations(|| {
        for _ in 0..TIMES {
            let mut space = [0; fds_space(2)];
            let mut control = Encoder::new(&mut space);
            control.push_fds(&[one.as_fd(), other.as_fd()]).unwrap();
            one.send_with(b"x", None, &control).unwrap();
            let (mut buf, mut space) = ([0; 8], [0; fds_space(2)]);
            let mut message = other.recv_with(&mut buf, &mut space).unwrap();
            assert_eq!(message.control.take_fds().count(), 2);

            segmenter.send(&client, &[0; 30], 10, None).unwrap();
            (0..3).for_each(|_| batch.push(&[0; 10], None).unwrap());
            batch.send_joined(&client, &mut segmenter).unwrap();
            for _ in 0..6 {
                wait(&server, Interest::READABLE);
                server.recv(&mut buf).unwrap();
            }
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn closing_does_not_allocate() {
    let listener = tcp(&options());
    let pairs: Vec<_> = (0..GROUP).map(|_| pair(&listener)).collect();
    let count = allocations(|| {
        for (client, server) in &pairs {
            server.shutdown(Shutdown::Write).unwrap();
            assert_eq!(client.read(&mut [0]), Ok(0));
            client.shutdown(Shutdown::Both).unwrap();
            assert_eq!(client.write(b"late").unwrap_err().errno(), Some(Errno::PIPE));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn splicing_and_closing_lingering_do_not_allocate() {
    let listener = tcp(&options());
    let mut pairs: Vec<_> = (0..GROUP).map(|_| (pair(&listener), Stream::pair().unwrap())).collect();
    let mut splice = Splice::new().unwrap();
    let count = allocations(|| {
        for ((client, server), (one, other)) in pairs.drain(..) {
            one.write_all(b"request").unwrap();
            assert_eq!(splice.step(&other, &client, 7), Ok(Spliced::LimitReached));
            wait(&server, Interest::READABLE);
            drop(client);
            assert_eq!(server.close_lingering(100, Deadline::after(PATIENCE)), Ok(7));
            one.abort().unwrap();
        }
    });
    assert_eq!((count, splice.passed_bytes()), (0, 7 * GROUP as u64));
}

fn options() -> SocketOptions {
    let keepalive = TcpKeepalive::after_idle(Duration::from_secs(300)).unwrap();
    SocketOptions::new()
        .with_tcp_nodelay(true)
        .with_tcp_keepalive(Some(keepalive))
        .with_send_timeout(PATIENCE)
        .with_send_buffer_size(Some(100_000))
}

fn tcp(options: &SocketOptions) -> Listener {
    listen::tcp(([127, 0, 0, 1], 0).into(), options).unwrap()
}

/// The kernel chooses an unused name.
fn unix(options: &SocketOptions) -> Listener {
    listen::unix(&UnixAddr::UNNAMED, options, &Access::default()).unwrap()
}

fn accept_one_by_one(listener: &Listener) {
    let mut count = 0;
    for _ in 0..TIMES / GROUP {
        let clients = connect_group(listener);
        count += allocations(|| {
            for _ in 0..GROUP {
                let (stream, peer) = accept(listener);
                black_box((stream, peer.to_text()));
            }
            assert!(listener.accept().unwrap_err().is_would_block());
        });
        drop(clients);
    }
    assert_eq!(count, 0);
}

fn accept_in_batches(listener: &Listener) {
    let (mut count, mut accepted) = (0, 0);
    for _ in 0..TIMES / GROUP {
        let clients = connect_group(listener);
        count += allocations(|| {
            let mut taken = 0;
            while taken < GROUP {
                wait(listener, Interest::READABLE);
                let batch = listener.accept_batch(10, |stream, peer| drop(black_box((stream, peer))));
                assert!(matches!(batch.end, BatchEnd::LimitReached | BatchEnd::Drained), "{batch:?}");
                taken += batch.accepted;
            }
            accepted += taken;
        });
        drop(clients);
    }
    assert_eq!((count, accepted), (0, TIMES));
}

fn connect_group(listener: &Listener) -> Vec<Stream> {
    let addr = listener.local_addr().unwrap();
    let client = || connect::blocking(&[addr], Connector::new().with_timeout(PATIENCE)).unwrap();
    (0..GROUP).map(|_| client()).inspect(reset_on_close).collect()
}

/// Leaves no connection in `TIME_WAIT`: there are more of them than ports.
fn reset_on_close(client: &Stream) {
    option::set_linger(client, Some(Duration::ZERO)).unwrap();
}

fn pair(listener: &Listener) -> (Stream, Stream) {
    let client = connect::blocking(&[listener.local_addr().unwrap()], Connector::new().with_timeout(PATIENCE)).unwrap();
    (client, accept(listener).0)
}

fn accept(listener: &Listener) -> (Stream, Endpoint) {
    wait(listener, Interest::READABLE);
    listener.accept().unwrap()
}

fn finish<L: AsRef<[Endpoint]>>(pending: &mut Pending<L>) -> Stream {
    let poller = Poller::new().unwrap();
    loop {
        if let Some(stream) = pending.advance(|fd| poller.add(fd, 0, Interest::WRITABLE)).unwrap() {
            return stream;
        }
        let timeout = pending.timeout().or(PATIENCE);
        poller.wait(&mut Events::<4>::new(), timeout).unwrap();
    }
}

fn wait(fd: impl AsFd, interest: Interest) {
    let poller = Poller::new().unwrap();
    poller.add(fd, 0, interest).unwrap();
    assert_eq!(poller.wait(&mut Events::<1>::new(), PATIENCE), Ok(1));
}

/// Transfers of every kind; `client` blocks, `server` does not.
fn exchange(client: &Stream, server: &Stream) {
    let mut buf = [0; 8];
    assert!(server.read(&mut buf).unwrap_err().is_would_block());
    assert_eq!(server.write(b"ping"), Ok(4));
    client.read_exact(&mut buf[..4]).unwrap();
    assert_eq!(&buf[..4], b"ping");

    assert_eq!(server.write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b"two")]), Ok(7));
    let (first, second) = buf.split_at_mut(3);
    assert_eq!(client.read_vectored(&mut [IoSliceMut::new(first), IoSliceMut::new(second)]), Ok(7));
    assert_eq!(&buf[..7], b"one two");

    let deadline = Deadline::after(PATIENCE);
    server.write_all_deadline(b"timed", deadline).unwrap();
    client.read_exact_deadline(&mut buf[..5], deadline).unwrap();
    let incomplete = server.read_exact_deadline(&mut buf, Deadline::after(Duration::ZERO)).unwrap_err();
    assert_eq!(incomplete.done, 0);

    server.write_all(b"whole").unwrap();
    assert_eq!(client.read(&mut buf), Ok(5));

    server.write_all_vectored(&mut [IoSlice::new(b"li"), IoSlice::new(b"ne\n")]).unwrap();
    assert_eq!(client.read_until(b"\n", &mut buf, 0), Ok(5));
    server.write_all_vectored_deadline(&mut [IoSlice::new(b"timed\n")], deadline).unwrap();
    assert_eq!(client.read_until_deadline(b"\n", &mut buf, 0, deadline), Ok(6));
    assert!((server.recv_queue_bytes(), server.send_queue_bytes().is_ok()) == (Ok(0), true));
    let incomplete = server.read_exact(&mut buf).unwrap_err();
    assert!(incomplete.error.is_would_block() && incomplete.done == 0);
}

fn set_and_get(client: &Stream, server: &Stream) {
    let on = option::tcp_nodelay(server).unwrap();
    option::set_tcp_nodelay(server, !on).unwrap();
    let keepalive = TcpKeepalive::after_idle(Duration::from_secs(60)).unwrap();
    option::set_tcp_keepalive(server, &keepalive).unwrap();
    assert_eq!(option::tcp_keepidle(server), Ok(keepalive.idle()));
    assert_eq!(option::tcp_keepcnt(server), Ok(keepalive.count()));
    option::set_keepalive(server, false).unwrap();
    assert_eq!(option::keepalive(server), Ok(false));
    client.set_read_timeout(PATIENCE).unwrap();
    assert_eq!(option::recv_timeout(client), Ok(PATIENCE));
    option::set_linger(client, PATIENCE).unwrap();
    option::set_linger(client, None).unwrap();
    option::set_priority(client, 1).unwrap();
    // Fails without privilege; both outcomes are worth counting.
    let _ = black_box(option::set_mark(client, 1));
    assert!(option::set_mark(Poller::new().unwrap(), 1).unwrap_err().to_text().as_str().ends_with("non-socket"));
    option::set_nonblocking(client, false).unwrap();
    assert!(option::tcp_info(server).unwrap().state().is_some());
    assert_eq!(server.take_error(), Ok(None));
    assert_eq!(server.local_addr(), client.peer_addr());
    black_box(refused());
}

fn refused() -> Error {
    TcpKeepalive::after_idle(Duration::ZERO).unwrap_err()
}
