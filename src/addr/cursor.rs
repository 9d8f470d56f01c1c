//! The cursor that all address parsers share: a text, a position, and parsers for the smallest parts.
//!
//! After an `Err` the position is somewhere within the invalid part; callers stop at the first error.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::parse_error::{ParseError, ParseErrorKind};

/// The zone of an IPv6 address (RFC 4007), the part after the percent sign.
///
/// RFC 4007 defines these two forms only, so this enum is exhaustive.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "sin6_scope_id")]
pub enum Zone<'a> {
    /// The index of an interface; 0 means no zone.
    Index(u32),
    /// The name of an interface, 1 to 15 bytes of visible ASCII.
    Name(&'a str),
}

/// The longest name of an interface, in bytes: `IFNAMSIZ` without the terminator.
const ZONE_NAME_MAX: usize = 15;

/// Above every value of a hexadecimal digit.
const NO_DIGIT: u8 = 16;

static HEX_VALUES: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        table[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    /// The position, in bytes.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The same text from its beginning.
    pub(super) const fn rewound(&self) -> Self {
        Self::new(self.text)
    }

    /// The text that has not been read.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Consumes `byte` if it is next.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Consumes `bytes` if they are next.
    pub(crate) fn take_all(&mut self, bytes: &[u8]) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(bytes));
        self.at += if found { bytes.len() } else { 0 };
        found
    }

    #[inline]
    pub(super) fn require(&mut self, byte: u8) -> Result<(), ParseError> {
        if self.take(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Consumes the colon before a port.
    #[inline]
    pub(super) fn colon(&mut self) -> Result<(), ParseError> {
        match self.peek() {
            None => Err(self.error(ParseErrorKind::MissingPort)),
            Some(_) => self.require(b':'),
        }
    }

    /// `value`, if the text ends here.
    #[inline]
    pub(crate) fn end<T>(&self, value: T) -> Result<T, ParseError> {
        if self.at == self.bytes.len() { Ok(value) } else { Err(self.unexpected()) }
    }

    #[cold]
    pub(crate) fn unexpected(&self) -> ParseError {
        self.error(match self.peek() {
            Some(_) => ParseErrorKind::UnexpectedByte,
            None => ParseErrorKind::UnexpectedEnd,
        })
    }

    #[cold]
    pub(crate) fn error(&self, kind: ParseErrorKind) -> ParseError {
        ParseError::new(kind, self.at)
    }

    /// Whether the text looks like an IPv6 address, well-formed or not: it has two colons.
    pub(super) fn is_v6(&self) -> bool {
        self.bytes.iter().filter(|&&byte| byte == b':').nth(1).is_some()
    }

    /// A decimal number up to `max`, without leading zeros; `kind` is the error for a greater one.
    #[inline]
    pub(crate) fn number(&mut self, max: u32, kind: ParseErrorKind) -> Result<u32, ParseError> {
        let start = self.at;
        let mut value = 0;
        while let Some(digit) = self.decimal_digit() {
            value = value * 10 + u64::from(digit);
            if value > u64::from(max) {
                return Err(ParseError::new(kind, start));
            }
        }
        match self.at - start {
            0 => Err(self.unexpected()),
            2.. if self.bytes.get(start) == Some(&b'0') => Err(ParseError::new(ParseErrorKind::LeadingZero, start)),
            _ => Ok(value as u32),
        }
    }

    #[inline]
    fn decimal_digit(&mut self) -> Option<u8> {
        let digit = self.peek()?.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        self.at += 1;
        Some(digit)
    }

    #[inline]
    pub(super) fn hex_digit(&mut self) -> Option<u8> {
        let digit = HEX_VALUES[usize::from(self.peek()?)];
        if digit == NO_DIGIT {
            return None;
        }
        self.at += 1;
        Some(digit)
    }

    #[inline]
    pub(crate) fn port(&mut self) -> Result<u16, ParseError> {
        if self.peek().is_none() {
            return Err(self.error(ParseErrorKind::MissingPort));
        }
        self.number(u16::MAX.into(), ParseErrorKind::PortOutOfRange).map(|port| port as u16)
    }

    /// Four octets with dots between them.
    #[inline]
    pub(super) fn v4(&mut self) -> Result<Ipv4Addr, ParseError> {
        let mut bits = self.octet()?;
        for _ in 0..3 {
            self.require(b'.')?;
            bits = bits << 8 | self.octet()?;
        }
        Ok(Ipv4Addr::from_bits(bits))
    }

    #[inline]
    fn octet(&mut self) -> Result<u32, ParseError> {
        self.number(u8::MAX.into(), ParseErrorKind::OctetOutOfRange)
    }

    /// An IPv6 address: eight groups, or fewer with one `::`; the last two may be written as an IPv4 address.
    #[inline]
    pub(super) fn v6(&mut self) -> Result<Ipv6Addr, ParseError> {
        let mut groups = Groups::default();
        if self.peek() == Some(b':') {
            self.at += 1;
            self.require(b':')?;
            groups.gap();
        }
        while self.peek().is_some_and(|byte| HEX_VALUES[usize::from(byte)] != NO_DIGIT) {
            let start = self.at;
            let group = self.group()?;
            if self.peek() == Some(b'.') {
                self.at = start;
                groups.push_v4(self)?;
                break;
            }
            groups.push(group, start)?;
            if !self.group_end(&mut groups)? {
                break;
            }
        }
        groups.finish(self)
    }

    /// One to four hexadecimal digits.
    #[inline]
    fn group(&mut self) -> Result<u16, ParseError> {
        let start = self.at;
        let mut group = 0;
        while let Some(digit) = self.hex_digit() {
            if self.at - start > 4 {
                return Err(ParseError::new(ParseErrorKind::GroupTooLong, start));
            }
            group = group << 4 | u16::from(digit);
        }
        Ok(group)
    }

    /// Consumes the colon or colons after a group; false if there are none.
    #[inline]
    fn group_end(&mut self, groups: &mut Groups) -> Result<bool, ParseError> {
        if !self.take(b':') {
            return Ok(false);
        }
        if self.peek() != Some(b':') {
            // A group must follow a single colon.
            let more = self.peek().is_some_and(|byte| HEX_VALUES[usize::from(byte)] != NO_DIGIT);
            return if more { Ok(true) } else { Err(self.unexpected()) };
        }
        if groups.before_gap.is_some() {
            return Err(ParseError::new(ParseErrorKind::SecondGap, self.at - 1));
        }
        self.at += 1;
        groups.gap();
        Ok(true)
    }

    /// The zone after the percent sign, an index or the name of an interface, and the position where it begins.
    pub(crate) fn zone(&mut self) -> Result<(usize, Zone<'a>), ParseError> {
        let start = self.at;
        while self.peek().is_some_and(is_zone_byte) {
            self.at += 1;
        }
        let name = self.text.get(start..self.at).unwrap_or_default();
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            self.at = start;
            return Ok((start, Zone::Index(self.number(u32::MAX, ParseErrorKind::ZoneOutOfRange)?)));
        }
        match name.len() {
            ..=ZONE_NAME_MAX => Ok((start, Zone::Name(name))),
            _ => Err(ParseError::new(ParseErrorKind::ZoneTooLong, start)),
        }
    }
}

