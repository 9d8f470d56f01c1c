//! Sources, against a map of their names; admission, against a list of the clients.

use core::net::IpAddr;
use std::collections::HashMap;

use anet::{
    Endpoint, UnixAddr,
    accept::{Admission, Limits, Reason, SourceAddr, Sources, Ticket, Verdict},
};
use proptest::{
    collection::vec,
    option::weighted,
    prelude::{Just, Strategy, any, prop_oneof},
    prop_assert_eq, proptest,
    sample::Index,
};

use super::config;

/// The text of a source, derived without the code under test; sources that count as one have the same text.
fn source_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.to_string(),
            None => format!("{:x?}", &v6.segments()[..4]),
        },
    }
}

/// Addresses of all forms, few enough to repeat.
fn ips() -> impl Strategy<Value = IpAddr> {
    let v4 = (0..12_u8).prop_map(|host| IpAddr::from([127, 0, 0, host]));
    let mapped = (0..12_u16).prop_map(|host| IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x7f00, host]));
    let v6 = (0..12_u16, 0..3_u16).prop_map(|(network, host)| IpAddr::from([0x2001, 0xdb8, 0, network, 0, 0, 0, host]));
    prop_oneof![v4, mapped, v6, Just(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]))]
}

fn peers() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        8 => (ips(), any::<u16>()).prop_map(|(ip, port)| Endpoint::Inet((ip, port).into())),
        1 => Just(Endpoint::Unix(UnixAddr::UNNAMED)),
        1 => Just(Endpoint::Unknown { family: 40 }),
    ]
}

/// The rule, stated for a list of all clients. A client's flag: whether it counts for its source.
struct Server {
    limits: (u32, Option<u32>, bool),
    clients: Vec<(Endpoint, bool)>,
}

const SOURCES: usize = 5;

impl Server {
    fn counted(&self) -> HashMap<String, u32> {
        let mut counts = HashMap::new();
        let counted = self.clients.iter().filter(|client| client.1).filter_map(|client| client.0.ip());
        counted.for_each(|ip| *counts.entry(source_text(ip)).or_insert(0) += 1);
        counts
    }

    fn refusal(&self, peer: &Endpoint) -> Option<Reason> {
        let (max_clients, max_per_source, protected) = self.limits;
        let local = match peer {
            Endpoint::Unix(_) => true,
            Endpoint::Inet(addr) => addr.ip().to_canonical().is_loopback(),
            _ => false,
        };
        if self.clients.len() >= max_clients as usize {
            return Some(Reason::MaxClients);
        }
        if protected && !local {
            return Some(Reason::ProtectedMode);
        }
        let (limit, ip) = (max_per_source?, peer.ip()?);
        let counted = self.counted();
        match counted.get(&source_text(ip)) {
            Some(&count) => (count >= limit).then_some(Reason::MaxPerSource),
            None if limit == 0 => Some(Reason::MaxPerSource),
            None => (counted.len() >= SOURCES).then_some(Reason::TooManySources),
        }
    }
}

#[derive(Clone, Debug)]
enum Visit {
    Comes(Endpoint),
    Leaves(Index),
    Limits(u32, Option<u32>, bool),
}

fn visits() -> impl Strategy<Value = Visit> {
    let limits = (0..20_u32, weighted(0.8, 0..5_u32), any::<bool>());
    prop_oneof![
        12 => peers().prop_map(Visit::Comes),
        8 => any::<Index>().prop_map(Visit::Leaves),
        1 => limits.prop_map(|(clients, per_source, protected)| Visit::Limits(clients, per_source, protected)),
    ]
}

fn limits_of((clients, per_source, protected): (u32, Option<u32>, bool)) -> Limits {
    Limits::new().with_max_clients(clients).with_max_per_source(per_source).with_protected_mode(protected)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn sources_count_as_a_map_does(seed: u64, script in vec((ips(), any::<bool>(), 1..4_u32), 0..200)) {
        const ROOM: usize = 12;
        let (mut sources, mut model) = (Sources::<ROOM>::seeded(seed), HashMap::<String, (IpAddr, u32)>::new());
        for (ip, taken, limit) in script {
            let (source, text) = (SourceAddr::from(ip), source_text(ip));
            let count = model.get(&text).map_or(0, |entry| entry.1);
            if taken {
                let expected = match count {
                    0 if model.len() == ROOM => Err(Reason::TooManySources),
                    count if count >= limit => Err(Reason::MaxPerSource),
                    _ => Ok(()),
                };
                prop_assert_eq!(sources.take(source, limit), expected);
                if expected.is_ok() {
                    model.insert(text, (ip, count + 1));
                }
            } else {
                prop_assert_eq!(sources.release(source), count > 0);
                match count {
                    0 | 1 => drop(model.remove(&text)),
                    _ => drop(model.insert(text, (ip, count - 1))),
                }
            }
            prop_assert_eq!((sources.len(), sources.is_empty()), (model.len(), model.is_empty()));
            for &(ip, count) in model.values() {
                prop_assert_eq!(sources.count(ip.into()), count);
            }
        }
    }

    #[test]
    fn admission_follows_its_rule(seed: u64, script in vec(visits(), 0..120)) {
        let limits = (8, Some(2), false);
        let mut admission = Admission::<SOURCES>::seeded(limits_of(limits), seed);
        let mut server = Server { limits, clients: Vec::new() };
        let mut tickets: Vec<Ticket> = Vec::new();
        for visit in script {
            match visit {
                Visit::Comes(peer) => {
                    let refusal = server.refusal(&peer);
                    match admission.admit(&peer) {
                        Verdict::Reject(reason) => prop_assert_eq!(Some(reason), refusal),
                        Verdict::Admit(ticket) => {
                            prop_assert_eq!(None, refusal);
                            tickets.push(ticket);
                            server.clients.push((peer, server.limits.1.is_some()));
                        }
                    }
                }
                Visit::Leaves(_) if tickets.is_empty() => {}
                Visit::Leaves(client) => {
                    let client = client.index(tickets.len());
                    admission.release(tickets.swap_remove(client));
                    server.clients.swap_remove(client);
                }
                Visit::Limits(clients, per_source, protected) => {
                    server.limits = (clients, per_source, protected);
                    admission.set_limits(limits_of(server.limits));
                }
            }
            prop_assert_eq!(admission.clients() as usize, server.clients.len());
            prop_assert_eq!(admission.is_full(), server.clients.len() >= server.limits.0 as usize);
            prop_assert_eq!(admission.sources().len(), server.counted().len());
        }
    }
}
