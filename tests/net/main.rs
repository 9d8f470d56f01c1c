//! The behaviour of sockets, as the classical texts describe it and this kernel shows it.
#![cfg(target_os = "linux")]

mod batch;
mod closing;
mod cmsg;
mod datagram;
mod datagram_errors;
mod datagram_multicast;
mod joined;
mod splice;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod urgent;
