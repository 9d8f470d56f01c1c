//! [`Server`]: listeners, a poller, admission and a table of connections, in one loop that the caller owns.
//!
//! The server accepts, connects, admits, watches, times out and drains; its author reads and writes. Events are asked for
//! one by one, so no handler is called and nothing is borrowed in between: a [`Key`] names a connection, and names none
//! as soon as that is closed. Pending events of a closed connection are discarded.
//!
//! Memory is the caller's: [`Slots`], one for each connection and each watched descriptor, and the server itself. While
//! every slot is taken, or descriptors are missing, clients wait in the backlog of their listener; listeners take turns.
//!
//! A connection that comes with its request, is answered and closed takes five system calls besides the wait:
//! `accept4`, `read`, `write`, `read`, `close`. New connections are read from before they are watched, at once and once
//! more at the end of the turn; where that is usually in vain it is left out, and most take an `epoll_ctl` and another
//! wait instead.

mod closing;
mod connection;
mod connections;
mod deadlines;
mod drain;
mod event;
mod listeners;
#[cfg(test)]
mod model;
mod opening;
mod options;
mod outgoing;
mod run;
mod slot;
mod table;
mod watch;

use core::{fmt, time::Duration};

use rustix::fd::{AsFd, BorrowedFd};

pub use connection::{Connection, Expiry, Io};
pub use event::{CloseReason, Event, ListenerId, WatchId};
pub use options::ListenOptions;
pub use outgoing::{ROUTES_MAX, Refused};
pub use slot::{Key, Slot, Slots};

use crate::{
    accept::{self, Admission, Limits, Reason, Reserve},
    addr::Endpoint,
    error::Result,
    event::{Events, Interest},
    listen::Listener,
    option,
    stream::Stream,
};
use connections::{Connections, Sharing};
use listeners::Listeners;

/// How many listeners a server may have at a time.
pub const LISTENERS_MAX: usize = 32;

/// For how long a connection that is [closed lingering](Server::close_lingering) is read from, where nothing else is
/// said.
pub const LINGER_DEFAULT: Duration = Duration::from_secs(2);

/// Events taken from the kernel at one wait; more of them come with the next.
const BATCH: usize = 256;

/// What a server has seen since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Counters {
    /// What its listeners have seen.
    pub accept: accept::Counters,
    /// Connections that were held: accepted and admitted, outgoing, or inserted.
    pub held: u64,
    /// Accepted connections that were admitted.
    pub admitted: u64,
    /// Accepted connections that were not.
    pub rejected: u64,
    /// Times that a connection was idle for too long.
    pub timed_out: u64,
}

/// A connection that was just admitted, for which data is to be made.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Incoming<'c> {
    /// The peer's address.
    pub peer: &'c Endpoint,
    /// The listener that accepted it.
    pub listener: ListenerId,
    /// The [tag](ListenOptions::with_tag) of that listener.
    pub tag: u64,
}

/// Serves connections, each with data of type `T`: accepted from listeners of all kinds, outgoing, or inserted.
///
/// `SOURCES` is how many different source addresses can be counted; see [`Admission`].
///
/// ```
/// use anet::{Profile, listen, server::{Event, Server, Slot}};
///
/// let mut slots = [const { Slot::<u32>::VACANT }; 16];
/// let mut server = Server::new(&mut slots)?;
/// let listener = listen::tcp("127.0.0.1:0".parse()?, &Profile::new())?;
/// # use std::io::{Read, Write};
/// # let mut client = std::net::TcpStream::connect(listener.local_addr()?.to_string())?;
/// # client.write_all(b"ping")?;
/// server.listen(listener)?;
///
/// let mut buf = [0; 512];
/// # let mut served = false;
/// # while !served {
/// server.wait(None)?;
/// while let Some(event) = server.next_event() {
///     let Event::Readable(key) = event else { continue };
///     let Some(connection) = server.get_mut(key) else { continue };
///     match connection.read(&mut buf) {
///         Ok(1..) => {
///             connection.data += 1;
///             let _ = connection.write_all(b"pong");
///             server.close_lingering(key);
/// #           served = true;
///         }
///         Err(error) if error.is_would_block() => {}
///         Ok(0) | Err(_) => drop(server.close(key)),
///     }
/// }
/// # }
/// # let mut text = String::new();
/// # client.read_to_string(&mut text)?;
/// # assert_eq!(text, "pong");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "networking.c")]
pub struct Server<'t, T, const SOURCES: usize = 0> {
    listeners: Listeners,
    connections: Connections<'t, T, SOURCES>,
    reserve: Option<Reserve<'t>>,
    events: Events<BATCH>,
    /// What is to be reported next of those events, in halves: first to the reader, then to the writer.
    cursor: usize,
}

