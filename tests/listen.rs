//! TCP listeners, and bind lists: all or nothing.

mod support;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Barrier,
};

use anet::{
    Errno, Error, Op, SocketOptions,
    connect::{self, Connector},
    error::Cause,
    listen::{self, Access, BindList, ListenerSet, SpecError},
    option::{self, TcpKeepalive},
};
use support::*;

fn open(list: &str) -> Result<ListenerSet, SpecError> {
    ListenerSet::open(&BindList::parse(list, 0).unwrap(), &SocketOptions::new(), &Access::default())
}

#[test]
fn a_listener_is_nonblocking_close_on_exec_and_reuses_its_address() {
    let listener = any_listener();
    assert!(option::nonblocking(&listener).unwrap());
    assert!(option::cloexec(&listener).unwrap());
    assert!(option::reuse_address(&listener).unwrap());
}

#[test]
fn the_kernel_chooses_a_port_for_port_0() {
    for addr in any_local_addresses() {
        let listener = listen::tcp(addr, &SocketOptions::new()).unwrap();
        let local = listener.local_addr().unwrap();
        assert_eq!(local.ip(), Some(addr.ip()));
        assert_ne!(local.port(), Some(0));
        client_at(local);
    }
}

#[test]
fn ipv6_sockets_exclude_ipv4_unless_dual_stack_is_set() {
    if lacks_ipv6() {
        return;
    }
    let any = "[::]:0".parse().unwrap();
    let only_v6 = listen::tcp(any, &SocketOptions::new()).unwrap();
    assert!(option::only_v6(&only_v6).unwrap());
    let both = listen::tcp(any, &SocketOptions::new().with_only_v6(false)).unwrap();
    assert!(!option::only_v6(&both).unwrap());
    let mapped = SocketAddr::from(([127, 0, 0, 1], both.local_addr().unwrap().port().unwrap()));
    client_at(mapped.into());
    let (_, peer) = accept_within(&both, PATIENCE);
    assert!(peer.is_v4_mapped() && peer.is_loopback());
}

#[test]
fn every_option_is_on_the_listener() {
    let keepalive = TcpKeepalive::after_idle(60 * SECOND).unwrap();
    let options = SocketOptions::new()
        .with_reuse_address(false)
        .with_reuse_port(true)
        .with_tcp_nodelay(true)
        .with_tcp_keepalive(Some(keepalive))
        .with_linger(Some(2 * SECOND))
        .with_recv_buffer_size(Some(70_000))
        .with_send_buffer_size(Some(80_000))
        .with_recv_timeout(Some(3 * SECOND))
        .with_send_timeout(Some(4 * SECOND))
        .with_priority(Some(5))
        .with_tcp_defer_accept(Some(SECOND))
        .with_tcp_fastopen(Some(7))
        .with_tcp_user_timeout(Some(5 * SECOND))
        .with_backlog(9);
    let listener = listen::tcp(any_local_address(), &options).unwrap();
    assert!(!option::reuse_address(&listener).unwrap() && option::reuse_port(&listener).unwrap());
    assert!(option::tcp_nodelay(&listener).unwrap() && option::keepalive(&listener).unwrap());
    assert_eq!(option::tcp_keepidle(&listener).unwrap(), 60 * SECOND);
    assert_eq!(option::linger(&listener).unwrap(), Some(2 * SECOND));
    assert_eq!(option::recv_buffer_size(&listener).unwrap(), 140_000);
    assert_eq!(option::send_buffer_size(&listener).unwrap(), 160_000);
    assert_eq!(option::recv_timeout(&listener).unwrap(), Some(3 * SECOND));
    assert_eq!(option::send_timeout(&listener).unwrap(), Some(4 * SECOND));
    assert_eq!(option::priority(&listener).unwrap(), 5);
    assert_eq!(option::tcp_defer_accept(&listener).unwrap(), Some(SECOND));
    assert_eq!(option::tcp_fastopen(&listener).unwrap(), 7);
    assert_eq!(option::tcp_user_timeout(&listener).unwrap(), Some(5 * SECOND));
    assert_eq!(option::accept_queue(&listener).unwrap().backlog, 9);
}

