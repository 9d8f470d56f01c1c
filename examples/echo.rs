//! An echo server: what a client writes comes back. Who does not read it is dropped.

use std::{collections::HashMap, env, error::Error};

use anet::{
    Profile,
    event::{Events, Interest, Poller},
    listen,
};

fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    let listener = listen::tcp(addr.parse()?, &Profile::new().with_tcp_nodelay(true))?;
    println!("listening on {}", listener.local_addr()?);
    let (poller, mut events, mut buf) = (Poller::new()?, Events::<64>::new(), [0; 4096]);
    poller.add(&listener, 0, Interest::READABLE)?;
    let (mut clients, mut next_key) = (HashMap::new(), 1);
    loop {
        poller.wait(&mut events, None)?;
        for event in &events {
            let Some(client) = clients.get(&event.key()) else {
                listener.accept_batch(10, |stream, _peer| {
                    if poller.add(&stream, next_key, Interest::READABLE).is_ok() {
                        clients.insert(next_key, stream);
                        next_key += 1;
                    }
                });
                continue;
            };
            let echoed = client.read(&mut buf).is_ok_and(|len| len > 0 && client.write_all(&buf[..len]).is_ok());
            if !echoed {
                clients.remove(&event.key());
            }
        }
    }
}
