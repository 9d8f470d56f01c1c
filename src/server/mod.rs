//! [`Server`]: listeners, a poller, admission and a table of connections, in one loop that the caller owns.
//!
//! The server accepts, connects, admits, watches, times out and drains; you read and write. You take events one by one,
//! so no handler is called and nothing stays borrowed between them: a [`Key`] names a connection, and is stale once
//! that is closed. Pending events of a closed connection are discarded.
//!
//! The caller provides the memory: the server itself and its [`Slots`], one for each connection and each watched
//! descriptor. While every slot is taken or descriptors have run out, clients wait in the backlog of their listener.
//! Listeners take turns.
//!
//! A connection whose request arrives with it, and which is answered and closed, takes five system calls besides the
//! wait: `accept4`, `read`, `write`, `read`, `close`. The server offers a new connection for reading before it watches
//! it: at once, and again at the end of the turn. Where those reads usually fail, the server skips them, and most
//! connections take an `epoll_ctl` and another wait instead.
//!
//! Outgoing connections race to a list of addresses ([`Server::connect`]), or to those of a name, which the server looks
//! up in the same loop (`connect_to_name`, with the feature `dns`).
//!
//! Datagrams are served in the same loop. [`Server::watch`] a [`Datagram`](crate::Datagram), receive a batch at
//! [`Event::Watched`], and let other events have their turn: what is left is reported again. A bind list opens TCP and
//! UDP on one port ([`Protocols::TcpAndUdp`](crate::listen::Protocols::TcpAndUdp)); `examples/one_port.rs` serves both.

mod closing;
mod connection;
mod connections;
mod deadlines;
mod drain;
mod event;
mod listeners;
#[cfg(feature = "dns")]
mod lookup;
#[cfg(test)]
mod model;
#[cfg(feature = "dns")]
mod named;
mod opening;
mod options;
mod outgoing;
mod rival;
mod route;
mod run;
mod slot;
mod table;
mod watch;

use core::{fmt, time::Duration};

use rustix::fd::{AsFd, BorrowedFd};

pub use connection::{Connection, Expiry, Io};
pub use event::{CloseReason, Event, ListenerId, WatchId};
#[cfg(feature = "dns")]
pub use lookup::{Lookup, Lookups};
pub use options::ListenOptions;
pub use outgoing::Refused;
pub use route::ROUTES_MAX;
pub use slot::{Key, Slot, Slots};

#[cfg(target_os = "linux")]
use crate::event::BusyPoll;
use crate::{
    accept::{self, Admission, Limits, Reason, Reserve},
    addr::Endpoint,
    error::Result,
    event::{Coalescer, Events, Interest},
    listen::Listener,
    option,
    stream::Stream,
};
use connections::{Connections, Sharing};
use listeners::Listeners;

/// The most listeners a server can have at a time.
pub const LISTENERS_MAX: usize = 32;

/// How long a connection [closed lingering](Server::close_lingering) is read from by default.
pub const LINGERING_TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);

/// Events taken from the kernel in one wait; the rest come with the next.
const BATCH: usize = 256;

/// What a server has counted since it was created.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Counters {
    /// The counters of its listeners.
    pub accept: accept::Counters,
    /// Connections held: accepted and admitted, outgoing, or inserted.
    pub held: u64,
    /// Accepted connections that were admitted.
    pub admitted: u64,
    /// Accepted connections that were rejected.
    pub rejected: u64,
    /// Idle timeouts that expired.
    pub timed_out: u64,
}

/// A connection that was just admitted and still needs its data.
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
/// `SOURCES` is the number of source addresses that can be counted at a time; see [`Admission`].
///
/// ```
/// use anet::{SocketOptions, listen, server::{Event, Server, Slot}};
///
/// let mut slots = [const { Slot::<u32>::VACANT }; 16];
/// let mut server = Server::new(&mut slots)?;
/// let listener = listen::tcp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
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
    /// The position in those events, in half events: the first half is the reader's, the second the writer's.
    cursor: usize,
}

/// Setting up.
impl<'t, T> Server<'t, T> {
    /// Creates a server that admits every client it has a slot for. The data of a new connection is `T::default()`.
    ///
    /// Values that an earlier server left in `slots` are dropped.
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

