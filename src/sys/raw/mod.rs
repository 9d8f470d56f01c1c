//! Unsafe code: the calls for which rustix has no safe function.
//!
//! Every `unsafe` of the crate's core is in this folder: `setsockopt` and `getsockopt` by number, `ioctl`s on sockets and
//! pollers, messages with control data, changing a mode without following a symlink, and a view of the bytes of an
//! address. The system calls themselves are in `direct.rs` where rustix makes them without libc, and in `libc.rs`
//! elsewhere.
#![allow(unsafe_code)]

#[cfg_attr(
    all(
        target_os = "linux",
        target_endian = "little",
        any(
            target_arch = "arm",
            all(target_arch = "aarch64", target_pointer_width = "64"),
            target_arch = "riscv64",
            target_arch = "x86",
            all(target_arch = "x86_64", target_pointer_width = "64"),
        ),
    ),
    path = "direct.rs"
)]
#[cfg_attr(
    not(all(
        target_os = "linux",
        target_endian = "little",
        any(
            target_arch = "arm",
            all(target_arch = "aarch64", target_pointer_width = "64"),
            target_arch = "riscv64",
            target_arch = "x86",
            all(target_arch = "x86_64", target_pointer_width = "64"),
        ),
    )),
    path = "libc.rs"
)]
mod call;
mod ioctl;
#[cfg(target_os = "linux")]
mod message;

use core::slice;

use rustix::{
    fd::{BorrowedFd, OwnedFd},
    io::{Errno, IoSlice},
    net::SocketAddrAny,
};

#[cfg(target_os = "linux")]
pub(crate) use message::*;

#[cfg(target_os = "linux")]
use {core::ffi::CStr, rustix::event::Timespec};
#[cfg(not(target_os = "linux"))]
use {
    core::{mem::MaybeUninit, time::Duration},
    rustix::event::kqueue,
};

pub(crate) use ioctl::*;

/// A socket option by level and number, as `setsockopt(2)` takes it.
///
/// The constants name options whose value is plain bytes, so [`option::raw`](crate::option::raw) is safe with them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct OptionName {
    level: i32,
    number: i32,
}

impl OptionName {
    /// Names any option by the numbers in the kernel's headers.
    ///
    /// # Safety
    ///
    /// The option's value must not contain a pointer, and reading the option must write at most as many bytes as the
    /// length says. This holds for nearly all options; check what the kernel does with yours. It does not hold for,
    /// among others, `SO_ATTACH_FILTER`, `SO_ATTACH_REUSEPORT_CBPF` and `XDP_UMEM_REG` (contain a pointer),
    /// `TCP_ZEROCOPY_RECEIVE` (contains addresses), `SO_GET_FILTER` (counts in instructions of 8 bytes), `IP_MSFILTER`,
    /// `MCAST_MSFILTER` and `TCP_AO_GET_KEYS` (write by a count within the value) and the netfilter tables (contain a
    /// pointer the kernel writes to).
    pub const unsafe fn new(level: i32, number: i32) -> Self {
        Self { level, number }
    }

    /// The level, such as `SOL_SOCKET`.
    pub const fn level(self) -> i32 {
        self.level
    }

    /// The number of the option within its level.
    pub const fn number(self) -> i32 {
        self.number
    }
}

