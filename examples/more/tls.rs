//! An echo server over TLS: the session lives in the connection's data, and reads and writes through its
//! [`Io`](anet::server::Io).
//!
//! ```sh
//! cargo run --release -p anet-examples --bin tls -- --certificate /tmp/echo.pem
//! openssl s_client -connect localhost:7004 -CAfile /tmp/echo.pem
//! ```
//!
//! The certificate is made at the start, for the name `localhost`, and lasts as long as the process.

#[path = "../args/mod.rs"]
mod args;

use core::time::Duration;
use std::{
    fs,
    io::{self, Read, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anet::{
    SocketOptions,
    event::Interest,
    listen,
    server::{Event, Io, Key, Server, Slots},
};
use args::{Args, Outcome, announce, complain};
use rustls::{ServerConfig, ServerConnection, pki_types::PrivateKeyDer};

const USAGE: &str = "Usage: tls [--listen ADDRESS] [--certificate FILE]";
const CLIENTS_MAX: usize = 1024;
const IDLE_TIME: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    args::exit(serve(&Args::parse(USAGE, &["listen", "certificate"])))
}

fn serve(args: &Args) -> Outcome {
    let config = configured(&args.flag("certificate", ""))?;
    let listener = listen::tcp(args.flag("listen", "127.0.0.1:7004"), &SocketOptions::new().with_tcp_nodelay(true))?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    let mut clients = Clients::new(Slots::allocate(CLIENTS_MAX))?.with_idle_timeout(Some(IDLE_TIME));
    clients.listen(listener)?;
    loop {
        clients.wait(None)?;
        while let Some(event) = clients.next_event() {
            match event {
                Event::Opened(key) => begin(&mut clients, key, &config),
                Event::Readable(key) => go_on(&mut clients, key, true),
                Event::Writable(key) => go_on(&mut clients, key, false),
                Event::AcceptFailed(_, error) | Event::ListenerGone(_, error) => complain(error),
                _ => {}
            }
        }
    }
}

/// Makes a certificate that its own key has signed, and writes it to a file unless the path is empty.
fn configured(path: &PathBuf) -> Result<Arc<ServerConfig>, Box<dyn core::error::Error>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    if !path.as_os_str().is_empty() {
        fs::write(path, made.cert.pem())?;
    }
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(Arc::new(config))
}

/// The session of a connection; none until it is opened.
type Clients = Server<'static, Option<ServerConnection>>;

fn begin(clients: &mut Clients, key: Key, config: &Arc<ServerConfig>) {
    let session = ServerConnection::new(Arc::clone(config)).map_err(complain).ok();
    if let Some(client) = clients.get_mut(key) {
        client.data = session;
    }
}

fn go_on(clients: &mut Clients, key: Key, receives: bool) {
    let Some(client) = clients.get_mut(key) else { return };
    let (session, mut io) = client.split();
    let Some(session) = session else { return drop(clients.close(key)) };
    let received = if receives { receive(session, &mut io) } else { Ok(()) };
    // The alert sent here informs the peer of any error.
    let sent = send(session, &mut io);
    if sent.is_err() || received.is_err() {
        clients.close_lingering(key);
    } else if session.wants_write() {
        clients.set_interest(key, Interest::WRITABLE);
    } else if session.wants_read() {
        clients.set_interest(key, Interest::READABLE);
    } else {
        clients.close_lingering(key);
    }
}

/// Echoes the peer's input.
fn receive(session: &mut ServerConnection, io: &mut Io<'_>) -> io::Result<()> {
    match session.read_tls(io) {
        // An end without the closing alert may be a truncation attack.
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        read => read?,
    };
    session.process_new_packets().map_err(io::Error::other)?;
    let mut buffer = [0; 4096];
    loop {
        match session.reader().read(&mut buffer) {
            Ok(0) => {
                session.send_close_notify();
                return Ok(());
            }
            Ok(len) => session.writer().write_all(&buffer[..len])?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn send(session: &mut ServerConnection, io: &mut Io<'_>) -> io::Result<()> {
    while session.wants_write() {
        match session.write_tls(io) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            written => written?,
        };
    }
    Ok(())
}
