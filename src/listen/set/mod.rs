//! A whole bind list, opened completely or not at all.

mod attempt;
#[cfg(target_os = "linux")]
mod interface;
mod resolved;

use core::{fmt, slice};

use arrayvec::ArrayVec;
use heapless::Vec;
use rustix::fd::OwnedFd;

use self::{
    attempt::{Attempt, Collision, Failed, Options},
    resolved::Resolved,
};
use super::{
    Access, Listener,
    spec::{BIND_LIST_MAX, BindList},
};
use crate::{
    datagram::Datagram,
    error::{AddrError, Result},
    option::SocketOptions,
    resolve::{Numeric, Resolve},
};

/// How many shared ephemeral ports to try: another socket may have one for some family or protocol.
const PORT_TRIES: usize = 32;
/// Every address can be skipped once per protocol.
const SKIPPED_MAX: usize = 2 * BIND_LIST_MAX;

/// The sockets of a bind list.
///
/// ```
/// use anet::{SocketOptions, listen::{Access, BindList, ListenerSet, Protocols}};
///
/// let list = BindList::parse("127.0.0.1 -::1", 0)?;
/// let set = ListenerSet::open_with(&list, Protocols::TcpAndUdp, &SocketOptions::new(), &Access::default())?;
/// for listener in &set {
///     println!("listening on {}", listener.local_addr()?);
/// }
/// for datagram in set.datagrams() {
///     println!("receiving on {}", datagram.local_addr()?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ListenerSet {
    listeners: ArrayVec<Listener, BIND_LIST_MAX>,
    datagrams: ArrayVec<Datagram, BIND_LIST_MAX>,
    skipped: Vec<SpecError, SKIPPED_MAX>,
}

/// The protocols to open on the IP addresses of a list. Unix sockets and inherited descriptors always listen.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Protocols {
    /// TCP listeners, as in Redis.
    #[default]
    Tcp,
    /// UDP sockets.
    Udp,
    /// Both, on the same addresses and ports, as in memcached.
    TcpAndUdp,
}

/// The error of one entry of a bind list: `entry 2 of the bind list: bind [::1]:80: Permission denied`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SpecError {
    index: u32,
    /// The error, and the entry's address that caused it.
    pub error: AddrError,
}

impl SpecError {
    const fn new(index: usize, error: AddrError) -> Self {
        Self { index: index as u32, error }
    }

    /// The position of the entry in the list, from 0.
    pub const fn index(&self) -> usize {
        self.index as usize
    }
}

impl ListenerSet {
    const EMPTY: Self =
        Self { listeners: ArrayVec::new_const(), datagrams: ArrayVec::new_const(), skipped: Vec::new() };

    /// Listens on every entry of the list or on none, with TCP on IP addresses. Equivalent to
    /// [`open_with`](Self::open_with) with [`Protocols::Tcp`].
    ///
    /// # Errors
    ///
    /// Those of [`open_with`](Self::open_with).
    pub fn open(list: &BindList<'_>, options: &SocketOptions, access: &Access) -> Result<Self, SpecError> {
        Self::open_with(list, Protocols::Tcp, options, access)
    }

    /// Opens every entry of the list or none: an error leaves no socket open and no file behind.
    ///
    /// As in Redis, an entry is skipped if this host lacks its protocol (`EAFNOSUPPORT`, `EPFNOSUPPORT`,
    /// `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`, `ENOPROTOOPT`), and an optional entry if this host lacks its address
    /// (`EADDRNOTAVAIL`) or its interface, provided it fails for each protocol; [`skipped`](Self::skipped) returns these
    /// errors. All addresses with port 0 share one port, for every family and protocol: the kernel chooses it for the
    /// first address, and chooses another if a later address cannot have it, up to 32 times. Zones and the addresses of
    /// [interfaces](super::spec#interfaces) are looked up before any socket opens.
    ///
    /// The options and the access apply to the sockets opened here. An inherited descriptor (`fd@3`) is duplicated and
    /// keeps its options; the caller is [responsible for its number](super::spec#descriptors-by-number).
    ///
    /// # Errors
    ///
    /// The first entry that failed, with its error: those of [`tcp`](super::tcp()), [`udp`](super::udp()) and
    /// [`unix`](super::unix()), `ENODEV` for a missing interface, `ENETDOWN` for one that is down and has no address,
    /// [`InterfaceWithoutAddress`](crate::error::Cause::InterfaceWithoutAddress),
    /// [`TooManyAddresses`](crate::error::Cause::TooManyAddresses) if the list has more than 16 addresses, `EBADF` or
    /// `ENOTSOCK` for a descriptor that is not open or not a socket,
    /// [`NotListening`](crate::error::Cause::NotListening) for a socket that does not listen,
    /// [`HostName`](crate::error::Cause::HostName) for a host name, which this function does not resolve. If every entry
    /// was skipped, the first skipped entry.
    #[doc(alias = "listenToPort")]
    #[doc(alias = "server_sockets")]
    pub fn open_with(
        list: &BindList<'_>,
        protocols: Protocols,
        options: &SocketOptions,
        access: &Access,
    ) -> Result<Self, SpecError> {
        Self::open_resolving(list, protocols, options, access, Numeric)
    }

