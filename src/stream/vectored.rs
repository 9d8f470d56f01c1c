//! Whole writes of several buffers.

use super::{Deadline, Incomplete, IoSlice, Stream, exact::InTime};
use crate::{
    error::{Cause, Error, Op, Result},
    sys,
};

/// The most buffers that the kernel takes in one call (`UIO_MAXIOV`).
const BUFFERS_MAX: usize = 1024;

impl Stream {
    /// Writes all bytes of all buffers in turn, and continues after signals. Where the kernel takes a part, the rest of
    /// that buffer and the following ones go into the next call. Any number of buffers is allowed.
    ///
    /// Each slice is advanced past its written bytes, so after an error the same slices hold exactly what is left: to
    /// continue when a non-blocking socket is writable again, call this with them.
    ///
    /// ```
    /// use anet::{Stream, stream::IoSlice};
    ///
    /// # let (client, server) = Stream::pair()?;
    /// let body = b"hello";
    /// let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    /// server.write_all_vectored(&mut [IoSlice::new(head.as_bytes()), IoSlice::new(body)])?;
    /// # let mut response = [0; 43];
    /// # client.read_exact(&mut response)?;
    /// # assert_eq!(&response, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    /// # Ok::<(), anet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`write_all`](Self::write_all).
    #[doc(alias = "writev")]
    #[inline]
    pub fn write_all_vectored(&self, bufs: &mut [IoSlice<'_>]) -> Result<(), Incomplete> {
        let written = whole(bufs, |bufs, _| self.write_vectored(bufs));
        written.map_err(|incomplete| incomplete.with_named_timeout(self))
    }

    /// Writes all bytes of all buffers in turn, or until the deadline has passed, on blocking and non-blocking sockets
    /// alike; see [`write_all_vectored`](Self::write_all_vectored) and
    /// [`write_all_deadline`](Self::write_all_deadline).
    ///
    /// # Errors
    ///
    /// Those of [`write_all_deadline`](Self::write_all_deadline).
    #[inline]
    pub fn write_all_vectored_deadline(&self, bufs: &mut [IoSlice<'_>], deadline: Deadline) -> Result<(), Incomplete> {
        let in_time = InTime::writing(self, deadline);
        whole(bufs, |bufs, done| in_time.step(done, || sys::send_vectored_now(in_time.fd, bufs)))
    }
}

/// Repeats `step` until no bytes are left; its second argument is the number of bytes done. The first step is inlined
/// into the caller, as that of whole reads and writes.
#[inline]
fn whole(
    bufs: &mut [IoSlice<'_>],
    mut step: impl FnMut(&[IoSlice<'_>], usize) -> Result<usize>,
) -> Result<(), Incomplete> {
    let bufs = without_empty(bufs);
    if bufs.is_empty() {
        return Ok(());
    }
    let first = step(some_of(bufs), 0);
    rest(bufs, first, step)
}

/// As many as one call takes.
#[inline]
fn some_of<'b, 's>(bufs: &'b [IoSlice<'s>]) -> &'b [IoSlice<'s>] {
    bufs.get(..BUFFERS_MAX).unwrap_or(bufs)
}

/// Goes on after the first step.
fn rest(
    mut bufs: &mut [IoSlice<'_>],
    first: Result<usize>,
    mut step: impl FnMut(&[IoSlice<'_>], usize) -> Result<usize>,
) -> Result<(), Incomplete> {
    let (mut done, mut answer) = (0, first);
    loop {
        match answer {
            Ok(0) => return Err(Incomplete { done, error: Error::refused(Op::Write, Cause::EndOfStream) }),
            Ok(written) => {
                done += written;
                advance(bufs, written);
            }
            Err(error) if error.is_interrupted() => {}
            Err(error) => return Err(Incomplete { done, error }),
        }
        bufs = without_empty(bufs);
        if bufs.is_empty() {
            return Ok(());
        }
        answer = step(some_of(bufs), done);
    }
}

/// The buffers from the first one that is not empty.
fn without_empty<'b, 's>(bufs: &'b mut [IoSlice<'s>]) -> &'b mut [IoSlice<'s>] {
    let first = bufs.iter().position(|buf| sys::buffer_len(buf) > 0).unwrap_or(bufs.len());
    bufs.get_mut(first..).unwrap_or_default()
}

fn advance(bufs: &mut [IoSlice<'_>], mut bytes: usize) {
    for buf in bufs {
        let part = bytes.min(sys::buffer_len(buf));
        buf.advance(part);
        bytes -= part;
        if bytes == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;
    use std::vec::Vec;

    /// The bytes that reach a peer that takes at most `most` bytes a call.
    fn written(parts: &[&[u8]], most: usize) -> Vec<u8> {
        let mut bufs: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut all = Vec::new();
        let result = whole(&mut bufs, |bufs, done| {
            assert_eq!(done, all.len());
            assert!(bufs.len() <= BUFFERS_MAX && !bufs[0].is_empty());
            let taken: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).take(most).collect();
            all.extend_from_slice(&taken);
            Ok(taken.len())
        });
        assert_eq!(result, Ok(()));
        assert!(bufs.iter().all(|buf| buf.is_empty()));
        all
    }

    #[test]
    fn a_short_write_of_any_length_resumes_within_its_buffer() {
        let parts: [&[u8]; 7] = [b"", b"a", b"bcd", b"", b"", b"efghijk", b""];
        for most in 1..13 {
            assert_eq!(written(&parts, most), b"abcdefghijk", "{most}");
        }
        assert_eq!(written(&[], 1), b"");
        assert_eq!(written(&[b"", b""], 1), b"");
    }

    #[test]
    fn more_buffers_than_one_call_takes_are_written() {
        let parts = [&b"xy"[..]; 2 * BUFFERS_MAX + 1];
        assert_eq!(written(&parts, 5_000), b"xy".repeat(parts.len()));
    }

    #[test]
    fn after_an_error_the_slices_hold_what_is_left() {
        let mut bufs = [&b"abc"[..], b"def", b"ghi"].map(IoSlice::new);
        let mut answers = [Err(Errno::INTR), Ok(4), Err(Errno::INTR), Err(Errno::AGAIN)].into_iter();
        let result = whole(&mut bufs, |_, _| answers.next().unwrap().map_err(|errno| Error::new(Op::Write, errno)));
        assert_eq!(result, Err(Incomplete { done: 4, error: Error::new(Op::Write, Errno::AGAIN) }));
        assert_eq!(bufs.each_ref().map(|buf| &**buf), [&b""[..], b"ef", b"ghi"]);
    }
}
