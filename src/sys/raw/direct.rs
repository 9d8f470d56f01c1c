//! Direct system calls for the five architectures on which rustix makes them too.
//!
//! The calls have at most five arguments, so one function per architecture is enough. The conventions are those of
//! `syscall(2)`. On x86 these socket calls have numbers of their own since Linux 4.3.

use core::arch::asm;

use rustix::{
    fd::{AsRawFd, BorrowedFd},
    io::Errno,
};

/// The kernel's constants, under the names libc gives them.
pub(super) mod c {
    pub(in crate::sys::raw) use linux_raw_sys::general::{
        __NR_epoll_pwait2, __NR_fchmodat2, __NR_getsockopt, __NR_recvmmsg, __NR_recvmsg, __NR_sendmmsg, __NR_sendmsg,
        __NR_setsockopt, AT_FDCWD, AT_SYMLINK_NOFOLLOW,
    };
    pub(in crate::sys::raw) use linux_raw_sys::net::*;

    // Where the kernel has a second number for times of 64 bits, these are the first ones, which every kernel has.
    #[cfg(target_pointer_width = "32")]
    pub(in crate::sys::raw) use linux_raw_sys::net::{
        SO_RCVTIMEO_OLD as SO_RCVTIMEO, SO_SNDTIMEO_OLD as SO_SNDTIMEO, SO_TIMESTAMP_OLD as SO_TIMESTAMP,
        SO_TIMESTAMPING_OLD as SO_TIMESTAMPING, SO_TIMESTAMPNS_OLD as SO_TIMESTAMPNS,
    };

    // `linux/udp.h`
    pub(in crate::sys::raw) const UDP_CORK: u32 = 1;
    pub(in crate::sys::raw) const UDP_SEGMENT: u32 = 103;
    pub(in crate::sys::raw) const UDP_GRO: u32 = 104;
}

/// # Safety
///
/// `len` bytes at `value` must be readable and be a value that `setsockopt` may be given.
#[inline]
pub(super) unsafe fn setsockopt(
    fd: BorrowedFd<'_>,
    level: i32,
    number: i32,
    value: *const u8,
    len: usize,
) -> Result<(), Errno> {
    let args = [fd.as_raw_fd() as usize, level as usize, number as usize, value as usize, len];
    // SAFETY: the caller vouches for `value`; the other arguments are numbers.
    let answer = unsafe { syscall5(c::__NR_setsockopt as usize, args) };
    check(answer).map(drop)
}

/// # Safety
///
/// `len` bytes at `value` must be writable, and the option must be one that writes no more than that.
#[inline]
pub(super) unsafe fn getsockopt(
    fd: BorrowedFd<'_>,
    level: i32,
    number: i32,
    value: *mut u8,
    len: usize,
) -> Result<usize, Errno> {
    let mut len = u32::try_from(len).unwrap_or(u32::MAX);
    let args = [fd.as_raw_fd() as usize, level as usize, number as usize, value as usize, &raw mut len as usize];
    // SAFETY: the caller vouches for `value`; `len` is a local that outlives the call.
    let answer = unsafe { syscall5(c::__NR_getsockopt as usize, args) };
    check(answer).map(|_| len as usize)
}

/// # Safety
///
/// `message` must point to a `msghdr` whose pointers and lengths are valid for writing.
#[inline]
pub(super) unsafe fn recvmsg(fd: BorrowedFd<'_>, message: *mut u8, flags: i32) -> Result<usize, Errno> {
    let args = [fd.as_raw_fd() as usize, message as usize, flags as usize, 0, 0];
    // SAFETY: the caller vouches for `message`; the other arguments are numbers.
    check(unsafe { syscall5(c::__NR_recvmsg as usize, args) })
}

