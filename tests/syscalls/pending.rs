//! A connection that completes while its state is being checked.

use std::thread;

use anet::connect::Progress;

use crate::{
    trace::{between_marks, traced},
    *,
};

/// The connection completes between the check for a peer and the check for readiness: at first the listener's queue is
/// full, and the client's next attempt, one or three seconds later, finds room.
#[test]
#[ignore = "needs strace"]
fn a_connection_established_between_two_checks_is_reported() {
    traced(&["ppoll:delay_enter=5000000"], || {
        let listener = listen::tcp(([127, 0, 0, 1], 0).into(), &SocketOptions::new().with_backlog(0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let _fills_the_queue = connect::blocking(&[addr], LocalAddr::Any).unwrap();
        let Ok(Progress::Started(pending)) = connect::start([addr], LocalAddr::Any) else { panic!("there was room") };
        thread::scope(|scope| {
            let server = scope.spawn(|| listener.accept().unwrap());
            between_marks((), |()| {
                let Ok(Progress::Connected(stream)) = pending.finish() else { panic!("not connected") };
                assert_eq!(stream.peer_addr(), Ok(addr));
            });
            server.join().unwrap();
        });
    });
}
