//! Reading a text file in whole lines, through a buffer of fixed length.

use core::ffi::CStr;

use rustix::fd::{AsFd, OwnedFd};

use crate::{
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    sys,
};

/// The buffer's length, and the most of a line that is read.
pub(super) const LINE_MAX: usize = 8192;

/// Passes the file to `take` in pieces of whole lines. Of a line longer than [`LINE_MAX`], the words that fit.
///
/// A file that does not exist or may not be read has no lines, as in glibc.
pub(super) fn read_lines(path: &CStr, take: &mut dyn FnMut(&[u8])) -> Result<()> {
    match open(path)? {
        Some(fd) => pieces(|buf| read(&fd, buf), take),
        None => Ok(()),
    }
}

/// Reads a file to its end, and returns its length.
pub(super) fn read_whole(path: &CStr, buf: &mut [u8]) -> Result<usize> {
    let Some(fd) = open(path)? else { return Ok(0) };
    let mut len = 0;
    while let Some(free) = buf.get_mut(len..).filter(|free| !free.is_empty()) {
        match read(&fd, free)? {
            0 => return Ok(len),
            more => len += more,
        }
    }
    match read(&fd, &mut [0])? {
        0 => Ok(len),
        _ => Err(Error::refused(Op::Resolve, Cause::BufferTooShort)),
    }
}

fn open(path: &CStr) -> Result<Option<OwnedFd>> {
    match sys::open_to_read(path) {
        Ok(fd) => Ok(Some(fd)),
        Err(errno) if is_absent(errno) => Ok(None),
        Err(errno) => Err(errno).op(Op::Resolve),
    }
}

const fn is_absent(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP)
}

/// A directory and a FIFO without a writer are empty.
fn read(fd: &OwnedFd, buf: &mut [u8]) -> Result<usize> {
    match sys::retry_on_intr(|| sys::read(fd.as_fd(), buf)) {
        Err(Errno::ISDIR | Errno::AGAIN) => Ok(0),
        other => other.op(Op::Resolve),
    }
}

fn pieces(mut read: impl FnMut(&mut [u8]) -> Result<usize>, take: &mut dyn FnMut(&[u8])) -> Result<()> {
    let mut buf = Buffer { bytes: [0; LINE_MAX], len: 0, skips: false };
    loop {
        let more = read(buf.free())?;
        buf.len += more;
        buf.skip();
        buf.take(more == 0, take);
        if more == 0 {
            return Ok(());
        }
    }
}

struct Buffer {
    bytes: [u8; LINE_MAX],
    /// How many bytes are held.
    len: usize,
    /// Whether the bytes up to the next newline are to be discarded.
    skips: bool,
}

impl Buffer {
    /// Never empty: lines that fill the buffer are taken from it.
    fn free(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.len..).unwrap_or_default()
    }

    fn held(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn discard(&mut self, len: usize) {
        let len = len.min(self.len);
        self.bytes.copy_within(len..self.len, 0);
        self.len -= len;
    }

    /// Discards the rest of a line that was too long.
    fn skip(&mut self) {
        if self.skips {
            let newline = self.held().iter().position(|&byte| byte == b'\n');
            self.skips = newline.is_none();
            self.discard(newline.map_or(self.len, |at| at + 1));
        }
    }

    fn take(&mut self, is_end: bool, take: &mut dyn FnMut(&[u8])) {
        let newline = self.held().iter().rposition(|&byte| byte == b'\n');
        match newline {
            _ if is_end => take(self.held()),
            Some(at) => {
                take(self.held().get(..=at).unwrap_or_default());
                self.discard(at + 1);
            }
            None if self.len == LINE_MAX => {
                take(whole_words(self.held()));
                self.discard(LINE_MAX);
                self.skips = true;
            }
            None => {}
        }
    }
}

/// Without the last word, which may be cut: it would be another word.
fn whole_words(line: &[u8]) -> &[u8] {
    let len = line.iter().rposition(u8::is_ascii_whitespace).unwrap_or(0);
    line.get(..len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{string::String, vec::Vec};

    /// What is taken of a file that arrives `step` bytes at a time.
    fn taken(file: &str, step: usize) -> String {
        let (mut rest, mut taken) = (file.as_bytes(), Vec::new());
        let read = |buf: &mut [u8]| {
            let len = step.min(rest.len()).min(buf.len());
            let (now, later) = rest.split_at(len);
            buf[..len].copy_from_slice(now);
            rest = later;
            Ok(len)
        };
        pieces(read, &mut |piece| taken.extend_from_slice(piece)).unwrap();
        String::from_utf8(taken).unwrap()
    }

    #[test]
    fn every_line_is_taken_whole_however_it_arrives() {
        let file = "1 a\n\n# 2\n3 c d".repeat(400);
        for step in [1, 7, 4096, usize::MAX] {
            assert_eq!(taken(&file, step), file);
        }
        for file in ["", "\n", "a", "a\n"] {
            assert_eq!(taken(file, 1), file);
        }
    }

    #[test]
    fn of_a_line_that_is_too_long_the_words_that_fit_are_taken() {
        let long = ["x"].repeat(LINE_MAX).join(" ");
        let file = std::format!("a b\n{long}\nc d\n");
        for step in [1, 1000, usize::MAX] {
            let taken = taken(&file, step);
            assert!(taken.starts_with("a b\nx x") && taken.ends_with("xc d\n"), "{step}");
            assert!(taken.len() < 2 * LINE_MAX, "{step}");
        }
        let word = "x".repeat(1 << 20);
        assert_eq!(taken(&std::format!("{word}\n1 a\n{word}"), usize::MAX), "1 a\n");
        assert_eq!(taken(&word, usize::MAX), "");
    }
}
