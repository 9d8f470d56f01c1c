//! [`Interface`]: one network interface, from `RTM_NEWLINK`.

use core::fmt;

use super::{
    field,
    message::{Attribute, Message, malformed},
};
use crate::{error::Result, option::DeviceName};

/// `RTM_NEWLINK`
pub(super) const NEW_LINK: u16 = 16;
/// `RTM_DELLINK`
pub(super) const DEL_LINK: u16 = 17;
/// The length of `struct ifinfomsg`.
pub(super) const HEADER_LEN: usize = 16;

bitflags::bitflags! {
    /// Flags of an interface (`netdevice(7)`, `linux/if.h`). Unknown ones are kept.
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    pub struct InterfaceFlags: u32 {
        /// An administrator has enabled it.
        #[doc(alias = "IFF_UP")]
        const UP = 1;
        /// It has a broadcast address.
        #[doc(alias = "IFF_BROADCAST")]
        const BROADCAST = 1 << 1;
        /// A loopback interface.
        #[doc(alias = "IFF_LOOPBACK")]
        const LOOPBACK = 1 << 3;
        /// A link with one peer.
        #[doc(alias = "IFF_POINTOPOINT")]
        const POINT_TO_POINT = 1 << 4;
        /// It can transfer packets.
        #[doc(alias = "IFF_RUNNING")]
        const RUNNING = 1 << 6;
        /// No neighbour resolution.
        #[doc(alias = "IFF_NOARP")]
        const NO_ARP = 1 << 7;
        /// It receives all packets.
        #[doc(alias = "IFF_PROMISC")]
        const PROMISCUOUS = 1 << 8;
        /// It receives all multicast packets.
        #[doc(alias = "IFF_ALLMULTI")]
        const ALL_MULTICAST = 1 << 9;
        /// Other interfaces are bundled in it.
        #[doc(alias = "IFF_MASTER")]
        const MASTER = 1 << 10;
        /// It is bundled in another.
        #[doc(alias = "IFF_SLAVE")]
        const SLAVE = 1 << 11;
        /// It supports multicast.
        #[doc(alias = "IFF_MULTICAST")]
        const MULTICAST = 1 << 12;
        /// There is a carrier.
        #[doc(alias = "IFF_LOWER_UP")]
        const LOWER_UP = 1 << 16;
        /// It waits for an event, such as authentication.
        #[doc(alias = "IFF_DORMANT")]
        const DORMANT = 1 << 17;
        const _ = !0;
    }
}

/// Whether an interface can transfer packets (RFC 2863).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "IF_OPER_UP")]
#[non_exhaustive]
pub enum OperationalState {
    /// The driver does not know. The loopback interface is in this state.
    Unknown,
    /// A component is missing.
    NotPresent,
    /// It cannot.
    Down,
    /// The interface below it cannot.
    LowerLayerDown,
    /// It is under test.
    Testing,
    /// It waits for an event, such as authentication.
    Dormant,
    /// It can.
    Up,
}

impl OperationalState {
    /// The state from the kernel's number; one that this crate does not know is unknown.
    const fn new(number: u8) -> Self {
        match number {
            1 => Self::NotPresent,
            2 => Self::Down,
            3 => Self::LowerLayerDown,
            4 => Self::Testing,
            5 => Self::Dormant,
            6 => Self::Up,
            _ => Self::Unknown,
        }
    }
}

/// As in `ip(8)`: `UP`, `DOWN`, `LOWERLAYERDOWN`.
impl fmt::Display for OperationalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "UNKNOWN",
            Self::NotPresent => "NOTPRESENT",
            Self::Down => "DOWN",
            Self::LowerLayerDown => "LOWERLAYERDOWN",
            Self::Testing => "TESTING",
            Self::Dormant => "DORMANT",
            Self::Up => "UP",
        })
    }
}

/// What has passed through an interface since it was created.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[doc(alias = "rtnl_link_stats64")]
pub struct InterfaceCounters {
    /// Packets received.
    pub received_packets: u64,
    /// Packets sent.
    pub sent_packets: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Packets received with an error.
    pub receive_errors: u64,
    /// Packets not sent because of an error.
    pub send_errors: u64,
    /// Packets received and discarded, for want of memory or of a protocol that takes them.
    pub receive_drops: u64,
    /// Packets discarded before they were sent.
    pub send_drops: u64,
    /// Multicast packets received.
    pub received_multicasts: u64,
    /// Collisions.
    pub collisions: u64,
}

impl InterfaceCounters {
    /// `struct rtnl_link_stats64`, in the order of its fields.
    fn parse(bytes: &[u8]) -> Self {
        let at = |index: usize| field::u64(bytes, index * 8).unwrap_or(0);
        Self {
            received_packets: at(0),
            sent_packets: at(1),
            received_bytes: at(2),
            sent_bytes: at(3),
            receive_errors: at(4),
            send_errors: at(5),
            receive_drops: at(6),
            send_drops: at(7),
            received_multicasts: at(8),
            collisions: at(9),
        }
    }
}

/// A hardware address of up to 32 bytes, such as the 6 bytes of Ethernet.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[doc(alias = "MAC")]
pub struct HardwareAddr {
    bytes: [u8; Self::LEN_MAX],
    len: u8,
}

impl HardwareAddr {
    /// `MAX_ADDR_LEN`
    const LEN_MAX: usize = 32;

    /// `None` for no bytes.
    fn new(bytes: &[u8]) -> Option<Self> {
        let mut copy = [0; Self::LEN_MAX];
        for (to, from) in copy.iter_mut().zip(bytes) {
            *to = *from;
        }
        let len = bytes.len().min(Self::LEN_MAX) as u8;
        (len > 0).then_some(Self { bytes: copy, len })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }
}

