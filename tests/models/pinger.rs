//! A pinger, against the list of its requests, with replies that are late, repeated, foreign or forged.

use core::{net::IpAddr, time::Duration};

use anet::icmp::{
    Answer, Arrival, Failure, Lost, Outcome, Pinger, Plan, Quoted, Request, Target, Version, WINDOW, parse,
};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    prop_assert, prop_assert_eq, proptest,
};

use super::config;

const IDENTIFIER: u16 = 7;

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn ip(index: usize) -> IpAddr {
    IpAddr::from([10, 0, 0, index as u8])
}

/// The reply to a request, as a host makes it.
fn reply(request: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0], &request[4..]].concat()
}

/// An error that quotes this much of the request.
fn unreachable(to: IpAddr, request: &[u8], len: usize) -> Vec<u8> {
    let IpAddr::V4(to) = to else { panic!() };
    let header = [&[0x45, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0][..], &to.octets()].concat();
    [&[3, 1, 0, 0, 0, 0, 0, 0][..], &header, &request[..len.clamp(8, request.len())]].concat()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes, and everything that is due is sent.
    Send(u64),
    /// An answer to the request at this place among all, from this host.
    Reply(usize, Option<usize>),
    /// An error that quotes this many bytes of it.
    Fail(usize, usize),
    /// A reply with one byte changed.
    Forge(usize, usize),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..400_u64).prop_map(Step::Send),
        4 => (any::<usize>(), Just(None)).prop_map(|(at, from)| Step::Reply(at, from)),
        1 => (any::<usize>(), 0..9_usize).prop_map(|(at, from)| Step::Reply(at, Some(from))),
        1 => (any::<usize>(), 0..100_usize).prop_map(|(at, len)| Step::Fail(at, len)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(at, place)| Step::Forge(at, place)),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waiting,
    Answered,
    Over,
}

struct Sent {
    request: Request,
    bytes: Vec<u8>,
    at: Duration,
    state: State,
}

#[test]
fn a_burst_is_interrupted_to_receive() {
    let cases = [
        (56, vec![(true, 64), (true, 64), (true, 64), (true, 8), (false, 0)]),
        (1400, vec![(true, 34); 5]),
        (65_507, vec![(true, 1); 5]),
    ];
    for (payload_len, expected) in cases {
        let mut targets: Vec<_> = (0..200).map(|index| Target::new(ip(index))).collect();
        let plan = Plan::default().with_count(Some(1)).with_payload_len(payload_len);
        let mut pinger = Pinger::new(&mut targets, plan, ms(1));
        let now = ms(60_000);
        let burst = |_| {
            let is_due = pinger.deadline().is_some_and(|deadline| deadline <= now);
            (is_due, core::iter::from_fn(|| pinger.next_request(now)).count())
        };
        assert_eq!((0..5).map(burst).collect::<Vec<_>>(), expected, "{payload_len}");
    }
}

