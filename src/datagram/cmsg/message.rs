//! The kinds of control messages.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use crate::{addr::Endpoint, error::Errno};

/// A control message. Its variants name the kernel's types, which are `SOL_SOCKET` unless they say otherwise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ControlMessage<'a> {
    /// The numbers of received descriptors; [`Control::take_fds`](super::Control::take_fds) takes the descriptors.
    /// [`Encoder::push_fds`](super::Encoder::push_fds) sends some.
    #[doc(alias = "SCM_RIGHTS")]
    Rights(FdNumbers<'a>),
    /// The sender, which the kernel checks; asked for by
    /// [`set_passcred`](crate::option::set_passcred).
    #[doc(alias = "SCM_CREDENTIALS")]
    Credentials(Credentials),
    /// The addresses and the interface of an IPv4 packet; sent, the address and the interface to send from.
    #[doc(alias = "IP_PKTINFO")]
    PacketInfoV4(PacketInfoV4),
    /// The address and the interface of an IPv6 packet; sent, those to send from.
    #[doc(alias = "IPV6_PKTINFO")]
    PacketInfoV6(PacketInfoV6),
    /// DSCP and ECN of an IPv4 packet (RFC 2474, RFC 3168).
    #[doc(alias = "IP_TOS")]
    TypeOfService(u8),
    /// DSCP and ECN of an IPv6 packet.
    #[doc(alias = "IPV6_TCLASS")]
    TrafficClass(u8),
    /// The time to live of an IPv4 packet.
    #[doc(alias = "IP_TTL")]
    TimeToLive(u8),
    /// The hop limit of an IPv6 packet.
    #[doc(alias = "IPV6_HOPLIMIT")]
    HopLimit(u8),
    /// When the message arrived, since the Unix epoch, by the host's clock (`SO_TIMESTAMP`, `SO_TIMESTAMPNS`).
    #[doc(alias = "SCM_TIMESTAMPNS")]
    #[doc(alias = "SCM_TIMESTAMP")]
    Time(Duration),
    /// The times that [`set_timestamping`](crate::option::set_timestamping) asks for.
    #[doc(alias = "SCM_TIMESTAMPING")]
    Timestamping(Timestamping),
    /// The length of the datagrams that the kernel has joined to this one; the last may be shorter (`SOL_UDP`).
    #[doc(alias = "UDP_GRO")]
    JoinedSegments(u16),
    /// The length of the datagrams to split the sent bytes into; the last may be shorter (`SOL_UDP`).
    #[doc(alias = "UDP_SEGMENT")]
    SegmentSize(u16),
    /// How many datagrams the socket has dropped so far because its buffer was full.
    #[doc(alias = "SO_RXQ_OVFL")]
    Dropped(u32),
    /// The mark of the packet.
    #[doc(alias = "SO_MARK")]
    Mark(u32),
    /// When to transmit, in nanoseconds of the clock given to [`set_txtime`](crate::option::set_txtime).
    #[doc(alias = "SCM_TXTIME")]
    TransmitTime(u64),
    /// Why a packet over IPv4 came back (`SOL_IP`).
    #[doc(alias = "IP_RECVERR")]
    ErrorV4(ExtendedError),
    /// Why a packet over IPv6 came back (`SOL_IPV6`).
    #[doc(alias = "IPV6_RECVERR")]
    ErrorV6(ExtendedError),
    /// Any other message, or one of the above that is too short or out of range.
    Unknown {
        /// The protocol, such as `SOL_SOCKET`.
        level: i32,
        /// The type within the protocol.
        kind: i32,
        /// The data.
        data: &'a [u8],
    },
}

impl ControlMessage<'_> {
    /// The message that sends a datagram from this address, and leaves the interface to routing. For a link-local
    /// address the destination's scope names the interface.
    pub const fn source(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => {
                Self::PacketInfoV4(PacketInfoV4 { interface: 0, local: ip, destination: Ipv4Addr::UNSPECIFIED })
            }
            IpAddr::V6(ip) => Self::PacketInfoV6(PacketInfoV6 { destination: ip, interface: 0 }),
        }
    }
}

/// Numbers of descriptors, as bytes of any alignment.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct FdNumbers<'a> {
    bytes: &'a [u8],
}

