//! [`Timers`]: deadlines in order, without a clock of their own.
//!
//! Time is a [`Duration`] since an epoch of the caller's choosing, read from a clock that does not go back
//! (`CLOCK_MONOTONIC`); the caller passes it in. No system call, no panic on any time or id, and no allocation except
//! in [`Timers::boxed`]. Nothing runs by itself: wait for [`Timers::timeout`], then take the expired timers one by one.

use core::{fmt, marker::PhantomData, num::NonZero, time::Duration};

use super::heap::{HeapSlot, at, put, sift_down, sift_up};

/// Timers in slots that you provide, each with a key that is returned when its deadline has passed.
///
/// A timer fires at the first [`pop_expired`](Self::pop_expired) whose `now` is not before its deadline: never early,
/// and late only if the caller is late. A clock that jumps forward makes timers fire, one that jumps back makes them
/// wait.
///
/// Every operation takes at most O(log n) steps; creating [`Timers`] takes constant time, however many slots there are.
///
/// ```
/// use anet::event::{TimerSlot, Timers};
/// use core::time::Duration;
///
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// enum Due { Idle, Report }
///
/// let ms = Duration::from_millis;
/// let mut timers = Timers::new([TimerSlot::VACANT; 64]);
/// let idle = timers.insert_at(ms(300), Due::Idle)?;
/// timers.insert_every(ms(100), ms(100), Due::Report)?;
///
/// // How long to wait in a poller, and then what is due.
/// assert_eq!(timers.timeout(ms(40)), Some(ms(60)));
/// let now = ms(101);
/// while let Some(expired) = timers.pop_expired(now) {
///     assert_eq!(expired.key, Due::Report);
///     timers.cancel(idle);
/// }
/// assert_eq!(timers.next_deadline(), Some(ms(200)));
/// # Ok::<(), anet::event::TimerError>(())
/// ```
///
/// `S` holds the [`TimerSlot`]s: an array, a `&mut` slice, or a box ([`boxed`](Self::boxed)). An array is part of the
/// value and passes over the stack with it; make a large table a `static`, a borrow or a box.
///
/// ```
/// use anet::event::{TimerSlot, Timers};
/// use std::sync::Mutex;
///
/// static TIMERS: Mutex<Timers<[TimerSlot; 200_000]>> = Mutex::new(Timers::new([TimerSlot::VACANT; 200_000]));
///
/// # fn memory() -> &'static mut [TimerSlot] { &mut [] }
/// let borrowed: Timers<&mut [TimerSlot]> = Timers::new(memory());
/// ```
#[doc(alias = "aeTimeEvent")]
pub struct Timers<S, K = u64> {
    len: usize,
    /// How many slots ever had a timer; they come before those that never had one.
    used: usize,
    last_serial: u64,
    keys: PhantomData<K>,
    slots: S,
}

/// Room for one timer with a key of type `K`. 64 bytes for a key of 8.
///
/// The places after the heap hold the numbers of the free slots.
#[derive(Clone, Copy, Debug)]
pub struct TimerSlot<K = u64> {
    rank: Rank,
    slot: u32,
    place: u32,
    /// Zero: one-shot.
    period: Duration,
    key: Option<K>,
}

// Less where 64-bit numbers are aligned to 32 bits.
const _: () = assert!(size_of::<TimerSlot>() <= 64);

/// The deadline, then a serial number that is unique among all timers ever created: it distinguishes an old id from a
/// new one, and orders timers with equal deadlines.
type Rank = (Duration, Option<NonZero<u64>>);

impl<K> TimerSlot<K> {
    /// A slot without a timer.
    pub const VACANT: Self =
        Self { rank: (Duration::ZERO, None), slot: 0, place: 0, period: Duration::ZERO, key: None };
}

impl<K> Default for TimerSlot<K> {
    fn default() -> Self {
        Self::VACANT
    }
}

impl<K> HeapSlot for TimerSlot<K> {
    type Rank = Rank;

    #[inline]
    fn entry(&self) -> (Rank, u32) {
        (self.rank, self.slot)
    }

    #[inline]
    fn set_entry(&mut self, (rank, slot): (Rank, u32)) {
        (self.rank, self.slot) = (rank, slot);
    }

