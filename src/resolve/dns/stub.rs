//! [`Stub`]: a lookup that a poller drives.

use core::{ffi::CStr, time::Duration};

use rustix::fd::{AsFd, BorrowedFd};

use super::{
    Answer, Config, Question, RESOLV_CONF,
    exchange::Exchange,
    pending::{Context, Outcome, Pending},
    search::Search,
};
use crate::{
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    resolve::{
        Addresses, Families, Family, HOSTS_FILE, Resolve,
        hosts::{Hosts, Local},
        interface_index,
    },
    sys::{
        self, Deadline, FileStamp, PollFlags,
        selector::{Event, Selector},
    },
};

/// The families in the order of the keys of their sockets, which is the order of their addresses without a preference.
const FAMILIES: [Family; 2] = [Family::V6, Family::V4];

/// The state of a lookup. The caller must handle every state, so this enum is exhaustive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Progress {
    /// Nothing new: wait until the stub is readable or its [timeout](Stub::timeout) is over, then
    /// [`advance`](Stub::advance).
    Pending,
    /// One family has answered with addresses, and the other is still under way. Returned once, when it happens.
    Partial,
    /// The lookup is complete.
    Done,
}

/// A stub resolver: numeric text, the hosts file, `localhost`, then DNS; one lookup at a time.
///
/// A stub is one descriptor, the same for its whole life, to be watched for reading. It never blocks and never
/// allocates. Several lookups at a time take several stubs, of 8 kB each.
///
/// ```no_run
/// use anet::{event::{Events, Interest, Poller}, resolve::{Families, dns::{Progress, Stub}}};
///
/// let poller = Poller::new()?;
/// let mut events = Events::<8>::new();
/// let mut stub = Stub::new()?;
/// poller.add(&stub, 0, Interest::READABLE)?;
///
/// let mut progress = stub.start("cache.internal", 6379, Families::Any)?;
/// while progress != Progress::Done {
///     if progress == Progress::Partial {
///         println!("first: {:?}", stub.addresses());
///     }
///     poller.wait(&mut events, stub.timeout())?;
///     progress = stub.advance()?;
/// }
/// for address in stub.addresses() {
///     println!("{} for {:?}", address.addr(), address.ttl());
/// }
/// # Ok::<(), anet::Error>(())
/// ```
///
/// A thread of its own can wait with [`resolve_within`](Self::resolve_within).
#[derive(Debug)]
pub struct Stub<'p> {
    selector: Selector,
    hosts: Hosts<'p>,
    config: Config,
    file: Option<ConfigFile<'p>>,
    /// Counts lookups, for `rotate`.
    lookups: usize,
    time_limit: Option<Duration>,
    port: u16,
    families: Families,
    search: Search,
    /// Indexed like [`FAMILIES`].
    parts: [Part; 2],
    progress: Progress,
    addresses: Addresses,
    /// The most telling error of the names that were asked for.
    error: Option<Error>,
}

/// Where the configuration comes from, and what the file was when it was read.
#[derive(Debug)]
struct ConfigFile<'p> {
    path: &'p CStr,
    read: Option<Option<FileStamp>>,
}

/// The part of a lookup that one family is.
#[derive(Debug)]
struct Part {
    pending: Option<Pending>,
    addresses: Addresses,
    /// Why there are none.
    error: Option<Error>,
}

impl Part {
    const EMPTY: Self = Self { pending: None, addresses: Addresses::new(), error: None };

    fn settle(&mut self, outcome: Outcome) {
        self.error = match outcome {
            Outcome::Pending => return,
            Outcome::Answered(Answer::Found) => None,
            Outcome::Answered(Answer::NoName) => Some(NOT_FOUND),
            Outcome::Answered(_) => Some(NO_ADDRESS),
            Outcome::Failed(error) => Some(error),
        };
        self.pending = None;
    }
}

impl Stub<'static> {
    /// Uses `/etc/hosts` and `/etc/resolv.conf`, which is read again when it has changed.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> Result<Self> {
        Self::with_files(HOSTS_FILE, RESOLV_CONF)
    }
}

impl<'p> Stub<'p> {
    /// Uses these files, such as those of a network namespace. A file that does not exist, or that the process may not
    /// read, is empty.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Stub::new).
    pub fn with_files(hosts: &'p CStr, resolv_conf: &'p CStr) -> Result<Self> {
        Ok(Self {
            file: Some(ConfigFile { path: resolv_conf, read: None }),
            ..Self::with_config(hosts, Config::new())?
        })
    }

    /// Uses this hosts file and this configuration.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Stub::new).
    pub fn with_config(hosts: &'p CStr, config: Config) -> Result<Self> {
        Ok(Self {
            selector: Selector::new().op(Op::EventCreate)?,
            hosts: Hosts::at(hosts),
            config,
            file: None,
            lookups: 0,
            time_limit: None,
            port: 0,
            families: Families::Any,
            search: Search::EMPTY,
            parts: [Part::EMPTY; 2],
            progress: Progress::Done,
            addresses: Addresses::new(),
            error: None,
        })
    }