macro_rules! names {
    ($([$os:meta] { $(
        $(#[$doc:meta])* $name:ident $label:literal $level:ident $([$range:expr])? { $($fact:tt)* }
    )* })*) => {
        /// The options of the [table](crate::option), whose values are plain bytes.
        impl OptionName {
            $($(
                #[cfg($os)]
                #[doc = concat!("`", $label, "`")]
                pub const $name: Self = Self { level: call::c::$level as i32, number: call::c::$name as i32 };
            )*)*
        }
    };
}

crate::option::table::option_table!(names);

/// `SOL_NETLINK`, `linux/netlink.h`: options of netlink sockets, whose values are an `int`.
#[cfg(target_os = "linux")]
impl OptionName {
    /// The kernel explains errors.
    pub(crate) const NETLINK_EXT_ACK: Self = Self { level: 270, number: 11 };
    /// The kernel checks and applies what a request for a dump contains.
    pub(crate) const NETLINK_GET_STRICT_CHK: Self = Self { level: 270, number: 12 };
    /// `SOL_RAW`: the types of ICMP messages that a raw socket does not receive, as a set of 32 bits.
    pub(crate) const ICMP_FILTER: Self = Self { level: 255, number: 1 };
    /// `SOL_ICMPV6`: the types of messages over IPv6 that a raw socket does not receive, as a set of 256 bits.
    pub(crate) const ICMP6_FILTER: Self = Self { level: 58, number: 1 };
}

/// `getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD)`: a new descriptor of the process that was the peer; since Linux 6.5.
#[cfg(target_os = "linux")]
pub(crate) fn peer_pidfd(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    use rustix::fd::FromRawFd;

    const SO_PEERPIDFD: OptionName = OptionName { level: call::c::SOL_SOCKET as i32, number: 77 };
    let mut value = [0; 4];
    match getsockopt(fd, SO_PEERPIDFD, &mut value)? {
        // SAFETY: the kernel has just opened this descriptor for the caller, and nothing else knows its number.
        4 => Ok(unsafe { OwnedFd::from_raw_fd(i32::from_ne_bytes(value)) }),
        _ => Err(Errno::INVAL),
    }
}

/// `setsockopt(fd, level, number, value, value.len())`
pub(crate) fn setsockopt(fd: BorrowedFd<'_>, name: OptionName, value: &[u8]) -> Result<(), Errno> {
    // SAFETY: the kernel reads `value.len()` bytes at `value`; by the contract of `OptionName` it takes none of them
    // for a pointer.
    unsafe { call::setsockopt(fd, name.level, name.number, value.as_ptr(), value.len()) }
}

/// `getsockopt(fd, level, number, value, &value.len())`, which returns how many bytes the kernel has written.
pub(crate) fn getsockopt(fd: BorrowedFd<'_>, name: OptionName, value: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most `value.len()` bytes at `value`, by the contract of `OptionName`.
    let written = unsafe { call::getsockopt(fd, name.level, name.number, value.as_mut_ptr(), value.len()) }?;
    // A kernel may report the length it has rather than the length it wrote.
    Ok(written.min(value.len()))
}

/// `fchmodat2(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW)`, since Linux 6.6.
#[cfg(target_os = "linux")]
pub(crate) fn chmod_nofollow(path: &CStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: the kernel reads `path` up to its terminator.
    unsafe { call::fchmodat2(path.as_ptr().cast(), mode) }
}

/// `struct epoll_event`: what the kernel writes for a descriptor that is ready. rustix's own contains a pointer, and so
/// is not `Send`.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy)]
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
pub(crate) struct EpollEvent {
    flags: u32,
    key: u64,
}

#[cfg(target_os = "linux")]
const _: () = assert!(size_of::<EpollEvent>() == size_of::<rustix::event::epoll::Event>());

#[cfg(target_os = "linux")]
impl EpollEvent {
    pub(crate) const NOTHING: Self = Self { flags: 0, key: 0 };

    #[inline]
    pub(crate) const fn key(self) -> u64 {
        self.key
    }

    #[inline]
    pub(crate) const fn flags(self) -> u32 {
        self.flags
    }
}

/// `epoll_wait(fd, events, milliseconds)`
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn epoll_wait(fd: BorrowedFd<'_>, events: &mut [EpollEvent], milliseconds: i32) -> Result<usize, Errno> {
    // SAFETY: `EpollEvent` is the kernel's struct, and the kernel writes at most as many as the slice has.
    unsafe { call::epoll_wait(fd, events.as_mut_ptr().cast(), events.len(), milliseconds) }
}

/// `epoll_pwait2(fd, events, timeout)`, since Linux 5.11.
#[cfg(target_os = "linux")]
pub(crate) fn epoll_pwait2(fd: BorrowedFd<'_>, events: &mut [EpollEvent], timeout: Timespec) -> Result<usize, Errno> {
    let timeout = kernel_timespec(timeout);
    // SAFETY: `EpollEvent` is the kernel's struct, and the kernel writes at most as many as the slice has.
    unsafe { call::epoll_pwait2(fd, events.as_mut_ptr().cast(), events.len(), timeout) }
}

/// Two numbers of 64 bits on every architecture.
#[cfg(target_os = "linux")]
#[allow(clippy::useless_conversion, reason = "libc's has fewer bits on some")]
fn kernel_timespec(time: Timespec) -> [i64; 2] {
    [time.tv_sec, i64::from(time.tv_nsec)]
}

/// `kevent(fd, changes, events, timeout)`
#[cfg(not(target_os = "linux"))]
pub(crate) fn kevent<'e>(
    fd: BorrowedFd<'_>,
    changes: &[kqueue::Event],
    events: &'e mut [MaybeUninit<kqueue::Event>],
    timeout: Option<Duration>,
) -> Result<&'e [kqueue::Event], Errno> {
    // SAFETY: a change names its descriptor by number; the callers borrow it for the call, and a kqueue forgets a
    // descriptor that is closed.
    unsafe { kqueue::kevent(fd, changes, events, timeout) }.map(|(ready, _)| &*ready)
}

/// `fcntl(number, F_DUPFD_CLOEXEC)` on a descriptor known only by its number.
///
/// The caller owns the result; the original keeps its owner. The two share the open file, so the callers return only a
/// listening socket: its owner may expect to accept alone, but memory safety does not depend on that.
pub(crate) fn duplicate(number: u32) -> Result<OwnedFd, Errno> {
    let number = i32::try_from(number).map_err(|_| Errno::BADF)?;
    // SAFETY: the number is not -1, and it is used for one call, which fails with `EBADF` if nothing is open there.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_dupfd_cloexec(borrowed, FIRST_ORDINARY)
}

/// The first number after standard input, output and error.
const FIRST_ORDINARY: i32 = 3;

/// The bytes of an address, as many as its length says.
pub(crate) fn sockaddr_bytes(addr: &SocketAddrAny) -> &[u8] {
    let bytes = addr.as_ptr().cast::<u8>();
    // SAFETY: `SocketAddrAny` keeps the invariant that its first `addr_len` bytes are initialised, and the slice
    // borrows from it.
    unsafe { slice::from_raw_parts(bytes, addr.addr_len() as usize) }
}

/// The length of a buffer. std's type dereferences to the bytes and rustix's own does not, and which of the two it is
/// depends on the features of all packages.
pub(crate) fn buffer_len(buffer: &IoSlice<'_>) -> usize {
    /// `struct iovec`
    #[repr(C)]
    struct IoVec {
        base: *const u8,
        len: usize,
    }
    // SAFETY: both types promise the ABI of `struct iovec`, so the reference points to an initialised one.
    unsafe { (*core::ptr::from_ref(buffer).cast::<IoVec>()).len }
}
