//! [`Pending`]: a question on its way, with its socket.

use core::{net::SocketAddr, time::Duration};

use rustix::fd::{AsFd, OwnedFd};

use super::{
    Answer, Config, Question,
    exchange::{Exchange, Step},
    question::Extent,
};
use crate::{
    addr::Endpoint,
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    resolve::Addresses,
    sys::{
        self,
        selector::{READABLE, Selector, WRITABLE},
    },
};

/// Room for an answer over UDP: more than any query offers to take.
const DATAGRAM_LEN: usize = 2048;
/// How much is kept of an answer over TCP, with its length: far more than the addresses that are kept.
const STREAM_LEN: usize = 2 + 2048;
/// The most datagrams that one call reads: a flood must not hold the loop up.
const DATAGRAMS_A_TURN: usize = 16;

/// A question that a server is asked.
#[derive(Debug)]
pub(super) struct Pending {
    question: Question,
    exchange: Exchange,
    /// The socket to the current server.
    socket: Option<Socket>,
    /// The beginning of an answer over TCP.
    stream: [u8; STREAM_LEN],
}

#[derive(Debug)]
struct Socket {
    fd: OwnedFd,
    server: SocketAddr,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Udp,
    /// A TCP socket that is connecting.
    Connecting,
    /// A TCP socket over which the query was sent, and this many bytes of the answer have come.
    Reading(usize),
}

/// What a question needs from its lookup.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    pub(super) selector: &'a Selector,
    /// Names this question among the sources of the selector.
    pub(super) key: u64,
    pub(super) port: u16,
    pub(super) now: Duration,
}

/// The result of a question.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Pending,
    Answered(Answer),
    Failed(Error),
}

impl Pending {
    pub(super) fn new(question: Question, exchange: Exchange) -> Self {
        Self { question, exchange, socket: None, stream: [0; STREAM_LEN] }
    }

    /// When to call [`tick`](Self::tick).
    pub(super) const fn due(&self) -> Duration {
        self.exchange.due()
    }

    pub(super) fn start(&mut self, context: Context<'_>) -> Outcome {
        self.follow(Step::Send, context)
    }

    pub(super) fn tick(&mut self, context: Context<'_>) -> Outcome {
        let step = self.exchange.tick(context.now);
        self.follow(step, context)
    }

    /// The socket is ready.
    pub(super) fn ready(&mut self, context: Context<'_>, addresses: &mut Addresses) -> Outcome {
        let step = match self.advance(context, addresses) {
            Ok(Some(answer)) => self.exchange.received(answer, context.now),
            Ok(None) => Step::Wait,
            Err(error) => {
                self.socket = None;
                self.exchange.failed(error, context.now)
            }
        };
        self.follow(step, context)
    }

    fn follow(&mut self, mut step: Step, context: Context<'_>) -> Outcome {
        loop {
            step = match step {
                Step::Wait => return Outcome::Pending,
                Step::Done(answer) => return Outcome::Answered(answer),
                Step::Failed(error) => return Outcome::Failed(error),
                Step::Send => match self.send(context) {
                    Ok(()) => Step::Wait,
                    Err(error) if error.is_out_of_resources() => return Outcome::Failed(error),
                    Err(error) => {
                        self.socket = None;
                        self.exchange.failed(error, context.now)
                    }
                },
            };
        }
    }

    fn send(&mut self, context: Context<'_>) -> Result<()> {
        let server = context.config.server(self.exchange.server());
        if self.exchange.by_tcp() {
            // Closes the other one first, whose key this one gets.
            self.socket = None;
            self.socket = Some(connect(server, context)?);
            return Ok(());
        }
        // A late answer to the same server's last query still counts.
        if !matches!(&self.socket, Some(Socket { state: State::Udp, server: known, .. }) if *known == server) {
            self.socket = None;
            self.socket = Some(bind_to(server, context)?);
        }
        let Some(Socket { fd, .. }) = &self.socket else { return Ok(()) };
        let query = self.question.to_query(self.exchange.edns0());
        match sys::send_now(fd.as_fd(), query.as_bytes()) {
            // A full queue is a lost datagram.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(errno) => Err(errno).op(Op::Resolve),
        }
    }