    /// Creates a server that calls `make` for the data of each new connection.
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
    /// does not. Call this before the server has connections.
    ///
    /// A client rejected with a [text](Self::with_rejection) takes a vacant slot until it has read the text, so provide
    /// some more slots than the limit on clients. With fewer, clients wait in the backlog and none is rejected.
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
    /// Closes a connection that has not been reported readable or writable for longer than `time`; with `None`, the
    /// default, never. A connection that is ready is not idle, however long the last turn took. With
    /// [`EDGE`](Interest::EDGE) or [`ONE_SHOT`](Interest::ONE_SHOT), only reported readiness counts.
    ///
    /// The answer to a [`heartbeat`](crate::heartbeat) is activity too, so a peer that answers is never idle.
    #[must_use]
    #[doc(alias = "timeout")]
    pub fn with_idle_timeout(mut self, time: Option<Duration>) -> Self {
        self.set_idle_timeout(time);
        self
    }

    /// Reads from a connection closed lingering for at most `time`; zero: not at all. The default is
    /// [`LINGERING_TIMEOUT_DEFAULT`].
    #[must_use]
    #[doc(alias = "lingering_timeout")]
    pub const fn with_lingering_timeout(mut self, time: Duration) -> Self {
        self.connections.settings.linger_timeout = time;
        self
    }

    /// Sends rejected clients this text, in the protocol of this server. By default they read only the end of the
    /// stream.
    ///
    /// [`redis::rejection`](crate::redis::rejection) has the texts of Redis.
    #[must_use]
    pub const fn with_rejection(mut self, text: fn(Reason) -> &'static [u8]) -> Self {
        self.connections.settings.rejection = Some(text);
        self
    }

    /// When descriptors run out, accepts each waiting client with the reserve's descriptor, sends the reserve's message
    /// and closes the connection, instead of leaving clients in the backlog.
    #[must_use]
    pub fn with_reserve(mut self, reserve: Reserve<'t>) -> Self {
        self.reserve = Some(reserve);
        self
    }

    /// Lets events gather for at most `max_delay` before a wait, where many connections are active at a time: more
    /// requests a second for less CPU time, at the price of that delay. See [`Coalescer`] for when it pauses and what
    /// it brings. A [watched](Self::watch) descriptor ends a pause, and a deadline is never delayed.
    #[must_use]
    pub const fn with_coalescing(mut self, max_delay: Duration) -> Self {
        self.connections.coalescer = Some(Coalescer::new(max_delay));
        self
    }

    /// Sets how waits poll devices before they sleep; see [`BusyPoll`].
    ///
    /// # Errors
    ///
    /// Those of [`Poller::set_busy_poll`](crate::event::Poller::set_busy_poll).
    #[cfg(target_os = "linux")]
    pub fn set_busy_poll(&self, busy_poll: BusyPoll) -> Result<()> {
        self.connections.poller.set_busy_poll(busy_poll)
    }

    /// Deletes a connection from the poller before closing it, at the cost of one more system call. For a process that
    /// forks children which keep its descriptors and do not `exec`, such as one that writes a snapshot: otherwise the
    /// kernel keeps reporting connections that are closed here and open in a child.
    ///
    /// Without this, the server detects the first such report, replaces its poller at the cost of one call per
    /// connection, and deletes from then on. Set it where another poller watches the server's descriptor, because that
    /// poller loses track of a replaced one.
    #[must_use]
    pub const fn with_shared_descriptors(mut self) -> Self {
        self.connections.sharing = Sharing::Known;
        self
    }

    /// Changes the idle timeout. Visits every slot.
    pub fn set_idle_timeout(&mut self, time: Option<Duration>) {
        self.connections.set_idle_timeout(time);
    }

    /// Adds a listener, from which the server accepts up to ten connections at a time. A server that was
    /// [draining](Self::drain) stops draining.
    ///
    /// # Errors
    ///
    /// [`TooManyAddresses`](crate::error::Cause::TooManyAddresses) beyond [`LISTENERS_MAX`]; those of
    /// [`Poller::add`](crate::event::Poller::add). On error the listener is closed.
    pub fn listen(&mut self, listener: Listener) -> Result<ListenerId> {
        self.listen_with(listener, ListenOptions::new())
    }

    /// Adds a listener with its own options.
    ///
    /// # Errors
    ///
    /// Those of [`listen`](Self::listen).
    pub fn listen_with(&mut self, listener: Listener, options: ListenOptions) -> Result<ListenerId> {
        let id = self.listeners.add(&self.connections.poller, listener, options)?;
        self.connections.drained_at = None;
        Ok(id)
    }

    /// Removes a listener and returns it, with the connections in its backlog. Connections accepted from it stay.
    pub fn unlisten(&mut self, id: ListenerId) -> Option<Listener> {
        self.listeners.remove(&self.connections.poller, id)
    }

