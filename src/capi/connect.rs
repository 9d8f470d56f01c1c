//! Non-blocking connects.

use core::ffi::{CStr, c_char, c_int};
use std::vec::Vec;

use rustix::fd::{IntoRawFd, OwnedFd};

use super::{
    errno,
    failure::{Failure, answer},
    resolve::{self, Family},
    text,
};
use crate::{
    addr::Endpoint,
    connect::{self, LocalAddr, Progress},
    error::{AddrError, Errno, Error, Op},
};

/// Starts to connect to a host; tries its addresses in order until one attempt starts. Returns the descriptor,
/// non-blocking and close-on-exec, with `EINPROGRESS` in `errno` if it is not connected yet.
///
/// # Errors
///
/// The resolver's text; `creating socket: …` with the error of the last address, from `socket` or from `connect`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcpNonBlockConnect(err: *mut c_char, addr: *const c_char, port: c_int) -> c_int {
    // SAFETY: the caller vouches for `addr`.
    let addr = unsafe { text::read(addr) };
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, start(addr, port, None)) }
}

/// Starts to connect from `source_addr`, an address or a host name of this host. If that fails, or `source_addr` is
/// NULL, it connects as [`anetTcpNonBlockConnect`] does.
///
/// # Errors
///
/// Those of [`anetTcpNonBlockConnect`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcpNonBlockBestEffortBindConnect(
    err: *mut c_char,
    addr: *const c_char,
    port: c_int,
    source_addr: *const c_char,
) -> c_int {
    // SAFETY: the caller vouches for `addr`.
    let addr = unsafe { text::read(addr) };
    // SAFETY: the caller vouches for `source_addr`.
    let source = unsafe { text::read(source_addr) };
    let descriptor = start(addr, port, (!source_addr.is_null()).then_some(source));
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, descriptor) }
}

/// Tries each source address with every address of the host, both in order.
fn start(host: &CStr, port: c_int, source: Option<&CStr>) -> Result<c_int, Failure> {
    let addrs = resolve::host(host, resolve::port(port)?, Family::Any)?;
    let endpoints: Vec<Endpoint> = addrs.into_iter().map(Endpoint::from).collect();
    let sources = source.and_then(|source| resolve::host(source, 0, Family::Any).ok()).unwrap_or_default();
    let bound =
        sources.into_iter().find_map(|source| connect::start_reusing(&endpoints, LocalAddr::Bound(source)).ok());
    let progress = bound.map_or_else(|| connect::start_reusing(&endpoints, LocalAddr::Any), Ok);
    progress.map(descriptor).map_err(labelled_by_redis)
}

/// Redis labels errors of `socket` and of `connect` alike.
fn labelled_by_redis(error: AddrError) -> Failure {
    match error.op() {
        Op::Connect => Error::refused(Op::Socket, error.cause()).into(),
        _ => error.error().into(),
    }
}

/// Drops the addresses not yet tried: C has no place for them.
fn descriptor<L>(progress: Progress<L>) -> c_int {
    let fd = match progress {
        Progress::Connected(stream) => OwnedFd::from(stream),
        Progress::Started(pending) | Progress::Pending(pending) => {
            errno::set(Errno::INPROGRESS);
            OwnedFd::from(pending)
        }
    };
    fd.into_raw_fd()
}
