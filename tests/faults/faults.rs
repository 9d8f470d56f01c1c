//! Fails every system call of opening, accepting and connecting with every error number: the number is returned,
//! nothing stays open, and nothing panics.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "../support/mod.rs"]
mod support;

use std::{collections::BTreeMap, time::Duration};

use anet::{
    Datagram, Endpoint, Errno, Error, Listener, Op, Result, SocketOptions, UnixAddr,
    accept::Reserve,
    connect::{self, Connector, LocalAddr, Pending},
    datagram::{
        Batch, Segmenter,
        cmsg::{self, Encoder},
    },
    error::{Cause, ErrorKind},
    event::{Events, Interest, Poller, Waker},
    fd::AsFd,
    listen::{self, Access, BindList, ListenerSet, Protocols, port_file},
    option::TcpKeepalive,
    pipe::{EndFlags, pipe},
    resolve::{
        Families,
        dns::{Config, Stub},
    },
    server::{CloseReason, Event, Lookup, Server, Slot},
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use support::*;

/// Makes a system call of this thread fail from now on, if its first argument is `first_arg`.
fn fail(syscall: i64, first_arg: Option<u64>, errno: i32) {
    let rules = first_arg.map(|value| {
        let is_it = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value).unwrap();
        SeccompRule::new(vec![is_it]).unwrap()
    });
    let rules = BTreeMap::from([(syscall, rules.into_iter().collect())]);
    let action = SeccompAction::Errno(errno as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, TargetArch::x86_64).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

/// The call that makes a pipe.
const PIPE: i64 = if cfg!(anet_force_pipe_fallback) { libc::SYS_pipe } else { libc::SYS_pipe2 };

/// The expected outcome of a fault.
fn assert_reported(syscall: &str, errno: i32, result: Result<()>, leaked: usize) {
    let expected = Errno::from_raw_os_error(errno);
    if let Err(error) = result {
        let is_too_long = errno == libc::EMSGSIZE && matches!(error.cause(), Cause::DatagramTooLong { .. });
        assert!(is_too_long || error.errno() == Some(expected), "{syscall} {errno}: {error:?}");
    }
    assert_eq!(leaked, 0, "{syscall} {errno} leaves descriptors open");
}

/// Runs `scenario` once for each error number, with `syscall` failing; an endless `EINTR` would be a hang.
fn with_every_errno(name: &str, syscall: i64, scenario: impl Fn() -> Result<()> + Sync) {
    with_every_errno_given(name, syscall, || (), |()| scenario());
}

/// The same, with a value made before the call starts to fail.
fn with_every_errno_given<T>(
    name: &str,
    syscall: i64,
    given: impl Fn() -> T + Sync,
    scenario: impl Fn(&T) -> Result<()> + Sync,
) {
    // In debug builds std checks with `fcntl` whether a descriptor is open, and aborts on `EBADF`.
    let hurts_std = |errno| syscall == libc::SYS_fcntl && errno == libc::EBADF;
    for errno in (1..=133).filter(|&errno| errno != libc::EINTR && !hurts_std(errno)) {
        let (result, leaked) = with_own_descriptors(|| {
            let given = given();
            let before = open_fds();
            fail(syscall, None, errno);
            let result = scenario(&given);
            (result, open_fds() - before)
        });
        assert_reported(name, errno, result, leaked);
    }
}

fn busy_options() -> SocketOptions {
    let keepalive = TcpKeepalive::after_idle(SECOND).unwrap();
    SocketOptions::new().with_tcp_nodelay(true).with_tcp_keepalive(Some(keepalive)).with_recv_timeout(Some(SECOND))
}

#[test]
fn opening_a_bind_list_survives_every_fault() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let list = format!("127.0.0.1 -::1 {}", path.display());
    let scenario = || {
        let list = BindList::parse(&list, 0).unwrap();
        let access = Access { mode: Some(0o600), group: None };
        let set = ListenerSet::open(&list, &busy_options(), &access).map_err(|failed| failed.error)?;
        for listener in &set {
            listener.remove_file()?;
        }
        Ok(())
    };
    scenario().unwrap();
    for (name, syscall) in [
        ("socket", libc::SYS_socket),
        ("setsockopt", libc::SYS_setsockopt),
        ("bind", libc::SYS_bind),
        ("listen", libc::SYS_listen),
        ("getsockname", libc::SYS_getsockname),
        ("fchmod", libc::SYS_fchmod),
        ("flock", libc::SYS_flock),
        ("connect", libc::SYS_connect),
    ] {
        with_every_errno(name, syscall, scenario);
        assert!(!path.exists(), "{name} leaves the socket's file behind");
    }
}

