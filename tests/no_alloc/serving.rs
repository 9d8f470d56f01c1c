//! A server's loop: accepting with an acceptor, and all operations of the server on a connection.

use anet::{
    accept::{Acceptor, Admission, Limits, Watch},
    redis,
    server::{Event, Server, Slot},
};

use super::*;

const ROUNDS: usize = TIMES / GROUP;
/// The clients of a group that are admitted.
const ADMITTED: usize = GROUP * 4 / 5;

#[test]
fn an_engine_does_not_allocate() {
    for listener in [tcp(&options()), unix(&options())] {
        let (mut acceptor, mut accepted, mut count) = (Acceptor::new(), 0, 0);
        for round in 0..ROUNDS {
            let clients = connect_group(&listener);
            count += allocations(|| {
                while accepted < (round + 1) * GROUP {
                    wait(&listener, Interest::READABLE);
                    let turn =
                        acceptor.accept(&listener, Duration::ZERO, |stream, peer| drop(black_box((stream, peer))));
                    assert_eq!(turn.watch, Watch::Keep);
                    accepted += turn.accepted;
                }
            });
            drop(clients);
        }
        assert_eq!((count, accepted), (0, TIMES));
    }
}

/// A fifth of each group is rejected with the reason; the others are answered, and then exceed the idle timeout.
#[test]
fn serving_rejecting_and_timing_out_do_not_allocate() {
    let mut slots: Vec<Slot<u32>> = std::iter::repeat_with(|| Slot::VACANT).take(GROUP).collect();
    let limits = Limits::new().with_max_clients(ADMITTED as u32).with_max_per_source(Some(GROUP as u32));
    let listener = tcp(&options());
    let addr = listener.local_addr().unwrap();
    let mut count = 0;
    for _ in 0..ROUNDS / 10 {
        let listener = Listener::from(listener.as_fd().try_clone_to_owned().unwrap());
        count += allocations(|| {
            let server = Server::new(&mut slots[..]).unwrap().with_admission(Admission::<4>::new(limits));
            let mut server = server.with_rejection(|reason| redis::rejection(reason).as_bytes());
            server.listen(listener).unwrap();
            // The clients' allocations do not count.
            let before = COUNT.get();
            let clients: Vec<_> = (0..GROUP).map(|_| client_that_asks(addr)).collect();
            COUNT.set(before);
            serve(&mut server);
            let before = COUNT.get();
            drop(clients);
            COUNT.set(before);
        });
    }
    assert_eq!(count, 0);
}

fn client_that_asks(addr: Endpoint) -> Stream {
    let client = connect::blocking(&[addr], Connector::new().with_timeout(PATIENCE)).unwrap();
    reset_on_close(&client);
    client.write_all(b"ask").unwrap();
    client
}

/// Runs until all are closed. No idle timeout expires before all have been answered, however long that takes.
fn serve(server: &mut Server<'_, u32, 4>) {
    let mut answered = 0;
    while answered < ADMITTED || server.counters().rejected < (GROUP - ADMITTED) as u64 {
        answered += answer(server);
    }
    server.set_idle_timeout(Some(Duration::from_millis(10)));
    while server.counters().timed_out < ADMITTED as u64 {
        answer(server);
    }
    assert_eq!(server.counters().rejected, (GROUP - ADMITTED) as u64);
    server.drain(Duration::ZERO).unwrap();
}

/// Echoes input and returns to how many clients.
fn answer(server: &mut Server<'_, u32, 4>) -> usize {
    let mut answered = 0;
    server.wait(PATIENCE).unwrap();
    while let Some(event) = server.next_event() {
        let Event::Readable(key) = event else { continue };
        let Some(client) = server.get_mut(key) else { continue };
        let mut buf = [0; 8];
        if let Ok(len) = client.read(&mut buf) {
            client.data += len as u32;
            client.write_all(&buf[..len]).unwrap();
            answered += 1;
        }
    }
    answered
}
