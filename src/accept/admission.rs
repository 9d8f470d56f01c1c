//! [`Admission`]: which connections a server keeps.
//!
//! The decision depends only on the bytes of the peer's address and on counts: no system call, no clock, no allocation,
//! no panic on any peer. The text for rejected clients is here; writing it is not.

use core::fmt;

use super::{SourceAddr, Sources};
use crate::addr::Endpoint;

/// The default limit on clients, as in Redis.
#[doc(alias = "CONFIG_DEFAULT_MAX_CLIENTS")]
pub const MAX_CLIENTS_DEFAULT: u32 = 10_000;

/// The limits on clients. 16 bytes.
///
/// ```
/// use anet::accept::Limits;
///
/// const LIMITS: Limits = Limits::new().with_max_clients(1000).with_max_per_source(Some(20)).with_protected_mode(false);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Limits {
    max_clients: u32,
    max_per_source: Option<u32>,
    protected_mode: bool,
}

/// Counts a server's clients and decides whether a new one may stay. `N` is the number of sources that can be counted
/// at a time with [`Limits::with_max_per_source`]; without that limit, 0 is enough.
///
/// 32 bytes a source and 40 more, and it can live in a `static`.
///
/// ```
/// use anet::accept::{Admission, Limits, Reason, Verdict};
///
/// let limits = Limits::new().with_max_clients(2).with_max_per_source(Some(1));
/// let mut admission = Admission::<1024>::new(limits);
///
/// let peer = "127.0.0.1:40000".parse()?;
/// let Verdict::Admit(ticket) = admission.admit(&peer) else { unreachable!() };
/// match admission.admit(&peer) {
///     Verdict::Admit(_ticket) => unreachable!("one from each address"),
///     Verdict::Reject(reason) => {
///         // Say so in the protocol of the server, shut down the writing half, close.
///         assert_eq!(reason.to_string(), "too many clients from this address");
///     }
/// }
/// // Where the connection is closed.
/// admission.release(ticket);
/// assert_eq!(admission.clients(), 0);
/// # Ok::<(), anet::addr::ParseError>(())
/// ```
#[derive(Debug)]
#[doc(alias = "acceptCommonHandler")]
#[doc(alias = "clientAcceptHandler")]
pub struct Admission<const N: usize> {
    limits: Limits,
    clients: u32,
    sources: Sources<N>,
}

/// A client's place. Keep it with the connection and pass it to [`Admission::release`] when that is closed; dropping a
/// ticket leaves its place taken. 12 bytes, and not `Copy`, so that no place is released twice.
#[derive(Debug, Eq, PartialEq)]
#[must_use = "the place stays taken until the ticket is released"]
pub struct Ticket {
    /// `None` for a client that was not counted: a Unix client, or any client while there was no limit.
    source: Option<SourceAddr>,
}

/// What to do with a new connection. 12 bytes.
///
/// There is no third answer, so a `match` can be complete; reasons may be added.
#[derive(Debug, Eq, PartialEq)]
#[must_use]
pub enum Verdict {
    /// It may stay, and has been counted.
    Admit(Ticket),
    /// Say so in the protocol of the server, shut down the writing half and close. It has not been counted.
    Reject(Reason),
}

/// Why a connection may not stay.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The limit on clients is reached.
    MaxClients,
    /// The limit on clients from this address is reached.
    MaxPerSource,
    /// Protected mode is on, and the peer is not on this machine.
    ProtectedMode,
    /// There is a limit per source, and no room to count another source. Impossible if `N` is at least the limit on
    /// clients.
    TooManySources,
}

const _: () = assert!(size_of::<Limits>() == 16 && size_of::<Ticket>() == 12 && size_of::<Verdict>() == 12);
const _: () = assert!(size_of::<Admission<0>>() <= 40 && size_of::<Admission<1000>>() <= 32 * 1000 + 40);

impl Limits {
    /// The defaults of Redis: 10,000 clients, no limit per source, and protected mode on.
    pub const fn new() -> Self {
        Self { max_clients: MAX_CLIENTS_DEFAULT, max_per_source: None, protected_mode: true }
    }