/// Only a Unix path, so every fault hits it: an error leaves no file, success a listener.
#[test]
fn a_unix_path_survives_every_fault() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let addr = UnixAddr::path(path.to_str().unwrap()).unwrap();
    let group = rustix::process::getegid().as_raw();
    let access = Access { mode: Some(0o622), group: Some(group) };
    for (name, syscall) in [
        ("setsockopt", libc::SYS_setsockopt),
        ("fchmod", libc::SYS_fchmod),
        ("flock", libc::SYS_flock),
        ("connect", libc::SYS_connect),
        ("renameat", libc::SYS_renameat),
        ("listen", libc::SYS_listen),
        ("fchownat", libc::SYS_fchownat),
        ("fchmodat2", SYS_FCHMODAT2),
    ] {
        for errno in (1..=133).filter(|&errno| errno != libc::EINTR) {
            let result = with_own_descriptors(|| {
                // A dead server's file is there, so that opening makes all of its calls.
                let _ = std::fs::remove_file(&path);
                drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
                let before = open_fds();
                fail(syscall, None, errno);
                let result = listen::unix(&addr, &busy_options(), &access);
                assert_eq!(open_fds() - before, usize::from(result.is_ok()), "{name} {errno}");
                result.map(drop)
            });
            match (name, result) {
                // Without the lock no file is removed.
                ("flock", result) => {
                    let error = result.unwrap_err().error();
                    assert_eq!(error, Error::new(Op::Lock, Errno::from_raw_os_error(errno)));
                    assert!(path.exists());
                }
                // A file that cannot be renamed stays.
                ("renameat", result) => assert!(result.is_err() && path.exists()),
                // The mode has a fallback.
                ("fchmodat2", Ok(())) => assert!([libc::EPERM, libc::ENOSYS].contains(&errno)),
                // A server that does not refuse, or may be alive, keeps the path.
                ("connect", Ok(())) => assert!([libc::ECONNREFUSED, libc::ENOENT].contains(&errno)),
                ("connect", Err(error)) => {
                    assert!(error.kind() == ErrorKind::AddrInUse && path.exists(), "{errno} {error:?}");
                }
                (_, result) => {
                    assert_eq!(result.unwrap_err().errno(), Some(Errno::from_raw_os_error(errno)), "{name}");
                    assert!(name == "setsockopt" || !path.exists(), "{name} {errno} leaves the file");
                }
            }
        }
    }
}

#[test]
fn a_unix_path_without_the_lock_survives_every_fault() {
    let directory = tempfile::tempdir().unwrap();
    let addr = UnixAddr::path(directory.path().join("s").to_str().unwrap()).unwrap();
    let group = rustix::process::getegid().as_raw();
    let access = Access { mode: Some(0o622), group: Some(group) };
    for (name, syscall) in [
        ("bind", libc::SYS_bind),
        ("fchownat", libc::SYS_fchownat),
        ("listen", libc::SYS_listen),
        ("linkat", libc::SYS_linkat),
    ] {
        with_every_errno(name, syscall, || {
            fail(libc::SYS_flock, None, libc::ENOLCK);
            let error = listen::unix(&addr, &busy_options(), &access).unwrap_err().error();
            // A path that cannot be linked to because it exists is in use.
            if (name, error) == ("linkat", Error::new(Op::Bind, Errno::ADDRINUSE)) { Ok(()) } else { Err(error) }
        });
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{name} leaves a file behind");
    }
}

/// libc has no name for it yet.
const SYS_FCHMODAT2: i64 = 452;

