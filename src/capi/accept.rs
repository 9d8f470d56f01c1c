//! Accepting connections.

use core::{
    ffi::{c_char, c_int},
    ptr,
};

use rustix::fd::{BorrowedFd, IntoRawFd, OwnedFd};

use super::{borrow, failure::answer, text::write_name};
use crate::{
    accept::accept,
    addr::Endpoint,
    error::{Errno, Error, Op, Result, ResultExt},
    option,
    redis::ip_and_port,
    sys,
};

/// Accepts the next connection, blocking and not close-on-exec. Returns the descriptor and writes the peer's IP address
/// and port.
///
/// The kernel returns the address with the connection, so it is correct even if the peer is already gone.
///
/// # Errors
///
/// `accept: …` with `EAGAIN` if no connection is pending, and the other errors of
/// [`Listener::accept`](crate::Listener::accept). An error leaves `ip` and `port` untouched.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcpAccept_60(
    err: *mut c_char,
    serversock: c_int,
    ip: *mut c_char,
    ip_len: usize,
    port: *mut c_int,
) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { accept_with(accept_inherited, err, serversock, ip, ip_len, port) }
}

/// Accepts the next connection, non-blocking and close-on-exec, with one system call; otherwise as
/// [`anetTcpAccept_60`].
///
/// # Errors
///
/// Those of [`anetTcpAccept_60`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcpAccept_70(
    err: *mut c_char,
    serversock: c_int,
    ip: *mut c_char,
    ip_len: usize,
    port: *mut c_int,
) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { accept_with(accept, err, serversock, ip, ip_len, port) }
}

/// Accepts the next connection as [`anetTcpAccept_70`] does, and sets `TCP_NODELAY` on it.
///
/// # Errors
///
/// Those of [`anetTcpAccept_60`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcpAccept_v81(
    err: *mut c_char,
    serversock: c_int,
    ip: *mut c_char,
    ip_len: usize,
    port: *mut c_int,
) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { accept_with(accept_nodelay, err, serversock, ip, ip_len, port) }
}

/// Accepts the next connection of a Unix listener, as [`anetTcpAccept_60`] does.
///
/// # Errors
///
/// Those of [`anetTcpAccept_60`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetUnixAccept_60(err: *mut c_char, serversock: c_int) -> c_int {
    // SAFETY: the caller vouches for both, and NULL is always valid.
    unsafe { anetTcpAccept_60(err, serversock, ptr::null_mut(), 0, ptr::null_mut()) }
}

/// Accepts the next connection of a Unix listener, as [`anetTcpAccept_70`] does.
///
/// # Errors
///
/// Those of [`anetTcpAccept_60`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetUnixAccept_70(err: *mut c_char, serversock: c_int) -> c_int {
    // SAFETY: the caller vouches for both, and NULL is always valid.
    unsafe { anetTcpAccept_70(err, serversock, ptr::null_mut(), 0, ptr::null_mut()) }
}

/// # Safety
///
/// See the [module](super).
#[inline]
unsafe fn accept_with(
    accept: impl FnOnce(BorrowedFd<'_>) -> Result<(OwnedFd, Endpoint)>,
    err: *mut c_char,
    serversock: c_int,
    ip: *mut c_char,
    ip_len: usize,
    port: *mut c_int,
) -> c_int {
    // SAFETY: the caller vouches for `serversock`.
    let accepted = unsafe { borrow(serversock, Op::Accept) }.and_then(accept);
    if let Ok((_, peer)) = &accepted {
        // SAFETY: the caller vouches for `ip` and `port`.
        unsafe { write_name(&ip_and_port(peer), ip, ip_len, port) };
    }
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, accepted.map(|(fd, _)| fd.into_raw_fd())) }
}

fn accept_inherited(listener: BorrowedFd<'_>) -> Result<(OwnedFd, Endpoint)> {
    sys::retry_on_intr(|| sys::accept(listener)).op(Op::Accept)
}

/// A connection without the option is better than none.
fn accept_nodelay(listener: BorrowedFd<'_>) -> Result<(OwnedFd, Endpoint)> {
    let (fd, peer) = accept(listener)?;
    if peer.as_inet().is_some() {
        let _ = option::set_tcp_nodelay(&fd, true);
    }
    Ok((fd, peer))
}

/// Whether an accept that failed with the errno `err` failed because of one connection alone, so that the next one may
/// succeed: 1 for `ECONNABORTED`, and on Linux (`accept(2)`) for `ENETDOWN`, `EPROTO`, `ENOPROTOOPT`, `EHOSTDOWN`,
/// `ENONET`, `EHOSTUNREACH`, `EOPNOTSUPP` and `ENETUNREACH`; 0 for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn anetAcceptFailureNeedsRetry(err: c_int) -> c_int {
    match err {
        1..4096 => Error::new(Op::Accept, Errno::from_raw_os_error(err)).is_peer_failure().into(),
        _ => 0,
    }
}

/// [`anetAcceptFailureNeedsRetry`] under Valkey's name.
#[unsafe(no_mangle)]
pub extern "C" fn anetRetryAcceptOnError(err: c_int) -> c_int {
    anetAcceptFailureNeedsRetry(err)
}
