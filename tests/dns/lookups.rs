//! What a stub resolver asks, and what it makes of honest answers.

use std::{collections::HashSet, net::SocketAddr, thread, time::Duration};

use anet::{
    Errno, Error, Op,
    error::{Cause, ErrorKind},
    event::{Events, Interest, Poller},
    resolve::{
        Families, Family, Resolve, Source,
        dns::{Config, Progress, Stub},
    },
};

use super::{
    config, error, ip, ips, resolve,
    server::{A, AAAA, Asked, NXDOMAIN, REFUSED, Reply, SERVFAIL, Server, TRUNCATED, closed_server, dead_server},
    slowest_call, stub,
    support::{PATIENCE, open_fds, with_own_descriptors},
    with_config,
};

/// Has `db.internal.` with one address of each family.
fn db(asked: &Asked) -> Reply {
    match asked.name.as_str() {
        "db.internal." => asked.addresses(&["10.0.0.1", "2001:db8::1"]),
        _ => asked.reply().flags(NXDOMAIN),
    }
}

#[test]
fn both_families_are_asked_at_once_and_ipv6_comes_first() {
    let server = Server::answering(db);
    let mut stub = stub(&[server.addr()]);
    let addresses = resolve(&mut stub, "db.internal", Families::Any).unwrap();
    assert_eq!(ips(&addresses), [ip("2001:db8::1"), ip("10.0.0.1")]);
    for address in &addresses {
        assert_eq!((address.source(), address.ttl()), (Source::Dns, Some(Duration::from_secs(60))));
        assert_eq!(address.addr().port(), 80);
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].id != asked[1].id || asked[0].from != asked[1].from);
    assert!(asked.iter().all(|asked| asked.offers.is_none() && !asked.over_tcp));
}

#[test]
fn a_family_alone_is_one_query() {
    let server = Server::answering(db);
    let mut stub = stub(&[server.addr()]);
    for (families, kind, address) in [(Families::OnlyV4, A, "10.0.0.1"), (Families::OnlyV6, AAAA, "2001:db8::1")] {
        let before = server.asked().len();
        assert_eq!(ips(&resolve(&mut stub, "db.internal.", families).unwrap()), [ip(address)]);
        let asked: Vec<_> = server.asked()[before..].iter().map(|asked| asked.kind).collect();
        assert_eq!(asked, [kind]);
    }
    let addresses = resolve(&mut stub, "db.internal", Families::PreferV4).unwrap();
    assert_eq!(ips(&addresses), [ip("10.0.0.1"), ip("2001:db8::1")]);
}

#[test]
fn ids_and_ports_are_random() {
    let server = Server::answering(db);
    let mut stub = stub(&[server.addr()]);
    for _ in 0..64 {
        resolve(&mut stub, "db.internal", Families::OnlyV4).unwrap();
    }
    let asked = server.asked();
    let distinct = |values: Vec<u16>| values.into_iter().collect::<HashSet<_>>().len();
    let in_a_row = |values: Vec<u16>| values.windows(2).filter(|two| two[0].abs_diff(two[1]) <= 2).count();
    for values in [asked.iter().map(|asked| asked.id).collect(), asked.iter().map(|asked| asked.from.port()).collect()]
    {
        let values: Vec<u16> = values;
        assert!(distinct(values.clone()) > 55, "{values:?}");
        assert!(in_a_row(values.clone()) < 8, "{values:?}");
    }
}

#[test]
fn aliases_are_followed_and_the_smallest_ttl_counts() {
    let server = Server::answering(|asked| {
        asked
            .reply()
            .address("c.internal", 300, ip("10.0.0.9"))
            .alias("www.internal", 20, "b.internal")
            .alias("B.internal", 40, "c.internal")
            .address("other.internal", 1, ip("10.0.0.66"))
            .address("www.internal", 1, ip("10.0.0.67"))
    });
    let addresses = resolve(&mut stub(&[server.addr()]), "WWW.internal", Families::OnlyV4).unwrap();
    assert_eq!(ips(&addresses), [ip("10.0.0.9")]);
    assert_eq!(addresses.as_slice()[0].ttl(), Some(Duration::from_secs(20)));
}

