//! The system calls of the acceptor, and how it handles failing ones.

use std::collections::HashSet;

use anet::accept::{Acceptor, Counters, Outcome, Reserve, Watch};

use crate::{
    trace::{Trace, between_marks, traced},
    *,
};

const NOW: Duration = Duration::ZERO;
/// The call that reads the length of a queue.
const COUNT: &str = "getsockopt";
/// The call that checks for a pending connection.
const POLL: &str = "ppoll";
/// Clients of the test that fails one call in three with each of four errors, and how many wait at a time.
const CLIENTS: usize = 2500;
const AT_A_TIME: usize = 500;

/// The first turn for as many clients.
fn one_turn(listener: Listener, clients: usize, limit: usize) -> Outcome {
    let (listener, _poller, _clients) = with_clients(listener, clients);
    let mut acceptor = Acceptor::new().with_limit(limit);
    let mut turn = None;
    between_marks(Vec::with_capacity(clients), |streams| {
        turn = Some(acceptor.accept(&listener, NOW, |stream, _| streams.push(stream)));
    });
    let turn = turn.unwrap();
    assert_eq!(acceptor.counters(), Counters { accepted: turn.accepted as u64, ..Counters::default() });
    turn
}

fn unix(options: &SocketOptions) -> Listener {
    listen::unix(&UnixAddr::UNNAMED, options, &Access::default()).unwrap()
}

fn assert_taken(turn: Outcome, accepted: usize, end: BatchEnd) {
    assert_eq!(turn, Outcome { accepted, failed: 0, shed: 0, end, watch: Watch::Keep });
}

#[test]
#[ignore = "needs strace"]
fn a_burst_costs_one_accept_each_and_one_queue_query() {
    let trace = traced(&[], || assert_taken(one_turn(tcp(&options()), 10, 64), 10, BatchEnd::Drained));
    assert_eq!(trace.between_marks(), [accepted(), &[COUNT], &accepted().repeat(9)].concat());
}

#[test]
#[ignore = "needs strace"]
fn a_burst_beyond_the_limit_stops_at_the_limit() {
    let trace = traced(&[], || assert_taken(one_turn(tcp(&options()), 10, 4), 4, BatchEnd::LimitReached));
    assert_eq!(trace.between_marks(), [accepted(), &[COUNT], &accepted().repeat(3)].concat());
}

#[test]
#[ignore = "needs strace"]
fn with_a_limit_of_one_the_queue_is_not_queried() {
    let trace = traced(&[], || assert_taken(one_turn(tcp(&options()), 2, 1), 1, BatchEnd::LimitReached));
    assert_eq!(trace.between_marks(), accepted());
}

#[test]
#[ignore = "needs strace"]
fn on_a_unix_socket_a_poll_precedes_each_accept() {
    let trace = traced(&[], || assert_taken(one_turn(unix(&SocketOptions::new()), 3, 64), 3, BatchEnd::Drained));
    // The socket's family is looked up once.
    let each = [accepted(), &[POLL]].concat();
    assert_eq!(trace.between_marks(), [accepted(), &[COUNT, POLL], &each.repeat(2)].concat());
}

#[test]
#[ignore = "needs strace"]
fn on_a_unix_socket_the_limit_ends_polling() {
    let trace = traced(&[], || assert_taken(one_turn(unix(&SocketOptions::new()), 3, 2), 2, BatchEnd::LimitReached));
    assert_eq!(trace.between_marks(), [accepted(), &[COUNT, POLL], accepted()].concat());
}

/// As when another process was faster.
#[test]
#[ignore = "needs strace"]
fn an_empty_queue_costs_one_failing_call() {
    let trace = traced(&[], || {
        let (listener, mut acceptor) = (tcp(&options()), Acceptor::new());
        between_marks((), |()| assert_taken(acceptor.accept(&listener, NOW, |_, _| {}), 0, BatchEnd::Drained));
        assert_eq!(acceptor.counters(), Counters { failing_calls: 1, ..Counters::default() });
    });
    assert_eq!(trace.between_marks(), [ACCEPT]);
}

