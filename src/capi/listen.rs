//! Listening sockets.
//!
//! They are blocking and inherited across `execve`, as in Redis 7.0; its callers change that as needed.

use core::{
    ffi::{CStr, c_char, c_int},
    net::SocketAddr,
};
use std::{vec, vec::Vec};

use rustix::fd::{IntoRawFd, OwnedFd};

use super::{
    failure::{Failure, answer},
    resolve::{self, Family},
    text,
};
use crate::{
    addr::UnixAddr,
    error::{Errno, Error, Op},
    listen::{self, Access, Listener},
    option::{self, SocketOptions},
};

/// Listens on `port` of every IPv4 address (`bindaddr` NULL or `*`) or of one address or host name; port 0 lets the
/// kernel choose. Returns the descriptor ([`listen::tcp`]).
///
/// # Errors
///
/// The resolver's text; `setsockopt SO_REUSEADDR: …`; `bind: …` with `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`;
/// `listen: …`; `unable to bind socket, errno: N` if the system has no such sockets, with that number in `errno`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcpServer(err: *mut c_char, port: c_int, bindaddr: *mut c_char, backlog: c_int) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { tcp_server(err, port, bindaddr, Family::V4, backlog) }
}

/// Listens on `port` of every IPv6 address (`bindaddr` NULL, `*` or `::*`) or of one address or host name, but not
/// on IPv4. Returns the descriptor.
///
/// # Errors
///
/// Those of [`anetTcpServer`], and `setsockopt: …` for `IPV6_V6ONLY`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcp6Server(err: *mut c_char, port: c_int, bindaddr: *mut c_char, backlog: c_int) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { tcp_server(err, port, bindaddr, Family::V6, backlog) }
}

/// # Safety
///
/// `err` is NULL or an error buffer, and `bindaddr` is NULL or a text.
unsafe fn tcp_server(err: *mut c_char, port: c_int, bindaddr: *const c_char, family: Family, backlog: c_int) -> c_int {
    // SAFETY: the caller vouches for `bindaddr`, and the literal ends with a NUL.
    let bindaddr = unsafe { text::read(if bindaddr.is_null() { c"*".as_ptr() } else { bindaddr }) };
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, listen_on_any_of(port, bindaddr, family, backlog)) }
}

/// The first address that the system has sockets for decides, as in Redis.
fn listen_on_any_of(port: c_int, bindaddr: &CStr, family: Family, backlog: c_int) -> Result<c_int, Failure> {
    let options = options(backlog);
    let mut why_not = Errno::AFNOSUPPORT;
    for addr in addresses(resolve::port(port)?, bindaddr, family)? {
        match listen::tcp(addr, &options) {
            Err(error) if error.op() == Op::Socket => why_not = error.errno().unwrap_or(why_not),
            listener => return blocking_and_inherited(listener.map_err(Error::from)?),
        }
    }
    Err(Failure::NoSocket(why_not))
}

fn addresses(port: u16, bindaddr: &CStr, family: Family) -> Result<Vec<SocketAddr>, Failure> {
    match (bindaddr.to_bytes(), family.wildcard()) {
        (b"*", Some(all)) => Ok(vec![SocketAddr::new(all, port)]),
        (b"::*", Some(all)) if all.is_ipv6() => Ok(vec![SocketAddr::new(all, port)]),
        _ => resolve::host(bindaddr, port, family),
    }
}

/// The kernel treats a backlog as unsigned, so a negative one is the maximum.
fn options(backlog: c_int) -> SocketOptions {
    SocketOptions::new().with_backlog(backlog as u32)
}

fn blocking_and_inherited(listener: Listener) -> Result<c_int, Failure> {
    let set = option::set_nonblocking(&listener, false).and_then(|()| option::set_cloexec(&listener, false));
    if let Err(error) = set {
        // Report the first error.
        let _ = listener.remove_file();
        return Err(error.into());
    }
    Ok(OwnedFd::from(listener).into_raw_fd())
}

/// Listens on the Unix path `path`. The file gets the mode `perm`, or the mode the umask allows if `perm` is 0. Returns
/// the descriptor ([`listen::unix`]).
///
/// The file never has a wider mode than requested; only the nine permission bits of `perm` count. The call replaces a
/// file that a dead server left behind.
///
/// # Errors
///
/// `unix socket path too long (N), must be under 108` with `ENAMETOOLONG`; `address: Empty path` with `EINVAL`;
/// `creating socket: …`; `bind: …` with `EADDRINUSE` if a server listens there or the path names another kind of file,
/// `ENOENT`, `EACCES`; `unlink: …` for the file of a dead server; if the directory cannot be locked, `flock: …` for
/// such a file or for a directory path of more than 84 bytes, and `link: …` on a file system without links; `chmod: …`,
/// `stat: …`; `listen: …`. An error leaves no new file.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetUnixServer(
    err: *mut c_char,
    path: *mut c_char,
    perm: libc::mode_t,
    backlog: c_int,
) -> c_int {
    // SAFETY: the caller vouches for `path`.
    let path = unsafe { text::read(path) };
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, listen_on_path(path, perm, backlog)) }
}

#[allow(clippy::unnecessary_cast, reason = "a mode has fewer bits on other systems")]
fn listen_on_path(path: &CStr, perm: libc::mode_t, backlog: c_int) -> Result<c_int, Failure> {
    let addr = UnixAddr::path(path.to_bytes())?;
    let access = Access { mode: (perm != 0).then_some(perm as u32), group: None };
    blocking_and_inherited(listen::unix(&addr, &options(backlog), &access).map_err(Error::from)?)
}
