//! Socket addresses as text.

use core::{
    ffi::{c_char, c_int},
    slice,
};

use super::{
    ANET_OK, FD_TO_PEER_NAME, borrow,
    failure::answer_mute,
    text::{Name, read, write_name},
};
use crate::{
    addr::Endpoint,
    error::{Errno, Error, Op, Result, ResultExt},
    redis::{format_addr, ip_and_port},
    sys,
};

/// Which end of a connection.
#[derive(Clone, Copy)]
enum End {
    Peer,
    Own,
}

impl End {
    /// From the constants before Redis 7.2.
    const fn of_type(fd_to_str_type: c_int) -> Self {
        if fd_to_str_type == FD_TO_PEER_NAME { Self::Peer } else { Self::Own }
    }

    /// From `int remote` since then.
    const fn of_remote(remote: c_int) -> Self {
        if remote == 0 { Self::Own } else { Self::Peer }
    }
}

/// The address of `fd` or of its peer; `EAFNOSUPPORT` for an address without a text form.
///
/// # Safety
///
/// The caller may use `fd`.
unsafe fn name(fd: c_int, end: End) -> Result<Endpoint> {
    let op = match end {
        End::Peer => Op::PeerAddr,
        End::Own => Op::LocalAddr,
    };
    // SAFETY: the caller vouches for `fd`.
    let fd = unsafe { borrow(fd, op) }?;
    let endpoint = match end {
        End::Peer => sys::peer_addr(fd),
        End::Own => sys::local_addr(fd),
    };
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
pub unsafe extern "C" fn anetFdToString_62(
    fd: c_int,
    ip: *mut c_char,
    ip_len: usize,
    port: *mut c_int,
    fd_to_str_type: c_int,
) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { fd_to_string(fd, ip, ip_len, port, End::of_type(fd_to_str_type)) }
}

/// [`anetFdToString_62`] for the peer of `fd` if `remote` is not 0, and for `fd` itself if it is 0.
///
/// # Errors
///
/// Those of [`anetFdToString_62`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetFdToString_72(
    fd: c_int,
    ip: *mut c_char,
    ip_len: usize,
    port: *mut c_int,
    remote: c_int,
) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { fd_to_string(fd, ip, ip_len, port, End::of_remote(remote)) }
}

/// [`anetFdToString_62`] for the peer of `fd`.
///
/// # Errors
///
/// Those of [`anetFdToString_62`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetPeerToString(fd: c_int, ip: *mut c_char, ip_len: usize, port: *mut c_int) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { fd_to_string(fd, ip, ip_len, port, End::Peer) }
}

/// [`anetFdToString_62`] for `fd` itself.
///
/// # Errors
///
/// Those of [`anetFdToString_62`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetSockName(fd: c_int, ip: *mut c_char, ip_len: usize, port: *mut c_int) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { fd_to_string(fd, ip, ip_len, port, End::Own) }
}

/// # Safety
///
/// See the [module](super).
unsafe fn fd_to_string(fd: c_int, ip: *mut c_char, ip_len: usize, port: *mut c_int, end: End) -> c_int {
    let room = if ip.is_null() { usize::MAX } else { ip_len };
    // SAFETY: the caller vouches for `fd`.
    let name = unsafe { name(fd, end) }.and_then(|endpoint| whole(ip_and_port(&endpoint), room));
    let outcome = name.as_ref().map(|_| ANET_OK).map_err(|&error| error);
    // SAFETY: the caller vouches for `ip` and `port`.
    unsafe { write_name(&name.unwrap_or_else(|_| ip_and_port(&UNKNOWN)), ip, ip_len, port) };
    answer_mute(outcome)
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
    answer_mute(len)
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

/// Writes the address of the peer of `fd` or of `fd` itself as [`anetFdToString_62`] and [`anetFormatAddr`] do, `?:0` on
/// failure, and returns the length of the whole text in bytes, whether or not it fits.
///
/// # Errors
///
/// Sets `errno` as [`anetFdToString_62`] does; the return value does not indicate failure.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetFormatFdAddr(fd: c_int, buf: *mut c_char, buf_len: usize, fd_to_str_type: c_int) -> c_int {
    // SAFETY: the caller vouches for `fd` and `buf`.
    unsafe { format_name(fd, buf, buf_len, End::of_type(fd_to_str_type)) }
}

/// [`anetFormatFdAddr`] for the peer of `fd`.
///
/// # Errors
///
/// Those of [`anetFormatFdAddr`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetFormatPeer(fd: c_int, buf: *mut c_char, buf_len: usize) -> c_int {
    // SAFETY: the caller vouches for `fd` and `buf`.
    unsafe { format_name(fd, buf, buf_len, End::Peer) }
}

/// [`anetFormatFdAddr`] for `fd` itself.
///
/// # Errors
///
/// Those of [`anetFormatFdAddr`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetFormatSock(fd: c_int, buf: *mut c_char, buf_len: usize) -> c_int {
    // SAFETY: the caller vouches for `fd` and `buf`.
    unsafe { format_name(fd, buf, buf_len, End::Own) }
}

/// # Safety
///
/// See the [module](super).
unsafe fn format_name(fd: c_int, buf: *mut c_char, buf_len: usize, end: End) -> c_int {
    // SAFETY: the caller vouches for `fd`.
    let endpoint = unsafe { name(fd, end) };
    let (ip, port) = ip_and_port(endpoint.as_ref().unwrap_or(&UNKNOWN));
    // SAFETY: the caller vouches for `buf`.
    let len = unsafe { format(ip.as_bytes(), port.into(), buf, buf_len) };
    // The length is the return value even then.
    let _ = answer_mute(endpoint.map(|_| ANET_OK));
    len as c_int
}
