//! The table: one row for each socket option, with every fact about it.
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
//! - `NAME` and `LEVEL` are the kernel's, and `NAME` is the label in errors. It is repeated because `doc(alias)`
//!   accepts only a literal.
//! - `[range]` holds the values that the kernel accepts, in its own unit, where it rejects others with a bare `EINVAL`.
//!   The limits of the keepalive times are `MAX_TCP_KEEPIDLE` and its neighbours in the kernel's `tcp.h`.
//! - `kind` is a module of [`kind`](super::kind): how the kernel represents the value.
//! - `on` is a [`Sockets`](super::Sockets), `inherited` an [`Inherited`](super::Inherited); `tests/option_table.rs`
//!   holds both against the kernel. Version "2.6" also covers earlier versions.
//! - `for Listeners`: [`SocketOptions`](super::SocketOptions) sets it on server sockets only.
//!
//! Each row generates the constant of [`OptionName`](super::raw::OptionName), the variant of
//! [`Opt`](crate::error::Opt), the getter, the setter and the setter of `SocketOptions`, each with its documentation.
//! `SocketOptions` sets options in the order of the table: `SO_PRIORITY` follows `IP_TOS`, which implies a priority.
//!
//! These are not in the table because the value holds a pointer, an address list or a descriptor: `SO_ATTACH_FILTER`,
//! `SO_ATTACH_BPF`, `SO_ATTACH_REUSEPORT_CBPF` and `_EBPF`, `SO_PEERPIDFD`, `IP_MSFILTER`, `TCP_ZEROCOPY_RECEIVE`,
//! `TCP_TX` and `TCP_RX` of `SOL_TLS`. Group membership belongs to multicast as a whole, and `XDP_*`, `ALG_*` and
//! `DCCP_*` to kinds of sockets that this crate does not open.

