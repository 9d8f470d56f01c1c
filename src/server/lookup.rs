//! [`Lookup`]: a name that connections are made to, and [`Lookups`]: those of a server.

use core::{fmt, time::Duration};

#[cfg(feature = "std")]
use std::{boxed::Box, vec::Vec};

use arrayvec::ArrayString;

use super::{
    event::Subject,
    route::{Dial, ROUTES_MAX, Shared, TIMED_OUT},
};
use crate::{
    addr::{Endpoint, HOST_NAME_MAX},
    connect::{
        Connector,
        race::{Order, Race},
    },
    error::{Cause, Error, Op, Result},
    event::{Interest, Poller, slots::Slots as Memory},
    resolve::{
        ADDRESSES_MAX, Address, Addresses, Families, Family, Source,
        dns::{Progress, Stub},
    },
    sys,
};

/// How long an answer is used at least, so that any number of connections at a time take one lookup.
const REUSE_SHORTEST: Duration = Duration::from_secs(1);

const DEADLINE_PASSED: Error = Error::refused(Op::Resolve, Cause::DeadlinePassed);

/// Room for one name that a server connects to: its resolver and the answer. 10 kB.
///
/// See [`Server::connect_to_name`](super::Server::connect_to_name).
#[derive(Debug)]
pub struct Lookup {
    stub: Stub<'static>,
    name: Name,
    state: State,
    /// In the order in which they arrived, which is that of the candidates.
    known: Addresses,
    pub(super) shared: Shared,
}

/// What to look up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    /// With its trailing dot, if it has one.
    host: ArrayString<{ HOST_NAME_MAX + 1 }>,
    port: u16,
    families: Families,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// Under way; one family may have answered.
    Pending,
    /// Complete. The answer can be used until this time.
    Found(Duration),
    Failed(Error),
}

impl Name {
    /// `None` for a text that is too long.
    pub(super) fn new(host: &str, port: u16, families: Families) -> Option<Self> {
        Some(Self { host: ArrayString::from(host).ok()?, port, families })
    }

    fn is(&self, other: &Self) -> bool {
        (self.port, self.families) == (other.port, other.families) && self.host.eq_ignore_ascii_case(&other.host)
    }
}

impl Lookup {
    /// Resolves with this stub.
    pub const fn new(stub: Stub<'static>) -> Self {
        Self {
            stub,
            name: Name { host: ArrayString::new_const(), port: 0, families: Families::Any },
            state: State::Idle,
            known: Addresses::new(),
            shared: Shared::new(Connector::new()),
        }
    }

    /// The address of a candidate.
    pub(super) fn endpoint(&self, candidate: usize) -> Option<Endpoint> {
        self.known.as_slice().get(candidate).map(Address::endpoint)
    }

    /// The family to try first, unless the connector says which. The order of a file counts, not that in which DNS
    /// servers happen to answer.
    fn first_family(&self) -> Family {
        let of_file = self.known.iter().next().filter(|address| address.source() != Source::Dns).map(Address::family);
        self.name.families.first().or(of_file).unwrap_or(Family::V6)
    }

    fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending)
    }

    /// Whether it is for this name, and other connections do not use it with other settings.
    fn is_for(&self, name: &Name, connector: &Connector) -> bool {
        self.name.is(name) && (self.shared.users == 0 || self.shared.connector == *connector)
    }

    fn is_fresh(&self, now: Duration) -> bool {
        match self.state {
            State::Pending => true,
            State::Found(until) => now < until,
            State::Idle | State::Failed(_) => false,
        }
    }

    fn start(&mut self, name: &Name, connector: &Connector) -> Result<()> {
        (self.name, self.shared, self.known) = (*name, Shared::new(*connector), Addresses::new());
        let progress = self.stub.start(&name.host, name.port, name.families);
        self.learn(progress);
        progress.map(drop)
    }

    /// Returns whether there is anything new.
    fn advance(&mut self) -> bool {
        let progress = self.stub.advance();
        self.learn(progress);
        progress != Ok(Progress::Pending)
    }

    fn learn(&mut self, progress: Result<Progress>) {
        let wanted = match progress {
            Ok(Progress::Pending) => 0,
            // The other family keeps half of the room.
            Ok(Progress::Partial) => ADDRESSES_MAX / 2,
            Ok(Progress::Done) | Err(_) => ADDRESSES_MAX,
        };
        self.stub.addresses().iter().take(wanted).for_each(|address| self.known.push(*address));
        self.state = match progress {
            Ok(Progress::Pending | Progress::Partial) => State::Pending,
            Ok(Progress::Done) => State::Found(sys::now().saturating_add(self.time_to_live())),
            Err(error) => State::Failed(error),
        };
    }

    fn time_to_live(&self) -> Duration {
        let shortest = self.known.iter().filter_map(Address::ttl).min();
        shortest.unwrap_or_default().max(REUSE_SHORTEST)
    }

    /// Whether all addresses of a family are known.
    fn has_answered(&self, family: Family) -> bool {
        !self.is_pending() || self.known.of_family(family).next().is_some()
    }

    /// Gives a race the addresses that it does not have yet.
    pub(super) fn update(&self, race: &mut Race) {
        for address in self.known.iter().skip(race.len()) {
            race.push(&address.endpoint());
        }
        for family in [Family::V4, Family::V6] {
            if self.has_answered(family) {
                race.answered(family, sys::now());
            }
        }
    }

    /// A race to the addresses, known or to come, in turn by family.
    pub(super) fn race(&self, connector: &Connector) -> Race {
        let order = match connector.order() {
            Order::Listed => Order::Alternating(self.first_family()),
            order @ Order::Alternating(_) => order,
        };
        let wanted = [Family::V4, Family::V6].into_iter().filter(|family| self.name.families.include(*family));
        let mut race = wanted.fold(connector.with_order(order).race(sys::now()), Race::awaiting);
        self.update(&mut race);
        race
    }
}

impl From<Stub<'static>> for Lookup {
    fn from(stub: Stub<'static>) -> Self {
        Self::new(stub)
    }
}

/// The lookups of a server, borrowed from the caller or owned: one for each name that connections are made to at a
/// time.
pub struct Lookups<'t> {
    all: Memory<'t, Lookup>,
    /// When the first of those under way is due.
    due: Option<Duration>,
}

impl Lookups<'_> {
    pub(super) const fn none() -> Self {
        Self { all: Memory::Borrowed(&mut []), due: None }
    }

    /// Forgets the connections of an earlier server. Its answers stay.
    pub(super) fn reset(&mut self) {
        self.all.iter_mut().for_each(Lookup::leave);
        self.due = None;
    }

    /// Allocates this many, which use `/etc/hosts` and `/etc/resolv.conf`.
    ///
    /// # Errors
    ///
    /// Those of [`Stub::new`].
    #[cfg(feature = "std")]
    pub fn allocate(count: usize) -> Result<Self> {
        let lookups: Result<Vec<_>> = (0..count).map(|_| Stub::new().map(Lookup::new)).collect();
        Ok(Self { all: Memory::Boxed(lookups?.into_boxed_slice()), due: None })
    }

    /// Has the poller report all of them.
    pub(super) fn watch(&self, poller: &Poller) -> Result<()> {
        self.all.iter().zip(0..).try_for_each(|(lookup, number)| watch(lookup, number, poller))
    }

    /// When the next one is due.
    pub(super) const fn due(&self) -> Option<Duration> {
        self.due
    }

    pub(super) fn get(&self, route: usize) -> Option<&Lookup> {
        self.all.get(route.checked_sub(ROUTES_MAX)?)
    }

    pub(super) fn get_mut(&mut self, route: usize) -> Option<&mut Lookup> {
        self.all.get_mut(route.checked_sub(ROUTES_MAX)?)
    }

    /// The number of the route to a name: an answer that can still be used, a lookup under way, or a new one.
    pub(super) fn take(&mut self, name: &Name, connector: &Connector) -> Result<usize> {
        let now = sys::now();
        let usable = |lookup: &Lookup| lookup.is_for(name, connector) && lookup.is_fresh(now);
        let number = match self.all.iter().position(usable) {
            Some(number) => number,
            None => self.begin(name, connector)?,
        };
        let lookup = self.all.get_mut(number).ok_or(NO_ROOM)?;
        if lookup.shared.users == 0 {
            lookup.shared = Shared::new(*connector);
        }
        lookup.shared.users += 1;
        Ok(number + ROUTES_MAX)
    }

    /// Begins a lookup in place of the unused answer that expires first. If all are in use, an expired answer is better
    /// than none.
    fn begin(&mut self, name: &Name, connector: &Connector) -> Result<usize> {
        let unused = self.all.iter_mut().enumerate().filter(|(_, lookup)| lookup.shared.users == 0);
        let Some((number, lookup)) = unused.min_by_key(|(_, lookup)| lookup.expires_at()) else {
            let old = |lookup: &Lookup| lookup.is_for(name, connector) && matches!(lookup.state, State::Found(_));
            return self.all.iter().position(old).ok_or(NO_ROOM);
        };
        lookup.start(name, connector)?;
        self.schedule();
        Ok(number)
    }

    /// Advances a lookup; returns whether there is anything new.
    pub(super) fn advance(&mut self, number: usize, poller: &Poller) -> bool {
        let Some(lookup) = self.all.get_mut(number) else { return false };
        if !lookup.is_pending() {
            lookup.silence(number as u32, poller);
            return false;
        }
        let is_new = lookup.advance();
        self.schedule();
        is_new
    }

    /// A lookup that is due.
    pub(super) fn overdue(&self, now: Duration) -> Option<usize> {
        self.due.filter(|at| *at <= now)?;
        self.all.iter().position(|lookup| lookup.due().is_some_and(|at| at <= now))
    }

    fn schedule(&mut self) {
        self.due = self.all.iter().filter_map(Lookup::due).min();
    }

    /// Ends a lookup under way that no connection waits for.
    pub(super) fn end_unused(&mut self, route: usize) {
        let Some(lookup) = self.get_mut(route) else { return };
        if lookup.shared.users == 0 && lookup.is_pending() {
            lookup.leave();
            self.schedule();
        }
    }

    /// A connection failed. It no longer uses its lookup, so that the next one, which may be started before this one is
    /// closed, can ask again. If there was no address to try, the lookup is the reason.
    pub(super) fn failed(&mut self, dial: &mut Dial) {
        let Some(lookup) = self.get_mut(dial.route) else { return };
        dial.failure = dial.failure.or_else(|| Some((0, lookup.reason())));
        if let State::Found(until) = &mut lookup.state {
            *until = Duration::ZERO;
        }
        lookup.shared.users = lookup.shared.users.saturating_sub(1);
        self.end_unused(dial.route);
    }
}

