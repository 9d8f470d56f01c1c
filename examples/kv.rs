//! A small in-memory server that Redis clients talk to (RESP2), on one thread, over TCP and Unix sockets.
//!
//! ```sh
//! cargo run --release -p anet --example kv -- --bind "127.0.0.1 -::1" --port 6380 --unixsocket /tmp/kv.sock
//! redis-cli -p 6380 set greeting hello
//! ```
//!
//! Requests are executed in the buffer they were read into; a client owns memory only for an incomplete request and for
//! replies that did not fit into the socket, and both are bounded. After the first signal, clients still get their
//! pending replies; the second ends the server at once.

// Named by path, because cargo takes a file beside this one for another example.
#[path = "kv/clients.rs"]
mod clients;
#[path = "kv/flags.rs"]
mod flags;
#[path = "kv/resp.rs"]
mod resp;
#[path = "kv/store.rs"]
mod store;

use core::{error::Error, fmt, mem, time::Duration};
use std::{
    collections::hash_map::RandomState,
    fs::File,
    hash::BuildHasher,
    io::{self, Read, Write},
    iter,
    process::ExitCode,
};

use anet::{
    Datagram,
    accept::Admission,
    error::Cause,
    event::Interest,
    listen::{self, BindList, ListenerSet, SpecError, port_file},
    pipe::{EndFlags, pipe},
    redis,
    server::{Event, Key, Server, Slot, WatchId},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::{consts, low_level};

use clients::{Clients, SOURCES};
use flags::Flags;
use resp::Session;
use store::Store;

/// Bytes read from one client at one wake-up, before the others have their turn.
const READ_LIMIT: usize = 64 << 10;
/// Descriptors reserved for purposes other than clients, as Redis counts them.
const RESERVED_DESCRIPTORS: u64 = 32;
/// Slots for rejected clients while they read the reason, and for the watched signals and datagrams.
const REJECTED: u64 = 128;
/// How long clients may take at shutdown to read their pending replies.
const GRACE: Duration = Duration::from_secs(3);
/// The reply to a datagram whose first reply is an array: arrays are requests as well.
const ARRAY_REFUSED: &[u8] = b"-ERR an array cannot begin a datagram of replies, use a connection\r\n";

fn main() -> ExitCode {
    let flags = match Flags::from_args() {
        Ok(Some(flags)) => flags,
        Ok(None) => {
            announce(flags::help());
            return ExitCode::SUCCESS;
        }
        Err(error) => return refuse(&error),
    };
    let list = match flags.bind_list() {
        Ok(list) => list,
        Err(error) => return refuse(&error),
    };
    let Err(error) = serve(&flags, &list) else { return ExitCode::SUCCESS };
    complain(error);
    ExitCode::FAILURE
}

/// Wrong flags end the program before it opens anything, with a distinct status.
fn refuse(error: &str) -> ExitCode {
    complain(format_args!("kv: {error}; see --help"));
    ExitCode::from(2)
}

fn serve(flags: &Flags, list: &BindList<'_>) -> Result<(), Box<dyn Error>> {
    // There are never more connections than descriptors.
    let max_clients = flags.limits.max_clients().into();
    let slots = raise_descriptor_limit(max_clients).min(max_clients + REJECTED) as usize;
    let mut table = Vec::new();
    table.try_reserve_exact(slots)?;
    table.extend(iter::repeat_with(|| Slot::VACANT).take(slots));
    let admission = Admission::seeded(flags.limits, RandomState::new().hash_one(SOURCES));
    let server = Server::new(&mut table[..])?
        .with_admission(admission)
        .with_rejection(|reason| redis::rejection(reason).as_bytes())
        .with_idle_timeout(flags.idle_timeout);
    let server = match flags.max_delay {
        Some(max_delay) => server.with_coalescing(max_delay),
        None => server,
    };
    let mut kv = Kv::watching_signals(server, flags)?;
    kv.listen(flags, list)?;
    kv.run()
}

/// Raises the descriptor limit as far as allowed, warns if that is too low, and returns it.
fn raise_descriptor_limit(max_clients: u64) -> u64 {
    let needed = max_clients + RESERVED_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    // The next call reads what was granted.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if granted < needed {
        complain(format_args!(
            "Warning: You requested maxclients of {max_clients} requiring at least {needed} max file descriptors. \
             Current maximum open files is {granted}: clients beyond it wait until others leave. If you need more at \
             a time increase 'ulimit -n'."
        ));
    }
    granted
}

