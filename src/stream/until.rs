//! Reads up to a delimiter.

use super::{Deadline, Incomplete, Stream, exact::InTime};
use crate::{
    error::{Cause, Error, Op, Result},
    sys,
};

impl Stream {
    /// Reads up to and including the first delimiter, and not a byte more: the next read begins behind it, whether it
    /// reads a body, hands the descriptor on or [splices](super::Splice). Continues after signals.
    ///
    /// The first `len` bytes of `buf` were read by an earlier call, which did not find the delimiter; begin with 0.
    /// Returns the number of bytes in `buf`, the delimiter included. An empty delimiter is found at once.
    ///
    /// Each arrival costs two calls, one that peeks and one that reads. For many short lines it is cheaper to read into
    /// a buffer and search there.
    ///
    /// ```
    /// # let (client, server) = anet::Stream::pair()?;
    /// # client.write_all(b"SET key 5\r\nhello")?;
    /// let mut line = [0; 512];
    /// let len = server.read_until(b"\r\n", &mut line, 0)?;
    /// assert_eq!(&line[..len], b"SET key 5\r\n");
    /// let mut value = [0; 5];
    /// server.read_exact(&mut value)?;
    /// assert_eq!(&value, b"hello");
    /// # Ok::<(), anet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Incomplete`], whose `done` is the number of bytes in `buf`. [`BufferFull`](Cause::BufferFull) if they leave no
    /// room for the delimiter. After `EAGAIN` of a non-blocking socket, pass `done` as `len` to continue. The other
    /// errors are those of [`read_exact`](Self::read_exact).
    #[doc(alias = "readline")]
    #[doc(alias = "getline")]
    #[doc(alias = "MSG_PEEK")]
    pub fn read_until(&self, delimiter: &[u8], buf: &mut [u8], len: usize) -> Result<usize, Incomplete> {
        let read = until(delimiter, buf, len, |buf| self.peek(buf), |buf| self.read(buf));
        read.map_err(|incomplete| incomplete.with_named_timeout(self))
    }

    /// Reads up to and including the first delimiter, or until the deadline has passed, on blocking and non-blocking
    /// sockets alike; see [`read_until`](Self::read_until) and [`read_exact_deadline`](Self::read_exact_deadline).
    ///
    /// # Errors
    ///
    /// Those of [`read_until`](Self::read_until), and [`DeadlinePassed`](Cause::DeadlinePassed).
    pub fn read_until_deadline(
        &self,
        delimiter: &[u8],
        buf: &mut [u8],
        len: usize,
        deadline: Deadline,
    ) -> Result<usize, Incomplete> {
        let in_time = InTime::reading(self, deadline);
        let mut steps = 0;
        let peek = |buf: &mut [u8]| {
            steps += 1;
            in_time.step(steps - 1, || sys::peek_now(in_time.fd, buf))
        };
        until(delimiter, buf, len, peek, |buf| self.read(buf))
    }
}

/// Peeks, searches, and reads what belongs to the caller.
fn until(
    delimiter: &[u8],
    buf: &mut [u8],
    mut len: usize,
    mut peek: impl FnMut(&mut [u8]) -> Result<usize>,
    mut read: impl FnMut(&mut [u8]) -> Result<usize>,
) -> Result<usize, Incomplete> {
    while !delimiter.is_empty() {
        match step(delimiter, buf, len, &mut peek, &mut read) {
            Ok((more, true)) => return Ok(len + more),
            Ok((more, false)) => len += more,
            Err(error) if error.is_interrupted() => {}
            Err(error) => return Err(Incomplete { done: len, error }),
        }
    }
    Ok(len)
}

