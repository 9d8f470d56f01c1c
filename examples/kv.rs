//! A small in-memory server that Redis clients talk to (RESP2), on one thread, over TCP and Unix sockets.
//!
//! ```sh
//! cargo run --release --example kv -- --bind "127.0.0.1 -::1" --port 6380 --unixsocket /tmp/kv.sock
//! redis-cli -p 6380 set greeting hello
//! ```
//!
//! Every option of a TCP connection comes from its listener, so accepting one is a single system call. Requests are
//! executed where they were read; a client owns memory only for a request that has not come whole and for replies that
//! the socket had no room for, and both are bounded.

// Named by path, because a file beside this one would be an example of its own.
#[path = "kv/resp.rs"]
mod resp;
#[path = "kv/store.rs"]
mod store;

use core::{error::Error, fmt, mem, time::Duration};
use std::{
    collections::{BTreeMap, HashMap},
    env,
    ffi::{OsStr, OsString},
    io::{self, Write},
    process::ExitCode,
    time::Instant,
};

use anet::{
    Datagram, Endpoint, Errno, Listener, Profile, Stream, UnixAddr,
    accept::BatchEnd,
    event::{Event, Events, Interest, Poller},
    fd::OwnedFd,
    listen::{self, Access, BindList, ListenerSet, Protocols, SpecError, port_file},
    option::TcpKeepalive,
    pipe::{EndFlags, pipe},
    stream::Shutdown,
};
use signal_hook::{consts, low_level};

use resp::{Output, Request, emptied};
use store::{Peer, Store};

/// Connections accepted at one wake-up of a listener.
const ACCEPT_LIMIT: usize = 10;
/// How long a listener rests when descriptors or memory have run out, unless a client leaves before.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes read from one client at one wake-up, before it is the others' turn.
const READ_LIMIT: usize = 64 << 10;
/// How often a client to be closed is read from.
const DRAIN_READS: usize = 16;
/// The poller's key of the signal pipe.
const SIGNALS: u64 = u64::MAX;

const HELP: &str = "\
Usage: kv [--bind \"127.0.0.1 -::1\"] [--port 6380] [--unixsocket PATH] [--unixsocketperm 700]
          [--maxclients 10000] [--tcp-keepalive 300] [--tcp-backlog 511] [--udp] [--port-file PATH]
Flags mean what they mean to Redis; --port 0 lets the system choose, --tcp-keepalive 0 is off. --udp takes requests
as datagrams too, one in each, and --port-file writes down the ports in use, as memcached does.";