#[test]
fn the_search_list_is_followed_in_order() {
    let server = Server::answering(|asked| match asked.name.as_str() {
        "db.prod.internal." => asked.addresses(&["10.0.0.1"]),
        "empty.internal." => asked.reply(),
        "empty.internal.dev.internal." => asked.reply().flags(REFUSED),
        _ => asked.reply().flags(NXDOMAIN),
    });
    let mut stub = with_config(config(&[server.addr()]).with_search("dev.internal prod.internal"));
    assert_eq!(ips(&resolve(&mut stub, "db", Families::OnlyV4).unwrap()), [ip("10.0.0.1")]);
    let names: Vec<_> = server.asked().iter().map(|asked| asked.name.clone()).collect();
    assert_eq!(names, ["db.dev.internal.", "db.prod.internal."]);

    assert_eq!(error(resolve(&mut stub, "nodb", Families::Any)).cause(), Cause::HostNotFound);
    // It exists, under one of its names.
    assert_eq!(error(resolve(&mut stub, "empty.internal", Families::Any)).cause(), Cause::NoAddress);
    let before = server.asked().len();
    assert_eq!(error(resolve(&mut stub, "db.", Families::OnlyV4)).cause(), Cause::HostNotFound);
    assert_eq!(server.asked()[before..].len(), 1);
}

#[test]
fn a_name_that_does_not_exist_and_one_without_address_are_different_errors() {
    let server = Server::answering(|asked| match asked.name.as_str() {
        "v4.internal." => asked.addresses(&["10.0.0.1"]),
        "failing.internal." => asked.reply().flags(SERVFAIL),
        "refused.internal." => asked.reply().flags(REFUSED),
        _ => asked.reply().flags(NXDOMAIN),
    });
    let mut stub = stub(&[server.addr()]);
    let cases = [
        ("none.internal", Cause::HostNotFound, ErrorKind::NotFound),
        ("v4.internal", Cause::NoAddress, ErrorKind::NotFound),
        ("failing.internal", Cause::NameServerFailed { rcode: 2 }, ErrorKind::Other),
        ("refused.internal", Cause::NameServerRefused, ErrorKind::PermissionDenied),
    ];
    for (name, cause, kind) in cases {
        let error = error(resolve(&mut stub, name, Families::OnlyV6));
        assert_eq!((error.cause(), error.kind()), (cause, kind), "{name}");
    }
    // One family is enough, and the other one's error is kept.
    assert_eq!(resolve(&mut stub, "v4.internal", Families::Any).unwrap().len(), 1);
    assert_eq!(stub.error(Family::V6).unwrap().cause(), Cause::NoAddress);
    assert_eq!(stub.error(Family::V4), None);
}

