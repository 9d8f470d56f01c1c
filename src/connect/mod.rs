//! Connecting: TCP and Unix, blocking or not, to the addresses of a list in order.
//!
//! The first address that connects wins; after a failure, immediate or later, the next address is tried. If all fail,
//! the last error is returned. Every socket is close-on-exec and has the options of its [`Connector`] before it
//! connects; a TCP socket with a source address also has `SO_REUSEADDR`.

mod attempts;
mod connector;
mod pending;

use core::{net::SocketAddr, time::Duration};

use rustix::fd::{AsFd, OwnedFd};

pub use connector::Connector;
pub use pending::{Pending, Progress};

use crate::{
    addr::Endpoint,
    error::{AddrError, Cause, Errno, Error, Op, Result, ResultExt},
    option::{self, SocketOptions},
    stream::Stream,
    sys::{self, Deadline},
};
use attempts::Attempts;

/// The source address of a TCP connection.
///
/// With port 0 the kernel chooses the port in `connect`, so that connections to different peers can share a port
/// (`IP_BIND_ADDRESS_NO_PORT`, Linux). Ignored for Unix sockets.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LocalAddr {
    /// The address that routing chooses.
    #[default]
    Any,
    /// This address; if it cannot be used, connecting fails.
    Bound(SocketAddr),
    /// This address if connecting from it succeeds, otherwise any.
    BestEffort(SocketAddr),
}

impl LocalAddr {
    const fn addr(self) -> Option<SocketAddr> {
        match self {
            Self::Any => None,
            Self::Bound(addr) | Self::BestEffort(addr) => Some(addr),
        }
    }
}

/// Starts connecting without waiting.
///
/// The connector has the options and the source address; a [`LocalAddr`] converts to a connector without options. The
/// time limits of the connector are ignored: call [`Pending::time_out`] to give up on an address.
///
/// The [`Pending`] holds the list and tries the next address when one fails. Pass a reference, or an owned list for a
/// `Pending` that borrows nothing.
///
/// ```
/// use anet::{Endpoint, connect::{self, Progress, LocalAddr}, event::{Events, Interest, Poller}};
///
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let server_addr = Endpoint::from(server.local_addr()?);
/// let poller = Poller::new()?;
/// let mut progress = connect::start([server_addr], LocalAddr::Any)?;
/// let stream = loop {
///     progress = match progress {
///         Progress::Connected(stream) => break stream,
///         Progress::Started(pending) => {
///             poller.add(&pending, 0, Interest::WRITABLE)?;
///             Progress::Pending(pending)
///         }
///         Progress::Pending(pending) => {
///             poller.wait(&mut Events::<1>::new(), None)?;
///             pending.finish()?
///         }
///     }
/// };
/// assert_eq!(stream.peer_addr()?, server_addr);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The error of the last address, if all fail at once: `ECONNREFUSED`, `ENETUNREACH`, `EHOSTUNREACH`, `EADDRNOTAVAIL`
/// for a source that is not an address of this host or if no ephemeral port is left, `EAFNOSUPPORT` for a source of the
/// other family, [`MissingScope`](Cause::MissingScope) for a link-local address without scope, `EMFILE`, `ENFILE`;
/// those of the options. On a Unix socket `ENOENT`, `EACCES`, and `EAGAIN` if the server's backlog is full: no attempt
/// is in progress then, so call again later. [`NothingToTry`](Cause::NothingToTry) for an empty list.
#[doc(alias = "anetTcpNonBlockConnect")]
#[doc(alias = "anetTcpNonBlockBestEffortBindConnect")]
pub fn start<L: AsRef<[Endpoint]>>(endpoints: L, connector: impl Into<Connector>) -> Result<Progress<L>, AddrError> {
    let mut attempts = Attempts::new(endpoints, connector.into());
    let (peer, attempt) = attempts.first(NOTHING_TO_TRY, begin)?;
    Ok(match attempt {
        Attempt::Connected(stream) => Progress::Connected(stream),
        Attempt::UnderWay(fd) => Progress::Started(Pending::new(fd, peer, attempts)),
    })
}