#[test]
fn opening_a_bind_list_for_udp_survives_every_fault() {
    let scenario = || {
        let list = BindList::parse("127.0.0.1 -::1", 0).unwrap();
        let set = ListenerSet::open_with(&list, Protocols::TcpAndUdp, &busy_options(), &Access::default());
        let set = set.map_err(|failed| failed.error)?;
        // The missing address was skipped for both protocols.
        assert_eq!((set.as_slice().len(), set.datagrams().len()), (2 - set.skipped().len(), 2 - set.skipped().len()));
        Ok(())
    };
    scenario().unwrap();
    for (name, syscall) in [
        ("socket", libc::SYS_socket),
        ("setsockopt", libc::SYS_setsockopt),
        ("getsockopt", libc::SYS_getsockopt),
        ("bind", libc::SYS_bind),
        ("getsockname", libc::SYS_getsockname),
    ] {
        with_every_errno(name, syscall, scenario);
    }
}

/// The second argument of `socket` is the kind, so TCP is open already when UDP fails.
#[test]
fn a_list_whose_udp_sockets_fail_leaves_nothing_open() {
    let list = BindList::parse("127.0.0.1 ::1", 0).unwrap();
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    for errno in [libc::EMFILE, libc::ENOBUFS, libc::EACCES] {
        with_own_descriptors(|| {
            let before = open_fds();
            fail_if(libc::SYS_socket, &[(1, kind)], errno);
            let failed = ListenerSet::open_with(&list, Protocols::TcpAndUdp, &SocketOptions::new(), &Access::default())
                .unwrap_err();
            assert_eq!((failed.index(), failed.error.errno()), (0, Some(Errno::from_raw_os_error(errno))));
            assert_eq!(open_fds(), before);
        });
    }
}

#[test]
fn datagrams_survive_every_fault() {
    let given = || {
        let server = listen::udp(any_local_address(), &SocketOptions::new()).unwrap();
        let addr = server.local_addr().unwrap();
        (server, addr)
    };
    let scenario = |(server, addr): &(Datagram, Endpoint)| {
        server.send_to(b"x", addr)?;
        server.recv_from(&mut [0; 8]).map(drop)
    };
    scenario(&given()).unwrap();
    for (name, syscall) in [("sendto", libc::SYS_sendto), ("recvfrom", libc::SYS_recvfrom)] {
        with_every_errno_given(name, syscall, given, |given| {
            let result = scenario(given);
            assert!(result.is_err());
            result
        });
    }
}

#[test]
fn opening_datagram_sockets_survives_every_fault() {
    let scenario = |peer: &Datagram| {
        let addr = peer.local_addr()?;
        Datagram::connected(&addr, &SocketOptions::new()).map_err(|error| error.error())?.disconnect()?;
        Datagram::bind(&UnixAddr::UNNAMED.into(), &SocketOptions::new()).map_err(|error| error.error())?;
        Datagram::pair().map(drop)
    };
    let given = || listen::udp(any_local_address(), &SocketOptions::new()).unwrap();
    scenario(&given()).unwrap();
    for (name, syscall) in [
        ("socket", libc::SYS_socket),
        ("connect", libc::SYS_connect),
        ("bind", libc::SYS_bind),
        ("getsockname", libc::SYS_getsockname),
        ("socketpair", libc::SYS_socketpair),
    ] {
        with_every_errno_given(name, syscall, given, |peer| {
            let result = scenario(peer);
            assert!(result.is_err());
            result
        });
    }
}

