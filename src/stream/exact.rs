//! Whole reads and writes: all bytes, or how many went through before what stopped them.

use core::{fmt, time::Duration};

use rustix::fd::{AsFd, BorrowedFd};

use super::{Deadline, Stream};
use crate::{
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    sys::{self, PollFlags},
};

/// A whole read or write that was stopped on the way.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Incomplete {
    /// The bytes that went through before.
    pub done: usize,
    /// What stopped it; [`EndOfStream`](Cause::EndOfStream) if the peer closed.
    pub error: Error,
}

impl Stream {
    /// Reads until `buf` is full, through signals.
    ///
    /// A [read timeout](Self::set_read_timeout) limits each wait and not the whole: it begins anew with each byte that
    /// comes and with each signal. What ends in time is [`read_exact_deadline`](Self::read_exact_deadline).
    ///
    /// # Errors
    ///
    /// [`Incomplete`] with the bytes read so far, which are in `buf`: at the end of the stream, at `EAGAIN` of a
    /// non-blocking socket, [`TimedOut`](Cause::TimedOut) of a blocking one, and at the other errors of
    /// [`read`](Self::read).
    #[doc(alias = "readn")]
    pub fn read_exact(&self, buf: &mut [u8]) -> Result<(), Incomplete> {
        let read = whole(buf.len(), Op::Read, |done| self.read(buf.get_mut(done..).unwrap_or_default()));
        read.map_err(|incomplete| incomplete.with_named_timeout(self))
    }

    /// Writes all of `buf`, through signals.
    ///
    /// A [write timeout](Self::set_write_timeout) limits each wait and not the whole, as for
    /// [`read_exact`](Self::read_exact). What ends in time is [`write_all_deadline`](Self::write_all_deadline).
    ///
    /// # Errors
    ///
    /// [`Incomplete`] with the bytes written so far: at `EAGAIN` of a non-blocking socket,
    /// [`TimedOut`](Cause::TimedOut) of a blocking one, and at the other errors of [`write`](Self::write).
    #[doc(alias = "writen")]
    pub fn write_all(&self, buf: &[u8]) -> Result<(), Incomplete> {
        let written = whole(buf.len(), Op::Write, |done| self.write(buf.get(done..).unwrap_or_default()));
        written.map_err(|incomplete| incomplete.with_named_timeout(self))
    }

    /// Reads until `buf` is full or the deadline has passed, on blocking and non-blocking sockets alike. Neither bytes
    /// that come nor signals put the deadline off, and the timeouts of the socket have no effect.
    ///
    /// Bytes that are there already are read even after the deadline, in one call.
    ///
    /// ```
    /// # use anet::{Stream, fd::OwnedFd};
    /// use anet::{error::Cause, stream::Deadline};
    /// use core::time::Duration;
    ///
    /// # let (client, server) = std::os::unix::net::UnixStream::pair()?;
    /// # let [client, server] = [client, server].map(|end| Stream::from(OwnedFd::from(end)));
    /// // One limit for the request and both parts of the answer.
    /// let deadline = Deadline::after(Duration::from_millis(50));
    /// let (mut header, mut body) = ([0; 2], [0; 100]);
    /// client.write_all_deadline(b"request", deadline)?;
    /// # server.write_all(b"OK and no more")?;
    /// client.read_exact_deadline(&mut header, deadline)?;
    /// let incomplete = client.read_exact_deadline(&mut body, deadline).unwrap_err();
    /// assert_eq!((incomplete.done, incomplete.error.cause()), (12, Cause::DeadlinePassed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Incomplete`] with the bytes read so far, which are in `buf`: [`DeadlinePassed`](Cause::DeadlinePassed),
    /// [`EndOfStream`](Cause::EndOfStream), `ECONNRESET`, `ETIMEDOUT` from a peer that keepalive or the user timeout
    /// has given up.
    pub fn read_exact_deadline(&self, buf: &mut [u8], deadline: Deadline) -> Result<(), Incomplete> {
        let in_time = InTime { fd: self.as_fd(), deadline, op: Op::Read, ready: PollFlags::IN };
        whole(buf.len(), Op::Read, |done| {
            in_time.step(done, || sys::recv_now(in_time.fd, buf.get_mut(done..).unwrap_or_default()))
        })
    }

    /// Writes all of `buf` or until the deadline has passed, on blocking and non-blocking sockets alike. Neither
    /// progress nor signals put the deadline off, and the timeouts of the socket have no effect.
    ///
    /// What the send buffer has room for is written even after the deadline, in one call.
    ///
    /// # Errors
    ///
    /// [`Incomplete`] with the bytes written so far: [`DeadlinePassed`](Cause::DeadlinePassed), `EPIPE` and
    /// `ECONNRESET` if the peer is gone.
    pub fn write_all_deadline(&self, buf: &[u8], deadline: Deadline) -> Result<(), Incomplete> {
        let in_time = InTime { fd: self.as_fd(), deadline, op: Op::Write, ready: PollFlags::OUT };
        whole(buf.len(), Op::Write, |done| {
            in_time.step(done, || sys::send_now(in_time.fd, buf.get(done..).unwrap_or_default()))
        })
    }
}

/// A transfer that waits no longer than until a deadline.
struct InTime<'s> {
    fd: BorrowedFd<'s>,
    deadline: Deadline,
    op: Op,
    /// What to wait for.
    ready: PollFlags,
}

impl InTime<'_> {
    /// Transfers something, with a call that does not wait. The first step of all is made whatever the time is.
    fn step(&self, done: usize, mut transfer: impl FnMut() -> sys::Result<usize>) -> Result<usize> {
        if done > 0 {
            self.remaining()?;
        }
        loop {
            match transfer() {
                Err(Errno::AGAIN) => self.wait()?,
                answer => return answer.op(self.op),
            }
        }
    }

    /// Waits until there is something to transfer, the deadline has passed or a signal comes.
    fn wait(&self) -> Result<()> {
        match sys::poll(self.fd, self.ready, self.remaining()?) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(Error::new(Op::Poll, errno)),
        }
    }

    fn remaining(&self) -> Result<Option<Duration>> {
        match self.deadline.remaining() {
            Some(Duration::ZERO) => Err(Error::refused(self.op, Cause::DeadlinePassed)),
            remaining => Ok(remaining),
        }
    }
}

/// Repeats `step`, which is told the bytes done, until `len` bytes are.
fn whole(len: usize, op: Op, mut step: impl FnMut(usize) -> Result<usize>) -> Result<(), Incomplete> {
    let mut done = 0;
    while done < len {
        match step(done) {
            Ok(0) => return Err(Incomplete { done, error: Error::refused(op, Cause::EndOfStream) }),
            Ok(more) => done += more,
            Err(error) if error.is_interrupted() => {}
            Err(error) => return Err(Incomplete { done, error }),
        }
    }
    Ok(())
}

impl Incomplete {
    fn with_named_timeout(self, stream: &Stream) -> Self {
        Self { error: stream.name_timeout(self.error), ..self }
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {} bytes", self.error, self.done)
    }
}

impl core::error::Error for Incomplete {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Forgets how far it came.
impl From<Incomplete> for Error {
    fn from(incomplete: Incomplete) -> Self {
        incomplete.error
    }
}
