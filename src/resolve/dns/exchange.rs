//! [`Exchange`]: which server is asked a question next, how, and when. No system call, no clock.

use core::time::Duration;

use super::{Answer, Config};
use crate::error::{Cause, Error, Op};

/// The course of one question: the servers in turn, each for as long as the timeout, as often as the attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// The number of the server that is asked first.
    first: usize,
    /// How many times a server was asked in vain, and how often at most.
    tries: usize,
    tries_max: usize,
    timeout: Duration,
    /// When to give up on the current server.
    due: Duration,
    /// Whether the current server is asked over TCP, and whether all are.
    by_tcp: bool,
    by_tcp_alone: bool,
    /// Whether the current server is asked with EDNS0, and whether the next will be.
    edns0: bool,
    edns0_wanted: bool,
    /// The most telling error so far.
    error: Error,
}

/// What to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Send the query to the current server.
    Send,
    /// Wait for a message or the deadline.
    Wait,
    /// The question is answered, whether or not there are addresses.
    Done(Answer),
    /// No server has answered.
    Failed(Error),
}

const NO_ANSWER: Error = Error::refused(Op::Resolve, Cause::NoAnswer);

impl Exchange {
    pub(super) fn new(config: &Config, first: usize, now: Duration) -> Self {
        Self {
            first,
            tries: 0,
            tries_max: config.servers() * usize::from(config.attempts()),
            timeout: config.timeout(),
            due: now.saturating_add(config.timeout()),
            by_tcp: config.use_vc(),
            by_tcp_alone: config.use_vc(),
            edns0: config.edns0(),
            edns0_wanted: config.edns0(),
            error: NO_ANSWER,
        }
    }

    /// The number of the current server, modulo their count.
    pub(super) const fn server(&self) -> usize {
        self.first.wrapping_add(self.tries)
    }

    pub(super) const fn by_tcp(&self) -> bool {
        self.by_tcp
    }

    pub(super) const fn edns0(&self) -> bool {
        self.edns0
    }

    pub(super) const fn due(&self) -> Duration {
        self.due
    }

    /// A message from the current server.
    pub(super) fn received(&mut self, answer: Answer, now: Duration) -> Step {
        /// The RCODEs of a server that does not know EDNS0 (RFC 6891, 7).
        const FORMERR: u8 = 1;
        const NOTIMP: u8 = 4;
        match answer {
            // Over TCP no other sender is possible.
            Answer::Other if self.by_tcp => self.failed(server_failed(0), now),
            Answer::Other => Step::Wait,
            Answer::Truncated => {
                self.by_tcp = true;
                self.send(now)
            }
            Answer::Failed(FORMERR | NOTIMP) if self.edns0 => {
                self.edns0 = false;
                self.send(now)
            }
            Answer::Failed(rcode) => self.failed(server_failed(rcode), now),
            Answer::Refused => self.failed(Error::refused(Op::Resolve, Cause::NameServerRefused), now),
            Answer::Found | Answer::NoAddress | Answer::NoName => Step::Done(answer),
        }
    }

    /// The current server cannot be asked.
    pub(super) fn failed(&mut self, error: Error, now: Duration) -> Step {
        if rank(error) >= rank(self.error) {
            self.error = error;
        }
        self.tries += 1;
        if self.tries >= self.tries_max {
            return Step::Failed(self.error);
        }
        self.by_tcp = self.by_tcp_alone;
        self.edns0 = self.edns0_wanted;
        self.send(now)
    }

    pub(super) fn tick(&mut self, now: Duration) -> Step {
        if now < self.due { Step::Wait } else { self.failed(NO_ANSWER, now) }
    }

    fn send(&mut self, now: Duration) -> Step {
        self.due = now.saturating_add(self.timeout);
        Step::Send
    }
}

const fn server_failed(rcode: u8) -> Error {
    Error::refused(Op::Resolve, Cause::NameServerFailed { rcode: rcode as u32 })
}

