//! Connecting: the order of attempts, failures, and cleanup.

mod support;

use std::{
    net::SocketAddr,
    sync::mpsc,
    time::{Duration, Instant},
};

use anet::{
    Endpoint, Errno, Error, Listener, Op, Result, SocketOptions, Stream, UnixAddr,
    connect::{self, Connector, LocalAddr, Pending, Progress},
    error::Cause,
    event::{Events, Interest, Poller},
    fd::OwnedFd,
    listen::{self, Access},
    option,
};
use support::*;

/// An address that refuses connections, with a port that no other test on this host gets.
fn refusing() -> Endpoint {
    listen::tcp("127.0.79.1:0".parse().unwrap(), &SocketOptions::new()).unwrap().local_addr().unwrap()
}

/// Completes a non-blocking connection with a poller, as a server would.
fn finished<L: AsRef<[Endpoint]>>(mut progress: Progress<L>) -> Result<Stream> {
    let poller = Poller::new()?;
    loop {
        let pending = match progress {
            Progress::Connected(stream) => return Ok(stream),
            Progress::Started(pending) => {
                poller.add(&pending, 1, Interest::WRITABLE)?;
                pending
            }
            Progress::Pending(pending) => pending,
        };
        assert_eq!(poller.wait(&mut Events::<4>::new(), Some(PATIENCE))?, 1, "not in time");
        progress = pending.finish()?;
    }
}

/// The progress after the current attempt.
fn after<L: AsRef<[Endpoint]>>(mut progress: Progress<L>) -> Result<Progress<L>> {
    loop {
        progress = pending(progress).finish()?;
        if !matches!(progress, Progress::Pending(_)) {
            return Ok(progress);
        }
        std::thread::yield_now();
    }
}

/// The current attempt.
fn pending<L>(progress: Progress<L>) -> Pending<L> {
    match progress {
        Progress::Started(pending) | Progress::Pending(pending) => pending,
        Progress::Connected(stream) => panic!("connected at once: {stream:?}"),
    }
}

fn connect_both_ways(endpoints: &[Endpoint], source: LocalAddr) -> [Result<Stream>; 3] {
    [
        connect::start(endpoints, source).map_err(Error::from).and_then(finished),
        connect::blocking(endpoints, source).map_err(Error::from),
        connect::blocking(endpoints, Connector::from(source).with_attempt_timeout(Some(PATIENCE))).map_err(Error::from),
    ]
}

#[test]
fn a_listener_is_reached_over_every_transport() {
    let tcp = any_local_addresses().into_iter().map(|addr| listen::tcp(addr, &SocketOptions::new()).unwrap());
    let unix = listen::unix(&UnixAddr::UNNAMED, &SocketOptions::new(), &Access::default()).unwrap();
    for listener in tcp.chain([unix]) {
        let server = listener.local_addr().unwrap();
        for stream in connect_both_ways(&[server], LocalAddr::Any) {
            assert_eq!(stream.unwrap().peer_addr().unwrap(), server);
        }
    }
}

#[test]
fn a_started_stream_is_nonblocking_and_a_blocking_connect_returns_a_blocking_one() {
    let listener = any_listener();
    let [started, waited, timed] =
        connect_both_ways(&[listener.local_addr().unwrap()], LocalAddr::Any).map(Result::unwrap);
    assert!(option::nonblocking(&started).unwrap());
    assert!(!option::nonblocking(&waited).unwrap() && !option::nonblocking(&timed).unwrap());
    for stream in [started, waited, timed] {
        assert!(option::cloexec(&stream).unwrap());
    }
}

