//! [`EventLoop`]: the model of Redis's ae, with handlers for file and time events, in memory that the caller provides.
//!
//! File events are indexed by descriptor number, so the slots bound the numbers and not the count, like ae's `setsize`.
//! A handler gets the loop and the server's state, and may change any registration, its own included, while other
//! events of the same wait are pending: before each delivery the loop checks that the event's registration still
//! exists. The handler of a removed registration is never called, even if its descriptor number has been reused,
//! because each registration has its own number.
//!
//! Remove a descriptor before closing it. The registration of one that was closed first ends when its number is
//! registered again.

use core::{fmt, time::Duration};

use rustix::fd::{AsFd, BorrowedFd};

#[cfg(feature = "std")]
use super::slots;
use super::{
    Coalescer, Events, Expired, FileSlot, Poller, Readiness, TimerError, TimerId, TimerSlot, Timers,
    file::{Direction, key, number, registration_and_number},
    slots::Slots,
};
use crate::{
    error::{Errno, Error, Op, Result},
    sys,
};

/// Events taken from the kernel in one wait; the rest come with the next.
const BATCH: usize = 128;

/// A handler for a ready descriptor, called with the number it was registered with.
#[doc(alias = "aeFileProc")]
pub type FileHandler<S> = fn(&mut EventLoop<'_, S>, &mut S, u64);

/// A handler for a time event, called with the number it was registered with.
#[doc(alias = "aeTimeProc")]
pub type TimeHandler<S> = fn(&mut EventLoop<'_, S>, &mut S, TimerId, u64);

/// Room for one time event of a loop whose state is an `S`.
pub type TimeSlot<S> = TimerSlot<TimeCall<S>>;

type TimeCall<S> = (TimeHandler<S>, u64);

/// A handler called before or after a wait.
#[doc(alias = "aeBeforeSleepProc")]
pub type SleepHandler<S> = fn(&mut EventLoop<'_, S>, &mut S);

/// Calls handlers when descriptors are ready and when timers expire.
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
    coalescer: Option<Coalescer>,
    files: Slots<'t, FileSlot<S>>,
    /// The number of the latest registration.
    registrations: u32,
    timers: Timers<Slots<'t, TimeSlot<S>>, TimeCall<S>>,
    before_sleep: Option<SleepHandler<S>>,
    after_sleep: Option<SleepHandler<S>>,
    stopped: bool,
}

impl<'t, S> EventLoop<'t, S> {
    /// A loop without registrations, for descriptor numbers below `files.len()` and `times.len()` time events at once.
    /// The previous contents of the slots are discarded.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    #[doc(alias = "aeCreateEventLoop")]
    pub fn new(files: &'t mut [FileSlot<S>], times: &'t mut [TimeSlot<S>]) -> Result<Self> {
        files.fill(FileSlot::VACANT);
        Self::with_slots(Slots::Borrowed(files), Slots::Borrowed(times))
    }

    /// A loop without registrations, for descriptor numbers below `files` and `times` time events at once, in memory
    /// that is allocated once, here.
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
    /// If the slots take more than `isize::MAX` bytes.
    #[cfg(feature = "std")]
    pub fn boxed(files: usize, times: usize) -> Result<Self> {
        let files = slots::boxed(FileSlot::VACANT, files);
        Self::with_slots(Slots::Boxed(files), Slots::Boxed(slots::boxed(TimerSlot::VACANT, times)))
    }

    fn with_slots(files: Slots<'t, FileSlot<S>>, times: Slots<'t, TimeSlot<S>>) -> Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            coalescer: None,
            files,
            registrations: 0,
            timers: Timers::new(times),
            before_sleep: None,
            after_sleep: None,
            stopped: false,
        })
    }

    /// Lets events gather for at most `max_delay` before a wait, where many descriptors are active at a time; see
    /// [`Coalescer`]. A time event is never delayed.
    #[must_use]
    pub const fn with_coalescing(mut self, max_delay: Duration) -> Self {
        self.coalescer = Some(Coalescer::new(max_delay));
        self
    }
}

