//! Calls on datagrams.

use rustix::{
    fd::BorrowedFd,
    net::{self, RecvFlags},
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

/// `sendto(fd, buf, MSG_NOSIGNAL, addr)`; a datagram goes whole or not at all.
#[inline]
pub(crate) fn send_to(fd: BorrowedFd<'_>, buf: &[u8], to: &Endpoint) -> Result<()> {
    net::sendto(fd, buf, NO_SIGNAL, &sockaddr::encode(to)?).map(drop)
}
