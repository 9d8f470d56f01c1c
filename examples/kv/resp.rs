//! RESP2: requests parsed from bytes that arrive in any pieces, and replies.

use core::{fmt, mem, ops::Range};
use std::io::Write;

/// The longest line: an inline request or a length.
const INLINE_MAX: usize = 64 << 10;
/// The most arguments of one request.
const ARGS_MAX: i64 = 1 << 20;
/// The longest argument.
const BULK_MAX: usize = 64 << 20;
/// The longest request.
const REQUEST_MAX: usize = 2 * BULK_MAX;
/// The most bytes of unread replies: the largest reply and some more. A client that lets more pile up is dropped.
const OUTPUT_MAX: usize = BULK_MAX + (16 << 20);
/// The number of arguments of most requests.
const FEW_ARGS: usize = 8;
/// The capacity that each buffer of an idle client may keep.
const KEPT_CAPACITY: usize = 16 << 10;

/// A client's requests and the replies to them. No argument is scanned twice, however slowly the others arrive.
#[derive(Default)]
pub struct Session {
    /// The incomplete request.
    pub input: Vec<u8>,
    /// Where its unparsed part begins.
    at: usize,
    /// Arguments still to come.
    missing: usize,
    /// Where the arguments are: in the input, or those of an inline request in `words`.
    args: Vec<Range<usize>>,
    /// The arguments of an inline request, without their quotes.
    words: Vec<u8>,
    pub output: Output,
}

impl Session {
    /// Executes all complete requests.
    pub fn feed(&mut self, received: &[u8], execute: impl FnMut(&[&[u8]], &mut Output)) {
        let mut input = mem::take(&mut self.input);
        if input.is_empty() {
            let used = self.execute_all(received, execute);
            input.extend_from_slice(received.get(used..).unwrap_or_default());
        } else {
            input.extend_from_slice(received);
            let used = self.execute_all(&input, execute);
            if used > 0 {
                input.drain(..used);
                input.shrink_to(KEPT_CAPACITY);
            }
        }
        self.input = input;
    }

    /// Returns the number of bytes consumed.
    fn execute_all(&mut self, input: &[u8], mut execute: impl FnMut(&[&[u8]], &mut Output)) -> usize {
        let mut used = 0;
        while !self.output.ends {
            let rest = input.get(used..).unwrap_or_default();
            match self.read(rest) {
                Ok(()) => {
                    self.execute(rest, &mut execute);
                    used += mem::take(&mut self.at);
                }
                Err(Fault::Incomplete) => return used,
                Err(Fault::Wrong(text)) => self.output.protocol_error(&text),
            }
        }
        input.len()
    }

    /// Few arguments need no memory.
    fn execute(&mut self, input: &[u8], mut execute: impl FnMut(&[&[u8]], &mut Output)) {
        let source = if input.starts_with(b"*") { input } else { &self.words };
        let args = self.args.iter().map(|range| source.get(range.clone()).unwrap_or_default());
        let mut few = [&[][..]; FEW_ARGS];
        if let Some(few) = few.get_mut(..args.len()) {
            few.iter_mut().zip(args).for_each(|(place, arg)| *place = arg);
            execute(few, &mut self.output);
        } else {
            execute(&args.collect::<Vec<_>>(), &mut self.output);
        }
        self.args.clear();
        self.args.shrink_to(KEPT_CAPACITY / size_of::<Range<usize>>());
        self.words.clear();
        self.words.shrink_to(KEPT_CAPACITY);
    }

    /// Parses on until the request is complete.
    fn read(&mut self, input: &[u8]) -> Result<(), Fault> {
        match input.first() {
            None => Err(Fault::Incomplete),
            Some(b'*') => self.read_array(input),
            Some(_) => self.read_inline(input),
        }
    }

    fn read_inline(&mut self, input: &[u8]) -> Result<(), Fault> {
        let (text, end) = line(input, 0, "too big inline request")?;
        let mut rest = text.trim_ascii_start();
        while !rest.is_empty() {
            let start = self.words.len();
            rest = take_word(rest, &mut self.words).ok_or("unbalanced quotes in request")?.trim_ascii_start();
            self.args.push(start..self.words.len());
        }
        self.at = end;
        Ok(())
    }

    fn read_array(&mut self, input: &[u8]) -> Result<(), Fault> {
        if self.at == 0 {
            (self.missing, self.at) = match input {
                // Most requests.
                [_, count @ b'0'..=b'9', b'\r', b'\n', ..] => (usize::from(count - b'0'), 4),
                _ => array_header(input)?,
            };
        }
        while self.missing > 0 {
            self.read_argument(input)?;
        }
        Ok(())
    }