/// File events.
impl<S> EventLoop<'_, S> {
    /// Calls `handler` whenever `fd` is readable: it has bytes, its end or an error to read. Replaces an earlier read
    /// handler.
    ///
    /// # Errors
    ///
    /// `ERANGE` for a descriptor whose number is beyond the capacity; those of [`Poller::add`].
    #[doc(alias = "aeCreateFileEvent")]
    #[doc(alias = "AE_READABLE")]
    pub fn on_readable(&mut self, fd: impl AsFd, data: u64, handler: FileHandler<S>) -> Result<()> {
        self.set(fd.as_fd(), Direction::Read, Some((handler, data)))
    }

    /// Calls `handler` whenever `fd` is writable or has an error. Replaces an earlier write handler.
    ///
    /// # Errors
    ///
    /// Those of [`on_readable`](Self::on_readable).
    #[doc(alias = "aeCreateFileEvent")]
    #[doc(alias = "AE_WRITABLE")]
    pub fn on_writable(&mut self, fd: impl AsFd, data: u64, handler: FileHandler<S>) -> Result<()> {
        self.set(fd.as_fd(), Direction::Write, Some((handler, data)))
    }

    /// With `on`, calls the write handler first when `fd` is both readable and writable, so that the requests
    /// [`before_sleep`](Self::before_sleep) has saved to disk are answered before more are read.
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

    /// Removes both handlers of `fd`. Pending events are discarded.
    ///
    /// # Errors
    ///
    /// `ERANGE`. Removing a handler that does not exist is not an error.
    #[doc(alias = "aeDeleteFileEvent")]
    pub fn remove(&mut self, fd: impl AsFd) -> Result<()> {
        self.remove_readable(&fd)?;
        self.remove_writable(&fd)
    }

    /// Removes the read handler of `fd`.
    ///
    /// # Errors
    ///
    /// Those of [`remove`](Self::remove).
    #[doc(alias = "aeDeleteFileEvent")]
    pub fn remove_readable(&mut self, fd: impl AsFd) -> Result<()> {
        self.set(fd.as_fd(), Direction::Read, None)
    }

    /// Removes the write handler of `fd`.
    ///
    /// # Errors
    ///
    /// Those of [`remove`](Self::remove).
    #[doc(alias = "aeDeleteFileEvent")]
    pub fn remove_writable(&mut self, fd: impl AsFd) -> Result<()> {
        self.set(fd.as_fd(), Direction::Write, None)
    }

    /// Changes the registration only if the kernel has accepted the change.
    fn set(&mut self, fd: BorrowedFd<'_>, direction: Direction, handler: Option<(FileHandler<S>, u64)>) -> Result<()> {
        let number = number(fd);
        let Some(&before) = self.files.as_ref().get(number) else {
            return Err(Error::new(Op::EventControl, Errno::RANGE));
        };
        let mut after = before.with(direction, handler);
        if before.registration == 0 || !self.change(fd, &after)? {
            // If the kernel no longer knows the number, nothing of the old registration remains.
            after = FileSlot::VACANT.with(direction, handler);
            self.begin(fd, &mut after)?;
        }
        if let Some(file) = self.files.as_mut().get_mut(number) {
            *file = if after.interest().is_empty() { FileSlot::VACANT } else { after };
        }
        Ok(())
    }

    /// Changes or ends a registration; `false` if the kernel does not know it. The number of a closed descriptor may
    /// have been reused, even for a regular file (`EPERM`).
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

    /// Creates a registration, unless its interest is empty.
    fn begin(&mut self, fd: BorrowedFd<'_>, file: &mut FileSlot<S>) -> Result<()> {
        let interest = file.interest();
        if interest.is_empty() {
            return Ok(());
        }
        file.registration = self.next_registration();
        self.poller.add(fd, key(file.registration, number(fd)), interest)
    }

    /// Never 0. Numbers repeat after 2³² registrations, long after their events.
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
    /// Calls `handler` once, after `delay`.
    ///
    /// # Errors
    ///
    /// [`TimerError::Full`].
    #[doc(alias = "aeCreateTimeEvent")]
    pub fn after(&mut self, delay: Duration, data: u64, handler: TimeHandler<S>) -> Result<TimerId, TimerError> {
        self.timers.insert_at(sys::now().saturating_add(delay), (handler, data))
    }

    /// Calls `handler` every `period`, first after one `period`, until cancelled. [`Timers::insert_every`] describes
    /// late calls.
    ///
    /// # Errors
    ///
    /// [`TimerError::Full`], [`TimerError::ZeroPeriod`].
    #[doc(alias = "aeCreateTimeEvent")]
    pub fn every(&mut self, period: Duration, data: u64, handler: TimeHandler<S>) -> Result<TimerId, TimerError> {
        self.timers.insert_every(sys::now().saturating_add(period), period, (handler, data))
    }

    /// Cancels a time event; returns whether it was pending.
    #[doc(alias = "aeDeleteTimeEvent")]
    pub fn cancel(&mut self, id: TimerId) -> bool {
        self.timers.cancel(id).is_some()
    }
}

/// Running.
impl<S> EventLoop<'_, S> {
    /// Calls `handler` before every wait; `None` removes it.
    #[doc(alias = "aeSetBeforeSleepProc")]
    pub const fn before_sleep(&mut self, handler: Option<SleepHandler<S>>) {
        self.before_sleep = handler;
    }

    /// Calls `handler` after every wait, before the other handlers; `None` removes it.
    #[doc(alias = "aeSetAfterSleepProc")]
    pub const fn after_sleep(&mut self, handler: Option<SleepHandler<S>>) {
        self.after_sleep = handler;
    }

    /// Makes [`run`](Self::run) return after the handlers of this turn.
    #[doc(alias = "aeStop")]
    pub const fn stop(&mut self) {
        self.stopped = true;
    }

    /// Waits and calls handlers until one of them calls [`stop`](Self::stop).
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

    /// Waits once, at most `max_wait` (`None`: indefinitely), and calls the handlers of the events. A handler may call
    /// this during long work so that other events are served.
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
        // A loop that is to stop must not block.
        let wait = if self.stopped { Some(Duration::ZERO) } else { self.shortest(max_wait) };
        match &mut self.coalescer {
            Some(coalescer) => self.poller.wait_coalescing(events, wait, coalescer, &[])?,
            None => self.poller.wait(events, wait)?,
        };
        if let Some(handler) = self.after_sleep {
            handler(self, state);
        }
        for event in &*events {
            self.deliver(event, state);
        }
        self.fire(state);
        Ok(())
    }

    /// The time until the next time event, at most `max_wait`.
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
            // Looked up for each direction: the handler before may have changed anything.
            let file = self.files.as_ref().get(number).filter(|file| is_ready && file.registration == registration);
            if let Some((handler, data)) = file.and_then(|file| file.handler(direction)) {
                handler(self, state, data);
            }
        }
    }

    /// Calls the handlers of time events that are due now. Time events that these create come with the next turn.
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
