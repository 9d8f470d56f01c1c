//! Many messages in one call.

use core::{mem::MaybeUninit, ptr};

use rustix::{fd::BorrowedFd, io::Errno};

use super::{ControlArray, Flags, IoVec, MsgHdr, NAME_CAPACITY, Name, Outgoing, Receive, c, call};

/// `struct mmsghdr`
#[derive(Clone, Copy)]
#[repr(C)]
struct MMsgHdr {
    header: MsgHdr,
    len: u32,
}

const _: () = assert!(size_of::<MMsgHdr>() == size_of::<c::mmsghdr>());

/// `linux/socket.h`; the kernel does not export it.
const MSG_WAITFORONE: i32 = 0x10000;

/// Bytes that begin a cache line: the kernel copies to them faster than to others.
#[repr(align(64))]
pub(crate) struct Aligned<const LEN: usize>(pub(crate) [u8; LEN]);

/// Whether to receive the sender's address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sender {
    Named,
    /// The peer of a connected socket.
    Peer,
}

/// Room for one message of a batch. Without control messages, what is written for each message besides its bytes is in
/// one cache line: the fields are in this order.
#[repr(C)]
pub(crate) struct Slot<const LEN: usize, const C: usize> {
    pub(crate) buf: Aligned<LEN>,
    /// The length of the message, which may exceed that of the buffer.
    pub(crate) whole_len: usize,
    pub(crate) flags: Flags,
    pub(crate) control: ControlArray<C>,
    pub(crate) name: Name,
}

impl<const LEN: usize, const C: usize> Slot<LEN, C> {
    pub(crate) const EMPTY: Self = Self {
        buf: Aligned([0; LEN]),
        whole_len: 0,
        flags: Flags::NONE,
        control: ControlArray::EMPTY,
        name: Name::NONE,
    };

    /// Points a header at this slot, with all lengths anew.
    #[inline]
    fn arm(&mut self, iov: &mut IoVec, sender: Sender) -> MsgHdr {
        self.control.clear();
        *iov = IoVec { base: self.buf.0.as_mut_ptr(), len: LEN };
        let name_len = if sender == Sender::Named { NAME_CAPACITY } else { 0 };
        MsgHdr { iov, iov_len: 1, ..MsgHdr::NOTHING }
            .with_name(self.name.bytes.as_mut_ptr(), name_len)
            .with_control(self.control.bytes.as_mut_ptr(), C)
    }

    #[inline]
    fn accept(&mut self, received: &MMsgHdr) {
        self.whole_len = received.len as usize;
        self.flags = Flags(received.header.flags as i32);
        self.name.set_len(received.header.name_len);
        self.control.len = received.header.control_len.min(C);
    }
}

/// `recvmmsg(fd, msgs, N, MSG_CMSG_CLOEXEC | MSG_TRUNC | MSG_WAITFORONE, NULL)`: fills slots from the front, and
/// returns how many.
#[inline]
pub(crate) fn recvmmsg<const N: usize, const LEN: usize, const C: usize>(
    fd: BorrowedFd<'_>,
    slots: &mut [Slot<LEN, C>; N],
    sender: Sender,
) -> Result<usize, Errno> {
    let mut iovs = [const { MaybeUninit::<IoVec>::uninit() }; N];
    let mut messages = [const { MaybeUninit::<MMsgHdr>::uninit() }; N];
    for ((slot, iov), message) in slots.iter_mut().zip(&mut iovs).zip(&mut messages) {
        let iov = iov.write(IoVec { base: ptr::null_mut(), len: 0 });
        message.write(MMsgHdr { header: slot.arm(iov, sender), len: 0 });
    }
    let flags = Receive::Datagram.flags() | MSG_WAITFORONE;
    // SAFETY: the loop above has written all `N` headers; their pointers and lengths are those of the slots, which are
    // borrowed exclusively, and of `iovs`, which outlives the call. The kernel writes any bytes within them.
    let count = unsafe { call::recvmmsg(fd, messages.as_mut_ptr().cast(), N, flags) }?;
    for (slot, message) in slots.iter_mut().zip(&messages).take(count) {
        // SAFETY: the first loop has written it.
        slot.accept(unsafe { message.assume_init_ref() });
    }
    Ok(count)
}

/// What a call sends next.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    Message(Outgoing<'a>),
    /// More bytes of the message before it.
    More(&'a [u8]),
}

impl<'a> Part<'a> {
    #[inline]
    const fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Message(message) => message.bytes,
            Self::More(bytes) => bytes,
        }
    }
}

/// `sendmmsg(fd, msgs, n, MSG_NOSIGNAL)` of messages that have at most `N` parts; returns how many messages were sent.
///
/// The first part begins a message.
#[inline]
pub(crate) fn sendmmsg<'a, const N: usize>(
    fd: BorrowedFd<'_>,
    parts: impl Iterator<Item = Part<'a>>,
) -> Result<usize, Errno> {
    let mut iovs = [const { MaybeUninit::<IoVec>::uninit() }; N];
    let mut messages = [const { MaybeUninit::<MMsgHdr>::uninit() }; N];
    let first_iov: *mut IoVec = iovs.as_mut_ptr().cast();
    let mut headers = messages.iter_mut();
    let mut message: Option<&mut MMsgHdr> = None;
    let mut count = 0;
    for (at, part) in parts.take(N).enumerate() {
        let iov = first_iov.wrapping_add(at);
        // SAFETY: `at` is less than `N`, so this is an element of `iovs`, which nothing else refers to.
        unsafe { iov.write(IoVec::of(part.bytes())) };
        match (part, &mut message) {
            (Part::Message(begun), _) => {
                message = headers.next().map(|header| header.write(MMsgHdr { header: begun.header(iov), len: 0 }));
                count += 1;
            }
            (Part::More(_), Some(message)) => message.header.iov_len += 1,
            (Part::More(_), None) => {}
        }
    }
    // SAFETY: the loop above has written the first `count` headers, and as many elements of `iovs` as they say; all
    // other pointers and lengths are those of borrows that outlive the call. The kernel writes to the headers' `len`
    // alone.
    unsafe { call::sendmmsg(fd, messages.as_mut_ptr().cast(), count, c::MSG_NOSIGNAL as i32) }
}
