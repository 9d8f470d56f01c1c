//! Parsing: strict, and every error gives the reason and the byte position.
//!
//! | text | parsed by |
//! |---|---|
//! | `1.2.3.4`, `2001:db8::1` | [`ip`] |
//! | `1.2.3.4:80`, `[::1]:80`, `[fe80::1%3]:80` | [`socket_addr`] |
//! | those, `/path`, `unix:path`, `@name` | `Endpoint::from_str` |
//! | `host`, `host:80`, `::1`, `[::1]:80`, `fe80::1%eth0` | [`HostPort::parse`] |
//!
//! The accepted addresses are those of `inet_pton` (RFC 4291, 2.2; RFC 6874 for zones). Numbers are decimal, without
//! sign, blank or leading zero. The parsers never truncate, trim or guess.
//!
//! # Differences from other parsers
//! `core::net`:
//! - core accepts a port or zone with leading zeros, `1.2.3.4:00080`, `[::1%01]:80`; this parser rejects it;
//! - both parse `::1.2.3.4` as the same address, but core prints it as `::102:304`.
//!
//! glibc:
//! - `inet_pton` takes a C string and parses `1.2.3.4\0x` as `1.2.3.4`; this parser rejects a NUL;
//! - `inet_aton` and `getaddrinfo` accept `127.1`, `0x7f.0.0.1`, `0177.0.0.1` and `2130706433`. This parser accepts
//!   none of them, neither as an address nor as a host name: it rejects a name whose last label is a number, because a
//!   less strict resolver would turn it into an address;
//! - `getaddrinfo` accepts a zone with leading zeros, `fe80::1%01`; this parser rejects it.

use core::{
    net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6},
    str::FromStr,
};

use super::{
    Endpoint, escape, swar,
    unix::{SUN_PATH_LEN, UNIX_NAME_MAX, UnixAddr},
};

pub(crate) use super::cursor::Cursor;
pub use super::cursor::Zone;
pub use super::host::{Host, HostPort};
pub use super::parse_error::{ParseError, ParseErrorKind};

/// Parses an IP address without port, brackets or zone.
///
/// # Errors
/// A [`ParseError`] for anything else.
#[doc(alias = "inet_pton")]
#[inline]
pub fn ip(text: &str) -> Result<IpAddr, ParseError> {
    swift_ip(text).map_or_else(|| exact_ip(text), Ok)
}

#[inline(never)]
fn swift_ip(text: &str) -> Option<IpAddr> {
    usual_ip(text)
}

/// Parses an address in a usual form. `None` does not mean that the text is invalid.
#[inline(always)]
pub(crate) fn usual_ip(text: &str) -> Option<IpAddr> {
    swar::ip(text.as_bytes())
}

/// The whole grammar of [`ip`], parsed byte by byte.
#[inline(never)]
pub(super) fn exact_ip(text: &str) -> Result<IpAddr, ParseError> {
    let mut cursor = Cursor::new(text);
    let ip = if cursor.is_v6() { IpAddr::V6(cursor.v6()?) } else { IpAddr::V4(cursor.v4()?) };
    match cursor.peek() {
        Some(b'%') if ip.is_ipv6() => Err(cursor.error(ParseErrorKind::UnexpectedZone)),
        _ => cursor.end(ip),
    }
}

/// Parses an IP address with its port: `1.2.3.4:80`, `[::1]:80` or, with a zone index, `[fe80::1%3]:80`.
///
/// # Errors
/// A [`ParseError`] for anything else, including a zone name: it needs resolving, so only [`HostPort`] accepts it.
#[inline]
pub fn socket_addr(text: &str) -> Result<SocketAddr, ParseError> {
    if text.as_bytes().first() == Some(&b'[') { swift_v6(text) } else { swift_v4(text) }
}

#[inline(never)]
fn swift_v4(text: &str) -> Result<SocketAddr, ParseError> {
    swar::v4(text.as_bytes()).map_or_else(|| exact(text), |addr| Ok(SocketAddr::V4(addr)))
}

#[inline(never)]
fn swift_v6(text: &str) -> Result<SocketAddr, ParseError> {
    swar::v6(text.as_bytes()).map_or_else(|| exact(text), |addr| Ok(SocketAddr::V6(addr)))
}

/// The whole grammar of [`socket_addr`], parsed byte by byte.
#[inline(never)]
pub(super) fn exact(text: &str) -> Result<SocketAddr, ParseError> {
    let mut cursor = Cursor::new(text);
    let addr = match cursor.peek() {
        Some(b'[') => SocketAddr::V6(bracketed(&mut cursor)?),
        Some(_) => SocketAddr::V4(dotted(&mut cursor)?),
        None => return Err(cursor.error(ParseErrorKind::Empty)),
    };
    cursor.end(addr)
}

/// Parses a port, 0 to 65535.
///
/// # Errors
/// A [`ParseError`] for anything else: a sign, a blank, a leading zero, an empty text.
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

/// The error for a text without an opening bracket that is not an IPv4 address: it may be an IPv6 address without
/// brackets.
#[cold]
fn not_dotted(cursor: &Cursor<'_>) -> ParseError {
    let mut again = cursor.rewound();
    if again.is_v6() {
        return again.error(ParseErrorKind::MissingBrackets);
    }
    again.v4().err().unwrap_or_else(|| again.unexpected())
}

fn bracketed(cursor: &mut Cursor<'_>) -> Result<SocketAddrV6, ParseError> {
    cursor.require(b'[')?;
    let ip = cursor.v6()?;
    let zone = if cursor.take(b'%') { zone_index(cursor)? } else { 0 };
    cursor.require(b']')?;
    cursor.colon()?;
    Ok(SocketAddrV6::new(ip, cursor.port()?, 0, zone))
}

fn zone_index(cursor: &mut Cursor<'_>) -> Result<u32, ParseError> {
    match cursor.zone()? {
        (_, Zone::Index(index)) => Ok(index),
        (at, Zone::Name(_)) => Err(ParseError::new(ParseErrorKind::ZoneByName, at)),
    }
}

/// Parses the text of [`AddrText`](super::AddrText).
///
/// A Unix path may have 108 bytes here, one more than [`UnixAddr::path`] accepts, because a peer's path may.
impl FromStr for Endpoint {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match unix(text, SUN_PATH_LEN)? {
            Some(addr) => Ok(Self::Unix(addr)),
            None => socket_addr(text).map(Self::Inet),
        }
    }
}

/// Parses `/path`, `unix:path` or `@name` with a path of at most `path_max` bytes; `None` for any other text.
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
    use std::format;

    fn refusal(text: &str) -> (ParseErrorKind, usize) {
        let error = text.parse::<Endpoint>().expect_err(text);
        (error.kind(), error.at())
    }

    #[test]
    fn errors_have_a_kind_and_a_position() {
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
    fn the_position_saturates() {
        let error = ParseError::new(UnexpectedByte, 70_000);
        assert_eq!((error.at(), error.moved(1).at()), (65_535, 65_535));
        assert_eq!(size_of::<ParseError>(), 4);
    }
}
