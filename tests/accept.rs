//! Accepted connections: their options and peers, and how a batch ends.

mod support;

use std::{os::unix::net::UnixStream, time::Duration};

use anet::{
    Endpoint, Listener, SocketOptions, Stream, UnixAddr,
    accept::BatchEnd,
    fd::OwnedFd,
    listen::{self, Access},
    option::{self, TcpKeepalive},
};
use support::*;

fn unix_listener(options: &SocketOptions) -> Listener {
    listen::unix(&UnixAddr::UNNAMED, options, &Access::default()).unwrap()
}

/// A listener on each transport with the same profile.
fn listeners_with(profile: &SocketOptions) -> Vec<Listener> {
    let tcp = any_local_addresses().into_iter().map(|addr| listen::tcp(addr, profile).unwrap());
    tcp.chain([unix_listener(profile)]).collect()
}

fn accepted_by(listener: &Listener) -> (Stream, Stream) {
    let client = client_of(listener);
    (accept_within(listener, PATIENCE).0, client)
}

#[test]
fn an_accepted_stream_is_nonblocking_and_close_on_exec_on_every_transport() {
    for listener in listeners_with(&SocketOptions::new()) {
        let (server, _client) = accepted_by(&listener);
        assert!(option::nonblocking(&server).unwrap() && option::cloexec(&server).unwrap());
    }
}

#[test]
fn accept_on_an_empty_queue_would_block() {
    for listener in listeners_with(&SocketOptions::new()) {
        assert_would_block(listener.accept());
    }
}

#[test]
fn the_peer_address_is_the_clients() {
    for addr in any_local_addresses() {
        let listener = listen::tcp(addr, &SocketOptions::new()).unwrap();
        let client = client_of(&listener);
        let (server, peer) = accept_within(&listener, PATIENCE);
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(peer, server.peer_addr().unwrap());
    }
}

/// `getpeername` fails for such a peer.
#[test]
fn the_address_of_a_peer_that_has_reset_the_connection_is_known() {
    let listener = any_listener();
    let client = client_of(&listener);
    let addr = client.local_addr().unwrap();
    option::set_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    let (server, peer) = accept_within(&listener, PATIENCE);
    assert_eq!(peer, addr);
    assert!(server.peer_addr().unwrap_err().is_disconnected());
}

#[test]
fn a_stream_has_what_the_options_say_on_every_transport() {
    let keepalive = TcpKeepalive::after_idle(60 * SECOND).unwrap();
    let options = SocketOptions::new()
        .with_tcp_nodelay(true)
        .with_tcp_keepalive(Some(keepalive))
        .with_tcp_user_timeout(Some(9 * SECOND))
        .with_linger(Some(2 * SECOND))
        .with_recv_buffer_size(Some(70_000))
        .with_send_buffer_size(Some(80_000))
        .with_recv_timeout(Some(3 * SECOND))
        .with_send_timeout(Some(4 * SECOND))
        .with_priority(Some(5));
    for listener in listeners_with(&options) {
        let (server, _client) = accepted_by(&listener);
        assert_eq!(option::linger(&server).unwrap(), Some(2 * SECOND));
        assert_eq!(option::recv_buffer_size(&server).unwrap(), 140_000);
        assert_eq!(option::send_buffer_size(&server).unwrap(), 160_000);
        assert_eq!(option::recv_timeout(&server).unwrap(), Some(3 * SECOND));
        assert_eq!(option::send_timeout(&server).unwrap(), Some(4 * SECOND));
        assert_eq!(option::priority(&server).unwrap(), 5);
        if listener.local_addr().unwrap().as_inet().is_some() {
            assert!(option::tcp_nodelay(&server).unwrap() && option::keepalive(&server).unwrap());
            assert_eq!(option::tcp_keepidle(&server).unwrap(), 60 * SECOND);
            assert_eq!(option::tcp_keepintvl(&server).unwrap(), 20 * SECOND);
            assert_eq!(option::tcp_keepcnt(&server).unwrap(), 3);
            assert_eq!(option::tcp_user_timeout(&server).unwrap(), Some(9 * SECOND));
        }
    }
}

