//! Bind lists as text: one grammar for Redis's `bind` and memcached's `-l`.
//!
//! ```
//! use anet::listen::spec::BindList;
//!
//! let list = BindList::parse("127.0.0.1 -::1, unix:/run/kv.sock", 6379)?;
//! assert_eq!(list.to_string(), "127.0.0.1:6379 -[::1]:6379 /run/kv.sock");
//! # Ok::<(), anet::addr::ParseError>(())
//! ```
//!
//! | item | listens on |
//! |---|---|
//! | `1.2.3.4`, `::1`, `[::1]` | this address, default port |
//! | `1.2.3.4:80`, `[::1]:80` | this address and port |
//! | `fe80::1%eth0`, `[fe80::1%3]:80` | this address on one link |
//! | `localhost`, `localhost:80` | the addresses of this host |
//! | `*`, `*:80` | every IPv4 address |
//! | `::*`, `::`, `[::]:80` | every IPv6 address |
//! | `%eth0`, `dev:eth0`, `%3:80` | all addresses of an interface, see [below](#interfaces) |
//! | `/path`, `unix:path`, `@name` | a Unix socket, written as in [`AddrText`] |
//! | `fd@3` | an inherited descriptor, see [below](#descriptors-by-number) |
//!
//! A leading `-` marks an item as optional: it is no error if this host lacks its address (`EADDRNOTAVAIL`) or its
//! interface. `*` means IPv4 only, as in Redis; memcached's `*` is `* -::*`.
//!
//! # The list
//! Blanks, one `,` or one `;` separate items. Blanks around a separator and at either end are ignored. A `,` or `;`
//! without an item on each side is an error: a variable may have expanded to nothing, and the server would silently
//! listen on fewer addresses. An empty list and more than 16 items are errors too. A duplicate item is kept, and the
//! second one fails to bind. One bad item fails the whole list.
//!
//! Write a blank, `,` or `;` in a Unix name as `\x20`, `\x2c` or `\x3b`. Write a host named `unix` with a trailing dot:
//! `unix.` or `unix.:80`. `dev:80` is port 80 of a host named `dev`.
//!
//! # Interfaces
//! `%eth0` stands for the addresses that the interface has when the list is opened (Linux only), IPv4 before IPv6, and a
//! link-local address is opened on this interface. A number is the interface's index. Clients that reach one of these
//! addresses through another interface are served too: the item chooses addresses, and
//! [`with_bind_index`](crate::SocketOptions::with_bind_index) a link.
//!
//! Every address must open; one that is in use fails the list. Only an address that cannot be bound yet or any more
//! (`EADDRNOTAVAIL`), as during duplicate address detection, is skipped if another one opens. Later changes have no
//! effect: `diag::Changes` reports them.
//!
//! # Descriptors by number
//! `fd@3` names a listening socket that a supervisor passes to the process at startup. Opening the list duplicates the
//! descriptor that has this number at that moment, whichever part of the program opened it. So text can reach, without
//! `unsafe`, a descriptor that the code opening the list does not own. The effect is limited:
//!
//! - A descriptor that is not open, not a socket or not listening fails the list. So a list never yields a file, a
//!   connection or an epoll instance. (Apple's kernels do not report which sockets listen; there a list can yield any
//!   descriptor.)
//! - For a listening socket, the set holds a duplicate. The owner keeps the descriptor: the set never closes it or
//!   changes its number. But both refer to one socket, with one queue of connections, of which each gets some; one set
//!   of options; and one non-blocking flag, which opening the list sets for both. Shutting down the duplicate shuts
//!   down the socket.
//!
//! None of this breaks memory safety, which does not depend on exclusive use of a listening socket. The caller is
//! responsible for the rest:
//!
//! - The number must be that of the intended socket. The kernel reuses a closed number for the next descriptor, so open
//!   the list before anything can close inherited descriptors, and check text from an untrusted source for
//!   [`Target::Fd`].
//! - The inherited descriptor stays open. Until you close it the socket listens, even after the set is dropped, and
//!   clients queue for a server that is gone. `execve` passes it on unless you set close-on-exec, which the duplicate
//!   has.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    slice,
};

use arrayvec::ArrayVec;

use crate::addr::{
    AddrText, SocketText, UNIX_NAME_MAX, UnixAddr,
    parse::{self, Cursor, Host, HostPort, ParseError, ParseErrorKind, Zone},
};

/// The maximum number of items in a list, as in Redis.
#[doc(alias = "CONFIG_BINDADDR_MAX")]
pub const BIND_LIST_MAX: usize = 16;

/// The highest number a descriptor can have.
const DESCRIPTOR_MAX: u32 = i32::MAX as u32;

