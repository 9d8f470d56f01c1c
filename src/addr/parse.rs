//! Text -> typed: strict, and every refusal says what is wrong and at which byte.
//!
//! | text | read by |
//! |---|---|
//! | `1.2.3.4`, `2001:db8::1` | [`ip`] |
//! | `1.2.3.4:80`, `[::1]:80`, `[fe80::1%3]:80` | [`socket_addr`] |
//! | those, `/path`, `unix:path`, `@name` | `Endpoint::from_str` |
//! | `host`, `host:80`, `::1`, `[::1]:80`, `fe80::1%eth0` | [`HostPort::parse`] |
//!
//! The addresses are those that `inet_pton` takes (RFC 4291, 2.2; RFC 6874 for zones). Numbers are decimal without
//! sign, blank or leading zero. Nothing is cut, trimmed or guessed.
//!
//! # Where others differ
//! What `core::net` makes of the same text:
//! - a port or zone with leading zeros, `1.2.3.4:00080`, `[::1%01]:80`: taken by core, refused here;
//! - `::1.2.3.4`: the same address, but core prints it as `::102:304`.
//!
//! What glibc makes of it:
//! - `inet_pton` sees a C string and reads `1.2.3.4\0x` as `1.2.3.4`; a NUL is refused here;
//! - `inet_aton` and `getaddrinfo` take `127.1`, `0x7f.0.0.1`, `0177.0.0.1` and `2130706433`. None of them is an
//!   address here, nor a host name: a name whose last label is a number is refused, so that it cannot become an
//!   address later, in a resolver that is less strict;
//! - `getaddrinfo` takes a zone with leading zeros, `fe80::1%01`; refused here.

use core::{
    fmt,
    net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6},
    str::FromStr,
};

use super::{
    Endpoint, escape, swift,
    unix::{SUN_PATH_LEN, UNIX_NAME_MAX, UnixAddr},
};

pub(crate) use super::cursor::Cursor;
pub use super::host::{Host, HostPort, Zone};

/// A text that was refused: what is wrong and at which byte.
///
/// ```
/// use anet::addr::parse::{self, ParseErrorKind};
///
/// let error = parse::socket_addr("127.0.0.1:65536").unwrap_err();
/// assert_eq!((error.kind(), error.at()), (ParseErrorKind::PortOutOfRange, 10));
/// assert_eq!(error.to_string(), "port out of range at byte 10");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ParseError {
    kind: ParseErrorKind,
    at: u16,
}

impl ParseError {
    /// An error at a byte of the text; positions beyond 65535 are reported as that.
    #[cold]
    pub(crate) fn new(kind: ParseErrorKind, at: usize) -> Self {
        Self { kind, at: u16::try_from(at).unwrap_or(u16::MAX) }
    }

    /// What is wrong.
    pub const fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// Where, in bytes from the beginning of the whole text: the first byte of what is wrong, or the length of the
    /// text where something is missing. At most 65535.
    pub const fn at(&self) -> usize {
        self.at as usize
    }

    /// The same error in a text in which the parsed one begins at `offset`.
    pub(crate) fn moved(self, offset: usize) -> Self {
        Self::new(self.kind, offset.saturating_add(self.at()))
    }
}

/// `port out of range at byte 10`.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.text(), self.at)
    }
}

impl core::error::Error for ParseError {}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// A backslash in a Unix name that is neither `\\` nor `\x` with two hexadecimal digits.
    BadEscape,
    /// A descriptor number above 2147483647.
    DescriptorOutOfRange,
    /// A NUL byte in a path, or one in an abstract name that is not written `\x00`.
    EmbeddedNul,
    /// Nothing where an address or host is expected.
    Empty,
    /// Two separators of a list with nothing between them, or one at its beginning or end.
    EmptyItem,
    /// A list without items.
    EmptyList,
    /// Two dots of a host name with nothing between them, or one at its beginning.
    EmptyLabel,
    /// A group of an IPv6 address with more than four digits.
    GroupTooLong,
    /// A label of a host name that begins or ends with a hyphen.
    HyphenAtEdge,
    /// A label of a host name with more than 63 bytes.
    LabelTooLong,
    /// A number with a leading zero.
    LeadingZero,
    /// An IPv6 address with a port, or where a port must follow, without brackets around it.
    MissingBrackets,
    /// No port where one is needed.
    MissingPort,
    /// A host name of more than 253 bytes, or a Unix name that has more bytes than the kernel has room for.
    NameTooLong,
    /// A host name whose last label is a number, such as `127.0.0.0x1`.
    NumericName,
    /// An octet above 255.
    OctetOutOfRange,
    /// A port above 65535.
    PortOutOfRange,
    /// A second `::` in an IPv6 address.
    SecondGap,
    /// An IPv6 address with less than eight groups and no `::`.
    TooFewGroups,
    /// An IPv6 address with more than eight groups, or with eight and a `::`.
    TooManyGroups,
    /// A list with more items than a `BindList` holds.
    TooManyItems,
    /// A byte that the grammar has no place for.
    UnexpectedByte,
    /// A text that ends too early.
    UnexpectedEnd,
    /// A zone where none can be kept.
    UnexpectedZone,
    /// A zone given by name where only its number can be kept.
    ZoneByName,
    /// A zone's number above 4294967295.
    ZoneOutOfRange,
    /// A zone's name with more than 15 bytes.
    ZoneTooLong,
}

