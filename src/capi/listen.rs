//! Listening sockets.
//!
//! TCP listeners, and Unix listeners before Valkey 8.0, are blocking and inherited across `execve`; their callers change
//! that as needed.

use core::{
    ffi::{CStr, c_char, c_int},
    net::{Ipv4Addr, Ipv6Addr},
};

use rustix::fd::{IntoRawFd, OwnedFd};

use super::{
    failure::{Failure, answer, fail},
    group::{self, GroupFailure},
    resolve::{self, Addresses},
    socket::{self, Transport},
    text,
};
use crate::{
    addr::{Endpoint, UnixAddr},
    error::Errno,
    listen::{self, Access, Listener},
    option::SocketOptions,
    resolve::Families,
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
pub unsafe extern "C" fn anetTcpServer_60(
    err: *mut c_char,
    port: c_int,
    bindaddr: *mut c_char,
    backlog: c_int,
) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { tcp_server(err, port, bindaddr, backlog, Families::OnlyV4, Transport::Tcp) }
}

/// Listens on `port` of every IPv6 address (`bindaddr` NULL, `*` or `::*`) or of one address or host name, but not
/// on IPv4. Returns the descriptor.
///
/// # Errors
///
/// Those of [`anetTcpServer_60`], and `setsockopt: …` for `IPV6_V6ONLY`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcp6Server_60(
    err: *mut c_char,
    port: c_int,
    bindaddr: *mut c_char,
    backlog: c_int,
) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { tcp_server(err, port, bindaddr, backlog, Families::OnlyV6, Transport::Tcp) }
}

/// [`anetTcpServer_60`] for Multipath TCP and TCP if `mptcp` is not 0; for TCP alone if the kernel has no Multipath TCP.
///
/// # Errors
///
/// Those of [`anetTcpServer_60`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcpServer_v90(
    err: *mut c_char,
    port: c_int,
    bindaddr: *mut c_char,
    backlog: c_int,
    mptcp: c_int,
) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { tcp_server(err, port, bindaddr, backlog, Families::OnlyV4, Transport::of(mptcp)) }
}

/// [`anetTcp6Server_60`] for Multipath TCP and TCP if `mptcp` is not 0; for TCP alone if the kernel has no Multipath
/// TCP.
///
/// # Errors
///
/// Those of [`anetTcp6Server_60`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcp6Server_v90(
    err: *mut c_char,
    port: c_int,
    bindaddr: *mut c_char,
    backlog: c_int,
    mptcp: c_int,
) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { tcp_server(err, port, bindaddr, backlog, Families::OnlyV6, Transport::of(mptcp)) }
}

/// Whether the system has Multipath TCP: 1 on Linux, else 0. The running kernel may still lack it.
#[unsafe(no_mangle)]
pub extern "C" fn anetHasMptcp() -> c_int {
    cfg!(target_os = "linux").into()
}

/// # Safety
///
/// `err` is NULL or an error buffer, and `bindaddr` is NULL or a text.
unsafe fn tcp_server(
    err: *mut c_char,
    port: c_int,
    bindaddr: *const c_char,
    backlog: c_int,
    families: Families,
    transport: Transport,
) -> c_int {
    // SAFETY: the caller vouches for `bindaddr`, and the literal ends with a NUL.
    let bindaddr = unsafe { text::read(if bindaddr.is_null() { c"*".as_ptr() } else { bindaddr }) };
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, listen_on_any_of(port, bindaddr, backlog, families, transport)) }
}

/// The first address that the system has sockets for decides, as in Redis.
fn listen_on_any_of(
    port: c_int,
    bindaddr: &CStr,
    backlog: c_int,
    families: Families,
    transport: Transport,
) -> Result<c_int, Failure> {
    let options = options(backlog);
    let mut why_not = Errno::AFNOSUPPORT;
    for addr in addresses(resolve::port(port)?, bindaddr, families)?.iter() {
        let endpoint = addr.into();
        match socket::inherited(&endpoint, transport) {
            Err(error) => why_not = error.errno().unwrap_or(why_not),
            Ok(fd) => return Ok(descriptor(listen::tcp_on(fd, addr, &endpoint, &options)?)),
        }
    }
    Err(Failure::NoSocket(why_not))
}

