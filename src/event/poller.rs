//! [`Poller`]: one system call per wait, into an array that the caller owns.

use core::{fmt, iter, slice, time::Duration};

use arrayvec::ArrayVec;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Coalescer, wait::wait_once};
use crate::{
    error::{Errno, Op, Result, ResultExt},
    sys::{
        self,
        selector::{self, Event as RawEvent, Selector},
    },
};

bitflags::bitflags! {
    /// What to report, and how. Errors and hang-ups are always reported.
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    pub struct Interest: u32 {
        /// Bytes, a connection or the end of the stream can be read.
        #[doc(alias = "EPOLLIN")]
        const READABLE = selector::READABLE;
        /// There is room to write.
        #[doc(alias = "EPOLLOUT")]
        const WRITABLE = selector::WRITABLE;
        /// The peer has shut down its writing half; unread data may remain.
        #[doc(alias = "EPOLLRDHUP")]
        const READ_HANGUP = selector::READ_HANGUP;
        /// There is urgent data. Linux only.
        #[doc(alias = "EPOLLPRI")]
        const PRIORITY = selector::PRIORITY;
        /// Reports changes only. Existing readiness is not reported again, so read and write until `EAGAIN`.
        #[doc(alias = "EPOLLET")]
        const EDGE = selector::EDGE;
        /// Reports once, then not until the registration is modified.
        #[doc(alias = "EPOLLONESHOT")]
        const ONE_SHOT = selector::ONE_SHOT;
        /// Wakes one, or some, of several pollers that watch the descriptor. Only for adding, and only with `READABLE`,
        /// `WRITABLE` and `EDGE` (`epoll_ctl(2)`). One idle waiter may get all the work: measured on Linux 6.18, 2000
        /// of 2000 connections went to one of 8 threads.
        #[doc(alias = "EPOLLEXCLUSIVE")]
        const EXCLUSIVE = selector::EXCLUSIVE;
    }
}

/// `READABLE`, which most descriptors are watched for.
impl Default for Interest {
    fn default() -> Self {
        Self::READABLE
    }
}

/// Waits for many descriptors at once.
///
/// Level-triggered unless [`Interest::EDGE`] is set: a descriptor is reported for as long as it is ready, so stopping
/// early or a transient error loses nothing. Each descriptor has a key, which its events carry. A poller is itself a
/// descriptor, which another poller can watch.
///
/// ```
/// use anet::{event::{Events, Interest, Poller}, pipe::{EndFlags, pipe}};
///
/// let poller = Poller::new()?;
/// let pipe = pipe(EndFlags::empty(), EndFlags::empty())?;
/// poller.add(&pipe.write, 7, Interest::WRITABLE)?;
///
/// let mut events = Events::<16>::new();
/// poller.wait(&mut events, None)?;
/// for event in &events {
///     assert_eq!((event.key(), event.is_writable()), (7, true));
/// }
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "epoll")]
#[doc(alias = "kqueue")]
pub struct Poller {
    pub(super) selector: Selector,
}

impl Poller {
    /// Creates an epoll instance, or a kqueue on the BSDs and macOS.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    #[doc(alias = "epoll_create1")]
    pub fn new() -> Result<Self> {
        Selector::new().op(Op::EventCreate).map(|selector| Self { selector })
    }

    /// Starts watching a descriptor. The kernel removes it when its last duplicate is closed.
    ///
    /// # Errors
    ///
    /// `EEXIST` if it is watched already, `EPERM` for a regular file or directory, `EINVAL` for flags that cannot be
    /// combined with `EXCLUSIVE`, `ELOOP` for pollers that watch each other, `ENOSPC` at `fs.epoll.max_user_watches`,
    /// `ENOMEM`.
    #[doc(alias = "EPOLL_CTL_ADD")]
    pub fn add(&self, fd: impl AsFd, key: u64, interest: Interest) -> Result<()> {
        self.selector.add(fd.as_fd(), key, interest.bits()).op(Op::EventControl)
    }