/// # Safety
///
/// `message` must point to a `msghdr` whose pointers and lengths are valid for reading.
#[inline]
pub(super) unsafe fn sendmsg(fd: BorrowedFd<'_>, message: *const u8, flags: i32) -> Result<usize, Errno> {
    let args = [fd.as_raw_fd() as usize, message as usize, flags as usize, 0, 0];
    // SAFETY: the caller vouches for `message`; the other arguments are numbers.
    check(unsafe { syscall5(c::__NR_sendmsg as usize, args) })
}

/// # Safety
///
/// `messages` must point to `len` values `mmsghdr` whose pointers and lengths are valid for writing.
#[inline]
pub(super) unsafe fn recvmmsg(fd: BorrowedFd<'_>, messages: *mut u8, len: usize, flags: i32) -> Result<usize, Errno> {
    // The fifth argument is a null timeout.
    let args = [fd.as_raw_fd() as usize, messages as usize, len, flags as usize, 0];
    // SAFETY: the caller vouches for `messages`; the other arguments are numbers.
    check(unsafe { syscall5(c::__NR_recvmmsg as usize, args) })
}

/// # Safety
///
/// `messages` must point to `len` values `mmsghdr` whose pointers and lengths are valid for reading.
#[inline]
pub(super) unsafe fn sendmmsg(fd: BorrowedFd<'_>, messages: *mut u8, len: usize, flags: i32) -> Result<usize, Errno> {
    let args = [fd.as_raw_fd() as usize, messages as usize, len, flags as usize, 0];
    // SAFETY: the caller vouches for `messages`; the other arguments are numbers.
    check(unsafe { syscall5(c::__NR_sendmmsg as usize, args) })
}

/// # Safety
///
/// `path` must point to a NUL-terminated string.
pub(super) unsafe fn fchmodat2(path: *const u8, mode: u32) -> Result<(), Errno> {
    let args = [c::AT_FDCWD as usize, path as usize, mode as usize, c::AT_SYMLINK_NOFOLLOW as usize, 0];
    // SAFETY: the caller vouches for `path`; the other arguments are numbers.
    let answer = unsafe { syscall5(c::__NR_fchmodat2 as usize, args) };
    check(answer).map(drop)
}

/// The newer architectures only have the call with a signal mask.
#[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
use linux_raw_sys::general::__NR_epoll_pwait as EPOLL_WAIT;
#[cfg(not(any(target_arch = "aarch64", target_arch = "riscv64")))]
use linux_raw_sys::general::__NR_epoll_wait as EPOLL_WAIT;

/// # Safety
///
/// `len` events at `events` must be writable.
#[inline]
pub(super) unsafe fn epoll_wait(
    fd: BorrowedFd<'_>,
    events: *mut u8,
    len: usize,
    milliseconds: i32,
) -> Result<usize, Errno> {
    let len = len.min(i32::MAX as usize);
    // The fifth argument is a null signal mask, where the call takes one.
    let args = [fd.as_raw_fd() as usize, events as usize, len, milliseconds as usize, 0];
    // SAFETY: the caller vouches for `events`.
    check(unsafe { syscall5(EPOLL_WAIT as usize, args) })
}

/// # Safety
///
/// `len` events at `events` must be writable.
pub(super) unsafe fn epoll_pwait2(
    fd: BorrowedFd<'_>,
    events: *mut u8,
    len: usize,
    timeout: [i64; 2],
) -> Result<usize, Errno> {
    let len = len.min(i32::MAX as usize);
    // The kernel ignores the sixth argument, the size of the signal mask, without a mask.
    let args = [fd.as_raw_fd() as usize, events as usize, len, timeout.as_ptr() as usize, 0];
    // SAFETY: the caller vouches for `events`; `timeout` is a local that outlives the call.
    check(unsafe { syscall5(c::__NR_epoll_pwait2 as usize, args) })
}

/// The kernel returns `-errno`, between -4095 and -1, or a result.
#[inline]
fn check(answer: isize) -> Result<usize, Errno> {
    match answer {
        -4095..=-1 => Err(Errno::from_raw_os_error(-answer as i32)),
        _ => Ok(answer as usize),
    }
}

