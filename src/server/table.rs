//! [`Table`]: values in slots that the caller places, found by keys that are never mistaken for one another.
//!
//! Pure. Every slot is in exactly one of a few lists, which keep the order in which slots came into them; all that is
//! done with a slot takes the same time however many there are.

use core::num::NonZero;

/// Room for one value.
#[derive(Debug)]
pub struct Slot<V> {
    /// Which of all the values that were ever here this is, or the next one will be.
    generation: NonZero<u32>,
    list: List,
    previous: u32,
    next: u32,
    value: Option<V>,
}

/// Which value, for as long as it is in the table. 8 bytes, and so is an `Option` of it.
///
/// A key means nothing once its value has left; a slot would have to be used four thousand million times for an old key
/// to mean a new value.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    generation: NonZero<u32>,
    slot: u32,
}

/// Where a slot can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum List {
    /// Without a value.
    Vacant,
    /// Accepted, and nothing more.
    New,
    /// Told of, but not watched.
    Unwatched,
    /// Watched; who was active last is the last.
    Open,
    /// Closed but for reading what the peer still sends.
    Leaving,
}

const LISTS: usize = 5;
/// No slot.
const NONE: u32 = u32::MAX;
/// The generations that values have. The one before and the one behind are for the poller's keys of other things.
const FIRST_GENERATION: NonZero<u32> = NonZero::<u32>::MIN;
const LAST_GENERATION: u32 = u32::MAX - 1;

const _: () = assert!(size_of::<Option<Key>>() == 8);

/// The ends of a list.
#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
    len: usize,
}

#[derive(Debug)]
pub(super) struct Table<'t, V> {
    slots: &'t mut [Slot<V>],
    lists: [Ends; LISTS],
}

impl<V> Slot<V> {
    /// Nothing there.
    pub const VACANT: Self =
        Self { generation: FIRST_GENERATION, list: List::Vacant, previous: NONE, next: NONE, value: None };
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self::VACANT
    }
}

impl Key {
    /// The poller's key.
    pub(super) const fn to_bits(self) -> u64 {
        (self.generation.get() as u64) << 32 | self.slot as u64
    }

    /// The way back; `None` for bits that are no key.
    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        let generation = NonZero::new((bits >> 32) as u32).filter(|generation| generation.get() <= LAST_GENERATION)?;
        Some(Self { generation, slot: bits as u32 })
    }
}

impl<'t, V> Table<'t, V> {
    /// An empty table; values that are still in the slots are dropped. At most `u32::MAX` slots are used.
    pub(super) fn new(slots: &'t mut [Slot<V>]) -> Self {
        let usable = slots.len().min(NONE as usize);
        let slots = slots.get_mut(..usable).unwrap_or_default();
        let mut table = Self { slots, lists: [Ends { first: NONE, last: NONE, len: 0 }; LISTS] };
        // The first slot is the last vacant one, and used first.
        for slot in (0..usable as u32).rev() {
            table.clear(slot);
            table.push(slot, List::Vacant);
        }
        table
    }

