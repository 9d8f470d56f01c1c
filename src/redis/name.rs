//! The names of peers in Redis.

use crate::addr::{Endpoint, Line, SocketText};

/// The IP address and the port; `/unixsocket` and 0 for a Unix socket, `?` and 0 for anything else.
///
/// The text has no zone: Redis uses `inet_ntop`, which does not print one.
#[doc(alias = "anetFdToString")]
pub fn ip_and_port(endpoint: &Endpoint) -> (SocketText, u16) {
    match endpoint {
        Endpoint::Inet(addr) => (addr.ip().into(), addr.port()),
        Endpoint::Unix(_) => (SocketText::short(b"/unixsocket"), 0),
        Endpoint::Unknown { .. } => (SocketText::short(b"?"), 0),
    }
}

/// Writes as much of `ip:port` to `out` as fits, with brackets around an `ip` that contains a colon, and returns the
/// length of the whole text in bytes. `ip` is not validated.
///
/// This is `anetFormatAddr` without the terminator.
///
/// ```
/// use anet::redis::format_addr;
///
/// let mut out = [0; 32];
/// let len = format_addr(b"::1", 6379, &mut out);
/// assert_eq!(&out[..len], b"[::1]:6379");
/// ```
#[doc(alias = "anetFormatAddr")]
pub fn format_addr(ip: &[u8], port: i32, out: &mut [u8]) -> usize {
    let (open, close): (&[u8], &[u8]) = if ip.contains(&b':') { (b"[", b"]") } else { (b"", b"") };
    let mut line = Line::new();
    line.number(port.unsigned_abs());
    if port < 0 {
        line.byte(b'-');
    }
    line.byte(b':');
    let port = line.as_bytes();
    let text = open.iter().chain(ip).chain(close).chain(port);
    out.iter_mut().zip(text).for_each(|(slot, &byte)| *slot = byte);
    open.len() + ip.len() + close.len() + port.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::UnixAddr;
    use std::string::ToString;

    fn formatted(ip: &str, port: i32) -> std::string::String {
        let mut out = [0; 64];
        let len = format_addr(ip.as_bytes(), port, &mut out);
        core::str::from_utf8(&out[..len]).unwrap().to_string()
    }

    #[test]
    fn an_ip_with_a_colon_gets_brackets() {
        assert_eq!(formatted("127.0.0.1", 80), "127.0.0.1:80");
        assert_eq!(formatted("::1", 0), "[::1]:0");
        assert_eq!(formatted("?", 0), "?:0");
        assert_eq!(formatted("/unixsocket", 0), "/unixsocket:0");
        assert_eq!(formatted("", -1), ":-1");
        assert_eq!(formatted("x", i32::MIN), "x:-2147483648");
        assert_eq!(formatted("x", i32::MAX), "x:2147483647");
    }

    #[test]
    fn text_that_does_not_fit_is_counted_but_not_written() {
        let mut out = *b"........";
        assert_eq!(format_addr(b"::1", 6379, &mut out[..4]), 10);
        assert_eq!(&out, b"[::1....");
        assert_eq!(format_addr(b"::1", 6379, &mut []), 10);
    }

    #[test]
    fn names_of_peers_match_redis() {
        let named = |endpoint: &Endpoint| {
            let (ip, port) = ip_and_port(endpoint);
            (ip.to_string(), port)
        };
        assert_eq!(named(&"[fe80::1%3]:80".parse().unwrap()), ("fe80::1".to_string(), 80));
        assert_eq!(named(&"1.2.3.4:80".parse().unwrap()), ("1.2.3.4".to_string(), 80));
        assert_eq!(named(&Endpoint::Unix(UnixAddr::UNNAMED)), ("/unixsocket".to_string(), 0));
        assert_eq!(named(&Endpoint::Unknown { family: 40 }), ("?".to_string(), 0));
    }
}
