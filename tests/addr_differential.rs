//! Our address texts and parsers against glibc's `inet_ntop`/`inet_pton` and `core::net`.
//!
//! Every difference that is not in the list of `anet::addr::parse` is a failure; each entry of that list has a test
//! here. The random part has a fixed seed and does ten million rounds in release mode.

#![allow(unsafe_code)]

use core::{
    ffi::{CStr, c_char, c_int, c_void},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};
use std::ffi::CString;

use anet::addr::{
    HostPort, SocketText,
    parse::{self, ParseErrorKind},
};

const ROUNDS: u64 = if cfg!(debug_assertions) { 100_000 } else { 10_000_000 };

// What the libc crate does not declare for Linux.
unsafe extern "C" {
    fn inet_aton(text: *const c_char, addr: *mut libc::in_addr) -> c_int;
    fn inet_ntop(family: c_int, addr: *const c_void, text: *mut c_char, len: libc::socklen_t) -> *const c_char;
    fn inet_pton(family: c_int, text: *const c_char, addr: *mut c_void) -> c_int;
}

/// The text that glibc gives an address.
fn glibc_text(ip: IpAddr) -> String {
    let mut text: [c_char; 64] = [0; 64];
    let (family, bytes) = match ip {
        IpAddr::V4(ip) => (libc::AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (libc::AF_INET6, ip.octets().to_vec()),
    };
    // SAFETY: `bytes` is as long as the family says and `text` as its length says.
    let end = unsafe { inet_ntop(family, bytes.as_ptr().cast(), text.as_mut_ptr(), text.len() as u32) };
    assert!(!end.is_null());
    // SAFETY: inet_ntop succeeded, so there is a terminator in `text`.
    unsafe { CStr::from_ptr(text.as_ptr()) }.to_str().unwrap().to_owned()
}

/// The address that glibc reads in a text without NUL.
fn glibc_reads(text: &str) -> Option<IpAddr> {
    let text = CString::new(text).unwrap();
    let (v4, v6) = (pton(libc::AF_INET, &text), pton(libc::AF_INET6, &text));
    assert!(v4.is_none() || v6.is_none());
    v4.map(|[a, b, c, d, ..]| Ipv4Addr::new(a, b, c, d).into())
        .or_else(|| v6.map(|octets| Ipv6Addr::from(octets).into()))
}

fn pton(family: c_int, text: &CStr) -> Option<[u8; 16]> {
    let mut octets = [0; 16];
    // SAFETY: the text is terminated and there is room for the longer of the two addresses.
    let result = unsafe { inet_pton(family, text.as_ptr(), octets.as_mut_ptr().cast()) };
    (result == 1).then_some(octets)
}

/// The text that core gives an address, with the one difference in our list applied.
fn core_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V6(v6) if v6.to_bits() >> 32 == 0 && v6.to_bits() > 0xffff => {
            format!("::{}", Ipv4Addr::from_bits(v6.to_bits() as u32))
        }
        _ => ip.to_string(),
    }
}

fn agree_on_address(ip: IpAddr) {
    let text = SocketText::from(ip);
    assert_eq!(text.as_str(), glibc_text(ip));
    assert_eq!(text.as_str(), core_text(ip));
    assert_eq!(parse::ip(&text), Ok(ip));
    assert_eq!(HostPort::parse(&text).unwrap().port, None);
}

fn agree_on_socket_addr(addr: SocketAddr) {
    let text = SocketText::from(addr);
    assert_eq!(parse::socket_addr(&text), Ok(addr), "{text}");
    assert_eq!(text.parse(), Ok(addr), "{text}");
}

fn agree_on_text(text: &str) {
    let ours = parse::ip(text).ok();
    assert_eq!(ours, glibc_reads(text), "glibc reads {text:?} otherwise");
    assert_eq!(ours, text.parse().ok(), "core reads {text:?} otherwise");
    agree_on_socket_text(text);
}

