//! The stub resolver against servers: obedient, hostile, slow, dead, and Debian's dnsmasq.

#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

mod hostile;
mod lookups;
mod named;
mod named_ends;
mod real;
mod server;
#[path = "../support/mod.rs"]
mod support;

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anet::{
    Error, Op,
    error::Cause,
    event::{Events, Interest, Poller},
    resolve::{
        Addresses, Families,
        dns::{Config, Progress, Stub},
    },
};

use support::PATIENCE;

/// A stub that asks these servers and has no hosts file.
fn stub(servers: &[SocketAddr]) -> Stub<'static> {
    with_config(config(servers))
}

/// Short timeouts, for servers on this host.
fn config(servers: &[SocketAddr]) -> Config {
    Config::new().with_name_servers(servers).with_timeout(Duration::from_secs(20)).with_attempts(1)
}

fn with_config(config: Config) -> Stub<'static> {
    Stub::with_config(c"/nonexistent", config).unwrap()
}

/// Drives a lookup with a poller, as a server does.
fn resolve(stub: &mut Stub<'_>, host: &str, families: Families) -> Result<Addresses, Error> {
    let poller = Poller::new().unwrap();
    let mut events = Events::<4>::new();
    poller.add(&*stub, 7, Interest::READABLE).unwrap();
    let start = Instant::now();
    let mut progress = stub.start(host, 80, families)?;
    while progress != Progress::Done {
        poller.wait(&mut events, stub.timeout()).unwrap();
        progress = stub.advance()?;
        assert!(start.elapsed() < PATIENCE, "no result");
    }
    assert_eq!(stub.timeout(), None);
    Ok(stub.addresses().clone())
}

fn error(result: Result<Addresses, Error>) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.op(), Op::Resolve);
    error
}

fn ips(addresses: &Addresses) -> Vec<IpAddr> {
    addresses.iter().map(|address| address.addr().ip()).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A socket at this address that takes queries and never answers.
fn dead_server_at(addr: &str) -> UdpSocket {
    UdpSocket::bind(addr).unwrap()
}

/// Drives a lookup that fails because no server answers, in a loop that has a heartbeat every millisecond. Returns the
/// time of the longest call of the stub, and the number of heartbeats.
fn slowest_call(stub: &mut Stub<'_>, host: &str) -> (Duration, u32) {
    const BEAT: Duration = Duration::from_millis(1);
    let poller = Poller::new().unwrap();
    let mut events = Events::<4>::new();
    poller.add(&*stub, 0, Interest::READABLE).unwrap();
    let (mut slowest, mut beats) = (Duration::ZERO, 0);
    let mut progress = timed(&mut slowest, || stub.start(host, 80, Families::Any));
    while let Ok(Progress::Pending) = progress {
        let timeout = stub.timeout().unwrap();
        poller.wait(&mut events, Some(timeout.min(BEAT))).unwrap();
        beats += 1;
        // Every turn, whether it is called for or not.
        progress = timed(&mut slowest, || stub.advance());
    }
    assert_eq!(progress.unwrap_err().cause(), Cause::NoAnswer);
    (slowest, beats)
}

fn timed<T>(slowest: &mut Duration, call: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = call();
    *slowest = start.elapsed().max(*slowest);
    value
}
