//! [`Dial`]: the state of an outgoing connection, and [`Routes`]: the lists of addresses in use. No system calls.

use core::time::Duration;

use crate::{
    addr::Endpoint,
    connect::{
        Connector, Outcome,
        race::{CANDIDATES_MAX, Race, telling},
    },
    error::{Errno, Error, Op},
};

/// The most different lists of addresses, or connectors, that connection attempts can use at a time. Any number of
/// connections can share one.
pub const ROUTES_MAX: usize = 32;

pub(super) const TIMED_OUT: Error = Error::new(Op::Connect, Errno::TIMEDOUT);

/// The state of an outgoing connection until it is established.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    /// Which route it takes.
    pub(super) route: usize,
    pub(super) race: Race,
    /// The address that the connection's own socket is for.
    pub(super) candidate: usize,
    /// The most telling failure.
    pub(super) failure: Option<(usize, Error)>,
    pub(super) phase: Phase,
}

/// How far a dial is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Racing,
    /// It is over, and remains only until the next event.
    Connected,
    /// It is over, and not yet reported or the last event.
    Failed,
}

impl Dial {
    pub(super) const fn new(route: usize, race: Race) -> Self {
        Self { route, race, candidate: 0, failure: None, phase: Phase::Racing }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        if self.phase == Phase::Racing { self.race.wake_at() } else { None }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    pub(super) fn failed(&mut self, candidate: usize, error: Error, now: Duration) {
        self.race.failed(candidate, now);
        self.remember(candidate, error);
    }

    pub(super) fn remember(&mut self, candidate: usize, error: Error) {
        if self.failure.is_none_or(|(_, other)| telling(&error) > telling(&other)) {
            self.failure = Some((candidate, error));
        }
    }

    pub(super) fn error(&self) -> Error {
        self.failure.map_or(TIMED_OUT, |(_, error)| error)
    }

    /// What became of a candidate; `None`: it has not been tried.
    pub(super) fn outcome(&self, candidate: usize, route: &Route<'_>) -> Option<Outcome> {
        if self.race.is_running(candidate) {
            return Some(match (self.is_connected(), candidate == self.candidate) {
                (false, _) => Outcome::Running,
                (true, true) => Outcome::Connected,
                (true, false) => Outcome::Abandoned,
            });
        }
        // Different single addresses can share a route.
        let failure = match route.endpoints {
            Some(_) => route.failures.get(candidate).copied().flatten(),
            None => self.failure.map(|(_, error)| error),
        };
        failure.filter(|_| self.race.has_failed(candidate)).map(Outcome::Failed)
    }
}

/// The lists of addresses in use, with the number of attempts that use each.
#[derive(Debug)]
pub(super) struct Routes<'t> {
    all: [Option<Route<'t>>; ROUTES_MAX],
}

#[derive(Debug)]
pub(super) struct Route<'t> {
    /// `None`: the single address is that of the connection.
    endpoints: Option<&'t [Endpoint]>,
    pub(super) connector: Connector,
    users: usize,
    /// The latest failure of each address.
    failures: [Option<Error>; CANDIDATES_MAX],
}

impl<'t> Routes<'t> {
    pub(super) const fn new() -> Self {
        Self { all: [const { None }; ROUTES_MAX] }
    }

    /// The number of a matching route, or of a new one.
    pub(super) fn take(&mut self, endpoints: Option<&'t [Endpoint]>, connector: &Connector) -> Option<usize> {
        let is_same = |route: &Route<'t>| route.connector == *connector && is_same_list(route.endpoints, endpoints);
        let same = self.all.iter().position(|route| route.as_ref().is_some_and(is_same));
        let number = same.or_else(|| self.all.iter().position(Option::is_none))?;
        let new = || Route { endpoints, connector: *connector, users: 0, failures: [None; CANDIDATES_MAX] };
        self.all.get_mut(number)?.get_or_insert_with(new).users += 1;
        Some(number)
    }

    pub(super) fn release(&mut self, number: usize) {
        let Some(place) = self.all.get_mut(number) else { return };
        *place = place.take().filter(|route| route.users > 1).map(|route| Route { users: route.users - 1, ..route });
    }

    pub(super) fn get(&self, number: usize) -> Option<&Route<'t>> {
        self.all.get(number)?.as_ref()
    }

    /// The address of a dial's own socket; `own` is the connection's.
    pub(super) fn endpoint(&self, dial: &Dial, own: &Endpoint) -> Endpoint {
        self.get(dial.route).and_then(|route| route.endpoint(dial.candidate, own)).unwrap_or(*own)
    }

    pub(super) fn note(&mut self, number: usize, candidate: usize, error: Error) {
        let route = self.all.get_mut(number).and_then(Option::as_mut);
        let place = route.and_then(|route| route.failures.get_mut(candidate));
        place.into_iter().for_each(|place| *place = Some(error));
    }
}

fn is_same_list(one: Option<&[Endpoint]>, other: Option<&[Endpoint]>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => core::ptr::eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

impl Route<'_> {
    /// The address of a candidate; `own` is the connection's.
    pub(super) fn endpoint(&self, candidate: usize, own: &Endpoint) -> Option<Endpoint> {
        match self.endpoints {
            Some(endpoints) => endpoints.get(candidate).copied(),
            None => (candidate == 0).then_some(*own),
        }
    }
}