impl<'a> FdNumbers<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.bytes.len() / size_of::<i32>()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers; -1 in place of a descriptor that was taken.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i32> + use<'a> {
        self.bytes
            .chunks_exact(size_of::<i32>())
            .map(|bytes| bytes.first_chunk().map_or(-1, |&n| i32::from_ne_bytes(n)))
    }
}

impl fmt::Debug for FdNumbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The process that sent a message.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "ucred")]
pub struct Credentials {
    /// The process ID; 0 if the sender is in a PID namespace that this process cannot see, or the kernel itself.
    pub pid: u32,
    /// The user; the overflow user (65534) if this process's user namespace lacks it.
    pub uid: u32,
    /// The group; the overflow group (65534) if this process's user namespace lacks it.
    pub gid: u32,
}

/// Where an IPv4 packet arrived, or is to be sent from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "in_pktinfo")]
pub struct PacketInfoV4 {
    /// The index of the interface; sent, 0 leaves it to routing.
    pub interface: u32,
    /// The address of this host that an answer should come from; sent, the source address.
    #[doc(alias = "ipi_spec_dst")]
    pub local: Ipv4Addr,
    /// The destination in the packet's header, which may be a multicast or broadcast address; ignored when sent.
    #[doc(alias = "ipi_addr")]
    pub destination: Ipv4Addr,
}

/// Where an IPv6 packet arrived, or is to be sent from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "in6_pktinfo")]
pub struct PacketInfoV6 {
    /// The destination in the packet's header, which may be a multicast address; sent, the source address.
    pub destination: Ipv6Addr,
    /// The index of the interface; sent, 0 leaves it to routing.
    pub interface: u32,
}

/// Times of one packet, since the Unix epoch; `None` for those that were not taken.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[doc(alias = "scm_timestamping")]
pub struct Timestamping {
    /// By the kernel.
    pub software: Option<Duration>,
    /// By the network device, on its own clock.
    pub hardware: Option<Duration>,
}

/// Why a packet came back (`ip(7)`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "sock_extended_err")]
pub struct ExtendedError {
    /// The error; `None` for a report that is not an error.
    pub errno: Option<Errno>,
    /// Where it comes from.
    pub origin: ErrorOrigin,
    /// The type of the ICMP message.
    pub kind: u8,
    /// The code of the ICMP message.
    pub code: u8,
    /// For `EMSGSIZE` the MTU of the path, in bytes.
    pub info: u32,
    /// Depends on the origin.
    pub data: u32,
    /// The host that sent the ICMP message; [`Endpoint::Unknown`] if the error is not from another host.
    pub offender: Endpoint,
}

/// Where the report of an error comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorOrigin {
    /// This host.
    #[doc(alias = "SO_EE_ORIGIN_LOCAL")]
    Local,
    /// An ICMP message.
    #[doc(alias = "SO_EE_ORIGIN_ICMP")]
    Icmp,
    /// A message of ICMP for IPv6 (RFC 4443).
    #[doc(alias = "SO_EE_ORIGIN_ICMP6")]
    Icmp6,
    /// Any other number, such as 4 for a transmit timestamp and 5 for a completed write with `MSG_ZEROCOPY`.
    Other(u8),
}

/// The two bits of a packet's header that report congestion (RFC 3168).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ecn {
    /// The sender does not react to congestion marks.
    NotCapable,
    /// The sender reacts to congestion marks, code point `01`.
    Capable1,
    /// The sender reacts to congestion marks, code point `10`: the usual one.
    Capable0,
    /// A router on the path is congested.
    CongestionExperienced,
}

impl Ecn {
    /// The code point in a traffic class or type of service.
    pub const fn of_traffic_class(class: u8) -> Self {
        match class & 0b11 {
            0b00 => Self::NotCapable,
            0b01 => Self::Capable1,
            0b10 => Self::Capable0,
            _ => Self::CongestionExperienced,
        }
    }

    /// The code point: 0 to 3.
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotCapable => 0b00,
            Self::Capable1 => 0b01,
            Self::Capable0 => 0b10,
            Self::CongestionExperienced => 0b11,
        }
    }
}