#[test]
fn a_port_without_listener_refuses_and_leaves_nothing_open() {
    with_own_descriptors(|| {
        let before = open_fds();
        for result in connect_both_ways(&[refusing(), refusing()], LocalAddr::Any) {
            assert_eq!(result.unwrap_err().to_string(), "connect: Connection refused");
        }
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn the_next_address_is_tried_when_one_fails_at_once() {
    let listener = any_listener();
    let good = listener.local_addr().unwrap();
    // A v6 link-local address without a scope fails without a packet.
    let unusable: Endpoint = "[fe80::1]:1".parse().unwrap();
    for result in connect_both_ways(&[unusable, good], LocalAddr::Any) {
        assert_eq!(result.unwrap().peer_addr().unwrap(), good);
    }
    let waited = connect::blocking(&[refusing(), good], LocalAddr::Any).unwrap();
    assert_eq!(waited.peer_addr().unwrap(), good);
}

#[test]
fn the_next_address_is_tried_when_one_refuses_after_a_while() {
    let listener = any_listener();
    let good = listener.local_addr().unwrap();
    for list in
        [&[refusing(), good][..], &[refusing(), refusing(), good], &[refusing(), "[fe80::1]:1".parse().unwrap(), good]]
    {
        for result in connect_both_ways(list, LocalAddr::Any) {
            assert_eq!(result.unwrap().peer_addr().unwrap(), good);
        }
    }
}

#[test]
fn the_last_error_is_reported() {
    let unusable: Endpoint = "[fe80::1]:1".parse().unwrap();
    for result in connect_both_ways(&[unusable, refusing()], LocalAddr::Any) {
        assert_eq!(result.unwrap_err().errno(), Some(Errno::CONNREFUSED));
    }
    if lacks_ipv6() {
        return;
    }
    for result in connect_both_ways(&[refusing(), unusable], LocalAddr::Any) {
        assert_eq!(result.unwrap_err().cause(), Cause::MissingScope);
    }
}

#[test]
fn a_refusal_names_the_address() {
    let (first, last) = (refusing(), refusing());
    let text = format!("connect {last}: Connection refused");
    let refused = connect::blocking(&[first, last], Connector::new().with_attempt_timeout(Some(PATIENCE))).unwrap_err();
    assert_eq!((refused.to_string(), refused.endpoint()), (text.clone(), Some(&last)));
    let mut progress = connect::start([first, last], LocalAddr::Any);
    let refused = loop {
        match progress {
            Ok(progressed) => progress = pending(progressed).finish(),
            Err(error) => break Box::<dyn std::error::Error>::from(error),
        }
    };
    assert_eq!(refused.to_string(), text);
}

#[test]
fn an_error_of_a_source_that_is_not_local_names_the_source() {
    let server = [any_listener().local_addr().unwrap()];
    let source = LocalAddr::Bound("203.0.113.1:0".parse().unwrap());
    let refused = connect::blocking(&server, source).unwrap_err();
    assert_eq!(refused.to_string(), "bind 203.0.113.1:0: Cannot assign requested address");
}

/// A Unix connection is established at once, yet its descriptor is reported before the connection.
#[test]
fn a_next_attempt_is_started_on_a_new_descriptor_even_if_it_is_connected_at_once() {
    let listener = listen::unix(&UnixAddr::UNNAMED, &SocketOptions::new(), &Access::default()).unwrap();
    let good = listener.local_addr().unwrap();
    with_own_descriptors(|| {
        let before = open_fds();
        let refused = connect::start([refusing(), good], LocalAddr::Any).unwrap();
        let Progress::Started(next) = after(refused).unwrap() else { panic!("not started anew") };
        assert_eq!((next.peer_addr(), open_fds()), (&good, before + 1));
        let Progress::Connected(stream) = next.finish().unwrap() else { panic!("not connected") };
        assert_eq!(stream.peer_addr().unwrap(), good);
        drop(stream);
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn after_its_timeout_an_address_gives_way_to_the_next() {
    let ((silent, _fills_the_queue), listener) = (silent_listener(), any_listener());
    let (silent, good) = (silent.local_addr().unwrap(), listener.local_addr().unwrap());
    let next = pending(connect::start([silent, good], LocalAddr::Any).unwrap()).time_out().unwrap();
    assert!(matches!(next, Progress::Started(_)));
    assert_eq!(finished(next).unwrap().peer_addr().unwrap(), good);

    let error = pending(connect::start([silent], LocalAddr::Any).unwrap()).time_out().unwrap_err();
    assert_eq!(error, Error::new(Op::Connect, Errno::TIMEDOUT));
}

/// Both addresses refuse a client with this source, and the second pass omits the source.
#[test]
fn a_best_effort_source_is_omitted_once_all_addresses_have_refused() {
    let source: SocketAddr = "127.0.0.9:0".parse().unwrap();
    let dead = [refusing(), refusing()];
    let mut attempts = vec![];
    let mut progress = connect::start(&dead, LocalAddr::BestEffort(source)).map_err(|error| error.error());
    while let Ok(Progress::Started(pending)) = progress {
        let local = SocketAddr::try_from(rustix::net::getsockname(&pending).unwrap()).unwrap();
        attempts.push((*pending.peer_addr(), local.ip().to_string()));
        progress = after(Progress::Pending(pending));
    }
    assert_eq!(progress.unwrap_err().errno(), Some(Errno::CONNREFUSED));
    let from = |ip: &str| dead.map(|endpoint| (endpoint, ip.to_owned()));
    assert_eq!(attempts, [from("127.0.0.9"), from("127.0.0.1")].concat());
}

/// With an owned list, a table of attempts borrows nothing.
#[test]
fn attempts_in_progress_can_be_stored_and_sent_to_another_thread() {
    fn is_free<T: Send + 'static>(_: &T) {}
    let listener = any_listener();
    let good = listener.local_addr().unwrap();
    let list: std::sync::Arc<[Endpoint]> = [refusing(), good].into();
    let table: Vec<_> = (0..3).map(|_| connect::start(list.clone(), LocalAddr::Any).unwrap()).collect();
    is_free(&table);
    for progress in table {
        assert_eq!(finished(progress).unwrap().peer_addr().unwrap(), good);
    }
}

#[test]
fn no_address_and_an_unknown_one_are_refused_without_a_call() {
    let error = connect::start([], LocalAddr::Any).unwrap_err();
    assert_eq!(error.to_string(), "connect: No address to try");
    let error = connect::start([Endpoint::Unknown { family: 40 }], LocalAddr::Any).unwrap_err();
    assert_eq!(error.cause(), Cause::UnknownFamily { family: 40 });
}

#[test]
fn a_source_address_is_the_one_connected_from() {
    let listener = any_listener();
    let source: SocketAddr = "127.0.0.9:0".parse().unwrap();
    for source in [LocalAddr::Bound(source), LocalAddr::BestEffort(source)] {
        for result in connect_both_ways(&[listener.local_addr().unwrap()], source) {
            let local = result.unwrap().local_addr().unwrap();
            assert_eq!(local.ip(), Some([127, 0, 0, 9].into()));
        }
    }
}

#[test]
fn a_source_that_is_not_local_fails_unless_best_effort() {
    let listener = any_listener();
    let server = [listener.local_addr().unwrap()];
    let foreign: SocketAddr = "203.0.113.1:0".parse().unwrap();
    for result in connect_both_ways(&server, LocalAddr::Bound(foreign)) {
        assert_eq!(result.unwrap_err(), Error::new(Op::Bind, Errno::ADDRNOTAVAIL));
    }
    for result in connect_both_ways(&server, LocalAddr::BestEffort(foreign)) {
        assert_eq!(result.unwrap().local_addr().unwrap().ip(), Some([127, 0, 0, 1].into()));
    }
}

#[test]
fn a_source_of_the_other_family_fails_unless_best_effort() {
    let listener = any_listener();
    let server = [listener.local_addr().unwrap()];
    let v6: SocketAddr = "[::1]:0".parse().unwrap();
    assert!(connect::blocking(&server, LocalAddr::Bound(v6)).is_err());
    assert!(connect::blocking(&server, LocalAddr::BestEffort(v6)).is_ok());
}

#[test]
fn the_source_leaves_the_port_to_be_shared() {
    let listener = any_listener();
    let source = LocalAddr::Bound("127.0.0.1:0".parse().unwrap());
    let stream = connect::blocking(&[listener.local_addr().unwrap()], source).unwrap();
    assert!(option::bind_address_no_port(&stream).unwrap());
}

#[test]
fn a_connection_in_progress_is_pending() {
    let (silent, _fills_the_queue) = silent_listener();
    let pending = pending(connect::start([silent.local_addr().unwrap()], LocalAddr::Any).unwrap());
    assert_eq!(pending.peer_addr(), &silent.local_addr().unwrap());
    assert!(matches!(pending.finish(), Ok(Progress::Pending(_))));
}

#[test]
fn a_connection_in_progress_can_be_moved_to_another_owner() {
    let listener = any_listener();
    let pending = pending(connect::start([listener.local_addr().unwrap()], LocalAddr::Any).unwrap());
    let stream = Stream::from(OwnedFd::from(pending));
    let (_, peer) = accept_within(&listener, PATIENCE);
    assert_eq!(stream.local_addr().unwrap(), peer);
}

#[test]
fn a_connect_to_a_silent_listener_times_out() {
    let (silent, _fills_the_queue) = silent_listener();
    let timeout = Duration::from_millis(100);
    let start = Instant::now();
    let error =
        connect::blocking(&[silent.local_addr().unwrap()], Connector::new().with_attempt_timeout(Some(timeout)))
            .unwrap_err();
    assert_eq!(error, Error::new(Op::Connect, Errno::TIMEDOUT));
    assert!(start.elapsed() >= timeout && start.elapsed() < 5 * SECOND);
}

/// A listener whose queue is full, so the kernel drops every further attempt, and the connections that fill it.
fn silent_listener() -> (Listener, Stream) {
    let listener = listen::tcp(any_local_address(), &SocketOptions::new().with_backlog(0)).unwrap();
    let fills_the_queue = client_of(&listener);
    (listener, fills_the_queue)
}

/// The port is the client's ephemeral one, so the kernel connects the socket to itself.
#[test]
fn a_self_connection_is_an_error() {
    let own = refusing().as_inet().unwrap();
    for result in connect_both_ways(&[own.into()], LocalAddr::Bound(own)) {
        assert_eq!(result.unwrap_err().cause(), Cause::SelfConnected);
    }
}

/// A Unix listener whose backlog is full, a list of its address, and the connections that fill it.
fn full_unix_listener() -> (Listener, [Endpoint; 1], Stream) {
    let options = SocketOptions::new().with_backlog(0);
    let listener = listen::unix(&UnixAddr::UNNAMED, &options, &Access::default()).unwrap();
    let server = listener.local_addr().unwrap();
    (listener, [server], client_at(server))
}

#[test]
fn a_unix_server_with_a_full_backlog_would_block_and_nothing_is_started() {
    let (listener, server, _fills_the_backlog) = full_unix_listener();
    let error = connect::start(&server, LocalAddr::Any).unwrap_err();
    assert_eq!((error.op(), error.error().is_would_block()), (Op::Connect, true));
    accept_within(&listener, PATIENCE);
    assert!(matches!(connect::start(&server, LocalAddr::Any), Ok(Progress::Connected(_))));
}

#[test]
fn a_wait_for_room_in_a_unix_backlog_ends_in_time_or_with_room() {
    let (listener, server, _fills_the_backlog) = full_unix_listener();
    let timeout = Duration::from_millis(50);
    let start = Instant::now();
    let error = connect::blocking(&server, Connector::new().with_attempt_timeout(Some(timeout))).unwrap_err();
    assert_eq!(error, Error::new(Op::Connect, Errno::TIMEDOUT));
    assert!(start.elapsed() >= timeout);
    for timeout in [None, Some(PATIENCE)] {
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                interrupted(|| connect::blocking(&server, Connector::new().with_attempt_timeout(timeout)).unwrap())
            });
            // The signals must arrive during the wait.
            std::thread::sleep(Duration::from_millis(20));
            accept_within(&listener, PATIENCE);
            let stream = waiting.join().unwrap();
            assert_eq!(option::send_timeout(&stream).unwrap(), None);
        });
    }
}

#[test]
fn signals_do_not_lengthen_a_wait_for_room_in_a_unix_backlog() {
    let (listener, server, _fills_the_backlog) = full_unix_listener();
    let timeout = Duration::from_millis(100);
    let (to_test, from_client) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            let result =
                interrupted(|| connect::blocking(&server, Connector::new().with_attempt_timeout(Some(timeout))));
            to_test.send((result, start.elapsed())).unwrap();
        });
        let in_time = from_client.recv_timeout(SECOND);
        // Whatever the outcome, the client must not wait forever.
        listener.accept_batch(10, |_, _| {});
        let (result, elapsed) = in_time.expect("not given up within a second");
        assert_eq!(result.unwrap_err(), Error::new(Op::Connect, Errno::TIMEDOUT));
        assert!(elapsed >= timeout);
    });
}

