//! The cost of an empty accept queue: the error as a value, as a text, and as C servers format it.
//!
//! Redis formats a text with `strerror` and `vsnprintf` before its caller looks at the error number, so every drained
//! queue pays for `glibc` below.

use std::{ffi::c_char, hint::black_box};

use anet::{Errno, Error, Op};
use criterion::{Criterion, criterion_group, criterion_main};

fn glibc_text(errno: i32) -> [c_char; 256] {
    let mut text = [0; 256];
    // SAFETY: the string lives until the next call on this thread.
    let reason = unsafe { libc::strerror(errno) };
    // SAFETY: the buffer has the size that is given, and both strings are terminated.
    unsafe { libc::snprintf(text.as_mut_ptr(), text.len(), c"accept: %s".as_ptr(), reason) };
    text
}

fn accept_eagain(c: &mut Criterion) {
    let mut group = c.benchmark_group("accept_eagain");
    group.bench_function("anet", |b| {
        b.iter(|| Error::new(Op::Accept, black_box(Errno::AGAIN)).is_would_block());
    });
    group.bench_function("anet_text", |b| b.iter(|| Error::new(Op::Accept, black_box(Errno::AGAIN)).to_text()));
    group.bench_function("glibc", |b| b.iter(|| glibc_text(black_box(libc::EAGAIN))));
}

criterion_group!(benches, accept_eagain);
criterion_main!(benches);
