//! Names that need no server: ours against `getaddrinfo` of glibc.
//!
//! One iteration is one lookup for TCP, with port 80. `numeric_v4` and `numeric_v6` are address texts; `hosts_hit` is the
//! last name of a hosts file of 1,000 lines, which both read for each lookup. glibc reads `/etc/hosts`, so the bench puts
//! the file there in a mount namespace of its own, which takes root; otherwise `hosts_hit` is ours alone.
#![allow(unsafe_code, missing_docs)]

use core::{
    ffi::{CStr, c_int},
    hint::black_box,
    ptr,
    time::Duration,
};
use std::{ffi::CString, fmt::Write, fs, path::Path};

use anet::resolve::{Families, HOSTS_FILE, Hosts, Numeric, Resolve};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const LINES: usize = 1000;

/// The number of addresses.
fn getaddrinfo(host: &CStr) -> usize {
    // SAFETY: all zeros is a valid `addrinfo`: no hints and NULL pointers.
    let mut hints: libc::addrinfo = unsafe { core::mem::zeroed() };
    hints.ai_family = libc::AF_UNSPEC;
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut first = ptr::null_mut();
    // SAFETY: the texts end with a NUL, and the other pointers point to locals.
    let code: c_int = unsafe { libc::getaddrinfo(host.as_ptr(), c"80".as_ptr(), &raw const hints, &raw mut first) };
    assert_eq!(code, 0);
    let (mut count, mut entry) = (0, first);
    while !entry.is_null() {
        count += 1;
        // SAFETY: the list is valid until it is freed, and ends with NULL.
        entry = unsafe { (*entry).ai_next };
    }
    // SAFETY: the list is freed once.
    unsafe { libc::freeaddrinfo(first) };
    count
}

/// A hosts file with one name on each line, in the usual form.
fn hosts_file() -> String {
    let mut file = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    for line in 2..LINES {
        writeln!(file, "10.0.{}.{} node{line}.cluster.internal node{line}", line / 250, line % 250).unwrap();
    }
    file
}

/// Puts the file in place of `/etc/hosts` for this process; returns whether that worked.
fn replace_hosts_file(path: &CStr) -> bool {
    // SAFETY: the bench has one thread so far, and the namespace concerns the view of this process alone.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    let mount = |source: *const libc::c_char, target: &CStr, flags| {
        // SAFETY: the paths end with a NUL, and the other pointers may be NULL for these flags.
        unsafe { libc::mount(source, target.as_ptr(), ptr::null(), flags, ptr::null()) }
    };
    unshared == 0
        && mount(ptr::null(), c"/", libc::MS_REC | libc::MS_PRIVATE) == 0
        && mount(path.as_ptr(), HOSTS_FILE, libc::MS_BIND) == 0
}

fn numeric(c: &mut Criterion) {
    for (name, text) in [("numeric_v4", c"192.168.100.200"), ("numeric_v6", c"2001:db8:85a3::8a2e:370:7334")] {
        let mut group = c.benchmark_group(name);
        let host = text.to_str().unwrap();
        group.bench_function(BenchmarkId::from_parameter("anet"), |b| {
            b.iter(|| Numeric::addr(black_box(host), 80).unwrap());
        });
        group.bench_function(BenchmarkId::from_parameter("getaddrinfo"), |b| b.iter(|| getaddrinfo(black_box(text))));
        group.finish();
    }
}

fn hosts_hit(c: &mut Criterion) {
    let path = std::env::temp_dir().join(format!("anet-bench-hosts-{}", std::process::id()));
    fs::write(&path, hosts_file()).unwrap();
    let c_path = |path: &Path| CString::new(path.to_str().unwrap()).unwrap();
    let (file, name) = (c_path(&path), CString::new(format!("node{}", LINES - 1)).unwrap());
    let host = name.to_str().unwrap();
    let mut group = c.benchmark_group("hosts_hit");
    group.bench_function(BenchmarkId::from_parameter("anet"), |b| {
        b.iter(|| Hosts::at(&file).resolve(black_box(host), 80, Families::Any).unwrap().len());
    });
    if replace_hosts_file(&file) {
        group.bench_function(BenchmarkId::from_parameter("getaddrinfo"), |b| b.iter(|| getaddrinfo(black_box(&name))));
    }
    group.finish();
    fs::remove_file(&path).unwrap();
}

fn config() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = config(); targets = numeric, hosts_hit }
criterion_main!(benches);
