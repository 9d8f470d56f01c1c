//! [`Connector`]: the settings of outgoing connections.

use core::{net::SocketAddr, time::Duration};

use rustix::fd::AsFd;

use super::LocalAddr;
use crate::{
    addr::Endpoint,
    error::{Errno, Error, Op, Result},
    option::SocketOptions,
    stream::Stream,
    sys,
};

/// The settings of outgoing connections: socket options, source address, and time limits for each attempt and for all
/// attempts together.
///
/// ```
/// use anet::{SocketOptions, connect::Connector};
/// use core::{net::SocketAddr, time::Duration};
///
/// let connector = Connector::new()
///     .with_options(SocketOptions::new().with_tcp_nodelay(true))
///     .with_attempt_timeout(Some(Duration::from_millis(250)))
///     .with_timeout(Some(Duration::from_secs(1)));
/// # let _ = connector;
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connector {
    options: SocketOptions,
    source: LocalAddr,
    attempt_timeout: Option<Duration>,
    timeout: Option<Duration>,
}

impl Connector {
    /// A connector without options, with any source address and the kernel's time limit: on Linux about two minutes for
    /// each address (`net.ipv4.tcp_syn_retries`).
    pub const fn new() -> Self {
        Self { options: SocketOptions::new(), source: LocalAddr::Any, attempt_timeout: None, timeout: None }
    }

    /// Sets the options of the sockets before they connect: mark, device, buffers, congestion control and all others
    /// that must apply to the first packet. Options for listening sockets are ignored.
    #[must_use]
    pub const fn with_options(mut self, options: SocketOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets the source address.
    #[must_use]
    pub const fn with_local_addr(mut self, source: LocalAddr) -> Self {
        self.source = source;
        self
    }

    /// Sets the time limit for one address; after it, the next address is tried.
    #[must_use]
    pub const fn with_attempt_timeout(mut self, time: Option<Duration>) -> Self {
        self.attempt_timeout = time;
        self
    }

    /// Sets the time limit for all addresses together.
    #[must_use]
    pub const fn with_timeout(mut self, time: Option<Duration>) -> Self {
        self.timeout = time;
        self
    }

    pub(super) const fn options(&self) -> &SocketOptions {
        &self.options
    }

    pub(super) const fn source(&self) -> LocalAddr {
        self.source
    }

    /// The time limit for one address.
    pub const fn attempt_timeout(&self) -> Option<Duration> {
        self.attempt_timeout
    }

    /// The time limit for all addresses together.
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Starts connecting to one address without waiting, with no calls but `socket` and `connect`, and those for a
    /// source address and options. The connection is in progress or already established.
    pub(crate) fn begin(&self, endpoint: &Endpoint) -> Result<Stream> {
        let bound = self.begin_from(endpoint, self.source.addr());
        match self.source {
            LocalAddr::BestEffort(_) => bound.or_else(|_| self.begin_from(endpoint, None)),
            LocalAddr::Any | LocalAddr::Bound(_) => bound,
        }
    }

    fn begin_from(&self, endpoint: &Endpoint, source: Option<SocketAddr>) -> Result<Stream> {
        let fd = super::socket(endpoint, source, &self.options, true)?;
        match sys::connect(fd.as_fd(), endpoint) {
            // An interrupted TCP connect continues in the kernel and must not be repeated.
            Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(Stream::from(fd)),
            Err(errno) => Err(Error::new(Op::Connect, errno)),
        }
    }
}

/// A connector without options and time limits.
impl From<LocalAddr> for Connector {
    fn from(source: LocalAddr) -> Self {
        Self::new().with_local_addr(source)
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}
