//! The table: one row for each socket option, which carries every fact about it.
//!
//! ```text
//! /// What the option means: the text of its functions.
//! NAME "NAME" LEVEL [range] {
//!     kind(type) on sockets, inherited by, since "Linux version";
//!     errors "what setting it can fail with";
//!     get getter set setter with setter_of_SocketOptions(type) for Listeners
//! }
//! ```
//!
//! - `NAME` and `LEVEL` are the kernel's, and `NAME` is the label in errors. It comes a second time because `doc(alias)`
//!   takes nothing but a literal.
//! - `[range]` holds the values the kernel takes, in its own unit, where it refuses the others with a bare `EINVAL`. The
//!   limits of the keepalive times are `MAX_TCP_KEEPIDLE` and its neighbours in the kernel's `tcp.h`.
//! - `kind` is a module of [`kind`](super::kind): how the value is written for the kernel.
//! - `on` is a [`Sockets`](super::Sockets), `inherited` an [`Inherited`](super::Inherited); `tests/option_table.rs` holds
//!   both against the kernel. Version "2.6" stands for itself and everything before it.
//! - `for Listeners`: [`SocketOptions`](super::SocketOptions) sets it on sockets that are bound to serve, and on no other.
//!
//! From a row follow the constant of [`OptionName`](super::raw::OptionName), the variant of [`Opt`](crate::error::Opt),
//! the getter, the setter and the setter of `SocketOptions`, each with its documentation. `SocketOptions` sets options in
//! the order of the table: `SO_PRIORITY` follows `IP_TOS`, which implies a priority.
//!
//! Not in the table, because the value holds a pointer, an address list or a descriptor: `SO_ATTACH_FILTER`,
//! `SO_ATTACH_BPF`, `SO_ATTACH_REUSEPORT_CBPF` and `_EBPF`, `SO_PEERPIDFD`, `IP_MSFILTER`, `TCP_ZEROCOPY_RECEIVE`, `TCP_TX`
//! and `TCP_RX` of `SOL_TLS`. Group membership belongs to multicast as a whole, and `XDP_*`, `ALG_*` and `DCCP_*` to kinds
//! of sockets that this crate does not open.

