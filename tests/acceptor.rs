//! The acceptor: bursts, resource pressure, and rejection.

#![cfg(target_os = "linux")]

mod support;

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anet::{
    Listener, SocketOptions, Stream, UnixAddr,
    accept::{Acceptor, BatchEnd, Counters, Reserve, Watch},
    event::{Events, Interest, Poller},
    listen::{self, Access},
};
use rustix::process::{Resource, Rlimit, setrlimit};
use support::*;

const NOW: Duration = Duration::ZERO;

fn unix_listener() -> Listener {
    listen::unix(&UnixAddr::UNNAMED, &SocketOptions::new(), &Access::default()).unwrap()
}

fn clients_of(listener: &Listener, count: usize) -> Vec<Stream> {
    (0..count).map(|_| client_of(listener)).collect()
}

/// The number of connections a turn accepts, and how it ends.
fn take(acceptor: &mut Acceptor, listener: &Listener) -> (usize, BatchEnd) {
    let turn = acceptor.accept(listener, NOW, |_, _| {});
    assert_eq!((turn.failed, turn.shed, turn.watch), (0, 0, Watch::Keep));
    (turn.accepted, turn.end)
}

#[test]
fn a_turn_accepts_the_queue_up_to_the_limit_without_a_failing_call() {
    for listener in [any_listener(), unix_listener()] {
        let mut acceptor = Acceptor::new().with_limit(4);
        for (clients, turns) in [
            (1, &[(1, BatchEnd::Drained)][..]),
            (3, &[(3, BatchEnd::Drained)]),
            (9, &[(4, BatchEnd::LimitReached), (4, BatchEnd::LimitReached), (1, BatchEnd::Drained)]),
        ] {
            let _clients = clients_of(&listener, clients);
            for turn in turns {
                assert_eq!(take(&mut acceptor, &listener), *turn);
            }
        }
        assert_eq!(acceptor.counters(), Counters { accepted: 13, ..Counters::default() });
    }
}

/// A connection that arrives during a burst waits for the next turn; a level-triggered poller reports it.
#[test]
fn connections_left_in_the_queue_are_accepted_in_later_turns() {
    for listener in [any_listener(), unix_listener()] {
        let poller = Poller::new().unwrap();
        poller.add(&listener, 0, Interest::READABLE).unwrap();
        let (mut acceptor, mut served) = (Acceptor::new().with_limit(3), 0);
        std::thread::scope(|scope| {
            let clients = scope.spawn(|| clients_of(&listener, 200));
            while served < 200 {
                assert_eq!(poller.wait(&mut Events::<1>::new(), Some(PATIENCE)), Ok(1));
                served += take(&mut acceptor, &listener).0;
            }
            clients.join().unwrap();
        });
        assert_eq!(acceptor.counters(), Counters { accepted: 200, ..Counters::default() });
    }
}

/// Either may find that the other was faster, and ignores it.
#[test]
fn two_acceptors_share_a_queue() {
    let listener = any_listener();
    let clients = clients_of(&listener, 300);
    let counters = std::thread::scope(|scope| {
        let take_all = || {
            let mut acceptor = Acceptor::new();
            while take(&mut acceptor, &listener).0 > 0 {}
            acceptor.counters()
        };
        [scope.spawn(take_all), scope.spawn(take_all)].map(|thread| thread.join().unwrap())
    });
    assert_eq!(counters.iter().map(|counters| counters.accepted).sum::<u64>(), clients.len() as u64);
    assert!(counters.iter().all(|counters| counters.failing_calls > 0 && counters.pressure == 0));
}

#[test]
fn a_limit_of_zero_still_takes_one() {
    let listener = any_listener();
    let _client = client_of(&listener);
    let mut acceptor = Acceptor::new().with_limit(0);
    assert_eq!((acceptor.limit(), take(&mut acceptor, &listener)), (1, (1, BatchEnd::LimitReached)));
}

#[test]
fn a_listener_that_was_shut_down_is_to_be_unwatched() {
    let listener = any_listener();
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
    assert_eq!(Acceptor::new().accept(&listener, NOW, |_, _| {}).watch, Watch::Stop);
}