/// The bytes of an interface's name: visible ASCII, except the delimiters of the text around it.
fn is_zone_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'%' | b',' | b'/' | b':' | b';' | b'[' | b']')
}

/// The groups of an IPv6 address read so far, and the place of its `::`.
#[derive(Default)]
struct Groups {
    /// The groups after the gap, or all groups until there is one; the last one lowest.
    bits: u128,
    /// The number of groups on both sides.
    count: u32,
    /// The groups before the gap, and their number.
    before_gap: Option<(u128, u32)>,
}

impl Groups {
    #[inline]
    fn gap(&mut self) {
        self.before_gap = Some((self.bits, self.count));
        self.bits = 0;
    }

    /// The maximum number of groups: a gap stands for at least one.
    #[inline]
    fn max(&self) -> u32 {
        8 - u32::from(self.before_gap.is_some())
    }

    #[inline]
    fn push(&mut self, group: u16, start: usize) -> Result<(), ParseError> {
        if self.count >= self.max() {
            return Err(ParseError::new(ParseErrorKind::TooManyGroups, start));
        }
        self.bits = self.bits << 16 | u128::from(group);
        self.count += 1;
        Ok(())
    }

    #[inline]
    fn push_v4(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
        if self.count + 2 > self.max() {
            return Err(cursor.error(ParseErrorKind::TooManyGroups));
        }
        self.bits = self.bits << 32 | u128::from(cursor.v4()?.to_bits());
        self.count += 2;
        Ok(())
    }

    #[inline]
    fn finish(self, cursor: &Cursor<'_>) -> Result<Ipv6Addr, ParseError> {
        match self.before_gap {
            // With a gap at most seven groups are valid, so those before it fit into the highest bits.
            Some((head, count)) => {
                let bits = head.checked_shl(128 - 16 * count).unwrap_or_default() | self.bits;
                if self.count <= 7 {
                    Ok(Ipv6Addr::from_bits(bits))
                } else {
                    Err(cursor.error(ParseErrorKind::TooManyGroups))
                }
            }
            None if self.count == 8 => Ok(Ipv6Addr::from_bits(self.bits)),
            None if self.count == 0 => Err(cursor.unexpected()),
            None => Err(cursor.error(ParseErrorKind::TooFewGroups)),
        }
    }
}
