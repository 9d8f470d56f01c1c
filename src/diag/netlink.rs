//! Requests to the kernel over netlink, for what this crate has no function for.
//!
//! [`Route`](super::Route) and [`SockDiag`](super::SockDiag) stand on it. A request is one `sendto`, and each
//! `recvfrom` returns as many messages as fit into the caller's buffer: 8 KiB hold what the kernel sends at a time, and
//! with 32 KiB it takes fewer calls (`netlink(7)`, RFC 3549).
//!
//! ```
//! use anet::diag::netlink::{Protocol, Request, RequestFlags, Socket};
//!
//! let mut socket = Socket::open(Protocol::Route)?;
//! let mut buf = [0; 8192];
//! // RTM_GETROUTE (26): all routes, as struct rtmsg and attributes.
//! let request = Request::new(26, RequestFlags::DUMP, &[0; 12])?;
//! let mut replies = socket.request(request, &mut buf)?;
//! while let Some(message) = replies.next()? {
//!     for attribute in message.attributes(12) {
//!         let _ = attribute?.kind();
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::ops::Range;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

pub use super::{
    message::{Attribute, Attributes, Message, Messages, Request, RequestFlags},
    netlink_error::NetlinkError,
};
use crate::{
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    sys::{self, raw::OptionName},
};

/// A result with the kernel's explanation.
pub type NetlinkResult<T> = core::result::Result<T, NetlinkError>;

/// `NLMSG_NOOP`
const NOOP: u16 = 1;
/// `NLM_F_DUMP_INTR`
const DUMP_INTR: u16 = 0x10;

/// The part of the kernel that a socket talks to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Protocol {
    /// Interfaces, addresses, routes, neighbours: `rtnetlink(7)`.
    #[doc(alias = "NETLINK_ROUTE")]
    Route,
    /// The state of sockets: `sock_diag(7)`.
    #[doc(alias = "NETLINK_SOCK_DIAG")]
    SockDiag,
}

/// A netlink socket, non-blocking. One request is under way at a time.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    protocol: Protocol,
    sequence: u32,
    /// Replies to the last request are still queued.
    is_busy: bool,
}

impl Socket {
    /// Opens a socket in this thread's network namespace; 3 calls.
    ///
    /// The kernel checks requests strictly and explains errors if it can (Linux 4.20, 4.12).
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `EPROTONOSUPPORT` if the kernel lacks the protocol.
    pub fn open(protocol: Protocol) -> Result<Self> {
        let number = match protocol {
            Protocol::Route => sys::NETLINK_ROUTE,
            Protocol::SockDiag => sys::NETLINK_SOCK_DIAG,
        };
        let fd = sys::netlink_socket(number).op(Op::Socket)?;
        for option in [OptionName::NETLINK_EXT_ACK, OptionName::NETLINK_GET_STRICT_CHK] {
            // An older kernel lacks them and works without.
            let _ = sys::set_netlink_option(fd.as_fd(), option);
        }
        Ok(Self { fd, protocol, sequence: 0, is_busy: false })
    }

    /// Sends a request, whose replies are read into `buf`.
    ///
    /// If the replies to an earlier request were not read to their end, the socket is replaced by a new one first.
    ///
    /// # Errors
    ///
    /// `ENOBUFS`, `ENOMEM`; those of [`open`](Self::open). What the kernel answers is an error of
    /// [`Replies::next`].
    pub fn request<'s, 'b>(&'s mut self, mut request: Request, buf: &'b mut [u8]) -> Result<Replies<'s, 'b>> {
        self.send(&mut request)?;
        Ok(Replies { socket: self, buf, range: 0..0, is_interrupted: false, is_ended: false })
    }

    fn send(&mut self, request: &mut Request) -> Result<()> {
        if self.is_busy {
            *self = Self::open(self.protocol)?;
        }
        self.sequence = self.sequence.wrapping_add(1).max(1);
        sys::netlink_send(self.fd.as_fd(), request.numbered(self.sequence)).op(Op::SendTo)?;
        self.is_busy = true;
        Ok(())
    }

    /// Sends a request and waits for its acknowledgement; replies are discarded.
    ///
    /// # Errors
    ///
    /// Those of [`request`](Self::request) and [`Replies::next`].
    pub fn execute(&mut self, request: Request, buf: &mut [u8]) -> NetlinkResult<()> {
        let mut replies = self.request(request, buf)?;
        while replies.next()?.is_some() {}
        Ok(())
    }
}

