//! The server: serving, waiting in the backlog, rejection, and how connections end.

mod admission;
mod deadlines;
mod ending;
mod fairness;
mod listeners;
mod outgoing;
mod serving;
mod sharing;
#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anet::{
    Endpoint, Error, Listener, SocketOptions, Stream, UnixAddr,
    accept::{Acceptor, Admission, Limits, Reason},
    connect::{self, Connector, LocalAddr, Outcome},
    event::{Interest, Waker},
    listen::{self, Access},
    redis,
    server::{CloseReason, Event, Key, LISTENERS_MAX, ListenOptions, Server, Slot},
    stream::Shutdown,
};
use support::*;

const SHORT: Duration = Duration::from_millis(50);

fn slots(count: usize) -> Vec<Slot<u32>> {
    std::iter::repeat_with(|| Slot::VACANT).take(count).collect()
}

/// A server with a listener, and the listener's address.
fn listening(server: Server<'_, u32>) -> (Server<'_, u32>, Endpoint) {
    let mut server = server;
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    server.listen(listener).unwrap();
    (server, addr)
}

fn server(slots: &mut [Slot<u32>]) -> (Server<'_, u32>, Endpoint) {
    listening(Server::new(slots).unwrap())
}

/// The events of one turn, which must end.
fn events<const N: usize>(server: &mut Server<'_, u32, N>, time: Duration) -> Vec<Event> {
    server.wait(Some(time)).unwrap();
    let events: Vec<_> = std::iter::from_fn(|| server.next_event()).take(10_000).collect();
    assert!(events.len() < 10_000, "a turn without an end");
    events
}

/// Waits for the first event that `what` picks, and returns what it picked.
fn wait_for<T, const N: usize>(server: &mut Server<'_, u32, N>, mut what: impl FnMut(Event) -> Option<T>) -> T {
    eventually(PATIENCE, || {
        server.wait(Some(SHORT)).unwrap();
        while let Some(event) = server.next_event() {
            if let Some(found) = what(event) {
                return Some(found);
            }
        }
        None
    })
}

fn opened(event: Event) -> Option<Key> {
    if let Event::Opened(key) = event { Some(key) } else { None }
}

/// A silent client and its key, once the server watches it.
fn watched_client<const N: usize>(server: &mut Server<'_, u32, N>, addr: Endpoint) -> (Stream, Key) {
    let client = client_at(addr);
    let key = wait_for(server, opened);
    while server.next_event().is_some() {}
    (client, key)
}

/// One turn of an echo server that counts the bytes.
fn echo_once<const N: usize>(server: &mut Server<'_, u32, N>) {
    server.wait(Some(SHORT)).unwrap();
    while let Some(event) = server.next_event() {
        if let Event::Readable(key) = event {
            echo(server, key);
        }
    }
}

fn echo<const N: usize>(server: &mut Server<'_, u32, N>, key: Key) {
    let client = server.get_mut(key).unwrap();
    let mut buffer = [0; 64];
    match client.read(&mut buffer) {
        Ok(len @ 1..) => {
            client.data += len as u32;
            client.write_all(&buffer[..len]).unwrap();
        }
        Err(error) if error.is_would_block() => {}
        Ok(_) | Err(_) => drop(server.close(key)),
    }
}

/// Serves until the condition holds.
fn echo_until<const N: usize>(server: &mut Server<'_, u32, N>, mut done: impl FnMut(&Server<'_, u32, N>) -> bool) {
    let start = Instant::now();
    while !done(server) {
        assert!(start.elapsed() < PATIENCE);
        echo_once(server);
    }
}

fn assert_reads(client: &Stream, text: &str) {
    let mut buffer = vec![0; text.len()];
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.read_exact(&mut buffer).unwrap();
    assert_eq!(String::from_utf8_lossy(&buffer), text);
}

/// The client must read the end of the stream, not a reset.
fn assert_ends(client: &Stream) {
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(client.read(&mut [0; 64]), Ok(0));
}

fn unix_listener() -> Listener {
    listen::unix(&UnixAddr::UNNAMED, &SocketOptions::new(), &Access::default()).unwrap()
}

trait ReadNow {
    fn read_now(&self) -> bool;
}

impl ReadNow for Stream {
    /// Reads an `x` if it has arrived.
    fn read_now(&self) -> bool {
        self.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        match self.read(&mut [0; 8]) {
            Err(error) if error.is_would_block() => false,
            read => read.unwrap() == 1,
        }
    }
}

fn admitting(limits: Limits, slots: &mut [Slot<u32>]) -> (Server<'_, u32, 8>, Endpoint) {
    let server = Server::new(slots).unwrap().with_admission(Admission::<8>::new(limits));
    let server = server.with_rejection(|reason| redis::rejection(reason).as_bytes());
    let mut server = server.with_lingering_timeout(PATIENCE);
    let listener = any_listener();
    let addr = listener.local_addr().unwrap();
    server.listen(listener).unwrap();
    (server, addr)
}

/// The number of waits that an idle server makes in this time.
fn waits<const N: usize>(server: &mut Server<'_, u32, N>, time: Duration) -> usize {
    let start = Instant::now();
    let mut waits = 0;
    while start.elapsed() < time {
        events(server, time);
        waits += 1;
    }
    waits
}

fn closing(event: &Event) -> Option<(Key, CloseReason)> {
    if let Event::Closing(key, reason) = event { Some((*key, *reason)) } else { None }
}

/// `test` returns when it started and whether it held, which it must if it took less than this time. On a host too busy
/// for that, it runs again.
fn in_less_than(time: Duration, mut test: impl FnMut() -> (Instant, bool)) {
    eventually(PATIENCE, || {
        let (start, held) = test();
        assert!(held || start.elapsed() >= time);
        held.then_some(())
    });
}
