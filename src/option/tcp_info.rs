//! `TCP_INFO`: the kernel's state of a connection, and how full a listener's queue is.

use core::{fmt, time::Duration};

use rustix::fd::AsFd;

use super::raw::OptionName;
use crate::{
    error::{Op, Opt, Result, ResultExt},
    sys::raw,
};

/// The kernel's state of a TCP connection.
///
/// The struct grows between kernel versions (104 bytes in Linux 2.6, 280 in 6.18): a field that this kernel lacks reads
/// as `None`, and [`as_bytes`](Self::as_bytes) has the fields without a method here. Offsets are those of
/// `struct tcp_info` in `linux/tcp.h`, whose fields never move.
#[derive(Clone, Copy)]
#[doc(alias = "tcp_info")]
pub struct TcpInfo {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl TcpInfo {
    const CAPACITY: usize = 280;

    /// The bytes that the kernel wrote.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.as_bytes().get(at..)?.first_chunk().copied()
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_ne_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_ne_bytes)
    }

    fn microseconds(&self, at: usize) -> Option<Duration> {
        self.u32(at).map(|us| Duration::from_micros(us.into()))
    }

    /// The state, as numbered by the kernel: 1 is established, 7 closed, 10 listening.
    pub fn state(&self) -> Option<u8> {
        self.array(0).map(|[state]| state)
    }

    /// Segments sent but not yet acknowledged; on a listener, the pending connections.
    pub fn unacked(&self) -> Option<u32> {
        self.u32(24)
    }

    /// Segments acknowledged selectively; on a listener, the backlog.
    pub fn sacked(&self) -> Option<u32> {
        self.u32(28)
    }

    /// The smoothed round-trip time.
    pub fn rtt(&self) -> Option<Duration> {
        self.microseconds(68)
    }

    /// The mean deviation of the round-trip time.
    pub fn rtt_variation(&self) -> Option<Duration> {
        self.microseconds(72)
    }

    /// The congestion window, in segments.
    pub fn congestion_window(&self) -> Option<u32> {
        self.u32(80)
    }

    /// Segments retransmitted during the life of the connection.
    pub fn total_retransmits(&self) -> Option<u32> {
        self.u32(100)
    }

    /// Bytes the peer has acknowledged; since Linux 4.1.
    pub fn bytes_acked(&self) -> Option<u64> {
        self.u64(120)
    }

    /// Bytes received; since Linux 4.1.
    pub fn bytes_received(&self) -> Option<u64> {
        self.u64(128)
    }
}

impl fmt::Debug for TcpInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpInfo")
            .field("state", &self.state())
            .field("rtt", &self.rtt())
            .field("unacked", &self.unacked())
            .field("total_retransmits", &self.total_retransmits())
            .field("len_bytes", &self.len)
            .finish()
    }
}

/// Reads the kernel's state of a TCP connection.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "TCP_INFO")]
pub fn tcp_info(fd: impl AsFd) -> Result<TcpInfo> {
    let mut bytes = [0; TcpInfo::CAPACITY];
    let len = raw::getsockopt(fd.as_fd(), OptionName::TCP_INFO, &mut bytes).op(Op::Get(Opt::TCP_INFO))?;
    Ok(TcpInfo { bytes, len })
}

/// How full a TCP listener's queue is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AcceptQueue {
    /// The number of pending connections.
    pub len: u32,
    /// The backlog that the kernel granted; it queues one connection more.
    pub backlog: u32,
}

/// Returns how many connections are pending on a TCP listener; one call, at a sixth of the cost of an accept
/// (measured).
///
/// # Errors
///
/// See the [module](super). On a connected socket the numbers have another meaning.
#[doc(alias = "TCP_INFO")]
pub fn accept_queue(listener: impl AsFd) -> Result<AcceptQueue> {
    let mut bytes = [0; 32];
    raw::getsockopt(listener.as_fd(), OptionName::TCP_INFO, &mut bytes).op(Op::Get(Opt::TCP_INFO))?;
    let [.., l0, l1, l2, l3, b0, b1, b2, b3] = bytes;
    Ok(AcceptQueue { len: u32::from_ne_bytes([l0, l1, l2, l3]), backlog: u32::from_ne_bytes([b0, b1, b2, b3]) })
}
