//! A whole bind list: all of it listens, or nothing does.

use core::{
    fmt,
    net::{SocketAddr, SocketAddrV6},
    slice,
};

use arrayvec::ArrayVec;
use rustix::{fd::AsFd, net::AddressFamily};

use super::{
    Access, Listener, Profile,
    spec::{BIND_LIST_MAX, BindList, BindSpec, Target},
    tcp, unix,
};
use crate::{
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    option, sys,
};

/// How often a shared ephemeral port is chosen anew when one family has it taken.
const PORT_TRIES: u32 = 32;

/// The listeners of a bind list.
///
/// ```
/// use anet::listen::{Access, BindList, ListenerSet, Profile};
///
/// let list = BindList::parse("127.0.0.1 -::1", 0)?;
/// let listeners = ListenerSet::open(&list, &Profile::new(), &Access::default())?;
/// for listener in &listeners {
///     println!("listening on {}", listener.local_addr()?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ListenerSet {
    listeners: ArrayVec<Listener, BIND_LIST_MAX>,
    skipped: ArrayVec<SpecError, BIND_LIST_MAX>,
}

/// What went wrong with one place of a bind list.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SpecError {
    /// Its position in the list, from 0.
    pub index: usize,
    /// What went wrong.
    pub error: Error,
}

impl ListenerSet {
    /// Listens on every place of the list, or on none: after an error nothing is left open and no file is left behind.
    ///
    /// As in Redis, a place whose protocol this host does not have (`EAFNOSUPPORT`, `EPFNOSUPPORT`, `EPROTONOSUPPORT`,
    /// `ESOCKTNOSUPPORT`, `ENOPROTOOPT`) is passed over, and so is an optional one whose address it does not have
    /// (`EADDRNOTAVAIL`); [`skipped`](Self::skipped) names them. All places that ask for port 0 share one port, which
    /// the kernel chooses for the first of them.
    ///
    /// The profile and the access are for the sockets opened here. An inherited descriptor (`fd@3`) is duplicated and
    /// keeps the options it has.
    ///
    /// # Errors
    ///
    /// The first place that failed and why: the errors of [`tcp`] and [`unix`], `ENODEV` for an
    /// interface that is not there, `EBADF` or `EINVAL` for a descriptor that is not open or does not listen,
    /// [`HostName`](Cause::HostName) for a name, which is not looked up here. If every place was passed over, the first
    /// one.
    pub fn open(list: &BindList<'_>, profile: &Profile, access: &Access) -> Result<Self, SpecError> {
        for _ in 1..PORT_TRIES {
            match Self::try_open(list, profile, access) {
                Err(failed) if failed.error.is_addr_in_use() && shares_a_port(list, failed.index) => {}
                other => return other,
            }
        }
        Self::try_open(list, profile, access)
    }

    fn try_open(list: &BindList<'_>, profile: &Profile, access: &Access) -> Result<Self, SpecError> {
        let mut set = Self { listeners: ArrayVec::new(), skipped: ArrayVec::new() };
        let mut shared_port = None;
        for (index, spec) in list.iter().enumerate() {
            match open(spec, shared_port, profile, access) {
                Ok(listener) => {
                    if asks_for_any_port(spec) && shared_port.is_none() {
                        shared_port = listener.local_addr().ok().and_then(|addr| addr.port());
                    }
                    set.listeners.push(listener);
                }
                Err(error) if is_tolerated(spec, error) => set.skipped.push(SpecError { index, error }),
                Err(error) => return Err(set.roll_back(SpecError { index, error })),
            }
        }
        match set.skipped.first() {
            Some(first) if set.listeners.is_empty() => Err(*first),
            _ => Ok(set),
        }
    }

    /// Takes the files back; the sockets go with the set.
    fn roll_back(self, failed: SpecError) -> SpecError {
        for listener in &self {
            // The error to tell is the one that led here.
            let _ = listener.remove_file();
        }
        failed
    }

    /// The listeners, in the order of the list.
    pub fn iter(&self) -> slice::Iter<'_, Listener> {
        self.listeners.iter()
    }

    /// The listeners, in the order of the list.
    pub fn as_slice(&self) -> &[Listener] {
        &self.listeners
    }

    /// The places that were passed over, and why.
    pub fn skipped(&self) -> &[SpecError] {
        &self.skipped
    }
}

fn open(spec: &BindSpec<'_>, shared_port: Option<u16>, profile: &Profile, access: &Access) -> Result<Listener> {
    match &spec.target {
        Target::Inet(addr) => tcp(with_port(*addr, shared_port), profile),
        Target::Zoned { ip, zone, port } => {
            let addr = SocketAddrV6::new(*ip, *port, 0, interface_index(zone)?);
            tcp(with_port(addr.into(), shared_port), profile)
        }
        Target::Name { .. } => Err(Error::refused(Op::Address, Cause::HostName)),
        Target::Unix(addr) => unix(addr, profile, access),
        Target::Fd(number) => inherited(*number),
    }
}

/// Fills in the port that the set shares.
fn with_port(mut addr: SocketAddr, shared_port: Option<u16>) -> SocketAddr {
    if addr.port() == 0 {
        addr.set_port(shared_port.unwrap_or(0));
    }
    addr
}

fn interface_index(name: &str) -> Result<u32> {
    let any_socket = sys::stream_socket(AddressFamily::UNIX, true).op(Op::Socket)?;
    sys::interface_index(any_socket.as_fd(), name).op(Op::Address)
}

/// A listener on a duplicate of a descriptor that the process was started with.
fn inherited(number: u32) -> Result<Listener> {
    let fd = sys::raw::duplicate(number).op(Op::Listen)?;
    if !sys::is_listening(fd.as_fd()).op(Op::Listen)? {
        return Err(Error::new(Op::Listen, Errno::INVAL));
    }
    option::set_nonblocking(&fd, true)?;
    Ok(Listener::from(fd))
}

fn is_tolerated(spec: &BindSpec<'_>, error: Error) -> bool {
    match error.errno() {
        Some(Errno::ADDRNOTAVAIL) => spec.optional,
        Some(errno) => {
            [Errno::AFNOSUPPORT, Errno::NOPROTOOPT, Errno::PFNOSUPPORT, Errno::PROTONOSUPPORT, Errno::SOCKTNOSUPPORT]
                .contains(&errno)
        }
        None => false,
    }
}

fn asks_for_any_port(spec: &BindSpec<'_>) -> bool {
    match spec.target {
        Target::Inet(addr) => addr.port() == 0,
        Target::Zoned { port, .. } => port == 0,
        _ => false,
    }
}

/// Whether this place had to take the port that an earlier one was given.
fn shares_a_port(list: &BindList<'_>, index: usize) -> bool {
    let asking = |spec: &&BindSpec<'_>| asks_for_any_port(spec);
    list.as_slice().get(index).as_ref().is_some_and(asking) && list.iter().take(index).any(|spec| asking(&spec))
}

impl<'set> IntoIterator for &'set ListenerSet {
    type Item = &'set Listener;
    type IntoIter = slice::Iter<'set, Listener>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The listeners of a [`ListenerSet`], by value.
#[derive(Debug)]
pub struct IntoIter(arrayvec::IntoIter<Listener, BIND_LIST_MAX>);

impl IntoIterator for ListenerSet {
    type Item = Listener;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(self.listeners.into_iter())
    }
}

impl Iterator for IntoIter {
    type Item = Listener;

    fn next(&mut self) -> Option<Listener> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "place {} of the bind list: {}", self.index + 1, self.error)
    }
}

impl core::error::Error for SpecError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}
