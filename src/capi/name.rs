//! Socket addresses as text.

use core::{
    ffi::{c_char, c_int},
    ptr, slice,
};

use super::{
    ANET_OK, FD_TO_PEER_NAME, borrow,
    failure::answer,
    text::{Name, read, write_name},
};
use crate::{
    addr::Endpoint,
    error::{Errno, Error, Op, Result, ResultExt},
    redis::{format_addr, ip_and_port},
    sys,
};

/// The address of `fd` or of its peer; `EAFNOSUPPORT` for an address without a text form.
///
/// # Safety
///
/// The caller may use `fd`.
unsafe fn name(fd: c_int, fd_to_str_type: c_int) -> Result<Endpoint> {
    let of_peer = fd_to_str_type == FD_TO_PEER_NAME;
    let op = if of_peer { Op::PeerAddr } else { Op::LocalAddr };
    // SAFETY: the caller vouches for `fd`.
    let fd = unsafe { borrow(fd, op) }?;
    let endpoint = if of_peer { sys::peer_addr(fd) } else { sys::local_addr(fd) };
    match endpoint.op(op)? {
        Endpoint::Unknown { .. } => Err(Error::new(op, Errno::AFNOSUPPORT)),
        endpoint => Ok(endpoint),
    }
}

/// Writes the IP address and the port of the peer of `fd` ([`FD_TO_PEER_NAME`]) or of `fd` itself (anything else):
/// `/unixsocket` and 0 for a Unix socket, `?` and 0 on failure.
///
/// # Errors
///
/// -1 with `ENOTCONN` for a socket without a peer, `ENOTSOCK`, `EBADF`, `EAFNOSUPPORT` for an address that is neither
/// IP nor Unix, `ENOSPC` for one that does not fit in `ip`: a truncated address would be a different address.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetFdToString(
    fd: c_int,
    ip: *mut c_char,
    ip_len: usize,
    port: *mut c_int,
    fd_to_str_type: c_int,
) -> c_int {
    let room = if ip.is_null() { usize::MAX } else { ip_len };
    // SAFETY: the caller vouches for `fd`.
    let name = unsafe { name(fd, fd_to_str_type) }.and_then(|endpoint| whole(ip_and_port(&endpoint), room));
    let outcome = name.as_ref().map(|_| ANET_OK).map_err(|&error| error);
    // SAFETY: the caller vouches for `ip` and `port`.
    unsafe { write_name(&name.unwrap_or_else(|_| ip_and_port(&UNKNOWN)), ip, ip_len, port) };
    // SAFETY: NULL is always valid.
    unsafe { answer(ptr::null_mut(), outcome) }
}

/// Prints as `?`.
const UNKNOWN: Endpoint = Endpoint::Unknown { family: 0 };

/// The name, if its text and a NUL fit in `room` bytes.
fn whole(name: Name, room: usize) -> Result<Name> {
    if name.0.as_bytes().len() < room { Ok(name) } else { Err(Error::new(Op::Address, Errno::NOSPC)) }
}

/// Writes `ip:port`, or `[ip]:port` if `ip` contains a colon, and returns the length of the whole text in bytes,
/// whether or not it fits. `ip` may be any text and `port` any number.
///
/// # Errors
///
/// -1 with `EOVERFLOW` for a length that does not fit in an `int`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetFormatAddr(fmt: *mut c_char, fmt_len: usize, ip: *mut c_char, port: c_int) -> c_int {
    // SAFETY: the caller vouches for `ip`.
    let ip = unsafe { read(ip) };
    // SAFETY: the caller vouches for `fmt`.
    let len = unsafe { format(ip.to_bytes(), port, fmt, fmt_len) };
    let len = c_int::try_from(len).map_err(|_| Error::new(Op::Address, Errno::OVERFLOW));
    // SAFETY: NULL is always valid.
    unsafe { answer(ptr::null_mut(), len) }
}

/// Like `snprintf`, writes nothing past the NUL of a whole text: `len` may exceed the buffer C really has.
///
/// # Safety
///
/// `to` is NULL or writable for `len` bytes, or for the length of the text and its NUL, and `ip` does not overlap it.
unsafe fn format(ip: &[u8], port: c_int, to: *mut c_char, len: usize) -> usize {
    let whole = format_addr(ip, port, &mut []);
    let room = len.min(whole + 1);
    if to.is_null() || room == 0 {
        return whole;
    }
    // C's buffer may be uninitialized.
    // SAFETY: `room` is at most `len`.
    unsafe { to.write_bytes(0, room) };
    // SAFETY: as above, and all of it is initialized now.
    let out = unsafe { slice::from_raw_parts_mut(to.cast(), room) };
    // The last byte stays NUL.
    format_addr(ip, port, &mut out[..room - 1])
}

/// Writes the address of the peer of `fd` or of `fd` itself as [`anetFdToString`] and [`anetFormatAddr`] do, `?:0` on
/// failure, and returns the length of the whole text in bytes, whether or not it fits.
///
/// # Errors
///
/// Sets `errno` as [`anetFdToString`] does; the return value does not indicate failure.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetFormatFdAddr(fd: c_int, buf: *mut c_char, buf_len: usize, fd_to_str_type: c_int) -> c_int {
    // SAFETY: the caller vouches for `fd`.
    let endpoint = unsafe { name(fd, fd_to_str_type) };
    let (ip, port) = ip_and_port(endpoint.as_ref().unwrap_or(&UNKNOWN));
    // SAFETY: the caller vouches for `buf`.
    let len = unsafe { format(ip.as_bytes(), port.into(), buf, buf_len) };
    // SAFETY: NULL is always valid.
    let _ = unsafe { answer(ptr::null_mut(), endpoint.map(|_| ANET_OK)) };
    len as c_int
}
