//! Kernels without `accept4`, and filters that forbid it.

use crate::{
    trace::{between_marks, traced},
    *,
};

#[test]
#[ignore = "needs strace"]
fn a_missing_accept4_is_tried_once() {
    let trace = traced(&["accept4:error=ENOSYS"], || accept_all_configured(3));
    let once: &[_] = if cfg!(anet_force_accept_fallback) { &[] } else { &["accept4"] };
    assert_eq!(trace.between_marks(), [once, &STEP_BY_STEP.repeat(3)].concat());
    assert_eq!(trace.between_marks_matching("F_SETFD, FD_CLOEXEC"), 3);
    assert_eq!(trace.between_marks_matching("F_SETFL, O_RDWR|O_NONBLOCK"), 3);
}

#[test]
#[ignore = "needs strace"]
fn a_missing_accept4_is_not_remembered_before_accept_has_worked() {
    let trace = traced(&["accept4:error=ENOSYS:when=1..2"], || {
        let listener = tcp(&options());
        between_marks((), |()| {
            for _ in 0..3 {
                assert!(listener.accept().unwrap_err().is_would_block());
            }
        });
    });
    let forced = ["accept"; 3];
    let direct = ["accept4", "accept", "accept4", "accept", "accept4"];
    assert_eq!(trace.between_marks(), if cfg!(anet_force_accept_fallback) { &forced[..] } else { &direct });
}

#[test]
#[ignore = "needs strace"]
fn one_enosys_among_successes_does_not_disable_accept4() {
    let trace = traced(&["accept4:error=ENOSYS:when=3"], || accept_all_configured(5));
    let direct = [&["accept4"; 3], &STEP_BY_STEP[..], &["accept4"; 2]].concat();
    let forced = STEP_BY_STEP.repeat(5);
    assert_eq!(trace.between_marks(), if cfg!(anet_force_accept_fallback) { forced } else { direct });
}

#[test]
#[ignore = "needs strace"]
fn a_forbidden_accept4_is_replaced_for_that_call() {
    let trace = traced(&["accept4:error=EPERM:when=1"], || accept_all_configured(2));
    let direct = [&["accept4"], &STEP_BY_STEP[..], &["accept4"]].concat();
    let forced = STEP_BY_STEP.repeat(2);
    assert_eq!(trace.between_marks(), if cfg!(anet_force_accept_fallback) { forced } else { direct });
}

#[test]
#[ignore = "needs strace"]
fn an_always_forbidden_accept4_is_always_replaced() {
    let trace = traced(&["accept4:error=EPERM"], || accept_all_configured(2));
    let direct = [&["accept4"], &STEP_BY_STEP[..]].concat().repeat(2);
    let forced = STEP_BY_STEP.repeat(2);
    assert_eq!(trace.between_marks(), if cfg!(anet_force_accept_fallback) { forced } else { direct });
}

#[test]
#[ignore = "needs strace"]
fn an_invalid_argument_is_no_reason_to_fall_back() {
    let trace = traced(&[&format!("{ACCEPT}:error=EINVAL:when=1")], || {
        let (listener, _poller, _clients) = tcp_with_clients(&options(), 1);
        let stream = between_marks(None, |stream| {
            let error = listener.accept().unwrap_err();
            assert_eq!((error.op(), raw(error)), (Op::Accept, 22));
            *stream = listener.accept().ok();
        });
        assert_configured(&stream.unwrap().0);
    });
    assert_eq!(trace.between_marks(), [&[ACCEPT], accepted()].concat());
}

#[test]
#[ignore = "needs strace"]
fn a_descriptor_that_cannot_be_configured_is_closed_and_ends_the_batch() {
    let trace = traced(&["accept4:error=ENOSYS", "setsockopt:error=ENOBUFS:when=3+"], || {
        // The first two are the listener's own.
        let options = SocketOptions::new().with_linger(PATIENCE).with_priority(Some(3));
        let (listener, _poller, _clients) = unix_with_clients(&options, 2);
        between_marks((), |()| {
            let batch = listener.accept_batch(10, |_, _| unreachable!());
            let cannot = Error::new(Op::Set(anet::error::Opt::SO_LINGER), anet::Errno::NOBUFS);
            assert_eq!(batch, BatchOutcome { accepted: 0, failed: 0, end: BatchEnd::Failed(cannot) });
        });
    });
    let once: &[_] = if cfg!(anet_force_accept_fallback) { &[] } else { &["accept4"] };
    let closed = [&STEP_BY_STEP[..], &["setsockopt", "close"]].concat();
    assert_eq!(trace.between_marks(), [once, &closed].concat());
}
