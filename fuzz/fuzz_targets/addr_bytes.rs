//! Any bytes of any length that the kernel could return as an address are an endpoint, whose text parses back.
#![no_main]

use anet::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let endpoint = Endpoint::from_sockaddr(bytes);
    let text = endpoint.to_text();
    match endpoint {
        Endpoint::Unknown { .. } => assert_eq!(text.as_str(), "?"),
        Endpoint::Unix(_) => assert_eq!(text.parse(), Ok(endpoint)),
        Endpoint::Inet(addr) => {
            let read: Endpoint = text.parse().expect("our own text");
            // A flow label has no text.
            assert_eq!((read.ip(), read.port()), (Some(addr.ip()), Some(addr.port())));
        }
        _ => unreachable!("no other family is read"),
    }
});
