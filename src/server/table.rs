//! [`Table`]: values in slots, found by keys that never match another value.
//!
//! Pure. Every slot is in exactly one list, which is the only record of its value's state; a list keeps its slots in
//! order of arrival. Slots can also be marked, each once, to be visited later. Every operation on a slot takes constant
//! time.

use core::num::NonZero;

use super::slot::{FIRST_GENERATION, Key, LAST_GENERATION};
use crate::event::slots::Slots;

/// What a table needs of a slot.
pub(super) trait Room {
    type Value;

    fn links(&self) -> &Links;
    fn links_mut(&mut self) -> &mut Links;
    fn value(&self) -> Option<&Self::Value>;
    fn value_mut(&mut self) -> &mut Option<Self::Value>;
}

/// The table's state for a slot.
#[derive(Debug)]
pub(super) struct Links {
    /// The number of this slot's value, or of its next one.
    generation: NonZero<u32>,
    /// In which turn the last value left.
    vacated: u32,
    list: List,
    previous: u32,
    next: u32,
    /// The slot marked before this one ([`NONE`] for the first), or [`UNMARKED`].
    marked: u32,
}

/// The list of a slot: the state of its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum List {
    /// No value.
    Vacant,
    /// Accepted; not yet reported.
    New,
    /// Reported as opened; not watched.
    Greeted,
    /// Offered for reading at once.
    OfferedAtOnce,
    /// Waiting for the end of the turn; not watched.
    Late,
    /// Offered for reading at the end of the turn.
    OfferedAtEnd,
    /// To be watched before the next wait.
    Unwatched,
    /// Refused by the poller; not yet reported.
    Unwatchable,
    /// Watched.
    Open,
    /// Connecting; not watched.
    Dialled,
    /// Connecting, without an attempt of its own for now.
    Waiting,
    /// Connecting and watched.
    Connecting,
    /// Failed to connect; not yet reported.
    Unconnected,
    /// An attempt beside that of a connection; watched.
    Rival,
    /// Closed lingering; not watched.
    Leaving,
    /// Closed lingering and watched.
    LeavingWatched,
    /// A watched descriptor that is not the server's.
    Foreign,
}

const LISTS: usize = List::Foreign as usize + 1;
/// No slot.
const NONE: u32 = u32::MAX;
const UNMARKED: u32 = u32::MAX - 1;
/// The most slots that can be used: higher numbers have other meanings.
const SLOTS_MAX: usize = UNMARKED as usize;

impl Links {
    pub(super) const VACANT: Self = Self {
        generation: FIRST_GENERATION,
        vacated: 0,
        list: List::Vacant,
        previous: NONE,
        next: NONE,
        marked: UNMARKED,
    };
}

/// The ends of a list.
#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
    len: usize,
}

#[derive(Debug)]
pub(super) struct Table<'t, R: Room> {
    slots: Slots<'t, R>,
    lists: [Ends; LISTS],
    /// The slot marked last.
    marked: u32,
    /// The number of this turn.
    turn: u32,
}

impl<'t, R: Room> Table<'t, R> {
    /// An empty table; values that are still in the slots are dropped.
    pub(super) fn new(slots: Slots<'t, R>) -> Self {
        let mut table = Self { slots, lists: [Ends { first: NONE, last: NONE, len: 0 }; LISTS], marked: NONE, turn: 0 };
        // The first slot is last in the vacant list, and so used first.
        for slot in (0..table.slots.len().min(SLOTS_MAX) as u32).rev() {
            table.clear(slot);
            if let Some(room) = table.slots.get_mut(slot as usize) {
                room.links_mut().marked = UNMARKED;
            }
            table.push(slot, List::Vacant);
        }
        table
    }

    /// The slots, for data kept beside the values.
    #[inline]
    pub(super) fn slots_mut(&mut self) -> &mut [R] {
        &mut self.slots
    }

    /// Starts another turn; values removed from now on leave in it.
    pub(super) const fn next_turn(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }

    /// The key that the next value will have; `None` if there is no room.
    #[inline]
    pub(super) fn vacant(&self) -> Option<Key> {
        // The slot used last, whose memory is likely to be cached.
        self.key(self.ends(List::Vacant).last)
    }

    /// Puts a value into a vacant slot, and at the end of a list.
    pub(super) fn fill(&mut self, vacant: Key, value: R::Value, list: List) {
        let Some(room) = self.slots.get_mut(vacant.slot as usize) else { return };
        *room.value_mut() = Some(value);
        self.unlink(vacant.slot);
        self.push(vacant.slot, list);
    }

