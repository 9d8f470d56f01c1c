//! Datagrams on the loopback device: what a datagram costs the CPU.
//!
//! The other end of each exchange runs outside the clock: a receiver's datagrams are sent before it starts, and a
//! sender's are received after it has stopped. So the time is that of the system calls alone, and 1 divided by it is
//! the number of datagrams per second of CPU. All sockets are UDP over IPv4, connected where they send.
//!
//! - `anet_batch`: `Batch::recv`, and `Batch::send_joined` of datagrams that were pushed one by one, 64 a call. The
//!   kernel gets the 64 to one peer as one message and splits them.
//! - `anet_single`: `Datagram::recv_from` and `Datagram::send`.
//! - `anet_gso_gro`: datagrams that the kernel joins or splits; `Segmenter::send`, and `Batch::recv` with the segments
//!   taken apart.
//! - `std`: `UdpSocket::recv_from` and `send`.
//! - `quinn_udp`: `UdpSocketState::recv` into 32 buffers, and `try_send` with the segment size that it allows.
//!
//! The senders of `recv_*` send one by one, except for `anet_gso_gro` and `quinn_udp`, whose receivers take joined
//! datagrams. In `recv_connected_64B` the receivers are connected too and leave out the sender's address:
//! `Batch::recv_connected`, `Datagram::recv`, `UdpSocket::recv`.

use std::{
    hint::black_box,
    io::IoSliceMut,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anet::{
    Datagram, SocketOptions,
    datagram::{Batch, Request, SEGMENTS_MAX, Segmenter, cmsg::DETAILS_SPACE},
    listen, option,
};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};

/// Datagrams of one round; a receive buffer must hold them.
const ROUND: usize = 256;
/// Datagrams of one call.
const BATCH: usize = 64;
/// The most bytes of joined datagrams.
const JOINED_MAX: usize = 65535;

/// A socket with a receive buffer for a round, non-blocking.
fn socket() -> Datagram {
    let socket = listen::udp("127.0.0.1:0".parse().unwrap(), &SocketOptions::new()).unwrap();
    option::set_recv_buffer_size_force(&socket, 16 << 20)
        .or_else(|_| option::set_recv_buffer_size(&socket, 16 << 20))
        .unwrap();
    socket
}

fn addr(socket: &Datagram) -> SocketAddr {
    socket.local_addr().unwrap().as_inet().unwrap()
}

/// A sender and its peer.
fn pair() -> (Datagram, Datagram) {
    let (sender, receiver) = (socket(), socket());
    sender.connect(&receiver.local_addr().unwrap()).unwrap();
    (sender, receiver)
}

