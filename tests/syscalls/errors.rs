//! Failing calls, and the connections behind them.

use crate::{
    trace::{Trace, between_marks, traced},
    *,
};

const OF_ONE_CONNECTION: [&str; 9] = [
    "ECONNABORTED",
    "EPROTO",
    "ENETDOWN",
    "ENOPROTOOPT",
    "EHOSTDOWN",
    "ENONET",
    "EHOSTUNREACH",
    "EOPNOTSUPP",
    "ENETUNREACH",
];

#[test]
#[ignore = "needs strace"]
fn an_interrupted_accept_is_repeated() {
    let trace = traced(&[&format!("{ACCEPT}:error=EINTR:when=1..2")], || accept_all_configured(2));
    assert_eq!(trace.between_marks(), [&[ACCEPT, ACCEPT][..], accepted(), accepted()].concat());
}

#[test]
#[ignore = "needs strace"]
fn an_interrupted_wait_is_repeated() {
    // The remaining time has a fraction of a millisecond, for which another call waits.
    let again = if cfg!(anet_force_epoll_fallback) { WAIT } else { "epoll_pwait2" };
    let injections: &[&str] = if cfg!(anet_force_epoll_fallback) {
        &[&format!("{WAIT}:error=EINTR:when=2..3")]
    } else {
        &[&format!("{WAIT}:error=EINTR:when=2"), "epoll_pwait2:error=EINTR:when=1"]
    };
    let trace = traced(injections, || {
        let (_listener, poller, _clients) = tcp_with_clients(&options(), 1);
        between_marks((), |()| wait(&poller));
    });
    assert_eq!(trace.between_marks(), [WAIT, again, again]);
}

/// Before Linux 5.11, or under a filter, the older call replaces it permanently.
#[test]
#[ignore = "needs strace"]
fn a_kernel_without_precise_waits_waits_in_milliseconds() {
    for errno in ["ENOSYS", "EPERM"] {
        let trace = traced(&[&format!("epoll_pwait2:error={errno}")], || wait_precisely(3));
        let tried: &[_] = if cfg!(anet_force_epoll_fallback) { &[] } else { &["epoll_pwait2"] };
        assert_eq!(waits(&trace), [tried, &[WAIT; 3]].concat(), "{errno}");
    }
}

/// A killed tracer can leave one such error behind.
#[test]
#[ignore = "needs strace"]
fn one_refusal_among_successes_does_not_disable_precise_waits() {
    for errno in ["ENOSYS", "EPERM"] {
        let trace = traced(&[&format!("epoll_pwait2:error={errno}:when=2")], || wait_precisely(3));
        let direct = ["epoll_pwait2", "epoll_pwait2", WAIT, "epoll_pwait2"];
        let forced = [WAIT; 3];
        assert_eq!(waits(&trace), if cfg!(anet_force_epoll_fallback) { &forced[..] } else { &direct }, "{errno}");
    }
}

fn wait_precisely(times: usize) {
    let poller = Poller::new().unwrap();
    between_marks((), |()| {
        for _ in 0..times {
            let timeout = Some(Duration::from_micros(1500));
            assert_eq!(poller.wait(&mut Events::<1>::new(), timeout), Ok(0));
        }
    });
}

/// The waits alone: a clock without a vDSO is read by a system call.
fn waits(trace: &Trace) -> Vec<&str> {
    trace.between_marks().into_iter().filter(|call| [WAIT, "epoll_pwait2"].contains(call)).collect()
}

