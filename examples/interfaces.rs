//! Lists the network interfaces and their addresses, as `ip addr` does, and watches them.
//!
//! ```sh
//! cargo run --release --example interfaces
//! cargo run --release --example interfaces -- --watch
//! ```

mod args;

use std::process::ExitCode;

use args::{Args, Outcome};

const USAGE: &str = "Usage: interfaces [--watch]";

fn main() -> ExitCode {
    args::exit(run(&Args::parse_with_switches(USAGE, &[], &["watch"])))
}

#[cfg(not(target_os = "linux"))]
fn run(_: &Args) -> Outcome {
    Err("only Linux has netlink".into())
}

#[cfg(target_os = "linux")]
use linux::run;

#[cfg(target_os = "linux")]
mod linux {
    use super::{Args, Outcome};
    use crate::args::announce;
    use anet::{
        diag::{Change, Changes, Interface, InterfaceAddr, NetlinkError, Route},
        event::{Events, Interest, Poller},
    };

    pub fn run(args: &Args) -> Outcome {
        let mut change_buf = [0; 8192];
        // Opened before the listing, so that no change falls between.
        let changes = if args.has("watch") { Some(Changes::open(&mut change_buf)?) } else { None };
        list_until_complete()?;
        changes.map_or(Ok(()), watch)
    }

    /// A listing that a change interrupts begins anew.
    fn list_until_complete() -> Outcome {
        loop {
            match list() {
                Err(error) if error.is_interrupted_dump() => {}
                other => return Ok(other?),
            }
        }
    }

    fn list() -> Result<(), NetlinkError> {
        let (mut buf, mut addr_buf) = ([0; 8192], [0; 8192]);
        let (mut route, mut addr_route) = (Route::open()?, Route::open()?);
        for interface in route.interfaces(&mut buf)? {
            let interface = interface?;
            show_interface(&interface);
            for addr in addr_route.addresses_of(interface.index, &mut addr_buf)? {
                show_addr(&addr?);
            }
        }
        Ok(())
    }

    fn show_interface(interface: &Interface) {
        let Interface { index, name, flags, mtu, state, counters, .. } = interface;
        let kind = interface.kind.map(|kind| format!(" {kind}")).unwrap_or_default();
        let address = interface.address.map(|address| format!(" {address}")).unwrap_or_default();
        let flags = joined(flags.iter_names());
        announce(format_args!("{index}: {name}: <{flags}>{kind}{address} {state} mtu {mtu}"));
        announce(format_args!(
            "    received {} bytes in {} packets, sent {} bytes in {} packets",
            counters.received_bytes, counters.received_packets, counters.sent_bytes, counters.sent_packets
        ));
    }

    fn show_addr(addr: &InterfaceAddr) {
        let InterfaceAddr { ip, prefix_len, scope, flags, .. } = addr;
        let peer = addr.peer.map(|peer| format!(" peer {peer}")).unwrap_or_default();
        announce(format_args!("    {ip}/{prefix_len}{peer} {scope} <{}>", joined(flags.iter_names())));
    }

    fn joined<T>(names: impl Iterator<Item = (&'static str, T)>) -> String {
        names.map(|(name, _)| name).collect::<Vec<_>>().join(",")
    }

    fn watch(mut changes: Changes<'_>) -> Outcome {
        let poller = Poller::new()?;
        poller.add(&changes, 0, Interest::READABLE)?;
        loop {
            poller.wait(&mut Events::<1>::new(), None)?;
            while let Some(change) = changes.next_change()? {
                match change {
                    Change::Interface(interface) => show_interface(&interface),
                    Change::InterfaceRemoved(interface) => announce(format_args!("{} is gone", interface.name)),
                    Change::Address(addr) => show_addr(&addr),
                    Change::AddressRemoved(addr) => announce(format_args!("{} is gone", addr.ip)),
                    // Changes came faster than they were shown.
                    _ => list_until_complete()?,
                }
            }
        }
    }
}
