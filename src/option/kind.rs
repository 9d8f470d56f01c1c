//! How the kernel represents values: one module for each kind of the [table](super::table).
//!
//! `get` and `set` make the call. `word` is the value as [`SocketOptions`](super::SocketOptions) stores it, in the
//! kernel's own unit; `None` leaves the option alone. Most kinds are a C `int` and differ in its meaning.

use core::time::Duration;

use rustix::fd::BorrowedFd;

use super::{in_range, raw::OptionName, sockopt, whole_milliseconds, whole_seconds};
use crate::{
    error::{Errno, Error, Op, Opt, Result, ResultExt},
    sys::raw,
};

type Fd<'a> = BorrowedFd<'a>;

/// Reads exactly `N` bytes.
fn get_bytes<const N: usize>(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<[u8; N]> {
    let mut value = [0; N];
    match raw::getsockopt(fd, name, &mut value).op(Op::Get(opt))? {
        len if len == N => Ok(value),
        _ => Err(Error::new(Op::Get(opt), Errno::INVAL)),
    }
}

fn set_bytes(fd: Fd<'_>, name: OptionName, opt: Opt, value: &[u8]) -> Result<()> {
    raw::setsockopt(fd, name, value).op(Op::Set(opt))
}

/// A non-negative `int`, or flags.
pub(super) mod number {
    use super::*;

    pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<u32> {
        get_bytes(fd, name, opt).map(u32::from_ne_bytes)
    }

    pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, value: u32) -> Result<()> {
        set_bytes(fd, name, opt, &in_range(opt, value)?.to_ne_bytes())
    }

    pub(in crate::option) const fn word(value: Option<u32>) -> Option<u32> {
        value
    }
}

/// 0 or 1; the kernel's default is 0.
pub(super) mod flag {
    use super::*;

    pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<bool> {
        number::get(fd, name, opt).map(|value| value != 0)
    }

    pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, on: bool) -> Result<()> {
        number::set(fd, name, opt, on.into())
    }

    /// On a new socket the flag is already off.
    pub(in crate::option) const fn word(on: bool) -> Option<u32> {
        if on { Some(1) } else { None }
    }
}

/// 0 or 1; the kernel's default is 1 or depends on the system.
pub(super) mod switch {
    pub(in crate::option) use super::flag::{get, set};

    pub(in crate::option) const fn word(on: bool) -> Option<u32> {
        Some(on as u32)
    }
}

/// A size as an `int`.
pub(super) mod bytes {
    use super::*;

    const MOST: u32 = i32::MAX as u32;

    pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<usize> {
        number::get(fd, name, opt).map(|bytes| bytes as usize)
    }

    pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, bytes: usize) -> Result<()> {
        number::set(fd, name, opt, bytes.min(MOST as usize) as u32)
    }

    pub(in crate::option) const fn word(bytes: Option<u32>) -> Option<u32> {
        match bytes {
            Some(bytes) if bytes > MOST => Some(MOST),
            other => other,
        }
    }
}

/// `struct linger`, in whole seconds.
pub(super) mod linger {
    use super::*;

    pub(in crate::option) fn get(fd: Fd<'_>, _: OptionName, opt: Opt) -> Result<Option<Duration>> {
        sockopt::socket_linger(fd).op(Op::Get(opt))
    }

    pub(in crate::option) fn set(fd: Fd<'_>, _: OptionName, opt: Opt, time: Option<Duration>) -> Result<()> {
        sockopt::set_socket_linger(fd, time).op(Op::Set(opt))
    }

    pub(in crate::option) const fn word(time: Option<Duration>) -> Option<u32> {
        some_seconds_word(time)
    }
}

/// `struct timeval`.
pub(super) mod timeout {
    use super::*;

    const fn direction(opt: Opt) -> sockopt::Timeout {
        match opt {
            Opt::SO_RCVTIMEO => sockopt::Timeout::Recv,
            _ => sockopt::Timeout::Send,
        }
    }

    pub(in crate::option) fn get(fd: Fd<'_>, _: OptionName, opt: Opt) -> Result<Option<Duration>> {
        sockopt::socket_timeout(fd, direction(opt)).op(Op::Get(opt))
    }

    pub(in crate::option) fn set(fd: Fd<'_>, _: OptionName, opt: Opt, time: Option<Duration>) -> Result<()> {
        sockopt::set_socket_timeout(fd, direction(opt), time).op(Op::Set(opt))
    }

    pub(in crate::option) const fn word(time: Option<Duration>) -> Option<u32> {
        some_milliseconds_word(time)
    }
}

/// `SO_ERROR`.
pub(super) mod error {
    use super::*;

