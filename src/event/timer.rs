//! [`Timers`]: deadlines in order, without a clock of their own.
//!
//! Time is a [`Duration`] since an epoch of the caller's choosing, read from a clock that does not go back
//! (`CLOCK_MONOTONIC`); the caller passes it in. No system call, no allocation, no panic on any time or id. Nothing
//! runs by itself: who waits asks [`Timers::timeout`] how long, and afterwards takes what is due out, one by one.

use core::{fmt, num::NonZero, time::Duration};

/// Room for `N` timers, each with a key that comes back when its deadline has passed.
///
/// A timer fires at the first [`pop_expired`](Self::pop_expired) with a reading that is not before its deadline: never
/// early, and later only as far as the caller comes later. A clock that jumps forward makes timers fire, one that jumps
/// back makes them wait.
///
/// Everything takes O(log `N`) steps at most. It holds 60 bytes a timer and 16 more, and can live in a `static`.
///
/// ```
/// use anet::event::Timers;
/// use core::time::Duration;
///
/// const IDLE: u64 = 1;
/// const REPORT: u64 = 2;
/// let ms = Duration::from_millis;
///
/// let mut timers = Timers::<64>::new();
/// let idle = timers.insert_at(ms(300), IDLE)?;
/// timers.insert_every(ms(100), ms(100), REPORT)?;
///
/// // How long to wait in a poller, and then what is due.
/// assert_eq!(timers.timeout(ms(40)), Some(ms(60)));
/// let now = ms(101);
/// while let Some(expired) = timers.pop_expired(now) {
///     assert_eq!(expired.key, REPORT);
///     timers.cancel(idle);
/// }
/// assert_eq!(timers.next_deadline(), Some(ms(200)));
/// # Ok::<(), anet::event::TimerError>(())
/// ```
#[doc(alias = "aeTimeEvent")]
pub struct Timers<const N: usize> {
    slots: [Slot; N],
    /// The numbers of all slots: first those of the `len` timers, a binary heap with the earliest on top, then those
    /// of the free slots. Every number is here once, and its slot says where.
    order: [u32; N],
    len: usize,
    next_serial: NonZero<u64>,
}

/// One timer, or what the last one left.
#[derive(Clone, Copy)]
struct Slot {
    deadline: Duration,
    /// Zero: one-shot.
    period: Duration,
    key: u64,
    /// Which of all the timers ever made it is: tells an old id from a new one, and timers of one deadline apart.
    serial: NonZero<u64>,
    /// Where in `order` this slot's number is.
    position: u32,
}

/// Which timer, for as long as it exists: until it is cancelled, or fired if it is one-shot. Afterwards the id means
/// nothing for ever; it never comes to mean another timer of the same [`Timers`].
///
/// 16 bytes, and so is an `Option` of it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TimerId {
    serial: NonZero<u64>,
    slot: u32,
}

// Less where 64-bit numbers are aligned to 32 bits.
const _: () = assert!(size_of::<Option<TimerId>>() <= 16 && size_of::<Timers<1000>>() <= 60 * 1000 + 16);

/// A timer whose deadline has passed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Expired {
    /// Which timer. A periodic one can still be cancelled by it.
    pub id: TimerId,
    /// The key it was made with.
    pub key: u64,
    /// When it should have fired; for a periodic timer the first time it stands for.
    pub deadline: Duration,
}

/// Why a timer could not be made.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TimerError {
    /// There are as many timers as there is room for.
    Full,
    /// A periodic timer with a period of zero, which would be due for ever.
    ZeroPeriod,
}

impl TimerId {
    /// The timer's place, below the capacity; no two timers have the same one at once.
    pub(super) const fn slot(self) -> usize {
        self.slot as usize
    }
}

