//! The table of options beside the kernel: what a row says is what the kernel does.

mod support;

use std::{
    fmt::Debug,
    io::Write,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anet::{
    Errno, Listener, Result, SocketOptions,
    connect::{self, Connector},
    error::Opt,
    fd::{AsFd, OwnedFd},
    listen::{self, Access},
    option::{self, Inherited, Sockets, TcpKeepalive, TcpName, TxTime, raw},
};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, ipproto, listen as rustix_listen, socket};
use support::*;

fn tcp() -> OwnedFd {
    socket(AddressFamily::INET, SocketType::STREAM, None).unwrap()
}

fn udp() -> OwnedFd {
    socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap()
}

fn udp_v6() -> OwnedFd {
    socket(AddressFamily::INET6, SocketType::DGRAM, None).unwrap()
}

fn unix() -> OwnedFd {
    socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap()
}

/// Sets `value` on a fresh socket, where it was something else, and reads it back. What this process or this kernel may
/// not do is left out.
fn goes_round<T: Copy + Debug + PartialEq>(
    what: &str,
    fd: &OwnedFd,
    get: impl Fn(&OwnedFd) -> Result<T>,
    set: impl Fn(&OwnedFd, T) -> Result<()>,
    value: T,
) {
    let before = get(fd).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_ne!(before, value, "{what}: the value is there already");
    match set(fd, value) {
        Err(error) if matches!(error.errno(), Some(Errno::PERM | Errno::OPNOTSUPP)) => eprintln!("left out: {error}"),
        result => {
            result.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(get(fd).unwrap(), value, "{what}");
        }
    }
}

macro_rules! go_round {
    ($($socket:ident: $get:ident $set:ident $value:expr;)*) => {
        $(goes_round(stringify!($get), &$socket(), |fd| option::$get(fd), |fd, value| option::$set(fd, value), $value);)*
    };
}

