//! A connected client of the datagram service: it hears its server alone, and learns if there is none.
//!
//! ```sh
//! cargo run --example udp_connected -- 127.0.0.1:7003 what
//! ```
//!
//! Run it with and without the server (`--example udp`). The host of a missing server answers with an ICMP message,
//! which the kernel can return to a connected socket only, as `ECONNREFUSED`: by the next call, whichever it is.

use std::{env, error::Error, time::Duration};

use anet::{Datagram, Endpoint, Errno, SocketOptions, option};

const TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let server: Endpoint = args.next().as_deref().unwrap_or("127.0.0.1:7003").parse()?;
    let question = format!("?{}", args.next().as_deref().unwrap_or("hello"));

    let socket = Datagram::connected(&server, &SocketOptions::new().with_recv_timeout(Some(TIMEOUT)))?;
    option::set_nonblocking(&socket, false)?;
    println!("connected {} to {}, without sending anything", socket.local_addr()?, socket.peer_addr()?);

    socket.send(question.as_bytes())?;
    println!("sent {} bytes; that says nothing about their arrival", question.len());

    let mut buffer = [0; 1452];
    match socket.recv(&mut buffer) {
        Ok(answer) => println!("received {}", String::from_utf8_lossy(answer.bytes)),
        Err(error) if error.errno() == Some(Errno::CONNREFUSED) => {
            println!("{error}: the host is there, but no socket has the port");
            // The error was returned once; the socket is as good as new.
            println!("pending error now: {:?}", option::take_error(&socket)?);
        }
        Err(error) if error.is_would_block() => println!("no answer and no refusal: a datagram was lost on the way"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
