//! A TCP proxy: it passes bytes between its clients and the first upstream that can be reached: a name, whose addresses
//! are tried, or a list of addresses.
//!
//! ```sh
//! cargo run --release --features dns --example proxy -- cache.internal:6379
//! cargo run --release --features dns --example proxy -- 127.0.0.1:6379 127.0.0.1:6380
//! ```
//!
//! Each direction ends independently: the end of one side's stream is passed on, and the other direction continues.
//! While a side does not read, the proxy reads no more than [`BUFFER`] from the other one. A pair that passes nothing
//! for the idle time is closed.

mod args;

use core::time::Duration;
use std::process::ExitCode;

use anet::{
    Endpoint, SocketOptions,
    addr::HostPort,
    connect::{self, Connector},
    error::{AddrError, Error},
    event::Interest,
    listen, option,
    resolve::Families,
    server::{CloseReason, Event, Key, Lookups, Refused, Server, Slots},
    stream::Shutdown,
};
use args::{Args, Outcome, announce, complain, parsed};

const USAGE: &str = "Usage: proxy [--listen ADDRESS] [--idle-time MILLISECONDS] HOST:PORT|ADDRESS...";
/// Connections, two per pair; further clients wait in the backlog.
const SIDES_MAX: usize = 20_000;
/// The most bytes buffered in each direction.
const BUFFER: usize = 64 << 10;
/// How long one upstream may take to connect before the next is tried beside it, and how long all together.
const STAGGER: Duration = Duration::from_secs(1);
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// Lookups of the upstream's name: connections share one, and some may still use older answers.
const LOOKUPS: usize = 4;

fn main() -> ExitCode {
    args::exit(serve(&Args::parse(USAGE, &["listen", "idle-time"])))
}

fn serve(args: &Args) -> Outcome {
    let upstream = Upstream::parse(args.all_words())?;
    let listener = listen::tcp(args.flag("listen", "127.0.0.1:7001"), &SocketOptions::new().with_tcp_nodelay(true))?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    let sides = Server::new(Slots::allocate(SIDES_MAX))?.with_idle_timeout(Some(args.millis("idle-time", "300000")));
    let mut sides = sides.with_lookups(Lookups::allocate(LOOKUPS)?)?;
    sides.listen(listener)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        sides.wait(None)?;
        while let Some(event) = sides.next_event() {
            match event {
                Event::Opened(client) => match upstream.connect(&mut sides, Side::of(client)) {
                    Ok(upstream) => set_other(&mut sides, client, upstream),
                    Err(refused) => {
                        complain(refused);
                        sides.close(client);
                    }
                },
                Event::Connected(key) => connected(&mut sides, key),
                Event::Readable(key) => receive(&mut sides, key, &mut buffer),
                Event::Writable(key) => send(&mut sides, key, &[]),
                Event::Closing(key, reason) => {
                    if let CloseReason::ConnectFailed(error) = reason {
                        complain_of_upstream(&sides, key, error);
                    }
                    close_both(&mut sides, key);
                }
                Event::AcceptFailed(_, error) | Event::ListenerGone(_, error) => complain(error),
                _ => {}
            }
        }
    }
}

/// What every client is connected to.
enum Upstream {
    Name { host: String, port: u16 },
    Listed(Vec<Endpoint>),
}

impl Upstream {
    fn parse(words: &[String]) -> Result<Self, Box<dyn core::error::Error>> {
        match words {
            [name] if name.parse::<Endpoint>().is_err() => {
                let HostPort { host, port } = HostPort::parse(name)?;
                Ok(Self::Name { host: host.to_string(), port: port.ok_or("a port is missing")? })
            }
            words => Ok(Self::Listed(words.iter().map(|word| parsed("argument", word)).collect())),
        }
    }

    fn connect<'t>(&'t self, sides: &mut Sides<'t>, side: Side) -> Result<Key, Refused<Side>> {
        let connector = Connector::new().with_stagger(STAGGER).with_timeout(Some(CONNECT_TIME));
        match self {
            Self::Name { host, port } => sides.connect_to_name(host, *port, Families::Any, &connector, side),
            Self::Listed(addresses) => sides.connect(addresses, &connector, side),
        }
    }
}