impl<const N: usize> Timers<N> {
    /// No timers.
    pub const fn new() -> Self {
        const { assert!(N <= u32::MAX as usize, "slots are numbered in 32 bits") };
        let (mut slots, mut order) = ([Slot::UNUSED; N], [0; N]);
        let mut slot = 0;
        while slot < N {
            slots[slot].position = slot as u32;
            order[slot] = slot as u32;
            slot += 1;
        }
        Self { slots, order, len: 0, next_serial: NonZero::<u64>::MIN }
    }

    /// A timer that fires once, at `deadline`. One that has passed already fires at once; `Duration::MAX` is as good
    /// as never.
    ///
    /// # Errors
    ///
    /// [`TimerError::Full`].
    #[doc(alias = "aeCreateTimeEvent")]
    pub fn insert_at(&mut self, deadline: Duration, key: u64) -> Result<TimerId, TimerError> {
        self.insert(deadline, Duration::ZERO, key)
    }

    /// A timer that fires at `first` and then every `period`, until it is cancelled.
    ///
    /// Its times are `first`, `first + period`, `first + 2 * period` and so on, however late it is taken out: no drift.
    /// If it comes so late that several of them have passed, it fires once for all of them, and next at the first one
    /// still to come: work that fell behind is not made worse by a burst of it.
    ///
    /// It ends by itself when its next time is beyond `Duration::MAX`.
    ///
    /// # Errors
    ///
    /// [`TimerError::ZeroPeriod`], [`TimerError::Full`].
    #[doc(alias = "aeCreateTimeEvent")]
    pub fn insert_every(&mut self, first: Duration, period: Duration, key: u64) -> Result<TimerId, TimerError> {
        if period.is_zero() {
            return Err(TimerError::ZeroPeriod);
        }
        self.insert(first, period, key)
    }

    fn insert(&mut self, deadline: Duration, period: Duration, key: u64) -> Result<TimerId, TimerError> {
        let slot = *self.order.get(self.len).ok_or(TimerError::Full)?;
        let serial = self.next_serial;
        // Wraps after five hundred years of a timer each nanosecond.
        self.next_serial = serial.checked_add(1).unwrap_or(NonZero::<u64>::MIN);
        self.slots[slot as usize] = Slot { deadline, period, key, serial, position: self.len as u32 };
        self.len += 1;
        self.sift_up(self.len - 1);
        Ok(TimerId { serial, slot })
    }

    /// Ends a timer and returns its key; `None` if it has ended already, and nothing happens.
    ///
    /// Also while expired timers are being taken out: one that is due and was cancelled is not handed out any more.
    #[doc(alias = "aeDeleteTimeEvent")]
    pub fn cancel(&mut self, id: TimerId) -> Option<u64> {
        let slot = self.slots.get(id.slot as usize).filter(|slot| slot.serial == id.serial)?;
        let (key, position) = (slot.key, slot.position as usize);
        if position >= self.len {
            return None;
        }
        self.remove(position);
        Some(key)
    }

    /// Takes out the timer with the earliest deadline, if that has come by `now`. Timers with the same deadline come in
    /// the order in which they were made.
    ///
    /// A one-shot timer has ended with this; a periodic one goes on and is not due again at the same `now`. A loop
    /// over it therefore ends, unless its body makes timers that are due already; [`len`](Self::len) before the loop is
    /// a bound for that.
    #[doc(alias = "processTimeEvents")]
    pub fn pop_expired(&mut self, now: Duration) -> Option<Expired> {
        let slot = *self.order.first()?;
        let deadline = self.next_deadline().filter(|&deadline| deadline <= now)?;
        let timer = &mut self.slots[slot as usize];
        let expired = Expired { id: TimerId { serial: timer.serial, slot }, key: timer.key, deadline };
        if timer.move_beyond(now) {
            self.sift_down(0);
        } else {
            self.remove(0);
        }
        Some(expired)
    }

    /// The earliest deadline; `None` without timers.
    pub fn next_deadline(&self) -> Option<Duration> {
        (self.len > 0).then(|| self.rank_at(0).0)
    }

