//! A DNS server whose every byte the test decides.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

pub const A: u16 = 1;
pub const CNAME: u16 = 5;
pub const AAAA: u16 = 28;

pub const NXDOMAIN: u16 = 3;
pub const SERVFAIL: u16 = 2;
pub const REFUSED: u16 = 5;

const RESPONSE: u16 = 0x8180;
pub const TRUNCATED: u16 = 0x0200;

/// A query, as the server reads it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub id: u16,
    pub name: String,
    pub kind: u16,
    pub over_tcp: bool,
    pub from: SocketAddr,
    /// The size that EDNS0 offers.
    pub offers: Option<u16>,
}

impl Asked {
    fn parse(query: &[u8], over_tcp: bool, from: SocketAddr) -> Self {
        let word = |at: usize| u16::from_be_bytes([query[at], query[at + 1]]);
        assert_eq!((word(2), word(4), word(6), word(8)), (0x0100, 1, 0, 0), "flags and counts");
        let mut at = 12;
        let mut name = String::new();
        while query[at] != 0 {
            let end = at + 1 + usize::from(query[at]);
            name += std::str::from_utf8(&query[at + 1..end]).unwrap();
            name.push('.');
            at = end;
        }
        assert_eq!(word(at + 3), 1, "class");
        let additional = &query[at + 5..];
        let offers = (word(10) == 1).then(|| u16::from_be_bytes([additional[3], additional[4]]));
        assert_eq!(additional.len(), if offers.is_some() { 11 } else { 0 });
        Self { id: word(0), name, kind: word(at + 1), over_tcp, from, offers }
    }

    /// An answer without records.
    pub fn reply(&self) -> Reply {
        Reply { id: self.id, flags: RESPONSE, question: question(&self.name, self.kind), records: Vec::new() }
    }

    /// An answer with these addresses, of those that are of the family asked for.
    pub fn addresses(&self, ips: &[&str]) -> Reply {
        let ips = ips.iter().map(|ip| ip.parse::<IpAddr>().unwrap());
        ips.filter(|ip| ip.is_ipv4() == (self.kind == A))
            .fold(self.reply(), |reply, ip| reply.address(&self.name, 60, ip))
    }
}

/// The bytes of a question.
pub fn question(name: &str, kind: u16) -> Vec<u8> {
    [&encode(name)[..], &kind.to_be_bytes(), &[0, 1]].concat()
}

pub fn encode(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut encoded: Vec<u8> = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    encoded.push(0);
    encoded
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub id: u16,
    pub flags: u16,
    pub question: Vec<u8>,
    pub records: Vec<Vec<u8>>,
}

impl Reply {
    pub fn flags(mut self, flags: u16) -> Self {
        self.flags |= flags;
        self
    }

    pub fn address(self, owner: &str, ttl: u32, ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => self.record(owner, A, ttl, &ip.octets()),
            IpAddr::V6(ip) => self.record(owner, AAAA, ttl, &ip.octets()),
        }
    }

    pub fn alias(self, owner: &str, ttl: u32, target: &str) -> Self {
        self.record(owner, CNAME, ttl, &encode(target))
    }

    pub fn record(self, owner: &str, kind: u16, ttl: u32, data: &[u8]) -> Self {
        let fixed = [&kind.to_be_bytes()[..], &[0, 1], &ttl.to_be_bytes(), &(data.len() as u16).to_be_bytes()].concat();
        self.raw(&[&encode(owner)[..], &fixed, data].concat())
    }

    /// A record of any bytes.
    pub fn raw(mut self, record: &[u8]) -> Self {
        self.records.push(record.to_vec());
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let counts = [u16::from(!self.question.is_empty()), self.records.len() as u16, 0, 0];
        let header: Vec<u8> = [self.id, self.flags].into_iter().chain(counts).flat_map(u16::to_be_bytes).collect();
        [header, self.question.clone(), self.records.concat()].concat()
    }
}

/// What a server does with a query: over UDP it sends each message, over TCP it sends them with their length.
type Handler = dyn Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync;

/// A server on the loopback device, over UDP and TCP, until it is dropped.
pub struct Server {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Answers each query with one message.
    pub fn answering(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(move |asked| vec![reply(asked).bytes()])
    }

    pub fn start(handler: impl Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::start_stream(handler, |stream, message| {
            let len = (message.len() as u16).to_be_bytes();
            let _ = stream.write_all(&[&len, message].concat());
        })
    }

    /// The same, but `send` writes the messages over TCP.
    pub fn start_stream(
        handler: impl Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync + 'static,
        send: impl Fn(&mut TcpStream, &[u8]) + Send + Sync + 'static,
    ) -> Self {
        let (udp, tcp) = sockets();
        let addr = udp.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ends = Arc::new(AtomicBool::new(false));
        let handler: Arc<Handler> = Arc::new(handler);
        let threads = vec![
            thread::spawn({
                let (asked, ends, handler) = (asked.clone(), ends.clone(), handler.clone());
                move || serve_udp(&udp, &asked, &ends, &*handler)
            }),
            thread::spawn({
                let (asked, ends) = (asked.clone(), ends.clone());
                move || serve_tcp(&tcp, &asked, &ends, &*handler, &send)
            }),
        ];
        Self { addr, asked, ends, threads }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The queries that have come.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

/// A UDP and a TCP socket with the same port.
fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            udp.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
            tcp.set_nonblocking(true).unwrap();
            return (udp, tcp);
        }
    }
}

fn serve_udp(udp: &UdpSocket, asked: &Mutex<Vec<Asked>>, ends: &AtomicBool, handler: &Handler) {
    let mut buf = [0; 1024];
    while !ends.load(Ordering::SeqCst) {
        let Ok((len, from)) = udp.recv_from(&mut buf) else { continue };
        let query = Asked::parse(&buf[..len], false, from);
        asked.lock().unwrap().push(query.clone());
        for message in handler(&query) {
            // The client may be gone.
            let _ = udp.send_to(&message, from);
        }
    }
}

fn serve_tcp(
    tcp: &TcpListener,
    asked: &Mutex<Vec<Asked>>,
    ends: &AtomicBool,
    handler: &Handler,
    send: &dyn Fn(&mut TcpStream, &[u8]),
) {
    while !ends.load(Ordering::SeqCst) {
        let Ok((mut stream, from)) = tcp.accept() else {
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        let mut len = [0; 2];
        if stream.read_exact(&mut len).is_err() {
            continue;
        }
        let mut query = vec![0; usize::from(u16::from_be_bytes(len))];
        stream.read_exact(&mut query).unwrap();
        let query = Asked::parse(&query, true, from);
        asked.lock().unwrap().push(query.clone());
        for message in handler(&query) {
            send(&mut stream, &message);
        }
    }
}

/// A socket that takes queries and never answers.
pub fn dead_server() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// A socket that keeps its port, at which queries are refused: it is connected to another peer.
pub fn closed_server() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect("127.0.0.1:9").unwrap();
    socket
}
