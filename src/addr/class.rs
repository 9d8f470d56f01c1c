//! Classes of addresses: std's predicates, applied to the canonical address.
//!
//! A dual-stack listener reports the IPv4 peer `127.0.0.1` as `::ffff:127.0.0.1`, so a test of the text for `127.`
//! takes it for a remote peer and a deny list of IPv4 networks misses it. Every predicate except `is_v4_mapped`
//! therefore uses the [canonical](IpAddr::to_canonical) address.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::Endpoint;

/// Classes of IP addresses. Every predicate is false for an endpoint without an IP address.
impl Endpoint {
    /// Whether the address is a loopback address: `127.0.0.0/8`, also v4-mapped, or `::1`.
    pub fn is_loopback(&self) -> bool {
        self.canonical_ip().is_some_and(|ip| ip.is_loopback())
    }

    /// Whether the address is `0.0.0.0`, also v4-mapped, or `::`: any local address for `bind`, this machine for
    /// `connect`.
    #[doc(alias = "INADDR_ANY")]
    pub fn is_unspecified(&self) -> bool {
        self.canonical_ip().is_some_and(|ip| ip.is_unspecified())
    }

    /// Whether the address is link-local: `169.254.0.0/16` (RFC 3927), also v4-mapped, or `fe80::/10` (RFC 4291,
    /// 2.5.6).
    ///
    /// Link-local IPv6 addresses need a scope: without it `bind` and `connect` fail with
    /// [`MissingScope`](crate::error::Cause::MissingScope).
    pub fn is_link_local(&self) -> bool {
        self.canonical_ip().is_some_and(|ip| match ip {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        })
    }

    /// Whether the address belongs to a private network: `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` (RFC 1918),
    /// also v4-mapped, or `fc00::/7` (RFC 4193). The shared address space of carriers, `100.64.0.0/10` (RFC 6598), is
    /// not private.
    pub fn is_private(&self) -> bool {
        self.canonical_ip().is_some_and(|ip| match ip {
            IpAddr::V4(v4) => v4.is_private(),
            IpAddr::V6(v6) => v6.is_unique_local(),
        })
    }

    /// Whether the address is a multicast group: `224.0.0.0/4` (RFC 5771), also v4-mapped, or `ff00::/8` (RFC 4291,
    /// 2.7).
    pub fn is_multicast(&self) -> bool {
        self.canonical_ip().is_some_and(|ip| ip.is_multicast())
    }

    /// Whether the address is a v4-mapped IPv6 address, `::ffff:0:0/96` (RFC 4291, 2.5.5.2).
    pub fn is_v4_mapped(&self) -> bool {
        matches!(self.ip(), Some(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some())
    }

    /// Converts a v4-mapped IPv6 endpoint, as reported by a dual-stack listener, to the IPv4 endpoint it carries;
    /// returns any other unchanged.
    pub fn canonical(self) -> Self {
        match self {
            Self::Inet(addr) if self.is_v4_mapped() => {
                Self::Inet(SocketAddr::new(addr.ip().to_canonical(), addr.port()))
            }
            _ => self,
        }
    }

    /// Whether the kernel rejects the address with `EINVAL` because it is link-local and has no scope.
    pub(crate) fn lacks_scope(&self) -> bool {
        matches!(self, Self::Inet(SocketAddr::V6(addr)) if addr.scope_id() == 0 && is_of_one_link(addr.ip()))
    }

    fn canonical_ip(&self) -> Option<IpAddr> {
        self.ip().map(|ip| ip.to_canonical())
    }
}

/// `fe80::/10`, and multicast groups with interface-local or link-local scope.
fn is_of_one_link(ip: &Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || matches!(ip.octets(), [0xff, scope, ..] if matches!(scope & 0xf, 1 | 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    type Class = fn(&Endpoint) -> bool;

    fn of(ip: IpAddr) -> Endpoint {
        SocketAddr::new(ip, 80).into()
    }

    fn has(class: Class, ip: &str) -> bool {
        class(&of(ip.parse().unwrap()))
    }

    /// Checks both sides of the boundaries of every network.
    #[test]
    fn each_class_has_the_boundaries_of_its_rfc() {
        let cases: &[(Class, &[&str], &[&str])] = &[
            (
                Endpoint::is_loopback,
                &["127.0.0.0", "127.255.255.255", "::1"],
                &["126.255.255.255", "128.0.0.0", "::2", "::"],
            ),
            (Endpoint::is_unspecified, &["0.0.0.0", "::"], &["0.0.0.1", "::1"]),
            (
                Endpoint::is_link_local,
                &["169.254.0.0", "169.254.255.255", "fe80::", "febf:ffff::1"],
                &["169.253.255.255", "169.255.0.0", "fe7f::1", "fec0::1"],
            ),
            (
                Endpoint::is_private,
                &["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1", "fc00::", "fdff::1"],
                &["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.169.0.0", "100.64.0.1", "fe00::"],
            ),
            (
                Endpoint::is_multicast,
                &["224.0.0.0", "239.255.255.255", "ff00::", "ff02::1"],
                &["223.255.255.255", "240.0.0.0", "feff::1"],
            ),
        ];
        for (class, inside, outside) in cases {
            assert!(inside.iter().all(|ip| has(*class, ip)), "{inside:?}");
            assert!(outside.iter().all(|ip| !has(*class, ip)), "{outside:?}");
        }
    }

    #[test]
    fn a_mapped_address_has_the_class_of_the_ipv4_address_it_carries() {
        let classes: [Class; 5] = [
            Endpoint::is_loopback,
            Endpoint::is_unspecified,
            Endpoint::is_link_local,
            Endpoint::is_private,
            Endpoint::is_multicast,
        ];
        for text in ["127.0.0.1", "0.0.0.0", "169.254.1.1", "10.1.1.1", "224.0.0.1", "8.8.8.8"] {
            let v4: Ipv4Addr = text.parse().unwrap();
            let (plain, mapped) = (of(v4.into()), of(v4.to_ipv6_mapped().into()));
            assert_eq!(mapped.canonical(), plain);
            assert!(mapped.is_v4_mapped() && !plain.is_v4_mapped());
            for class in classes {
                assert_eq!(class(&mapped), class(&plain), "{text}");
            }
        }
    }

    #[test]
    fn canonical_keeps_a_v4_compatible_address() {
        let compatible = of("::127.0.0.1".parse().unwrap());
        assert_eq!(compatible.canonical(), compatible);
        assert!(!compatible.is_loopback());
    }
}
