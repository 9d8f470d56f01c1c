//! [`ListenOptions`]: how one listener of a server is served.

use core::time::Duration;

use crate::accept::{Acceptor, Reason};

/// How the connections of one listener are accepted and treated.
///
/// ```
/// use anet::server::ListenOptions;
/// use core::time::Duration;
///
/// const ADMIN: u64 = 1;
/// let options = ListenOptions::new().with_tag(ADMIN).with_idle_timeout(Some(Duration::from_secs(3600)));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct ListenOptions {
    pub(super) acceptor: Acceptor,
    pub(super) treatment: Treatment,
}

/// How the connections of a listener are treated once they are accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Treatment {
    pub(super) idle_timeout: Option<Option<Duration>>,
    pub(super) rejection: Option<fn(Reason) -> &'static [u8]>,
    pub(super) tag: u64,
}

impl ListenOptions {
    /// The settings of the server, and the tag 0.
    pub const fn new() -> Self {
        Self { acceptor: Acceptor::new(), treatment: Treatment { idle_timeout: None, rejection: None, tag: 0 } }
    }

    /// Sets how many connections are accepted at a time, and how long accepting pauses.
    #[must_use]
    pub const fn with_acceptor(mut self, acceptor: Acceptor) -> Self {
        self.acceptor = acceptor;
        self
    }

    /// The idle timeout of this listener's connections instead of the server's; `None`: no timeout.
    #[must_use]
    pub const fn with_idle_timeout(mut self, time: Option<Duration>) -> Self {
        self.treatment.idle_timeout = Some(time);
        self
    }

    /// The text that rejected clients of this listener read, instead of the server's.
    #[must_use]
    pub const fn with_rejection(mut self, text: fn(Reason) -> &'static [u8]) -> Self {
        self.treatment.rejection = Some(text);
        self
    }

    /// A number that this listener's connections [carry](super::Connection::tag): which protocol they speak, say.
    #[must_use]
    pub const fn with_tag(mut self, tag: u64) -> Self {
        self.treatment.tag = tag;
        self
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self::new()
    }
}
