//! [`Acceptor`]: how many connections to accept at a wake-up, and what to do when resources run out.
//!
//! A failed accept costs as much as a successful one (2.9 us and 2.7 us, measured on Linux 6.18), so the acceptor
//! accepts exactly what waits: it asks for the length of the queue, which costs a sixth of that. Errors of single
//! connections are counted and skipped. When descriptors or memory run out, or when a listener that is reported
//! readable repeatedly yields nothing, accepting pauses for a while, by the caller's clock.
//!
//! It holds no descriptor, no clock and no memory but its own.

use core::time::Duration;

use rustix::fd::AsFd;

use super::{BatchEnd, BatchOutcome, Counters, Outcome, Probe, Reserve, Watch, backoff::Backoff};
use crate::{
    addr::Endpoint,
    error::{Errno, Error, Op, Result, ResultExt},
    listen::Listener,
    stream::Stream,
    sys,
};

/// The default limit on connections per wake-up, as in Redis.
#[doc(alias = "max-new-connections-per-cycle")]
pub const LIMIT_DEFAULT: usize = 10;

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How many turns in a row may take nothing before the acceptor checks the listener itself. A single one looks like a
/// lost race with another process.
const PATIENCE: u8 = 2;

/// Accepts for one listener: a burst at each wake-up, with no call that is likely to fail.
///
/// For level-triggered interest. With edge-triggered interest, call it again by yourself after
/// [`BatchEnd::LimitReached`] and after a pause.
///
/// Times are [`Duration`]s since an epoch of the caller's choosing, read from a clock that does not go back
/// (`CLOCK_MONOTONIC`).
///
/// ```
/// use anet::{SocketOptions, accept::{Acceptor, Watch}, event::{Events, Interest, Poller}, listen};
/// use std::time::Instant;
///
/// const LISTENER: u64 = 0;
///
/// let listener = listen::tcp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
/// let poller = Poller::new()?;
/// poller.add(&listener, LISTENER, Interest::READABLE)?;
/// # let client = std::net::TcpStream::connect(listener.local_addr()?.to_string())?;
///
/// let mut acceptor = Acceptor::new();
/// let mut connections = Vec::new();
/// let mut events = Events::<64>::new();
/// let start = Instant::now();
/// while connections.is_empty() {
///     let timeout = acceptor.resume_at().map(|at| at.saturating_sub(start.elapsed()));
///     poller.wait(&mut events, timeout)?;
///     let now = start.elapsed();
///     if acceptor.resume(now) {
///         poller.modify(&listener, LISTENER, Interest::READABLE)?;
///     }
///     for event in events.iter().filter(|event| event.key() == LISTENER) {
///         let turn = acceptor.accept(&listener, now, |stream, _peer| connections.push(stream));
///         match turn.watch {
///             Watch::Keep => {}
///             Watch::Pause { .. } => poller.modify(&listener, LISTENER, Interest::empty())?,
///             Watch::Stop => poller.delete(&listener)?,
///         }
///     }
/// }
///
/// // Wherever a descriptor is closed:
/// connections.clear();
/// if acceptor.notify_release() {
///     poller.modify(&listener, LISTENER, Interest::READABLE)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "acceptor")]
pub struct Acceptor {
    limit: usize,
    queue: Queue,
    /// Whether it pays to ask how many wait.
    probe: Probe,
    backoff: Backoff,
    /// The reason for the pause, while there is one.
    last_end: BatchEnd,
    /// Whether resources ran out at the last turn.
    under_pressure: bool,
    /// How many turns in a row took nothing.
    fruitless: u8,
    counters: Counters,
}

/// How to ask what waits on the listener. It never changes, so it is detected once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Queue {
    Unknown,
    /// TCP: the kernel reports how many.
    #[cfg(target_os = "linux")]
    Counted,
    /// Unix sockets and other systems: the kernel reports whether there is one.
    Polled,
}

/// What waits on a listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Waiting {
    Exactly(usize),
    OneAtLeast,
}