    pub(in crate::option) fn get(fd: Fd<'_>, _: OptionName, opt: Opt) -> Result<Option<Errno>> {
        sockopt::socket_error(fd).op(Op::Get(opt)).map(core::result::Result::err)
    }
}

/// Whole seconds.
#[cfg(not(target_os = "openbsd"))]
pub(super) mod seconds {
    use super::*;

    pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<Duration> {
        number::get(fd, name, opt).map(|seconds| Duration::from_secs(seconds.into()))
    }

    pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, time: Duration) -> Result<()> {
        number::set(fd, name, opt, whole_seconds(time))
    }

    pub(in crate::option) const fn word(time: Option<Duration>) -> Option<u32> {
        some_seconds_word(time)
    }
}

const fn some_seconds_word(time: Option<Duration>) -> Option<u32> {
    match time {
        Some(time) => Some(whole_seconds(time)),
        None => None,
    }
}

const fn some_milliseconds_word(time: Option<Duration>) -> Option<u32> {
    match time {
        Some(time) => Some(whole_milliseconds(time)),
        None => None,
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::*;

#[cfg(target_os = "linux")]
mod linux {
    use core::net::{Ipv4Addr, SocketAddrV4, SocketAddrV6};

    use super::*;
    use crate::option::{DeviceName, PeerCredentials, TcpName, TxTime};

    /// Whole seconds; 0 means none.
    pub(in crate::option) mod some_seconds {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<Option<Duration>> {
            let seconds = number::get(fd, name, opt)?;
            Ok((seconds > 0).then(|| Duration::from_secs(seconds.into())))
        }

        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, time: Option<Duration>) -> Result<()> {
            number::set(fd, name, opt, time.map_or(0, most_seconds))
        }

        pub(in crate::option) const fn word(time: Option<Duration>) -> Option<u32> {
            match time {
                Some(time) => Some(most_seconds(time)),
                None => None,
            }
        }
    }

    /// Whole seconds, at most `i32::MAX`.
    const fn most_seconds(time: Duration) -> u32 {
        let (seconds, most) = (whole_seconds(time), i32::MAX as u32);
        if seconds > most { most } else { seconds }
    }

    /// Whole seconds; a negative value means none.
    pub(in crate::option) mod signed_seconds {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<Option<Duration>> {
            let seconds = i32::from_ne_bytes(get_bytes(fd, name, opt)?);
            Ok(u64::try_from(seconds).ok().map(Duration::from_secs))
        }

        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, time: Option<Duration>) -> Result<()> {
            number::set(fd, name, opt, time.map_or(u32::MAX, most_seconds))
        }

        pub(in crate::option) use super::some_seconds::word;
    }

    /// Whole milliseconds; 0 means none.
    pub(in crate::option) mod some_milliseconds {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<Option<Duration>> {
            let milliseconds = number::get(fd, name, opt)?;
            Ok((milliseconds > 0).then(|| Duration::from_millis(milliseconds.into())))
        }

        /// Rejects a time of zero, which the kernel would treat as none.
        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, time: Option<Duration>) -> Result<()> {
            match time {
                Some(time) => number::set(fd, name, opt, whole_milliseconds(time)),
                None => set_bytes(fd, name, opt, &0_u32.to_ne_bytes()),
            }
        }

        pub(in crate::option) const fn word(time: Option<Duration>) -> Option<u32> {
            some_milliseconds_word(time)
        }
    }

    /// Whole microseconds.
    pub(in crate::option) mod microseconds {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<Duration> {
            number::get(fd, name, opt).map(|microseconds| Duration::from_micros(microseconds.into()))
        }

        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, time: Duration) -> Result<()> {
            number::set(fd, name, opt, whole_microseconds(time))
        }

        pub(in crate::option) const fn word(time: Option<Duration>) -> Option<u32> {
            match time {
                Some(time) => Some(whole_microseconds(time)),
                None => None,
            }
        }

        const fn whole_microseconds(time: Duration) -> u32 {
            crate::option::saturated(time.as_nanos().div_ceil(1000))
        }
    }

    /// An `int`; -1 means none.
    pub(in crate::option) mod offset {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<Option<u32>> {
            Ok(u32::try_from(i32::from_ne_bytes(get_bytes(fd, name, opt)?)).ok())
        }

        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, value: Option<u32>) -> Result<()> {
            number::set(fd, name, opt, value.unwrap_or(u32::MAX))
        }
    }

    /// An `unsigned int`; the maximum means none.
    pub(in crate::option) mod rate {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<Option<u32>> {
            number::get(fd, name, opt).map(|rate| (rate != u32::MAX).then_some(rate))
        }

        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, rate: Option<u32>) -> Result<()> {
            number::set(fd, name, opt, rate.unwrap_or(u32::MAX))
        }

        pub(in crate::option) const fn word(rate: Option<u32>) -> Option<u32> {
            rate
        }
    }

    /// The last port in the upper half of a word and the first in the lower; 0 means none.
    pub(in crate::option) mod ports {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<Option<(u16, u16)>> {
            let word = number::get(fd, name, opt)?;
            Ok((word != 0).then_some((word as u16, (word >> 16) as u16)))
        }

        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, ports: Option<(u16, u16)>) -> Result<()> {
            number::set(fd, name, opt, word(ports).unwrap_or(0))
        }

        pub(in crate::option) const fn word(ports: Option<(u16, u16)>) -> Option<u32> {
            match ports {
                Some((first, last)) => Some((last as u32) << 16 | first as u32),
                None => None,
            }
        }
    }

    /// 64 bits.
    pub(in crate::option) mod cookie {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<u64> {
            get_bytes(fd, name, opt).map(u64::from_ne_bytes)
        }
    }

    /// `struct in_addr`.
    pub(in crate::option) mod ipv4 {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<Ipv4Addr> {
            get_bytes::<4>(fd, name, opt).map(Ipv4Addr::from)
        }

        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, addr: Ipv4Addr) -> Result<()> {
            set_bytes(fd, name, opt, &addr.octets())
        }
    }

    /// A name of up to 15 bytes, padded with NULs; without a name the kernel writes nothing.
    pub(in crate::option) mod name {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<TcpName> {
            let mut value = [0; TcpName::CAPACITY];
            let len = raw::getsockopt(fd, name, &mut value).op(Op::Get(opt))?;
            Ok(TcpName::padded(value.get(..len).unwrap_or_default()))
        }

        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, value: TcpName) -> Result<()> {
            set_bytes(fd, name, opt, value.as_bytes())
        }
    }

    /// The name of a device, padded with NULs; an empty name means none.
    pub(in crate::option) mod device {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<Option<DeviceName>> {
            let mut value = [0; DeviceName::CAPACITY];
            let len = raw::getsockopt(fd, name, &mut value).op(Op::Get(opt))?;
            let device = DeviceName::padded(value.get(..len).unwrap_or_default());
            Ok((!device.as_bytes().is_empty()).then_some(device))
        }

        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, device: Option<DeviceName>) -> Result<()> {
            set_bytes(fd, name, opt, device.as_ref().map_or(&[0], DeviceName::as_bytes))
        }
    }

    /// `struct ucred`.
    pub(in crate::option) mod credentials {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<PeerCredentials> {
            let [p0, p1, p2, p3, u0, u1, u2, u3, g0, g1, g2, g3] = get_bytes(fd, name, opt)?;
            Ok(PeerCredentials {
                pid: u32::from_ne_bytes([p0, p1, p2, p3]),
                uid: u32::from_ne_bytes([u0, u1, u2, u3]),
                gid: u32::from_ne_bytes([g0, g1, g2, g3]),
            })
        }
    }

    /// `struct sock_txtime`.
    pub(in crate::option) mod txtime {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, name: OptionName, opt: Opt) -> Result<TxTime> {
            let [c0, c1, c2, c3, f0, f1, f2, f3] = get_bytes(fd, name, opt)?;
            Ok(TxTime { clock: i32::from_ne_bytes([c0, c1, c2, c3]), flags: u32::from_ne_bytes([f0, f1, f2, f3]) })
        }

        pub(in crate::option) fn set(fd: Fd<'_>, name: OptionName, opt: Opt, value: TxTime) -> Result<()> {
            let ([c0, c1, c2, c3], [f0, f1, f2, f3]) = (value.clock.to_ne_bytes(), value.flags.to_ne_bytes());
            set_bytes(fd, name, opt, &[c0, c1, c2, c3, f0, f1, f2, f3])
        }
    }

    /// `struct sockaddr_in`.
    pub(in crate::option) mod original_dst_v4 {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, _: OptionName, opt: Opt) -> Result<SocketAddrV4> {
            sockopt::ip_original_dst(fd).op(Op::Get(opt))
        }
    }

    /// `struct sockaddr_in6`.
    pub(in crate::option) mod original_dst_v6 {
        use super::*;

        pub(in crate::option) fn get(fd: Fd<'_>, _: OptionName, opt: Opt) -> Result<SocketAddrV6> {
            sockopt::ipv6_original_dst(fd).op(Op::Get(opt))
        }
    }
}
