//! What kind of address it is, decided on its bytes.
//!
//! A dual-stack listener reports the IPv4 peer `127.0.0.1` as `::ffff:127.0.0.1`, so a test on the text for `127.`
//! calls it remote and a deny list of IPv4 networks misses it. Every predicate here therefore looks at the
//! [`canonical`] address, except [`is_v4_mapped`], which asks for the mapping itself. The deprecated v4-compatible
//! form `::1.2.3.4` is an IPv6 address like any other.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The IPv4 address within a v4-mapped IPv6 address (RFC 4291, 2.5.5.2); any other address as it is.
#[doc(alias = "IN6_IS_ADDR_V4MAPPED")]
pub const fn canonical(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => match mapped(v6) {
            Some(v4) => IpAddr::V4(v4),
            None => ip,
        },
    }
}

/// Whether it is an IPv6 address that carries an IPv4 one, `::ffff:0:0/96`.
#[doc(alias = "IN6_IS_ADDR_V4MAPPED")]
pub const fn is_v4_mapped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if mapped(v6).is_some())
}

/// Whether the peer is this machine: `127.0.0.0/8` (RFC 1122, 3.2.1.3) or `::1` (RFC 4291, 2.5.3).
#[doc(alias = "IN6_IS_ADDR_LOOPBACK")]
pub const fn is_loopback(ip: IpAddr) -> bool {
    match canonical(ip) {
        IpAddr::V4(v4) => v4.octets()[0] == 127,
        IpAddr::V6(v6) => v6.to_bits() == 1,
    }
}

/// Whether it is `0.0.0.0` or `::`: to bind, any address; to connect, this machine.
#[doc(alias = "INADDR_ANY")]
#[doc(alias = "IN6_IS_ADDR_UNSPECIFIED")]
pub const fn is_unspecified(ip: IpAddr) -> bool {
    match canonical(ip) {
        IpAddr::V4(v4) => v4.to_bits() == 0,
        IpAddr::V6(v6) => v6.to_bits() == 0,
    }
}

/// Whether it is good on one link only: `169.254.0.0/16` (RFC 3927) or `fe80::/10` (RFC 4291, 2.5.6).
///
/// The IPv6 ones need a zone: without one `bind` and `connect` answer `EINVAL`.
#[doc(alias = "IN6_IS_ADDR_LINKLOCAL")]
pub const fn is_link_local(ip: IpAddr) -> bool {
    match canonical(ip) {
        IpAddr::V4(v4) => matches!(v4.octets(), [169, 254, ..]),
        IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
    }
}

/// Whether it belongs to a private network: `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` (RFC 1918) or `fc00::/7`
/// (RFC 4193). The shared space of carriers, `100.64.0.0/10` (RFC 6598), does not count.
pub const fn is_private(ip: IpAddr) -> bool {
    match canonical(ip) {
        IpAddr::V4(v4) => matches!(v4.octets(), [10, ..] | [172, 16..=31, ..] | [192, 168, ..]),
        IpAddr::V6(v6) => v6.segments()[0] & 0xfe00 == 0xfc00,
    }
}

/// Whether it names a group: `224.0.0.0/4` (RFC 5771) or `ff00::/8` (RFC 4291, 2.7).
#[doc(alias = "IN_MULTICAST")]
#[doc(alias = "IN6_IS_ADDR_MULTICAST")]
pub const fn is_multicast(ip: IpAddr) -> bool {
    match canonical(ip) {
        IpAddr::V4(v4) => matches!(v4.octets()[0], 224..=239),
        IpAddr::V6(v6) => v6.segments()[0] & 0xff00 == 0xff00,
    }
}

const fn mapped(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    match v6.to_bits() {
        bits if bits >> 32 == 0xffff => Some(Ipv4Addr::from_bits(bits as u32)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edges of every network, inside and outside.
    #[test]
    fn each_class_ends_where_its_rfc_says() {
        type Class = fn(IpAddr) -> bool;
        let cases: &[(Class, &[&str], &[&str])] = &[
            (is_loopback, &["127.0.0.0", "127.255.255.255", "::1"], &["126.255.255.255", "128.0.0.0", "::2", "::"]),
            (is_unspecified, &["0.0.0.0", "::"], &["0.0.0.1", "::1"]),
            (
                is_link_local,
                &["169.254.0.0", "169.254.255.255", "fe80::", "febf:ffff::1"],
                &["169.253.255.255", "169.255.0.0", "fe7f::1", "fec0::1"],
            ),
            (
                is_private,
                &["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1", "fc00::", "fdff::1"],
                &["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.169.0.0", "100.64.0.1", "fe00::"],
            ),
            (
                is_multicast,
                &["224.0.0.0", "239.255.255.255", "ff00::", "ff02::1"],
                &["223.255.255.255", "240.0.0.0", "feff::1"],
            ),
        ];
        for (class, inside, outside) in cases {
            assert!(inside.iter().all(|ip| class(ip.parse().unwrap())), "{inside:?}");
            assert!(outside.iter().all(|ip| !class(ip.parse().unwrap())), "{outside:?}");
        }
    }

    #[test]
    fn a_mapped_address_is_what_it_carries() {
        for text in ["127.0.0.1", "0.0.0.0", "169.254.1.1", "10.1.1.1", "224.0.0.1", "8.8.8.8"] {
            let v4: Ipv4Addr = text.parse().unwrap();
            let (plain, mapped) = (IpAddr::V4(v4), IpAddr::V6(v4.to_ipv6_mapped()));
            assert_eq!(canonical(mapped), plain);
            assert!(is_v4_mapped(mapped) && !is_v4_mapped(plain));
            for class in [is_loopback, is_unspecified, is_link_local, is_private, is_multicast] {
                assert_eq!(class(mapped), class(plain), "{text}");
            }
        }
    }

    #[test]
    fn a_v4_compatible_address_is_not_unmapped() {
        let compatible: IpAddr = "::127.0.0.1".parse().unwrap();
        assert_eq!(canonical(compatible), compatible);
        assert!(!is_loopback(compatible));
    }
}
