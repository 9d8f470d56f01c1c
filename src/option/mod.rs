//! Socket options and descriptor flags: one getter and one setter each, on anything that is [`AsFd`].
//!
//! A setter makes one system call and changes one thing. Times are [`Duration`]s; where the kernel counts in whole
//! units a time is rounded up, so that nothing happens earlier than asked. Where the kernel would refuse a value with a
//! bare `EINVAL` and the range is known, the error names it ([`Opt::range`]). Where the kernel bends a value without a
//! word the function says so; the getter reads what it made of it.
//!
//! Functions are sorted by the kernel's name. Everything else is reached by number through [`raw`]. Sources:
//! `socket(7)`, `tcp(7)`, `ip(7)`, `ipv6(7)`, `fcntl(2)`.
//!
//! # Errors
//!
//! Every function here fails with `EBADF` for a closed descriptor, `ENOTSOCK` for one that is no socket, and
//! `ENOPROTOOPT` or `EOPNOTSUPP` for a socket whose protocol does not have the option.

mod buffer;
mod keepalive;
#[cfg(target_os = "linux")]
mod linux;
pub mod raw;
#[cfg(target_os = "linux")]
mod tcp_info;

use core::time::Duration;

use rustix::fd::AsFd;

use crate::{
    error::{Cause, Errno, Error, Op, Opt, Result, ResultExt},
    sys::{self, OFlags, sockopt},
};

pub use buffer::{maximize_recv_buffer, maximize_send_buffer};
pub use keepalive::{TcpKeepalive, set_tcp_keepalive};
#[cfg(not(target_os = "openbsd"))]
pub use keepalive::{set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl, tcp_keepcnt, tcp_keepidle, tcp_keepintvl};
#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(target_os = "linux")]
pub use tcp_info::{AcceptQueue, TcpInfo, accept_queue, tcp_info};

/// Whether the descriptor is closed on `execve`.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "FD_CLOEXEC")]
pub fn cloexec(fd: impl AsFd) -> Result<bool> {
    sys::cloexec(fd.as_fd()).op(Op::GetCloexec)
}

/// Lets the descriptor be closed on `execve`, or not; one call if it is so already, two otherwise.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "FD_CLOEXEC")]
#[doc(alias = "anetCloexec")]
pub fn set_cloexec(fd: impl AsFd, on: bool) -> Result<()> {
    if cloexec(&fd)? == on {
        return Ok(());
    }
    sys::set_cloexec(fd.as_fd(), on).op(Op::Cloexec)
}

/// Whether calls on the descriptor return `EAGAIN` instead of waiting.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "O_NONBLOCK")]
pub fn nonblocking(fd: impl AsFd) -> Result<bool> {
    sys::status_flags(fd.as_fd()).op(Op::GetFlags).map(|flags| flags.contains(OFlags::NONBLOCK))
}

/// Makes calls on the descriptor return `EAGAIN` instead of waiting, or wait; one call if it is so already, two
/// otherwise.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "O_NONBLOCK")]
#[doc(alias = "anetNonBlock")]
#[doc(alias = "anetBlock")]
pub fn set_nonblocking(fd: impl AsFd, on: bool) -> Result<()> {
    let before = sys::status_flags(fd.as_fd()).op(Op::GetFlags)?;
    let mut after = before;
    after.set(OFlags::NONBLOCK, on);
    if after == before {
        return Ok(());
    }
    sys::set_status_flags(fd.as_fd(), after).op(Op::SetFlags)
}

/// Whether an IPv6 socket leaves IPv4 alone.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "IPV6_V6ONLY")]
pub fn only_v6(fd: impl AsFd) -> Result<bool> {
    sockopt::ipv6_v6only(fd).op(Op::Get(Opt::V6Only))
}

