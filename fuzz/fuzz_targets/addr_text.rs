//! Any text is parsed or refused at one of its bytes; a parsed address formats to a text that parses to the same; and
//! `core::net` agrees, except for the list of `anet::addr::parse`. The same bytes as a kernel's `sun_path` are returned
//! unchanged.
#![no_main]

use std::net::{IpAddr, SocketAddr};

use anet::addr::{Endpoint, HostPort, ParseError, ParseErrorKind, SocketText, UnixAddr, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let name = Endpoint::Unix(UnixAddr::from_sun_path(bytes));
    assert_eq!(name.to_text().parse(), Ok(name));
    if let Ok(text) = std::str::from_utf8(bytes) {
        ip(text);
        socket_addr(text);
        endpoint(text);
        host(text);
        refused_within(text, parse::port(text).err());
    }
});

fn refused_within(text: &str, error: Option<ParseError>) {
    assert!(error.is_none_or(|error| error.at() <= text.len()));
}

fn ip(text: &str) {
    let ours = parse::ip(text);
    assert_eq!(ours.ok(), text.parse::<IpAddr>().ok());
    refused_within(text, ours.err());
    if let Ok(ip) = ours {
        assert_eq!(parse::ip(&SocketText::from(ip)), ours);
    }
}

fn socket_addr(text: &str) {
    match (parse::socket_addr(text), text.parse::<SocketAddr>()) {
        (Ok(ours), cores) => assert_eq!(Ok(ours), cores),
        (Err(error), Ok(_)) => assert_eq!(error.kind(), ParseErrorKind::LeadingZero),
        (Err(_), Err(_)) => {}
    }
}

fn endpoint(text: &str) {
    let ours = text.parse::<Endpoint>();
    refused_within(text, ours.err());
    if let Ok(endpoint) = ours {
        let again = endpoint.to_text();
        assert_eq!(again.parse(), ours);
        assert!(!again.contains(char::is_control));
    }
}

fn host(text: &str) {
    let ours = HostPort::parse(text);
    refused_within(text, ours.err());
    if let Ok(host) = ours {
        assert_eq!(HostPort::parse(&host.to_string()), ours);
    }
}