    /// Limits the time of [`resolve`](Resolve::resolve). Without a limit it takes as long as the configuration allows.
    pub const fn with_time_limit(mut self, limit: Option<Duration>) -> Self {
        self.time_limit = limit;
        self
    }

    /// The configuration, as of the last lookup that needed it.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Starts a lookup, in place of the one under way if there is one. Numeric text, names of the hosts file and
    /// `localhost` are [`Done`](Progress::Done) at once; other names are [`Pending`](Progress::Pending).
    ///
    /// # Errors
    ///
    /// [`InvalidHostName`](Cause::InvalidHostName); [`NoAddress`](Cause::NoAddress) for numeric text of the other
    /// family; `ENODEV` for a zone that is no interface; `EMFILE`, `ENFILE`, `ENOMEM`; an errno that every server's
    /// socket met, such as `ENETUNREACH`.
    pub fn start(&mut self, host: &str, port: u16, families: Families) -> Result<Progress> {
        self.cancel();
        let Local { addresses, is_listed } = self.hosts.look_up(host, port, families)?;
        self.addresses = addresses;
        if !self.addresses.is_empty() {
            return Ok(Progress::Done);
        }
        self.reload()?;
        (self.port, self.families) = (port, families);
        self.error = is_listed.then_some(NO_ADDRESS);
        self.search = Search::new(host).unwrap_or(Search::EMPTY);
        self.lookups = self.lookups.wrapping_add(1);
        self.progress = Progress::Pending;
        let started = self.ask_next().and_then(|_| self.go_on());
        self.conclude(started)
    }

    /// Takes what has come from the servers, and asks others whose turn it is. A call too many does no harm.
    ///
    /// # Errors
    ///
    /// The lookup is over, without an address: [`HostNotFound`](Cause::HostNotFound), [`NoAddress`](Cause::NoAddress),
    /// [`NameServerFailed`](Cause::NameServerFailed), [`NameServerRefused`](Cause::NameServerRefused),
    /// [`NoAnswer`](Cause::NoAnswer), `ECONNREFUSED` and other errnos of the sockets to the servers.
    pub fn advance(&mut self) -> Result<Progress> {
        if self.progress == Progress::Done {
            return Ok(Progress::Done);
        }
        let advanced = self.take_events();
        self.conclude(advanced)
    }

    /// How long to wait at most before the next [`advance`](Self::advance); `None` without a lookup under way.
    pub fn timeout(&self) -> Option<Duration> {
        self.due().map(|due| due.saturating_sub(sys::now()))
    }

    /// When to call [`advance`](Self::advance) at the latest, on the clock of [`sys::now`].
    pub(crate) fn due(&self) -> Option<Duration> {
        self.parts.iter().filter_map(|part| part.pending.as_ref()).map(Pending::due).min()
    }

    /// The addresses that are known so far, in the order of preference.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Why the lookup has found no address of this family, if it has not and is not still trying to.
    pub const fn error(&self, family: Family) -> Option<Error> {
        let [v6, v4] = &self.parts;
        match family {
            Family::V6 => v6.error,
            Family::V4 => v4.error,
        }
    }

    /// Replaces the descriptor under the same number. Without a lookup under way the old one has nothing to report but
    /// sockets that a forked child still has.
    pub(crate) fn renew(&mut self) -> Result<()> {
        self.cancel();
        self.selector.renew().op(Op::EventCreate)
    }

    /// Gives up the lookup under way and closes its sockets.
    pub fn cancel(&mut self) {
        self.parts = [Part::EMPTY; 2];
        self.progress = Progress::Done;
        self.addresses = Addresses::new();
        self.error = None;
    }