    /// How long to wait for the earliest deadline, zero if it has come: what a poller takes. `None` without timers.
    #[doc(alias = "usUntilEarliestTimer")]
    pub fn timeout(&self, now: Duration) -> Option<Duration> {
        self.next_deadline().map(|deadline| deadline.saturating_sub(now))
    }

    /// The number of timers.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no timers.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its slot becomes the first free one.
    fn remove(&mut self, position: usize) {
        self.len -= 1;
        self.swap(position, self.len);
        if position < self.len {
            self.sift_up(position);
            self.sift_down(position);
        }
    }

    fn sift_up(&mut self, mut position: usize) {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.rank_at(position) > self.rank_at(parent) {
                break;
            }
            self.swap(position, parent);
            position = parent;
        }
    }

    fn sift_down(&mut self, mut position: usize) {
        while let Some(child) = self.earlier_child(position) {
            if self.rank_at(child) > self.rank_at(position) {
                break;
            }
            self.swap(child, position);
            position = child;
        }
    }

    fn earlier_child(&self, position: usize) -> Option<usize> {
        let (left, right) = (2 * position + 1, 2 * position + 2);
        if right < self.len && self.rank_at(right) < self.rank_at(left) {
            return Some(right);
        }
        (left < self.len).then_some(left)
    }

    /// What the heap is ordered by: no two timers have the same.
    fn rank_at(&self, position: usize) -> (Duration, NonZero<u64>) {
        let slot = &self.slots[self.order[position] as usize];
        (slot.deadline, slot.serial)
    }

    fn swap(&mut self, position: usize, other: usize) {
        self.order.swap(position, other);
        for position in [position, other] {
            self.slots[self.order[position] as usize].position = position as u32;
        }
    }
}

impl Slot {
    const UNUSED: Self =
        Self { deadline: Duration::ZERO, period: Duration::ZERO, key: 0, serial: NonZero::<u64>::MIN, position: 0 };

    /// Makes the first time after `now` the deadline, which has come by then; `false` if there is none.
    fn move_beyond(&mut self, now: Duration) -> bool {
        if self.period.is_zero() {
            return false;
        }
        let since_last = remainder(now.saturating_sub(self.deadline), self.period);
        let next = now.saturating_sub(since_last).checked_add(self.period);
        self.deadline = next.unwrap_or(self.deadline);
        next.is_some()
    }
}

/// What is left of `time` after whole periods, which are not zero.
fn remainder(time: Duration, period: Duration) -> Duration {
    const NANOS_A_SECOND: u128 = 1_000_000_000;
    // In time, as nearly always: saves a division of 128 bits.
    if time < period {
        return time;
    }
    let left = time.as_nanos().checked_rem(period.as_nanos()).unwrap_or(0);
    Duration::new((left / NANOS_A_SECOND) as u64, (left % NANOS_A_SECOND) as u32)
}

impl<const N: usize> Default for Timers<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// How many and the next deadline, not the timers themselves.
impl<const N: usize> fmt::Debug for Timers<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = self.next_deadline();
        f.debug_struct("Timers").field("len", &self.len).field("capacity", &N).field("next_deadline", &next).finish()
    }
}

impl fmt::Display for TimerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full => "No room for another timer",
            Self::ZeroPeriod => "A timer with a period of zero",
        })
    }
}

