//! An HTTP/1.1 server: it answers `GET` with a greeting and `POST` with the body it received.
//!
//! ```sh
//! cargo run --release -p anet-examples --bin http
//! curl -d 'some text' http://127.0.0.1:8080/
//! ```
//!
//! Connections are kept alive and requests may be pipelined. A request must be complete within a time that begins with
//! its first byte (408), and no larger than [`HEAD_MAX`](protocol::HEAD_MAX) and [`BODY_MAX`] (431, 413). While a client
//! does not read its responses, no more of its requests are read. `SIGTERM` ends the server once every request has its
//! response.

#[path = "../args/mod.rs"]
mod args;
#[path = "http/protocol.rs"]
mod protocol;

use core::time::Duration;
use std::process::ExitCode;

use anet::{
    SocketOptions,
    event::Interest,
    listen,
    pipe::{EndFlags, pipe},
    server::{Connection, Event, Expiry, Key, Server, Slots},
    stream::Incomplete,
};
use args::{Args, Outcome, announce, complain};
use protocol::{BODY_MAX, Refusal, Session};

const USAGE: &str = "Usage: http [--listen ADDRESS] [--request-time MILLISECONDS] [--idle-time MILLISECONDS]
            [--max-delay MICROSECONDS]
--max-delay is how long requests of many clients may wait for each other (200 is a good choice); 0 for none.";
/// Connections beyond these wait in the backlog.
const CLIENTS_MAX: usize = 10_000;
/// How long clients may take for their last response after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    args::exit(serve(&Args::parse(USAGE, &["listen", "request-time", "idle-time", "max-delay"])))
}

fn serve(args: &Args) -> Outcome {
    let signals = pipe(EndFlags::NONBLOCK, EndFlags::NONBLOCK)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, signals.write)?;
    let listener = listen::tcp(args.flag("listen", "127.0.0.1:8080"), &SocketOptions::new().with_tcp_nodelay(true))?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    let clients = Server::new(Slots::allocate(CLIENTS_MAX))?.with_idle_timeout(Some(args.millis("idle-time", "60000")));
    let clients = match args.flag("max-delay", "0") {
        0 => clients,
        max_delay => clients.with_coalescing(Duration::from_micros(max_delay)),
    };
    let mut http = Http { clients, request_time: args.millis("request-time", "5000"), drains: false };
    http.clients.listen(listener)?;
    let signalled = http.clients.watch(&signals.read, Interest::READABLE)?;
    let mut buffer = vec![0; BODY_MAX];
    while !http.clients.is_drained() {
        http.clients.wait(None)?;
        while let Some(event) = http.clients.next_event() {
            match event {
                Event::Readable(key) => http.receive(key, &mut buffer),
                Event::Writable(key) => http.send(key),
                Event::Deadline(key) => http.time_out(key),
                Event::Watched(..) => {
                    http.clients.unwatch(signalled);
                    http.drain(&mut buffer);
                }
                Event::AcceptFailed(_, error) | Event::ListenerGone(_, error) => complain(error),
                _ => {}
            }
        }
    }
    Ok(())
}

struct Http {
    clients: Server<'static, Session>,
    request_time: Duration,
    drains: bool,
}

impl Http {
    fn receive(&mut self, key: Key, buffer: &mut [u8]) {
        let deadline = self.clients.now() + self.request_time;
        let Some(client) = self.clients.get_mut(key).filter(|client| !client.data.ends) else { return };
        let (session, mut io) = client.split();
        match io.read(buffer) {
            Ok(len @ 1..) => session.input.extend_from_slice(&buffer[..len]),
            Err(error) if error.is_would_block() => return,
            Ok(0) | Err(_) => return drop(self.clients.close(key)),
        }
        let answered = session.answer(self.drains);
        if session.input.is_empty() {
            self.clients.set_deadline(key, None);
        } else if answered || client.deadline().is_none() {
            self.clients.set_deadline(key, Some((deadline, Expiry::Report)));
        }
        self.send(key);
    }

    fn send(&mut self, key: Key) {
        let Some(client) = self.clients.get_mut(key) else { return };
        // The end of the connection travels with its last response.
        let write = if client.data.ends { Connection::write_last } else { Connection::write_all };
        match write(client, &client.data.output) {
            Ok(()) => client.data.output.clear(),
            Err(Incomplete { done, error }) if error.is_would_block() => drop(client.data.output.drain(..done)),
            Err(_) => return drop(self.clients.close(key)),
        }
        if !client.data.output.is_empty() {
            self.clients.set_interest(key, Interest::WRITABLE);
        } else if client.data.is_done {
            self.clients.close(key);
        } else if client.data.ends {
            // Unread input would turn the close into a reset, and the last response would be lost.
            self.clients.close_lingering(key);
        } else {
            self.clients.set_interest(key, Interest::READABLE);
        }
    }

    /// A request was not complete in time.
    fn time_out(&mut self, key: Key) {
        let Some(client) = self.clients.get_mut(key) else { return };
        client.data.refuse(Refusal("408 Request Timeout"));
        self.send(key);
    }

    /// Answers requests already received and closes idle connections; the others close with their response.
    fn drain(&mut self, buffer: &mut [u8]) {
        self.drains = true;
        let present: Vec<Key> = self.clients.iter().map(|(key, _)| key).collect();
        let _ = self.clients.drain(GRACE);
        for key in present {
            self.receive(key, buffer);
            if let Some(client) = self.clients.get_mut(key) {
                client.data.ends |= client.data.input.is_empty();
                self.send(key);
            }
        }
    }
}