/// Accepts until the queue is empty; each client must be among the peers.
fn serve_all(acceptor: &mut Acceptor, listener: &Listener, poller: &Poller) {
    let addr = listener.local_addr().unwrap();
    let clients: Vec<_> = (0..AT_A_TIME).map(|_| connect::blocking(&[addr], LocalAddr::Any).unwrap()).collect();
    let mut peers = HashSet::new();
    while poller.wait(&mut Events::<4>::new(), Some(Duration::ZERO)) == Ok(1) {
        let turn = acceptor.accept(listener, NOW, |stream, peer| {
            drop(stream);
            assert!(peers.insert(peer.to_string()));
        });
        assert_eq!(turn.watch, Watch::Keep);
        assert!(turn.accepted + turn.failed <= acceptor.limit());
    }
    assert!(clients.iter().all(|client| peers.contains(&client.local_addr().unwrap().to_string())));
}

/// strace makes calls fail before they reach the kernel, so no client is lost: all must be served.
#[test]
#[ignore = "needs strace"]
fn one_fault_in_three_loses_no_connection() {
    for errno in ["ECONNABORTED", "EPROTO", "ENETDOWN", "EINTR"] {
        let trace = traced(&[&format!("{ACCEPT}:error={errno}:when=3+3")], || {
            let (listener, poller, _) = tcp_with_clients(&options(), 0);
            let mut acceptor = Acceptor::new();
            between_marks((), |()| {
                (0..CLIENTS / AT_A_TIME).for_each(|_| serve_all(&mut acceptor, &listener, &poller));
            });
            let counters = acceptor.counters();
            assert_eq!(counters.accepted, CLIENTS as u64);
            println!("failed peers {} failing calls {}", counters.failed_peers, counters.failing_calls);
        });
        let faults = trace.between_marks_matching("(INJECTED)");
        assert!(faults >= CLIENTS / 3, "{errno}: {faults}");
        // An interrupted call is repeated; the other errors are failed connections.
        let failed = if errno == "EINTR" { 0 } else { faults };
        let said = format!("failed peers {failed} failing calls 0\n");
        assert!(trace.output.contains(&said), "{errno}: {said}{}", trace.output);
    }
}

#[test]
#[ignore = "needs strace"]
fn short_of_resources_it_pauses_and_loses_no_connection() {
    for errno in ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] {
        let trace = traced(&[&format!("{ACCEPT}:error={errno}:when=2..4")], || pauses_three_times(5));
        let refused = trace.between_marks_matching("(INJECTED)");
        assert_eq!(refused, 3, "{errno}");
    }
}

/// The second, the third and the fourth accept fail.
fn pauses_three_times(clients: usize) {
    let ms = Duration::from_millis;
    let (listener, _poller, _clients) = tcp_with_clients(&options(), clients);
    let mut acceptor = Acceptor::new();
    between_marks(Vec::with_capacity(clients), |streams| {
        let mut turn = |now: u64, acceptor: &mut Acceptor| {
            let turn = acceptor.accept(&listener, ms(now), |stream, _| streams.push(stream));
            (turn.accepted, turn.watch)
        };
        let until = |at| Watch::Pause { until: ms(at) };
        assert_eq!(turn(100, &mut acceptor), (1, until(101)));
        // Too early: no call.
        assert_eq!(turn(100, &mut acceptor), (0, until(101)));
        assert!(!acceptor.resume(ms(100)) && acceptor.resume(ms(101)) && !acceptor.resume(ms(101)));
        assert_eq!(turn(101, &mut acceptor), (0, until(103)));
        assert!(acceptor.notify_release() && !acceptor.notify_release());
        assert_eq!(turn(102, &mut acceptor), (0, until(106)));
        assert_eq!(acceptor.resume_at(), Some(ms(106)));
        assert_eq!(turn(106, &mut acceptor), (clients - 1, Watch::Keep));
        assert_eq!(acceptor.resume_at(), None);
    });
    let expected = Counters { accepted: clients as u64, failing_calls: 3, pressure: 1, ..Counters::default() };
    assert_eq!(acceptor.counters(), expected);
}

