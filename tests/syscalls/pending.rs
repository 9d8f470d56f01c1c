//! A connection that comes through while it is being asked about.

use std::thread;

use anet::connect::Progress;

use crate::{
    trace::{between_marks, traced},
    *,
};

/// The answer is waited for between the look for a peer and the look whether the socket is ready: at first the
/// listener's queue is full, and the client's next attempt, one second later or three, finds room.
#[test]
#[ignore = "needs strace"]
fn a_connection_made_between_two_looks_at_it_is_a_connection() {
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
