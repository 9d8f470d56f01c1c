//! [`InterfaceAddr`]: one address of an interface, from `RTM_NEWADDR`.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use super::{
    field,
    message::{Attribute, Message, malformed},
};
use crate::{error::Result, option::DeviceName};

/// `RTM_NEWADDR`
pub(super) const NEW_ADDR: u16 = 20;
/// `RTM_DELADDR`
pub(super) const DEL_ADDR: u16 = 21;
/// The length of `struct ifaddrmsg`.
pub(super) const HEADER_LEN: usize = 8;

bitflags::bitflags! {
    /// Flags of an address (`linux/if_addr.h`). Unknown ones are kept.
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    pub struct AddrFlags: u32 {
        /// IPv4: another address of the same network is the primary one. IPv6: a temporary address (RFC 8981).
        #[doc(alias = "IFA_F_TEMPORARY")]
        const SECONDARY = 1;
        /// No duplicate address detection.
        #[doc(alias = "IFA_F_NODAD")]
        const NO_DAD = 2;
        /// It can be used before duplicate address detection ends.
        #[doc(alias = "IFA_F_OPTIMISTIC")]
        const OPTIMISTIC = 4;
        /// Another host has the address.
        #[doc(alias = "IFA_F_DADFAILED")]
        const DAD_FAILED = 8;
        /// The home address of a mobile host.
        #[doc(alias = "IFA_F_HOMEADDRESS")]
        const HOME = 0x10;
        /// Its preferred lifetime is over: new connections should use another.
        #[doc(alias = "IFA_F_DEPRECATED")]
        const DEPRECATED = 0x20;
        /// Duplicate address detection is under way: it cannot be bound yet.
        #[doc(alias = "IFA_F_TENTATIVE")]
        const TENTATIVE = 0x40;
        /// Its lifetime is not limited.
        #[doc(alias = "IFA_F_PERMANENT")]
        const PERMANENT = 0x80;
        /// Temporary addresses are derived from it.
        #[doc(alias = "IFA_F_MANAGETEMPADDR")]
        const MANAGE_TEMPORARY = 0x100;
        /// It does not imply a route to its network.
        #[doc(alias = "IFA_F_NOPREFIXROUTE")]
        const NO_PREFIX_ROUTE = 0x200;
        /// It joins its multicast group.
        #[doc(alias = "IFA_F_MCAUTOJOIN")]
        const MULTICAST_AUTO_JOIN = 0x400;
        /// An interface identifier that is stable and says nothing about the host (RFC 7217).
        #[doc(alias = "IFA_F_STABLE_PRIVACY")]
        const STABLE_PRIVACY = 0x800;
        const _ = !0;
    }
}

/// Where an address is valid.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AddrScope {
    /// Everywhere.
    Global,
    /// Within a site (IPv6, deprecated).
    Site,
    /// On one link.
    Link,
    /// Within this host.
    Host,
    /// Nowhere.
    Nowhere,
    /// A scope that an administrator has defined.
    Other(u8),
}

impl AddrScope {
    const fn new(number: u8) -> Self {
        match number {
            0 => Self::Global,
            200 => Self::Site,
            253 => Self::Link,
            254 => Self::Host,
            255 => Self::Nowhere,
            other => Self::Other(other),
        }
    }
}

/// As in `ip(8)`: `global`, `link`, `host`.
impl fmt::Display for AddrScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.pad("global"),
            Self::Site => f.pad("site"),
            Self::Link => f.pad("link"),
            Self::Host => f.pad("host"),
            Self::Nowhere => f.pad("nowhere"),
            Self::Other(number) => number.fmt(f),
        }
    }
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[doc(alias = "ifaddrmsg")]
#[doc(alias = "ifaddrs")]
#[non_exhaustive]
pub struct InterfaceAddr {
    /// The [index](super::Interface::index) of the interface.
    pub index: u32,
    /// The address.
    pub ip: IpAddr,
    /// The length of the network's prefix in bits.
    pub prefix_len: u8,
    /// The address of the peer, on a link with one peer.
    pub peer: Option<IpAddr>,
    /// The address of all hosts of the network.
    pub broadcast: Option<Ipv4Addr>,
    /// Where the address is valid.
    pub scope: AddrScope,
    /// Its flags.
    pub flags: AddrFlags,
    /// The label of an IPv4 address, usually the name of the interface.
    pub label: Option<DeviceName>,
    /// How long the address remains preferred, in whole seconds; `None`: forever.
    pub preferred: Option<Duration>,
    /// How long the address remains valid, in whole seconds; `None`: forever.
    pub valid: Option<Duration>,
}

