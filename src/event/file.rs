//! The state of an [`EventLoop`](super::EventLoop) for a descriptor, and the key of its events.

use core::fmt;

use rustix::fd::{AsRawFd, BorrowedFd};

use super::{FileHandler, Interest};

/// Room for the registration of one descriptor with a loop whose state is an `S`. 40 bytes.
pub struct FileSlot<S> {
    /// The number of the registration; 0: none.
    pub(super) registration: u32,
    pub(super) write_first: bool,
    on_readable: Option<(FileHandler<S>, u64)>,
    on_writable: Option<(FileHandler<S>, u64)>,
}

/// The direction that a handler is for.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Read,
    Write,
}

impl<S> FileSlot<S> {
    /// A slot without a registration.
    pub const VACANT: Self = Self { registration: 0, write_first: false, on_readable: None, on_writable: None };

    pub(super) const fn handler(&self, direction: Direction) -> Option<(FileHandler<S>, u64)> {
        match direction {
            Direction::Read => self.on_readable,
            Direction::Write => self.on_writable,
        }
    }

    pub(super) fn with(mut self, direction: Direction, handler: Option<(FileHandler<S>, u64)>) -> Self {
        match direction {
            Direction::Read => self.on_readable = handler,
            Direction::Write => self.on_writable = handler,
        }
        self
    }

    pub(super) fn interest(&self) -> Interest {
        let mut interest = Interest::empty();
        interest.set(Interest::READABLE, self.on_readable.is_some());
        interest.set(Interest::WRITABLE, self.on_writable.is_some());
        interest
    }

    pub(super) const fn order(&self) -> [Direction; 2] {
        if self.write_first { [Direction::Write, Direction::Read] } else { [Direction::Read, Direction::Write] }
    }
}

// A derive would require the same of `S`.
impl<S> Copy for FileSlot<S> {}
impl<S> Clone for FileSlot<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Default for FileSlot<S> {
    fn default() -> Self {
        Self::VACANT
    }
}

impl<S> fmt::Debug for FileSlot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSlot").field("interest", &self.interest()).finish_non_exhaustive()
    }
}

/// The index of a descriptor's slot.
pub(super) fn number(fd: BorrowedFd<'_>) -> usize {
    usize::try_from(fd.as_raw_fd()).unwrap_or(usize::MAX)
}

/// The poller's key: the registration and the number of a descriptor.
pub(super) fn key(registration: u32, number: usize) -> u64 {
    u64::from(registration) << 32 | number as u64
}

/// The inverse of [`key`].
pub(super) const fn registration_and_number(key: u64) -> (u32, usize) {
    ((key >> 32) as u32, key as u32 as usize)
}
