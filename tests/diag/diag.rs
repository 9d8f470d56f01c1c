//! What `diag` and `icmp` say about the network, beside the system's own tools in the same network namespace.
#![cfg(target_os = "linux")]

mod changes;
mod interfaces;
mod listening;
mod many;
mod ping_times;
mod pings;
mod sockets;
mod ss;
#[path = "../support/mod.rs"]
mod support;
mod tools;
