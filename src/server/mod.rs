//! [`Server`]: listeners, a poller, admission and a table of connections, in one loop that the caller owns.
//!
//! The server accepts, admits, watches, times out and drains; its author reads and writes. The author asks for events
//! one by one, so that no handler is called and nothing is borrowed in between: a [`Key`] names a connection, and names
//! none as soon as that is closed. An event of a wait whose connection was closed by the handling of an earlier one is
//! not told.
//!
//! All memory is the caller's: a slice of [`Slot`]s, one for each connection, and the server itself. A connection's
//! data is `T::default()` at first. When every slot is taken, and as long as descriptors are missing, clients wait in
//! the backlog of their listener; who is not admitted is told so.
//!
//! A connection that comes with its request, is answered and closed takes five system calls besides the wait:
//! `accept4`, `read`, `write`, `read`, `close`. New connections are read from before they are watched, at once and once
//! more at the end of the turn; where that is usually in vain it is left out, and most take an `epoll_ctl` and another
//! wait instead.

mod clients;
mod connection;
mod drain;
mod event;
mod listeners;
mod table;
mod turn;

use core::{fmt, time::Duration};

use rustix::fd::{AsFd, BorrowedFd};

pub use connection::Connection;
pub use event::{CloseReason, Event, ListenerId};
pub use table::Key;

use crate::{
    accept::{self, Admission, Engine, Limits, Reason},
    addr::Endpoint,
    error::Result,
    event::{Events, Interest, Poller},
    listen::Listener,
    stream::Stream,
    sys,
};
use clients::{Clients, Occupant};
use event::Source;
use listeners::Listeners;
use table::Table;

/// How many listeners a server may have at a time.
pub const LISTENERS_MAX: usize = 32;

/// For how long a connection that is [closed lingering](Server::close_lingering) is read from, where nothing else is
/// said.
pub const LINGER_DEFAULT: Duration = Duration::from_secs(2);

/// Events taken from the kernel at one wait; more of them come with the next.
const BATCH: usize = 256;

/// Room for one connection with data of type `T`.
pub type Slot<T> = table::Slot<Occupant<T>>;

/// What a server has seen since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Counters {
    /// What its listeners have seen.
    pub accept: accept::Counters,
    /// Connections that were admitted.
    pub admitted: u64,
    /// Connections that were not.
    pub rejected: u64,
    /// Times that a connection was idle for too long.
    pub timed_out: u64,
}

/// Serves connections, each with data of type `T`, from listeners of all kinds.
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
    poller: Poller,
    listeners: Listeners,
    clients: Clients<'t, T, SOURCES>,
    events: Events<BATCH>,
    /// The event to be told of next.
    at: usize,
    /// Whether who reads has been told of it already, and who writes is next.
    half_told: bool,
}

/// Setting up.
impl<'t, T: Default> Server<'t, T> {
    /// A server that admits whoever there is a slot for, and rejects nobody. `slots` may hold what an earlier server
    /// has left there, which is dropped.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new(slots: &'t mut [Slot<T>]) -> Result<Self> {
        Self::with_admission(slots, Admission::new(Limits::unlimited()))
    }
}

impl<'t, T: Default, const SOURCES: usize> Server<'t, T, SOURCES> {
    /// A server that admits whom `admission` admits. [`Limits::new`] has protected mode on, [`Limits::unlimited`] has
    /// not.
    ///
    /// Who is rejected takes a slot until it has read why, if there is one to be had: have some more slots than there
    /// may be clients. With fewer, clients wait in the backlog before any is rejected.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn with_admission(slots: &'t mut [Slot<T>], admission: Admission<SOURCES>) -> Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            listeners: Listeners::new(),
            clients: Clients::new(Table::new(slots), admission, sys::now()),
            events: Events::new(),
            at: 0,
            half_told: false,
        })
    }

    /// Closes a connection of which nothing has been told for longer than this, neither that it is readable nor that
    /// it is writable; `None`, as at first: none. Who has something to be told of is not idle, however long the last
    /// turn took; with [`EDGE`](Interest::EDGE) or [`ONE_SHOT`](Interest::ONE_SHOT) only what was told counts.
    ///
    /// The answer to a [`heartbeat`](crate::heartbeat) is activity too, so who answers is never idle.
    #[must_use]
    #[doc(alias = "timeout")]
    pub const fn with_idle_timeout(mut self, time: Option<Duration>) -> Self {
        self.clients.idle_timeout = time;
        self
    }

    /// For how long at most a connection that is closed lingering is read from; zero: not at all. At first it is
    /// [`LINGER_DEFAULT`].
    #[must_use]
    #[doc(alias = "lingering_timeout")]
    pub const fn with_linger_timeout(mut self, time: Duration) -> Self {
        self.clients.linger_timeout = time;
        self
    }

    /// What to tell those who are rejected, in the protocol of this server. At first it is [`Reason::message`], which
    /// is that of Redis.
    #[must_use]
    pub const fn with_rejection(mut self, text: fn(Reason) -> &'static [u8]) -> Self {
        self.clients.rejection = text;
        self
    }

    /// The same of a server that runs, from its next turn on.
    pub const fn set_idle_timeout(&mut self, time: Option<Duration>) {
        self.clients.idle_timeout = time;
    }

    /// Serves those who connect to `listener` as well, ten at a time. A server that was [draining](Self::drain) drains
    /// no more.
    ///
    /// # Errors
    ///
    /// [`TooManyAddresses`](crate::error::Cause::TooManyAddresses) after [`LISTENERS_MAX`]; those of [`Poller::add`].
    /// The listener is closed.
    pub fn listen(&mut self, listener: Listener) -> Result<ListenerId> {
        self.listen_with(listener, Engine::new())
    }

    /// The same, with bursts and pauses of one's own choosing.
    ///
    /// # Errors
    ///
    /// Those of [`listen`](Self::listen).
    pub fn listen_with(&mut self, listener: Listener, engine: Engine) -> Result<ListenerId> {
        let id = self.listeners.add(&self.poller, listener, engine)?;
        self.clients.drained_at = None;
        Ok(id)
    }

    /// Listens there no more and gives the listener back, with those who wait in its backlog. Connections that came
    /// from it stay.
    pub fn unlisten(&mut self, id: ListenerId) -> Option<Listener> {
        self.listeners.remove(&self.poller, id)
    }

    /// To be told that the author has closed a descriptor, or given memory back: listeners that pause for want of them
    /// are watched again at the next wait. Of its own connections the server knows.
    pub const fn released(&mut self) {
        self.clients.released = true;
    }

    /// Waits for a descriptor that is not the server's as well, a [`Waker`](crate::event::Waker) or a socket for
    /// datagrams; its events are told as [`Event::Watched`] with this number, again and again as long as it is ready:
    /// reset the waker, read from the socket.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::add`].
    pub fn watch(&self, fd: impl AsFd, number: u32, interest: Interest) -> Result<()> {
        self.poller.add(fd, Source::watched(number), interest)
    }

    /// Waits for it no more; to be called before it is closed.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::delete`].
    pub fn unwatch(&self, fd: impl AsFd) -> Result<()> {
        self.poller.delete(fd)
    }
}

