//! `examples/udp_client.rs`, `examples/udp_connected.rs` with `examples/udp.rs`, and `examples/unix_datagram.rs`.

use super::*;
use std::net::UdpSocket;

/// An address where no socket receives.
fn vacant() -> String {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_udp_client_prints_the_answer_of_the_server() {
    let server = Server::start(env!("CARGO_BIN_EXE_udp"), &[]);
    let addr = server.addr.to_string();
    let (status, stdout, _) = output_of(env!("CARGO_BIN_EXE_udp_client"), &[&addr, "what"]);
    let expected = format!("sent 5 bytes to {addr}, question 1\nreceived 5 bytes from {addr}: !what\n");
    assert_eq!((status, stdout), (Some(0), expected));
}

#[test]
fn a_udp_client_without_a_server_asks_three_times_and_learns_nothing() {
    let addr = vacant();
    let (status, stdout, stderr) = output_of(env!("CARGO_BIN_EXE_udp_client"), &[&addr]);
    assert_eq!((status, stdout.lines().count()), (Some(1), 3), "{stdout}");
    assert!(stderr.contains("no answer: "), "{stderr}");
}

#[test]
fn a_udp_client_ignores_answers_of_others() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let addr = server.local_addr().unwrap().to_string();
    let client = thread::spawn(move || output_of(env!("CARGO_BIN_EXE_udp_client"), &[&addr]));
    let mut buffer = [0; 16];
    let (_, from) = server.recv_from(&mut buffer).unwrap();
    stranger.send_to(b"forged", from).unwrap();
    server.send_to(b"genuine", from).unwrap();
    let (status, stdout, _) = client.join().unwrap();
    assert_eq!(status, Some(0));
    let ignored = format!("ignored a datagram from {}\n", stranger.local_addr().unwrap());
    assert!(stdout.contains(&ignored) && stdout.ends_with(": genuine\n"), "{stdout}");
}

#[test]
fn a_connected_udp_client_prints_the_answer() {
    let server = Server::start(env!("CARGO_BIN_EXE_udp"), &[]);
    let (status, stdout, _) = output_of(env!("CARGO_BIN_EXE_udp_connected"), &[&server.addr.to_string(), "what"]);
    assert_eq!(status, Some(0));
    assert!(stdout.ends_with("received !what\n"), "{stdout}");
}

#[test]
fn a_connected_udp_client_is_refused_once_without_a_server() {
    let (status, stdout, _) = output_of(env!("CARGO_BIN_EXE_udp_connected"), &[&vacant()]);
    let refused =
        "recvfrom: Connection refused: the host is there, but no socket has the port\npending error now: None\n";
    assert_eq!(status, Some(0));
    assert!(stdout.ends_with(refused), "{stdout}");
}

#[test]
fn unix_datagrams_keep_their_boundaries_and_carry_a_file() {
    let (status, stdout, stderr) = output_of(env!("CARGO_BIN_EXE_unix_datagram"), &[]);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    let expected = [
        "received \"one\"",
        "received \"\"",
        "received \"three\"",
        "received 8 of Some(26) bytes, truncated: true",
        "nothing left: recvfrom: Resource temporarily unavailable",
        "read from the received file: unix_datagram",
        "after the peer has closed: sendto: Connection refused",
    ];
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);
}
