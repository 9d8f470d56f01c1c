//! [`Pending`]: a connection attempt in progress.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Attempt, attempts::Attempts};
use crate::{
    addr::Endpoint,
    error::{AddrError, Cause, Errno, Error, Op, Result, ResultExt},
    option,
    stream::Stream,
    sys::{self, Deadline, PollFlags},
};

/// The state of a connection attempt. The caller must handle every state, so this enum is exhaustive.
#[derive(Debug)]
pub enum Progress<L> {
    /// The connection is established, on the descriptor of the [`Pending`] that was finished, or on a new one if
    /// [`start`](super::start) connected at once.
    Connected(Stream),
    /// An attempt has started on a new descriptor, which is not registered yet: [`add`](crate::event::Poller::add) it
    /// to the poller.
    Started(Pending<L>),
    /// The attempt continues on the same descriptor.
    Pending(Pending<L>),
}

/// A connection attempt in progress, and the addresses not tried yet. Wait until it is writable or has an error, then
/// [`finish`](Self::finish) it. Dropping it abandons all of them.
///
/// `L` is the list passed to [`start`](super::start). With an owned list, such as an array, a `Vec` or an
/// `Arc<[Endpoint]>`, the `Pending` borrows nothing, and a table can hold many:
///
/// ```
/// use anet::{Endpoint, Stream, connect::{self, Pending, Progress, LocalAddr}, event::{Events, Interest, Poller}};
/// use std::sync::Arc;
///
/// struct Dials {
///     poller: Poller,
///     /// Indexed by the poller's key.
///     pending: [Option<Pending<Arc<[Endpoint]>>>; 2],
/// }
///
/// impl Dials {
///     /// Keeps a pending attempt, and returns a connected stream.
///     fn keep(&mut self, key: usize, progress: Progress<Arc<[Endpoint]>>) -> anet::Result<Option<Stream>> {
///         let pending = match progress {
///             Progress::Connected(stream) => return Ok(Some(stream)),
///             Progress::Started(pending) => {
///                 self.poller.add(&pending, key as u64, Interest::WRITABLE)?;
///                 pending
///             }
///             Progress::Pending(pending) => pending,
///         };
///         self.pending[key] = Some(pending);
///         Ok(None)
///     }
/// }
///
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let live = Endpoint::from(server.local_addr()?);
/// # let dead = "127.0.0.1:1".parse()?;
/// let mut dials = Dials { poller: Poller::new()?, pending: [None, None] };
/// for (key, list) in [[dead, live], [live, dead]].into_iter().enumerate() {
///     dials.keep(key, connect::start(Arc::from(list), LocalAddr::Any)?)?;
/// }
/// let (mut streams, mut events) = (Vec::new(), Events::<8>::new());
/// while streams.len() < 2 {
///     dials.poller.wait(&mut events, None)?;
///     for event in &events {
///         let key = event.key() as usize;
///         if let Some(pending) = dials.pending[key].take() {
///             streams.extend(dials.keep(key, pending.finish()?)?);
///         }
///     }
/// }
/// assert!(streams.iter().all(|stream| stream.peer_addr() == Ok(live)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pending<L> {
    fd: OwnedFd,
    peer: Endpoint,
    attempts: Attempts<L>,
}

impl<L: AsRef<[Endpoint]>> Pending<L> {
    pub(super) const fn new(fd: OwnedFd, peer: Endpoint, attempts: Attempts<L>) -> Self {
        Self { fd, peer, attempts }
    }

    /// The address of the current attempt.
    pub const fn peer_addr(&self) -> &Endpoint {
        &self.peer
    }

    /// Returns the result of the attempt: connected, or still pending if called too early. A failed attempt closes the
    /// descriptor, and the next address that does not fail at once is [`Started`](Progress::Started) on a new
    /// descriptor, even if it is already connected.
    ///
    /// Closing a descriptor removes it from the poller unless a forked child has it too; a server that forks must call
    /// [`delete`](crate::event::Poller::delete) first.
    ///
    /// # Errors
    ///
    /// The error of the last address: `ECONNREFUSED`, `ETIMEDOUT`, `EHOSTUNREACH`, `ENETUNREACH`, `ECONNRESET`, those
    /// of [`start`](super::start); [`SelfConnected`](Cause::SelfConnected) if the kernel chose the destination port as
    /// the source port and no listener has it.
    #[doc(alias = "SO_ERROR")]
    pub fn finish(self) -> Result<Progress<L>, AddrError> {
        match is_connected(self.fd.as_fd()) {
            Ok(true) => Ok(Progress::Connected(Stream::from(self.fd))),
            Ok(false) => Ok(Progress::Pending(self)),
            Err(error) => self.next_attempt(error),
        }
    }

