//! A host with an optional port, as users write it: `cache.local:6379`, `::1`, `[fe80::1%eth0]:80`.
//!
//! Names and zones are borrowed from the text, as written; resolving them is a separate step.

use core::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use super::{
    SocketText,
    cursor::{Cursor, Zone},
    parse_error::{ParseError, ParseErrorKind},
};

/// The longest host name in bytes, without a trailing dot (RFC 1035, 2.3.4: 255 bytes on the wire).
pub const HOST_NAME_MAX: usize = 253;

/// The longest label of a host name in bytes (RFC 1035, 2.3.4).
pub const LABEL_MAX: usize = 63;

/// A host and an optional port.
///
/// ```
/// use anet::addr::parse::{Host, HostPort};
///
/// let target = HostPort::parse("cache.local:6379")?;
/// assert_eq!((target.host, target.port), (Host::Name("cache.local"), Some(6379)));
/// assert_eq!(HostPort::parse("::1")?.port, None);
/// # Ok::<(), anet::addr::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct HostPort<'a> {
    /// The host.
    pub host: Host<'a>,
    /// The port, if the text has one.
    pub port: Option<u16>,
}

/// A host: an address, or a name that resolves to addresses.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Host<'a> {
    /// An IP address.
    Ip(IpAddr),
    /// An IPv6 address with its zone.
    Zoned(Ipv6Addr, Zone<'a>),
    /// A host name (RFC 1123, 2.1, and underscores), 1 to 253 bytes and an optional trailing dot.
    Name(&'a str),
}

impl<'a> HostPort<'a> {
    /// Parses a host and the port after it, if any.
    ///
    /// An IPv6 address with a port needs brackets; without brackets it has no port. A name whose last label is a number
    /// (`127.1`, `0x7f.0.0.1`) is rejected, because a lenient resolver would turn it into an address.
    ///
    /// # Errors
    /// A [`ParseError`] for anything else.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text);
        let host = match cursor.peek() {
            Some(b'[') => bracketed(&mut cursor)?,
            Some(_) if cursor.is_v6() => {
                let host = v6(&mut cursor)?;
                return cursor.end(Self { host, port: None });
            }
            _ => dotted_or_name(&mut cursor)?,
        };
        let port = if cursor.take(b':') { Some(cursor.port()?) } else { None };
        cursor.end(Self { host, port })
    }
}

fn bracketed<'a>(cursor: &mut Cursor<'a>) -> Result<Host<'a>, ParseError> {
    cursor.require(b'[')?;
    let host = v6(cursor)?;
    cursor.require(b']')?;
    Ok(host)
}

fn v6<'a>(cursor: &mut Cursor<'a>) -> Result<Host<'a>, ParseError> {
    let ip = cursor.v6()?;
    if !cursor.take(b'%') {
        return Ok(Host::Ip(IpAddr::V6(ip)));
    }
    cursor.zone().map(|(_, zone)| Host::Zoned(ip, zone))
}

/// An IPv4 address if there are only digits and dots, otherwise a name.
fn dotted_or_name<'a>(cursor: &mut Cursor<'a>) -> Result<Host<'a>, ParseError> {
    let host = cursor.rest().split(':').next().unwrap_or_default();
    if host.is_empty() {
        return Err(cursor.error(ParseErrorKind::Empty));
    }
    if host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return cursor.v4().map(|ip| Host::Ip(IpAddr::V4(ip)));
    }
    check_name(host)?;
    cursor.take_all(host.as_bytes());
    Ok(Host::Name(host))
}

fn check_name(name: &str) -> Result<(), ParseError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut start = 0;
    let mut last = "";
    for label in name.split('.') {
        check_label(label).map_err(|error| error.moved(start))?;
        start += label.len() + 1;
        last = label;
    }
    if is_number(last) {
        return Err(ParseError::new(ParseErrorKind::NumericName, name.len() - last.len()));
    }
    match name.len() {
        ..=HOST_NAME_MAX => Ok(()),
        _ => Err(ParseError::new(ParseErrorKind::NameTooLong, HOST_NAME_MAX)),
    }
}

fn check_label(label: &str) -> Result<(), ParseError> {
    let odd = label.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'-' && byte != b'_');
    match (odd, label.as_bytes()) {
        (Some(at), _) => Err(ParseError::new(ParseErrorKind::UnexpectedByte, at)),
        (_, []) => Err(ParseError::new(ParseErrorKind::EmptyLabel, 0)),
        (_, [b'-', ..]) => Err(ParseError::new(ParseErrorKind::HyphenAtEdge, 0)),
        (_, [head @ .., b'-']) => Err(ParseError::new(ParseErrorKind::HyphenAtEdge, head.len())),
        (_, bytes) if bytes.len() > LABEL_MAX => Err(ParseError::new(ParseErrorKind::LabelTooLong, LABEL_MAX)),
        _ => Ok(()),
    }
}

/// Whether `inet_aton` would parse the label as a number.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x").or_else(|| label.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// The host alone, without brackets: `::1`, `fe80::1%eth0`, `cache.local`.
impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => f.write_str(&SocketText::from(*ip)),
            Self::Zoned(ip, zone) => write!(f, "{}%{zone}", SocketText::from(IpAddr::V6(*ip))),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Zone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The form that [`HostPort::parse`] accepts: `cache.local:6379`, `[::1]:80`, `::1`.
