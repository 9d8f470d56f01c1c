//! The interface to the kernel: one thin function per system call.
//!
//! No other module calls rustix, and nothing here has a policy: a function makes its call once, returns the bare error
//! number, and never retries. Addresses go in and come out as [`Endpoint`]s; every new descriptor is close-on-exec.
//! Functions that rustix already has in this form are re-exported.

#[cfg(target_os = "linux")]
pub(crate) mod cmsg;
mod datagram;
mod file;
#[cfg(target_os = "linux")]
mod icmp;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod proc;
pub(crate) mod raw;
pub(crate) mod selector;
mod sockaddr;
mod stream;
mod time;
mod wake;

use core::time::Duration;

use rustix::{
    fd::{BorrowedFd, OwnedFd},
    io::{Errno, FdFlags, IoSlice},
    net::{self, AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketType},
};

use crate::addr::Endpoint;

pub(crate) use datagram::*;
pub(crate) use file::*;
#[cfg(target_os = "linux")]
pub(crate) use icmp::*;
#[cfg(target_os = "linux")]
pub(crate) use netlink::*;
#[cfg(target_os = "linux")]
pub(crate) use proc::*;
pub(crate) use rustix::{
    event::{PollFd, PollFlags},
    fs::{OFlags, fsync},
    io::{readv, retry_on_intr, write},
    net::{Protocol, Shutdown, listen, shutdown, sockopt},
};
#[cfg(target_os = "linux")]
pub(crate) use sockaddr::name_of;
pub(crate) use stream::*;
pub use time::Deadline;
pub(crate) use time::{now, sleep, sleep_unless_ready, timespec};
pub(crate) use wake::WakeFds;

pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// A new descriptor is close-on-exec at once where the system can do that.
#[cfg(not(target_vendor = "apple"))]
mod fresh {
    use super::*;
    use rustix::{
        net::SocketFlags,
        pipe::{self, PipeFlags},
    };

    /// `socket(family, kind | SOCK_CLOEXEC [| SOCK_NONBLOCK], protocol)`
    pub(super) fn socket(
        family: AddressFamily,
        kind: SocketType,
        nonblocking: bool,
        protocol: Option<Protocol>,
    ) -> Result<OwnedFd> {
        let flags = if nonblocking { SocketFlags::CLOEXEC | SocketFlags::NONBLOCK } else { SocketFlags::CLOEXEC };
        net::socket_with(family, kind, flags, protocol)
    }

    /// `accept4(fd, &addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC)`
    #[inline]
    pub(crate) fn accept4(fd: BorrowedFd<'_>) -> Result<(OwnedFd, Endpoint)> {
        net::acceptfrom_with(fd, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC).map(with_endpoint)
    }

    /// `pipe2(fds, O_CLOEXEC)`, with `O_NONBLOCK` on both ends if asked.
    pub(crate) fn pipe2(nonblocking: bool) -> Result<(OwnedFd, OwnedFd)> {
        pipe::pipe_with(if nonblocking { PipeFlags::CLOEXEC | PipeFlags::NONBLOCK } else { PipeFlags::CLOEXEC })
    }
}

/// Apple's calls take no flags.
#[cfg(target_vendor = "apple")]
mod fresh {
    use super::*;
    use rustix::fd::AsFd;

    /// `socket(family, kind, protocol)` and up to three more calls.
    pub(super) fn socket(
        family: AddressFamily,
        kind: SocketType,
        nonblocking: bool,
        protocol: Option<Protocol>,
    ) -> Result<OwnedFd> {
        let fd = net::socket(family, kind, protocol)?;
        sockopt::set_socket_nosigpipe(&fd, true)?;
        set_cloexec(fd.as_fd(), true)?;
        if nonblocking {
            set_status_flags(fd.as_fd(), OFlags::NONBLOCK)?;
        }
        Ok(fd)
    }

    /// There is no `accept4`.
    pub(crate) fn accept4(_: BorrowedFd<'_>) -> Result<(OwnedFd, Endpoint)> {
        Err(Errno::NOSYS)
    }

    /// There is no `pipe2`.
    pub(crate) fn pipe2(_: bool) -> Result<(OwnedFd, OwnedFd)> {
        Err(Errno::NOSYS)
    }
}

pub(crate) use fresh::{accept4, pipe2};

/// `socket(family, SOCK_STREAM | SOCK_CLOEXEC [| SOCK_NONBLOCK], 0)`
pub(crate) fn stream_socket(family: AddressFamily, nonblocking: bool) -> Result<OwnedFd> {
    fresh::socket(family, SocketType::STREAM, nonblocking, None)
}

/// Multipath TCP, where the system has it.
#[cfg(feature = "capi")]
pub(crate) const MULTIPATH: Option<Protocol> = if cfg!(target_os = "linux") { Some(MPTCP) } else { None };
#[cfg(all(feature = "capi", target_os = "linux"))]
use net::ipproto::MPTCP;
/// Never used.
#[cfg(all(feature = "capi", not(target_os = "linux")))]
const MPTCP: Protocol = net::ipproto::TCP;