impl Acceptor {
    /// [`LIMIT_DEFAULT`] connections per wake-up; pauses of 1 ms, doubling to 100 ms.
    pub const fn new() -> Self {
        Self {
            limit: LIMIT_DEFAULT,
            queue: Queue::Unknown,
            probe: Probe::new(),
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            last_end: BatchEnd::Drained,
            under_pressure: false,
            fruitless: 0,
            counters: Counters::ZERO,
        }
    }

    /// Limits the connections per wake-up, failed and shed ones included; 0 counts as 1.
    pub const fn with_limit(mut self, limit: usize) -> Self {
        self.limit = if limit == 0 { 1 } else { limit };
        self
    }

    /// Sets how long accepting pauses when resources have run out and the caller reports no release, or when the
    /// listener repeatedly yields nothing: `first` (at least 1 us), doubled after each attempt that took nothing, up to
    /// `longest`.
    pub const fn with_backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = Backoff::new(first, longest);
        self
    }

    /// Accepts what waits, up to the limit, and passes each connection to `each` with its peer's address. Call this
    /// when the listener is readable, always with the same listener.
    ///
    /// A burst of `n` TCP connections costs `n` accepts and one `getsockopt`; on a Unix socket, a `poll` follows each
    /// connection instead, except the one that reaches the limit. Where connections arrive one by one it takes one
    /// without asking, and asks whether there are more after at most 16 of them. An accept fails with `EAGAIN` only if
    /// no connection waited, or another thread or process accepts from the same queue; a blocking listener would block
    /// there. `EINTR`, a missing `accept4` and the socket options are handled as in [`Listener::accept`].
    ///
    /// A single turn that takes nothing is not unusual: another process may have been faster. If it happens again, the
    /// acceptor checks the listener itself: a Unix listener that was shut down is
    /// [`ListenerGone`](BatchEnd::ListenerGone), and one that stays readable, or whose connections fail one after
    /// another, pauses as it does without descriptors. Otherwise a level-triggered poller would report it indefinitely.
    ///
    /// During a pause it makes no call, and returns the reason for the pause again.
    #[doc(alias = "acceptTcpHandler")]
    pub fn accept(&mut self, listener: &Listener, now: Duration, each: impl FnMut(Stream, Endpoint)) -> Outcome {
        self.accept_at_most(listener, usize::MAX, now, each)
    }

    /// The same, for a caller with room for at most `room` connections.
    pub(crate) fn accept_at_most(
        &mut self,
        listener: &Listener,
        room: usize,
        now: Duration,
        mut each: impl FnMut(Stream, Endpoint),
    ) -> Outcome {
        if let Some(outcome) = self.pausing(now) {
            return outcome;
        }
        let batch = self.take(listener, self.limit.min(room), &mut each);
        self.outcome(listener, batch, 0, now)
    }

    /// Like [`accept`](Self::accept), but when descriptors run out (`EMFILE`, `ENFILE`) waiting clients, up to the
    /// limit, do not stay in the queue: each is accepted with the reserve's descriptor, sent the reserve's message and
    /// closed, and the reserve is refilled. Accepting pauses only if that fails.
    pub fn accept_or_shed(
        &mut self,
        listener: &Listener,
        now: Duration,
        reserve: &mut Reserve<'_>,
        each: impl FnMut(Stream, Endpoint),
    ) -> Outcome {
        self.accept_or_shed_at_most(listener, usize::MAX, now, reserve, each)
    }

    /// The same, for a caller with room for at most `room` connections.
    pub(crate) fn accept_or_shed_at_most(
        &mut self,
        listener: &Listener,
        room: usize,
        now: Duration,
        reserve: &mut Reserve<'_>,
        mut each: impl FnMut(Stream, Endpoint),
    ) -> Outcome {
        if let Some(outcome) = self.pausing(now) {
            return outcome;
        }
        // An empty reserve does not stop accepting: its error is reported when the reserve is needed.
        let _ = reserve.refill();
        let limit = self.limit.min(room);
        let mut batch = self.take(listener, limit, &mut each);
        let shed = self.shed(listener, limit, &mut batch, reserve);
        self.outcome(listener, batch, shed, now)
    }

    /// When the pause ends, for the poller's timeout or a timer; `None` if there is no pause.
    pub const fn resume_at(&self) -> Option<Duration> {
        self.backoff.until()
    }

    /// Ends a pause whose time has come. If it returns `true`, put the interest back on.
    #[must_use = "a listener whose interest stays off is never served again"]
    pub fn resume(&mut self, now: Duration) -> bool {
        self.backoff.end_if_due(now)
    }

    /// Notes that a descriptor was closed or memory freed: ends a pause for lack of either. If it returns `true`, put
    /// the interest back on. Without a pause it costs a comparison, so call it wherever you close something.
    #[must_use = "a listener whose interest stays off is never served again"]
    pub fn notify_release(&mut self) -> bool {
        self.under_pressure && self.backoff.end()
    }

    /// A backoff with the same pauses, not started: for the owner of several acceptors, which run out of the same
    /// descriptors together.
    pub(crate) fn pauses(&self) -> Backoff {
        self.backoff.anew()
    }

    /// The counters so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The limit on connections per wake-up.
    pub const fn limit(&self) -> usize {
        self.limit
    }
}

