//! Heartbeats: a server pings silent clients, and closes those that do not answer.
//!
//! ```sh
//! cargo run --release --example heartbeat -- --interval 1000 server 127.0.0.1:7006
//! cargo run --release --example heartbeat -- --answers 3 client 127.0.0.1:7006
//! ```
//!
//! The client answers some pings and then hangs; its kernel still acknowledges, so TCP notices nothing.

mod args;

use core::{net::SocketAddr, time::Duration};

use anet::{
    SocketOptions, connect,
    heartbeat::{Action, Heartbeat, Pulse},
    listen,
    server::{Event, Expiry, Key, Server, Slot},
};
use args::{Args, Outcome, announce};

const USAGE: &str = "Usage: heartbeat [--interval MILLISECONDS] [--answers NUMBER] server|client ADDRESS";

fn main() -> std::process::ExitCode {
    let args = Args::parse(USAGE, &["interval", "answers"]);
    let [role, addr] = args.words::<String, 2>();
    args::check("role", &role, &["server", "client"]);
    args::exit(match role.as_str() {
        "server" => serve(args.millis("interval", "1000"), args::parsed("address", &addr)),
        _ => answer(args.flag("answers", "3"), args::parsed("address", &addr)),
    })
}

fn serve(interval: Duration, addr: SocketAddr) -> Outcome {
    let heartbeat = Heartbeat::new(interval, 2)?;
    let listener = listen::tcp(addr, &SocketOptions::new())?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    let mut slots = [const { Slot::VACANT }; 64];
    let mut peers = Server::new(&mut slots)?;
    peers.listen(listener)?;
    loop {
        peers.wait(None)?;
        while let Some(event) = peers.next_event() {
            match event {
                Event::Opened(key) | Event::Deadline(key) => beat(&mut peers, key, heartbeat),
                Event::Readable(key) => receive(&mut peers, key),
                _ => {}
            }
        }
    }
}

/// Any byte is a sign of life.
fn receive(peers: &mut Server<'_, Option<Pulse>>, key: Key) {
    let now = peers.now();
    let Some(peer) = peers.get_mut(key) else { return };
    match peer.read(&mut [0; 512]) {
        Ok(0) => drop(peers.close(key)),
        Ok(_) => {
            peer.data.iter_mut().for_each(|pulse| pulse.received(now));
            announce(format_args!("client {}: alive", peer.id()));
        }
        Err(_) => {} // Nothing yet; an error is followed by the end.
    }
}

/// Does what the heartbeat says, and sets the deadline for the next time.
fn beat(peers: &mut Server<'_, Option<Pulse>>, key: Key, heartbeat: Heartbeat) {
    let now = peers.now();
    let Some(peer) = peers.get_mut(key) else { return };
    let (id, pulse) = (peer.id(), peer.data.get_or_insert_with(|| heartbeat.start(now)));
    let (action, next) = (pulse.tick(now), pulse.deadline());
    match action {
        Action::Wait { .. } => {}
        Action::SendPing => {
            announce(format_args!("client {id}: ping"));
            let _ = peer.write(b"PING\n");
        }
        Action::Dead => {
            announce(format_args!("client {id}: dead after {} unanswered pings", heartbeat.misses()));
            peers.close(key);
        }
    }
    peers.set_deadline(key, Some((next, Expiry::Report)));
}

fn answer(answers: usize, server: SocketAddr) -> Outcome {
    let stream = connect::blocking(&[server.into()], connect::LocalAddr::Any)?;
    let mut line = [0; 16];
    for _ in 0..answers {
        stream.read_until(b"\n", &mut line, 0)?;
        stream.write_all(b"PONG\n")?;
        announce("PING -> PONG");
    }
    announce("hanging");
    while stream.read(&mut line)? > 0 {}
    announce("the server has closed the connection");
    Ok(())
}
