//! Load for `kv`, redis-server, memcached and the HTTP servers: the shortest request there is, on many connections at a
//! time.
//!
//! One thread sends the next batch of requests as soon as the replies to the last have arrived. It prints the seconds it
//! took and, in microseconds, the mean time to all replies of a batch and its 50th, 99th and 99.9th percentiles.

#[path = "../../examples/args/mod.rs"]
mod args;

use core::net::SocketAddr;
use std::{
    io::{self, ErrorKind, Read, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use args::{Args, Outcome, announce};
use mio::{Events, Interest, Poll, Token, net::TcpStream};

const USAGE: &str =
    "Usage: ping_load [--connections COUNT] [--depth COUNT] [--requests COUNT] [--protocol http|memcached|redis] ADDRESS
Each connection has --depth requests in flight; 0 opens a connection for each request.";
/// A server that is silent for so long has stopped.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let args = Args::parse(USAGE, &["connections", "depth", "requests", "protocol"]);
    let [addr] = args.words::<SocketAddr, 1>();
    args::exit(run(addr, &args))
}

fn run(addr: SocketAddr, args: &Args) -> Outcome {
    let (request, reply): (&[u8], &[u8]) = match args.flag::<String>("protocol", "redis").as_str() {
        "redis" => (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
        "http" => (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nHello\n"),
        // A key that is not there. `mn` would be shorter, but it makes memcached send each reply by itself.
        "memcached" => (b"mg k\r\n", b"EN\r\n"),
        _ => return Err(USAGE.into()),
    };
    let (connections, depth, requests): (usize, usize, usize) =
        (args.flag("connections", "50"), args.flag("depth", "1"), args.flag("requests", "100000"));
    let batch = depth.max(1);
    let load = Load {
        addr,
        requests: request.repeat(batch),
        replies: reply.repeat(batch),
        reconnects: depth == 0,
        unsent: requests / batch,
        poll: Poll::new()?,
    };
    load.run(connections)
}

struct Load {
    addr: SocketAddr,
    /// A batch.
    requests: Vec<u8>,
    replies: Vec<u8>,
    /// Whether each batch has a connection of its own.
    reconnects: bool,
    /// Batches not sent yet.
    unsent: usize,
    poll: Poll,
}

struct Client {
    stream: TcpStream,
    /// When it sent its batch; `None` while it connects.
    asked_at: Option<Instant>,
    /// How many bytes of replies have arrived.
    received: usize,
}

impl Load {
    fn run(mut self, connections: usize) -> Outcome {
        let mut unanswered = self.unsent;
        let mut times = Vec::with_capacity(unanswered);
        let mut clients = (0..connections).map(|number| self.connect(number)).collect::<io::Result<Vec<_>>>()?;
        let mut events = Events::with_capacity(1024);
        let began_at = Instant::now();
        while unanswered > 0 {
            self.poll.poll(&mut events, Some(PATIENCE))?;
            if events.is_empty() {
                return Err(format!("no reply for {PATIENCE:?}, and {unanswered} batches are unanswered").into());
            }
            for event in &events {
                let Token(number) = event.token();
                if let Some(time) = self.go_on(number, &mut clients[number])? {
                    times.push(time);
                    unanswered -= 1;
                }
            }
        }
        report(began_at.elapsed(), times);
        Ok(())
    }

    fn connect(&self, number: usize) -> io::Result<Client> {
        let mut stream = TcpStream::connect(self.addr)?;
        self.poll.registry().register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Client { stream, asked_at: None, received: 0 })
    }

    /// Handles an event; returns how long the replies to a batch took once all have arrived.
    fn go_on(&mut self, number: usize, client: &mut Client) -> Result<Option<Duration>, Box<dyn core::error::Error>> {
        let Some(asked_at) = client.asked_at else {
            client.stream.set_nodelay(true)?;
            self.ask(client)?;
            return Ok(None);
        };
        if !self.receive(client)? {
            return Ok(None);
        }
        let time = asked_at.elapsed();
        if self.reconnects && self.unsent > 0 {
            *client = self.connect(number)?;
        } else {
            self.ask(client)?;
        }
        Ok(Some(time))
    }

    /// Sends the next batch, if there is one. A batch always fits into the send buffer.
    fn ask(&mut self, client: &mut Client) -> io::Result<()> {
        (client.asked_at, client.received) = (Some(Instant::now()), 0);
        if self.unsent > 0 {
            self.unsent -= 1;
            client.stream.write_all(&self.requests)?;
        }
        Ok(())
    }

    /// Returns whether all replies have arrived.
    fn receive(&self, client: &mut Client) -> Result<bool, Box<dyn core::error::Error>> {
        let mut buf = [0; 4096];
        let len = match client.stream.read(&mut buf) {
            Ok(0) => return Err("the server closed a connection".into()),
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if self.replies.get(client.received..client.received + len) != Some(&buf[..len]) {
            return Err("the server sent something else than replies to pings".into());
        }
        client.received += len;
        Ok(client.received == self.replies.len())
    }
}

fn report(took: Duration, mut times: Vec<Duration>) {
    times.sort_unstable();
    let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len().max(1) as f64;
    let percentile = |share: f64| {
        let rank = (times.len() as f64 * share) as usize;
        times.get(rank.min(times.len() - 1)).map_or(0.0, Duration::as_secs_f64)
    };
    let micros = [mean, percentile(0.5), percentile(0.99), percentile(0.999)].map(|time| format!("{:.1}", time * 1e6));
    announce(format_args!("{} {}", took.as_secs_f64(), micros.join(" ")));
}
