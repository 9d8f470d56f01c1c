//! [`ParseError`]: what a text was refused for, and where.

use core::fmt;

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