    /// Resolves a name and waits, at most for `timeout`. If that is over when one family has answered, its addresses
    /// are the result.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start) and [`advance`](Self::advance); [`DeadlinePassed`](Cause::DeadlinePassed).
    pub fn resolve_within(
        &mut self,
        host: &str,
        port: u16,
        families: Families,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Addresses> {
        let deadline = Deadline::after(timeout);
        let mut progress = self.start(host, port, families)?;
        while progress != Progress::Done {
            if deadline.is_over() {
                self.end_parts();
                break;
            }
            self.wait(deadline)?;
            progress = self.advance()?;
        }
        match self.addresses.is_empty() {
            true => Err(Error::refused(Op::Resolve, Cause::DeadlinePassed)),
            false => Ok(self.addresses.clone()),
        }
    }

    fn wait(&self, deadline: Deadline) -> Result<()> {
        let time = [self.timeout(), deadline.remaining()].into_iter().flatten().min();
        match sys::poll(self.selector.as_fd(), PollFlags::IN, time) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno).op(Op::Poll),
        }
    }

    fn end_parts(&mut self) {
        self.parts.iter_mut().for_each(|part| part.pending = None);
        self.progress = Progress::Done;
    }

    /// Reads the configuration's file if it has changed.
    fn reload(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let now = sys::stamp(file.path).ok();
        if file.read != Some(now) {
            self.config = Config::read(file.path, &mut |zone| interface_index(zone).ok())?;
            file.read = Some(now);
        }
        Ok(())
    }

    /// Goes on until there is something to wait for or to report.
    fn go_on(&mut self) -> Result<Progress> {
        loop {
            if let Some(progress) = self.merge() {
                return Ok(progress);
            }
            self.keep_error()?;
            if !self.ask_next()? {
                return Err(self.error.unwrap_or(NOT_FOUND));
            }
        }
    }

    /// Asks for the next name of the search list; returns whether there is one.
    fn ask_next(&mut self) -> Result<bool> {
        let Some(name) = self.search.next(&self.config) else { return Ok(false) };
        let mut ids = [0; 4];
        sys::random(&mut ids).op(Op::Resolve)?;
        let [a, b, c, d] = ids;
        let ids = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
        self.parts = [Part::EMPTY; 2];
        for (index, (family, id)) in FAMILIES.into_iter().zip(ids).enumerate() {
            if self.families.include(family) {
                self.ask(index, Question::new(&name, family, id)?);
            }
        }
        Ok(true)
    }

    fn ask(&mut self, index: usize, question: Question) {
        let first = if self.config.rotate() { self.lookups } else { 0 };
        self.with_part(index, |part, context| {
            let exchange = Exchange::new(context.config, first, context.now);
            let outcome = part.pending.insert(Pending::new(question, exchange)).start(context);
            part.settle(outcome);
        });
    }

    fn take_events(&mut self) -> Result<Progress> {
        let mut events = [Event::NOTHING; FAMILIES.len()];
        let ready = match self.selector.wait(&mut events, Some(Duration::ZERO)) {
            Err(Errno::INTR) => 0,
            other => other.op(Op::EventWait)?,
        };
        for event in events.iter().take(ready) {
            self.with_part(usize::try_from(event.key()).unwrap_or(usize::MAX), |part, context| {
                let Some(pending) = &mut part.pending else { return };
                let outcome = pending.ready(context, &mut part.addresses);
                part.settle(outcome);
            });
        }
        for index in 0..FAMILIES.len() {
            self.with_part(index, |part, context| {
                let Some(pending) = &mut part.pending else { return };
                let outcome = pending.tick(context);
                part.settle(outcome);
            });
        }
        self.go_on()
    }

    fn with_part(&mut self, index: usize, act: impl FnOnce(&mut Part, Context<'_>)) {
        let Self { config, selector, port, parts, .. } = self;
        let context = Context { config, selector, key: index as u64, port: *port, now: sys::now() };
        if let Some(part) = parts.get_mut(index) {
            act(part, context);
        }
    }

    /// Puts the addresses together; `None` if the name that was asked for has none.
    fn merge(&mut self) -> Option<Progress> {
        let [v6, v4] = &self.parts;
        let [first, second] = if self.families.first() == Some(Family::V4) { [v4, v6] } else { [v6, v4] };
        self.addresses = Addresses::merged(&first.addresses, &second.addresses);
        let is_pending = self.parts.iter().any(|part| part.pending.is_some());
        match (is_pending, self.addresses.is_empty()) {
            (true, false) if self.progress == Progress::Pending => Some(Progress::Partial),
            (true, _) => Some(Progress::Pending),
            (false, false) => Some(Progress::Done),
            (false, true) => None,
        }
    }

    /// Keeps the most telling error of the names asked for. If the servers do not answer, asking them for another name
    /// takes long and tells nothing.
    fn keep_error(&mut self) -> Result<()> {
        // With an answer for one family alone, the name may still have an address of the other.
        let errors = self.parts.iter().filter_map(|part| part.error);
        let error = errors.max_by_key(|&error| trouble(error)).unwrap_or(NOT_FOUND);
        if trouble(error) == UNREACHABLE {
            return Err(error);
        }
        // As in glibc, a name that exists counts, whatever happened to the others.
        let rank = |error| (error == NO_ADDRESS, trouble(error));
        self.error = self.error.into_iter().chain([error]).max_by_key(|&error| rank(error));
        Ok(())
    }

    /// Keeps the state of the lookup. An error ends it.
    fn conclude(&mut self, advanced: Result<Progress>) -> Result<Progress> {
        match advanced {
            Ok(Progress::Pending) => {}
            Ok(progress) => self.progress = progress,
            Err(_) => self.end_parts(),
        }
        advanced
    }
}

const NOT_FOUND: Error = Error::refused(Op::Resolve, Cause::HostNotFound);

const NO_ADDRESS: Error = Error::refused(Op::Resolve, Cause::NoAddress);

const UNREACHABLE: u8 = 3;

/// How little an error says of the name.
fn trouble(error: Error) -> u8 {
    match error.cause() {
        Cause::HostNotFound => 0,
        Cause::NoAddress => 1,
        Cause::NoAnswer | Cause::Errno(_) => UNREACHABLE,
        _ => 2,
    }
}

/// Within the [time limit](Stub::with_time_limit); the errors are those of [`Stub::resolve_within`].
impl Resolve for Stub<'_> {
    fn resolve(&mut self, host: &str, port: u16, families: Families) -> Result<Addresses> {
        self.resolve_within(host, port, families, self.time_limit)
    }
}

/// The descriptor to watch for reading.
impl AsFd for Stub<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.selector.as_fd()
    }
}