/// Starts connecting a new socket, with `SO_REUSEADDR` as in Redis; returns it and whether it is connected already.
#[cfg(feature = "capi")]
pub(crate) fn start_reusing(fd: OwnedFd, peer: SocketAddr, source: Option<SocketAddr>) -> Result<(OwnedFd, bool)> {
    match source {
        Some(source) => bind_source(&fd, source)?,
        None => option::set_reuse_address(&fd, true)?,
    }
    Ok(match connect(fd, &peer.into())? {
        Attempt::Connected(stream) => (stream.into(), true),
        Attempt::UnderWay(fd) => (fd, false),
    })
}

/// Connects and waits, within the connector's time limits for each address and for all addresses. The returned stream
/// is blocking.
///
/// ```
/// use anet::{Endpoint, SocketOptions, connect::{self, Connector}};
/// use core::time::Duration;
///
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let server_addr = Endpoint::from(server.local_addr()?);
/// let connector = Connector::new()
///     .with_options(SocketOptions::new().with_tcp_nodelay(true))
///     .with_timeout(Some(Duration::from_secs(1)));
/// let stream = connect::blocking(&[server_addr], connector)?;
/// assert!(stream.nodelay()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`start`] and [`Pending::finish`], and `ETIMEDOUT`. [`AddrError::endpoint`] is the address that failed
/// last: the source address if it could not be bound.
#[doc(alias = "connect")]
pub fn blocking(endpoints: &[Endpoint], connector: impl Into<Connector>) -> Result<Stream, AddrError> {
    let connector = connector.into();
    let until = Deadline::after(connector.timeout());
    let mut attempts = Attempts::new(endpoints, connector);
    let connected = attempts.first(NOTHING_TO_TRY, |endpoint, source, options| {
        if until.is_over() {
            return Err(AddrError::new(Error::new(Op::Connect, Errno::TIMEDOUT), *endpoint));
        }
        let limits = [connector.attempt_timeout(), until.remaining()];
        attempt_and_wait(endpoint, source, options, limits.into_iter().flatten().min())
    });
    connected.map(|(_, stream)| stream)
}

const NOTHING_TO_TRY: AddrError = AddrError::nowhere(Error::refused(Op::Connect, Cause::NothingToTry));

/// The state of an attempt.
enum Attempt {
    Connected(Stream),
    UnderWay(OwnedFd),
}

/// Starts a non-blocking attempt.
fn begin(endpoint: &Endpoint, source: Option<SocketAddr>, options: &SocketOptions) -> Result<Attempt, AddrError> {
    attempt(socket(endpoint, source, options, true)?, endpoint)
}

fn attempt(fd: OwnedFd, endpoint: &Endpoint) -> Result<Attempt, AddrError> {
    connect(fd, endpoint).map_err(|error| AddrError::new(error, *endpoint))
}

fn connect(fd: OwnedFd, endpoint: &Endpoint) -> Result<Attempt> {
    match sys::connect(fd.as_fd(), endpoint) {
        Ok(()) => {
            let peer = sys::peer_addr(fd.as_fd()).op(Op::PeerAddr)?;
            pending::refuse_itself(fd.as_fd(), &peer)?;
            Ok(Attempt::Connected(Stream::from(fd)))
        }
        // An interrupted TCP connect continues in the kernel and must not be repeated.
        Err(Errno::INPROGRESS | Errno::INTR) => Ok(Attempt::UnderWay(fd)),
        Err(errno) => Err(Error::with_addr(Op::Connect, errno, endpoint)),
    }
}

fn attempt_and_wait(
    endpoint: &Endpoint,
    source: Option<SocketAddr>,
    options: &SocketOptions,
    timeout: Option<Duration>,
) -> Result<Stream, AddrError> {
    let deadline = Deadline::after(timeout);
    let is_unix = endpoint.as_unix().is_some();
    let fd = socket(endpoint, source, options, deadline.remaining().is_some() && !is_unix)?;
    let connected =
        if is_unix { wait_for_room(fd, endpoint, options, deadline) } else { wait_for_peer(fd, endpoint, deadline) };
    connected.map_err(|error| AddrError::new(error, *endpoint))
}

