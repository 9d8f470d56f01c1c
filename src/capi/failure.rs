//! Failures as C sees them: -1, a text in its buffer and a number in its `errno`.

use core::{
    ffi::{CStr, c_char, c_int},
    fmt::{self, Write},
};

use super::{ANET_ERR, errno, text};
use crate::{
    error::{AddrError, Cause, ERR_LEN, Errno, Error, ErrorText},
    redis::AnetError,
};

/// Why a function returns -1.
pub(super) trait Reason: fmt::Display {
    /// The number for C's `errno`.
    fn number(&self) -> c_int;
}

/// The reasons that need no text of the caller's.
#[derive(Clone, Copy)]
pub(super) enum Failure {
    /// An error of the crate.
    Error(Error),
    /// The system has no sockets for any of a host's addresses.
    NoSocket(Errno),
    /// A number outside the range of ports.
    Port(c_int),
    /// The code that `getaddrinfo` returned, and the `errno` it left.
    Resolver(c_int, c_int),
    /// A buffer too short for an address, which is useless when truncated.
    Room { len: usize, needed: usize },
}

impl Reason for Failure {
    fn number(&self) -> c_int {
        match self {
            Self::Error(error) => number(error).raw_os_error(),
            Self::NoSocket(errno) => errno.raw_os_error(),
            Self::Resolver(_, number) => *number,
            Self::Port(_) => Errno::INVAL.raw_os_error(),
            Self::Room { .. } => Errno::NOSPC.raw_os_error(),
        }
    }
}

/// The errno that the kernel returned, or would return.
fn number(error: &Error) -> Errno {
    match error.cause() {
        Cause::Errno(errno) => errno,
        Cause::PathTooLong { .. } => Errno::NAMETOOLONG,
        Cause::SelfConnected => Errno::CONNREFUSED,
        _ => Errno::INVAL,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => AnetError(*error).fmt(f),
            Self::NoSocket(errno) => write!(f, "unable to bind socket, errno: {}", errno.raw_os_error()),
            Self::Port(port) => write!(f, "port out of range ({port}), must be 0 to 65535"),
            Self::Resolver(code, _) => resolver_text(*code).try_for_each(|char| f.write_char(char)),
            Self::Room { len, needed } => write!(f, "address buffer too short ({len}), must be at least {needed}"),
        }
    }
}

/// The resolver's own text, in the caller's language.
fn resolver_text(code: c_int) -> impl Iterator<Item = char> {
    // SAFETY: the function takes any number.
    let text = unsafe { libc::gai_strerror(code) };
    // SAFETY: it returns a NUL-terminated text that is neither moved nor freed.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_bytes().utf8_chunks().flat_map(|chunk| chunk.valid().chars())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<AddrError> for Failure {
    fn from(error: AddrError) -> Self {
        Self::Error(error.error())
    }
}

/// The return value for C: the value, or -1 after reporting the error.
///
/// # Safety
///
/// `err` is NULL or writable for [`ERR_LEN`] bytes.
#[inline]
pub(super) unsafe fn answer(err: *mut c_char, outcome: Result<c_int, impl Into<Failure>>) -> c_int {
    match outcome {
        Ok(value) => value,
        // SAFETY: the caller vouches for `err`.
        Err(failure) => unsafe { fail(err, &failure.into()) },
    }
}

/// The same, for a function without an error buffer.
#[inline]
pub(super) fn answer_mute(outcome: Result<c_int, impl Into<Failure>>) -> c_int {
    outcome.unwrap_or_else(|failure| {
        errno::set(failure.into().number());
        ANET_ERR
    })
}

/// Reports the reason and returns -1.
///
/// # Safety
///
/// `err` is NULL or writable for [`ERR_LEN`] bytes.
pub(super) unsafe fn fail(err: *mut c_char, reason: &dyn Reason) -> c_int {
    if !err.is_null() {
        let mut message = ErrorText::new();
        // Writing to an `ErrorText` cannot fail.
        let _ = write!(message, "{reason}");
        // SAFETY: the caller vouches for `err`.
        unsafe { text::write(message.as_bytes(), err, ERR_LEN) };
    }
    errno::set(reason.number());
    ANET_ERR
}
