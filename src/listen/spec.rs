//! Where to listen, as text: one grammar for Redis's `bind` and memcached's `-l`.
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
//! | `fe80::1%eth0`, `[fe80::1%3]:80` | the same on one link |
//! | `localhost`, `localhost:80` | the addresses of this host |
//! | `*`, `*:80` | every IPv4 address |
//! | `::*`, `::`, `[::]:80` | every IPv6 address |
//! | `/path`, `unix:path`, `@name` | a Unix socket, its text that of [`AddrText`] |
//! | `fd@3` | an inherited descriptor, see [below](#descriptors-by-number) |
//!
//! A leading `-` marks an item as optional: that its address does not exist on this machine (`EADDRNOTAVAIL`) is no
//! error. `*` is IPv4 alone, as Redis means it; what memcached means by `*` is written `* -::*`.
//!
//! # The list
//! Items stand apart by blanks, by one `,` or by one `;`, with blanks around it or not; blanks at either end do not
//! count. A `,` or `;` with no item on one of its sides is refused, because it is where a variable expanded to nothing
//! and a server would quietly listen on less. So is an empty list: who wants no listener parses none. So are more
//! than 16 items. An item given twice is kept twice; the second one fails to bind. Any refusal refuses the whole list.
//!
//! A blank, `,` or `;` in a Unix name is written `\x20`, `\x2c` or `\x3b`. A host called `unix` is written with a
//! trailing dot, `unix.` or `unix.:80`.
//!
//! # Descriptors by number
//! `fd@3` is meant for a listening socket that a supervisor hands over at the start of the process. Opening the list
//! duplicates the descriptor that has the number at that moment, whatever part of the program opened it. So a text can
//! reach a descriptor that the code which opens the list does not own, without `unsafe`. What it can do is limited:
//!
//! - If the descriptor is not open, no socket or does not listen, nothing: the list is refused. So no file, connection
//!   or epoll instance comes out of a list. (On Apple's systems the kernel does not say what listens; there any
//!   descriptor comes out.)
//! - If it listens, the set has a duplicate. The owner keeps the descriptor: it is never closed, and its number stays.
//!   But both stand for one socket, with one queue of connections, of which each gets some; one set of options; and one
//!   non-blocking mode, which opening the list switches on for both. Shutting the duplicate down shuts the socket down.
//!
//! None of this breaks memory safety, which does not rest on a listening socket being used by its owner alone. The
//! caller answers for the rest:
//!
//! - That the number is that of the socket meant. A number that is closed goes to the next descriptor opened, so the
//!   list is to be opened before anything can close what was inherited, and a text from an untrusted source is to be
//!   looked through for [`Target::Fd`].
//! - For the inherited descriptor itself. While it is open the socket listens, also when the set is dropped, and
//!   clients queue up for a server that is gone. It is passed on by `execve` unless the caller sets close-on-exec, as
//!   the duplicate has.

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

/// The most items a list holds, as in Redis.
#[doc(alias = "CONFIG_BINDADDR_MAX")]
pub const BIND_LIST_MAX: usize = 16;

/// The highest number a descriptor can have.
const DESCRIPTOR_MAX: u32 = i32::MAX as u32;

/// One place to listen on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct BindSpec<'a> {
    /// Whether the list may be served without this item if its address does not exist here (`EADDRNOTAVAIL`).
    pub optional: bool,
    /// The place.
    pub target: Target<'a>,
}

/// A place to listen on. Names and zones are as they were written, for somebody else to resolve.
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
    /// A Unix socket, never unnamed.
    Unix(UnixAddr),
    /// A descriptor that this process inherited, 0 to 2147483647. The caller answers for the
    /// [number](self#descriptors-by-number).
    Fd(u32),
}

impl<'a> BindSpec<'a> {
    /// Reads one item of a list; `default_port` is for an address or name without one.
    ///
    /// # Errors
    /// A [`ParseError`] for anything else.
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
        match text {
            "::*" => return Ok(Self::Inet(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), default_port))),
            // As a host it would be written `unix:port`, which is a path.
            "unix" => return Err(ParseError::new(ParseErrorKind::UnexpectedEnd, text.len())),
            _ => {}
        }
        if cursor.take(b'*') {
            let port = if cursor.take(b':') { cursor.port()? } else { default_port };
            return cursor.end(Self::Inet(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)));
        }
        HostPort::parse(text).map(|HostPort { host, port }| Self::host(host, port.unwrap_or(default_port)))
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

/// A Unix target, unless there is no name: the kernel would make one up, which nobody would find.
fn named<'a>(addr: UnixAddr) -> Option<Target<'a>> {
    match addr.as_sun_path() {
        [] | [0] => None,
        _ => Some(Target::Unix(addr)),
    }
}

/// The item in the form with everything written out, which [`BindSpec::parse`] reads to the same value.
impl fmt::Display for BindSpec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.optional {
            f.write_str("-")?;
        }
        fmt::Display::fmt(&self.target, f)
    }
}

/// Such as `127.0.0.1:6379`, `[fe80::1%eth0]:80`, `localhost:80`, `/run/kv.sock`, `fd@3`.
impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => f.write_str(&SocketText::from(*addr)),
            Self::Zoned { ip, zone, port } => write!(f, "[{}%{zone}]:{port}", SocketText::from(IpAddr::V6(*ip))),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(addr) => f.write_str(&AddrText::unix(addr, separates)),
            Self::Fd(number) => write!(f, "fd@{number}"),
        }
    }
}

/// What stands between items.
fn separates(char: char) -> bool {
    char == ',' || char == ';' || u8::try_from(char).is_ok_and(is_blank)
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || (b'\t'..=b'\r').contains(&byte)
}

/// The places a server listens on, 1 to 16 of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BindList<'a> {
    specs: ArrayVec<BindSpec<'a>, BIND_LIST_MAX>,
}

impl<'a> BindList<'a> {
    /// Reads a list; `default_port` is for the addresses and names without one.
    ///
    /// # Errors
    /// A [`ParseError`] whose position counts from the beginning of `text`: that of the item that is refused or of
    /// the 17th, of the byte within it, or of the separator with nothing before it.
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

    /// How many places, 1 to 16.
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

/// The items with a blank between them, which [`BindList::parse`] reads to the same list.
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
    /// Whether a `,` or `;` stands before the cursor, so that an item must follow.
    owed: bool,
}

impl<'a> Items<'a> {
    fn new(text: &'a str) -> Self {
        Self { cursor: Cursor::new(text), owed: false }
    }

    /// The next item and where it begins.
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
    fn what_redis_and_memcached_write_is_read() {
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
        ];
        for (text, whole) in cases {
            assert_eq!(written(text), whole);
        }
    }

    #[test]
    fn blanks_and_one_separator_stand_between_items() {
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
    fn sixteen_items_fit_and_the_seventeenth_is_refused_where_it_stands() {
        let items: Vec<_> = (10..27).map(|n| format!("10.0.0.{n}")).collect();
        assert_eq!(BindList::parse(&items[..16].join(" "), 1).unwrap().len(), 16);
        assert_eq!(refusal(&items.join(" ")), (TooManyItems, 16 * 10));
    }

    #[test]
    fn refusals_count_from_the_beginning_of_the_list() {
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
    fn a_unix_name_has_107_bytes_at_most() {
        let path = format!("/{}", "x".repeat(106));
        assert_eq!(written(&path), path);
        assert_eq!(refusal(&format!("{path}x")), (NameTooLong, 107));
        assert_eq!(refusal(&format!("@{}", "x".repeat(108))), (NameTooLong, 108));
    }
}