/// # Safety
///
/// The arguments must be valid for the call with this number.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn syscall5(number: usize, [a, b, c, d, e]: [usize; 5]) -> isize {
    let answer;
    // SAFETY: the instruction clobbers rcx and r11 alone and touches no memory but what the arguments point to, for
    // which the caller is responsible.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            lateout("rcx") _, lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    answer
}

/// # Safety
///
/// The arguments must be valid for the call with this number.
#[cfg(target_arch = "aarch64")]
#[inline]
unsafe fn syscall5(number: usize, [a, b, c, d, e]: [usize; 5]) -> isize {
    let answer;
    // SAFETY: of the state that Rust knows of, the instruction changes x0 alone, and it touches no memory but what the
    // arguments point to, for which the caller is responsible.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => answer,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e,
            options(nostack, preserves_flags),
        );
    }
    answer
}

/// # Safety
///
/// The arguments must be valid for the call with this number.
#[cfg(target_arch = "riscv64")]
#[inline]
unsafe fn syscall5(number: usize, [a, b, c, d, e]: [usize; 5]) -> isize {
    let answer;
    // SAFETY: the instruction changes a0 and the vector state, which Linux discards on a system call, and touches no
    // memory but what the arguments point to, for which the caller is responsible.
    unsafe {
        asm!(
            "ecall",
            in("a7") number,
            inlateout("a0") a as isize => answer,
            in("a1") b, in("a2") c, in("a3") d, in("a4") e,
            lateout("v0") _, lateout("v1") _, lateout("v2") _, lateout("v3") _,
            lateout("v4") _, lateout("v5") _, lateout("v6") _, lateout("v7") _,
            lateout("v8") _, lateout("v9") _, lateout("v10") _, lateout("v11") _,
            lateout("v12") _, lateout("v13") _, lateout("v14") _, lateout("v15") _,
            lateout("v16") _, lateout("v17") _, lateout("v18") _, lateout("v19") _,
            lateout("v20") _, lateout("v21") _, lateout("v22") _, lateout("v23") _,
            lateout("v24") _, lateout("v25") _, lateout("v26") _, lateout("v27") _,
            lateout("v28") _, lateout("v29") _, lateout("v30") _, lateout("v31") _,
            options(nostack),
        );
    }
    answer
}

/// # Safety
///
/// The arguments must be valid for the call with this number.
#[cfg(target_arch = "arm")]
#[inline]
unsafe fn syscall5(number: usize, [a, b, c, d, e]: [usize; 5]) -> isize {
    let answer;
    // SAFETY: r7, which may be the frame pointer and so cannot be an operand, is put back; otherwise r0 alone changes,
    // and no memory is touched but what the arguments point to, for which the caller is responsible.
    unsafe {
        asm!(
            "mov {saved}, r7",
            "mov r7, {number}",
            "svc 0",
            "mov r7, {saved}",
            saved = out(reg) _,
            number = in(reg) number,
            inlateout("r0") a as isize => answer,
            in("r1") b, in("r2") c, in("r3") d, in("r4") e,
            options(nostack, preserves_flags),
        );
    }
    answer
}

/// # Safety
///
/// The arguments must be valid for the call with this number.
#[cfg(target_arch = "x86")]
#[inline]
unsafe fn syscall5(number: usize, [a, b, c, d, e]: [usize; 5]) -> isize {
    let answer;
    let in_memory = [a, d, number];
    // SAFETY: ebx and esi, which cannot be operands, are put back; otherwise eax alone changes, and no memory is
    // touched but `in_memory`, the stack and what the arguments point to, for which the caller is responsible.
    unsafe {
        asm!(
            "push ebx",
            "push esi",
            "mov ebx, [eax]",
            "mov esi, [eax + 4]",
            "mov eax, [eax + 8]",
            "int 0x80",
            "pop esi",
            "pop ebx",
            inlateout("eax") in_memory.as_ptr() as isize => answer,
            in("ecx") b, in("edx") c, in("edi") e,
        );
    }
    answer
}
