//! Control messages to bytes.

use core::{error::Error, fmt, marker::PhantomData, time::Duration};

use rustix::fd::{AsRawFd, BorrowedFd};

use super::{
    ControlMessage, Credentials, ErrorOrigin, ExtendedError, FDS_MAX, PacketInfoV4, PacketInfoV6, Timestamping,
};
use crate::{
    addr::Endpoint,
    sys::{
        self,
        cmsg::append,
        raw::{SCM_CREDENTIALS, SCM_RIGHTS, name::*},
    },
};

/// Writes control messages into a buffer of the caller, of any alignment.
///
/// [`space`](super::space) and [`fds_space`](super::fds_space) are the room that a message needs.
#[derive(Debug, Default)]
pub struct Encoder<'a> {
    bytes: &'a mut [u8],
    len: usize,
    /// Descriptors are only lent: they stay open until the message was sent.
    lent: PhantomData<BorrowedFd<'a>>,
}

/// Why a control message was not encoded. The encoder is as it was before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer has too little room left.
    NoRoom,
    /// More descriptors than a message carries ([`FDS_MAX`]).
    TooManyFds {
        /// How many.
        count: usize,
    },
    /// A time or error number that the kernel's struct cannot represent.
    OutOfRange,
    /// Numbers of descriptors, which [`Encoder::push_fds`] takes as descriptors, or addresses of memory (`SOL_RDS`).
    NotByValue,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom => f.write_str("No room for the control message"),
            Self::TooManyFds { count } => {
                write!(f, "{count} descriptors in a message, which must be at most {FDS_MAX}")
            }
            Self::OutOfRange => f.write_str("Value of the control message out of range"),
            Self::NotByValue => f.write_str("Control message with descriptors or addresses as plain numbers"),
        }
    }
}

impl Error for EncodeError {}

impl<'a> Encoder<'a> {
    /// Starts at the front of `bytes`.
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0, lent: PhantomData }
    }

    /// Appends a message.
    ///
    /// Which kinds the kernel accepts depends on the socket: IP sockets take packet info, traffic class, TTL or hop
    /// limit, segment size, mark and transmit time; Unix sockets descriptors and credentials.
    ///
    /// # Errors
    ///
    /// Every [`EncodeError`] but `TooManyFds`.
    pub fn push(&mut self, message: &ControlMessage<'_>) -> Result<(), EncodeError> {
        match *message {
            ControlMessage::Rights(_) => Err(EncodeError::NotByValue),
            ControlMessage::Unknown { level, kind, data } => self.append_raw(level, kind, data),
            ref message => {
                let mut data = Data { bytes: [0; Data::CAPACITY], len: 0 };
                let (level, kind) = write(message, &mut data)?;
                self.append(level, kind, data.bytes.get(..data.len).unwrap_or_default())
            }
        }
    }

    /// Appends a message with descriptors. The peer gets its own copies of them; those of the caller stay open.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`], [`EncodeError::TooManyFds`].
    #[doc(alias = "SCM_RIGHTS")]
    pub fn push_fds(&mut self, fds: &[BorrowedFd<'a>]) -> Result<(), EncodeError> {
        if fds.len() > FDS_MAX {
            return Err(EncodeError::TooManyFds { count: fds.len() });
        }
        let mut numbers = [0; FDS_MAX * size_of::<i32>()];
        for (to, from) in numbers.chunks_exact_mut(size_of::<i32>()).zip(fds) {
            to.copy_from_slice(&from.as_raw_fd().to_ne_bytes());
        }
        let data = numbers.get(..size_of_val(fds)).unwrap_or_default();
        self.append(SOL_SOCKET, SCM_RIGHTS, data)
    }

    /// The messages, as the kernel reads them.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Whether there is no message.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes all messages.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    fn append_raw(&mut self, level: i32, kind: i32, data: &[u8]) -> Result<(), EncodeError> {
        if level == SOL_RDS || (level == SOL_SOCKET && kind == SCM_RIGHTS) {
            return Err(EncodeError::NotByValue);
        }
        self.append(level, kind, data)
    }

    fn append(&mut self, level: i32, kind: i32, data: &[u8]) -> Result<(), EncodeError> {
        self.len = append(self.bytes, self.len, level, kind, data).ok_or(EncodeError::NoRoom)?;
        Ok(())
    }
}

/// The data of one message; the longest is an error with a Unix address.
struct Data {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Data {
    const CAPACITY: usize = 136;

    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
            self.len += 1;
        }
        self
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.put(&number.to_ne_bytes())
    }
}

