//! The C ABI: the functions of `anet.h` in Redis and Valkey for C servers, as `libanet.a` or `libanet.so`.
//!
//! A C server that includes `src/capi/anet.h` and links the library instead of compiling `anet.c` gets the signatures,
//! return values and error texts of its own `anet.c`. This module only translates; the rest of the crate does the work,
//! except that the C library resolves host names (`getaddrinfo`) and group names (`getgrnam`).
//!
//! # Generations
//!
//! The functions have changed over the years, and not always so that a compiler notices. A C server therefore says
//! which generation it is written for, with `-DANET_API=72` or a `#define` before the `#include`: 60, 62, 70, 72, 74 or
//! 80 for Redis 6.0 to 8.0, 72 also for Valkey 7.2, and `ANET_VALKEY_80`, `ANET_VALKEY_81` or `ANET_VALKEY_90` for
//! Valkey 8.0 to 9. A later version has the generation before it as long as its `anet.h` is the same. Without
//! `ANET_API` the header is that of Redis 7.0.
//!
//! A function that differs between generations has a symbol for each of its forms, named after the generation that
//! introduced the form (`anetFdToString_72`), and no symbol without such a suffix. So one library serves all
//! generations, parts of a program may use different ones, and a server compiled with another header than this one does
//! not link. A generation's header declares its own functions and constants only, so that most code written for another
//! generation does not compile. One trap remains: a literal number as the last argument of `anetFdToString`, which
//! means the opposite in 7.0 and in 7.2.
//!
//! | function | 6.0 | 6.2 | 7.0 | 7.2 | 7.4, 8.0 | Valkey 8.0 | 8.1 | 9.0 |
//! |---|---|---|---|---|---|---|---|---|
//! | `anetTcpNonBlockConnect` | same | same | same | same | same | same | same | same |
//! | `anetTcpNonBlockBestEffortBindConnect` | same | same | same | same | same | same | same | `int mptcp` |
//! | `anetResolve` | no flags | `ANET_IP_ONLY` | `ANET_IP_ONLY` | `ANET_IP_ONLY` | and `ANET_PREFER_IPV4`, `…6` | as 7.4 | as 7.4 | as 7.4 |
//! | `anetResolveIP` | yes | – | – | – | – | – | – | – |
//! | `anetTcpServer`, `anetTcp6Server` | same | same | same | same | same | same | same | `int mptcp` |
//! | `anetUnixServer` | same | same | same | same | same | `char *group`; non-blocking, close-on-exec | as 8.0 | as 8.0 |
//! | `anetTcpAccept` | blocking, inherited | as 6.0 | non-blocking, close-on-exec | as 7.0 | as 7.0 | as 7.0 | and `TCP_NODELAY` | as 8.1 |
//! | `anetUnixAccept` | blocking, inherited | as 6.0 | non-blocking, close-on-exec | as 7.0 | as 7.0 | as 7.0 | as 7.0 | as 7.0 |
//! | `anetAcceptFailureNeedsRetry` | – | yes | yes | yes | yes | – | – | – |
//! | `anetRetryAcceptOnError` | – | – | – | – | – | yes | yes | yes |
//! | `anetNonBlock`, `anetBlock`, `anetEnableTcpNoDelay`, `anetDisableTcpNoDelay`, `anetSendTimeout`, `anetRecvTimeout`, `anetKeepAlive` | same | same | same | same | same | same | same | same |
//! | `anetIsBlock` | – | – | – | – | – | – | yes | yes |
//! | `anetCloexec` | – | yes | yes | yes | yes | yes | yes | yes |
//! | `anetFdToString` | – | `FD_TO_PEER_NAME` 0, `FD_TO_SOCK_NAME` 1 | as 6.2 | `int remote`: 1 peer, 0 own | as 7.2 | as 7.2 | as 7.2 | as 7.2 |
//! | `anetPeerToString`, `anetSockName` | yes | – | – | – | – | – | – | – |
//! | `anetFormatAddr` | same | same | same | same | same | same | same | same |
//! | `anetFormatFdAddr` | – | as `anetFdToString` | as 6.2 | – | – | – | – | – |
//! | `anetFormatPeer`, `anetFormatSock` | yes | – | – | – | – | – | – | – |
//! | `anetPipe`, `anetSetSockMarkId` | – | – | yes | yes | yes | yes | yes | yes |
//! | `anetGetError`, `anetIsFifo` | – | – | – | yes | yes | yes | yes | yes |
//! | `anetHasMptcp` | – | – | – | – | – | – | – | yes |
//!
//! Functions that 6.0 and the first releases of 6.2 declare and no server calls (`anetTcpConnect`,
//! `anetTcpNonBlockBindConnect`, `anetUnixConnect`, `anetUnixNonBlockConnect`, `anetRead`, `anetWrite`,
//! `anetTcpKeepAlive`) are absent, and so is `KeyDB`'s form of `anetTcpServer`. `anetAcceptFailureNeedsRetry` and
//! `anetRetryAcceptOnError` came with the security releases of 2025 of all these generations.
//!
//! # Contract
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
//!   untouched. `anetResolve` and `anetFdToString` fail with `ENOSPC` instead of truncating an address.
//! - Any number may be passed as a descriptor; one that is not open fails with `EBADF`.
//! - A port outside 0 to 65535 fails with `EINVAL`. A host that the resolver rejects fails with the resolver's text;
//!   `errno` is then what the resolver leaves in it, as with `anet.c`: in glibc `EAGAIN` if no name server answers, and
//!   its previous value if a name server knows no such host.
//!
//! # Safety
//!
//! C's usual rules: an input text ends with a NUL; an output buffer is writable for the length passed with it and does
//! not overlap an input text; pointers to numbers are NULL or valid and aligned; and a descriptor is one that the
//! caller may use: its own, or one that is not open.
//!
#![doc = include_str!("guide.md")]
#![allow(non_snake_case, unsafe_code, reason = "C names and C pointers")]