/// An extra descriptor would not help, so nothing is shed.
#[test]
#[ignore = "needs strace"]
fn short_of_memory_no_connection_is_shed() {
    traced(&[&format!("{ACCEPT}:error=ENOMEM:when=1")], || {
        let (listener, _poller, _clients) = tcp_with_clients(&options(), 1);
        let (mut acceptor, mut reserve) = (Acceptor::new(), Reserve::new(b"").unwrap());
        between_marks((), |()| {
            let turn = acceptor.accept_or_shed(&listener, NOW, &mut reserve, |_, _| {});
            assert!(matches!(turn.end, BatchEnd::OutOfResources(_)), "{turn:?}");
            assert_eq!(turn.shed, 0);
        });
        assert!(reserve.is_full());
    });
}

#[test]
#[ignore = "needs strace"]
fn a_reserve_that_cannot_be_refilled_is_reported() {
    let injections = [&format!("{ACCEPT}:error=EMFILE:when=1"), "eventfd2:error=ENFILE:when=2"];
    let trace = traced(&injections, || {
        let (listener, _poller, _clients) = tcp_with_clients(&options(), 2);
        let (mut acceptor, mut reserve) = (Acceptor::new(), Reserve::new(b"no").unwrap());
        let (mut turn, mut next) = (None, None);
        between_marks(Vec::with_capacity(2), |streams| {
            turn = Some(acceptor.accept_or_shed(&listener, NOW, &mut reserve, |_, _| unreachable!()));
            assert!(!reserve.is_full() && acceptor.notify_release());
            next = Some(acceptor.accept_or_shed(&listener, NOW, &mut reserve, |stream, _| streams.push(stream)));
        });
        let (turn, next) = (turn.unwrap(), next.unwrap());
        let lost = Error::new(Op::WakerCreate, anet::Errno::NFILE);
        assert_eq!((turn.shed, turn.end), (1, BatchEnd::OutOfResources(lost)));
        assert!(matches!(turn.watch, Watch::Pause { .. }) && reserve.is_full());
        assert_eq!((next.accepted, next.end), (1, BatchEnd::Drained));
    });
    assert_shed(&trace);
}

fn assert_shed(trace: &Trace) {
    let calls = trace.between_marks();
    let shed = [&[ACCEPT, "close"], accepted(), &["sendto", "shutdown", "close", "eventfd2"]].concat();
    let next = [&["eventfd2"], accepted(), &[COUNT]].concat();
    assert_eq!(calls, [shed, next].concat());
}

#[test]
#[ignore = "needs strace"]
fn a_listener_that_is_gone_is_to_be_unwatched() {
    for errno in ["EINVAL", "EBADF", "ENOTSOCK"] {
        traced(&[&format!("{ACCEPT}:error={errno}:when=1")], || {
            let (listener, mut acceptor) = (tcp(&options()), Acceptor::new());
            between_marks((), |()| {
                let turn = acceptor.accept(&listener, NOW, |_, _| {});
                assert_eq!(turn.watch, Watch::Stop);
                assert!(matches!(turn.end, BatchEnd::ListenerGone(_)));
            });
        });
    }
}

/// Releasing resources does not help against a filter; time may.
#[test]
#[ignore = "needs strace"]
fn a_filter_that_forbids_accepting_is_retried_rarely() {
    traced(&["accept4:error=EPERM", "accept:error=EPERM"], || {
        let (listener, _poller, _clients) = tcp_with_clients(&options(), 1);
        let mut acceptor = Acceptor::new();
        between_marks((), |()| {
            let turn = acceptor.accept(&listener, NOW, |_, _| {});
            assert!(matches!(turn.end, BatchEnd::Failed(_)) && matches!(turn.watch, Watch::Pause { .. }));
            assert!(!acceptor.notify_release() && acceptor.resume_at().is_some());
        });
    });
}
