//! C's `errno`.

use crate::error::Errno;

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as location;
#[cfg(any(target_os = "linux", target_os = "dragonfly"))]
use libc::__errno_location as location;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as location;

/// The current value, if it is an error number.
pub(super) fn last() -> Option<Errno> {
    // SAFETY: the function has no preconditions.
    let errno = unsafe { location() };
    // SAFETY: the pointer is thread-local and valid for the life of the thread.
    match unsafe { *errno } {
        number @ 1..4096 => Some(Errno::from_raw_os_error(number)),
        _ => None,
    }
}

/// Sets it. No call between this one and the return to C may change it.
pub(super) fn set(value: Errno) {
    // SAFETY: the function has no preconditions.
    let errno = unsafe { location() };
    // SAFETY: the pointer is thread-local and valid for the life of the thread.
    unsafe { *errno = value.raw_os_error() };
}
