//! `examples/more/http.rs` on mio.

#[path = "../../examples/args/mod.rs"]
mod args;
#[path = "../../examples/more/http/protocol.rs"]
mod protocol;

use core::{net::SocketAddr, time::Duration};
use std::{
    io::{self, Read, Write},
    net::Shutdown,
    process::ExitCode,
    time::Instant,
};

use args::{Args, Outcome, announce, complain};
use mio::{
    Events, Interest, Poll, Token,
    event::Event,
    net::{TcpListener, TcpStream},
    unix::pipe,
};
use protocol::{BODY_MAX, Refusal, Session};
use slab::Slab;

const USAGE: &str = "Usage: http_mio [--listen ADDRESS] [--request-time MILLISECONDS] [--idle-time MILLISECONDS]";
/// Connections beyond these wait in the backlog.
const CLIENTS_MAX: usize = 10_000;
/// How long clients may take for their last response after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long a client's input is read after the last response.
const LINGER: Duration = Duration::from_secs(2);
/// How often deadlines are checked, and accepting is retried when descriptors ran out.
const TICK: Duration = Duration::from_millis(100);
const LISTENER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);

fn main() -> ExitCode {
    args::exit(serve(&Args::parse(USAGE, &["listen", "request-time", "idle-time"])))
}

fn serve(args: &Args) -> Outcome {
    let poll = Poll::new()?;
    let (sender, mut signals) = pipe::new()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, std::os::fd::OwnedFd::from(sender))?;
    poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
    let mut listener = TcpListener::bind(args.flag::<SocketAddr>("listen", "127.0.0.1:8080"))?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut http = Http {
        poll,
        listener: Some(listener),
        accepts: false,
        clients: Slab::new(),
        request_time: args.millis("request-time", "5000"),
        idle_time: args.millis("idle-time", "60000"),
        buffer: vec![0; BODY_MAX],
        now: Instant::now(),
        drains: None,
        looked_at: Instant::now(),
    };
    http.run()
}

struct Http {
    poll: Poll,
    /// None once the server drains.
    listener: Option<TcpListener>,
    /// Whether a connection may wait to be accepted.
    accepts: bool,
    clients: Slab<Client>,
    request_time: Duration,
    idle_time: Duration,
    buffer: Vec<u8>,
    now: Instant,
    /// The deadline, once the server drains.
    drains: Option<Instant>,
    /// When the deadlines were last checked.
    looked_at: Instant,
}

struct Client {
    stream: TcpStream,
    session: Session,
    /// Whether only its remaining input is being read.
    lingers: bool,
    /// Whether the end of the stream can be read.
    is_read_closed: bool,
    active_at: Instant,
    deadline: Option<Instant>,
}

/// What to do with a connection.
enum Next {
    Keep,
    Close,
}

impl Http {
    fn run(&mut self) -> Outcome {
        let mut events = Events::with_capacity(256);
        while self.drains.is_none_or(|until| !self.clients.is_empty() && self.now < until) {
            let timeout = if self.clients.is_empty() && !self.accepts { None } else { Some(TICK) };
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
        Ok(())
    }

    fn handle(&mut self, event: &Event) {
        match event.token() {
            LISTENER => self.accepts = true,
            SIGNALS => self.drain(),
            Token(key) => {
                if let Some(client) = self.clients.get_mut(key) {
                    client.is_read_closed |= event.is_read_closed();
                    self.advance(key);
                }
            }
        }
    }

    /// Accepts until the queue is empty or there is no room.
    fn accept(&mut self) {
        while let Some(listener) = self.listener.as_ref().filter(|_| self.clients.len() < CLIENTS_MAX) {
            match listener.accept() {
                Ok((stream, _)) => self.admit(stream),
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

    fn admit(&mut self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let entry = self.clients.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut stream, Token(entry.key()), interest) {
            return complain(error);
        }
        let session = Session::default();
        entry.insert(Client {
            stream,
            session,
            lingers: false,
            is_read_closed: false,
            active_at: self.now,
            deadline: None,
        });
    }

    /// Serves a connection until it would block.
    fn advance(&mut self, key: usize) {
        let Some(client) = self.clients.get_mut(key) else { return };
        client.active_at = self.now;
        let deadline = self.now + self.request_time;
        match client.advance(&mut self.buffer, deadline, self.drains.is_some()) {
            Ok(Next::Keep) => {}
            Ok(Next::Close) | Err(_) => drop(self.clients.remove(key)),
        }
    }

    /// Requests that are not complete in time are refused; connections that are idle are closed.
    fn look_at_deadlines(&mut self) {
        if self.now < self.looked_at + TICK {
            return;
        }
        self.looked_at = self.now;
        let mut late = Vec::new();
        for (key, client) in &mut self.clients {
            let time = if client.lingers { LINGER } else { self.idle_time };
            if self.now > client.active_at + time {
                late.push((key, None));
            } else if client.deadline.take_if(|deadline| *deadline <= self.now).is_some() {
                late.push((key, Some(Refusal("408 Request Timeout"))));
            }
        }
        for (key, refusal) in late {
            match refusal {
                Some(refusal) => {
                    self.clients[key].session.refuse(refusal);
                    self.advance(key);
                }
                None => drop(self.clients.remove(key)),
            }
        }
    }

    /// Answers requests already received and closes idle connections; the others close with their response.
    fn drain(&mut self) {
        let present: Vec<usize> = self.clients.iter().map(|(key, _)| key).collect();
        self.drains = Some(self.now + GRACE);
        self.accept();
        self.listener = None;
        self.accepts = false;
        for key in present {
            self.advance(key);
            if let Some(client) = self.clients.get_mut(key).filter(|client| client.session.input.is_empty()) {
                client.session.ends = true;
                self.advance(key);
            }
        }
    }
}

impl Client {
    fn advance(&mut self, buffer: &mut [u8], deadline: Instant, drains: bool) -> io::Result<Next> {
        let mut has_more = true;
        loop {
            if self.lingers {
                return self.discard(buffer);
            }
            while !self.session.output.is_empty() {
                match self.stream.write(&self.session.output) {
                    Ok(sent) => drop(self.session.output.drain(..sent)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Next::Keep),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            if self.session.is_done {
                return Ok(Next::Close);
            }
            if self.session.ends {
                self.stream.shutdown(Shutdown::Write)?;
                self.lingers = true;
                continue;
            }
            if !has_more {
                return Ok(Next::Keep);
            }
            match self.stream.read(buffer) {
                Ok(0) => return Ok(Next::Close),
                Ok(len) => {
                    self.session.input.extend_from_slice(&buffer[..len]);
                    // A short read has emptied the socket, except for the end.
                    has_more = len == buffer.len() || self.is_read_closed;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Next::Keep),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            let answered = self.session.answer(drains);
            if self.session.input.is_empty() {
                self.deadline = None;
            } else if answered || self.deadline.is_none() {
                self.deadline = Some(deadline);
            }
        }
    }

    /// Input left unread would turn the close into a reset.
    fn discard(&mut self, buffer: &mut [u8]) -> io::Result<Next> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(Next::Close),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Next::Keep),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether the error concerns one connection, which is lost.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted)
}
