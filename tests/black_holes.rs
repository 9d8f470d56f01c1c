//! Peers that answer nothing: how long connecting takes, and when a dead peer is noticed.
//!
//! Each test makes a network namespace in a separate thread, whose sockets drop what a filter on them rejects: a
//! listener that drops every SYN, and a peer that drops every segment from some time on.
#![cfg(target_os = "linux")]

mod support;

use std::time::{Duration, Instant};

use anet::{
    Endpoint, Errno, Listener, SocketOptions, Stream,
    connect::{Connector, Outcome, Pending, race},
    event::{Events, Interest, Poller},
    listen,
    option::{self, DeadPeerPlan, TcpKeepalive},
    server::{CloseReason, Event, Server, Slot},
};
use support::{
    namespace::{drop_all, in_namespace},
    *,
};

const MS: Duration = Duration::from_millis(1);

/// Listeners that drop every SYN, and a list of their addresses.
fn black_holes<const N: usize>() -> ([Listener; N], [Endpoint; N]) {
    let listeners = [(); N].map(|()| any_listener());
    listeners.iter().for_each(drop_all);
    let addrs = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    (listeners, addrs)
}

/// Runs a race in both ways; returns its results and how long it took.
fn in_both_ways<const N: usize>(list: [Endpoint; N], connector: Connector) -> [(anet::Result<Stream>, Duration); 2] {
    [true, false].map(|is_polled| {
        let mut pending = Pending::new(list, connector);
        let start = Instant::now();
        let result = if is_polled { connected_by_poller(&mut pending) } else { pending.wait() };
        let took = start.elapsed();
        for tried in pending.attempts() {
            println!("{} began {:?} took {:?}: {:?}", tried.endpoint, tried.began, tried.took, tried.outcome);
        }
        (result.map_err(anet::Error::from), took)
    })
}