    #[inline]
    fn set_place(&mut self, place: u32) {
        self.place = place;
    }
}

/// Identifies a timer until it is cancelled, or has fired if it is one-shot. Afterwards the id is stale; it never
/// identifies another timer of the same [`Timers`].
///
/// 16 bytes, and so is an `Option` of it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TimerId {
    serial: NonZero<u64>,
    slot: u32,
}

// Less where 64-bit numbers are aligned to 32 bits.
const _: () = assert!(size_of::<Option<TimerId>>() <= 16);

/// A timer whose deadline has passed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Expired<K = u64> {
    /// The timer. A periodic one can still be cancelled with it.
    pub id: TimerId,
    /// The key it was created with.
    pub key: K,
    /// When it was due; for a periodic timer, the first of the times it fires for.
    pub deadline: Duration,
}

/// Why a timer could not be created.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TimerError {
    /// Every slot has a timer.
    Full,
    /// A periodic timer with a period of zero, which would always be due.
    ZeroPeriod,
}

impl<S, K> Timers<S, K> {
    /// No timers. The previous contents of the slots do not matter; at most `u32::MAX` slots are used.
    ///
    /// `S` must return the same slots on every call, or the methods may panic.
    pub const fn new(slots: S) -> Self {
        Self { len: 0, used: 0, last_serial: 0, keys: PhantomData, slots }
    }

    /// The number of timers.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no timers.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(feature = "std")]
impl<K: Copy> Timers<std::boxed::Box<[TimerSlot<K>]>, K> {
    /// Allocates room for `capacity` timers, once.
    ///
    /// ```
    /// let mut timers = anet::event::Timers::boxed(200_000);
    /// timers.insert_at(core::time::Duration::from_secs(1), "a key of any kind")?;
    /// # Ok::<(), anet::event::TimerError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the slots take more than `isize::MAX` bytes.
    pub fn boxed(capacity: usize) -> Self {
        Self::new(super::slots::boxed(TimerSlot::VACANT, capacity))
    }
}

impl<S: AsRef<[TimerSlot<K>]> + AsMut<[TimerSlot<K>]>, K: Copy> Timers<S, K> {
    /// Adds a timer that fires once, at `deadline`. A deadline that has already passed fires at once; `Duration::MAX`
    /// is effectively never.
    ///
    /// # Errors
    ///
    /// [`TimerError::Full`].
    #[doc(alias = "aeCreateTimeEvent")]
    pub fn insert_at(&mut self, deadline: Duration, key: K) -> Result<TimerId, TimerError> {
        self.insert(deadline, Duration::ZERO, key)
    }

    /// Adds a timer that fires at `first` and then every `period`, until it is cancelled.
    ///
    /// Its times are `first`, `first + period`, `first + 2 * period` and so on, however late it fires: it does not
    /// drift. If several of them have passed, it fires once for all of them, and next at the first one still to come,
    /// so a caller that fell behind gets no burst.
    ///
    /// It ends by itself when its next time is beyond `Duration::MAX`.
    ///
    /// # Errors
    ///
    /// [`TimerError::ZeroPeriod`], [`TimerError::Full`].
    #[doc(alias = "aeCreateTimeEvent")]
    pub fn insert_every(&mut self, first: Duration, period: Duration, key: K) -> Result<TimerId, TimerError> {
        if period.is_zero() {
            return Err(TimerError::ZeroPeriod);
        }
        self.insert(first, period, key)
    }

    fn insert(&mut self, deadline: Duration, period: Duration, key: K) -> Result<TimerId, TimerError> {
        let slot = self.free_slot().ok_or(TimerError::Full)?;
        // Wraps after five hundred years of a timer each nanosecond.
        let serial = NonZero::new(self.last_serial.wrapping_add(1)).unwrap_or(NonZero::<u64>::MIN);
        let (place, slots) = (self.len, self.slots.as_mut());
        slots[slot as usize].period = period;
        slots[slot as usize].key = Some(key);
        put(slots, place, ((deadline, Some(serial)), slot));
        sift_up(slots, place);
        self.len += 1;
        self.last_serial = serial.get();
        Ok(TimerId { serial, slot })
    }

