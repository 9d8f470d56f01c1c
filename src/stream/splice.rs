//! Moving bytes from one stream to another inside the kernel.

use rustix::fd::AsFd;

use super::{Shutdown, Stream};
use crate::{
    error::{Errno, Op, Result, ResultExt},
    pipe::{self, EndFlags, Pipe},
    sys,
};

/// One direction of a proxy: moves bytes from one stream to another through a pipe, without copying them to the
/// process (`splice(2)`). Takes two system calls per arrival and two descriptors for the pipe.
///
/// The pipe is filled only while it is empty. So at most [`capacity_bytes`](Self::capacity_bytes) are read ahead of a
/// slow receiver, whose back-pressure then reaches the sender, and an `EAGAIN` always means the stream and never a full
/// pipe. The end of `from` is passed on by shutting down the writing half of `to`, once everything before it was moved;
/// the other direction goes on.
///
/// After any [`step`](Self::step) but one that returns [`SinkFull`](Spliced::SinkFull) or an error it holds nothing, so
/// one `Splice` can serve many pairs in turn, and only a pair whose receiver is slow needs one of its own. After an
/// error, drop it.
///
/// # `SIGPIPE`
///
/// `splice(2)` has no flag that suppresses the signal: a write to a peer that has closed raises `SIGPIPE`, and its
/// default action ends the process. Rust's runtime ignores the signal. A program that starts without it (`no_std`, C)
/// must ignore it before it splices; then the step fails with `EPIPE`.
///
/// ```
/// # use anet::Stream;
/// use anet::stream::{Splice, Spliced};
///
/// # let ((client, from), (to, server)) = (Stream::pair()?, Stream::pair()?);
/// # client.write_all(b"request")?;
/// # drop(client);
/// let mut splice = Splice::new()?;
/// // On blocking streams, a step without a limit returns at the end of the stream.
/// assert_eq!(splice.step(&from, &to, usize::MAX)?, Spliced::Ended);
/// # let mut request = [0; 8];
/// # assert_eq!((server.read(&mut request)?, server.read(&mut request)?, &request[..7]), (7, 0, &b"request"[..]));
/// # assert_eq!(splice.passed_bytes(), 7);
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "splice")]
pub struct Splice {
    pipe: Pipe,
    capacity_bytes: usize,
    held_bytes: usize,
    passed_bytes: u64,
    has_ended: bool,
}

/// Why a [step](Splice::step) has stopped. What to do about an unknown reason could not be guessed, so this enum is
/// complete.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[must_use]
pub enum Spliced {
    /// Nothing is left to read: step again when `from` is readable. The pipe is empty.
    SourceEmpty,
    /// The receiver has no room: step again when `to` is writable. Until then do not watch `from` for reading.
    SinkFull,
    /// The limit of the step was reached: step again after the other connections had their turn.
    LimitReached,
    /// `from` has ended, `to` has got everything and then the end. The pipe is empty.
    Ended,
}

impl Splice {
    /// Creates the pipe, with the kernel's default capacity (64 KiB).
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`.
    pub fn new() -> Result<Self> {
        let pipe = pipe::pipe(EndFlags::empty(), EndFlags::empty())?;
        let capacity_bytes = sys::pipe_size(pipe.write.as_fd()).op(Op::PipeSize)?;
        Ok(Self { pipe, capacity_bytes, held_bytes: 0, passed_bytes: 0, has_ended: false })
    }

    /// Creates a pipe of at least this capacity: a larger one takes fewer calls for bulk data, and reads further ahead.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); `EPERM` above `fs.pipe-max-size` (1 MiB) or `fs.pipe-user-pages-soft` without
    /// privilege, `EINVAL` above 2 GiB, `ENOMEM`.
    #[doc(alias = "F_SETPIPE_SZ")]
    pub fn with_capacity(bytes: usize) -> Result<Self> {
        let mut splice = Self::new()?;
        splice.capacity_bytes = sys::set_pipe_size(splice.pipe.write.as_fd(), bytes).op(Op::PipeSize)?;
        Ok(splice)
    }

    /// Moves bytes until `from` is empty, `to` is full or ends, or `limit_bytes` have gone into the pipe. Continues
    /// after signals.
    ///
    /// In an event loop both streams must be non-blocking, and a limit keeps one busy pair from starving the others. A
    /// blocking stream blocks instead: a timeout of its own ends the step as if it were non-blocking.
    ///
    /// # Errors
    ///
    /// Of `from`, with [`Op::SpliceFrom`]: `ECONNRESET`, `ETIMEDOUT`; `EINVAL` for a kind of socket that cannot splice,
    /// before anything was taken from it. Of `to`, with [`Op::SpliceTo`]: `EPIPE`, `ECONNRESET`; then
    /// [`held_bytes`](Self::held_bytes) are in the pipe and lost with it. `ENOTCONN` if `to` cannot be shut down
    /// because its peer is gone.
    pub fn step(&mut self, from: &Stream, to: &Stream, limit_bytes: usize) -> Result<Spliced> {
        let mut filled_bytes = 0;
        loop {
            if self.held_bytes > 0 {
                if !self.empty_into(to)? {
                    return Ok(Spliced::SinkFull);
                }
            } else if self.has_ended {
                self.has_ended = false;
                to.shutdown(Shutdown::Write)?;
                return Ok(Spliced::Ended);
            } else if filled_bytes >= limit_bytes {
                return Ok(Spliced::LimitReached);
            } else if !self.fill_from(from, limit_bytes - filled_bytes)? {
                return Ok(Spliced::SourceEmpty);
            } else {
                filled_bytes += self.held_bytes;
            }
        }
    }

    /// Fills the empty pipe, or notes the end; `false` if nothing has arrived.
    fn fill_from(&mut self, from: &Stream, most: usize) -> Result<bool> {
        let len = self.capacity_bytes.min(most);
        match sys::splice(from.as_fd(), self.pipe.write.as_fd(), len) {
            Ok(0) => self.has_ended = true,
            Ok(len) => self.held_bytes = len,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(false),
            Err(errno) => return Err(errno).op(Op::SpliceFrom),
        }
        Ok(true)
    }

    /// Moves what the pipe holds; `false` if there is no room.
    fn empty_into(&mut self, to: &Stream) -> Result<bool> {
        match sys::splice(self.pipe.read.as_fd(), to.as_fd(), self.held_bytes) {
            Ok(len) => {
                self.held_bytes -= len.min(self.held_bytes);
                self.passed_bytes += len as u64;
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(false),
            Err(errno) => return Err(errno).op(Op::SpliceTo),
        }
        Ok(true)
    }

    /// The number of bytes in the pipe: taken from the one stream, not yet given to the other.
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// The number of bytes moved since it was created.
    pub const fn passed_bytes(&self) -> u64 {
        self.passed_bytes
    }

    /// The most bytes that the pipe holds. Small segments fill it earlier: each takes a place of a whole page.
    pub const fn capacity_bytes(&self) -> usize {
        self.capacity_bytes
    }
}