#[test]
#[ignore = "needs strace"]
fn errors_of_one_connection_are_counted_and_skipped() {
    for errno in OF_ONE_CONNECTION {
        let trace = traced(&[&format!("{ACCEPT}:error={errno}:when=2")], || {
            let (listener, _poller, _clients) = tcp_with_clients(&options(), 3);
            between_marks(Vec::with_capacity(3), |streams| {
                let batch = listener.accept_batch(10, |stream, _| streams.push(stream));
                assert_eq!(batch, BatchOutcome { accepted: 3, failed: 1, end: BatchEnd::Drained });
            });
        });
        // A socket that cannot accept fails with this error too, so the batch checks that it listens.
        let asked: &[_] = if errno == "EOPNOTSUPP" { &["getsockopt"] } else { &[] };
        let calls = [accepted(), &[ACCEPT], asked, accepted(), accepted(), &[ACCEPT]].concat();
        assert_eq!(trace.between_marks(), calls, "{errno}");
    }
}

#[test]
#[ignore = "needs strace"]
fn errors_of_one_connection_count_against_the_limit() {
    traced(&[&format!("{ACCEPT}:error=EPROTO:when=2+2")], || {
        let (listener, _poller, _clients) = tcp_with_clients(&options(), 5);
        between_marks(Vec::with_capacity(5), |streams| {
            let batch = listener.accept_batch(5, |stream, _| streams.push(stream));
            assert_eq!(batch, BatchOutcome { accepted: 3, failed: 2, end: BatchEnd::LimitReached });
        });
    });
}

#[test]
#[ignore = "needs strace"]
fn a_filter_that_forbids_accepting_ends_a_batch_and_is_named() {
    traced(&["accept4:error=EPERM", "accept:error=EPERM"], || {
        let (listener, _poller, _clients) = tcp_with_clients(&options(), 2);
        between_marks((), |()| {
            let batch = listener.accept_batch(usize::MAX, |_, _| {});
            let forbidden = Error::new(Op::Accept, anet::Errno::PERM);
            assert_eq!(batch, BatchOutcome { accepted: 0, failed: 0, end: BatchEnd::Failed(forbidden) });
        });
    });
}

#[test]
#[ignore = "needs strace"]
fn a_batch_without_resources_ends_and_the_connections_stay_queued() {
    for (errno, number) in [("EMFILE", 24), ("ENFILE", 23), ("ENOBUFS", 105), ("ENOMEM", 12)] {
        let trace = traced(&[&format!("{ACCEPT}:error={errno}:when=2")], || {
            batch_ends_early(|end| matches!(end, BatchEnd::OutOfResources(_)));
        });
        assert_ends_with_error(&trace, errno, number);
    }
}

#[test]
#[ignore = "needs strace"]
fn a_batch_reports_that_the_listener_is_gone() {
    for (errno, number) in [("EINVAL", 22), ("EBADF", 9), ("ENOTSOCK", 88)] {
        let trace = traced(&[&format!("{ACCEPT}:error={errno}:when=2")], || {
            batch_ends_early(|end| matches!(end, BatchEnd::ListenerGone(_)));
        });
        assert_ends_with_error(&trace, errno, number);
    }
}

/// The second call fails and its error number is printed; no connection is lost.
fn batch_ends_early(expected: impl Fn(BatchEnd) -> bool) {
    let (listener, _poller, _clients) = tcp_with_clients(&options(), 3);
    let mut end = BatchEnd::Drained;
    let mut streams = between_marks(Vec::with_capacity(3), |streams| {
        let batch = listener.accept_batch(10, |stream, _| streams.push(stream));
        assert_eq!((batch.accepted, batch.failed), (1, 0));
        end = batch.end;
    });
    assert!(expected(end), "{end:?}");
    println!("errno {}", raw(end.ok().unwrap_err()));
    let batch = listener.accept_batch(10, |stream, _| streams.push(stream));
    assert_eq!((batch.accepted, batch.end), (2, BatchEnd::Drained));
    streams.iter().for_each(assert_configured);
}

fn assert_ends_with_error(trace: &Trace, errno: &str, number: i32) {
    assert_eq!(trace.between_marks(), [accepted(), &[ACCEPT]].concat(), "{errno}");
    assert!(trace.output.contains(&format!("errno {number}\n")), "{errno}: {}", trace.output);
}