fn wait_for_peer(fd: OwnedFd, endpoint: &Endpoint, deadline: Deadline) -> Result<Stream> {
    let stream = match connect(fd, endpoint)? {
        Attempt::Connected(stream) => stream,
        Attempt::UnderWay(fd) => {
            pending::wait(fd.as_fd(), deadline)?;
            Stream::from(fd)
        }
    };
    if deadline.remaining().is_some() {
        option::set_nonblocking(&stream, false)?;
    }
    Ok(stream)
}

/// A Unix `connect` completes at once or waits for room in the server's backlog; a signal during the wait cancels it.
/// The deadline limits the total time, because the kernel restarts its timeout after each signal.
fn wait_for_room(fd: OwnedFd, endpoint: &Endpoint, options: &SocketOptions, deadline: Deadline) -> Result<Stream> {
    let stream = Stream::from(fd);
    while !connect_within(&stream, endpoint, deadline.remaining())? {
        if deadline.is_over() {
            return Err(Error::new(Op::Connect, Errno::TIMEDOUT));
        }
    }
    if deadline.remaining().is_some() {
        option::set_send_timeout(&stream, options.send_timeout())?;
    }
    Ok(stream)
}

/// Waits for room at most this long (`None`: indefinitely), or until a signal arrives; returns whether there was room.
fn connect_within(stream: &Stream, endpoint: &Endpoint, time: Option<Duration>) -> Result<bool> {
    if let Some(time) = time {
        option::set_send_timeout(stream, Some(without_lateness(time)))?;
    }
    match sys::connect(stream.as_fd(), endpoint) {
        Ok(()) => Ok(true),
        Err(Errno::INTR) => Ok(false),
        Err(Errno::AGAIN) if time.is_some() => Ok(false),
        Err(errno) => Err(Error::new(Op::Connect, errno)),
    }
}

/// The timeout for a call that must not be late: Linux rounds long timeouts to their magnitude (`kernel/time/timer.c`),
/// which may add an eighth. The caller waits for the rest of the time afterwards.
fn without_lateness(time: Duration) -> Duration {
    // A timeout of zero would wait indefinitely.
    (time - time / 8).max(Duration::from_micros(1))
}

/// Creates a socket that is ready to connect.
fn socket(
    endpoint: &Endpoint,
    source: Option<SocketAddr>,
    options: &SocketOptions,
    nonblocking: bool,
) -> Result<OwnedFd, AddrError> {
    let fd = new_socket(endpoint, options, nonblocking).map_err(|error| AddrError::new(error, *endpoint))?;
    if let Some(source) = source.filter(|_| endpoint.as_inet().is_some()) {
        bind_source(&fd, source).map_err(|error| AddrError::new(error, source.into()))?;
    }
    Ok(fd)
}

fn new_socket(endpoint: &Endpoint, options: &SocketOptions, nonblocking: bool) -> Result<OwnedFd> {
    let family = sys::family(endpoint)
        .map_err(|_| Error::refused(Op::Connect, Cause::UnknownFamily { family: unknown_family(endpoint) }))?;
    let fd = sys::stream_socket(family, nonblocking).op(Op::Socket)?;
    options.set_on_client(&fd, endpoint)?;
    Ok(fd)
}

const fn unknown_family(endpoint: &Endpoint) -> u32 {
    match endpoint {
        Endpoint::Unknown { family } => *family as u32,
        _ => 0,
    }
}

fn bind_source(fd: &OwnedFd, source: SocketAddr) -> Result<()> {
    option::set_reuse_address(fd, true)?;
    #[cfg(target_os = "linux")]
    if source.port() == 0 {
        share_ports(fd)?;
    }
    let source = source.into();
    sys::bind(fd.as_fd(), &source).op_with(Op::Bind, &source)
}

/// Linux before 4.2 does not have this option, nor do early versions of Multipath TCP; there every connection takes a
/// port of its own.
#[cfg(target_os = "linux")]
fn share_ports(fd: &OwnedFd) -> Result<()> {
    match option::set_bind_address_no_port(fd, true) {
        Err(error) if matches!(error.errno(), Some(Errno::NOPROTOOPT | Errno::OPNOTSUPP)) => Ok(()),
        other => other,
    }
}
