//! [`Slot`]: room for one connection, and [`Slots`]: the slots of a server, borrowed or owned.

use core::{num::NonZero, time::Duration};

#[cfg(feature = "std")]
use std::{boxed::Box, vec::Vec};

use super::{
    connections::Occupant,
    deadlines::{Deadlined, Place},
    table::{Links, Room},
};
use crate::event::{heap::HeapSlot, slots::Slots as Memory};

/// Room for one connection with data of type `T`, or for one watched descriptor.
#[derive(Debug)]
pub struct Slot<T> {
    links: Links,
    place: Place,
    occupant: Option<Occupant<T>>,
}

impl<T> Slot<T> {
    /// An empty slot.
    pub const VACANT: Self = Self { links: Links::VACANT, place: Place::NONE, occupant: None };
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self::VACANT
    }
}

impl<T> Room for Slot<T> {
    type Value = Occupant<T>;

    #[inline]
    fn links(&self) -> &Links {
        &self.links
    }

    #[inline]
    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    #[inline]
    fn value(&self) -> Option<&Occupant<T>> {
        self.occupant.as_ref()
    }

    #[inline]
    fn value_mut(&mut self) -> &mut Option<Occupant<T>> {
        &mut self.occupant
    }
}

impl<T> HeapSlot for Slot<T> {
    type Rank = Duration;

    #[inline]
    fn entry(&self) -> (Duration, u32) {
        self.place.entry
    }

    #[inline]
    fn set_entry(&mut self, entry: (Duration, u32)) {
        self.place.entry = entry;
    }

    #[inline]
    fn set_place(&mut self, place: u32) {
        self.place.place = place;
    }
}

impl<T> Deadlined for Slot<T> {
    #[inline]
    fn place(&mut self) -> &mut Place {
        &mut self.place
    }
}

/// The slots of a server: borrowed from the caller, or owned.
///
/// ```
/// use anet::server::{Server, Slot, Slots};
///
/// // Without an allocator:
/// let mut slots = [const { Slot::<u32>::VACANT }; 16];
/// let server = Server::new(&mut slots)?;
/// # drop(server);
///
/// // Allocated once, and never on the stack:
/// # #[cfg(feature = "std")]
/// struct Service {
///     server: Server<'static, Vec<u8>>,
/// }
/// # #[cfg(feature = "std")]
/// let service = Service { server: Server::new(Slots::allocate(10_000))? };
/// # #[cfg(feature = "std")]
/// # assert!(service.server.is_empty());
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Debug)]
pub struct Slots<'t, T>(pub(super) Memory<'t, Slot<T>>);

impl<T> Slots<'_, T> {
    /// Allocates room for `count` connections, directly on the heap.
    #[cfg(feature = "std")]
    pub fn allocate(count: usize) -> Self {
        Self(Memory::Boxed(core::iter::repeat_with(|| Slot::VACANT).take(count).collect()))
    }
}

impl<'t, T> From<&'t mut [Slot<T>]> for Slots<'t, T> {
    fn from(slots: &'t mut [Slot<T>]) -> Self {
        Self(Memory::Borrowed(slots))
    }
}

impl<'t, T, const N: usize> From<&'t mut [Slot<T>; N]> for Slots<'t, T> {
    fn from(slots: &'t mut [Slot<T>; N]) -> Self {
        Self(Memory::Borrowed(slots))
    }
}

#[cfg(feature = "std")]
impl<'t, T> From<&'t mut Vec<Slot<T>>> for Slots<'t, T> {
    fn from(slots: &'t mut Vec<Slot<T>>) -> Self {
        Self(Memory::Borrowed(slots))
    }
}

#[cfg(feature = "std")]
impl<T> From<Box<[Slot<T>]>> for Slots<'_, T> {
    fn from(slots: Box<[Slot<T>]>) -> Self {
        Self(Memory::Boxed(slots))
    }
}

/// Identifies a connection of a server. 8 bytes, and so is an `Option` of it.
///
/// A key finds nothing once its connection is closed: a slot must be reused 2³² times before an old key finds a new
/// connection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    pub(super) generation: NonZero<u32>,
    pub(super) slot: u32,
}

/// The generations of values. The numbers before and after them mark other keys of the poller.
pub(super) const FIRST_GENERATION: NonZero<u32> = NonZero::<u32>::MIN;
pub(super) const LAST_GENERATION: u32 = u32::MAX - 1;

const _: () = assert!(size_of::<Option<Key>>() == 8);

impl Key {
    /// The key as a number, to store where only a number fits. The upper half is never 0.
    #[inline]
    pub const fn to_bits(self) -> u64 {
        (self.generation.get() as u64) << 32 | self.slot as u64
    }

    /// The key with these bits; `None` if they are not a key.
    #[inline]
    pub fn from_bits(bits: u64) -> Option<Self> {
        let generation = NonZero::new((bits >> 32) as u32).filter(|generation| generation.get() <= LAST_GENERATION)?;
        Some(Self { generation, slot: bits as u32 })
    }
}