impl Default for Acceptor {
    fn default() -> Self {
        Self::new()
    }
}

/// Taking.
impl Acceptor {
    #[inline]
    fn take(&mut self, listener: &Listener, limit: usize, each: &mut impl FnMut(Stream, Endpoint)) -> BatchOutcome {
        let mut batch = BatchOutcome::new();
        let emptied = self.fill(listener, limit, &mut batch, each);
        self.note(&batch);
        if emptied && batch.end == BatchEnd::LimitReached {
            batch.end = BatchEnd::Drained;
        }
        batch
    }

    /// Takes what waits without running into an error; returns whether that was all.
    #[inline]
    fn fill(
        &mut self,
        listener: &Listener,
        limit: usize,
        batch: &mut BatchOutcome,
        each: &mut impl FnMut(Stream, Endpoint),
    ) -> bool {
        // There is one: the poller has reported it.
        batch.fill(listener, limit.min(1), each);
        if batch.end != BatchEnd::LimitReached || limit <= 1 || !self.probe.is_due() {
            return false;
        }
        while batch.end == BatchEnd::LimitReached && batch.taken() < limit {
            let known = batch.taken();
            // If the queue cannot be asked, the poller reports what is left.
            let Ok(waiting) = self.queue.waiting(listener) else { return false };
            if known == 1 {
                self.probe.learn(waiting != Waiting::Exactly(0));
            }
            match waiting {
                Waiting::OneAtLeast => batch.fill(listener, known + 1, each),
                Waiting::Exactly(more) => {
                    let all = known.saturating_add(more);
                    batch.fill(listener, all.min(limit), each);
                    return all <= limit;
                }
            }
        }
        false
    }

    /// Sheds waiting clients if the batch ended for lack of descriptors; returns how many.
    #[cold]
    fn shed(
        &mut self,
        listener: &Listener,
        limit: usize,
        batch: &mut BatchOutcome,
        reserve: &mut Reserve<'_>,
    ) -> usize {
        let mut away = BatchOutcome::new();
        while batch.is_out_of_files() && reserve.is_full() {
            if batch.taken() + away.taken() >= limit {
                batch.end = BatchEnd::LimitReached;
            } else if let Some(end) = self.shed_one(listener, &mut away, reserve) {
                batch.end = end;
                break;
            }
        }
        batch.failed += away.failed;
        self.counters.failed_peers += away.failed as u64;
        self.counters.shed += away.accepted as u64;
        away.accepted
    }

    /// Sheds one client; returns why it should be the last.
    fn shed_one(
        &mut self,
        listener: &Listener,
        away: &mut BatchOutcome,
        reserve: &mut Reserve<'_>,
    ) -> Option<BatchEnd> {
        reserve.lend();
        away.fill(listener, away.taken() + 1, &mut |stream, _| reserve.reject(&stream));
        let failed = away.end != BatchEnd::LimitReached;
        self.counters.failing_calls += u64::from(failed);
        if let Err(error) = reserve.refill() {
            return Some(BatchEnd::OutOfResources(error));
        }
        if failed {
            return Some(away.end);
        }
        matches!(self.queue.waiting(listener), Ok(Waiting::Exactly(0))).then_some(BatchEnd::Drained)
    }
}