const NO_ROOM: Error = Error::refused(Op::Connect, Cause::NoRoom);

impl Lookup {
    /// Why no address was tried.
    const fn reason(&self) -> Error {
        match self.state {
            State::Failed(error) => error,
            State::Pending | State::Idle => DEADLINE_PASSED,
            State::Found(_) => TIMED_OUT,
        }
    }

    fn due(&self) -> Option<Duration> {
        if self.is_pending() { self.stub.due() } else { None }
    }

    /// Ends the lookup, for there are no users.
    fn leave(&mut self) {
        self.shared.users = 0;
        if self.is_pending() {
            self.stub.cancel();
            self.state = State::Idle;
        }
    }

    fn expires_at(&self) -> Duration {
        if let State::Found(until) = self.state { until } else { Duration::ZERO }
    }

    /// Ends the reports of a socket that is closed here and open in a forked child.
    fn silence(&mut self, number: u32, poller: &Poller) {
        // A stub that cannot be replaced is reported again.
        let _ = poller.delete(&self.stub);
        let _ = self.stub.renew();
        let _ = watch(self, number, poller);
    }
}

fn watch(lookup: &Lookup, number: u32, poller: &Poller) -> Result<()> {
    poller.add(&lookup.stub, Subject::lookup_bits(number), Interest::READABLE)
}

impl<'t> From<&'t mut [Lookup]> for Lookups<'t> {
    fn from(lookups: &'t mut [Lookup]) -> Self {
        Self { all: Memory::Borrowed(lookups), due: None }
    }
}

impl<'t, const N: usize> From<&'t mut [Lookup; N]> for Lookups<'t> {
    fn from(lookups: &'t mut [Lookup; N]) -> Self {
        Self { all: Memory::Borrowed(lookups), due: None }
    }
}

#[cfg(feature = "std")]
impl<'t> From<&'t mut Vec<Lookup>> for Lookups<'t> {
    fn from(lookups: &'t mut Vec<Lookup>) -> Self {
        Self { all: Memory::Borrowed(lookups), due: None }
    }
}

#[cfg(feature = "std")]
impl From<Box<[Lookup]>> for Lookups<'_> {
    fn from(lookups: Box<[Lookup]>) -> Self {
        Self { all: Memory::Boxed(lookups), due: None }
    }
}

/// Ends the lookups under way, whose sockets would stay open in borrowed memory.
impl Drop for Lookups<'_> {
    fn drop(&mut self) {
        self.reset();
    }
}

impl fmt::Debug for Lookups<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter()).finish()
    }
}
