//! Lists TCP sockets with their processes, as `ss -tanp` does.
//!
//! ```sh
//! cargo run --release --example sockets
//! cargo run --release --example sockets -- --listening
//! cargo run --release --example sockets -- --port 6379 --info
//! cargo run --release --example sockets -- --unix
//! ```
//!
//! Linux only.

mod args;

use std::process::ExitCode;

use args::{Args, Outcome};

const USAGE: &str = "Usage: sockets [--listening] [--udp | --unix] [--port PORT] [--peer-port PORT] [--info]";

fn main() -> ExitCode {
    args::exit(run(&Args::parse_with_switches(USAGE, &["port", "peer-port"], &["listening", "udp", "unix", "info"])))
}

#[cfg(not(target_os = "linux"))]
fn run(_: &Args) -> Outcome {
    Err("only Linux has netlink".into())
}

#[cfg(target_os = "linux")]
use linux::run;

#[cfg(target_os = "linux")]
mod linux {
    use std::{collections::HashMap, ops::ControlFlow};

    use super::{Args, Outcome};
    use crate::args::announce;
    use anet::{
        Endpoint,
        diag::{Details, InetFilter, InetSocket, SockDiag, SocketStates, UnixSocket, owner},
        option::TcpInfo,
    };

    pub fn run(args: &Args) -> Outcome {
        let owners = owners()?;
        let owner = |inode: u32| owners.get(&inode).map_or("", String::as_str);
        let states = if args.has("listening") { SocketStates::LISTENING } else { SocketStates::all() };
        let mut buf = [0; 32 * 1024];
        let mut sock_diag = SockDiag::open()?;
        announce(format_args!("{:<11} {:>7} {:>7} {:<28} {:<28} process", "state", "receive", "send", "local", "peer"));
        if args.has("unix") {
            for socket in sock_diag.unix(states, &mut buf)? {
                let socket = socket?;
                show_unix(&socket, owner(socket.inode));
            }
            return Ok(());
        }
        for socket in sock_diag.inet(filter(args).with_states(states), &mut buf)? {
            let socket = socket?;
            show(&socket, owner(socket.inode));
            socket.info.iter().for_each(show_info);
        }
        Ok(())
    }

    fn filter(args: &Args) -> InetFilter {
        let mut filter = if args.has("udp") { InetFilter::udp() } else { InetFilter::tcp() };
        if let Some(port) = args.given("port") {
            filter = filter.with_local_port(port);
        }
        if let Some(port) = args.given("peer-port") {
            filter = filter.with_peer_port(port);
        }
        filter.with_details(if args.has("info") { Details::TCP_INFO } else { Details::empty() })
    }

    /// The processes of all sockets, as far as this user may see them.
    fn owners() -> Result<HashMap<u32, String>, anet::Error> {
        let mut owners = HashMap::<u32, String>::new();
        owner::scan(|holding| {
            // A process may have ended since.
            if let Ok(name) = owner::name(holding.pid) {
                let text = owners.entry(holding.inode).or_default();
                text.push_str(&format!(" {name}(pid {}, fd {})", holding.pid, holding.fd));
            }
            ControlFlow::Continue(())
        })?;
        Ok(owners)
    }

    fn show(socket: &InetSocket, owner: &str) {
        let InetSocket { state, receive_queue, send_queue, local, peer, uid, .. } = socket;
        let (local, peer) = (Endpoint::from(*local), Endpoint::from(*peer));
        announce(format_args!(
            "{state:<11} {receive_queue:>7} {send_queue:>7} {local:<28} {peer:<28} uid {uid}{owner}"
        ));
    }

    fn show_unix(socket: &UnixSocket, owner: &str) {
        let UnixSocket { state, receive_queue, send_queue, addr, inode, .. } = socket;
        let (addr, peer) = (Endpoint::from(*addr), socket.peer.map(|peer| peer.to_string()).unwrap_or_default());
        announce(format_args!("{state:<11} {receive_queue:>7} {send_queue:>7} {addr:<28} {inode} -> {peer}{owner}"));
    }

    /// What this kernel knows of the connection.
    fn show_info(info: &TcpInfo) {
        let (rtt, variation) = (info.rtt().unwrap_or_default(), info.rtt_variation().unwrap_or_default());
        announce(format_args!(
            "            rtt {rtt:?} +- {variation:?}, window {}, sent {}, received {}, lost {}, retransmitted {}",
            info.congestion_window().unwrap_or(0),
            info.bytes_sent().unwrap_or(0),
            info.bytes_received().unwrap_or(0),
            info.lost().unwrap_or(0),
            info.total_retransmits().unwrap_or(0),
        ));
    }
}
