//! What the kernel can report with a datagram, and how to ask for it.

use core::{net::IpAddr, time::Duration};

use rustix::{fd::BorrowedFd, net::AddressFamily};

use super::cmsg::{ControlMessage, Credentials, Decoder, Ecn};
use crate::{error::Result, option};

bitflags::bitflags! {
    /// What the kernel shall report with each datagram; see [`Datagram::request`](super::Datagram::request).
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    pub struct Request: u16 {
        /// The address that the datagram was sent to, and the interface.
        const LOCAL_ADDR = 1;
        /// DSCP and ECN.
        const TRAFFIC_CLASS = 1 << 1;
        /// The time to live, or the hop limit.
        const TTL = 1 << 2;
        /// When the datagram arrived.
        const TIME = 1 << 3;
        /// The length of joined datagrams: the kernel may join consecutive ones from one sender (GRO).
        const SEGMENTS = 1 << 4;
        /// How many datagrams were dropped.
        const DROPPED = 1 << 5;
        /// The process that sent the datagram, over Unix sockets.
        const CREDENTIALS = 1 << 6;
        /// Errors of datagrams sent before, through [`Datagram::recv_error`](super::Datagram::recv_error).
        const ERRORS = 1 << 7;
    }
}

/// What the kernel has reported with a datagram; `None` for what was not [requested](super::Datagram::request), or had
/// no room in the control buffer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Details {
    /// The address of this host that an answer should come from. For a datagram to a multicast or broadcast address it
    /// is that of the interface over IPv4, and `None` over IPv6.
    pub local_ip: Option<IpAddr>,
    /// The destination in the packet's header. An IPv6 socket reports IPv4 addresses as mapped ones.
    pub destination: Option<IpAddr>,
    /// The index of the interface.
    pub interface: Option<u32>,
    /// DSCP and ECN.
    pub traffic_class: Option<u8>,
    /// The time to live, or the hop limit.
    pub ttl: Option<u8>,
    /// When the datagram arrived, since the Unix epoch.
    pub time: Option<Duration>,
    /// The length of each joined datagram in bytes; the last may be shorter.
    pub segment_size: Option<u16>,
    /// How many datagrams the socket has dropped so far, since its buffer was full. The kernel reports nothing until
    /// the first.
    pub dropped: Option<u32>,
    /// The process that sent the datagram.
    pub credentials: Option<Credentials>,
}

impl Details {
    /// Collects them from control messages.
    pub fn of(messages: Decoder<'_>) -> Self {
        let mut details = Self::default();
        for message in messages {
            details.add(&message);
        }
        details
    }

    fn add(&mut self, message: &ControlMessage<'_>) {
        match *message {
            ControlMessage::PacketInfoV4(info) => {
                self.local_ip = Some(info.local.into());
                (self.destination, self.interface) = (Some(info.destination.into()), Some(info.interface));
            }
            ControlMessage::PacketInfoV6(info) => {
                let is_ours = !info.destination.to_canonical().is_multicast();
                self.local_ip = is_ours.then_some(info.destination.into());
                (self.destination, self.interface) = (Some(info.destination.into()), Some(info.interface));
            }
            ControlMessage::TypeOfService(class) | ControlMessage::TrafficClass(class) => {
                self.traffic_class = Some(class);
            }
            ControlMessage::TimeToLive(ttl) | ControlMessage::HopLimit(ttl) => self.ttl = Some(ttl),
            ControlMessage::Time(time) => self.time = Some(time),
            ControlMessage::JoinedSegments(len) => self.segment_size = Some(len),
            ControlMessage::Dropped(count) => self.dropped = Some(count),
            ControlMessage::Credentials(credentials) => self.credentials = Some(credentials),
            _ => {}
        }
    }

    /// The congestion bits of [`traffic_class`](Self::traffic_class).
    pub fn ecn(&self) -> Option<Ecn> {
        self.traffic_class.map(Ecn::of_traffic_class)
    }
}

/// Turns on the options for a request.
pub(super) fn request<'f>(fd: BorrowedFd<'f>, what: Request) -> Result<()> {
    const INET: u32 = AddressFamily::INET.as_raw() as u32;
    const INET6: u32 = AddressFamily::INET6.as_raw() as u32;
    let on =
        |flag, set: fn(BorrowedFd<'f>, bool) -> Result<()>| if what.contains(flag) { set(fd, true) } else { Ok(()) };
    on(Request::TIME, option::set_timestampns)?;
    on(Request::DROPPED, option::set_rxq_ovfl)?;
    match option::domain(fd)? {
        INET => {
            on(Request::LOCAL_ADDR, option::set_ip_pktinfo)?;
            over_v4(on)
        }
        INET6 => {
            on(Request::LOCAL_ADDR, option::set_ipv6_recvpktinfo)?;
            on(Request::TRAFFIC_CLASS, option::set_ipv6_recvtclass)?;
            on(Request::TTL, option::set_ipv6_recvhoplimit)?;
            on(Request::ERRORS, option::set_ipv6_recverr)?;
            // An IPv4 datagram on a dual-stack socket is reported by the options of IPv4, except for its address.
            if option::only_v6(fd)? { on(Request::SEGMENTS, option::set_udp_gro) } else { over_v4(on) }
        }
        _ => on(Request::CREDENTIALS, option::set_passcred),
    }
}

fn over_v4<'f>(on: impl Fn(Request, fn(BorrowedFd<'f>, bool) -> Result<()>) -> Result<()>) -> Result<()> {
    on(Request::TRAFFIC_CLASS, option::set_ip_recvtos)?;
    on(Request::TTL, option::set_ip_recvttl)?;
    on(Request::ERRORS, option::set_ip_recverr)?;
    on(Request::SEGMENTS, option::set_udp_gro)
}