    fn advance(&mut self, context: Context<'_>, addresses: &mut Addresses) -> Result<Option<Answer>> {
        let Some(socket) = &mut self.socket else { return Ok(None) };
        match socket.state {
            State::Udp => receive(socket, &self.question, context.port, addresses),
            State::Connecting => {
                let query = self.question.to_query(self.exchange.edns0());
                send_over_stream(socket, query.as_stream_bytes(), context).map(|()| None)
            }
            State::Reading(held) => {
                let free = self.stream.get_mut(held..).unwrap_or_default();
                let held = held + read(socket, free)?;
                socket.state = State::Reading(held);
                Ok(answer_in(self.stream.get(..held).unwrap_or_default())
                    .map(|(message, extent)| self.question.read(message, extent, context.port, addresses)))
            }
        }
    }
}

/// A UDP socket that takes datagrams of this server alone, with a port that the kernel chooses at random.
fn bind_to(server: SocketAddr, context: Context<'_>) -> Result<Socket> {
    let endpoint = Endpoint::Inet(server);
    let fd = sys::family(&endpoint).and_then(sys::datagram_socket).op(Op::Resolve)?;
    sys::connect(fd.as_fd(), &endpoint).op(Op::Resolve)?;
    context.selector.add(fd.as_fd(), context.key, READABLE).op(Op::Resolve)?;
    Ok(Socket { fd, server, state: State::Udp })
}

fn connect(server: SocketAddr, context: Context<'_>) -> Result<Socket> {
    let endpoint = Endpoint::Inet(server);
    let fd = sys::family(&endpoint).and_then(|family| sys::stream_socket(family, true)).op(Op::Resolve)?;
    match sys::connect(fd.as_fd(), &endpoint) {
        // An interrupted connect continues in the kernel.
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => {}
        Err(errno) => return Err(errno).op(Op::Resolve),
    }
    context.selector.add(fd.as_fd(), context.key, WRITABLE).op(Op::Resolve)?;
    Ok(Socket { fd, server, state: State::Connecting })
}

/// Reads datagrams until one is the answer. Others are discarded, as if they had not come.
fn receive(socket: &Socket, question: &Question, port: u16, addresses: &mut Addresses) -> Result<Option<Answer>> {
    let mut buf = [0; DATAGRAM_LEN];
    for _ in 0..DATAGRAMS_A_TURN {
        let len = match sys::recv_now(socket.fd.as_fd(), &mut buf) {
            Ok(len) => len,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(errno) => return Err(errno).op(Op::Resolve),
        };
        match question.read(buf.get(..len).unwrap_or_default(), Extent::Datagram, port, addresses) {
            Answer::Other => {}
            answer => return Ok(Some(answer)),
        }
    }
    Ok(None)
}

/// Sends the query once the connection is established. It is shorter than any socket's buffer.
fn send_over_stream(socket: &mut Socket, query: &[u8], context: Context<'_>) -> Result<()> {
    match sys::sockopt::socket_error(&socket.fd).op(Op::Resolve)? {
        Ok(()) => {}
        Err(errno) => return Err(errno).op(Op::Resolve),
    }
    match sys::send_now(socket.fd.as_fd(), query) {
        Ok(len) if len == query.len() => {}
        // Not yet connected.
        Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
        Ok(_) => return Err(closed()),
        Err(errno) => return Err(errno).op(Op::Resolve),
    }
    socket.state = State::Reading(0);
    context.selector.modify(socket.fd.as_fd(), context.key, READABLE).op(Op::Resolve)
}

fn read(socket: &Socket, free: &mut [u8]) -> Result<usize> {
    match sys::recv_now(socket.fd.as_fd(), free) {
        Ok(0) => Err(closed()),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        other => other.op(Op::Resolve),
    }
}

/// The server closed the connection before its answer was complete.
const fn closed() -> Error {
    Error::refused(Op::Resolve, Cause::NameServerFailed { rcode: 0 })
}

/// The answer in a stream, once it is complete or fills the room for it.
fn answer_in(stream: &[u8]) -> Option<(&[u8], Extent)> {
    let (len, message) = stream.split_first_chunk()?;
    let len = usize::from(u16::from_be_bytes(*len));
    match message.get(..len) {
        Some(message) => Some((message, Extent::Whole)),
        None if stream.len() == STREAM_LEN => Some((message, Extent::Beginning)),
        None => None,
    }
}
