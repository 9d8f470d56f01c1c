//! [`Waker`]: ends a wait from another thread or a signal handler.

use rustix::fd::{AsFd, BorrowedFd};

use crate::{
    error::{Errno, Error, Op, Result, ResultExt},
    sys,
};

/// Makes itself readable when somebody calls.
///
/// Its descriptor is added to a poller like any other. Calls that come before the wait has ended are one event; a call
/// is a system call without memory or locks, so a signal handler may make it.
///
/// ```
/// use anet::event::{Events, Interest, Poller, Waker};
///
/// let (poller, waker) = (Poller::new()?, Waker::new()?);
/// poller.add(&waker, 0, Interest::READABLE)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| waker.wake());
///     poller.wait(&mut Events::<8>::new(), None)
/// })?;
/// waker.reset()?;
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "eventfd")]
pub struct Waker {
    wake: sys::WakeFds,
}

impl Waker {
    /// An eventfd on Linux, a pipe elsewhere.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> Result<Self> {
        sys::WakeFds::new().op(Op::EventCreate).map(|wake| Self { wake })
    }

    /// Becomes readable, if it is not already.
    ///
    /// # Errors
    ///
    /// None that is known; what the kernel says is passed on.
    pub fn wake(&self) -> Result<()> {
        loop {
            match sys::write(self.wake.for_writing(), &1_u64.to_ne_bytes()) {
                // Nobody has looked yet, and it is as readable as can be.
                Ok(_) | Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::new(Op::Write, errno)),
            }
        }
    }

    /// Is not readable any more, until somebody calls again. Calls that come meanwhile are not lost: reset first, then
    /// look at what the call was about.
    ///
    /// # Errors
    ///
    /// None that is known; what the kernel says is passed on.
    pub fn reset(&self) -> Result<()> {
        loop {
            match sys::read(self.wake.for_reading(), &mut [0; 64]) {
                // A pipe may have more.
                Ok(64) | Err(Errno::INTR) => {}
                Ok(_) | Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(Error::new(Op::Read, errno)),
            }
        }
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.for_reading()
    }
}