#[test]
#[ignore = "needs CAP_NET_ADMIN"]
fn a_stream_has_the_mark_on_every_transport() {
    for listener in listeners_with(&SocketOptions::new().with_mark(Some(77))) {
        let (server, _client) = accepted_by(&listener);
        assert_eq!(option::mark(&server).unwrap(), 77);
    }
}

#[test]
fn a_batch_accepts_the_queue_and_ends_drained() {
    for listener in listeners_with(&SocketOptions::new()) {
        let _clients: Vec<_> = (0..3).map(|_| client_of(&listener)).collect();
        let mut peers = Vec::new();
        let batch = listener.accept_batch(10, |_, peer| peers.push(peer));
        assert_eq!((batch.accepted, batch.failed, batch.end), (3, 0, BatchEnd::Drained));
        assert_eq!(peers.len(), 3);
        assert!(batch.end.ok().is_ok());
    }
}

#[test]
fn a_batch_takes_no_more_than_its_limit() {
    let listener = any_listener();
    let _clients: Vec<_> = (0..5).map(|_| client_of(&listener)).collect();
    let ends: Vec<_> = [3, 2, 2, 0].map(|limit| listener.accept_batch(limit, |_, _| {})).to_vec();
    let ends: Vec<_> = ends.into_iter().map(|batch| (batch.accepted, batch.end)).collect();
    let (full, drained) = (BatchEnd::LimitReached, BatchEnd::Drained);
    assert_eq!(ends, [(3, full), (2, full), (0, drained), (0, full)]);
}

#[test]
fn a_socket_that_no_longer_listens_is_gone() {
    let listener = any_listener();
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
    let batch = listener.accept_batch(10, |_, _| {});
    let BatchEnd::ListenerGone(error) = batch.end else { panic!("{batch:?}") };
    assert_eq!(error.to_string(), "accept: Invalid argument");
    assert_eq!(batch.end.ok(), Err(error));
}

#[test]
fn a_socket_that_can_never_accept_is_gone() {
    let pipe = rustix::pipe::pipe().unwrap().0;
    let udp = OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    for fd in [pipe, udp] {
        let batch = Listener::from(fd).accept_batch(usize::MAX, |_, _| {});
        assert!(matches!(batch.end, BatchEnd::ListenerGone(_)), "{batch:?}");
    }
}

#[test]
fn without_descriptors_a_batch_is_out_of_resources_and_loses_no_connection() {
    with_own_descriptors(|| {
        let listener = any_listener();
        let clients: Vec<_> = (0..5).map(|_| client_of(&listener)).collect();
        let occupied = occupy_all_descriptors();
        let batch = listener.accept_batch(10, |_, _| panic!("there was a descriptor left"));
        let BatchEnd::OutOfResources(error) = batch.end else { panic!("{batch:?}") };
        assert!(error.is_out_of_files());
        assert_eq!(error.to_string(), "accept: Too many open files");
        drop(occupied);
        let mut served = 0;
        listener.accept_batch(10, |_, _| served += 1);
        assert_eq!(served, clients.len());
    });
}

#[test]
fn a_unix_client_with_a_name_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let server_path = UnixAddr::path(directory.path().join("server").to_str().unwrap()).unwrap();
    let listener = listen::unix(&server_path, &SocketOptions::new(), &Access::default()).unwrap();
    let client_path = directory.path().join("client");
    let client = rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&client, &rustix::net::SocketAddrUnix::new(&client_path).unwrap()).unwrap();
    let server = rustix::net::SocketAddrUnix::new(server_path.as_path().unwrap()).unwrap();
    rustix::net::connect(&client, &server).unwrap();
    let (_, peer) = accept_within(&listener, PATIENCE);
    assert_eq!(peer, Endpoint::Unix(UnixAddr::path(client_path.to_str().unwrap()).unwrap()));
}

#[test]
fn a_unix_listener_serves_std_clients() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let addr = UnixAddr::path(path.to_str().unwrap()).unwrap();
    let listener = listen::unix(&addr, &SocketOptions::new(), &Access::default()).unwrap();
    let _client = UnixStream::connect(path).unwrap();
    assert_eq!(accept_within(&listener, PATIENCE).1, Endpoint::Unix(UnixAddr::UNNAMED));
}
