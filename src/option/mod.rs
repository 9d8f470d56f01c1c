//! Socket options and descriptor flags: one getter and one setter each, on anything that is [`AsFd`].
//!
//! A setter makes one system call and changes one option. Times are [`Duration`]s; where the kernel counts in whole
//! units, times are rounded up, so that nothing happens earlier than requested. Where the kernel would reject a value
//! with a bare `EINVAL` and the range is known, the error names the value ([`Opt::range`]). Where the kernel silently
//! adjusts a value, the function's documentation mentions it; the getter returns the adjusted value.
//!
//! The functions follow from one table, with a row for each option, and [`Opt`] has the facts of a row. [`SocketOptions`]
//! carries many options at once, for both ends of a connection. [`raw`] reaches every other option by number. Sources:
//! `socket(7)`, `tcp(7)`, `ip(7)`, `ipv6(7)`, `udp(7)`, `unix(7)`, `fcntl(2)`.
//!
//! # Errors
//!
//! Every function here fails with `EBADF` for a closed descriptor, `ENOTSOCK` for one that is not a socket, and
//! `ENOPROTOOPT` or `EOPNOTSUPP` for a socket whose protocol lacks the option.

mod buffer;
mod keepalive;
mod kind;
#[cfg(target_os = "linux")]
mod memory;
mod named;
#[cfg(target_os = "linux")]
mod peer;
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
pub use keepalive::{DeadPeerPlan, TcpKeepalive, set_dead_peer_plan, set_tcp_keepalive};
#[cfg(target_os = "linux")]
pub use memory::{SocketMemory, memory};
pub use named::*;
#[cfg(target_os = "linux")]
pub use peer::peer_pidfd;
pub use socket_options::{BACKLOG_DEFAULT, SocketOptions};
#[cfg(target_os = "linux")]
pub use tcp_info::{AcceptQueue, TcpInfo, accept_queue, tcp_info};
#[cfg(target_os = "linux")]
pub use value::{DeviceName, PeerCredentials, TcpName, TxTime};

/// Whether `execve` closes the descriptor.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "FD_CLOEXEC")]
pub fn cloexec(fd: impl AsFd) -> Result<bool> {
    sys::cloexec(fd.as_fd()).op(Op::GetCloexec)
}

/// Sets or clears close-on-exec; one call if the descriptor already has that state, two otherwise.
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

/// Whether calls on the descriptor fail with `EAGAIN` instead of blocking.
///
/// # Errors
///
/// See the [module](self).
#[doc(alias = "O_NONBLOCK")]
pub fn nonblocking(fd: impl AsFd) -> Result<bool> {
    sys::status_flags(fd.as_fd()).op(Op::GetFlags).map(|flags| flags.contains(OFlags::NONBLOCK))
}

/// Makes calls on the descriptor fail with `EAGAIN` instead of blocking, or block; one call if the descriptor already
/// has that state, two otherwise.
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

/// The value, if it is in [`Opt::range`].
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
