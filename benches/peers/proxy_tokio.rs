//! `examples/proxy.rs` on tokio.

#[path = "../../examples/args/mod.rs"]
mod args;

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{io, process::ExitCode, sync::Arc};

use args::{Args, Outcome, announce, complain};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::Semaphore,
    time,
};

const USAGE: &str = "Usage: proxy_tokio [--listen ADDRESS] [--idle-time MILLISECONDS] UPSTREAM UPSTREAM";
/// Clients beyond these wait in the backlog.
const PAIRS_MAX: usize = 10_000;
/// The most bytes buffered in each direction.
const BUFFER: usize = 64 << 10;
/// How long one upstream may take to connect before the next is tried, and how long all together.
const ATTEMPT_TIME: Duration = Duration::from_secs(1);
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// How long accepting pauses when descriptors ran out.
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    args::exit(serve(&Args::parse(USAGE, &["listen", "idle-time"])).await)
}

async fn serve(args: &Args) -> Outcome {
    let upstreams = args.words();
    let idle_time = args.millis("idle-time", "300000");
    let listener = TcpListener::bind(args.flag::<SocketAddr>("listen", "127.0.0.1:7001")).await?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    let room = Arc::new(Semaphore::new(PAIRS_MAX));
    loop {
        let permit = Arc::clone(&room).acquire_owned().await?;
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(async move {
                    // An error ends both sides, and no other pair.
                    let _ = relay(client, upstreams, idle_time).await;
                    drop(permit);
                });
            }
            Err(error) => {
                complain(error);
                time::sleep(PAUSE).await;
            }
        }
    }
}

async fn relay(mut client: TcpStream, upstreams: [SocketAddr; 2], idle_time: Duration) -> io::Result<()> {
    client.set_nodelay(true)?;
    let connected = time::timeout(CONNECT_TIME, connect(upstreams)).await.unwrap_or_else(|late| Err(late.into()));
    let mut upstream = connected.inspect_err(|error| complain(error))?;
    upstream.set_nodelay(true)?;
    let (client_reader, client_writer) = client.split();
    let (upstream_reader, upstream_writer) = upstream.split();
    let is_active = AtomicBool::new(false);
    tokio::select! {
        passed = async {
            tokio::try_join!(
                pass(client_reader, upstream_writer, &is_active),
                pass(upstream_reader, client_writer, &is_active),
            )
        } => passed.map(drop),
        () = idle(idle_time, &is_active) => Ok(()),
    }
}

async fn connect(upstreams: [SocketAddr; 2]) -> io::Result<TcpStream> {
    let mut failure = io::ErrorKind::InvalidInput.into();
    for upstream in upstreams {
        match time::timeout(ATTEMPT_TIME, TcpStream::connect(upstream)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(late) => failure = late.into(),
        }
    }
    Err(failure)
}

async fn pass(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, is_active: &AtomicBool) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let len = from.read(&mut buffer).await?;
        is_active.store(true, Ordering::Relaxed);
        if len == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..len]).await?;
        is_active.store(true, Ordering::Relaxed);
    }
}

/// Returns when nothing has passed for the time; it may be up to twice as long.
async fn idle(time: Duration, is_active: &AtomicBool) {
    loop {
        time::sleep(time).await;
        if !is_active.swap(false, Ordering::Relaxed) {
            return;
        }
    }
}
