//! Requests as datagrams, and the file that tells the ports.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr, UdpSocket},
    process::Command,
};

use crate::server::*;

/// A client that sends from a port of its own.
fn udp_client(server: SocketAddr) -> UdpSocket {
    let any = if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let client = UdpSocket::bind(any).unwrap();
    client.connect(server).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// The reply to one request.
fn ask(client: &UdpSocket, request: &[u8]) -> String {
    client.send(request).unwrap();
    let mut reply = vec![0; 65536];
    let len = client.recv(&mut reply).unwrap();
    String::from_utf8(reply[..len].to_vec()).unwrap()
}

fn addrs(server: &Server) -> [SocketAddr; 2] {
    ["127.0.0.1", "::1"].map(|ip| SocketAddr::new(ip.parse::<IpAddr>().unwrap(), server.port))
}

#[test]
fn a_datagram_with_a_request_is_answered_with_one() {
    let server = Server::start(&["--udp"]);
    for addr in addrs(&server) {
        let client = udp_client(addr);
        assert_eq!(ask(&client, b"PING\r\n"), "+PONG\r\n");
        assert_eq!(ask(&client, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n"), "+OK\r\n");
        assert_eq!(ask(&client, b"GET k\r\n"), "$5\r\nvalue\r\n");
    }
}

#[test]
fn several_requests_in_a_datagram_are_answered_with_one() {
    let server = Server::start(&["--udp"]);
    let [v4, _] = addrs(&server);
    let client = udp_client(v4);
    assert_eq!(ask(&client, b"PING\r\nECHO a\r\n"), "+PONG\r\n$1\r\na\r\n");
    let torn = "+PONG\r\n-ERR Protocol error: incomplete request\r\n";
    assert_eq!(ask(&client, b"PING\r\nECH"), torn);
}

#[test]
fn clients_of_both_kinds_see_the_same_keys() {
    let server = Server::start(&["--udp"]);
    let _: () = redis::cmd("SET").arg("shared").arg("1").query(&mut server.client()).unwrap();
    let [v4, _] = addrs(&server);
    assert_eq!(ask(&udp_client(v4), b"INCR shared\r\n"), ":2\r\n");
}

#[test]
fn a_request_that_does_not_fit_its_datagram_is_an_error_and_the_next_is_served() {
    let server = Server::start(&["--udp"]);
    let [v4, _] = addrs(&server);
    let client = udp_client(v4);
    assert_eq!(ask(&client, b"GET"), "-ERR Protocol error: incomplete request\r\n");
    assert_eq!(ask(&client, b"*2\r\n$3\r\nGET\r\n$9\r\nk\r\n"), "-ERR Protocol error: incomplete request\r\n");
    assert_eq!(ask(&client, b"*1\r\nPING"), "-ERR Protocol error: incomplete request\r\n");
    assert_eq!(ask(&client, b"*1\r\n!PING\r\n"), "-ERR Protocol error: expected '$', got '!'\r\n");
    assert_eq!(ask(&client, b"CLIENT ID\r\n"), "-ERR CLIENT needs a connection\r\n");
    assert_eq!(ask(&client, b"PING\r\n"), "+PONG\r\n");
}

#[test]
fn a_reply_too_long_for_a_datagram_is_an_error() {
    let server = Server::start(&["--udp"]);
    let long = "x".repeat(100_000);
    let _: () = redis::cmd("SET").arg("long").arg(&long).query(&mut server.client()).unwrap();
    let [v4, _] = addrs(&server);
    assert_eq!(ask(&udp_client(v4), b"GET long\r\n"), "-ERR reply too long for a datagram\r\n");
}

#[test]
fn an_empty_datagram_is_not_the_end_of_anything() {
    let server = Server::start(&["--udp"]);
    let [v4, _] = addrs(&server);
    let client = udp_client(v4);
    assert_eq!(ask(&client, b""), "-ERR Protocol error: incomplete request\r\n");
    assert_eq!(ask(&client, b"PING\r\n"), "+PONG\r\n");
}

/// A client in another language, with nothing of this crate in it.
#[test]
fn a_python_client_is_answered() {
    const CLIENT: &str = "\
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(20)
for i in range(100):
    client.sendto(b'INCR n\\r\\n', ('127.0.0.1', int(sys.argv[1])))
    assert client.recv(100) == b':%d\\r\\n' % (i + 1)
print('done')
";
    let server = Server::start(&["--udp"]);
    let python = Command::new("python3").args(["-c", CLIENT, &server.port.to_string()]).output();
    let Ok(output) = python else {
        eprintln!("SKIPPED: there is no python3");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_the_flag_no_datagram_is_taken() {
    let server = Server::start(&[]);
    let [v4, _] = addrs(&server);
    let client = udp_client(v4);
    client.send(b"PING\r\n").unwrap();
    assert_eq!(client.recv(&mut [0; 16]).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn the_port_file_tells_the_ports_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ports");
    for flags in [&["--udp"][..], &[]] {
        let server = Server::start(&[flags, &["--port-file", path.to_str().unwrap()]].concat());
        let text = fs::read_to_string(&path).unwrap();
        let ports: BTreeMap<_, _> = text.lines().map(|line| line.split_once(": ").unwrap()).collect();
        let port = server.port.to_string();
        let expected: &[_] = match flags {
            [] => &["TCP INET", "TCP INET6"],
            _ => &["TCP INET", "TCP INET6", "UDP INET", "UDP INET6"],
        };
        assert!(ports.keys().eq(expected), "{text}");
        assert!(ports.values().all(|value| *value == port), "{text}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_port_file_that_cannot_be_written_ends_the_start() {
    let output = kv(&["--port", "0", "--port-file", "/nowhere/at/all/ports"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("No such file or directory"), "{}", stderr(&output));
}
