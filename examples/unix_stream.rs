//! A Unix stream: a server that answers every line of a client in capitals, and says who the client is.
//!
//! ```sh
//! cargo run --release --example unix_stream -- server /tmp/anet.sock
//! cargo run --release --example unix_stream -- client /tmp/anet.sock
//! ```
//!
//! The server serves one client and removes its file.

mod args;

use std::process::ExitCode;

use anet::{
    Endpoint, SocketOptions, Stream, UnixAddr,
    connect::{self, LocalAddr},
    error::Cause,
    listen::{self, Access},
    option,
};
use args::{Args, Outcome, announce};

const USAGE: &str = "Usage: unix_stream server|client PATH";
const LINE_MAX: usize = 512;

fn main() -> ExitCode {
    let [role, path] = Args::parse(USAGE, &[]).words::<String, 2>();
    args::check("role", &role, &["server", "client"]);
    args::exit(match role.as_str() {
        "server" => serve(&path),
        _ => ask(&path),
    })
}

fn serve(path: &str) -> Outcome {
    // Only this user may connect.
    let access = Access { mode: Some(0o600), group: None };
    let listener = listen::unix(&UnixAddr::path(path)?, &SocketOptions::new(), &access)?;
    option::set_nonblocking(&listener, false)?;
    announce(format_args!("listening on {}", listener.local_addr()?));

    let (stream, peer) = listener.accept()?;
    option::set_nonblocking(&stream, false)?;
    let credentials = option::peer_credentials(&stream)?;
    let is_unnamed = peer.as_unix().is_some_and(UnixAddr::is_unnamed);
    announce(format_args!("a client of user {} (without a name: {is_unnamed})", credentials.uid));

    let mut line = [0; LINE_MAX];
    loop {
        let len = match stream.read_until(b"\n", &mut line, 0) {
            Ok(len) => len,
            Err(incomplete) if incomplete.error.cause() == Cause::EndOfStream => break,
            Err(incomplete) => return Err(incomplete.into()),
        };
        line[..len].make_ascii_uppercase();
        stream.write_all(&line[..len])?;
    }
    announce("the client has closed");
    listener.remove_file()?;
    Ok(())
}

fn ask(path: &str) -> Outcome {
    let stream: Stream = connect::blocking(&[Endpoint::from(UnixAddr::path(path)?)], LocalAddr::Any)?;
    let mut line = [0; LINE_MAX];
    for question in ["to be\n", "or not to be\n"] {
        stream.write_all(question.as_bytes())?;
        let len = stream.read_until(b"\n", &mut line, 0)?;
        announce(format_args!("{} -> {}", question.trim_end(), String::from_utf8_lossy(&line[..len]).trim_end()));
    }
    Ok(())
}