/// The socket watches no groups, so that waiting for it makes no sense; the options of a socket apply.
impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The replies to a request. Each refers to the buffer, which is filled again when all of its messages were read.
#[derive(Debug)]
pub struct Replies<'s, 'b> {
    socket: &'s mut Socket,
    buf: &'b mut [u8],
    /// The messages in `buf` that were not read yet.
    range: Range<usize>,
    is_interrupted: bool,
    is_ended: bool,
}

/// What the next message in the buffer is.
enum Step {
    /// A reply; its header and payload are at this place.
    Reply(Range<usize>),
    Skip,
    End,
}

impl Replies<'_, '_> {
    /// The next reply; `None` at the end, after the kernel has confirmed that there are no more.
    ///
    /// # Errors
    ///
    /// The error that the kernel answers the request with, such as `EPERM` or `ENODEV`.
    /// [`DumpInterrupted`](Cause::DumpInterrupted) in place of the end if the table changed meanwhile: the replies may
    /// be incomplete. [`MessageTruncated`](Cause::MessageTruncated) if the buffer is too short,
    /// [`MalformedMessage`](Cause::MalformedMessage), `ENOBUFS`. After an error there are no more replies.
    #[allow(clippy::should_implement_trait, reason = "the replies borrow from the iterator")]
    pub fn next(&mut self) -> NetlinkResult<Option<Message<'_>>> {
        let Some(range) = self.advance()? else { return Ok(None) };
        let message = self.buf.get(range).and_then(|bytes| Messages::new(bytes).next());
        message.transpose().map_err(NetlinkError::from)
    }

    /// The place of the next reply in the buffer.
    fn advance(&mut self) -> NetlinkResult<Option<Range<usize>>> {
        while !self.is_ended {
            // Until the step succeeds: there is nothing after an error.
            self.is_ended = true;
            if self.range.is_empty() {
                self.refill()?;
            }
            match self.step()? {
                Step::End => return if self.is_interrupted { Err(interrupted()) } else { Ok(None) },
                Step::Skip => self.is_ended = false,
                Step::Reply(range) => {
                    self.is_ended = false;
                    return Ok(Some(range));
                }
            }
        }
        Ok(None)
    }

    fn refill(&mut self) -> Result<()> {
        let len = loop {
            match sys::netlink_recv(self.socket.fd.as_fd(), self.buf) {
                Err(Errno::INTR) => {}
                other => break other.op(Op::ReceiveFrom)?,
            }
        };
        if len > self.buf.len() {
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            return Err(Error::refused(Op::ReceiveFrom, Cause::MessageTruncated { len }));
        }
        self.range = 0..len;
        Ok(())
    }

    /// Passes over one message.
    fn step(&mut self) -> NetlinkResult<Step> {
        let start = self.range.start;
        let bytes = self.buf.get(self.range.clone()).unwrap_or_default();
        let mut messages = Messages::new(bytes);
        let Some(message) = messages.next() else { return Ok(Step::Skip) };
        let message = message?;
        self.range.start = self.range.end.saturating_sub(messages.len_bytes());
        // Left over from another request.
        if message.sequence != self.socket.sequence {
            return Ok(Step::Skip);
        }
        self.is_interrupted |= message.flags & DUMP_INTR != 0;
        match message.outcome() {
            None if message.kind == NOOP => Ok(Step::Skip),
            None => Ok(Step::Reply(start..self.range.start)),
            Some(outcome) => {
                self.socket.is_busy = false;
                outcome.map(|()| Step::End)
            }
        }
    }

    /// Sends another request after the end of the replies to the last one.
    pub(super) fn request_more(&mut self, mut request: Request) -> Result<()> {
        self.socket.send(&mut request)?;
        (self.range, self.is_ended) = (0..0, false);
        Ok(())
    }

    /// The next reply that `parse` makes something of; `None` at the end.
    pub(super) fn find_map<T>(
        &mut self,
        mut parse: impl FnMut(&Message<'_>) -> Result<Option<T>>,
    ) -> Option<NetlinkResult<T>> {
        loop {
            let message = match self.next() {
                Ok(message) => message?,
                Err(error) => return Some(Err(error)),
            };
            match parse(&message) {
                Ok(None) => {}
                found => return found.map_err(NetlinkError::from).transpose(),
            }
        }
    }
}

fn interrupted() -> NetlinkError {
    Error::refused(Op::Netlink, Cause::DumpInterrupted).into()
}
