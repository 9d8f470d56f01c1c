//! An echo service over TCP and UDP, on one port and in one loop.
//!
//! ```sh
//! cargo run --release --example one_port -- --listen 127.0.0.1:7007
//! cargo run --release --example client -- 127.0.0.1:7007 hello
//! ```
//!
//! A bind list opens both sockets on the same port, even a port that the kernel chooses. The server accepts the
//! connections; the datagram socket is a descriptor that it watches.

mod args;

use std::process::ExitCode;

use anet::{
    BindList, Datagram, ListenerSet, SocketOptions,
    event::Interest,
    listen::{Access, Protocols},
    server::{Event, Server, Slot},
};
use args::{Args, Outcome, announce};

const USAGE: &str = "Usage: one_port [--listen ADDRESS]";
/// Datagrams answered before the connections have their turn.
const BATCH: usize = 64;

fn main() -> ExitCode {
    args::exit(serve(&Args::parse(USAGE, &["listen"])))
}

fn serve(args: &Args) -> Outcome {
    let list: String = args.flag("listen", "127.0.0.1:7007");
    let list = BindList::parse(&list, 7007)?;
    let set = ListenerSet::open_with(&list, Protocols::TcpAndUdp, &SocketOptions::new(), &Access::default())?;
    let (listeners, datagrams) = set.into_parts();
    let sockets: Vec<Datagram> = datagrams.collect();

    // A slot for each connection and for each watched socket.
    let mut slots = [const { Slot::<()>::VACANT }; 256];
    let mut server = Server::new(&mut slots)?;
    let mut watched = Vec::new();
    for socket in &sockets {
        watched.push((server.watch(socket, Interest::READABLE)?, socket));
    }
    for listener in listeners {
        announce(format_args!("serving TCP and UDP on {}", listener.local_addr()?));
        server.listen(listener)?;
    }

    let mut buffer = [0; 65536];
    loop {
        server.wait(None)?;
        while let Some(event) = server.next_event() {
            match event {
                Event::Readable(key) => {
                    let Some(client) = server.get_mut(key) else { continue };
                    match client.read(&mut buffer) {
                        Ok(len @ 1..) if client.write_all(&buffer[..len]).is_ok() => {}
                        Err(error) if error.is_would_block() => {}
                        _ => drop(server.close(key)),
                    }
                }
                // What is left after a batch is reported again.
                Event::Watched(id, _) => {
                    let socket = watched.iter().find(|(watched, _)| *watched == id);
                    if let Some((_, socket)) = socket {
                        echo_datagrams(socket, &mut buffer);
                    }
                }
                _ => {}
            }
        }
    }
}

fn echo_datagrams(socket: &Datagram, buffer: &mut [u8]) {
    for _ in 0..BATCH {
        match socket.recv_from(buffer) {
            // Like any datagram, an echo may get lost.
            Ok((received, from)) => drop(socket.send_to(received.bytes, &from)),
            Err(error) if error.is_would_block() => return,
            Err(_) => {}
        }
    }
}
