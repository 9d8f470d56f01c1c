//! `examples/more/http.rs` on tokio.

#[path = "../../examples/args/mod.rs"]
mod args;
#[path = "../../examples/more/http/protocol.rs"]
mod protocol;

use core::{net::SocketAddr, time::Duration};
use std::{io, process::ExitCode, sync::Arc};

use args::{Args, Outcome, announce, complain};
use protocol::{BODY_MAX, Refusal, Session};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::{Semaphore, watch},
    time::{self, Instant},
};

const USAGE: &str = "Usage: http_tokio [--listen ADDRESS] [--request-time MILLISECONDS] [--idle-time MILLISECONDS]";
/// Connections beyond these wait in the backlog.
const CLIENTS_MAX: usize = 10_000;
/// How long clients may take for their last response after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long a client's input is read after the last response.
const LINGER: Duration = Duration::from_secs(2);
/// How long accepting pauses when descriptors ran out.
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    args::exit(serve(&Args::parse(USAGE, &["listen", "request-time", "idle-time"])).await)
}

#[derive(Clone, Copy)]
struct Times {
    request: Duration,
    idle: Duration,
}

async fn serve(args: &Args) -> Outcome {
    let mut signals = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(args.flag::<SocketAddr>("listen", "127.0.0.1:8080")).await?;
    announce(format_args!("listening on {}", listener.local_addr()?));
    let times = Times { request: args.millis("request-time", "5000"), idle: args.millis("idle-time", "60000") };
    let room = Arc::new(Semaphore::new(CLIENTS_MAX));
    let (drain, drains) = watch::channel(false);
    loop {
        let permit = Arc::clone(&room).acquire_owned().await?;
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = signals.recv() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let drains = drains.clone();
                tokio::spawn(async move {
                    // An error affects only its client.
                    let _ = converse(stream, times, drains).await;
                    drop(permit);
                });
            }
            Err(error) => {
                complain(error);
                time::sleep(PAUSE).await;
            }
        }
    }
    drop((listener, drains));
    drain.send_replace(true);
    let _ = time::timeout(GRACE, drain.closed()).await;
    Ok(())
}

async fn converse(mut stream: TcpStream, times: Times, mut drains: watch::Receiver<bool>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut session = Session::default();
    let mut buffer = vec![0; BODY_MAX];
    let mut deadline = Instant::now();
    while !session.ends {
        let (is_idle, until) = match session.input.is_empty() {
            true => (true, Instant::now() + times.idle),
            false => (false, deadline.min(Instant::now() + times.idle)),
        };
        let is_draining = *drains.borrow();
        let read = tokio::select! {
            biased;
            read = stream.read(&mut buffer) => read?,
            _ = drains.changed(), if !is_draining => {
                session.ends = session.input.is_empty();
                continue;
            }
            () = time::sleep_until(until) => {
                if is_idle || until < deadline {
                    return Ok(());
                }
                session.refuse(Refusal("408 Request Timeout"));
                break;
            }
        };
        if read == 0 {
            return Ok(());
        }
        session.input.extend_from_slice(&buffer[..read]);
        if session.answer(is_draining) || is_idle {
            deadline = Instant::now() + times.request;
        }
        time::timeout(times.idle, stream.write_all(&session.output)).await??;
        session.output.clear();
    }
    time::timeout(times.idle, stream.write_all(&session.output)).await??;
    if session.is_done {
        return Ok(());
    }
    stream.shutdown().await?;
    // Input left unread would turn the close into a reset.
    let _ = time::timeout(LINGER, async { while stream.read(&mut buffer).await.is_ok_and(|len| len > 0) {} }).await;
    Ok(())
}