/// `socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)`
#[cfg(feature = "capi")]
pub(crate) fn nonblocking_stream_socket(family: AddressFamily, protocol: Option<Protocol>) -> Result<OwnedFd> {
    fresh::socket(family, SocketType::STREAM, true, protocol)
}

/// `socket(family, SOCK_STREAM, protocol)`: blocking and not close-on-exec, for C callers that expect it so.
#[cfg(feature = "capi")]
pub(crate) fn inherited_stream_socket(family: AddressFamily, protocol: Option<Protocol>) -> Result<OwnedFd> {
    net::socket(family, SocketType::STREAM, protocol)
}

/// `socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)`
pub(crate) fn datagram_socket(family: AddressFamily) -> Result<OwnedFd> {
    fresh::socket(family, SocketType::DGRAM, true, None)
}

/// `socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)`
#[cfg(target_os = "linux")]
pub(crate) fn seqpacket_socket() -> Result<OwnedFd> {
    fresh::socket(AddressFamily::UNIX, SocketType::SEQPACKET, true, None)
}

/// The address family a socket for this address has; `EAFNOSUPPORT` for [`Endpoint::Unknown`].
pub(crate) fn family(endpoint: &Endpoint) -> Result<AddressFamily> {
    match endpoint {
        Endpoint::Inet(addr) if addr.is_ipv4() => Ok(AddressFamily::INET),
        Endpoint::Inet(_) => Ok(AddressFamily::INET6),
        Endpoint::Unix(_) => Ok(AddressFamily::UNIX),
        Endpoint::Unknown { .. } => Err(Errno::AFNOSUPPORT),
    }
}

/// `bind(fd, addr)`
pub(crate) fn bind(fd: BorrowedFd<'_>, addr: &Endpoint) -> Result<()> {
    net::bind(fd, &sockaddr::encode(addr)?)
}

/// `connect(fd, addr)`
pub(crate) fn connect(fd: BorrowedFd<'_>, addr: &Endpoint) -> Result<()> {
    net::connect(fd, &sockaddr::encode(addr)?)
}

/// `accept(fd, &addr, &len)`
pub(crate) fn accept(fd: BorrowedFd<'_>) -> Result<(OwnedFd, Endpoint)> {
    net::acceptfrom(fd).map(with_endpoint)
}

#[inline]
fn with_endpoint((fd, addr): (OwnedFd, Option<net::SocketAddrAny>)) -> (OwnedFd, Endpoint) {
    (fd, sockaddr::decode_any(addr.as_ref()))
}

/// `getsockname(fd, &addr, &len)`
pub(crate) fn local_addr(fd: BorrowedFd<'_>) -> Result<Endpoint> {
    net::getsockname(fd).map(|addr| sockaddr::decode(&addr))
}

/// `getpeername(fd, &addr, &len)`
pub(crate) fn peer_addr(fd: BorrowedFd<'_>) -> Result<Endpoint> {
    net::getpeername(fd)?.as_ref().map(sockaddr::decode).ok_or(Errno::NOTCONN)
}

/// Whether a socket listens.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn is_listening(fd: BorrowedFd<'_>) -> Result<bool> {
    sockopt::socket_acceptconn(fd)
}

/// Apple has the option's number but not the option.
#[cfg(target_vendor = "apple")]
pub(crate) fn is_listening(_: BorrowedFd<'_>) -> Result<bool> {
    Ok(true)
}

/// `ioctl(fd, SIOCGIFINDEX, name)`
#[cfg(target_os = "linux")]
pub(crate) fn interface_index(fd: BorrowedFd<'_>, name: &str) -> Result<u32> {
    net::netdevice::name_to_index(fd, name)
}

/// Only implemented for Linux.
#[cfg(not(target_os = "linux"))]
pub(crate) fn interface_index(_: BorrowedFd<'_>, _: &str) -> Result<u32> {
    Err(Errno::NODEV)
}

/// `pipe(fds)`
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe()
}

/// `read(fd, buf)`, for descriptors that are not sockets.
pub(crate) fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    rustix::io::read(fd, buf)
}

/// `recv(fd, buf, 0)`
#[inline]
pub(crate) fn recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    net::recv(fd, buf, RecvFlags::empty()).map(|(len, _)| len)
}

/// `recv(fd, buf, MSG_PEEK)`: the bytes stay to be read.
#[inline]
pub(crate) fn peek(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    net::recv(fd, buf, RecvFlags::PEEK).map(|(len, _)| len)
}

/// `recv(fd, buf, MSG_DONTWAIT)`: `EAGAIN` instead of blocking, even on a blocking socket.
#[inline]
pub(crate) fn recv_now(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    net::recv(fd, buf, RecvFlags::DONTWAIT).map(|(len, _)| len)
}