fn std_socket(socket: Datagram) -> UdpSocket {
    let socket = UdpSocket::from(socket);
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Sends a round, in calls of the kind that the receiver makes the most of.
fn fill(sender: &Datagram, len: usize, joined: bool) {
    let segments = if joined { (JOINED_MAX / len).min(SEGMENTS_MAX) } else { 1 };
    let bytes = vec![7; len * segments];
    let mut segmenter = Segmenter::for_socket(sender);
    let mut left = ROUND;
    while left > 0 {
        let count = left.min(segments);
        assert_eq!(segmenter.send(sender, &bytes[..count * len], len as u16, None).unwrap(), count * len);
        left -= count;
    }
}

/// Empties the receive buffer; returns the number of datagrams.
fn drain(receiver: &Datagram) -> usize {
    let mut batch = Box::new(Batch::<BATCH, 2048>::new());
    let mut count = 0;
    while let Ok(received) = batch.recv(receiver) {
        count += received;
    }
    count
}

/// The time of receiving `iterations` datagrams, in rounds.
fn timed_receive(
    iterations: u64,
    sender: &Datagram,
    len: usize,
    joined: bool,
    mut receive: impl FnMut() -> usize,
) -> Duration {
    let mut total = Duration::ZERO;
    let rounds = iterations.div_ceil(ROUND as u64);
    for _ in 0..rounds {
        fill(sender, len, joined);
        let mut left = ROUND;
        let start = Instant::now();
        while left > 0 {
            left -= receive();
        }
        total += start.elapsed();
    }
    total.mul_f64(iterations as f64 / (rounds * ROUND as u64) as f64)
}

fn timed_send(iterations: u64, receiver: &Datagram, mut send: impl FnMut() -> usize) -> Duration {
    let mut total = Duration::ZERO;
    let rounds = iterations.div_ceil(ROUND as u64);
    for _ in 0..rounds {
        let mut sent = 0;
        let start = Instant::now();
        while sent < ROUND {
            sent += send();
        }
        total += start.elapsed();
        assert_eq!(drain(receiver), sent);
    }
    total.mul_f64(iterations as f64 / (rounds * ROUND as u64) as f64)
}

fn bench_receive(c: &mut Criterion, name: &str, len: usize) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    group.bench_function("anet_batch", |b| {
        let (sender, receiver) = pair();
        let mut batch = Box::new(Batch::<BATCH, 2048>::new());
        b.iter_custom(|iterations| {
            timed_receive(iterations, &sender, len, false, || {
                let count = batch.recv(&receiver).unwrap();
                batch.iter().for_each(|entry| {
                    black_box(entry.bytes());
                });
                count
            })
        });
    });
    group.bench_function("anet_single", |b| {
        let (sender, receiver) = pair();
        let mut buf = [0; 2048];
        b.iter_custom(|iterations| {
            timed_receive(iterations, &sender, len, false, || {
                black_box(receiver.recv_from(&mut buf).unwrap());
                1
            })
        });
    });
    group.bench_function("anet_gso_gro", |b| {
        let (sender, receiver) = pair();
        receiver.request(Request::SEGMENTS).unwrap();
        let mut batch = Box::new(Batch::<8, JOINED_MAX, DETAILS_SPACE>::new());
        b.iter_custom(|iterations| {
            timed_receive(iterations, &sender, len, true, || {
                batch.recv(&receiver).unwrap();
                batch.iter_mut().map(|mut entry| black_box(entry.segments_mut()).count()).sum()
            })
        });
    });
    group.bench_function("std", |b| {
        let (sender, receiver) = pair();
        let receiver = std_socket(receiver);
        let mut buf = [0; 2048];
        b.iter_custom(|iterations| {
            timed_receive(iterations, &sender, len, false, || {
                black_box(receiver.recv_from(&mut buf).unwrap());
                1
            })
        });
    });
    bench_quinn_receive(&mut group, len);
    group.finish();
}

fn bench_quinn_receive(group: &mut BenchmarkGroup<'_, WallTime>, len: usize) {
    group.bench_function("quinn_udp", |b| {
        let (sender, receiver) = pair();
        let receiver = std_socket(receiver);
        let state = UdpSocketState::new(UdpSockRef::from(&receiver)).unwrap();
        let joined = state.gro_segments() > 1;
        let mut bufs = vec![vec![0; JOINED_MAX]; BATCH_SIZE];
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        b.iter_custom(|iterations| {
            timed_receive(iterations, &sender, len, joined, || {
                let mut bufs: [IoSliceMut<'_>; BATCH_SIZE] = {
                    let mut bufs = bufs.iter_mut();
                    std::array::from_fn(|_| IoSliceMut::new(bufs.next().unwrap()))
                };
                let count = state.recv(UdpSockRef::from(&receiver), &mut bufs, &mut metas).unwrap();
                metas[..count].iter().map(|meta| meta.len.div_ceil(meta.stride.max(1))).sum()
            })
        });
    });
}

