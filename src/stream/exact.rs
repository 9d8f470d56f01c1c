//! Whole reads and writes: all bytes, or how many went through before what stopped them.

use core::fmt;

use super::Stream;
use crate::error::{Cause, Error, Op, Result};

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
    /// # Errors
    ///
    /// [`Incomplete`] with the bytes read so far, which are in `buf`: at the end of the stream, at `EAGAIN` of a
    /// non-blocking socket or a timeout, and at the other errors of [`read`](Self::read).
    #[doc(alias = "readn")]
    pub fn read_exact(&self, buf: &mut [u8]) -> Result<(), Incomplete> {
        whole(buf.len(), Op::Read, |done| self.read(buf.get_mut(done..).unwrap_or_default()))
    }

    /// Writes all of `buf`, through signals.
    ///
    /// # Errors
    ///
    /// [`Incomplete`] with the bytes written so far: at `EAGAIN` of a non-blocking socket or a timeout, and at the
    /// other errors of [`write`](Self::write).
    #[doc(alias = "writen")]
    pub fn write_all(&self, buf: &[u8]) -> Result<(), Incomplete> {
        whole(buf.len(), Op::Write, |done| self.write(buf.get(done..).unwrap_or_default()))
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
