//! [`InetFilter`]: which TCP or UDP sockets the kernel lists.

use core::net::IpAddr;

use arrayvec::ArrayVec;

use super::{
    field,
    message::{Request, RequestFlags},
    state::SocketStates,
};
use crate::error::Result;

/// `SOCK_DIAG_BY_FAMILY`
pub(super) const BY_FAMILY: u16 = 20;
/// `INET_DIAG_REQ_BYTECODE`
const BYTECODE: u16 = 1;
/// The length of `struct inet_diag_req_v2`.
pub(super) const REQUEST_LEN: usize = 56;

/// A transport protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum InetProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl InetProtocol {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// The version of IP.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Family {
    V4,
    V6,
}

bitflags::bitflags! {
    /// Facts about a socket that cost the kernel extra work, and so are listed on request.
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
    pub struct Details: u8 {
        /// [`InetSocket::info`](super::InetSocket::info)
        #[doc(alias = "INET_DIAG_INFO")]
        const TCP_INFO = 1 << 1;
        /// [`InetSocket::congestion`](super::InetSocket::congestion)
        #[doc(alias = "INET_DIAG_CONG")]
        const CONGESTION = 1 << 3;
        /// [`InetSocket::tos`](super::InetSocket::tos)
        #[doc(alias = "INET_DIAG_TOS")]
        const TOS = 1 << 4;
        /// [`InetSocket::traffic_class`](super::InetSocket::traffic_class)
        #[doc(alias = "INET_DIAG_TCLASS")]
        const TRAFFIC_CLASS = 1 << 5;
        /// [`InetSocket::memory`](super::InetSocket::memory)
        #[doc(alias = "INET_DIAG_SKMEMINFO")]
        const MEMORY = 1 << 6;
        /// [`InetSocket::shutdown`](super::InetSocket::shutdown)
        #[doc(alias = "INET_DIAG_SHUTDOWN")]
        const SHUTDOWN = 1 << 7;
    }
}

/// An end of a connection that a filter accepts.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct End {
    port: Option<u16>,
    network: Option<(IpAddr, u8)>,
}

/// Which TCP or UDP sockets to list. The kernel selects them, so that the others cost no copy.
///
/// ```
/// use anet::diag::{Details, InetFilter, SocketStates};
///
/// let slow_clients = InetFilter::tcp()
///     .with_states(SocketStates::ESTABLISHED)
///     .with_local_port(6379)
///     .with_details(Details::TCP_INFO);
/// # let _ = slow_clients;
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[must_use]
pub struct InetFilter {
    protocol: InetProtocol,
    families: Option<Family>,
    states: SocketStates,
    local: End,
    peer: End,
    interface: Option<u32>,
    mark: Option<(u32, u32)>,
    details: Details,
}

impl InetFilter {
    const fn new(protocol: InetProtocol) -> Self {
        const ANY: End = End { port: None, network: None };
        Self {
            protocol,
            families: None,
            states: SocketStates::all(),
            local: ANY,
            peer: ANY,
            interface: None,
            mark: None,
            details: Details::empty(),
        }
    }

    /// All TCP sockets.
    pub const fn tcp() -> Self {
        Self::new(InetProtocol::Tcp)
    }

    /// All UDP sockets. They are [`Closed`](super::SocketState::Closed) or, with a peer,
    /// [`Established`](super::SocketState::Established).
    pub const fn udp() -> Self {
        Self::new(InetProtocol::Udp)
    }

    /// All sockets of this protocol.
    pub const fn of(protocol: InetProtocol) -> Self {
        Self::new(protocol)
    }

    /// Only IPv4 sockets.
    pub const fn with_only_v4(mut self) -> Self {
        self.families = Some(Family::V4);
        self
    }

    /// Only IPv6 sockets, including those that also serve IPv4.
    pub const fn with_only_v6(mut self) -> Self {
        self.families = Some(Family::V6);
        self
    }

    /// Only sockets in these states.
    pub const fn with_states(mut self, states: SocketStates) -> Self {
        self.states = states;
        self
    }

    /// Only sockets with this local port.
    pub const fn with_local_port(mut self, port: u16) -> Self {
        self.local.port = Some(port);
        self
    }

    /// Only sockets with this peer port.
    pub const fn with_peer_port(mut self, port: u16) -> Self {
        self.peer.port = Some(port);
        self
    }

    /// Only sockets with a local address in this network. An IPv4 network includes its addresses in IPv6 form
    /// (`::ffff:10.0.0.1`).
    pub const fn with_local_network(mut self, ip: IpAddr, prefix_len: u8) -> Self {
        self.local.network = Some((ip, prefix_len));
        self
    }

    /// Only sockets with a peer in this network.
    pub const fn with_peer_network(mut self, ip: IpAddr, prefix_len: u8) -> Self {
        self.peer.network = Some((ip, prefix_len));
        self
    }

