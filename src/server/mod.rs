//! [`Server`]: listeners, a poller, admission and a table of connections, in one loop that the caller owns.
//!
//! The server accepts, admits, watches, times out and drains; its author reads and writes. The author asks for events
//! one by one, so that no handler is called and nothing is borrowed in between: a [`Key`] names a connection, and names
//! none as soon as that is closed. An event of a wait whose connection was closed by the handling of an earlier one is
//! not told.
//!
//! All memory is the caller's: a slice of [`Slot`]s, one for each connection, and the server itself. When every slot
//! is taken, and as long as descriptors are missing, clients wait in the backlog of their listener; who is not admitted
//! is told so.
//!
//! A connection that comes with its request, is answered and closed takes five system calls besides the wait: `accept4`,
//! `read`, `write`, `read`, `close`. New connections are read from before they are watched, at once and once more at the
//! end of the turn; where that is usually in vain it is left out, and most take an `epoll_ctl` and another wait instead.

mod clients;
mod connection;
mod event;
mod listeners;
mod table;

use core::{fmt, time::Duration};

use rustix::fd::{AsFd, BorrowedFd};

pub use connection::Connection;
pub use event::{CloseReason, Event, ListenerId};
pub use table::Key;

use crate::{
    accept::{self, Admission, BatchEnd, Engine, Limits, Reason},
    addr::Endpoint,
    error::Result,
    event::{Events, Interest, Poller},
    listen::Listener,
    stream::Stream,
    sys,
};
use clients::{Clients, Occupant};
use event::{Source, is_for_reader};
use listeners::{Door, Listeners};
use table::Table;

/// How many listeners a server may have in its life, those that are gone included.
pub const LISTENERS_MAX: usize = 32;

/// For how long a connection that is [closed lingering](Server::close_lingering) is read from, where nothing else is
/// said.
pub const LINGER_DEFAULT: Duration = Duration::from_secs(2);

/// Events taken from the kernel at one wait; more of them come with the next.
const BATCH: usize = 256;

/// How many wait in a backlog at most, where Linux has not been told otherwise (`net.core.somaxconn`).
const BACKLOG_LONGEST: usize = 4096;

/// Room for one connection with data of type `T`.
pub type Slot<T> = table::Slot<Occupant<T>>;

/// What a server has seen since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Counters {
    /// What its listeners have seen.
    pub accept: accept::Counters,
    /// Connections that were not admitted.
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
    /// A server that admits whoever there is a slot for, and rejects nobody. `slots` may hold what an earlier server has
    /// left there, which is dropped.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new(slots: &'t mut [Slot<T>]) -> Result<Self> {
        let everybody = Limits::new().with_max_clients(u32::MAX).with_protected_mode(false);
        Self::with_admission(slots, Admission::new(everybody))
    }
}

impl<'t, T: Default, const SOURCES: usize> Server<'t, T, SOURCES> {
    /// A server that admits whom `admission` admits.
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

    /// Waits for a descriptor that is not the server's as well, a [`Waker`](crate::event::Waker) or a socket for
    /// datagrams; its events are told as [`Event::Watched`] with this number.
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

/// The loop.
impl<T: Default, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// Waits until there may be something to tell, at most `timeout` (`None`: for ever). Afterwards take all events out
    /// with [`next_event`](Self::next_event); it is no error if there are none.
    ///
    /// Once the server has [drained](Self::is_drained) it returns at once.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::wait`].
    #[doc(alias = "aeProcessEvents")]
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<()> {
        self.clients.close_doomed();
        if self.clients.take_released() && self.listeners.any_closed() {
            self.listeners.released();
        }
        let timeout = self.until_next(timeout);
        self.poller.wait(&mut self.events, timeout)?;
        (self.at, self.half_told) = (0, false);
        self.clients.now = sys::now();
        Ok(())
    }

    /// How long to wait. Listeners are watched again before, if they can be.
    fn until_next(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        if self.clients.has_newcomers() || self.is_drained() {
            return Some(Duration::ZERO);
        }
        let mut deadline = self.clients.next_deadline();
        if self.listeners.any_closed() && self.clients.room() > 0 {
            self.listeners.reopen(&self.poller, sys::now());
            deadline = [deadline, self.listeners.next_deadline()].into_iter().flatten().min();
        }
        let until_deadline = deadline.map(|at| at.saturating_sub(sys::now()));
        [timeout, until_deadline].into_iter().flatten().min()
    }

    /// The next thing to be told; `None` when everything has been, and it is time to wait.
    #[inline]
    pub fn next_event(&mut self) -> Option<Event> {
        self.clients.close_doomed();
        loop {
            if let Some(event) = self.clients.newcomer() {
                return Some(event);
            }
            let Some(ready) = self.events.at(self.at) else {
                return self.clients.latecomer(&self.poller).or_else(|| self.clients.overdue());
            };
            if let Some(event) = self.tell(ready) {
                return Some(event);
            }
        }
    }

    /// What to tell of an event of the poller; `None` if that is nothing, or nothing more.
    #[inline]
    fn tell(&mut self, ready: crate::event::Event) -> Option<Event> {
        match Source::of(ready.key()) {
            Source::Connection(key) if self.half_told => {
                self.half_told = false;
                self.at += 1;
                self.tell_writer(key, ready)
            }
            Source::Connection(key) => {
                self.half_told = true;
                self.tell_reader(key, ready)
            }
            Source::Listener(id) => {
                self.at += 1;
                self.accept(id, ready)
            }
            Source::Watched(number) => {
                self.at += 1;
                Some(Event::Watched(number, ready))
            }
        }
    }

