//! The same calls through libc, on the systems and architectures where rustix uses it too.

use rustix::{
    fd::{AsRawFd, BorrowedFd},
    io::Errno,
};

/// The system's constants. Those named here stand before libc's, which has them on some architectures only.
pub(super) mod c {
    pub(in crate::sys::raw) use libc::*;

    // A protocol's level is its number.
    #[cfg(not(target_os = "linux"))]
    pub(in crate::sys::raw) use libc::{IPPROTO_IP as SOL_IP, IPPROTO_IPV6 as SOL_IPV6, IPPROTO_TCP as SOL_TCP};
    #[cfg(target_vendor = "apple")]
    pub(in crate::sys::raw) use libc::{SO_LINGER_SEC as SO_LINGER, TCP_KEEPALIVE as TCP_KEEPIDLE};

    // `asm-generic/socket.h`, `linux/in.h`, `linux/netfilter_ipv6/ip6_tables.h`
    #[cfg(target_os = "linux")]
    macro_rules! linux {
        ($($name:ident = $number:literal,)*) => { $(pub(in crate::sys::raw) const $name: i32 = $number;)* };
    }

    #[cfg(target_os = "linux")]
    linux![
        IP6T_SO_ORIGINAL_DST = 80,
        IP_LOCAL_PORT_RANGE = 51,
        SO_MAX_PACING_RATE = 47,
        SO_MEMINFO = 55,
        SO_INCOMING_NAPI_ID = 56,
        SO_COOKIE = 57,
        SO_ZEROCOPY = 60,
        SO_TXTIME = 61,
        SO_BINDTOIFINDEX = 62,
        SO_PREFER_BUSY_POLL = 69,
    ];
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
    let len = libc::socklen_t::try_from(len).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the caller vouches for `value`; the other arguments are numbers.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, number, value.cast(), len) })
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
    let mut len = libc::socklen_t::try_from(len).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the caller vouches for `value`; `len` is a local that outlives the call.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, number, value.cast(), &raw mut len) })?;
    Ok(len as usize)
}

/// # Safety
///
/// `message` must point to a `msghdr` whose pointers and lengths are valid for writing.
#[cfg(target_os = "linux")]
#[inline]
pub(super) unsafe fn recvmsg(fd: BorrowedFd<'_>, message: *mut u8, flags: i32) -> Result<usize, Errno> {
    // SAFETY: the caller vouches for `message`; the other arguments are numbers.
    let answer = unsafe { libc::recvmsg(fd.as_raw_fd(), message.cast(), flags) };
    usize::try_from(answer).map_err(|_| last_errno())
}

/// # Safety
///
/// `message` must point to a `msghdr` whose pointers and lengths are valid for reading.
#[cfg(target_os = "linux")]
#[inline]
pub(super) unsafe fn sendmsg(fd: BorrowedFd<'_>, message: *const u8, flags: i32) -> Result<usize, Errno> {
    // SAFETY: the caller vouches for `message`; the other arguments are numbers.
    let answer = unsafe { libc::sendmsg(fd.as_raw_fd(), message.cast(), flags) };
    usize::try_from(answer).map_err(|_| last_errno())
}

/// # Safety
///
/// `messages` must point to `len` values `mmsghdr` whose pointers and lengths are valid for writing.
#[cfg(target_os = "linux")]
#[inline]
pub(super) unsafe fn recvmmsg(fd: BorrowedFd<'_>, messages: *mut u8, len: usize, flags: i32) -> Result<usize, Errno> {
    let len = libc::c_uint::try_from(len).unwrap_or(libc::c_uint::MAX);
    // SAFETY: the caller vouches for `messages`; the timeout is null. Some libcs have signed flags.
    let answer = unsafe { libc::recvmmsg(fd.as_raw_fd(), messages.cast(), len, flags as _, core::ptr::null_mut()) };
    usize::try_from(answer).map_err(|_| last_errno())
}

/// # Safety
///
/// `messages` must point to `len` values `mmsghdr` whose pointers and lengths are valid for reading.
#[cfg(target_os = "linux")]
#[inline]
pub(super) unsafe fn sendmmsg(fd: BorrowedFd<'_>, messages: *mut u8, len: usize, flags: i32) -> Result<usize, Errno> {
    let len = libc::c_uint::try_from(len).unwrap_or(libc::c_uint::MAX);
    // SAFETY: the caller vouches for `messages`. Some libcs have signed flags.
    let answer = unsafe { libc::sendmmsg(fd.as_raw_fd(), messages.cast(), len, flags as _) };
    usize::try_from(answer).map_err(|_| last_errno())
}

/// libc has no function for it, nor its number on every architecture.
///
/// # Safety
///
/// `path` must point to a NUL-terminated string.
#[cfg(target_os = "linux")]
pub(super) unsafe fn fchmodat2(_path: *const u8, _mode: u32) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// # Safety
///
/// `len` events at `events` must be writable.
#[cfg(target_os = "linux")]
#[inline]
pub(super) unsafe fn epoll_wait(
    fd: BorrowedFd<'_>,
    events: *mut u8,
    len: usize,
    milliseconds: i32,
) -> Result<usize, Errno> {
    let len = i32::try_from(len).unwrap_or(i32::MAX);
    // SAFETY: the caller vouches for `events`.
    let answer = unsafe { libc::epoll_wait(fd.as_raw_fd(), events.cast(), len, milliseconds) };
    usize::try_from(answer).map_err(|_| last_errno())
}

/// Not every libc has it.
///
/// # Safety
///
/// `len` events at `events` must be writable.
#[cfg(target_os = "linux")]
pub(super) unsafe fn epoll_pwait2(
    _fd: BorrowedFd<'_>,
    _events: *mut u8,
    _len: usize,
    _timeout: [i64; 2],
) -> Result<usize, Errno> {
    Err(Errno::NOSYS)
}

/// libc returns -1 and leaves the number in `errno`.
fn check(answer: i32) -> Result<(), Errno> {
    if answer == -1 { Err(last_errno()) } else { Ok(()) }
}

fn last_errno() -> Errno {
    // SAFETY: libc returns a pointer to the thread's own `errno`, valid for as long as the thread.
    Errno::from_raw_os_error(unsafe { *errno_location() })
}

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as errno_location;
#[cfg(any(target_os = "linux", target_os = "dragonfly"))]
use libc::__errno_location as errno_location;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as errno_location;
