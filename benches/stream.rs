//! Bytes over one connection of the loopback device, within one thread: what the calls cost, without a scheduler.
//!
//! - `write_read_64B`: a write of 64 bytes and the read of them at the other end.
//! - `vectored_8x128B`: one vectored write of eight buffers, and one read.
//! - `bulk_1MiB`: a mebibyte in writes of 64 KiB, each read whole at the other end.
//!
//! `anet` uses `write_all`, `write_all_vectored` and `read_exact`; `std` the functions of the same names, except that
//! std has no stable whole vectored write and so uses `write_vectored`; `libc` calls `send`, `sendmsg` and `recv` with
//! the same flags and checks the lengths.

use std::{
    io::{IoSlice, Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsRawFd,
    ptr,
};

use anet::{Stream, option};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};

const SMALL: usize = 64;
const PARTS: usize = 8;
const PART: usize = 128;
const CHUNK: usize = 64 << 10;
const BULK: usize = 1 << 20;

/// Two blocking ends without delays, whose buffers hold a chunk.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    client.set_nodelay(true).unwrap();
    option::set_send_buffer_size(&client, 4 * CHUNK).unwrap();
    option::set_recv_buffer_size(&server, 4 * CHUNK).unwrap();
    (client, server)
}

fn anet_pair() -> (Stream, Stream) {
    let (client, server) = pair();
    (client.into(), server.into())
}

fn send_c(socket: &TcpStream, bytes: &[u8]) {
    // SAFETY: the buffer has that many bytes.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    assert_eq!(sent, bytes.len() as isize);
}

fn send_vectored_c(socket: &TcpStream, parts: &[libc::iovec; PARTS]) {
    let message = libc::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: parts.as_ptr().cast_mut(),
        msg_iovlen: parts.len() as _,
        msg_control: ptr::null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    };
    // SAFETY: the message names buffers that live as long as the call, and the kernel only reads them.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    assert_eq!(sent, (PARTS * PART) as isize);
}

fn recv_c(socket: &TcpStream, bytes: &mut [u8]) {
    let mut done = 0;
    while done < bytes.len() {
        let rest = &mut bytes[done..];
        // SAFETY: the buffer has room for that many bytes.
        let len = unsafe { libc::recv(socket.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len(), 0) };
        assert!(len > 0);
        done += len as usize;
    }
}

fn write_read(group: &mut BenchmarkGroup<'_, WallTime>, len: usize, times: usize) {
    let (sent, mut received) = (vec![b's'; len], vec![0; len]);
    group.throughput(Throughput::Bytes((len * times) as u64));
    let (client, server) = anet_pair();
    group.bench_function("anet", |b| {
        b.iter(|| {
            for _ in 0..times {
                client.write_all(&sent).unwrap();
                server.read_exact(&mut received).unwrap();
            }
        });
    });
    let (mut client, mut server) = pair();
    group.bench_function("std", |b| {
        b.iter(|| {
            for _ in 0..times {
                client.write_all(&sent).unwrap();
                server.read_exact(&mut received).unwrap();
            }
        });
    });
    let (client, server) = pair();
    group.bench_function("libc", |b| {
        b.iter(|| {
            for _ in 0..times {
                send_c(&client, &sent);
                recv_c(&server, &mut received);
            }
        });
    });
}

fn vectored(group: &mut BenchmarkGroup<'_, WallTime>) {
    let (part, mut received) = ([b'p'; PART], [0; PARTS * PART]);
    group.throughput(Throughput::Bytes((PARTS * PART) as u64));
    let (client, server) = anet_pair();
    group.bench_function("anet", |b| {
        b.iter(|| {
            client.write_all_vectored(&mut [IoSlice::new(&part); PARTS]).unwrap();
            server.read_exact(&mut received).unwrap();
        });
    });
    let (mut client, mut server) = pair();
    group.bench_function("std", |b| {
        b.iter(|| {
            assert_eq!(client.write_vectored(&[IoSlice::new(&part); PARTS]).unwrap(), PARTS * PART);
            server.read_exact(&mut received).unwrap();
        });
    });
    let (client, server) = pair();
    group.bench_function("libc", |b| {
        b.iter(|| {
            send_vectored_c(
                &client,
                &[libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: PART }; PARTS],
            );
            recv_c(&server, &mut received);
        });
    });
}

fn streams(c: &mut Criterion) {
    let mut group = c.benchmark_group("write_read_64B");
    write_read(&mut group, SMALL, 1);
    group.finish();
    let mut group = c.benchmark_group("vectored_8x128B");
    vectored(&mut group);
    group.finish();
    let mut group = c.benchmark_group("bulk_1MiB");
    write_read(&mut group, CHUNK, BULK / CHUNK);
    group.finish();
}

criterion_group!(benches, streams);
criterion_main!(benches);