    #[inline]
    fn tell_reader(&mut self, key: Key, ready: crate::event::Event) -> Option<Event> {
        let Some(client) = self.clients.get(key) else {
            self.clients.discard(key);
            return None;
        };
        let is_told = is_for_reader(ready, client.interest());
        self.clients.touch(key);
        is_told.then_some(Event::Readable(key))
    }

    /// Who reads may have closed it, or have no more to write.
    #[inline]
    fn tell_writer(&self, key: Key, ready: crate::event::Event) -> Option<Event> {
        let writes = self.clients.get(key)?.interest().contains(Interest::WRITABLE);
        (writes && ready.is_writable()).then_some(Event::Writable(key))
    }

    fn accept(&mut self, id: ListenerId, ready: crate::event::Event) -> Option<Event> {
        let Self { poller, listeners, clients, .. } = self;
        let room = clients.room();
        if room == 0 {
            listeners.close(poller, id);
            return None;
        }
        let Door { listener, engine, .. } = listeners.get_mut(id)?;
        let mut turn = engine.accept_at_most(listener, room, clients.now, |stream, peer| {
            clients.take_in(poller, id, stream, peer);
        });
        match turn.end {
            BatchEnd::OutOfResources(_) => clients.release_one(),
            // All that a Unix socket says which was shut down is `EAGAIN` (measured on Linux 6.18).
            BatchEnd::Drained if ready.is_hangup() => turn = turn.gone(),
            _ => {}
        }
        listeners.after(poller, id, turn)
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

    /// How many connections there are.
    pub const fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.clients.len() == 0
    }

    /// What a connection is to be told of from now on; `READABLE` at first. Errors and hang-ups are told always. That it
    /// is closed already is no error. What is `EDGE` or `ONE_SHOT` is made ready again by setting it again; events of
    /// `EDGE` must all be taken out before the next wait.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::modify`]; of a new connection they are told as [`CloseReason::Unwatched`].
    pub fn set_interest(&mut self, key: Key, interest: Interest) -> Result<()> {
        self.clients.set_interest(&self.poller, key, interest)
    }

    /// Counts a connection as active, as if something had come from it at the last wait.
    pub fn touch(&mut self, key: Key) {
        self.clients.touch(key);
    }

    /// Closes a connection at once and returns its data. What the peer has sent and nobody has read makes its end a
    /// reset, and the peer may lose what was written last: [`close_lingering`](Self::close_lingering) avoids that.
    pub fn close(&mut self, key: Key) -> Option<T> {
        self.clients.remove(key).map(|client| client.into_parts().2)
    }

    /// Closes a connection so that the peer can read all that was written, and returns its data. The peer reads the end
    /// at once; what it still sends is thrown away until it closes too, or the time is over, or its slot or descriptor is
    /// needed.
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

/// Ending.
impl<T: Default, const SOURCES: usize> Server<'_, T, SOURCES> {
    /// Listens no more, and gives the connections that are there as much time as `grace` to come to their end; the rest
    /// is closed then. Those who wait in a backlog are still accepted, as far as there are slots and descriptors, but no
    /// more than 4096 of one listener if there are fewer slots; who connects while the listener is being closed is reset
    /// (measured: 2 in 30 hand-overs under load, against 80 without accepting).
    ///
    /// The author goes on with the loop until [`is_drained`](Self::is_drained), and best closes connections that have
    /// nothing to be answered at once. Called again, it takes the time anew.
    ///
    /// # Errors
    ///
    /// Those of [`Listener::remove_file`] for the first Unix listener whose file could not be removed; all are closed
    /// all the same.
    pub fn drain(&mut self, grace: Duration) -> Result<()> {
        self.clients.now = sys::now();
        self.clients.drained_at = Some(self.clients.now.saturating_add(grace));
        // There is no later turn for those who pause.
        self.listeners.released();
        let mut removed = Ok(());
        for id in self.listeners.ids() {
            let Some(door) = self.listeners.get(id) else { continue };
            let file = door.listener.remove_file().map(drop);
            removed = removed.and(file);
            self.accept_all(id);
            self.listeners.remove(&self.poller, id);
        }
        removed
    }

    /// Takes whoever waits, as far as there is room; not whoever goes on coming.
    fn accept_all(&mut self, id: ListenerId) {
        let Self { poller, listeners, clients, .. } = self;
        let Some(Door { listener, engine, .. }) = listeners.get_mut(id) else { return };
        // The rejected take no room.
        let mut left = clients.room().max(BACKLOG_LONGEST);
        while clients.room().min(left) > 0 {
            let turn = engine.accept_at_most(listener, clients.room().min(left), clients.now, |stream, peer| {
                clients.take_in(poller, id, stream, peer);
            });
            left = left.saturating_sub(turn.accepted + turn.failed);
            if turn.end != BatchEnd::LimitReached {
                return;
            }
        }
    }

    /// Whether [`drain`](Self::drain) was called and no connection is left.
    pub const fn is_drained(&self) -> bool {
        self.clients.drained_at.is_some() && self.clients.is_empty()
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

/// The poller's descriptor, which is readable when the kernel has something to tell. That is not all a wait is for: time
/// limits, and connections that came in a turn whose events were not all taken out, do not show here.
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
