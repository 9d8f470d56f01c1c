//! One attempt to open all addresses of a list.
//!
//! An attempt opens an entry for one protocol after the other. An entry succeeds if, for each requested protocol, one
//! of its addresses opens; only a host name and an interface have several. An entry is skipped for all protocols or for
//! none: a list that requests UDP never opens with TCP alone because of an error that only UDP has.

#![allow(clippy::result_large_err, reason = "a list is opened once, when a server starts")]

use core::net::SocketAddr;

use arrayvec::ArrayVec;
use rustix::fd::OwnedFd;

use super::{
    ListenerSet, Protocols, SpecError,
    resolved::{Resolved, ResolvedAddr, Socket},
};
use crate::{
    addr::Endpoint,
    error::{AddrError, Cause, Errno, Error, Op, Result, ResultExt},
    listen::{Access, Listener, tcp, udp, unix},
    option::SocketOptions,
    sys,
};

/// The settings for every socket of a set.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    pub(super) protocols: Protocols,
    pub(super) socket_options: &'a SocketOptions,
    pub(super) access: &'a Access,
}

/// Why an attempt failed.
pub(super) struct Failed {
    pub(super) entry: SpecError,
    pub(super) collision: Option<Collision>,
}

/// The port that the kernel chose is not free for every socket that shares it.
pub(super) struct Collision {
    pub(super) port: u16,
    /// The socket that got the port. While it is open, the kernel chooses other ports.
    pub(super) fd: OwnedFd,
}

pub(super) struct Attempt<'a> {
    options: Options<'a>,
    set: ListenerSet,
    shared: Option<SharedPort>,
}

/// The port that the kernel chose for the first entry with port 0.
#[derive(Clone, Copy)]
struct SharedPort {
    number: u16,
    /// The socket that got the port: its protocol, and its index among that protocol's sockets.
    chosen_for: (Protocol, usize),
}

/// What ends an attempt.
struct Stop {
    entry: SpecError,
    is_collision: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Protocol {
    /// Listeners: TCP, Unix, inherited.
    Stream,
    Udp,
}

/// The result of one entry for one protocol.
#[derive(Clone, Copy)]
enum Outcome {
    NotAsked,
    Open,
    /// The first of its errors.
    PassedOver(SpecError),
}

impl Outcome {
    fn or_passed_over(self, entry: SpecError) -> Self {
        match self {
            Self::NotAsked => Self::PassedOver(entry),
            known => known,
        }
    }
}

impl<'a> Attempt<'a> {
    pub(super) fn new(options: Options<'a>) -> Self {
        Self { options, set: ListenerSet::EMPTY, shared: None }
    }

    pub(super) fn open(mut self, resolved: &Resolved<'_>) -> Result<ListenerSet, Failed> {
        for addrs in resolved.by_spec() {
            if let Err(stop) = self.open_spec(addrs) {
                return Err(self.give_up(&stop));
            }
        }
        match self.set.skipped.first() {
            Some(&entry) if self.set.is_empty() => Err(Failed { entry, collision: None }),
            _ => Ok(self.set),
        }
    }

