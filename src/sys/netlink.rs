//! Netlink sockets: messages to and from the kernel.

use rustix::{
    fd::{BorrowedFd, OwnedFd},
    io::Errno,
    net::{
        self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType,
        netlink::{self, SocketAddrNetlink},
    },
};

use super::{
    Result,
    raw::{self, OptionName},
};

/// `NETLINK_ROUTE` is 0, which rustix's type cannot represent.
pub(crate) const NETLINK_ROUTE: Option<net::Protocol> = None;
pub(crate) const NETLINK_SOCK_DIAG: Option<net::Protocol> = Some(netlink::SOCK_DIAG);

/// `socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol)`
pub(crate) fn netlink_socket(protocol: Option<net::Protocol>) -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)
}

/// `setsockopt(fd, SOL_NETLINK, option, 1)`
pub(crate) fn set_netlink_option(fd: BorrowedFd<'_>, option: OptionName) -> Result<()> {
    raw::setsockopt(fd, option, &1_u32.to_ne_bytes())
}

/// `bind(fd, {nl_pid: 0, nl_groups: groups})`: the kernel chooses the port.
pub(crate) fn netlink_bind(fd: BorrowedFd<'_>, groups: u32) -> Result<()> {
    net::bind(fd, &SocketAddrNetlink::new(0, groups))
}

/// `sendto(fd, bytes, 0, {nl_pid: 0})`: to the kernel, whose answer to a request waits when the call returns.
pub(crate) fn netlink_send(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<()> {
    net::sendto(fd, bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).map(drop)
}

/// `recvfrom(fd, buf, MSG_TRUNC | MSG_DONTWAIT, &addr, &len)`: the length of the whole datagram, which may be longer
/// than `buf`. Datagrams of other processes are discarded as `EINTR`.
pub(crate) fn netlink_recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    let (_, len, addr) = net::recvfrom(fd, buf, RecvFlags::TRUNC | RecvFlags::DONTWAIT)?;
    let from = addr.as_ref().map(raw::sockaddr_bytes).unwrap_or_default();
    // `struct sockaddr_nl`: the sender's port at 4, 0 for the kernel.
    match from.get(4..8) {
        Some([0, 0, 0, 0]) => Ok(len),
        _ => Err(Errno::INTR),
    }
}