    /// Changes the key and the interest of a descriptor; with an empty interest only errors and hang-ups are reported.
    /// Rearms a one-shot registration.
    ///
    /// # Errors
    ///
    /// `ENOENT` if it is not watched, `EPERM` for a regular file or directory, `EINVAL` for `EXCLUSIVE`.
    #[doc(alias = "EPOLL_CTL_MOD")]
    pub fn modify(&self, fd: impl AsFd, key: u64, interest: Interest) -> Result<()> {
        self.selector.modify(fd.as_fd(), key, interest.bits()).op(Op::EventControl)
    }

    /// Stops watching a descriptor.
    ///
    /// # Errors
    ///
    /// `ENOENT` if it is not watched, `EPERM` for a regular file or directory.
    #[doc(alias = "EPOLL_CTL_DEL")]
    pub fn delete(&self, fd: impl AsFd) -> Result<()> {
        self.selector.delete(fd.as_fd()).op(Op::EventControl)
    }

    /// Replaces the instance with a new one under the same descriptor number, which watches nothing and polls devices as
    /// the old one did.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`: the poller is unchanged.
    pub(crate) fn renew(&mut self) -> Result<()> {
        #[cfg(target_os = "linux")]
        let busy_poll = self.busy_poll();
        self.selector.renew().op(Op::EventCreate)?;
        #[cfg(target_os = "linux")]
        if let Ok(busy_poll) = busy_poll {
            // A kernel that has them takes them back.
            let _ = self.set_busy_poll(busy_poll);
        }
        Ok(())
    }

    /// Waits until a descriptor is ready, at most `timeout` (`None`: indefinitely), and fills `events`. Returns the
    /// number of events, 0 if the time is over.
    ///
    /// It never returns early without an event: a signal does not end the wait, and the timeout has nanosecond
    /// precision (`epoll_pwait2`). Before Linux 5.11 it is rounded up to milliseconds.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an array of no events.
    #[doc(alias = "epoll_wait")]
    #[doc(alias = "aeApiPoll")]
    pub fn wait<const N: usize>(&self, events: &mut Events<N>, timeout: Option<Duration>) -> Result<usize> {
        events.len = 0;
        let deadline = sys::Deadline::after(timeout);
        let mut remaining = timeout;
        events.len = loop {
            match wait_once(&self.selector, &mut events.array, remaining) {
                Err(Errno::INTR) => {}
                // The kernel cannot wait that long in one call.
                Ok(0) if remaining.is_some_and(|time| time > Selector::LONGEST) => {}
                answer => break answer.op(Op::EventWait)?,
            }
            remaining = deadline.remaining();
        };
        Ok(events.len)
    }
}

/// Coalescing.
impl Poller {
    /// The most descriptors that can end a pause.
    pub const URGENT_MAX: usize = 8;

    /// Like [`wait`](Self::wait), but lets events gather first if the coalescer finds that it pays. The pause is part
    /// of the timeout, and ends at once when one of `urgent`, such as a [`Waker`](super::Waker), is readable; with more
    /// than [`URGENT_MAX`](Self::URGENT_MAX) of them there is no pause.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait).
    pub fn wait_coalescing<const N: usize>(
        &self,
        events: &mut Events<N>,
        timeout: Option<Duration>,
        coalescer: &mut Coalescer,
        urgent: &[BorrowedFd<'_>],
    ) -> Result<usize> {
        // More may be ready already than the last wait had room for.
        let slept = if events.len < N { pause(coalescer, timeout, urgent) } else { Duration::ZERO };
        let count = self.wait(events, timeout.map(|time| time.saturating_sub(slept)))?;
        coalescer.learn(sys::now(), events.iter().map(Readiness::key));
        Ok(count)
    }
}

/// Returns how long it paused.
fn pause(coalescer: &mut Coalescer, timeout: Option<Duration>, urgent: &[BorrowedFd<'_>]) -> Duration {
    if !coalescer.may_pause() || timeout.is_some_and(|time| time.is_zero()) || urgent.len() > Poller::URGENT_MAX {
        return Duration::ZERO;
    }
    let began_at = sys::now();
    let Some(asked) = coalescer.pause(began_at) else { return Duration::ZERO };
    let time = timeout.map_or(asked, |timeout| timeout.min(asked));
    let mut fds: ArrayVec<_, { Poller::URGENT_MAX }> =
        urgent.iter().map(|fd| sys::PollFd::from_borrowed_fd(*fd, sys::PollFlags::IN)).collect();
    sys::sleep_unless_ready(&mut fds, time);
    let slept = sys::now().saturating_sub(began_at);
    coalescer.slept(time, slept);
    slept
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.selector.as_fd()
    }
}

/// Takes over an epoll instance or a kqueue from elsewhere, with all that it watches.
impl From<OwnedFd> for Poller {
    fn from(fd: OwnedFd) -> Self {
        Self { selector: fd.into() }
    }
}

impl From<Poller> for OwnedFd {
    fn from(poller: Poller) -> Self {
        poller.selector.into()
    }
}

/// Room for the events of one wait.
pub struct Events<const N: usize> {
    array: [RawEvent; N],
    len: usize,
}

impl<const N: usize> Events<N> {
    /// Room for `N` events, empty.
    pub const fn new() -> Self {
        Self { array: [RawEvent::NOTHING; N], len: 0 }
    }

