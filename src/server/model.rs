//! Support for the model tests of [`table`](super::table) and [`deadlines`](super::deadlines).

use core::time::Duration;

use super::{
    deadlines::{Deadlined, Place},
    table::{Links, Room},
};
use crate::event::heap::HeapSlot;

/// A slot whose values are numbers.
#[derive(Debug)]
pub(super) struct Slot<V> {
    pub(super) links: Links,
    place: Place,
    value: Option<V>,
}

impl<V> Slot<V> {
    pub(super) const VACANT: Self = Self { links: Links::VACANT, place: Place::NONE, value: None };
}

impl<V> Room for Slot<V> {
    type Value = V;

    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    fn value(&self) -> Option<&V> {
        self.value.as_ref()
    }

    fn value_mut(&mut self) -> &mut Option<V> {
        &mut self.value
    }
}

impl<V> HeapSlot for Slot<V> {
    type Rank = Duration;

    fn entry(&self) -> (Duration, u32) {
        self.place.entry
    }

    fn set_entry(&mut self, entry: (Duration, u32)) {
        self.place.entry = entry;
    }

    fn set_place(&mut self, place: u32) {
        self.place.place = place;
    }
}

impl<V> Deadlined for Slot<V> {
    fn place(&mut self) -> &mut Place {
        &mut self.place
    }
}

/// Pseudo-random numbers, the same in every run: splitmix64.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
