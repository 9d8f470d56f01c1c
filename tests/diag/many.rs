//! Long listings, and listings of what changes meanwhile.

use std::{
    collections::HashMap,
    net::{IpAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use anet::{
    SocketOptions,
    diag::{Details, InetFilter, InetProtocol, Interface, InterfaceAddr, Route, SocketStates, netlink::NetlinkError},
    listen, option,
};

use crate::{
    interfaces::{add_to_loopback, compare_all},
    sockets::SS_TCP,
    ss::{BUF_LEN, compare, inet},
    support::namespace::in_namespace,
    tools::ip,
};

const LISTENERS: usize = 100;

/// 10,100 sockets with a descriptor, and 10,000 connections in the queues of the listeners.
fn twenty_thousand_sockets() -> (Vec<TcpListener>, Vec<TcpStream>) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let open = |_| TcpListener::from(listen::tcp("127.0.0.1:0".parse().unwrap(), &SocketOptions::new()).unwrap());
    let listeners: Vec<_> = (0..LISTENERS).map(open).collect();
    let mut clients = Vec::new();
    for listener in &listeners {
        let addr = listener.local_addr().unwrap();
        clients.extend((0..100).map(|_| TcpStream::connect(addr).unwrap()));
    }
    (listeners, clients)
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN, opens 20,100 sockets"]
fn twenty_thousand_tcp_sockets_equal_those_of_ss() {
    in_namespace(|| {
        let _sockets = twenty_thousand_sockets();
        assert_eq!(compare(InetProtocol::Tcp, SS_TCP, Details::all()), 20_100);
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_thousand_addresses_equal_those_of_ip() {
    in_namespace(|| {
        ip(&add_to_loopback(1000));
        assert_eq!(compare_all(), 1000 + 2);
    });
}

/// Ends a thread even if the test panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Runs `change` again and again while `check` runs.
fn while_changing(change: impl Fn() + Sync, check: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                change();
            }
        });
        let _ends = Ends(&is_over);
        check();
    });
}

fn list_addresses() -> Result<Vec<InterfaceAddr>, NetlinkError> {
    let mut buf = [0; BUF_LEN];
    Route::open()?.addresses(&mut buf)?.collect()
}

fn list_interfaces() -> Result<Vec<Interface>, NetlinkError> {
    let mut buf = [0; BUF_LEN];
    Route::open()?.interfaces(&mut buf)?.collect()
}

/// The listings that were complete, out of this many. The others must say that they are not.
fn complete<T>(count: usize, list: impl Fn() -> Result<Vec<T>, NetlinkError>) -> Vec<Vec<T>> {
    (0..count)
        .filter_map(|_| match list() {
            Ok(all) => Some(all),
            Err(error) => {
                assert!(error.is_interrupted_dump(), "{error}");
                None
            }
        })
        .collect()
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_listing_of_addresses_that_change_is_complete_or_says_that_it_is_not() {
    in_namespace(|| {
        ip(&add_to_loopback(1000));
        let changes = "addr add 10.200.0.1/32 dev lo\naddr del 10.200.0.1/32 dev lo\n".repeat(50);
        while_changing(
            || ip(&changes),
            || {
                let coming: IpAddr = [10, 200, 0, 1].into();
                let listings = complete(300, list_addresses);
                println!("{} of 300 listings were complete", listings.len());
                for addresses in listings {
                    let staying = addresses.iter().filter(|addr| addr.ip != coming);
                    assert_eq!(staying.count(), 1000 + 2);
                }
            },
        );
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_listing_of_interfaces_that_change_is_complete_or_says_that_it_is_not() {
    in_namespace(|| {
        ip(&(0..100).map(|n| format!("link add stays{n} type bridge\n")).collect::<String>());
        let changes = "link add comes type bridge\nlink set comes name goes\nlink del goes\n".repeat(5);
        while_changing(
            || ip(&changes),
            || {
                let listings = complete(300, list_interfaces);
                println!("{} of 300 listings were complete", listings.len());
                for interfaces in listings {
                    let staying = interfaces.iter().filter(|it| it.name.to_string().starts_with("stays"));
                    assert_eq!(staying.count(), 100);
                }
            },
        );
    });
}

/// The kernel does not say that its table of sockets has changed; what stays is listed once nevertheless.
#[test]
#[ignore = "needs CAP_SYS_ADMIN, opens 20,100 sockets"]
fn sockets_that_stay_are_listed_while_others_come_and_go() {
    in_namespace(|| {
        let (_listeners, clients) = twenty_thousand_sockets();
        let coming = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = coming.local_addr().unwrap();
        let change = || {
            let client = TcpStream::connect(addr).unwrap();
            let (server, _) = coming.accept().unwrap();
            // A reset leaves nothing behind.
            option::set_linger(&client, Some(Duration::ZERO)).unwrap();
            drop((client, server));
        };
        while_changing(change, || {
            let staying: Vec<_> = clients.iter().map(|client| option::cookie(client).unwrap()).collect();
            let filter = InetFilter::tcp().with_states(SocketStates::ESTABLISHED);
            for _ in 0..20 {
                let mut times = HashMap::new();
                for socket in inet(filter) {
                    *times.entry(socket.cookie).or_insert(0) += 1;
                }
                let wrong = staying.iter().filter(|&cookie| times.get(cookie) != Some(&1)).count();
                assert_eq!(wrong, 0);
            }
        });
    });
}
