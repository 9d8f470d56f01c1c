//! The heap of [`Timers`](super::Timers), in the slots of its timers. Pure.

use core::{num::NonZero, time::Duration};

/// Room for one timer with a key of type `K`. 64 bytes for a key of 8.
///
/// It is two things at once. As a place of the heap it has the rank of a timer and the slot where the rest of that
/// timer is: the first `len` places are a binary heap with the earliest deadline on top, those after them have the
/// numbers of the free slots. As a slot it has the rest of a timer and the place where its rank is.
#[derive(Clone, Copy, Debug)]
pub struct TimerSlot<K = u64> {
    pub(super) rank: Rank,
    pub(super) slot: u32,
    pub(super) place: u32,
    /// Zero: one-shot.
    pub(super) period: Duration,
    pub(super) key: Option<K>,
}

// Less where 64-bit numbers are aligned to 32 bits.
const _: () = assert!(size_of::<TimerSlot>() <= 64);

/// What the heap is ordered by. The serial number says which of all the timers ever made it is: it tells an old id from
/// a new one, and timers of one deadline apart.
pub(super) type Rank = (Duration, Option<NonZero<u64>>);

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

/// What is in a place of the heap: a rank, and the slot of its timer.
pub(super) fn at<K>(slots: &[TimerSlot<K>], place: usize) -> (Rank, u32) {
    (slots[place].rank, slots[place].slot)
}

/// Puts it there, and lets its slot know.
pub(super) fn put<K>(slots: &mut [TimerSlot<K>], place: usize, (rank, slot): (Rank, u32)) {
    slots[place].rank = rank;
    slots[place].slot = slot;
    slots[slot as usize].place = place as u32;
}

/// Moves what is in a place up, as far as it belongs.
pub(super) fn sift_up<K>(slots: &mut [TimerSlot<K>], mut place: usize) {
    let moved = at(slots, place);
    while place > 0 {
        let parent = (place - 1) / 2;
        if slots[parent].rank < moved.0 {
            break;
        }
        put(slots, place, at(slots, parent));
        place = parent;
    }
    put(slots, place, moved);
}

/// Moves what is in a place of a heap of `len` down, as far as it belongs.
pub(super) fn sift_down<K>(slots: &mut [TimerSlot<K>], len: usize, mut place: usize) {
    let moved = at(slots, place);
    while let Some(child) = earlier_child(slots, len, place) {
        if moved.0 < slots[child].rank {
            break;
        }
        put(slots, place, at(slots, child));
        place = child;
    }
    put(slots, place, moved);
}

fn earlier_child<K>(slots: &[TimerSlot<K>], len: usize, place: usize) -> Option<usize> {
    let (left, right) = (2 * place + 1, 2 * place + 2);
    if right < len && slots[right].rank < slots[left].rank {
        return Some(right);
    }
    (left < len).then_some(left)
}
