//! The system's resolver, for the host names of a bind list.

use std::net::ToSocketAddrs;

use core::net::SocketAddr;

use crate::error::{Cause, Errno, Error, Op, Result};

/// Resolves a host name with the system's resolver (`getaddrinfo`: `/etc/hosts`, DNS and other configured sources), for
/// [`ListenerSet::open_resolving`](super::ListenerSet::open_resolving). May block on the network.
///
/// ```
/// use anet::{SocketOptions, listen::{self, Access, BindList, ListenerSet, Protocols}};
///
/// let list = BindList::parse("localhost", 0)?;
/// let (options, access) = (SocketOptions::new(), Access::default());
/// let set = ListenerSet::open_resolving(&list, Protocols::Tcp, &options, &access, listen::system_resolver)?;
/// # assert!(set.iter().all(|listener| listener.local_addr().is_ok_and(|addr| addr.is_loopback())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`HostNotFound`](Cause::HostNotFound) for a name that has no address or cannot be resolved now: std does not
/// distinguish the two. An errno if the resolver returns one.
#[doc(alias = "getaddrinfo")]
pub fn system_resolver(host: &str, port: u16, add: &mut dyn FnMut(SocketAddr)) -> Result<()> {
    let addrs = (host, port).to_socket_addrs().map_err(|error| match error.raw_os_error() {
        Some(number @ 1..4096) => Error::new(Op::Address, Errno::from_raw_os_error(number)),
        _ => Error::refused(Op::Address, Cause::HostNotFound),
    })?;
    addrs.for_each(add);
    Ok(())
}
