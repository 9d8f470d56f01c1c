//! [`Route`]: lists interfaces and addresses. [`Changes`]: watches them.

use core::fmt;

use rustix::fd::{AsFd, BorrowedFd};

use super::{
    interface::{self, Interface},
    interface_addr::{self, InterfaceAddr},
    message::{Messages, Request, RequestFlags},
    netlink::{NetlinkResult, Protocol, Replies, Socket},
};
use crate::{
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    option::DeviceName,
    sys,
};

/// `RTM_GETLINK`
const GET_LINK: u16 = 18;
/// `RTM_GETADDR`
const GET_ADDR: u16 = 22;
/// `IFLA_IFNAME`
const NAME: u16 = 3;

/// Asks the kernel for interfaces and addresses (`rtnetlink(7)`).
///
/// ```
/// use anet::diag::Route;
///
/// let mut route = Route::open()?;
/// // The kernel's messages; nothing refers to them after the listing.
/// let mut buf = [0; 8192];
/// for interface in route.interfaces(&mut buf)? {
///     let interface = interface?;
///     println!("{}: {} is {}", interface.index, interface.name, interface.state);
/// }
/// let loopback = route.interface_named("lo", &mut buf)?;
/// assert!(loopback.is_loopback());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[doc(alias = "rtnetlink")]
pub struct Route {
    socket: Socket,
}

impl Route {
    /// Opens a socket in this thread's network namespace; 3 calls.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`.
    pub fn open() -> Result<Self> {
        Socket::open(Protocol::Route).map(|socket| Self { socket })
    }

    /// Lists all interfaces, in the order of their numbers.
    ///
    /// # Errors
    ///
    /// `ENOBUFS`, `ENOMEM`, and for each entry those of [`Replies::next`].
    #[doc(alias = "if_nameindex")]
    pub fn interfaces<'s, 'b>(&'s mut self, buf: &'b mut [u8]) -> Result<Interfaces<'s, 'b>> {
        let request = Request::new(GET_LINK, RequestFlags::DUMP, &[0; interface::HEADER_LEN])?;
        self.socket.request(request, buf).map(Interfaces)
    }

    /// Lists all IP addresses.
    ///
    /// # Errors
    ///
    /// `ENOBUFS`, `ENOMEM`, and for each entry those of [`Replies::next`].
    #[doc(alias = "getifaddrs")]
    pub fn addresses<'s, 'b>(&'s mut self, buf: &'b mut [u8]) -> Result<Addresses<'s, 'b>> {
        self.addresses_of(0, buf)
    }

    /// Lists the IP addresses of one interface; 0: of all.
    ///
    /// The kernel selects them (since Linux 4.20; an older one lists all, and the others are passed over).
    ///
    /// # Errors
    ///
    /// `ENOBUFS`, `ENOMEM`, and for each entry those of [`Replies::next`]: `ENODEV` if there is no such interface.
    pub fn addresses_of<'s, 'b>(&'s mut self, index: u32, buf: &'b mut [u8]) -> Result<Addresses<'s, 'b>> {
        let mut header = [0; interface_addr::HEADER_LEN];
        let [.., a, b, c, d] = &mut header;
        [*a, *b, *c, *d] = index.to_ne_bytes();
        let request = Request::new(GET_ADDR, RequestFlags::DUMP, &header)?;
        self.socket.request(request, buf).map(|replies| Addresses { replies, index })
    }

    /// The interface with this number.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none; those of [`Replies::next`].
    #[doc(alias = "if_indextoname")]
    pub fn interface(&mut self, index: u32, buf: &mut [u8]) -> NetlinkResult<Interface> {
        let mut header = [0; interface::HEADER_LEN];
        let [_, _, _, _, a, b, c, d, ..] = &mut header;
        [*a, *b, *c, *d] = index.to_ne_bytes();
        self.one(Request::new(GET_LINK, RequestFlags::empty(), &header)?, buf)
    }

    /// The interface with this name.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none; those of [`Replies::next`];
    /// [`OutOfRange`](Cause::OutOfRange) for a name that is longer than 15 bytes or empty,
    /// [`EmbeddedNul`](Cause::EmbeddedNul).
    #[doc(alias = "if_nametoindex")]
    pub fn interface_named(&mut self, name: &str, buf: &mut [u8]) -> NetlinkResult<Interface> {
        let request = Request::new(GET_LINK, RequestFlags::empty(), &[0; interface::HEADER_LEN])?;
        self.one(request.with_attribute(NAME, DeviceName::new(name)?.terminated())?, buf)
    }

    fn one(&mut self, request: Request, buf: &mut [u8]) -> NetlinkResult<Interface> {
        let mut interfaces = Interfaces(self.socket.request(request, buf)?);
        let found = interfaces.next().transpose()?.ok_or(Error::new(Op::Netlink, Errno::NODEV))?;
        // The acknowledgement.
        interfaces.next().transpose()?;
        Ok(found)
    }
}

/// The kernel's list of interfaces. After an error there are no more entries.
#[derive(Debug)]
pub struct Interfaces<'s, 'b>(Replies<'s, 'b>);

