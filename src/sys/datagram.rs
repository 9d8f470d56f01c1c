//! Calls on datagrams.

use rustix::{
    fd::{BorrowedFd, OwnedFd},
    net::{self, AddressFamily, RecvFlags, SocketType},
};

use super::{NO_SIGNAL, Result, sockaddr};
use crate::addr::Endpoint;

/// The result of receiving a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The bytes in the buffer.
    pub(crate) len: usize,
    /// The bytes sent; `None`: more than the buffer holds.
    pub(crate) whole_len: Option<usize>,
    pub(crate) from: Endpoint,
}

/// `recvfrom(fd, buf, MSG_TRUNC, &addr, &len)`, which returns the length of the whole datagram.
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn recv_from(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<Arrival> {
    let (len, whole_len, addr) = net::recvfrom(fd, buf, RecvFlags::TRUNC)?;
    Ok(Arrival { len, whole_len: Some(whole_len), from: sockaddr::decode_any(addr.as_ref()) })
}

/// `recvmsg(fd, &msg, 0)`, which reports that a datagram was truncated, but not its length.
#[cfg(not(target_os = "linux"))]
pub(crate) fn recv_from(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<Arrival> {
    use rustix::{
        io::IoSliceMut,
        net::{RecvAncillaryBuffer, ReturnFlags},
    };

    let msg = net::recvmsg(fd, &mut [IoSliceMut::new(buf)], &mut RecvAncillaryBuffer::default(), RecvFlags::empty())?;
    let is_cut = msg.flags.contains(ReturnFlags::TRUNC);
    let from = sockaddr::decode_any(msg.address.as_ref());
    Ok(Arrival { len: msg.bytes, whole_len: (!is_cut).then_some(msg.bytes), from })
}

/// The same without the sender: the bytes in the buffer, and the bytes sent.
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn recv_datagram(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<(usize, Option<usize>)> {
    net::recv(fd, buf, RecvFlags::TRUNC).map(|(len, whole_len)| (len, Some(whole_len)))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn recv_datagram(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<(usize, Option<usize>)> {
    recv_from(fd, buf).map(|arrival| (arrival.len, arrival.whole_len))
}

/// `sendto(fd, buf, MSG_NOSIGNAL, addr)`; a datagram goes whole or not at all.
#[inline]
pub(crate) fn send_to(fd: BorrowedFd<'_>, buf: &[u8], to: &Endpoint) -> Result<()> {
    net::sendto(fd, buf, NO_SIGNAL, &sockaddr::encode(to)?).map(drop)
}

/// `connect(fd, AF_UNSPEC)`: dissolves the association with a peer.
pub(crate) fn disconnect(fd: BorrowedFd<'_>) -> Result<()> {
    net::connect_unspec(fd)
}

/// The types of Unix sockets that keep the boundaries of messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PairKind {
    Datagram,
    #[cfg(target_os = "linux")]
    SeqPacket,
}

impl PairKind {
    const fn socket_type(self) -> SocketType {
        match self {
            Self::Datagram => SocketType::DGRAM,
            #[cfg(target_os = "linux")]
            Self::SeqPacket => SocketType::SEQPACKET,
        }
    }
}

/// `socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)`
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn pair(kind: PairKind) -> Result<(OwnedFd, OwnedFd)> {
    let flags = net::SocketFlags::CLOEXEC | net::SocketFlags::NONBLOCK;
    net::socketpair(AddressFamily::UNIX, kind.socket_type(), flags, None)
}

/// Apple's calls take no flags.
#[cfg(target_vendor = "apple")]
pub(crate) fn pair(kind: PairKind) -> Result<(OwnedFd, OwnedFd)> {
    use super::{OFlags, set_cloexec, set_status_flags, sockopt};
    use rustix::fd::AsFd;

    let (one, other) = net::socketpair(AddressFamily::UNIX, kind.socket_type(), net::SocketFlags::empty(), None)?;
    for fd in [&one, &other] {
        sockopt::set_socket_nosigpipe(fd, true)?;
        set_cloexec(fd.as_fd(), true)?;
        set_status_flags(fd.as_fd(), OFlags::NONBLOCK)?;
    }
    Ok((one, other))
}

/// `sendto(fd, buf, MSG_NOSIGNAL, addr)` to an address in the kernel's form, or to the peer.
#[cfg(target_os = "linux")]
pub(crate) fn send_to_name(fd: BorrowedFd<'_>, buf: &[u8], to: &super::raw::Name) -> Result<()> {
    match to.as_bytes() {
        [] => super::send(fd, buf).map(drop),
        name => send_to(fd, buf, &Endpoint::from_sockaddr(name)),
    }
}