#[test]
fn a_busy_port_is_an_error_and_leaves_nothing_open() {
    with_own_descriptors(|| {
        let other = TcpListener::bind(any_local_address()).unwrap();
        let before = open_fds();
        let addr = other.local_addr().unwrap();
        let error = listen::tcp(addr, &SocketOptions::new()).unwrap_err();
        assert_eq!(error.to_string(), format!("bind {addr}: Address already in use"));
        assert_eq!(open_fds(), before);
    });
}

/// Concurrent tests must not keep the listener open.
#[test]
fn a_listener_that_is_closed_refuses_clients_at_once() {
    let (begun, closed) = (&Barrier::new(2), &Barrier::new(2));
    std::thread::scope(|scope| {
        let held = HeldPort::new();
        let listener = listen::tcp(held.addr(), &SocketOptions::new()).unwrap();
        client_of(&listener);
        scope.spawn(|| {
            with_own_descriptors(|| {
                begun.wait();
                closed.wait();
            });
        });
        begun.wait();
        drop(listener);
        let refused = connect::blocking(&[held.endpoint()], Connector::new().with_timeout(Some(PATIENCE))).map(drop);
        closed.wait();
        assert_eq!(refused.unwrap_err(), Error::new(Op::Connect, Errno::CONNREFUSED));
    });
}

#[test]
fn an_address_of_another_host_is_an_error() {
    let error = listen::tcp("203.0.113.1:0".parse().unwrap(), &SocketOptions::new()).unwrap_err();
    assert_eq!(error, Error::new(Op::Bind, Errno::ADDRNOTAVAIL));
}

#[test]
fn an_optional_address_that_is_not_local_is_skipped() {
    let set = open("127.0.0.1 -203.0.113.1").unwrap();
    assert_eq!(set.as_slice().len(), 1);
    let [skipped] = set.skipped() else { panic!("{set:?}") };
    assert_eq!((skipped.index(), skipped.error.errno()), (1, Some(Errno::ADDRNOTAVAIL)));
}

