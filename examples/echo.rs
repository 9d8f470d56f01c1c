//! An echo server. A client that does not read its replies is dropped.

use std::{env, error::Error, time::Duration};

use anet::{
    SocketOptions, listen,
    server::{Event, Server, Slot},
};

fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    let listener = listen::tcp(addr.parse()?, &SocketOptions::new().with_tcp_nodelay(true))?;
    println!("listening on {}", listener.local_addr()?);

    let mut slots = [const { Slot::<()>::VACANT }; 1024];
    let mut server = Server::new(&mut slots)?.with_idle_timeout(Some(Duration::from_secs(300)));
    server.listen(listener)?;
    let mut buf = [0; 4096];
    loop {
        server.wait(None)?;
        while let Some(event) = server.next_event() {
            let Event::Readable(key) = event else { continue };
            let Some(client) = server.get_mut(key) else { continue };
            match client.read(&mut buf) {
                Ok(len @ 1..) if client.write_all(&buf[..len]).is_ok() => {}
                Err(error) if error.is_would_block() => {}
                _ => drop(server.close(key)),
            }
        }
    }
}