/// Setting up.
impl<'t, T> Server<'t, T> {
    /// A server that admits every client there is a slot for. A connection's data is `T::default()` at first.
    ///
    /// `slots` may hold what an earlier server has left there, which is dropped.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new(slots: impl Into<Slots<'t, T>>) -> Result<Self>
    where
        T: Default,
    {
        Self::with_data(slots, |_| T::default())
    }

    /// The same, with data that is made from what is known of a new connection.
    ///
    /// ```
    /// use anet::{Endpoint, server::{Server, Slot}};
    ///
    /// struct Session {
    ///     peer: Endpoint,
    /// }
    ///
    /// let mut slots = [const { Slot::VACANT }; 16];
    /// let server = Server::with_data(&mut slots, |incoming| Session { peer: *incoming.peer })?;
    /// # assert!(server.iter().all(|(_, connection)| connection.data.peer == *connection.peer_addr()));
    /// # Ok::<(), anet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn with_data(slots: impl Into<Slots<'t, T>>, make: fn(&Incoming<'_>) -> T) -> Result<Self> {
        let admission = Admission::new(Limits::unlimited());
        Ok(Self {
            connections: Connections::new(slots.into(), admission, make)?,
            listeners: Listeners::new(),
            reserve: None,
            events: Events::new(),
            cursor: 0,
        })
    }

    /// Admits only the clients that `admission` admits. [`Limits::new`] has protected mode on, [`Limits::unlimited`]
    /// does not. To be called before the server has connections.
    ///
    /// A client that is rejected with a [text](Self::with_rejection) takes a slot until it has read it, if one is
    /// vacant: have some more slots than there may be clients. With fewer, clients wait in the backlog before any is
    /// rejected.
    #[must_use]
    pub fn with_admission<const N: usize>(self, admission: Admission<N>) -> Server<'t, T, N> {
        Server {
            connections: self.connections.with_admission(admission),
            listeners: self.listeners,
            reserve: self.reserve,
            events: self.events,
            cursor: self.cursor,
        }
    }
}

impl<'t, T, const SOURCES: usize> Server<'t, T, SOURCES> {
    /// Closes a connection when nothing was reported of it for longer than this, neither that it is readable nor that it
    /// is writable; `None`, as at first: never. A connection that is ready is not idle, however long the last turn took;
    /// with [`EDGE`](Interest::EDGE) or [`ONE_SHOT`](Interest::ONE_SHOT) only what was reported counts.
    ///
    /// The answer to a [`heartbeat`](crate::heartbeat) is activity too, so a peer that answers is never idle.
    #[must_use]
    #[doc(alias = "timeout")]
    pub fn with_idle_timeout(mut self, time: Option<Duration>) -> Self {
        self.set_idle_timeout(time);
        self
    }

    /// How long at most a connection that is closed lingering is read from; zero: not at all. At first it is
    /// [`LINGER_DEFAULT`].
    #[must_use]
    #[doc(alias = "lingering_timeout")]
    pub const fn with_linger_timeout(mut self, time: Duration) -> Self {
        self.connections.settings.linger_timeout = time;
        self
    }

    /// What rejected clients read, in the protocol of this server. At first they read nothing but the end.
    ///
    /// [`Reason::message`] has what Redis says.
    #[must_use]
    pub const fn with_rejection(mut self, text: fn(Reason) -> &'static [u8]) -> Self {
        self.connections.settings.rejection = Some(text);
        self
    }