fn bench_receive_connected(c: &mut Criterion, name: &str, len: usize) {
    let connected_pair = || {
        let (sender, receiver) = pair();
        receiver.connect(&sender.local_addr().unwrap()).unwrap();
        (sender, receiver)
    };
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    group.bench_function("anet_batch", |b| {
        let (sender, receiver) = connected_pair();
        let mut batch = Box::new(Batch::<BATCH, 2048>::new());
        b.iter_custom(|iterations| {
            timed_receive(iterations, &sender, len, false, || {
                let count = batch.recv_connected(&receiver).unwrap();
                batch.iter().for_each(|entry| {
                    black_box(entry.bytes());
                });
                count
            })
        });
    });
    group.bench_function("anet_single", |b| {
        let (sender, receiver) = connected_pair();
        let mut buf = [0; 2048];
        b.iter_custom(|iterations| {
            timed_receive(iterations, &sender, len, false, || {
                black_box(receiver.recv(&mut buf).unwrap());
                1
            })
        });
    });
    group.bench_function("std", |b| {
        let (sender, receiver) = connected_pair();
        let receiver = std_socket(receiver);
        let mut buf = [0; 2048];
        b.iter_custom(|iterations| {
            timed_receive(iterations, &sender, len, false, || {
                black_box(receiver.recv(&mut buf).unwrap());
                1
            })
        });
    });
    group.finish();
}

fn bench_send(c: &mut Criterion, name: &str, len: usize) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    let bytes = vec![7; len];
    group.bench_function("anet_batch", |b| {
        let (sender, receiver) = pair();
        let mut batch = Box::new(Batch::<BATCH, 2048>::new());
        let mut segmenter = Segmenter::for_socket(&sender);
        b.iter_custom(|iterations| {
            timed_send(iterations, &receiver, || {
                for _ in 0..BATCH {
                    batch.push(&bytes, None).unwrap();
                }
                batch.send_joined(&sender, &mut segmenter).unwrap()
            })
        });
    });
    group.bench_function("anet_single", |b| {
        let (sender, receiver) = pair();
        b.iter_custom(|iterations| {
            timed_send(iterations, &receiver, || {
                sender.send(&bytes).unwrap();
                1
            })
        });
    });
    group.bench_function("anet_gso_gro", |b| {
        let (sender, receiver) = pair();
        let mut segmenter = Segmenter::for_socket(&sender);
        let count = (JOINED_MAX / len).min(SEGMENTS_MAX);
        let bytes = vec![7; len * count];
        b.iter_custom(|iterations| {
            timed_send(iterations, &receiver, || {
                assert_eq!(segmenter.send(&sender, &bytes, len as u16, None).unwrap(), bytes.len());
                count
            })
        });
    });
    group.bench_function("std", |b| {
        let (sender, receiver) = pair();
        let sender = std_socket(sender);
        b.iter_custom(|iterations| {
            timed_send(iterations, &receiver, || {
                sender.send(&bytes).unwrap();
                1
            })
        });
    });
    bench_quinn_send(&mut group, len);
    group.finish();
}

fn bench_quinn_send(group: &mut BenchmarkGroup<'_, WallTime>, len: usize) {
    group.bench_function("quinn_udp", |b| {
        let (sender, receiver) = (socket(), socket());
        let sender = std_socket(sender);
        let state = UdpSocketState::new(UdpSockRef::from(&sender)).unwrap();
        let count = state.max_gso_segments().min(JOINED_MAX / len);
        let bytes = vec![7; len * count];
        let destination = addr(&receiver);
        b.iter_custom(|iterations| {
            timed_send(iterations, &receiver, || {
                let transmit = Transmit {
                    destination,
                    ecn: None,
                    contents: &bytes,
                    segment_size: (count > 1).then_some(len),
                    src_ip: None,
                };
                state.try_send(UdpSockRef::from(&sender), &transmit).unwrap();
                count
            })
        });
    });
}

fn datagrams(c: &mut Criterion) {
    bench_receive(c, "recv_64B", 64);
    bench_receive_connected(c, "recv_connected_64B", 64);
    bench_send(c, "send_64B", 64);
    bench_receive(c, "recv_1200B", 1200);
}

criterion_group!(benches, datagrams);
criterion_main!(benches);