/// What a server said tells more than that it is not there, and that tells more than silence.
fn rank(error: Error) -> u8 {
    match error.cause() {
        Cause::NoAnswer => 0,
        Cause::Errno(_) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const SECOND: Duration = Duration::from_secs(1);

    fn config(servers: usize) -> Config {
        let servers: Vec<_> = (0..servers).map(|n| ([10, 0, 0, n as u8], 53).into()).collect();
        Config::new().with_name_servers(&servers).with_timeout(SECOND)
    }

    fn failed(rcode: u8) -> Step {
        Step::Failed(server_failed(rcode))
    }

    #[test]
    fn silent_servers_are_asked_in_turn_for_as_long_as_the_timeout() {
        let mut exchange = Exchange::new(&config(3), 0, Duration::ZERO);
        let mut asked = Vec::new();
        for second in 1..6 {
            assert_eq!(exchange.tick(second * SECOND - Duration::from_nanos(1)), Step::Wait);
            asked.push(exchange.server() % 3);
            assert_eq!(exchange.tick(second * SECOND), Step::Send);
        }
        assert_eq!(asked, [0, 1, 2, 0, 1]);
        assert_eq!(exchange.tick(6 * SECOND), Step::Failed(NO_ANSWER));
    }

    #[test]
    fn a_server_that_fails_is_followed_at_once() {
        let mut exchange = Exchange::new(&config(2), 1, Duration::ZERO);
        assert_eq!(exchange.server(), 1);
        assert_eq!(exchange.received(Answer::Failed(2), Duration::ZERO), Step::Send);
        assert_eq!((exchange.server(), exchange.due()), (2, SECOND));
        assert_eq!(exchange.received(Answer::Found, SECOND), Step::Done(Answer::Found));
    }

    #[test]
    fn the_most_telling_error_is_reported() {
        let refused = Error::refused(Op::Resolve, Cause::NameServerRefused);
        let unreachable = Error::new(Op::Resolve, crate::error::Errno::NETUNREACH);
        let all = |events: [Option<Error>; 2]| {
            let mut exchange = Exchange::new(&config(2).with_attempts(1), 0, Duration::ZERO);
            events.map(|event| match event {
                Some(error) => exchange.failed(error, Duration::ZERO),
                None => exchange.tick(exchange.due()),
            })[1]
        };
        assert_eq!(all([Some(refused), None]), Step::Failed(refused));
        assert_eq!(all([Some(unreachable), None]), Step::Failed(unreachable));
        assert_eq!(all([None, Some(unreachable)]), Step::Failed(unreachable));
        assert_eq!(all([Some(refused), Some(unreachable)]), Step::Failed(refused));
        assert_eq!(all([Some(refused), Some(server_failed(2))]), failed(2));
        assert_eq!(all([None, None]), Step::Failed(NO_ANSWER));
    }

    #[test]
    fn a_truncated_answer_is_asked_for_over_tcp_and_the_next_server_over_udp() {
        let mut exchange = Exchange::new(&config(2), 0, Duration::ZERO);
        assert!(!exchange.by_tcp());
        assert_eq!(exchange.received(Answer::Truncated, SECOND / 2), Step::Send);
        assert!(exchange.by_tcp() && exchange.server() == 0 && exchange.due() == SECOND * 3 / 2);
        // Over TCP no other sender is possible.
        assert_eq!(exchange.received(Answer::Other, SECOND), Step::Send);
        assert!(!exchange.by_tcp() && exchange.server() == 1);
        assert_eq!(exchange.received(Answer::Other, SECOND), Step::Wait);

        let mut exchange = Exchange::new(&config(2).with_use_vc(true), 0, Duration::ZERO);
        assert!(exchange.by_tcp());
        assert_eq!(exchange.tick(SECOND), Step::Send);
        assert!(exchange.by_tcp());
    }

    #[test]
    fn a_server_without_edns0_is_asked_again_without_it_once() {
        let mut exchange = Exchange::new(&config(2).with_edns0(true), 0, Duration::ZERO);
        assert!(exchange.edns0());
        assert_eq!(exchange.received(Answer::Failed(1), Duration::ZERO), Step::Send);
        assert!(!exchange.edns0() && exchange.server() == 0);
        assert_eq!(exchange.received(Answer::Failed(1), Duration::ZERO), Step::Send);
        assert!(exchange.edns0() && exchange.server() == 1);
    }

    #[test]
    fn every_course_ends() {
        let answers = [
            Answer::Other,
            Answer::Truncated,
            Answer::Failed(1),
            Answer::Failed(2),
            Answer::Failed(4),
            Answer::Refused,
        ];
        let mut random = 1_u32;
        for _ in 0..100_000 {
            let mut exchange = Exchange::new(&config(3).with_edns0(true).with_attempts(5), 0, Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut steps = 0;
            loop {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let step = match answers.get((random >> 16) as usize % 8) {
                    // Over TCP no answer is truncated.
                    Some(Answer::Truncated) if exchange.by_tcp() => continue,
                    Some(answer) => exchange.received(*answer, now),
                    None => {
                        now = exchange.due();
                        exchange.tick(now)
                    }
                };
                steps += usize::from(step == Step::Send);
                if matches!(step, Step::Failed(_)) {
                    break;
                }
            }
            // Each try at most three times: with EDNS0, without it, and over TCP.
            assert!(steps < 15 * 3 && now <= 15 * 3 * SECOND);
        }
    }
}