    /// Like [`open_with`](Self::open_with), but resolves host names, as with the [system's
    /// resolver](crate::resolve) or the [hosts file](crate::resolve::Hosts).
    ///
    /// Every host name is resolved once, before any socket opens. A name succeeds if, for each protocol, one of its
    /// addresses opens: other addresses that are in use (`EADDRINUSE`), as in memcached, or missing here
    /// (`EADDRNOTAVAIL`) are skipped. All addresses still share the port that the kernel chooses.
    ///
    /// ```
    /// use anet::{SocketOptions, listen::{Access, BindList, ListenerSet, Protocols}, resolve::Hosts};
    ///
    /// let list = BindList::parse("localhost", 0)?;
    /// let (options, access) = (SocketOptions::new(), Access::default());
    /// let set = ListenerSet::open_resolving(&list, Protocols::Tcp, &options, &access, Hosts::new())?;
    /// assert!(set.iter().all(|listener| listener.local_addr().is_ok_and(|addr| addr.is_loopback())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`open_with`](Self::open_with), except for names: the errors of the resolver.
    pub fn open_resolving(
        list: &BindList<'_>,
        protocols: Protocols,
        options: &SocketOptions,
        access: &Access,
        mut resolver: impl Resolve,
    ) -> Result<Self, SpecError> {
        let resolved = Resolved::of(list, &mut resolver)?;
        open_resolved(&resolved, Options { protocols, socket_options: options, access })
    }

    /// The listeners, in the order of the list.
    pub fn iter(&self) -> slice::Iter<'_, Listener> {
        self.listeners.iter()
    }

    /// The listeners, in the order of the list.
    pub fn as_slice(&self) -> &[Listener] {
        &self.listeners
    }

    /// The UDP sockets, in the order of the list.
    pub fn datagrams(&self) -> &[Datagram] {
        &self.datagrams
    }

    /// The addresses that were skipped, with their errors.
    pub fn skipped(&self) -> &[SpecError] {
        &self.skipped
    }

    /// The listeners and the UDP sockets, by value.
    pub fn into_parts(self) -> (IntoIter<Listener>, IntoIter<Datagram>) {
        (IntoIter(self.listeners.into_iter()), IntoIter(self.datagrams.into_iter()))
    }

    fn is_empty(&self) -> bool {
        self.listeners.is_empty() && self.datagrams.is_empty()
    }
}

/// Retries until the port that the kernel chooses is free for every socket that shares it.
fn open_resolved(resolved: &Resolved<'_>, options: Options<'_>) -> Result<ListenerSet, SpecError> {
    // The kernel does not choose a held port again. It prefers some ports to others, so without this a narrow range
    // could yield the same ports until the tries run out.
    let mut held = Vec::<OwnedFd, PORT_TRIES>::new();
    let mut first = None;
    for _ in 1..PORT_TRIES {
        match Attempt::new(options).open(resolved) {
            Ok(set) => return Ok(set),
            Err(Failed { entry, collision: Some(Collision { port, fd }) }) => {
                first = first.or(Some(entry));
                // Leave the port free for an entry that asks for it by number.
                if !resolved.ask_for_port(port) {
                    // Every try has room.
                    let _ = held.push(fd);
                }
            }
            Err(failed) => return Err(error_to_report(failed.entry, first, resolved)),
        }
    }
    Attempt::new(options).open(resolved).map_err(|failed| error_to_report(failed.entry, first, resolved))
}

/// Once no port is left, the kernel refuses the first entry with port 0, although the conflict is with a later one.
fn error_to_report(last: SpecError, first: Option<SpecError>, resolved: &Resolved<'_>) -> SpecError {
    let is_about_ports = last.error.error().is_addr_in_use() && resolved.asks_for_any_port(last.index());
    first.filter(|_| is_about_ports).unwrap_or(last)
}

impl<'set> IntoIterator for &'set ListenerSet {
    type Item = &'set Listener;
    type IntoIter = slice::Iter<'set, Listener>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Sockets of a [`ListenerSet`], by value.
#[derive(Debug)]
pub struct IntoIter<T>(arrayvec::IntoIter<T, BIND_LIST_MAX>);

/// Yields the listeners and closes the UDP sockets; [`into_parts`](ListenerSet::into_parts) returns both.
impl IntoIterator for ListenerSet {
    type Item = Listener;
    type IntoIter = IntoIter<Listener>;

    fn into_iter(self) -> IntoIter<Listener> {
        self.into_parts().0
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} of the bind list: {}", self.index + 1, self.error)
    }
}

impl core::error::Error for SpecError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Keeps the address and drops the entry's index.
#[cfg(feature = "std")]
impl From<SpecError> for std::io::Error {
    fn from(failed: SpecError) -> Self {
        failed.error.into()
    }
}