    /// Gives up on the current address because its time has passed, and continues with the next one as
    /// [`finish`](Self::finish) does after a failure.
    ///
    /// A proxy that gives each upstream one second:
    ///
    /// ```
    /// use anet::{Endpoint, connect::{self, Progress, LocalAddr}, event::{Events, Interest, Poller}};
    /// use core::time::Duration;
    ///
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let live = Endpoint::from(server.local_addr()?);
    /// # let dead: Endpoint = "127.0.0.1:1".parse()?;
    /// let upstreams = [dead, live];
    /// let (poller, mut events) = (Poller::new()?, Events::<1>::new());
    /// let mut progress = connect::start(&upstreams, LocalAddr::Any)?;
    /// let upstream = loop {
    ///     let pending = match progress {
    ///         Progress::Connected(stream) => break stream,
    ///         Progress::Started(pending) => {
    ///             poller.add(&pending, 0, Interest::WRITABLE)?;
    ///             pending
    ///         }
    ///         Progress::Pending(pending) => pending,
    ///     };
    ///     let is_in_time = poller.wait(&mut events, Some(Duration::from_secs(1)))? > 0;
    ///     progress = if is_in_time { pending.finish()? } else { pending.time_out()? };
    /// };
    /// assert_eq!(upstream.peer_addr()?, live);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` if this was the last address; those of [`start`](super::start).
    pub fn time_out(self) -> Result<Progress<L>, AddrError> {
        self.next_attempt(Error::new(Op::Connect, Errno::TIMEDOUT))
    }

    /// Starts the attempt after one that failed with `error`.
    fn next_attempt(self, error: Error) -> Result<Progress<L>, AddrError> {
        let Self { fd, peer, mut attempts } = self;
        // The next attempt may need this descriptor's place under the descriptor limit.
        drop(fd);
        let (peer, attempt) = attempts.first(AddrError::new(error, peer), super::begin)?;
        let fd = match attempt {
            Attempt::Connected(stream) => OwnedFd::from(stream),
            Attempt::UnderWay(fd) => fd,
        };
        Ok(Progress::Started(Self::new(fd, peer, attempts)))
    }
}

impl<L> AsFd for Pending<L> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Gives away the socket and drops the other addresses. When the socket is writable or has an error, `SO_ERROR` is the
/// result of the attempt.
impl<L> From<Pending<L>> for OwnedFd {
    fn from(pending: Pending<L>) -> Self {
        pending.fd
    }
}

/// Waits until an attempt has succeeded or failed.
pub(super) fn wait(fd: BorrowedFd<'_>, deadline: Deadline) -> Result<()> {
    while !is_writable(fd, deadline)? || !is_connected(fd)? {}
    Ok(())
}

/// Waits until the socket is writable or has an error, or a signal arrives.
fn is_writable(fd: BorrowedFd<'_>, deadline: Deadline) -> Result<bool> {
    match sys::poll(fd, PollFlags::OUT, deadline.remaining()) {
        Ok(true) => Ok(true),
        Err(Errno::INTR) if !deadline.is_over() => Ok(false),
        Ok(false) | Err(Errno::INTR) => Err(Error::new(Op::Connect, Errno::TIMEDOUT)),
        Err(errno) => Err(Error::new(Op::Poll, errno)),
    }
}

/// Whether an attempt has succeeded; `false` while it is in progress.
fn is_connected(fd: BorrowedFd<'_>) -> Result<bool> {
    fail_with_waiting_error(fd)?;
    match sys::peer_addr(fd) {
        Ok(peer) => refuse_itself(fd, &peer).map(|()| true),
        Err(Errno::NOTCONN) => is_connected_since(fd),
        Err(errno) => Err(Error::new(Op::PeerAddr, errno)),
    }
}

/// There was no error and no peer: the attempt is in progress, or has ended since.
fn is_connected_since(fd: BorrowedFd<'_>) -> Result<bool> {
    if sys::poll_now(fd, PollFlags::OUT).op(Op::Poll)?.is_empty() {
        return Ok(false);
    }
    fail_with_waiting_error(fd)?;
    let peer = sys::peer_addr(fd).op(Op::Connect)?;
    refuse_itself(fd, &peer).map(|()| true)
}

fn fail_with_waiting_error(fd: BorrowedFd<'_>) -> Result<()> {
    option::take_error(fd)?.map_or(Ok(()), |errno| Err(Error::new(Op::Connect, errno)))
}

/// Rejects a socket that is connected to itself.
pub(super) fn refuse_itself(fd: BorrowedFd<'_>, peer: &Endpoint) -> Result<()> {
    if peer.as_inet().is_some() && sys::local_addr(fd).op(Op::LocalAddr)? == *peer {
        return Err(Error::refused(Op::Connect, Cause::SelfConnected));
    }
    Ok(())
}
