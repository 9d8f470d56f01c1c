//! A whole bind list: all of it is served, or nothing is.

mod attempt;
mod resolved;

use core::{fmt, net::SocketAddr, slice};

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
    error::{AddrError, Cause, Error, Op, Result},
    option::SocketOptions,
};

/// How often a shared ephemeral port is chosen anew when somebody has it for one family or protocol.
const PORT_TRIES: usize = 32;
/// Every address can be passed over once for each protocol.
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

/// What is opened on the IP addresses of a list. Unix sockets and inherited descriptors are listened on in any case.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Protocols {
    /// TCP listeners, as Redis has them.
    #[default]
    Tcp,
    /// UDP sockets.
    Udp,
    /// Both, as memcached has them: on the same addresses and ports.
    TcpAndUdp,
}

/// What went wrong with one entry of a bind list: `entry 2 of the bind list: bind [::1]:80: Permission denied`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SpecError {
    index: u32,
    /// What went wrong, and with which of the entry's addresses.
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

    /// Listens on every entry of the list, or on none; on IP addresses with TCP. The same as
    /// [`open_with`](Self::open_with) and [`Protocols::Tcp`].
    ///
    /// # Errors
    ///
    /// Those of [`open_with`](Self::open_with).
    pub fn open(list: &BindList<'_>, options: &SocketOptions, access: &Access) -> Result<Self, SpecError> {
        Self::open_with(list, Protocols::Tcp, options, access)
    }

    /// Serves every entry of the list, or none: after an error nothing is left open and no file is left behind.
    ///
    /// As in Redis, an entry whose protocol this host does not have (`EAFNOSUPPORT`, `EPFNOSUPPORT`, `EPROTONOSUPPORT`,
    /// `ESOCKTNOSUPPORT`, `ENOPROTOOPT`) is passed over, and so is an optional one whose address it does not have
    /// (`EADDRNOTAVAIL`), if that is so for each protocol; [`skipped`](Self::skipped) names them. All resolved that ask
    /// for port 0 share one port, for every family and protocol: the kernel chooses it for the first of them, and
    /// another one if that is taken for a later one, 32 times at most. Zones are looked up before anything is opened.
    ///
    /// The options and the access are for the sockets opened here. An inherited descriptor (`fd@3`) is duplicated and
    /// keeps the options it has; for what its number means
    /// [the caller answers](super::spec#descriptors-by-number).
    ///
    /// # Errors
    ///
    /// The first entry that failed and why: the errors of [`tcp`](super::tcp()), [`udp`](super::udp()) and
    /// [`unix`](super::unix()), `ENODEV` for an interface that is not there, `EBADF` or `ENOTSOCK` for a
    /// descriptor that is not open or no socket, [`NotListening`](Cause::NotListening) for a socket that does not, [`HostName`](Cause::HostName) for a name, which is
    /// not looked up here. If every entry was passed over, the first one.
    #[doc(alias = "listenToPort")]
    #[doc(alias = "server_sockets")]
    pub fn open_with(
        list: &BindList<'_>,
        protocols: Protocols,
        options: &SocketOptions,
        access: &Access,
    ) -> Result<Self, SpecError> {
        let refuse = |_: &str, _, _: &mut dyn FnMut(SocketAddr)| Err(Error::refused(Op::Address, Cause::HostName));
        Self::open_resolving(list, protocols, options, access, refuse)
    }

    /// The same as [`open_with`](Self::open_with), with `resolve` to give the addresses of host names; the system's own
    /// is `system_resolver`, with the feature `std`.
    ///
    /// It is called once for each name of the list, with the port, before anything is opened, and hands each address to
    /// its last argument. An address given twice counts once. A name is served if one of its addresses is, for each
    /// protocol: another one that is taken (`EADDRINUSE`), as in memcached, or not here (`EADDRNOTAVAIL`) is passed
    /// over. Ports that the kernel chooses are shared by all addresses all the same.
    ///
    /// ```
    /// use anet::{SocketOptions, listen::{Access, BindList, ListenerSet, Protocols}};
    ///
    /// let list = BindList::parse("cache.internal", 0)?;
    /// let set = ListenerSet::open_resolving(
    ///     &list,
    ///     Protocols::Tcp,
    ///     &SocketOptions::new(),
    ///     &Access::default(),
    ///     |host, port, add| {
    ///         assert_eq!(host, "cache.internal");
    ///         add(([127, 0, 0, 1], port).into());
    ///         Ok(())
    ///     },
    /// )?;
    /// assert_eq!(set.as_slice().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`open_with`](Self::open_with) but for names: those that `resolve` returns,
    /// [`HostNotFound`](Cause::HostNotFound) if it gives no address,
    /// [`TooManyAddresses`](Cause::TooManyAddresses) if the list comes to more than 16.
    pub fn open_resolving(
        list: &BindList<'_>,
        protocols: Protocols,
        options: &SocketOptions,
        access: &Access,
        resolve: impl FnMut(&str, u16, &mut dyn FnMut(SocketAddr)) -> Result<()>,
    ) -> Result<Self, SpecError> {
        let resolved = Resolved::of(list, resolve)?;
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

    /// The resolved that were passed over, and why.
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

/// Tries until the port that the kernel chooses is free for all who share it.
fn open_resolved(resolved: &Resolved<'_>, options: Options<'_>) -> Result<ListenerSet, SpecError> {
    // A port that is held is not chosen again. The kernel prefers some ports to others, so without this a narrow range
    // could give the same ones until the tries are over.
    let mut held = Vec::<OwnedFd, PORT_TRIES>::new();
    let mut first = None;
    for _ in 1..PORT_TRIES {
        match Attempt::new(options).open(resolved) {
            Ok(set) => return Ok(set),
            Err(Failed { entry, collision: Some(Collision { port, fd }) }) => {
                first = first.or(Some(entry));
                // Not from an entry that is to have this very port.
                if !resolved.ask_for_port(port) {
                    // There is room for every try.
                    let _ = held.push(fd);
                }
            }
            Err(failed) => return Err(error_to_report(failed.entry, first, resolved)),
        }
    }
    Attempt::new(options).open(resolved).map_err(|failed| error_to_report(failed.entry, first, resolved))
}

/// Without a port left the kernel refuses the one that asks for it first, who is not the one whose ports are taken.
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

/// The listeners. The UDP sockets are closed; [`into_parts`](ListenerSet::into_parts) has them too.
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

/// Keeps the address and forgets the entry.
#[cfg(feature = "std")]
impl From<SpecError> for std::io::Error {
    fn from(failed: SpecError) -> Self {
        failed.error.into()
    }
}