    /// The slot freed last, whose memory is likely to be cached, or one never used.
    fn free_slot(&mut self) -> Option<u32> {
        let slots = self.slots.as_ref();
        if self.len < self.used {
            return Some(slots[self.len].slot);
        }
        let slot = u32::try_from(self.used).ok().filter(|&slot| slot < u32::MAX)?;
        slots.get(self.used)?;
        self.used += 1;
        Some(slot)
    }

    /// Cancels a timer and returns its key; `None` if it has already ended.
    ///
    /// You may cancel timers while taking expired ones: a due timer that is cancelled is not returned.
    #[doc(alias = "aeDeleteTimeEvent")]
    pub fn cancel(&mut self, id: TimerId) -> Option<K> {
        let timer = self.slots.as_ref().get(id.slot as usize)?;
        let (place, key) = (timer.place as usize, timer.key);
        let found = self.heap().get(place)?;
        if (found.slot, found.rank.1) != (id.slot, Some(id.serial)) {
            return None;
        }
        self.remove(place);
        key
    }

    /// Takes the timer with the earliest deadline, if that is not after `now`. Timers with equal deadlines come in
    /// order of creation.
    ///
    /// This ends a one-shot timer; a periodic one continues, and is not due again at the same `now`. A loop over this
    /// method therefore ends, unless its body creates timers that are already due; [`len`](Self::len) before the loop
    /// bounds that.
    #[doc(alias = "processTimeEvents")]
    pub fn pop_expired(&mut self, now: Duration) -> Option<Expired<K>> {
        let &TimerSlot { rank: (deadline, serial), slot, .. } = self.heap().first()?;
        if deadline > now {
            return None;
        }
        let (len, slots) = (self.len, self.slots.as_mut());
        let &TimerSlot { period, key, .. } = slots.get(slot as usize)?;
        let expired = Expired { id: TimerId { serial: serial?, slot }, key: key?, deadline };
        match first_time_after(now, deadline, period) {
            Some(next) => {
                slots[0].rank.0 = next;
                sift_down(slots, len, 0);
            }
            None => self.remove(0),
        }
        Some(expired)
    }

    /// The earliest deadline; `None` without timers.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.heap().first().map(|earliest| earliest.rank.0)
    }

    /// How long to wait for the earliest deadline, zero if it has passed: the timeout for a poller. `None` without
    /// timers.
    #[doc(alias = "usUntilEarliestTimer")]
    pub fn timeout(&self, now: Duration) -> Option<Duration> {
        self.next_deadline().map(|deadline| deadline.saturating_sub(now))
    }

    fn heap(&self) -> &[TimerSlot<K>] {
        self.slots.as_ref().get(..self.len).unwrap_or_default()
    }

    /// Removes the timer at a place; its slot becomes the first free one, in the place after the heap.
    fn remove(&mut self, place: usize) {
        self.len -= 1;
        let (last, slots) = (self.len, self.slots.as_mut());
        let (removed, moved) = (at(slots, place), at(slots, last));
        put(slots, place, moved);
        put(slots, last, removed);
        if place < last {
            sift_up(slots, place);
            sift_down(slots, last, place);
        }
    }
}

/// When a timer that is due fires next; `None`: never.
fn first_time_after(now: Duration, deadline: Duration, period: Duration) -> Option<Duration> {
    if period.is_zero() {
        return None;
    }
    let since_last = remainder(now.saturating_sub(deadline), period);
    now.saturating_sub(since_last).checked_add(period)
}

/// The remainder of `time` after whole periods, which are not zero.
fn remainder(time: Duration, period: Duration) -> Duration {
    const NANOS_A_SECOND: u128 = 1_000_000_000;
    // Nearly always so: saves a division of 128 bits.
    if time < period {
        return time;
    }
    let left = time.as_nanos().checked_rem(period.as_nanos()).unwrap_or(0);
    Duration::new((left / NANOS_A_SECOND) as u64, (left % NANOS_A_SECOND) as u32)
}

