//! Connects to a name, and shows how: each attempt with its time and outcome, then both addresses and the round-trip
//! time.
//!
//! ```sh
//! cargo run --release --example connect -- localhost:6379
//! ```

mod args;

use core::{error::Error, time::Duration};
use std::process::ExitCode;

use anet::{
    Endpoint,
    addr::HostPort,
    connect::{Connector, Pending, race::Order},
    resolve::{Families, Family, Resolve, System},
};
use args::{Args, Outcome, announce};

const USAGE: &str = "Usage: connect [--stagger MILLISECONDS] [--timeout MILLISECONDS] HOST:PORT|ADDRESS";

fn main() -> ExitCode {
    let args = Args::parse(USAGE, &["stagger", "timeout"]);
    let [target] = args.words::<String, 1>();
    args::exit(connect(&target, args.millis("stagger", "250"), args.millis("timeout", "10000")))
}

fn connect(target: &str, stagger: Duration, timeout: Duration) -> Outcome {
    let endpoints = endpoints(target)?;
    let connector = Connector::new().with_order(order(&endpoints)).with_stagger(stagger).with_timeout(Some(timeout));
    let mut pending = Pending::new(endpoints, connector);
    let connected = pending.wait();
    for tried in pending.attempts() {
        announce(format_args!(
            "{:>8.1} ms  {}: {} after {:.1} ms",
            millis(tried.began),
            tried.endpoint,
            tried.outcome,
            millis(tried.took)
        ));
    }
    let stream = connected?;
    announce(format_args!("{} -> {}", stream.local_addr()?, stream.peer_addr()?));
    #[cfg(target_os = "linux")]
    if let Some(rtt) = anet::option::tcp_info(&stream).ok().and_then(|info| info.rtt()) {
        announce(format_args!("round-trip time {:.3} ms", millis(rtt)));
    }
    Ok(())
}

/// An address is used as it is; a name is resolved.
fn endpoints(target: &str) -> Result<Vec<Endpoint>, Box<dyn Error>> {
    if let Ok(endpoint) = target.parse() {
        return Ok(vec![endpoint]);
    }
    let HostPort { host, port } = HostPort::parse(target)?;
    let port = port.ok_or("a port is missing")?;
    let addresses = System.resolve(&host.to_string(), port, Families::Any)?;
    Ok(addresses.iter().map(|address| address.endpoint()).collect())
}

/// The families in turn, beginning with that of the first address (RFC 8305, 4).
fn order(endpoints: &[Endpoint]) -> Order {
    match endpoints.first().and_then(Endpoint::ip) {
        Some(ip) if ip.is_ipv4() => Order::Alternating(Family::V4),
        Some(_) => Order::Alternating(Family::V6),
        None => Order::Listed,
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
