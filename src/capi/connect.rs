//! Non-blocking connects.

use core::{
    ffi::{CStr, c_char, c_int},
    net::SocketAddr,
};

use rustix::fd::{AsFd, IntoRawFd, OwnedFd};

use super::{
    errno,
    failure::{Failure, answer},
    resolve::{self, Addresses},
    socket::{self, Transport},
    text,
};
use crate::{
    addr::Endpoint,
    connect::attempt::{self, Begun},
    error::{Errno, Error, Op, Result},
    option,
    resolve::Families,
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
    unsafe { answer(err, start(addr, port, None, Transport::Tcp)) }
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
pub unsafe extern "C" fn anetTcpNonBlockBestEffortBindConnect_60(
    err: *mut c_char,
    addr: *const c_char,
    port: c_int,
    source_addr: *const c_char,
) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { connect_from(err, addr, port, source_addr, Transport::Tcp) }
}

/// [`anetTcpNonBlockBestEffortBindConnect_60`] over Multipath TCP if `mptcp` is not 0, which the kernel replaces by TCP
/// if the peer does not have it; over TCP if the kernel has no Multipath TCP.
///
/// # Errors
///
/// Those of [`anetTcpNonBlockConnect`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetTcpNonBlockBestEffortBindConnect_v90(
    err: *mut c_char,
    addr: *const c_char,
    port: c_int,
    source_addr: *const c_char,
    mptcp: c_int,
) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { connect_from(err, addr, port, source_addr, Transport::of(mptcp)) }
}

/// # Safety
///
/// `err` is NULL or an error buffer, and the addresses are NULL or texts.
unsafe fn connect_from(
    err: *mut c_char,
    addr: *const c_char,
    port: c_int,
    source_addr: *const c_char,
    transport: Transport,
) -> c_int {
    // SAFETY: the caller vouches for `addr`.
    let addr = unsafe { text::read(addr) };
    // SAFETY: the caller vouches for `source_addr`.
    let source = unsafe { text::read(source_addr) };
    let descriptor = start(addr, port, (!source_addr.is_null()).then_some(source), transport);
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, descriptor) }
}

/// Tries each source address with every address of the host, both in order.
fn start(host: &CStr, port: c_int, source: Option<&CStr>, transport: Transport) -> Result<c_int, Failure> {
    let peers = Addresses::of(host, resolve::port(port)?, Families::Any)?;
    let sources = source.and_then(|source| Addresses::of(source, 0, Families::Any).ok());
    let mut sources = sources.iter().flat_map(Addresses::iter);
    let bound = sources.find_map(|source| start_first(&peers, Some(source), transport).ok());
    let started = bound.map_or_else(|| start_first(&peers, None, transport), Ok);
    started.map(descriptor).map_err(labelled_by_redis)
}

/// The first attempt that starts, or the error of the last one.
fn start_first(peers: &Addresses, source: Option<SocketAddr>, transport: Transport) -> Result<(OwnedFd, bool)> {
    let mut outcome = Err(Error::new(Op::Connect, Errno::ADDRNOTAVAIL));
    for peer in peers.iter() {
        let fd = socket::nonblocking(&peer.into(), transport);
        outcome = fd.and_then(|fd| begin(fd, &peer.into(), source));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// Every socket has `SO_REUSEADDR`, as in Redis. Returns it, and whether it is connected already.
fn begin(fd: OwnedFd, peer: &Endpoint, source: Option<SocketAddr>) -> Result<(OwnedFd, bool)> {
    match source {
        Some(source) => attempt::bind_source(&fd, source)?,
        None => option::set_reuse_address(&fd, true)?,
    }
    match attempt::connect(fd, peer)? {
        Begun::Connected(fd) => attempt::refuse_itself(fd.as_fd(), peer).map(|()| (fd, true)),
        Begun::InProgress(fd) | Begun::Full(fd) => Ok((fd, false)),
    }
}

/// Redis labels errors of `socket` and of `connect` alike.
fn labelled_by_redis(error: Error) -> Failure {
    match error.op() {
        Op::Connect => Error::refused(Op::Socket, error.cause()).into(),
        _ => error.into(),
    }
}

fn descriptor((fd, is_connected): (OwnedFd, bool)) -> c_int {
    if !is_connected {
        errno::set(Errno::INPROGRESS.raw_os_error());
    }
    fd.into_raw_fd()
}
