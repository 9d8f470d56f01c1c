//! A binary heap that lives in the slots of what it orders. Pure.
//!
//! A slot has two roles. As a place of the heap it holds the rank of an item and the number of the item's slot: the
//! first places, as many as the heap is long, form a heap with the lowest rank on top. As the slot of an item it holds
//! the place where the item's rank is.

/// A slot that is also a place of a heap.
pub(crate) trait HeapSlot {
    /// What the heap is ordered by.
    type Rank: Copy + PartialOrd;

    /// The entry of this place: a rank and the slot it belongs to.
    fn entry(&self) -> (Self::Rank, u32);
    /// Sets the entry of this place.
    fn set_entry(&mut self, entry: (Self::Rank, u32));
    /// Sets the place where the rank of this slot is.
    fn set_place(&mut self, place: u32);
}

/// The entry of a place of the heap.
#[inline]
pub(crate) fn at<S: HeapSlot>(slots: &[S], place: usize) -> (S::Rank, u32) {
    slots[place].entry()
}

/// Sets the entry of a place, and the place in the entry's slot.
#[inline]
pub(crate) fn put<S: HeapSlot>(slots: &mut [S], place: usize, entry: (S::Rank, u32)) {
    slots[place].set_entry(entry);
    slots[entry.1 as usize].set_place(place as u32);
}

/// Moves the entry of a place up to where it belongs.
pub(crate) fn sift_up<S: HeapSlot>(slots: &mut [S], mut place: usize) {
    let moved = at(slots, place);
    while place > 0 {
        let parent = (place - 1) / 2;
        if at(slots, parent).0 < moved.0 {
            break;
        }
        put(slots, place, at(slots, parent));
        place = parent;
    }
    put(slots, place, moved);
}

/// Moves the entry of a place down to where it belongs in a heap of `len`.
pub(crate) fn sift_down<S: HeapSlot>(slots: &mut [S], len: usize, mut place: usize) {
    let moved = at(slots, place);
    while let Some(child) = earlier_child(slots, len, place) {
        if moved.0 < at(slots, child).0 {
            break;
        }
        put(slots, place, at(slots, child));
        place = child;
    }
    put(slots, place, moved);
}

fn earlier_child<S: HeapSlot>(slots: &[S], len: usize, place: usize) -> Option<usize> {
    let (left, right) = (2 * place + 1, 2 * place + 2);
    if right < len && at(slots, right).0 < at(slots, left).0 {
        return Some(right);
    }
    (left < len).then_some(left)
}