    /// When descriptors run out, accepts with the descriptor of the reserve, and turns each client away with its
    /// message, instead of leaving them in the backlog.
    #[must_use]
    pub fn with_reserve(mut self, reserve: Reserve<'t>) -> Self {
        self.reserve = Some(reserve);
        self
    }

    /// For a process that forks children which keep its descriptors and do not `exec`, such as one that writes a
    /// snapshot: deletes a connection from the poller before closing it, for one system call more. Otherwise the kernel
    /// would go on to report what is closed here and open there.
    ///
    /// Without this the server finds out when that happens: it replaces its poller, at a cost of one call for each
    /// connection, and deletes from then on. Set it where the server's descriptor is watched by another poller, which
    /// loses sight of a poller that was replaced.
    #[must_use]
    pub const fn with_shared_descriptors(mut self) -> Self {
        self.connections.sharing = Sharing::Known;
        self
    }

    /// Another idle timeout from now on. Looks at every slot.
    pub fn set_idle_timeout(&mut self, time: Option<Duration>) {
        self.connections.set_idle_timeout(time);
    }

    /// Serves the clients of `listener` as well, ten new ones at a time. A server that was [draining](Self::drain)
    /// drains no more.
    ///
    /// # Errors
    ///
    /// [`TooManyAddresses`](crate::error::Cause::TooManyAddresses) after [`LISTENERS_MAX`]; those of
    /// [`Poller::add`](crate::event::Poller::add). The listener is closed.
    pub fn listen(&mut self, listener: Listener) -> Result<ListenerId> {
        self.listen_with(listener, ListenOptions::new())
    }

    /// The same, with options for this listener.
    ///
    /// # Errors
    ///
    /// Those of [`listen`](Self::listen).
    pub fn listen_with(&mut self, listener: Listener, options: ListenOptions) -> Result<ListenerId> {
        let id = self.listeners.add(&self.connections.poller, listener, options)?;
        self.connections.drained_at = None;
        Ok(id)
    }

    /// Stops listening there and gives the listener back, with the connections in its backlog. Connections that came
    /// from it stay.
    pub fn unlisten(&mut self, id: ListenerId) -> Option<Listener> {
        self.listeners.remove(&self.connections.poller, id)
    }

    /// Notes that the author has closed a descriptor, or given memory back: listeners that pause for want of them are
    /// served again at the next wait. The server notices by itself when its own connections are closed.
    pub const fn notify_release(&mut self) {
        self.connections.released = true;
    }

    /// Holds a connection that came from elsewhere, and makes it non-blocking. It is watched for `READABLE` at first.
    ///
    /// # Errors
    ///
    /// The stream and the data come back with the error: [`NoRoom`](crate::error::Cause::NoRoom) if no slot is vacant,
    /// and those of [`option::set_nonblocking`].
    pub fn insert(&mut self, stream: Stream, peer: Endpoint, data: T) -> Result<Key, Refused<(Stream, T)>> {
        match option::set_nonblocking(&stream, true) {
            Ok(()) => self.connections.insert(stream, peer, data),
            Err(error) => Err(Refused { value: (stream, data), error }),
        }
    }
}

