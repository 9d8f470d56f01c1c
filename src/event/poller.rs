//! [`Poller`]: epoll, level-triggered, into an array that the caller owns.

use core::{fmt, time::Duration};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::{
    error::{Errno, Op, Result, ResultExt},
    sys::{self, epoll},
};

bitflags::bitflags! {
    /// What to be told of. Errors and hang-ups are told always.
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    pub struct Interest: u32 {
        /// Bytes, a connection or the end of the stream can be read.
        const READABLE = epoll::EventFlags::IN.bits();
        /// There is room to write.
        const WRITABLE = epoll::EventFlags::OUT.bits();
    }
}

/// Waits for many descriptors at once.
///
/// Level-triggered: a descriptor is reported as long as it is ready, so that an early stop or a passing error loses
/// nothing. Each descriptor carries a key that comes back with its events.
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
pub struct Poller {
    fd: OwnedFd,
}

impl Poller {
    /// Creates an epoll instance.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    #[doc(alias = "epoll_create1")]
    pub fn new() -> Result<Self> {
        let fd = epoll::create(epoll::CreateFlags::CLOEXEC).op(Op::EventCreate)?;
        Ok(Self { fd })
    }

    /// Begins to watch a descriptor. It is forgotten by itself when its last duplicate is closed.
    ///
    /// # Errors
    ///
    /// `EEXIST` if it is watched already, `EPERM` for a regular file or directory, `ENOSPC` at
    /// `fs.epoll.max_user_watches`, `ENOMEM`.
    #[doc(alias = "EPOLL_CTL_ADD")]
    pub fn add(&self, fd: impl AsFd, key: u64, interest: Interest) -> Result<()> {
        epoll::add(&self.fd, fd, epoll::EventData::new_u64(key), flags(interest)).op(Op::EventControl)
    }

    /// Changes the key and the interest of a descriptor.
    ///
    /// # Errors
    ///
    /// `ENOENT` if it is not watched.
    #[doc(alias = "EPOLL_CTL_MOD")]
    pub fn modify(&self, fd: impl AsFd, key: u64, interest: Interest) -> Result<()> {
        epoll::modify(&self.fd, fd, epoll::EventData::new_u64(key), flags(interest)).op(Op::EventControl)
    }

    /// Stops watching a descriptor.
    ///
    /// # Errors
    ///
    /// `ENOENT` if it is not watched.
    #[doc(alias = "EPOLL_CTL_DEL")]
    pub fn delete(&self, fd: impl AsFd) -> Result<()> {
        epoll::delete(&self.fd, fd).op(Op::EventControl)
    }

    /// Waits until something is ready, at most `timeout` (`None`: for ever), and fills `events`; how many there are is
    /// returned, 0 when the time is over. A timeout is rounded up to whole milliseconds.
    ///
    /// A signal does not end the wait.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an array of no events.
    #[doc(alias = "epoll_wait")]
    pub fn wait<const N: usize>(&self, events: &mut Events<N>, timeout: Option<Duration>) -> Result<usize> {
        events.len = 0;
        let deadline = sys::Deadline::after(timeout);
        events.len = loop {
            let remaining = deadline.remaining().map(sys::timespec);
            match epoll::wait(&self.fd, &mut events.array, remaining.as_ref()) {
                Err(Errno::INTR) => {}
                answer => break answer.op(Op::EventWait)?,
            }
        };
        Ok(events.len)
    }
}

fn flags(interest: Interest) -> epoll::EventFlags {
    epoll::EventFlags::from_bits_retain(interest.bits())
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Room for the events of one wait.
pub struct Events<const N: usize> {
    array: [epoll::Event; N],
    len: usize,
}

impl<const N: usize> Events<N> {
    /// Room for `N` events, none there.
    pub const fn new() -> Self {
        let nothing = epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) };
        Self { array: [nothing; N], len: 0 }
    }

    /// The number of events of the last wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the last wait ended without an event.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The event at `index`, by value: the array may be waited into again while its events are worked off.
    pub fn at(&self, index: usize) -> Option<Event> {
        self.array.get(..self.len)?.get(index).copied().map(Event)
    }

    /// The events of the last wait.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.array.iter().take(self.len).copied().map(Event)
    }
}

impl<const N: usize> Default for Events<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for Events<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'e, const N: usize> IntoIterator for &'e Events<N> {
    type Item = Event;
    type IntoIter = core::iter::Map<
        core::iter::Copied<core::iter::Take<core::slice::Iter<'e, epoll::Event>>>,
        fn(epoll::Event) -> Event,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.array.iter().take(self.len).copied().map(Event)
    }
}

/// A descriptor that is ready, and for what.
#[derive(Clone, Copy)]
pub struct Event(epoll::Event);

impl Event {
    /// The key the descriptor was added with.
    pub fn key(self) -> u64 {
        self.0.data.u64()
    }

    /// Reading will not wait: there are bytes, a connection, an end or an error to fetch.
    pub fn is_readable(self) -> bool {
        self.any(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR)
    }

    /// Writing will not wait: there is room, or an error to fetch.
    pub fn is_writable(self) -> bool {
        self.any(epoll::EventFlags::OUT | epoll::EventFlags::ERR)
    }

    /// An error waits on the descriptor.
    #[doc(alias = "EPOLLERR")]
    pub fn is_error(self) -> bool {
        self.any(epoll::EventFlags::ERR)
    }

    /// Both directions are closed.
    #[doc(alias = "EPOLLHUP")]
    pub fn is_hangup(self) -> bool {
        self.any(epoll::EventFlags::HUP)
    }

    fn any(self, flags: epoll::EventFlags) -> bool {
        let ready = self.0.flags;
        ready.intersects(flags)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = self.0.flags;
        f.debug_struct("Event").field("key", &self.key()).field("flags", &flags).finish()
    }
}
