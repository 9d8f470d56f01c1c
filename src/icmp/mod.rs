//! Ping: whether hosts answer, and how fast. Linux only.
//!
//! A [`Pinger`] is a state machine: it says when which host is due, and takes what arrives. It makes no system call, so
//! a server pings many hosts on its own loop, and a test has its own clock. An [`IcmpSocket`] sends and receives for it:
//! one for IPv4, one for IPv6, each for any number of hosts. Times are readings of the monotonic clock, as
//! [`now`] returns them.
//!
//! ```no_run
//! use anet::{event::{Events, Interest, Poller}, icmp::{self, IcmpSocket, Outcome, Pinger, Plan, Target}};
//!
//! let mut targets = [Target::new("192.0.2.1".parse()?), Target::new("192.0.2.2".parse()?)];
//! let mut pinger = Pinger::new(&mut targets, Plan::default(), icmp::now());
//! let socket = IcmpSocket::open_v4()?;
//! let poller = Poller::new()?;
//! poller.add(&socket, 0, Interest::READABLE)?;
//! let mut buf = [0; 2048];
//! while let Some(deadline) = pinger.deadline() {
//!     poller.wait(&mut Events::<1>::new(), Some(deadline.saturating_sub(icmp::now())))?;
//!     while let Some(arrival) = socket.receive(&mut buf)? {
//!         if let Some((target, Outcome::Reply { rtt, .. })) = pinger.take(&arrival) {
//!             println!("target {target} answered after {rtt:?}");
//!         }
//!     }
//!     while let Some(lost) = pinger.next_lost(icmp::now()) {
//!         println!("target {} did not answer request {}", lost.target, lost.sequence);
//!     }
//!     while let Some(request) = pinger.next_request(icmp::now()) {
//!         let sent = socket.send(&request, &mut buf);
//!         pinger.sent(&request, sent);
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A round trip ends when the kernel receives the reply, and begins with the call that sends the request, or with
//! [send times](IcmpSocket::with_send_times) when the kernel passes it to the device. However late a program reads a
//! reply, the time is right.
//!
//! Unprivileged processes may ping if one of their groups is in `net.ipv4.ping_group_range` (`icmp(7)`), which governs
//! IPv6 too; otherwise `CAP_NET_RAW` is needed.

mod control;
mod packet;
mod pinger;
mod plan;
mod request;
mod socket;
mod statistics;
mod target;

use core::time::Duration;

pub use packet::{Answer, Echo, Failure, Quoted, Version, parse};
pub use pinger::{Lost, Outcome, Pinger};
pub use plan::Plan;
pub use request::Request;
pub use socket::{Arrival, IcmpSocket};
pub use statistics::Statistics;
pub use target::{Target, WINDOW};

/// The monotonic clock, which a [`Pinger`] and an [`Arrival`] count by.
#[doc(alias = "CLOCK_MONOTONIC")]
pub fn now() -> Duration {
    crate::sys::now()
}
