//! A client that writes a message from three buffers, with one call and with three.
//!
//! ```sh
//! cargo run --release --example echo
//! cargo run --release --example writev -- 127.0.0.1:7000
//! ```
//!
//! The message is the same; only the number of calls and of TCP segments differs. On loopback each small write is a
//! segment of its own, because no-delay is set.

mod args;

use std::process::ExitCode;

use anet::{
    Endpoint, Stream,
    connect::{self, LocalAddr},
    option,
    stream::IoSlice,
};
use args::{Args, Outcome, announce};

const USAGE: &str = "Usage: writev ADDRESS";
const PARTS: [&[u8]; 3] = [b"5\r\n", b"hello", b"\r\n"];

fn main() -> ExitCode {
    let [server] = Args::parse(USAGE, &[]).words();
    args::exit(run(server))
}

fn run(server: Endpoint) -> Outcome {
    let stream = connect::blocking(&[server], LocalAddr::Any)?;
    stream.set_nodelay(true)?;

    let before = segments(&stream)?;
    for part in PARTS {
        stream.write_all(part)?;
    }
    report(&stream, "three writes", before)?;

    let before = segments(&stream)?;
    // Whole, however little of it the kernel takes at a time; the slices are consumed.
    stream.write_all_vectored(&mut PARTS.map(IoSlice::new))?;
    report(&stream, "one vectored write", before)?;

    let before = segments(&stream)?;
    let (last, first) = PARTS.split_last().ok_or("no parts")?;
    for part in first {
        // The kernel waits for the rest of the segment. A send buffer that is full could take less.
        stream.write_more(part)?;
    }
    stream.write_all(last)?;
    report(&stream, "three writes with MSG_MORE", before)
}

fn report(stream: &Stream, how: &str, before: u32) -> Outcome {
    let mut echo = vec![0; PARTS.concat().len()];
    stream.read_exact(&mut echo)?;
    let segments = segments(stream)? - before;
    announce(format_args!("{how}: {segments} segments, echoed {:?}", String::from_utf8_lossy(&echo)));
    Ok(())
}

/// How many segments with data were sent (`tcpi_data_segs_out` of `struct tcp_info`).
fn segments(stream: &Stream) -> Result<u32, Box<dyn core::error::Error>> {
    let info = option::tcp_info(stream)?;
    let bytes = info.as_bytes().get(156..160).ok_or("this kernel does not count segments")?;
    Ok(u32::from_ne_bytes(bytes.try_into()?))
}
