//! `examples/proxy.rs` on mio.

#[path = "../../examples/args/mod.rs"]
mod args;

use core::{net::SocketAddr, time::Duration};
use std::{
    io::{self, Read, Write},
    net::Shutdown,
    process::ExitCode,
    time::Instant,
};

use args::{Args, Outcome, announce, complain};
use mio::{
    Events, Interest, Poll, Registry, Token,
    event::Event,
    net::{TcpListener, TcpStream},
};
use slab::Slab;

const USAGE: &str = "Usage: proxy_mio [--listen ADDRESS] [--idle-time MILLISECONDS] UPSTREAM UPSTREAM";
/// Clients beyond these wait in the backlog.
const PAIRS_MAX: usize = 10_000;
/// The most bytes buffered in each direction.
const BUFFER: usize = 64 << 10;
/// How long one upstream may take to connect before the next is tried, and how long all together.
const ATTEMPT_TIME: Duration = Duration::from_secs(1);
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// How often deadlines are checked, and accepting is retried when descriptors ran out.
const TICK: Duration = Duration::from_millis(100);
const LISTENER: Token = Token(usize::MAX);
/// The sides of a pair.
const CLIENT: usize = 0;
const UPSTREAM: usize = 1;

fn main() -> ExitCode {
    args::exit(serve(&Args::parse(USAGE, &["listen", "idle-time"])))
}

fn serve(args: &Args) -> Outcome {
    let upstreams = args.words();
    let poll = Poll::new()?;
    let mut listener = TcpListener::bind(args.flag::<SocketAddr>("listen", "127.0.0.1:7001"))?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut proxy = Proxy {
        poll,
        listener,
        accepts: false,
        upstreams,
        pairs: Slab::new(),
        idle_time: args.millis("idle-time", "300000"),
        buffer: vec![0; BUFFER],
        now: Instant::now(),
        looked_at: Instant::now(),
    };
    proxy.run()
}

struct Proxy {
    poll: Poll,
    listener: TcpListener,
    /// Whether a connection may wait to be accepted.
    accepts: bool,
    upstreams: [SocketAddr; 2],
    pairs: Slab<Pair>,
    idle_time: Duration,
    buffer: Vec<u8>,
    now: Instant,
    /// When the deadlines were last checked.
    looked_at: Instant,
}

struct Pair {
    sides: [Side; 2],
    /// None once the upstream is connected.
    attempt: Option<Attempt>,
    active_at: Instant,
}

struct Attempt {
    upstream: usize,
    began_at: Instant,
}

struct Side {
    stream: TcpStream,
    is_readable: bool,
    is_writable: bool,
    /// Whether the end of the stream can be read.
    is_read_closed: bool,
    /// Unsent bytes from the other side.
    output: Vec<u8>,
    /// Whether that end was passed on.
    is_shut: bool,
    /// Whether this side sends no more.
    is_read: bool,
}

impl Proxy {
    fn run(&mut self) -> Outcome {
        let mut events = Events::with_capacity(256);
        loop {
            let timeout = if self.pairs.is_empty() && !self.accepts { None } else { Some(TICK) };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            self.now = Instant::now();
            events.iter().for_each(|event| self.handle(event));
            if self.accepts {
                self.accept();
            }
            self.look_at_deadlines();
        }
    }

    fn handle(&mut self, event: &Event) {
        let Token(token) = event.token();
        if event.token() == LISTENER {
            self.accepts = true;
        } else if let Some(pair) = self.pairs.get_mut(token / 2) {
            let side = &mut pair.sides[token % 2];
            side.is_readable |= event.is_readable() || event.is_error();
            side.is_writable |= event.is_writable();
            side.is_read_closed |= event.is_read_closed();
            pair.active_at = self.now;
            self.advance(token / 2);
        }
    }

