//! Load for the HTTP servers, directly or through a proxy; prints the seconds taken.
//!
//! One thread sends on all connections in turn and then reads from all of them, so it never waits while there is work.

#[path = "../../examples/args/mod.rs"]
mod args;

use core::net::SocketAddr;
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    process::ExitCode,
    time::Instant,
};

use args::{Args, Outcome, announce};

const USAGE: &str = "Usage: load [--connections COUNT] [--depth COUNT] [--body BYTES] [--requests COUNT] ADDRESS
--depth 0 opens a connection for each request, and lets the server close it.";

fn main() -> ExitCode {
    let args = Args::parse(USAGE, &["connections", "depth", "body", "requests"]);
    let [addr] = args.words::<SocketAddr, 1>();
    let begin = Instant::now();
    let outcome = match args.flag("depth", "1") {
        0 => ask_once_each(addr, args.flag("requests", "10000")),
        depth => ask(addr, depth, &args),
    };
    announce(begin.elapsed().as_secs_f64());
    args::exit(outcome)
}

fn ask(addr: SocketAddr, depth: usize, args: &Args) -> Outcome {
    let (connections, requests, body): (usize, usize, usize) =
        (args.flag("connections", "50"), args.flag("requests", "100000"), args.flag("body", "0"));
    let mut streams = (0..connections).map(|_| connect(addr)).collect::<io::Result<Vec<_>>>()?;
    let request = match body {
        0 => "GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        len => format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {len}\r\n\r\n{}", "x".repeat(len)),
    };
    let response_len = match body {
        0 => "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nHello\n".len(),
        len => format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n").len() + len,
    };
    let (batch, mut responses) = (request.repeat(depth), vec![0; response_len * depth]);
    for _ in 0..requests / (depth * connections) {
        for stream in &mut streams {
            stream.write_all(batch.as_bytes())?;
        }
        for stream in &mut streams {
            stream.read_exact(&mut responses)?;
        }
    }
    Ok(())
}

fn ask_once_each(addr: SocketAddr, requests: usize) -> Outcome {
    let mut response = Vec::new();
    for _ in 0..requests {
        let mut stream = connect(addr)?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        response.clear();
        stream.read_to_end(&mut response)?;
        if !response.ends_with(b"Hello\n") {
            return Err("not the response of the example".into());
        }
    }
    Ok(())
}

fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
