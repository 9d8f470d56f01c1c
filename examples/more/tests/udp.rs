//! `examples/udp.rs`.

use super::*;
use std::net::UdpSocket;

fn client(server: &Server) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.addr).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

#[test]
fn a_question_is_answered_and_nothing_else_is() {
    let server = Server::start(env!("CARGO_BIN_EXE_udp"), &[]);
    let client = client(&server);
    let long = [b'?'; 1453];
    for ignored in [&b"!answer"[..], b"", b"text", &long] {
        client.send(ignored).unwrap();
    }
    let mut buffer = [0; 2000];
    for question in ["?", "?what"] {
        client.send(question.as_bytes()).unwrap();
        let len = client.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], question.replace('?', "!").as_bytes());
    }
}

#[test]
fn a_client_that_is_gone_does_not_keep_the_others_from_their_answers() {
    let server = Server::start(env!("CARGO_BIN_EXE_udp"), &[]);
    for _ in 0..100 {
        client(&server).send(b"?").unwrap();
    }
    let client = client(&server);
    client.send(b"?x").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(client.recv(&mut buffer).unwrap(), 2);
}
