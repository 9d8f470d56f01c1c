//! The options that only Linux has.

use core::{fmt, time::Duration};

use rustix::fd::AsFd;

use super::{in_range, raw::OptionName, sockopt, whole_milliseconds, whole_seconds};
use crate::{
    error::{Cause, Errno, Error, Op, Opt, Result, ResultExt},
    sys::raw,
};

/// The name of a network device, of 1 to 15 bytes.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[doc(alias = "IFNAMSIZ")]
pub struct DeviceName {
    /// Padded with NULs, as the kernel takes it.
    bytes: [u8; Self::CAPACITY],
}

impl DeviceName {
    /// `IFNAMSIZ`: 15 bytes and a terminator.
    const CAPACITY: usize = 16;

    /// A name such as `eth0`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`](Cause::OutOfRange) for a length outside 1..=15 bytes, [`EmbeddedNul`](Cause::EmbeddedNul) for a
    /// NUL within.
    pub fn new(name: &str) -> Result<Self> {
        let refuse = |cause| Error::refused(Op::Set(Opt::BindDevice), cause);
        if let Some(at) = name.bytes().position(|byte| byte == 0) {
            return Err(refuse(Cause::EmbeddedNul { at: u32::try_from(at).unwrap_or(u32::MAX) }));
        }
        in_range(Opt::BindDevice, u32::try_from(name.len()).unwrap_or(u32::MAX))?;
        Ok(Self::padded(name.as_bytes()))
    }

    /// As many bytes as fit.
    fn padded(name: &[u8]) -> Self {
        let mut bytes = [0; Self::CAPACITY];
        for (to, from) in bytes.iter_mut().zip(name) {
            *to = *from;
        }
        Self { bytes }
    }

    /// The name without its padding.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceName({})", self.as_bytes().escape_ascii())
    }
}

/// Whether binding a source address leaves the choice of the port to `connect`.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "IP_BIND_ADDRESS_NO_PORT")]
pub fn bind_address_no_port(fd: impl AsFd) -> Result<bool> {
    get_int(fd, OptionName::BIND_ADDRESS_NO_PORT, Opt::BindAddressNoPort).map(|value| value != 0)
}

/// Leaves the choice of the port to `connect` when a source address is bound with port 0, so that connections to
/// different peers can share a port. For IPv4 and IPv6 alike, since Linux 4.2.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "IP_BIND_ADDRESS_NO_PORT")]
pub fn set_bind_address_no_port(fd: impl AsFd, on: bool) -> Result<()> {
    set_int(fd, OptionName::BIND_ADDRESS_NO_PORT, Opt::BindAddressNoPort, on.into())
}

/// The device a socket is bound to.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "SO_BINDTODEVICE")]
pub fn bind_device(fd: impl AsFd) -> Result<Option<DeviceName>> {
    let mut value = [0; DeviceName::CAPACITY];
    let len = raw::getsockopt(fd.as_fd(), OptionName::BIND_DEVICE, &mut value).op(Op::Get(Opt::BindDevice))?;
    let name = DeviceName::padded(value.get(..len).unwrap_or_default());
    Ok((!name.as_bytes().is_empty()).then_some(name))
}

/// Lets only this device's packets in and out; `None` lifts the restriction.
///
/// # Errors
///
/// `ENODEV` for a device that is not there, `EPERM` for a user who may not change the binding; see the
/// [module](super).
#[doc(alias = "SO_BINDTODEVICE")]
pub fn set_bind_device(fd: impl AsFd, device: Option<&DeviceName>) -> Result<()> {
    let value = device.map_or(&[0][..], |device| &device.bytes);
    raw::setsockopt(fd.as_fd(), OptionName::BIND_DEVICE, value).op(Op::Set(Opt::BindDevice))
}

/// How long a connection without data stays out of the accept queue; `None`: it is queued at once.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "TCP_DEFER_ACCEPT")]
pub fn tcp_defer_accept(fd: impl AsFd) -> Result<Option<Duration>> {
    let seconds = get_int(fd, OptionName::DEFER_ACCEPT, Opt::DeferAccept)?;
    Ok(some_seconds(seconds.into()))
}

/// Keeps a connection out of the accept queue until its first bytes are there, or about this long; `None`: it is
/// queued at once.
///
/// The kernel rounds the time up to one of 1, 3, 7, 15, 31, 63 s and so on, keeps it below half a day or so, and reads
/// back what it made of it. Zero is `None`.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "TCP_DEFER_ACCEPT")]
pub fn set_tcp_defer_accept(fd: impl AsFd, time: Option<Duration>) -> Result<()> {
    let seconds = time.map_or(0, whole_seconds).min(i32::MAX as u32);
    set_int(fd, OptionName::DEFER_ACCEPT, Opt::DeferAccept, seconds)
}

/// The number of connections with unacknowledged first data that a listener keeps.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "TCP_FASTOPEN")]
pub fn tcp_fastopen(fd: impl AsFd) -> Result<u32> {
    get_int(fd, OptionName::FAST_OPEN, Opt::FastOpen)
}

