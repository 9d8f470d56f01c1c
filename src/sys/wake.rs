//! The descriptors that end a wait: an eventfd, or a pipe where there is none.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Result;

/// One descriptor, or two.
#[derive(Debug)]
pub(crate) struct WakeFds {
    read: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    write: OwnedFd,
}

#[cfg(target_os = "linux")]
impl WakeFds {
    /// `eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK)`
    pub(crate) fn new() -> Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map(|read| Self { read })
    }

    pub(crate) fn for_writing(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

#[cfg(not(target_os = "linux"))]
impl WakeFds {
    /// A pipe, both ends close-on-exec and non-blocking.
    pub(crate) fn new() -> Result<Self> {
        let (read, write) = super::pipe()?;
        for end in [&read, &write] {
            super::set_cloexec(end.as_fd(), true)?;
            super::set_status_flags(end.as_fd(), super::OFlags::NONBLOCK)?;
        }
        Ok(Self { read, write })
    }

    pub(crate) fn for_writing(&self) -> BorrowedFd<'_> {
        self.write.as_fd()
    }
}

impl WakeFds {
    pub(crate) fn for_reading(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}
