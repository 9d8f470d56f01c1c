//! [`EventLoop`]: the ae model of Redis, with handlers for files and times, in memory that the caller places.
//!
//! File events are kept by descriptor number, so the slots bound the numbers and not the count, as ae's `setsize` does.
//! A handler gets the loop and the server's state, and may change any registration, its own included, while other
//! events of the same wait are still to be delivered: before each delivery the loop looks whether the registration
//! that the event belongs to is still there. A registration that was removed is never called, even if its descriptor
//! number has been given to another one meanwhile, because each registration has a number of its own.
//!
//! A descriptor is removed before it is closed. One that was closed without that is forgotten when its number is
//! registered again.

use core::{fmt, time::Duration};

use rustix::fd::{AsFd, BorrowedFd};

#[cfg(feature = "std")]
use super::slots;
use super::{
    Events, Expired, FileSlot, Poller, Readiness, TimerError, TimerId, TimerSlot, Timers,
    file::{Direction, key, number, registration_and_number},
    slots::Slots,
};
use crate::{
    error::{Errno, Error, Op, Result},
    sys,
};

/// Events taken from the kernel at one wait; more of them come with the next.
const BATCH: usize = 128;

/// What is called when a descriptor is ready, with the number it was registered with.
#[doc(alias = "aeFileProc")]
pub type FileHandler<S> = fn(&mut EventLoop<'_, S>, &mut S, u64);

/// What is called when a time has come, with the number it was registered with.
#[doc(alias = "aeTimeProc")]
pub type TimeHandler<S> = fn(&mut EventLoop<'_, S>, &mut S, TimerId, u64);

/// Room for one time event of a loop whose state is an `S`.
pub type TimeSlot<S> = TimerSlot<TimeCall<S>>;

type TimeCall<S> = (TimeHandler<S>, u64);

/// What is called around a wait.
#[doc(alias = "aeBeforeSleepProc")]
pub type SleepHandler<S> = fn(&mut EventLoop<'_, S>, &mut S);

/// Calls handlers when descriptors are ready and when times have come.
///
/// `S` is the server's own state, which [`run`](Self::run) lends to the handlers. The slots are borrowed, or allocated
/// once by [`boxed`](Self::boxed).
///
/// ```
/// use anet::{event::{EventLoop, FileSlot, TimerSlot}, pipe::{EndFlags, Pipe, pipe}};
/// use core::time::Duration;
///
/// struct Server {
///     pipe: Pipe,
///     ready: u32,
///     ticks: u32,
/// }
///
/// let mut server = Server { pipe: pipe(EndFlags::empty(), EndFlags::empty())?, ready: 0, ticks: 0 };
/// // Descriptors below 64, and four time events at once.
/// let (mut files, mut times) = ([FileSlot::VACANT; 64], [TimerSlot::VACANT; 4]);
/// let mut events = EventLoop::<Server>::new(&mut files, &mut times)?;
/// events.on_writable(&server.pipe.write, 0, |events, server, _| {
///     server.ready += 1;
///     let _ = events.remove(&server.pipe.write);
/// })?;
/// events.every(Duration::from_millis(1), 0, |events, server, _, _| {
///     server.ticks += 1;
///     if server.ticks == 3 {
///         events.stop();
///     }
/// })?;
/// events.run(&mut server)?;
/// assert_eq!((server.ready, server.ticks), (1, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "aeEventLoop")]
pub struct EventLoop<'t, S> {
    poller: Poller,
    files: Slots<'t, FileSlot<S>>,
    /// The number of the latest registration.
    registrations: u32,
    timers: Timers<Slots<'t, TimeSlot<S>>, TimeCall<S>>,
    before_sleep: Option<SleepHandler<S>>,
    after_sleep: Option<SleepHandler<S>>,
    stopped: bool,
}

impl<'t, S> EventLoop<'t, S> {
    /// A loop with nothing to do, for descriptor numbers below `files.len()` and `times.len()` time events at once. What
    /// the slots hold from earlier use is forgotten.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    #[doc(alias = "aeCreateEventLoop")]
    pub fn new(files: &'t mut [FileSlot<S>], times: &'t mut [TimeSlot<S>]) -> Result<Self> {
        files.fill(FileSlot::VACANT);
        Self::with_slots(Slots::Borrowed(files), Slots::Borrowed(times))
    }

    /// A loop with nothing to do, for descriptor numbers below `files` and `times` time events at once, in memory that
    /// is allocated now and never again.
    ///
    /// ```
    /// # struct Server;
    /// let events = anet::event::EventLoop::<Server>::boxed(100_000, 1000)?;
    /// # Ok::<(), anet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// If so many slots have more than `isize::MAX` bytes.
    #[cfg(feature = "std")]
    pub fn boxed(files: usize, times: usize) -> Result<Self> {
        let files = slots::boxed(FileSlot::VACANT, files);
        Self::with_slots(Slots::Boxed(files), Slots::Boxed(slots::boxed(TimerSlot::VACANT, times)))
    }

    fn with_slots(files: Slots<'t, FileSlot<S>>, times: Slots<'t, TimeSlot<S>>) -> Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            files,
            registrations: 0,
            timers: Timers::new(times),
            before_sleep: None,
            after_sleep: None,
            stopped: false,
        })
    }
}

