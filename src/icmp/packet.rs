//! The format of ICMP messages (RFC 792, RFC 4443). Pure, and total on any bytes.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::diag::field;

/// The length of an ICMP header.
pub(super) const HEADER_LEN: usize = 8;
/// The length of an IPv4 header without options.
const V4_HEADER_LEN: usize = 20;
/// The length of an IPv6 header.
const V6_HEADER_LEN: usize = 40;

/// The version of IP that carries a message.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Version {
    /// IPv4 and its ICMP.
    V4,
    /// IPv6 and its ICMP.
    V6,
}

impl Version {
    /// The type of an echo request.
    pub(super) const fn request(self) -> u8 {
        match self {
            Self::V4 => 8,
            Self::V6 => 128,
        }
    }

    const fn reply(self) -> u8 {
        match self {
            Self::V4 => 0,
            Self::V6 => 129,
        }
    }

    /// The protocol's number in an IP header.
    const fn protocol(self) -> u8 {
        match self {
            Self::V4 => 1,
            Self::V6 => 58,
        }
    }

    /// The types that a pinger understands: replies and errors.
    pub(super) const fn answers(self) -> &'static [u8] {
        match self {
            Self::V4 => &[0, 3, 11, 12],
            Self::V6 => &[129, 1, 2, 3, 4],
        }
    }
}

/// An echo request or reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Echo<'b> {
    /// Tells the sockets of a host apart; the kernel chooses that of an unprivileged socket.
    pub identifier: u16,
    /// Tells requests apart.
    pub sequence: u16,
    /// The data, which a reply repeats.
    pub payload: &'b [u8],
}

impl<'b> Echo<'b> {
    /// The message after its type and code: checksum, identifier, sequence.
    fn parse(bytes: &'b [u8]) -> Option<Self> {
        Some(Self {
            identifier: be16(bytes, 4)?,
            sequence: be16(bytes, 6)?,
            payload: bytes.get(HEADER_LEN..).unwrap_or_default(),
        })
    }
}

/// Why a request got no reply, according to a router or the destination.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// The destination cannot be reached.
    Unreachable {
        /// The protocol's code: over IPv4 0 is a network, 1 a host and 3 a port; over IPv6 0 is no route, 3 an address.
        code: u8,
    },
    /// The request has passed as many routers as its TTL or hop limit permits, or its fragments came too late (code 1).
    TimeExceeded {
        /// The protocol's code.
        code: u8,
    },
    /// The request is too big for a link and may not be fragmented.
    TooBig {
        /// The MTU of the link in bytes; 0 if an old router did not say.
        mtu: u32,
    },
    /// A field of a header is wrong.
    ParameterProblem {
        /// The protocol's code.
        code: u8,
    },
}

impl Failure {
    /// `None` for a message that is not an error. `rest` is what follows the checksum.
    pub(super) fn new(version: Version, kind: u8, code: u8, rest: u32) -> Option<Self> {
        match (version, kind) {
            (Version::V4, 3) if code == 4 => Some(Self::TooBig { mtu: rest & 0xffff }),
            (Version::V6, 2) => Some(Self::TooBig { mtu: rest }),
            (Version::V4, 3) | (Version::V6, 1) => Some(Self::Unreachable { code }),
            (Version::V4, 11) | (Version::V6, 3) => Some(Self::TimeExceeded { code }),
            (Version::V4, 12) | (Version::V6, 4) => Some(Self::ParameterProblem { code }),
            _ => None,
        }
    }
}

/// `destination unreachable (code 1)`, `too big, MTU 1400`.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { code } => write!(f, "destination unreachable (code {code})"),
            Self::TimeExceeded { code: 0 } => f.write_str("time to live exceeded"),
            Self::TimeExceeded { code } => write!(f, "time exceeded (code {code})"),
            Self::TooBig { mtu } => write!(f, "too big, MTU {mtu}"),
            Self::ParameterProblem { code } => write!(f, "parameter problem (code {code})"),
        }
    }
}

