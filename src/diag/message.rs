//! The netlink format: messages in a datagram, and attributes in a message (`netlink(7)`). Pure, and total on any
//! bytes.

use core::{fmt, str};

use arrayvec::ArrayVec;

use super::{field, netlink_error::NetlinkError};
use crate::error::{Cause, Errno, Error, Op, Result};

/// The length of `struct nlmsghdr`.
const HEADER_LEN: usize = 16;
/// The length of `struct nlattr`.
const ATTRIBUTE_HEADER_LEN: usize = 4;

/// Messages and attributes begin at multiples of 4.
const fn aligned(len: usize) -> usize {
    len.saturating_add(3) & !3
}

pub(crate) const fn malformed() -> Error {
    Error::refused(Op::Netlink, Cause::MalformedMessage)
}

/// The messages of one datagram.
///
/// ```
/// use anet::diag::netlink::Messages;
///
/// // Only the header of a message, which says that there are 4 bytes more.
/// let truncated = [20, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
/// let mut messages = Messages::new(&truncated);
/// assert!(messages.next().is_some_and(|message| message.is_err()));
/// assert!(messages.next().is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Messages<'b> {
    remaining: &'b [u8],
}

impl<'b> Messages<'b> {
    /// Reads the messages in these bytes.
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self { remaining: bytes }
    }

    /// How many bytes remain.
    pub(super) const fn len_bytes(&self) -> usize {
        self.remaining.len()
    }

    fn read(&mut self) -> Option<Message<'b>> {
        let bytes = core::mem::take(&mut self.remaining);
        let header: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let len = field::u32(header, 0)? as usize;
        let payload = bytes.get(HEADER_LEN..len)?;
        self.remaining = bytes.get(aligned(len)..).unwrap_or_default();
        Some(Message {
            kind: field::u16(header, 4)?,
            flags: field::u16(header, 6)?,
            sequence: field::u32(header, 8)?,
            port: field::u32(header, 12)?,
            payload,
        })
    }
}

/// Ends after the first message that is cut off or shorter than its header: its error is
/// [`MalformedMessage`](Cause::MalformedMessage).
impl<'b> Iterator for Messages<'b> {
    type Item = Result<Message<'b>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.remaining.is_empty() {
            return None;
        }
        Some(self.read().ok_or(malformed()))
    }
}

/// A message: `struct nlmsghdr` and what follows it.
#[derive(Clone, Copy, Eq, PartialEq)]
#[doc(alias = "nlmsghdr")]
pub struct Message<'b> {
    /// What the message is, such as `RTM_NEWLINK` (16).
    pub kind: u16,
    /// Such as `NLM_F_MULTI` (2).
    pub flags: u16,
    /// The number of the request that it answers; 0 for a notification.
    pub sequence: u32,
    /// The port of the socket that the message is for, or whose request has caused it.
    pub port: u32,
    /// The bytes after the header, without padding.
    pub payload: &'b [u8],
}

impl<'b> Message<'b> {
    /// The attributes after a struct of `header_len` bytes.
    pub fn attributes(&self, header_len: usize) -> Attributes<'b> {
        Attributes::new(self.payload.get(aligned(header_len)..).unwrap_or_default())
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("flags", &self.flags)
            .field("sequence", &self.sequence)
            .field("port", &self.port)
            .field("len_bytes", &self.payload.len())
            .finish()
    }
}

/// Attributes: a type, a length and bytes each.
///
/// An attribute that you do not know can be ignored. One may be longer than you expect, in a newer kernel: read the
/// part that you know.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'b> {
    remaining: &'b [u8],
}

impl<'b> Attributes<'b> {
    /// Reads the attributes in these bytes.
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self { remaining: bytes }
    }

    #[inline]
    fn read(&mut self) -> Option<Attribute<'b>> {
        let bytes = core::mem::take(&mut self.remaining);
        let len = field::u16(bytes, 0)? as usize;
        let kind = field::u16(bytes, 2)?;
        let value = bytes.get(ATTRIBUTE_HEADER_LEN..len)?;
        self.remaining = bytes.get(aligned(len)..).unwrap_or_default();
        Some(Attribute { kind, value })
    }
}

/// Ends after the first attribute that is cut off or shorter than its header: its error is
/// [`MalformedMessage`](Cause::MalformedMessage).
impl<'b> Iterator for Attributes<'b> {
    type Item = Result<Attribute<'b>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.remaining.is_empty() {
            return None;
        }
        Some(self.read().ok_or(malformed()))
    }
}

/// One attribute: `struct nlattr` and its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[doc(alias = "nlattr")]
#[doc(alias = "rtattr")]
pub struct Attribute<'b> {
    /// The type, with its flags.
    kind: u16,
    value: &'b [u8],
}

impl<'b> Attribute<'b> {
    /// The type without its flags.
    #[doc(alias = "NLA_TYPE_MASK")]
    #[inline]
    pub const fn kind(&self) -> u16 {
        self.kind & 0x3fff
    }

    /// Whether the kernel marked the value as attributes. Old families have nested attributes without the mark.
    #[doc(alias = "NLA_F_NESTED")]
    pub const fn is_marked_nested(&self) -> bool {
        self.kind & 0x8000 != 0
    }

