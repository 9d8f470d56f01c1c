//! Requests as datagrams, and the port file.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr, UdpSocket},
    process::Command,
};

use crate::{server::*, support::lacks_ipv6};

/// A client with a separate source port.
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

/// The addresses of the families that this host has.
fn served_addrs(server: &Server) -> Vec<SocketAddr> {
    addrs(server).into_iter().filter(|addr| addr.is_ipv4() || !lacks_ipv6()).collect()
}

#[test]
fn a_datagram_with_a_request_is_answered_with_one() {
    let server = Server::start(&["--udp"]);
    for addr in served_addrs(&server) {
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
fn an_empty_datagram_ends_nothing() {
    let server = Server::start(&["--udp"]);
    let [v4, _] = addrs(&server);
    let client = udp_client(v4);
    assert_eq!(ask(&client, b""), "-ERR Protocol error: incomplete request\r\n");
    assert_eq!(ask(&client, b"PING\r\n"), "+PONG\r\n");
}

/// Replies of RESP2 servers. An answer to one of them would arrive before the one to the ping.
#[test]
fn a_reply_is_never_answered() {
    let replies = [
        "+PONG\r\n",
        "+OK\r\n",
        "-ERR unknown command\r\n",
        "-ERR Protocol error: incomplete request\r\n",
        "$5\r\nhello\r\n",
        "$-1\r\n",
        ":1\r\n",
        ":-1\r\n",
        "*0\r\n",
        "*-1\r\n",
        "+PONG\r\nPING\r\n",
        "-",
        "+",
    ];
    let server = Server::start(&["--udp"]);
    for client in served_addrs(&server).into_iter().map(udp_client) {
        for reply in replies {
            client.send(reply.as_bytes()).unwrap();
            assert_eq!(ask(&client, b"PING\r\n"), "+PONG\r\n", "{reply:?} was answered");
        }
    }
}

/// An array of values would be a request if the first of them were a command.
#[test]
fn no_reply_is_a_request_to_another_server() {
    let requests = [
        "PING",
        "ECHO PING",
        "SET a PING",
        "GET a",
        "GET missing",
        "MGET a",
        "MGET missing a",
        "PING\r\nMGET a",
        "MGET a\r\nPING",
        "INCR n",
        "DEL n a",
        "DBSIZE",
        "INFO",
        "HELLO",
        "HELLO 3",
        "CLIENT LIST",
        "CONFIG GET *",
        "CONFIG SET a b",
        "COMMAND",
        "COMMAND COUNT",
        "SELECT 0",
        "QUIT",
        "nonsense",
        "\"unbalanced",
        "*1",
    ];
    let server = Server::start(&["--udp"]);
    let [v4, _] = addrs(&server);
    let client = udp_client(v4);
    for request in requests {
        let reply = ask(&client, format!("{request}\r\n").as_bytes());
        assert!(reply.starts_with(['+', '-', ':', '$']), "{request:?}: {reply:?}");
        client.send(reply.as_bytes()).unwrap();
        assert_eq!(ask(&client, b"PING\r\n"), "+PONG\r\n", "{reply:?} was answered");
    }
    let refused = "-ERR an array cannot begin a datagram of replies, use a connection\r\n";
    assert_eq!(ask(&client, b"MGET a\r\n"), refused);
    assert_eq!(ask(&client, b"PING\r\nMGET a\r\n"), "+PONG\r\n*1\r\n$-1\r\n");
}

#[test]
fn an_empty_reply_is_not_sent() {
    let server = Server::start(&["--udp"]);
    let [v4, _] = addrs(&server);
    let client = udp_client(v4);
    for request in ["\r\n", "*0\r\n", "POST / HTTP/1.1\r\n"] {
        client.send(request.as_bytes()).unwrap();
        assert_eq!(ask(&client, b"PING\r\n"), "+PONG\r\n", "{request:?} was answered");
    }
}

#[cfg(target_os = "linux")]
mod forged {
    use std::net::{Ipv4Addr, UdpSocket};

    use rustix::net::{AddressFamily, SocketType, ipproto, socket};

    use super::*;
    use crate::support::namespace::in_namespace;

    /// Sends a datagram with another port of this host as its source.
    fn forge(from: u16, to: u16, payload: &[u8]) {
        let len = u16::try_from(8 + payload.len()).unwrap();
        // No checksum, as IPv4 allows.
        let header = [from, to, len, 0].map(u16::to_be_bytes).concat();
        let raw = UdpSocket::from(socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::UDP)).unwrap());
        raw.send_to(&[&header, payload].concat(), (Ipv4Addr::LOCALHOST, 0)).unwrap();
    }

    /// A server that has answered this has handled all earlier datagrams.
    fn catch_up(servers: [&Server; 2]) {
        for server in servers {
            assert_eq!(ask(&udp_client(addrs(server)[0]), b"PING\r\n"), "+PONG\r\n");
        }
    }

    #[test]
    #[ignore = "needs CAP_SYS_ADMIN and CAP_NET_RAW"]
    fn two_servers_do_not_answer_each_other_forever() {
        in_namespace(|| {
            let [victim, other] = [(); 2].map(|()| Server::start(&["--udp"]));
            let received = |server: &Server| info(&mut server.client(), "total_net_input_bytes");
            for request in
                ["PING\r\n", "GET missing\r\n", "nonsense\r\n", "MGET a\r\n", "DBSIZE\r\n", "", "x", "+PONG\r\n"]
            {
                forge(victim.port, other.port, request.as_bytes());
                catch_up([&other, &victim]);
                let before = [&other, &victim].map(received);
                (0..10).for_each(|_| catch_up([&other, &victim]));
                // The pings, and the query of the counter.
                let asked = 10 * "PING\r\n".len() + "*1\r\n$4\r\nINFO\r\n".len();
                assert_eq!([&other, &victim].map(received), before.map(|bytes| bytes + asked as u64), "{request:?}");
            }
        });
    }
}

/// A client in another language, without this crate.
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
fn without_the_flag_datagrams_are_not_received() {
    // No other test has sockets at this address, so the port belongs to this one.
    let server = Server::start(&["--bind", "127.0.81.1"]);
    let client = udp_client(SocketAddr::from(([127, 0, 81, 1], server.port)));
    client.send(b"PING\r\n").unwrap();
    assert_eq!(client.recv(&mut [0; 16]).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn the_port_file_lists_the_ports_in_use() {
    if lacks_ipv6() {
        return;
    }
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