/// Keeps an IPv6 socket from taking IPv4 too, whatever `net.ipv6.bindv6only` says. Before binding only.
///
/// # Errors
///
/// `EINVAL` once the socket is bound; see the [module](self).
#[doc(alias = "IPV6_V6ONLY")]
pub fn set_only_v6(fd: impl AsFd, on: bool) -> Result<()> {
    sockopt::set_ipv6_v6only(fd, on).op(Op::Set(Opt::V6Only))
}

/// Takes the error that waits on a socket, such as the outcome of a connect; reading clears it.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_ERROR")]
#[doc(alias = "anetGetError")]
pub fn take_error(fd: impl AsFd) -> Result<Option<Errno>> {
    sockopt::socket_error(fd).op(Op::Get(Opt::Error)).map(core::result::Result::err)
}

/// Whether idle connections are probed.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_KEEPALIVE")]
pub fn keepalive(fd: impl AsFd) -> Result<bool> {
    sockopt::socket_keepalive(fd).op(Op::Get(Opt::KeepAlive))
}

/// Switches the probing of idle connections; [`set_tcp_keepalive`] says when as well.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_KEEPALIVE")]
pub fn set_keepalive(fd: impl AsFd, on: bool) -> Result<()> {
    sockopt::set_socket_keepalive(fd, on).op(Op::Set(Opt::KeepAlive))
}

/// How long closing waits for unsent bytes; `None`: it does not wait, and the kernel sends them later.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_LINGER")]
pub fn linger(fd: impl AsFd) -> Result<Option<Duration>> {
    sockopt::socket_linger(fd).op(Op::Get(Opt::Linger))
}

/// Lets closing wait this long (whole seconds, rounded up) for unsent bytes. Zero discards them and resets the
/// connection; `None` is the default: no wait, sent later.
///
/// # Errors
///
/// `EINVAL` for a time the kernel cannot count; see the [module](self).
#[doc(alias = "SO_LINGER")]
pub fn set_linger(fd: impl AsFd, time: Option<Duration>) -> Result<()> {
    sockopt::set_socket_linger(fd, time).op(Op::Set(Opt::Linger))
}

/// The size of the receive buffer in bytes, as the kernel accounts it: twice what was asked on Linux.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_RCVBUF")]
pub fn recv_buffer_size(fd: impl AsFd) -> Result<usize> {
    sockopt::socket_recv_buffer_size(fd).op(Op::Get(Opt::ReceiveBuffer))
}

/// Asks for a receive buffer of this many bytes. The kernel clips it to `net.core.rmem_max` without an error.
///
/// For a listener to pass on a window larger than 64 KiB it must be set before `listen`.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_RCVBUF")]
pub fn set_recv_buffer_size(fd: impl AsFd, bytes: usize) -> Result<()> {
    sockopt::set_socket_recv_buffer_size(fd, bytes.min(i32::MAX as usize)).op(Op::Set(Opt::ReceiveBuffer))
}

/// How long a read waits; `None`: for ever.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_RCVTIMEO")]
pub fn recv_timeout(fd: impl AsFd) -> Result<Option<Duration>> {
    sockopt::socket_timeout(fd, sockopt::Timeout::Recv).op(Op::Get(Opt::ReceiveTimeout))
}

/// Lets a read end with `EAGAIN` after this long; `None`: it waits for ever. The kernel counts in ticks of some
/// milliseconds, rounded up, and takes more than it can count for "for ever".
///
/// # Errors
///
/// `EINVAL` for zero, which the kernel would take for "for ever"; see the [module](self).
#[doc(alias = "SO_RCVTIMEO")]
#[doc(alias = "anetRecvTimeout")]
pub fn set_recv_timeout(fd: impl AsFd, time: Option<Duration>) -> Result<()> {
    sockopt::set_socket_timeout(fd, sockopt::Timeout::Recv, time).op(Op::Set(Opt::ReceiveTimeout))
}

/// Whether the address may be bound while old connections on it are still in `TIME_WAIT`.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_REUSEADDR")]
pub fn reuse_address(fd: impl AsFd) -> Result<bool> {
    sockopt::socket_reuseaddr(fd).op(Op::Get(Opt::ReuseAddress))
}

