//! The behaviour of sockets, as the classical texts describe it and this kernel shows it.
#![cfg(target_os = "linux")]

mod closing;
mod splice;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod urgent;
#![cfg(target_os = "linux")]

mod batch;
mod cmsg;
mod datagram;
mod datagram_errors;
mod datagram_multicast;
#[path = "../support/mod.rs"]
mod support;
