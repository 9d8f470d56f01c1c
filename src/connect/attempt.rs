//! One connection attempt: a socket with its options and its source address, and `connect`.

use core::net::SocketAddr;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::{
    addr::Endpoint,
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    option::{self, SocketOptions},
    sys::{self, PollFlags},
};

/// How far an attempt has come without waiting.
#[derive(Debug)]
pub(crate) enum Begun {
    /// The connection is established.
    Connected(OwnedFd),
    /// When the socket is writable or has an error, the attempt has ended.
    InProgress(OwnedFd),
    /// The backlog of a Unix socket is full, or a signal has interrupted the wait for room in it: nothing is in
    /// progress.
    Full(OwnedFd),
}

/// Begins an attempt. The only calls are `socket` and `connect`, and those for a source address and options.
pub(crate) fn begin(
    endpoint: &Endpoint,
    source: Option<SocketAddr>,
    options: &SocketOptions,
    nonblocking: bool,
) -> Result<Begun> {
    connect(socket(endpoint, source, options, nonblocking)?, endpoint)
}

/// Connects a socket from [`socket`].
pub(crate) fn connect(fd: OwnedFd, endpoint: &Endpoint) -> Result<Begun> {
    match sys::connect(fd.as_fd(), endpoint) {
        Ok(()) => Ok(Begun::Connected(fd)),
        Err(Errno::AGAIN | Errno::INTR) if endpoint.as_unix().is_some() => Ok(Begun::Full(fd)),
        // An interrupted TCP connect continues in the kernel and must not be repeated.
        Err(Errno::INPROGRESS | Errno::INTR) => Ok(Begun::InProgress(fd)),
        Err(errno) => Err(Error::with_addr(Op::Connect, errno, endpoint)),
    }
}

/// Creates a socket that is ready to connect.
pub(crate) fn socket(
    endpoint: &Endpoint,
    source: Option<SocketAddr>,
    options: &SocketOptions,
    nonblocking: bool,
) -> Result<OwnedFd> {
    let family = sys::family(endpoint)
        .map_err(|_| Error::refused(Op::Connect, Cause::UnknownFamily { family: unknown_family(endpoint) }))?;
    let fd = sys::stream_socket(family, nonblocking).op(Op::Socket)?;
    options.set_on_client(&fd, endpoint)?;
    if let Some(source) = source.filter(|_| endpoint.as_inet().is_some()) {
        bind_source(&fd, source)?;
    }
    Ok(fd)
}

const fn unknown_family(endpoint: &Endpoint) -> u32 {
    match endpoint {
        Endpoint::Unknown { family } => *family as u32,
        _ => 0,
    }
}

/// Binds a source address; with port 0, the kernel chooses the port when it connects.
pub(crate) fn bind_source(fd: &OwnedFd, source: SocketAddr) -> Result<()> {
    option::set_reuse_address(fd, true)?;
    #[cfg(target_os = "linux")]
    if source.port() == 0 {
        share_ports(fd)?;
    }
    let source = source.into();
    sys::bind(fd.as_fd(), &source).op_with(Op::Bind, &source)
}

/// Linux before 4.2 does not have this option; there every connection takes a port of its own.
#[cfg(target_os = "linux")]
fn share_ports(fd: &OwnedFd) -> Result<()> {
    match option::set_bind_address_no_port(fd, true) {
        Err(error) if error.errno() == Some(Errno::NOPROTOOPT) => Ok(()),
        other => other,
    }
}

/// The outcome of an attempt whose socket a poll has reported with these flags.
pub(super) fn outcome(fd: BorrowedFd<'_>, ready: PollFlags, endpoint: &Endpoint) -> Result<()> {
    if ready.intersects(PollFlags::ERR | PollFlags::HUP) {
        return Err(error_of(fd));
    }
    refuse_itself(fd, endpoint)
}

/// Why an attempt has failed.
pub(crate) fn error_of(fd: BorrowedFd<'_>) -> Error {
    match option::take_error(fd) {
        Ok(Some(errno)) => Error::new(Op::Connect, errno),
        // It hung up without an error.
        Ok(None) => Error::new(Op::Connect, Errno::CONNRESET),
        Err(error) => error,
    }
}

/// Fails for a socket that is connected to itself: one call, unless both ports are the same.
pub(crate) fn refuse_itself(fd: BorrowedFd<'_>, endpoint: &Endpoint) -> Result<()> {
    if !may_be_itself(endpoint) {
        return Ok(());
    }
    let local = sys::local_addr(fd).op(Op::LocalAddr)?;
    // The address connected to may be the wildcard; the peer's is the real one.
    if local.port() == endpoint.port() && sys::peer_addr(fd).op(Op::PeerAddr)? == local {
        return Err(Error::refused(Op::Connect, Cause::SelfConnected));
    }
    Ok(())
}

/// Whether a socket without a listener can be connected to itself at this address. The kernel chooses no privileged
/// port (`net.ipv4.ip_unprivileged_port_start`), and a program that binds one can listen there.
fn may_be_itself(endpoint: &Endpoint) -> bool {
    endpoint.port().is_some_and(|port| port >= UNPRIVILEGED_PORT_START)
}

const UNPRIVILEGED_PORT_START: u16 = 1024;

/// How far an attempt is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    InProgress,
    Failed,
    Connected,
    /// Connected, possibly to itself.
    ConnectedSomewhere,
}

/// Looks how far an attempt is; one call.
#[cfg(target_os = "linux")]
pub(crate) fn look(fd: BorrowedFd<'_>, endpoint: &Endpoint) -> Found {
    /// The kernel's numbers of the states before a connection is established, and after it has failed.
    const SYN_SENT: u8 = 2;
    const SYN_RECV: u8 = 3;
    const CLOSE: u8 = 7;
    if !may_be_itself(endpoint) {
        return look_by_poll(fd, endpoint);
    }
    let Ok(info) = option::tcp_info(fd) else { return look_by_poll(fd, endpoint) };
    match info.state() {
        Some(SYN_SENT | SYN_RECV) => Found::InProgress,
        Some(CLOSE) => Found::Failed,
        // A handshake with a listener has brought one segment; a socket connected to itself has received its own three
        // (measured on Linux 6.18).
        Some(_) if info.segments_received() == Some(1) => Found::Connected,
        _ => Found::ConnectedSomewhere,
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use look_by_poll as look;

pub(crate) fn look_by_poll(fd: BorrowedFd<'_>, endpoint: &Endpoint) -> Found {
    match sys::poll_now(fd, PollFlags::OUT) {
        Ok(ready) if ready.intersects(PollFlags::ERR | PollFlags::HUP) => Found::Failed,
        Ok(ready) if ready.is_empty() => Found::InProgress,
        Ok(_) if may_be_itself(endpoint) => Found::ConnectedSomewhere,
        Ok(_) => Found::Connected,
        Err(_) => Found::InProgress,
    }
}
