//! A datagram service: it answers `?text` with `!text`.
//!
//! ```sh
//! cargo run --release --example udp
//! ```
//!
//! It ignores everything else. If servers answered answers, a single datagram with a forged source address could make
//! two of them exchange datagrams forever.

mod args;

use std::process::ExitCode;

use anet::{
    Datagram, SocketOptions,
    event::Interest,
    listen,
    server::{Event, Server, Slot},
};
use args::{Args, Outcome, announce, complain};

const USAGE: &str = "Usage: udp [--listen ADDRESS]";
/// Datagrams received before other events have their turn.
const BATCH: usize = 64;
/// The longest that fits into an Ethernet frame over IPv6; longer ones are ignored.
const LEN_MAX: usize = 1452;

fn main() -> ExitCode {
    args::exit(serve(&Args::parse(USAGE, &["listen"])))
}

fn serve(args: &Args) -> Outcome {
    let socket = listen::udp(args.flag("listen", "127.0.0.1:7003"), &SocketOptions::new())?;
    announce(format_args!("receiving on {}", socket.local_addr()?));
    // Listeners, connections and timers could be added to the same loop; a slot holds one watched descriptor.
    let mut slots = [Slot::<()>::VACANT];
    let mut server = Server::new(&mut slots)?;
    server.watch(&socket, Interest::READABLE)?;
    loop {
        server.wait(None)?;
        while let Some(event) = server.next_event() {
            if let Event::Watched(..) = event {
                answer_all(&socket);
            }
        }
    }
}

/// Datagrams left after a batch are reported again.
fn answer_all(socket: &Datagram) {
    let mut buffer = [0; LEN_MAX];
    for _ in 0..BATCH {
        let (received, from) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) if error.is_would_block() => return,
            // For example, the answer to an earlier datagram could not be delivered.
            Err(error) => {
                complain(error);
                continue;
            }
        };
        if received.is_truncated() || received.bytes.first() != Some(&b'?') {
            continue;
        }
        received.bytes[0] = b'!';
        // Like any datagram, an answer may get lost.
        let _ = socket.send_to(received.bytes, &from);
    }
}