/// Connections.
impl<T, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// A connection; `None` once it is closed.
    #[inline]
    pub fn get(&self, key: Key) -> Option<&Connection<T>> {
        self.clients.get(key)
    }

    /// A connection; `None` once it is closed.
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Connection<T>> {
        self.clients.get_mut(key)
    }

    /// All connections; those that were watched when they were last active come in the order of that, the others at the
    /// end.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Connection<T>)> {
        self.clients.iter()
    }

    /// All connections, in no order that means anything, to change their data: to give something to all of them, say.
    /// Looks at every slot.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut Connection<T>)> {
        self.clients.iter_mut()
    }

    /// How many connections there are, without those that are closed lingering.
    pub const fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.clients.len() == 0
    }

    /// What a connection is to be told of from now on; `READABLE` at first. Errors and hang-ups are told always: as
    /// [`Writable`](Event::Writable) to who only writes, as [`Readable`](Event::Readable) to others, also with no
    /// interest at all, and at every wait until the connection is closed. That it is closed already is no error. What
    /// is `EDGE` or `ONE_SHOT` is made ready again by setting it again; events of `EDGE` must all be taken out before
    /// the next wait.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::modify`]; of a new connection they are told as [`CloseReason::Unwatched`].
    pub fn set_interest(&mut self, key: Key, interest: Interest) -> Result<()> {
        self.clients.set_interest(&self.poller, key, interest)
    }

    /// Counts a connection as active, as if something had come from it at the last wait. One that is being closed for
    /// having been idle stays.
    pub fn touch(&mut self, key: Key) {
        self.clients.touch(key);
    }

    /// Closes a connection at once and returns its data. What the peer has sent and nobody has read makes its end a
    /// reset, and the peer may lose what was written last: [`close_lingering`](Self::close_lingering) avoids that.
    pub fn close(&mut self, key: Key) -> Option<T> {
        self.clients.remove(key).map(|client| client.into_parts().2)
    }

    /// Closes a connection so that the peer can read all that was written, and returns its data. The peer reads the end
    /// at once; what it still sends is thrown away until it closes too, or the time is over, or its slot or descriptor
    /// is needed.
    #[doc(alias = "lingering_close")]
    pub fn close_lingering(&mut self, key: Key) -> Option<T> {
        let client = self.clients.remove(key)?;
        let is_watched = client.is_watched();
        let (stream, _, data) = client.into_parts();
        self.clients.part(&self.poller, stream, is_watched);
        Some(data)
    }

    /// Gives a connection away; the server knows it no more.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::delete`]; the connection is closed.
    pub fn take(&mut self, key: Key) -> Result<Option<(Stream, Endpoint, T)>> {
        let Some(client) = self.clients.remove(key) else { return Ok(None) };
        if client.is_watched() {
            self.poller.delete(&client)?;
        }
        Ok(Some(client.into_parts()))
    }
}

/// Looking.
impl<T, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// The clock (`CLOCK_MONOTONIC`) as it was at the end of the last [`wait`](Self::wait) or drain: what
    /// [`Connection::last_active`] is to be compared with. It is not read here, so it costs nothing.
    pub const fn now(&self) -> Duration {
        self.clients.now
    }

    /// The listeners that are open.
    pub fn listeners(&self) -> impl Iterator<Item = (ListenerId, &Listener)> {
        self.listeners.iter()
    }

    /// What has been seen so far.
    pub fn counters(&self) -> Counters {
        Counters { accept: self.listeners.counters(), ..self.clients.counters }
    }

    /// Who is admitted, and how many are there.
    pub const fn admission(&self) -> &Admission<SOURCES> {
        &self.clients.admission
    }

    /// Other limits from now on; who is there stays.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.clients.admission.set_limits(limits);
    }
}

/// The poller's descriptor, which is readable when the kernel has something to tell. That is not all a wait is for:
/// time limits, and connections that came in a turn whose events were not all taken out, do not show here.
impl<T, const SOURCES: usize> AsFd for Server<'_, T, SOURCES> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

impl<T, const SOURCES: usize> fmt::Debug for Server<'_, T, SOURCES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listeners", &self.listeners.iter().count())
            .field("connections", &self.len())
            .field("limits", &self.clients.admission.limits())
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}
