//! [`Log`]: the attempts of a race and how they ended. No system calls.

use core::{fmt, time::Duration};

use arrayvec::ArrayVec;

use super::race::{Attempt, CANDIDATES_MAX, telling};
use crate::error::Error;

/// How an attempt has ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It has not.
    Running,
    /// Connected: it has won the race.
    Connected,
    /// Failed; `ETIMEDOUT` also if the time for all attempts was over.
    Failed(Error),
    /// Closed because another attempt connected.
    Abandoned,
}

/// `running`, `connected`, `abandoned`, or the reason of the failure.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.pad("running"),
            Self::Connected => f.pad("connected"),
            Self::Failed(error) => error.cause().fmt(f),
            Self::Abandoned => f.pad("abandoned"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) attempt: Attempt,
    pub(super) began: Duration,
    pub(super) ended: Duration,
    pub(super) outcome: Outcome,
}

/// Every attempt, in the order in which they began.
#[derive(Debug)]
pub(super) struct Log {
    /// An address is tried at most twice: with its source address and without.
    records: ArrayVec<Record, { 2 * CANDIDATES_MAX }>,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { records: ArrayVec::new() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// Adds an attempt; one that found a full backlog and begins again is there already.
    pub(super) fn begin(&mut self, attempt: Attempt, now: Duration) {
        if self.running().all(|record| record.attempt.candidate != attempt.candidate) {
            let _ = self.records.try_push(Record { attempt, began: now, ended: now, outcome: Outcome::Running });
        }
    }

    pub(super) fn end(&mut self, candidate: usize, now: Duration, outcome: Outcome) {
        let ended = self.running().find(|record| record.attempt.candidate == candidate);
        ended.into_iter().for_each(|record| (record.ended, record.outcome) = (now, outcome));
    }

    /// Ends all attempts that are running.
    pub(super) fn end_all(&mut self, now: Duration, outcome: Outcome) {
        self.running().for_each(|record| (record.ended, record.outcome) = (now, outcome));
    }

    fn running(&mut self) -> impl Iterator<Item = &mut Record> {
        self.records.iter_mut().filter(|record| record.outcome == Outcome::Running)
    }

    /// The failure that says most; the first of those that say as much.
    pub(super) fn most_telling(&self) -> Option<(Attempt, Error)> {
        let failures = self.records.iter().filter_map(|record| match record.outcome {
            Outcome::Failed(error) => Some((record.attempt, error)),
            _ => None,
        });
        // `max_by_key` prefers the last.
        failures.rev().max_by_key(|(_, error)| telling(error))
    }
}