fn addresses(port: u16, bindaddr: &CStr, families: Families) -> Result<Addresses, Failure> {
    match (bindaddr.to_bytes(), families) {
        (b"*", Families::OnlyV4) => Ok(Addresses::one(Ipv4Addr::UNSPECIFIED.into(), port)),
        (b"*" | b"::*", Families::OnlyV6) => Ok(Addresses::one(Ipv6Addr::UNSPECIFIED.into(), port)),
        _ => Addresses::of(bindaddr, port, families),
    }
}

/// The kernel treats a backlog as unsigned, so a negative one is the maximum.
fn options(backlog: c_int) -> SocketOptions {
    SocketOptions::new().with_backlog(backlog as u32)
}

fn descriptor(listener: Listener) -> c_int {
    OwnedFd::from(listener).into_raw_fd()
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
pub unsafe extern "C" fn anetUnixServer_60(
    err: *mut c_char,
    path: *mut c_char,
    perm: libc::mode_t,
    backlog: c_int,
) -> c_int {
    // SAFETY: the caller vouches for `path`.
    let path = unsafe { text::read(path) };
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, listen_on_path(socket::inherited, path, access(perm, None), backlog)) }
}

/// [`anetUnixServer_60`], but non-blocking and close-on-exec, and the file gets the group named `group`, unless that is
/// NULL.
///
/// Groups are looked up with `getgrnam`, which no other thread may call at the same time.
///
/// # Errors
///
/// Those of [`anetUnixServer_60`]; `getgrnam error for group 'NAME': …` for a group that does not exist, with `ENOENT`
/// unless the lookup sets an errno; `chown error for group 'NAME': …` with `EPERM` for a group the user is not in.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetUnixServer_v80(
    err: *mut c_char,
    path: *mut c_char,
    perm: libc::mode_t,
    backlog: c_int,
    group: *mut c_char,
) -> c_int {
    // SAFETY: the caller vouches for `path`.
    let path = unsafe { text::read(path) };
    if group.is_null() {
        // SAFETY: the caller vouches for `err`.
        return unsafe { answer(err, listen_on_path(socket::nonblocking, path, access(perm, None), backlog)) };
    }
    // SAFETY: the caller vouches for `group`.
    let group = unsafe { text::read(group) };
    match listen_for_group(path, perm, backlog, group) {
        Ok(listener) => listener,
        // SAFETY: the caller vouches for `err`.
        Err(refused) => unsafe { fail(err, &refused) },
    }
}

fn listen_for_group<'name>(
    path: &CStr,
    perm: libc::mode_t,
    backlog: c_int,
    group: &'name CStr,
) -> Result<c_int, GroupFailure<'name>> {
    let id = group::id(group).map_err(|errno| GroupFailure::NoGroup(group, errno))?;
    let listener = listen_on_path(socket::nonblocking, path, access(perm, Some(id)), backlog);
    listener.map_err(|failure| GroupFailure::of(group, failure))
}

#[allow(clippy::unnecessary_cast, reason = "a mode has fewer bits on other systems")]
fn access(perm: libc::mode_t, group: Option<u32>) -> Access {
    Access { mode: (perm != 0).then_some(perm as u32), group }
}

fn listen_on_path(
    socket: fn(&Endpoint, Transport) -> crate::Result<OwnedFd>,
    path: &CStr,
    access: Access,
    backlog: c_int,
) -> Result<c_int, Failure> {
    let addr = UnixAddr::path(path.to_bytes())?;
    let fd = socket(&Endpoint::Unix(addr), Transport::Tcp)?;
    Ok(descriptor(listen::unix_on(fd, &addr, &options(backlog), &access)?))
}
