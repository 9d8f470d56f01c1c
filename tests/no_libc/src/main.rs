//! An echo server on `anet` and nothing else: no libc, no std, no allocator.
//!
//! It prints the address it listens on, sends back what comes in, and ends when a client sends `quit`.

#![no_std]
#![no_main]

mod memory;
mod start;
mod surface;

use core::{fmt::Write, time::Duration};

use anet::{
    Endpoint, Listener, Profile, Result, Stream,
    event::{Events, Interest, Poller},
    listen,
    option::TcpKeepalive,
};

use start::Output;

/// More at once are turned away.
const CLIENTS: usize = 64;
/// Connections taken in one go.
const BATCH: usize = 16;
/// The key of the listener; those of clients are their places in the table.
const LISTENER: u64 = u64::MAX;

/// Whether to go on.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Verdict {
    Keep,
    Drop,
    Quit,
}

struct Server {
    listener: Listener,
    poller: Poller,
    clients: [Option<Stream>; CLIENTS],
}

fn run() -> Result<()> {
    surface::check()?;
    let mut server = Server::open()?;
    // Whether anybody reads it is not the server's business.
    let _ = writeln!(Output::standard(), "listening on {}", server.listener.local_addr()?);
    server.serve()
}

impl Server {
    fn open() -> Result<Self> {
        let keepalive = TcpKeepalive::after_idle(Duration::from_secs(300))?;
        let profile = Profile::new().with_tcp_nodelay(true).with_tcp_keepalive(Some(keepalive));
        let listener = listen::tcp(([127, 0, 0, 1], 0).into(), &profile)?;
        let poller = Poller::new()?;
        poller.add(&listener, LISTENER, Interest::READABLE)?;
        Ok(Self { listener, poller, clients: [const { None }; CLIENTS] })
    }

    fn serve(&mut self) -> Result<()> {
        let mut events = Events::<32>::new();
        loop {
            self.poller.wait(&mut events, None)?;
            for event in &events {
                match event.key() {
                    LISTENER => self.accept()?,
                    key if self.echo(key as usize) == Verdict::Quit => return Ok(()),
                    _ => {}
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        let Self { listener, poller, clients } = self;
        listener.accept_batch(BATCH, |stream, peer| admit(poller, clients, stream, &peer)).end.ok()
    }

    fn echo(&mut self, key: usize) -> Verdict {
        let Some(client) = self.clients.get_mut(key) else { return Verdict::Keep };
        let verdict = client.as_ref().map_or(Verdict::Keep, echo_once);
        if verdict == Verdict::Drop {
            *client = None;
        }
        verdict
    }
}

/// Gives a connection a place in the table; without one it is closed.
fn admit(poller: &Poller, clients: &mut [Option<Stream>], stream: Stream, peer: &Endpoint) {
    let free = clients.iter_mut().enumerate().find(|(_, client)| client.is_none());
    if let Some((key, place)) = free
        && peer.is_loopback()
        && surface::is_configured(&stream)
        && poller.add(&stream, key as u64, Interest::READABLE).is_ok()
    {
        *place = Some(stream);
    }
}

/// Sends back what has come. A client that does not read what it gets is dropped when its buffer is full.
fn echo_once(client: &Stream) -> Verdict {
    let mut buf = [0; 4096];
    match client.read(&mut buf) {
        Ok(0) => Verdict::Drop,
        Ok(len) => match buf.get(..len).unwrap_or_default() {
            b"quit\n" => Verdict::Quit,
            bytes if client.write_all(bytes).is_ok() => Verdict::Keep,
            _ => Verdict::Drop,
        },
        Err(error) if error.is_would_block() || error.is_interrupted() => Verdict::Keep,
        Err(_) => Verdict::Drop,
    }
}