    /// No limits: as many clients as can be counted, from anywhere.
    pub const fn unlimited() -> Self {
        Self { max_clients: u32::MAX, max_per_source: None, protected_mode: false }
    }

    /// The limit on clients, over all listeners.
    #[doc(alias = "maxclients")]
    pub const fn with_max_clients(mut self, clients: u32) -> Self {
        self.max_clients = clients;
        self
    }

    /// The limit on clients, over all listeners.
    pub const fn max_clients(&self) -> u32 {
        self.max_clients
    }

    /// The limit on clients from one [`SourceAddr`]; `None`: no such limit. Clients of Unix sockets have no source and
    /// are not counted here.
    #[doc(alias = "MaxConnectionsPerSource")]
    pub const fn with_max_per_source(mut self, clients: Option<u32>) -> Self {
        self.max_per_source = clients;
        self
    }

    /// The limit on clients from one source.
    pub const fn max_per_source(&self) -> Option<u32> {
        self.max_per_source
    }

    /// Whether only clients on this machine may connect: through a Unix socket, from `127.0.0.0/8` or from `::1`. For a
    /// server that requires no password and might be reachable from outside by mistake.
    #[doc(alias = "protected-mode")]
    pub const fn with_protected_mode(mut self, on: bool) -> Self {
        self.protected_mode = on;
        self
    }

    /// Whether only clients on this machine may connect.
    pub const fn protected_mode(&self) -> bool {
        self.protected_mode
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Admission<N> {
    /// No clients.
    pub const fn new(limits: Limits) -> Self {
        Self::seeded(limits, 0)
    }

    /// No clients, and a secret seed for the table of sources; see [`Sources::seeded`].
    pub const fn seeded(limits: Limits, seed: u64) -> Self {
        Self { limits, clients: 0, sources: Sources::seeded(seed) }
    }

    /// Whether the limit on clients is reached. If you then stop accepting, connections wait in the backlog until a
    /// client leaves; if you accept, [`admit`](Self::admit) rejects them.
    pub const fn is_full(&self) -> bool {
        self.clients >= self.limits.max_clients
    }

    /// Decides whether a new connection may stay, by its peer's address.
    ///
    /// Checks in this order: the number of clients, protected mode, the number of clients from this source. A peer with
    /// an address of an unknown family is not local and has no source.
    pub fn admit(&mut self, peer: &Endpoint) -> Verdict {
        match self.take_place(peer) {
            Ok(ticket) => Verdict::Admit(ticket),
            Err(reason) => Verdict::Reject(reason),
        }
    }

    /// Frees the place of a client that has left.
    #[doc(alias = "unlinkClient")]
    pub fn release(&mut self, ticket: Ticket) {
        self.clients = self.clients.saturating_sub(1);
        if let Some(source) = ticket.source {
            self.sources.release(source);
        }
    }

    /// Changes the limits, like `CONFIG SET`. Existing clients stay and still count; the limit per source counts only
    /// clients admitted while there was one.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The limits.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// The number of clients.
    #[doc(alias = "connected_clients")]
    pub const fn clients(&self) -> u32 {
        self.clients
    }

    /// The number of counted clients from each source.
    pub const fn sources(&self) -> &Sources<N> {
        &self.sources
    }

    fn take_place(&mut self, peer: &Endpoint) -> Result<Ticket, Reason> {
        if self.is_full() {
            return Err(Reason::MaxClients);
        }
        if self.limits.protected_mode && !is_local(peer) {
            return Err(Reason::ProtectedMode);
        }
        let source = self.take_source(peer)?;
        self.clients += 1;
        Ok(Ticket { source })
    }

    fn take_source(&mut self, peer: &Endpoint) -> Result<Option<SourceAddr>, Reason> {
        let Some(limit) = self.limits.max_per_source else { return Ok(None) };
        let source = SourceAddr::of(peer);
        source.map_or(Ok(()), |source| self.sources.take(source, limit))?;
        Ok(source)
    }
}

#[doc(alias = "connIsLocal")]
fn is_local(peer: &Endpoint) -> bool {
    matches!(peer, Endpoint::Unix(_)) || peer.is_loopback()
}

/// What a log says.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::MaxClients => "too many clients",
            Self::MaxPerSource => "too many clients from this address",
            Self::ProtectedMode => "only clients on this machine may connect",
            Self::TooManySources => "too many client addresses",
        })
    }
}

