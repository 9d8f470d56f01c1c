//! Bytes to control messages.

use core::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use super::{
    ControlMessage, Credentials, ErrorOrigin, ExtendedError, FdNumbers, PacketInfoV4, PacketInfoV6, Timestamping,
};
use crate::{
    addr::Endpoint,
    error::Errno,
    sys::{
        cmsg::frame,
        raw::{SCM_CREDENTIALS, SCM_RIGHTS, name::*},
    },
};

/// Reads control messages from bytes, in order. It ends at a length that the bytes do not hold.
///
/// ```
/// use anet::datagram::cmsg::{self, ControlMessage, Decoder, Encoder};
///
/// let mut space = [0; 2 * cmsg::space(4)];
/// let mut encoder = Encoder::new(&mut space);
/// encoder.push(&ControlMessage::HopLimit(64))?;
/// encoder.push(&ControlMessage::TrafficClass(0b10))?;
/// assert_eq!(Decoder::new(encoder.as_bytes()).last(), Some(ControlMessage::TrafficClass(0b10)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "CMSG_NXTHDR")]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    next: usize,
}

impl<'a> Decoder<'a> {
    /// Reads from any bytes. Numbers of descriptors in them mean nothing unless they come from the kernel.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0 }
    }
}

impl<'a> Iterator for Decoder<'a> {
    type Item = ControlMessage<'a>;

    #[inline]
    fn next(&mut self) -> Option<ControlMessage<'a>> {
        let frame = frame(self.bytes, self.next)?;
        self.next = frame.next;
        // A frame without data may end before the padding of its header does.
        let data = self.bytes.get(frame.data).unwrap_or_default();
        let (level, kind) = (frame.level, frame.kind);
        Some(decode(level, kind, data).unwrap_or(ControlMessage::Unknown { level, kind, data }))
    }
}

/// A message of a known kind.
fn decode(level: i32, kind: i32, data: &[u8]) -> Option<ControlMessage<'_>> {
    let fields = Fields(data);
    match level {
        SOL_SOCKET => decode_socket(kind, data),
        SOL_IP => decode_v4(kind, fields),
        SOL_IPV6 => decode_v6(kind, fields),
        SOL_UDP => decode_udp(kind, fields),
        _ => None,
    }
}

fn decode_socket(kind: i32, data: &[u8]) -> Option<ControlMessage<'_>> {
    let mut fields = Fields(data);
    match kind {
        SCM_RIGHTS => Some(ControlMessage::Rights(FdNumbers::new(data))),
        SCM_CREDENTIALS => credentials(fields).map(ControlMessage::Credentials),
        SO_TIMESTAMPNS => fields.native_time(NANOSECOND).map(ControlMessage::Time),
        SO_TIMESTAMPNS_NEW => fields.time(NANOSECOND).map(ControlMessage::Time),
        SO_TIMESTAMP => fields.native_time(MICROSECOND).map(ControlMessage::Time),
        SO_TIMESTAMP_NEW => fields.time(MICROSECOND).map(ControlMessage::Time),
        SO_TIMESTAMPING => timestamping(|| fields.native_time(NANOSECOND)),
        SO_TIMESTAMPING_NEW => timestamping(|| fields.time(NANOSECOND)),
        SO_RXQ_OVFL => fields.u32().map(ControlMessage::Dropped),
        SO_MARK => fields.u32().map(ControlMessage::Mark),
        SCM_TXTIME => fields.take().map(u64::from_ne_bytes).map(ControlMessage::TransmitTime),
        _ => None,
    }
}

fn decode_v4<'a>(kind: i32, mut fields: Fields<'a>) -> Option<ControlMessage<'a>> {
    match kind {
        IP_TOS => fields.small().map(ControlMessage::TypeOfService),
        IP_TTL => fields.small().map(ControlMessage::TimeToLive),
        IP_PKTINFO => {
            let interface = fields.u32()?;
            let (local, destination) = (fields.v4()?, fields.v4()?);
            Some(ControlMessage::PacketInfoV4(PacketInfoV4 { interface, local, destination }))
        }
        IP_RECVERR => extended_error(fields).map(ControlMessage::ErrorV4),
        _ => None,
    }
}