#[test]
fn pauses_double_up_to_the_longest_and_start_over_after_a_success() {
    with_own_descriptors(|| {
        let listener = any_listener();
        let clients = clients_of(&listener, 2);
        let occupied = occupy_all_descriptors();
        let mut acceptor = Acceptor::new().with_backoff(SECOND, 5 * SECOND);
        let mut now = NOW;
        let mut pause = |acceptor: &mut Acceptor| {
            let Watch::Pause { until } = acceptor.accept(&listener, now, |_, _| {}).watch else { panic!("no pause") };
            assert_eq!(acceptor.resume_at(), Some(until));
            let length = until - now;
            now = until;
            assert!(acceptor.resume(now));
            length.as_secs()
        };
        assert_eq!([(); 5].map(|()| pause(&mut acceptor)), [1, 2, 4, 5, 5]);
        let counters = Counters { failing_calls: 5, pressure: 1, ..Counters::default() };
        assert_eq!(acceptor.counters(), counters);
        drop(occupied);
        assert_eq!(take(&mut acceptor, &listener), (clients.len(), BatchEnd::Drained));
        drop(clients);
        let _clients = clients_of(&listener, 2);
        let _occupied = occupy_all_descriptors();
        assert_eq!([(); 2].map(|()| pause(&mut acceptor)), [1, 2]);
        assert_eq!(acceptor.counters(), Counters { accepted: 2, failing_calls: 7, pressure: 2, ..counters });
    });
}

#[test]
fn any_clock_reading_and_any_pause_are_accepted() {
    with_own_descriptors(|| {
        let listener = any_listener();
        let _clients = clients_of(&listener, 1);
        let _occupied = occupy_all_descriptors();
        let mut never = Acceptor::new().with_backoff(Duration::MAX, NOW);
        assert_eq!(never.accept(&listener, SECOND, |_, _| {}).watch, Watch::Pause { until: Duration::MAX });
        assert!(!never.resume(SECOND) && never.notify_release());
        let mut soon = Acceptor::new().with_backoff(NOW, NOW);
        assert!(matches!(soon.accept(&listener, NOW, |_, _| {}).watch, Watch::Pause { until } if until > NOW));
    });
}

const FULL: &[u8] = b"-ERR max number of clients reached\r\n";

/// Reads to the end; an error would mean a reset.
fn all_that_comes(client: &Stream) -> Vec<u8> {
    let (mut text, mut buffer) = (Vec::new(), [0; 64]);
    loop {
        match client.read(&mut buffer).unwrap() {
            0 => return text,
            len => text.extend_from_slice(&buffer[..len]),
        }
    }
}

#[test]
fn with_a_reserve_clients_without_a_descriptor_are_rejected_and_counted() {
    for listen in [any_listener, unix_listener] {
        with_own_descriptors(|| {
            let listener = listen();
            let mut reserve = Reserve::new(FULL).unwrap();
            let mut acceptor = Acceptor::new().with_limit(4);
            let clients = clients_of(&listener, 6);
            let mut occupied = occupy_all_descriptors();
            // Room for one.
            occupied.pop();
            let mut served = Vec::new();
            let turn = acceptor.accept_or_shed(&listener, NOW, &mut reserve, |stream, _| served.push(stream));
            assert_eq!((turn.accepted, turn.shed, turn.end), (1, 3, BatchEnd::LimitReached));
            let turn = acceptor.accept_or_shed(&listener, NOW, &mut reserve, |_, _| unreachable!());
            assert_eq!((turn.accepted, turn.shed, turn.end), (0, 2, BatchEnd::Drained));
            assert!(turn.watch == Watch::Keep && reserve.is_full() && acceptor.resume_at().is_none());
            assert!(clients[1..].iter().all(|client| all_that_comes(client) == FULL));
            let counters = Counters { accepted: 1, shed: 5, pressure: 1, failing_calls: 2, ..Counters::default() };
            assert_eq!(acceptor.counters(), counters);
            drop(occupied);
        });
    }
}

/// A client that has sent something would read `ECONNRESET` if the server only closed.
#[test]
fn a_client_that_has_sent_something_reads_why_it_is_rejected() {
    with_own_descriptors(|| {
        let listener = any_listener();
        let mut reserve = Reserve::new(FULL).unwrap();
        let client = client_of(&listener);
        client.write(b"PING\r\n").unwrap();
        let _occupied = occupy_all_descriptors();
        let turn = Acceptor::new().accept_or_shed(&listener, NOW, &mut reserve, |_, _| unreachable!());
        assert_eq!((turn.shed, turn.end), (1, BatchEnd::Drained));
        assert_eq!(all_that_comes(&client), FULL);
    });
}

const CLIENTS: usize = 200;
const DESCRIPTORS: u64 = 64;
/// How long the server keeps all descriptors open.
const EXHAUSTED: Duration = Duration::from_secs(2);
const SERVER: &str = "ANET_LIMITED_SERVER";