#[test]
fn localhost_and_numeric_text_never_reach_a_server() {
    let server = Server::answering(db);
    let mut stub = stub(&[server.addr()]);
    for (host, count) in [("localhost", 2), ("db.LOCALHOST.", 2), ("10.0.0.1", 1), ("::1", 1)] {
        assert_eq!(stub.start(host, 80, Families::Any), Ok(Progress::Done));
        assert_eq!(stub.addresses().len(), count);
    }
    assert_eq!(ips(&resolve(&mut stub, "localhost", Families::OnlyV6).unwrap()), [ip("::1")]);
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn the_first_family_is_reported_before_the_second() {
    let server = Server::answering(|asked| {
        // The second one asked.
        if asked.kind == A {
            thread::sleep(Duration::from_millis(200));
        }
        db(asked)
    });
    let poller = Poller::new().unwrap();
    let mut events = Events::<4>::new();
    let mut stub = stub(&[server.addr()]);
    poller.add(&stub, 0, Interest::READABLE).unwrap();
    let mut seen = Vec::new();
    let mut progress = stub.start("db.internal", 80, Families::Any).unwrap();
    while progress != Progress::Done {
        poller.wait(&mut events, stub.timeout()).unwrap();
        progress = stub.advance().unwrap();
        if progress != Progress::Pending {
            seen.push((progress, ips(stub.addresses())));
        }
    }
    let [(Progress::Partial, first), (Progress::Done, all)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((first.len(), all.len()), (1, 2));
    assert!(all.contains(&first[0]));
}

#[test]
fn a_truncated_answer_is_asked_for_over_tcp() {
    let server = Server::answering(|asked| match asked.over_tcp {
        false => asked.addresses(&["10.0.0.66"]).flags(TRUNCATED),
        true => (1..=60).fold(asked.reply(), |reply, n| reply.address(&asked.name, 60, ip(&format!("10.0.0.{n}")))),
    });
    let addresses = resolve(&mut stub(&[server.addr()]), "many.internal", Families::OnlyV4).unwrap();
    assert!(addresses.is_cut() && addresses.len() == 16);
    assert_eq!((ips(&addresses)[0], ips(&addresses)[15]), (ip("10.0.0.1"), ip("10.0.0.16")));
    let asked: Vec<_> = server.asked().iter().map(|asked| asked.over_tcp).collect();
    assert_eq!(asked, [false, true]);
}

#[test]
fn the_beginning_of_a_huge_answer_over_tcp_is_enough() {
    let server = Server::answering(|asked| {
        (0..2000_u32).fold(asked.reply(), |reply, n| reply.address(&asked.name, 60, std::net::Ipv4Addr::from(n).into()))
    });
    let mut stub = with_config(config(&[server.addr()]).with_use_vc(true));
    let addresses = resolve(&mut stub, "huge.internal", Families::OnlyV4).unwrap();
    assert!(addresses.is_cut() && addresses.len() == 16);
    assert!(server.asked().iter().all(|asked| asked.over_tcp));
}

#[test]
fn both_families_keep_half_of_the_room() {
    let server = Server::answering(|asked| {
        (1..=20).fold(asked.reply(), |reply, n| {
            let text = if asked.kind == A { format!("10.0.0.{n}") } else { format!("2001:db8::{n}") };
            reply.address(&asked.name, 60, ip(&text))
        })
    });
    let mut stub = with_config(config(&[server.addr()]).with_edns0(true));
    let addresses = resolve(&mut stub, "many.internal", Families::PreferV4).unwrap();
    assert!(addresses.is_cut() && addresses.len() == 16);
    assert_eq!(addresses.of_family(Family::V4).count(), 8);
    assert_eq!(addresses.as_slice()[0].family(), Family::V4);
    assert!(server.asked().iter().all(|asked| asked.offers == Some(1232)));
}

#[test]
fn a_server_without_edns0_is_asked_without_it() {
    let server = Server::answering(|asked| match asked.offers {
        Some(_) => Reply { question: Vec::new(), ..asked.reply().flags(1) },
        None => db(asked),
    });
    let mut stub = with_config(config(&[server.addr()]).with_edns0(true));
    assert_eq!(resolve(&mut stub, "db.internal", Families::Any).unwrap().len(), 2);
}

#[test]
fn a_server_that_fails_or_is_not_there_is_followed_by_the_next() {
    let failing = Server::answering(|asked| asked.reply().flags(SERVFAIL));
    let good = Server::answering(db);
    let held = closed_server();
    let closed = held.local_addr().unwrap();
    for first in [failing.addr(), closed, "255.255.255.255:53".parse().unwrap()] {
        let mut stub = stub(&[first, good.addr()]);
        assert_eq!(resolve(&mut stub, "db.internal", Families::Any).unwrap().len(), 2, "{first}");
    }
    let refused = error(resolve(&mut stub(&[closed]), "db.internal", Families::OnlyV4));
    assert_eq!(refused, Error::new(Op::Resolve, Errno::CONNREFUSED));
    // Nothing can be learned from servers that are not there, so the search list is not gone through.
    let mut stub = with_config(config(&[closed]).with_search("a b c"));
    assert_eq!(error(resolve(&mut stub, "db", Families::OnlyV4)), refused);
}

#[test]
fn a_dead_server_is_followed_by_the_next_after_the_timeout() {
    let dead = dead_server();
    let good = Server::answering(db);
    let config = config(&[dead.local_addr().unwrap(), good.addr()]).with_timeout(Duration::from_millis(50));
    assert_eq!(resolve(&mut with_config(config.clone()), "db.internal", Families::Any).unwrap().len(), 2);
    let config = config.with_name_servers(&[dead.local_addr().unwrap()]).with_attempts(3);
    let error = error(resolve(&mut with_config(config), "db.internal", Families::Any));
    assert_eq!((error.cause(), error.kind()), (Cause::NoAnswer, ErrorKind::TimedOut));
    // Two families, one server, three attempts each; the first two lookups asked it once each.
    dead.set_nonblocking(true).unwrap();
    assert_eq!(std::iter::from_fn(|| dead.recv(&mut [0; 512]).ok()).count(), 2 + 2 * 3);
}

#[test]
fn rotation_spreads_lookups_over_the_servers() {
    let servers = [Server::answering(db), Server::answering(db), Server::answering(db)];
    let addrs: Vec<SocketAddr> = servers.iter().map(Server::addr).collect();
    let mut stub = with_config(config(&addrs).with_rotate(true));
    for _ in 0..6 {
        resolve(&mut stub, "db.internal", Families::OnlyV4).unwrap();
    }
    assert_eq!(servers.each_ref().map(|server| server.asked().len()), [2, 2, 2]);
}

#[test]
fn a_late_answer_to_the_first_try_counts() {
    let server = Server::start(|asked| {
        thread::sleep(Duration::from_millis(120));
        vec![db(asked).bytes()]
    });
    let config = config(&[server.addr()]).with_timeout(Duration::from_millis(100)).with_attempts(5);
    assert_eq!(resolve(&mut with_config(config), "db.internal", Families::OnlyV4).unwrap().len(), 1);
}

#[test]
fn waiting_ends_at_the_deadline_with_what_is_known() {
    let dead = dead_server();
    let mut silent = stub(&[dead.local_addr().unwrap()]);
    let start = std::time::Instant::now();
    let limit = Duration::from_millis(50);
    let passed = silent.resolve_within("db.internal", 80, Families::Any, limit).unwrap_err();
    assert_eq!((passed.op(), passed.cause()), (Op::Resolve, Cause::DeadlinePassed));
    assert!(start.elapsed() >= limit && start.elapsed() < PATIENCE);
    assert_eq!(silent.timeout(), None);

    // A does not answer AAAA at all.
    let server = Server::start(|asked| if asked.kind == A { vec![db(asked).bytes()] } else { Vec::new() });
    let mut half = stub(&[server.addr()]).with_time_limit(Some(Duration::from_millis(300)));
    assert_eq!(ips(&half.resolve("db.internal", 80, Families::Any).unwrap()), [ip("10.0.0.1")]);
}

#[test]
fn a_new_lookup_replaces_the_one_under_way_and_no_descriptor_is_left() {
    with_own_descriptors(|| {
        let dead = dead_server();
        let mut stub = stub(&[dead.local_addr().unwrap()]);
        let before = open_fds();
        for _ in 0..100 {
            assert_eq!(stub.start("db.internal", 80, Families::Any), Ok(Progress::Pending));
            assert_eq!(open_fds(), before + 2);
        }
        stub.cancel();
        assert_eq!((open_fds(), stub.timeout()), (before, None));
        assert_eq!(stub.advance(), Ok(Progress::Done));
    });
}

#[test]
fn the_configuration_is_read_again_when_its_file_changes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("resolv.conf");
    let c_path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    let mut stub = Stub::with_files(c"/nonexistent", &c_path).unwrap();
    assert_eq!(stub.config(), &Config::new());
    std::fs::write(&path, "nameserver 127.0.0.1\nsearch old.internal\noptions timeout:1\n").unwrap();
    // Whether a server is there does not matter here.
    let _ = stub.start("db", 80, Families::OnlyV4);
    assert_eq!(stub.config().search().collect::<Vec<_>>(), ["old.internal"]);
    std::fs::write(directory.path().join("new"), "search new.internal\n").unwrap();
    std::fs::rename(directory.path().join("new"), &path).unwrap();
    let _ = stub.start("db", 80, Families::OnlyV4);
    assert_eq!(stub.config().search().collect::<Vec<_>>(), ["new.internal"]);
    std::fs::remove_file(&path).unwrap();
    let _ = stub.start("db", 80, Families::OnlyV4);
    assert_eq!(stub.config(), &Config::new());
}

#[test]
fn a_dead_server_does_not_hold_up_the_loop() {
    let dead = dead_server();
    let config = config(&[dead.local_addr().unwrap()]).with_timeout(Duration::from_millis(150)).with_attempts(2);
    let (slowest, beats) = slowest_call(&mut with_config(config), "db.internal");
    println!("longest call {slowest:?}, {beats} beats");
    assert!(beats > 10 && slowest < Duration::from_millis(100), "{slowest:?}, {beats} beats");
}