    /// The number of events of the last wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the last wait ended without an event.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The event at `index`, by value, so that another wait may reuse the array while its events are handled.
    pub fn at(&self, index: usize) -> Option<Readiness> {
        self.array.get(..self.len)?.get(index).copied().map(Readiness)
    }

    /// The events of the last wait.
    pub fn iter(&self) -> Iter<'_> {
        self.into_iter()
    }
}

impl<const N: usize> Default for Events<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for Events<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// The events of a wait.
pub struct Iter<'e>(iter::Take<slice::Iter<'e, RawEvent>>);

impl Iterator for Iter<'_> {
    type Item = Readiness;

    fn next(&mut self) -> Option<Readiness> {
        self.0.next().copied().map(Readiness)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(Iter(self.0.clone())).finish()
    }
}

impl<'e, const N: usize> IntoIterator for &'e Events<N> {
    type Item = Readiness;
    type IntoIter = Iter<'e>;

    fn into_iter(self) -> Iter<'e> {
        Iter(self.array.iter().take(self.len))
    }
}

/// A ready descriptor, and what it is ready for.
#[derive(Clone, Copy)]
pub struct Readiness(RawEvent);

impl Readiness {
    /// The key the descriptor was added with.
    #[inline]
    pub fn key(self) -> u64 {
        self.0.key()
    }

    /// Whether reading does not block: there are bytes, a connection, the end or an error to read.
    #[inline]
    pub fn is_readable(self) -> bool {
        self.any(selector::READABLE | selector::READ_HANGUP | selector::HANGUP | selector::ERROR)
    }

    /// Whether writing does not block: there is room, or an error to return.
    #[inline]
    pub fn is_writable(self) -> bool {
        self.any(selector::WRITABLE | selector::HANGUP | selector::ERROR)
    }

    /// Whether the peer has shut down its writing half. Reported only with [`Interest::READ_HANGUP`]; unread bytes may
    /// remain.
    #[doc(alias = "EPOLLRDHUP")]
    pub fn is_read_hangup(self) -> bool {
        self.any(selector::READ_HANGUP)
    }

    /// Whether there is urgent data. Reported only with [`Interest::PRIORITY`].
    #[doc(alias = "EPOLLPRI")]
    pub fn is_priority(self) -> bool {
        self.any(selector::PRIORITY)
    }

    /// Whether an error is pending on the descriptor.
    #[doc(alias = "EPOLLERR")]
    pub fn is_error(self) -> bool {
        self.any(selector::ERROR)
    }

    /// Whether both directions are closed.
    #[doc(alias = "EPOLLHUP")]
    pub fn is_hangup(self) -> bool {
        self.any(selector::HANGUP)
    }

    fn any(self, flags: u32) -> bool {
        self.0.flags() & flags != 0
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("key", &self.key())
            .field("is_readable", &self.is_readable())
            .field("is_writable", &self.is_writable())
            .field("is_read_hangup", &self.is_read_hangup())
            .field("is_error", &self.is_error())
            .field("is_hangup", &self.is_hangup())
            .finish_non_exhaustive()
    }
}