/// 64 descriptors, 200 clients, and 2 s in which none is closed. Measured on Linux 6.18, two cores: 25 accepts fail in
/// these 2 s, and all clients are served within 4 ms of the first close (7 runs). The same loop with `accept_batch` at
/// each wake-up and no pause, as a plain level-triggered server does, makes 3,584,512 failing accepts.
///
/// In the same scenario, with queues that hold all 200 and calls also counted by `strace`: a loop on mio 1.2.4 that
/// accepts until an error, and then goes back to waiting, fails 1 to 75 times, once for each event of new connections.
/// But connections already queued are no new edge: 5 s after the closes 142 of the 200 were still not served. A task on
/// tokio 1.54.1 that accepts again after an error fails 1,400,000 times and keeps a core busy for all of the 2 s; all
/// clients are served 27 to 32 ms after the first close.
#[test]
fn out_of_descriptors_it_neither_spins_nor_stalls_nor_loses_a_connection() {
    if env::var_os(SERVER).is_some() {
        return limited_server();
    }
    let mut server = this_test_as_server("out_of_descriptors_it_neither_spins_nor_stalls_nor_loses_a_connection");
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port: u16 = said_number(&mut said, "port ") as u16;
    let clients: Vec<_> = (0..CLIENTS).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let calls = said_number(&mut said, "failing calls ");
    let served_in = Duration::from_micros(said_number(&mut said, "microseconds "));
    for mut client in clients {
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "+OK");
    }
    assert!(server.wait().unwrap().success());
    println!("{calls} failing calls in {EXHAUSTED:?}, all served {served_in:?} after the first close");
    assert!((1..=100).contains(&calls), "{calls}");
    assert!(served_in < PATIENCE, "{served_in:?}");
}

fn this_test_as_server(name: &str) -> Child {
    let mut test = Command::new(env::current_exe().unwrap());
    test.args(["--exact", name, "--nocapture"]).env(SERVER, "").stdout(Stdio::piped()).spawn().unwrap()
}

fn said_number(said: &mut impl Iterator<Item = String>, what: &str) -> u64 {
    said.find_map(|line| line.split_once(what).map(|(_, number)| number.trim().parse().unwrap())).expect(what)
}

/// Serves all clients with that few descriptors, and prints the figures.
fn limited_server() {
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) }).unwrap();
    let mut server = Server::new();
    println!("port {}", server.listener.local_addr().unwrap().as_inet().unwrap().port());
    while server.acceptor.resume_at().is_none() {
        server.run_once();
    }
    let (start, before) = (server.now(), server.acceptor.counters());
    while server.now() < start + EXHAUSTED {
        server.run_once();
    }
    let after = server.acceptor.counters();
    assert_eq!((after.accepted, after.pressure), (before.accepted, 1));
    println!("failing calls {}", after.failing_calls - before.failing_calls);
    let start = Instant::now();
    while server.served < CLIENTS {
        server.close_all();
        server.run_once();
    }
    println!("microseconds {}", start.elapsed().as_micros());
    server.close_all();
    assert_eq!(server.acceptor.counters().accepted, CLIENTS as u64);
}

struct Server {
    start: Instant,
    listener: Listener,
    poller: Poller,
    acceptor: Acceptor,
    streams: Vec<Stream>,
    served: usize,
}

impl Server {
    fn new() -> Self {
        let (listener, poller) = (any_listener(), Poller::new().unwrap());
        poller.add(&listener, 0, Interest::READABLE).unwrap();
        Self { start: Instant::now(), listener, poller, acceptor: Acceptor::new(), streams: Vec::new(), served: 0 }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// One wait, which only the end of a pause or a client may end.
    fn run_once(&mut self) {
        let timeout = self.acceptor.resume_at().map(|at| at.saturating_sub(self.now()));
        let ready = self.poller.wait(&mut Events::<1>::new(), Some(timeout.unwrap_or(SECOND))).unwrap();
        if self.acceptor.resume(self.now()) {
            self.watch(Interest::READABLE);
        }
        if ready == 1 {
            self.take();
        }
    }

    fn take(&mut self) {
        let now = self.now();
        let turn = self.acceptor.accept(&self.listener, now, |stream, _| self.streams.push(stream));
        self.served += turn.accepted;
        match turn.watch {
            Watch::Keep => {}
            Watch::Pause { .. } => self.watch(Interest::empty()),
            Watch::Stop => panic!("{turn:?}"),
        }
    }

    fn watch(&self, interest: Interest) {
        self.poller.modify(&self.listener, 0, interest).unwrap();
    }

    /// Answers and closes every connection.
    fn close_all(&mut self) {
        let streams: Vec<_> = self.streams.drain(..).collect();
        for stream in streams {
            assert_eq!(stream.write(b"+OK"), Ok(3));
            drop(stream);
            if self.acceptor.notify_release() {
                self.watch(Interest::READABLE);
            }
        }
    }
}
