//! [`Slots`]: the memory of a table, borrowed or allocated, without a type parameter for it.

use core::ops::{Deref, DerefMut};

#[cfg(feature = "std")]
use std::{boxed::Box, vec};

/// Slots borrowed from the caller, or allocated at the start.
#[derive(Debug)]
pub(crate) enum Slots<'t, V> {
    Borrowed(&'t mut [V]),
    #[cfg(feature = "std")]
    Boxed(Box<[V]>),
}

/// Allocates and fills `len` slots in place: none of them passes over the stack.
#[cfg(feature = "std")]
pub(super) fn boxed<V: Copy>(vacant: V, len: usize) -> Box<[V]> {
    vec![vacant; len].into_boxed_slice()
}

impl<V> Deref for Slots<'_, V> {
    type Target = [V];

    #[inline]
    fn deref(&self) -> &[V] {
        match self {
            Self::Borrowed(slots) => slots,
            #[cfg(feature = "std")]
            Self::Boxed(slots) => slots,
        }
    }
}

impl<V> DerefMut for Slots<'_, V> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [V] {
        match self {
            Self::Borrowed(slots) => slots,
            #[cfg(feature = "std")]
            Self::Boxed(slots) => slots,
        }
    }
}

impl<V> AsRef<[V]> for Slots<'_, V> {
    fn as_ref(&self) -> &[V] {
        self
    }
}

impl<V> AsMut<[V]> for Slots<'_, V> {
    fn as_mut(&mut self) -> &mut [V] {
        self
    }
}
