//! A client of the echo server: it sends a text and prints the reply.
//!
//! ```sh
//! cargo run --release --example echo
//! cargo run --release --example client -- 127.0.0.1:7000 hello
//! ```
//!
//! `--mode waiting` uses a blocking stream, `--mode polling` a poller, as a client with other work to do would.

mod args;

use core::{str::FromStr, time::Duration};
use std::{
    io::{self, Write},
    process::ExitCode,
};

use anet::{
    Endpoint, Stream,
    connect::{self, Connector, Pending},
    event::{Events, Interest, Poller},
    stream::Shutdown,
};
use args::{Args, Outcome};

const USAGE: &str = "Usage: client [--mode waiting|polling] ADDRESS TEXT";
/// How long each step waits for the server.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(5));

enum Mode {
    Waiting,
    Polling,
}

impl FromStr for Mode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "waiting" => Ok(Self::Waiting),
            "polling" => Ok(Self::Polling),
            _ => Err("neither waiting nor polling"),
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse(USAGE, &["mode"]);
    let mode = args.flag("mode", "waiting");
    let [addr, text] = args.words::<String, 2>();
    args::exit(ask(&mode, args::parsed("address", &addr), text.as_bytes()))
}

fn ask(mode: &Mode, server: Endpoint, text: &[u8]) -> Outcome {
    let answer = match mode {
        Mode::Waiting => ask_waiting(server, text)?,
        Mode::Polling => ask_polling(server, text)?,
    };
    io::stdout().write_all(&answer)?;
    if answer == text { Ok(()) } else { Err("this is not what was sent".into()) }
}

/// Each call blocks.
fn ask_waiting(server: Endpoint, text: &[u8]) -> anet::Result<Vec<u8>> {
    let stream = connect::blocking(&[server], Connector::new().with_timeout(PATIENCE))?;
    stream.set_read_timeout(PATIENCE)?;
    stream.set_write_timeout(PATIENCE)?;
    stream.write_all(text).map_err(|incomplete| incomplete.error)?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).map_err(|incomplete| incomplete.error)?;
    Ok(answer)
}

/// Only the poller blocks.
fn ask_polling(server: Endpoint, text: &[u8]) -> Result<Vec<u8>, Box<dyn core::error::Error>> {
    let poller = Poller::new()?;
    let stream = connect_polling(&poller, server)?;
    let (mut sent, mut answer, mut buffer) = (0, Vec::new(), [0; 4096]);
    while answer.len() < text.len() {
        let unsent = text.get(sent..).unwrap_or_default();
        let interest = if unsent.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
        poller.modify(&stream, 0, interest)?;
        for ready in &wait(&poller)? {
            if ready.is_writable() && !unsent.is_empty() {
                sent += stream.write(unsent)?;
            }
            if ready.is_readable() {
                match stream.read(&mut buffer)? {
                    0 => return Ok(answer),
                    len => answer.extend_from_slice(&buffer[..len]),
                }
            }
        }
    }
    stream.shutdown(Shutdown::Both)?;
    Ok(answer)
}

/// A connection that the poller watches.
fn connect_polling(poller: &Poller, server: Endpoint) -> Result<Stream, Box<dyn core::error::Error>> {
    let mut pending = Pending::new([server], Connector::new().with_timeout(PATIENCE));
    loop {
        if let Some(stream) = pending.advance(|fd| poller.add(fd, 0, Interest::WRITABLE))? {
            return Ok(stream);
        }
        poller.wait(&mut Events::<1>::new(), pending.timeout())?;
    }
}

fn wait(poller: &Poller) -> Result<Events<1>, Box<dyn core::error::Error>> {
    let mut events = Events::new();
    match poller.wait(&mut events, PATIENCE)? {
        0 => Err("the server does not answer".into()),
        _ => Ok(events),
    }
}
