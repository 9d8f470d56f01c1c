//! One TCP listener.

use core::net::SocketAddr;

use rustix::fd::{AsFd, OwnedFd};

use super::{Listener, start};
use crate::{
    addr::Endpoint,
    error::{AddrError, Op, Result, ResultExt},
    option::SocketOptions,
    sys,
};

/// Listens on a TCP address; port 0 lets the kernel choose one.
///
/// ```
/// use anet::{SocketOptions, listen};
///
/// let listener = listen::tcp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `EADDRINUSE` if another socket has the port (from `bind` or `listen`), `EADDRNOTAVAIL` for an address that
/// this host lacks, [`MissingScope`](crate::error::Cause::MissingScope) for a link-local address without a scope,
/// `EAFNOSUPPORT` on a host without IPv6, `EACCES` for a port below 1024 without privilege, `EMFILE`, `ENFILE`; the
/// errors of the options.
#[doc(alias = "anetTcpServer")]
#[doc(alias = "anetTcp6Server")]
pub fn tcp(addr: SocketAddr, options: &SocketOptions) -> Result<Listener, AddrError> {
    let endpoint = Endpoint::from(addr);
    open(addr, &endpoint, options).map_err(|error| AddrError::new(error, endpoint))
}

fn open(addr: SocketAddr, endpoint: &Endpoint, options: &SocketOptions) -> Result<Listener> {
    let family = sys::family(endpoint).op(Op::Socket)?;
    let fd = sys::stream_socket(family, true).op(Op::Socket)?;
    open_on(fd, addr, endpoint, options)
}

/// Listens with a new socket.
pub(crate) fn open_on(fd: OwnedFd, addr: SocketAddr, endpoint: &Endpoint, options: &SocketOptions) -> Result<Listener> {
    options.set_on_tcp_listener(&fd, &addr)?;
    sys::bind(fd.as_fd(), endpoint).op_with(Op::Bind, endpoint)?;
    start(&fd, options)?;
    Ok(Listener { fd, after_accept: options.not_inherited(endpoint), file: None })
}
