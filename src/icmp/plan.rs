//! [`Plan`]: how often to ask, and with what.

use core::time::Duration;

use super::request::TOKEN_LEN;

/// How a [`Pinger`](super::Pinger) asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct Plan {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) count: Option<u32>,
    pub(super) payload_len: u16,
}

/// One request a second without an end, each with 56 bytes and 10 s to be answered, as `ping(8)` does.
impl Default for Plan {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), timeout: Duration::from_secs(10), count: None, payload_len: 56 }
    }
}

impl Plan {
    /// The time between two requests to a target.
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long a request waits for its reply. A later one is ignored.
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The number of requests to each target; `None`: no end.
    pub const fn with_count(mut self, count: Option<u32>) -> Self {
        self.count = count;
        self
    }

    /// The length of a request's payload in bytes, at least 16, which identify it; the ICMP header has 8 more. IPv4
    /// carries 65507 at most.
    pub const fn with_payload_len(mut self, payload_len: u16) -> Self {
        self.payload_len = if payload_len < TOKEN_LEN as u16 { TOKEN_LEN as u16 } else { payload_len };
        self
    }

    /// The most requests in a row, so that a receive buffer of Linux's default size, 208 KiB, has room for the replies.
    pub(super) fn burst_max(&self) -> usize {
        /// Less than the buffer.
        const ROOM: usize = 128 * 1024;
        // The kernel counts its own structures and unused memory too.
        let reply_len = 2 * (usize::from(self.payload_len) + 512);
        (ROOM / reply_len).clamp(1, 64)
    }
}