mod accept;
mod connect;
mod errno;
mod failure;
mod group;
mod listen;
mod name;
mod option;
mod pipe;
mod resolve;
mod socket;
mod text;

use core::ffi::c_int;

use rustix::fd::BorrowedFd;

use crate::error::{ERR_LEN, Errno, Error, Op, Result};

pub use accept::{
    anetAcceptFailureNeedsRetry, anetRetryAcceptOnError, anetTcpAccept_60, anetTcpAccept_70, anetTcpAccept_v81,
    anetUnixAccept_60, anetUnixAccept_70,
};
pub use connect::{
    anetTcpNonBlockBestEffortBindConnect_60, anetTcpNonBlockBestEffortBindConnect_v90, anetTcpNonBlockConnect,
};
pub use listen::{
    anetHasMptcp, anetTcp6Server_60, anetTcp6Server_v90, anetTcpServer_60, anetTcpServer_v90, anetUnixServer_60,
    anetUnixServer_v80,
};
pub use name::{
    anetFdToString_62, anetFdToString_72, anetFormatAddr, anetFormatFdAddr, anetFormatPeer, anetFormatSock,
    anetPeerToString, anetSockName,
};
pub use option::{
    anetBlock, anetCloexec, anetDisableTcpNoDelay, anetEnableTcpNoDelay, anetGetError, anetIsBlock, anetKeepAlive,
    anetNonBlock, anetRecvTimeout, anetSendTimeout, anetSetSockMarkId,
};
pub use pipe::{anetIsFifo, anetPipe};
pub use resolve::{anetResolve_60, anetResolve_62, anetResolveIP};

/// Success.
pub const ANET_OK: c_int = 0;
/// Failure.
pub const ANET_ERR: c_int = -1;
/// The size of an error buffer in bytes, with the NUL.
pub const ANET_ERR_LEN: c_int = 256;

/// No flags.
pub const ANET_NONE: c_int = 0;
/// [`anetResolve_62`] accepts numeric addresses only and makes no lookup.
pub const ANET_IP_ONLY: c_int = 1;
/// [`anetResolve_62`] prefers an IPv4 address.
pub const ANET_PREFER_IPV4: c_int = 2;
/// [`anetResolve_62`] prefers an IPv6 address.
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

/// A library without std has to say what a panic does. The crate does not panic; should it, the process must end.
#[cfg(all(not(feature = "std"), not(test), panic = "abort"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: the function has no preconditions.
    unsafe { libc::abort() }
}