/// Descriptors in flight are not lost to a failing call, and a failing batch keeps its datagrams.
#[test]
fn messages_and_batches_survive_every_fault() {
    let given = || {
        let (one, other) = Datagram::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let mut space = [0; cmsg::fds_space(2)];
        let mut control = Encoder::new(&mut space);
        control.push_fds(&[file.as_fd(); 2]).unwrap();
        one.send_with(b"x", None, &control).unwrap();
        (one, other)
    };
    type Scenario = fn(&(Datagram, Datagram)) -> Result<()>;
    let scenarios: [(&str, i64, Scenario); 4] = [
        ("recvmsg", libc::SYS_recvmsg, |(_, other)| {
            other.recv_with(&mut [0; 8], &mut [0; cmsg::fds_space(2)]).map(drop)
        }),
        ("recvmmsg", libc::SYS_recvmmsg, |(_, other)| {
            let mut batch = Batch::<4, 8, { cmsg::fds_space(2) }>::new();
            let result = batch.recv(other).map(drop);
            assert_eq!(batch.is_empty(), result.is_err());
            result
        }),
        ("sendmsg", libc::SYS_sendmsg, |(one, _)| one.send_with(b"x", None, &Encoder::default())),
        ("sendmmsg", libc::SYS_sendmmsg, |(one, _)| {
            let mut batch = Batch::<4, 8>::new();
            batch.push(b"x", None).unwrap();
            let result = batch.send(one).map(drop);
            assert_eq!(batch.len(), usize::from(result.is_err()));
            result
        }),
    ];
    for (name, syscall, scenario) in scenarios {
        scenario(&given()).unwrap();
        for errno in (1..=133).filter(|&errno| errno != libc::EINTR) {
            let (result, leaked) = with_own_descriptors(|| {
                let given = given();
                let before = open_fds();
                fail(syscall, None, errno);
                (scenario(&given), open_fds() - before)
            });
            let error = result.unwrap_err();
            match error.cause() {
                Cause::DatagramTooLong { len: 1 } => assert_eq!(errno, libc::EMSGSIZE),
                cause => assert_eq!(cause, Cause::Errno(Errno::from_raw_os_error(errno)), "{name}"),
            }
            assert_eq!(leaked, 0, "{name} {errno}");
        }
    }
}

/// A path whose device cannot compute checksums refuses to split with `EIO`, others with `EINVAL`.
#[test]
fn a_refusal_to_split_datagrams_loses_none() {
    for errno in [libc::EIO, libc::EINVAL] {
        for syscall in [libc::SYS_sendmsg, libc::SYS_sendmmsg] {
            with_own_descriptors(|| {
                let server = listen::udp(any_local_address(), &SocketOptions::new()).unwrap();
                let client = Datagram::connected(&server.local_addr().unwrap(), &SocketOptions::new()).unwrap();
                let payload: Vec<u8> = (0..1005).map(|at| (at % 251) as u8).collect();
                fail(syscall, None, errno);
                if syscall == libc::SYS_sendmsg {
                    let mut segmenter = Segmenter::for_socket(&client);
                    assert_eq!(segmenter.send(&client, &payload, 100, None), Ok(1005));
                    assert_eq!(segmenter.is_offloaded(), errno == libc::EINVAL);
                } else {
                    let mut batch = Batch::<2, 2000>::new();
                    batch.push_segments(&payload, 100, None).unwrap();
                    assert_eq!(batch.send(&client), Ok(1));
                }
                for expected in payload.chunks(100) {
                    let mut buf = [0; 2000];
                    assert_eq!(server.recv(&mut buf).unwrap().bytes, expected);
                }
            });
        }
    }
}

#[test]
fn writing_a_port_file_survives_every_fault() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ports");
    std::fs::write(&path, "before").unwrap();
    let scenario = |listener: &Listener| port_file::write(&path, [listener], []);
    for (name, syscall) in [
        ("getsockname", libc::SYS_getsockname),
        ("write", libc::SYS_write),
        ("fsync", libc::SYS_fsync),
        ("rename", libc::SYS_renameat),
    ] {
        with_every_errno_given(name, syscall, any_listener, |listener| {
            let result = scenario(listener);
            assert!(result.is_err());
            result
        });
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before", "{name}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "{name} leaves a temporary file behind");
    }
    let listener = any_listener();
    scenario(&listener).unwrap();
    let line = format!("TCP INET: {}\n", listener.local_addr().unwrap().port().unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), line);
}