impl core::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::UnixAddr;

    const OPEN: Limits = Limits::unlimited();

    fn admitted<const N: usize>(admission: &mut Admission<N>, peer: &str) -> Result<Ticket, Reason> {
        match admission.admit(&peer.parse().unwrap()) {
            Verdict::Admit(ticket) => Ok(ticket),
            Verdict::Reject(reason) => Err(reason),
        }
    }

    #[test]
    fn protected_mode_recognises_local_peers_by_address() {
        let mut admission = Admission::<0>::new(Limits::new());
        let here =
            ["127.0.0.1:1", "127.255.255.255:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "[::ffff:127.9.9.9]:1", "@x"];
        for peer in here {
            assert!(admitted(&mut admission, peer).is_ok(), "{peer}");
        }
        let elsewhere = ["126.255.255.255:1", "128.0.0.0:1", "[::2]:1", "[::]:1", "[::127.0.0.1]:1", "[fe80::1%1]:1"];
        for peer in elsewhere.into_iter().chain(["[::ffff:128.0.0.1]:1", "192.168.0.1:1"]) {
            assert_eq!(admitted(&mut admission, peer), Err(Reason::ProtectedMode), "{peer}");
        }
        assert!(matches!(admission.admit(&UnixAddr::UNNAMED.into()), Verdict::Admit(_)));
        let unknown = Endpoint::Unknown { family: 40 };
        assert_eq!(admission.admit(&unknown), Verdict::Reject(Reason::ProtectedMode));
        assert_eq!(admission.clients(), 7);
    }

    #[test]
    fn reasons_are_checked_in_the_order_of_redis() {
        let limits = Limits::new().with_max_clients(1).with_max_per_source(Some(0));
        let mut admission = Admission::<1>::new(limits);
        assert_eq!(admitted(&mut admission, "10.0.0.1:1"), Err(Reason::ProtectedMode));
        assert_eq!(admitted(&mut admission, "127.0.0.1:1"), Err(Reason::MaxPerSource));
        let ticket = admitted(&mut admission, "/run/x").unwrap();
        assert_eq!(admitted(&mut admission, "10.0.0.1:1"), Err(Reason::MaxClients));
        assert!(admission.is_full());
        admission.release(ticket);
        assert!(!admission.is_full());
    }

    #[test]
    fn unix_clients_have_no_source() {
        let mut admission = Admission::<1>::new(OPEN.with_max_per_source(Some(1)));
        let _unix = [(); 3].map(|()| admitted(&mut admission, "/run/x").unwrap());
        let _first = admitted(&mut admission, "10.0.0.1:1").unwrap();
        assert_eq!(admitted(&mut admission, "[::ffff:10.0.0.1]:2"), Err(Reason::MaxPerSource));
        assert_eq!(admitted(&mut admission, "10.0.0.2:1"), Err(Reason::TooManySources));
        let _unix = admitted(&mut admission, "/run/x").unwrap();
        assert_eq!((admission.clients(), admission.sources().len()), (5, 1));
    }

    #[test]
    fn changing_the_limits_keeps_the_counts_right() {
        let mut admission = Admission::<4>::new(OPEN);
        let uncounted = admitted(&mut admission, "10.0.0.1:1").unwrap();
        admission.set_limits(OPEN.with_max_per_source(Some(1)));
        let counted = admitted(&mut admission, "10.0.0.1:2").unwrap();
        admission.release(uncounted);
        assert_eq!(admitted(&mut admission, "10.0.0.1:3"), Err(Reason::MaxPerSource));
        admission.set_limits(OPEN.with_max_clients(0));
        assert_eq!(admitted(&mut admission, "10.0.0.2:1"), Err(Reason::MaxClients));
        admission.release(counted);
        assert!(admission.sources().is_empty() && admission.clients() == 0);
    }
}
