//! [`Deadlines`]: when to visit which slot, as a heap that lives in the slots themselves.
//!
//! Pure. A slot is in the heap at most once, with a time no later than its real deadline. A slot whose real deadline is
//! later, or which has none, is found when its time comes: postponing and cancelling cost nothing, and only an earlier
//! time moves a slot through the heap. Closing a connection costs nothing either: the next one in its slot inherits the
//! entry.

use core::time::Duration;

use crate::event::heap::{HeapSlot, at, put, sift_down, sift_up};

/// A slot that can have a deadline.
pub(super) trait Deadlined: HeapSlot<Rank = Duration> {
    fn place(&mut self) -> &mut Place;
}

/// A slot's part in the heap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The place of this slot in the heap, or [`NOWHERE`].
    pub(super) place: u32,
    /// The entry of the place with this slot's number: when to visit which slot.
    pub(super) entry: (Duration, u32),
}

/// Not in the heap.
const NOWHERE: u32 = u32::MAX;

impl Place {
    pub(super) const NONE: Self = Self { place: NOWHERE, entry: (Duration::ZERO, 0) };
}

/// The heap, which has as many places as it contains slots; the earliest time is first.
#[derive(Debug)]
pub(super) struct Deadlines {
    len: usize,
}

impl Deadlines {
    /// An empty heap, whatever the slots were used for before.
    pub(super) fn new<S: Deadlined>(slots: &mut [S]) -> Self {
        slots.iter_mut().for_each(|slot| *slot.place() = Place::NONE);
        Self { len: 0 }
    }

    /// Makes sure that the slot is visited no later than `time`.
    pub(super) fn no_later_than<S: Deadlined>(&mut self, slots: &mut [S], slot: u32, time: Duration) {
        let Some(place) = slots.get_mut(slot as usize).map(|slot| slot.place().place) else { return };
        let place = if place == NOWHERE { self.len } else { place as usize };
        if place == self.len {
            self.len += 1;
        } else if at(slots, place).0 <= time {
            return;
        }
        put(slots, place, (time, slot));
        sift_up(slots, place);
    }

    /// The slot to visit first, and when. `due` returns the real deadline of a slot, if it has one.
    pub(super) fn first<S: Deadlined>(
        &mut self,
        slots: &mut [S],
        mut due: impl FnMut(&S) -> Option<Duration>,
    ) -> Option<(u32, Duration)> {
        while self.len > 0 {
            let (time, slot) = at(slots, 0);
            match slots.get(slot as usize).and_then(&mut due) {
                Some(really) if really <= time => return Some((slot, time)),
                Some(really) => {
                    put(slots, 0, (really, slot));
                    sift_down(slots, self.len, 0);
                }
                None => self.remove_first(slots, slot),
            }
        }
        None
    }

    fn remove_first<S: Deadlined>(&mut self, slots: &mut [S], first: u32) {
        self.len -= 1;
        if self.len > 0 {
            let last = at(slots, self.len);
            put(slots, 0, last);
            sift_down(slots, self.len, 0);
        }
        if let Some(slot) = slots.get_mut(first as usize) {
            slot.place().place = NOWHERE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::model::{Numbers, Slot},
        super::table::Room,
        *,
    };
    use std::{println, vec::Vec};

    const SLOTS: usize = 40;

    fn slots() -> Vec<Slot<Duration>> {
        core::iter::repeat_with(|| Slot::VACANT).take(SLOTS).collect()
    }

    fn due(slot: &Slot<Duration>) -> Option<Duration> {
        slot.value().copied()
    }

    /// Sets, moves and clears times, and compares the first one with the earliest of those that are set.
    #[test]
    fn the_first_deadline_is_the_earliest_of_those_that_are_set() {
        for seed in 0..200 {
            println!("seed {seed}");
            let (mut numbers, mut slots) = (Numbers(seed), slots());
            let mut deadlines = Deadlines::new(&mut slots);
            for _ in 0..300 {
                let slot = numbers.below(SLOTS);
                match numbers.below(4) {
                    0 => *slots[slot].value_mut() = None,
                    1 => {
                        let earliest = slots.iter().filter_map(due).min();
                        let first = deadlines.first(&mut slots, due);
                        assert_eq!(first.map(|(_, at)| at), earliest);
                        assert!(first.is_none_or(|(slot, at)| due(&slots[slot as usize]) == Some(at)));
                    }
                    _ => {
                        let at = Duration::from_millis(numbers.next() % 1000);
                        *slots[slot].value_mut() = Some(at);
                        deadlines.no_later_than(&mut slots, slot as u32, at);
                    }
                }
                assert!(deadlines.len <= SLOTS);
            }
        }
    }

    #[test]
    fn deadlines_come_in_order_of_time() {
        let (mut numbers, mut slots) = (Numbers(7), slots());
        let mut deadlines = Deadlines::new(&mut slots);
        for slot in 0..SLOTS {
            let at = Duration::from_millis(numbers.next() % 1000);
            *slots[slot].value_mut() = Some(at);
            deadlines.no_later_than(&mut slots, slot as u32, at);
        }
        let mut times = Vec::new();
        while let Some((slot, at)) = deadlines.first(&mut slots, due) {
            *slots[slot as usize].value_mut() = None;
            times.push(at);
        }
        assert!(times.is_sorted() && times.len() == SLOTS && deadlines.len == 0);
    }

    #[test]
    fn a_missing_slot_has_no_deadline() {
        let mut slots = slots();
        let mut deadlines = Deadlines::new(&mut slots);
        deadlines.no_later_than(&mut slots, SLOTS as u32, Duration::ZERO);
        deadlines.no_later_than(&mut slots, u32::MAX, Duration::ZERO);
        assert_eq!(deadlines.first(&mut slots, due), None);
    }
}