impl ParseErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::BadEscape => "bad escape",
            Self::DescriptorOutOfRange => "descriptor out of range",
            Self::EmbeddedNul => "NUL",
            Self::Empty => "address missing",
            Self::EmptyItem => "empty item",
            Self::EmptyList => "empty list",
            Self::EmptyLabel => "empty label",
            Self::GroupTooLong => "group of more than 4 digits",
            Self::HyphenAtEdge => "label with a hyphen at its edge",
            Self::LabelTooLong => "label of more than 63 bytes",
            Self::LeadingZero => "leading zero",
            Self::MissingBrackets => "IPv6 address without brackets",
            Self::MissingPort => "port missing",
            Self::NameTooLong => "name too long",
            Self::NumericName => "host name that ends in a number",
            Self::OctetOutOfRange => "octet out of range",
            Self::PortOutOfRange => "port out of range",
            Self::SecondGap => "second ::",
            Self::TooFewGroups => "less than 8 groups",
            Self::TooManyGroups => "more than 8 groups",
            Self::TooManyItems => "too many items",
            Self::UnexpectedByte => "unexpected byte",
            Self::UnexpectedEnd => "unexpected end",
            Self::UnexpectedZone => "unexpected zone",
            Self::ZoneByName => "zone given by name",
            Self::ZoneOutOfRange => "zone out of range",
            Self::ZoneTooLong => "zone of more than 15 bytes",
        }
    }
}

/// Reads an IP address without port, brackets or zone.
///
/// # Errors
/// A [`ParseError`] for anything else.
#[doc(alias = "inet_pton")]
pub fn ip(text: &str) -> Result<IpAddr, ParseError> {
    let mut cursor = Cursor::new(text);
    let ip = if cursor.is_v6() { IpAddr::V6(cursor.v6()?) } else { IpAddr::V4(cursor.v4()?) };
    match cursor.peek() {
        Some(b'%') if ip.is_ipv6() => Err(cursor.error(ParseErrorKind::UnexpectedZone)),
        _ => cursor.end(ip),
    }
}

/// Reads an IP address with its port: `1.2.3.4:80`, `[::1]:80` or, with the number of a zone, `[fe80::1%3]:80`.
///
/// # Errors
/// A [`ParseError`] for anything else, among which a zone's name: it needs resolving, so [`HostPort`] keeps it.
#[inline]
pub fn socket_addr(text: &str) -> Result<SocketAddr, ParseError> {
    match swift::socket_addr(text.as_bytes()) {
        Some(addr) => Ok(addr),
        None => exact(text),
    }
}

/// What [`socket_addr`] promises, byte by byte.
#[inline(never)]
fn exact(text: &str) -> Result<SocketAddr, ParseError> {
    let mut cursor = Cursor::new(text);
    let addr = match cursor.peek() {
        Some(b'[') => SocketAddr::V6(bracketed(&mut cursor)?),
        Some(_) => SocketAddr::V4(dotted(&mut cursor)?),
        None => return Err(cursor.error(ParseErrorKind::Empty)),
    };
    cursor.end(addr)
}

/// Reads a port, 0 to 65535.
///
/// # Errors
/// A [`ParseError`] for anything else: a sign, a blank, a leading zero, nothing at all.
pub fn port(text: &str) -> Result<u16, ParseError> {
    let mut cursor = Cursor::new(text);
    let port = cursor.port()?;
    cursor.end(port)
}

