//! Sockets for ICMP, and messages with what the kernel says about them.

use core::time::Duration;

use rustix::{
    fd::{BorrowedFd, OwnedFd},
    net::{self, AddressFamily, SocketFlags, SocketType, ipproto},
    time::{ClockId, clock_gettime},
};

use super::{
    Result,
    raw::{self, OptionName},
};

/// `socket(AF_INET | AF_INET6, SOCK_DGRAM | SOCK_RAW, IPPROTO_ICMP | IPPROTO_ICMPV6)`, non-blocking, close-on-exec.
pub(crate) fn icmp_socket(is_v6: bool, is_raw: bool) -> Result<OwnedFd> {
    let (family, protocol) =
        if is_v6 { (AddressFamily::INET6, ipproto::ICMPV6) } else { (AddressFamily::INET, ipproto::ICMP) };
    let kind = if is_raw { SocketType::RAW } else { SocketType::DGRAM };
    net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, Some(protocol))
}

/// Lets a raw socket receive ICMP messages of these types only.
pub(crate) fn set_icmp_filter(fd: BorrowedFd<'_>, passed: &[u8]) -> Result<()> {
    let blocked = passed.iter().fold(u32::MAX, |set, kind| set & !(1 << (kind & 31)));
    raw::setsockopt(fd, OptionName::ICMP_FILTER, &blocked.to_ne_bytes())
}

/// Lets a raw socket receive messages of these types over IPv6 only.
pub(crate) fn set_icmp6_filter(fd: BorrowedFd<'_>, passed: &[u8]) -> Result<()> {
    let mut blocked = [0xff; 32];
    // Words of 32 bits in the host's order.
    for kind in passed {
        let word = usize::from(kind / 32) * 4;
        let byte = if cfg!(target_endian = "little") { kind % 32 / 8 } else { 3 - kind % 32 / 8 };
        if let Some(set) = blocked.get_mut(word + usize::from(byte)) {
            *set &= !(1 << (kind % 8));
        }
    }
    raw::setsockopt(fd, OptionName::ICMP6_FILTER, &blocked)
}

/// `clock_gettime(CLOCK_REALTIME)`, the clock of the kernel's timestamps.
pub(crate) fn wall_clock() -> Duration {
    let now = clock_gettime(ClockId::Realtime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}
