//! The search of a hosts file finds what reading it word by word finds; any bytes are a services file.
#![no_main]

use std::{net::IpAddr, str};

use anet::{
    addr::parse,
    resolve::{Services, Transport, find_host},
};
use libfuzzer_sys::fuzz_target;

fn is_blank(byte: &u8) -> bool {
    b" \t\r\x0b\x0c".contains(byte)
}

/// Word by word.
fn slow(file: &[u8], name: &str) -> Vec<IpAddr> {
    let lines = file.split(|&byte| byte == b'\n').filter_map(|line| line.split(|&byte| byte == b'#').next());
    let mut found = Vec::new();
    for line in lines {
        let mut words = line.split(is_blank).filter(|word| !word.is_empty());
        let ip = words.next().and_then(|word| parse::ip(str::from_utf8(word).ok()?).ok());
        if words.any(|word| word.eq_ignore_ascii_case(name.as_bytes())) {
            found.extend(ip);
        }
    }
    found
}

fuzz_target!(|input: (&str, &[u8])| {
    let (name, file) = input;
    let mut found = Vec::new();
    find_host(file, name, |ip| found.push(ip));
    // Only a word of at most 255 bytes can be a name.
    let is_word = !name.is_empty() && name.len() <= 255;
    let is_word = is_word && !name.bytes().any(|byte| is_blank(&byte) || b"\n#".contains(&byte));
    assert_eq!(found, if is_word { slow(file, name) } else { Vec::new() });
    let services = Services::new(file);
    let port = services.port(name, Transport::Tcp);
    if let Some(port) = port {
        assert!(services.name(port, Transport::Tcp).is_some() || str::from_utf8(file).is_err());
    }
    let _ = services.host_port(name, Transport::Udp);
});
