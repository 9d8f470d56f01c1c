//! [`Pinger`]: when to ask which host, and what an answer means. Pure.

use core::{
    net::{IpAddr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use super::{
    packet::{self, Answer, Echo, Failure, HEADER_LEN, Quoted, Version},
    socket::Arrival,
    statistics::Statistics,
};
use crate::error::{Errno, Error, Op, Result};

/// The requests to one target that may be unanswered at a time; further ones wait.
pub const WINDOW: usize = 32;

/// The part of the payload that makes it ours: the pinger's cookie, the target, the number of the request.
const TOKEN_LEN: usize = 16;

/// How a [`Pinger`] asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct Plan {
    interval: Duration,
    timeout: Duration,
    count: Option<u32>,
    payload_len: u16,
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
}

/// What has become of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Waiting,
    Answered,
    /// An error has arrived, or the time is over.
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    sent_at: Duration,
    state: State,
}

/// A host to ping, and how it has answered. About 800 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    addr: SocketAddr,
    /// The number of requests made so far, which is the number of the last one.
    count: u32,
    /// All requests before this one are over or answered.
    oldest: u32,
    due: Duration,
    window: [Entry; WINDOW],
    statistics: Statistics,
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

    fn entry(&mut self, number: u32) -> &mut Entry {
        // The index is below the length.
        &mut self.window[number as usize % WINDOW]
    }

    fn state(&self, number: u32) -> State {
        self.window.get(number as usize % WINDOW).map_or(State::Over, |entry| entry.state)
    }

    /// Whether another request may be made: the plan is not over, and the window not full.
    fn may_ask(&self, plan: &Plan) -> bool {
        plan.count.is_none_or(|count| self.count < count)
            && self.count < u32::MAX
            && self.state(self.count.wrapping_add(1)) != State::Waiting
    }

    /// When something is to be done for this target.
    fn deadline(&self, plan: &Plan) -> Option<Duration> {
        let due = self.may_ask(plan).then_some(self.due);
        let expiry = (self.oldest..=self.count)
            .find(|&number| self.state(number) == State::Waiting)
            .and_then(|number| self.window.get(number as usize % WINDOW))
            .map(|entry| entry.sent_at.saturating_add(plan.timeout));
        due.into_iter().chain(expiry).min()
    }

    /// The number of the request that waits and has this sequence number.
    fn number_of(&self, sequence: u16) -> Option<u32> {
        let behind = (self.count as u16).wrapping_sub(sequence);
        let number = self.count.checked_sub(behind.into()).filter(|&number| number > 0)?;
        (usize::from(behind) < WINDOW).then_some(number)
    }
}

/// Pings many targets. See the [module](super) for a loop.
#[derive(Debug)]
pub struct Pinger<'t> {
    targets: &'t mut [Target],
    plan: Plan,
    cookie: u64,
    /// Where the next search for a due target begins, so that each has its turn.
    cursor: usize,
}

/// A request to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request {
    /// The index of the target.
    pub target: usize,
    /// The number of the request to this target, from 1 on; its lower 16 bits are the sequence number in the packet.
    pub sequence: u32,
    /// Where to send it, with port 0.
    pub to: SocketAddr,
    token: [u8; TOKEN_LEN],
    payload_len: u16,
}

impl Request {
    /// Writes the ICMP message. A socket whose kernel sets the identifier and the checksum overwrites both.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if `buf` is too short.
    pub fn encode<'b>(&self, identifier: u16, buf: &'b mut [u8]) -> Result<&'b [u8]> {
        let len = HEADER_LEN + usize::from(self.payload_len);
        let message = buf.get_mut(..len).ok_or(Error::new(Op::SendTo, Errno::MSGSIZE))?;
        let version = if self.to.is_ipv4() { Version::V4 } else { Version::V6 };
        let header = [version.request(), 0, 0, 0].into_iter();
        let header = header.chain(identifier.to_be_bytes()).chain((self.sequence as u16).to_be_bytes());
        for (to, from) in message.iter_mut().zip(header.chain(payload(&self.token))) {
            *to = from;
        }
        if version == Version::V4 {
            let [high, low] = packet::checksum(message).to_be_bytes();
            if let [_, _, a, b, ..] = message {
                (*a, *b) = (high, low);
            }
        }
        Ok(message)
    }
}

