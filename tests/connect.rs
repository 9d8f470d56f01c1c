//! Connecting: the order of attempts, failures, and cleanup.

mod support;

use std::{
    net::SocketAddr,
    sync::mpsc,
    time::{Duration, Instant},
};

use anet::{
    Endpoint, Errno, Error, Listener, Op, Result, SocketOptions, Stream, UnixAddr,
    connect::{self, Connector, LocalAddr, Outcome, Pending, race},
    error::Cause,
    listen::{self, Access},
    option,
    resolve::{Address, Addresses, Family, Source},
};
use support::*;

const MS: Duration = Duration::from_millis(1);

/// An address that refuses connections, with a port that no other test on this host gets.
fn refusing() -> Endpoint {
    listen::tcp("127.0.79.1:0".parse().unwrap(), &SocketOptions::new()).unwrap().local_addr().unwrap()
}

fn connect_both_ways(endpoints: &[Endpoint], source: LocalAddr) -> [Result<Stream>; 3] {
    [
        connected_by_poller(&mut Pending::new(endpoints, source)).map_err(Error::from),
        connect::blocking(endpoints, source).map_err(Error::from),
        connect::blocking(endpoints, Connector::from(source).with_timeout(Some(PATIENCE))).map_err(Error::from),
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
fn the_most_telling_error_is_reported_whatever_its_place() {
    let (unusable, absent): (Endpoint, Endpoint) = ("[fe80::1]:1".parse().unwrap(), "/nowhere".parse().unwrap());
    for list in [[unusable, refusing()], [refusing(), unusable], [absent, refusing()], [refusing(), absent]] {
        for result in connect_both_ways(&list, LocalAddr::Any) {
            assert_eq!(result.unwrap_err().errno(), Some(Errno::CONNREFUSED));
        }
    }
    for list in [[unusable, absent], [absent, unusable]] {
        for result in connect_both_ways(&list, LocalAddr::Any) {
            assert_eq!(result.unwrap_err().errno(), Some(Errno::NOENT));
        }
    }
}

#[test]
fn a_refusal_names_the_first_address_that_refused() {
    let (first, last) = (refusing(), refusing());
    let text = format!("connect {first}: Connection refused");
    let refused = connect::blocking(&[first, last], Connector::new().with_timeout(Some(PATIENCE))).unwrap_err();
    assert_eq!((refused.to_string(), refused.endpoint()), (text.clone(), Some(&first)));
    let refused = connected_by_poller(&mut Pending::new([first, last], LocalAddr::Any)).unwrap_err();
    assert_eq!(refused.to_string(), text);
}

#[test]
fn every_attempt_is_listed_with_its_time_and_outcome() {
    let listener = any_listener();
    let (dead, good) = (refusing(), listener.local_addr().unwrap());
    let source = LocalAddr::BestEffort("127.0.0.9:0".parse().unwrap());
    let refused = Outcome::Failed(Error::new(Op::Connect, Errno::CONNREFUSED));
    let mut pending = Pending::new([dead, good, dead], source);
    assert_eq!(pending.attempts().count(), 0);
    connected_by_poller(&mut pending).unwrap();
    let tried: Vec<_> = pending.attempts().map(|tried| (*tried.endpoint, tried.has_source, tried.outcome)).collect();
    assert_eq!(tried, [(dead, true, refused), (good, true, Outcome::Connected)]);
    assert!(pending.attempts().all(|tried| tried.began < PATIENCE && tried.took > Duration::ZERO));

    let mut pending = Pending::new([dead], source);
    pending.wait().unwrap_err();
    let tried: Vec<_> = pending.attempts().map(|tried| (tried.has_source, tried.outcome)).collect();
    assert_eq!(tried, [(true, refused), (false, refused)]);
}

#[test]
fn an_error_of_a_source_that_is_not_local_names_the_source() {
    let server = [any_listener().local_addr().unwrap()];
    let source = LocalAddr::Bound("203.0.113.1:0".parse().unwrap());
    let refused = connect::blocking(&server, source).unwrap_err();
    assert_eq!(refused.to_string(), "bind 203.0.113.1:0: Cannot assign requested address");
}

/// Every socket that is reported by `watch` is closed, but the one that connects.
#[test]
fn a_race_leaves_no_socket_but_the_winners_open() {
    let unix = listen::unix(&UnixAddr::UNNAMED, &SocketOptions::new(), &Access::default()).unwrap();
    let (unix, dead) = (unix.local_addr().unwrap(), refusing());
    let ((silent, _fills_the_queue), listener) = (silent_listener(), any_listener());
    let (silent, good) = (silent.local_addr().unwrap(), listener.local_addr().unwrap());
    with_own_descriptors(|| {
        let before = open_fds();
        for list in [[silent, good], [dead, unix], [silent, dead], [good, silent]] {
            let connector = Connector::new().with_stagger(20 * MS).with_timeout(Some(200 * MS));
            for mut pending in [Pending::new(list, connector), Pending::new(list, connector)] {
                let connected = connected_by_poller(&mut pending);
                assert_eq!(open_fds(), before + usize::from(connected.is_ok()), "{pending:?}");
            }
            drop(Pending::new(list, connector).advance(|_| Ok(())));
            assert_eq!(open_fds(), before);
        }
    });
}

#[test]
fn an_address_that_does_not_answer_costs_a_stagger() {
    let ((silent, _fills_the_queue), listener) = (silent_listener(), any_listener());
    let list = [silent.local_addr().unwrap(), listener.local_addr().unwrap()];
    for is_polled in [true, false] {
        let start = Instant::now();
        let mut pending = Pending::new(list, LocalAddr::Any);
        let stream = if is_polled { connected_by_poller(&mut pending) } else { pending.wait() };
        assert_eq!(stream.unwrap().peer_addr().unwrap(), list[1]);
        assert!(start.elapsed() >= race::STAGGER_DEFAULT && start.elapsed() < 3 * SECOND, "{:?}", start.elapsed());
        let outcomes: Vec<_> = pending.attempts().map(|tried| tried.outcome).collect();
        assert_eq!(outcomes, [Outcome::Abandoned, Outcome::Connected]);
    }
}

#[test]
fn the_time_for_all_addresses_ends_the_attempts_that_are_running() {
    let (silent, _fills_the_queue) = silent_listener();
    let list = [silent.local_addr().unwrap(); 3];
    let timed_out = Outcome::Failed(Error::new(Op::Connect, Errno::TIMEDOUT));
    for is_polled in [true, false] {
        let connector = Connector::new().with_stagger(20 * MS).with_timeout(Some(100 * MS));
        let (start, mut pending) = (Instant::now(), Pending::new(list, connector));
        let error = if is_polled { connected_by_poller(&mut pending) } else { pending.wait() }.unwrap_err();
        assert_eq!((error.errno(), error.endpoint()), (Some(Errno::TIMEDOUT), Some(&list[0])));
        assert!(start.elapsed() >= 100 * MS && start.elapsed() < 3 * SECOND, "{:?}", start.elapsed());
        assert!(pending.attempts().map(|tried| tried.outcome).eq([timed_out; 3]));
    }
}

/// A silent address does not keep a later one from being tried, even if it is the only one left.
#[test]
fn a_failure_begins_the_next_attempt_at_once() {
    let ((silent, _fills_the_queue), listener) = (silent_listener(), any_listener());
    let list = [refusing(), refusing(), listener.local_addr().unwrap(), silent.local_addr().unwrap()];
    let connector = Connector::new().with_stagger(Duration::MAX);
    assert_eq!(connect::blocking(&list, connector).unwrap().peer_addr().unwrap(), list[2]);
}

/// With an owned list, a table of attempts borrows nothing.
#[test]
fn attempts_in_progress_can_be_stored_and_sent_to_another_thread() {
    fn is_free<T: Send + 'static>(_: &T) {}
    let listener = any_listener();
    let good = listener.local_addr().unwrap();
    let list: std::sync::Arc<[Endpoint]> = [refusing(), good].into();
    let mut table: Vec<_> = (0..3).map(|_| Pending::new(list.clone(), LocalAddr::Any)).collect();
    is_free(&table);
    for pending in &mut table {
        assert_eq!(connected_by_poller(pending).unwrap().peer_addr().unwrap(), good);
    }
}

#[test]
fn no_address_and_an_unknown_one_are_refused_without_a_call() {
    let refusal = |list: &[Endpoint]| connect::blocking(list, LocalAddr::Any).unwrap_err();
    assert_eq!(refusal(&[]).to_string(), "connect: No address to try");
    assert_eq!(refusal(&[Endpoint::Unknown { family: 40 }]).cause(), Cause::UnknownFamily { family: 40 });
    assert_eq!(refusal(&[any_local_address().into(); race::CANDIDATES_MAX + 1]).cause(), Cause::TooManyAddresses);
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
fn advancing_too_early_changes_nothing() {
    let (silent, _fills_the_queue) = silent_listener();
    let mut pending = Pending::new([silent.local_addr().unwrap()], LocalAddr::Any);
    for _ in 0..3 {
        assert!(pending.advance(|_| Ok(())).unwrap().is_none());
        assert_eq!((pending.attempts().count(), pending.timeout()), (1, None));
    }
}

#[test]
fn addresses_can_arrive_while_attempts_are_running() {
    let (listener, dead) = (any_listener(), refusing());
    let mut pending = Pending::new(vec![], LocalAddr::Any).awaiting(Family::V4).awaiting(Family::V6);
    assert!(pending.advance(|_| Ok(())).unwrap().is_none() && pending.timeout().is_none());
    pending.push(dead);
    pending.answered(Family::V4);
    eventually(PATIENCE, || {
        assert!(pending.advance(|_| Ok(())).unwrap().is_none());
        pending.attempts().any(|tried| tried.outcome != Outcome::Running).then_some(())
    });
    pending.push(listener.local_addr().unwrap());
    pending.answered(Family::V6);
    let stream = connected_by_poller(&mut pending).unwrap();
    assert_eq!((stream.peer_addr().unwrap(), pending.attempts().count()), (listener.local_addr().unwrap(), 2));
}

#[test]
fn a_lookup_adds_each_address_once_and_leaves_room_for_the_other_family() {
    let port = refusing().port().unwrap();
    let addresses = |ips: &[String]| -> Addresses {
        ips.iter().map(|ip| Address::new(SocketAddr::new(ip.parse().unwrap(), port), Source::Other)).collect()
    };
    let v4: Vec<String> = (1..=16).map(|n| format!("127.0.0.{n}")).collect();
    let all = [&v4[..8], &["::1".to_owned(), "::1".to_owned(), v4[0].clone()]].concat();
    let mut pending = Pending::new(Vec::new(), LocalAddr::Any).awaiting(Family::V4).awaiting(Family::V6);
    pending.resolved(&Addresses::new(), false);
    assert!(pending.timeout().is_none());
    pending.resolved(&addresses(&v4), false);
    pending.resolved(&addresses(&v4), false);
    // Every address refuses, but the other family is still to come.
    eventually(PATIENCE, || {
        assert!(pending.advance(|_| Ok(())).unwrap().is_none());
        (pending.attempts().filter(|tried| tried.outcome != Outcome::Running).count() == 8).then_some(())
    });
    pending.resolved(&addresses(&all), true);
    pending.wait().unwrap_err();
    let tried: Vec<_> = pending.attempts().map(|tried| *tried.endpoint).collect();
    assert_eq!(tried, addresses(&all).iter().map(Address::endpoint).collect::<Vec<_>>());
}

#[test]
fn waiting_takes_the_list_as_complete() {
    let dead = refusing();
    let mut pending = Pending::new(vec![dead], LocalAddr::Any).awaiting(Family::V6);
    assert_eq!(pending.wait().unwrap_err().errno(), Some(Errno::CONNREFUSED));
    let mut pending = Pending::new(Vec::new(), LocalAddr::Any).awaiting(Family::V6);
    assert_eq!(pending.wait().unwrap_err().cause(), Cause::NothingToTry);
}

#[test]
fn a_socket_that_cannot_be_watched_is_a_failed_attempt() {
    let listener = any_listener();
    let list = [listener.local_addr().unwrap(); 2];
    let mut pending = Pending::new(list, LocalAddr::Any);
    let full = Error::new(Op::EventControl, Errno::NOSPC);
    let error = pending.advance(|_| Err(full)).unwrap_err();
    assert_eq!((error.error(), pending.attempts().count()), (full, 2));
}

#[test]
fn a_connect_to_a_silent_listener_times_out() {
    let (silent, _fills_the_queue) = silent_listener();
    let timeout = Duration::from_millis(100);
    let start = Instant::now();
    let error =
        connect::blocking(&[silent.local_addr().unwrap()], Connector::new().with_timeout(Some(timeout))).unwrap_err();
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
fn a_unix_server_with_a_full_backlog_is_tried_again() {
    let (listener, server, _fills_the_backlog) = full_unix_listener();
    let mut pending = Pending::new(&server, LocalAddr::Any);
    let start = Instant::now();
    while start.elapsed() < 50 * MS {
        assert!(pending.advance(|_| Ok(())).unwrap().is_none());
        assert!(pending.timeout().is_some_and(|time| time < SECOND));
        std::thread::sleep(pending.timeout().unwrap());
    }
    accept_within(&listener, PATIENCE);
    assert_eq!(connected_by_poller(&mut pending).unwrap().peer_addr().unwrap(), server[0]);
    assert_eq!(pending.attempts().count(), 1);
}

#[test]
fn a_full_unix_backlog_gives_way_to_the_next_address_after_a_stagger() {
    let ((_full, [full], _fills_the_backlog), listener) = (full_unix_listener(), any_listener());
    let list = [full, listener.local_addr().unwrap()];
    for is_polled in [true, false] {
        let mut pending = Pending::new(list, Connector::new().with_stagger(20 * MS));
        let stream = if is_polled { connected_by_poller(&mut pending) } else { pending.wait() };
        assert_eq!(stream.unwrap().peer_addr().unwrap(), list[1]);
    }
}

#[test]
fn a_wait_for_room_in_a_unix_backlog_ends_in_time_or_with_room() {
    let (listener, server, _fills_the_backlog) = full_unix_listener();
    let timeout = Duration::from_millis(50);
    let start = Instant::now();
    let error = connect::blocking(&server, Connector::new().with_timeout(Some(timeout))).unwrap_err();
    assert_eq!(error, Error::new(Op::Connect, Errno::TIMEDOUT));
    assert!(start.elapsed() >= timeout);
    for timeout in [None, Some(PATIENCE)] {
        std::thread::scope(|scope| {
            let waiting = scope
                .spawn(|| interrupted(|| connect::blocking(&server, Connector::new().with_timeout(timeout)).unwrap()));
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
            let result = interrupted(|| connect::blocking(&server, Connector::new().with_timeout(Some(timeout))));
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
        connect::blocking(&server, Connector::new().with_timeout(Some(timeout))).unwrap_err();
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
            let error = connect::blocking(&[refusing], Connector::new().with_timeout(Some(SECOND))).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::CONNREFUSED));
            listener.accept_batch(10, |_, _| {});
        }
    });
}
