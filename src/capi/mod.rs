//! The C ABI: the functions of Redis's `anet.h` for C servers, as `libanet.a` or `libanet.so`.
//!
//! A C server that includes `src/capi/anet.h` and links the library instead of compiling `anet.c` gets the signatures,
//! return values and error texts of Redis 7.0, and of later versions `anetGetError`, `anetIsFifo` and the two flags of
//! `anetResolve`. This module only translates: what is done is done by the rest of the
//! crate, except that host names go to the C library's `getaddrinfo`.
//!
//! The contract of all functions, unless one says otherwise:
//!
//! - Success is 0 or a descriptor that the caller owns from then on. Failure is -1 with a text in `err` and the number
//!   in C's `errno`, which the crate's own system calls leave alone. Nothing is left open.
//! - `err` is NULL or has [`ANET_ERR_LEN`] bytes. It is written on failure only: the text, cut if need be, and its NUL.
//! - `ip`, `port`, `bindaddr` and `source_addr` may be NULL. NULL for any other text is the empty one, which names
//!   nothing; a text without a buffer to go to is not written.
//! - A buffer gets as much of a text as fits and always a NUL, as from `snprintf`; one of length 0 is not touched.
//!   [`anetResolve`] and [`anetFdToString`] fail with `ENOSPC` instead of giving a part of an address.
//! - Any number may be given as a descriptor; one that is not open is `EBADF`.
//! - A port outside 0 to 65535 is `EINVAL`. A host that the resolver refuses is `ENOENT` with the resolver's text,
//!   unless it names an error number itself.
//!
//! # Safety
//!
//! C's own rules: a text that is given ends with a NUL, a buffer that is given is writable for the length that is given
//! with it and does not overlap with a text that is read, pointers to numbers are NULL or valid and aligned, and a
//! descriptor is one that the caller may use: its own, or one that is not open.
#![doc = ""]
#![doc = include_str!("guide.md")]
#![allow(non_snake_case, unsafe_code, reason = "C has its own names, and pointers")]

mod accept;
mod connect;
mod errno;
mod failure;
mod listen;
mod name;
mod option;
mod pipe;
mod resolve;
mod text;

use core::ffi::c_int;

use rustix::fd::BorrowedFd;

use crate::error::{ERR_LEN, Errno, Error, Op, Result};

pub use accept::{anetTcpAccept, anetUnixAccept};
pub use connect::{anetTcpNonBlockBestEffortBindConnect, anetTcpNonBlockConnect};
pub use listen::{anetTcp6Server, anetTcpServer, anetUnixServer};
pub use name::{anetFdToString, anetFormatAddr, anetFormatFdAddr};
pub use option::{
    anetBlock, anetCloexec, anetDisableTcpNoDelay, anetEnableTcpNoDelay, anetGetError, anetKeepAlive, anetNonBlock,
    anetRecvTimeout, anetSendTimeout, anetSetSockMarkId,
};
pub use pipe::{anetIsFifo, anetPipe};
pub use resolve::anetResolve;

/// Success.
pub const ANET_OK: c_int = 0;
/// Failure.
pub const ANET_ERR: c_int = -1;
/// The size of an error buffer in bytes, with the NUL.
pub const ANET_ERR_LEN: c_int = 256;

/// No flags.
pub const ANET_NONE: c_int = 0;
/// [`anetResolve`] takes addresses only and asks nobody.
pub const ANET_IP_ONLY: c_int = 1;
/// [`anetResolve`] gives an IPv4 address if there is one.
pub const ANET_PREFER_IPV4: c_int = 2;
/// [`anetResolve`] gives an IPv6 address if there is one.
pub const ANET_PREFER_IPV6: c_int = 4;

/// The name of the other end of a connection.
pub const FD_TO_PEER_NAME: c_int = 0;
/// The name of a socket itself.
pub const FD_TO_SOCK_NAME: c_int = 1;

const _: () = assert!(ANET_ERR_LEN as usize == ERR_LEN);

/// A descriptor that C has given, to be used for `op`; `EBADF` for a number that can be none.
///
/// # Safety
///
/// The descriptor is the caller's to use, and stays open as long as the borrow if it is open.
#[inline]
unsafe fn borrow<'fd>(fd: c_int, op: Op) -> Result<BorrowedFd<'fd>> {
    if fd < 0 {
        return Err(Error::new(op, Errno::BADF));
    }
    // SAFETY: the number is not -1, and the caller answers for the rest.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}
