//! [`Reserve`]: one descriptor kept back, so that clients can be told that there are none.

use crate::{
    Stream,
    error::{Op, Result, ResultExt},
    stream::Shutdown,
    sys,
};

/// A descriptor held in reserve for [`Acceptor::accept_or_shed`](super::Acceptor::accept_or_shed), and what to tell those
/// who are turned away with its help. One does for all the listeners of a thread.
///
/// Other threads may open files too, and take the descriptor while it is lent: then the reserve is empty, which is
/// told, and refilled at the next turn at which there is a descriptor to be had.
#[derive(Debug)]
pub struct Reserve<'m> {
    /// Never read or written.
    held: Option<sys::WakeFds>,
    message: &'m [u8],
}

impl<'m> Reserve<'m> {
    /// Takes a descriptor into reserve: an eventfd on Linux, a pipe elsewhere. The message is written to each client
    /// that is turned away, as far as its send buffer takes it; it may be empty.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new(message: &'m [u8]) -> Result<Self> {
        let mut reserve = Self { held: None, message };
        reserve.refill()?;
        Ok(reserve)
    }

    /// Whether there is a descriptor in reserve.
    pub const fn is_full(&self) -> bool {
        self.held.is_some()
    }

    /// Takes a descriptor into reserve, if there is none.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn refill(&mut self) -> Result<()> {
        if self.held.is_none() {
            self.held = Some(sys::WakeFds::new().op(Op::EventCreate)?);
        }
        Ok(())
    }

    /// Closes the descriptor, so that another one can be opened.
    pub(super) fn lend(&mut self) {
        self.held = None;
    }

    /// Tells the client and closes. It is as polite as it can be without waiting: after `shutdown` the client reads the
    /// message and an end; without it, if it has sent anything, it reads `ECONNRESET`.
    pub(super) fn reject(&self, stream: &Stream) {
        // A client that is gone already has nothing to be told.
        let _ = stream.write(self.message);
        let _ = stream.shutdown(Shutdown::Write);
    }
}
