//! [`Addresses`]: what a name resolves to.

use core::{fmt, net::SocketAddr, slice, time::Duration};

use arrayvec::ArrayVec;

use crate::addr::Endpoint;

/// The most addresses that are kept of one name.
pub const ADDRESSES_MAX: usize = 16;

/// An IP address family.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Family {
    /// IPv4: `AF_INET`, type A.
    V4,
    /// IPv6: `AF_INET6`, type AAAA.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(addr: &SocketAddr) -> Self {
        if addr.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

/// The families to resolve a name to, and which of them comes first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[doc(alias = "ai_family")]
pub enum Families {
    /// Both, in the order of the source: the lines of the hosts file; of DNS, IPv6 first.
    #[default]
    #[doc(alias = "AF_UNSPEC")]
    Any,
    /// Both, IPv4 first.
    #[doc(alias = "ANET_PREFER_IPV4")]
    PreferV4,
    /// Both, IPv6 first.
    #[doc(alias = "ANET_PREFER_IPV6")]
    PreferV6,
    /// IPv4 alone.
    OnlyV4,
    /// IPv6 alone.
    OnlyV6,
}

impl Families {
    /// Whether addresses of this family are wanted.
    pub const fn include(self, family: Family) -> bool {
        match self {
            Self::OnlyV4 => matches!(family, Family::V4),
            Self::OnlyV6 => matches!(family, Family::V6),
            Self::Any | Self::PreferV4 | Self::PreferV6 => true,
        }
    }

    /// The family to sort to the front; `None` keeps the order of the source.
    pub const fn first(self) -> Option<Family> {
        match self {
            Self::PreferV4 | Self::OnlyV4 => Some(Family::V4),
            Self::PreferV6 | Self::OnlyV6 => Some(Family::V6),
            Self::Any => None,
        }
    }
}

/// Where an address comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// The text is an address.
    Numeric,
    /// The hosts file.
    Hosts,
    /// `localhost` and names under it are loopback addresses even if no file lists them (RFC 6761, 6.3).
    Localhost,
    /// A DNS server.
    Dns,
    /// The system's resolver.
    System,
    /// A resolver of the caller.
    Other,
}

/// `numeric`, `hosts`, `localhost`, `dns`, `system`, `other`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Numeric => "numeric",
            Self::Hosts => "hosts",
            Self::Localhost => "localhost",
            Self::Dns => "dns",
            Self::System => "system",
            Self::Other => "other",
        })
    }
}

/// One address of a name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Address {
    addr: SocketAddr,
    source: Source,
    ttl_s: Option<u32>,
}

impl Address {
    /// An address without a time to live.
    pub const fn new(addr: SocketAddr, source: Source) -> Self {
        Self { addr, source, ttl_s: None }
    }

    /// The same address, valid for this many seconds.
    pub const fn with_ttl_seconds(self, seconds: u32) -> Self {
        Self { ttl_s: Some(seconds), ..self }
    }

    /// The address and the port that the caller asked for.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address as the other modules take it.
    pub const fn endpoint(&self) -> Endpoint {
        Endpoint::Inet(self.addr)
    }

    /// The family.
    pub const fn family(&self) -> Family {
        Family::of(&self.addr)
    }

    /// Where the address comes from.
    pub const fn source(&self) -> Source {
        self.source
    }

    /// How long the address may be cached: the smallest TTL of the records that lead to it. `None` unless it comes from
    /// DNS.
    pub const fn ttl(&self) -> Option<Duration> {
        match self.ttl_s {
            Some(seconds) => Some(Duration::from_secs(seconds as u64)),
            None => None,
        }
    }
}

/// The addresses of a name, at most [`ADDRESSES_MAX`], each once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[doc(alias = "addrinfo")]
pub struct Addresses {
    all: ArrayVec<Address, ADDRESSES_MAX>,
    cut: bool,
}

