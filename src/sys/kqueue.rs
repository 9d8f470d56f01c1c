//! The selector of the BSDs and macOS: kqueue, behind the same functions as epoll.
//!
//! A kqueue has one filter a direction, so a descriptor that is ready for both is reported twice.

use core::{array, mem::MaybeUninit, time::Duration};

use rustix::{
    event::kqueue::{Event, EventFilter, EventFlags, kqueue},
    fd::{AsRawFd, BorrowedFd, OwnedFd},
    io::{Errno, FdFlags},
};

use super::{Result, raw};

pub(crate) const READABLE: u32 = 1;
pub(crate) const WRITABLE: u32 = 2;
/// There is no filter for it, so nothing is ever reported.
pub(crate) const PRIORITY: u32 = 4;
pub(crate) const READ_HANGUP: u32 = 8;
pub(crate) const HANGUP: u32 = 16;
pub(crate) const ERROR: u32 = 32;
pub(crate) const EDGE: u32 = 64;
pub(crate) const ONE_SHOT: u32 = 128;
/// kqueue wakes one waiter anyway.
pub(crate) const EXCLUSIVE: u32 = 256;

/// What [`wait`] can count.
pub(crate) const LONGEST: Duration = Duration::MAX;

/// A descriptor that is ready.
#[derive(Clone, Copy)]
pub(crate) struct RawEvent {
    key: u64,
    flags: u32,
}

pub(crate) const NOTHING: RawEvent = RawEvent { key: 0, flags: 0 };

pub(crate) fn key(event: RawEvent) -> u64 {
    event.key
}

pub(crate) fn flags(event: RawEvent) -> u32 {
    event.flags
}

/// `kqueue()`, close-on-exec.
pub(crate) fn create() -> Result<OwnedFd> {
    let fd = kqueue()?;
    rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    Ok(fd)
}

/// `kevent(selector, EV_ADD)` for each direction asked for.
pub(crate) fn add(selector: BorrowedFd<'_>, source: BorrowedFd<'_>, key: u64, flags: u32) -> Result<()> {
    for (filter, wanted) in filters(source, flags) {
        if wanted {
            change(selector, filter, EventFlags::ADD | trigger(flags), key)?;
        }
    }
    Ok(())
}

/// `kevent(selector, EV_ADD)` for each direction asked for, `EV_DELETE` for the other.
pub(crate) fn modify(selector: BorrowedFd<'_>, source: BorrowedFd<'_>, key: u64, flags: u32) -> Result<()> {
    for (filter, wanted) in filters(source, flags) {
        if wanted {
            change(selector, filter, EventFlags::ADD | trigger(flags), key)?;
        } else {
            forget(selector, filter)?;
        }
    }
    Ok(())
}

/// `kevent(selector, EV_DELETE)` for both directions.
pub(crate) fn delete(selector: BorrowedFd<'_>, source: BorrowedFd<'_>) -> Result<()> {
    filters(source, 0).into_iter().try_for_each(|(filter, _)| forget(selector, filter))
}

/// `kevent(selector, events, timeout)`
pub(crate) fn wait(selector: BorrowedFd<'_>, events: &mut [RawEvent], timeout: Option<Duration>) -> Result<usize> {
    let mut room: [MaybeUninit<Event>; 64] = array::from_fn(|_| MaybeUninit::uninit());
    let room = room.get_mut(..events.len().min(64)).ok_or(Errno::INVAL)?;
    let ready = raw::kevent(selector, &[], room, timeout)?;
    for (event, ready) in events.iter_mut().zip(ready.iter()) {
        *event = RawEvent { key: ready.udata() as usize as u64, flags: reported(ready) };
    }
    Ok(ready.len())
}

fn filters(source: BorrowedFd<'_>, flags: u32) -> [(EventFilter, bool); 2] {
    let fd = source.as_raw_fd();
    let reads = flags & (READABLE | READ_HANGUP) != 0;
    [(EventFilter::Read(fd), reads), (EventFilter::Write(fd), flags & WRITABLE != 0)]
}

fn trigger(flags: u32) -> EventFlags {
    let mut trigger = EventFlags::empty();
    trigger.set(EventFlags::CLEAR, flags & EDGE != 0);
    // The filter goes with its event; asking again adds it again.
    trigger.set(EventFlags::ONESHOT, flags & ONE_SHOT != 0);
    trigger
}

fn reported(event: &Event) -> u32 {
    let (direction, end) = match event.filter() {
        EventFilter::Write(_) => (WRITABLE, HANGUP),
        _ => (READABLE, READ_HANGUP),
    };
    let flags = event.flags();
    let end = if flags.contains(EventFlags::EOF) { end } else { 0 };
    let error = if flags.contains(EventFlags::ERROR) { ERROR } else { 0 };
    direction | end | error
}

fn change(selector: BorrowedFd<'_>, filter: EventFilter, flags: EventFlags, key: u64) -> Result<()> {
    let event = Event::new(filter, flags, key as usize as *mut _);
    raw::kevent(selector, &[event], &mut [], Some(Duration::ZERO)).map(drop)
}

/// That the filter is not there is what was wanted.
fn forget(selector: BorrowedFd<'_>, filter: EventFilter) -> Result<()> {
    match change(selector, filter, EventFlags::DELETE, 0) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}
