//! A binary heap that lives in the slots of what it orders. Pure.
//!
//! A slot is two things at once. As a place of the heap it has the rank of something and the slot where the rest of that
//! is: the first places, as many as the heap is long, are a heap with the lowest rank on top. As a slot it knows the
//! place where its own rank is.

/// A slot that is a place of a heap as well.
pub(crate) trait HeapSlot {
    /// What the heap is ordered by.
    type Rank: Copy + PartialOrd;

    /// What is in this place: a rank, and the slot that it is of.
    fn entry(&self) -> (Self::Rank, u32);
    /// Puts it there.
    fn set_entry(&mut self, entry: (Self::Rank, u32));
    /// Notes where the rank of this slot is.
    fn set_place(&mut self, place: u32);
}

/// What is in a place of the heap.
#[inline]
pub(crate) fn at<S: HeapSlot>(slots: &[S], place: usize) -> (S::Rank, u32) {
    slots[place].entry()
}

/// Puts it there, and lets its slot know.
#[inline]
pub(crate) fn put<S: HeapSlot>(slots: &mut [S], place: usize, entry: (S::Rank, u32)) {
    slots[place].set_entry(entry);
    slots[entry.1 as usize].set_place(place as u32);
}

/// Moves what is in a place up, as far as it belongs.
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

/// Moves what is in a place of a heap of `len` down, as far as it belongs.
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