/// Writes the data, and returns level and type.
fn write(message: &ControlMessage<'_>, data: &mut Data) -> Result<(i32, i32), EncodeError> {
    match *message {
        ControlMessage::Credentials(credentials) => put_credentials(credentials, data),
        ControlMessage::PacketInfoV4(info) => put_packet_info_v4(info, data),
        ControlMessage::PacketInfoV6(info) => put_packet_info_v6(info, data),
        ControlMessage::TypeOfService(class) => data.put(&[class]),
        ControlMessage::TrafficClass(number)
        | ControlMessage::TimeToLive(number)
        | ControlMessage::HopLimit(number) => data.u32(number.into()),
        ControlMessage::Time(time) => put_time(time, data)?,
        ControlMessage::Timestamping(times) => put_timestamping(times, data)?,
        ControlMessage::JoinedSegments(len) => data.u32(len.into()),
        ControlMessage::SegmentSize(len) => data.put(&len.to_ne_bytes()),
        ControlMessage::Dropped(number) | ControlMessage::Mark(number) => data.u32(number),
        ControlMessage::TransmitTime(nanoseconds) => data.put(&nanoseconds.to_ne_bytes()),
        ControlMessage::ErrorV4(ref error) | ControlMessage::ErrorV6(ref error) => put_error(error, data)?,
        ControlMessage::Rights(_) | ControlMessage::Unknown { .. } => data,
    };
    Ok(name_of(message))
}

const fn name_of(message: &ControlMessage<'_>) -> (i32, i32) {
    match *message {
        ControlMessage::Rights(_) => (SOL_SOCKET, SCM_RIGHTS),
        ControlMessage::Credentials(_) => (SOL_SOCKET, SCM_CREDENTIALS),
        ControlMessage::PacketInfoV4(_) => (SOL_IP, IP_PKTINFO),
        ControlMessage::PacketInfoV6(_) => (SOL_IPV6, IPV6_PKTINFO),
        ControlMessage::TypeOfService(_) => (SOL_IP, IP_TOS),
        ControlMessage::TrafficClass(_) => (SOL_IPV6, IPV6_TCLASS),
        ControlMessage::TimeToLive(_) => (SOL_IP, IP_TTL),
        ControlMessage::HopLimit(_) => (SOL_IPV6, IPV6_HOPLIMIT),
        ControlMessage::Time(_) => (SOL_SOCKET, SO_TIMESTAMPNS_NEW),
        ControlMessage::Timestamping(_) => (SOL_SOCKET, SO_TIMESTAMPING_NEW),
        ControlMessage::JoinedSegments(_) => (SOL_UDP, UDP_GRO),
        ControlMessage::SegmentSize(_) => (SOL_UDP, UDP_SEGMENT),
        ControlMessage::Dropped(_) => (SOL_SOCKET, SO_RXQ_OVFL),
        ControlMessage::Mark(_) => (SOL_SOCKET, SO_MARK),
        ControlMessage::TransmitTime(_) => (SOL_SOCKET, SCM_TXTIME),
        ControlMessage::ErrorV4(_) => (SOL_IP, IP_RECVERR),
        ControlMessage::ErrorV6(_) => (SOL_IPV6, IPV6_RECVERR),
        ControlMessage::Unknown { level, kind, .. } => (level, kind),
    }
}

fn put_credentials(of: Credentials, data: &mut Data) -> &mut Data {
    data.u32(of.pid).u32(of.uid).u32(of.gid)
}

fn put_packet_info_v4(info: PacketInfoV4, data: &mut Data) -> &mut Data {
    data.u32(info.interface).put(&info.local.octets()).put(&info.destination.octets())
}

fn put_packet_info_v6(info: PacketInfoV6, data: &mut Data) -> &mut Data {
    data.put(&info.destination.octets()).u32(info.interface)
}

fn put_time(time: Duration, data: &mut Data) -> Result<&mut Data, EncodeError> {
    let seconds = i64::try_from(time.as_secs()).map_err(|_| EncodeError::OutOfRange)?;
    Ok(data.put(&seconds.to_ne_bytes()).put(&i64::from(time.subsec_nanos()).to_ne_bytes()))
}

/// Zero means none, so a time of zero cannot be represented.
fn put_timestamping(times: Timestamping, data: &mut Data) -> Result<&mut Data, EncodeError> {
    if times.software == Some(Duration::ZERO) || times.hardware == Some(Duration::ZERO) {
        return Err(EncodeError::OutOfRange);
    }
    let data = put_time(times.software.unwrap_or_default(), data)?;
    let data = put_time(Duration::ZERO, data)?;
    put_time(times.hardware.unwrap_or_default(), data)
}

fn put_error<'d>(error: &ExtendedError, data: &'d mut Data) -> Result<&'d mut Data, EncodeError> {
    let origin = match error.origin {
        ErrorOrigin::Local => 1,
        ErrorOrigin::Icmp => 2,
        ErrorOrigin::Icmp6 => 3,
        ErrorOrigin::Other(number) => number,
    };
    let errno = error.errno.map_or(0, |errno| errno.raw_os_error() as u32);
    data.u32(errno).put(&[origin, error.kind, error.code, 0]).u32(error.info).u32(error.data);
    match error.offender {
        Endpoint::Unknown { family } => Ok(data.put(&family.to_ne_bytes())),
        ref known => sys::name_of(known).map(|name| data.put(name.as_bytes())).map_err(|_| EncodeError::OutOfRange),
    }
}