/// The best of several rounds: the machine is shared.
fn best_of<T>(rounds: usize, round: impl FnMut() -> (T, Duration)) -> (T, Duration) {
    std::iter::repeat_with(round).take(rounds).min_by_key(|(_, took)| *took).unwrap()
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_black_hole_costs_a_stagger() {
    in_namespace(|| {
        let ((_listeners, [dead]), live) = (black_holes(), any_listener());
        let list = [dead, live.local_addr().unwrap()];
        let (_, took) = best_of(3, || {
            let [polled, waited] = in_both_ways(list, Connector::new());
            let took = polled.1.max(waited.1);
            assert!([polled.0, waited.0].iter().all(|stream| stream.as_ref().unwrap().peer_addr() == Ok(list[1])));
            ((), took)
        });
        println!("connected after {took:?}");
        assert!(took >= race::STAGGER_DEFAULT && took < race::STAGGER_DEFAULT + 20 * MS, "{took:?}");
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn the_deadline_is_kept_among_black_holes() {
    in_namespace(|| {
        let (_listeners, list) = black_holes::<4>();
        let timeout = 900 * MS;
        let (_, took) = best_of(3, || {
            let [polled, waited] = in_both_ways(list, Connector::new().with_timeout(Some(timeout)));
            let took = polled.1.max(waited.1);
            for result in [polled.0, waited.0] {
                assert_eq!(result.unwrap_err().errno(), Some(Errno::TIMEDOUT));
            }
            ((), took)
        });
        println!("given up after {took:?} of {timeout:?}");
        assert!(took >= timeout && took < timeout + 20 * MS, "{took:?}");
    });
}

/// Runs a dial of a server until it is over; returns the error, if any, what was tried, and how long it took.
fn served<const N: usize>(
    list: [Endpoint; N],
    connector: Connector,
) -> ((Option<anet::Error>, Vec<Outcome>), Duration) {
    let mut slots = [const { Slot::<()>::VACANT }; 8];
    let mut server = Server::new(&mut slots).unwrap();
    let start = Instant::now();
    let key = server.connect(&list, &connector, ()).unwrap();
    loop {
        server.wait(Some(PATIENCE)).unwrap();
        while let Some(event) = server.next_event() {
            let error = match event {
                Event::Connected(_) => None,
                Event::Closing(_, CloseReason::ConnectFailed(error)) => Some(error),
                _ => continue,
            };
            let outcomes = server.attempts(key).map(|(_, outcome)| outcome).collect();
            return ((error, outcomes), start.elapsed());
        }
    }
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_server_gets_past_a_black_hole_and_keeps_the_deadline() {
    in_namespace(|| {
        let ((_listeners, [dead, other]), live) = (black_holes(), any_listener());
        let list = [dead, live.local_addr().unwrap()];
        let ((error, outcomes), took) = best_of(3, || served(list, Connector::new()));
        println!("connected after {took:?}");
        assert_eq!((error, &outcomes[..]), (None, &[Outcome::Abandoned, Outcome::Connected][..]));
        assert!(took >= race::STAGGER_DEFAULT && took < race::STAGGER_DEFAULT + 20 * MS, "{took:?}");

        let timeout = 400 * MS;
        let ((error, outcomes), took) =
            best_of(3, || served([dead, other], Connector::new().with_timeout(Some(timeout))));
        println!("given up after {took:?} of {timeout:?}");
        assert_eq!(error.and_then(|error| error.errno()), Some(Errno::TIMEDOUT));
        assert_eq!(outcomes.len(), 2);
        assert!(took >= timeout && took < timeout + 20 * MS, "{took:?}");
    });
}

/// A connection with these options whose peer has vanished.
fn with_dead_peer(options: SocketOptions) -> (Stream, Stream) {
    let listener = listen::tcp(any_local_address(), &SocketOptions::new()).unwrap();
    let list = [listener.local_addr().unwrap()];
    let stream = connected_by_poller(&mut Pending::new(list, Connector::new().with_options(options))).unwrap();
    let (peer, _) = accept_within(&listener, PATIENCE);
    drop_all(&peer);
    (stream, peer)
}

/// Waits until the kernel has ended a connection.
fn ended_after(stream: &Stream) -> Duration {
    let (poller, start) = (Poller::new().unwrap(), Instant::now());
    poller.add(stream, 0, Interest::empty()).unwrap();
    assert_eq!(poller.wait(&mut Events::<1>::new(), Some(PATIENCE)), Ok(1), "not in time");
    assert_eq!(stream.take_error().unwrap(), Some(Errno::TIMEDOUT));
    start.elapsed()
}

/// Idle, and with unacknowledged bytes; all at the same time, because each takes seconds.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_dead_peer_is_noticed_in_time() {
    in_namespace(|| {
        std::thread::scope(|scope| {
            for seconds in [0, 2, 3, 4, 6, 9] {
                let plan = DeadPeerPlan::within(Duration::from_secs(seconds));
                let options = SocketOptions::new().with_dead_peer_plan(Some(plan));
                let (idle, idle_peer) = with_dead_peer(options);
                let (busy, busy_peer) = with_dead_peer(options);
                busy.write_all(b"unacknowledged").unwrap();
                assert_eq!(option::tcp_user_timeout(&idle), Ok(Some(plan.user_timeout())));
                scope.spawn(move || {
                    let took = ended_after(&idle);
                    println!("{seconds} s, idle: {plan:?} noticed after {took:?}");
                    drop(idle_peer);
                    let exact = plan.noticed_after();
                    assert!(took >= exact - 50 * MS && took < exact * 9 / 8 + 200 * MS, "{took:?}, not {exact:?}");
                });
                scope.spawn(move || {
                    let took = ended_after(&busy);
                    println!("{seconds} s, unacknowledged: noticed after {took:?}");
                    drop(busy_peer);
                    assert!(
                        took >= plan.user_timeout() - 50 * MS && took < plan.noticed_after() * 9 / 8 + 200 * MS,
                        "{took:?}"
                    );
                });
            }
        });
    });
}

/// The kernel takes the extremes of every plan.
#[test]
fn the_kernel_takes_every_plan() {
    let (client, _server) = connected_pair();
    for seconds in (0..50).chain([3600, 65_534, 65_535, 131_068, 131_069, 1 << 20, 2_147_483, u64::MAX]) {
        let plan = DeadPeerPlan::within(Duration::from_secs(seconds));
        option::set_dead_peer_plan(&client, &plan).unwrap();
        let idle = option::tcp_keepidle(&client).unwrap();
        let keepalive =
            TcpKeepalive::new(idle, option::tcp_keepintvl(&client).unwrap(), option::tcp_keepcnt(&client).unwrap());
        assert_eq!(keepalive.unwrap(), plan.keepalive());
        assert_eq!(option::tcp_user_timeout(&client), Ok(Some(plan.user_timeout())));
    }
}