/// The part of a request that an error or the kernel repeats.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quoted<'b> {
    /// The address the request was sent to.
    pub destination: IpAddr,
    /// The request. Routers may cut its payload.
    pub request: Echo<'b>,
}

/// What arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Answer<'b> {
    /// A reply to a request, of this process or another.
    Reply(Echo<'b>),
    /// A request, of this process or another, that has failed.
    Failure(Failure, Quoted<'b>),
    /// The kernel says when it has sent a request of this socket
    /// ([`with_send_times`](super::IcmpSocket::with_send_times)).
    Sent(Quoted<'b>),
}

/// Reads an ICMP message without an IP header: an echo reply, or an error that quotes an echo request. `None` for any
/// other message, and for one that is truncated.
///
/// The checksum is the caller's concern: the kernel has checked it over IPv6, and over IPv4 on unprivileged sockets.
pub fn parse(version: Version, bytes: &[u8]) -> Option<Answer<'_>> {
    let (kind, code) = (field::u8(bytes, 0)?, field::u8(bytes, 1)?);
    if kind == version.reply() {
        return Echo::parse(bytes).map(Answer::Reply);
    }
    let rest = field::array(bytes, 4).map(u32::from_be_bytes)?;
    let failure = Failure::new(version, kind, code, rest)?;
    quoted(version, bytes.get(HEADER_LEN..)?).map(|quoted| Answer::Failure(failure, quoted))
}

/// The longest header before an IP packet that is looked for.
const LINK_HEADER_MAX: usize = 64;

/// The echo request with this identifier in a packet as it leaves, behind a header of the link, of any length.
pub(super) fn sent(version: Version, frame: &[u8], identifier: u16) -> Option<Quoted<'_>> {
    let starts = 0..=LINK_HEADER_MAX.min(frame.len());
    starts.into_iter().find_map(|at| {
        let packet = frame.get(at..)?;
        let is_of_version = field::u8(packet, 0)? >> 4 == if version == Version::V4 { 4 } else { 6 };
        quoted(version, packet).filter(|quoted| is_of_version && quoted.request.identifier == identifier)
    })
}

/// An IP packet that begins with an echo request.
fn quoted(version: Version, packet: &[u8]) -> Option<Quoted<'_>> {
    let (destination, request) = match version {
        Version::V4 => {
            let (header, content) = split_v4(packet)?;
            (Ipv4Addr::from(field::array::<4>(header, 16)?).into(), content)
        }
        Version::V6 => {
            let (header, content) = packet.split_at_checked(V6_HEADER_LEN)?;
            if field::u8(header, 6)? != version.protocol() {
                return None;
            }
            (Ipv6Addr::from(field::array::<16>(header, 24)?).into(), content)
        }
    };
    quoted_request(version, request).map(|request| Quoted { destination, request })
}

/// An echo request whose end may be cut off.
pub(super) fn quoted_request(version: Version, bytes: &[u8]) -> Option<Echo<'_>> {
    if field::u8(bytes, 0)? == version.request() { Echo::parse(bytes) } else { None }
}

/// The header and the content of an IPv4 packet that carries ICMP and is not a later fragment.
pub(super) fn split_v4(packet: &[u8]) -> Option<(&[u8], &[u8])> {
    let header_len = usize::from(field::u8(packet, 0)? & 15) * 4;
    let is_v4 = field::u8(packet, 0)? >> 4 == 4 && header_len >= V4_HEADER_LEN;
    let is_first = be16(packet, 6)? & 0x1fff == 0;
    let is_icmp = field::u8(packet, 9)? == Version::V4.protocol();
    if is_v4 && is_first && is_icmp { packet.split_at_checked(header_len) } else { None }
}