/// `02:00:5e:10:00:01`
impl fmt::Display for HardwareAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.as_bytes().iter().enumerate() {
            write!(f, "{}{byte:02x}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for HardwareAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HardwareAddr({self})")
    }
}

/// A network interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[doc(alias = "ifinfomsg")]
#[non_exhaustive]
pub struct Interface {
    /// Its number, 1 or more: the zone of an IPv6 address, and the value of `SO_BINDTOIFINDEX`.
    pub index: u32,
    /// Its name.
    pub name: DeviceName,
    /// Its flags.
    pub flags: InterfaceFlags,
    /// Whether it can transfer packets.
    pub state: OperationalState,
    /// The length in bytes of the longest packet it can send.
    pub mtu: u32,
    /// The type of its hardware, such as 1 (Ethernet) or 772 (loopback) (`linux/if_arp.h`).
    #[doc(alias = "ARPHRD_ETHER")]
    pub hardware: u16,
    /// The kind of a virtual interface, such as `veth`, `vlan` or `bridge`, cut at 15 bytes; `None` for a device.
    #[doc(alias = "IFLA_INFO_KIND")]
    pub kind: Option<DeviceName>,
    /// Its hardware address.
    pub address: Option<HardwareAddr>,
    /// The hardware address of all peers on the link, or of the one peer.
    pub broadcast: Option<HardwareAddr>,
    /// The interface it stands on: of a VLAN the one that carries it, of a `veth` the other end. In another network
    /// namespace the number means another interface; see [`is_link_elsewhere`](Self::is_link_elsewhere).
    #[doc(alias = "IFLA_LINK")]
    pub link: Option<u32>,
    /// Whether [`link`](Self::link) is in another network namespace.
    #[doc(alias = "IFLA_LINK_NETNSID")]
    pub is_link_elsewhere: bool,
    /// The bridge, bond or VRF it belongs to.
    #[doc(alias = "IFLA_MASTER")]
    pub master: Option<u32>,
    /// The group it is in, 0 by default.
    pub group: u32,
    /// How many packets its queue holds.
    #[doc(alias = "IFLA_TXQLEN")]
    pub queue_len: u32,
    /// The discipline of its queue, such as `noqueue` or `fq_codel`, cut at 15 bytes.
    #[doc(alias = "IFLA_QDISC")]
    pub queueing: Option<DeviceName>,
    /// What has passed through it.
    pub counters: InterfaceCounters,
}

impl Interface {
    /// Reads `RTM_NEWLINK` or `RTM_DELLINK`; `None` for another message.
    ///
    /// # Errors
    ///
    /// [`MalformedMessage`](crate::error::Cause::MalformedMessage).
    pub fn parse(message: &Message<'_>) -> Result<Option<Self>> {
        if !matches!(message.kind, NEW_LINK | DEL_LINK) {
            return Ok(None);
        }
        let mut interface = Self::from_header(message.payload).ok_or(malformed())?;
        for attribute in message.attributes(HEADER_LEN) {
            interface.take(&attribute?)?;
        }
        Ok(Some(interface))
    }

    /// `struct ifinfomsg`: hardware at 2, index at 4, flags at 8.
    fn from_header(bytes: &[u8]) -> Option<Self> {
        field::array::<HEADER_LEN>(bytes, 0)?;
        Some(Self {
            index: field::u32(bytes, 4)?,
            name: DeviceName::padded(b""),
            flags: InterfaceFlags::from_bits_retain(field::u32(bytes, 8)?),
            state: OperationalState::Unknown,
            mtu: 0,
            hardware: field::u16(bytes, 2)?,
            kind: None,
            address: None,
            broadcast: None,
            link: None,
            is_link_elsewhere: false,
            master: None,
            group: 0,
            queue_len: 0,
            queueing: None,
            counters: InterfaceCounters::default(),
        })
    }

    /// Takes one attribute, by the numbers of `linux/if_link.h`. A value that is too short is ignored.
    fn take(&mut self, attribute: &Attribute<'_>) -> Result<()> {
        let number = attribute.u32();
        match attribute.kind() {
            1 => self.address = HardwareAddr::new(attribute.bytes()),
            2 => self.broadcast = HardwareAddr::new(attribute.bytes()),
            3 => self.name = DeviceName::padded(attribute.text()),
            4 => self.mtu = number.unwrap_or(self.mtu),
            5 => self.link = number.filter(|&index| index != 0),
            6 => self.queueing = Some(DeviceName::padded(attribute.text())),
            10 => self.master = number,
            13 => self.queue_len = number.unwrap_or(self.queue_len),
            16 => self.state = attribute.u8().map_or(self.state, OperationalState::new),
            18 => self.kind = kind(attribute)?,
            23 => self.counters = InterfaceCounters::parse(attribute.bytes()),
            27 => self.group = number.unwrap_or(self.group),
            37 => self.is_link_elsewhere = true,
            _ => {}
        }
        Ok(())
    }

    /// Whether an administrator has enabled it, whatever its [state](Self::state).
    pub const fn is_up(&self) -> bool {
        self.flags.contains(InterfaceFlags::UP)
    }

    /// Whether it is a loopback interface.
    pub const fn is_loopback(&self) -> bool {
        self.flags.contains(InterfaceFlags::LOOPBACK)
    }
}

/// `IFLA_INFO_KIND` (1) in `IFLA_LINKINFO`.
fn kind(link_info: &Attribute<'_>) -> Result<Option<DeviceName>> {
    for attribute in link_info.nested() {
        let attribute = attribute?;
        if attribute.kind() == 1 {
            return Ok(Some(DeviceName::padded(attribute.text())));
        }
    }
    Ok(None)
}
