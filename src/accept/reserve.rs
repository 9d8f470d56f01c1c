//! [`Reserve`]: one descriptor kept back, to turn clients away with when descriptors run out.

use crate::{
    Stream,
    error::{Op, Result, ResultExt},
    stream::Shutdown,
    sys,
};

/// A descriptor held in reserve for [`Acceptor::accept_or_shed`](super::Acceptor::accept_or_shed), and the message for
/// clients shed with it. One reserve is enough for all listeners of a thread.
///
/// Another thread may take the descriptor while it is lent. The reserve is then empty, which the turn reports, and is
/// refilled at the next turn that finds a descriptor.
#[derive(Debug)]
pub struct Reserve<'m> {
    /// Never read or written.
    held: Option<sys::WakeFds>,
    message: &'m [u8],
}

impl<'m> Reserve<'m> {
    /// Reserves a descriptor: an eventfd on Linux, a pipe elsewhere. `message` is written to each client that is shed,
    /// up to the room in its send buffer; it may be empty.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new(message: &'m [u8]) -> Result<Self> {
        let mut reserve = Self { held: None, message };
        reserve.refill()?;
        Ok(reserve)
    }

    /// Whether the reserve holds a descriptor.
    pub const fn is_full(&self) -> bool {
        self.held.is_some()
    }

    /// Reserves a descriptor if the reserve is empty.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn refill(&mut self) -> Result<()> {
        if self.held.is_none() {
            self.held = Some(sys::WakeFds::new().op(Op::WakerCreate)?);
        }
        Ok(())
    }

    /// Closes the descriptor, so that another one can be opened.
    pub(super) fn lend(&mut self) {
        self.held = None;
    }

    /// Sends the message and shuts down the writing half; the caller closes the connection. After `shutdown` the client
    /// reads the message and the end of the stream; without it, a client that has sent anything reads `ECONNRESET`.
    pub(super) fn reject(&self, stream: &Stream) {
        // A client that is already gone needs no message.
        let _ = stream.write(self.message);
        let _ = stream.shutdown(Shutdown::Write);
    }
}
