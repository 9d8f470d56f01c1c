//! [`ParseError`]: why parsing failed, and at which byte.

use core::fmt;

/// A parse error: its kind and its byte position.
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
    /// An error at a byte of the text; positions beyond 65535 are reported as 65535.
    #[cold]
    pub(crate) fn new(kind: ParseErrorKind, at: usize) -> Self {
        Self { kind, at: u16::try_from(at).unwrap_or(u16::MAX) }
    }

    /// The kind of error.
    pub const fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// The position, in bytes from the beginning of the text: the first byte of the invalid part, or the length of the
    /// text if something is missing. At most 65535.
    pub const fn at(&self) -> usize {
        self.at as usize
    }

    /// The same error, relative to a text in which the parsed part begins at `offset`.
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

/// The kind of a [`ParseError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// A backslash in a Unix name that is neither `\\` nor `\x` with two hexadecimal digits.
    BadEscape,
    /// A descriptor number above 2147483647.
    DescriptorOutOfRange,
    /// A NUL byte in a path, or a NUL byte in an abstract name that is not written as `\x00`.
    EmbeddedNul,
    /// No text where an address or host is expected.
    Empty,
    /// An empty item of a list: two adjacent separators, or a separator at the beginning or end.
    EmptyItem,
    /// A list without items.
    EmptyList,
    /// An empty label of a host name: two adjacent dots, or a leading dot.
    EmptyLabel,
    /// A group of an IPv6 address with more than four digits.
    GroupTooLong,
    /// A label of a host name that begins or ends with a hyphen.
    HyphenAtEdge,
    /// A label of a host name with more than 63 bytes.
    LabelTooLong,
    /// A number with a leading zero.
    LeadingZero,
    /// An IPv6 address without brackets, with a port or where a port must follow.
    MissingBrackets,
    /// No port where one is required.
    MissingPort,
    /// A host name of more than 253 bytes, or a Unix name that does not fit the kernel's `sun_path`.
    NameTooLong,
    /// A host name whose last label is a number, such as `127.0.0.0x1`.
    NumericName,
    /// An octet above 255.
    OctetOutOfRange,
    /// A port above 65535.
    PortOutOfRange,
    /// A second `::` in an IPv6 address.
    SecondGap,
    /// An IPv6 address with fewer than eight groups and no `::`.
    TooFewGroups,
    /// An IPv6 address with more than eight groups, or with eight and a `::`.
    TooManyGroups,
    /// A list with more items than fit in a `BindList`.
    TooManyItems,
    /// A byte that the grammar does not allow at this position.
    UnexpectedByte,
    /// A text that ends too early.
    UnexpectedEnd,
    /// A service that the services file does not have.
    UnknownService,
    /// A zone where none is accepted.
    UnexpectedZone,
    /// A zone name where only a zone index is accepted.
    ZoneByName,
    /// A zone index above 4294967295.
    ZoneOutOfRange,
    /// A zone name of more than 15 bytes.
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
            Self::TooFewGroups => "fewer than 8 groups",
            Self::TooManyGroups => "more than 8 groups",
            Self::TooManyItems => "too many items",
            Self::UnexpectedByte => "unexpected byte",
            Self::UnexpectedEnd => "unexpected end",
            Self::UnknownService => "unknown service",
            Self::UnexpectedZone => "unexpected zone",
            Self::ZoneByName => "zone given by name",
            Self::ZoneOutOfRange => "zone out of range",
            Self::ZoneTooLong => "zone of more than 15 bytes",
        }
    }
}