impl fmt::Display for HostPort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host, self.port) {
            (host, None) => write!(f, "{host}"),
            (host @ (Host::Ip(IpAddr::V6(_)) | Host::Zoned(..)), Some(port)) => write!(f, "[{host}]:{port}"),
            (host, Some(port)) => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ParseErrorKind::*;
    use core::net::Ipv4Addr;
    use std::{format, string::ToString};

    fn refusal(text: &str) -> (ParseErrorKind, usize) {
        let error = HostPort::parse(text).expect_err(text);
        (error.kind(), error.at())
    }

    #[test]
    fn hosts_and_ports_are_separated() {
        let local = Host::Ip(IpAddr::V6(Ipv6Addr::LOCALHOST));
        let link = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        let cases = [
            ("1.2.3.4", Host::Ip(IpAddr::V4(Ipv4Addr::new(1, 2, 3, 4))), None),
            ("1.2.3.4:0", Host::Ip(IpAddr::V4(Ipv4Addr::new(1, 2, 3, 4))), Some(0)),
            ("::1", local, None),
            ("[::1]", local, None),
            ("[::1]:65535", local, Some(65535)),
            ("fe80::1%1", Host::Zoned(link, Zone::Index(1)), None),
            ("[fe80::1%eth0.5]:80", Host::Zoned(link, Zone::Name("eth0.5")), Some(80)),
            ("cache.local:6379", Host::Name("cache.local"), Some(6379)),
            ("localhost.", Host::Name("localhost."), None),
            ("_srv.x-y.Z", Host::Name("_srv.x-y.Z"), None),
            ("1and1.com", Host::Name("1and1.com"), None),
            ("0x.com", Host::Name("0x.com"), None),
        ];
        for (text, host, port) in cases {
            let parsed = HostPort::parse(text).unwrap();
            assert_eq!(parsed, HostPort { host, port }, "{text}");
            assert_eq!(HostPort::parse(&parsed.to_string()), Ok(parsed));
        }
    }

    #[test]
    fn a_text_of_digits_and_dots_is_an_address_or_an_error() {
        let cases = [
            ("127.1", UnexpectedEnd, 5),
            ("2130706433", OctetOutOfRange, 0),
            ("0177.0.0.1", LeadingZero, 0),
            ("1.2.3.256", OctetOutOfRange, 6),
            ("1.2.3.4.5", UnexpectedByte, 7),
            ("1.2.3.4.", UnexpectedByte, 7),
            ("1.2.3:80", UnexpectedByte, 5),
            ("1..2.3", UnexpectedByte, 2),
            (".", UnexpectedByte, 0),
        ];
        for (text, kind, at) in cases {
            assert_eq!(refusal(text), (kind, at), "{text}");
        }
    }

    #[test]
    fn a_name_that_ends_in_a_number_is_rejected() {
        for (text, at) in [("0x7f.1", 5), ("0x7f000001", 0), ("127.0.0.0x1", 8), ("127.0.0.0X1.", 8), ("a.1", 2)] {
            assert_eq!(refusal(text), (NumericName, at), "{text}");
        }
    }

    #[test]
    fn names_have_labels_of_1_to_63_and_253_bytes_in_all() {
        let label = "a".repeat(63);
        let name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(name.len(), 253);
        for text in [&label, &name, &format!("{name}.")] {
            assert_eq!(HostPort::parse(text).unwrap().host, Host::Name(text));
        }
        assert_eq!(refusal(&format!("{name}a")), (NameTooLong, 253));
        assert_eq!(refusal(&format!("x.{label}a")), (LabelTooLong, 65));
        assert_eq!(refusal("a..b"), (EmptyLabel, 2));
        assert_eq!(refusal(".a"), (EmptyLabel, 0));
        assert_eq!(refusal("a.."), (EmptyLabel, 2));
        assert_eq!(refusal("-a"), (HyphenAtEdge, 0));
        assert_eq!(refusal("b.a-"), (HyphenAtEdge, 3));
    }

    #[test]
    fn errors_have_a_kind_and_a_position() {
        let cases = [
            ("", Empty, 0),
            (":80", Empty, 0),
            ("localhost\0evil", UnexpectedByte, 9),
            ("local host", UnexpectedByte, 5),
            ("é", UnexpectedByte, 0),
            ("localhost:", MissingPort, 10),
            ("localhost:+80", UnexpectedByte, 10),
            ("localhost:080", LeadingZero, 10),
            ("localhost:65536", PortOutOfRange, 10),
            ("localhost:80x", UnexpectedByte, 12),
            ("[::1", UnexpectedEnd, 4),
            ("[::1]80", UnexpectedByte, 5),
            ("[1.2.3.4]:80", TooFewGroups, 8),
            ("[localhost]:80", UnexpectedByte, 1),
            ("::1%", UnexpectedEnd, 4),
            ("[::1%]:80", UnexpectedByte, 5),
            ("::1%0123456789abcdef", ZoneTooLong, 4),
            ("::1%4294967296", ZoneOutOfRange, 4),
            ("::1%01", LeadingZero, 4),
            ("::1%a/b", UnexpectedByte, 5),
            ("1.2.3.4%1", UnexpectedByte, 7),
            ("[::1]%1:80", UnexpectedByte, 5),
            ("x:y:z", UnexpectedByte, 0),
        ];
        for (text, kind, at) in cases {
            assert_eq!(refusal(text), (kind, at), "{text:?}");
        }
    }
}