/// File events.
impl<S> EventLoop<'_, S> {
    /// Calls `handler` whenever `fd` can be read from, or has an error or an end to be read, in place of an earlier
    /// handler for that.
    ///
    /// # Errors
    ///
    /// `ERANGE` for a descriptor whose number is beyond the capacity; those of [`Poller::add`].
    #[doc(alias = "aeCreateFileEvent")]
    #[doc(alias = "AE_READABLE")]
    pub fn on_readable(&mut self, fd: impl AsFd, data: u64, handler: FileHandler<S>) -> Result<()> {
        self.set(fd.as_fd(), Direction::Read, Some((handler, data)))
    }

    /// Calls `handler` whenever `fd` can be written to, or has an error, in place of an earlier handler for that.
    ///
    /// # Errors
    ///
    /// Those of [`on_readable`](Self::on_readable).
    #[doc(alias = "aeCreateFileEvent")]
    #[doc(alias = "AE_WRITABLE")]
    pub fn on_writable(&mut self, fd: impl AsFd, data: u64, handler: FileHandler<S>) -> Result<()> {
        self.set(fd.as_fd(), Direction::Write, Some((handler, data)))
    }

    /// For a descriptor that can be both read from and written to, call the handler for writing first: what
    /// [`before_sleep`](Self::before_sleep) has put on a disk is answered before more is read.
    ///
    /// # Errors
    ///
    /// `ERANGE`, and `ENOENT` for a descriptor without handlers.
    #[doc(alias = "AE_BARRIER")]
    pub fn write_first(&mut self, fd: impl AsFd, on: bool) -> Result<()> {
        let number = number(fd.as_fd());
        match self.files.as_mut().get_mut(number) {
            None => Err(Error::new(Op::EventControl, Errno::RANGE)),
            Some(file) if file.registration == 0 => Err(Error::new(Op::EventControl, Errno::NOENT)),
            Some(file) => {
                file.write_first = on;
                Ok(())
            }
        }
    }

    /// Calls no handler for `fd` any more, not even for what the last wait has reported.
    ///
    /// # Errors
    ///
    /// `ERANGE`. That there is no handler is no error.
    #[doc(alias = "aeDeleteFileEvent")]
    pub fn remove(&mut self, fd: impl AsFd) -> Result<()> {
        self.remove_readable(&fd)?;
        self.remove_writable(&fd)
    }

    /// Calls no handler any more when `fd` can be read from.
    ///
    /// # Errors
    ///
    /// Those of [`remove`](Self::remove).
    #[doc(alias = "aeDeleteFileEvent")]
    pub fn remove_readable(&mut self, fd: impl AsFd) -> Result<()> {
        self.set(fd.as_fd(), Direction::Read, None)
    }

    /// Calls no handler any more when `fd` can be written to.
    ///
    /// # Errors
    ///
    /// Those of [`remove`](Self::remove).
    #[doc(alias = "aeDeleteFileEvent")]
    pub fn remove_writable(&mut self, fd: impl AsFd) -> Result<()> {
        self.set(fd.as_fd(), Direction::Write, None)
    }

    /// The registration changes only if the kernel has taken the change.
    fn set(&mut self, fd: BorrowedFd<'_>, direction: Direction, handler: Option<(FileHandler<S>, u64)>) -> Result<()> {
        let number = number(fd);
        let Some(&before) = self.files.as_ref().get(number) else {
            return Err(Error::new(Op::EventControl, Errno::RANGE));
        };
        let mut after = before.with(direction, handler);
        if before.registration == 0 || !self.change(fd, &after)? {
            // Of a number that the kernel does not know any more nothing is left that could be kept.
            after = FileSlot::VACANT.with(direction, handler);
            self.begin(fd, &mut after)?;
        }
        if let Some(file) = self.files.as_mut().get_mut(number) {
            *file = if after.interest().is_empty() { FileSlot::VACANT } else { after };
        }
        Ok(())
    }

    /// Changes or ends a registration; `false` if the kernel does not know it. The number of a descriptor that was
    /// closed may belong to another one now, even to a regular file (`EPERM`).
    fn change(&self, fd: BorrowedFd<'_>, file: &FileSlot<S>) -> Result<bool> {
        let interest = file.interest();
        let changed = if interest.is_empty() {
            self.poller.delete(fd)
        } else {
            self.poller.modify(fd, key(file.registration, number(fd)), interest)
        };
        match changed {
            Err(error) if error.is(Errno::NOENT) || error.is(Errno::PERM) => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Makes a registration, unless there is nothing to wait for.
    fn begin(&mut self, fd: BorrowedFd<'_>, file: &mut FileSlot<S>) -> Result<()> {
        let interest = file.interest();
        if interest.is_empty() {
            return Ok(());
        }
        file.registration = self.next_registration();
        self.poller.add(fd, key(file.registration, number(fd)), interest)
    }

    /// Never 0. After four thousand million registrations numbers come again, long after their events.
    const fn next_registration(&mut self) -> u32 {
        self.registrations = match self.registrations.wrapping_add(1) {
            0 => 1,
            next => next,
        };
        self.registrations
    }
}

/// Time events.
impl<S> EventLoop<'_, S> {
    /// Calls `handler` once, when `delay` is over.
    ///
    /// # Errors
    ///
    /// [`TimerError::Full`].
    #[doc(alias = "aeCreateTimeEvent")]
    pub fn after(&mut self, delay: Duration, data: u64, handler: TimeHandler<S>) -> Result<TimerId, TimerError> {
        self.timers.insert_at(sys::now().saturating_add(delay), (handler, data))
    }

    /// Calls `handler` every `period`, for the first time when one is over, until it is cancelled. How a late one is
    /// treated says [`Timers::insert_every`].
    ///
    /// # Errors
    ///
    /// [`TimerError::Full`], [`TimerError::ZeroPeriod`].
    #[doc(alias = "aeCreateTimeEvent")]
    pub fn every(&mut self, period: Duration, data: u64, handler: TimeHandler<S>) -> Result<TimerId, TimerError> {
        self.timers.insert_every(sys::now().saturating_add(period), period, (handler, data))
    }

    /// Calls a handler no more; says whether it was still to be called.
    #[doc(alias = "aeDeleteTimeEvent")]
    pub fn cancel(&mut self, id: TimerId) -> bool {
        self.timers.cancel(id).is_some()
    }
}

