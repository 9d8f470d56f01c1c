//! Everything between the kernel and a server's first byte: listen, accept, connect, configure, read, write, wait.
//!
//! The socket layer of Redis and memcached in Rust, on direct Linux system calls: without libc, without an allocator,
//! without a runtime. A server declares once what its connections shall be like ([`SocketOptions`]); the listener passes it
//! on, so that taking a connection is one system call.
//!
//! ```
//! use anet::{BindList, ListenerSet, SocketOptions, listen::Access};
//! use anet::event::{Events, Interest, Poller};
//!
//! # let client = |addr: String| std::thread::spawn(move || {
//! #     use std::io::{Read, Write};
//! #     let mut stream = std::net::TcpStream::connect(addr).unwrap();
//! #     stream.write_all(b"hello").unwrap();
//! #     stream.read_exact(&mut [0; 5]).unwrap();
//! # });
//! let list = BindList::parse("127.0.0.1 -::1", 0)?;
//! let options = SocketOptions::new().with_tcp_nodelay(true);
//! let listeners = ListenerSet::open(&list, &options, &Access::default())?;
//!
//! let poller = Poller::new()?;
//! for (key, listener) in listeners.iter().enumerate() {
//!     println!("listening on {}", listener.local_addr()?);
//!     poller.add(listener, key as u64, Interest::READABLE)?;
//! }
//! # let client = client(listeners.as_slice()[0].local_addr()?.to_string());
//! let mut events = Events::<64>::new();
//! poller.wait(&mut events, None)?;
//! for event in &events {
//!     listeners.as_slice()[event.key() as usize].accept_batch(10, |stream, peer| {
//!         println!("{peer} is here");
//! #       anet::option::set_nonblocking(&stream, false).unwrap();
//!         let mut buf = [0; 5];
//!         let _ = stream.read_exact(&mut buf).and_then(|()| stream.write_all(&buf));
//!     });
//! }
//! # client.join().unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where things are
//!
//! | module | what it does |
//! |---|---|
//! | [`addr`] | addresses: typed, as text in fixed buffers, and what kind they are |
//! | [`error`] | errors of 8 bytes, whose text is made when somebody asks |
//! | [`option`] | socket options: one table, a getter and a setter for each, and one value for many |
//! | [`listen`] | TCP, Unix and UDP sockets that serve, bind lists, the port file |
//! | [`accept`] | connections, one by one and in batches, and who is admitted |
//! | [`connect`] | to one of several addresses, waiting or not |
//! | [`stream`], [`pipe`] | bytes |
//! | [`datagram`] | messages |
//! | [`event`] | waiting for many descriptors, and for times |
//! | [`heartbeat`] | whether a peer is still there |
//! | [`server`] | all of it in one loop: who is accepted, admitted, watched, timed out and drained |
//! | [`redis`] | texts and forms that only Redis has |
//! | `capi` | the functions of Redis's `anet.h`, for C |
//!
//! Who writes a server begins with [`server`]; the other modules are its parts. Who wants handlers that are called, as
//! in Redis, takes [`event::EventLoop`].
//!
//! Everything is [`AsFd`](fd::AsFd), and every owner can be made from a descriptor and give it back: any part can be
//! used alone.
//!
//! # Features and systems
//!
//! - `std` (default): errors convert to `std::io::Error`, and descriptors are std's own types. Without it the crate is
//!   `no_std` and needs no allocator, and on Linux (x86-64, x86, aarch64, arm, riscv64) no libc.
//! - `capi`: the module of this name, which makes a C library of the crate (`libanet.a`, `libanet.so`); the README says
//!   how. It needs `std`, and libc for C's `errno` and the resolver.
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
pub mod error;
pub mod event;
pub mod heartbeat;
pub mod listen;
pub mod option;
pub mod pipe;
pub mod redis;
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