#[test]
fn a_send_time_counts_if_it_is_that_of_a_request() {
    let mut targets = [Target::new(ip(0)), Target::new(ip(1))];
    let mut pinger = Pinger::new(&mut targets, Plan::default().with_count(Some(1)), ms(1));
    let request = pinger.next_request(ms(10)).unwrap();
    pinger.sent(&request, Ok(ms(20)));
    let mut buf = [0; 100];
    let bytes = reply(request.encode(IDENTIFIER, &mut buf).unwrap());
    let Some(Answer::Reply(echo)) = parse(Version::V4, &bytes) else { panic!() };
    let mut forged = bytes.clone();
    *forged.last_mut().unwrap() ^= 1;
    let Some(Answer::Reply(other)) = parse(Version::V4, &forged) else { panic!() };
    for (destination, request, at) in [(ip(0), echo, ms(22)), (ip(1), echo, ms(40)), (ip(0), other, ms(41))] {
        assert_eq!(pinger.take(&Arrival::new(ip(0), at, Answer::Sent(Quoted { destination, request }))), None);
    }
    let outcome = pinger.take(&Arrival::new(ip(0), ms(50), Answer::Reply(echo)));
    assert_eq!(outcome, Some((0, Outcome::Reply { sequence: 1, rtt: ms(28) })));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn each_request_is_answered_failed_or_lost_once(
        script in vec(steps(), 0..60),
        hosts in 1..4_usize,
        count in 1..50_u32,
        interval in 0..200_u64,
        timeout in 1..1000_u64,
    ) {
        let mut targets: Vec<_> = (0..hosts).map(|index| Target::new(ip(index))).collect();
        let plan = Plan::default()
            .with_interval(ms(interval))
            .with_timeout(ms(timeout))
            .with_count(Some(count));
        let mut now = ms(1_000_000);
        let mut pinger = Pinger::new(&mut targets, plan, now);
        let mut sent: Vec<Sent> = Vec::new();
        for step in script {
            match step {
                Step::Send(millis) => {
                    now += ms(millis);
                    while let Some(Lost { target, sequence }) = pinger.next_lost(now) {
                        let lost = sent.iter_mut().find(|sent| {
                            (sent.request.target, sent.request.sequence) == (target, sequence)
                        }).unwrap();
                        prop_assert_eq!(lost.state, State::Waiting);
                        prop_assert!(lost.at + ms(timeout) <= now);
                        lost.state = State::Over;
                    }
                    while let Some(request) = pinger.next_request(now).or_else(|| pinger.next_request(now)) {
                        let mut buf = [0; 100];
                        let bytes = request.encode(IDENTIFIER, &mut buf).unwrap().to_vec();
                        pinger.sent(&request, Ok(now));
                        sent.push(Sent { request, bytes, at: now, state: State::Waiting });
                    }
                    // Nothing that waits is forgotten, and what is over is reported at the next deadline.
                    let waiting = sent.iter().filter(|sent| sent.state == State::Waiting);
                    let expiry = waiting.map(|sent| sent.at + ms(timeout)).min();
                    prop_assert!(expiry.is_none_or(|expiry| pinger.deadline().unwrap() <= expiry));
                    prop_assert!(pinger.deadline().is_none_or(|deadline| deadline > now));
                    continue;
                }
                _ if sent.is_empty() => continue,
                _ => {}
            }
            let (Step::Reply(at, _) | Step::Fail(at, _) | Step::Forge(at, _)) = step else { unreachable!() };
            let at = at % sent.len();
            let newest = |target: usize| sent.iter().filter(|sent| sent.request.target == target).count() as u32;
            let Sent { ref request, ref bytes, at: sent_at, state } = sent[at];
            // Older ones have left the window.
            let is_known = newest(request.target) - request.sequence < WINDOW as u32;
            let (message, from) = match step {
                Step::Reply(_, from) => (reply(bytes), ip(from.unwrap_or(request.target))),
                Step::Fail(_, len) => (unreachable(ip(request.target), bytes, len), ip(200)),
                Step::Forge(_, place) => {
                    let mut message = reply(bytes);
                    // Behind the checksum and the identifier, which are the socket's concern.
                    let place = 6 + place % (message.len() - 6);
                    message[place] ^= 1;
                    (message, ip(request.target))
                }
                Step::Send(_) => unreachable!(),
            };
            let answer = parse(Version::V4, &message).unwrap();
            let outcome = pinger.take(&Arrival::new(from, now, answer));
            let target = request.target;
            let sequence = request.sequence;
            let expected = match (step, state) {
                (Step::Reply(..), State::Waiting) if from == ip(target) => {
                    Some((target, Outcome::Reply { sequence, rtt: now - sent_at }))
                }
                (Step::Reply(..), State::Answered) if from == ip(target) && is_known => {
                    Some((target, Outcome::Duplicate { sequence }))
                }
                (Step::Fail(..), State::Waiting) => {
                    Some((target, Outcome::Failure { sequence, failure: Failure::Unreachable { code: 1 } }))
                }
                _ => None,
            };
            prop_assert_eq!(outcome, expected, "{:?}", step);
            sent[at].state = match outcome {
                Some((_, Outcome::Reply { .. })) => State::Answered,
                Some((_, Outcome::Failure { .. })) => State::Over,
                _ => state,
            };
        }
        // Every deadline has something to do, until all is over.
        for _ in 0..3 * hosts as u32 * count {
            let Some(deadline) = pinger.deadline() else { break };
            now = now.max(deadline);
            while let Some(Lost { target, sequence }) = pinger.next_lost(now) {
                let is_lost = |sent: &&mut Sent| (sent.request.target, sent.request.sequence) == (target, sequence);
                let lost = sent.iter_mut().find(is_lost).unwrap();
                prop_assert_eq!(lost.state, State::Waiting);
                lost.state = State::Over;
            }
            while let Some(request) = pinger.next_request(now).or_else(|| pinger.next_request(now)) {
                pinger.sent(&request, Ok(now));
                sent.push(Sent { request, bytes: Vec::new(), at: now, state: State::Waiting });
            }
            prop_assert!(pinger.deadline().is_none_or(|deadline| deadline > now));
        }
        prop_assert_eq!(pinger.deadline(), None);
        prop_assert!(sent.iter().all(|sent| sent.state != State::Waiting));
        prop_assert_eq!(sent.len() as u32, hosts as u32 * count);
        for (index, target) in pinger.targets().iter().enumerate() {
            let ours = || sent.iter().filter(|sent| sent.request.target == index);
            prop_assert_eq!(target.statistics().sent as usize, ours().count());
            prop_assert!(target.statistics().sent <= count);
            let answered = ours().filter(|sent| sent.state == State::Answered).count();
            prop_assert_eq!(target.statistics().received as usize, answered);
        }
    }

    #[test]
    fn any_message_is_read_to_an_end(bytes in vec(any::<u8>(), 0..200)) {
        for version in [Version::V4, Version::V6] {
            if let Some(Answer::Reply(echo) | Answer::Failure(_, Quoted { request: echo, .. })) = parse(version, &bytes) {
                prop_assert!(bytes.ends_with(echo.payload));
            }
        }
    }
}