impl InterfaceAddr {
    /// Reads `RTM_NEWADDR` or `RTM_DELADDR`; `None` for another message, or an address of another family than IP.
    ///
    /// # Errors
    ///
    /// [`MalformedMessage`](crate::error::Cause::MalformedMessage).
    pub fn parse(message: &Message<'_>) -> Result<Option<Self>> {
        let family = field::u8(message.payload, 0);
        if !matches!(message.kind, NEW_ADDR | DEL_ADDR) {
            return Ok(None);
        }
        match family.ok_or(malformed())? {
            field::INET | field::INET6 => Self::from_message(message).map(Some),
            _ => Ok(None),
        }
    }

    fn from_message(message: &Message<'_>) -> Result<Self> {
        let mut parts = Parts::from_header(message.payload).ok_or(malformed())?;
        for attribute in message.attributes(HEADER_LEN) {
            parts.take(&attribute?);
        }
        parts.join().ok_or(malformed())
    }

    /// Whether the address can be bound and used: neither tentative nor a duplicate.
    pub const fn is_usable(&self) -> bool {
        !self.flags.intersects(AddrFlags::TENTATIVE.union(AddrFlags::DAD_FAILED))
            || self.flags.contains(AddrFlags::OPTIMISTIC)
    }

    /// The address with a port, and with the interface as its zone if it is valid on one link only.
    ///
    /// ```
    /// use anet::diag::Route;
    ///
    /// let mut buf = [0; 8192];
    /// for addr in Route::open()?.addresses(&mut buf)? {
    ///     let addr = addr?;
    ///     println!("can listen on {}", addr.with_port(6379));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_port(&self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => SocketAddrV6::new(ip, port, 0, self.index).into(),
            ip => SocketAddr::new(ip, port),
        }
    }
}

/// What the attributes say, by the numbers of `linux/if_addr.h`.
struct Parts {
    family: u8,
    prefix_len: u8,
    scope: u8,
    flags: u32,
    index: u32,
    /// `IFA_ADDRESS`: the peer's if there is one.
    address: Option<IpAddr>,
    /// `IFA_LOCAL`
    local: Option<IpAddr>,
    broadcast: Option<IpAddr>,
    label: Option<DeviceName>,
    preferred: Option<Duration>,
    valid: Option<Duration>,
}

impl Parts {
    /// `struct ifaddrmsg`
    fn from_header(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            family: field::u8(bytes, 0)?,
            prefix_len: field::u8(bytes, 1)?,
            flags: field::u8(bytes, 2)?.into(),
            scope: field::u8(bytes, 3)?,
            index: field::u32(bytes, 4)?,
            address: None,
            local: None,
            broadcast: None,
            label: None,
            preferred: None,
            valid: None,
        })
    }

    fn take(&mut self, attribute: &Attribute<'_>) {
        match attribute.kind() {
            1 => self.address = field::ip(self.family, attribute.bytes(), 0),
            2 => self.local = field::ip(self.family, attribute.bytes(), 0),
            3 => self.label = Some(DeviceName::padded(attribute.text())),
            4 => self.broadcast = field::ip(self.family, attribute.bytes(), 0),
            6 => {
                self.preferred = lifetime(attribute.bytes(), 0);
                self.valid = lifetime(attribute.bytes(), 4);
            }
            8 => self.flags = attribute.u32().unwrap_or(self.flags),
            _ => {}
        }
    }

    fn join(self) -> Option<InterfaceAddr> {
        let ip = self.local.or(self.address)?;
        Some(InterfaceAddr {
            index: self.index,
            ip,
            prefix_len: self.prefix_len,
            peer: self.address.filter(|&address| address != ip),
            broadcast: self.broadcast.and_then(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None }),
            scope: AddrScope::new(self.scope),
            flags: AddrFlags::from_bits_retain(self.flags),
            label: self.label,
            preferred: self.preferred,
            valid: self.valid,
        })
    }
}

/// A number of `struct ifa_cacheinfo`, whose greatest value means forever.
fn lifetime(bytes: &[u8], at: usize) -> Option<Duration> {
    field::u32(bytes, at).filter(|&seconds| seconds != u32::MAX).map(|seconds| Duration::from_secs(seconds.into()))
}