fn main() -> ExitCode {
    let served = match read_flags() {
        Ok(Some(options)) => Server::open(&options).and_then(Server::run),
        Ok(None) => {
            announce(HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            complain(format_args!("kv: {error}"));
            return ExitCode::from(2);
        }
    };
    let Err(error) = served else { return ExitCode::SUCCESS };
    complain(error);
    ExitCode::FAILURE
}

/// `None` if help is asked for.
fn read_flags() -> Result<Option<Options>, Box<dyn Error>> {
    let mut options = Options::new();
    options.profile = options.profile.with_tcp_keepalive(keepalive(300)?);
    let mut args = env::args_os().skip(1);
    while let Some(flag) = args.next() {
        if flag == "--help" {
            return Ok(None);
        } else if flag == "--udp" {
            options.protocols = Protocols::TcpAndUdp;
            continue;
        }
        let value = args.next().ok_or_else(|| format!("no value for {flag:?}; see --help"))?;
        let set = flag.to_str().and_then(|flag| options.set(flag, &value));
        set.ok_or_else(|| format!("unknown flag or invalid value: {flag:?} {value:?}; see --help"))?;
    }
    Ok(Some(options))
}

/// That nobody reads the output is no reason to end, or to panic as `println!` does.
fn announce(line: impl fmt::Display) {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

fn complain(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

struct Options {
    bind: String,
    port: u16,
    protocols: Protocols,
    port_file: Option<OsString>,
    unix_socket: Option<OsString>,
    access: Access,
    profile: Profile,
    max_clients: usize,
}

impl Options {
    fn new() -> Self {
        Self {
            bind: "127.0.0.1 -::1".to_owned(),
            port: 6380,
            protocols: Protocols::Tcp,
            port_file: None,
            unix_socket: None,
            access: Access { mode: Some(0o700), group: None },
            profile: Profile::new().with_tcp_nodelay(true),
            max_clients: 10_000,
        }
    }

    /// `None` if the flag does not exist or does not take this value.
    fn set(&mut self, flag: &str, value: &OsStr) -> Option<()> {
        let text = value.to_str();
        match flag {
            "--bind" => self.bind = text?.to_owned(),
            "--port" => self.port = text?.parse().ok()?,
            "--port-file" => self.port_file = Some(value.to_owned()),
            "--unixsocket" => self.unix_socket = Some(value.to_owned()),
            "--unixsocketperm" => self.access.mode = u32::from_str_radix(text?, 8).ok().filter(|mode| *mode <= 0o777),
            "--maxclients" => self.max_clients = text?.parse().ok().filter(|max| *max > 0)?,
            "--tcp-keepalive" => self.profile = self.profile.with_tcp_keepalive(keepalive(text?.parse().ok()?).ok()?),
            "--tcp-backlog" => self.profile = self.profile.with_backlog(text?.parse().ok()?),
            _ => return None,
        }
        self.access.mode.map(drop)
    }
}

fn keepalive(seconds: u64) -> anet::Result<Option<TcpKeepalive>> {
    (seconds > 0).then(|| TcpKeepalive::after_idle(Duration::from_secs(seconds))).transpose()
}

struct Server {
    poller: Poller,
    signals: OwnedFd,
    /// By the poller's key, as are the clients. No key is used again, so that an event that is out of date finds nobody.
    listeners: BTreeMap<u64, Listener>,
    datagrams: BTreeMap<u64, Datagram>,
    clients: HashMap<u64, Client>,
    next_key: u64,
    /// How long the listeners are not watched.
    rest_until: Option<Instant>,
    read_buffer: Vec<u8>,
    store: Store,
}

impl Server {
    fn open(options: &Options) -> Result<Self, Box<dyn Error>> {
        let signals = pipe(EndFlags::NONBLOCK, EndFlags::NONBLOCK)?;
        for signal in [consts::SIGINT, consts::SIGTERM] {
            low_level::pipe::register(signal, signals.write.try_clone()?)?;
        }
        let mut server = Self {
            poller: Poller::new()?,
            signals: signals.read,
            listeners: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            clients: HashMap::new(),
            next_key: 0,
            rest_until: None,
            read_buffer: vec![0; READ_LIMIT],
            store: Store::new(options.max_clients),
        };
        server.poller.add(&server.signals, SIGNALS, Interest::READABLE)?;
        server.listen(options)?;
        Ok(server)
    }

    fn listen(&mut self, options: &Options) -> Result<(), Box<dyn Error>> {
        let list = BindList::parse(&options.bind, options.port)
            .map_err(|error| format!("kv: invalid value {:?} for --bind: {error}", options.bind))?;
        let set = ListenerSet::open_with(&list, options.protocols, &options.profile, &options.access);
        let set = set.map_err(|failed| not_bound(&list, &failed))?;
        for skipped in set.skipped() {
            complain(format_args!("Warning: {}", not_bound(&list, skipped)));
        }
        if let Some(path) = &options.port_file {
            port_file::write(path.as_encoded_bytes(), &set, set.datagrams())?;
        }
        let (listeners, datagrams) = set.into_parts();
        listeners.for_each(|listener| self.add_listener(listener));
        for datagram in datagrams {
            self.poller.add(&datagram, self.next_key, Interest::READABLE)?;
            self.datagrams.insert(self.next_key, datagram);
            self.next_key += 1;
        }
        if let Some(path) = &options.unix_socket {
            let listener = UnixAddr::path(path.as_encoded_bytes())
                .and_then(|addr| listen::unix(&addr, &options.profile, &options.access))
                .map_err(|error| format!("Failed opening Unix socket: {error}"))?;
            self.add_listener(listener);
        }
        self.watch_listeners()?;
        for listener in self.listeners.values() {
            announce(format_args!("listening on {}", listener.local_addr()?));
        }
        for datagram in self.datagrams.values() {
            announce(format_args!("receiving on {}", datagram.local_addr()?));
        }
        Ok(())
    }

    fn add_listener(&mut self, listener: Listener) {
        self.listeners.insert(self.next_key, listener);
        self.next_key += 1;
    }

    fn watch_listeners(&self) -> anet::Result<()> {
        self.listeners.iter().try_for_each(|(key, listener)| self.poller.add(listener, *key, Interest::READABLE))
    }

    /// Serves until a signal asks for the end.
    fn run(mut self) -> Result<(), Box<dyn Error>> {
        let mut events = Events::<256>::new();
        loop {
            let rest = self.rest_until.map(|until| until.saturating_duration_since(Instant::now()));
            self.poller.wait(&mut events, rest)?;
            for event in &events {
                match event.key() {
                    SIGNALS => return Ok(()),
                    key if self.listeners.contains_key(&key) => self.accept(key),
                    key if self.datagrams.contains_key(&key) => self.answer(key),
                    _ => self.serve(event),
                }
            }
            if self.rest_until.take_if(|until| *until <= Instant::now()).is_some() && self.watch_listeners().is_err() {
                self.rest();
            }
        }
    }

    fn accept(&mut self, key: u64) {
        let Some(listener) = self.listeners.get(&key) else { return };
        let mut arrivals = Vec::with_capacity(ACCEPT_LIMIT);
        let batch = listener.accept_batch(ACCEPT_LIMIT, |stream, peer| arrivals.push((stream, peer)));
        match batch.end {
            BatchEnd::Drained | BatchEnd::LimitReached => {}
            BatchEnd::OutOfResources(_) => self.rest(),
            BatchEnd::Failed(error) => {
                complain(format_args!("Accepting failed: {error}"));
                self.rest();
            }
            BatchEnd::ListenerGone(error) => {
                complain(format_args!("No longer listening: {error}"));
                self.listeners.remove(&key);
            }
        }
        for (stream, peer) in arrivals {
            self.admit(stream, peer);
        }
    }

    fn admit(&mut self, stream: Stream, addr: Endpoint) {
        self.store.connections += 1;
        let id = self.next_key;
        if self.clients.len() >= self.store.max_clients {
            self.store.rejected += 1;
            let _ = stream.write(b"-ERR max number of clients reached\r\n");
            part_with(&stream, &mut self.read_buffer);
        } else if self.poller.add(&stream, id, Interest::READABLE).is_ok() {
            self.next_key += 1;
            self.store.peers.insert(id, Peer { addr, name: Vec::new() });
            self.clients.insert(id, Client::new(id, stream));
        }
    }

    /// Without descriptors the queues stay full and the listeners ready: watching them on would be a busy loop.
    fn rest(&mut self) {
        for listener in self.listeners.values() {
            let _ = self.poller.delete(listener);
        }
        self.rest_until = Some(Instant::now() + ACCEPT_PAUSE);
    }

    /// One datagram with one request, one with its reply; what goes wrong with either is the sender's loss alone.
    fn answer(&mut self, key: u64) {
        let Some(datagram) = self.datagrams.get(&key) else { return };
        let Ok((received, from)) = datagram.recv_from(&mut self.read_buffer) else { return };
        let (mut request, mut output) = (Request::default(), Output::default());
        self.store.input_bytes += received.bytes.len() as u64;
        match request.read(received.bytes) {
            Ok(true) => self.store.execute(key, &request.args(received.bytes), &mut output),
            Ok(false) => output.line('-', "ERR Protocol error: incomplete request"),
            Err(text) => output.line('-', format_args!("ERR Protocol error: {text}")),
        }
        self.store.output_bytes += output.unsent().len() as u64;
        if datagram.send_to(output.unsent(), &from).is_err_and(|error| error.errno() == Some(Errno::MSGSIZE)) {
            let _ = datagram.send_to(b"-ERR reply too long for a datagram\r\n", &from);
        }
    }

    fn serve(&mut self, event: Event) {
        let Some(client) = self.clients.get_mut(&event.key()) else { return };
        let served = client.serve(event, &mut self.read_buffer, &mut self.store);
        if served.and_then(|()| client.watch(&self.poller)).is_err() {
            self.clients.remove(&event.key());
            self.store.peers.remove(&event.key());
            // A descriptor is free again.
            self.rest_until = self.rest_until.map(|_| Instant::now());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for error in self.listeners.values().filter_map(|listener| listener.remove_file().err()) {
            complain(error);
        }
    }
}

fn not_bound(list: &BindList<'_>, failed: &SpecError) -> String {
    let place = list.as_slice().get(failed.index).map(|spec| spec.target.to_string()).unwrap_or_default();
    format!("Could not create server TCP listening socket {place}: {}", failed.error)
}

/// Ends a connection so that the peer reads what was written and then the end: input left unread would turn the close
/// into a reset.
fn part_with(stream: &Stream, buffer: &mut [u8]) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = (0..DRAIN_READS).all(|_| matches!(stream.read(buffer), Ok(1..)));
}

/// The connection is over.
struct Gone;

struct Client {
    id: u64,
    stream: Stream,
    interest: Interest,
    /// The part of a request that has come, and what is known of it.
    input: Vec<u8>,
    request: Request,
    output: Output,
}

impl Client {
    fn new(id: u64, stream: Stream) -> Self {
        let interest = Interest::READABLE;
        Self { id, stream, interest, input: Vec::new(), request: Request::default(), output: Output::default() }
    }

    fn serve(&mut self, event: Event, buffer: &mut [u8], store: &mut Store) -> Result<(), Gone> {
        if event.is_readable() && !self.output.ends {
            self.receive(buffer, store)?;
        }
        self.send(store)?;
        if self.output.ends && self.output.unsent().is_empty() {
            part_with(&self.stream, buffer);
            return Err(Gone);
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], store: &mut Store) -> Result<(), Gone> {
        let received = match self.stream.read(buffer) {
            Ok(0) if self.output.unsent().is_empty() => return Err(Gone),
            Ok(len) => buffer.get(..len).unwrap_or_default(),
            Err(error) => return over_unless_passing(error),
        };
        store.input_bytes += received.len() as u64;
        if received.is_empty() {
            self.output.ends = true;
        } else if self.input.is_empty() {
            let used = self.execute(received, store);
            self.input.extend_from_slice(received.get(used..).unwrap_or_default());
        } else {
            let mut input = mem::take(&mut self.input);
            input.extend_from_slice(received);
            let used = self.execute(&input, store);
            if used > 0 {
                input.drain(..used);
                // A long request leaves no long buffer to the short ones that follow.
                input.shrink_to(2 * READ_LIMIT);
            }
            self.input = if input.is_empty() { emptied(input) } else { input };
        }
        Ok(())
    }

    /// Executes all requests that are whole and says how many bytes they took.
    fn execute(&mut self, input: &[u8], store: &mut Store) -> usize {
        let mut used = 0;
        while !self.output.ends && !self.output.overflowed {
            let rest = input.get(used..).unwrap_or_default();
            match self.request.read(rest) {
                Ok(true) => {
                    used += self.request.at;
                    store.execute(self.id, &self.request.args(rest), &mut self.output);
                    self.request.reset();
                }
                Ok(false) => return used,
                Err(text) => {
                    self.output.line('-', format_args!("ERR Protocol error: {text}"));
                    self.output.ends = true;
                }
            }
        }
        input.len()
    }

    fn send(&mut self, store: &mut Store) -> Result<(), Gone> {
        if self.output.overflowed {
            return Err(Gone);
        } else if self.output.unsent().is_empty() {
            return Ok(());
        }
        match self.stream.write(self.output.unsent()) {
            Ok(len) => {
                store.output_bytes += len as u64;
                self.output.advance(len);
                Ok(())
            }
            Err(error) => over_unless_passing(error),
        }
    }

    fn watch(&mut self, poller: &Poller) -> Result<(), Gone> {
        let mut interest = Interest::empty();
        interest.set(Interest::READABLE, !self.output.ends);
        interest.set(Interest::WRITABLE, !self.output.unsent().is_empty());
        if interest != self.interest {
            poller.modify(&self.stream, self.id, interest).map_err(|_| Gone)?;
            self.interest = interest;
        }
        Ok(())
    }
}

fn over_unless_passing(error: anet::Error) -> Result<(), Gone> {
    if error.is_would_block() || error.is_interrupted() { Ok(()) } else { Err(Gone) }
}
