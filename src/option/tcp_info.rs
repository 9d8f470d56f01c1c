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
///
/// ```
/// use anet::option;
///
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let stream = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let info = option::tcp_info(&stream)?;
/// println!("{:?} +- {:?}, lost {:?}", info.rtt(), info.rtt_variation(), info.lost());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
#[doc(alias = "tcp_info")]
pub struct TcpInfo {
    bytes: [u8; Self::CAPACITY],
    len: u16,
}

/// A row is a field: its type, method, offset and name in the kernel.
macro_rules! fields {
    ($($(#[$doc:meta])* $kind:ident $method:ident $at:literal $name:literal,)*) => {
        impl TcpInfo {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\n`", $name, "`")]
                #[doc(alias = $name)]
                pub fn $method(&self) -> Option<field_type!($kind)> {
                    self.$kind($at)
                }
            )*

            /// The methods above that return a number, with the kernel's names.
            #[cfg(test)]
            const FIELDS: &[(&str, usize, &str)] = &[$((stringify!($kind), $at, $name),)*];
        }

        impl fmt::Debug for TcpInfo {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut fields = f.debug_struct("TcpInfo");
                $(if let Some(value) = self.$method() {
                    fields.field(stringify!($method), &value);
                })*
                fields.field("len_bytes", &self.len).finish_non_exhaustive()
            }
        }
    };
}

macro_rules! field_type {
    (u8) => {
        u8
    };
    (u32) => {
        u32
    };
    (u64) => {
        u64
    };
    (u16) => {
        u16
    };
    (microseconds) => {
        Duration
    };
    (milliseconds) => {
        Duration
    };
    (microseconds64) => {
        Duration
    };
    (rate) => {
        u64
    };
    (threshold) => {
        u32
    };
}

