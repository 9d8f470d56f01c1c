//! The selector of Linux: epoll.

use core::time::Duration;

use rustix::{
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    fd::{AsFd, BorrowedFd, OwnedFd},
};

use super::{Result, raw, timespec};

pub(crate) const READABLE: u32 = EventFlags::IN.bits();
pub(crate) const WRITABLE: u32 = EventFlags::OUT.bits();
pub(crate) const PRIORITY: u32 = EventFlags::PRI.bits();
pub(crate) const READ_HANGUP: u32 = EventFlags::RDHUP.bits();
pub(crate) const HANGUP: u32 = EventFlags::HUP.bits();
pub(crate) const ERROR: u32 = EventFlags::ERR.bits();
pub(crate) const EDGE: u32 = EventFlags::ET.bits();
pub(crate) const ONE_SHOT: u32 = EventFlags::ONESHOT.bits();
pub(crate) const EXCLUSIVE: u32 = EventFlags::EXCLUSIVE.bits();

/// What the kernel writes for a descriptor that is ready.
#[derive(Clone, Copy)]
pub(crate) struct RawEvent(epoll::Event);

impl RawEvent {
    pub(crate) const NOTHING: Self = Self(epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) });

    #[inline]
    pub(crate) fn key(self) -> u64 {
        self.0.data.u64()
    }

    #[inline]
    pub(crate) fn flags(self) -> u32 {
        // The struct is packed, and its fields are copied before they are used.
        let flags = self.0.flags;
        flags.bits()
    }
}