fn dotted(cursor: &mut Cursor<'_>) -> Result<SocketAddrV4, ParseError> {
    let Ok(ip) = cursor.v4() else { return Err(not_dotted(cursor)) };
    cursor.colon()?;
    Ok(SocketAddrV4::new(ip, cursor.port()?))
}

/// Why a text that does not begin with a bracket is no IPv4 address: perhaps because it is an IPv6 one.
#[cold]
fn not_dotted(cursor: &Cursor<'_>) -> ParseError {
    let mut again = cursor.rewound();
    if again.is_v6() {
        return again.error(ParseErrorKind::MissingBrackets);
    }
    again.v4().err().unwrap_or_else(|| again.unexpected())
}

fn bracketed(cursor: &mut Cursor<'_>) -> Result<SocketAddrV6, ParseError> {
    cursor.expect(b'[')?;
    let ip = cursor.v6()?;
    let zone = if cursor.take(b'%') { zone_index(cursor)? } else { 0 };
    cursor.expect(b']')?;
    cursor.colon()?;
    Ok(SocketAddrV6::new(ip, cursor.port()?, 0, zone))
}

fn zone_index(cursor: &mut Cursor<'_>) -> Result<u32, ParseError> {
    match cursor.zone()? {
        (_, Zone::Index(index)) => Ok(index),
        (at, Zone::Name(_)) => Err(ParseError::new(ParseErrorKind::ZoneByName, at)),
    }
}

/// Reads what [`AddrText`](super::AddrText) writes.
///
/// A Unix path may have 108 bytes here, one more than can be asked for, because a peer's may.
impl FromStr for Endpoint {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match unix(text, SUN_PATH_LEN)? {
            Some(addr) => Ok(Self::Unix(addr)),
            None => socket_addr(text).map(Self::Inet),
        }
    }
}

