//! Pings several hosts at once, on one thread.
//!
//! ```sh
//! cargo run --release --example ping -- localhost 127.0.0.2 ::1 -c 3 -i 0.2
//! ```
//! Linux only; it needs a group in `net.ipv4.ping_group_range`, or `CAP_NET_RAW`.

mod args;

use std::process::ExitCode;

use args::{Args, Outcome};

const USAGE: &str = "Usage: ping HOST... [-c COUNT] [-i SECONDS] [-W SECONDS] [-s BYTES] [-t TTL]";

fn main() -> ExitCode {
    args::exit(run(&Args::parse(USAGE, &["c", "i", "W", "s", "t"])))
}

#[cfg(not(target_os = "linux"))]
fn run(_: &Args) -> Outcome {
    Err("only Linux has unprivileged pings".into())
}

#[cfg(target_os = "linux")]
use linux::run;

#[cfg(target_os = "linux")]
mod linux {
    use std::{net::ToSocketAddrs, os::unix::net::UnixStream, time::Duration};

    use super::{Args, Outcome as ExampleOutcome};
    use crate::args::announce;
    use anet::{
        event::{Events, Interest, Poller},
        icmp::{self, IcmpSocket, Lost, Outcome, Pinger, Plan, Target},
        option,
    };
    use signal_hook::{consts::SIGINT, low_level::pipe};

    pub fn run(args: &Args) -> ExampleOutcome {
        let names = args.all_words();
        let mut targets = names.iter().map(target).collect::<Result<Vec<_>, _>>()?;
        let sockets = open(&targets, args)?;
        let seconds = |name, default| Duration::from_secs_f64(args.flag::<f64>(name, default).clamp(0.0, 1e6));
        let plan = Plan::default()
            .with_interval(seconds("i", "1"))
            .with_timeout(seconds("W", "10"))
            .with_count(args.given("c"))
            .with_payload_len(args.flag("s", "56"));
        let mut pinger = Pinger::new(&mut targets, plan, icmp::now());
        serve(&mut pinger, &sockets, names)?;
        for (name, target) in names.iter().zip(&targets) {
            announce(format_args!("--- {name} ping statistics ---\n{}", target.statistics()));
        }
        Ok(())
    }

    fn target(name: &String) -> Result<Target, String> {
        let mut addrs = (name.as_str(), 0).to_socket_addrs().map_err(|error| format!("{name}: {error}"))?;
        let addr = addrs.next().ok_or("no address")?;
        let zone = if let std::net::SocketAddr::V6(addr) = addr { addr.scope_id() } else { 0 };
        Ok(Target::new(addr.ip()).with_zone(zone))
    }

    /// One socket for each version of IP.
    fn open(targets: &[Target], args: &Args) -> Result<Vec<(bool, IcmpSocket)>, anet::Error> {
        let mut sockets = Vec::new();
        for is_v4 in [true, false] {
            if targets.iter().all(|target| target.ip().is_ipv4() != is_v4) {
                continue;
            }
            let socket = if is_v4 { IcmpSocket::open_v4() } else { IcmpSocket::open_v6() }?;
            let set = if is_v4 { option::set_ip_ttl } else { option::set_ipv6_unicast_hops };
            args.given("t").map_or(Ok(()), |ttl| set(&socket, ttl))?;
            sockets.push((is_v4, socket));
        }
        Ok(sockets)
    }

    /// Until all requests are answered or lost, or the user interrupts.
    fn serve(pinger: &mut Pinger<'_>, sockets: &[(bool, IcmpSocket)], names: &[String]) -> ExampleOutcome {
        let ((interrupted, signal), poller) = (UnixStream::pair()?, Poller::new()?);
        pipe::register(SIGINT, signal)?;
        poller.add(&interrupted, 1, Interest::READABLE)?;
        sockets.iter().try_for_each(|(_, socket)| poller.add(socket, 0, Interest::READABLE))?;
        let (mut buf, mut events) = (vec![0; 65536], Events::<4>::new());
        while let Some(deadline) = pinger.deadline() {
            poller.wait(&mut events, Some(deadline.saturating_sub(icmp::now())))?;
            if events.iter().any(|event| event.key() == 1) {
                break;
            }
            for (_, socket) in sockets {
                while let Some(arrival) = socket.receive(&mut buf)? {
                    let Some((index, outcome)) = pinger.take(&arrival) else { continue };
                    let (name, from, ttl) = (&names[index], arrival.from, arrival.hop_limit.unwrap_or(0));
                    announce(match outcome {
                        Outcome::Reply { sequence, rtt } => {
                            format!("{name}: icmp_seq={sequence} ttl={ttl} time={rtt:.3?}")
                        }
                        Outcome::Failure { sequence, failure } => {
                            format!("{name}: icmp_seq={sequence} {failure}, by {from}")
                        }
                        other => format!("{name}: {other:?}"),
                    });
                }
            }
            while let Some(Lost { target, sequence }) = pinger.next_lost(icmp::now()) {
                announce(format_args!("{}: icmp_seq={sequence} no answer", names[target]));
            }
            while let Some(request) = pinger.next_request(icmp::now()) {
                for (_, socket) in sockets.iter().filter(|(is_v4, _)| *is_v4 == request.to.is_ipv4()) {
                    pinger.sent(&request, socket.send(&request, &mut buf));
                }
            }
        }
        Ok(())
    }
}