fields! {
    /// The state, as numbered by the kernel: 1 is established, 7 closed, 10 listening.
    u8 state 0 "tcpi_state",
    /// What congestion control does: 0 nothing unusual, 1 there are duplicate acknowledgements, 2 it has reduced the
    /// window, 3 it recovers from a loss, 4 a retransmission timer has expired.
    u8 congestion_state 1 "tcpi_ca_state",
    /// Expiries of the retransmission timer since the last acknowledgement.
    u8 retransmits 2 "tcpi_retransmits",
    /// Unanswered probes, for a window or for a keepalive.
    u8 probes 3 "tcpi_probes",
    /// How often the timeout was doubled since the last acknowledgement.
    u8 backoff 4 "tcpi_backoff",
    /// What was negotiated: 1 timestamps, 2 selective acknowledgements, 4 window scaling, 8 ECN, 16 ECN was used, 32
    /// data in the first packet was acknowledged.
    u8 options 5 "tcpi_options",
    /// The retransmission timeout.
    microseconds retransmission_timeout 8 "tcpi_rto",
    /// How long an acknowledgement may be delayed.
    microseconds acknowledgement_timeout 12 "tcpi_ato",
    /// The size of sent segments in bytes, without headers.
    u32 send_segment_bytes 16 "tcpi_snd_mss",
    /// The estimated size of received segments in bytes, without headers.
    u32 receive_segment_bytes 20 "tcpi_rcv_mss",
    /// Segments sent but not yet acknowledged; on a listener, the pending connections.
    u32 unacked 24 "tcpi_unacked",
    /// Segments acknowledged selectively; on a listener, the backlog.
    u32 sacked 28 "tcpi_sacked",
    /// Segments that are taken for lost now.
    u32 lost 32 "tcpi_lost",
    /// Retransmitted segments that are not acknowledged yet.
    u32 retransmitted 36 "tcpi_retrans",
    /// The time since data was last sent.
    milliseconds since_data_sent 44 "tcpi_last_data_sent",
    /// The time since data was last received.
    milliseconds since_data_received 52 "tcpi_last_data_recv",
    /// The time since an acknowledgement was last received.
    milliseconds since_ack_received 56 "tcpi_last_ack_recv",
    /// The path MTU in bytes.
    u32 path_mtu_bytes 60 "tcpi_pmtu",
    /// The limit of the window that is offered to the peer, in bytes.
    u32 receive_window_limit_bytes 64 "tcpi_rcv_ssthresh",
    /// The smoothed round-trip time.
    microseconds rtt 68 "tcpi_rtt",
    /// The mean deviation of the round-trip time.
    microseconds rtt_variation 72 "tcpi_rttvar",
    /// The window in segments below which it grows quickly; `None` until there was a loss.
    threshold slow_start_threshold 76 "tcpi_snd_ssthresh",
    /// The congestion window, in segments.
    u32 congestion_window 80 "tcpi_snd_cwnd",
    /// The segment size that was announced to the peer, in bytes.
    u32 advertised_segment_bytes 84 "tcpi_advmss",
    /// By how many segments the path reorders.
    u32 reordering 88 "tcpi_reordering",
    /// The round-trip time as the receiver estimates it; zero without data.
    microseconds receive_rtt 92 "tcpi_rcv_rtt",
    /// The size of the receive buffer that the kernel aims at, in bytes.
    u32 receive_space_bytes 96 "tcpi_rcv_space",
    /// Segments retransmitted during the life of the connection.
    u32 total_retransmits 100 "tcpi_total_retrans",
    /// The rate at which segments are sent, in bytes per second; `None`: no limit. Since Linux 3.15.
    rate pacing_rate 104 "tcpi_pacing_rate",
    /// The limit of the pacing rate, in bytes per second; `None`: no limit. Since Linux 3.15.
    rate max_pacing_rate 112 "tcpi_max_pacing_rate",
    /// Bytes the peer has acknowledged; since Linux 4.1.
    u64 bytes_acked 120 "tcpi_bytes_acked",
    /// Bytes received; since Linux 4.1.
    u64 bytes_received 128 "tcpi_bytes_received",
    /// Segments sent; since Linux 4.2.
    u32 segments_sent 136 "tcpi_segs_out",
    /// Segments received; since Linux 4.2.
    u32 segments_received 140 "tcpi_segs_in",
    /// Bytes written and not sent yet; since Linux 4.6.
    u32 unsent_bytes 144 "tcpi_notsent_bytes",
    /// The shortest round-trip time of the last minutes (`net.ipv4.tcp_min_rtt_wlen`); since Linux 4.6.
    microseconds min_rtt 148 "tcpi_min_rtt",
    /// Segments received with data; since Linux 4.6.
    u32 data_segments_received 152 "tcpi_data_segs_in",
    /// Segments sent with data; since Linux 4.6.
    u32 data_segments_sent 156 "tcpi_data_segs_out",
    /// The rate at which the peer has received data lately, in bytes per second; since Linux 4.9.
    u64 delivery_rate 160 "tcpi_delivery_rate",
    /// The time during which there was data to send; since Linux 4.10.
    microseconds64 busy_time 168 "tcpi_busy_time",
    /// The time during which the peer's window was the limit; since Linux 4.10.
    microseconds64 window_limited_time 176 "tcpi_rwnd_limited",
    /// The time during which the send buffer was the limit; since Linux 4.10.
    microseconds64 send_buffer_limited_time 184 "tcpi_sndbuf_limited",
    /// Segments that the peer has received; since Linux 4.18.
    u32 delivered 192 "tcpi_delivered",
    /// Segments that the peer has received with a mark of congestion; since Linux 4.18.
    u32 delivered_marked 196 "tcpi_delivered_ce",
    /// Bytes sent, with those that were retransmitted; since Linux 4.19.
    u64 bytes_sent 200 "tcpi_bytes_sent",
    /// Bytes retransmitted; since Linux 4.19.
    u64 bytes_retransmitted 208 "tcpi_bytes_retrans",
    /// Segments that the peer reported as received twice; since Linux 4.19.
    u32 duplicates_reported 216 "tcpi_dsack_dups",
    /// How often the path was seen to reorder; since Linux 4.19.
    u32 reorderings_seen 220 "tcpi_reord_seen",
    /// Segments received out of order; since Linux 5.4.
    u32 out_of_order_segments 224 "tcpi_rcv_ooopack",
    /// The window that the peer offers, in bytes; since Linux 5.4.
    u32 send_window_bytes 228 "tcpi_snd_wnd",
    /// The window that is offered to the peer, in bytes; since Linux 6.2.
    u32 receive_window_bytes 232 "tcpi_rcv_wnd",
    /// How often the connection has changed its flow label because of timeouts; since Linux 6.2.
    u32 rehashes 236 "tcpi_rehash",
    /// Expiries of the retransmission timer in the life of the connection; since Linux 6.7.
    u16 total_timeouts 240 "tcpi_total_rto",
    /// Recoveries that began with an expiry of the retransmission timer; since Linux 6.7.
    u16 total_timeout_recoveries 242 "tcpi_total_rto_recoveries",
    /// The time spent in recoveries that began with an expiry; since Linux 6.7.
    milliseconds total_timeout_time 244 "tcpi_total_rto_time",
}

