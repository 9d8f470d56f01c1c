//! Numbers at fixed places in the kernel's structs.
//!
//! A struct is shorter in an older kernel and longer in a newer one; its fields never move. A field past the end reads
//! as `None`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bytes of a field.
#[inline]
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[inline]
pub(crate) fn u8(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

#[inline]
pub(crate) fn u16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_ne_bytes)
}

#[inline]
pub(crate) fn u32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

#[inline]
pub(crate) fn u64(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_ne_bytes)
}

/// The IP address of the family `AF_INET` (2) or `AF_INET6` (10) that begins here.
#[inline]
pub(crate) fn ip(family: u8, bytes: &[u8], at: usize) -> Option<IpAddr> {
    match family {
        INET => array::<4>(bytes, at).map(|octets| Ipv4Addr::from(octets).into()),
        INET6 => array::<16>(bytes, at).map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

/// `AF_INET`
pub(crate) const INET: u8 = 2;
/// `AF_INET6`
pub(crate) const INET6: u8 = 10;
