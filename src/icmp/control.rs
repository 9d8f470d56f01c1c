//! Control messages (`cmsg(3)`): what the kernel says about a packet.

use core::time::Duration;

use crate::diag::field;

/// The length of `struct cmsghdr`: a length of the size of a pointer, level and type.
const HEADER_LEN: usize = size_of::<usize>() + 8;
/// Room for the control messages of a packet: a timestamp, a hop limit, an error with an address.
pub(super) const CONTROL_LEN: usize = 256;

/// One control message.
#[derive(Clone, Copy)]
struct Control<'b> {
    level: u32,
    kind: u32,
    value: &'b [u8],
}

/// Reads to the first one that is cut off.
struct Controls<'b>(&'b [u8]);

impl<'b> Iterator for Controls<'b> {
    type Item = Control<'b>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = core::mem::take(&mut self.0);
        let len = field::array(bytes, 0).map(usize::from_ne_bytes)?;
        let level = field::u32(bytes, size_of::<usize>())?;
        let kind = field::u32(bytes, size_of::<usize>() + 4)?;
        let value = bytes.get(HEADER_LEN..len)?;
        self.0 =
            len.checked_next_multiple_of(size_of::<usize>()).and_then(|next| bytes.get(next..)).unwrap_or_default();
        Some(Control { level, kind, value })
    }
}

/// `struct sock_extended_err`: why a packet is in the error queue.
#[derive(Clone, Copy, Debug)]
pub(super) enum Queued<'b> {
    /// It was not delivered.
    Error(QueuedError<'b>),
    /// It was sent, and the time is that at which it left.
    Sent,
}

/// Why a packet was not delivered.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueuedError<'b> {
    pub(super) kind: u8,
    pub(super) code: u8,
    /// The MTU, if the packet was too big.
    pub(super) info: u32,
    /// The `sockaddr` of the host that has reported it.
    pub(super) from: &'b [u8],
}

/// What the control messages of a packet say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts<'b> {
    /// When the kernel received or sent it, on the wall clock.
    pub(super) time: Option<Duration>,
    /// The TTL or hop limit it had left.
    pub(super) hop_limit: Option<u8>,
    /// From the error queue.
    pub(super) queued: Option<Queued<'b>>,
}

const SOL_IP: u32 = 0;
const SOL_SOCKET: u32 = 1;
const SOL_IPV6: u32 = 41;
const IP_TTL: u32 = 2;
const IP_RECVERR: u32 = 11;
const IPV6_RECVERR: u32 = 25;
const SCM_TIMESTAMPNS: u32 = 35;
const IPV6_HOPLIMIT: u32 = 52;
/// `SO_EE_ORIGIN_ICMP`, `_ICMP6`
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;
/// `SO_EE_ORIGIN_TIMESTAMPING`
const ORIGIN_TIMESTAMPING: u8 = 4;

impl<'b> Facts<'b> {
    pub(super) fn new(control: &'b [u8]) -> Self {
        let mut facts = Self::default();
        for Control { level, kind, value } in Controls(control) {
            match (level, kind) {
                (SOL_SOCKET, SCM_TIMESTAMPNS) => facts.time = timespec(value),
                (SOL_IP, IP_TTL) | (SOL_IPV6, IPV6_HOPLIMIT) => {
                    facts.hop_limit = field::u32(value, 0).and_then(|number| u8::try_from(number).ok());
                }
                (SOL_IP, IP_RECVERR) | (SOL_IPV6, IPV6_RECVERR) => facts.queued = queued(value),
                _ => {}
            }
        }
        facts
    }
}

/// Two C `long`s: seconds and nanoseconds.
fn timespec(value: &[u8]) -> Option<Duration> {
    let seconds = field::array(value, 0).map(isize::from_ne_bytes)?;
    let nanoseconds = field::array(value, size_of::<isize>()).map(isize::from_ne_bytes)?;
    let nanoseconds = u32::try_from(nanoseconds).ok().filter(|&number| number < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanoseconds))
}

/// `None` for an error of this host.
fn queued(value: &[u8]) -> Option<Queued<'_>> {
    match field::u8(value, 4)? {
        ORIGIN_ICMP | ORIGIN_ICMP6 => Some(Queued::Error(QueuedError {
            kind: field::u8(value, 5)?,
            code: field::u8(value, 6)?,
            info: field::u32(value, 8)?,
            from: value.get(16..).unwrap_or_default(),
        })),
        ORIGIN_TIMESTAMPING => Some(Queued::Sent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_control_messages_are_read_to_an_end() {
        let len = HEADER_LEN + 4;
        let whole = [&len.to_ne_bytes()[..], &SOL_IP.to_ne_bytes(), &IP_TTL.to_ne_bytes(), &[64, 0, 0, 0]].concat();
        assert_eq!(Facts::new(&whole).hop_limit, Some(64));
        for cut in 0..whole.len() {
            assert_eq!(Facts::new(&whole[..cut]).hop_limit, None);
        }
        for len in [0, 1, HEADER_LEN - 1, usize::MAX] {
            let bytes = [&len.to_ne_bytes()[..], &[0; 40]].concat();
            assert_eq!(Controls(&bytes).count(), 0, "{len}");
        }
    }
}