/// Connections.
impl<T, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// A connection; `None` once it is closed.
    #[inline]
    pub fn get(&self, key: Key) -> Option<&Connection<T>> {
        self.connections.get(key)
    }

    /// A connection; `None` once it is closed.
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Connection<T>> {
        self.connections.get_mut(key)
    }

    /// All connections in no particular order, without those that are still being made.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Connection<T>)> {
        self.connections.iter()
    }

    /// The same, to change their data: to give something to all of them, say. Looks at every slot.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut Connection<T>)> {
        self.connections.iter_mut()
    }

    /// How many connections there are, without those that are being made or closed lingering.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.connections.len() == 0
    }

    /// What a connection is watched for from the next wait on; `READABLE` at first. Errors and hang-ups are reported
    /// always: as [`Writable`](Event::Writable) where only writing is of interest, as [`Readable`](Event::Readable)
    /// otherwise, also without any interest, and at every wait until the connection is closed. A connection that is
    /// closed already is no error, and one that the poller refuses is reported as [`CloseReason::Unwatched`].
    ///
    /// Setting the interest costs one system call at the next wait, if it is another one by then. `EDGE` and `ONE_SHOT`
    /// are made ready again by setting them again; with `EDGE`, [`Event::Ready`] reports both directions at once, and
    /// all events must be taken out before the next wait.
    pub fn set_interest(&mut self, key: Key, interest: Interest) {
        self.connections.set_interest(key, interest);
    }

    /// When something is to happen to a connection, on the monotonic clock ([`now`](Self::now)), and what; `None`
    /// clears it. A deadline that passes is cleared. To set it costs time in the order of the logarithm of the number
    /// of connections at worst; to postpone or clear it, next to nothing.
    ///
    /// ```
    /// # use anet::server::{Expiry, Key, Server};
    /// # use core::time::Duration;
    /// # fn example(server: &mut Server<'_, ()>, key: Key) {
    /// // The whole request must be here within five seconds.
    /// server.set_deadline(key, Some((server.now() + Duration::from_secs(5), Expiry::Report)));
    /// # }
    /// ```
    pub fn set_deadline(&mut self, key: Key, deadline: Option<(Duration, Expiry)>) {
        self.connections.set_deadline(key, deadline);
    }

    /// Counts a connection as active, as if something had come from it at the last wait. One that is being closed for
    /// having been idle stays.
    pub fn touch(&mut self, key: Key) {
        self.connections.touch(key);
    }

    /// Closes a connection at once and returns its data. If the peer has sent anything that was not read, it sees a
    /// reset instead of the end, and may lose what was written last: [`close_lingering`](Self::close_lingering) avoids
    /// that.
    pub fn close(&mut self, key: Key) -> Option<T> {
        self.connections.remove(key).map(|connection| connection.into_parts().2)
    }

    /// Closes a connection so that the peer can read all that was written, and returns its data. The peer reads the end
    /// at once; what it still sends is thrown away until it closes too, or the time is over, or its slot or descriptor
    /// is needed.
    #[doc(alias = "lingering_close")]
    pub fn close_lingering(&mut self, key: Key) -> Option<T> {
        self.connections.leave(key)
    }

    /// Gives a connection away, out of the server. [`insert`](Self::insert) is the way back.
    pub fn take(&mut self, key: Key) -> Option<(Stream, Endpoint, T)> {
        self.connections.remove_unwatched(key).map(Connection::into_parts)
    }
}

/// Looking.
impl<T, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// The clock (`CLOCK_MONOTONIC`) as it was at the end of the last [`wait`](Self::wait) or drain: what
    /// [`Connection::last_active`] is to be compared with. It is not read here, so it costs nothing.
    pub const fn now(&self) -> Duration {
        self.connections.now
    }

    /// The listeners that are open.
    pub fn listeners(&self) -> impl Iterator<Item = (ListenerId, &Listener)> {
        self.listeners.iter()
    }

    /// What has been seen so far.
    pub fn counters(&self) -> Counters {
        Counters { accept: self.listeners.counters(), ..self.connections.counters }
    }

    /// The limits for clients, and how many there are.
    pub const fn admission(&self) -> &Admission<SOURCES> {
        &self.connections.admission
    }

    /// Other limits from now on; connections that are there stay.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.connections.admission.set_limits(limits);
    }
}

/// The poller's descriptor, for a server that is embedded in another loop: it is readable when the kernel has something
/// to report. [`next_timeout`](Server::next_timeout) has the rest; ask for it before every wait of that loop. See also
/// [`with_shared_descriptors`](Server::with_shared_descriptors).
impl<T, const SOURCES: usize> AsFd for Server<'_, T, SOURCES> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connections.poller.as_fd()
    }
}

impl<T, const SOURCES: usize> fmt::Debug for Server<'_, T, SOURCES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listeners", &self.listeners.iter().count())
            .field("connections", &self.len())
            .field("limits", &self.connections.admission.limits())
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}