#[test]
fn a_port_file_that_cannot_be_created_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ports");
    // The kernel's number; libc's is 0, because there every file is large.
    let large_file = 0o100000;
    let new = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC | large_file;
    let opening_the_directory: (i64, &[(u8, i32)]) = (libc::SYS_open, &[]);
    // Counting descriptors opens a directory itself.
    let creating_the_file = (libc::SYS_openat, &[(2, new)][..]);
    for (syscall, args) in [opening_the_directory, creating_the_file] {
        for errno in (1..=133).filter(|&errno| errno != libc::EINTR) {
            with_own_descriptors(|| {
                let before = open_fds();
                match args {
                    [] => fail(syscall, None, errno),
                    _ => fail_if(syscall, args, errno),
                }
                let error = port_file::write(&path, [], []).unwrap_err();
                assert_eq!(error, Error::new(Op::Create, Errno::from_raw_os_error(errno)));
                assert_eq!(open_fds(), before);
            });
        }
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn accepting_survives_every_fault() {
    for (name, syscall) in [
        ("accept4", libc::SYS_accept4),
        ("setsockopt", libc::SYS_setsockopt),
        ("fcntl", libc::SYS_fcntl),
        ("accept", libc::SYS_accept),
    ] {
        let given = || {
            let tcp = listen::tcp(any_local_address(), &SocketOptions::new().with_priority(Some(1))).unwrap();
            let unix = listen::unix(&UnixAddr::UNNAMED, &busy_options(), &Access::default()).unwrap();
            [tcp, unix]
        };
        with_every_errno_given(name, syscall, given, |listeners| {
            let results = listeners.each_ref().map(|listener| {
                let mut pending = Pending::new([listener.local_addr()?], LocalAddr::Any);
                let _connected = pending.advance(|_| Ok(()));
                listener.accept().map(drop)
            });
            results.into_iter().filter(|result| !result.is_err_and(|error| error.is_would_block())).collect()
        });
    }
}

#[test]
fn connecting_survives_every_fault() {
    let given = || {
        let listener = any_listener();
        let server = [listener.local_addr().unwrap()];
        (listener, server)
    };
    let source = LocalAddr::Bound("127.0.0.1:0".parse().unwrap());
    let scenario = |(_, server): &(Listener, [Endpoint; 1])| {
        connect::blocking(server, Connector::from(source).with_timeout(Some(PATIENCE)))?;
        connected_by_poller(&mut Pending::new(server, source))?;
        Ok(())
    };
    scenario(&given()).unwrap();
    for (name, syscall) in [
        ("socket", libc::SYS_socket),
        ("setsockopt", libc::SYS_setsockopt),
        ("bind", libc::SYS_bind),
        ("getsockopt", libc::SYS_getsockopt),
        ("getsockname", libc::SYS_getsockname),
        ("getpeername", libc::SYS_getpeername),
        ("fcntl", libc::SYS_fcntl),
    ] {
        with_every_errno_given(name, syscall, given, scenario);
    }
    for errno in (1..=133).filter(|&errno| ![libc::EINTR, libc::EINPROGRESS].contains(&errno)) {
        let error = with_own_descriptors(|| {
            fail(libc::SYS_connect, None, errno);
            connect::blocking(&[any_local_address().into()], Connector::new().with_timeout(Some(PATIENCE))).unwrap_err()
        });
        assert_eq!(error.errno(), Some(Errno::from_raw_os_error(errno)));
    }
}

/// The server of the name is silent, so every way ends within a few milliseconds.
#[test]
fn connecting_to_a_name_survives_every_fault() {
    struct Given {
        dead: std::net::UdpSocket,
        lookups: std::cell::RefCell<[Lookup; 1]>,
    }
    const TICK: Duration = Duration::from_millis(1);
    let given = || {
        let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let config = Config::new().with_name_servers(&[dead.local_addr().unwrap()]).with_timeout(TICK);
        Given { dead, lookups: [Stub::with_config(c"/etc/hosts", config).unwrap().into()].into() }
    };
    let scenario = |Given { lookups, .. }: &Given| {
        let mut slots = [const { Slot::<()>::VACANT }; 2];
        let lookups = &mut *lookups.borrow_mut();
        let mut server = Server::new(&mut slots)?.with_lookups(lookups)?;
        let connector = Connector::new().with_timeout(Some(20 * TICK));
        for name in ["db.internal", "localhost"] {
            server.connect_to_name(name, 1, Families::OnlyV4, &connector, ())?;
            let error = loop {
                server.wait(Some(TICK))?;
                let failed = std::iter::from_fn(|| server.next_event()).find_map(|event| match event {
                    Event::Closing(_, CloseReason::ConnectFailed(error)) => Some(error),
                    _ => None,
                });
                if let Some(error) = failed {
                    break error;
                }
            };
            // What the names and the addresses come to without a fault.
            let is_usual =
                matches!(error.cause(), Cause::NoAnswer | Cause::Errno(Errno::CONNREFUSED | Errno::TIMEDOUT));
            if !is_usual {
                return Err(error);
            }
        }
        Ok(())
    };
    let whole = given();
    scenario(&whole).unwrap();
    whole.dead.set_nonblocking(true).unwrap();
    whole.dead.recv(&mut [0; 512]).unwrap();
    for (name, syscall) in [
        ("socket", libc::SYS_socket),
        ("connect", libc::SYS_connect),
        ("getrandom", libc::SYS_getrandom),
        ("sendto", libc::SYS_sendto),
        ("epoll_create1", libc::SYS_epoll_create1),
        ("epoll_ctl", libc::SYS_epoll_ctl),
        ("getsockopt", libc::SYS_getsockopt),
        ("read", libc::SYS_read),
    ] {
        with_every_errno_given(name, syscall, given, scenario);
    }
}

#[test]
fn waiting_and_pipes_survive_every_fault() {
    let scenario = || {
        let poller = Poller::new()?;
        let pipe = pipe(EndFlags::NONBLOCK, EndFlags::empty())?;
        poller.add(&pipe.write, 1, Interest::WRITABLE)?;
        poller.wait(&mut Events::<4>::new(), None).map(drop)
    };
    scenario().unwrap();
    for (name, syscall) in [
        ("epoll_create1", libc::SYS_epoll_create1),
        ("epoll_ctl", libc::SYS_epoll_ctl),
        ("epoll_wait", libc::SYS_epoll_wait),
        ("pipe", PIPE),
        ("fcntl", libc::SYS_fcntl),
    ] {
        with_every_errno(name, syscall, scenario);
    }
}

/// The peer stays connected: unwatched, it would occupy its slot until the linger timeout.
#[test]
fn a_connection_closed_lingering_that_cannot_be_watched_is_closed_at_once() {
    with_own_descriptors(|| {
        let (client, stream) = connected_pair();
        let mut slots = [Slot::VACANT];
        let mut server = Server::new(&mut slots).unwrap().with_lingering_timeout(PATIENCE);
        let peer = client.local_addr().unwrap();
        fail(libc::SYS_epoll_ctl, None, libc::ENOSPC);
        let key = server.insert(stream, peer, ()).unwrap();
        let before = open_fds();
        server.close_lingering(key);
        server.wait(Some(Duration::ZERO)).unwrap();
        assert!(server.next_event().is_none());
        assert_eq!(open_fds(), before - 1);
        assert_eq!(client.read(&mut [0]), Ok(0));
    });
}

/// A kernel booted without IPv6 fails when the socket is made.
#[test]
fn a_host_without_ipv6_serves_the_rest_of_the_list() {
    let open = |list| ListenerSet::open(&BindList::parse(list, 0).unwrap(), &SocketOptions::new(), &Access::default());
    with_own_descriptors(|| {
        fail(libc::SYS_socket, Some(libc::AF_INET6 as u64), libc::EAFNOSUPPORT);
        for list in ["127.0.0.1 ::1", "::* *"] {
            let set = open(list).unwrap();
            assert_eq!((set.as_slice().len(), set.skipped().len()), (1, 1), "{list}");
            assert_eq!(set.skipped()[0].error, Error::new(Op::Socket, Errno::AFNOSUPPORT));
        }
        assert_eq!(open("::1 ::*").unwrap_err().error.errno(), Some(Errno::AFNOSUPPORT));
    });
}

#[test]
fn a_kernel_without_pipe2_has_pipes() {
    with_own_descriptors(|| {
        for errno in [libc::ENOSYS, libc::EINVAL] {
            fail(libc::SYS_pipe2, None, errno);
            let pipe = pipe(EndFlags::NONBLOCK, EndFlags::empty()).unwrap();
            assert!(anet::option::nonblocking(&pipe.read).unwrap() && anet::option::cloexec(&pipe.read).unwrap());
            assert!(!anet::option::nonblocking(&pipe.write).unwrap() && anet::option::cloexec(&pipe.write).unwrap());
        }
    });
}

/// Without `IP_BIND_ADDRESS_NO_PORT` (before Linux 4.2) the source is bound to a separate port.
#[test]
fn a_kernel_that_cannot_share_ports_still_connects() {
    let listener = any_listener();
    let server = [listener.local_addr().unwrap()];
    with_own_descriptors(|| {
        fail_option(libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, libc::ENOPROTOOPT);
        let source = LocalAddr::Bound("127.0.0.5:0".parse().unwrap());
        let stream = connect::blocking(&server, source).unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), Some([127, 0, 0, 5].into()));
    });
}