impl Addresses {
    /// No addresses.
    pub const fn new() -> Self {
        Self { all: ArrayVec::new_const(), cut: false }
    }

    /// Adds an address unless it is there already. Without room the address is discarded, and [`is_cut`](Self::is_cut)
    /// returns true.
    pub fn push(&mut self, address: Address) {
        if self.all.iter().all(|known| known.addr != address.addr) {
            self.cut |= self.all.try_push(address).is_err();
        }
    }

    /// Adds an address of a wanted family.
    pub(crate) fn push_wanted(&mut self, address: Address, families: Families) {
        if families.include(address.family()) {
            self.push(address);
        }
    }

    /// Moves the preferred family to the front; within a family the order stays.
    pub(crate) fn sort(&mut self, families: Families) {
        if let Some(first) = families.first() {
            let unsorted = self.all.clone();
            self.all.clear();
            let of = |family| unsorted.iter().filter(move |address| address.family() == family).copied();
            self.all.extend(of(first).chain(of(first.other())));
        }
    }

    /// The addresses of two lists. Each keeps at least half of the room if it needs that.
    #[cfg(feature = "dns")]
    pub(crate) fn merged(first: &Self, second: &Self) -> Self {
        const HALF: usize = ADDRESSES_MAX / 2;
        let room = ADDRESSES_MAX - second.len().min(HALF);
        let mut merged = Self { cut: first.cut || second.cut || first.len() > room, ..Self::new() };
        first.iter().take(room).chain(second).for_each(|address| merged.push(*address));
        merged
    }

    /// Whether the name has more addresses than fit.
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// The addresses, in the order of preference.
    pub fn as_slice(&self) -> &[Address] {
        &self.all
    }

    /// The addresses, in the order of preference.
    pub fn iter(&self) -> slice::Iter<'_, Address> {
        self.all.iter()
    }

    /// The number of addresses.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The addresses of one family, in order.
    pub fn of_family(&self, family: Family) -> impl Iterator<Item = &Address> {
        self.all.iter().filter(move |address| address.family() == family)
    }
}

impl<'a> IntoIterator for &'a Addresses {
    type Item = &'a Address;
    type IntoIter = slice::Iter<'a, Address>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The addresses in order, up to [`ADDRESSES_MAX`].
impl FromIterator<Address> for Addresses {
    fn from_iter<I: IntoIterator<Item = Address>>(all: I) -> Self {
        let mut addresses = Self::new();
        all.into_iter().for_each(|address| addresses.push(address));
        addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn address(text: &str) -> Address {
        Address::new(text.parse().unwrap(), Source::Other)
    }

    fn sorted(families: Families) -> Vec<SocketAddr> {
        let mut addresses: Addresses =
            ["10.0.0.1:1", "[::1]:1", "10.0.0.2:1", "[::2]:1", "10.0.0.1:1"].map(address).into_iter().collect();
        addresses.sort(families);
        addresses.iter().map(Address::addr).collect()
    }

    #[test]
    fn the_preferred_family_comes_first_and_every_address_once() {
        let [a, b, c, d] = ["10.0.0.1:1", "[::1]:1", "10.0.0.2:1", "[::2]:1"].map(|text| address(text).addr());
        assert_eq!(sorted(Families::Any), [a, b, c, d]);
        assert_eq!(sorted(Families::PreferV4), [a, c, b, d]);
        assert_eq!(sorted(Families::PreferV6), [b, d, a, c]);
    }

    #[test]
    fn a_17th_address_is_discarded_and_reported() {
        let mut addresses = Addresses::new();
        for port in 1..=16 {
            addresses.push(Address::new(([127, 0, 0, 1], port).into(), Source::Other));
        }
        addresses.push(address("127.0.0.1:16"));
        assert!(!addresses.is_cut());
        addresses.push(address("127.0.0.1:17"));
        assert!(addresses.is_cut() && addresses.len() == ADDRESSES_MAX);
    }
}
