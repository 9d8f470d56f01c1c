//! [`Pinger`]: when to ask which host, and what an answer means. Pure.

use core::{net::IpAddr, time::Duration};

use super::{
    packet::{Answer, Echo, Failure, Quoted},
    plan::Plan,
    request::{Request, TOKEN_LEN, is_ours, token},
    socket::Arrival,
    target::{Entry, State, Target},
};
use crate::error::Result;

/// Pings many targets. See the [module](super) for a loop.
///
/// Asking it what to do takes constant time while there is nothing to do, however many targets there are, so that a
/// server can ask at every turn. When something is due, it looks at all targets.
#[derive(Debug)]
pub struct Pinger<'t> {
    targets: &'t mut [Target],
    plan: Plan,
    cookie: u64,
    /// Where the next search for a due target begins, so that each has its turn.
    cursor: usize,
    /// No target that may be asked is due before.
    due: Duration,
    /// No request that waits is lost before.
    expiry: Duration,
    /// The number of requests that wait.
    waiting: usize,
    /// The number of requests since there was none, without those that are answered or over.
    burst: usize,
}

/// Later than every deadline.
const NEVER: Duration = Duration::MAX;

/// What an arrival means for a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The target has answered.
    Reply {
        /// The number of the request.
        sequence: u32,
        /// The round-trip time.
        rtt: Duration,
    },
    /// The target has answered a request again.
    Duplicate {
        /// The number of the request.
        sequence: u32,
    },
    /// A router or the target has reported that a request has failed.
    Failure {
        /// The number of the request.
        sequence: u32,
        /// Why.
        failure: Failure,
    },
}

/// A request whose time is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lost {
    /// The index of the target.
    pub target: usize,
    /// The number of the request.
    pub sequence: u32,
}

impl<'t> Pinger<'t> {
    /// Pings these targets, which are due in turns from `now` on, evenly spread over the interval.
    ///
    /// Replies are recognized by a number that is derived from `now`, in nanoseconds: no two pingers of a host should
    /// begin at the same one.
    pub fn new(targets: &'t mut [Target], plan: Plan, now: Duration) -> Self {
        let count = u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
        for (index, target) in targets.iter_mut().enumerate() {
            target.due = now + (plan.interval / count).saturating_mul(u32::try_from(index).unwrap_or(u32::MAX));
        }
        Self { targets, plan, cookie: scrambled(now), cursor: 0, due: now, expiry: NEVER, waiting: 0, burst: 0 }
    }

    /// The targets, in the order they were given.
    pub const fn targets(&self) -> &[Target] {
        self.targets
    }

    /// When to ask [`next_lost`](Self::next_lost) and [`next_request`](Self::next_request) again; `None` if no request
    /// waits and none is left. It may be too early, never too late: ask each until it returns `None`.
    pub fn deadline(&self) -> Option<Duration> {
        Some(self.due.min(self.expiry)).filter(|&deadline| deadline < NEVER)
    }

    /// The next request that is due; `None` if there is none now, and after 64 in a row without an answer, or fewer with a
    /// long payload: after a delay many targets are due at once, and their replies would overflow the socket. Receive,
    /// and ask again: the [deadline](Self::deadline) has passed already.
    pub fn next_request(&mut self, now: Duration) -> Option<Request> {
        let index = self.due_target(now)?;
        self.cursor = index + 1;
        self.waiting += 1;
        let (plan, cookie) = (self.plan, self.cookie);
        self.expiry = self.expiry.min(now.saturating_add(plan.timeout));
        let target = self.targets.get_mut(index)?;
        target.count += 1;
        target.statistics.sent += 1;
        // A loop that is late does not catch up in a burst.
        target.due = target.due.max(now.saturating_sub(plan.interval)).saturating_add(plan.interval);
        let sequence = target.count;
        *target.entry(sequence) = Entry { sent_at: now, state: State::Waiting };
        let token = token(cookie, index, sequence);
        Some(Request { target: index, sequence, to: target.addr, token, payload_len: plan.payload_len })
    }

    /// A target that is due and may be asked.
    fn due_target(&mut self, now: Duration) -> Option<usize> {
        if now < self.due || self.burst == self.plan.burst_max() {
            self.burst = 0;
            return None;
        }
        let count = self.targets.len();
        let mut turns = (self.cursor..count).chain(0..self.cursor.min(count));
        let is_due = |target: &Target| target.due <= now && target.may_ask(&self.plan);
        let found = turns.find(|&index| self.targets.get(index).is_some_and(is_due));
        self.burst += 1;
        if found.is_none() {
            self.burst = 0;
            let askable = self.targets.iter().filter(|target| target.may_ask(&self.plan));
            self.due = askable.map(|target| target.due).min().unwrap_or(NEVER);
        }
        found
    }

    /// Says when a request was sent, or that it could not be.
    pub fn sent(&mut self, request: &Request, at: Result<Duration>) {
        let Some(target) = self.targets.get_mut(request.target) else { return };
        let entry = target.entry(request.sequence);
        match at {
            Ok(at) => {
                entry.sent_at = at;
                self.expiry = self.expiry.min(at.saturating_add(self.plan.timeout));
            }
            Err(_) if entry.state == State::Waiting => {
                entry.state = State::Over;
                target.statistics.errors += 1;
                self.waits_no_more(request.target);
            }
            Err(_) => {}
        }
    }

