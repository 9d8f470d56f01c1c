//! The selector of the BSDs and macOS: kqueue.
//!
//! A kqueue has one filter per direction, so a descriptor that is ready for both is reported twice.

use core::{array, mem::MaybeUninit, time::Duration};

use rustix::{
    event::kqueue::{Event as KernelEvent, EventFilter, EventFlags, kqueue},
    fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    io::{Errno, FdFlags},
};

use crate::sys::{Result, raw};

pub(crate) const READABLE: u32 = 1;
pub(crate) const WRITABLE: u32 = 2;
/// kqueue has no filter for it, so it is never reported.
pub(crate) const PRIORITY: u32 = 4;
pub(crate) const READ_HANGUP: u32 = 8;
pub(crate) const HANGUP: u32 = 16;
pub(crate) const ERROR: u32 = 32;
pub(crate) const EDGE: u32 = 64;
pub(crate) const ONE_SHOT: u32 = 128;
/// kqueue wakes one waiter anyway.
pub(crate) const EXCLUSIVE: u32 = 256;

/// A descriptor that is ready.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    key: u64,
    flags: u32,
}

impl Event {
    pub(crate) const NOTHING: Self = Self { key: 0, flags: 0 };

    pub(crate) const fn key(self) -> u64 {
        self.key
    }

    pub(crate) const fn flags(self) -> u32 {
        self.flags
    }
}

/// A kqueue.
#[derive(Debug)]
pub(crate) struct Selector {
    fd: OwnedFd,
}

impl Selector {
    /// The longest timeout of [`wait`](Self::wait).
    pub(crate) const LONGEST: Duration = Duration::MAX;

    /// `kqueue()`, close-on-exec.
    pub(crate) fn new() -> Result<Self> {
        let fd = kqueue()?;
        rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        Ok(Self { fd })
    }

    /// `dup2(kqueue(), fd)`: a new instance under the same number.
    pub(crate) fn renew(&mut self) -> Result<()> {
        let new = Self::new()?;
        rustix::io::dup2(&new.fd, &mut self.fd)?;
        rustix::io::fcntl_setfd(&self.fd, FdFlags::CLOEXEC)
    }

    /// `kevent(fd, EV_ADD)` for each direction asked for.
    pub(crate) fn add(&self, source: BorrowedFd<'_>, key: u64, flags: u32) -> Result<()> {
        for (filter, wanted) in filters(source, flags) {
            if wanted {
                self.change(filter, EventFlags::ADD | trigger(flags), key)?;
            }
        }
        Ok(())
    }

    /// `kevent(fd, EV_ADD)` for each direction asked for, `EV_DELETE` for the other.
    pub(crate) fn modify(&self, source: BorrowedFd<'_>, key: u64, flags: u32) -> Result<()> {
        for (filter, wanted) in filters(source, flags) {
            if wanted {
                self.change(filter, EventFlags::ADD | trigger(flags), key)?;
            } else {
                self.forget(filter)?;
            }
        }
        Ok(())
    }

    /// `kevent(fd, EV_DELETE)` for both directions.
    pub(crate) fn delete(&self, source: BorrowedFd<'_>) -> Result<()> {
        filters(source, 0).into_iter().try_for_each(|(filter, _)| self.forget(filter))
    }

    /// `kevent(fd, events, timeout)`
    pub(crate) fn wait(&self, events: &mut [Event], timeout: Option<Duration>) -> Result<usize> {
        let mut room: [MaybeUninit<KernelEvent>; 64] = array::from_fn(|_| MaybeUninit::uninit());
        let room = room.get_mut(..events.len().min(64)).ok_or(Errno::INVAL)?;
        let ready = raw::kevent(self.fd.as_fd(), &[], room, timeout)?;
        for (event, ready) in events.iter_mut().zip(ready.iter()) {
            *event = Event { key: ready.udata() as usize as u64, flags: reported(ready) };
        }
        Ok(ready.len())
    }

    /// `kevent` always has nanosecond precision.
    pub(crate) fn wait_precisely(&self, events: &mut [Event], timeout: Duration) -> Result<usize> {
        self.wait(events, Some(timeout))
    }

    fn change(&self, filter: EventFilter, flags: EventFlags, key: u64) -> Result<()> {
        let event = KernelEvent::new(filter, flags, key as usize as *mut _);
        raw::kevent(self.fd.as_fd(), &[event], &mut [], Some(Duration::ZERO)).map(drop)
    }

    /// Deletes a filter; a missing one is not an error.
    fn forget(&self, filter: EventFilter) -> Result<()> {
        match self.change(filter, EventFlags::DELETE, 0) {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        }
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<OwnedFd> for Selector {
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

impl From<Selector> for OwnedFd {
    fn from(selector: Selector) -> Self {
        selector.fd
    }
}

fn filters(source: BorrowedFd<'_>, flags: u32) -> [(EventFilter, bool); 2] {
    let fd = source.as_raw_fd();
    let reads = flags & (READABLE | READ_HANGUP) != 0;
    [(EventFilter::Read(fd), reads), (EventFilter::Write(fd), flags & WRITABLE != 0)]
}

fn trigger(flags: u32) -> EventFlags {
    let mut trigger = EventFlags::empty();
    trigger.set(EventFlags::CLEAR, flags & EDGE != 0);
    // The kernel deletes the filter with its event; setting the interest again adds it.
    trigger.set(EventFlags::ONESHOT, flags & ONE_SHOT != 0);
    trigger
}

fn reported(event: &KernelEvent) -> u32 {
    let (direction, end) = match event.filter() {
        EventFilter::Write(_) => (WRITABLE, HANGUP),
        _ => (READABLE, READ_HANGUP),
    };
    let flags = event.flags();
    let end = if flags.contains(EventFlags::EOF) { end } else { 0 };
    let error = if flags.contains(EventFlags::ERROR) { ERROR } else { 0 };
    direction | end | error
}