/// Lets a listener take data with the first packet (RFC 7413), from this many connections at a time; 0 switches it
/// off. Clients can use it only where `net.ipv4.tcp_fastopen` has bit 2 set. The kernel clips the number to
/// `net.core.somaxconn`.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "TCP_FASTOPEN")]
pub fn set_tcp_fastopen(fd: impl AsFd, queue_len: u32) -> Result<()> {
    set_int(fd, OptionName::FAST_OPEN, Opt::FastOpen, queue_len.min(i32::MAX as u32))
}

/// The mark that routing and packet filters see on a socket's packets.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "SO_MARK")]
pub fn mark(fd: impl AsFd) -> Result<u32> {
    get_int(fd, OptionName::MARK, Opt::Mark)
}

/// Marks a socket's packets for routing and packet filters.
///
/// # Errors
///
/// `EPERM` without `CAP_NET_ADMIN` (or `CAP_NET_RAW` since Linux 5.17); see the [module](super).
#[doc(alias = "SO_MARK")]
#[doc(alias = "anetSetSockMarkId")]
pub fn set_mark(fd: impl AsFd, mark: u32) -> Result<()> {
    set_int(fd, OptionName::MARK, Opt::Mark, mark)
}

/// The queueing priority of a socket's packets.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "SO_PRIORITY")]
pub fn priority(fd: impl AsFd) -> Result<u32> {
    get_int(fd, OptionName::PRIORITY, Opt::Priority)
}

/// Sets the queueing priority of a socket's packets.
///
/// # Errors
///
/// `EPERM` above 6 without `CAP_NET_ADMIN`; see the [module](super).
#[doc(alias = "SO_PRIORITY")]
pub fn set_priority(fd: impl AsFd, priority: u32) -> Result<()> {
    set_int(fd, OptionName::PRIORITY, Opt::Priority, priority)
}

/// Gives the receive buffer this many bytes, above `net.core.rmem_max` too; the kernel accounts twice as many.
///
/// # Errors
///
/// `EPERM` without `CAP_NET_ADMIN`; see the [module](super).
#[doc(alias = "SO_RCVBUFFORCE")]
pub fn set_recv_buffer_size_force(fd: impl AsFd, bytes: usize) -> Result<()> {
    let bytes = bytes.min(i32::MAX as usize);
    sockopt::set_socket_recv_buffer_size_force(fd, bytes).op(Op::Set(Opt::ReceiveBufferForce))
}

/// Gives the send buffer this many bytes, above `net.core.wmem_max` too; the kernel accounts twice as many.
///
/// # Errors
///
/// `EPERM` without `CAP_NET_ADMIN`; see the [module](super).
#[doc(alias = "SO_SNDBUFFORCE")]
pub fn set_send_buffer_size_force(fd: impl AsFd, bytes: usize) -> Result<()> {
    let bytes = bytes.min(i32::MAX as usize);
    sockopt::set_socket_send_buffer_size_force(fd, bytes).op(Op::Set(Opt::SendBufferForce))
}

/// How long sent bytes may stay unacknowledged before a connection ends; `None`: the system's own limit.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "TCP_USER_TIMEOUT")]
pub fn tcp_user_timeout(fd: impl AsFd) -> Result<Option<Duration>> {
    let milliseconds = sockopt::tcp_user_timeout(fd).op(Op::Get(Opt::UserTimeout))?;
    Ok((milliseconds > 0).then(|| Duration::from_millis(milliseconds.into())))
}

/// Ends a connection with `ETIMEDOUT` when sent bytes stay unacknowledged this long (milliseconds, rounded up; RFC
/// 5482); `None`: after the system's own limit.
///
/// # Errors
///
/// [`OutOfRange`](Cause::OutOfRange) for zero or more than `i32::MAX` ms; see the [module](super).
#[doc(alias = "TCP_USER_TIMEOUT")]
pub fn set_tcp_user_timeout(fd: impl AsFd, time: Option<Duration>) -> Result<()> {
    let milliseconds = match time {
        Some(time) => in_range(Opt::UserTimeout, whole_milliseconds(time))?,
        None => 0,
    };
    sockopt::set_tcp_user_timeout(fd, milliseconds).op(Op::Set(Opt::UserTimeout))
}

fn some_seconds(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

fn get_int(fd: impl AsFd, name: OptionName, opt: Opt) -> Result<u32> {
    let mut value = [0; 4];
    let len = raw::getsockopt(fd.as_fd(), name, &mut value).op(Op::Get(opt))?;
    if len == value.len() { Ok(u32::from_ne_bytes(value)) } else { Err(Error::new(Op::Get(opt), Errno::INVAL)) }
}

fn set_int(fd: impl AsFd, name: OptionName, opt: Opt, value: u32) -> Result<()> {
    raw::setsockopt(fd.as_fd(), name, &value.to_ne_bytes()).op(Op::Set(opt))
}