impl TcpInfo {
    const CAPACITY: usize = 280;

    /// The struct as the kernel wrote it, from wherever; a longer one is cut.
    pub(crate) fn from_bytes(source: &[u8]) -> Self {
        let mut bytes = [0; Self::CAPACITY];
        for (to, from) in bytes.iter_mut().zip(source) {
            *to = *from;
        }
        Self { bytes, len: source.len().min(Self::CAPACITY) as u16 }
    }

    /// The bytes that the kernel wrote.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }

    /// By how many bits the windows of the peer and of this side are scaled; zero without scaling.
    #[doc(alias = "snd_wscale")]
    #[doc(alias = "rcv_wscale")]
    pub fn window_scales(&self) -> Option<(u8, u8)> {
        let byte = self.u8(6)?;
        // The first of two bit fields is in the low bits of a little-endian host.
        let (low, high) = (byte & 15, byte >> 4);
        Some(if cfg!(target_endian = "little") { (low, high) } else { (high, low) })
    }

    /// Whether the [delivery rate](Self::delivery_rate) was measured while the program did not write enough; since
    /// Linux 4.9.
    #[doc(alias = "delivery_rate_app_limited")]
    pub fn is_delivery_rate_limited_by_program(&self) -> Option<bool> {
        // Older kernels have padding here, and no rate.
        self.delivery_rate()?;
        let first_bit = if cfg!(target_endian = "little") { 1 } else { 0x80 };
        self.u8(7).map(|byte| byte & first_bit != 0)
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.as_bytes().get(at..)?.first_chunk().copied()
    }

    fn u8(&self, at: usize) -> Option<u8> {
        self.array(at).map(|[byte]| byte)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_ne_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_ne_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_ne_bytes)
    }

    fn microseconds(&self, at: usize) -> Option<Duration> {
        self.u32(at).map(|time| Duration::from_micros(time.into()))
    }

    fn milliseconds(&self, at: usize) -> Option<Duration> {
        self.u32(at).map(|time| Duration::from_millis(time.into()))
    }

    fn microseconds64(&self, at: usize) -> Option<Duration> {
        self.u64(at).map(Duration::from_micros)
    }

    fn rate(&self, at: usize) -> Option<u64> {
        self.u64(at).filter(|&rate| rate != u64::MAX)
    }

    /// `TCP_INFINITE_SSTHRESH`
    fn threshold(&self, at: usize) -> Option<u32> {
        self.u32(at).filter(|&segments| segments != 0x7fff_ffff)
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
    Ok(TcpInfo { bytes, len: len as u16 })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The only gaps are fields without a method: two bytes of bit fields, `fackets` and `last_ack_sent`.
    #[test]
    fn the_fields_follow_one_another() {
        let mut end = 0;
        for &(kind, at, name) in TcpInfo::FIELDS {
            let gap = [6, 40, 48].contains(&end);
            assert!(at == end || gap && at <= end + 4, "{name} at {at}, expected at {end}");
            end = at
                + match kind {
                    "u8" => 1,
                    "u16" => 2,
                    "u64" | "microseconds64" | "rate" => 8,
                    _ => 4,
                };
        }
        assert_eq!(end, 248);
    }

    #[test]
    fn a_shorter_struct_has_fewer_fields_and_a_longer_one_is_cut() {
        let mut bytes = [0_u8; 300];
        bytes[100] = 7;
        for len in 0..bytes.len() {
            let info = TcpInfo::from_bytes(&bytes[..len]);
            assert_eq!(info.as_bytes().len(), len.min(280));
            assert_eq!(info.state().is_some(), len >= 1);
            assert_eq!(info.total_retransmits(), (len >= 104).then_some(7));
            assert_eq!(info.pacing_rate().is_some(), len >= 112);
            assert_eq!(info.total_timeout_time().is_some(), len >= 248);
            assert_eq!(info.is_delivery_rate_limited_by_program().is_some(), len >= 168);
        }
    }
}