/// Hands the rows, in groups by system, to the macro `$with`.
macro_rules! option_table {
    ($with:ident) => {
        $with! {
            [all()] {
                /// Whether the address may be bound while old connections on it are still in `TIME_WAIT`. On UDP it
                /// lets another socket take the port's datagrams.
                SO_REUSEADDR "SO_REUSEADDR" SOL_SOCKET {
                    flag(bool) on Inet, inherited OverTcp, since "2.6";
                    get reuse_address set set_reuse_address with with_reuse_address(bool) for Listeners
                }
                /// Whether several sockets of one user may share the address; the kernel spreads connections and
                /// datagrams over them.
                SO_REUSEPORT "SO_REUSEPORT" SOL_SOCKET {
                    flag(bool) on Inet, inherited OverTcp, since "3.9";
                    get reuse_port set set_reuse_port with with_reuse_port(bool) for Listeners
                }
                /// Whether an IPv6 socket leaves IPv4 alone, whatever `net.ipv6.bindv6only` says.
                IPV6_V6ONLY "IPV6_V6ONLY" SOL_IPV6 {
                    switch(bool) on Ipv6, inherited Never, since "2.6";
                    errors "`EINVAL` once the socket is bound.";
                    get only_v6 set set_only_v6 with with_only_v6(bool) for Listeners
                }
                /// Whether small segments are sent at once, instead of after the acknowledgement of earlier ones
                /// (Nagle's algorithm, RFC 896).
                #[doc(alias = "anetEnableTcpNoDelay")]
                #[doc(alias = "anetDisableTcpNoDelay")]
                TCP_NODELAY "TCP_NODELAY" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_nodelay set set_tcp_nodelay with with_tcp_nodelay(bool)
                }
                /// Whether idle connections are probed; [`set_tcp_keepalive`](crate::option::set_tcp_keepalive) says when as well.
                SO_KEEPALIVE "SO_KEEPALIVE" SOL_SOCKET {
                    flag(bool) on Tcp, inherited OverTcp, since "2.6";
                    get keepalive set set_keepalive with with_keepalive(bool)
                }
                /// How long closing waits for unsent bytes, in whole seconds, rounded up. Zero discards them and resets
                /// the connection; `None` is the default: no wait, and the kernel sends them later.
                SO_LINGER "SO_LINGER" SOL_SOCKET {
                    linger(Option<Duration>) on Any, inherited OverTcp, since "2.6";
                    errors "`EINVAL` for a time the kernel cannot count.";
                    get linger set set_linger with with_linger(Option<Duration>)
                }
                /// The size of the receive buffer in bytes. The kernel clips it to `net.core.rmem_max` without an
                /// error, and Linux accounts, and so reads back, twice what was asked. A listener that is to pass on a
                /// window larger than 64 KiB needs it before `listen`.
                SO_RCVBUF "SO_RCVBUF" SOL_SOCKET {
                    bytes(usize) on Any, inherited OverTcp, since "2.6";
                    get recv_buffer_size set set_recv_buffer_size with with_recv_buffer_size(Option<u32>)
                }
                /// How long a read waits before it fails with `EAGAIN`; `None`: for ever. On a listener it bounds a
                /// blocking accept. The kernel counts in ticks of some milliseconds, rounded up, and takes more than it
                /// can count for "for ever".
                #[doc(alias = "anetRecvTimeout")]
                SO_RCVTIMEO "SO_RCVTIMEO" SOL_SOCKET {
                    timeout(Option<Duration>) on Any, inherited OverTcp, since "2.6";
                    errors "`EINVAL` for zero, which the kernel would take for \"for ever\".";
                    get recv_timeout set set_recv_timeout with with_recv_timeout(Option<Duration>)
                }
                /// The size of the send buffer in bytes. The kernel clips it to `net.core.wmem_max` without an error,
                /// and Linux accounts, and so reads back, twice what was asked.
                SO_SNDBUF "SO_SNDBUF" SOL_SOCKET {
                    bytes(usize) on Any, inherited OverTcp, since "2.6";
                    get send_buffer_size set set_send_buffer_size with with_send_buffer_size(Option<u32>)
                }
                /// How long a write or a blocking connect waits before it fails with `EAGAIN`; `None`: for ever. The
                /// kernel counts in ticks of some milliseconds, rounded up, and takes more than it can count for "for
                /// ever".
                #[doc(alias = "anetSendTimeout")]
                SO_SNDTIMEO "SO_SNDTIMEO" SOL_SOCKET {
                    timeout(Option<Duration>) on Any, inherited OverTcp, since "2.6";
                    errors "`EINVAL` for zero, which the kernel would take for \"for ever\".";
                    get send_timeout set set_send_timeout with with_send_timeout(Option<Duration>)
                }
                /// How many routers an IPv4 packet may pass.
                IP_TTL "IP_TTL" SOL_IP [1..=255] {
                    number(u32) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_ttl set set_ip_ttl with with_ip_ttl(Option<u32>)
                }
                /// The error that waits on a socket, such as the outcome of a connect. Reading clears it.
                #[doc(alias = "anetGetError")]
                SO_ERROR "SO_ERROR" SOL_SOCKET {
                    error(Option<Errno>) on Any, inherited Never, since "2.6";
                    get take_error
                }
            }
            [not(target_os = "openbsd")] {
                /// The time without a byte before the first keepalive probe, in whole seconds, rounded up.
                TCP_KEEPIDLE "TCP_KEEPIDLE" SOL_TCP [1..=32767] {
                    seconds(Duration) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_keepidle set set_tcp_keepidle with with_tcp_keepidle(Option<Duration>)
                }
                /// The time between keepalive probes, in whole seconds, rounded up.
                TCP_KEEPINTVL "TCP_KEEPINTVL" SOL_TCP [1..=32767] {
                    seconds(Duration) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_keepintvl set set_tcp_keepintvl with with_tcp_keepintvl(Option<Duration>)
                }
                /// The number of unanswered keepalive probes after which a connection ends.
                TCP_KEEPCNT "TCP_KEEPCNT" SOL_TCP [1..=127] {
                    number(u32) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_keepcnt set set_tcp_keepcnt with with_tcp_keepcnt(Option<u32>)
                }
            }
            [target_os = "linux"] {
                /// Whether binding a source address with port 0 leaves the choice of the port to `connect`, so that
                /// connections to different peers can share one. For IPv4 and IPv6 alike.
                IP_BIND_ADDRESS_NO_PORT "IP_BIND_ADDRESS_NO_PORT" SOL_IP {
                    flag(bool) on Inet, inherited OverTcp, since "4.2";
                    get bind_address_no_port set set_bind_address_no_port
                }
                /// Whether an address can be bound that this host does not have, or not yet.
                IP_FREEBIND "IP_FREEBIND" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_freebind set set_ip_freebind with with_ip_freebind(bool)
                }
                /// Whether the caller writes the IPv4 header itself, on raw sockets.
                IP_HDRINCL "IP_HDRINCL" SOL_IP {
                    flag(bool) on Raw, inherited Never, since "2.6";
                    errors "`ENOPROTOOPT` if the socket is not a raw one.";
                    get ip_hdrincl set set_ip_hdrincl
                }
                /// The ephemeral ports that the kernel chooses from for this socket, first and last; `None`: those of
                /// `net.ipv4.ip_local_port_range`. For IPv4 and IPv6 alike.
                IP_LOCAL_PORT_RANGE "IP_LOCAL_PORT_RANGE" SOL_IP {
                    ports(Option<(u16, u16)>) on Inet, inherited OverTcp, since "6.3";
                    errors "`EINVAL` for a first port above the last.";
                    get ip_local_port_range set set_ip_local_port_range
                        with with_ip_local_port_range(Option<(u16, u16)>)
                }
                /// Packets that arrive with a lower TTL are dropped (RFC 5082); 0: none.
                IP_MINTTL "IP_MINTTL" SOL_IP [0..=255] {
                    number(u32) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_minttl set set_ip_minttl with with_ip_minttl(Option<u32>)
                }
                /// The largest packet that the path to the peer takes, in bytes.
                IP_MTU "IP_MTU" SOL_IP {
                    number(u32) on Ipv4, inherited Never, since "2.6";
                    get ip_mtu
                }
                /// How the largest packet of the path is found out: `IP_PMTUDISC_DONT` (0), `_WANT` (1), `_DO` (2),
                /// `_PROBE` (3), `_INTERFACE` (4) or `_OMIT` (5).
                IP_MTU_DISCOVER "IP_MTU_DISCOVER" SOL_IP [0..=5] {
                    number(u32) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_mtu_discover set set_ip_mtu_discover with with_ip_mtu_discover(Option<u32>)
                }
                /// Whether a socket gets the datagrams of all groups that any socket of this host has joined, instead
                /// of those it has joined itself. On by default.
                IP_MULTICAST_ALL "IP_MULTICAST_ALL" SOL_IP {
                    switch(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_multicast_all set set_ip_multicast_all
                }
                /// The address of the interface that multicast datagrams leave by; unspecified: the one that routing
                /// chooses.
                IP_MULTICAST_IF "IP_MULTICAST_IF" SOL_IP {
                    ipv4(Ipv4Addr) on Ipv4Udp, inherited Never, since "2.6";
                    errors "`EADDRNOTAVAIL` for an address that is not this host's.";
                    get ip_multicast_if set set_ip_multicast_if
                }
                /// Whether multicast datagrams come back to this host. On by default.
                IP_MULTICAST_LOOP "IP_MULTICAST_LOOP" SOL_IP {
                    switch(bool) on Ipv4Udp, inherited Never, since "2.6";
                    get ip_multicast_loop set set_ip_multicast_loop
                }
                /// How many routers a multicast datagram may pass.
                IP_MULTICAST_TTL "IP_MULTICAST_TTL" SOL_IP [0..=255] {
                    number(u32) on Ipv4Udp, inherited Never, since "2.6";
                    get ip_multicast_ttl set set_ip_multicast_ttl
                }
                /// Whether datagrams come with the address and the interface they were sent to.
                IP_PKTINFO "IP_PKTINFO" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_pktinfo set set_ip_pktinfo
                }
                /// Whether errors that come back from the network are queued, with the packet they are about.
                IP_RECVERR "IP_RECVERR" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_recverr set set_ip_recverr
                }
                /// Whether datagrams come with the address they were sent to before a firewall redirected them.
                #[doc(alias = "IP_ORIGDSTADDR")]
                IP_RECVORIGDSTADDR "IP_RECVORIGDSTADDR" SOL_IP {
                    flag(bool) on Ipv4Udp, inherited Never, since "2.6";
                    get ip_recvorigdstaddr set set_ip_recvorigdstaddr
                }
                /// Whether datagrams come with their type-of-service byte.
                IP_RECVTOS "IP_RECVTOS" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_recvtos set set_ip_recvtos
                }
                /// Whether datagrams come with their TTL.
                IP_RECVTTL "IP_RECVTTL" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_recvttl set set_ip_recvttl
                }
                /// The type-of-service byte of IPv4 packets (RFC 2474). Over TCP the kernel keeps the two lowest bits
                /// to itself. It implies a [`priority`](crate::option::priority).
                IP_TOS "IP_TOS" SOL_IP [0..=255] {
                    number(u32) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_tos set set_ip_tos with with_ip_tos(Option<u32>)
                }
                /// Whether connections to any address can be taken and made from any, as a transparent proxy does.
                IP_TRANSPARENT "IP_TRANSPARENT" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    errors "`EPERM` without `CAP_NET_ADMIN` or `CAP_NET_RAW`.";
                    get ip_transparent set set_ip_transparent with with_ip_transparent(bool)
                }
                /// Where a redirected IPv4 connection was meant to go.
                SO_ORIGINAL_DST "SO_ORIGINAL_DST" SOL_IP {
                    original_dst_v4(SocketAddrV4) on Ipv4, inherited Never, since "2.6";
                    get original_dst_v4
                }

                /// Whether the kernel makes flow labels of its own. The default is `net.ipv6.auto_flowlabels`.
                IPV6_AUTOFLOWLABEL "IPV6_AUTOFLOWLABEL" SOL_IPV6 {
                    switch(bool) on Ipv6, inherited OverTcp, since "3.17";
                    get ipv6_autoflowlabel set set_ipv6_autoflowlabel
                }
                /// Whether datagrams that are too large for the path are refused instead of fragmented.
                IPV6_DONTFRAG "IPV6_DONTFRAG" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_dontfrag set set_ipv6_dontfrag
                }
                /// Whether an address can be bound that this host does not have, or not yet.
                IPV6_FREEBIND "IPV6_FREEBIND" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "4.15";
                    get ipv6_freebind set set_ipv6_freebind with with_ipv6_freebind(bool)
                }
                /// Whether the caller writes the IPv6 header itself, on raw sockets.
                IPV6_HDRINCL "IPV6_HDRINCL" SOL_IPV6 {
                    flag(bool) on Raw, inherited Never, since "4.5";
                    errors "`ENOPROTOOPT` if the socket is not a raw one.";
                    get ipv6_hdrincl set set_ipv6_hdrincl
                }
                /// Packets that arrive with a lower hop limit are dropped (RFC 5082); 0: none.
                IPV6_MINHOPCOUNT "IPV6_MINHOPCOUNT" SOL_IPV6 [0..=255] {
                    number(u32) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_minhopcount set set_ipv6_minhopcount with with_ipv6_minhopcount(Option<u32>)
                }
                /// The largest packet that the path to the peer takes, in bytes.
                IPV6_MTU "IPV6_MTU" SOL_IPV6 {
                    number(u32) on Ipv6, inherited Never, since "2.6";
                    get ipv6_mtu
                }
                /// How the largest packet of the path is found out; the numbers are those of [`ip_mtu_discover`](crate::option::ip_mtu_discover).
                IPV6_MTU_DISCOVER "IPV6_MTU_DISCOVER" SOL_IPV6 [0..=5] {
                    number(u32) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_mtu_discover set set_ipv6_mtu_discover with with_ipv6_mtu_discover(Option<u32>)
                }
                /// Whether a socket gets the datagrams of all groups that any socket of this host has joined, instead
                /// of those it has joined itself. On by default.
                IPV6_MULTICAST_ALL "IPV6_MULTICAST_ALL" SOL_IPV6 {
                    switch(bool) on Ipv6, inherited OverTcp, since "4.20";
                    get ipv6_multicast_all set set_ipv6_multicast_all
                }
                /// How many routers a multicast datagram may pass.
                IPV6_MULTICAST_HOPS "IPV6_MULTICAST_HOPS" SOL_IPV6 [0..=255] {
                    number(u32) on Ipv6Udp, inherited Never, since "2.6";
                    get ipv6_multicast_hops set set_ipv6_multicast_hops
                }
                /// The index of the interface that multicast datagrams leave by; 0: the one that routing chooses.
                IPV6_MULTICAST_IF "IPV6_MULTICAST_IF" SOL_IPV6 {
                    number(u32) on Ipv6Udp, inherited Never, since "2.6";
                    errors "`ENODEV` for an interface that is not there.";
                    get ipv6_multicast_if set set_ipv6_multicast_if
                }
                /// Whether multicast datagrams come back to this host. On by default.
                IPV6_MULTICAST_LOOP "IPV6_MULTICAST_LOOP" SOL_IPV6 {
                    switch(bool) on Ipv6Udp, inherited Never, since "2.6";
                    get ipv6_multicast_loop set set_ipv6_multicast_loop
                }
                /// Whether errors that come back from the network are queued, with the packet they are about.
                IPV6_RECVERR "IPV6_RECVERR" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_recverr set set_ipv6_recverr
                }
                /// Whether datagrams come with their hop limit.
                IPV6_RECVHOPLIMIT "IPV6_RECVHOPLIMIT" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_recvhoplimit set set_ipv6_recvhoplimit
                }
                /// Whether datagrams come with the address they were sent to before a firewall redirected them.
                #[doc(alias = "IPV6_ORIGDSTADDR")]
                IPV6_RECVORIGDSTADDR "IPV6_RECVORIGDSTADDR" SOL_IPV6 {
                    flag(bool) on Ipv6Udp, inherited Never, since "2.6";
                    get ipv6_recvorigdstaddr set set_ipv6_recvorigdstaddr
                }
                /// Whether datagrams come with the address and the interface they were sent to.
                IPV6_RECVPKTINFO "IPV6_RECVPKTINFO" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_recvpktinfo set set_ipv6_recvpktinfo
                }
                /// Whether datagrams come with their traffic class.
                IPV6_RECVTCLASS "IPV6_RECVTCLASS" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_recvtclass set set_ipv6_recvtclass
                }
                /// The traffic class of IPv6 packets (RFC 2474). Over TCP the kernel keeps the two lowest bits to
                /// itself.
                IPV6_TCLASS "IPV6_TCLASS" SOL_IPV6 [0..=255] {
                    number(u32) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_tclass set set_ipv6_tclass with with_ipv6_tclass(Option<u32>)
                }
                /// Whether connections to any address can be taken and made from any, as a transparent proxy does.
                IPV6_TRANSPARENT "IPV6_TRANSPARENT" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    errors "`EPERM` without `CAP_NET_ADMIN` or `CAP_NET_RAW`.";
                    get ipv6_transparent set set_ipv6_transparent with with_ipv6_transparent(bool)
                }
                /// How many routers an IPv6 packet may pass.
                IPV6_UNICAST_HOPS "IPV6_UNICAST_HOPS" SOL_IPV6 [0..=255] {
                    number(u32) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_unicast_hops set set_ipv6_unicast_hops with with_ipv6_unicast_hops(Option<u32>)
                }
                /// Where a redirected IPv6 connection was meant to go.
                IP6T_SO_ORIGINAL_DST "IP6T_SO_ORIGINAL_DST" SOL_IPV6 {
                    original_dst_v6(SocketAddrV6) on Ipv6, inherited Never, since "3.8";
                    get original_dst_v6
                }

                /// The congestion control that decides how fast is sent, such as `cubic` or `bbr`;
                /// `net.ipv4.tcp_available_congestion_control` lists what is there.
                TCP_CONGESTION "TCP_CONGESTION" SOL_TCP [1..=15] {
                    name(TcpName) on Tcp, inherited OverTcp, since "2.6";
                    errors "`ENOENT` for one that is not there, `EPERM` for one that only privilege may choose.";
                    get tcp_congestion set set_tcp_congestion
                }
                /// Whether only full segments are sent, for at most 200 ms; switching it off sends the rest.
                TCP_CORK "TCP_CORK" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_cork set set_tcp_cork
                }
                /// How long a connection without data stays out of the accept queue; `None`: it is queued at once. The
                /// kernel rounds the time up to one of 1, 3, 7, 15, 31, 63 s and so on, keeps it below half a day or
                /// so, and reads back what it made of it. Zero is `None`.
                TCP_DEFER_ACCEPT "TCP_DEFER_ACCEPT" SOL_TCP {
                    some_seconds(Option<Duration>) on Tcp, inherited Never, since "2.6";
                    get tcp_defer_accept set set_tcp_defer_accept
                        with with_tcp_defer_accept(Option<Duration>) for Listeners
                }
                /// How many connections a listener keeps that sent data with their first packet (RFC 7413); 0: none may.
                /// Clients can use it only where `net.ipv4.tcp_fastopen` has bit 2 set. The kernel clips the number to
                /// `net.core.somaxconn`.
                TCP_FASTOPEN "TCP_FASTOPEN" SOL_TCP {
                    number(u32) on Tcp, inherited Never, since "3.7";
                    get tcp_fastopen set set_tcp_fastopen with with_tcp_fastopen(Option<u32>) for Listeners
                }
                /// Whether `connect` waits for the first write and sends it with its first packet (RFC 7413).
                TCP_FASTOPEN_CONNECT "TCP_FASTOPEN_CONNECT" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "4.11";
                    errors "`EOPNOTSUPP` where `net.ipv4.tcp_fastopen` lacks bit 1, `EINVAL` once it is connected.";
                    get tcp_fastopen_connect set set_tcp_fastopen_connect
                }
                /// Whether reads come with the number of bytes still queued.
                TCP_INQ "TCP_INQ" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "4.18";
                    get tcp_inq set set_tcp_inq
                }
                /// What the kernel knows of a connection: [`tcp_info`](crate::option::tcp_info).
                TCP_INFO "TCP_INFO" SOL_TCP {
                    number(u32) on Tcp, inherited Never, since "2.6";
                }
                /// How long a connection that is closed here waits for the peer to close; `None`: it does not wait.
                /// `net.ipv4.tcp_fin_timeout` is the default.
                TCP_LINGER2 "TCP_LINGER2" SOL_TCP {
                    signed_seconds(Option<Duration>) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_linger2 set set_tcp_linger2 with with_tcp_linger2(Option<Duration>)
                }
                /// The largest segment, in bytes. On a connection it reads as what was agreed on.
                TCP_MAXSEG "TCP_MAXSEG" SOL_TCP [88..=32767] {
                    number(u32) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_maxseg set set_tcp_maxseg with with_tcp_maxseg(Option<u32>)
                }
                /// How many unsent bytes may be queued before a socket stops being writable; 0 stands for
                /// `net.ipv4.tcp_notsent_lowat`.
                TCP_NOTSENT_LOWAT "TCP_NOTSENT_LOWAT" SOL_TCP {
                    number(u32) on Tcp, inherited OverTcp, since "3.12";
                    get tcp_notsent_lowat set set_tcp_notsent_lowat with with_tcp_notsent_lowat(Option<u32>)
                }
                /// Whether acknowledgements are sent at once. The kernel switches it by itself as a connection goes on.
                TCP_QUICKACK "TCP_QUICKACK" SOL_TCP {
                    switch(bool) on Tcp, inherited Never, since "2.6";
                    get tcp_quickack set set_tcp_quickack
                }
                /// Whether the state of a connection can be read and written, to move it elsewhere.
                TCP_REPAIR "TCP_REPAIR" SOL_TCP {
                    flag(bool) on Tcp, inherited Never, since "3.5";
                    errors "`EPERM` without `CAP_NET_ADMIN`, and while the socket listens.";
                    get tcp_repair set set_tcp_repair
                }
                /// Whether a listener keeps the first packet of each connection.
                TCP_SAVE_SYN "TCP_SAVE_SYN" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "4.2";
                    get tcp_save_syn set set_tcp_save_syn
                }
                /// How often the first packet is sent again before a connect fails; the default is
                /// `net.ipv4.tcp_syn_retries`.
                TCP_SYNCNT "TCP_SYNCNT" SOL_TCP [1..=127] {
                    number(u32) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_syncnt set set_tcp_syncnt with with_tcp_syncnt(Option<u32>)
                }
                /// Whether lost segments of a stream with few in flight are sent again at even intervals.
                TCP_THIN_LINEAR_TIMEOUTS "TCP_THIN_LINEAR_TIMEOUTS" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_thin_linear_timeouts set set_tcp_thin_linear_timeouts
                }
                /// The protocol above TCP that the kernel speaks, such as `tls`.
                TCP_ULP "TCP_ULP" SOL_TCP [1..=15] {
                    name(TcpName) on Tcp, inherited Never, since "4.13";
                    errors "`ENOENT` for one that is not there, `ENOTCONN` for `tls` before the socket is connected.";
                    get tcp_ulp set set_tcp_ulp
                }
                /// How long sent bytes may stay unacknowledged before a connection ends with `ETIMEDOUT`, in
                /// milliseconds, rounded up (RFC 5482); `None`: as long as the system's own limit.
                TCP_USER_TIMEOUT "TCP_USER_TIMEOUT" SOL_TCP [1..=0x7fff_ffff] {
                    some_milliseconds(Option<Duration>) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_user_timeout set set_tcp_user_timeout with with_tcp_user_timeout(Option<Duration>)
                }
                /// The largest window that is offered to the peer, in bytes; 0: no bound.
                TCP_WINDOW_CLAMP "TCP_WINDOW_CLAMP" SOL_TCP {
                    number(u32) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_window_clamp set set_tcp_window_clamp with with_tcp_window_clamp(Option<u32>)
                }

                /// Whether writes are held back to be sent as one datagram; switching it off sends it.
                UDP_CORK "UDP_CORK" SOL_UDP {
                    flag(bool) on Udp, inherited Never, since "2.6";
                    get udp_cork set set_udp_cork
                }
                /// Whether the kernel hands over several datagrams of one sender in one read.
                UDP_GRO "UDP_GRO" SOL_UDP {
                    flag(bool) on Udp, inherited Never, since "5.0";
                    get udp_gro set set_udp_gro with with_udp_gro(bool)
                }
                /// The size in bytes of the datagrams into which a larger write is cut; 0: it is not cut.
                UDP_SEGMENT "UDP_SEGMENT" SOL_UDP [0..=65535] {
                    number(u32) on Udp, inherited Never, since "4.18";
                    get udp_segment set set_udp_segment with with_udp_segment(Option<u32>)
                }

                /// Whether the socket listens.
                SO_ACCEPTCONN "SO_ACCEPTCONN" SOL_SOCKET {
                    flag(bool) on Any, inherited Never, since "2.6";
                    get is_listening
                }
                /// The device that alone may carry a socket's packets; `None`: any.
                SO_BINDTODEVICE "SO_BINDTODEVICE" SOL_SOCKET [1..=15] {
                    device(Option<DeviceName>) on Inet, inherited OverTcp, since "2.6";
                    errors "`ENODEV` for a device that is not there, `EPERM` for a user who may not change the binding.";
                    get bind_device set set_bind_device
                }
                /// The index of the device that alone may carry a socket's packets; 0: any.
                SO_BINDTOIFINDEX "SO_BINDTOIFINDEX" SOL_SOCKET {
                    number(u32) on Inet, inherited OverTcp, since "5.1";
                    errors "`ENODEV` for a device that is not there, `EPERM` for a user who may not change the binding.";
                    get bind_index set set_bind_index with with_bind_index(Option<u32>)
                }
                /// Whether datagrams can be sent to a broadcast address.
                SO_BROADCAST "SO_BROADCAST" SOL_SOCKET {
                    flag(bool) on Udp, inherited Never, since "2.6";
                    get broadcast set set_broadcast with with_broadcast(bool)
                }
                /// How long a read polls the device, in microseconds, before it waits; the default is
                /// `net.core.busy_read`.
                SO_BUSY_POLL "SO_BUSY_POLL" SOL_SOCKET {
                    microseconds(Duration) on Inet, inherited OverTcp, since "3.11";
                    errors "`EPERM` for raising it without `CAP_NET_ADMIN`.";
                    get busy_poll set set_busy_poll with with_busy_poll(Option<Duration>)
                }
                /// The number that no other socket of this host has had since it was started.
                SO_COOKIE "SO_COOKIE" SOL_SOCKET {
                    cookie(u64) on Any, inherited Never, since "4.12";
                    get cookie
                }
                /// The address family, such as `AF_INET` (2).
                SO_DOMAIN "SO_DOMAIN" SOL_SOCKET {
                    number(u32) on Any, inherited Never, since "2.6";
                    get domain
                }
                /// Whether packets go to hosts on a local network only, past any gateway.
                SO_DONTROUTE "SO_DONTROUTE" SOL_SOCKET {
                    flag(bool) on Inet, inherited OverTcp, since "2.6";
                    get dontroute set set_dontroute with with_dontroute(bool)
                }
                /// The CPU that a connection's packets come in on. On a listener that shares its address it is a wish.
                SO_INCOMING_CPU "SO_INCOMING_CPU" SOL_SOCKET {
                    number(u32) on Inet, inherited Never, since "3.19";
                    get incoming_cpu set set_incoming_cpu with with_incoming_cpu(Option<u32>) for Listeners
                }
                /// The mark that routing and packet filters see on a socket's packets.
                #[doc(alias = "anetSetSockMarkId")]
                SO_MARK "SO_MARK" SOL_SOCKET {
                    number(u32) on Any, inherited OverTcp, since "2.6";
                    errors "`EPERM` without `CAP_NET_ADMIN` (or `CAP_NET_RAW` since Linux 5.17).";
                    get mark set set_mark with with_mark(Option<u32>)
                }
                /// The most bytes that are sent in a second; `None`: no bound.
                SO_MAX_PACING_RATE "SO_MAX_PACING_RATE" SOL_SOCKET {
                    rate(Option<u32>) on Inet, inherited OverTcp, since "3.13";
                    get max_pacing_rate set set_max_pacing_rate with with_max_pacing_rate(Option<u32>)
                }
                /// Whether out-of-band bytes are received among the others.
                SO_OOBINLINE "SO_OOBINLINE" SOL_SOCKET {
                    flag(bool) on Tcp, inherited OverTcp, since "2.6";
                    get oobinline set set_oobinline with with_oobinline(bool)
                }
                /// Whether messages come with the process, user and group of their sender.
                SO_PASSCRED "SO_PASSCRED" SOL_SOCKET {
                    flag(bool) on Unix, inherited Always, since "2.6";
                    get passcred set set_passcred with with_passcred(bool)
                }
                /// Where reads that peek begin, in bytes; `None`: at the first.
                SO_PEEK_OFF "SO_PEEK_OFF" SOL_SOCKET {
                    offset(Option<u32>) on Any, inherited OverTcp, since "3.4";
                    errors "`EOPNOTSUPP` over TCP before Linux 6.9.";
                    get peek_off set set_peek_off
                }
                /// The process, user and group of the peer when it connected.
                SO_PEERCRED "SO_PEERCRED" SOL_SOCKET {
                    credentials(PeerCredentials) on Unix, inherited Never, since "2.6";
                    get peer_credentials
                }
                /// Whether polling the device (see [`busy_poll`](crate::option::busy_poll)) takes the place of its interrupts.
                SO_PREFER_BUSY_POLL "SO_PREFER_BUSY_POLL" SOL_SOCKET {
                    flag(bool) on Inet, inherited OverTcp, since "5.11";
                    errors "`EPERM` without `CAP_NET_ADMIN`.";
                    get prefer_busy_poll set set_prefer_busy_poll with with_prefer_busy_poll(bool)
                }
                /// The protocol, such as `IPPROTO_TCP` (6).
                SO_PROTOCOL "SO_PROTOCOL" SOL_SOCKET {
                    number(u32) on Any, inherited Never, since "2.6";
                    get protocol
                }
                /// Gives the receive buffer this many bytes, above `net.core.rmem_max` too; the kernel accounts, and
                /// [`recv_buffer_size`](crate::option::recv_buffer_size) reads, twice as many.
                SO_RCVBUFFORCE "SO_RCVBUFFORCE" SOL_SOCKET {
                    bytes(usize) on Any, inherited OverTcp, since "2.6";
                    errors "`EPERM` without `CAP_NET_ADMIN`.";
                    set set_recv_buffer_size_force with with_recv_buffer_size_force(Option<u32>)
                }
                /// How many bytes must have come before a socket is readable.
                SO_RCVLOWAT "SO_RCVLOWAT" SOL_SOCKET {
                    number(u32) on Any, inherited OverTcp, since "2.6";
                    get recv_low_water_mark set set_recv_low_water_mark with with_recv_low_water_mark(Option<u32>)
                }
                /// Whether datagrams come with the number of those that were lost for want of room.
                SO_RXQ_OVFL "SO_RXQ_OVFL" SOL_SOCKET {
                    flag(bool) on Any, inherited OverTcp, since "2.6";
                    get rxq_ovfl set set_rxq_ovfl
                }
                /// Gives the send buffer this many bytes, above `net.core.wmem_max` too; the kernel accounts, and
                /// [`send_buffer_size`](crate::option::send_buffer_size) reads, twice as many.
                SO_SNDBUFFORCE "SO_SNDBUFFORCE" SOL_SOCKET {
                    bytes(usize) on Any, inherited OverTcp, since "2.6";
                    errors "`EPERM` without `CAP_NET_ADMIN`.";
                    set set_send_buffer_size_force with with_send_buffer_size_force(Option<u32>)
                }
                /// Whether datagrams come with the time they arrived, in microseconds.
                SO_TIMESTAMP "SO_TIMESTAMP" SOL_SOCKET {
                    flag(bool) on Any, inherited OverTcp, since "2.6";
                    get timestamp set set_timestamp
                }
                /// Which times packets come with, of arrival and of sending, as flags `SOF_TIMESTAMPING_*`.
                SO_TIMESTAMPING "SO_TIMESTAMPING" SOL_SOCKET {
                    number(u32) on Inet, inherited OverTcp, since "2.6";
                    get timestamping set set_timestamping
                }
                /// Whether datagrams come with the time they arrived, in nanoseconds.
                SO_TIMESTAMPNS "SO_TIMESTAMPNS" SOL_SOCKET {
                    flag(bool) on Any, inherited OverTcp, since "2.6";
                    get timestampns set set_timestampns
                }
                /// How a datagram says when it is to be sent.
                SO_TXTIME "SO_TXTIME" SOL_SOCKET {
                    txtime(TxTime) on Any, inherited OverTcp, since "4.19";
                    errors "`EPERM` for most clocks without `CAP_NET_ADMIN`, `EINVAL` for flags that are not there.";
                    get txtime set set_txtime
                }
                /// The type, such as `SOCK_STREAM` (1).
                SO_TYPE "SO_TYPE" SOL_SOCKET {
                    number(u32) on Any, inherited Never, since "2.6";
                    get socket_type
                }
                /// Whether writes may use the caller's memory until the kernel says that it is done (`MSG_ZEROCOPY`).
                SO_ZEROCOPY "SO_ZEROCOPY" SOL_SOCKET {
                    flag(bool) on Inet, inherited OverTcp, since "4.14";
                    get zerocopy set set_zerocopy
                }
                /// The queueing priority of a socket's packets.
                SO_PRIORITY "SO_PRIORITY" SOL_SOCKET {
                    number(u32) on Any, inherited Never, since "2.6";
                    errors "`EPERM` above 6 without `CAP_NET_ADMIN`.";
                    get priority set set_priority with with_priority(Option<u32>)
                }
            }
        }
    };
}

pub(crate) use option_table;