/// The Internet checksum (RFC 1071): 0 over a message with a correct one.
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|chunk| match *chunk {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    // 65535 bytes are fewer than 65536 words, so the sum does not overflow.
    let sum: u32 = words.take(1 << 15).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    field::array(bytes, at).map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{vec, vec::Vec};

    fn echo(kind: u8) -> Vec<u8> {
        [&[kind, 0, 0, 0, 1, 2, 3, 4][..], b"payload"].concat()
    }

    fn in_v4(content: &[u8]) -> Vec<u8> {
        let header = [0x46, 0, 0, 0, 0, 0, 0x40, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0];
        [&header[..], content].concat()
    }

    fn in_v6(content: &[u8]) -> Vec<u8> {
        let mut header = [0; 40];
        (header[0], header[6], header[39]) = (0x60, 58, 7);
        [&header[..], content].concat()
    }

    const ECHO: Echo<'static> = Echo { identifier: 0x102, sequence: 0x304, payload: b"payload" };

    #[test]
    fn a_sent_request_is_found_behind_a_header_of_the_link() {
        for (version, packet) in [(Version::V4, in_v4(&echo(8))), (Version::V6, in_v6(&echo(128)))] {
            for link_len in [0, 14, 18, 64] {
                let frame = [&vec![0x46; link_len][..], &packet].concat();
                assert_eq!(sent(version, &frame, 0x102).unwrap().request, ECHO);
                assert_eq!(sent(version, &frame, 7), None);
                for len in 0..link_len + packet.len() - b"payload".len() {
                    assert_eq!(sent(version, &frame[..len], 0x102), None, "{len}");
                }
            }
        }
    }

    #[test]
    fn a_reply_is_read_and_a_request_is_not() {
        assert_eq!(parse(Version::V4, &echo(0)), Some(Answer::Reply(ECHO)));
        assert_eq!(parse(Version::V6, &echo(129)), Some(Answer::Reply(ECHO)));
        assert_eq!((parse(Version::V4, &echo(8)), parse(Version::V6, &echo(128))), (None, None));
    }

    #[test]
    fn an_error_has_the_request_that_it_quotes() {
        let cases = [
            (Version::V4, [3, 1, 0, 0, 0, 0, 0, 0], Failure::Unreachable { code: 1 }),
            (Version::V4, [3, 4, 0, 0, 0, 0, 5, 120], Failure::TooBig { mtu: 1400 }),
            (Version::V4, [11, 0, 0, 0, 0, 0, 0, 0], Failure::TimeExceeded { code: 0 }),
            (Version::V6, [1, 3, 0, 0, 0, 0, 0, 0], Failure::Unreachable { code: 3 }),
            (Version::V6, [2, 0, 0, 0, 0, 0, 5, 120], Failure::TooBig { mtu: 1400 }),
            (Version::V6, [3, 0, 0, 0, 0, 0, 0, 0], Failure::TimeExceeded { code: 0 }),
        ];
        for (version, header, failure) in cases {
            let (quoted, destination) = match version {
                Version::V4 => (in_v4(&echo(8)), IpAddr::from([10, 0, 0, 2])),
                Version::V6 => (in_v6(&echo(128)), "::7".parse().unwrap()),
            };
            let bytes = [&header[..], &quoted].concat();
            let expected = Answer::Failure(failure, Quoted { destination, request: ECHO });
            assert_eq!(parse(version, &bytes), Some(expected));
            // A router may quote 8 bytes of the request, not fewer.
            let shortest = bytes.len() - ECHO.payload.len();
            for len in 0..bytes.len() {
                assert_eq!(parse(version, &bytes[..len]).is_some(), len >= shortest, "{version:?} {len}");
            }
        }
    }

    #[test]
    fn an_error_that_quotes_something_else_is_ignored() {
        let udp = {
            let mut packet = in_v4(&echo(8));
            packet[9] = 17;
            packet
        };
        let fragment = {
            let mut packet = in_v4(&echo(8));
            packet[7] = 1;
            packet
        };
        for quoted in [udp, fragment, in_v4(&echo(0)), in_v6(&echo(8))] {
            assert_eq!(parse(Version::V4, &[&[3, 1, 0, 0, 0, 0, 0, 0][..], &quoted].concat()), None);
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        // RFC 1071, section 3.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!((checksum(&[]), checksum(&[0xff]), checksum(&[0xff; 65535])), (0xffff, 0x00ff, 0x00ff));
    }
}