/// Reads from one arrival; returns how many bytes, and whether the delimiter ends them.
fn step(
    delimiter: &[u8],
    buf: &mut [u8],
    len: usize,
    peek: &mut impl FnMut(&mut [u8]) -> Result<usize>,
    read: &mut impl FnMut(&mut [u8]) -> Result<usize>,
) -> Result<(usize, bool)> {
    let refused = |cause| Err(Error::refused(Op::Read, cause));
    let peeked = match buf.get_mut(len..) {
        None | Some([]) => return refused(Cause::BufferFull),
        Some(room) => peek(room)?,
    };
    if peeked == 0 {
        return refused(Cause::EndOfStream);
    }
    // The delimiter may have begun in an earlier arrival.
    let from = len.saturating_sub(delimiter.len() - 1);
    let arrived = buf.get(from..len + peeked).unwrap_or_default();
    let end = arrived.windows(delimiter.len()).position(|part| part == delimiter).map(|at| at + delimiter.len());
    let wanted = end.map_or(peeked, |end| from + end - len);
    // It is there, so this does not block.
    match read(buf.get_mut(len..len + wanted).unwrap_or_default())? {
        0 => refused(Cause::EndOfStream),
        taken => Ok((taken, end.is_some() && taken == wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;
    use core::cell::Cell;

    /// Reads from arrivals that each end at a multiple of `most`; every fifth call is interrupted. Returns the result
    /// and how many bytes were read.
    fn read(
        sent: &[u8],
        most: usize,
        delimiter: &[u8],
        buf: &mut [u8],
        len: usize,
    ) -> (Result<usize, Incomplete>, usize) {
        let (taken, calls) = (Cell::new(0), Cell::new(0));
        let available = |buf: &mut [u8]| {
            calls.set(calls.get() + 1);
            if calls.get() % 5 == 0 {
                return Err(Error::new(Op::Read, Errno::INTR));
            }
            let arrived = sent.len().min((taken.get() / most + 1) * most);
            let part = sent.get(taken.get()..arrived).unwrap_or_default();
            let len = part.len().min(buf.len());
            buf[..len].copy_from_slice(&part[..len]);
            Ok(len)
        };
        let result = until(delimiter, buf, len, available, |buf| {
            let len = available(buf)?;
            taken.set(taken.get() + len);
            Ok(len)
        });
        (result, taken.get())
    }

    #[test]
    fn the_delimiter_is_found_however_its_bytes_arrive() {
        for delimiter in [&b"\n"[..], b"\r\n", b"\r\n\r\n", b"aab"] {
            let sent = [b"xaaxaa\r\raa", delimiter, b"rest", delimiter].concat();
            let end = sent.windows(delimiter.len()).position(|part| part == delimiter).unwrap() + delimiter.len();
            for most in 1..=sent.len() {
                let mut buf = [0; 64];
                assert_eq!(read(&sent, most, delimiter, &mut buf, 0), (Ok(end), end), "{delimiter:?} {most}");
                assert_eq!(buf[..end], sent[..end]);
            }
        }
    }

    #[test]
    fn a_later_call_finds_a_delimiter_that_an_earlier_one_began() {
        let mut buf = *b"line\r......";
        assert_eq!(read(b"\nrest", 5, b"\r\n", &mut buf, 5), (Ok(6), 1));
        assert_eq!(&buf[..6], b"line\r\n");
    }

    #[test]
    fn a_full_buffer_and_the_end_report_what_was_read() {
        let incomplete = |done, cause| Err(Incomplete { done, error: Error::refused(Op::Read, cause) });
        for most in 1..8 {
            let mut buf = [0; 4];
            assert_eq!(read(b"abcd\n", most, b"\n", &mut buf, 0), (incomplete(4, Cause::BufferFull), 4));
            assert_eq!(read(b"abc", most, b"\n", &mut buf, 0), (incomplete(3, Cause::EndOfStream), 3));
        }
        assert_eq!(read(b"abc", 1, b"\n", &mut [], 0).0, incomplete(0, Cause::BufferFull));
        assert_eq!(read(b"abc", 1, b"\n", &mut [0; 4], 9).0, incomplete(9, Cause::BufferFull));
        assert_eq!(read(b"abc", 1, b"", &mut [], 0), (Ok(0), 0));
    }
}
