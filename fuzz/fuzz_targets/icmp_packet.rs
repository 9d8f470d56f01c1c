//! Any packet is read, and a pinger takes only answers that hold its own numbers.
#![no_main]

use std::{net::IpAddr, time::Duration};

use anet::icmp::{Answer, Arrival, Outcome, Pinger, Plan, Target, Version, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let ip = IpAddr::from([127, 0, 0, 1]);
    let mut targets = [Target::new(ip), Target::new(IpAddr::from([0; 16]))];
    let mut pinger = Pinger::new(&mut targets, Plan::default(), Duration::from_secs(1));
    while pinger.next_request(Duration::from_secs(9)).is_some() {}
    for version in [Version::V4, Version::V6] {
        let Some(answer) = parse(version, bytes) else { continue };
        let _ = format!("{answer:?}");
        let echo = match answer {
            Answer::Reply(echo) => echo,
            Answer::Failure(failure, quoted) => {
                assert!(!failure.to_string().is_empty());
                quoted.request
            }
            other => panic!("{other:?}"),
        };
        assert!(echo.payload.len() + 8 <= bytes.len());
        let arrival = Arrival::new(ip, Duration::from_secs(2), answer);
        // A reply repeats a cookie of 64 bits, which the fuzzer does not know.
        assert!(!matches!(pinger.take(&arrival), Some((_, Outcome::Reply { .. } | Outcome::Duplicate { .. }))));
    }
});
