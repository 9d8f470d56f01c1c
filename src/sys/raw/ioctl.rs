//! The `ioctl`s on sockets that rustix does not wrap.

use core::ffi::c_int;

use rustix::{
    fd::BorrowedFd,
    io::Errno,
    ioctl::{self, Getter, Opcode, opcode},
};

/// `SIOCATMARK`: `asm-generic/sockios.h`, and on MIPS, Xtensa and the BSDs the number that 4.2BSD gave it.
const AT_MARK: Opcode = if cfg!(all(
    target_os = "linux",
    not(any(
        target_arch = "mips",
        target_arch = "mips32r6",
        target_arch = "mips64",
        target_arch = "mips64r6",
        target_arch = "xtensa",
    )),
)) {
    0x8905
} else {
    opcode::read::<c_int>(b's', 7)
};

/// `SIOCOUTQ`, which is `TIOCOUTQ` (`asm-generic/ioctls.h` and the three that differ).
#[cfg(target_os = "linux")]
const SEND_QUEUE: Opcode = if cfg!(any(
    target_arch = "powerpc",
    target_arch = "powerpc64",
    target_arch = "sparc",
    target_arch = "sparc64",
    target_arch = "xtensa",
)) {
    opcode::read::<c_int>(b't', 115)
} else if cfg!(any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6",)) {
    0x7472
} else {
    0x5411
};

/// `ioctl(fd, SIOCATMARK, &answer)`
pub(crate) fn at_mark(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    // SAFETY: the kernel answers this number with one `int`, on sockets; other files refuse it.
    let request = unsafe { Getter::<AT_MARK, c_int>::new() };
    // SAFETY: as above.
    unsafe { ioctl::ioctl(fd, request) }.map(|answer| answer != 0)
}

/// `ioctl(fd, SIOCOUTQ, &answer)`
#[cfg(target_os = "linux")]
pub(crate) fn send_queue(fd: BorrowedFd<'_>) -> Result<usize, Errno> {
    // SAFETY: the kernel answers this number with one `int`, on sockets and terminals; other files refuse it.
    let request = unsafe { Getter::<SEND_QUEUE, c_int>::new() };
    // SAFETY: as above.
    unsafe { ioctl::ioctl(fd, request) }.map(|bytes| usize::try_from(bytes).unwrap_or(0))
}
