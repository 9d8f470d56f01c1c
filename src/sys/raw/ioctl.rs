//! The `ioctl`s on sockets and pollers that rustix does not wrap.

use core::ffi::c_int;

#[cfg(target_os = "linux")]
use rustix::ioctl::Setter;
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

/// `struct epoll_params` of `linux/eventpoll.h`; no bits are unused.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct EpollParams {
    pub(crate) busy_poll_usecs: u32,
    pub(crate) busy_poll_budget: u16,
    pub(crate) prefer_busy_poll: u8,
    /// Must be zero.
    pub(crate) pad: u8,
}

#[cfg(target_os = "linux")]
const EPOLL_IOC_TYPE: u8 = 0x8a;
#[cfg(target_os = "linux")]
const SET_PARAMS: Opcode = opcode::write::<EpollParams>(EPOLL_IOC_TYPE, 1);
#[cfg(target_os = "linux")]
const GET_PARAMS: Opcode = opcode::read::<EpollParams>(EPOLL_IOC_TYPE, 2);

/// `ioctl(fd, EPIOCSPARAMS, &params)`, since Linux 6.9
#[cfg(target_os = "linux")]
pub(crate) fn set_epoll_params(fd: BorrowedFd<'_>, params: EpollParams) -> Result<(), Errno> {
    // SAFETY: the number contains the size of the struct that the kernel reads; other files refuse it.
    let request = unsafe { Setter::<SET_PARAMS, EpollParams>::new(params) };
    // SAFETY: as above.
    unsafe { ioctl::ioctl(fd, request) }
}

/// `ioctl(fd, EPIOCGPARAMS, &params)`, since Linux 6.9
#[cfg(target_os = "linux")]
pub(crate) fn epoll_params(fd: BorrowedFd<'_>) -> Result<EpollParams, Errno> {
    // SAFETY: the number contains the size of the struct that the kernel writes, all of whose bit patterns are valid.
    let request = unsafe { Getter::<GET_PARAMS, EpollParams>::new() };
    // SAFETY: as above.
    unsafe { ioctl::ioctl(fd, request) }
}
