//! Closing by name.

use core::time::Duration;

use rustix::fd::AsFd;

use super::{Deadline, Incomplete, Shutdown, Stream, exact::InTime};
use crate::{
    error::{Cause, Errno, Error, Op, Result},
    sys,
};

/// The most bytes discarded by one read, where many are expected and where few are.
const MANY_BYTES: usize = 16 << 10;
const FEW_BYTES: usize = 4096;

impl Stream {
    /// Closes so that the peer reads everything written, then the end, even if it is still sending: shuts down the
    /// writing half, discards what arrives until the peer closes too, and only then closes (RFC 9112, section 9.6). A
    /// plain close would turn unread input into a reset (RFC 1122, section 4.2.2.13), which discards the rest of the
    /// answer here and, on some systems, also what the peer has received and not read.
    ///
    /// Returns the number of bytes discarded. Waits on blocking and non-blocking sockets alike; in an event loop,
    /// [`Server::close_lingering`](crate::server::Server::close_lingering) does the same without waiting.
    ///
    /// ```
    /// # use anet::Stream;
    /// use anet::stream::Deadline;
    /// use core::time::Duration;
    ///
    /// # let (client, server) = Stream::pair()?;
    /// # client.write_all(b"a request of many bytes")?;
    /// server.write_all(b"413 Content Too Large")?;
    /// # let client = std::thread::spawn(move || client.read_exact(&mut [0; 21]));
    /// let discarded = server.close_lingering(1 << 20, Deadline::after(Duration::from_secs(2)));
    /// # client.join().unwrap()?;
    /// # assert_eq!(discarded, Ok(23));
    /// # Ok::<(), anet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The stream is closed in any case. [`Incomplete`] with the number of bytes discarded means that the peer may have
    /// lost the answer: [`LimitReached`](Cause::LimitReached) if it has sent `limit_bytes`,
    /// [`DeadlinePassed`](Cause::DeadlinePassed), `ECONNRESET`; `ENOTCONN` if it was gone before.
    #[doc(alias = "lingering_close")]
    pub fn close_lingering(self, limit_bytes: usize, deadline: Deadline) -> Result<usize, Incomplete> {
        let mut done = 0;
        match self.shutdown(Shutdown::Write).and_then(|()| self.discard_all(limit_bytes, deadline, &mut done)) {
            Ok(()) => Ok(done),
            Err(error) => Err(Incomplete { done, error }),
        }
    }

    /// Discards everything until the end of the stream.
    fn discard_all(&self, limit_bytes: usize, deadline: Deadline, done: &mut usize) -> Result<()> {
        let in_time = InTime::reading(self, deadline);
        let mut buf = [0; MANY_BYTES];
        loop {
            let most = limit_bytes.saturating_sub(*done).min(MANY_BYTES);
            let room = buf.get_mut(..most).unwrap_or_default();
            if room.is_empty() {
                return Err(Error::refused(Op::Read, Cause::LimitReached));
            }
            match in_time.step(*done, || sys::discard_now(in_time.fd, room)) {
                Ok(0) => return Ok(()),
                Ok(more) => *done += more,
                Err(error) if error.is_interrupted() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Closes with a reset (RST) instead of the end of the stream: the peer's reads fail with `ECONNRESET`, unsent
    /// bytes are discarded, and no `TIME_WAIT` is left on either side. Does not block.
    ///
    /// Sets `SO_LINGER` to zero before it closes. A duplicate of the descriptor keeps the connection open. A Unix
    /// stream has no reset of its own: the peer reads `ECONNRESET` only if unread input was left here.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_linger`](crate::option::set_linger); the stream is then closed without a reset.
    #[doc(alias = "SO_LINGER")]
    #[doc(alias = "RST")]
    pub fn abort(self) -> Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }
}

/// Whether input can still arrive from a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Input {
    /// The peer has closed, or the connection is lost.
    Over,
    Possible,
}

/// Discards what has arrived, with at most `reads` reads, without blocking.
pub(crate) fn discard(stream: &Stream, reads: usize) -> Input {
    let mut buf = [0; FEW_BYTES];
    for _ in 0..reads {
        match sys::discard_now(stream.as_fd(), &mut buf) {
            // A short read has taken all there was.
            Ok(1..FEW_BYTES) | Err(Errno::AGAIN) => return Input::Possible,
            Ok(FEW_BYTES..) | Err(Errno::INTR) => {}
            Ok(0) | Err(_) => return Input::Over,
        }
    }
    Input::Possible
}
