//! A client of the datagram service: it sends a question and prints the answer.
//!
//! ```sh
//! cargo run --example udp
//! cargo run --example udp_client -- 127.0.0.1:7003 what
//! ```
//!
//! The socket is not connected: any host could answer, so the client compares the sender's address, and no error tells
//! it that there is no server. Either datagram may be lost, so it asks again.

mod args;

use core::time::Duration;

use anet::{Datagram, Endpoint, SocketOptions, option};
use args::{Args, Outcome, announce};

const USAGE: &str = "Usage: udp_client [ADDRESS [QUESTION]]";

/// How long each question waits for its answer.
const TIMEOUT: Duration = Duration::from_millis(500);
const QUESTIONS: u32 = 3;

fn main() -> std::process::ExitCode {
    let args = Args::parse(USAGE, &[]);
    let mut words = args.all_words().iter().map(String::as_str);
    let server = args::parsed("address", words.next().unwrap_or("127.0.0.1:7003"));
    args::exit(ask(&server, &format!("?{}", words.next().unwrap_or("hello"))))
}

fn ask(server: &Endpoint, question: &str) -> Outcome {
    let any = if server.ip().is_some_and(|ip| ip.is_ipv6()) { "[::]:0" } else { "0.0.0.0:0" };
    let socket = Datagram::bind(&any.parse()?, &SocketOptions::new().with_recv_timeout(Some(TIMEOUT)))?;
    option::set_nonblocking(&socket, false)?;

    for number in 1..=QUESTIONS {
        socket.send_to(question.as_bytes(), server)?;
        announce(format_args!("sent {} bytes to {server}, question {number}", question.len()));
        if let Some(answer) = answer_from(&socket, server)? {
            announce(format_args!("received {} bytes from {server}: {answer}", answer.len()));
            return Ok(());
        }
    }
    Err("no answer: the datagrams were lost, or there is no server".into())
}

/// The next datagram of the server, or `None` if none came in time.
fn answer_from(socket: &Datagram, server: &Endpoint) -> Result<Option<String>, anet::Error> {
    let mut buffer = [0; 1452];
    loop {
        match socket.recv_from(&mut buffer) {
            Ok((answer, from)) if from == *server => {
                return Ok(Some(String::from_utf8_lossy(answer.bytes).into_owned()));
            }
            Ok((_, stranger)) => announce(format_args!("ignored a datagram from {stranger}")),
            Err(error) if error.is_would_block() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}