/// The token, and then bytes that count up.
fn payload(token: &[u8; TOKEN_LEN]) -> impl Iterator<Item = u8> {
    token.iter().copied().chain((TOKEN_LEN as u8..=u8::MAX).chain(core::iter::repeat(0..=u8::MAX).flatten()))
}

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
        Self { targets, plan, cookie: scrambled(now), cursor: 0 }
    }

    /// The targets, in the order they were given.
    pub const fn targets(&self) -> &[Target] {
        self.targets
    }

    /// When the pinger has something to do: a request is due, or lost. `None` if all requests are answered or over.
    pub fn deadline(&self) -> Option<Duration> {
        self.targets.iter().filter_map(|target| target.deadline(&self.plan)).min()
    }

    /// The next request that is due; `None` if there is none now.
    pub fn next_request(&mut self, now: Duration) -> Option<Request> {
        let count = self.targets.len();
        let turns = (self.cursor..count).chain(0..self.cursor.min(count));
        let is_due = |target: &Target| target.due <= now && target.may_ask(&self.plan);
        let index = turns.into_iter().find(|&index| self.targets.get(index).is_some_and(is_due))?;
        self.cursor = index + 1;
        let (plan, cookie) = (self.plan, self.cookie);
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

    /// Says when a request was sent, or that it could not be.
    pub fn sent(&mut self, request: &Request, at: Result<Duration>) {
        let Some(target) = self.targets.get_mut(request.target) else { return };
        let entry = target.entry(request.sequence);
        match at {
            Ok(at) => entry.sent_at = at,
            Err(_) => {
                entry.state = State::Over;
                target.statistics.errors += 1;
            }
        }
    }

    /// The next request whose time is over; `None` if there is none now.
    pub fn next_lost(&mut self, now: Duration) -> Option<Lost> {
        let timeout = self.plan.timeout;
        for (index, target) in self.targets.iter_mut().enumerate() {
            while target.oldest <= target.count {
                let number = target.oldest;
                let entry = target.entry(number);
                if entry.state == State::Waiting {
                    if entry.sent_at.saturating_add(timeout) > now {
                        break;
                    }
                    entry.state = State::Over;
                    target.oldest += 1;
                    return Some(Lost { target: index, sequence: number });
                }
                target.oldest += 1;
            }
        }
        None
    }

    /// What an arrival means, and for which target; `None` if it answers no request of this pinger, or one whose time is
    /// over.
    ///
    /// A reply must come from the target, unless it is a multicast or broadcast address, and repeat the whole payload.
    /// An error must quote a request to the target, and as much of the payload as it quotes must be ours.
    pub fn take(&mut self, arrival: &Arrival<'_>) -> Option<(usize, Outcome)> {
        match &arrival.answer {
            Answer::Reply(echo) => self.take_reply(echo, arrival),
            Answer::Failure(failure, quoted) => self.take_failure(*failure, quoted),
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
                Some((index, Outcome::Reply { sequence, rtt }))
            }
            State::Answered => {
                target.statistics.duplicates += 1;
                Some((index, Outcome::Duplicate { sequence }))
            }
            State::Over => None,
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
        Some((index, Outcome::Failure { sequence, failure }))
    }

    /// The target that a whole token names.
    fn index_in(&self, payload: &[u8]) -> Option<usize> {
        let token: &[u8; TOKEN_LEN] = payload.first_chunk()?;
        let [_, _, _, _, _, _, _, _, index @ .., _, _, _, _] = token;
        usize::try_from(u32::from_be_bytes(*index)).ok().filter(|&index| index < self.targets.len())
    }
}

/// Whether all of these bytes, which may be fewer, are those of the request.
fn is_ours(bytes: &[u8], cookie: u64, index: usize, sequence: u32) -> bool {
    bytes.iter().copied().zip(payload(&token(cookie, index, sequence))).all(|(found, sent)| found == sent)
}

fn token(cookie: u64, index: usize, sequence: u32) -> [u8; TOKEN_LEN] {
    let numbers = u128::from(cookie) << 64 | u128::from(index as u32) << 32 | u128::from(sequence);
    numbers.to_be_bytes()
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