/// Reads `/path`, `unix:path` or `@name`, the path being at most `path_max` bytes; `None` if it is none of them.
pub(crate) fn unix(text: &str, path_max: usize) -> Result<Option<UnixAddr>, ParseError> {
    let mut cursor = Cursor::new(text);
    let mut addr = UnixAddr::UNNAMED;
    if cursor.take(b'@') {
        addr.push(0);
        escape::decode(&mut cursor, &mut addr, UNIX_NAME_MAX, true)?;
    } else if cursor.peek() == Some(b'/') || cursor.take_all(b"unix:") {
        escape::decode(&mut cursor, &mut addr, path_max, false)?;
    } else {
        return Ok(None);
    }
    Ok(Some(addr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ParseErrorKind::*;
    use std::{format, string::String, vec::Vec};

    fn refusal(text: &str) -> (ParseErrorKind, usize) {
        let error = text.parse::<Endpoint>().expect_err(text);
        (error.kind(), error.at())
    }

    #[test]
    fn refusals_say_what_and_where() {
        let cases = [
            ("", Empty, 0),
            ("?", UnexpectedByte, 0),
            ("1.2.3.4", MissingPort, 7),
            ("1.2.3.4:", MissingPort, 8),
            ("1.2.3.4:-1", UnexpectedByte, 8),
            ("1.2.3.4:+80", UnexpectedByte, 8),
            ("1.2.3.4:080", LeadingZero, 8),
            ("1.2.3.4:00", LeadingZero, 8),
            ("1.2.3.4:65536", PortOutOfRange, 8),
            ("1.2.3.4:80808080808080808080", PortOutOfRange, 8),
            ("1.2.3.4:80 ", UnexpectedByte, 10),
            (" 1.2.3.4:80", UnexpectedByte, 0),
            ("256.2.3.4:80", OctetOutOfRange, 0),
            ("1.02.3.4:80", LeadingZero, 2),
            ("1.2.3:80", UnexpectedByte, 5),
            ("255.255.255*000:1", UnexpectedByte, 11),
            ("::1", MissingBrackets, 0),
            ("::1:80", MissingBrackets, 0),
            ("fe80::1%1", MissingBrackets, 0),
            ("[::1]", MissingPort, 5),
            ("[::1]:", MissingPort, 6),
            ("[]:80", UnexpectedByte, 1),
            ("[:1]:80", UnexpectedByte, 2),
            ("[1:]:80", UnexpectedByte, 3),
            ("[1::2::3]:80", SecondGap, 5),
            ("[:::]:80", UnexpectedByte, 3),
            ("[12345::]:80", GroupTooLong, 1),
            ("[1:2:3:4:5:6:7]:80", TooFewGroups, 14),
            ("[1:2:3:4:5:6:7:8:9]:80", TooManyGroups, 17),
            ("[1:2:3:4:5:6:7:8::]:80", TooManyGroups, 18),
            ("[1:2:3:4:5:6:7:1.2.3.4]:80", TooManyGroups, 15),
            ("[::1.2.3.256]:80", OctetOutOfRange, 9),
            ("[::1.2.3]:80", UnexpectedByte, 8),
            ("[::1%eth0]:80", ZoneByName, 5),
            ("[::1%]:80", UnexpectedByte, 5),
            ("[::1%4294967296]:80", ZoneOutOfRange, 5),
            ("[::1%01]:80", LeadingZero, 5),
            (r"/a\b", BadEscape, 2),
            (r"/a\x0", BadEscape, 2),
            ("/a\0b", EmbeddedNul, 2),
            (r"@a\x00\xg0", BadEscape, 6),
            ("@a\0b", EmbeddedNul, 2),
        ];
        for (text, kind, at) in cases {
            assert_eq!(refusal(text), (kind, at), "{text:?}");
        }
        assert_eq!(ip("::1%1").unwrap_err().kind(), UnexpectedZone);
        assert_eq!(ip("[::1]").unwrap_err().kind(), UnexpectedByte);
        assert_eq!(port("").unwrap_err().kind(), MissingPort);
    }

    #[test]
    fn a_peers_path_may_have_108_bytes() {
        let path = format!("/{}", "x".repeat(107));
        assert_eq!(path.parse(), Ok(Endpoint::Unix(UnixAddr::from_sun_path(path.as_bytes()))));
        assert_eq!(refusal(&format!("{path}x")), (NameTooLong, 108));
        assert_eq!(refusal(&format!("@{}", r"\x01".repeat(108))), (NameTooLong, 1 + 4 * 107));
    }

    #[test]
    fn the_position_stops_at_its_type() {
        let error = ParseError::new(UnexpectedByte, 70_000);
        assert_eq!((error.at(), error.moved(1).at()), (65_535, 65_535));
        assert_eq!(size_of::<ParseError>(), 4);
    }

    fn swift_is_exact(text: &str) -> bool {
        let swift = swift::socket_addr(text.as_bytes());
        assert!(swift.is_none() || swift == exact(text).ok(), "{text:?}");
        swift.is_some()
    }

    /// Every text that is one or two bytes away from a right one.
    #[test]
    fn the_swift_reader_takes_nothing_that_the_exact_one_refuses() {
        let right = ["1.2.3.4:80", "255.10.0.199:65535", "[::1]:8080", "[1:2:30:4:5:6:7:f]:0", "[ab::cd:ef]:443"];
        let bytes = *b"0129:.]/[;gG@ \0\x7f";
        for text in right {
            assert!(swift_is_exact(text));
            for (first, second) in (0..text.len()).flat_map(|at| (at..text.len()).map(move |other| (at, other))) {
                for (a, b) in bytes.iter().flat_map(|a| bytes.iter().map(move |b| (*a, *b))) {
                    let mut text: Vec<u8> = text.into();
                    (text[first], text[second]) = (a, b);
                    swift_is_exact(str::from_utf8(&text).unwrap());
                    text.remove(first);
                    swift_is_exact(str::from_utf8(&text).unwrap());
                    text.insert(second, b);
                    text.insert(second, a);
                    swift_is_exact(str::from_utf8(&text).unwrap());
                }
            }
        }
    }

    #[test]
    fn the_swift_reader_takes_every_usual_text() {
        for groups in 1..=8 {
            for gap in 0..=groups {
                let all: Vec<String> = (0..groups).map(|group| format!("{:x}", 0xf_u16 << (4 * (group % 4)))).collect();
                let text = format!("[{}::{}]:8080", all[..gap].join(":"), all[gap..].join(":"));
                assert_eq!(swift_is_exact(&text), groups < 8, "{text}");
            }
        }
        assert!(swift_is_exact(&format!("[{}]:65535", ["ffff"; 8].join(":"))));
        assert!(!swift_is_exact(&format!("[{}]:165535", ["ffff"; 8].join(":"))));
        assert!(!swift_is_exact("[é::1]:8080"));
        for text in ["0.0.0.0:0", "255.255.255.255:65535", "1.22.133.4:9999"] {
            assert!(swift_is_exact(text));
        }
    }
}