    /// A request to this target is answered or over, so that there may be room for another.
    fn waits_no_more(&mut self, index: usize) {
        self.waiting = self.waiting.saturating_sub(1);
        self.burst = self.burst.saturating_sub(1);
        if self.waiting == 0 {
            self.expiry = NEVER;
        }
        let askable = self.targets.get(index).filter(|target| target.may_ask(&self.plan));
        self.due = askable.map_or(self.due, |target| self.due.min(target.due));
    }

    /// The next request whose time is over; `None` if there is none now.
    pub fn next_lost(&mut self, now: Duration) -> Option<Lost> {
        if now < self.expiry {
            return None;
        }
        let timeout = self.plan.timeout;
        let mut lost = self.targets.iter_mut().enumerate().filter_map(|(index, target)| {
            target.next_lost(now, timeout).map(|sequence| Lost { target: index, sequence })
        });
        if let Some(lost) = lost.next() {
            self.waits_no_more(lost.target);
            return Some(lost);
        }
        let oldest = self.targets.iter().filter_map(Target::waits_since).min();
        self.expiry = oldest.map_or(NEVER, |sent_at| sent_at.saturating_add(timeout));
        None
    }

    /// What an arrival means, and for which target; `None` if it answers no request of this pinger, or one whose time is
    /// over, and for a [send time](Answer::Sent).
    ///
    /// A reply must come from the target, unless it is a multicast or broadcast address, and repeat the whole payload.
    /// An error must quote a request to the target, and as much of the payload as it quotes must be ours.
    pub fn take(&mut self, arrival: &Arrival<'_>) -> Option<(usize, Outcome)> {
        match &arrival.answer {
            Answer::Reply(echo) => self.take_reply(echo, arrival),
            Answer::Failure(failure, quoted) => self.take_failure(*failure, quoted),
            Answer::Sent(quoted) => {
                self.take_send_time(quoted, arrival.at);
                None
            }
        }
    }

    fn take_reply(&mut self, echo: &Echo<'_>, arrival: &Arrival<'_>) -> Option<(usize, Outcome)> {
        let index = self.index_in(echo.payload)?;
        let (cookie, payload_len) = (self.cookie, self.plan.payload_len);
        let target = self.targets.get_mut(index)?;
        let sequence = target.number_of(echo.sequence)?;
        let is_whole = echo.payload.len() == usize::from(payload_len);
        if !is_whole || !is_ours(echo.payload, cookie, index, sequence) || !may_answer(target.ip(), arrival.from) {
            return None;
        }
        let entry = target.entry(sequence);
        let (state, rtt) = (entry.state, arrival.at.saturating_sub(entry.sent_at));
        match state {
            State::Waiting => {
                entry.state = State::Answered;
                target.statistics.add(rtt);
                self.waits_no_more(index);
                Some((index, Outcome::Reply { sequence, rtt }))
            }
            State::Answered => {
                target.statistics.duplicates += 1;
                Some((index, Outcome::Duplicate { sequence }))
            }
            State::Over => None,
        }
    }

    /// The kernel's time replaces that of the call.
    fn take_send_time(&mut self, quoted: &Quoted<'_>, at: Duration) {
        let Quoted { destination, request } = quoted;
        let Some(index) = self.index_in(request.payload) else { return };
        let cookie = self.cookie;
        let Some(target) = self.targets.get_mut(index).filter(|target| target.ip() == *destination) else { return };
        let Some(sequence) = target.number_of(request.sequence) else { return };
        let entry = target.entry(sequence);
        if entry.state == State::Waiting && is_ours(request.payload, cookie, index, sequence) {
            entry.sent_at = at;
        }
    }

    fn take_failure(&mut self, failure: Failure, quoted: &Quoted<'_>) -> Option<(usize, Outcome)> {
        let Quoted { destination, request } = quoted;
        let index = match self.index_in(request.payload) {
            Some(index) => index,
            // A router may quote no payload.
            None if request.payload.len() < TOKEN_LEN => {
                self.targets.iter().position(|target| target.ip() == *destination)?
            }
            None => return None,
        };
        let cookie = self.cookie;
        let target = self.targets.get_mut(index)?;
        let sequence = target.number_of(request.sequence)?;
        if target.ip() != *destination || !is_ours(request.payload, cookie, index, sequence) {
            return None;
        }
        let entry = target.entry(sequence);
        if entry.state != State::Waiting {
            return None;
        }
        entry.state = State::Over;
        target.statistics.errors += 1;
        self.waits_no_more(index);
        Some((index, Outcome::Failure { sequence, failure }))
    }

    /// The target that a whole token names.
    fn index_in(&self, payload: &[u8]) -> Option<usize> {
        let token: &[u8; TOKEN_LEN] = payload.first_chunk()?;
        let [_, _, _, _, _, _, _, _, index @ .., _, _, _, _] = token;
        usize::try_from(u32::from_be_bytes(*index)).ok().filter(|&index| index < self.targets.len())
    }
}

/// A host answers under its own address; many hosts answer a group, and the loopback address answers for none.
fn may_answer(asked: IpAddr, from: IpAddr) -> bool {
    let is_group = match asked {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    };
    asked == from || is_group || asked.is_unspecified()
}

/// A number in which all bits depend on all bits of the time (the finalizer of `SplitMix64`).
fn scrambled(now: Duration) -> u64 {
    let mut bits = (now.as_nanos() as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
