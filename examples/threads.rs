//! One server per thread, each with a separate listener at the same address: the kernel distributes connections among
//! them (`SO_REUSEPORT`), and the threads share nothing. A client reads the number of the thread that serves it, and
//! then its bytes.
//!
//! ```sh
//! cargo run --release --example threads -- --threads 4
//! ```

mod args;

use core::net::SocketAddr;
use std::{
    process::ExitCode,
    thread::{self, JoinHandle},
};

use anet::{
    Listener, SocketOptions, listen,
    server::{Event, Server, Slots},
};
use args::{Args, Outcome, announce, complain};

const USAGE: &str = "Usage: threads [--listen ADDRESS] [--threads COUNT]";
const CLIENTS_MAX: usize = 1024;

fn main() -> ExitCode {
    args::exit(start(&Args::parse(USAGE, &["listen", "threads"])))
}

fn start(args: &Args) -> Outcome {
    let options = SocketOptions::new().with_reuse_port(true).with_tcp_nodelay(true);
    let threads: usize = args.flag("threads", "2");
    let mut addr: SocketAddr = args.flag("listen", "127.0.0.1:7002");
    let mut running = Vec::new();
    for number in 1..=threads {
        let listener = listen::tcp(addr, &options)?;
        // For port 0 the kernel chooses one for the first listener, and the others take the same.
        addr = listener.local_addr()?.as_inet().unwrap_or(addr);
        running.push(thread::spawn(move || serve(number, listener).err()));
    }
    announce(format_args!("listening on {addr}"));
    running.into_iter().filter_map(|thread| JoinHandle::join(thread).ok().flatten()).for_each(complain);
    Ok(())
}

fn serve(number: usize, listener: Listener) -> anet::Result<()> {
    let mut server = Server::<()>::new(Slots::allocate(CLIENTS_MAX))?;
    server.listen(listener)?;
    let greeting = format!("thread {number}\n");
    let mut buffer = [0; 4096];
    loop {
        server.wait(None)?;
        while let Some(event) = server.next_event() {
            let (Event::Opened(key) | Event::Readable(key)) = event else { continue };
            let Some(client) = server.get_mut(key) else { continue };
            let answered = match event {
                Event::Opened(_) => client.write_all(greeting.as_bytes()).is_ok(),
                _ => match client.read(&mut buffer) {
                    Ok(len) => len > 0 && client.write_all(&buffer[..len]).is_ok(),
                    Err(error) => error.is_would_block(),
                },
            };
            if !answered {
                server.close(key);
            }
        }
    }
}