    /// The value, without padding.
    #[inline]
    pub const fn bytes(&self) -> &'b [u8] {
        self.value
    }

    /// The attributes in the value.
    pub const fn nested(&self) -> Attributes<'b> {
        Attributes::new(self.value)
    }

    /// The first byte of the value.
    #[inline]
    pub fn u8(&self) -> Option<u8> {
        field::u8(self.value, 0)
    }

    /// The first 16 bits of the value, in the host's order.
    #[inline]
    pub fn u16(&self) -> Option<u16> {
        field::u16(self.value, 0)
    }

    /// The first 32 bits of the value, in the host's order.
    #[inline]
    pub fn u32(&self) -> Option<u32> {
        field::u32(self.value, 0)
    }

    /// The first 64 bits of the value, in the host's order.
    #[inline]
    pub fn u64(&self) -> Option<u64> {
        field::u64(self.value, 0)
    }

    /// The value up to its first NUL.
    pub fn text(&self) -> &'b [u8] {
        self.value.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

bitflags::bitflags! {
    /// Flags of a request.
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    pub struct RequestFlags: u16 {
        /// All entries of a table instead of one.
        #[doc(alias = "NLM_F_DUMP")]
        const DUMP = 0x300;
        /// Replaces an existing object.
        #[doc(alias = "NLM_F_REPLACE")]
        const REPLACE = 0x100;
        /// Fails if the object exists.
        #[doc(alias = "NLM_F_EXCL")]
        const EXCL = 0x200;
        /// Creates the object if it does not exist.
        #[doc(alias = "NLM_F_CREATE")]
        const CREATE = 0x400;
    }
}

/// `NLM_F_REQUEST`
const REQUEST: u16 = 1;
/// `NLM_F_ACK`: the answer ends with an acknowledgement. A dump ends with `NLMSG_DONE`.
const ACK: u16 = 4;

/// A message to the kernel of at most 512 bytes.
///
/// ```
/// use anet::diag::netlink::{Request, RequestFlags};
///
/// // RTM_GETLINK (18) for the interface named `lo`: struct ifinfomsg, IFLA_IFNAME (3).
/// let request = Request::new(18, RequestFlags::empty(), &[0; 16])?.with_attribute(3, b"lo\0")?;
/// assert_eq!(request.as_bytes().len(), 16 + 16 + 8);
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    bytes: ArrayVec<u8, { Self::LEN_MAX }>,
}

impl Request {
    /// The length in bytes of the longest request.
    pub const LEN_MAX: usize = 512;

    /// A request that begins with a struct of its family.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` for a struct that is too long.
    pub fn new(kind: u16, flags: RequestFlags, header: &[u8]) -> Result<Self> {
        let flags = flags.bits() | REQUEST | if flags.contains(RequestFlags::DUMP) { 0 } else { ACK };
        let mut request = Self { bytes: ArrayVec::new() };
        request.append(&[0; 4])?;
        request.append(&kind.to_ne_bytes())?;
        request.append(&flags.to_ne_bytes())?;
        request.append(&[0; 8])?;
        request.append(header)?;
        request.pad()?;
        Ok(request)
    }

    /// Adds an attribute.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if it does not fit.
    pub fn with_attribute(mut self, kind: u16, value: &[u8]) -> Result<Self> {
        let len = ATTRIBUTE_HEADER_LEN.saturating_add(value.len());
        let len = u16::try_from(len).map_err(|_| too_long())?;
        self.append(&len.to_ne_bytes())?;
        self.append(&kind.to_ne_bytes())?;
        self.append(value)?;
        self.pad()?;
        Ok(self)
    }

    /// The message as it is sent, without its sequence number.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The message with its sequence number.
    pub(super) fn numbered(&mut self, sequence: u32) -> &[u8] {
        if let Some(to) = self.bytes.get_mut(8..12) {
            to.copy_from_slice(&sequence.to_ne_bytes());
        }
        &self.bytes
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.try_extend_from_slice(bytes).map_err(|_| too_long())
    }

    /// Pads to a multiple of 4 bytes and updates the length.
    fn pad(&mut self) -> Result<()> {
        let padding = aligned(self.bytes.len()) - self.bytes.len();
        self.append([0; 3].get(..padding).unwrap_or_default())?;
        let len = self.bytes.len() as u32;
        if let Some(to) = self.bytes.first_chunk_mut() {
            *to = len.to_ne_bytes();
        }
        Ok(())
    }
}

const fn too_long() -> Error {
    Error::new(Op::Netlink, Errno::MSGSIZE)
}

/// `NLMSG_ERROR`
const ERROR: u16 = 2;
/// `NLMSG_DONE`
const DONE: u16 = 3;
/// `NLM_F_CAPPED`: the answer does not repeat the request.
const CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`: attributes follow.
const ACK_TLVS: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`
const ATTR_MSG: u16 = 1;