/// Judging.
impl Acceptor {
    /// Counts what was taken, and the failed call if one ended the batch.
    #[inline]
    fn note(&mut self, batch: &BatchOutcome) {
        let out = matches!(batch.end, BatchEnd::OutOfResources(_));
        let counters = &mut self.counters;
        counters.accepted += batch.accepted as u64;
        counters.failed_peers += batch.failed as u64;
        counters.failing_calls += u64::from(batch.end != BatchEnd::LimitReached);
        counters.pressure += u64::from(out && !self.under_pressure);
        self.under_pressure = out;
    }

    fn outcome(&mut self, listener: &Listener, batch: BatchOutcome, shed: usize, now: Duration) -> Outcome {
        let BatchOutcome { accepted, failed, end } = batch;
        if accepted + shed > 0 {
            self.fruitless = 0;
            self.backoff.reset();
        }
        let made_no_call = batch.taken() + shed == 0 && end == BatchEnd::LimitReached;
        let end = if accepted + shed > 0 || made_no_call { end } else { self.look_at(listener, end) };
        self.last_end = end;
        Outcome { accepted, failed, shed, end, watch: self.watch(end, failed, now) }
    }

    fn watch(&mut self, end: BatchEnd, failed: usize, now: Duration) -> Watch {
        let is_in_vain = self.fruitless >= PATIENCE;
        match end {
            BatchEnd::ListenerGone(_) => Watch::Stop,
            BatchEnd::OutOfResources(_) | BatchEnd::Failed(_) => Watch::Pause { until: self.backoff.pause(now) },
            BatchEnd::Drained | BatchEnd::LimitReached if is_in_vain => Watch::Pause { until: self.backoff.pause(now) },
            BatchEnd::Drained | BatchEnd::LimitReached => {
                // A turn of failed connections took nothing either.
                if failed == 0 {
                    self.backoff.reset();
                }
                Watch::Keep
            }
        }
    }

    /// Finds out why turns repeatedly take nothing: the listener was shut down, or it is reported readable and is not.
    #[cold]
    fn look_at(&mut self, listener: &Listener, end: BatchEnd) -> BatchEnd {
        self.fruitless = self.fruitless.saturating_add(1);
        if end != BatchEnd::Drained || self.fruitless < PATIENCE {
            return end;
        }
        let shut_down = sys::PollFlags::HUP | sys::READ_HANGUP;
        match sys::poll_now(listener.as_fd(), sys::PollFlags::IN | sys::READ_HANGUP) {
            Ok(ready) if ready.intersects(shut_down) => BatchEnd::ListenerGone(Error::new(Op::Accept, Errno::INVAL)),
            // Another process was faster, and the queue is empty.
            Ok(ready) if ready.is_empty() => {
                self.fruitless = 0;
                end
            }
            _ => end,
        }
    }

    /// The outcome of a call during a pause.
    fn pausing(&mut self, now: Duration) -> Option<Outcome> {
        self.backoff.end_if_due(now);
        let until = self.backoff.until()?;
        Some(Outcome { accepted: 0, failed: 0, shed: 0, end: self.last_end, watch: Watch::Pause { until } })
    }
}

impl Queue {
    /// What waits on the listener.
    #[cfg(target_os = "linux")]
    #[inline]
    fn waiting(&mut self, listener: &Listener) -> Result<Waiting> {
        let counted = match self {
            Self::Polled => return polled(listener),
            _ => crate::option::accept_queue(listener).map(|queue| Waiting::Exactly(queue.len as usize)),
        };
        if *self == Self::Unknown {
            *self = if counted.is_ok() { Self::Counted } else { Self::Polled };
            return counted.or_else(|_| polled(listener));
        }
        counted
    }

    /// Only Linux reports how many.
    #[cfg(not(target_os = "linux"))]
    fn waiting(&mut self, listener: &Listener) -> Result<Waiting> {
        *self = Self::Polled;
        polled(listener)
    }
}

fn polled(listener: &Listener) -> Result<Waiting> {
    let ready = sys::poll_now(listener.as_fd(), sys::PollFlags::IN).op(Op::Poll)?;
    Ok(if !ready.is_empty() { Waiting::OneAtLeast } else { Waiting::Exactly(0) })
}