fn decode_v6<'a>(kind: i32, mut fields: Fields<'a>) -> Option<ControlMessage<'a>> {
    match kind {
        IPV6_TCLASS => fields.small().map(ControlMessage::TrafficClass),
        IPV6_HOPLIMIT => fields.small().map(ControlMessage::HopLimit),
        IPV6_PKTINFO => {
            let destination = Ipv6Addr::from(fields.take::<16>()?);
            Some(ControlMessage::PacketInfoV6(PacketInfoV6 { destination, interface: fields.u32()? }))
        }
        IPV6_RECVERR => extended_error(fields).map(ControlMessage::ErrorV6),
        _ => None,
    }
}

fn decode_udp<'a>(kind: i32, mut fields: Fields<'a>) -> Option<ControlMessage<'a>> {
    match kind {
        UDP_GRO => u16::try_from(fields.u32()?).ok().map(ControlMessage::JoinedSegments),
        UDP_SEGMENT => fields.take().map(u16::from_ne_bytes).map(ControlMessage::SegmentSize),
        _ => None,
    }
}

fn credentials(mut fields: Fields<'_>) -> Option<Credentials> {
    Some(Credentials { pid: fields.u32()?, uid: fields.u32()?, gid: fields.u32()? })
}

/// Three times: by the kernel, one that is no longer used, and by the device. Zero means none.
fn timestamping<'a>(mut time: impl FnMut() -> Option<Duration>) -> Option<ControlMessage<'a>> {
    let (software, _, hardware) = (time()?, time()?, time()?);
    let some = |time: Duration| (!time.is_zero()).then_some(time);
    Some(ControlMessage::Timestamping(Timestamping { software: some(software), hardware: some(hardware) }))
}

fn extended_error(mut fields: Fields<'_>) -> Option<ExtendedError> {
    let errno = match fields.u32()? {
        0 => None,
        number @ 1..=4095 => Some(Errno::from_raw_os_error(number as i32)),
        _ => return None,
    };
    let [origin, kind, code, _] = fields.take()?;
    let (info, data) = (fields.u32()?, fields.u32()?);
    Some(ExtendedError {
        errno,
        origin: ErrorOrigin::of(origin),
        kind,
        code,
        info,
        data,
        offender: Endpoint::from_sockaddr(fields.0),
    })
}

impl ErrorOrigin {
    const fn of(number: u8) -> Self {
        match number {
            1 => Self::Local,
            2 => Self::Icmp,
            3 => Self::Icmp6,
            number => Self::Other(number),
        }
    }
}

/// The units of a time's second field, as their number in a second.
const NANOSECOND: u64 = 1_000_000_000;
const MICROSECOND: u64 = 1_000_000;

/// The fields of a struct, from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    #[inline]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    fn v4(&mut self) -> Option<Ipv4Addr> {
        self.take::<4>().map(Ipv4Addr::from)
    }

    /// One byte, as a byte or as an `int`.
    fn small(&mut self) -> Option<u8> {
        match self.u32() {
            Some(number) => u8::try_from(number).ok(),
            None => self.take().map(|[byte]| byte),
        }
    }

    /// Seconds and a part of a second, of 64 bits each.
    fn time(&mut self, units: u64) -> Option<Duration> {
        let (seconds, part) = (self.take().map(u64::from_ne_bytes)?, self.take().map(u64::from_ne_bytes)?);
        time(seconds, part, units)
    }

    /// Seconds and a part of a second, of the size of a `long`.
    fn native_time(&mut self, units: u64) -> Option<Duration> {
        let (seconds, part) = (self.take().map(usize::from_ne_bytes)?, self.take().map(usize::from_ne_bytes)?);
        time(seconds as u64, part as u64, units)
    }
}

/// A time before 1970 is none: the sign bit makes it too large.
fn time(seconds: u64, part: u64, units: u64) -> Option<Duration> {
    let is_in_range = seconds <= i64::MAX as u64 && part < units;
    is_in_range.then(|| Duration::new(seconds, (part * (NANOSECOND / units)) as u32))
}
