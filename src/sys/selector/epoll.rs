//! The selector of Linux: epoll.

use core::time::Duration;

use rustix::{
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::DupFlags,
};

use crate::sys::{Result, raw, timespec};

pub(crate) const READABLE: u32 = EventFlags::IN.bits();
pub(crate) const WRITABLE: u32 = EventFlags::OUT.bits();
pub(crate) const PRIORITY: u32 = EventFlags::PRI.bits();
pub(crate) const READ_HANGUP: u32 = EventFlags::RDHUP.bits();
pub(crate) const HANGUP: u32 = EventFlags::HUP.bits();
pub(crate) const ERROR: u32 = EventFlags::ERR.bits();
pub(crate) const EDGE: u32 = EventFlags::ET.bits();
pub(crate) const ONE_SHOT: u32 = EventFlags::ONESHOT.bits();
pub(crate) const EXCLUSIVE: u32 = EventFlags::EXCLUSIVE.bits();

pub(crate) use raw::{EpollEvent as Event, EpollParams as Params};

/// An epoll instance.
#[derive(Debug)]
pub(crate) struct Selector {
    fd: OwnedFd,
}

impl Selector {
    /// The longest timeout of [`wait`](Self::wait): 24 days.
    pub(crate) const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

    /// `epoll_create1(EPOLL_CLOEXEC)`
    pub(crate) fn new() -> Result<Self> {
        epoll::create(CreateFlags::CLOEXEC).map(|fd| Self { fd })
    }

    /// `dup3(epoll_create1(EPOLL_CLOEXEC), fd, O_CLOEXEC)`: a new instance under the same number.
    pub(crate) fn renew(&mut self) -> Result<()> {
        let new = epoll::create(CreateFlags::CLOEXEC)?;
        rustix::io::dup3(&new, &mut self.fd, DupFlags::CLOEXEC)
    }

    /// `ioctl(fd, EPIOCSPARAMS, &params)`, since Linux 6.9.
    pub(crate) fn set_params(&self, params: Params) -> Result<()> {
        raw::set_epoll_params(self.fd.as_fd(), params)
    }

    /// `ioctl(fd, EPIOCGPARAMS, &params)`, since Linux 6.9.
    pub(crate) fn params(&self) -> Result<Params> {
        raw::epoll_params(self.fd.as_fd())
    }

    /// `epoll_ctl(fd, EPOLL_CTL_ADD, source, {flags, key})`
    pub(crate) fn add(&self, source: BorrowedFd<'_>, key: u64, flags: u32) -> Result<()> {
        epoll::add(&self.fd, source, EventData::new_u64(key), EventFlags::from_bits_retain(flags))
    }

    /// `epoll_ctl(fd, EPOLL_CTL_MOD, source, {flags, key})`
    pub(crate) fn modify(&self, source: BorrowedFd<'_>, key: u64, flags: u32) -> Result<()> {
        epoll::modify(&self.fd, source, EventData::new_u64(key), EventFlags::from_bits_retain(flags))
    }

    /// `epoll_ctl(fd, EPOLL_CTL_DEL, source)`
    pub(crate) fn delete(&self, source: BorrowedFd<'_>) -> Result<()> {
        epoll::delete(&self.fd, source)
    }

    /// `epoll_wait(fd, events, timeout)`, the timeout rounded up to whole milliseconds.
    ///
    /// rustix has only `epoll_pwait`, which costs 18 ns more for a signal mask that is not needed here: 310 against 292
    /// ns for a wait that finds one event, on Linux 6.18.
    #[inline]
    pub(crate) fn wait(&self, events: &mut [Event], timeout: Option<Duration>) -> Result<usize> {
        raw::epoll_wait(self.fd.as_fd(), events, timeout.map_or(-1, whole_milliseconds))
    }

    /// `epoll_pwait2(fd, events, timeout)`, since Linux 5.11.
    pub(crate) fn wait_precisely(&self, events: &mut [Event], timeout: Duration) -> Result<usize> {
        raw::epoll_pwait2(self.fd.as_fd(), events, timespec(timeout))
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn whole_milliseconds(time: Duration) -> i32 {
    let begun = u64::from(time.subsec_nanos().div_ceil(1_000_000));
    i32::try_from(time.as_secs().saturating_mul(1000).saturating_add(begun)).unwrap_or(i32::MAX)
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
