//! Options by level and number, for options without a function here.
//!
//! ```
//! use anet::option::raw::{self, OptionName};
//! use rustix::net::{AddressFamily, SocketType, socket};
//!
//! let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
//! // SAFETY: the value of SO_RCVLOWAT (level 1, number 18 on Linux) is an int.
//! let low_water_mark = unsafe { OptionName::new(1, 18) };
//! raw::set(&socket, low_water_mark, &64_i32.to_ne_bytes())?;
//! let mut value = [0; 4];
//! assert_eq!(raw::get(&socket, low_water_mark, &mut value)?, 64_i32.to_ne_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rustix::fd::AsFd;

pub use crate::sys::raw::OptionName;
use crate::{
    error::{Op, Opt, Result, ResultExt},
    sys,
};

/// Reads an option into `value` and returns the part that the kernel wrote.
///
/// Structs grow between kernel versions: an older kernel writes fewer bytes, and a newer one truncates its struct to
/// fit `value`.
///
/// # Errors
///
/// `ENOPROTOOPT` for an option the socket lacks, `EINVAL` for a `value` that is too short, `EBADF`, `ENOTSOCK`.
#[doc(alias = "getsockopt")]
pub fn get(fd: impl AsFd, name: OptionName, value: &mut [u8]) -> Result<&mut [u8]> {
    let len = sys::raw::getsockopt(fd.as_fd(), name, value).op(Op::Get(Opt::Raw))?;
    Ok(value.get_mut(..len).unwrap_or_default())
}

/// Sets an option to `value`.
///
/// # Errors
///
/// `ENOPROTOOPT` for an option the socket lacks, `EINVAL` for a value of the wrong length or out of range, `EPERM` for
/// one that needs privilege, `EBADF`, `ENOTSOCK`.
#[doc(alias = "setsockopt")]
pub fn set(fd: impl AsFd, name: OptionName, value: &[u8]) -> Result<()> {
    sys::raw::setsockopt(fd.as_fd(), name, value).op(Op::Set(Opt::Raw))
}
