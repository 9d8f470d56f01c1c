//! Out-of-band data: a byte that overtakes what was sent before it.
//!
//! ```sh
//! cargo run --release --example oob -- receiver 127.0.0.1:7005
//! cargo run --release --example oob -- sender 127.0.0.1:7005
//! ```
//!
//! The receiver waits until everything has arrived before it reads, so that the order of reading is no accident.

mod args;

use core::{net::SocketAddr, time::Duration};
use std::process::ExitCode;

use anet::{
    Endpoint, SocketOptions,
    connect::{self, LocalAddr},
    event::{Events, Interest, Poller},
    listen, option,
};
use args::{Args, Outcome, announce};

const USAGE: &str = "Usage: oob receiver|sender ADDRESS";
const PATIENCE: Option<Duration> = Some(Duration::from_secs(5));

fn main() -> ExitCode {
    let [role, addr] = Args::parse(USAGE, &[]).words::<String, 2>();
    args::check("role", &role, &["receiver", "sender"]);
    args::exit(match role.as_str() {
        "receiver" => receive(args::parsed("address", &addr)),
        _ => send(args::parsed("address", &addr)),
    })
}

fn send(receiver: Endpoint) -> Outcome {
    let stream = connect::blocking(&[receiver], LocalAddr::Any)?;
    stream.write_all(b"one two three")?;
    stream.write_oob(b'!')?;
    stream.write_all(b" four")?;
    announce("sent \"one two three\", '!' out of band, \" four\"");
    // The receiver closes when it has read everything.
    stream.read(&mut [0])?;
    Ok(())
}

fn receive(addr: SocketAddr) -> Outcome {
    let listener = listen::tcp(addr, &SocketOptions::new())?;
    option::set_nonblocking(&listener, false)?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    let (stream, _) = listener.accept()?;
    option::set_nonblocking(&stream, false)?;

    // The poller reports the byte as a priority event, whatever else is unread.
    let poller = Poller::new()?;
    poller.add(&stream, 0, Interest::PRIORITY)?;
    if poller.wait(&mut Events::<1>::new(), PATIENCE)? == 0 {
        return Err("no out-of-band byte has arrived".into());
    }
    announce(format_args!("out of band: {:?}", char::from(stream.read_oob()?)));
    announce(format_args!("still unread before the mark: {} bytes", stream.recv_queue_bytes()?));

    let mut buffer = [0; 64];
    while !stream.at_mark()? {
        // A read never crosses the mark, however large the buffer.
        let len = stream.read(&mut buffer)?;
        announce(format_args!("before the mark: {:?}", String::from_utf8_lossy(&buffer[..len])));
    }
    stream.read_exact(&mut buffer[..5])?;
    announce(format_args!("behind the mark: {:?}", String::from_utf8_lossy(&buffer[..5])));
    Ok(())
}