    /// Opens the addresses of one entry.
    fn open_spec(&mut self, addrs: &[ResolvedAddr<'_>]) -> Result<(), Stop> {
        use Outcome::{Open, PassedOver};
        match (self.open_for(Protocol::Stream, addrs)?, self.open_for(Protocol::Udp, addrs)?) {
            (Open, PassedOver(entry)) | (PassedOver(entry), Open) => Err(Stop { entry, is_collision: false }),
            _ => Ok(()),
        }
    }

    fn open_for(&mut self, protocol: Protocol, addrs: &[ResolvedAddr<'_>]) -> Result<Outcome, Stop> {
        let protocols = self.options.protocols;
        let mut outcome = Outcome::NotAsked;
        let mut missing = None;
        for addr in addrs.iter().filter(|entry| is_asked(entry, protocol, protocols)) {
            let Err(failed) = self.open_socket(&addr.socket, protocol) else {
                outcome = Outcome::Open;
                continue;
            };
            let (entry, error) = (SpecError::new(addr.index, failed), failed.error());
            let is_collision = self.is_collision(&addr.socket, error);
            if is_collision || !may_be_missing(addr, error) {
                return Err(Stop { entry, is_collision });
            }
            self.skip(entry);
            outcome = outcome.or_passed_over(entry);
            if !is_tolerated(addr, error) {
                missing = missing.or(Some(entry));
            }
        }
        match (outcome, missing) {
            (Outcome::PassedOver(_), Some(entry)) => Err(Stop { entry, is_collision: false }),
            _ => Ok(outcome),
        }
    }

    fn open_socket(&mut self, socket: &Socket<'_>, protocol: Protocol) -> Result<(), AddrError> {
        let Options { socket_options, access, .. } = self.options;
        match socket {
            Socket::Inet(addr) if protocol == Protocol::Udp => {
                let datagram = udp(self.with_port(*addr), socket_options)?;
                self.share_port(addr, (protocol, self.set.datagrams.len()), || datagram.local_addr())?;
                push(&mut self.set.datagrams, datagram)
            }
            Socket::Inet(addr) => {
                let listener = tcp(self.with_port(*addr), socket_options)?;
                self.share_port(addr, (protocol, self.set.listeners.len()), || listener.local_addr())?;
                push(&mut self.set.listeners, listener)
            }
            Socket::Unix(addr) => push(&mut self.set.listeners, unix(addr, socket_options, access)?),
            Socket::Fd(number) => push(&mut self.set.listeners, inherited(*number)?),
            Socket::Missing(error) => Err(AddrError::nowhere(*error)),
        }
    }

    /// Replaces port 0 with the shared port.
    fn with_port(&self, mut addr: SocketAddr) -> SocketAddr {
        if addr.port() == 0 {
            addr.set_port(self.shared.map_or(0, |shared| shared.number));
        }
        addr
    }

    /// Records the first port that the kernel chooses.
    fn share_port(
        &mut self,
        asked: &SocketAddr,
        chosen_for: (Protocol, usize),
        local_addr: impl FnOnce() -> Result<Endpoint>,
    ) -> Result<(), AddrError> {
        if asked.port() == 0 && self.shared.is_none() {
            let local_addr = local_addr().map_err(|error| AddrError::new(error, (*asked).into()))?;
            self.shared = local_addr.port().map(|number| SharedPort { number, chosen_for });
        }
        Ok(())
    }

    /// Whether the port that the kernel chose conflicts with another socket, or with a later entry.
    fn is_collision(&self, socket: &Socket<'_>, error: Error) -> bool {
        match (socket, self.shared) {
            (Socket::Inet(addr), Some(shared)) => {
                error.is_addr_in_use() && self.with_port(*addr).port() == shared.number
            }
            _ => false,
        }
    }

    fn skip(&mut self, passed_over: SpecError) {
        if !self.set.skipped.iter().any(|known| is_same(known, &passed_over)) {
            // There is room for every address and protocol.
            let _ = self.set.skipped.push(passed_over);
        }
    }

    /// Removes the files and closes the sockets, except the one whose port collided.
    fn give_up(self, stop: &Stop) -> Failed {
        for listener in &self.set {
            // Report the error that led here, not this one.
            let _ = listener.remove_file();
        }
        let collision = self.shared.filter(|_| stop.is_collision).and_then(|shared| shared.take_out_of(self.set));
        Failed { entry: stop.entry, collision }
    }
}

impl SharedPort {
    fn take_out_of(self, set: ListenerSet) -> Option<Collision> {
        let (mut listeners, mut datagrams) = set.into_parts();
        let fd = match self.chosen_for {
            (Protocol::Stream, at) => listeners.nth(at)?.into(),
            (Protocol::Udp, at) => datagrams.nth(at)?.into(),
        };
        Some(Collision { port: self.number, fd })
    }
}

/// Whether two errors are one error of one address, perhaps for different protocols. Ports are not compared: the shared
/// port may become known between the two.
fn is_same(one: &SpecError, other: &SpecError) -> bool {
    let ip = |failed: &SpecError| failed.error.endpoint().and_then(Endpoint::ip);
    (one.index, one.error.error(), ip(one)) == (other.index, other.error.error(), ip(other))
}

fn is_asked(entry: &ResolvedAddr<'_>, protocol: Protocol, protocols: Protocols) -> bool {
    match (protocol, entry.socket) {
        (Protocol::Stream, Socket::Inet(_) | Socket::Missing(_)) => protocols != Protocols::Udp,
        (Protocol::Stream, _) => true,
        (Protocol::Udp, Socket::Inet(_) | Socket::Missing(_)) => protocols != Protocols::Tcp,
        (Protocol::Udp, _) => false,
    }
}

/// Never fails: every resolved address has room.
fn push<T, const N: usize>(sockets: &mut ArrayVec<T, N>, socket: T) -> Result<(), AddrError> {
    let pushed = sockets.try_push(socket);
    pushed.map_err(|_| AddrError::nowhere(Error::refused(Op::Address, Cause::TooManyAddresses)))
}

/// A listener on a duplicate of an inherited descriptor.
fn inherited(number: u32) -> Result<Listener, AddrError> {
    let adopted = sys::raw::duplicate(number).op(Op::Duplicate).and_then(Listener::adopt);
    adopted.map_err(AddrError::nowhere)
}

/// Whether to skip this address if the entry has another.
fn may_be_missing(addr: &ResolvedAddr<'_>, error: Error) -> bool {
    (addr.is_alternative && error.is_addr_in_use()) || error.is(Errno::ADDRNOTAVAIL) || is_tolerated(addr, error)
}

/// Whether to skip this entry of the list.
fn is_tolerated(addr: &ResolvedAddr<'_>, error: Error) -> bool {
    match error.errno() {
        _ if matches!(addr.socket, Socket::Missing(_)) => true,
        Some(Errno::ADDRNOTAVAIL) => addr.optional,
        Some(errno) => {
            [Errno::AFNOSUPPORT, Errno::NOPROTOOPT, Errno::PFNOSUPPORT, Errno::PROTONOSUPPORT, Errno::SOCKTNOSUPPORT]
                .contains(&errno)
        }
        None => false,
    }
}