    /// Replaces a value under the same key.
    pub(super) fn replace(&mut self, key: Key, list: List, with: impl FnOnce(R::Value) -> R::Value) {
        if self.room(key).is_none() {
            return;
        }
        if let Some(value) = self.slots.get_mut(key.slot as usize).map(Room::value_mut) {
            *value = value.take().map(with);
        }
        self.move_to(key, list);
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<R::Value> {
        self.room(key)?;
        self.unlink(key.slot);
        self.push(key.slot, List::Vacant);
        self.clear(key.slot)
    }

    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<&R::Value> {
        self.room(key)?.value()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut R::Value> {
        let room = self.slots.get_mut(key.slot as usize).filter(|room| room.links().generation == key.generation)?;
        room.value_mut().as_mut()
    }

    /// The list of a value; [`List::Vacant`] for one that has left.
    #[inline]
    pub(super) fn list(&self, key: Key) -> List {
        self.room(key).map_or(List::Vacant, |room| room.links().list)
    }

    /// Moves a value to the end of a list, possibly its own.
    #[inline]
    pub(super) fn move_to(&mut self, key: Key, list: List) {
        if self.room(key).is_some() {
            self.unlink(key.slot);
            self.push(key.slot, list);
        }
    }

    /// The number of values in a list; for [`List::Vacant`], the number of empty slots.
    #[inline]
    pub(super) const fn len(&self, list: List) -> usize {
        self.lists[list as usize].len
    }

    /// The value that has been in a list for the longest time.
    #[inline]
    pub(super) fn first(&self, list: List) -> Option<Key> {
        self.key(self.ends(list).first)
    }

    /// The values of a list, in order.
    pub(super) fn iter(&self, list: List) -> impl Iterator<Item = (Key, &R::Value)> {
        let mut at = self.ends(list).first;
        core::iter::from_fn(move || {
            let key = self.key(at)?;
            let room = self.slots.get(at as usize)?;
            at = room.links().next;
            Some((key, room.value()?))
        })
    }

    /// The values of all lists, in the order of their slots.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, List, &mut R::Value)> {
        self.slots.iter_mut().zip(0..).filter_map(|(room, slot)| {
            let &Links { generation, list, .. } = room.links();
            Some((Key { generation, slot }, list, room.value_mut().as_mut()?))
        })
    }

    /// Whether a key's value left before this turn, so that no event of this turn can concern it.
    pub(super) fn left_before_this_turn(&self, key: Key) -> bool {
        let slot = self.slots.get(key.slot as usize);
        slot.is_some_and(|room| room.links().generation != key.generation && room.links().vacated != self.turn)
    }

    /// Marks a slot, once, whatever happens to its value.
    pub(super) fn mark(&mut self, key: Key) {
        let before = self.marked;
        let Some(room) = self.slots.get_mut(key.slot as usize) else { return };
        if room.links().marked == UNMARKED {
            room.links_mut().marked = before;
            self.marked = key.slot;
        }
    }

    /// Unmarks the slot marked last and returns its current key.
    #[inline]
    pub(super) fn next_marked(&mut self) -> Option<Key> {
        let slot = self.marked;
        let room = self.slots.get_mut(slot as usize)?;
        self.marked = core::mem::replace(&mut room.links_mut().marked, UNMARKED);
        self.key(slot)
    }

    /// The key of a slot's value, or of its next one.
    #[inline]
    pub(super) fn key(&self, slot: u32) -> Option<Key> {
        self.slots.get(slot as usize).map(|room| Key { generation: room.links().generation, slot })
    }

    /// The slot of a key whose value is present.
    #[inline]
    fn room(&self, key: Key) -> Option<&R> {
        let room = self.slots.get(key.slot as usize)?;
        (room.links().generation == key.generation && room.value().is_some()).then_some(room)
    }

    #[inline]
    const fn ends(&self, list: List) -> &Ends {
        &self.lists[list as usize]
    }

    /// Removes the value and invalidates its key.
    fn clear(&mut self, slot: u32) -> Option<R::Value> {
        let turn = self.turn;
        let room = self.slots.get_mut(slot as usize)?;
        let links = room.links_mut();
        let next = links.generation.checked_add(1).filter(|next| next.get() <= LAST_GENERATION);
        links.generation = next.unwrap_or(FIRST_GENERATION);
        links.vacated = turn;
        room.value_mut().take()
    }

    #[inline]
    fn unlink(&mut self, slot: u32) {
        let Some(room) = self.slots.get(slot as usize) else { return };
        let &Links { list, previous, next, .. } = room.links();
        match self.slots.get_mut(previous as usize) {
            Some(before) => before.links_mut().next = next,
            None => self.lists[list as usize].first = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(after) => after.links_mut().previous = previous,
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
            Some(before) => before.links_mut().next = slot,
            None => ends.first = slot,
        }
        if let Some(room) = self.slots.get_mut(slot as usize) {
            let links = room.links_mut();
            (links.list, links.previous, links.next) = (list, previous, NONE);
        }
    }
}

/// Drops the remaining values; borrowed slots can be used again.
impl<R: Room> Drop for Table<'_, R> {
    fn drop(&mut self) {
        for slot in 0..self.slots.len().min(SLOTS_MAX) as u32 {
            self.clear(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::model::{Numbers, Slot},
        *,
    };
    use std::{println, rc::Rc, vec::Vec};

    const VALUED: [List; 4] = [List::New, List::Unwatched, List::Open, List::Leaving];
    const ROOM: usize = 4;

    fn table<V>(slots: &mut [Slot<V>]) -> Table<'_, Slot<V>> {
        Table::new(Slots::Borrowed(slots))
    }

    fn insert<V>(table: &mut Table<'_, Slot<V>>, value: V, list: List) -> Option<Key> {
        let key = table.vacant()?;
        table.fill(key, value, list);
        Some(key)
    }

    /// Lists searched from end to end.
    #[derive(Default)]
    struct Model {
        lists: [Vec<(Key, usize)>; VALUED.len()],
        /// Every key there ever was.
        all: Vec<Key>,
        /// The marked slots; the last one is visited first.
        marked: Vec<u32>,
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

        fn entries(&self) -> impl Iterator<Item = &(Key, usize)> {
            self.lists.iter().flatten()
        }

        fn insert(&mut self, table: &mut Table<'_, Slot<usize>>, list: List) {
            let has_room = self.entries().count() < ROOM;
            let value = self.all.len();
            let key = insert(table, value, list);
            assert_eq!(key.is_some(), has_room);
            if let Some(key) = key {
                assert!(!self.all.contains(&key), "{key:?} twice");
                self.list(list).push((key, value));
                self.all.push(key);
            }
        }

        /// Of eight steps, three insert and one removes; the rest visit a mark or change a key, current or stale.
        fn step(&mut self, table: &mut Table<'_, Slot<usize>>, numbers: &mut Numbers) {
            let (choice, list) = (numbers.below(8), VALUED[numbers.below(VALUED.len())]);
            if choice < 3 {
                return self.insert(table, list);
            }
            if self.all.is_empty() {
                return;
            }
            let key = self.all[numbers.below(self.all.len())];
            match choice {
                3 => assert_eq!(table.remove(key), self.take(key).map(|(_, value)| value)),
                4 => self.replace(table, key, list),
                5 => self.mark(table, key),
                6 => assert_eq!(table.next_marked().map(|key| key.slot), self.marked.pop()),
                _ => self.move_to(table, key, list),
            }
        }

        fn replace(&mut self, table: &mut Table<'_, Slot<usize>>, key: Key, list: List) {
            table.replace(key, list, |value| value + 1000);
            if let Some((key, value)) = self.take(key) {
                self.list(list).push((key, value + 1000));
            }
        }

        fn mark(&mut self, table: &mut Table<'_, Slot<usize>>, key: Key) {
            table.mark(key);
            if !self.marked.contains(&key.slot) {
                self.marked.push(key.slot);
            }
        }

        fn move_to(&mut self, table: &mut Table<'_, Slot<usize>>, key: Key, list: List) {
            table.move_to(key, list);
            if let Some(entry) = self.take(key) {
                self.list(list).push(entry);
            }
        }

        fn assert_is(&self, table: &mut Table<'_, Slot<usize>>) {
            for (list, expected) in VALUED.into_iter().zip(&self.lists) {
                assert_eq!(table.len(list), expected.len());
                assert_eq!(table.first(list), expected.first().map(|(key, _)| *key));
                assert!(table.iter(list).map(|(key, value)| (key, *value)).eq(expected.iter().copied()));
                assert!(expected.iter().all(|(key, _)| table.list(*key) == list));
            }
            let mut all: Vec<_> = self.entries().copied().collect();
            all.sort_unstable_by_key(|(key, _)| key.slot);
            assert!(table.iter_mut().map(|(key, _, value)| (key, *value)).eq(all));
            assert_eq!(table.len(List::Vacant), ROOM - self.entries().count());
            for key in &self.all {
                let value = self.entries().find(|(other, _)| other == key).map(|(_, value)| *value);
                assert_eq!(table.get(*key).copied(), value);
                assert_eq!(table.get_mut(*key).copied(), value);
            }
        }
    }

    #[test]
    fn each_list_keeps_its_values_in_order_of_arrival() {
        for seed in 0..300 {
            println!("seed {seed}");
            let mut numbers = Numbers(seed);
            let mut slots = [const { Slot::VACANT }; ROOM];
            let mut table = table(&mut slots);
            let mut model = Model::default();
            for _ in 0..numbers.below(200) {
                model.step(&mut table, &mut numbers);
                model.assert_is(&mut table);
            }
        }
    }

    #[test]
    fn a_key_round_trips_and_differs_from_the_pollers_other_keys() {
        let mut numbers = Numbers(20);
        for _ in 0..1000 {
            let any = numbers.next();
            let lower = any & u64::from(u32::MAX);
            for bits in [any, lower, lower | 1 << 32, any | u64::from(u32::MAX) << 32] {
                let upper = bits >> 32;
                let key = Key::from_bits(bits);
                assert_eq!(key.is_some(), upper != 0 && upper != u64::from(u32::MAX), "{bits:#x}");
                assert_eq!(key.map_or(bits, Key::to_bits), bits);
            }
        }
    }

    #[test]
    fn generations_wrap_from_the_last_to_the_first() {
        let mut slots = [const { Slot::VACANT }; 1];
        slots[0].links.generation = NonZero::new(LAST_GENERATION - 2).unwrap();
        let mut table = table(&mut slots);
        let mut generation = || {
            let key = insert(&mut table, (), List::Open).unwrap();
            assert_eq!(Key::from_bits(key.to_bits()), Some(key));
            assert_eq!((table.remove(key), table.get(key)), (Some(()), None));
            key.generation.get()
        };
        assert_eq!([(); 4].map(|()| generation()), [LAST_GENERATION - 1, LAST_GENERATION, 1, 2]);
    }

    #[test]
    fn a_value_that_left_in_an_earlier_turn_is_recognised() {
        let mut slots = [const { Slot::VACANT }; 1];
        let mut table = table(&mut slots);
        let key = insert(&mut table, 1, List::Open).unwrap();
        assert!(!table.left_before_this_turn(key));
        table.remove(key);
        assert!(!table.left_before_this_turn(key));
        table.next_turn();
        assert!(table.left_before_this_turn(key));
        let next = insert(&mut table, 2, List::Open).unwrap();
        assert!(table.left_before_this_turn(key) && !table.left_before_this_turn(next));
    }

    #[test]
    fn a_table_without_slots_stays_empty() {
        let mut table = table::<u8>(&mut []);
        let key = Key { generation: FIRST_GENERATION, slot: 0 };
        assert_eq!(insert(&mut table, 1, List::Open), None);
        assert_eq!((table.first(List::Vacant), table.remove(key), table.get(key)), (None, None, None));
        table.move_to(key, List::Open);
        table.mark(key);
        assert!(VALUED.iter().all(|list| table.len(*list) == 0) && table.next_marked().is_none());
    }

    #[test]
    fn a_value_lives_as_long_as_it_is_in_the_table() {
        let value = Rc::new(());
        let mut slots = [const { Slot::VACANT }; 2];
        let mut first = table(&mut slots);
        let keys = [(); 2].map(|()| insert(&mut first, Rc::clone(&value), List::Open).unwrap());
        assert!(insert(&mut first, Rc::clone(&value), List::Open).is_none());
        assert_eq!(Rc::strong_count(&value), 3);
        first.remove(keys[0]);
        assert_eq!(Rc::strong_count(&value), 2);
        // The next table drops what a forgotten one left behind, and accepts no old key.
        core::mem::forget(first);
        let second = table(&mut slots);
        assert!(Rc::strong_count(&value) == 1 && keys.iter().all(|key| second.get(*key).is_none()));
    }
}