    fn read_argument(&mut self, input: &[u8]) -> Result<(), Fault> {
        let (len, start) = match input.get(self.at..) {
            // Most arguments.
            Some([b'$', len @ b'0'..=b'9', b'\r', b'\n', ..]) => (usize::from(len - b'0'), self.at + 4),
            _ => bulk_header(input, self.at)?,
        };
        let end = start + len;
        if end > REQUEST_MAX {
            return Err("too big request".into());
        } else if input.len() < end + 2 {
            return Err(Fault::Incomplete);
        }
        self.args.push(start..end);
        self.missing -= 1;
        self.at = end + 2;
        Ok(())
    }
}

/// Why a request cannot be executed.
enum Fault {
    Incomplete,
    Wrong(String),
}

impl From<&str> for Fault {
    fn from(text: &str) -> Self {
        Self::Wrong(text.to_owned())
    }
}

/// The number of arguments, and where they begin.
fn array_header(input: &[u8]) -> Result<(usize, usize), Fault> {
    let (text, end) = line(input, 1, "too big mbulk count string")?;
    let count = integer(text).filter(|count| *count <= ARGS_MAX).ok_or("invalid multibulk length")?;
    // As in Redis, a negative count means an empty request.
    Ok((usize::try_from(count).unwrap_or_default(), end))
}

/// The length of the argument whose header is at `at`, and where it begins.
fn bulk_header(input: &[u8], at: usize) -> Result<(usize, usize), Fault> {
    let (text, start) = line(input, at, "too big bulk count string")?;
    let Some(len) = text.strip_prefix(b"$") else {
        let found = printable(text.get(..1).unwrap_or(b" "));
        return Err(Fault::Wrong(format!("expected '$', got '{found}'")));
    };
    let len = integer(len).and_then(|len| usize::try_from(len).ok()).filter(|len| *len <= BULK_MAX);
    Ok((len.ok_or("invalid bulk length")?, start))
}

/// The line at `at` without its end, and where the next one begins.
fn line<'a>(input: &'a [u8], at: usize, too_big: &str) -> Result<(&'a [u8], usize), Fault> {
    let text = input.get(at..).unwrap_or_default();
    let text = text.get(..INLINE_MAX).unwrap_or(text);
    match text.iter().position(|&byte| byte == b'\n').and_then(|len| text.get(..len)) {
        Some(line) => Ok((line.strip_suffix(b"\r").unwrap_or(line), at + line.len() + 1)),
        None if text.len() == INLINE_MAX => Err(too_big.into()),
        None => Err(Fault::Incomplete),
    }
}

/// Adds the first word of an inline request, with quotes and backslashes as in a shell, to `word` and returns the rest
/// of the line; `None` if a quote is not closed.
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
    match text {
        b"0" => Some(0),
        [b'-', digits @ ..] => decimal(digits, |number, digit| number.checked_sub(digit)),
        digits => decimal(digits, |number, digit| number.checked_add(digit)),
    }
}

fn decimal(digits: &[u8], add: impl Fn(i64, i64) -> Option<i64>) -> Option<i64> {
    if matches!(digits, [] | [b'0', ..]) {
        return None;
    }
    digits.iter().try_fold(0i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        add(number.checked_mul(10)?, digit)
    })
}

/// Replies that have not been sent.
#[derive(Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// How many of those bytes have been sent.
    sent: usize,
    /// The connection closes when all is sent.
    pub ends: bool,
}

impl Output {
    /// What to send next; empty when all is sent.
    pub fn unsent(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Forgets bytes that have been sent, once they are the greater part.
    pub fn advance(&mut self, len: usize) {
        self.sent += len;
        if self.sent >= self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_CAPACITY);
            self.sent = 0;
        } else if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..mem::take(&mut self.sent));
        }
    }

    /// A reply that exceeds the limit ends the connection, and nothing of it is sent.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.unsent().len() + bytes.len() > OUTPUT_MAX {
            *self = Self { ends: true, ..Self::default() };
        } else if !self.ends {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Reports a protocol error and ends the connection: where the next request begins is unknown.
    pub fn protocol_error(&mut self, text: &str) {
        self.line('-', format_args!("ERR Protocol error: {text}"));
        self.ends = true;
    }

    pub fn ok(&mut self) {
        self.push(b"+OK\r\n");
    }

    /// A reply of one line, or the header of a longer one.
    pub fn line(&mut self, kind: char, text: impl fmt::Display) {
        if !self.ends {
            // Writing to memory cannot fail.
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

/// At most 128 bytes of a client's input, with line breaks replaced, for a reply of one line.
pub fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text.get(..128).unwrap_or(text)).replace(['\r', '\n'], " ")
}