    /// Notes that you have closed a descriptor or freed memory: listeners that pause for lack of either resume at the
    /// next wait. The server notices when its own connections close.
    pub const fn notify_release(&mut self) {
        self.connections.released = true;
    }

    /// Adds a connection from elsewhere and makes it non-blocking. Its interest is `READABLE` at first.
    ///
    /// # Errors
    ///
    /// The error returns the stream and the data: [`NoRoom`](crate::error::Cause::NoRoom) if no slot is vacant, and
    /// those of [`option::set_nonblocking`].
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

    /// All connections in no particular order, except those still connecting.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Connection<T>)> {
        self.connections.iter()
    }

    /// The same connections, mutable: to change the data of all of them, say. Visits every slot.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut Connection<T>)> {
        self.connections.iter_mut()
    }

    /// The number of connections, without those still connecting or closed lingering.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.connections.len() == 0
    }

    /// Sets what a connection is watched for from the next wait on; `READABLE` at first. Errors and hang-ups are always
    /// reported, at every wait until the connection is closed: as [`Writable`](Event::Writable) if the interest is
    /// writing alone, otherwise, even with an empty interest, as [`Readable`](Event::Readable). A key whose connection
    /// is closed is ignored. A connection that the poller refuses is reported with [`CloseReason::Unwatched`].
    ///
    /// Bytes can still be there when the peer has hung up. If you stopped reading for back-pressure and the connection
    /// is reported readable all the same, read what is left and pass it on before you close.
    ///
    /// A changed interest costs one system call at the next wait. Setting `EDGE` or `ONE_SHOT` again rearms it. With
    /// `EDGE`, [`Event::Ready`] reports both directions at once, and you must take all events before the next wait.
    pub fn set_interest(&mut self, key: Key, interest: Interest) {
        self.connections.set_interest(key, interest);
    }

    /// Sets a connection's deadline on the monotonic clock ([`now`](Self::now)) and what happens when it passes; `None`
    /// clears it. A deadline that passes is cleared. Setting one takes at most O(log n) steps for n connections;
    /// postponing or clearing one costs next to nothing.
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

    /// Marks a connection as active at the last wait. One that is being closed by its idle timeout stays open.
    pub fn touch(&mut self, key: Key) {
        self.connections.touch(key);
    }

    /// Closes a connection at once and returns its data. If input was left unread, the peer sees a reset instead of the
    /// end of the stream and may lose what was written last; [`close_lingering`](Self::close_lingering) avoids that.
    ///
    /// After [`write_last`](Connection::write_last), the end of the stream travels with the last bytes.
    pub fn close(&mut self, key: Key) -> Option<T> {
        self.connections.remove(key).map(|connection| connection.into_parts().2)
    }

    /// Closes a connection so that the peer can read everything written, and returns its data. The peer reads the end
    /// of the stream at once. What it still sends is discarded until it closes too, the [linger
    /// timeout](Self::with_lingering_timeout) is over, or the slot or descriptor is needed.
    ///
    /// After [`write_last`](Connection::write_last), the end of the stream travels with the last bytes.
    #[doc(alias = "lingering_close")]
    pub fn close_lingering(&mut self, key: Key) -> Option<T> {
        self.connections.leave(key)
    }

    /// Takes a connection out of the server; [`insert`](Self::insert) puts it back.
    pub fn take(&mut self, key: Key) -> Option<(Stream, Endpoint, T)> {
        self.connections.remove_unwatched(key).map(Connection::into_parts)
    }
}

/// Inspecting.
impl<T, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// The time (`CLOCK_MONOTONIC`) at the end of the last [`wait`](Self::wait) or [`drain`](Self::drain), to compare
    /// with [`Connection::last_active`]. Does not read the clock.
    pub const fn now(&self) -> Duration {
        self.connections.now
    }

    /// The listeners that are open.
    pub fn listeners(&self) -> impl Iterator<Item = (ListenerId, &Listener)> {
        self.listeners.iter()
    }

    /// The counters so far.
    pub fn counters(&self) -> Counters {
        Counters { accept: self.listeners.counters(), ..self.connections.counters }
    }

    /// The limits on clients, and their counts.
    pub const fn admission(&self) -> &Admission<SOURCES> {
        &self.connections.admission
    }

    /// Changes the limits; existing connections stay.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.connections.admission.set_limits(limits);
    }
}

/// The poller's descriptor, for a server embedded in another loop: it is readable when the kernel has something to
/// report. Call [`next_timeout`](Server::next_timeout) before every wait of that loop. See also
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
