//! An echo server on `anet` and nothing else: no libc, no std, no allocator.
//!
//! It prints the address it listens on, echoes its input, and exits when a client sends `quit`.

#![no_std]
#![no_main]

mod memory;
#[cfg(feature = "dns")]
mod names;
mod start;
mod surface;

use core::{fmt::Write, time::Duration};

use anet::{
    Listener, Result, SocketOptions, listen,
    option::TcpKeepalive,
    server::{Connection, Event, Key, Server, Slot},
};

use start::Output;

/// Further clients wait in the backlog.
const CLIENTS: usize = 64;

type Clients<'t> = Server<'t, ()>;

/// What to do after an event.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Verdict {
    Keep,
    Drop,
    Quit,
}

fn run() -> Result<()> {
    surface::check()?;
    let listener = open()?;
    // A closed output is no error.
    let _ = writeln!(Output::standard(), "listening on {}", listener.local_addr()?);
    let mut slots = [const { Slot::VACANT }; CLIENTS];
    let mut server = Server::new(&mut slots)?.with_idle_timeout(Some(Duration::from_secs(300)));
    server.listen(listener)?;
    serve(&mut server)
}

fn open() -> Result<Listener> {
    let keepalive = TcpKeepalive::after_idle(Duration::from_secs(300))?;
    let options = SocketOptions::new().with_tcp_nodelay(true).with_tcp_keepalive(Some(keepalive));
    Ok(listen::tcp(([127, 0, 0, 1], 0).into(), &options)?)
}

fn serve(server: &mut Clients<'_>) -> Result<()> {
    loop {
        server.wait(None)?;
        while let Some(event) = server.next_event() {
            let (key, verdict) = match event {
                Event::Opened(key) => (key, greet(server, key)),
                Event::Readable(key) => (key, server.get_mut(key).map_or(Verdict::Keep, echo)),
                _ => continue,
            };
            match verdict {
                Verdict::Keep => {}
                Verdict::Drop => _ = server.close(key),
                Verdict::Quit => return Ok(()),
            }
        }
    }
}

/// Serves only clients on this host whose connections have the options set.
fn greet(server: &Clients<'_>, key: Key) -> Verdict {
    let is_welcome =
        |client: &Connection<()>| client.peer_addr().is_loopback() && surface::is_configured(client.stream());
    if server.get(key).is_some_and(is_welcome) { Verdict::Keep } else { Verdict::Drop }
}

/// Echoes input. A client that does not read its replies is dropped when its buffer is full.
fn echo(client: &mut Connection<()>) -> Verdict {
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