    /// Accepts until the queue is empty or there is no room.
    fn accept(&mut self) {
        while self.pairs.len() < PAIRS_MAX {
            match self.listener.accept() {
                Ok((client, _)) => {
                    if let Err(error) = self.admit(client) {
                        complain(error);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.accepts = false;
                    return;
                }
                Err(error) if is_passing(&error) => {}
                // Out of descriptors or memory: try again later.
                Err(error) => return complain(error),
            }
        }
    }

    fn admit(&mut self, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let attempt = Attempt { upstream: 0, began_at: self.now };
        let entry = self.pairs.vacant_entry();
        let registry = self.poll.registry();
        let upstream = connect(registry, entry.key(), self.upstreams[0])?;
        let mut sides = [client, upstream].map(Side::new);
        register(registry, &mut sides[CLIENT].stream, entry.key(), CLIENT)?;
        entry.insert(Pair { sides, attempt: Some(attempt), active_at: self.now });
        Ok(())
    }

    /// Passes on what there is, and closes the pair when it is done.
    fn advance(&mut self, key: usize) {
        let Some(pair) = self.pairs.get_mut(key) else { return };
        let advanced = match pair.is_connected() {
            Ok(true) => pair.pass(&mut self.buffer),
            Ok(false) => Ok(false),
            Err(error) => return self.attempt_failed(key, &error),
        };
        if advanced.unwrap_or(true) {
            self.pairs.remove(key);
        }
    }

    /// Tries the next upstream, or gives up.
    fn attempt_failed(&mut self, key: usize, error: &io::Error) {
        let pair = &mut self.pairs[key];
        let Some(attempt) = &mut pair.attempt else { return };
        attempt.upstream += 1;
        let began = match self.upstreams.get(attempt.upstream) {
            Some(addr) => connect(self.poll.registry(), key, *addr),
            None => Err(error.kind().into()),
        };
        match began {
            Ok(upstream) => {
                pair.sides[UPSTREAM].stream = upstream;
                attempt.began_at = self.now;
            }
            Err(error) => {
                complain(error);
                self.pairs.remove(key);
            }
        }
    }

    fn look_at_deadlines(&mut self) {
        if self.now < self.looked_at + TICK {
            return;
        }
        self.looked_at = self.now;
        let (now, idle_time) = (self.now, self.idle_time);
        self.pairs.retain(|_, pair| {
            let time = if pair.attempt.is_some() { CONNECT_TIME } else { idle_time };
            now <= pair.active_at + time
        });
        let is_late = |pair: &Pair| pair.attempt.as_ref().is_some_and(|attempt| now > attempt.began_at + ATTEMPT_TIME);
        let late: Vec<usize> = self.pairs.iter().filter(|(_, pair)| is_late(pair)).map(|(key, _)| key).collect();
        for key in late {
            self.attempt_failed(key, &io::ErrorKind::TimedOut.into());
        }
    }
}

impl Pair {
    /// Whether the upstream is connected; an error if it refuses.
    fn is_connected(&mut self) -> io::Result<bool> {
        if self.attempt.is_none() {
            return Ok(true);
        }
        let upstream = &self.sides[UPSTREAM];
        if !upstream.is_writable {
            return Ok(false);
        }
        if let Some(error) = upstream.stream.take_error()? {
            return Err(error);
        }
        match upstream.stream.peer_addr() {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
            connected => connected?,
        };
        let _ = upstream.stream.set_nodelay(true);
        self.attempt = None;
        Ok(true)
    }

    /// Passes bytes in both directions until they block; returns whether both have ended.
    fn pass(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let [client, upstream] = &mut self.sides;
        client.pass_to(upstream, buffer)?;
        upstream.pass_to(client, buffer)?;
        Ok(client.is_shut && upstream.is_shut)
    }
}

impl Side {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            is_readable: false,
            is_writable: false,
            is_read_closed: false,
            output: Vec::new(),
            is_shut: false,
            is_read: false,
        }
    }

    fn pass_to(&mut self, other: &mut Self, buffer: &mut [u8]) -> io::Result<()> {
        other.send(&[], self.is_read)?;
        while self.is_readable && !self.is_read && other.output.is_empty() {
            let received = match self.stream.read(buffer) {
                Ok(len) => &buffer[..len],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            self.is_read = received.is_empty();
            // A short read has emptied the socket, except for the end.
            self.is_readable = received.len() == BUFFER || self.is_read_closed;
            other.send(received, self.is_read)?;
        }
        Ok(())
    }

    /// Sends what fits into the socket, keeps the rest, and passes on the end once everything is sent. While bytes are
    /// kept, nothing is received for this side.
    fn send(&mut self, mut received: &[u8], is_last: bool) -> io::Result<()> {
        while self.is_writable && !(received.is_empty() && self.output.is_empty()) {
            let unsent = if received.is_empty() { &self.output } else { received };
            match self.stream.write(unsent) {
                Ok(sent) if received.is_empty() => drop(self.output.drain(..sent)),
                Ok(sent) => received = &received[sent..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.extend_from_slice(received);
        if self.output.is_empty() && is_last && !self.is_shut {
            self.is_shut = true;
            // Both directions have ended: the pair is closed next.
            if !self.is_read {
                self.stream.shutdown(Shutdown::Write)?;
            }
        }
        Ok(())
    }
}

fn connect(registry: &Registry, pair: usize, addr: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(addr)?;
    register(registry, &mut stream, pair, UPSTREAM)?;
    Ok(stream)
}

fn register(registry: &Registry, stream: &mut TcpStream, pair: usize, side: usize) -> io::Result<()> {
    registry.register(stream, Token(pair * 2 + side), Interest::READABLE | Interest::WRITABLE)
}

/// Whether the error concerns one connection, which is lost.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted)
}
