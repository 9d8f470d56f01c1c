//! DNS without libc, threads or an allocator: a stub resolver (RFC 1034, 5.3.1) that asks the servers of
//! `/etc/resolv.conf`.
//!
//! [`Stub`] resolves one name at a time. It is one descriptor for a poller, and a deadline; it never blocks. A server
//! [connects to names](crate::server::Server::connect_to_name) by itself. Reading and writing messages is left to the
//! crate [`domain`](https://docs.rs/domain).
//!
//! A client without a [`Server`](crate::server::Server) that connects while the name is resolved:
//!
//! ```
//! use anet::{
//!     Stream,
//!     connect::{Connector, Pending, race::Order},
//!     event::{Events, Interest, Poller},
//!     resolve::{Families, Family, dns::{Progress, Stub}},
//! };
//!
//! fn connect(host: &str, port: u16) -> Result<Stream, Box<dyn std::error::Error>> {
//!     let (poller, mut events, mut stub) = (Poller::new()?, Events::<8>::new(), Stub::new()?);
//!     poller.add(&stub, 0, Interest::READABLE)?;
//!     let connector = Connector::new().with_order(Order::Alternating(Family::V6));
//!     let mut pending = Pending::new(Vec::new(), connector).awaiting(Family::V4).awaiting(Family::V6);
//!     let mut progress = stub.start(host, port, Families::Any)?;
//!     loop {
//!         pending.resolved(stub.addresses(), progress == Progress::Done);
//!         if let Some(stream) = pending.advance(|fd| poller.add(fd, 1, Interest::WRITABLE))? {
//!             return Ok(stream);
//!         }
//!         poller.wait(&mut events, stub.timeout().into_iter().chain(pending.timeout()).min())?;
//!         progress = stub.advance()?;
//!     }
//! }
//!
//! # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let port = server.local_addr()?.port();
//! assert_eq!(connect("localhost", port)?.peer_addr()?.port(), Some(port));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A and AAAA are asked at the same time, each from a socket of its own with a port that the kernel chooses at random
//! and with a random id. A datagram counts only if it comes from the server that was asked and has the question that was
//! asked; others are discarded, as if they had not come. A truncated answer is asked for again over TCP. A server that
//! fails, refuses or does not answer in time is followed by the next, until every server has been asked as often as the
//! configuration says.
//!
//! Of an answer over TCP the first 2048 bytes count, of a datagram all of it. Answers are not verified (DNSSEC) and not
//! cached: the [TTL](super::Address::ttl) is for a cache of the caller.

mod config;
mod exchange;
mod pending;
mod question;
mod search;
mod stub;

pub use config::{Config, NAME_SERVERS_MAX, RESOLV_CONF, SEARCH_LIST_LEN};
pub use question::{ALIASES_MAX, Answer, EDNS0_LEN, Query, Question};
pub use stub::{Progress, Stub};
