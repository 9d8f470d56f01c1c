//! [`InetSocket`]: a TCP or UDP socket, from `struct inet_diag_msg`.

use core::{
    net::{IpAddr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use super::{
    field,
    inet_filter::{BY_FAMILY, InetProtocol, REQUEST_LEN},
    message::{Attribute, Message, Request, RequestFlags, malformed},
    state::SocketState,
};
use crate::{
    error::Result,
    option::{AcceptQueue, SocketMemory, TcpInfo, TcpName},
};

/// The length of `struct inet_diag_msg`.
const HEADER_LEN: usize = 72;
/// `SOCK_DESTROY`
const DESTROY: u16 = 21;

/// What a TCP socket waits for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TimerKind {
    /// Retransmitting, or probing for a lost tail.
    Retransmit,
    /// Probing an idle connection.
    Keepalive,
    /// The end of `TIME-WAIT`.
    TimeWait,
    /// Probing a peer without room.
    ZeroWindow,
    /// A timer that this crate does not know, by the kernel's number.
    Other(u8),
}

/// The timer of a TCP socket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SocketTimer {
    /// What it is for.
    pub kind: TimerKind,
    /// The time left, in whole milliseconds.
    pub remaining: Duration,
    /// How often it has expired without an answer.
    pub expirations: u8,
}

/// A TCP or UDP socket of this host's network namespace, of any process.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "inet_diag_msg")]
#[non_exhaustive]
pub struct InetSocket {
    /// Its protocol.
    pub protocol: InetProtocol,
    /// Its state.
    pub state: SocketState,
    /// Its address; port 0 and the unspecified address if it is not bound.
    pub local: SocketAddr,
    /// The address of the peer; port 0 if there is none.
    pub peer: SocketAddr,
    /// The number of the interface it is bound to; 0: any.
    pub interface: u32,
    /// A number unique among all sockets of this host since boot.
    #[doc(alias = "SO_COOKIE")]
    pub cookie: u64,
    /// What it waits for.
    pub timer: Option<SocketTimer>,
    /// Bytes received and not read yet; of a listener, the pending connections.
    pub receive_queue: u32,
    /// Bytes written and not acknowledged yet; of a listener, the backlog.
    pub send_queue: u32,
    /// The user whose process created it.
    pub uid: u32,
    /// Its inode number, for [`owner`](super::owner); 0 if no process holds it, as in `TIME-WAIT`.
    pub inode: u32,
    /// Its mark. The kernel reveals it with `CAP_NET_ADMIN`.
    #[doc(alias = "SO_MARK")]
    pub mark: Option<u32>,
    /// Whether an IPv6 socket is limited to IPv6.
    #[doc(alias = "INET_DIAG_SKV6ONLY")]
    pub only_v6: Option<bool>,
    /// The number of its control group; since Linux 5.9.
    #[doc(alias = "INET_DIAG_CGROUP_ID")]
    pub cgroup: Option<u64>,
    /// The state of the connection, with [`Details::TCP_INFO`](super::Details::TCP_INFO).
    pub info: Option<TcpInfo>,
    /// The congestion control algorithm, with [`Details::CONGESTION`](super::Details::CONGESTION).
    pub congestion: Option<TcpName>,
    /// The type of service, with [`Details::TOS`](super::Details::TOS).
    pub tos: Option<u8>,
    /// The traffic class, with [`Details::TRAFFIC_CLASS`](super::Details::TRAFFIC_CLASS).
    pub traffic_class: Option<u8>,
    /// Which directions are shut down: 1 receiving, 2 sending; with [`Details::SHUTDOWN`](super::Details::SHUTDOWN).
    pub shutdown: Option<u8>,
    /// Its memory, with [`Details::MEMORY`](super::Details::MEMORY).
    pub memory: Option<SocketMemory>,
}

impl InetSocket {
    /// Reads a reply to a request for sockets of `protocol`; `None` for another message, or another family than IP.
    ///
    /// # Errors
    ///
    /// [`MalformedMessage`](crate::error::Cause::MalformedMessage).
    pub fn parse(protocol: InetProtocol, message: &Message<'_>) -> Result<Option<Self>> {
        if message.kind != BY_FAMILY {
            return Ok(None);
        }
        match field::u8(message.payload, 0).ok_or(malformed())? {
            field::INET | field::INET6 => {}
            _ => return Ok(None),
        }
        let mut socket = Self::from_header(protocol, message.payload).ok_or(malformed())?;
        for attribute in message.attributes(HEADER_LEN) {
            socket.take(&attribute?);
        }
        Ok(Some(socket))
    }

