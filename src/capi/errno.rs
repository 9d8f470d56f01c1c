//! C's `errno`.

use core::ffi::c_int;

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as location;
#[cfg(any(target_os = "linux", target_os = "dragonfly"))]
use libc::__errno_location as location;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as location;

/// The current value.
pub(super) fn last() -> c_int {
    // SAFETY: the function has no preconditions.
    let errno = unsafe { location() };
    // SAFETY: the pointer is thread-local and valid for the life of the thread.
    unsafe { *errno }
}

/// Sets it. No call between this one and the return to C may change it.
pub(super) fn set(number: c_int) {
    // SAFETY: the function has no preconditions.
    let errno = unsafe { location() };
    // SAFETY: the pointer is thread-local and valid for the life of the thread.
    unsafe { *errno = number };
}