impl core::error::Error for TimerError {}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn pop_keys<const N: usize>(timers: &mut Timers<N>, now: Duration) -> std::vec::Vec<u64> {
        core::iter::from_fn(|| timers.pop_expired(now)).map(|expired| expired.key).collect()
    }

    #[test]
    fn timers_come_by_deadline_and_then_by_age() {
        let mut timers = Timers::<8>::new();
        for (key, deadline) in [30, 10, 20, 10, 0, 10].into_iter().enumerate() {
            timers.insert_at(MS(deadline), key as u64).unwrap();
        }
        assert_eq!(pop_keys(&mut timers, MS(20)), [4, 1, 3, 5, 2]);
        assert_eq!(pop_keys(&mut timers, Duration::MAX), [0]);
        assert_eq!((timers.next_deadline(), timers.timeout(MS(0))), (None, None));
    }

    #[test]
    fn a_timer_that_ended_never_ends_another() {
        let mut timers = Timers::<1>::new();
        let fired = timers.insert_at(MS(1), 1).unwrap();
        timers.pop_expired(MS(1)).unwrap();
        assert_eq!(timers.cancel(fired), None);
        let cancelled = timers.insert_at(MS(1), 2).unwrap();
        assert_eq!((timers.cancel(fired), timers.cancel(cancelled)), (None, Some(2)));
        timers.insert_at(MS(1), 3).unwrap();
        assert_eq!((timers.cancel(fired), timers.cancel(cancelled), timers.len()), (None, None, 1));
    }

    #[test]
    fn an_id_of_larger_timers_is_no_reason_to_panic() {
        let mut larger = Timers::<4>::new();
        let ids = [0; 4].map(|key| larger.insert_at(MS(1), key).unwrap());
        assert_eq!(ids.map(|id| Timers::<2>::new().cancel(id)), [None; 4]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut none = Timers::<0>::new();
        assert_eq!(none.insert_at(MS(1), 0), Err(TimerError::Full));
        assert_eq!((none.pop_expired(Duration::MAX), none.next_deadline()), (None, None));
        let mut one = Timers::<1>::new();
        assert_eq!(one.insert_every(MS(1), Duration::ZERO, 0), Err(TimerError::ZeroPeriod));
        one.insert_every(MS(1), MS(1), 0).unwrap();
        assert_eq!(one.insert_at(MS(1), 0), Err(TimerError::Full));
    }

    #[test]
    fn a_late_periodic_timer_fires_once_and_keeps_its_phase() {
        let mut timers = Timers::<1>::new();
        let id = timers.insert_every(MS(3), MS(10), 7).unwrap();
        for (now, deadline, next) in [(3, 3, 13), (14, 13, 23), (52, 23, 53), (63, 53, 73)] {
            assert_eq!(timers.pop_expired(MS(now)), Some(Expired { id, key: 7, deadline: MS(deadline) }));
            assert_eq!((timers.pop_expired(MS(now)), timers.next_deadline()), (None, Some(MS(next))));
        }
        // A clock that jumps back makes it wait.
        assert_eq!((timers.pop_expired(MS(0)), timers.timeout(MS(0))), (None, Some(MS(73))));
        assert_eq!((timers.cancel(id), timers.len()), (Some(7), 0));
    }

    #[test]
    fn the_end_of_time_is_a_deadline_like_any_other() {
        let nano = Duration::from_nanos(1);
        let mut timers = Timers::<4>::new();
        timers.insert_at(Duration::MAX, 1).unwrap();
        timers.insert_every(Duration::MAX - nano, nano, 2).unwrap();
        timers.insert_every(MS(0), Duration::MAX, 3).unwrap();
        timers.insert_every(nano, nano, 4).unwrap();
        assert_eq!(pop_keys(&mut timers, MS(1)), [3, 4]);
        assert_eq!(timers.next_deadline(), Some(MS(1) + nano));
        // All that have a time left at the end fire once more, and then none has another.
        assert_eq!(pop_keys(&mut timers, Duration::MAX), [4, 2, 1, 3]);
        assert!(timers.is_empty());
    }

    #[test]
    fn a_timer_can_be_cancelled_while_another_is_handled() {
        let mut timers = Timers::<3>::new();
        let periodic = timers.insert_every(MS(1), MS(1), 1).unwrap();
        let due = timers.insert_at(MS(2), 2).unwrap();
        timers.insert_at(MS(3), 3).unwrap();
        assert_eq!(timers.pop_expired(MS(5)).map(|expired| expired.id), Some(periodic));
        assert_eq!((timers.cancel(due), timers.cancel(periodic)), (Some(2), Some(1)));
        assert_eq!(pop_keys(&mut timers, MS(9)), [3]);
    }
}