/// A host without IPv6 has nothing to compare.
fn has_ipv6() -> bool {
    std::net::UdpSocket::bind("[::1]:0").is_ok()
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn every_option_reads_back_as_it_was_set() {
    go_round! {
        tcp: reuse_address set_reuse_address true;
        tcp: reuse_port set_reuse_port true;
        tcp: tcp_nodelay set_tcp_nodelay true;
        tcp: keepalive set_keepalive true;
        tcp: linger set_linger Some(s(3));
        tcp: recv_timeout set_recv_timeout Some(s(2));
        tcp: send_timeout set_send_timeout Some(s(2));
        tcp: ip_ttl set_ip_ttl 77;
        tcp: tcp_keepidle set_tcp_keepidle s(77);
        tcp: tcp_keepintvl set_tcp_keepintvl s(7);
        tcp: tcp_keepcnt set_tcp_keepcnt 5;
        tcp: bind_address_no_port set_bind_address_no_port true;
        tcp: ip_freebind set_ip_freebind true;
        tcp: ip_local_port_range set_ip_local_port_range Some((40_000, 50_000));
        tcp: ip_minttl set_ip_minttl 9;
        tcp: ip_mtu_discover set_ip_mtu_discover 2;
        udp: ip_multicast_all set_ip_multicast_all false;
        udp: ip_multicast_if set_ip_multicast_if Ipv4Addr::LOCALHOST;
        udp: ip_multicast_loop set_ip_multicast_loop false;
        udp: ip_multicast_ttl set_ip_multicast_ttl 9;
        udp: ip_pktinfo set_ip_pktinfo true;
        udp: ip_recverr set_ip_recverr true;
        udp: ip_recvorigdstaddr set_ip_recvorigdstaddr true;
        udp: ip_recvtos set_ip_recvtos true;
        udp: ip_recvttl set_ip_recvttl true;
        tcp: ip_tos set_ip_tos 0x10;
        tcp: ip_transparent set_ip_transparent true;
        tcp: tcp_cork set_tcp_cork true;
        tcp: tcp_defer_accept set_tcp_defer_accept Some(s(3));
        tcp: tcp_fastopen set_tcp_fastopen 16;
        tcp: tcp_fastopen_connect set_tcp_fastopen_connect true;
        tcp: tcp_inq set_tcp_inq true;
        tcp: tcp_linger2 set_tcp_linger2 Some(s(9));
        tcp: tcp_maxseg set_tcp_maxseg 900;
        tcp: tcp_notsent_lowat set_tcp_notsent_lowat 20_000;
        tcp: tcp_quickack set_tcp_quickack false;
        tcp: tcp_repair set_tcp_repair true;
        tcp: tcp_save_syn set_tcp_save_syn true;
        tcp: tcp_syncnt set_tcp_syncnt 2;
        tcp: tcp_thin_linear_timeouts set_tcp_thin_linear_timeouts true;
        tcp: tcp_user_timeout set_tcp_user_timeout Some(s(5));
        tcp: tcp_window_clamp set_tcp_window_clamp 20_000;
        udp: udp_cork set_udp_cork true;
        udp: udp_gro set_udp_gro true;
        udp: udp_segment set_udp_segment 1200;
        tcp: bind_index set_bind_index 1;
        udp: broadcast set_broadcast true;
        tcp: busy_poll set_busy_poll Duration::from_micros(50);
        tcp: dontroute set_dontroute true;
        tcp: incoming_cpu set_incoming_cpu 0;
        tcp: mark set_mark 0xcafe;
        tcp: max_pacing_rate set_max_pacing_rate Some(1_000_000);
        tcp: oobinline set_oobinline true;
        unix: passcred set_passcred true;
        unix: peek_off set_peek_off Some(3);
        tcp: prefer_busy_poll set_prefer_busy_poll true;
        tcp: recv_low_water_mark set_recv_low_water_mark 64;
        udp: rxq_ovfl set_rxq_ovfl true;
        udp: timestamp set_timestamp true;
        udp: timestamping set_timestamping 1 << 3;
        udp: timestampns set_timestampns true;
        udp: txtime set_txtime TxTime { clock: 11, flags: 1 };
        tcp: zerocopy set_zerocopy true;
        tcp: priority set_priority 5;
        tcp: tcp_congestion set_tcp_congestion TcpName::new("reno").unwrap();
    }
}

#[test]
fn every_option_of_ipv6_reads_back_as_it_was_set() {
    if !has_ipv6() {
        return;
    }
    let opposite = !option::only_v6(udp_v6()).unwrap();
    go_round! {
        udp_v6: only_v6 set_only_v6 opposite;
        udp_v6: ipv6_autoflowlabel set_ipv6_autoflowlabel false;
        udp_v6: ipv6_dontfrag set_ipv6_dontfrag true;
        udp_v6: ipv6_freebind set_ipv6_freebind true;
        udp_v6: ipv6_minhopcount set_ipv6_minhopcount 9;
        udp_v6: ipv6_mtu_discover set_ipv6_mtu_discover 2;
        udp_v6: ipv6_multicast_all set_ipv6_multicast_all false;
        udp_v6: ipv6_multicast_hops set_ipv6_multicast_hops 9;
        udp_v6: ipv6_multicast_if set_ipv6_multicast_if 1;
        udp_v6: ipv6_multicast_loop set_ipv6_multicast_loop false;
        udp_v6: ipv6_recverr set_ipv6_recverr true;
        udp_v6: ipv6_recvhoplimit set_ipv6_recvhoplimit true;
        udp_v6: ipv6_recvorigdstaddr set_ipv6_recvorigdstaddr true;
        udp_v6: ipv6_recvpktinfo set_ipv6_recvpktinfo true;
        udp_v6: ipv6_recvtclass set_ipv6_recvtclass true;
        udp_v6: ipv6_tclass set_ipv6_tclass 0x10;
        udp_v6: ipv6_transparent set_ipv6_transparent true;
        udp_v6: ipv6_unicast_hops set_ipv6_unicast_hops 77;
    }
}

/// Raw sockets take privilege.
#[test]
fn the_header_is_the_callers_on_raw_sockets() {
    let raw_socket = |family| socket(family, SocketType::RAW, Some(ipproto::UDP));
    let (Ok(v4), Ok(v6)) = (raw_socket(AddressFamily::INET), raw_socket(AddressFamily::INET6)) else {
        return eprintln!("left out: raw sockets");
    };
    goes_round("ip_hdrincl", &v4, |fd| option::ip_hdrincl(fd), |fd, on| option::set_ip_hdrincl(fd, on), true);
    goes_round("ipv6_hdrincl", &v6, |fd| option::ipv6_hdrincl(fd), |fd, on| option::set_ipv6_hdrincl(fd, on), true);
}

#[test]
fn options_that_are_only_read_say_what_a_socket_is() {
    let listener = any_listener();
    let client = client_of(&listener);
    let (inet, stream, by_tcp) = (2, 1, 6);
    assert_eq!(option::domain(&client), Ok(inet));
    assert_eq!(option::socket_type(&client), Ok(stream));
    assert_eq!(option::protocol(&client), Ok(by_tcp));
    assert_eq!((option::is_listening(&listener), option::is_listening(&client)), (Ok(true), Ok(false)));
    assert_ne!(option::cookie(&client).unwrap(), option::cookie(&listener).unwrap());
    assert!(option::ip_mtu(&client).unwrap() >= 1280);
    // No firewall has redirected it, or there is none to ask.
    assert!(option::original_dst_v4(&client).is_err());
}

#[test]
fn the_peer_of_a_unix_connection_is_this_process() {
    let (client, _server) = std::os::unix::net::UnixStream::pair().unwrap();
    let peer = option::peer_credentials(&client).unwrap();
    assert_eq!((peer.pid, peer.uid), (std::process::id(), rustix::process::geteuid().as_raw()));
    // A socket without a peer has none.
    assert_eq!(option::peer_credentials(unix()).unwrap().pid, 0);
}

#[test]
fn a_protocol_above_tcp_that_is_not_there_is_an_error() {
    let (client, _server) = connected_pair();
    assert_eq!(option::tcp_ulp(&client).unwrap().as_bytes(), b"");
    let error = option::set_tcp_ulp(&client, TcpName::new("nosuchprotocol").unwrap()).unwrap_err();
    assert_eq!(error.op(), anet::Op::Set(Opt::TCP_ULP));
}

/// The loopback device has no queues to poll.
#[test]
fn a_connection_over_the_loopback_device_has_no_queue() {
    let (client, _server) = connected_pair();
    assert_eq!(option::incoming_napi_id(&client), Ok(0));
}

/// The names of the getters and setters in the table's rows.
fn functions_of_the_table() -> Vec<&'static str> {
    let words: Vec<&str> = include_str!("../src/option/table.rs").split_whitespace().collect();
    words.windows(2).filter(|pair| ["get", "set"].contains(&pair[0])).map(|pair| pair[1]).collect()
}

