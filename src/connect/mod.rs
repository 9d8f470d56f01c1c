//! Connecting: TCP and Unix, blocking or not, to one of several addresses.
//!
//! The attempts are staggered as RFC 8305 ("Happy Eyeballs") describes: the next begins when one fails, and otherwise
//! 250 ms after the last, beside it. The first that connects wins, and the others are closed: an address that does not
//! answer costs a quarter of a second. If all fail, the most telling error is returned, and the list can be printed.
//! Every socket is close-on-exec and has the options of its [`Connector`] before it connects; a TCP socket with a
//! source address also has `SO_REUSEADDR`. A socket that is connected to itself counts as refused.
//!
//! [`blocking`] waits. [`Pending`] does either, and has the list of attempts; [`Server`](crate::server::Server) has
//! outgoing connections of its own. [`race`] decides what begins when, for a loop of your own.
//!
//! ```
//! use anet::{Endpoint, connect::{Connector, Pending}};
//! use core::time::Duration;
//!
//! # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let (dead, live) = ("127.0.0.1:1".parse()?, Endpoint::from(server.local_addr()?));
//! let mut pending = Pending::new([dead, live], Connector::new().with_timeout(Some(Duration::from_secs(3))));
//! let stream = pending.wait()?;
//! assert_eq!(stream.peer_addr()?, live);
//! for tried in pending.attempts() {
//!     println!("{}: {:?} after {:?}", tried.endpoint, tried.outcome, tried.took);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod attempt;
mod candidates;
mod connector;
mod log;
mod pending;
pub mod race;

use core::net::SocketAddr;

pub use connector::Connector;
pub use log::Outcome;
pub use pending::{Pending, Tried};

use crate::{addr::Endpoint, error::AddrError, stream::Stream};

/// The source address of a TCP connection.
///
/// With port 0 the kernel chooses the port in `connect`, so that connections to different peers can share a port
/// (`IP_BIND_ADDRESS_NO_PORT`, Linux). Ignored for Unix sockets.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LocalAddr {
    /// The address that routing chooses.
    #[default]
    Any,
    /// This address; if it cannot be used, connecting fails.
    Bound(SocketAddr),
    /// This address if connecting from it succeeds, otherwise any: an address that fails is tried again without it,
    /// after all others.
    BestEffort(SocketAddr),
}

impl LocalAddr {
    const fn addr(self) -> Option<SocketAddr> {
        match self {
            Self::Any => None,
            Self::Bound(addr) | Self::BestEffort(addr) => Some(addr),
        }
    }
}

/// Connects and waits, within the connector's time limit. The returned stream is blocking.
///
/// ```
/// use anet::{Endpoint, SocketOptions, connect::{self, Connector}};
/// use core::time::Duration;
///
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let server_addr = Endpoint::from(server.local_addr()?);
/// let connector = Connector::new()
///     .with_options(SocketOptions::new().with_tcp_nodelay(true))
///     .with_timeout(Some(Duration::from_secs(1)));
/// let stream = connect::blocking(&[server_addr], connector)?;
/// assert!(stream.nodelay()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`Pending::advance`].
#[doc(alias = "connect")]
pub fn blocking(endpoints: &[Endpoint], connector: impl Into<Connector>) -> Result<Stream, AddrError> {
    Pending::new(endpoints, connector).wait()
}