/// Only core accepts leading zeros.
fn agree_on_socket_text(text: &str) {
    match (parse::socket_addr(text), text.parse::<SocketAddr>()) {
        (Ok(ours), Ok(cores)) => assert_eq!(ours, cores, "{text:?}"),
        (Err(error), Ok(_)) => assert_eq!(error.kind(), ParseErrorKind::LeadingZero, "{text:?}"),
        (Ok(_), Err(_)) => panic!("core refuses {text:?}"),
        (Err(error), Err(_)) => assert!(error.at() <= text.len(), "{text:?}"),
    }
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 32) as usize % limit
    }

    /// Groups of every length, and zeros in about half of all places.
    fn group(&mut self) -> u16 {
        let group = self.next() as u16;
        match self.below(10) {
            0..5 => 0,
            5 => 0xffff,
            shift => group >> (4 * (shift - 6)),
        }
    }

    fn v6(&mut self) -> Ipv6Addr {
        let groups = [(); 8].map(|()| self.group());
        match self.below(8) {
            0 => Ipv6Addr::from_bits(groups[0].into()),
            1 => Ipv6Addr::from_bits(u128::from(self.next() as u32)),
            2 => Ipv4Addr::from_bits(self.next() as u32).to_ipv6_mapped(),
            _ => Ipv6Addr::from(groups),
        }
    }

    fn v4(&mut self) -> Ipv4Addr {
        Ipv4Addr::from([(); 4].map(|()| self.next() as u8 >> self.below(8)))
    }

    fn socket_addr(&mut self) -> SocketAddr {
        let port = self.next() as u16 >> self.below(16);
        match self.below(4) {
            0 => SocketAddrV4::new(self.v4(), port).into(),
            1 => SocketAddrV6::new(self.v6(), port, 0, self.next() as u32 >> self.below(32)).into(),
            _ => SocketAddrV6::new(self.v6(), port, 0, 0).into(),
        }
    }

    fn byte(&mut self) -> char {
        const ALPHABET: &[u8] = b"0123456789abcdefABCDEF:::::.....[]%0000011ffxg -+/\t";
        char::from(ALPHABET[self.below(ALPHABET.len())])
    }

    /// The text of an address with up to three bytes inserted, removed or replaced; sometimes pure noise.
    fn text(&mut self) -> String {
        let mut text: Vec<char> = match self.below(8) {
            0 => Vec::new(),
            1 => self.v4().to_string().chars().collect(),
            2..5 => self.socket_addr().to_string().chars().collect(),
            _ => self.v6().to_string().chars().collect(),
        };
        let edits = if text.is_empty() { self.below(24) } else { self.below(4) };
        for _ in 0..edits {
            let (at, byte) = (self.below(text.len() + 1), self.byte());
            match self.below(3) {
                0 if at < text.len() => text[at] = byte,
                1 if at < text.len() => drop(text.remove(at)),
                _ => text.insert(at, byte),
            }
        }
        text.into_iter().collect()
    }
}

#[test]
fn ten_million_random_addresses_and_texts() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        agree_on_address(random.v6().into());
        agree_on_socket_addr(random.socket_addr());
        agree_on_text(&random.text());
    }
}

#[test]
fn every_shape_of_zero_runs() {
    for zeros in 0..=u8::MAX {
        for value in [1, 0x10, 0xabc, 0xffff] {
            let groups: [u16; 8] = core::array::from_fn(|group| if zeros >> group & 1 == 1 { 0 } else { value });
            agree_on_address(Ipv6Addr::from(groups).into());
        }
    }
}

/// The ways to write an address with eight groups or less that `::` and a dotted end allow, right and wrong.
#[test]
fn every_shape_of_v6_text() {
    for groups in 0..=10 {
        for gap in 0..=groups + 1 {
            for end in ["", ":", "::", ":1.2.3.4", "1.2.3.4", ".", "%1", ":12345", ":g"] {
                let head = vec!["a"; gap.min(groups)].join(":");
                let tail = vec!["b"; groups - gap.min(groups)].join(":");
                for middle in ["::", ":", ":::"] {
                    agree_on_text(&format!("{head}{middle}{tail}{end}"));
                    agree_on_text(&format!("[{head}{middle}{tail}{end}]:80"));
                }
            }
        }
    }
}

