//! Messages with control data: the kernel's structs, and the descriptors that arrive in control messages.
//!
//! A received descriptor belongs to the control data that it arrived in, until [`TakeFds`] hands it out; the rest are
//! closed with the control data. The bytes themselves are the record: a descriptor that was handed out is overwritten
//! with -1.

mod batch;

use core::{ops::Range, ptr};

use rustix::{
    fd::{BorrowedFd, FromRawFd, OwnedFd},
    io::Errno,
};

use super::{OptionName, call, call::c};
use crate::sys::cmsg;

pub(crate) use batch::*;

/// Room for every address that this crate knows; the longest is `sockaddr_un` and the byte that the kernel counts
/// after a path of 108 bytes.
const NAME_CAPACITY: usize = 112;

/// An address as the kernel reads and writes it; empty: none.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Name {
    len: u8,
    bytes: [u8; NAME_CAPACITY],
}

impl Name {
    pub(crate) const NONE: Self = Self { len: 0, bytes: [0; NAME_CAPACITY] };

    /// Keeps what fits; an address of this crate always does.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut name = Self::NONE;
        let len = bytes.len().min(NAME_CAPACITY);
        for (to, from) in name.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        name.len = len as u8;
        name
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }

    /// The kernel reports the length that the address has, even if it does not fit.
    fn set_len(&mut self, len: u32) {
        self.len = len.min(NAME_CAPACITY as u32) as u8;
    }
}

/// `struct iovec`
#[derive(Clone, Copy)]
#[repr(C)]
struct IoVec {
    base: *mut u8,
    len: usize,
}

/// `struct user_msghdr` of the kernel. libc's has the same layout, or one that pads the lengths to a word.
#[derive(Clone, Copy)]
#[repr(C)]
struct MsgHdr {
    name: *mut u8,
    name_len: u32,
    iov: *mut IoVec,
    iov_len: usize,
    control: *mut u8,
    control_len: usize,
    flags: u32,
}

const _: () = assert!(size_of::<MsgHdr>() == size_of::<c::msghdr>());
const _: () = assert!(align_of::<MsgHdr>() == align_of::<c::msghdr>());

impl MsgHdr {
    const NOTHING: Self = Self {
        name: ptr::null_mut(),
        name_len: 0,
        iov: ptr::null_mut(),
        iov_len: 0,
        control: ptr::null_mut(),
        control_len: 0,
        flags: 0,
    };

    #[inline]
    fn with_name(mut self, name: *mut u8, len: usize) -> Self {
        // The kernel refuses a null pointer with a length, and ignores the pointer without one.
        (self.name, self.name_len) = (if len == 0 { ptr::null_mut() } else { name }, len as u32);
        self
    }

    #[inline]
    fn with_control(mut self, control: *mut u8, len: usize) -> Self {
        (self.control, self.control_len) = (if len == 0 { ptr::null_mut() } else { control }, len);
        self
    }
}

/// What the kernel reports with a message, besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags(i32);

impl Flags {
    pub(crate) const NONE: Self = Self(0);

    /// `MSG_TRUNC`: the message was longer than the buffer.
    pub(crate) const fn is_truncated(self) -> bool {
        self.0 & c::MSG_TRUNC as i32 != 0
    }

    /// `MSG_CTRUNC`: control messages were cut off or left out.
    pub(crate) const fn is_control_truncated(self) -> bool {
        self.0 & c::MSG_CTRUNC as i32 != 0
    }
}

/// How to receive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Receive {
    /// Bytes of a stream.
    Stream,
    /// A whole datagram, with its true length.
    Datagram,
    /// A datagram that has arrived already.
    ArrivedDatagram,
    /// A datagram that came back as undeliverable.
    ErrorQueue,
}

impl Receive {
    /// Received descriptors are close-on-exec from the start.
    const fn flags(self) -> i32 {
        let chosen = match self {
            Self::Stream => 0,
            Self::Datagram => c::MSG_TRUNC as i32,
            Self::ArrivedDatagram => c::MSG_TRUNC as i32 | c::MSG_DONTWAIT as i32,
            Self::ErrorQueue => c::MSG_TRUNC as i32 | c::MSG_ERRQUEUE as i32,
        };
        chosen | c::MSG_CMSG_CLOEXEC as i32
    }
}

/// Control messages as the kernel wrote them, and the owner of the descriptors in them.
#[derive(Debug)]
pub(crate) struct Control<'c> {
    bytes: &'c mut [u8],
}

impl Control<'_> {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes
    }

    pub(crate) fn take_fds(&mut self) -> TakeFds<'_> {
        TakeFds::of(self.bytes)
    }
}

impl Drop for Control<'_> {
    fn drop(&mut self) {
        self.take_fds().for_each(drop);
    }
}

/// The same with memory of its own.
#[repr(C)]
pub(crate) struct ControlArray<const C: usize> {
    /// What the kernel wrote.
    len: usize,
    bytes: [u8; C],
}