    /// Puts a value at the end of a list; `None`, and the value is dropped, if there is no room.
    pub(super) fn insert(&mut self, value: V, list: List) -> Option<Key> {
        // The one that was used last, whose memory is still near.
        let slot = self.lists[List::Vacant as usize].last;
        let place = self.slots.get_mut(slot as usize)?;
        place.value = Some(value);
        let generation = place.generation;
        self.unlink(slot);
        self.push(slot, list);
        Some(Key { generation, slot })
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<V> {
        self.slot(key)?;
        self.unlink(key.slot);
        self.push(key.slot, List::Vacant);
        self.clear(key.slot)
    }

    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<&V> {
        self.slot(key)?.value.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut V> {
        let slot = self.slots.get_mut(key.slot as usize).filter(|slot| slot.generation == key.generation)?;
        slot.value.as_mut()
    }

    /// Moves a value to the end of a list, be it the one it is in.
    #[inline]
    pub(super) fn move_to(&mut self, key: Key, list: List) {
        let is_there = self.lists[list as usize].last == key.slot;
        if !is_there && self.slot(key).is_some() {
            self.unlink(key.slot);
            self.push(key.slot, list);
        }
    }

    /// How many values are in a list; how many slots have none for [`List::Vacant`].
    pub(super) const fn len(&self, list: List) -> usize {
        self.lists[list as usize].len
    }

    /// The value that is in a list for the longest time.
    pub(super) fn first(&self, list: List) -> Option<Key> {
        self.key(self.lists[list as usize].first)
    }

    /// The values of a list, the first of them first.
    pub(super) fn iter(&self, list: List) -> impl Iterator<Item = (Key, &V)> {
        let mut at = self.lists[list as usize].first;
        core::iter::from_fn(move || {
            let key = self.key(at)?;
            let slot = self.slots.get(at as usize)?;
            at = slot.next;
            Some((key, slot.value.as_ref()?))
        })
    }

    /// The values of all lists, in the order of their slots.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut V)> {
        self.slots.iter_mut().zip(0..).filter_map(|(place, slot)| {
            let key = Key { generation: place.generation, slot };
            Some((key, place.value.as_mut()?))
        })
    }

    fn key(&self, slot: u32) -> Option<Key> {
        self.slots.get(slot as usize).map(|place| Key { generation: place.generation, slot })
    }

    /// The slot of a value that is there.
    #[inline]
    fn slot(&self, key: Key) -> Option<&Slot<V>> {
        let slot = self.slots.get(key.slot as usize)?;
        (slot.generation == key.generation && slot.value.is_some()).then_some(slot)
    }

    /// Takes the value out, and makes its key meaningless.
    fn clear(&mut self, slot: u32) -> Option<V> {
        let slot = self.slots.get_mut(slot as usize)?;
        let next = slot.generation.checked_add(1).filter(|next| next.get() <= LAST_GENERATION);
        slot.generation = next.unwrap_or(FIRST_GENERATION);
        slot.value.take()
    }

    #[inline]
    fn unlink(&mut self, slot: u32) {
        let Some(&Slot { list, previous, next, .. }) = self.slots.get(slot as usize) else { return };
        match self.slots.get_mut(previous as usize) {
            Some(before) => before.next = next,
            None => self.lists[list as usize].first = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(after) => after.previous = previous,
            None => self.lists[list as usize].last = previous,
        }
        self.lists[list as usize].len -= 1;
    }

    #[inline]
    fn push(&mut self, slot: u32, list: List) {
        let ends = &mut self.lists[list as usize];
        let previous = ends.last;
        ends.last = slot;
        ends.len += 1;
        match self.slots.get_mut(previous as usize) {
            Some(before) => before.next = slot,
            None => ends.first = slot,
        }
        if let Some(place) = self.slots.get_mut(slot as usize) {
            (place.list, place.previous, place.next) = (list, previous, NONE);
        }
    }
}

/// What is still there is dropped, and the slots can be used again.
impl<V> Drop for Table<'_, V> {
    fn drop(&mut self) {
        for slot in 0..self.slots.len() {
            self.clear(slot as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*, sample::Index, test_runner::RngSeed};
    use std::{rc::Rc, vec::Vec};

    const VALUED: [List; 4] = [List::New, List::Unwatched, List::Open, List::Leaving];
    const ROOM: usize = 4;

    /// The keys are any of those that there ever were.
    #[derive(Clone, Debug)]
    enum Step {
        Insert(List),
        Remove(Index),
        Move(Index, List),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let list = || (0..VALUED.len()).prop_map(|index| VALUED[index]);
        let step = prop_oneof![
            3 => list().prop_map(Step::Insert),
            1 => any::<Index>().prop_map(Step::Remove),
            2 => (any::<Index>(), list()).prop_map(|(which, list)| Step::Move(which, list)),
        ];
        vec(step, 0..200)
    }

    /// Lists that are searched from end to end.
    #[derive(Default)]
    struct Model {
        lists: [Vec<(Key, usize)>; VALUED.len()],
        /// Whatever was inserted, and by which key.
        all: Vec<Key>,
    }

    impl Model {
        fn list(&mut self, list: List) -> &mut Vec<(Key, usize)> {
            &mut self.lists[VALUED.iter().position(|other| *other == list).unwrap()]
        }

        fn take(&mut self, key: Key) -> Option<(Key, usize)> {
            self.lists.iter_mut().find_map(|list| {
                let at = list.iter().position(|(other, _)| *other == key)?;
                Some(list.remove(at))
            })
        }

        fn value(&self, key: Key) -> Option<usize> {
            self.lists.iter().flatten().find(|(other, _)| *other == key).map(|(_, value)| *value)
        }

        fn insert(&mut self, table: &mut Table<'_, usize>, list: List) {
            let has_room = self.lists.iter().flatten().count() < ROOM;
            let value = self.all.len();
            let key = table.insert(value, list);
            assert_eq!(key.is_some(), has_room);
            if let Some(key) = key {
                assert!(!self.all.contains(&key), "{key:?} twice");
                self.list(list).push((key, value));
                self.all.push(key);
            }
        }

        fn apply(&mut self, table: &mut Table<'_, usize>, step: Step) {
            match step {
                Step::Insert(list) => self.insert(table, list),
                Step::Remove(which) if !self.all.is_empty() => {
                    let key = *which.get(&self.all);
                    assert_eq!(table.remove(key), self.take(key).map(|(_, value)| value));
                }
                Step::Move(which, list) if !self.all.is_empty() => {
                    let key = *which.get(&self.all);
                    table.move_to(key, list);
                    if let Some(entry) = self.take(key) {
                        self.list(list).push(entry);
                    }
                }
                Step::Remove(_) | Step::Move(..) => {}
            }
        }

        fn assert_is(&self, table: &mut Table<'_, usize>) {
            for (list, expected) in VALUED.into_iter().zip(&self.lists) {
                assert_eq!(table.len(list), expected.len());
                assert_eq!(table.first(list), expected.first().map(|(key, _)| *key));
                assert!(table.iter(list).map(|(key, value)| (key, *value)).eq(expected.iter().copied()));
            }
            let mut all: Vec<_> = self.lists.iter().flatten().copied().collect();
            all.sort_unstable_by_key(|(key, _)| key.slot);
            assert!(table.iter_mut().map(|(key, value)| (key, *value)).eq(all));
            assert_eq!(table.len(List::Vacant), ROOM - self.lists.iter().flatten().count());
            for key in &self.all {
                assert_eq!(table.get(*key).copied(), self.value(*key));
                assert_eq!(table.get_mut(*key).copied(), self.value(*key));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(20), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_table_is_lists_in_the_order_of_coming(steps in steps()) {
            let mut slots = [const { Slot::VACANT }; ROOM];
            let mut table = Table::new(&mut slots);
            let mut model = Model::default();
            for step in steps {
                model.apply(&mut table, step);
                model.assert_is(&mut table);
            }
        }

        #[test]
        fn a_key_is_told_from_the_pollers_other_keys_and_comes_back(bits in any::<u64>()) {
            let upper = bits >> 32;
            let key = Key::from_bits(bits);
            prop_assert_eq!(key.is_some(), upper != 0 && upper != u64::from(u32::MAX));
            prop_assert_eq!(key.map_or(bits, Key::to_bits), bits);
        }
    }

    #[test]
    fn after_the_last_generation_comes_the_first() {
        let mut slots = [const { Slot::VACANT }; 1];
        slots[0].generation = NonZero::new(LAST_GENERATION - 2).unwrap();
        let mut table = Table::new(&mut slots);
        let mut generation = || {
            let key = table.insert((), List::Open).unwrap();
            assert_eq!(Key::from_bits(key.to_bits()), Some(key));
            assert_eq!((table.remove(key), table.get(key)), (Some(()), None));
            key.generation.get()
        };
        assert_eq!([(); 4].map(|()| generation()), [LAST_GENERATION - 1, LAST_GENERATION, 1, 2]);
    }

    #[test]
    fn without_slots_there_is_nothing() {
        let mut table = Table::<u8>::new(&mut []);
        let key = Key { generation: FIRST_GENERATION, slot: 0 };
        assert_eq!(table.insert(1, List::Open), None);
        assert_eq!((table.first(List::Vacant), table.remove(key), table.get(key)), (None, None, None));
        table.move_to(key, List::Open);
        assert!(VALUED.iter().all(|list| table.len(*list) == 0));
    }

    #[test]
    fn a_value_lives_as_long_as_it_is_in_the_table() {
        let value = Rc::new(());
        let mut slots = [const { Slot::VACANT }; 2];
        let mut table = Table::new(&mut slots);
        let keys = [(); 2].map(|()| table.insert(Rc::clone(&value), List::Open).unwrap());
        assert!(table.insert(Rc::clone(&value), List::Open).is_none());
        assert_eq!(Rc::strong_count(&value), 3);
        table.remove(keys[0]);
        assert_eq!(Rc::strong_count(&value), 2);
        // Whoever comes after a table that was forgotten drops what is still there, and knows no old key.
        core::mem::forget(table);
        let table = Table::new(&mut slots);
        assert!(Rc::strong_count(&value) == 1 && keys.iter().all(|key| table.get(*key).is_none()));
    }
}
