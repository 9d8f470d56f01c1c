//! The functions that the compiler may call implicitly: copies, fills and comparisons, and the personality routine that
//! unoptimised `core` refers to. `compiler_builtins` does not export them on this target.
//!
//! They are string instructions, because loops in Rust may be compiled to a call of the very function they define.

use core::{arch::asm, ffi::c_int};

/// Copies `len` bytes between two regions that do not overlap.
///
/// # Safety
///
/// C's contract: `to` can be written to and `from` be read for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for `len` bytes at both places; the ABI has the direction flag clear.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    to
}

/// Copies `len` bytes between two regions that may overlap.
///
/// # Safety
///
/// That of [`memcpy`].
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= len {
        // SAFETY: the same contract; a forward copy never reads what it has written, as `to` does not begin within
        // `from`.
        return unsafe { memcpy(to, from, len) };
    }
    // SAFETY: the caller vouches for `len` bytes at both places, and `len` is not 0 here, so both last bytes exist. The
    // direction flag is clear again afterwards.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rcx") len => _,
            inout("rdi") to.wrapping_add(len - 1) => _, inout("rsi") from.wrapping_add(len - 1) => _, options(nostack));
    }
    to
}

/// Fills `len` bytes with one value.
///
/// # Safety
///
/// C's contract: `to` can be written to for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: c_int, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for `len` bytes at `to`; the ABI has the direction flag clear.
    unsafe {
        asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags));
    }
    to
}

/// Compares `len` bytes: negative, 0 or positive as the first difference is.
///
/// # Safety
///
/// C's contract: `a` and `b` can be read for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> c_int {
    let order: c_int;
    // SAFETY: the caller vouches for `len` bytes at both places. With `len` 0 nothing is compared and the first
    // instruction has said "equal"; otherwise the flags are those of the last pair, above or below as unsigned bytes.
    unsafe {
        asm!("xor eax, eax", "repe cmpsb", "seta al", "sbb eax, 0",
            inout("rcx") len => _, inout("rdi") b => _, inout("rsi") a => _, out("eax") order,
            options(nostack, readonly));
    }
    order
}

/// Compares `len` bytes: 0 if they are equal.
///
/// # Safety
///
/// That of [`memcmp`].
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> c_int {
    // SAFETY: the same contract.
    unsafe { memcmp(a, b, len) }
}

/// The bytes before the first NUL.
///
/// # Safety
///
/// C's contract: `text` can be read up to a NUL.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let end: *const u8;
    // SAFETY: the scan stops behind the NUL that the caller vouches for.
    unsafe {
        asm!("repne scasb", inout("rcx") usize::MAX => _, inout("rdi") text => end, in("al") 0_u8,
            options(nostack, readonly));
    }
    end.addr() - text.addr() - 1
}

/// Named by the unwind tables of a `core` that was built to unwind, and never called.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
