//! How much waits in the kernel, in each direction.

use rustix::fd::AsFd;

use super::Stream;
use crate::{
    error::{Op, Result, ResultExt},
    sys,
};

impl Stream {
    /// The number of bytes that a read can take now, as `ss` shows it under `Recv-Q`. Over TCP it ends at the
    /// out-of-band mark, and at the mark it is 0.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a TCP socket that listens.
    #[doc(alias = "SIOCINQ")]
    #[doc(alias = "FIONREAD")]
    pub fn recv_queue_bytes(&self) -> Result<usize> {
        sys::recv_queue(self.as_fd()).op(Op::ReceiveQueue)
    }

    /// The number of written bytes that the peer has not acknowledged, as `ss` shows it under `Send-Q`. Zero means that
    /// the peer's kernel has everything, not that the peer has read it. On a Unix stream it is the memory of what the
    /// peer has not read, more than its bytes (`unix(7)`).
    ///
    /// # Errors
    ///
    /// `EINVAL` for a TCP socket that listens.
    #[cfg(target_os = "linux")]
    #[doc(alias = "SIOCOUTQ")]
    #[doc(alias = "TIOCOUTQ")]
    pub fn send_queue_bytes(&self) -> Result<usize> {
        sys::send_queue(self.as_fd()).op(Op::SendQueue)
    }
}
