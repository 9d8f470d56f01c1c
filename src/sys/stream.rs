//! Calls on streams beyond reading and writing.

use rustix::{
    fd::{BorrowedFd, OwnedFd},
    io::IoSlice,
    net::{self, AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketType},
};

use super::{NO_SIGNAL, Result};

#[cfg(target_os = "linux")]
pub(crate) use super::raw::send_queue;
pub(crate) use super::raw::{at_mark, buffer_len};

/// `socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)`
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn stream_pair() -> Result<(OwnedFd, OwnedFd)> {
    net::socketpair(AddressFamily::UNIX, SocketType::STREAM, net::SocketFlags::CLOEXEC, None)
}

/// Apple's call takes no flags.
#[cfg(target_vendor = "apple")]
pub(crate) fn stream_pair() -> Result<(OwnedFd, OwnedFd)> {
    use rustix::fd::AsFd;

    let pair = net::socketpair(AddressFamily::UNIX, SocketType::STREAM, net::SocketFlags::empty(), None)?;
    for end in [&pair.0, &pair.1] {
        super::sockopt::set_socket_nosigpipe(end, true)?;
        super::set_cloexec(end.as_fd(), true)?;
    }
    Ok(pair)
}

/// `recv(fd, buf, MSG_PEEK | MSG_DONTWAIT)`
#[inline]
pub(crate) fn peek_now(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    net::recv(fd, buf, RecvFlags::PEEK | RecvFlags::DONTWAIT).map(|(len, _)| len)
}

/// `sendmsg(fd, bufs, MSG_NOSIGNAL | MSG_DONTWAIT)`
#[inline]
pub(crate) fn send_vectored_now(fd: BorrowedFd<'_>, bufs: &[IoSlice<'_>]) -> Result<usize> {
    net::sendmsg(fd, bufs, &mut SendAncillaryBuffer::default(), NO_SIGNAL | SendFlags::DONTWAIT)
}

/// `send(fd, buf, MSG_MORE | MSG_NOSIGNAL)`
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn send_more(fd: BorrowedFd<'_>, buf: &[u8]) -> Result<usize> {
    net::send(fd, buf, NO_SIGNAL | SendFlags::MORE)
}

/// `send(fd, buf, MSG_OOB | MSG_NOSIGNAL)`
#[inline]
pub(crate) fn send_oob(fd: BorrowedFd<'_>, buf: &[u8]) -> Result<usize> {
    net::send(fd, buf, NO_SIGNAL | SendFlags::OOB)
}

/// `recv(fd, buf, MSG_OOB)`
#[inline]
pub(crate) fn recv_oob(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    net::recv(fd, buf, RecvFlags::OOB).map(|(len, _)| len)
}

/// Over TCP, Linux discards bytes with this flag instead of copying them (`tcp(7)`).
#[cfg(target_os = "linux")]
const DISCARD: RecvFlags = RecvFlags::TRUNC;
#[cfg(not(target_os = "linux"))]
const DISCARD: RecvFlags = RecvFlags::empty();

/// `recv(fd, buf, MSG_TRUNC | MSG_DONTWAIT)`: reads as many bytes as `buf` has room for, whose content is lost.
#[inline]
pub(crate) fn discard_now(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    net::recv(fd, buf, DISCARD | RecvFlags::DONTWAIT).map(|(len, _)| len)
}

/// `ioctl(fd, FIONREAD, &bytes)`
pub(crate) fn recv_queue(fd: BorrowedFd<'_>) -> Result<usize> {
    rustix::io::ioctl_fionread(fd).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// `splice(from, NULL, to, NULL, len, 0)`. Without `SPLICE_F_NONBLOCK`, which concerns the pipe, and over Unix streams the
/// socket too (measured on Linux 6.18).
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> Result<usize> {
    rustix::pipe::splice(from, None, to, None, len, rustix::pipe::SpliceFlags::empty())
}

/// `fcntl(fd, F_SETPIPE_SZ, bytes)`, which returns the size that the kernel has chosen.
#[cfg(target_os = "linux")]
pub(crate) fn set_pipe_size(fd: BorrowedFd<'_>, bytes: usize) -> Result<usize> {
    rustix::pipe::fcntl_setpipe_size(fd, bytes)
}

/// `fcntl(fd, F_GETPIPE_SZ)`
#[cfg(target_os = "linux")]
pub(crate) fn pipe_size(fd: BorrowedFd<'_>) -> Result<usize> {
    rustix::pipe::fcntl_getpipe_size(fd)
}