/// `send(fd, buf, MSG_NOSIGNAL | MSG_DONTWAIT)`: `EAGAIN` instead of blocking, even on a blocking socket.
#[inline]
pub(crate) fn send_now(fd: BorrowedFd<'_>, buf: &[u8]) -> Result<usize> {
    net::send(fd, buf, NO_SIGNAL | SendFlags::DONTWAIT)
}

/// `send(fd, buf, MSG_NOSIGNAL)`: a closed peer causes `EPIPE`, never a signal.
#[inline]
pub(crate) fn send(fd: BorrowedFd<'_>, buf: &[u8]) -> Result<usize> {
    net::send(fd, buf, NO_SIGNAL)
}

/// `sendmsg(fd, bufs, MSG_NOSIGNAL)`
#[inline]
pub(crate) fn send_vectored(fd: BorrowedFd<'_>, bufs: &[IoSlice<'_>]) -> Result<usize> {
    net::sendmsg(fd, bufs, &mut SendAncillaryBuffer::default(), NO_SIGNAL)
}

#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
/// Apple's sockets have `SO_NOSIGPIPE` instead, which accepted ones inherit from their listener.
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: SendFlags = SendFlags::empty();

/// Waits until `fd` is ready for any of `asked`, has an error or a hang-up, or `timeout` is over (`None`: never);
/// returns whether `fd` was ready in time.
#[inline]
pub(crate) fn poll(fd: BorrowedFd<'_>, asked: PollFlags, timeout: Option<Duration>) -> Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(fd, asked)];
    rustix::event::poll(&mut fds, timeout.map(timespec).as_ref()).map(|ready| ready > 0)
}

/// Waits until a descriptor is ready for what it was asked for, has an error or a hang-up, or `timeout` is over (`None`:
/// never).
pub(crate) fn poll_all(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> Result<usize> {
    rustix::event::poll(fds, timeout.map(timespec).as_ref())
}

/// Which of `asked` `fd` is ready for, and any error or hang-up, without blocking.
pub(crate) fn poll_now(fd: BorrowedFd<'_>, asked: PollFlags) -> Result<PollFlags> {
    let mut fds = [PollFd::from_borrowed_fd(fd, asked)];
    rustix::event::poll(&mut fds, Some(&timespec(Duration::ZERO)))?;
    let [fd] = fds;
    Ok(fd.revents())
}

/// The flag that reveals a listener that was shut down: accepts on such a Unix socket keep failing with `EAGAIN`, and
/// nothing else shows the shutdown (measured on Linux 6.18).
#[cfg(target_os = "linux")]
pub(crate) const READ_HANGUP: PollFlags = PollFlags::RDHUP;
#[cfg(not(target_os = "linux"))]
pub(crate) const READ_HANGUP: PollFlags = PollFlags::empty();

/// `fcntl(fd, F_DUPFD_CLOEXEC)`
pub(crate) fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 0)
}

/// `fcntl(fd, F_GETFD)`
pub(crate) fn cloexec(fd: BorrowedFd<'_>) -> Result<bool> {
    rustix::io::fcntl_getfd(fd).map(|flags| flags.contains(FdFlags::CLOEXEC))
}

/// `fcntl(fd, F_SETFD, FD_CLOEXEC or 0)`
pub(crate) fn set_cloexec(fd: BorrowedFd<'_>, on: bool) -> Result<()> {
    rustix::io::fcntl_setfd(fd, if on { FdFlags::CLOEXEC } else { FdFlags::empty() })
}

/// `fcntl(fd, F_GETFL)`
pub(crate) fn status_flags(fd: BorrowedFd<'_>) -> Result<OFlags> {
    rustix::fs::fcntl_getfl(fd)
}

/// `fcntl(fd, F_SETFL, flags)`
pub(crate) fn set_status_flags(fd: BorrowedFd<'_>, flags: OFlags) -> Result<()> {
    rustix::fs::fcntl_setfl(fd, flags)
}

/// `getrandom(buf, 0)`, which fills buffers of up to 256 bytes whole.
#[cfg(all(feature = "dns", target_os = "linux"))]
pub(crate) fn random(buf: &mut [u8]) -> Result<()> {
    let len = buf.len();
    let filled = retry_on_intr(|| rustix::rand::getrandom(&mut *buf, rustix::rand::GetRandomFlags::empty()))?;
    if filled == len { Ok(()) } else { Err(Errno::IO) }
}

/// `read(open("/dev/urandom"), buf)`
#[cfg(all(feature = "dns", not(target_os = "linux")))]
pub(crate) fn random(buf: &mut [u8]) -> Result<()> {
    use rustix::fd::AsFd;

    let device = open_to_read(c"/dev/urandom")?;
    let filled = retry_on_intr(|| read(device.as_fd(), buf))?;
    if filled == buf.len() { Ok(()) } else { Err(Errno::IO) }
}
