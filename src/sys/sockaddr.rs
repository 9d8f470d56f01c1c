//! Kernel bytes <-> [`Endpoint`].
//!
//! Decoding is total: any bytes of any length give an `Endpoint`, and no byte past the length is read. rustix's own
//! conversion panics on a peer's 108-byte Unix name, for which the kernel reports a length one past `sockaddr_un`, so
//! an address that a peer chooses never goes through it.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrAny, SocketAddrUnix},
};

use super::raw;
use crate::addr::{Endpoint, UnixAddr};

const INET: u32 = AddressFamily::INET.as_raw() as u32;
const INET6: u32 = AddressFamily::INET6.as_raw() as u32;
const UNIX: u32 = AddressFamily::UNIX.as_raw() as u32;

/// Where `sun_path` begins.
const PATH_AT: usize = 2;

impl Endpoint {
    /// Reads a `sockaddr` as the kernel wrote it; `bytes` has the length that the kernel reported.
    ///
    /// An address too short for its family, or of a family this crate does not use, is [`Endpoint::Unknown`]. An
    /// `AF_UNIX` address may be longer than `sockaddr_un`: after a path of 108 bytes the kernel counts a terminator
    /// that is not there (measured on Linux 6.18: length 111).
    #[doc(alias = "sockaddr")]
    #[inline]
    pub fn from_sockaddr(bytes: &[u8]) -> Self {
        let family = family(bytes).unwrap_or(0);
        let inet = match family {
            INET => v4(bytes).map(Self::from),
            INET6 => v6(bytes).map(Self::from),
            UNIX => Some(Self::Unix(UnixAddr::from_sun_path(bytes.get(PATH_AT..).unwrap_or_default()))),
            _ => None,
        };
        inet.unwrap_or(Self::Unknown { family: family as u16 })
    }
}

/// The address of a socket, as rustix returns it.
#[inline]
pub(super) fn decode(addr: &SocketAddrAny) -> Endpoint {
    Endpoint::from_sockaddr(raw::sockaddr_bytes(addr))
}

/// The address a peer has sent, if it has one.
#[inline]
pub(super) fn decode_any(addr: Option<&SocketAddrAny>) -> Endpoint {
    addr.map_or(Endpoint::Unknown { family: 0 }, decode)
}

/// The address in the kernel's form; `EAFNOSUPPORT` for [`Endpoint::Unknown`].
pub(super) fn encode(endpoint: &Endpoint) -> Result<SocketAddrAny, Errno> {
    match endpoint {
        Endpoint::Inet(addr) => Ok((*addr).into()),
        Endpoint::Unix(addr) => encode_unix(addr).map(Into::into),
        Endpoint::Unknown { .. } => Err(Errno::AFNOSUPPORT),
    }
}

/// The address in the kernel's form, for calls with control messages.
#[cfg(target_os = "linux")]
pub(crate) fn name_of(endpoint: &Endpoint) -> Result<raw::Name, Errno> {
    encode(endpoint).map(|addr| raw::Name::new(raw::sockaddr_bytes(&addr)))
}

#[cfg(target_os = "linux")]
fn encode_unix(addr: &UnixAddr) -> Result<SocketAddrUnix, Errno> {
    if let Some(path) = addr.as_path() {
        SocketAddrUnix::new(path)
    } else if let Some(name) = addr.as_abstract_name() {
        SocketAddrUnix::new_abstract_name(name)
    } else {
        Ok(SocketAddrUnix::new_unnamed())
    }
}

/// Only Linux has abstract and automatic names.
#[cfg(not(target_os = "linux"))]
fn encode_unix(addr: &UnixAddr) -> Result<SocketAddrUnix, Errno> {
    addr.as_path().ok_or(Errno::AFNOSUPPORT).and_then(SocketAddrUnix::new)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn family(bytes: &[u8]) -> Option<u32> {
    array(bytes, 0).map(u16::from_ne_bytes).map(u32::from)
}

/// The BSDs put a length first.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn family(bytes: &[u8]) -> Option<u32> {
    bytes.get(1).copied().map(u32::from)
}

/// `sockaddr_in`: port at 2, address at 4, both in network order.
fn v4(bytes: &[u8]) -> Option<SocketAddrV4> {
    let port = u16::from_be_bytes(array(bytes, 2)?);
    let ip = Ipv4Addr::from(array::<4>(bytes, 4)?);
    Some(SocketAddrV4::new(ip, port))
}

/// `sockaddr_in6`: port at 2, flow label at 4, address at 8, scope in host order at 24.
fn v6(bytes: &[u8]) -> Option<SocketAddrV6> {
    let port = u16::from_be_bytes(array(bytes, 2)?);
    let flow_info = u32::from_be_bytes(array(bytes, 4)?);
    let ip = Ipv6Addr::from(array::<16>(bytes, 8)?);
    let scope = u32::from_ne_bytes(array(bytes, 24)?);
    Some(SocketAddrV6::new(ip, port, flow_info, scope))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn read_back(endpoint: Endpoint) -> Endpoint {
        decode(&encode(&endpoint).unwrap())
    }

    #[test]
    fn an_address_round_trips_through_the_kernels_bytes() {
        for text in ["1.2.3.4:80", "[2001:db8::1]:443", "[fe80::1%3]:80", "/run/a.sock", "@name", "@"] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(read_back(endpoint), endpoint, "{text}");
        }
        let flow = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 7, 0x12345, 9);
        assert_eq!(read_back(flow.into()), flow.into());
        assert_eq!(read_back(Endpoint::Unix(UnixAddr::UNNAMED)), Endpoint::Unix(UnixAddr::UNNAMED));
    }

    /// What the kernel returns for a path of 108 bytes: it counts the terminator it had no room for.
    #[test]
    fn a_unix_length_of_111_is_a_path_of_108_bytes() {
        let mut bytes = [b'x'; 111];
        bytes[..2].copy_from_slice(&1u16.to_ne_bytes());
        bytes[110] = 0;
        let endpoint = Endpoint::from_sockaddr(&bytes);
        assert_eq!(endpoint.as_unix().unwrap().as_path(), Some(&[b'x'; 108][..]));
        assert_eq!(read_back(endpoint), endpoint);
    }

    #[test]
    fn a_truncated_address_is_unknown_and_never_read_past_its_end() {
        let whole = [[2, 0], [0, 80], [1, 2], [3, 4]].concat();
        for len in 2..whole.len() {
            assert_eq!(Endpoint::from_sockaddr(&whole[..len]), Endpoint::Unknown { family: 2 });
        }
        assert_eq!(Endpoint::from_sockaddr(&whole), "1.2.3.4:80".parse().unwrap());
        assert_eq!(Endpoint::from_sockaddr(&[1]), Endpoint::Unknown { family: 0 });
        assert_eq!(Endpoint::from_sockaddr(&[]), Endpoint::Unknown { family: 0 });
    }

    #[test]
    fn an_unknown_family_is_named_and_cannot_be_used() {
        let vsock = Endpoint::from_sockaddr(&[40, 0, 0, 0]);
        assert_eq!(vsock, Endpoint::Unknown { family: 40 });
        assert_eq!(encode(&vsock).unwrap_err(), Errno::AFNOSUPPORT);
    }
}