impl Iterator for Interfaces<'_, '_> {
    type Item = NetlinkResult<Interface>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.find_map(Interface::parse)
    }
}

/// The kernel's list of addresses. After an error there are no more entries.
#[derive(Debug)]
pub struct Addresses<'s, 'b> {
    replies: Replies<'s, 'b>,
    /// 0: all.
    index: u32,
}

impl Iterator for Addresses<'_, '_> {
    type Item = NetlinkResult<InterfaceAddr>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.index;
        let wanted = |addr: &InterfaceAddr| index == 0 || addr.index == index;
        self.replies.find_map(|message| InterfaceAddr::parse(message).map(|addr| addr.filter(wanted)))
    }
}

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// Reports changes of interfaces and addresses, as they happen.
///
/// The descriptor is readable when there is a change: add it to a [`Poller`](crate::event::Poller), or
/// [watch](crate::server::Server::watch) it in a server. First open it, then list what there is: so no change is
/// missed, and some may be in the list already.
///
/// ```
/// use anet::diag::{Change, Changes, Route};
///
/// let mut buf = [0; 8192];
/// let mut changes = Changes::open(&mut buf)?;
/// let mut list_buf = [0; 8192];
/// for interface in Route::open()?.interfaces(&mut list_buf)? {
///     let interface = interface?;
///     println!("{} is {}", interface.name, interface.state);
/// }
/// // When `changes` is readable:
/// while let Some(change) = changes.next_change()? {
///     match change {
///         Change::Interface(interface) => println!("{} is {}", interface.name, interface.state),
///         Change::Lost => println!("list all interfaces anew"),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Changes<'b> {
    socket: Socket,
    buf: &'b mut [u8],
    /// The messages in `buf` that were not read yet.
    start: usize,
    end: usize,
}

/// A change of the interfaces or addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to put it on")]
#[non_exhaustive]
pub enum Change {
    /// An interface is new, or something about it has changed.
    Interface(Interface),
    /// An interface is gone.
    InterfaceRemoved(Interface),
    /// An address is new, or something about it has changed.
    Address(InterfaceAddr),
    /// An address is gone.
    AddressRemoved(InterfaceAddr),
    /// Changes came faster than they were read, and some were lost: list everything anew.
    #[doc(alias = "ENOBUFS")]
    Lost,
}

impl<'b> Changes<'b> {
    /// Watches the interfaces and addresses of this thread's network namespace. `buf` holds one message of the kernel:
    /// 8 KiB are enough.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`.
    pub fn open(buf: &'b mut [u8]) -> Result<Self> {
        let socket = Socket::open(Protocol::Route)?;
        sys::netlink_bind(socket.as_fd(), GROUPS).op(Op::Bind)?;
        Ok(Self { socket, buf, start: 0, end: 0 })
    }

    /// The next change; `None` if there is none now. Never blocks.
    ///
    /// # Errors
    ///
    /// [`MessageTruncated`](Cause::MessageTruncated) if the buffer is too short,
    /// [`MalformedMessage`](Cause::MalformedMessage), `ENOMEM`. The next call continues with the next message; treat
    /// the change as [lost](Change::Lost).
    pub fn next_change(&mut self) -> Result<Option<Change>> {
        loop {
            if self.start == self.end {
                match self.refill() {
                    Err(Errno::AGAIN) => return Ok(None),
                    Err(Errno::NOBUFS) => return Ok(Some(Change::Lost)),
                    Err(Errno::INTR) => continue,
                    other => self.end = self.fitting(other.op(Op::ReceiveFrom)?)?,
                }
            }
            if let Some(change) = self.parse_next()? {
                return Ok(Some(change));
            }
        }
    }

    fn refill(&mut self) -> Result<usize, Errno> {
        (self.start, self.end) = (0, 0);
        sys::netlink_recv(self.socket.as_fd(), self.buf)
    }

    fn fitting(&self, len: usize) -> Result<usize> {
        if len <= self.buf.len() {
            return Ok(len);
        }
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        Err(Error::refused(Op::ReceiveFrom, Cause::MessageTruncated { len }))
    }

    /// Takes one message from the buffer.
    fn parse_next(&mut self) -> Result<Option<Change>> {
        let mut messages = Messages::new(self.buf.get(self.start..self.end).unwrap_or_default());
        let message = messages.next().transpose();
        self.start = self.end.saturating_sub(messages.len_bytes());
        let Some(message) = message? else { return Ok(None) };
        Ok(match message.kind {
            interface::NEW_LINK => Interface::parse(&message)?.map(Change::Interface),
            interface::DEL_LINK => Interface::parse(&message)?.map(Change::InterfaceRemoved),
            interface_addr::NEW_ADDR => InterfaceAddr::parse(&message)?.map(Change::Address),
            interface_addr::DEL_ADDR => InterfaceAddr::parse(&message)?.map(Change::AddressRemoved),
            _ => None,
        })
    }
}

impl AsFd for Changes<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Debug for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("socket", &self.socket).finish_non_exhaustive()
    }
}
