//! A connected client of the datagram service: it hears its server alone, and learns if there is none.
//!
//! ```sh
//! cargo run --example udp_connected -- 127.0.0.1:7003 what
//! ```
//!
//! Run it with and without the server (`--example udp`). The host of a missing server answers with an ICMP message,
//! which the kernel can return to a connected socket only, as `ECONNREFUSED`: by the next call, whichever it is.

mod args;

use core::time::Duration;

use anet::{Datagram, Endpoint, Errno, SocketOptions, option};
use args::{Args, Outcome, announce};

const USAGE: &str = "Usage: udp_connected [ADDRESS [QUESTION]]";

const TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> std::process::ExitCode {
    let args = Args::parse(USAGE, &[]);
    let mut words = args.all_words().iter().map(String::as_str);
    let server = args::parsed("address", words.next().unwrap_or("127.0.0.1:7003"));
    args::exit(ask(&server, &format!("?{}", words.next().unwrap_or("hello"))))
}

fn ask(server: &Endpoint, question: &str) -> Outcome {
    let socket = Datagram::connected(server, &SocketOptions::new().with_recv_timeout(Some(TIMEOUT)))?;
    option::set_nonblocking(&socket, false)?;
    announce(format_args!("connected {} to {}, without sending anything", socket.local_addr()?, socket.peer_addr()?));

    socket.send(question.as_bytes())?;
    announce(format_args!("sent {} bytes; that says nothing about their arrival", question.len()));

    let mut buffer = [0; 1452];
    match socket.recv(&mut buffer) {
        Ok(answer) => announce(format_args!("received {}", String::from_utf8_lossy(answer.bytes))),
        Err(error) if error.errno() == Some(Errno::CONNREFUSED) => {
            announce(format_args!("{error}: the host is there, but no socket has the port"));
            // The error was returned once; the socket is as good as new.
            announce(format_args!("pending error now: {:?}", option::take_error(&socket)?));
        }
        Err(error) if error.is_would_block() => announce("no answer and no refusal: a datagram was lost on the way"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
