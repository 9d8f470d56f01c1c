//! Multicast groups: which ones a socket receives.
//!
//! Memberships are by interface index, over IPv4 as over IPv6 (RFC 3678), since one interface may have several
//! addresses. [`option::set_ip_multicast_if`](crate::option::set_ip_multicast_if) and its neighbours say how multicast
//! datagrams are sent.

use core::net::{IpAddr, SocketAddr};

use rustix::fd::AsFd;

use super::Datagram;
use crate::{
    addr::Endpoint,
    error::{Op, Result, ResultExt},
    sys::{
        self,
        raw::{self, Membership},
    },
};

impl Datagram {
    /// Receives the datagrams of a multicast group that arrive at an interface; index 0 leaves the interface to
    /// routing.
    ///
    /// The socket must be bound to the port, and to the wildcard address or the group. On Linux it then gets the
    /// datagrams of all groups that any socket of the host has joined, unless
    /// [`option::set_ip_multicast_all`](crate::option::set_ip_multicast_all) turns that off.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an address that is not a multicast address, `ENODEV` for a missing interface or one without a route
    /// to the group, `EADDRINUSE` if the socket is a member already, `ENOBUFS` for more than
    /// `net.ipv4.igmp_max_memberships` groups, `ENOPROTOOPT` for a group of another family than the socket's.
    #[doc(alias = "MCAST_JOIN_GROUP")]
    #[doc(alias = "IP_ADD_MEMBERSHIP")]
    pub fn join_group(&self, group: IpAddr, interface: u32) -> Result<()> {
        self.set_membership(Membership::Join, group, None, interface).op(Op::JoinGroup)
    }

    /// Undoes [`join_group`](Self::join_group), and all memberships by source in the group.
    ///
    /// # Errors
    ///
    /// `EADDRNOTAVAIL` if the socket is not a member.
    #[doc(alias = "MCAST_LEAVE_GROUP")]
    #[doc(alias = "IP_DROP_MEMBERSHIP")]
    pub fn leave_group(&self, group: IpAddr, interface: u32) -> Result<()> {
        self.set_membership(Membership::Leave, group, None, interface).op(Op::LeaveGroup)
    }

    /// Receives the datagrams of a multicast group that come from `source` (source-specific multicast, RFC 4607). May
    /// be called for several sources.
    ///
    /// # Errors
    ///
    /// Those of [`join_group`](Self::join_group); `EADDRNOTAVAIL` if the socket is a member for the source already,
    /// `EINVAL` for a group that the socket has joined for any source.
    #[doc(alias = "MCAST_JOIN_SOURCE_GROUP")]
    #[doc(alias = "IP_ADD_SOURCE_MEMBERSHIP")]
    pub fn join_source(&self, group: IpAddr, source: IpAddr, interface: u32) -> Result<()> {
        self.set_membership(Membership::JoinSource, group, Some(source), interface).op(Op::JoinGroup)
    }

    /// Undoes [`join_source`](Self::join_source).
    ///
    /// # Errors
    ///
    /// `EADDRNOTAVAIL` or `EINVAL` if the socket is not a member for the source.
    #[doc(alias = "MCAST_LEAVE_SOURCE_GROUP")]
    #[doc(alias = "IP_DROP_SOURCE_MEMBERSHIP")]
    pub fn leave_source(&self, group: IpAddr, source: IpAddr, interface: u32) -> Result<()> {
        self.set_membership(Membership::LeaveSource, group, Some(source), interface).op(Op::LeaveGroup)
    }

    fn set_membership(
        &self,
        membership: Membership,
        group: IpAddr,
        source: Option<IpAddr>,
        interface: u32,
    ) -> sys::Result<()> {
        // `struct group_source_req`, of which `struct group_req` is the front: addresses aligned as words.
        let mut request = [0; WORD + 2 * STORAGE];
        let (index, addrs) = request.split_at_mut(WORD);
        index.iter_mut().zip(interface.to_ne_bytes()).for_each(|(to, from)| *to = from);
        for (to, ip) in addrs.chunks_exact_mut(STORAGE).zip([Some(group), source]) {
            if let Some(ip) = ip {
                let name = sys::name_of(&Endpoint::from(SocketAddr::new(ip, 0)))?;
                to.iter_mut().zip(name.as_bytes()).for_each(|(to, from)| *to = *from);
            }
        }
        let len = WORD + STORAGE * if source.is_some() { 2 } else { 1 };
        let request = request.get(..len).unwrap_or_default();
        raw::set_membership(self.fd.as_fd(), group.is_ipv6(), membership, request)
    }
}

/// `struct sockaddr_storage` is aligned as a pointer.
const WORD: usize = size_of::<usize>();
/// Its size.
const STORAGE: usize = 128;
