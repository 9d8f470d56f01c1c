//! [`Connector`]: how to connect, said once for all connections made with it.

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

/// How outgoing connections are made: their options, the source address, and how long an attempt and all of them may
/// take.
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
    /// No options, any source address, and as long as the kernel tries: on Linux about two minutes for each address
    /// (`net.ipv4.tcp_syn_retries`).
    pub const fn new() -> Self {
        Self { options: SocketOptions::new(), source: LocalAddr::Any, attempt_timeout: None, timeout: None }
    }

    /// What the sockets are like, before they connect: mark, device, buffers, congestion control and everything else that
    /// must be there for the first packet. Of the value, what concerns serving sockets alone is passed over.
    #[must_use]
    pub const fn with_options(mut self, options: SocketOptions) -> Self {
        self.options = options;
        self
    }

    /// The address that connections come from.
    #[must_use]
    pub const fn with_local_addr(mut self, source: LocalAddr) -> Self {
        self.source = source;
        self
    }

    /// How long one address may take before the next one is tried.
    #[must_use]
    pub const fn with_attempt_timeout(mut self, time: Option<Duration>) -> Self {
        self.attempt_timeout = time;
        self
    }

    /// How long all addresses together may take.
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

    /// How long one address may take.
    pub const fn attempt_timeout(&self) -> Option<Duration> {
        self.attempt_timeout
    }

    /// How long all addresses together may take.
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Begins to connect to one address, without waiting: `socket` and `connect` and no other call, but for a source
    /// address and options. The connection is under way, or made already.
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
            // An interrupted connect over TCP goes on by itself, and calling it again would only confuse.
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
