//! Accepting connections.

use core::{
    ffi::{c_char, c_int},
    ptr,
};

use rustix::fd::IntoRawFd;

use super::{borrow, failure::answer, text::write_name};
use crate::{accept::accept, error::Op, redis::ip_and_port};

/// Accepts the next connection, non-blocking and close-on-exec, with one system call. Returns the descriptor and writes
/// the peer's IP address and port.
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
pub unsafe extern "C" fn anetTcpAccept(
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

/// Accepts the next connection of a Unix listener, as [`anetTcpAccept`] does.
///
/// # Errors
///
/// Those of [`anetTcpAccept`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetUnixAccept(err: *mut c_char, serversock: c_int) -> c_int {
    // SAFETY: the caller vouches for both, and NULL is always valid.
    unsafe { anetTcpAccept(err, serversock, ptr::null_mut(), 0, ptr::null_mut()) }
}