fn fail_option(level: i32, option: i32, errno: i32) {
    fail_if(libc::SYS_setsockopt, &[(1, level), (2, option)], errno);
}

/// Makes a system call of this thread fail from now on, if its arguments at these positions have these values.
fn fail_if(syscall: i64, args: &[(u8, i32)], errno: i32) {
    let equals = |&(arg, value): &(u8, i32)| {
        SeccompCondition::new(arg, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value as u32 as u64).unwrap()
    };
    let rule = SeccompRule::new(args.iter().map(equals).collect()).unwrap();
    let rules = BTreeMap::from([(syscall, vec![rule])]);
    let action = SeccompAction::Errno(errno as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, TargetArch::x86_64).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

#[test]
fn the_error_names_the_call_that_failed() {
    if lacks_ipv6() {
        return;
    }
    type Scenario = fn() -> Result<()>;
    let listen_v6: Scenario =
        || listen::tcp(any_local_address_v6(), &SocketOptions::new()).map(drop).map_err(Error::from);
    let receive_v6: Scenario =
        || listen::udp(any_local_address_v6(), &SocketOptions::new()).map(drop).map_err(Error::from);
    let adopt_v4: Scenario = || Listener::adopt(any_listener()).map(drop);
    let inherit: Scenario = || {
        let list = BindList::parse("fd@0", 0).unwrap();
        ListenerSet::open(&list, &SocketOptions::new(), &Access::default())
            .map(drop)
            .map_err(|failed| failed.error.error())
    };
    let write_nothing: Scenario = || port_file::write(std::env::temp_dir().join("anet-no-such-file"), [], []);
    let cases = [
        (libc::SYS_socket, listen_v6, "socket: Permission denied"),
        (libc::SYS_setsockopt, listen_v6, "setsockopt SO_REUSEADDR: Permission denied"),
        (libc::SYS_bind, listen_v6, "bind: Permission denied"),
        (libc::SYS_listen, listen_v6, "listen: Permission denied"),
        (libc::SYS_bind, receive_v6, "bind: Permission denied"),
        (libc::SYS_getsockopt, receive_v6, "getsockopt SO_SNDBUF: Permission denied"),
        (libc::SYS_fsync, write_nothing, "fsync: Permission denied"),
        (libc::SYS_renameat, write_nothing, "rename: Permission denied"),
        (libc::SYS_epoll_create1, || Poller::new().map(drop), "epoll_create1: Permission denied"),
        (libc::SYS_eventfd2, || Waker::new().map(drop), "eventfd: Permission denied"),
        (libc::SYS_eventfd2, || Reserve::new(b"").map(drop), "eventfd: Permission denied"),
        (libc::SYS_getsockopt, adopt_v4, "getsockopt SO_ACCEPTCONN: Permission denied"),
        (libc::SYS_fcntl, inherit, "fcntl(F_DUPFD_CLOEXEC): Permission denied"),
        (PIPE, || pipe(EndFlags::empty(), EndFlags::empty()).map(drop), "pipe: Permission denied"),
    ];
    for (syscall, scenario, text) in cases {
        let error: Error = with_own_descriptors(|| {
            fail(syscall, None, libc::EACCES);
            scenario().unwrap_err()
        });
        assert_eq!(error.to_text().as_str(), text);
    }
}
