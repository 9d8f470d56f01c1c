//! Any bytes are a resolv.conf, whose values are in range. What comes of it, written as a file, is the same.
#![no_main]

use std::{fmt::Write, time::Duration};

use anet::resolve::dns::{Config, NAME_SERVERS_MAX, SEARCH_LIST_LEN};
use libfuzzer_sys::fuzz_target;

fn written(config: &Config) -> String {
    let mut file = String::new();
    for server in config.name_servers() {
        let (ip, zone) = match server {
            std::net::SocketAddr::V6(addr) => (addr.ip().to_string(), addr.scope_id()),
            std::net::SocketAddr::V4(addr) => (addr.ip().to_string(), 0),
        };
        let zone = if zone == 0 { String::new() } else { format!("%{zone}") };
        writeln!(file, "nameserver {ip}{zone}").unwrap();
    }
    let domains: Vec<_> = config.search().collect();
    writeln!(file, "search {}", domains.join(" ")).unwrap();
    let (ndots, timeout, attempts) = (config.ndots(), config.timeout().as_secs(), config.attempts());
    write!(file, "options ndots:{ndots} timeout:{timeout} attempts:{attempts}").unwrap();
    for (name, is_set) in [("rotate", config.rotate()), ("edns0", config.edns0()), ("use-vc", config.use_vc())] {
        file += &if is_set { format!(" {name}") } else { String::new() };
    }
    file
}

fuzz_target!(|file: &[u8]| {
    let config = Config::parse(file);
    assert!(config.name_servers().len() <= NAME_SERVERS_MAX);
    assert!(config.name_servers().iter().all(|server| server.port() == 53));
    assert!(config.search().map(|domain| domain.len() + 1).sum::<usize>() <= SEARCH_LIST_LEN);
    assert!(config.ndots() <= 15 && (1..=5).contains(&config.attempts()));
    assert!((Duration::from_secs(1)..=Duration::from_secs(30)).contains(&config.timeout()));
    assert_eq!(Config::parse(written(&config).as_bytes()), config);
});