/// A closed standard output is no reason to exit, or to panic as `println!` does.
fn announce(line: impl fmt::Display) {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

fn complain(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

struct Kv<'t> {
    clients: Clients<'t>,
    signals: File,
    signals_id: WatchId,
    datagrams: Vec<(WatchId, Datagram)>,
    store: Store,
    /// The number of signals received.
    signalled: usize,
}

/// Startup.
impl<'t> Kv<'t> {
    fn watching_signals(mut clients: Clients<'t>, flags: &Flags) -> Result<Self, Box<dyn Error>> {
        let signals = pipe(EndFlags::NONBLOCK, EndFlags::NONBLOCK)?;
        for signal in [consts::SIGINT, consts::SIGTERM] {
            low_level::pipe::register(signal, signals.write.try_clone()?)?;
        }
        let signals_id = clients.watch(&signals.read, Interest::READABLE)?;
        Ok(Self {
            clients,
            signals: signals.read.into(),
            signals_id,
            datagrams: Vec::new(),
            store: Store::new(flags.config()),
            signalled: 0,
        })
    }

    fn listen(&mut self, flags: &Flags, list: &BindList<'_>) -> Result<(), Box<dyn Error>> {
        let set = ListenerSet::open_with(list, flags.protocols, &flags.options, &flags.access)
            .map_err(|failed| not_bound(list, &failed))?;
        for skipped in set.skipped() {
            complain(format_args!("Warning: {}", not_bound(list, skipped)));
        }
        if let Some(path) = flags.port_file() {
            port_file::write(path, &set, set.datagrams())
                .map_err(|error| format!("Failed writing port file: {error}"))?;
        }
        let (mut listeners, datagrams) = set.into_parts();
        listeners.try_for_each(|listener| self.clients.listen(listener).map(drop))?;
        for datagram in datagrams {
            self.datagrams.push((self.clients.watch(&datagram, Interest::READABLE)?, datagram));
        }
        if let Some(addr) = flags.unix_socket {
            let listener = listen::unix(&addr, &flags.options, &flags.access)
                .map_err(|error| format!("Failed opening Unix socket: {}", error.error()))?;
            self.clients.listen(listener)?;
        }
        for (_, listener) in self.clients.listeners() {
            announce(format_args!("listening on {}", listener.local_addr()?));
        }
        for (_, datagram) in &self.datagrams {
            announce(format_args!("receiving on {}", datagram.local_addr()?));
        }
        Ok(())
    }
}

fn not_bound(list: &BindList<'_>, failed: &SpecError) -> String {
    let place = list.as_slice().get(failed.index()).map(|spec| spec.target.to_string()).unwrap_or_default();
    format!("Could not create server TCP listening socket {place}: {}", failed.error.error())
}

/// Serving.
impl Kv<'_> {
    fn run(mut self) -> Result<(), Box<dyn Error>> {
        let mut buffer = vec![0; READ_LIMIT];
        while self.signalled < 2 && !self.clients.is_drained() {
            self.clients.wait(None)?;
            while let Some(event) = self.clients.next_event() {
                self.handle(event, &mut buffer);
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: Event, buffer: &mut [u8]) {
        match event {
            Event::Readable(key) => self.receive(key, buffer),
            Event::Writable(key) => self.send(key),
            Event::AcceptFailed(_, error) => complain(format_args!("Accepting failed: {error}")),
            Event::ListenerGone(_, error) => complain(format_args!("No longer listening: {error}")),
            Event::Watched(id, _) if id == self.signals_id => self.end(buffer),
            Event::Watched(id, _) => self.answer(id, buffer),
            _ => {}
        }
    }

    fn receive(&mut self, key: Key, buffer: &mut [u8]) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let received = match client.read(buffer) {
            Ok(len) => buffer.get(..len).unwrap_or_default(),
            Err(error) if is_passing(error) => return,
            Err(_) => return drop(self.clients.close(key)),
        };
        self.store.input_bytes += received.len() as u64;
        client.data.received += received.len() as u64;
        // Taken out, because commands see all clients.
        let mut session = mem::take(&mut client.data.session);
        session.feed(received, |request, out| self.store.execute(&mut self.clients, Some(key), request, out));
        session.output.ends |= received.is_empty() || self.signalled > 0;
        if let Some(client) = self.clients.get_mut(key) {
            client.data.session = session;
        }
        self.send(key);
    }

    fn send(&mut self, key: Key) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let output = &client.data.session.output;
        let sent = match output.unsent() {
            [] if output.ends => return drop(self.clients.close(key)),
            [] => 0,
            unsent => match client.write(unsent) {
                Ok(len) => len,
                Err(error) if is_passing(error) => 0,
                Err(_) => return drop(self.clients.close(key)),
            },
        };
        self.store.output_bytes += sent as u64;
        client.data.sent += sent as u64;
        let output = &mut client.data.session.output;
        output.advance(sent);
        let mut interest = Interest::empty();
        interest.set(Interest::READABLE, !output.ends);
        interest.set(Interest::WRITABLE, !output.unsent().is_empty());
        if interest.is_empty() {
            self.clients.close_lingering(key);
        } else {
            self.clients.set_interest(key, interest);
        }
    }

    /// One datagram with requests, one with the replies; an error of either affects only its sender.
    fn answer(&mut self, id: WatchId, buffer: &mut [u8]) {
        let Some((_, datagram)) = self.datagrams.iter().find(|(watched, _)| *watched == id) else { return };
        let Ok((received, from)) = datagram.recv_from(buffer) else { return };
        // The source may be forged, and a reply would go to an unrelated host.
        let is_refused = self.clients.admission().limits().protected_mode() && !from.is_loopback();
        if is_refused || is_reply(received.bytes) {
            return;
        }
        let mut session = Session::default();
        session.feed(received.bytes, |request, out| self.store.execute(&mut self.clients, None, request, out));
        if received.bytes.is_empty() || !session.input.is_empty() {
            session.output.protocol_error("incomplete request");
        }
        let reply = match session.output.unsent() {
            [] => return,
            reply if is_reply(reply) => reply,
            _ => ARRAY_REFUSED,
        };
        self.store.input_bytes += received.bytes.len() as u64;
        self.store.output_bytes += reply.len() as u64;
        if datagram.send_to(reply, &from).is_err_and(|error| matches!(error.cause(), Cause::DatagramTooLong { .. })) {
            let _ = datagram.send_to(b"-ERR reply too long for a datagram\r\n", &from);
        }
    }

    /// Handles a signal. After the first one, pending requests are answered and clients without pending replies are
    /// closed.
    fn end(&mut self, buffer: &mut [u8]) {
        let is_first = self.signalled == 0;
        self.signalled += self.signals.read(&mut [0; 2]).unwrap_or_default();
        if !is_first {
            return;
        }
        let present: Vec<Key> = self.clients.iter().map(|(key, _)| key).collect();
        if let Err(error) = self.clients.drain(GRACE) {
            complain(error);
        }
        for key in present {
            self.receive(key, buffer);
            if let Some(client) = self.clients.get_mut(key) {
                client.data.session.output.ends = true;
            }
            self.send(key);
        }
    }
}

/// Whether a datagram begins as replies do and requests do not.
///
/// A single datagram with a forged source address can make two servers that answer replies exchange them forever.
/// memcached's frame is the same for requests and replies, and two memcacheds (1.6.18) go on exchanging `ERROR` as fast
/// as they can. Here the first byte decides, and no reply starts like a request: [`ARRAY_REFUSED`] replaces one that
/// would.
fn is_reply(bytes: &[u8]) -> bool {
    matches!(bytes, [b'+' | b'-' | b':' | b'$', ..])
}

fn is_passing(error: anet::Error) -> bool {
    error.is_would_block() || error.is_interrupted()
}
