//! The group of a Unix listener's file, by name.

use core::{
    ffi::{CStr, c_int},
    fmt,
};

use super::{
    errno,
    failure::{Failure, Reason},
};
use crate::error::{Errno, Op, errno::text};

/// The ID of a group, or the errno of the lookup.
pub(super) fn id(group: &CStr) -> Result<u32, Errno> {
    errno::set(0);
    // SAFETY: the name ends with a NUL; no other thread looks up a group at the same time, which C's caller vouches for.
    let entry = unsafe { libc::getgrnam(group.as_ptr()) };
    // SAFETY: the entry is NULL, or valid until the next lookup.
    match unsafe { entry.as_ref() } {
        Some(entry) => Ok(entry.gr_gid),
        // A lookup that finds no group may leave 0.
        None => Err(match errno::last() {
            number @ 1..4096 => Errno::from_raw_os_error(number),
            _ => Errno::NOENT,
        }),
    }
}

/// Why there is no listener for a group.
pub(super) enum GroupFailure<'name> {
    NoGroup(&'name CStr, Errno),
    Chown(&'name CStr, Errno),
    Other(Failure),
}

impl<'name> GroupFailure<'name> {
    pub(super) fn of(group: &'name CStr, failure: Failure) -> Self {
        match failure {
            Failure::Error(error) if error.op() == Op::Chown => {
                Self::Chown(group, error.errno().unwrap_or(Errno::INVAL))
            }
            other => Self::Other(other),
        }
    }
}

impl Reason for GroupFailure<'_> {
    fn number(&self) -> c_int {
        match self {
            Self::NoGroup(_, errno) | Self::Chown(_, errno) => errno.raw_os_error(),
            Self::Other(failure) => failure.number(),
        }
    }
}

impl fmt::Display for GroupFailure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, group, errno) = match self {
            Self::NoGroup(group, errno) => ("getgrnam", group, errno),
            Self::Chown(group, errno) => ("chown", group, errno),
            Self::Other(failure) => return failure.fmt(f),
        };
        write!(f, "{call} error for group '")?;
        for chunk in group.to_bytes().utf8_chunks() {
            f.write_str(chunk.valid())?;
        }
        write!(f, "': {}", text(*errno))
    }
}
