//! [`Timers`]: deadlines in order, without a clock of their own.
//!
//! Time is a [`Duration`] since an epoch of the caller's choosing, read from a clock that does not go back
//! (`CLOCK_MONOTONIC`); the caller passes it in. No system call, no panic on any time or id, and no allocation but that
//! of [`Timers::boxed`]. Nothing runs by itself: ask [`Timers::timeout`] how long to wait, and afterwards take what is
//! due out, one by one.

use core::{fmt, marker::PhantomData, num::NonZero, time::Duration};

use super::heap::{HeapSlot, at, put, sift_down, sift_up};

/// Timers in slots that you place, each with a key that comes back when its deadline has passed.
///
/// A timer fires at the first [`pop_expired`](Self::pop_expired) with a reading that is not before its deadline: never
/// early, and later only as far as the caller comes later. A clock that jumps forward makes timers fire, one that jumps
/// back makes them wait.
///
/// Everything takes O(log n) steps at most; making [`Timers`] takes one, however many slots there are.
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
/// value and would pass over the stack with it; a large table is a `static`, borrowed or boxed.
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
    /// The slots that ever had a timer come before those that never had one.
    used: usize,
    last_serial: u64,
    keys: PhantomData<K>,
    slots: S,
}

/// Room for one timer with a key of type `K`. 64 bytes for a key of 8.
///
/// The places after the heap have the numbers of the free slots.
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

/// The deadline, and then a serial number that says which of all the timers ever made it is: it tells an old id from a
/// new one, and timers of one deadline apart.
type Rank = (Duration, Option<NonZero<u64>>);

impl<K> TimerSlot<K> {
    /// Without a timer.
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
const _: () = assert!(size_of::<Option<TimerId>>() <= 16);

/// A timer whose deadline has passed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Expired<K = u64> {
    /// Which timer. A periodic one can still be cancelled by it.
    pub id: TimerId,
    /// The key it was made with.
    pub key: K,
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

impl<S, K> Timers<S, K> {
    /// No timers. What the slots hold from earlier use makes no difference; at most `u32::MAX` of them are used.
    ///
    /// `S` must give the same slots each time it is asked, or the methods may panic.
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
    /// Room for `capacity` timers, allocated now and never again.
    ///
    /// ```
    /// let mut timers = anet::event::Timers::boxed(200_000);
    /// timers.insert_at(core::time::Duration::from_secs(1), "a key of any kind")?;
    /// # Ok::<(), anet::event::TimerError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If so many slots have more than `isize::MAX` bytes.
    pub fn boxed(capacity: usize) -> Self {
        Self::new(super::slots::boxed(TimerSlot::VACANT, capacity))
    }
}

impl<S: AsRef<[TimerSlot<K>]> + AsMut<[TimerSlot<K>]>, K: Copy> Timers<S, K> {
    /// A timer that fires once, at `deadline`. One that has passed already fires at once; `Duration::MAX` is as good
    /// as never.
    ///
    /// # Errors
    ///
    /// [`TimerError::Full`].
    #[doc(alias = "aeCreateTimeEvent")]
    pub fn insert_at(&mut self, deadline: Duration, key: K) -> Result<TimerId, TimerError> {
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

    /// The one that was freed last, whose memory is still near, or one that was never used.
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

    /// Ends a timer and returns its key; `None` if it has ended already, and nothing happens.
    ///
    /// Also while expired timers are being taken out: one that is due and was cancelled is not handed out any more.
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

    /// Takes out the timer with the earliest deadline, if that has come by `now`. Timers with the same deadline come in
    /// the order in which they were made.
    ///
    /// A one-shot timer has ended with this; a periodic one goes on and is not due again at the same `now`. A loop
    /// over it therefore ends, unless its body makes timers that are due already; [`len`](Self::len) before the loop is
    /// a bound for that.
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

    /// How long to wait for the earliest deadline, zero if it has come: what a poller takes. `None` without timers.
    #[doc(alias = "usUntilEarliestTimer")]
    pub fn timeout(&self, now: Duration) -> Option<Duration> {
        self.next_deadline().map(|deadline| deadline.saturating_sub(now))
    }

    fn heap(&self) -> &[TimerSlot<K>] {
        self.slots.as_ref().get(..self.len).unwrap_or_default()
    }

    /// Its slot becomes the first free one, in the place behind the heap.
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

/// How many and the next deadline, not the timers themselves.
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
    fn timers_come_by_deadline_and_then_by_age() {
        let mut timers = timers::<8>();
        for (key, deadline) in [30, 10, 20, 10, 0, 10].into_iter().enumerate() {
            timers.insert_at(MS(deadline), key as u64).unwrap();
        }
        assert_eq!(pop_keys(&mut timers, MS(20)), [4, 1, 3, 5, 2]);
        assert_eq!(pop_keys(&mut timers, Duration::MAX), [0]);
        assert_eq!((timers.next_deadline(), timers.timeout(MS(0))), (None, None));
    }

    #[test]
    fn a_timer_that_ended_never_ends_another() {
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
    fn an_id_of_larger_timers_is_no_reason_to_panic() {
        let mut larger = timers::<4>();
        let ids = [0; 4].map(|key| larger.insert_at(MS(1), key).unwrap());
        assert_eq!(ids.map(|id| timers::<2>().cancel(id)), [None; 4]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
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
    fn the_end_of_time_is_a_deadline_like_any_other() {
        let nano = Duration::from_nanos(1);
        let mut timers = timers::<4>();
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
        let mut timers = timers::<3>();
        let periodic = timers.insert_every(MS(1), MS(1), 1).unwrap();
        let due = timers.insert_at(MS(2), 2).unwrap();
        timers.insert_at(MS(3), 3).unwrap();
        assert_eq!(timers.pop_expired(MS(5)).map(|expired| expired.id), Some(periodic));
        assert_eq!((timers.cancel(due), timers.cancel(periodic)), (Some(2), Some(1)));
        assert_eq!(pop_keys(&mut timers, MS(9)), [3]);
    }
}
