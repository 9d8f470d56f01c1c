//! What an [`EventLoop`](super::EventLoop) knows of a descriptor, and the key by which an event finds it.

use rustix::fd::{AsRawFd, BorrowedFd};

use super::{FileHandler, Interest};

/// The registration of a descriptor.
pub(super) struct File<S, const FILES: usize, const TIMES: usize> {
    /// Which one this is; 0: none.
    pub(super) registration: u32,
    pub(super) write_first: bool,
    on_readable: Option<(FileHandler<S, FILES, TIMES>, u64)>,
    on_writable: Option<(FileHandler<S, FILES, TIMES>, u64)>,
}

/// What a handler is called for.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Read,
    Write,
}

impl<S, const FILES: usize, const TIMES: usize> File<S, FILES, TIMES> {
    pub(super) const NONE: Self = Self { registration: 0, write_first: false, on_readable: None, on_writable: None };

    pub(super) const fn handler(&self, direction: Direction) -> Option<(FileHandler<S, FILES, TIMES>, u64)> {
        match direction {
            Direction::Read => self.on_readable,
            Direction::Write => self.on_writable,
        }
    }

    pub(super) fn with(mut self, direction: Direction, handler: Option<(FileHandler<S, FILES, TIMES>, u64)>) -> Self {
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

// A derive would ask the same of `S`.
impl<S, const FILES: usize, const TIMES: usize> Copy for File<S, FILES, TIMES> {}
impl<S, const FILES: usize, const TIMES: usize> Clone for File<S, FILES, TIMES> {
    fn clone(&self) -> Self {
        *self
    }
}

/// The place of a descriptor.
pub(super) fn number(fd: BorrowedFd<'_>) -> usize {
    usize::try_from(fd.as_raw_fd()).unwrap_or(usize::MAX)
}

/// The poller's key: which registration of which descriptor.
pub(super) fn key(registration: u32, number: usize) -> u64 {
    u64::from(registration) << 32 | number as u64
}

/// The way back.
pub(super) const fn registration_and_number(key: u64) -> (u32, usize) {
    ((key >> 32) as u32, key as u32 as usize)
}
