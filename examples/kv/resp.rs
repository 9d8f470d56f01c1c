//! RESP2: requests out of bytes that come in any pieces, and replies.

use core::{fmt, mem, ops::Range};
use std::io::Write;

/// The longest line: an inline request or the length of something.
const INLINE_MAX: usize = 64 << 10;
/// The most arguments of one request.
const ARGS_MAX: i64 = 1 << 20;
/// The longest argument.
const BULK_MAX: usize = 64 << 20;
/// The longest request.
const REQUEST_MAX: usize = 2 * BULK_MAX;
/// Replies that may wait for a client to read them: the largest one and some more. Who lets more pile up is dropped.
const OUTPUT_MAX: usize = BULK_MAX + (16 << 20);
/// What the buffers of an idle client may keep.
const KEPT_CAPACITY: usize = 16 << 10;

/// A request at the beginning of the input, as far as it has been read: no argument is looked at twice, however slowly
/// the others come.
#[derive(Default)]
pub struct Request {
    /// Where the part begins that has not been read.
    pub at: usize,
    /// Arguments still to come.
    missing: usize,
    /// Where the arguments are.
    args: Vec<Range<usize>>,
    /// The arguments of an inline request, without their quotes.
    words: Vec<Vec<u8>>,
}

impl Request {
    /// Reads on and says whether the request is whole, or what is wrong with it.
    pub fn read(&mut self, input: &[u8]) -> Result<bool, String> {
        match input.first() {
            None => Ok(false),
            Some(b'*') => self.read_array(input),
            Some(_) => self.read_inline(input),
        }
    }

    fn read_inline(&mut self, input: &[u8]) -> Result<bool, String> {
        let Some((text, end)) = line(input, 0, "too big inline request")? else { return Ok(false) };
        self.words = split_words(text).ok_or("unbalanced quotes in request")?;
        self.at = end;
        Ok(true)
    }

    fn read_array(&mut self, input: &[u8]) -> Result<bool, String> {
        if self.at == 0 {
            let Some((text, end)) = line(input, 1, "too big mbulk count string")? else { return Ok(false) };
            let count = integer(text).filter(|count| *count <= ARGS_MAX).ok_or("invalid multibulk length")?;
            // As in Redis, a negative count is that of an empty request.
            self.missing = usize::try_from(count).unwrap_or_default();
            self.at = end;
        }
        while self.missing > 0 {
            if !self.read_argument(input)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_argument(&mut self, input: &[u8]) -> Result<bool, String> {
        let Some((text, start)) = line(input, self.at, "too big bulk count string")? else { return Ok(false) };
        let Some(len) = text.strip_prefix(b"$") else {
            return Err(format!("expected '$', got '{}'", printable(text.get(..1).unwrap_or(b" "))));
        };
        let len = integer(len).and_then(|len| usize::try_from(len).ok()).filter(|len| *len <= BULK_MAX);
        let end = start + len.ok_or("invalid bulk length")?;
        if end > REQUEST_MAX {
            return Err("too big request".to_owned());
        }
        let is_whole = input.len() >= end + 2;
        if is_whole {
            self.args.push(start..end);
            self.missing -= 1;
            self.at = end + 2;
        }
        Ok(is_whole)
    }

    pub fn args<'a>(&'a self, input: &'a [u8]) -> Vec<&'a [u8]> {
        let ranges = self.args.iter().map(|range| input.get(range.clone()).unwrap_or_default());
        ranges.chain(self.words.iter().map(Vec::as_slice)).collect()
    }

    pub fn reset(&mut self) {
        *self = Self { args: emptied(mem::take(&mut self.args)), ..Self::default() };
    }
}

/// The line at `at` without its end, and where the next one begins.
fn line<'a>(input: &'a [u8], at: usize, too_big: &str) -> Result<Option<(&'a [u8], usize)>, String> {
    let text = input.get(at..).unwrap_or_default();
    let text = text.get(..INLINE_MAX).unwrap_or(text);
    match text.iter().position(|&byte| byte == b'\n').and_then(|len| text.get(..len)) {
        Some(line) => Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), at + line.len() + 1))),
        None if text.len() == INLINE_MAX => Err(too_big.to_owned()),
        None => Ok(None),
    }
}

