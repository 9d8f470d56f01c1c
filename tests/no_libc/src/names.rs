//! The resolver, which asks a server of this process, and a server that connects to a name.

use core::time::Duration;

use anet::{
    Datagram, Errno, Error, Op, Result, SocketOptions,
    connect::Connector,
    event::Interest,
    listen,
    resolve::{
        Families,
        dns::{Config, Progress, Stub},
    },
    server::{Event, Lookup, Server, Slot},
};

use crate::surface::{PATIENCE, wait};

/// Panics with the fact that does not hold.
pub(crate) fn check() -> Result<()> {
    names_resolve()?;
    a_server_connects_to_names()
}

fn names_resolve() -> Result<()> {
    let server = listen::udp(([127, 0, 0, 1], 0).into(), &SocketOptions::new())?;
    let mut stub = stub(&server)?;
    let mut progress = stub.start("db.internal", 6379, Families::Any)?;
    while progress != Progress::Done {
        // Both questions are there, and the answers are when the stub looks.
        answer(&server)?;
        progress = stub.advance()?;
    }
    let addr = stub.addresses().iter().next().map(|address| (address.addr(), address.ttl()));
    assert_eq!(addr, Some((([127, 0, 0, 1], 6379).into(), Some(Duration::from_secs(60)))));
    assert_eq!(stub.start("db.localhost", 1, Families::OnlyV4)?, Progress::Done);
    Ok(())
}

fn a_server_connects_to_names() -> Result<()> {
    let upstream = listen::tcp(([127, 0, 0, 1], 0).into(), &SocketOptions::new())?;
    let port = upstream.local_addr()?.port().unwrap_or_default();
    let server = listen::udp(([127, 0, 0, 1], 0).into(), &SocketOptions::new())?;
    let (mut slots, mut lookups) = ([const { Slot::<()>::VACANT }; 2], [Lookup::new(stub(&server)?)]);
    let mut clients = Server::new(&mut slots)?.with_lookups(&mut lookups)?;
    let connector = Connector::new().with_timeout(PATIENCE);
    let key = clients.connect_to_name("db.internal", port, Families::Any, &connector, ())?;
    answer(&server)?;
    loop {
        clients.wait(PATIENCE)?;
        if let Some(event) = clients.next_event() {
            assert!(matches!(event, Event::Connected(connected) if connected == key));
            return Ok(());
        }
    }
}

/// Asks this server, and no file.
fn stub(server: &Datagram) -> Result<Stub<'static>> {
    let addr = server.local_addr()?.as_inet().ok_or(Error::new(Op::Resolve, Errno::AFNOSUPPORT))?;
    Stub::with_config(c"/nonexistent", Config::new().with_name_servers(&[addr]))
}

/// Answers two questions: 127.0.0.1 for IPv4, and no address for IPv6.
fn answer(server: &Datagram) -> Result<()> {
    const RECORD: [u8; 16] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1];
    for _ in 0..2 {
        wait(server, Interest::READABLE)?;
        let mut buf = [0; 512];
        let (len, from) = server.recv_from(&mut buf).map(|(query, from)| (query.bytes.len(), from))?;
        let is_v4 = buf[len - 3] == 1;
        buf[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
        buf[len..len + RECORD.len()].copy_from_slice(&RECORD);
        let end = if is_v4 { len + RECORD.len() } else { len };
        server.send_to(&buf[..end], &from)?;
    }
    Ok(())
}
