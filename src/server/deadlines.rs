//! [`Deadlines`]: when to look at which slot, as a heap that lives in the slots themselves.
//!
//! Pure. A slot is in the heap once at most, with a time at or before the one at which something is really due. What is
//! due later than thought, or not at all, is found out when its time comes: to postpone or to cancel costs nothing, and
//! only an earlier time moves a slot through the heap. So does a connection that closes: the next one in its slot
//! inherits the entry.

use core::time::Duration;

/// What the heap needs of a slot.
pub(super) trait Deadlined {
    fn place(&self) -> &Place;
    fn place_mut(&mut self) -> &mut Place;
}

/// A slot's part in the heap: its own position, and the entry of whichever slot is at the position that has this slot's
/// number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    position: u32,
    entry: Entry,
}

/// A slot, and when to look at it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Duration,
    slot: u32,
}

/// Not in the heap.
const NOWHERE: u32 = u32::MAX;

impl Place {
    pub(super) const NONE: Self = Self { position: NOWHERE, entry: Entry { at: Duration::ZERO, slot: 0 } };
}

/// The heap: as many positions as there are slots in it, the earliest time first.
#[derive(Debug)]
pub(super) struct Deadlines {
    len: u32,
}

impl Deadlines {
    /// An empty heap, whatever the slots were used for before.
    pub(super) fn new<S: Deadlined>(slots: &mut [S]) -> Self {
        slots.iter_mut().for_each(|slot| *slot.place_mut() = Place::NONE);
        Self { len: 0 }
    }

    /// Sees to it that the slot is looked at no later than at this time.
    pub(super) fn no_later_than<S: Deadlined>(&mut self, slots: &mut [S], slot: u32, at: Duration) {
        let Some(position) = slots.get(slot as usize).map(|slot| slot.place().position) else { return };
        if position == NOWHERE {
            let last = self.len;
            self.len += 1;
            self.rise(slots, last, Entry { at, slot });
        } else if entry(slots, position).is_some_and(|entry| at < entry.at) {
            self.rise(slots, position, Entry { at, slot });
        }
    }

    /// The slot that is to be looked at first, and when. `due` says when something is really due at a slot, if ever.
    pub(super) fn first<S: Deadlined>(
        &mut self,
        slots: &mut [S],
        mut due: impl FnMut(&S) -> Option<Duration>,
    ) -> Option<(u32, Duration)> {
        loop {
            let first = entry(slots, 0).filter(|_| self.len > 0)?;
            match slots.get(first.slot as usize).and_then(&mut due) {
                Some(at) if at <= first.at => return Some((first.slot, first.at)),
                Some(at) => self.sink(slots, 0, Entry { at, slot: first.slot }),
                None => self.remove_first(slots, first.slot),
            }
        }
    }

    fn remove_first<S: Deadlined>(&mut self, slots: &mut [S], first: u32) {
        if let Some(slot) = slots.get_mut(first as usize) {
            slot.place_mut().position = NOWHERE;
        }
        self.len -= 1;
        if let Some(last) = entry(slots, self.len).filter(|_| self.len > 0) {
            self.sink(slots, 0, last);
        }
    }

    /// Puts an entry at a position or above it, where it belongs.
    fn rise<S: Deadlined>(&self, slots: &mut [S], mut position: u32, moved: Entry) {
        while position > 0 {
            let parent = (position - 1) / 2;
            match entry(slots, parent) {
                Some(above) if moved.at < above.at => put(slots, position, above),
                _ => break,
            }
            position = parent;
        }
        put(slots, position, moved);
    }

    /// Puts an entry at a position or below it, where it belongs.
    fn sink<S: Deadlined>(&self, slots: &mut [S], mut position: u32, moved: Entry) {
        while let Some((child, below)) = self.earlier_child(slots, position) {
            if moved.at <= below.at {
                break;
            }
            put(slots, position, below);
            position = child;
        }
        put(slots, position, moved);
    }

    fn earlier_child<S: Deadlined>(&self, slots: &[S], position: u32) -> Option<(u32, Entry)> {
        let left = position.checked_mul(2)?.checked_add(1).filter(|left| *left < self.len)?;
        let (first, right) = (entry(slots, left)?, left + 1);
        match entry(slots, right).filter(|_| right < self.len) {
            Some(second) if second.at < first.at => Some((right, second)),
            _ => Some((left, first)),
        }
    }
}

#[inline]
fn entry<S: Deadlined>(slots: &[S], position: u32) -> Option<Entry> {
    slots.get(position as usize).map(|slot| slot.place().entry)
}

#[inline]
fn put<S: Deadlined>(slots: &mut [S], position: u32, entry: Entry) {
    if let Some(slot) = slots.get_mut(position as usize) {
        slot.place_mut().entry = entry;
    }
    if let Some(slot) = slots.get_mut(entry.slot as usize) {
        slot.place_mut().position = position;
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

    /// Sets, moves and clears times, and asks for the first one, which is the earliest of those that are set.
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
                assert!(deadlines.len as usize <= SLOTS);
            }
        }
    }

    #[test]
    fn deadlines_come_in_the_order_of_their_times() {
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
    fn a_slot_that_is_not_there_has_no_deadline() {
        let mut slots = slots();
        let mut deadlines = Deadlines::new(&mut slots);
        deadlines.no_later_than(&mut slots, SLOTS as u32, Duration::ZERO);
        deadlines.no_later_than(&mut slots, u32::MAX, Duration::ZERO);
        assert_eq!(deadlines.first(&mut slots, due), None);
    }
}