#[test]
fn a_required_address_that_is_not_local_fails_the_list_and_is_named() {
    if lacks_ipv6() {
        return;
    }
    with_own_descriptors(|| {
        let before = open_fds();
        let failed = open("127.0.0.1 ::1 203.0.113.1 127.0.0.2").unwrap_err();
        assert_eq!(failed.index(), 2);
        assert_eq!(failed.error, Error::new(Op::Bind, Errno::ADDRNOTAVAIL));
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn an_optional_address_that_is_busy_is_still_an_error() {
    let busy = any_listener();
    let failed = open(&format!("-{}", busy.local_addr().unwrap())).unwrap_err();
    assert!(failed.error.error().is_addr_in_use());
}

#[test]
fn a_list_without_a_local_address_is_an_error() {
    let failed = open("-203.0.113.1 -203.0.113.2").unwrap_err();
    assert_eq!((failed.index(), failed.error.errno()), (0, Some(Errno::ADDRNOTAVAIL)));
}

#[test]
fn port_0_is_one_port_for_all_families() {
    if lacks_ipv6() {
        return;
    }
    for _ in 0..20 {
        let set = open("* ::* unix:/nowhere/x").map(drop).unwrap_err();
        assert_eq!(set.index(), 2);
        let set = open("127.0.0.1 ::1 127.0.0.2").unwrap();
        let ports: Vec<_> = set.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert_eq!(ports, [ports[0]; 3]);
    }
}

#[test]
fn wildcards_of_both_families_share_a_port() {
    if lacks_ipv6() {
        return;
    }
    let set = open("* ::*").unwrap();
    let addrs: Vec<_> = set.iter().map(|listener| listener.local_addr().unwrap()).collect();
    assert!(addrs[0].is_unspecified() && addrs[1].is_unspecified());
    assert_eq!(addrs[0].port(), addrs[1].port());
}

#[test]
fn a_rolled_back_list_leaves_no_socket_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let list = format!("{} 203.0.113.1", path.display());
    open(&list).unwrap_err();
    assert!(!path.exists());
}

#[test]
fn a_zone_is_looked_up_by_name() {
    let failed = open("fe80::1%nosuchdev").unwrap_err();
    assert_eq!(failed.error.errno(), Some(Errno::NODEV));
    if lacks_ipv6() {
        return;
    }
    // The loopback device has no link-local address, so the zone was found and the address was not.
    let failed = open("fe80::1%lo").unwrap_err();
    assert_eq!(failed.error, Error::new(Op::Bind, Errno::ADDRNOTAVAIL));
}

#[test]
fn a_name_is_not_looked_up() {
    assert_eq!(open("localhost").unwrap_err().error.cause(), Cause::HostName);
}

#[test]
fn an_inherited_descriptor_must_listen() {
    use std::os::fd::AsRawFd;
    let inherited = TcpListener::bind("127.0.0.1:0").unwrap();
    let set = open(&format!("fd@{}", inherited.as_raw_fd())).unwrap();
    let [listener] = set.as_slice() else { panic!("{set:?}") };
    client_at(inherited.local_addr().unwrap().into());
    accept_within(listener, PATIENCE);

    let (client, _server) = connected_pair();
    use anet::fd::AsFd;
    let connected = client.as_fd().as_raw_fd();
    assert_eq!(open(&format!("fd@{connected}")).unwrap_err().error.cause(), Cause::NotListening);
    assert_eq!(open("fd@2147483647").unwrap_err().error, Error::new(Op::Duplicate, Errno::BADF));
}

#[test]
fn a_failed_list_names_the_address_that_could_not_be_bound() {
    let failed: Box<dyn std::error::Error> = open("127.0.0.1 203.0.113.1:80").unwrap_err().into();
    let text = "entry 2 of the bind list: bind 203.0.113.1:80: Cannot assign requested address";
    assert_eq!(failed.to_string(), text);
}

#[cfg(feature = "std")]
#[test]
fn a_failed_list_of_one_converts_to_an_io_error_with_its_address() {
    let failed = std::io::Error::from(open("203.0.113.1:80").unwrap_err());
    assert_eq!(failed.kind(), std::io::ErrorKind::AddrNotAvailable);
    assert_eq!(failed.to_string(), "bind 203.0.113.1:80: Cannot assign requested address");
}

#[test]
fn a_link_local_address_without_scope_is_named_as_such() {
    let addr: SocketAddr = "[fe80::1]:0".parse().unwrap();
    for error in
        [listen::tcp(addr, &SocketOptions::new()).unwrap_err(), listen::udp(addr, &SocketOptions::new()).unwrap_err()]
    {
        assert_eq!(error.to_string(), "bind [fe80::1]:0: Link-local address without scope");
    }
}

#[test]
fn a_clone_of_a_listener_keeps_it_listening() {
    let listener = any_listener();
    let (addr, clone) = (listener.local_addr().unwrap(), listener.try_clone().unwrap());
    drop(listener);
    client_at(addr);
    accept_within(&clone, PATIENCE);
}

#[test]
fn an_inherited_descriptor_stays_with_its_owner() {
    use std::os::fd::AsRawFd;
    let owner = TcpListener::bind("127.0.0.1:0").unwrap();
    let set = open(&format!("fd@{}", owner.as_raw_fd())).unwrap();
    assert!(option::nonblocking(&owner).unwrap());
    drop(set);
    client_at(owner.local_addr().unwrap().into());
    owner.accept().unwrap();
}

#[test]
fn a_descriptor_that_does_not_listen_is_left_as_it_was() {
    use std::os::fd::AsRawFd;
    let file = std::fs::File::open("/dev/null").unwrap();
    let before = rustix::fs::fcntl_getfl(&file).unwrap();
    let error = open(&format!("fd@{}", file.as_raw_fd())).unwrap_err().error;
    assert_eq!(error, Error::new(Op::IsListening, Errno::NOTSOCK));
    assert_eq!(rustix::fs::fcntl_getfl(&file).unwrap(), before);
}

#[test]
fn only_a_listening_descriptor_is_adopted_and_it_becomes_nonblocking() {
    let listener = anet::Listener::adopt(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    assert!(option::nonblocking(&listener).unwrap());
    let (client, _server) = connected_pair();
    let error = anet::Listener::adopt(client).unwrap_err();
    assert_eq!((error.op(), error.cause()), (Op::IsListening, Cause::NotListening));
    let pipe = rustix::pipe::pipe().unwrap().0;
    assert_eq!(anet::Listener::adopt(pipe).unwrap_err(), Error::new(Op::IsListening, Errno::NOTSOCK));
}

#[test]
fn a_listener_converts_to_a_descriptor_and_back() {
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    let fd: anet::fd::OwnedFd = listener.into();
    let listener = anet::Listener::from(fd);
    assert_eq!(listener.local_addr().unwrap(), addr);
    assert!(!listener.remove_file().unwrap());
}