/// A row that is added without a test fails here.
#[test]
fn every_function_of_the_table_is_tested() {
    let tests = concat!(include_str!("option_table.rs"), include_str!("options.rs"), include_str!("udp.rs"));
    let rows = functions_of_the_table();
    assert!(rows.len() > 150, "{rows:?}");
    let missing = ["ipv6_mtu", "original_dst_v6", "getter", "setter"];
    for function in rows.iter().filter(|function| !missing.contains(function)) {
        assert!(tests.contains(function), "{function}");
    }
}

#[test]
fn names_are_the_kernels() {
    for opt in Opt::ALL {
        assert_eq!(format!("{opt:?}"), opt.name());
        assert!(opt.option_name().is_some(), "{opt:?}");
    }
}

/// A listener without options, or with one that is set before anything else happens.
type MakeListener = fn(Option<(Opt, &[u8])>) -> Result<OwnedFd>;

fn set_before_bind(fd: OwnedFd, option: Option<(Opt, &[u8])>) -> Result<OwnedFd> {
    if let Some((opt, value)) = option {
        raw::set(&fd, opt.option_name().unwrap(), value)?;
    }
    Ok(fd)
}

fn v4_listener(option: Option<(Opt, &[u8])>) -> Result<OwnedFd> {
    let fd = set_before_bind(tcp(), option)?;
    bind(&fd, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    rustix_listen(&fd, 8).unwrap();
    Ok(fd)
}

fn v6_listener(option: Option<(Opt, &[u8])>) -> Result<OwnedFd> {
    let fd = set_before_bind(socket(AddressFamily::INET6, SocketType::STREAM, None).unwrap(), option)?;
    bind(&fd, &SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).unwrap();
    rustix_listen(&fd, 8).unwrap();
    Ok(fd)
}

fn unix_listener(option: Option<(Opt, &[u8])>) -> Result<OwnedFd> {
    let fd = set_before_bind(unix(), option)?;
    bind(&fd, &SocketAddrUnix::new_unnamed()).unwrap();
    rustix_listen(&fd, 8).unwrap();
    Ok(fd)
}

/// The value of an option on a listener and on a connection that it has accepted, one that has sent something.
fn listener_and_child(listener: OwnedFd, opt: Opt) -> (Vec<u8>, Vec<u8>) {
    let listener = Listener::from(listener);
    let mut client = std::fs::File::from(OwnedFd::from(client_of(&listener)));
    client.write_all(b"x").unwrap();
    let at_listener = read(&listener, opt);
    let (child, _) = listener.accept().unwrap();
    (at_listener, read(&child, opt))
}

/// The kernel's bytes. What can only be set reads under the name of what it sets.
fn read(fd: impl AsFd, opt: Opt) -> Vec<u8> {
    let opt = match opt {
        Opt::SO_RCVBUFFORCE => Opt::SO_RCVBUF,
        Opt::SO_SNDBUFFORCE => Opt::SO_SNDBUF,
        other => other,
    };
    let mut value = [0; 32];
    let len = if opt == Opt::SO_COOKIE { 8 } else { value.len() };
    raw::get(fd, opt.option_name().unwrap(), &mut value[..len]).unwrap().to_vec()
}

/// A value that is not the default.
fn sample(opt: Opt, default: &[u8]) -> Vec<u8> {
    let int: i32 = match opt {
        Opt::SO_LINGER => return [1_i32.to_ne_bytes(), 7_i32.to_ne_bytes()].concat(),
        Opt::SO_RCVTIMEO | Opt::SO_SNDTIMEO => return [3_isize.to_ne_bytes(), 0_isize.to_ne_bytes()].concat(),
        Opt::SO_TXTIME => return [11_i32.to_ne_bytes(), 1_i32.to_ne_bytes()].concat(),
        Opt::TCP_CONGESTION => return b"reno".to_vec(),
        Opt::SO_BINDTODEVICE => return b"lo".to_vec(),
        Opt::SO_RCVBUF | Opt::SO_SNDBUF | Opt::SO_RCVBUFFORCE | Opt::SO_SNDBUFFORCE => 40_000,
        Opt::TCP_KEEPIDLE | Opt::TCP_KEEPINTVL | Opt::IP_TTL | Opt::IPV6_UNICAST_HOPS => 77,
        Opt::IP_MINTTL | Opt::IPV6_MINHOPCOUNT | Opt::TCP_KEEPCNT | Opt::TCP_SYNCNT | Opt::TCP_LINGER2 => 3,
        Opt::IP_MTU_DISCOVER | Opt::IPV6_MTU_DISCOVER => 2,
        Opt::IP_TOS | Opt::IPV6_TCLASS => 0x10,
        Opt::IP_LOCAL_PORT_RANGE => 50_000 << 16 | 40_000,
        Opt::TCP_MAXSEG => 900,
        Opt::TCP_USER_TIMEOUT => 5_000,
        Opt::TCP_NOTSENT_LOWAT | Opt::TCP_WINDOW_CLAMP => 20_000,
        Opt::SO_MAX_PACING_RATE => 1_000_000,
        Opt::SO_INCOMING_CPU => 63,
        Opt::SO_PEEK_OFF => 0,
        Opt::SO_RCVLOWAT => 2,
        Opt::SO_PRIORITY => 5,
        Opt::SO_TIMESTAMPING => 1 << 3,
        _ => i32::from(default.iter().all(|&byte| byte == 0)),
    };
    int.to_ne_bytes().to_vec()
}

/// What cannot be set on a socket that is going to listen, or not at all; and what the kernel decides anew: binding an
/// address implies `IPV6_V6ONLY`, and a socket that changes its state acknowledges at once.
fn is_not_for_listening(opt: Opt) -> bool {
    matches!(
        opt,
        Opt::IP6T_SO_ORIGINAL_DST
            | Opt::IP_MTU
            | Opt::IPV6_MTU
            | Opt::IPV6_V6ONLY
            | Opt::SO_ACCEPTCONN
            | Opt::SO_COOKIE
            | Opt::SO_DOMAIN
            | Opt::SO_ERROR
            | Opt::SO_INCOMING_NAPI_ID
            | Opt::SO_MEMINFO
            | Opt::SO_ORIGINAL_DST
            | Opt::SO_PEERCRED
            | Opt::SO_PROTOCOL
            | Opt::SO_TYPE
            | Opt::TCP_INFO
            | Opt::TCP_QUICKACK
            | Opt::TCP_REPAIR
            | Opt::TCP_ULP
    )
}

/// Compares what the table says of every option of `sockets` with what a connection of such a listener has.
fn inheritance_is_as_the_table_says(make: MakeListener, sockets: &[Sockets], expected: fn(Inherited) -> bool) {
    let mut compared = 0;
    for &opt in Opt::ALL.iter().filter(|opt| sockets.contains(&opt.sockets()) && !is_not_for_listening(**opt)) {
        let (listener_default, child_default) = listener_and_child(make(None).unwrap(), opt);
        let value = sample(opt, &listener_default);
        let listener = match make(Some((opt, &value))) {
            Ok(listener) => listener,
            Err(error) => {
                assert!(
                    [Errno::PERM, Errno::OPNOTSUPP, Errno::NOPROTOOPT].contains(&error.errno().unwrap()),
                    "{opt:?}"
                );
                eprintln!("left out: {opt:?}: {error}");
                continue;
            }
        };
        let (at_listener, at_child) = listener_and_child(listener, opt);
        assert_ne!(at_listener, listener_default, "{opt:?} was not set");
        assert_ne!(at_listener, child_default, "{opt:?}: whether it is inherited cannot be determined");
        // The time stamps take their part of a segment.
        let is_inherited = if opt == Opt::TCP_MAXSEG { at_child != child_default } else { at_child == at_listener };
        assert_eq!(is_inherited, expected(opt.inherited()), "{opt:?}: {at_listener:?} {at_child:?}");
        compared += 1;
    }
    eprintln!("{compared} compared");
    assert!(compared >= 10, "{compared}");
}

fn over_tcp(inherited: Inherited) -> bool {
    matches!(inherited, Inherited::Always | Inherited::OverTcp)
}

fn over_unix(inherited: Inherited) -> bool {
    inherited == Inherited::Always
}

#[test]
fn tcp_connections_inherit_what_the_table_says() {
    let sockets = [Sockets::Any, Sockets::Inet, Sockets::Tcp, Sockets::Ipv4];
    inheritance_is_as_the_table_says(v4_listener, &sockets, over_tcp);
}

#[test]
fn tcp_connections_over_ipv6_inherit_what_the_table_says() {
    if has_ipv6() {
        let sockets = [Sockets::Any, Sockets::Inet, Sockets::Tcp, Sockets::Ipv6];
        inheritance_is_as_the_table_says(v6_listener, &sockets, over_tcp);
    }
}

#[test]
fn unix_connections_inherit_what_the_table_says() {
    inheritance_is_as_the_table_says(unix_listener, &[Sockets::Any, Sockets::Unix], over_unix);
}

/// Options that any user may set and that every transport passes on, or is given when a connection is accepted.
fn options() -> SocketOptions {
    SocketOptions::new()
        .with_linger(Some(s(2)))
        .with_recv_timeout(Some(s(3)))
        .with_send_timeout(Some(s(4)))
        .with_recv_buffer_size(Some(70_000))
        .with_send_buffer_size(Some(80_000))
        .with_tcp_nodelay(true)
        .with_tcp_keepalive(Some(TcpKeepalive::after_idle(s(60)).unwrap()))
        .with_tcp_user_timeout(Some(s(5)))
        .with_tcp_congestion(Some(TcpName::new("reno").unwrap()))
        .with_tcp_notsent_lowat(Some(20_000))
        .with_tcp_syncnt(Some(3))
        .with_ip_tos(Some(0x10))
        .with_ipv6_tclass(Some(0x10))
        .with_priority(Some(5))
}

fn has_what_every_transport_has(fd: impl AsFd) {
    assert_eq!(option::linger(&fd), Ok(Some(s(2))));
    assert_eq!(option::recv_timeout(&fd), Ok(Some(s(3))));
    assert_eq!(option::send_timeout(&fd), Ok(Some(s(4))));
    assert_eq!(option::recv_buffer_size(&fd), Ok(140_000));
    assert_eq!(option::send_buffer_size(&fd), Ok(160_000));
    assert_eq!(option::priority(&fd), Ok(5));
}

fn has_what_tcp_has(fd: impl AsFd) {
    assert_eq!(option::tcp_nodelay(&fd), Ok(true));
    assert_eq!((option::keepalive(&fd), option::tcp_keepidle(&fd)), (Ok(true), Ok(s(60))));
    assert_eq!(option::tcp_user_timeout(&fd), Ok(Some(s(5))));
    assert_eq!(option::tcp_congestion(&fd).unwrap().as_bytes(), b"reno");
    assert_eq!(option::tcp_notsent_lowat(&fd), Ok(20_000));
    assert_eq!(option::tcp_syncnt(&fd), Ok(3));
}

fn both_ends(listener: &Listener) -> [OwnedFd; 3] {
    let connector = Connector::new().with_options(options());
    let server = [listener.local_addr().unwrap()];
    let waited = connect::blocking(&server, connector).unwrap();
    let in_time = connect::blocking(&server, connector.with_timeout(Some(PATIENCE))).unwrap();
    let accepted = accept_within(listener, PATIENCE).0;
    [waited.into(), in_time.into(), accepted.into()]
}

#[test]
fn what_is_said_once_holds_on_both_ends() {
    let v4 = listen::tcp(any_local_address(), &options()).unwrap();
    for end in both_ends(&v4) {
        has_what_every_transport_has(&end);
        has_what_tcp_has(&end);
        assert_eq!(option::ip_tos(&end), Ok(0x10));
    }
    let unnamed = listen::unix(&anet::UnixAddr::UNNAMED, &options(), &Access::default()).unwrap();
    both_ends(&unnamed).iter().for_each(has_what_every_transport_has);
    let datagrams = listen::udp(any_local_address(), &options()).unwrap();
    has_what_every_transport_has(&datagrams);
    assert_eq!(option::ip_tos(&datagrams), Ok(0x10));
}

#[test]
fn what_is_said_once_holds_on_both_ends_over_ipv6() {
    if has_ipv6() {
        let v6 = listen::tcp(any_local_address_v6(), &options()).unwrap();
        for end in both_ends(&v6) {
            has_what_every_transport_has(&end);
            has_what_tcp_has(&end);
            assert_eq!(option::ipv6_tclass(&end), Ok(0x10));
        }
    }
}

#[test]
fn a_started_connection_has_its_options() {
    let listener = any_listener();
    let connector = Connector::new().with_options(options());
    let mut pending = connect::Pending::new([listener.local_addr().unwrap()], connector);
    let mut checked = 0;
    let progress = pending.advance(|fd| {
        has_what_every_transport_has(fd);
        has_what_tcp_has(fd);
        checked += 1;
        Ok(())
    });
    assert_eq!((progress.is_ok(), checked), (true, 1));
}

#[test]
fn a_value_out_of_range_is_reported_when_it_is_set() {
    let options = SocketOptions::new().with_tcp_keepcnt(Some(128));
    let error = listen::tcp(any_local_address(), &options).unwrap_err();
    assert_eq!(error.error().to_string(), "setsockopt TCP_KEEPCNT: 128 is out of range 1..=127");
}

#[test]
fn an_option_said_last_is_the_one_that_counts() {
    let options = SocketOptions::new().with_ip_tos(Some(8)).with_ip_tos(Some(0x10));
    assert_eq!(options, SocketOptions::new().with_ip_tos(Some(0x10)));
    assert_eq!(options.with_ip_tos(None), SocketOptions::new());
}

#[test]
fn all_addresses_together_take_no_longer_than_the_connector_says() {
    let listener = listen::tcp(any_local_address(), &SocketOptions::new().with_backlog(0)).unwrap();
    let _fills_the_queue = client_of(&listener);
    let silent = listener.local_addr().unwrap();
    let start = std::time::Instant::now();
    let connector = Connector::new().with_timeout(Some(Duration::from_millis(100)));
    let error = connect::blocking(&[silent; connect::race::CANDIDATES_MAX], connector).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::TIMEDOUT));
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn a_streams_own_setters_are_those_of_std() {
    let (client, _server) = connected_pair();
    client.set_nodelay(true).unwrap();
    client.set_ttl(77).unwrap();
    client.set_linger(Some(s(1))).unwrap();
    client.set_read_timeout(Some(s(1))).unwrap();
    client.set_write_timeout(Some(s(2))).unwrap();
    assert_eq!((client.nodelay(), client.ttl(), client.linger()), (Ok(true), Ok(77), Ok(Some(s(1)))));
    assert_eq!((client.read_timeout(), client.write_timeout()), (Ok(Some(s(1))), Ok(Some(s(2)))));
}
