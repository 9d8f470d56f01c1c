//! [`Dial`]: the state of an outgoing connection, and [`Routes`]: the lists of addresses in use. No system calls.

use core::time::Duration;

#[cfg(feature = "dns")]
use super::lookup::Lookups;
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
}

/// The lists of addresses in use, with the number of attempts that use each.
#[derive(Debug)]
pub(super) struct Routes<'t> {
    all: [Option<Route<'t>>; ROUTES_MAX],
    /// Their numbers follow those of the lists.
    #[cfg(feature = "dns")]
    pub(super) lookups: Lookups<'t>,
}

#[derive(Debug)]
struct Route<'t> {
    /// `None`: the single address is that of the connection.
    endpoints: Option<&'t [Endpoint]>,
    shared: Shared,
}

/// What the connections of a route share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) connector: Connector,
    pub(super) users: usize,
    /// The latest failure of each address.
    failures: [Option<Error>; CANDIDATES_MAX],
}

impl Shared {
    pub(super) const fn new(connector: Connector) -> Self {
        Self { connector, users: 0, failures: [None; CANDIDATES_MAX] }
    }
}

impl<'t> Routes<'t> {
    pub(super) const fn new() -> Self {
        Self {
            all: [const { None }; ROUTES_MAX],
            #[cfg(feature = "dns")]
            lookups: Lookups::none(),
        }
    }

    /// The number of a matching route, or of a new one.
    pub(super) fn take(&mut self, endpoints: Option<&'t [Endpoint]>, connector: &Connector) -> Option<usize> {
        let is_same =
            |route: &Route<'t>| route.shared.connector == *connector && is_same_list(route.endpoints, endpoints);
        let same = self.all.iter().position(|route| route.as_ref().is_some_and(is_same));
        let number = same.or_else(|| self.all.iter().position(Option::is_none))?;
        let new = || Route { endpoints, shared: Shared::new(*connector) };
        self.all.get_mut(number)?.get_or_insert_with(new).shared.users += 1;
        Some(number)
    }

    /// The dial no longer uses its route.
    pub(super) fn release(&mut self, dial: &Dial) {
        let number = dial.route;
        #[cfg(feature = "dns")]
        if dial.phase == Phase::Failed && self.lookups.get(number).is_some() {
            // It released its lookup when it failed.
            return;
        }
        if let Some(shared) = self.shared_mut(number) {
            shared.users = shared.users.saturating_sub(1);
        }
        if let Some(place) = self.all.get_mut(number) {
            place.take_if(|route| route.shared.users == 0);
        }
        #[cfg(feature = "dns")]
        self.lookups.end_unused(number);
    }

    /// The settings of a route's attempts.
    pub(super) fn connector(&self, number: usize) -> Option<&Connector> {
        Some(&self.shared(number)?.connector)
    }

    fn shared(&self, number: usize) -> Option<&Shared> {
        #[cfg(feature = "dns")]
        if let Some(lookup) = self.lookups.get(number) {
            return Some(&lookup.shared);
        }
        Some(&self.all.get(number)?.as_ref()?.shared)
    }

    fn shared_mut(&mut self, number: usize) -> Option<&mut Shared> {
        #[cfg(feature = "dns")]
        if let Some(lookup) = self.lookups.get_mut(number) {
            return Some(&mut lookup.shared);
        }
        Some(&mut self.all.get_mut(number)?.as_mut()?.shared)
    }

    /// The address of a candidate; `own` is the connection's.
    pub(super) fn endpoint(&self, number: usize, candidate: usize, own: &Endpoint) -> Option<Endpoint> {
        #[cfg(feature = "dns")]
        if let Some(lookup) = self.lookups.get(number) {
            return lookup.endpoint(candidate);
        }
        match self.all.get(number)?.as_ref()?.endpoints {
            Some(endpoints) => endpoints.get(candidate).copied(),
            None => (candidate == 0).then_some(*own),
        }
    }

    /// The address of a dial's own socket; `own` is the connection's.
    pub(super) fn endpoint_of(&self, dial: &Dial, own: &Endpoint) -> Endpoint {
        self.endpoint(dial.route, dial.candidate, own).unwrap_or(*own)
    }

    pub(super) fn note(&mut self, number: usize, candidate: usize, error: Error) {
        let place = self.shared_mut(number).and_then(|shared| shared.failures.get_mut(candidate));
        place.into_iter().for_each(|place| *place = Some(error));
    }

    /// What became of a candidate; `None`: it has not been tried.
    pub(super) fn outcome(&self, dial: &Dial, candidate: usize) -> Option<Outcome> {
        if dial.race.is_running(candidate) {
            return Some(match (dial.is_connected(), candidate == dial.candidate) {
                (false, _) => Outcome::Running,
                (true, true) => Outcome::Connected,
                (true, false) => Outcome::Abandoned,
            });
        }
        self.failure(dial, candidate).filter(|_| dial.race.has_failed(candidate)).map(Outcome::Failed)
    }

    fn failure(&self, dial: &Dial, candidate: usize) -> Option<Error> {
        let route = self.all.get(dial.route).and_then(Option::as_ref);
        // Different single addresses can share a route.
        if route.is_some_and(|route| route.endpoints.is_none()) {
            return dial.failure.map(|(_, error)| error);
        }
        self.shared(dial.route)?.failures.get(candidate).copied()?
    }
}

fn is_same_list(one: Option<&[Endpoint]>, other: Option<&[Endpoint]>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => core::ptr::eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
