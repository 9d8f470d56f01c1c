//! Socket options and descriptor flags: one getter and one setter each, on anything that is [`AsFd`].
//!
//! A setter makes one system call and changes one thing. Times are [`Duration`]s; where the kernel counts in whole
//! units a time is rounded up, so that nothing happens earlier than asked. Where the kernel would refuse a value with a
//! bare `EINVAL` and the range is known, the error names it ([`Opt::range`]). Where the kernel bends a value without a
//! word the function says so; the getter reads what it made of it.
//!
//! The functions follow from one table, a row an option; [`Opt`] says what a row says. [`SocketOptions`] carries many
//! options at once, for both ends of a connection. What has no row is reached by number through [`raw`]. Sources:
//! `socket(7)`, `tcp(7)`, `ip(7)`, `ipv6(7)`, `udp(7)`, `unix(7)`, `fcntl(2)`.
//!
//! # Errors
//!
//! Every function here fails with `EBADF` for a closed descriptor, `ENOTSOCK` for one that is no socket, and
//! `ENOPROTOOPT` or `EOPNOTSUPP` for a socket whose protocol does not have the option.

mod buffer;
mod keepalive;
mod kind;
mod named;
pub mod raw;
mod socket_options;
pub(crate) mod table;
#[cfg(target_os = "linux")]
mod tcp_info;
#[cfg(target_os = "linux")]
mod value;

use core::time::Duration;

use rustix::fd::AsFd;

use crate::{
    error::{Cause, Error, Op, Opt, Result, ResultExt},
    sys::{self, OFlags, sockopt},
};

pub use buffer::{maximize_recv_buffer, maximize_send_buffer};
pub use keepalive::{TcpKeepalive, set_tcp_keepalive};
pub use named::*;
pub use socket_options::{BACKLOG_DEFAULT, SocketOptions};
#[cfg(target_os = "linux")]
pub use tcp_info::{AcceptQueue, TcpInfo, accept_queue, tcp_info};
#[cfg(target_os = "linux")]
pub use value::{DeviceName, PeerCredentials, TcpName, TxTime};

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

/// The value if [`Opt::range`] has it.
fn in_range(opt: Opt, value: u32) -> Result<u32> {
    match opt.range() {
        Some(range) if !range.contains(&value) => Err(Error::refused(Op::Set(opt), Cause::OutOfRange { value })),
        _ => Ok(value),
    }
}

/// Whole seconds, rounded up.
const fn whole_seconds(time: Duration) -> u32 {
    saturated(time.as_nanos().div_ceil(1_000_000_000))
}

/// Whole milliseconds, rounded up.
const fn whole_milliseconds(time: Duration) -> u32 {
    saturated(time.as_nanos().div_ceil(1_000_000))
}

const fn saturated(number: u128) -> u32 {
    if number > u32::MAX as u128 { u32::MAX } else { number as u32 }
}
