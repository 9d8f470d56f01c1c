//! The system calls of a connection when all goes well.

use crate::{
    trace::{between_marks, traced},
    *,
};

#[test]
#[ignore = "needs strace"]
fn a_tcp_connection_with_nodelay_and_keepalive_costs_one_call_beside_the_wait() {
    let trace = traced(&[], || {
        let (listener, poller, _clients) = tcp_with_clients(&options(), MANY);
        let streams = between_marks(Vec::with_capacity(MANY), |streams| wait_and_accept(&poller, &listener, streams));
        streams.iter().for_each(assert_configured);
    });
    assert_eq!(trace.between_marks(), [&[WAIT], accepted()].concat().repeat(MANY));
    // In the kernel's units, too.
    for answer in ["TCP_NODELAY, [1]", "SO_KEEPALIVE, [1]", "TCP_KEEPIDLE, [300]", "TCP_KEEPINTVL, [100]"] {
        assert_eq!(trace.answers_after(answer), MANY, "{answer}");
    }
}

#[test]
#[ignore = "needs strace"]
fn a_batch_of_tcp_connections_costs_one_call_each_beside_one_wait() {
    let trace = traced(&[], || {
        let (listener, poller, _clients) = tcp_with_clients(&options(), MANY);
        let streams = between_marks(Vec::with_capacity(MANY), |streams| {
            wait(&poller);
            let batch = listener.accept_batch(MANY, |stream, _| streams.push(stream));
            assert_eq!(batch, BatchOutcome { accepted: MANY, failed: 0, end: BatchEnd::LimitReached });
        });
        streams.iter().for_each(assert_configured);
    });
    assert_eq!(trace.between_marks(), [&[WAIT][..], &accepted().repeat(MANY)].concat());
}

#[test]
#[ignore = "needs strace"]
fn a_batch_that_drains_the_queue_costs_one_call_more() {
    let trace = traced(&[], || {
        let (listener, _poller, _clients) = tcp_with_clients(&options(), MANY);
        between_marks(Vec::with_capacity(MANY), |streams| {
            let batch = listener.accept_batch(MANY + 1, |stream, _| streams.push(stream));
            assert_eq!(batch, BatchOutcome { accepted: MANY, failed: 0, end: BatchEnd::Drained });
        });
    });
    assert_eq!(trace.between_marks(), [&accepted().repeat(MANY)[..], &[ACCEPT]].concat());
}

#[test]
#[ignore = "needs strace"]
fn a_priority_costs_a_tcp_connection_one_call_more() {
    let trace = traced(&[], || {
        let (listener, poller, _clients) = tcp_with_clients(&options().with_priority(Some(3)), MANY);
        let streams = between_marks(Vec::with_capacity(MANY), |streams| wait_and_accept(&poller, &listener, streams));
        streams.iter().for_each(assert_configured);
        assert!(streams.iter().all(|stream| option::priority(stream) == Ok(3)));
    });
    assert_eq!(trace.between_marks(), [&[WAIT], accepted(), &["setsockopt"]].concat().repeat(MANY));
}

#[test]
#[ignore = "needs strace"]
fn a_unix_connection_costs_one_call_if_the_options_have_nothing_for_it() {
    let trace = traced(&[], || {
        let (listener, poller, _clients) = unix_with_clients(&options(), MANY);
        let streams = between_marks(Vec::with_capacity(MANY), |streams| wait_and_accept(&poller, &listener, streams));
        streams.iter().for_each(assert_nonblocking_and_cloexec);
    });
    assert_eq!(trace.between_marks(), [&[WAIT], accepted()].concat().repeat(MANY));
}

#[test]
#[ignore = "needs strace"]
fn a_unix_connection_costs_one_call_more_for_each_option_that_unix_sockets_have() {
    let trace = traced(&[], || {
        let options = options()
            .with_linger(PATIENCE)
            .with_priority(Some(3))
            .with_recv_buffer_size(Some(50_000))
            .with_recv_timeout(PATIENCE)
            .with_send_buffer_size(Some(60_000))
            .with_send_timeout(PATIENCE);
        let (listener, poller, _clients) = unix_with_clients(&options, MANY);
        let streams = between_marks(Vec::with_capacity(MANY), |streams| wait_and_accept(&poller, &listener, streams));
        streams.iter().for_each(assert_unix_options);
    });
    assert_eq!(trace.between_marks(), [&[WAIT], accepted(), &["setsockopt"; 6]].concat().repeat(MANY));
}

fn assert_unix_options(stream: &Stream) {
    assert_nonblocking_and_cloexec(stream);
    assert_eq!(option::linger(stream), Ok(PATIENCE));
    assert_eq!(option::priority(stream), Ok(3));
    assert_eq!(option::recv_timeout(stream), Ok(PATIENCE));
    assert_eq!(option::send_timeout(stream), Ok(PATIENCE));
    // The kernel doubles both for bookkeeping.
    assert_eq!(option::recv_buffer_size(stream), Ok(100_000));
    assert_eq!(option::send_buffer_size(stream), Ok(120_000));
}
