//! [`Target`]: a host to ping, and what has become of its requests. Pure.

use core::{
    net::{IpAddr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use super::{plan::Plan, statistics::Statistics};

/// The requests to one target that may be unanswered at a time; further ones wait.
pub const WINDOW: usize = 32;

/// What has become of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Waiting,
    Answered,
    /// An error has arrived, or the time is over.
    Over,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) sent_at: Duration,
    pub(super) state: State,
}

/// A host to ping, and how it has answered. About 800 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub(super) addr: SocketAddr,
    /// The number of requests made so far, which is the number of the last one.
    pub(super) count: u32,
    /// All requests before this one are over or answered.
    oldest: u32,
    pub(super) due: Duration,
    window: [Entry; WINDOW],
    pub(super) statistics: Statistics,
}

impl Target {
    /// A host by its address. A link-local IPv6 address needs a [zone](Self::with_zone).
    pub const fn new(ip: IpAddr) -> Self {
        const UNUSED: Entry = Entry { sent_at: Duration::ZERO, state: State::Over };
        Self {
            addr: SocketAddr::new(ip, 0),
            count: 0,
            oldest: 1,
            due: Duration::ZERO,
            window: [UNUSED; WINDOW],
            statistics: Statistics {
                sent: 0,
                received: 0,
                duplicates: 0,
                errors: 0,
                rtt_min: Duration::ZERO,
                rtt_max: Duration::ZERO,
                sum: 0,
                sum_of_squares: 0,
            },
        }
    }

    /// The same through the interface with this number; IPv4 ignores it.
    #[must_use]
    pub const fn with_zone(mut self, index: u32) -> Self {
        if let IpAddr::V6(ip) = self.addr.ip() {
            self.addr = SocketAddr::V6(SocketAddrV6::new(ip, 0, 0, index));
        }
        self
    }

    /// The address.
    pub const fn ip(&self) -> IpAddr {
        self.addr.ip()
    }

    /// How it has answered.
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    pub(super) fn entry(&mut self, number: u32) -> &mut Entry {
        // The index is below the length.
        &mut self.window[number as usize % WINDOW]
    }

    fn state(&self, number: u32) -> State {
        self.window.get(number as usize % WINDOW).map_or(State::Over, |entry| entry.state)
    }

    /// Whether another request may be made: the plan is not over, and the window not full.
    pub(super) fn may_ask(&self, plan: &Plan) -> bool {
        plan.count.is_none_or(|count| self.count < count)
            && self.count < u32::MAX
            && self.state(self.count.wrapping_add(1)) != State::Waiting
    }

    /// When the oldest request that waits was sent.
    pub(super) fn waits_since(&self) -> Option<Duration> {
        let oldest = (self.oldest_kept()..=self.count).find(|&number| self.state(number) == State::Waiting)?;
        self.window.get(oldest as usize % WINDOW).map(|entry| entry.sent_at)
    }

    /// The oldest request that the window holds and that may wait. Earlier ones have given their place to later ones.
    fn oldest_kept(&self) -> u32 {
        self.oldest.max(self.count.saturating_sub(WINDOW as u32 - 1))
    }

    /// Ends the oldest request that waits if its time is over.
    pub(super) fn next_lost(&mut self, now: Duration, timeout: Duration) -> Option<u32> {
        self.oldest = self.oldest_kept();
        while self.oldest <= self.count {
            let number = self.oldest;
            let entry = self.entry(number);
            if entry.state == State::Waiting {
                if entry.sent_at.saturating_add(timeout) > now {
                    return None;
                }
                entry.state = State::Over;
                self.oldest += 1;
                return Some(number);
            }
            self.oldest += 1;
        }
        None
    }

    /// The number of the request that waits and has this sequence number.
    pub(super) fn number_of(&self, sequence: u16) -> Option<u32> {
        let behind = (self.count as u16).wrapping_sub(sequence);
        let number = self.count.checked_sub(behind.into()).filter(|&number| number > 0)?;
        (usize::from(behind) < WINDOW).then_some(number)
    }
}
