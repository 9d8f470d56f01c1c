//! `examples/more/tls.rs` against a rustls client.

use super::*;
use std::{env, fs, path::PathBuf, process, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, pem::PemObject},
};

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// The server, and the certificate that its clients trust.
struct Tls {
    server: Server,
    config: Arc<ClientConfig>,
}

impl Tls {
    fn start(test: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{test}.pem", process::id()));
        let server = Server::start(env!("CARGO_BIN_EXE_tls"), &["--certificate", path.to_str().unwrap()]);
        let certificate = CertificateDer::from_pem_file(&path).unwrap();
        fs::remove_file(path).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self { server, config: Arc::new(config) }
    }

    fn client(&self) -> TlsStream {
        let session = ClientConnection::new(Arc::clone(&self.config), "localhost".try_into().unwrap()).unwrap();
        StreamOwned::new(session, self.server.client())
    }
}

#[test]
fn a_session_echoes_and_ends_cleanly() {
    let tls = Tls::start("echo");
    let mut client = tls.client();
    for text in ["hello", "again"] {
        client.write_all(text.as_bytes()).unwrap();
        assert_eq!(read(&mut client, text.len()), text);
    }
    client.conn.send_close_notify();
    client.flush().unwrap();
    // An end without the closing alert would be an error.
    assert_eq!(read_to_end(&mut client), "");
}

#[test]
fn a_megabyte_comes_back_to_a_client_that_reads_late() {
    let tls = Tls::start("megabyte");
    let mut client = tls.client();
    let text: String = ('a'..='z').cycle().take(1 << 20).collect();
    // More than the socket buffers hold would block a client that writes first.
    for part in text.as_bytes().chunks(1 << 16) {
        client.write_all(part).unwrap();
        assert!(read(&mut client, part.len()).as_bytes() == part);
    }
}

#[test]
fn a_client_that_does_not_speak_tls_reads_an_alert_and_the_end() {
    let tls = Tls::start("plain");
    let mut plain = tls.server.client();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).unwrap();
    // Content type 21 is an alert, of level 2, which is fatal.
    assert!(matches!(answer[..], [21, 3, _, 0, 2, 2, _]), "{answer:?}");
}

#[test]
fn a_client_that_leaves_during_the_handshake_does_not_affect_the_others() {
    let tls = Tls::start("torn");
    for torn in [&[22, 3, 1][..], &[22, 3, 1, 2, 0, 1, 0], &[]] {
        tls.server.client().write_all(torn).unwrap();
    }
    let mut client = tls.client();
    client.write_all(b"x").unwrap();
    assert_eq!(read(&mut client, 1), "x");
}
