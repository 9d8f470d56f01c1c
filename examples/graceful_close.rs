//! Close versus shutdown: a server answers before its client has sent everything, and closes in one of three ways.
//!
//! ```sh
//! cargo run --release --example graceful_close -- --how plain server 127.0.0.1:7004
//! cargo run --release --example graceful_close -- client 127.0.0.1:7004
//! ```
//!
//! - `plain`: the unread input turns the close into a reset, and the client loses a part of the answer.
//! - `shutdown`: the client reads everything; the server reads on until the client closes.
//! - `lingering`: the same with limits, in one call.

mod args;

use core::time::Duration;
use std::process::ExitCode;

use anet::{
    Endpoint, SocketOptions,
    connect::{self, LocalAddr},
    listen, option,
    stream::{Deadline, Shutdown},
};
use args::{Args, Outcome, announce};

const USAGE: &str = "Usage: graceful_close [--how plain|shutdown|lingering] server|client ADDRESS";
const UPLOAD: usize = 1_000_000;
/// More than a client's receive buffer takes while the client does not read.
const ANSWER: usize = 200_000;

fn main() -> ExitCode {
    let args = Args::parse(USAGE, &["how"]);
    let [role, addr] = args.words::<String, 2>();
    args::check("role", &role, &["server", "client"]);
    args::exit(match role.as_str() {
        "server" => serve(&args.flag::<String>("how", "lingering"), args::parsed("address", &addr)),
        _ => ask(args::parsed("address", &addr)),
    })
}

/// Serves one client.
fn serve(how: &str, addr: core::net::SocketAddr) -> Outcome {
    args::check("how", how, &["plain", "shutdown", "lingering"]);
    // The kernel keeps the whole answer, so that writing it does not wait for the client.
    let listener = listen::tcp(addr, &SocketOptions::new().with_send_buffer_size(Some(2 * ANSWER as u32)))?;
    option::set_nonblocking(&listener, false)?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    let (stream, _) = listener.accept()?;
    option::set_nonblocking(&stream, false)?;

    let begun = stream.read(&mut [0; 1000])?;
    stream.write_all(&vec![b'a'; ANSWER])?;
    announce(format_args!("read {begun} bytes, answered with {ANSWER}; closing: {how}"));
    match how {
        "plain" => drop(stream),
        "shutdown" => {
            stream.shutdown(Shutdown::Write)?;
            let mut discarded = 0;
            while let len @ 1.. = stream.read(&mut [0; 65536])? {
                discarded += len;
            }
            announce(format_args!("discarded {discarded} bytes until the client closed"));
        }
        _ => match stream.close_lingering(2 * UPLOAD, Deadline::after(Duration::from_secs(5))) {
            Ok(discarded) => announce(format_args!("discarded {discarded} bytes until the client closed")),
            Err(incomplete) => announce(format_args!("gave up: {incomplete}")),
        },
    }
    Ok(())
}

fn ask(server: Endpoint) -> Outcome {
    let stream = connect::blocking(&[server], LocalAddr::Any)?;
    match stream.write_all(&vec![b'u'; UPLOAD]) {
        Ok(()) => announce(format_args!("sent {UPLOAD} bytes")),
        Err(incomplete) => announce(format_args!("sending failed: {incomplete}")),
    }
    let (mut buffer, mut read) = (vec![0; 65536], 0);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break announce(format_args!("the answer has {read} of {ANSWER} bytes")),
            Ok(len) => read += len,
            Err(error) => break announce(format_args!("lost the answer after {read} of {ANSWER} bytes: {error}")),
        }
    }
    Ok(())
}
