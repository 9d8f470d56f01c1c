//! An HTTP/1.1 server: it answers `GET` with a greeting and `POST` with what was sent.
//!
//! ```sh
//! cargo run --release -p anet-examples --bin http
//! curl -d 'some text' http://127.0.0.1:8080/
//! ```
//!
//! Connections are kept alive and requests may be pipelined. A request must be complete within a time that begins with
//! its first byte (408), and no larger than [`HEAD_MAX`] and [`BODY_MAX`] (431, 413). While a client does not read its
//! responses, no more of its requests are read. `SIGTERM` ends the server once every request has its response.

#[path = "../args/mod.rs"]
mod args;

use core::time::Duration;
use std::{io::Write, process::ExitCode};

use anet::{
    Profile,
    event::Interest,
    listen,
    pipe::{EndFlags, pipe},
    server::{Event, Expiry, Key, Server, Slots},
};
use args::{Args, Outcome, announce, complain};

const USAGE: &str = "Usage: http [--listen ADDRESS] [--request-time MILLISECONDS] [--idle-time MILLISECONDS]";
/// Connections beyond these wait in the backlog.
const CLIENTS_MAX: usize = 10_000;
const HEADERS_MAX: usize = 64;
const HEAD_MAX: usize = 8 << 10;
const BODY_MAX: usize = 64 << 10;
/// How long clients may take for their last response after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    args::exit(serve(&Args::parse(USAGE, &["listen", "request-time", "idle-time"])))
}

fn serve(args: &Args) -> Outcome {
    let signals = pipe(EndFlags::NONBLOCK, EndFlags::NONBLOCK)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, signals.write)?;
    let listener = listen::tcp(args.flag("listen", "127.0.0.1:8080"), &Profile::new().with_tcp_nodelay(true))?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    let clients = Server::new(Slots::allocate(CLIENTS_MAX))?.with_idle_timeout(Some(args.millis("idle-time", "60000")));
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
        if !client.data.output.is_empty() {
            match client.write(&client.data.output) {
                Ok(sent) => drop(client.data.output.drain(..sent)),
                Err(error) if error.is_would_block() => {}
                Err(_) => return drop(self.clients.close(key)),
            }
        }
        if !client.data.output.is_empty() {
            self.clients.set_interest(key, Interest::WRITABLE);
        } else if client.data.ends {
            self.clients.close_lingering(key);
        } else {
            self.clients.set_interest(key, Interest::READABLE);
        }
    }

    /// A request is not complete in time.
    fn time_out(&mut self, key: Key) {
        let Some(client) = self.clients.get_mut(key) else { return };
        client.data.refuse(Refusal("408 Request Timeout"));
        self.send(key);
    }

    /// Answers what has been sent and closes connections that wait for a request; others close with their response.
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

/// What belongs to a connection.
#[derive(Default)]
struct Session {
    /// The beginning of a request.
    input: Vec<u8>,
    /// Responses that are not sent.
    output: Vec<u8>,
    /// Whether the connection ends with them.
    ends: bool,
}

impl Session {
    /// Answers every complete request; says whether there was one.
    fn answer(&mut self, is_last: bool) -> bool {
        let mut answered = 0;
        while !self.ends {
            match Request::parse(&self.input[answered..]) {
                Ok(Some(request)) => {
                    self.ends = request.closes || is_last;
                    request.answer(self.ends, &mut self.output);
                    answered += request.len;
                }
                Ok(None) => break,
                Err(refusal) => self.refuse(refusal),
            }
        }
        self.input.drain(..if self.ends { self.input.len() } else { answered });
        answered > 0
    }

    fn refuse(&mut self, Refusal(status): Refusal) {
        self.ends = true;
        respond(status, status.as_bytes(), true, false, &mut self.output);
    }
}

/// The status of a response that ends the connection.
struct Refusal(&'static str);

struct Request<'a> {
    method: &'a str,
    body: &'a [u8],
    /// With its head.
    len: usize,
    closes: bool,
}

impl<'a> Request<'a> {
    /// `None` if it is not complete.
    fn parse(bytes: &'a [u8]) -> Result<Option<Self>, Refusal> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        let head_len = match head.parse(&bytes[..bytes.len().min(HEAD_MAX)]) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => {
                return Err(Refusal("431 Request Header Fields Too Large"));
            }
            Err(_) => return Err(Refusal("400 Bad Request")),
        };
        let (mut body_len, mut closes) = (None, head.version == Some(0));
        for header in head.headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                let len = content_length(header.value)?;
                if body_len.replace(len).is_some_and(|other| other != len) {
                    return Err(Refusal("400 Bad Request"));
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(Refusal("501 Not Implemented"));
            } else if header.name.eq_ignore_ascii_case("connection") {
                let mut options = header.value.split(|byte| *byte == b',');
                closes |= options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
            }
        }
        let len = head_len + body_len.unwrap_or(0);
        let method = head.method.unwrap_or_default();
        Ok(bytes.get(head_len..len).map(|body| Self { method, body, len, closes }))
    }

    fn answer(&self, ends: bool, output: &mut Vec<u8>) {
        match self.method {
            "GET" | "HEAD" => respond("200 OK", b"Hello\n", ends, self.method == "HEAD", output),
            "POST" => respond("200 OK", self.body, ends, false, output),
            _ => respond("501 Not Implemented", b"", ends, false, output),
        }
    }
}

fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal("400 Bad Request"));
    }
    let len = str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
    len.filter(|len| *len <= BODY_MAX).ok_or(Refusal("413 Content Too Large"))
}

fn respond(status: &str, body: &[u8], ends: bool, is_head: bool, output: &mut Vec<u8>) {
    let connection = if ends { "connection: close\r\n" } else { "" };
    // Writing to a `Vec` cannot fail.
    let _ = write!(output, "HTTP/1.1 {status}\r\n{connection}content-length: {}\r\n\r\n", body.len());
    output.extend_from_slice(if is_head { b"" } else { body });
}