/// One place to listen on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct BindSpec<'a> {
    /// Whether to skip this item if this host lacks its address (`EADDRNOTAVAIL`) or its interface.
    pub optional: bool,
    /// The place.
    pub target: Target<'a>,
}

/// A place to listen on. Names and zones are unresolved.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Target<'a> {
    /// An IP address and port.
    Inet(SocketAddr),
    /// An IPv6 address on the link of a named interface.
    Zoned {
        /// The address.
        ip: Ipv6Addr,
        /// The name of the interface, 1 to 15 bytes.
        zone: &'a str,
        /// The port.
        port: u16,
    },
    /// A host's addresses.
    Name {
        /// The host's name.
        host: &'a str,
        /// The port.
        port: u16,
    },
    /// The [addresses](self#interfaces) of an interface.
    Interface {
        /// The interface, whose index is not 0.
        zone: Zone<'a>,
        /// The port.
        port: u16,
    },
    /// A Unix socket, never unnamed.
    Unix(UnixAddr),
    /// An inherited descriptor, 0 to 2147483647. The caller is responsible for the
    /// [number](self#descriptors-by-number).
    Fd(u32),
}

impl<'a> BindSpec<'a> {
    /// Parses one item of a list; `default_port` applies to an address or name without a port.
    ///
    /// # Errors
    /// A [`ParseError`] for text outside the [grammar](self).
    pub fn parse(text: &'a str, default_port: u16) -> Result<Self, ParseError> {
        match text.strip_prefix('-') {
            None => Ok(Self { optional: false, target: Target::parse(text, default_port)? }),
            Some(rest) => match Target::parse(rest, default_port) {
                Ok(target) => Ok(Self { optional: true, target }),
                Err(error) => Err(error.moved(1)),
            },
        }
    }
}

impl<'a> Target<'a> {
    fn parse(text: &'a str, default_port: u16) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text);
        if let Some(addr) = parse::unix(text, UNIX_NAME_MAX)? {
            return named(addr).ok_or_else(|| ParseError::new(ParseErrorKind::Empty, text.len()));
        }
        if cursor.take_all(b"fd@") {
            let number = cursor.number(DESCRIPTOR_MAX, ParseErrorKind::DescriptorOutOfRange)?;
            return cursor.end(Self::Fd(number));
        }
        if cursor.take(b'%') || (is_device(text) && cursor.take_all(b"dev:")) {
            return Self::interface(cursor, default_port);
        }
        match text {
            "::*" => return Ok(Self::Inet(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), default_port))),
            // The same host with a port, `unix:port`, would be a path.
            "unix" => return Err(ParseError::new(ParseErrorKind::UnexpectedEnd, text.len())),
            _ => {}
        }
        if cursor.take(b'*') {
            let port = if cursor.take(b':') { cursor.port()? } else { default_port };
            return cursor.end(Self::Inet(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)));
        }
        HostPort::parse(text).map(|HostPort { host, port }| Self::host(host, port.unwrap_or(default_port)))
    }

    fn interface(mut cursor: Cursor<'a>, default_port: u16) -> Result<Self, ParseError> {
        let (at, zone) = cursor.zone()?;
        if zone == Zone::Index(0) {
            return Err(ParseError::new(ParseErrorKind::ZoneOutOfRange, at));
        }
        let port = if cursor.take(b':') { cursor.port()? } else { default_port };
        cursor.end(Self::Interface { zone, port })
    }

    fn host(host: Host<'a>, port: u16) -> Self {
        match host {
            Host::Ip(ip) => Self::Inet(SocketAddr::new(ip, port)),
            Host::Zoned(ip, Zone::Index(index)) => Self::Inet(SocketAddrV6::new(ip, port, 0, index).into()),
            Host::Zoned(ip, Zone::Name(zone)) => Self::Zoned { ip, zone, port },
            Host::Name(host) => Self::Name { host, port },
        }
    }
}

/// Whether the text is `dev:` and an interface. `dev:80` is a host and its port.
fn is_device(text: &str) -> bool {
    text.strip_prefix("dev:").is_some_and(|rest| !rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A Unix target, unless the name is empty: the kernel would choose one that no client knows.
fn named<'a>(addr: UnixAddr) -> Option<Target<'a>> {
    match addr.as_sun_path() {
        [] | [0] => None,
        _ => Some(Target::Unix(addr)),
    }
}

/// Writes the item in full; [`BindSpec::parse`] returns the same value.
impl fmt::Display for BindSpec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.optional {
            f.write_str("-")?;
        }
        fmt::Display::fmt(&self.target, f)
    }
}

