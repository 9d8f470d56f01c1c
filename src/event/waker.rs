//! [`Waker`]: ends a wait from another thread or a signal handler.

use rustix::fd::{AsFd, BorrowedFd};

use crate::{
    error::{Errno, Error, Op, Result, ResultExt},
    sys,
};

/// A descriptor that [`wake`](Self::wake) makes readable.
///
/// Add it to a poller like any other descriptor. Calls before the wait ends merge into one event. A call is one system
/// call, without allocation or locks, so a signal handler may make it.
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
    /// Creates a waker: an eventfd on Linux, a pipe elsewhere.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> Result<Self> {
        sys::WakeFds::new().op(Op::WakerCreate).map(|wake| Self { wake })
    }

    /// Makes the waker readable, if it is not already.
    ///
    /// # Errors
    ///
    /// None are known; an error of the kernel is returned.
    pub fn wake(&self) -> Result<()> {
        loop {
            match sys::write(self.wake.for_writing(), &1_u64.to_ne_bytes()) {
                // `EAGAIN`: the counter or the pipe is full, so the waker is readable.
                Ok(_) | Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::new(Op::Write, errno)),
            }
        }
    }

    /// Makes the waker unreadable until the next [`wake`](Self::wake). No call is lost if you reset first and then look
    /// for the work.
    ///
    /// # Errors
    ///
    /// None are known; an error of the kernel is returned.
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