/// All that was tried, or why the name has no address.
fn complain_of_upstream(sides: &Sides<'_>, key: Key, error: Error) {
    if sides.attempts(key).next().is_none() {
        complain(error);
    }
    for (upstream, outcome) in sides.attempts(key) {
        if let connect::Outcome::Failed(error) = outcome {
            complain(AddrError::new(error, upstream));
        }
    }
}

/// The data of a connection.
#[derive(Default)]
struct Side {
    /// The other connection of the pair.
    other: Option<Key>,
    /// Unsent bytes from the other side.
    output: Vec<u8>,
    /// Whether the other side sends no more.
    ends: bool,
    /// Whether that end was passed on.
    is_shut: bool,
    /// Whether this side sends no more.
    is_read: bool,
}

impl Side {
    fn of(other: Key) -> Self {
        Self { other: Some(other), ..Self::default() }
    }
}

type Sides<'t> = Server<'t, Side>;

fn set_other(sides: &mut Sides<'_>, key: Key, other: Key) {
    if let Some(side) = sides.get_mut(key) {
        side.data.other = Some(other);
    }
}

fn connected(sides: &mut Sides<'_>, key: Key) {
    // Batching is up to the sender: small writes are passed on at once. Unix sockets lack this option.
    let _ = sides.get(key).map(|side| option::set_tcp_nodelay(side, true));
    send(sides, key, &[]);
}

fn receive(sides: &mut Sides<'_>, key: Key, buffer: &mut [u8]) {
    let Some(side) = sides.get_mut(key) else { return };
    let received = match side.read(buffer) {
        Err(error) if error.is_would_block() => return,
        // The end is read once; a later event is an error.
        Ok(len) if !side.data.is_read => &buffer[..len],
        Ok(_) | Err(_) => return close_both(sides, key),
    };
    side.data.is_read = received.is_empty();
    let Some(to) = side.data.other else { return };
    let Some(other) = sides.get_mut(to) else { return };
    other.data.ends = received.is_empty();
    send(sides, to, received);
}

/// Sends what fits into the socket, keeps the rest, and passes on the end once everything is sent.
///
/// More than [`BUFFER`] is kept only after the other side has hung up, which is reported regardless of interest: the
/// rest in its socket is read then.
fn send(sides: &mut Sides<'_>, key: Key, received: &[u8]) {
    let Some(side) = sides.get_mut(key) else { return };
    let kept = side.data.output.len();
    let unsent = if kept == 0 { received } else { &side.data.output };
    let sent = match unsent {
        [] => 0,
        _ if side.is_connecting() => 0,
        unsent => match side.write(unsent) {
            Ok(sent) => sent,
            Err(error) if error.is_would_block() => 0,
            Err(_) => return close_both(sides, key),
        },
    };
    side.data.output.drain(..sent.min(kept));
    side.data.output.extend_from_slice(if kept == 0 { &received[sent..] } else { received });
    if side.data.output.is_empty() && side.data.ends && !side.data.is_shut && !side.is_connecting() {
        side.data.is_shut = true;
        if !side.data.is_read && side.stream().shutdown(Shutdown::Write).is_err() {
            return close_both(sides, key);
        }
    }
    settle(sides, key);
}

/// After a transfer: closes a finished pair, and reads from a side only while the other one accepts the bytes.
fn settle(sides: &mut Sides<'_>, key: Key) {
    let other = sides.get(key).and_then(|side| side.data.other);
    for (key, other) in [(Some(key), other), (other, Some(key))] {
        let Some((key, side)) = key.and_then(|key| Some((key, sides.get(key)?))) else { continue };
        if side.data.is_read && side.data.is_shut {
            sides.close(key);
            continue;
        }
        let has_room = other.and_then(|other| sides.get(other)).is_some_and(|other| other.data.output.is_empty());
        let mut interest = Interest::empty();
        interest.set(Interest::READABLE, !side.data.is_read && has_room);
        interest.set(Interest::WRITABLE, !side.data.output.is_empty());
        sides.set_interest(key, interest);
        sides.touch(key);
    }
}

fn close_both(sides: &mut Sides<'_>, key: Key) {
    let closed = sides.close(key);
    closed.and_then(|side| side.other).map(|other| sides.close(other));
}
