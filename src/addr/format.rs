//! Formatting: [`SocketText`] for IP addresses, with or without a port, and [`AddrText`] for any [`Endpoint`].
//!
//! | address | text |
//! |---|---|
//! | IPv4, IPv6 | `1.2.3.4:80`, `[2001:db8::1]:443`, `[fe80::1%3]:80` |
//! | an IP address alone | `1.2.3.4`, `2001:db8::1` |
//! | Unix path | `/run/kv.sock`, without a leading slash `unix:kv.sock` |
//! | Unix abstract name, no name | `@name`, `unix:` |
//! | a family this crate does not support | `?` |
//!
//! IPv6 addresses have the canonical text of RFC 5952. `::ffff:1.2.3.4` and `::1.2.3.4` end in an IPv4 address, as in
//! glibc's `inet_ntop`; `::` and `::1` do not. A zone is printed as its index; the flow label of a `SocketAddrV6` is
//! not printed.
//!
//! The peer chooses its Unix name, and the name ends up in logs. So that it cannot end a line, move the cursor or
//! reorder the text, control characters, line separators, bidirectional overrides and bytes that are not UTF-8 become
//! `\xNN`, and a backslash becomes `\\`.

use core::{
    fmt,
    net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6},
    ops::Deref,
};

use arrayvec::ArrayString;

use super::{
    Endpoint, UnixAddr,
    digits::{LONGEST, Line},
    escape,
    unix::SUN_PATH_LEN,
};

/// The length in bytes of the longest text of an IP address with its port.
#[doc(alias = "INET6_ADDRSTRLEN")]
pub const SOCKET_TEXT_LEN: usize = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535".len();

/// The length in bytes of the longest text of any endpoint: a relative Unix path of 108 bytes that all need escaping.
pub const ADDR_TEXT_LEN: usize = "unix:".len() + SUN_PATH_LEN * r"\xff".len();

const _: () = assert!(SOCKET_TEXT_LEN <= LONGEST && SOCKET_TEXT_LEN < ADDR_TEXT_LEN);

/// The text of an IP address, with its port if it has one: at most 58 bytes.
///
/// ```
/// use anet::addr::SocketText;
/// use core::net::{IpAddr, SocketAddr};
///
/// let addr: SocketAddr = "[2001:db8::1]:443".parse()?;
/// assert_eq!(SocketText::from(addr).as_str(), "[2001:db8::1]:443");
/// assert_eq!(SocketText::from(addr.ip()).as_str(), "2001:db8::1");
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy)]
#[doc(alias = "inet_ntop")]
pub struct SocketText {
    line: Line,
}

impl SocketText {
    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        self.line.as_str()
    }

    /// The bytes of the text, all of them ASCII. Cheaper than [`as_str`](Self::as_str), which validates them.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.line.as_bytes()
    }

    /// A text from a short constant.
    pub(crate) fn short(short: &[u8]) -> Self {
        let mut text = Self { line: Line::new() };
        short.iter().rev().for_each(|&byte| text.line.byte(byte));
        text
    }
}

impl From<IpAddr> for SocketText {
    #[inline]
    fn from(ip: IpAddr) -> Self {
        let mut text = Self { line: Line::beyond() };
        match ip {
            IpAddr::V4(ip) => text.line.v4(ip, 0),
            IpAddr::V6(ip) => text.line.v6(ip, 0),
        }
        text
    }
}

impl From<SocketAddrV4> for SocketText {
    #[inline]
    fn from(addr: SocketAddrV4) -> Self {
        let mut text = Self { line: Line::new() };
        text.line.port(addr.port());
        text.line.v4(*addr.ip(), b':');
        text
    }
}

impl From<SocketAddrV6> for SocketText {
    #[inline]
    fn from(addr: SocketAddrV6) -> Self {
        let mut text = Self { line: Line::new() };
        text.line.port(addr.port());
        text.line.byte(b':');
        let behind = match addr.scope_id() {
            0 => b']',
            zone => text.line.zone(zone),
        };
        text.line.v6(*addr.ip(), behind);
        text.line.byte(b'[');
        text
    }
}

impl From<SocketAddr> for SocketText {
    #[inline]
    fn from(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(addr) => addr.into(),
            SocketAddr::V6(addr) => addr.into(),
        }
    }
}

/// The text of any [`Endpoint`]: at most 437 bytes.
///
/// ```
/// use anet::addr::{Endpoint, UnixAddr};
///
/// let peer = Endpoint::Unix(UnixAddr::abstract_name("a\nb")?);
/// assert_eq!(peer.to_text().as_str(), r"@a\x0ab");
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct AddrText {
    body: Body,
}

/// The text of an IP address is stored as formatted; any other text is assembled from pieces.
#[derive(Clone, Copy)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to put it on")]
enum Body {
    Socket(SocketText),
    Pieces(ArrayString<ADDR_TEXT_LEN>),
}

impl AddrText {
    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.body {
            Body::Socket(text) => text.as_str(),
            Body::Pieces(text) => text,
        }
    }

    /// The bytes of the text. Cheaper than [`as_str`](Self::as_str), which validates the text of an IP address.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.body {
            Body::Socket(text) => text.as_bytes(),
            Body::Pieces(text) => text.as_bytes(),
        }
    }

    /// The text of a Unix address; the characters that `also` selects are escaped too.
    pub(crate) fn unix(addr: &UnixAddr, also: fn(char) -> bool) -> Self {
        let mut text = ArrayString::new();
        let (prefix, name) = match (addr.as_abstract_name(), addr.as_path()) {
            (Some(name), _) => ("@", name),
            (None, Some(path)) if path.starts_with(b"/") => ("", path),
            (None, path) => ("unix:", path.unwrap_or_default()),
        };
        push(&mut text, prefix);
        escape::encode(name, also, |piece| push(&mut text, piece));
        Self { body: Body::Pieces(text) }
    }
}

