//! [`Connector`]: how to connect, said once for all connections made with it.

use core::{net::SocketAddr, time::Duration};

use rustix::fd::AsFd;

use super::Source;
use crate::{
    addr::Endpoint,
    error::{Errno, Error, Op, Result},
    stream::Stream,
    sys,
};

/// Options of outgoing connections: the source address, and how long an attempt and all of them may take.
///
/// ```
/// use anet::connect::Connector;
/// use core::{net::SocketAddr, time::Duration};
///
/// let connector = Connector::new()
///     .with_attempt_timeout(Some(Duration::from_millis(250)))
///     .with_timeout(Some(Duration::from_secs(1)));
/// # let _ = connector;
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connector {
    source: Source,
    attempt_timeout: Option<Duration>,
    timeout: Option<Duration>,
}

impl Connector {
    /// Any source address, and as long as the kernel tries: on Linux about two minutes for each address
    /// (`net.ipv4.tcp_syn_retries`).
    pub const fn new() -> Self {
        Self { source: Source::Any, attempt_timeout: None, timeout: None }
    }

    /// The address that connections come from.
    #[must_use]
    pub const fn with_source(mut self, source: Source) -> Self {
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

    /// How long one address may take.
    pub const fn attempt_timeout(&self) -> Option<Duration> {
        self.attempt_timeout
    }

    /// How long all addresses together may take.
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Begins to connect to one address, without waiting: `socket` and `connect` and no other call, unless a source
    /// address is bound. The connection is under way, or made already.
    pub(crate) fn begin(&self, endpoint: &Endpoint) -> Result<Stream> {
        let bound = begin(endpoint, self.source.addr());
        match self.source {
            Source::BestEffort(_) => bound.or_else(|_| begin(endpoint, None)),
            Source::Any | Source::Bound(_) => bound,
        }
    }
}

fn begin(endpoint: &Endpoint, source: Option<SocketAddr>) -> Result<Stream> {
    let fd = super::socket(endpoint, source, true)?;
    match sys::connect(fd.as_fd(), endpoint) {
        // An interrupted connect over TCP goes on by itself, and calling it again would only confuse.
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(Stream::from(fd)),
        Err(errno) => Err(Error::with_addr(Op::Connect, errno, endpoint)),
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}
