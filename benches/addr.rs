//! Address text: ours against `core::net` and glibc.
//!
//! One iteration is one pass over 64 different addresses; every implementation gets the same ones. Formatting yields
//! the text of address and port in a fixed buffer and its length; parsing yields the typed address. Our `as_str` adds a
//! check of the bytes, about 100 instructions, which is not in these numbers, nor in those of the others. glibc formats
//! with `inet_ntop` and `snprintf`, and parses the address alone: `inet_pton` does not handle ports.
//!
//! Instructions a call, counted by callgrind (`x86_64`, no target features beyond the default, Rust 1.95, glibc 2.36);
//! unlike times they are the same on every run:
//!
//! | group | anet | core | glibc |
//! |---|---|---|---|
//! | `format_v4` | 110 | 1367 | 2862 |
//! | `format_v6` | 263 | 1708 | 4075 |
//! | `format_v6_full` | 263 | 2799 | 6760 |
//! | `parse_v4` | 180 | 357 | 326 |
//! | `parse_v6` | 355 | 1365 | 521 |
//! | `parse_v6_full` | 513 | 1953 | 901 |
//!
//! To count again, run the bench binary with `--test <group>/` under `valgrind --tool=callgrind` and divide the
//! inclusive cost of `format_anet` and its neighbours by their 64 calls.
#![allow(unsafe_code, missing_docs)]

use core::{
    ffi::{CStr, c_char, c_int, c_void},
    fmt::{self, Write},
    hint::black_box,
    net::{AddrParseError, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use std::ffi::CString;

use anet::addr::{ParseError, SocketText, parse};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ADDRESSES: usize = 64;

// What the libc crate does not declare for Linux.
unsafe extern "C" {
    fn inet_ntop(family: c_int, addr: *const c_void, text: *mut c_char, len: libc::socklen_t) -> *const c_char;
    fn inet_pton(family: c_int, text: *const c_char, addr: *mut c_void) -> c_int;
}

/// The writer for core.
struct Fixed {
    bytes: [u8; 64],
    len: usize,
}

impl Write for Fixed {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let end = self.len + piece.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(piece.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[inline(never)]
fn format_anet(addr: &SocketAddr) -> usize {
    let text = SocketText::from(*addr);
    black_box(text.as_bytes()).len()
}

#[inline(never)]
fn format_core(addr: &SocketAddr) -> usize {
    let mut text = Fixed { bytes: [0; 64], len: 0 };
    write!(text, "{addr}").unwrap();
    black_box(&text).len
}

#[inline(never)]
fn format_glibc(addr: &SocketAddr) -> usize {
    let mut ip: [c_char; 46] = [0; 46];
    let mut text: [c_char; 64] = [0; 64];
    let (family, bytes, format) = match addr {
        SocketAddr::V4(addr) => (libc::AF_INET, &addr.ip().octets()[..], c"%s:%d"),
        SocketAddr::V6(addr) => (libc::AF_INET6, &addr.ip().octets()[..], c"[%s]:%d"),
    };
    let port = c_int::from(addr.port());
    // SAFETY: the address is as long as its family says, and the buffer as its length says.
    let end = unsafe { inet_ntop(family, bytes.as_ptr().cast(), ip.as_mut_ptr(), ip.len() as u32) };
    // SAFETY: inet_ntop returned its terminated text, and the buffer is as long as its length says.
    let len = unsafe { libc::snprintf(text.as_mut_ptr(), text.len(), format.as_ptr(), end, port) };
    black_box(&text);
    len as usize
}

#[inline(never)]
fn parse_anet(text: &str) -> Result<SocketAddr, ParseError> {
    parse::socket_addr(text)
}

#[inline(never)]
fn parse_core(text: &str) -> Result<SocketAddr, AddrParseError> {
    text.parse()
}

#[inline(never)]
fn parse_glibc(family: c_int, text: &CStr) -> [u8; 16] {
    let mut octets = [0; 16];
    // SAFETY: the text is terminated and there is room for the longer of the two addresses.
    let result = unsafe { inet_pton(family, text.as_ptr(), octets.as_mut_ptr().cast()) };
    assert_eq!(result, 1);
    octets
}

/// xorshift64, from a fixed seed.
fn random() -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Octets and ports of every length.
fn v4() -> Vec<SocketAddr> {
    let mut random = random();
    let octets = |bits: u64| Ipv4Addr::from_bits((bits >> 20) as u32);
    (0..ADDRESSES).map(|_| SocketAddr::new(octets(random()).into(), random() as u16 >> (random() % 12))).collect()
}

/// Typical server addresses: a prefix, a run of zeros in one of several places, an interface identifier of one or more
/// groups.
fn v6() -> Vec<SocketAddr> {
    let mut random = random();
    let mut address = |index: usize| {
        let mut groups = [(); 8].map(|()| random() as u16 | 1);
        let (start, end) = [(2, 7), (4, 7), (3, 6), (1, 4), (2, 4), (0, 7), (5, 8), (1, 7)][index % 8];
        groups[start..end].fill(0);
        groups[7] >>= random() % 16;
        SocketAddr::new(Ipv6Addr::from(groups).into(), random() as u16)
    };
    (0..ADDRESSES).map(&mut address).collect()
}

/// Eight groups, most of them of four digits.
fn v6_full() -> Vec<SocketAddr> {
    let mut random = random();
    let mut address = || Ipv6Addr::from([(); 8].map(|()| random() as u16 | 1));
    let ips: Vec<_> = (0..ADDRESSES).map(|_| address()).collect();
    ips.into_iter().map(|ip| SocketAddr::new(ip.into(), random() as u16)).collect()
}

fn total(addrs: &[SocketAddr], format: impl Fn(&SocketAddr) -> usize) -> usize {
    addrs.iter().map(|addr| format(black_box(addr))).sum()
}

fn format(c: &mut Criterion, name: &str, addrs: &[SocketAddr]) {
    let mut group = c.benchmark_group(format!("format_{name}"));
    group.throughput(Throughput::Elements(ADDRESSES as u64));
    group.bench_function("anet", |b| b.iter(|| total(addrs, format_anet)));
    group.bench_function("core", |b| b.iter(|| total(addrs, format_core)));
    group.bench_function("glibc", |b| b.iter(|| total(addrs, format_glibc)));
}

fn each<R>(texts: &[String], parse: impl Fn(&str) -> R) {
    for text in texts {
        black_box(parse(black_box(text)));
    }
}

fn parse(c: &mut Criterion, name: &str, addrs: &[SocketAddr]) {
    let texts: Vec<_> = addrs.iter().map(SocketAddr::to_string).collect();
    let ips: Vec<_> = addrs.iter().map(|addr| CString::new(addr.ip().to_string()).unwrap()).collect();
    let family = if addrs[0].is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut group = c.benchmark_group(format!("parse_{name}"));
    group.throughput(Throughput::Elements(ADDRESSES as u64));
    for text in &texts {
        assert_eq!(parse_anet(text).ok(), parse_core(text).ok());
    }
    group.bench_function("anet", |b| b.iter(|| each(&texts, parse_anet)));
    group.bench_function("core", |b| b.iter(|| each(&texts, parse_core)));
    group.bench_function("glibc", |b| {
        b.iter(|| {
            for ip in &ips {
                black_box(parse_glibc(family, black_box(ip)));
            }
        });
    });
}

fn addr(c: &mut Criterion) {
    for (name, addrs) in [("v4", v4()), ("v6", v6()), ("v6_full", v6_full())] {
        format(c, name, &addrs);
        parse(c, name, &addrs);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = addr
}
criterion_main!(benches);