/// Appends a piece. It always fits: the capacity is the length of the longest text.
fn push(text: &mut ArrayString<ADDR_TEXT_LEN>, piece: &str) {
    debug_assert!(piece.len() <= text.remaining_capacity());
    let _ = text.try_push_str(piece);
}

impl From<SocketText> for AddrText {
    #[inline]
    fn from(text: SocketText) -> Self {
        Self { body: Body::Socket(text) }
    }
}

impl From<IpAddr> for AddrText {
    fn from(ip: IpAddr) -> Self {
        SocketText::from(ip).into()
    }
}

impl From<SocketAddr> for AddrText {
    fn from(addr: SocketAddr) -> Self {
        SocketText::from(addr).into()
    }
}

impl From<UnixAddr> for AddrText {
    fn from(addr: UnixAddr) -> Self {
        Self::unix(&addr, |_| false)
    }
}

impl From<&Endpoint> for AddrText {
    #[inline]
    fn from(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Inet(addr) => SocketText::from(*addr).into(),
            Endpoint::Unix(addr) => Self::unix(addr, |_| false),
            Endpoint::Unknown { .. } => SocketText::short(b"?").into(),
        }
    }
}

impl Deref for SocketText {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Deref for AddrText {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for SocketText {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for AddrText {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for SocketText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl PartialEq for AddrText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for SocketText {}

impl Eq for AddrText {}

impl fmt::Display for SocketText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for AddrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for SocketText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for AddrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use std::{format, string::ToString, vec::Vec};

    fn v6_text(ip: &str) -> std::string::String {
        SocketText::from(IpAddr::V6(ip.parse().unwrap())).to_string()
    }

    #[test]
    fn the_longest_and_the_shortest_socket_text_fit() {
        let longest = SocketAddrV6::new(Ipv6Addr::from_bits(u128::MAX), u16::MAX, 0, u32::MAX);
        assert_eq!(SocketText::from(longest).len(), SOCKET_TEXT_LEN);
        assert_eq!(SocketText::from(longest).as_str(), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
        assert_eq!(SocketText::from(IpAddr::V6(Ipv6Addr::UNSPECIFIED)).as_str(), "::");
    }

    #[test]
    fn the_longest_endpoint_text_fits_exactly() {
        let worst = Endpoint::Unix(UnixAddr::from_sun_path(&[1; 200]));
        assert_eq!(worst.to_text().as_str(), format!("unix:{}", r"\x01".repeat(108)));
        assert_eq!(worst.to_text().len(), ADDR_TEXT_LEN);
    }

    #[test]
    fn ipv6_text_is_canonical_and_an_embedded_ipv4_address_is_dotted() {
        let cases = [
            ("::", "::"),
            ("::1", "::1"),
            ("1::", "1::"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
            ("ABCD:0EF0:00F:1:0:1:0:1", "abcd:ef0:f:1:0:1:0:1"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("::ffff:0:0", "::ffff:0.0.0.0"),
            ("::1.2.3.4", "::1.2.3.4"),
            ("::1:0", "::0.1.0.0"),
            ("::2", "::2"),
            ("::ffff:0:1.2.3.4", "::ffff:0:102:304"),
        ];
        for (given, text) in cases {
            assert_eq!(v6_text(given), text);
        }
    }

    #[test]
    fn every_octet_value_is_formatted_in_every_place() {
        for place in 0..4 {
            for value in 0..=u8::MAX {
                let mut octets = [1, 22, 133, 4];
                octets[place] = value;
                let ip = Ipv4Addr::from(octets);
                assert_eq!(SocketText::from(IpAddr::V4(ip)).as_str(), ip.to_string());
            }
        }
    }

    #[test]
    fn zones_of_every_length_are_decimal() {
        let mut zone = u32::MAX;
        while zone > 0 {
            let addr = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 0, zone);
            assert_eq!(SocketText::from(addr).as_str(), format!("[::1%{zone}]:80"));
            zone -= zone / 7 + 1;
        }
    }

    #[test]
    fn names_cannot_forge_a_log_line() {
        let text = |bytes: &[u8]| Endpoint::Unix(UnixAddr::from_sun_path(bytes)).to_text().to_string();
        assert_eq!(text(b"/run/kv.sock"), "/run/kv.sock");
        assert_eq!(text(b"kv.sock"), "unix:kv.sock");
        assert_eq!(text(b""), "unix:");
        assert_eq!(text(b"\0"), "@");
        assert_eq!(text(b"\0a\0b\n\x1b[2J\\"), r"@a\x00b\x0a\x1b[2J\\");
        assert_eq!(text("/é\u{85}\u{202e}".as_bytes()), r"/é\xc2\x85\xe2\x80\xae");
        assert_eq!(text(b"/\xff\xc3"), r"/\xff\xc3");
    }

    #[test]
    fn padding_counts_the_whole_text() {
        let endpoint = Endpoint::from(SocketAddr::from(([1, 2, 3, 4], 80)));
        assert_eq!(format!("{endpoint:>12}|{:<3}|", Endpoint::Unknown { family: 40 }), "  1.2.3.4:80|?  |");
        let texts: Vec<_> = [endpoint, endpoint].iter().map(Endpoint::to_text).collect();
        assert_eq!(texts[0], texts[1]);
        assert_eq!(format!("{:?}", texts[0]), "\"1.2.3.4:80\"");
    }
}