impl<const C: usize> ControlArray<C> {
    pub(crate) const EMPTY: Self = Self { len: 0, bytes: [0; C] };

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn take_fds(&mut self) -> TakeFds<'_> {
        TakeFds::of(self.bytes.get_mut(..self.len).unwrap_or_default())
    }

    /// Closes what was not taken.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.len > 0 {
            self.take_fds().for_each(drop);
            self.len = 0;
        }
    }
}

impl<const C: usize> Drop for ControlArray<C> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The descriptors of control messages, each owned by the caller once it is returned. The rest stay where they are.
#[derive(Debug)]
pub(crate) struct TakeFds<'c> {
    /// Written by the kernel, and by this type alone afterwards.
    bytes: &'c mut [u8],
    /// Where the next message begins.
    next: usize,
    /// The numbers of the current one.
    numbers: Range<usize>,
}

impl<'c> TakeFds<'c> {
    fn of(bytes: &'c mut [u8]) -> Self {
        Self { bytes, next: 0, numbers: 0..0 }
    }

    /// Takes the next number out of the current message.
    fn take_number(&mut self) -> Option<i32> {
        let end = self.numbers.start + size_of::<i32>();
        if end > self.numbers.end {
            return None;
        }
        let bytes = self.bytes.get_mut(self.numbers.start..end)?.first_chunk_mut()?;
        self.numbers.start = end;
        let number = i32::from_ne_bytes(*bytes);
        *bytes = TAKEN.to_ne_bytes();
        Some(number)
    }

    /// Goes to the next message.
    fn advance(&mut self) -> Option<()> {
        let frame = cmsg::frame(self.bytes, self.next)?;
        self.next = frame.next;
        self.numbers = if holds_fds(frame.level, frame.kind) { frame.data } else { 0..0 };
        Some(())
    }
}

/// No descriptor has this number.
const TAKEN: i32 = -1;

/// Whether the data of such a message are descriptors.
fn holds_fds(level: i32, kind: i32) -> bool {
    level == c::SOL_SOCKET as i32 && (kind == SCM_RIGHTS || kind == SCM_PIDFD)
}

impl Iterator for TakeFds<'_> {
    type Item = OwnedFd;

    fn next(&mut self) -> Option<OwnedFd> {
        loop {
            match self.take_number() {
                // SAFETY: the kernel opened this descriptor for the process when it wrote the number, the number has
                // just been overwritten, so this is its only owner, and it is not -1.
                Some(number) if number >= 0 => return Some(unsafe { OwnedFd::from_raw_fd(number) }),
                // Taken before, or the error number in place of a pidfd.
                Some(_) => {}
                None => self.advance()?,
            }
        }
    }
}

/// A message that was received.
#[derive(Debug)]
pub(crate) struct Received<'c> {
    /// The length of the message, which may exceed that of the buffer.
    pub(crate) whole_len: usize,
    pub(crate) control: Control<'c>,
    pub(crate) flags: Flags,
}

/// `recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | ...)`; a failed call leaves no descriptor.
#[inline]
pub(crate) fn recvmsg<'c>(
    fd: BorrowedFd<'_>,
    buf: &mut [u8],
    name: &mut Name,
    control: &'c mut [u8],
    how: Receive,
) -> Result<Received<'c>, Errno> {
    let mut iov = IoVec { base: buf.as_mut_ptr(), len: buf.len() };
    let mut msg = MsgHdr { iov: &raw mut iov, iov_len: 1, ..MsgHdr::NOTHING }
        .with_name(name.bytes.as_mut_ptr(), NAME_CAPACITY)
        .with_control(control.as_mut_ptr(), control.len());
    // SAFETY: `msg` is a whole header, and its pointers and lengths are those of exclusive borrows that outlive the
    // call. The kernel writes any bytes within them, and all bytes are valid `u8`s.
    let whole_len = unsafe { call::recvmsg(fd, (&raw mut msg).cast(), how.flags()) }?;
    name.set_len(msg.name_len);
    let written = msg.control_len.min(control.len());
    let control = Control { bytes: control.get_mut(..written).unwrap_or_default() };
    Ok(Received { whole_len, control, flags: Flags(msg.flags as i32) })
}

/// A message to send.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) to: &'a Name,
    pub(crate) bytes: &'a [u8],
    pub(crate) control: &'a [u8],
}

impl Outgoing<'_> {
    /// The kernel does not write through these pointers.
    #[inline]
    fn header(&self, iov: *mut IoVec) -> MsgHdr {
        let name = self.to.as_bytes();
        MsgHdr { iov, iov_len: 1, ..MsgHdr::NOTHING }
            .with_name(name.as_ptr().cast_mut(), name.len())
            .with_control(self.control.as_ptr().cast_mut(), self.control.len())
    }
}