/// Shows the counts and the next deadline, not the timers themselves.
impl<S: AsRef<[TimerSlot<K>]> + AsMut<[TimerSlot<K>]>, K: Copy> fmt::Debug for Timers<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("len", &self.len)
            .field("capacity", &self.slots.as_ref().len())
            .field("next_deadline", &self.next_deadline())
            .finish()
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

    fn timers<const N: usize>() -> Timers<[TimerSlot; N]> {
        Timers::new([TimerSlot::VACANT; N])
    }

    fn pop_keys<const N: usize>(timers: &mut Timers<[TimerSlot; N]>, now: Duration) -> std::vec::Vec<u64> {
        core::iter::from_fn(|| timers.pop_expired(now)).map(|expired| expired.key).collect()
    }

    #[test]
    fn timers_fire_by_deadline_and_then_by_age() {
        let mut timers = timers::<8>();
        for (key, deadline) in [30, 10, 20, 10, 0, 10].into_iter().enumerate() {
            timers.insert_at(MS(deadline), key as u64).unwrap();
        }
        assert_eq!(pop_keys(&mut timers, MS(20)), [4, 1, 3, 5, 2]);
        assert_eq!(pop_keys(&mut timers, Duration::MAX), [0]);
        assert_eq!((timers.next_deadline(), timers.timeout(MS(0))), (None, None));
    }

    #[test]
    fn a_stale_id_cancels_no_other_timer() {
        let mut timers = timers::<1>();
        let fired = timers.insert_at(MS(1), 1).unwrap();
        timers.pop_expired(MS(1)).unwrap();
        assert_eq!(timers.cancel(fired), None);
        let cancelled = timers.insert_at(MS(1), 2).unwrap();
        assert_eq!((timers.cancel(fired), timers.cancel(cancelled)), (None, Some(2)));
        timers.insert_at(MS(1), 3).unwrap();
        assert_eq!((timers.cancel(fired), timers.cancel(cancelled), timers.len()), (None, None, 1));
    }

    #[test]
    fn an_id_of_larger_timers_does_not_panic() {
        let mut larger = timers::<4>();
        let ids = [0; 4].map(|key| larger.insert_at(MS(1), key).unwrap());
        assert_eq!(ids.map(|id| timers::<2>().cancel(id)), [None; 4]);
    }

    #[test]
    fn a_full_table_and_a_zero_period_are_refused() {
        let mut none = timers::<0>();
        assert_eq!(none.insert_at(MS(1), 0), Err(TimerError::Full));
        assert_eq!((none.pop_expired(Duration::MAX), none.next_deadline()), (None, None));
        let mut one = timers::<1>();
        assert_eq!(one.insert_every(MS(1), Duration::ZERO, 0), Err(TimerError::ZeroPeriod));
        one.insert_every(MS(1), MS(1), 0).unwrap();
        assert_eq!(one.insert_at(MS(1), 0), Err(TimerError::Full));
    }

    #[test]
    fn a_late_periodic_timer_fires_once_and_keeps_its_phase() {
        let mut timers = timers::<1>();
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
    fn the_longest_duration_is_a_deadline_like_any_other() {
        let nano = Duration::from_nanos(1);
        let mut timers = timers::<4>();
        timers.insert_at(Duration::MAX, 1).unwrap();
        timers.insert_every(Duration::MAX - nano, nano, 2).unwrap();
        timers.insert_every(MS(0), Duration::MAX, 3).unwrap();
        timers.insert_every(nano, nano, 4).unwrap();
        assert_eq!(pop_keys(&mut timers, MS(1)), [3, 4]);
        assert_eq!(timers.next_deadline(), Some(MS(1) + nano));
        // Every timer that has a time left fires once more, and then none is left.
        assert_eq!(pop_keys(&mut timers, Duration::MAX), [4, 2, 1, 3]);
        assert!(timers.is_empty());
    }

    #[test]
    fn a_timer_can_be_cancelled_while_another_is_handled() {
        let mut timers = timers::<3>();
        let periodic = timers.insert_every(MS(1), MS(1), 1).unwrap();
        let due = timers.insert_at(MS(2), 2).unwrap();
        timers.insert_at(MS(3), 3).unwrap();
        assert_eq!(timers.pop_expired(MS(5)).map(|expired| expired.id), Some(periodic));
        assert_eq!((timers.cancel(due), timers.cancel(periodic)), (Some(2), Some(1)));
        assert_eq!(pop_keys(&mut timers, MS(9)), [3]);
    }
}