/// Lets the address be bound while old connections on it are still in `TIME_WAIT`. On UDP it lets another socket take
/// the port's datagrams.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_REUSEADDR")]
pub fn set_reuse_address(fd: impl AsFd, on: bool) -> Result<()> {
    sockopt::set_socket_reuseaddr(fd, on).op(Op::Set(Opt::ReuseAddress))
}

/// Whether several sockets may share the address.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_REUSEPORT")]
pub fn reuse_port(fd: impl AsFd) -> Result<bool> {
    sockopt::socket_reuseport(fd).op(Op::Get(Opt::ReusePort))
}

/// Lets several sockets of one user share the address; the kernel spreads connections and datagrams over them.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_REUSEPORT")]
pub fn set_reuse_port(fd: impl AsFd, on: bool) -> Result<()> {
    sockopt::set_socket_reuseport(fd, on).op(Op::Set(Opt::ReusePort))
}

/// The size of the send buffer in bytes, as the kernel accounts it: twice what was asked on Linux.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_SNDBUF")]
pub fn send_buffer_size(fd: impl AsFd) -> Result<usize> {
    sockopt::socket_send_buffer_size(fd).op(Op::Get(Opt::SendBuffer))
}

/// Asks for a send buffer of this many bytes. The kernel clips it to `net.core.wmem_max` without an error.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_SNDBUF")]
pub fn set_send_buffer_size(fd: impl AsFd, bytes: usize) -> Result<()> {
    sockopt::set_socket_send_buffer_size(fd, bytes.min(i32::MAX as usize)).op(Op::Set(Opt::SendBuffer))
}

/// How long a write waits; `None`: for ever.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "SO_SNDTIMEO")]
pub fn send_timeout(fd: impl AsFd) -> Result<Option<Duration>> {
    sockopt::socket_timeout(fd, sockopt::Timeout::Send).op(Op::Get(Opt::SendTimeout))
}

/// Lets a write or a blocking connect end with `EAGAIN` after this long; `None`: it waits for ever. The kernel counts
/// in ticks of some milliseconds, rounded up, and takes more than it can count for "for ever".
///
/// # Errors
///
/// `EINVAL` for zero, which the kernel would take for "for ever"; see the [module](self).
#[doc(alias = "SO_SNDTIMEO")]
#[doc(alias = "anetSendTimeout")]
pub fn set_send_timeout(fd: impl AsFd, time: Option<Duration>) -> Result<()> {
    sockopt::set_socket_timeout(fd, sockopt::Timeout::Send, time).op(Op::Set(Opt::SendTimeout))
}

/// Whether small segments are sent at once.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "TCP_NODELAY")]
pub fn tcp_nodelay(fd: impl AsFd) -> Result<bool> {
    sockopt::tcp_nodelay(fd).op(Op::Get(Opt::NoDelay))
}

/// Sends small segments at once instead of waiting for the acknowledgement of earlier ones (Nagle's algorithm, RFC
/// 896).
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "TCP_NODELAY")]
#[doc(alias = "anetEnableTcpNoDelay")]
#[doc(alias = "anetDisableTcpNoDelay")]
pub fn set_tcp_nodelay(fd: impl AsFd, on: bool) -> Result<()> {
    sockopt::set_tcp_nodelay(fd, on).op(Op::Set(Opt::NoDelay))
}

/// The value if [`Opt::range`] has it.
fn in_range(opt: Opt, value: u32) -> Result<u32> {
    match opt.range() {
        Some(range) if !range.contains(&value) => Err(Error::refused(Op::Set(opt), Cause::OutOfRange { value })),
        _ => Ok(value),
    }
}

/// Whole seconds, rounded up.
fn whole_seconds(time: Duration) -> u32 {
    let seconds = time.as_secs().saturating_add((time.subsec_nanos() > 0).into());
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// Whole milliseconds, rounded up.
#[cfg(target_os = "linux")]
fn whole_milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}
