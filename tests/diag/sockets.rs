//! Sockets, beside `ss`.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    ops::ControlFlow,
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    process,
};

use anet::{
    Errno, Listener, SocketOptions, UnixAddr,
    diag::{
        self, Details, InetFilter, InetProtocol, InetSocket, SockDiag, SocketState, SocketStates, TimerKind, UnixKind,
        UnixSocket,
        owner::{self, Holding},
    },
    error::Cause,
    listen, option,
};

use crate::{
    ss::{BUF_LEN, compare, inet, settled},
    support::{PATIENCE, eventually, namespace::in_namespace, with_own_descriptors},
    tools::skip_for_kernel,
};

/// Every socket on one line, with all that we know.
pub const SS_TCP: &str = "ss -HOtaneimo --tos";

fn unix() -> Vec<UnixSocket> {
    let mut buf = [0; BUF_LEN];
    SockDiag::open().unwrap().unix(SocketStates::all(), &mut buf).unwrap().map(Result::unwrap).collect()
}

/// Every kind of TCP socket, in several states.
struct Furniture {
    _open: Vec<TcpStream>,
    _listeners: Vec<TcpListener>,
    _udp: Vec<UdpSocket>,
}

fn furnish() -> Furniture {
    let (mut open, mut listeners) = (Vec::new(), Vec::new());
    for place in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
        let listener = TcpListener::bind(place).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect((if place.contains("::") { "::1" } else { "127.0.0.1" }, port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"unread").unwrap();
        option::set_keepalive(&server, true).unwrap();
        open.extend([client, server]);
        // It waits to be accepted.
        open.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        listeners.push(listener);
    }
    // The side that closes first waits.
    let closing = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(closing.local_addr().unwrap()).unwrap();
    let (server, _) = closing.accept().unwrap();
    drop(client);
    drop(server);
    // Half closed.
    let client = TcpStream::connect(closing.local_addr().unwrap()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    open.extend([client, closing.accept().unwrap().0]);
    // An IPv4 client of an IPv6 socket.
    open.push(TcpStream::connect((Ipv4Addr::LOCALHOST, listeners[3].local_addr().unwrap().port())).unwrap());
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = UdpSocket::bind("[::1]:0").unwrap();
    connected.connect(connected.local_addr().unwrap()).unwrap();
    connected.send(&[0; 100]).unwrap();
    Furniture { _open: open, _listeners: listeners, _udp: vec![udp, connected] }
}

/// A mark, a device, IPv6 alone, a type of service, a peer without room.
fn furnish_specially() -> (Vec<Listener>, Vec<TcpStream>) {
    let options = SocketOptions::new().with_mark(Some(0x70)).with_bind_index(Some(1)).with_only_v6(true);
    let listeners = ["[::1]:0", "127.0.0.1:0"].map(|place| listen::tcp(place.parse().unwrap(), &options).unwrap());
    let mut streams = Vec::new();
    for listener in &listeners {
        let client = TcpStream::connect(listener.local_addr().unwrap().as_inet().unwrap()).unwrap();
        option::set_mark(&client, 0x71).unwrap();
        if client.local_addr().unwrap().is_ipv4() {
            option::set_ip_tos(&client, 0x10).unwrap();
        } else {
            option::set_ipv6_tclass(&client, 0x20).unwrap();
        }
        client.set_nonblocking(true).unwrap();
        while (&client).write(&[0; 10_000]).is_ok() {}
        streams.extend([client, listener.accept().unwrap().0.into()]);
    }
    // Until the peer's window is known to be closed.
    let is_full = |socket: &InetSocket| socket.timer.is_some_and(|timer| timer.kind == TimerKind::ZeroWindow);
    eventually(PATIENCE, || {
        (inet(InetFilter::tcp()).iter().filter(|socket| is_full(socket)).count() == 2).then_some(())
    });
    (listeners.into(), streams)
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn tcp_sockets_equal_those_of_ss() {
    in_namespace(|| {
        let (_furniture, _special) = (furnish(), furnish_specially());
        let compared = compare(InetProtocol::Tcp, SS_TCP, Details::all());
        assert!(compared >= 26, "{compared}");
        let states: Vec<_> = inet(InetFilter::tcp()).iter().map(|socket| socket.state).collect();
        for state in [SocketState::Listening, SocketState::Established, SocketState::TimeWait] {
            assert!(states.contains(&state), "{states:?}");
        }
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn udp_sockets_equal_those_of_ss() {
    in_namespace(|| {
        let _furniture = furnish();
        assert_eq!(compare(InetProtocol::Udp, "ss -HOuanemo", Details::MEMORY), 2);
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn unix_sockets_equal_those_of_ss() {
    in_namespace(|| {
        let (a, b) = UnixStream::pair().unwrap();
        let folder = tempfile_path("anet-diag");
        let path = folder.join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let _waiting = [UnixStream::connect(&path).unwrap(), UnixStream::connect(&path).unwrap()];
        let _datagram = UnixDatagram::unbound().unwrap();
        let named = listen::unix(&UnixAddr::abstract_name("diag").unwrap(), &SocketOptions::new(), &Default::default());
        let (ours, theirs) = settled("ss -HOxan", unix);
        assert_eq!(ours.len(), theirs.len(), "{ours:#?}\n{theirs:#?}");
        for socket in ours.iter().filter(|socket| socket.inode != 0) {
            let inode = socket.inode.to_string();
            let line = theirs.iter().find(|line| line.word(5) == inode).unwrap_or_else(|| panic!("{socket:?}"));
            let kind = match socket.kind {
                UnixKind::Stream => "u_str",
                UnixKind::Datagram => "u_dgr",
                other => panic!("{other:?}"),
            };
            let addr = match (socket.addr.as_path(), socket.addr.as_abstract_name()) {
                (Some(path), _) => String::from_utf8(path.to_vec()).unwrap(),
                (_, Some(name)) => format!("@{}", String::from_utf8(name.to_vec()).unwrap()),
                _ => "*".to_owned(),
            };
            let facts = [
                kind.to_owned(),
                socket.state.to_string(),
                socket.receive_queue.to_string(),
                socket.send_queue.to_string(),
                addr,
            ];
            assert_eq!(facts, line.words[..5], "{line:?}");
            assert_eq!(socket.peer.unwrap_or(0).to_string(), line.word(7), "{line:?}");
            assert_eq!(socket.uid, Some(rustix::process::getuid().as_raw()));
        }
        let is_at_path = |socket: &&UnixSocket| socket.addr.as_path().is_some() && socket.accept_queue().is_some();
        let queue = ours.iter().find(is_at_path).unwrap();
        assert_eq!((queue.accept_queue().unwrap().len, queue.pending), (2, Some(2)));
        assert!(queue.file.is_some() && queue.memory.is_some());
        drop((a, b, listener, named));
        std::fs::remove_dir_all(folder).unwrap();
    });
}

fn tempfile_path(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("{name}-{}", process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The kernel selects; an equal selection here is the model.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn filters_select_what_they_say() {
    in_namespace(|| {
        let furniture = furnish();
        let marked = UdpSocket::bind("127.0.0.1:0").unwrap();
        option::set_mark(&marked, 0x70).unwrap();
        let bound = UdpSocket::bind("127.0.0.1:0").unwrap();
        option::set_bind_index(&bound, 1).unwrap();
        let port = furniture._listeners[0].local_addr().unwrap().port();
        let both_port = furniture._listeners[3].local_addr().unwrap().port();
        let loopback = Ipv4Addr::new(127, 0, 0, 0).into();
        type Model = Box<dyn Fn(&InetSocket) -> bool>;
        let cases: [(InetFilter, Model, usize); 12] = [
            (
                InetFilter::tcp().with_states(SocketStates::LISTENING),
                Box::new(|s| s.state == SocketState::Listening),
                4,
            ),
            (InetFilter::tcp().with_only_v4(), Box::new(|s| s.local.is_ipv4()), 2),
            (InetFilter::tcp().with_only_v6(), Box::new(|s| s.local.is_ipv6()), 2),
            (InetFilter::tcp().with_local_port(port), Box::new(move |s| s.local.port() == port), 2),
            (InetFilter::tcp().with_peer_port(port), Box::new(move |s| s.peer.port() == port), 2),
            (
                InetFilter::tcp().with_local_network(loopback, 8),
                Box::new(|s| s.local.ip().to_canonical().is_loopback() && s.local.ip().to_canonical().is_ipv4()),
                5,
            ),
            (
                InetFilter::tcp().with_peer_network("::1".parse().unwrap(), 128).with_peer_port(both_port),
                Box::new(move |s| s.peer == SocketAddr::new("::1".parse().unwrap(), both_port)),
                1,
            ),
            (
                InetFilter::tcp().with_local_network("::1".parse().unwrap(), 128),
                Box::new(|s| s.local.is_ipv6() && s.local.ip().is_loopback()),
                4,
            ),
            (InetFilter::tcp().with_local_port(1), Box::new(|_| false), 0),
            (InetFilter::udp().with_mark(0x10, 0x30), Box::new(|s| s.mark.is_some_and(|m| m & 0x30 == 0x10)), 0),
            (InetFilter::udp().with_mark(0x30, 0x30), Box::new(|s| s.mark.is_some_and(|m| m & 0x30 == 0x30)), 1),
            (InetFilter::udp().with_interface(1), Box::new(|s| s.interface == 1), 1),
        ];
        for (filter, model, at_least) in cases {
            let key = |socket: &InetSocket| socket.cookie;
            let mut found: Vec<_> = inet(filter).iter().map(key).collect();
            let mut all: Vec<_> =
                inet(InetFilter::of(filter.protocol())).iter().filter(|&socket| model(socket)).map(key).collect();
            found.sort_unstable();
            all.sort_unstable();
            assert_eq!(found, all, "{filter:?}");
            assert!(found.len() >= at_least, "{filter:?}: {found:?}");
        }
    });
}

#[test]
fn an_accept_queue_is_as_full_as_the_socket_says() {
    let listener = listen::tcp(([127, 0, 0, 1], 0).into(), &SocketOptions::new().with_backlog(7)).unwrap();
    let addr = listener.local_addr().unwrap().as_inet().unwrap();
    let _clients: Vec<_> = (0..3).map(|_| TcpStream::connect(addr).unwrap()).collect();
    let filter = InetFilter::tcp().with_states(SocketStates::LISTENING).with_local_port(addr.port());
    let listed = inet(filter);
    let queue = listed.iter().find(|socket| socket.local == addr).unwrap().accept_queue().unwrap();
    assert_eq!((queue.len, queue.backlog), (3, 7));
    assert_eq!(option::accept_queue(&listener), Ok(queue));
}

#[test]
fn the_cookie_and_the_memory_are_those_of_the_options() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let client = TcpStream::connect(addr).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(&[0; 1000]).unwrap();
    let filter = InetFilter::tcp().with_peer_port(addr.port()).with_details(Details::all());
    let listed = inet(filter);
    let socket = listed.iter().find(|socket| socket.local == client.local_addr().unwrap()).unwrap();
    assert_eq!(Ok(socket.cookie), option::cookie(&client));
    assert_eq!(socket.memory, Some(option::memory(&client).unwrap()));
    assert_eq!(socket.receive_queue, 1000);
    assert_eq!(socket.congestion.unwrap(), option::tcp_congestion(&client).unwrap());
    let info = option::tcp_info(&client).unwrap();
    let listed = socket.info.unwrap();
    assert_eq!(listed.bytes_received(), Some(1000));
    assert_eq!((listed.rtt(), listed.bytes_received()), (info.rtt(), info.bytes_received()));
    let mut rest = Vec::new();
    drop(server);
    (&client).read_to_end(&mut rest).unwrap();
    assert_eq!(option::memory(&client).unwrap().receive_bytes, 0);
}

#[test]
fn the_holder_of_a_port_is_this_process() {
    let mut buf = [0; BUF_LEN];
    for wildcard in [false, true] {
        let ip = if wildcard { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port()));
        let _client = TcpStream::connect(addr).unwrap();
        let error = listen::tcp(addr, &SocketOptions::new()).unwrap_err();
        let holder = diag::holder(error.endpoint().unwrap(), InetProtocol::Tcp, &mut buf).unwrap().unwrap();
        assert_eq!((holder.local, holder.state), (listener.local_addr().unwrap().into(), SocketState::Listening));
        assert_eq!(holder.to_string(), format!("{} LISTEN uid {}", holder.local, holder.uid.unwrap()));
        let process = holder.process().unwrap().unwrap();
        assert_eq!(process.pid, process::id());
        assert_eq!(process.name, owner::name(process::id()).unwrap());
        drop(listener);
    }
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = udp.local_addr().unwrap().into();
    assert!(diag::holder(&addr, InetProtocol::Udp, &mut buf).unwrap().is_some());
    drop(udp);
    assert_eq!(diag::holder(&addr, InetProtocol::Udp, &mut buf).unwrap(), None);
    let name = UnixAddr::abstract_name(format!("anet-diag-{}", process::id())).unwrap();
    assert_eq!(diag::holder(&name.into(), InetProtocol::Tcp, &mut buf).unwrap(), None);
    let _listener = listen::unix(&name, &SocketOptions::new(), &Default::default()).unwrap();
    let holder = diag::holder(&name.into(), InetProtocol::Tcp, &mut buf).unwrap().unwrap();
    assert_eq!(holder.process().unwrap().unwrap().pid, process::id());
}

fn is_readable(fd: impl AsFd) -> bool {
    let poller = anet::event::Poller::new().unwrap();
    poller.add(fd, 0, anet::event::Interest::READABLE).unwrap();
    poller.wait(&mut anet::event::Events::<1>::new(), Some(std::time::Duration::ZERO)).unwrap() == 1
}

#[test]
fn the_peer_of_a_pair_is_this_process_which_has_not_ended() {
    let (a, _b) = UnixStream::pair().unwrap();
    match option::peer_pidfd(&a) {
        Err(error) if error.errno() == Some(Errno::NOPROTOOPT) => skip_for_kernel("SO_PEERPIDFD", error),
        process => {
            let process = process.unwrap();
            let path = format!("/proc/self/fdinfo/{}", process.as_raw_fd());
            assert!(std::fs::read_to_string(path).unwrap().contains(&format!("Pid:\t{}", process::id())));
            assert!(option::cloexec(&process).unwrap() && !is_readable(&process));
        }
    }
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(option::peer_pidfd(&tcp).is_err());
}

/// Bound with a port, and nothing more: since Linux 6.8 the kernel lists it.
#[test]
fn a_socket_that_is_only_bound_is_found() {
    let bound = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&bound, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let addr = SocketAddr::try_from(rustix::net::getsockname(&bound).unwrap()).unwrap();
    let mut buf = [0; BUF_LEN];
    let holder = diag::holder(&addr.into(), InetProtocol::Tcp, &mut buf).unwrap();
    println!("{holder:?}");
    assert!(holder.is_none_or(|holder| holder.local == addr.into() && holder.process().unwrap().is_some()));
}

#[test]
fn the_sockets_of_a_process_are_found() {
    with_own_descriptors(|| {
        let sockets = [UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap()];
        let descriptors = sockets.each_ref().map(|socket| socket.as_raw_fd() as u32);
        // A thread with a table of its own has a directory of its own.
        let mut found = Vec::new();
        let all = |holding: Holding| {
            found.push(holding);
            ControlFlow::Continue(())
        };
        owner::scan_process(rustix::thread::gettid().as_raw_pid() as u32, all).unwrap();
        assert_eq!(found.iter().map(|holding| holding.fd).collect::<Vec<_>>(), descriptors);
        let listed = inet(InetFilter::udp().with_local_port(sockets[0].local_addr().unwrap().port()));
        assert!(listed.iter().any(|socket| socket.inode == found[0].inode));
        let missing = owner::scan_process(u32::MAX, |_| ControlFlow::Break(()));
        assert_eq!(missing.unwrap_err().errno(), Some(Errno::NOENT));
    });
}

#[test]
fn a_missing_inode_has_no_owner() {
    assert!(
        matches!(owner::find(u32::MAX), Ok(None)) || owner::find(u32::MAX).unwrap_err().errno() == Some(Errno::ACCESS)
    );
    assert_eq!(owner::name(u32::MAX).unwrap_err().errno(), Some(Errno::NOENT));
}

#[test]
#[ignore = "needs CAP_NET_ADMIN"]
fn a_destroyed_connection_is_closed_on_both_sides() {
    in_namespace(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let filter = InetFilter::tcp().with_peer_port(listener.local_addr().unwrap().port());
        let [socket] = inet(filter)[..] else { panic!() };
        let mut buf = [0; BUF_LEN];
        let mut sock_diag = SockDiag::open().unwrap();
        match sock_diag.destroy(&socket, &mut buf) {
            Err(error) if error.errno() == Some(Errno::OPNOTSUPP) => {
                return skip_for_kernel("CONFIG_INET_DIAG_DESTROY", error);
            }
            other => other.unwrap(),
        }
        assert_eq!((&client).read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionAborted);
        assert_eq!(server.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(sock_diag.destroy(&socket, &mut buf).unwrap_err().errno(), Some(Errno::NOENT));
    });
}

#[test]
fn a_short_buffer_is_an_error_and_no_other_entries_follow() {
    let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sock_diag = SockDiag::open().unwrap();
    let mut buf = [0; 60];
    let mut sockets = sock_diag.inet(InetFilter::tcp(), &mut buf).unwrap();
    let error = sockets.next().unwrap().unwrap_err();
    assert!(matches!(error.cause(), Cause::MessageTruncated { .. }), "{error}");
    assert!(sockets.next().is_none());
}

/// The keepalive timer is armed, and the time left is below what was set.
#[test]
fn a_timer_says_what_it_is_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    option::set_tcp_keepidle(client.as_fd(), std::time::Duration::from_secs(70)).unwrap();
    option::set_keepalive(client.as_fd(), true).unwrap();
    let port = client.local_addr().unwrap().port();
    let listed = inet(InetFilter::tcp().with_local_port(port).with_states(SocketStates::ESTABLISHED));
    let socket = listed.iter().find(|socket| socket.local == client.local_addr().unwrap()).unwrap();
    let timer = socket.timer.unwrap();
    assert_eq!((timer.kind, timer.expirations), (TimerKind::Keepalive, 0));
    assert!((1..=70).contains(&timer.remaining.as_secs()));
}
