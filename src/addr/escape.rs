//! Escaping of Unix names: `\xNN` for bytes that must not appear in a log line, `\\` for a backslash.

use core::str::from_utf8;

use super::{
    cursor::Cursor,
    digits::hex_pair,
    parse_error::{ParseError, ParseErrorKind},
    unix::UnixAddr,
};

/// Passes the text of `name` to `write` in pieces; characters that `also` selects are escaped like control characters.
pub(super) fn encode(name: &[u8], also: fn(char) -> bool, mut write: impl FnMut(&str)) {
    for chunk in name.utf8_chunks() {
        for char in chunk.valid().chars() {
            encode_char(char, also, &mut write);
        }
        encode_bytes(chunk.invalid(), &mut write);
    }
}

fn encode_char(char: char, also: fn(char) -> bool, write: &mut impl FnMut(&str)) {
    let mut utf8 = [0; 4];
    let text = char.encode_utf8(&mut utf8);
    match char {
        '\\' => write(r"\\"),
        _ if disturbs(char) || also(char) => encode_bytes(text.as_bytes(), write),
        _ => write(text),
    }
}

fn encode_bytes(bytes: &[u8], write: &mut impl FnMut(&str)) {
    for &byte in bytes {
        let [high, low] = hex_pair(byte);
        write(from_utf8(&[b'\\', b'x', high, low]).unwrap_or_default());
    }
}

/// Whether the character ends a line, moves the cursor or reorders the text around it.
fn disturbs(char: char) -> bool {
    char.is_control() || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Decodes the rest of the text and appends it to `addr`, at most `max` bytes. A NUL is an error, except as `\x00` if
/// `nul` is set.
pub(super) fn decode(cursor: &mut Cursor<'_>, addr: &mut UnixAddr, max: usize, nul: bool) -> Result<(), ParseError> {
    let mut len = 0;
    while let Some(first) = cursor.next() {
        let at = cursor.at() - 1;
        let byte = if first == b'\\' { escaped(cursor, at)? } else { first };
        if byte == 0 && (first == 0 || !nul) {
            return Err(ParseError::new(ParseErrorKind::EmbeddedNul, at));
        }
        if len == max || !addr.push(byte) {
            return Err(ParseError::new(ParseErrorKind::NameTooLong, at));
        }
        len += 1;
    }
    Ok(())
}

/// Decodes the escape at `at`; its backslash has been read.
fn escaped(cursor: &mut Cursor<'_>, at: usize) -> Result<u8, ParseError> {
    match cursor.next() {
        Some(b'\\') => Some(b'\\'),
        Some(b'x') => cursor.hex_digit().zip(cursor.hex_digit()).map(|(high, low)| high << 4 | low),
        _ => None,
    }
    .ok_or_else(|| ParseError::new(ParseErrorKind::BadEscape, at))
}
