//! The host's network: its interfaces and addresses, its sockets and the processes that own them. Linux only.
//!
//! Nothing here allocates: the kernel's messages go into the caller's buffer, and entries are values. 8 KiB are enough
//! for any listing; with 32 KiB the kernel sends more at a time. A listing is never silently incomplete: if the kernel
//! interrupts it, or the buffer is too short, its last entry is an error.
//!
//! | question | answer |
//! |---|---|
//! | which interfaces and addresses does this host have? | [`Route`] |
//! | what has changed? | [`Changes`] |
//! | which sockets are there, how full are their queues? | [`SockDiag`] |
//! | which socket has this port? | [`holder`](holder()) |
//! | which process holds this socket? | [`owner`] |
//! | anything else that netlink knows | [`netlink`] |

pub(crate) mod field;
mod holder;
mod inet_filter;
mod inet_socket;
mod interface;
mod interface_addr;
mod message;
pub mod netlink;
mod netlink_error;
pub mod owner;
mod route;
mod sock_diag;
mod state;
mod unix_socket;

pub use holder::{Holder, holder};
pub use inet_filter::{Details, InetFilter, InetProtocol};
pub use inet_socket::{InetSocket, SocketTimer, TimerKind};
pub use interface::{HardwareAddr, Interface, InterfaceCounters, InterfaceFlags, OperationalState};
pub use interface_addr::{AddrFlags, AddrScope, InterfaceAddr};
pub use netlink_error::NetlinkError;
pub use route::{Addresses, Change, Changes, Interfaces, Route};
pub use sock_diag::{InetSockets, SockDiag, UnixSockets};
pub use state::{SocketState, SocketStates};
pub use unix_socket::{UnixFile, UnixKind, UnixSocket};
