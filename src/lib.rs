//! Everything between the kernel and a server's first byte: listen, accept, connect, configure, read, write, wait.
//!
//! `anet` is the socket layer of Redis and memcached in Rust, on direct Linux system calls: no libc, no allocator, no
//! runtime. Options are said once ([`SocketOptions`]) and a listener passes them on, so that taking a configured
//! connection is one system call.
//!
//! ```
//! use anet::{
//!     SocketOptions,
//!     connect::{self, LocalAddr},
//!     listen,
//!     server::{Event, Server, Slot},
//! };
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let listener = listen::tcp("127.0.0.1:0".parse()?, &SocketOptions::new().with_tcp_nodelay(true))?;
//!     let client = connect::blocking(&[listener.local_addr()?], LocalAddr::Any)?;
//!     client.write_all(b"hello")?;
//!
//!     let mut slots = [const { Slot::<()>::VACANT }; 16];
//!     let mut server = Server::new(&mut slots)?;
//!     server.listen(listener)?;
//!     let mut buf = [0; 512];
//!     'echoed: loop {
//!         server.wait(None)?;
//!         while let Some(event) = server.next_event() {
//!             let Event::Readable(key) = event else { continue };
//!             let Some(connection) = server.get_mut(key) else { continue };
//!             match connection.read(&mut buf) {
//!                 Ok(0) => drop(server.close(key)),
//!                 Ok(len) => {
//!                     connection.write_all(&buf[..len])?;
//!                     break 'echoed;
//!                 }
//!                 Err(error) if error.is_would_block() => {}
//!                 Err(error) => return Err(error.into()),
//!             }
//!         }
//!     }
//!
//!     let mut echo = [0; 5];
//!     client.read_exact(&mut echo)?;
//!     assert_eq!(&echo, b"hello");
//!     Ok(())
//! }
//! ```
//!
//! # Where to begin
//!
//! A server or a proxy: [`server`]. Handlers that are called, as in Redis: [`event::EventLoop`]. A loop of your own:
//! [`event::Poller`] with [`accept::Acceptor`]. A client: [`resolve`] and [`connect`]. A C program: `capi`.
//!
//! | module | what it does |
//! |---|---|
//! | [`addr`] | addresses: typed, as text in fixed buffers, and what kind they are |
//! | [`error`] | errors of 8 bytes, whose text is made only on demand |
//! | [`option`] | the table of socket options: a getter and a setter for each, and one value for all of them |
//! | [`listen`] | TCP, Unix and UDP sockets that serve, bind lists, the port file |
//! | [`accept`] | connections, one by one and in batches, and which of them are admitted |
//! | [`resolve`] | names to addresses |
//! | [`connect`] | connecting to the first of several addresses that answers, waiting or not |
//! | [`stream`], [`pipe`] | bytes |
//! | [`datagram`] | messages, one by one and in batches, and what travels beside them |
//! | [`event`] | waiting for many descriptors, and for times |
//! | [`heartbeat`] | whether a peer is still there |
//! | [`server`] | all of it in one loop, for connections of both directions |
//! | `diag` | the host's interfaces, addresses and sockets (Linux) |
//! | `icmp` | whether a host answers, and how fast: ping (Linux) |
//! | [`redis`] | texts and forms that only Redis has |
//! | `capi` | the functions of `anet.h` in Redis and Valkey, for C |
//!
//! Everything is [`AsFd`](fd::AsFd), and every owner can be made from a descriptor and give it back: any part can be
//! used alone.
//!
//! # Glossary
//!
//! - **Acceptor**: takes connections from a listener, and decides when to stop and when to pause.
//! - **Admission**: decides which accepted connections may stay, by limits.
//! - **Backlog**: the kernel's queue of connections that were not accepted yet.
//! - **Batch**: datagrams that one system call receives or sends. Connections accepted at one wake-up are one too, of
//!   which the caller keeps the *outcome*.
//! - **Bind list**: the text that says where to listen, in the grammar of Redis or memcached.
//! - **Coalescing**: pausing before a wait, so that several events come with it.
//! - **Connector**: how to connect, said once for many outgoing connections.
//! - **Control message**: what travels beside the bytes of a message: descriptors, credentials, addresses, times.
//! - **Deadline**: a point on the monotonic clock; a *timeout* is a length of time.
//! - **Dump**: the kernel's listing of a table, in several messages.
//! - **Endpoint**: the address of one end of a socket, of any family.
//! - **Event**: what a server reports; *readiness* is what a poller reports of a descriptor.
//! - **Holder**: the socket that has an address; its *owner* is a process in which it is open.
//! - **Interest**: what a descriptor is watched for.
//! - **Key**: names a connection of a server for as long as it is there.
//! - **Lingering close**: shuts down the writing half and reads on until the peer closes, so that no reset overtakes the
//!   answer.
//! - **Lookup**: the search for the addresses of a name, and the answer while it can be used.
//! - **Mark**: the place of the out-of-band byte in a stream.
//! - **Pressure**: descriptors or memory have run out, and accepting pauses.
//! - **Race**: attempts to connect to several addresses, staggered; the first that connects wins. Its *candidates* are
//!   the addresses.
//! - **Reserve**: a descriptor kept back, to turn clients away with when there are no others.
//! - **Resolver**: turns a host name into addresses; a *stub* resolver asks DNS servers that do the work.
//! - **Segment**: one of the datagrams that the kernel splits from, or joins to, the bytes of one call.
//! - **Slot**: room for one connection, in memory that the caller provides.
//! - **Splice**: to move bytes from one stream to another inside the kernel.
//! - **Stagger**: how long a connection attempt runs before the next begins beside it.
//! - **Target**: a host to ping.
//! - **Turn**: what a server does between two waits; for an acceptor, one call.
//!
//! # Features and systems
//!
//! - `std` (default): errors convert to `std::io::Error`, and descriptors are std's own types. Without it the crate is
//!   `no_std`, needs no allocator, and on Linux (x86-64, x86, aarch64, arm, riscv64) no libc.
//! - `capi`: the module of this name, which makes a C library of the crate (`libanet.a`, `libanet.so`). It needs libc
//!   for C's `errno` and the resolver, but not `std`. Without `std` and with panics that abort, it defines the panic
//!   handler that a C library needs: a Rust program that depends on `capi` should have `std` on.
//! - `dns`: `resolve::dns`, a DNS resolver without libc and without an allocator.
//!
//! Linux is the system that is measured. The BSDs and macOS compile: they use libc and kqueue.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_debug_implementations, missing_docs, rustdoc::broken_intra_doc_links, unreachable_pub, unsafe_code)]
#![warn(clippy::alloc_instead_of_core, clippy::missing_errors_doc, clippy::std_instead_of_core)]

#[cfg(any(feature = "std", test))]
extern crate std;

pub mod accept;
pub mod addr;
#[cfg(feature = "capi")]
pub mod capi;
pub mod connect;
pub mod datagram;
#[cfg(target_os = "linux")]
pub mod diag;
pub mod error;
pub mod event;
pub mod heartbeat;
#[cfg(target_os = "linux")]
pub mod icmp;
pub mod listen;
pub mod option;
pub mod pipe;
pub mod redis;
pub mod resolve;
pub mod server;
pub mod stream;
mod sys;

pub use addr::{AddrText, Endpoint, UnixAddr};
pub use datagram::Datagram;
pub use error::{Errno, Error, ErrorText, Op, Result};
pub use listen::{BindList, Listener, ListenerSet};
pub use option::SocketOptions;
pub use rustix::fd;
pub use stream::Stream;

/// Compiles the README's code.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
