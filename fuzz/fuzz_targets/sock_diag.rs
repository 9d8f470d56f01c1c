//! Any answer of `sock_diag` is read to its end, as a TCP, UDP or Unix socket.
#![no_main]

use anet::diag::{InetProtocol, InetSocket, UnixSocket, netlink::Messages};
use libfuzzer_sys::fuzz_target;

/// `SOCK_DIAG_BY_FAMILY`, so that the fuzzer need not find it.
const HEADER: [u8; 16] = [0, 0, 0, 0, 20, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0];

fuzz_target!(|bytes: &[u8]| {
    let mut framed = HEADER.to_vec();
    framed.extend(bytes);
    framed[..4].copy_from_slice(&(16 + bytes.len() as u32).to_ne_bytes());
    for datagram in [bytes, &framed] {
        for message in Messages::new(datagram).flatten() {
            for protocol in [InetProtocol::Tcp, InetProtocol::Udp] {
                if let Ok(Some(socket)) = InetSocket::parse(protocol, &message) {
                    let _ = format!("{socket:?} {}", socket.state);
                    assert!(socket.info.is_none_or(|info| info.as_bytes().len() <= 280));
                }
            }
            if let Ok(Some(socket)) = UnixSocket::parse(&message) {
                let _ = format!("{socket:?} {}", anet::Endpoint::from(socket.addr));
            }
        }
    }
});