/// The kernel alone takes 2.23 s for a limit of 2.1 s. One undisturbed round suffices.
#[test]
fn a_long_wait_for_room_in_a_unix_backlog_is_not_much_longer_than_its_limit() {
    let (_listener, server, _fills_the_backlog) = full_unix_listener();
    let timeout = Duration::from_millis(2100);
    let given_up_after = || {
        let start = Instant::now();
        connect::blocking(&server, Connector::new().with_attempt_timeout(Some(timeout))).unwrap_err();
        start.elapsed()
    };
    let rounds: Vec<_> =
        (0..3).map(|_| given_up_after()).take_while(|&elapsed| elapsed > timeout * 104 / 100).collect();
    assert!(rounds.len() < 3, "{rounds:?}");
}

#[test]
fn a_missing_unix_path_is_an_error() {
    let endpoint: Endpoint = "/nowhere/at/all".parse().unwrap();
    for result in connect_both_ways(&[endpoint], LocalAddr::Any) {
        assert_eq!(result.unwrap_err(), Error::new(Op::Connect, Errno::NOENT));
    }
}

/// A signal every 200 us without `SA_RESTART`, while 200 connections are established and refused.
#[test]
fn signals_do_not_disturb_a_blocking_connect() {
    let listener = any_listener();
    let server = listener.local_addr().unwrap();
    let refusing = refusing();
    interrupted(|| {
        for _ in 0..200 {
            connect::blocking(&[server], LocalAddr::Any).unwrap();
            let error =
                connect::blocking(&[refusing], Connector::new().with_attempt_timeout(Some(SECOND))).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::CONNREFUSED));
            listener.accept_batch(10, |_, _| {});
        }
    });
}