/// The words of an inline request, with quotes and backslashes as in a shell; `None` if a quote is not closed.
fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let mut word = Vec::new();
        rest = take_word(rest, &mut word)?.trim_ascii_start();
        words.push(word);
    }
    Some(words)
}

fn take_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    let mut quote = None;
    loop {
        let (byte, tail) = match (quote, rest) {
            (None, [open @ (b'"' | b'\''), tail @ ..]) => {
                (quote, rest) = (Some(*open), tail);
                continue;
            }
            (None, [] | [b' ' | b'\t' | b'\r', ..]) => return Some(rest),
            (Some(_), []) => return None,
            // The closing quote is the end of its word.
            (Some(open), [close, tail @ ..]) if *close == open => {
                return tail.first().is_none_or(u8::is_ascii_whitespace).then_some(tail);
            }
            (Some(b'"'), [b'\\', b'n', tail @ ..]) => (b'\n', tail),
            (Some(b'"'), [b'\\', b'r', tail @ ..]) => (b'\r', tail),
            (Some(b'"'), [b'\\', b't', tail @ ..]) => (b'\t', tail),
            (Some(b'"'), [b'\\', byte, tail @ ..]) => (*byte, tail),
            (Some(b'\''), [b'\\', b'\'', tail @ ..]) => (b'\'', tail),
            (_, [byte, tail @ ..]) => (*byte, tail),
        };
        word.push(byte);
        rest = tail;
    }
}

/// A number in its one canonical form: no plus sign, no leading zero.
pub fn integer(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    match digits {
        b"0" if !is_negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    digits.iter().try_fold(0i64, |number, byte| {
        let digit = i64::from(char::from(*byte).to_digit(10)?);
        number.checked_mul(10)?.checked_add(if is_negative { -digit } else { digit })
    })
}

/// Replies, and how much of them has been sent.
#[derive(Default)]
pub struct Output {
    bytes: Vec<u8>,
    sent: usize,
    /// There was more than may wait, and it was not stored.
    pub overflowed: bool,
    /// Nothing follows: the connection ends when all is sent.
    pub ends: bool,
}

impl Output {
    pub fn unsent(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.overflowed |= self.unsent().len() + bytes.len() > OUTPUT_MAX;
        if !self.overflowed {
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub fn advance(&mut self, len: usize) {
        self.sent += len;
        if self.unsent().is_empty() {
            self.bytes = emptied(mem::take(&mut self.bytes));
            self.sent = 0;
        } else if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    pub fn ok(&mut self) {
        self.push(b"+OK\r\n");
    }

    /// A reply of one line, or the head of a longer one.
    pub fn line(&mut self, kind: char, text: impl fmt::Display) {
        if !self.overflowed {
            // Writing to a `Vec` cannot fail.
            let _ = write!(self.bytes, "{kind}{text}\r\n");
        }
    }

    pub fn bulk(&mut self, bytes: &[u8]) {
        self.line('$', bytes.len());
        self.push(bytes);
        self.push(b"\r\n");
    }

    pub fn bulk_or_nil(&mut self, value: Option<&Vec<u8>>) {
        match value {
            Some(value) => self.bulk(value),
            None => self.push(b"$-1\r\n"),
        }
    }
}

/// An empty buffer, without memory beyond what is worth keeping.
pub fn emptied<T>(mut buffer: Vec<T>) -> Vec<T> {
    buffer.clear();
    if buffer.capacity() * size_of::<T>() > KEPT_CAPACITY { Vec::new() } else { buffer }
}

/// At most 128 bytes of what a client has sent, fit to stand in a reply of one line.
pub fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text.get(..128).unwrap_or(text)).replace(['\r', '\n'], " ")
}