    /// Only sockets bound to the interface with this number.
    #[doc(alias = "SO_BINDTODEVICE")]
    pub const fn with_interface(mut self, index: u32) -> Self {
        self.interface = Some(index);
        self
    }

    /// Only sockets whose mark is `mark` in the bits of `mask`; needs `CAP_NET_ADMIN`.
    #[doc(alias = "SO_MARK")]
    pub const fn with_mark(mut self, mark: u32, mask: u32) -> Self {
        self.mark = Some((mark, mask));
        self
    }

    /// Adds these details to each entry.
    pub const fn with_details(mut self, details: Details) -> Self {
        self.details = details;
        self
    }

    /// The protocol.
    pub const fn protocol(&self) -> InetProtocol {
        self.protocol
    }

    /// The families to list: the kernel lists one with each request.
    pub(super) const fn families(&self) -> &'static [Family] {
        match self.families {
            Some(Family::V4) => &[Family::V4],
            Some(Family::V6) => &[Family::V6],
            None => &[Family::V4, Family::V6],
        }
    }

    /// `struct inet_diag_req_v2` and the program that selects sockets.
    pub(super) fn request(&self, family: Family) -> Result<Request> {
        let mut header = [0; REQUEST_LEN];
        let [to_family, protocol, details, _, a, b, c, d, ..] = &mut header;
        *to_family = if family == Family::V4 { field::INET } else { field::INET6 };
        *protocol = self.protocol.number();
        *details = self.details.bits();
        [*a, *b, *c, *d] = self.states.bits().to_ne_bytes();
        let request = Request::new(BY_FAMILY, RequestFlags::DUMP, &header)?;
        let program = self.program();
        if program.is_empty() { Ok(request) } else { request.with_attribute(BYTECODE, &program) }
    }

    /// The conditions as the kernel's bytecode: all have to hold.
    fn program(&self) -> Program {
        let mut program = Program::new();
        condition_on_end(&mut program, SOURCE, self.local);
        condition_on_end(&mut program, DESTINATION, self.peer);
        if let Some(index) = self.interface {
            add(&mut program, INTERFACE, &index.to_ne_bytes());
        }
        if let Some((mark, mask)) = self.mark {
            let [a, b, c, d] = mark.to_ne_bytes();
            let [e, f, g, h] = mask.to_ne_bytes();
            add(&mut program, MARK, &[a, b, c, d, e, f, g, h]);
        }
        link(&mut program);
        program
    }
}

/// Two ends with a port and an IPv6 network, an interface, a mark: 28 + 28 + 8 + 12 bytes.
type Program = ArrayVec<u8, 96>;

/// `INET_DIAG_BC_S_COND`, `_D_COND`, `_DEV_COND`, `_MARK_COND`
const SOURCE: u8 = 7;
const DESTINATION: u8 = 8;
const INTERFACE: u8 = 9;
const MARK: u8 = 10;
/// The length of `struct inet_diag_bc_op`.
const OPERATION_LEN: usize = 4;

/// `struct inet_diag_hostcond`: family, prefix length, port or -1, address.
fn condition_on_end(program: &mut Program, code: u8, end: End) {
    if end == End::default() {
        return;
    }
    let mut condition = ArrayVec::<u8, 24>::new();
    let (family, prefix_len) = match end.network {
        None => (0, 0),
        Some((IpAddr::V4(_), prefix_len)) => (field::INET, prefix_len.min(32)),
        Some((IpAddr::V6(_), prefix_len)) => (field::INET6, prefix_len.min(128)),
    };
    condition.extend([family, prefix_len, 0, 0]);
    condition.extend(end.port.map_or(-1, i32::from).to_ne_bytes());
    match end.network {
        None => {}
        Some((IpAddr::V4(ip), _)) => condition.extend(ip.octets()),
        Some((IpAddr::V6(ip), _)) => condition.extend(ip.octets()),
    }
    add(program, code, &condition);
}

/// Adds an operation that goes on to the next one if its condition holds. The program has room for all conditions.
fn add(program: &mut Program, code: u8, condition: &[u8]) {
    let len = (OPERATION_LEN + condition.len()) as u8;
    let _ = program.try_extend_from_slice(&[code, len, 0, 0]);
    let _ = program.try_extend_from_slice(condition);
}

/// Makes each operation whose condition does not hold jump behind the end, where the kernel rejects a socket: 4 bytes
/// beyond it.
fn link(program: &mut Program) {
    let (mut at, end) = (0, program.len());
    while let Some([_, len, a, b]) = program.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) {
        [*a, *b] = ((end - at + OPERATION_LEN) as u16).to_ne_bytes();
        at += usize::from(*len).max(OPERATION_LEN);
    }
}
