//! [`Connector`]: the settings of outgoing connections.

use core::{net::SocketAddr, time::Duration};

use super::{
    LocalAddr,
    race::{Attempt, Order, Race, STAGGER_DEFAULT},
};
use crate::option::SocketOptions;

/// The settings of outgoing connections: socket options, source address, the order and the stagger of the attempts, and
/// the time limit.
///
/// ```
/// use anet::{SocketOptions, connect::Connector};
/// use core::time::Duration;
///
/// let connector = Connector::new()
///     .with_options(SocketOptions::new().with_tcp_nodelay(true))
///     .with_stagger(Duration::from_millis(100))
///     .with_timeout(Some(Duration::from_secs(1)));
/// # let _ = connector;
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connector {
    options: SocketOptions,
    source: LocalAddr,
    order: Order,
    stagger: Duration,
    timeout: Option<Duration>,
}

impl Connector {
    /// A connector without options, with any source address. Attempts begin in the order of the list,
    /// [`STAGGER_DEFAULT`] apart; each has the kernel's time limit: on Linux about two minutes
    /// (`net.ipv4.tcp_syn_retries`).
    pub const fn new() -> Self {
        Self {
            options: SocketOptions::new(),
            source: LocalAddr::Any,
            order: Order::Listed,
            stagger: STAGGER_DEFAULT,
            timeout: None,
        }
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

    /// Sets the order in which the addresses are tried.
    #[must_use]
    pub const fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    #[cfg(feature = "dns")]
    pub(crate) const fn order(&self) -> Order {
        self.order
    }

    /// Sets how long an attempt runs before the next begins beside it; see [`Race::with_stagger`].
    #[must_use]
    pub const fn with_stagger(mut self, time: Duration) -> Self {
        self.stagger = time;
        self
    }

    /// Sets the time limit for all addresses together.
    #[must_use]
    pub const fn with_timeout(mut self, time: Option<Duration>) -> Self {
        self.timeout = time;
        self
    }

    /// The time limit for all addresses together.
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The race of attempts that start at `now`.
    pub fn race(&self, now: Duration) -> Race {
        let deadline = self.timeout.map(|time| now.saturating_add(time));
        let race = Race::new().with_stagger(self.stagger).with_order(self.order).with_deadline(deadline);
        match self.source {
            LocalAddr::BestEffort(_) => race.with_optional_source(),
            LocalAddr::Any | LocalAddr::Bound(_) => race,
        }
    }

    pub(crate) const fn options(&self) -> &SocketOptions {
        &self.options
    }

    /// The source address of an attempt.
    pub(crate) fn source_of(&self, attempt: Attempt) -> Option<SocketAddr> {
        self.source.addr().filter(|_| attempt.has_source)
    }
}

/// A connector with this source address and the defaults.
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