/// Running.
impl<S> EventLoop<'_, S> {
    /// Calls this before every wait; `None`: nothing.
    #[doc(alias = "aeSetBeforeSleepProc")]
    pub const fn before_sleep(&mut self, handler: Option<SleepHandler<S>>) {
        self.before_sleep = handler;
    }

    /// Calls this after every wait, before the handlers; `None`: nothing.
    #[doc(alias = "aeSetAfterSleepProc")]
    pub const fn after_sleep(&mut self, handler: Option<SleepHandler<S>>) {
        self.after_sleep = handler;
    }

    /// Makes [`run`](Self::run) return when the handlers of this turn have been called.
    #[doc(alias = "aeStop")]
    pub const fn stop(&mut self) {
        self.stopped = true;
    }

    /// Waits and calls handlers, until one of them calls [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// Those of [`Poller::wait`].
    #[doc(alias = "aeMain")]
    pub fn run(&mut self, state: &mut S) -> Result<()> {
        self.stopped = false;
        let mut events = Events::<BATCH>::new();
        while !self.stopped {
            self.turn(state, None, &mut events)?;
        }
        Ok(())
    }

    /// Waits once, at most this long (`None`: for ever), and calls the handlers of what has come. A handler may call it
    /// to let others be served during a long piece of work.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::wait`].
    #[doc(alias = "aeProcessEvents")]
    pub fn run_once(&mut self, state: &mut S, max_wait: Option<Duration>) -> Result<()> {
        self.turn(state, max_wait, &mut Events::<BATCH>::new())
    }

    fn turn(&mut self, state: &mut S, max_wait: Option<Duration>, events: &mut Events<BATCH>) -> Result<()> {
        if let Some(handler) = self.before_sleep {
            handler(self, state);
        }
        // What must be done at once must not wait for events.
        let wait = if self.stopped { Some(Duration::ZERO) } else { self.shortest(max_wait) };
        self.poller.wait(events, wait)?;
        if let Some(handler) = self.after_sleep {
            handler(self, state);
        }
        for event in &*events {
            self.deliver(event, state);
        }
        self.fire(state);
        Ok(())
    }

    /// Until the next time event, or the given time.
    fn shortest(&self, max_wait: Option<Duration>) -> Option<Duration> {
        if self.timers.is_empty() {
            return max_wait;
        }
        let until_timer = self.timers.timeout(sys::now());
        [until_timer, max_wait].into_iter().flatten().min()
    }

    fn deliver(&mut self, event: Readiness, state: &mut S) {
        let (registration, number) = registration_and_number(event.key());
        let Some(file) = self.files.as_ref().get(number) else { return };
        for direction in file.order() {
            let is_ready = match direction {
                Direction::Read => event.is_readable(),
                Direction::Write => event.is_writable(),
            };
            // Looked up anew for each: the handler before may have changed anything.
            let file = self.files.as_ref().get(number).filter(|file| is_ready && file.registration == registration);
            if let Some((handler, data)) = file.and_then(|file| file.handler(direction)) {
                handler(self, state, data);
            }
        }
    }

    /// Those that are due now, and none that their handlers make: these come with the next turn.
    fn fire(&mut self, state: &mut S) {
        if self.timers.is_empty() {
            return;
        }
        let now = sys::now();
        for _ in 0..self.timers.len() {
            let Some(Expired { id, key: (handler, data), .. }) = self.timers.pop_expired(now) else { return };
            handler(self, state, id, data);
        }
    }
}

impl<S> fmt::Debug for EventLoop<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files.as_ref().iter().filter(|file| file.registration != 0).count();
        f.debug_struct("EventLoop")
            .field("files", &files)
            .field("times", &self.timers.len())
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}