impl IoVec {
    /// For the kernel to read.
    #[inline]
    fn of(bytes: &[u8]) -> Self {
        Self { base: bytes.as_ptr().cast_mut(), len: bytes.len() }
    }
}

/// `sendmsg(fd, &msg, MSG_NOSIGNAL)`
///
/// The caller keeps every descriptor open that the control messages name.
#[inline]
pub(crate) fn sendmsg(fd: BorrowedFd<'_>, message: &Outgoing<'_>) -> Result<usize, Errno> {
    let mut iov = IoVec::of(message.bytes);
    let msg = message.header(&raw mut iov);
    // SAFETY: `msg` is a whole header, and its pointers and lengths are those of borrows that outlive the call, which
    // reads alone.
    unsafe { call::sendmsg(fd, (&raw const msg).cast(), c::MSG_NOSIGNAL as i32) }
}

/// Which membership to change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Membership {
    Join,
    Leave,
    JoinSource,
    LeaveSource,
}

/// `setsockopt(fd, SOL_IP or SOL_IPV6, MCAST_..., request)`: `request` is a `group_req` or a `group_source_req`.
pub(crate) fn set_membership(
    fd: BorrowedFd<'_>,
    is_v6: bool,
    membership: Membership,
    request: &[u8],
) -> Result<(), Errno> {
    let number = match membership {
        Membership::Join => MCAST_JOIN_GROUP,
        Membership::Leave => MCAST_LEAVE_GROUP,
        Membership::JoinSource => MCAST_JOIN_SOURCE_GROUP,
        Membership::LeaveSource => MCAST_LEAVE_SOURCE_GROUP,
    };
    let level = if is_v6 { c::SOL_IPV6 as i32 } else { c::SOL_IP as i32 };
    super::setsockopt(fd, OptionName { level, number }, request)
}

// `linux/in.h`, the same on every architecture.
const MCAST_JOIN_GROUP: i32 = 42;
const MCAST_LEAVE_GROUP: i32 = 45;
const MCAST_JOIN_SOURCE_GROUP: i32 = 46;
const MCAST_LEAVE_SOURCE_GROUP: i32 = 47;

// `linux/socket.h`, the same on every architecture.
pub(crate) const SCM_RIGHTS: i32 = 1;
pub(crate) const SCM_CREDENTIALS: i32 = 2;
pub(crate) const SCM_PIDFD: i32 = 4;

/// The levels and types of control messages, by the names of the kernel's headers.
pub(crate) mod name {
    use super::c;

    pub(crate) const SOL_SOCKET: i32 = c::SOL_SOCKET as i32;
    pub(crate) const SOL_IP: i32 = c::SOL_IP as i32;
    pub(crate) const SOL_IPV6: i32 = c::SOL_IPV6 as i32;
    pub(crate) const SOL_UDP: i32 = c::SOL_UDP as i32;
    pub(crate) const SOL_RDS: i32 = 276;

    pub(crate) const SO_TIMESTAMPNS: i32 = c::SO_TIMESTAMPNS as i32;
    pub(crate) const SO_TIMESTAMP: i32 = c::SO_TIMESTAMP as i32;
    pub(crate) const SO_TIMESTAMPING: i32 = c::SO_TIMESTAMPING as i32;
    // With times of 64 bits on every architecture. PA-RISC and SPARC have other numbers, whose messages stay raw.
    pub(crate) const SO_TIMESTAMP_NEW: i32 = 63;
    pub(crate) const SO_TIMESTAMPNS_NEW: i32 = 64;
    pub(crate) const SO_TIMESTAMPING_NEW: i32 = 65;
    pub(crate) const SO_RXQ_OVFL: i32 = c::SO_RXQ_OVFL as i32;
    pub(crate) const SO_MARK: i32 = c::SO_MARK as i32;
    pub(crate) const SCM_TXTIME: i32 = c::SO_TXTIME as i32;

    pub(crate) const IP_TOS: i32 = c::IP_TOS as i32;
    pub(crate) const IP_TTL: i32 = c::IP_TTL as i32;
    pub(crate) const IP_PKTINFO: i32 = c::IP_PKTINFO as i32;
    pub(crate) const IP_RECVERR: i32 = c::IP_RECVERR as i32;
    pub(crate) const IPV6_RECVERR: i32 = c::IPV6_RECVERR as i32;
    pub(crate) const IPV6_PKTINFO: i32 = c::IPV6_PKTINFO as i32;
    pub(crate) const IPV6_HOPLIMIT: i32 = c::IPV6_HOPLIMIT as i32;
    pub(crate) const IPV6_TCLASS: i32 = c::IPV6_TCLASS as i32;
    pub(crate) const UDP_SEGMENT: i32 = c::UDP_SEGMENT as i32;
    pub(crate) const UDP_GRO: i32 = c::UDP_GRO as i32;
}