/// Such as `127.0.0.1:6379`, `[fe80::1%eth0]:80`, `localhost:80`, `%eth0:80`, `/run/kv.sock`, `fd@3`.
impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => f.write_str(&SocketText::from(*addr)),
            Self::Zoned { ip, zone, port } => write!(f, "[{}%{zone}]:{port}", SocketText::from(IpAddr::V6(*ip))),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Interface { zone: Zone::Index(index), port } => write!(f, "%{index}:{port}"),
            Self::Interface { zone: Zone::Name(name), port } => write!(f, "%{name}:{port}"),
            Self::Unix(addr) => f.write_str(&AddrText::unix(addr, separates)),
            Self::Fd(number) => write!(f, "fd@{number}"),
        }
    }
}

/// Whether a character separates items.
fn separates(char: char) -> bool {
    char == ',' || char == ';' || u8::try_from(char).is_ok_and(is_blank)
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || (b'\t'..=b'\r').contains(&byte)
}

/// The places a server listens on, 1 to 16.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BindList<'a> {
    specs: ArrayVec<BindSpec<'a>, BIND_LIST_MAX>,
}

impl<'a> BindList<'a> {
    /// Parses a list; `default_port` applies to addresses and names without a port.
    ///
    /// # Errors
    /// A [`ParseError`] whose position counts from the start of `text`: the start of the bad item or of the 17th, the
    /// bad byte within an item, or the separator without an item before it.
    pub fn parse(text: &'a str, default_port: u16) -> Result<Self, ParseError> {
        let mut items = Items::new(text);
        let mut specs = ArrayVec::new();
        while let Some((at, item)) = items.next()? {
            let spec = BindSpec::parse(item, default_port).map_err(|error| error.moved(at))?;
            specs.try_push(spec).map_err(|_| ParseError::new(ParseErrorKind::TooManyItems, at))?;
        }
        if specs.is_empty() {
            return Err(ParseError::new(ParseErrorKind::EmptyList, text.len()));
        }
        Ok(Self { specs })
    }

    /// The places, in the order they were written.
    pub fn as_slice(&self) -> &[BindSpec<'a>] {
        &self.specs
    }

    /// The places, in the order they were written.
    pub fn iter(&self) -> slice::Iter<'_, BindSpec<'a>> {
        self.specs.iter()
    }

    /// The number of places, 1 to 16.
    #[allow(clippy::len_without_is_empty, reason = "a list is never empty")]
    pub fn len(&self) -> usize {
        self.specs.len()
    }
}

impl<'list, 'a> IntoIterator for &'list BindList<'a> {
    type Item = &'list BindSpec<'a>;
    type IntoIter = slice::Iter<'list, BindSpec<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Writes the items with a blank between them; [`BindList::parse`] returns the same list.
impl fmt::Display for BindList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, spec) in self.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " " })?;
            fmt::Display::fmt(spec, f)?;
        }
        Ok(())
    }
}

/// The items of a list as text.
struct Items<'a> {
    cursor: Cursor<'a>,
    /// Whether a `,` or `;` precedes the cursor, so that an item must follow.
    owed: bool,
}

impl<'a> Items<'a> {
    fn new(text: &'a str) -> Self {
        Self { cursor: Cursor::new(text), owed: false }
    }

    /// The next item and its position.
    fn next(&mut self) -> Result<Option<(usize, &'a str)>, ParseError> {
        self.skip_blanks();
        let at = self.cursor.at();
        let item = self.cursor.rest().split(separates).next().unwrap_or_default();
        match (item.is_empty(), self.owed, self.cursor.peek()) {
            (true, false, None) => return Ok(None),
            (true, ..) => return Err(self.cursor.error(ParseErrorKind::EmptyItem)),
            _ => {}
        }
        self.cursor.take_all(item.as_bytes());
        self.skip_blanks();
        self.owed = self.cursor.take(b',') || self.cursor.take(b';');
        Ok(Some((at, item)))
    }