    fn from_header(protocol: InetProtocol, bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let interface = field::u32(bytes, 40)?;
        let cookie = u64::from(field::u32(bytes, 44)?) | u64::from(field::u32(bytes, 48)?) << 32;
        Some(Self {
            protocol,
            state: SocketState::new(field::u8(bytes, 1)?),
            local: addr(bytes, 4, 8, interface)?,
            peer: addr(bytes, 6, 24, interface)?,
            interface,
            cookie,
            timer: timer(bytes),
            receive_queue: field::u32(bytes, 56)?,
            send_queue: field::u32(bytes, 60)?,
            uid: field::u32(bytes, 64)?,
            inode: field::u32(bytes, 68)?,
            mark: None,
            only_v6: None,
            cgroup: None,
            info: None,
            congestion: None,
            tos: None,
            traffic_class: None,
            shutdown: None,
            memory: None,
        })
    }

    /// Takes one attribute, by the numbers of `linux/inet_diag.h`.
    fn take(&mut self, attribute: &Attribute<'_>) {
        match attribute.kind() {
            2 => self.info = Some(TcpInfo::from_bytes(attribute.bytes())),
            4 => self.congestion = Some(TcpName::padded(attribute.text())),
            5 => self.tos = attribute.u8(),
            6 => self.traffic_class = attribute.u8(),
            7 => self.memory = Some(SocketMemory::parse(attribute.bytes())),
            8 => self.shutdown = attribute.u8(),
            11 => self.only_v6 = attribute.u8().map(|value| value != 0),
            15 => self.mark = attribute.u32(),
            21 => self.cgroup = attribute.u64(),
            _ => {}
        }
    }

    /// How full a TCP listener's queue is; `None` for another socket.
    pub const fn accept_queue(&self) -> Option<AcceptQueue> {
        match self.state {
            SocketState::Listening => Some(AcceptQueue { len: self.receive_queue, backlog: self.send_queue }),
            _ => None,
        }
    }

    /// A request to close this socket: `struct inet_diag_req_v2` with its identity.
    pub(super) fn destruction(&self) -> Result<Request> {
        let mut header = [0; REQUEST_LEN];
        let family = if self.local.is_ipv4() { field::INET } else { field::INET6 };
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(to) = header.get_mut(at..at + bytes.len()) {
                to.copy_from_slice(bytes);
            }
        };
        put(0, &[family, self.protocol.number()]);
        put(4, &u32::MAX.to_ne_bytes());
        put(8, &self.local.port().to_be_bytes());
        put(10, &self.peer.port().to_be_bytes());
        for (at, addr) in [(12, self.local), (28, self.peer)] {
            match addr.ip() {
                IpAddr::V4(ip) => put(at, &ip.octets()),
                IpAddr::V6(ip) => put(at, &ip.octets()),
            }
        }
        put(44, &self.interface.to_ne_bytes());
        put(48, &(self.cookie as u32).to_ne_bytes());
        put(52, &((self.cookie >> 32) as u32).to_ne_bytes());
        Request::new(DESTROY, RequestFlags::empty(), &header)
    }
}

/// A link-local address is one of the interface that the socket is bound to.
fn addr(bytes: &[u8], port_at: usize, ip_at: usize, interface: u32) -> Option<SocketAddr> {
    let port = field::array(bytes, port_at).map(u16::from_be_bytes)?;
    match field::ip(field::u8(bytes, 0)?, bytes, ip_at)? {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(SocketAddrV6::new(ip, port, 0, interface).into()),
        ip => Some(SocketAddr::new(ip, port)),
    }
}

fn timer(bytes: &[u8]) -> Option<SocketTimer> {
    let kind = match field::u8(bytes, 2)? {
        0 => return None,
        1 => TimerKind::Retransmit,
        2 => TimerKind::Keepalive,
        3 => TimerKind::TimeWait,
        4 => TimerKind::ZeroWindow,
        other => TimerKind::Other(other),
    };
    let remaining = Duration::from_millis(field::u32(bytes, 52)?.into());
    Some(SocketTimer { kind, remaining, expirations: field::u8(bytes, 3)? })
}
