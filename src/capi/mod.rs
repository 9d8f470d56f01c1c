//! The C ABI: the functions of Redis's `anet.h` for C servers, as `libanet.a` or `libanet.so`.
//!
//! A C server that includes `src/capi/anet.h` and links the library instead of compiling `anet.c` gets the signatures,
//! return values and error texts of Redis 7.0, plus `anetGetError`, `anetIsFifo` and two flags of `anetResolve` from
//! later versions. This module only translates; the rest of the crate does the work, except that the C library's
//! `getaddrinfo` resolves host names.
//!
//! The contract of all functions, except where documented otherwise:
//!
//! - On success a function returns 0 or a descriptor that the caller owns. On failure it returns -1, with a text in
//!   `err` and the number in C's `errno`, which the crate's own system calls do not touch. A failure leaves no
//!   descriptor open.
//! - `err` is NULL or has [`ANET_ERR_LEN`] bytes. Functions write it on failure only: the text, truncated to fit, and
//!   its NUL.
//! - `ip`, `port`, `bindaddr` and `source_addr` may be NULL. NULL for any other input text means the empty text; output
//!   to a NULL buffer is discarded.
//! - A buffer receives as much of a text as fits, always with a NUL, as from `snprintf`; a buffer of length 0 stays
//!   untouched. [`anetResolve`] and [`anetFdToString`] fail with `ENOSPC` instead of truncating an address.
//! - Any number may be passed as a descriptor; one that is not open fails with `EBADF`.
//! - A port outside 0 to 65535 fails with `EINVAL`. A host that the resolver rejects fails with `ENOENT` and the
//!   resolver's text, unless the resolver sets an errno itself.
//!
//! # Safety
//!
//! C's usual rules: an input text ends with a NUL; an output buffer is writable for the length passed with it and does
//! not overlap an input text; pointers to numbers are NULL or valid and aligned; and a descriptor is one that the
//! caller may use: its own, or one that is not open.
#![allow(non_snake_case, unsafe_code, reason = "C names and C pointers")]

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
/// [`anetResolve`] accepts numeric addresses only and makes no lookup.
pub const ANET_IP_ONLY: c_int = 1;
/// [`anetResolve`] prefers an IPv4 address.
pub const ANET_PREFER_IPV4: c_int = 2;
/// [`anetResolve`] prefers an IPv6 address.
pub const ANET_PREFER_IPV6: c_int = 4;

/// The address of the peer.
pub const FD_TO_PEER_NAME: c_int = 0;
/// The address of the socket itself.
pub const FD_TO_SOCK_NAME: c_int = 1;

const _: () = assert!(ANET_ERR_LEN as usize == ERR_LEN);

/// Borrows a descriptor from C for `op`; `EBADF` for a negative number.
///
/// # Safety
///
/// The caller may use the descriptor, and if it is open it stays open for the borrow.
#[inline]
unsafe fn borrow<'fd>(fd: c_int, op: Op) -> Result<BorrowedFd<'fd>> {
    if fd < 0 {
        return Err(Error::new(op, Errno::BADF));
    }
    // SAFETY: the number is not -1, and the caller vouches for the rest.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}
