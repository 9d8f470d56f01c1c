//! Option values that are not plain numbers.

use core::fmt;

use super::in_range;
use crate::error::{Cause, Error, Op, Opt, Result};

/// Names as the kernel represents them: up to 15 bytes, padded with NULs.
const NAME_CAPACITY: usize = 16;

/// Truncates the name to fit.
fn padded(name: &[u8]) -> [u8; NAME_CAPACITY] {
    let mut bytes = [0; NAME_CAPACITY];
    for (to, from) in bytes.iter_mut().zip(name) {
        *to = *from;
    }
    bytes
}

/// The name without its padding.
fn unpadded(bytes: &[u8; NAME_CAPACITY]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The name, if `opt` accepts its length and it contains no NUL.
fn checked(opt: Opt, name: &str) -> Result<[u8; NAME_CAPACITY]> {
    if let Some(at) = name.bytes().position(|byte| byte == 0) {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        return Err(Error::refused(Op::Set(opt), Cause::EmbeddedNul { at }));
    }
    in_range(opt, u32::try_from(name.len()).unwrap_or(u32::MAX))?;
    Ok(padded(name.as_bytes()))
}

/// The name of a network device, 1 to 15 bytes.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[doc(alias = "IFNAMSIZ")]
pub struct DeviceName {
    bytes: [u8; NAME_CAPACITY],
}

impl DeviceName {
    pub(super) const CAPACITY: usize = NAME_CAPACITY;

    /// The last byte is a NUL.
    const LEN_MAX: usize = NAME_CAPACITY - 1;

    /// A name such as `eth0`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`](Cause::OutOfRange) for a length outside 1..=15 bytes, [`EmbeddedNul`](Cause::EmbeddedNul) for a
    /// NUL within.
    pub fn new(name: &str) -> Result<Self> {
        checked(Opt::SO_BINDTODEVICE, name).map(|bytes| Self { bytes })
    }

    /// A name from the kernel, cut to fit.
    pub(crate) fn padded(name: &[u8]) -> Self {
        Self { bytes: padded(name.get(..Self::LEN_MAX).unwrap_or(name)) }
    }

    /// The name and one NUL.
    pub(crate) fn terminated(&self) -> &[u8] {
        self.bytes.get(..=self.as_bytes().len()).unwrap_or(&self.bytes)
    }

    /// The name without its padding.
    pub fn as_bytes(&self) -> &[u8] {
        unpadded(&self.bytes)
    }
}

/// The name; bytes that are not printable ASCII become `\xNN`.
impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match core::str::from_utf8(self.as_bytes()) {
            Ok(name) if name.bytes().all(|byte| byte.is_ascii_graphic()) => f.pad(name),
            _ => self.as_bytes().escape_ascii().fmt(f),
        }
    }
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceName({})", self.as_bytes().escape_ascii())
    }
}

/// The name of a congestion control (`TCP_CONGESTION`) or of an upper layer protocol (`TCP_ULP`), up to 15 bytes.
///
/// ```
/// use anet::{SocketOptions, option::TcpName};
///
/// let options = SocketOptions::new().with_tcp_congestion(Some(TcpName::new("reno")?));
/// # let _ = options;
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[doc(alias = "TCP_CA_NAME_MAX")]
#[doc(alias = "TCP_ULP_NAME_MAX")]
pub struct TcpName {
    bytes: [u8; NAME_CAPACITY],
}

impl TcpName {
    pub(super) const CAPACITY: usize = NAME_CAPACITY;

    /// A name such as `cubic` or `tls`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`](Cause::OutOfRange) for a length outside 1..=15 bytes, [`EmbeddedNul`](Cause::EmbeddedNul) for a
    /// NUL within.
    pub fn new(name: &str) -> Result<Self> {
        checked(Opt::TCP_CONGESTION, name).map(|bytes| Self { bytes })
    }

    pub(crate) fn padded(name: &[u8]) -> Self {
        Self { bytes: padded(name) }
    }

    /// The name without its padding; empty if the socket has none.
    pub fn as_bytes(&self) -> &[u8] {
        unpadded(&self.bytes)
    }
}

/// The name; bytes that are not printable ASCII become `\xNN`.
impl fmt::Display for TcpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match core::str::from_utf8(self.as_bytes()) {
            Ok(name) if name.bytes().all(|byte| byte.is_ascii_graphic()) => f.pad(name),
            _ => self.as_bytes().escape_ascii().fmt(f),
        }
    }
}

impl fmt::Debug for TcpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpName({})", self.as_bytes().escape_ascii())
    }
}

/// The process that was the peer of a Unix connection when it connected.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "ucred")]
pub struct PeerCredentials {
    /// The process ID; 0 if the peer is in a PID namespace that this process cannot see.
    pub pid: u32,
    /// Its effective user; `u32::MAX` if the socket has no peer.
    pub uid: u32,
    /// Its effective group; `u32::MAX` if the socket has no peer.
    pub gid: u32,
}

/// How datagrams specify their transmit time.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[doc(alias = "sock_txtime")]
pub struct TxTime {
    /// The clock of the times, such as `CLOCK_MONOTONIC` (1).
    pub clock: i32,
    /// `SOF_TXTIME_DEADLINE_MODE` (1), `SOF_TXTIME_REPORT_ERRORS` (2).
    pub flags: u32,
}