    fn skip_blanks(&mut self) {
        while self.cursor.peek().is_some_and(is_blank) {
            self.cursor.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ParseErrorKind::*;
    use std::{
        format,
        string::{String, ToString},
        vec::Vec,
    };

    fn written(text: &str) -> String {
        let list = BindList::parse(text, 6379).expect(text);
        assert_eq!(BindList::parse(&list.to_string(), 1).as_ref(), Ok(&list), "{text}");
        list.to_string()
    }

    fn refusal(text: &str) -> (ParseErrorKind, usize) {
        let error = BindList::parse(text, 6379).expect_err(text);
        (error.kind(), error.at())
    }

    #[test]
    fn redis_and_memcached_lists_parse() {
        let cases = [
            ("* -::*", "0.0.0.0:6379 -[::]:6379"),
            ("127.0.0.1 -::1", "127.0.0.1:6379 -[::1]:6379"),
            ("127.0.0.1:11211,[::1]:11212;localhost", "127.0.0.1:11211 [::1]:11212 localhost:6379"),
            ("host:1;host:2", "host:1 host:2"),
            ("*:80", "0.0.0.0:80"),
            ("[::]", "[::]:6379"),
            ("::", "[::]:6379"),
            ("[::]:0", "[::]:0"),
            ("fe80::1%eth0", "[fe80::1%eth0]:6379"),
            ("[fe80::1%3]:80", "[fe80::1%3]:80"),
            ("-[fe80::1%eth0]:80", "-[fe80::1%eth0]:80"),
            ("unix:/run/a.sock /run/b.sock unix:c", "/run/a.sock /run/b.sock unix:c"),
            (r"@a\x20b\x2c\x3b\x00 /\\", r"@a\x20b\x2c\x3b\x00 /\\"),
            ("fd@3;fd@0;fd@2147483647", "fd@3 fd@0 fd@2147483647"),
            ("unix.:80", "unix.:80"),
            ("%eth0 -%br-lan.7:80;%3", "%eth0:6379 -%br-lan.7:80 %3:6379"),
            ("dev:eth0 dev:eth0:80", "%eth0:6379 %eth0:80"),
            ("dev:80 dev dev:80:90", "dev:80 dev:6379 %80:90"),
        ];
        for (text, whole) in cases {
            assert_eq!(written(text), whole);
        }
    }

    #[test]
    fn blanks_or_one_separator_separate_items() {
        for text in ["a b", " a  b\t", "a,b", "a;b", "a , b", "a; b", "a\r\nb\n", "\na ,\n b "] {
            assert_eq!(written(text), "a:6379 b:6379", "{text:?}");
        }
        assert_eq!(written("a a"), "a:6379 a:6379");
    }

    #[test]
    fn an_empty_item_or_list_is_refused() {
        let cases = [
            ("", EmptyList, 0),
            ("  ", EmptyList, 2),
            (",", EmptyItem, 0),
            ("a,", EmptyItem, 2),
            ("a; ", EmptyItem, 3),
            ("a,,b", EmptyItem, 2),
            ("a ,; b", EmptyItem, 3),
            (",a", EmptyItem, 0),
            ("a -", Empty, 3),
            ("a,-,b", Empty, 3),
            ("a unix:", Empty, 7),
            ("a @", Empty, 3),
        ];
        for (text, kind, at) in cases {
            assert_eq!(refusal(text), (kind, at), "{text:?}");
        }
    }

    #[test]
    fn the_seventeenth_item_is_refused_at_its_position() {
        let items: Vec<_> = (10..27).map(|n| format!("10.0.0.{n}")).collect();
        assert_eq!(BindList::parse(&items[..16].join(" "), 1).unwrap().len(), 16);
        assert_eq!(refusal(&items.join(" ")), (TooManyItems, 16 * 10));
    }

    #[test]
    fn error_positions_count_from_the_start_of_the_list() {
        let cases = [
            ("127.0.0.1 127.1", UnexpectedEnd, 15),
            ("a, 1.2.3.256", OctetOutOfRange, 9),
            ("a -1.2.3.256", OctetOutOfRange, 9),
            ("a:65536", PortOutOfRange, 2),
            ("*:", MissingPort, 2),
            ("*x", UnexpectedByte, 1),
            ("::*:80", UnexpectedByte, 2),
            ("a --b", HyphenAtEdge, 3),
            ("unix", UnexpectedEnd, 4),
            ("%", UnexpectedEnd, 1),
            ("%0", ZoneOutOfRange, 1),
            ("a %4294967296", ZoneOutOfRange, 3),
            ("%sixteen-letters-", ZoneTooLong, 1),
            ("%eth0:", MissingPort, 6),
            ("dev:eth0:65536", PortOutOfRange, 9),
            ("dev:", MissingPort, 4),
            ("%eth0/24", UnexpectedByte, 5),
            ("fd@", UnexpectedEnd, 3),
            ("fd@x", UnexpectedByte, 3),
            ("fd@03", LeadingZero, 3),
            ("fd@2147483648", DescriptorOutOfRange, 3),
            ("b /a\\b", BadEscape, 4),
            ("@a\0b", EmbeddedNul, 2),
            ("/a\\x00b", EmbeddedNul, 2),
            ("0x7f.1", NumericName, 5),
        ];
        for (text, kind, at) in cases {
            assert_eq!(refusal(text), (kind, at), "{text:?}");
        }
    }

    #[test]
    fn a_unix_name_has_at_most_107_bytes() {
        let path = format!("/{}", "x".repeat(106));
        assert_eq!(written(&path), path);
        assert_eq!(refusal(&format!("{path}x")), (NameTooLong, 107));
        assert_eq!(refusal(&format!("@{}", "x".repeat(108))), (NameTooLong, 108));
    }
}