impl Message<'_> {
    /// The outcome of a request, if this is the message that ends its replies: an acknowledgement, an error, or the end
    /// of a dump.
    ///
    /// # Errors
    ///
    /// The kernel's error with its explanation; [`MalformedMessage`](Cause::MalformedMessage).
    #[doc(alias = "NLMSG_ERROR")]
    #[doc(alias = "NLMSG_DONE")]
    pub fn outcome(&self) -> Option<core::result::Result<(), NetlinkError>> {
        let attributes_at = match self.kind {
            ERROR => self.after_repeated_request(),
            // Old kernels send no number.
            DONE if self.payload.is_empty() => return Some(Ok(())),
            DONE => Some(4),
            _ => return None,
        };
        Some(attributes_at.ok_or(malformed()).map_err(NetlinkError::from).and_then(|at| self.verdict(at)))
    }

    /// Where the attributes of `NLMSG_ERROR` begin: after the error number and the request, of which the kernel may
    /// repeat the header alone.
    fn after_repeated_request(&self) -> Option<usize> {
        let request_len = field::u32(self.payload, 4)? as usize;
        let content_len = if self.flags & CAPPED == 0 { request_len.checked_sub(HEADER_LEN)? } else { 0 };
        Some(aligned(content_len).saturating_add(4 + HEADER_LEN))
    }

    /// The error number 0, or a negative one; a dump may end with a positive number.
    fn verdict(&self, attributes_at: usize) -> core::result::Result<(), NetlinkError> {
        let number = field::array(self.payload, 0).map(i32::from_ne_bytes).ok_or(malformed())?;
        match number {
            -4095..=-1 => {
                let error = Error::new(Op::Netlink, Errno::from_raw_os_error(-number));
                Err(NetlinkError::new(error, self.explanation(attributes_at)))
            }
            0.. => Ok(()),
            _ => Err(malformed().into()),
        }
    }

    fn explanation(&self, attributes_at: usize) -> &str {
        if self.flags & ACK_TLVS == 0 {
            return "";
        }
        let text = self.attributes(attributes_at).flatten().find(|attribute| attribute.kind() == ATTR_MSG);
        text.and_then(|attribute| str::from_utf8(attribute.text()).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{string::ToString, vec::Vec};

    /// A message with this payload.
    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let len = (HEADER_LEN + payload.len()) as u32;
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([7, 0, 0, 0, 9, 0, 0, 0]);
        bytes.extend(payload);
        bytes
    }

    fn only(bytes: &[u8]) -> Message<'_> {
        Messages::new(bytes).next().unwrap().unwrap()
    }

    /// An error number, the request's header with its length, its content, attributes.
    fn error(number: i32, request: &[u8], attributes: &[u8]) -> Vec<u8> {
        let repeated = message(18, 0, request);
        [&number.to_ne_bytes()[..], &repeated, attributes].concat()
    }

    #[test]
    fn an_error_has_the_kernels_explanation() {
        let attributes = [&[8, 0, 2, 0, 1, 0, 0, 0, 8, 0, 1, 0][..], b"odd\0"].concat();
        for (flags, request) in [(ACK_TLVS, &[1; 8][..]), (ACK_TLVS | CAPPED, &[])] {
            let bytes = message(ERROR, flags, &error(-22, request, &attributes));
            let outcome = only(&bytes).outcome().unwrap().unwrap_err();
            assert_eq!(outcome.to_string(), "netlink: Invalid argument (odd)");
        }
        let bytes = message(ERROR, 0, &error(-1, &[1; 8], &[]));
        assert_eq!(only(&bytes).outcome().unwrap().unwrap_err().to_string(), "netlink: Operation not permitted");
    }

    #[test]
    fn an_acknowledgement_and_the_end_of_a_dump_are_success() {
        let (ack, old_end, end) = (error(0, &[], &[]), [], 20_i32.to_ne_bytes());
        for (kind, payload) in [(ERROR, &ack[..]), (DONE, &old_end), (DONE, &end)] {
            assert_eq!(only(&message(kind, 0, payload)).outcome(), Some(Ok(())));
        }
        assert_eq!(only(&message(16, 0, &[])).outcome(), None);
    }

    #[test]
    fn a_truncated_outcome_is_malformed() {
        let whole = error(-22, &[1; 8], &[]);
        for len in 0..8 {
            let bytes = message(ERROR, 0, &whole[..len]);
            assert_eq!(only(&bytes).outcome(), Some(Err(malformed().into())), "{len}");
        }
        let beyond = i32::MIN.to_ne_bytes();
        assert_eq!(only(&message(DONE, 0, &beyond)).outcome(), Some(Err(malformed().into())));
    }

    #[test]
    fn a_request_that_does_not_fit_is_refused() {
        let request = Request::new(1, RequestFlags::empty(), &[0; 400]).unwrap();
        assert_eq!(only(request.as_bytes()).payload.len(), 400);
        assert_eq!(request.clone().with_attribute(1, &[0; 93]).unwrap_err().errno(), Some(Errno::MSGSIZE));
        assert!(request.clone().with_attribute(1, &[0; 92]).is_ok());
        assert!(request.with_attribute(1, &[0; 70_000]).is_err());
        assert!(Request::new(1, RequestFlags::empty(), &[0; 497]).is_err());
    }
}