/// Passes the rows, grouped by system, to the macro `$with`.
macro_rules! option_table {
    ($with:ident) => {
        $with! {
            [all()] {
                /// Whether a socket may bind an address while old connections on it are in `TIME_WAIT`. On UDP it lets
                /// another socket take the port's datagrams.
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
                /// Whether an IPv6 socket is limited to IPv6, whatever the value of `net.ipv6.bindv6only`.
                IPV6_V6ONLY "IPV6_V6ONLY" SOL_IPV6 {
                    switch(bool) on Ipv6, inherited Never, since "2.6";
                    errors "`EINVAL` once the socket is bound.";
                    get only_v6 set set_only_v6 with with_only_v6(bool) for Listeners
                }
                /// Whether small segments are sent at once instead of after earlier ones are acknowledged (Nagle's
                /// algorithm, RFC 896).
                #[doc(alias = "anetEnableTcpNoDelay")]
                #[doc(alias = "anetDisableTcpNoDelay")]
                TCP_NODELAY "TCP_NODELAY" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_nodelay set set_tcp_nodelay with with_tcp_nodelay(bool)
                }
                /// Whether the kernel probes idle connections; [`set_tcp_keepalive`](crate::option::set_tcp_keepalive)
                /// also sets when.
                SO_KEEPALIVE "SO_KEEPALIVE" SOL_SOCKET {
                    flag(bool) on Tcp, inherited OverTcp, since "2.6";
                    get keepalive set set_keepalive with with_keepalive(bool)
                }
                /// How long closing waits for unsent bytes, in whole seconds, rounded up. Zero discards them and resets
                /// the connection; `None` is the default: `close` returns at once, and the kernel sends them later.
                SO_LINGER "SO_LINGER" SOL_SOCKET {
                    linger(Option<Duration>) on Any, inherited OverTcp, since "2.6";
                    errors "`EINVAL` for a time that the kernel cannot represent.";
                    get linger set set_linger with with_linger(Option<Duration>)
                }
                /// The size of the receive buffer in bytes. The kernel clips it to `net.core.rmem_max` without an
                /// error, and Linux accounts, and so reads back, twice the requested size. For connections with a
                /// window larger than 64 KiB, set it before `listen`.
                SO_RCVBUF "SO_RCVBUF" SOL_SOCKET {
                    bytes(usize) on Any, inherited OverTcp, since "2.6";
                    get recv_buffer_size set set_recv_buffer_size with with_recv_buffer_size(Option<u32>)
                }
                /// How long a read blocks before it fails with `EAGAIN`; `None`: indefinitely. On a listener it bounds
                /// a blocking accept. The kernel counts in ticks of some milliseconds, rounded up, and treats a longer
                /// time than it can count as indefinite.
                #[doc(alias = "anetRecvTimeout")]
                SO_RCVTIMEO "SO_RCVTIMEO" SOL_SOCKET {
                    timeout(Option<Duration>) on Any, inherited OverTcp, since "2.6";
                    errors "`EINVAL` for zero, which the kernel would treat as no timeout.";
                    get recv_timeout set set_recv_timeout with with_recv_timeout(Option<Duration>)
                }
                /// The size of the send buffer in bytes. The kernel clips it to `net.core.wmem_max` without an error,
                /// and Linux accounts, and so reads back, twice the requested size.
                SO_SNDBUF "SO_SNDBUF" SOL_SOCKET {
                    bytes(usize) on Any, inherited OverTcp, since "2.6";
                    get send_buffer_size set set_send_buffer_size with with_send_buffer_size(Option<u32>)
                }
                /// How long a write or a blocking connect blocks before it fails with `EAGAIN`; `None`: indefinitely.
                /// The kernel counts in ticks of some milliseconds, rounded up, and treats a longer time than it can
                /// count as indefinite.
                #[doc(alias = "anetSendTimeout")]
                SO_SNDTIMEO "SO_SNDTIMEO" SOL_SOCKET {
                    timeout(Option<Duration>) on Any, inherited OverTcp, since "2.6";
                    errors "`EINVAL` for zero, which the kernel would treat as no timeout.";
                    get send_timeout set set_send_timeout with with_send_timeout(Option<Duration>)
                }
                /// The maximum number of routers an IPv4 packet may pass.
                IP_TTL "IP_TTL" SOL_IP [1..=255] {
                    number(u32) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_ttl set set_ip_ttl with with_ip_ttl(Option<u32>)
                }
                /// The pending error of a socket, such as the result of a connect. Reading clears it.
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
                /// Whether binding a source address with port 0 defers the choice of the port to `connect`, so that
                /// connections to different peers can share one. Applies to IPv4 and IPv6.
                IP_BIND_ADDRESS_NO_PORT "IP_BIND_ADDRESS_NO_PORT" SOL_IP {
                    flag(bool) on Inet, inherited OverTcp, since "4.2";
                    get bind_address_no_port set set_bind_address_no_port
                }
                /// Whether a socket may bind an address that this host lacks or does not have yet.
                IP_FREEBIND "IP_FREEBIND" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_freebind set set_ip_freebind with with_ip_freebind(bool)
                }
                /// Whether the caller writes the IPv4 header itself, on raw sockets.
                IP_HDRINCL "IP_HDRINCL" SOL_IP {
                    flag(bool) on Raw, inherited Never, since "2.6";
                    errors "`ENOPROTOOPT` if the socket is not raw.";
                    get ip_hdrincl set set_ip_hdrincl
                }
                /// The ephemeral ports that the kernel chooses from for this socket, first and last; `None`: those of
                /// `net.ipv4.ip_local_port_range`. Applies to IPv4 and IPv6.
                IP_LOCAL_PORT_RANGE "IP_LOCAL_PORT_RANGE" SOL_IP {
                    ports(Option<(u16, u16)>) on Inet, inherited OverTcp, since "6.3";
                    errors "`EINVAL` for a first port above the last.";
                    get ip_local_port_range set set_ip_local_port_range
                        with with_ip_local_port_range(Option<(u16, u16)>)
                }
                /// The minimum TTL: the kernel drops packets with a lower one (RFC 5082); 0: none.
                IP_MINTTL "IP_MINTTL" SOL_IP [0..=255] {
                    number(u32) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_minttl set set_ip_minttl with with_ip_minttl(Option<u32>)
                }
                /// The path MTU to the peer, in bytes.
                IP_MTU "IP_MTU" SOL_IP {
                    number(u32) on Ipv4, inherited Never, since "2.6";
                    get ip_mtu
                }
                /// How the path MTU is discovered: `IP_PMTUDISC_DONT` (0), `_WANT` (1), `_DO` (2),
                /// `_PROBE` (3), `_INTERFACE` (4) or `_OMIT` (5).
                IP_MTU_DISCOVER "IP_MTU_DISCOVER" SOL_IP [0..=5] {
                    number(u32) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_mtu_discover set set_ip_mtu_discover with with_ip_mtu_discover(Option<u32>)
                }
                /// Whether a socket receives the datagrams of all groups that any socket of this host has joined,
                /// instead of only those it has joined itself. On by default.
                IP_MULTICAST_ALL "IP_MULTICAST_ALL" SOL_IP {
                    switch(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_multicast_all set set_ip_multicast_all
                }
                /// The address of the interface for outgoing multicast datagrams; unspecified: routing chooses it.
                IP_MULTICAST_IF "IP_MULTICAST_IF" SOL_IP {
                    ipv4(Ipv4Addr) on Ipv4Udp, inherited Never, since "2.6";
                    errors "`EADDRNOTAVAIL` for an address that this host lacks.";
                    get ip_multicast_if set set_ip_multicast_if
                }
                /// Whether multicast datagrams loop back to this host. On by default.
                IP_MULTICAST_LOOP "IP_MULTICAST_LOOP" SOL_IP {
                    switch(bool) on Ipv4Udp, inherited Never, since "2.6";
                    get ip_multicast_loop set set_ip_multicast_loop
                }
                /// The maximum number of routers a multicast datagram may pass.
                IP_MULTICAST_TTL "IP_MULTICAST_TTL" SOL_IP [0..=255] {
                    number(u32) on Ipv4Udp, inherited Never, since "2.6";
                    get ip_multicast_ttl set set_ip_multicast_ttl
                }
                /// Whether reads return the address and interface that a datagram was sent to.
                IP_PKTINFO "IP_PKTINFO" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_pktinfo set set_ip_pktinfo
                }
                /// Whether the kernel queues errors from the network, each with the packet that caused it.
                IP_RECVERR "IP_RECVERR" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_recverr set set_ip_recverr
                }
                /// Whether reads return a datagram's destination address before a firewall redirected it.
                #[doc(alias = "IP_ORIGDSTADDR")]
                IP_RECVORIGDSTADDR "IP_RECVORIGDSTADDR" SOL_IP {
                    flag(bool) on Ipv4Udp, inherited Never, since "2.6";
                    get ip_recvorigdstaddr set set_ip_recvorigdstaddr
                }
                /// Whether reads return a datagram's type-of-service byte.
                IP_RECVTOS "IP_RECVTOS" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_recvtos set set_ip_recvtos
                }
                /// Whether reads return a datagram's TTL.
                IP_RECVTTL "IP_RECVTTL" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_recvttl set set_ip_recvttl
                }
                /// The type-of-service byte of IPv4 packets (RFC 2474). Over TCP the kernel controls the two lowest
                /// bits. Setting it also sets a [`priority`](crate::option::priority).
                IP_TOS "IP_TOS" SOL_IP [0..=255] {
                    number(u32) on Ipv4, inherited OverTcp, since "2.6";
                    get ip_tos set set_ip_tos with with_ip_tos(Option<u32>)
                }
                /// Whether a socket may accept connections to any address and connect from any, as a transparent proxy
                /// does.
                IP_TRANSPARENT "IP_TRANSPARENT" SOL_IP {
                    flag(bool) on Ipv4, inherited OverTcp, since "2.6";
                    errors "`EPERM` without `CAP_NET_ADMIN` or `CAP_NET_RAW`.";
                    get ip_transparent set set_ip_transparent with with_ip_transparent(bool)
                }
                /// The original destination of a redirected IPv4 connection.
                SO_ORIGINAL_DST "SO_ORIGINAL_DST" SOL_IP {
                    original_dst_v4(SocketAddrV4) on Ipv4, inherited Never, since "2.6";
                    get original_dst_v4
                }

                /// Whether the kernel generates flow labels. The default is `net.ipv6.auto_flowlabels`.
                IPV6_AUTOFLOWLABEL "IPV6_AUTOFLOWLABEL" SOL_IPV6 {
                    switch(bool) on Ipv6, inherited OverTcp, since "3.17";
                    get ipv6_autoflowlabel set set_ipv6_autoflowlabel
                }
                /// Whether the kernel rejects datagrams too large for the path instead of fragmenting them.
                IPV6_DONTFRAG "IPV6_DONTFRAG" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_dontfrag set set_ipv6_dontfrag
                }
                /// Whether a socket may bind an address that this host lacks or does not have yet.
                IPV6_FREEBIND "IPV6_FREEBIND" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "4.15";
                    get ipv6_freebind set set_ipv6_freebind with with_ipv6_freebind(bool)
                }
                /// Whether the caller writes the IPv6 header itself, on raw sockets.
                IPV6_HDRINCL "IPV6_HDRINCL" SOL_IPV6 {
                    flag(bool) on Raw, inherited Never, since "4.5";
                    errors "`ENOPROTOOPT` if the socket is not raw.";
                    get ipv6_hdrincl set set_ipv6_hdrincl
                }
                /// The minimum hop limit: the kernel drops packets with a lower one (RFC 5082); 0: none.
                IPV6_MINHOPCOUNT "IPV6_MINHOPCOUNT" SOL_IPV6 [0..=255] {
                    number(u32) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_minhopcount set set_ipv6_minhopcount with with_ipv6_minhopcount(Option<u32>)
                }
                /// The path MTU to the peer, in bytes.
                IPV6_MTU "IPV6_MTU" SOL_IPV6 {
                    number(u32) on Ipv6, inherited Never, since "2.6";
                    get ipv6_mtu
                }
                /// How the path MTU is discovered; the numbers are those of
                /// [`ip_mtu_discover`](crate::option::ip_mtu_discover).
                IPV6_MTU_DISCOVER "IPV6_MTU_DISCOVER" SOL_IPV6 [0..=5] {
                    number(u32) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_mtu_discover set set_ipv6_mtu_discover with with_ipv6_mtu_discover(Option<u32>)
                }
                /// Whether a socket receives the datagrams of all groups that any socket of this host has joined,
                /// instead of only those it has joined itself. On by default.
                IPV6_MULTICAST_ALL "IPV6_MULTICAST_ALL" SOL_IPV6 {
                    switch(bool) on Ipv6, inherited OverTcp, since "4.20";
                    get ipv6_multicast_all set set_ipv6_multicast_all
                }
                /// The maximum number of routers a multicast datagram may pass.
                IPV6_MULTICAST_HOPS "IPV6_MULTICAST_HOPS" SOL_IPV6 [0..=255] {
                    number(u32) on Ipv6Udp, inherited Never, since "2.6";
                    get ipv6_multicast_hops set set_ipv6_multicast_hops
                }
                /// The index of the interface for outgoing multicast datagrams; 0: routing chooses it.
                IPV6_MULTICAST_IF "IPV6_MULTICAST_IF" SOL_IPV6 {
                    number(u32) on Ipv6Udp, inherited Never, since "2.6";
                    errors "`ENODEV` for a missing interface.";
                    get ipv6_multicast_if set set_ipv6_multicast_if
                }
                /// Whether multicast datagrams loop back to this host. On by default.
                IPV6_MULTICAST_LOOP "IPV6_MULTICAST_LOOP" SOL_IPV6 {
                    switch(bool) on Ipv6Udp, inherited Never, since "2.6";
                    get ipv6_multicast_loop set set_ipv6_multicast_loop
                }
                /// Whether the kernel queues errors from the network, each with the packet that caused it.
                IPV6_RECVERR "IPV6_RECVERR" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_recverr set set_ipv6_recverr
                }
                /// Whether reads return a datagram's hop limit.
                IPV6_RECVHOPLIMIT "IPV6_RECVHOPLIMIT" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_recvhoplimit set set_ipv6_recvhoplimit
                }
                /// Whether reads return a datagram's destination address before a firewall redirected it.
                #[doc(alias = "IPV6_ORIGDSTADDR")]
                IPV6_RECVORIGDSTADDR "IPV6_RECVORIGDSTADDR" SOL_IPV6 {
                    flag(bool) on Ipv6Udp, inherited Never, since "2.6";
                    get ipv6_recvorigdstaddr set set_ipv6_recvorigdstaddr
                }
                /// Whether reads return the address and interface that a datagram was sent to.
                IPV6_RECVPKTINFO "IPV6_RECVPKTINFO" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_recvpktinfo set set_ipv6_recvpktinfo
                }
                /// Whether reads return a datagram's traffic class.
                IPV6_RECVTCLASS "IPV6_RECVTCLASS" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_recvtclass set set_ipv6_recvtclass
                }
                /// The traffic class of IPv6 packets (RFC 2474). Over TCP the kernel controls the two lowest bits.
                IPV6_TCLASS "IPV6_TCLASS" SOL_IPV6 [0..=255] {
                    number(u32) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_tclass set set_ipv6_tclass with with_ipv6_tclass(Option<u32>)
                }
                /// Whether a socket may accept connections to any address and connect from any, as a transparent proxy
                /// does.
                IPV6_TRANSPARENT "IPV6_TRANSPARENT" SOL_IPV6 {
                    flag(bool) on Ipv6, inherited OverTcp, since "2.6";
                    errors "`EPERM` without `CAP_NET_ADMIN` or `CAP_NET_RAW`.";
                    get ipv6_transparent set set_ipv6_transparent with with_ipv6_transparent(bool)
                }
                /// The maximum number of routers an IPv6 packet may pass.
                IPV6_UNICAST_HOPS "IPV6_UNICAST_HOPS" SOL_IPV6 [0..=255] {
                    number(u32) on Ipv6, inherited OverTcp, since "2.6";
                    get ipv6_unicast_hops set set_ipv6_unicast_hops with with_ipv6_unicast_hops(Option<u32>)
                }
                /// The original destination of a redirected IPv6 connection.
                IP6T_SO_ORIGINAL_DST "IP6T_SO_ORIGINAL_DST" SOL_IPV6 {
                    original_dst_v6(SocketAddrV6) on Ipv6, inherited Never, since "3.8";
                    get original_dst_v6
                }

                /// The congestion control algorithm, such as `cubic` or `bbr`;
                /// `net.ipv4.tcp_available_congestion_control` lists the available ones.
                TCP_CONGESTION "TCP_CONGESTION" SOL_TCP [1..=15] {
                    name(TcpName) on Tcp, inherited OverTcp, since "2.6";
                    errors "`ENOENT` for an unavailable one, `EPERM` for one that requires privilege.";
                    get tcp_congestion set set_tcp_congestion
                }
                /// Whether the kernel sends only full segments, for at most 200 ms; clearing it sends the rest.
                TCP_CORK "TCP_CORK" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_cork set set_tcp_cork
                }
                /// How long a connection without data stays out of the accept queue; `None`: the kernel queues it at
                /// once. The kernel rounds the time up to one of 1, 3, 7, 15, 31, 63 s and so on, limits it to about
                /// half a day, and reads back the adjusted value. Zero means `None`.
                TCP_DEFER_ACCEPT "TCP_DEFER_ACCEPT" SOL_TCP {
                    some_seconds(Option<Duration>) on Tcp, inherited Never, since "2.6";
                    get tcp_defer_accept set set_tcp_defer_accept
                        with with_tcp_defer_accept(Option<Duration>) for Listeners
                }
                /// How many connections with data in their first packet (RFC 7413) a listener queues; 0: none.
                /// Clients can use it only where `net.ipv4.tcp_fastopen` has bit 2 set. The kernel clips the number to
                /// `net.core.somaxconn`.
                TCP_FASTOPEN "TCP_FASTOPEN" SOL_TCP {
                    number(u32) on Tcp, inherited Never, since "3.7";
                    get tcp_fastopen set set_tcp_fastopen with with_tcp_fastopen(Option<u32>) for Listeners
                }
                /// Whether `connect` waits for the first write and sends its data in the first packet (RFC 7413).
                TCP_FASTOPEN_CONNECT "TCP_FASTOPEN_CONNECT" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "4.11";
                    errors "`EOPNOTSUPP` where `net.ipv4.tcp_fastopen` lacks bit 1, `EINVAL` on a connected socket.";
                    get tcp_fastopen_connect set set_tcp_fastopen_connect
                }
                /// Whether reads return the number of bytes still queued.
                TCP_INQ "TCP_INQ" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "4.18";
                    get tcp_inq set set_tcp_inq
                }
                /// The kernel's state of a connection: [`tcp_info`](crate::option::tcp_info).
                TCP_INFO "TCP_INFO" SOL_TCP {
                    number(u32) on Tcp, inherited Never, since "2.6";
                }
                /// How long a locally closed connection waits for the peer to close; `None`: not at all.
                /// `net.ipv4.tcp_fin_timeout` is the default.
                TCP_LINGER2 "TCP_LINGER2" SOL_TCP {
                    signed_seconds(Option<Duration>) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_linger2 set set_tcp_linger2 with with_tcp_linger2(Option<Duration>)
                }
                /// The maximum segment size, in bytes. On a connection it reads as the negotiated size.
                TCP_MAXSEG "TCP_MAXSEG" SOL_TCP [88..=32767] {
                    number(u32) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_maxseg set set_tcp_maxseg with with_tcp_maxseg(Option<u32>)
                }
                /// How many unsent bytes may be queued before a socket stops being writable; 0 means
                /// `net.ipv4.tcp_notsent_lowat`.
                TCP_NOTSENT_LOWAT "TCP_NOTSENT_LOWAT" SOL_TCP {
                    number(u32) on Tcp, inherited OverTcp, since "3.12";
                    get tcp_notsent_lowat set set_tcp_notsent_lowat with with_tcp_notsent_lowat(Option<u32>)
                }
                /// Whether acknowledgements are sent at once. The kernel may change it during a connection.
                TCP_QUICKACK "TCP_QUICKACK" SOL_TCP {
                    switch(bool) on Tcp, inherited Never, since "2.6";
                    get tcp_quickack set set_tcp_quickack
                }
                /// Whether the state of a connection can be read and written, to migrate it.
                TCP_REPAIR "TCP_REPAIR" SOL_TCP {
                    flag(bool) on Tcp, inherited Never, since "3.5";
                    errors "`EPERM` without `CAP_NET_ADMIN`, and while the socket listens.";
                    get tcp_repair set set_tcp_repair
                }
                /// Whether a listener saves the first packet of each connection.
                TCP_SAVE_SYN "TCP_SAVE_SYN" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "4.2";
                    get tcp_save_syn set set_tcp_save_syn
                }
                /// How often the kernel retransmits the first packet before a connect fails; the default is
                /// `net.ipv4.tcp_syn_retries`.
                TCP_SYNCNT "TCP_SYNCNT" SOL_TCP [1..=127] {
                    number(u32) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_syncnt set set_tcp_syncnt with with_tcp_syncnt(Option<u32>)
                }
                /// Whether a stream with few segments in flight retransmits lost ones at even intervals.
                TCP_THIN_LINEAR_TIMEOUTS "TCP_THIN_LINEAR_TIMEOUTS" SOL_TCP {
                    flag(bool) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_thin_linear_timeouts set set_tcp_thin_linear_timeouts
                }
                /// The upper layer protocol that the kernel runs over TCP, such as `tls`.
                TCP_ULP "TCP_ULP" SOL_TCP [1..=15] {
                    name(TcpName) on Tcp, inherited Never, since "4.13";
                    errors "`ENOENT` for an unavailable one, `ENOTCONN` for `tls` before the socket is connected.";
                    get tcp_ulp set set_tcp_ulp
                }
                /// How long sent bytes may stay unacknowledged before a connection ends with `ETIMEDOUT`, in
                /// milliseconds, rounded up (RFC 5482); `None`: the system's limit.
                TCP_USER_TIMEOUT "TCP_USER_TIMEOUT" SOL_TCP [1..=0x7fff_ffff] {
                    some_milliseconds(Option<Duration>) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_user_timeout set set_tcp_user_timeout with with_tcp_user_timeout(Option<Duration>)
                }
                /// The largest window offered to the peer, in bytes; 0: no limit.
                TCP_WINDOW_CLAMP "TCP_WINDOW_CLAMP" SOL_TCP {
                    number(u32) on Tcp, inherited OverTcp, since "2.6";
                    get tcp_window_clamp set set_tcp_window_clamp with with_tcp_window_clamp(Option<u32>)
                }

                /// Whether the kernel collects writes into one datagram; clearing it sends the datagram.
                UDP_CORK "UDP_CORK" SOL_UDP {
                    flag(bool) on Udp, inherited Never, since "2.6";
                    get udp_cork set set_udp_cork
                }
                /// Whether one read may return several datagrams of one sender.
                UDP_GRO "UDP_GRO" SOL_UDP {
                    flag(bool) on Udp, inherited Never, since "5.0";
                    get udp_gro set set_udp_gro with with_udp_gro(bool)
                }
                /// The size in bytes of the datagrams into which the kernel splits a larger write; 0: it does not
                /// split.
                UDP_SEGMENT "UDP_SEGMENT" SOL_UDP [0..=65535] {
                    number(u32) on Udp, inherited Never, since "4.18";
                    get udp_segment set set_udp_segment with with_udp_segment(Option<u32>)
                }

                /// Whether the socket listens.
                SO_ACCEPTCONN "SO_ACCEPTCONN" SOL_SOCKET {
                    flag(bool) on Any, inherited Never, since "2.6";
                    get is_listening
                }
                /// The only device that may carry a socket's packets; `None`: any.
                SO_BINDTODEVICE "SO_BINDTODEVICE" SOL_SOCKET [1..=15] {
                    device(Option<DeviceName>) on Inet, inherited OverTcp, since "2.6";
                    errors "`ENODEV` for a missing device, `EPERM` for a user who may not change the binding.";
                    get bind_device set set_bind_device
                }
                /// The index of the only device that may carry a socket's packets; 0: any.
                SO_BINDTOIFINDEX "SO_BINDTOIFINDEX" SOL_SOCKET {
                    number(u32) on Inet, inherited OverTcp, since "5.1";
                    errors "`ENODEV` for a missing device, `EPERM` for a user who may not change the binding.";
                    get bind_index set set_bind_index with with_bind_index(Option<u32>)
                }
                /// Whether the socket may send datagrams to a broadcast address.
                SO_BROADCAST "SO_BROADCAST" SOL_SOCKET {
                    flag(bool) on Udp, inherited Never, since "2.6";
                    get broadcast set set_broadcast with with_broadcast(bool)
                }
                /// How long a read polls the device, in microseconds, before it blocks; the default is
                /// `net.core.busy_read`.
                SO_BUSY_POLL "SO_BUSY_POLL" SOL_SOCKET {
                    microseconds(Duration) on Inet, inherited OverTcp, since "3.11";
                    errors "`EPERM` for raising it without `CAP_NET_ADMIN`.";
                    get busy_poll set set_busy_poll with with_busy_poll(Option<Duration>)
                }
                /// A number unique among all sockets of this host since boot.
                SO_COOKIE "SO_COOKIE" SOL_SOCKET {
                    cookie(u64) on Any, inherited Never, since "4.12";
                    get cookie
                }
                /// The address family, such as `AF_INET` (2).
                SO_DOMAIN "SO_DOMAIN" SOL_SOCKET {
                    number(u32) on Any, inherited Never, since "2.6";
                    get domain
                }
                /// Whether packets bypass gateways and reach only hosts on a directly connected network.
                SO_DONTROUTE "SO_DONTROUTE" SOL_SOCKET {
                    flag(bool) on Inet, inherited OverTcp, since "2.6";
                    get dontroute set set_dontroute with with_dontroute(bool)
                }
                /// The CPU that receives a connection's packets. On a listener that shares its address it is a hint.
                SO_INCOMING_CPU "SO_INCOMING_CPU" SOL_SOCKET {
                    number(u32) on Inet, inherited Never, since "3.19";
                    get incoming_cpu set set_incoming_cpu with with_incoming_cpu(Option<u32>) for Listeners
                }
                /// The number of the device's queue that received a connection's last packet; 0: none, as over the
                /// loopback device. Connections with one number can share a thread that polls this queue.
                SO_INCOMING_NAPI_ID "SO_INCOMING_NAPI_ID" SOL_SOCKET {
                    number(u32) on Any, inherited Never, since "4.12";
                    get incoming_napi_id
                }
                /// The mark that routing and packet filters see on a socket's packets.
                #[doc(alias = "anetSetSockMarkId")]
                SO_MARK "SO_MARK" SOL_SOCKET {
                    number(u32) on Any, inherited OverTcp, since "2.6";
                    errors "`EPERM` without `CAP_NET_ADMIN` (or `CAP_NET_RAW` since Linux 5.17).";
                    get mark set set_mark with with_mark(Option<u32>)
                }
                /// The maximum transmit rate, in bytes per second; `None`: no limit.
                SO_MAX_PACING_RATE "SO_MAX_PACING_RATE" SOL_SOCKET {
                    rate(Option<u32>) on Inet, inherited OverTcp, since "3.13";
                    get max_pacing_rate set set_max_pacing_rate with with_max_pacing_rate(Option<u32>)
                }
                /// The memory of a socket: [`memory`](crate::option::memory).
                SO_MEMINFO "SO_MEMINFO" SOL_SOCKET {
                    number(u32) on Any, inherited Never, since "4.12";
                }
                /// Whether reads return out-of-band bytes inline.
                SO_OOBINLINE "SO_OOBINLINE" SOL_SOCKET {
                    flag(bool) on Tcp, inherited OverTcp, since "2.6";
                    get oobinline set set_oobinline with with_oobinline(bool)
                }
                /// Whether reads return the process, user and group of a message's sender.
                SO_PASSCRED "SO_PASSCRED" SOL_SOCKET {
                    flag(bool) on Unix, inherited Always, since "2.6";
                    get passcred set set_passcred with with_passcred(bool)
                }
                /// The offset where peeking reads begin, in bytes; `None`: at the first byte.
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
                /// Whether polling the device (see [`busy_poll`](crate::option::busy_poll)) replaces its interrupts.
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
                /// The size of the receive buffer in bytes, even above `net.core.rmem_max`; the kernel accounts, and
                /// [`recv_buffer_size`](crate::option::recv_buffer_size) returns, twice as many.
                SO_RCVBUFFORCE "SO_RCVBUFFORCE" SOL_SOCKET {
                    bytes(usize) on Any, inherited OverTcp, since "2.6";
                    errors "`EPERM` without `CAP_NET_ADMIN`.";
                    set set_recv_buffer_size_force with with_recv_buffer_size_force(Option<u32>)
                }
                /// How many bytes must be queued before the socket is readable.
                SO_RCVLOWAT "SO_RCVLOWAT" SOL_SOCKET {
                    number(u32) on Any, inherited OverTcp, since "2.6";
                    get recv_low_water_mark set set_recv_low_water_mark with with_recv_low_water_mark(Option<u32>)
                }
                /// Whether reads return the number of datagrams dropped because the buffer was full.
                SO_RXQ_OVFL "SO_RXQ_OVFL" SOL_SOCKET {
                    flag(bool) on Any, inherited OverTcp, since "2.6";
                    get rxq_ovfl set set_rxq_ovfl
                }
                /// The size of the send buffer in bytes, even above `net.core.wmem_max`; the kernel accounts, and
                /// [`send_buffer_size`](crate::option::send_buffer_size) returns, twice as many.
                SO_SNDBUFFORCE "SO_SNDBUFFORCE" SOL_SOCKET {
                    bytes(usize) on Any, inherited OverTcp, since "2.6";
                    errors "`EPERM` without `CAP_NET_ADMIN`.";
                    set set_send_buffer_size_force with with_send_buffer_size_force(Option<u32>)
                }
                /// Whether reads return a datagram's arrival time, in microseconds.
                SO_TIMESTAMP "SO_TIMESTAMP" SOL_SOCKET {
                    flag(bool) on Any, inherited OverTcp, since "2.6";
                    get timestamp set set_timestamp
                }
                /// Which receive and transmit timestamps to generate, as flags `SOF_TIMESTAMPING_*`.
                SO_TIMESTAMPING "SO_TIMESTAMPING" SOL_SOCKET {
                    number(u32) on Inet, inherited OverTcp, since "2.6";
                    get timestamping set set_timestamping
                }
                /// Whether reads return a datagram's arrival time, in nanoseconds.
                SO_TIMESTAMPNS "SO_TIMESTAMPNS" SOL_SOCKET {
                    flag(bool) on Any, inherited OverTcp, since "2.6";
                    get timestampns set set_timestampns
                }
                /// How datagrams specify their transmit time.
                SO_TXTIME "SO_TXTIME" SOL_SOCKET {
                    txtime(TxTime) on Any, inherited OverTcp, since "4.19";
                    errors "`EPERM` for most clocks without `CAP_NET_ADMIN`, `EINVAL` for unknown flags.";
                    get txtime set set_txtime
                }
                /// The type, such as `SOCK_STREAM` (1).
                SO_TYPE "SO_TYPE" SOL_SOCKET {
                    number(u32) on Any, inherited Never, since "2.6";
                    get socket_type
                }
                /// Whether writes may use the caller's memory until the kernel reports completion (`MSG_ZEROCOPY`).
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