#[test]
fn every_octet_in_every_place() {
    for place in 0..4 {
        for octet in 0..=u8::MAX {
            let mut octets = [0, 9, 10, 255];
            octets[place] = octet;
            agree_on_address(Ipv4Addr::from(octets).into());
            agree_on_address(Ipv4Addr::from(octets).to_ipv6_mapped().into());
        }
    }
    for number in 0..2000 {
        for text in [format!("{number}.0.0.0"), format!("0.0.0.{number}"), format!("0.0.0.0{number}")] {
            agree_on_text(&text);
        }
    }
}

#[test]
fn every_port() {
    for port in 0..=u16::MAX {
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            agree_on_socket_addr(SocketAddr::new(ip, port));
            assert_eq!(SocketText::from(SocketAddr::new(ip, port)).as_str(), SocketAddr::new(ip, port).to_string());
        }
        assert_eq!(parse::port(&port.to_string()), Ok(port));
    }
    for port in (65_536..200_000).chain([u32::MAX]) {
        assert_eq!(parse::port(&port.to_string()).unwrap_err().kind(), ParseErrorKind::PortOutOfRange);
    }
}

#[test]
fn difference_core_accepts_leading_zeros_of_ports_and_zones() {
    for (text, at) in [("1.2.3.4:00080", 8), ("[::1]:00", 6), ("[::1%01]:80", 5)] {
        assert!(text.parse::<SocketAddr>().is_ok());
        let error = parse::socket_addr(text).unwrap_err();
        assert_eq!((error.kind(), error.at()), (ParseErrorKind::LeadingZero, at));
    }
}

#[test]
fn difference_core_prints_v4_compatible_addresses_in_hexadecimal() {
    let ip: IpAddr = "::1.2.3.4".parse().unwrap();
    assert_eq!((ip.to_string().as_str(), SocketText::from(ip).as_str()), ("::102:304", "::1.2.3.4"));
    assert_eq!(glibc_text(ip), "::1.2.3.4");
}

#[test]
fn difference_glibc_stops_at_a_nul() {
    assert!(pton(libc::AF_INET, CStr::from_bytes_until_nul(b"1.2.3.4\0x\0").unwrap()).is_some());
    let error = parse::ip("1.2.3.4\0x").unwrap_err();
    assert_eq!((error.kind(), error.at()), (ParseErrorKind::UnexpectedByte, 7));
}

#[test]
fn difference_inet_aton_accepts_short_octal_and_hexadecimal_forms() {
    for text in ["127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "0x7f000001", "127.0.0.0x1", "0X7F.1"] {
        let (terminated, mut addr) = (CString::new(text).unwrap(), libc::in_addr { s_addr: 0 });
        // SAFETY: the text is terminated and `addr` has room for the address.
        assert_eq!(unsafe { inet_aton(terminated.as_ptr(), &raw mut addr) }, 1);
        assert_eq!(u32::from_be(addr.s_addr), 0x7f00_0001);
        assert!(parse::ip(text).is_err() && HostPort::parse(text).is_err(), "{text}");
    }
}

#[test]
fn difference_getaddrinfo_accepts_leading_zeros_of_zones() {
    let text = CString::new("fe80::1%01").unwrap();
    let mut list = core::ptr::null_mut();
    // SAFETY: the text is terminated, the other arguments may be null, and `list` has room for a pointer.
    let result = unsafe { libc::getaddrinfo(text.as_ptr(), core::ptr::null(), core::ptr::null(), &raw mut list) };
    assert_eq!(result, 0);
    // SAFETY: getaddrinfo succeeded, so the list is valid and not yet freed.
    unsafe { libc::freeaddrinfo(list) };
    assert_eq!(HostPort::parse("fe80::1%01").unwrap_err().kind(), ParseErrorKind::LeadingZero);
}
