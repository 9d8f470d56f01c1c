//! Limits: `--protected-mode`, `--max-per-source`, `--timeout`, descriptors, shutdown.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use redis::{Connection, cmd};
use rustix::process::Signal;

use crate::{server::*, support::lacks_ipv6};

fn client_list(client: &mut Connection) -> Vec<String> {
    let list: String = cmd("CLIENT").arg("LIST").query(client).unwrap();
    list.lines().map(str::to_owned).collect()
}

/// One field of a line of `CLIENT LIST`, split as Redis's clients do.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let value = line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name} in {line:?}"))
}

#[test]
fn the_client_list_shows_all_clients_in_order_of_arrival() {
    if lacks_ipv6() {
        return;
    }
    let server = Server::start(&[]);
    let connect = [Server::client, Server::client_v6, Server::client_unix, Server::client];
    let mut clients = connect.map(|connect| {
        let mut client = connect(&server);
        cmd("PING").exec(&mut client).unwrap();
        client
    });
    for (client, name) in clients.iter_mut().zip(["first", "second", "third"]) {
        cmd("CLIENT").arg("SETNAME").arg(name).exec(client).unwrap();
    }
    let ids = clients.each_mut().map(|client| cmd("CLIENT").arg("ID").query::<String>(client).unwrap());
    let lines = client_list(&mut clients[3]);
    assert!(lines.iter().map(|line| field(line, "id")).eq(ids.iter()), "{lines:?}");
    assert!(lines.iter().map(|line| field(line, "name")).eq(["first", "second", "third", ""]), "{lines:?}");
    let [v4, v6] = ["127.0.0.1", "[::1]"].map(|ip| format!("{ip}:{}", server.port));
    let path = server.path.display().to_string();
    assert!(lines.iter().map(|line| field(line, "laddr")).eq([&v4, &v6, &path, &v4]), "{lines:?}");
    assert!(field(&lines[0], "addr").starts_with("127.0.0.1:") && field(&lines[1], "addr").starts_with("[::1]:"));
    assert!(lines.iter().all(|line| line.starts_with("id=") && line.split(' ').count() == 8), "{lines:?}");
}

#[test]
fn the_client_list_shows_how_many_bytes_each_client_has_sent_and_received() {
    let server = Server::start(&[]);
    let mut counted = server.sockets();
    for (count, socket) in (1..).zip(&mut counted) {
        socket.write_all(&b"PING\r\n".repeat(count)).unwrap();
        assert_eq!(read(socket, 7 * count), "+PONG\r\n".repeat(count));
    }
    let lines = client_list(&mut server.client());
    for (count, line) in (1..=counted.len()).zip(&lines) {
        assert_eq!(field(line, "tot-net-in"), (6 * count).to_string(), "{line}");
        assert_eq!(field(line, "tot-net-out"), (7 * count).to_string(), "{line}");
    }
}

#[test]
fn the_client_list_shows_age_and_idle_time() {
    let server = Server::start(&[]);
    let mut idle = server.client();
    cmd("PING").exec(&mut idle).unwrap();
    let mut active = server.client();
    wait_until(|| {
        let lines = client_list(&mut active);
        let ages = [0, 1].map(|index| field(&lines[index], "age").parse::<u64>().unwrap());
        assert_eq!(field(&lines[1], "idle"), "0");
        ages >= [1, 1] && field(&lines[0], "idle").parse::<u64>().unwrap() >= 1
    });
}

#[test]
fn idle_clients_are_closed_and_active_ones_kept() {
    let server = Server::start(&["--timeout", "3"]);
    let mut active = server.client();
    let mut idle = server.sockets();
    for socket in &mut idle {
        socket.write_all(b"PING\r\n").unwrap();
        assert_eq!(read(socket, 7), "+PONG\r\n");
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        cmd("PING").exec(&mut active).unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    for socket in &mut idle {
        assert_eq!(read_to_end(socket), "");
    }
    wait_until(|| info(&mut active, "connected_clients") == 1);
}

#[test]
fn without_a_timeout_an_idle_client_stays() {
    let server = Server::start(&["--timeout", "0"]);
    let mut idle = server.socket();
    thread::sleep(Duration::from_millis(1500));
    idle.write_all(b"PING\r\n").unwrap();
    assert_eq!(read(&mut idle, 7), "+PONG\r\n");
}

#[test]
fn clients_of_one_address_are_limited_and_read_the_reason() {
    if lacks_ipv6() {
        return;
    }
    let server = Server::start(&["--max-per-source", "2"]);
    let mut clients = [server.client(), server.client()];
    // Clients of another address and of the Unix socket do not count.
    let _others = [server.client_v6(), server.client_unix(), server.client_unix(), server.client_unix()];
    let error = cmd("PING").exec(&mut server.try_client().unwrap()).unwrap_err();
    assert_eq!(error.detail(), Some("max number of clients from this address reached"), "{error:?}");
    assert_eq!(info(&mut clients[0], "rejected_connections"), 1);
    let [mut left, gone] = clients;
    drop(gone);
    wait_until(|| info(&mut left, "connected_clients") == 5);
    cmd("PING").exec(&mut server.client()).unwrap();
}

#[test]
fn the_limits_can_be_queried() {
    let flags = [
        "--max-delay",
        "200",
        "--max-per-source",
        "7",
        "--timeout",
        "30",
        "--protected-mode",
        "no",
        "--tcp-backlog",
        "99",
    ];
    let server = Server::start(&flags);
    let mut client = server.client();
    for pair in flags.chunks(2) {
        let name = pair[0].strip_prefix("--").unwrap();
        let values: Vec<String> = cmd("CONFIG").arg("GET").arg(name).query(&mut client).unwrap();
        assert_eq!(values, [name, pair[1]]);
    }
    let server = Server::start(&[]);
    let names = &["max-per-source", "protected-mode", "timeout"];
    let values: Vec<String> = cmd("CONFIG").arg("GET").arg(names).query(&mut server.client()).unwrap();
    assert_eq!(values, ["max-per-source", "0", "protected-mode", "yes", "timeout", "0"]);
}

/// 24 descriptors are less than 10,000 clients need, and about half of these 40 have to wait.
#[test]
fn clients_without_a_descriptor_wait_and_are_served_when_others_leave() {
    let server = Server::start_with_descriptors(24);
    let mut waiting: Vec<_> = (0..40).map(|_| server.socket()).collect();
    for socket in &mut waiting {
        socket.write_all(b"PING\r\n").unwrap();
    }
    wait_until(|| server.open_fds() >= 24);
    // Clients are served in order of arrival; each leaves once it is served.
    for mut socket in waiting {
        assert_eq!(read(&mut socket, 7), "+PONG\r\n");
    }
    assert_eq!(server.end(Signal::TERM), Some(0));
    let stderr = server.stderr();
    assert!(
        stderr.starts_with("Warning: You requested maxclients of 10000 requiring at least 10032 max file descriptors.")
            && stderr.contains("Current maximum open files is 24"),
        "{stderr}"
    );
    assert!(stderr.contains("Accepting failed: accept: Too many open files\n"), "{stderr}");
}

#[test]
fn a_low_descriptor_limit_is_raised_as_far_as_allowed() {
    let server = Server::start_with_descriptors_raisable(24, 600);
    let mut clients: Vec<_> = (0..100).map(|_| server.client()).collect();
    assert_eq!(info(&mut clients[99], "connected_clients"), 100);
    drop(clients);
    assert_eq!(server.end(Signal::TERM), Some(0));
    assert!(server.stderr().contains("Current maximum open files is 600"));
}

/// More than the socket buffers take; requests unread when the signal arrived are answered too.
#[test]
fn a_client_gets_all_pending_replies_after_the_signal() {
    let len = "$1048576\r\n\r\n".len() + (1 << 20);
    within_the_grace(|| {
        let server = Server::start(&[]);
        let mut idle = server.client();
        cmd("SET").arg("big").arg(vec![b'x'; 1 << 20]).exec(&mut idle).unwrap();
        let mut sockets = server.sockets();
        for socket in &mut sockets {
            socket.write_all(&b"GET big\r\n".repeat(30)).unwrap();
            // The first byte shows that the requests have been executed.
            assert_eq!(read(socket, 1), "$");
        }
        let signalled = Instant::now();
        server.signal(Signal::TERM);
        // A client without pending replies is closed meanwhile.
        wait_until(|| cmd("PING").exec(&mut idle).is_err());
        let replies = sockets.each_mut().map(|socket| {
            let mut replies = Vec::new();
            let read = socket.read_to_end(&mut replies);
            (read.is_ok(), replies.len())
        });
        drop(sockets);
        assert_eq!(server.wait(), Some(0));
        (signalled, replies == [(true, 30 * len - 1); 2])
    });
}

#[test]
fn a_request_received_before_the_signal_is_answered() {
    let server = Server::start(&[]);
    let mut sockets = server.sockets();
    for socket in &mut sockets {
        socket.write_all(b"PING\r\n").unwrap();
        assert_eq!(read(socket, 7), "+PONG\r\n");
    }
    server.signal(Signal::STOP);
    for socket in &mut sockets {
        socket.write_all(b"ECHO last\r\n").unwrap();
    }
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    for socket in &mut sockets {
        assert_eq!(read_to_end(socket), "$4\r\nlast\r\n");
    }
    drop(sockets);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn the_second_signal_ends_the_server_at_once() {
    within_the_grace(|| {
        let server = Server::start(&[]);
        let _deaf = client_that_does_not_read(&server);
        let signalled = Instant::now();
        server.signal(Signal::INT);
        wait_until(|| !server.path.exists());
        assert_eq!(server.end(Signal::TERM), Some(0));
        (signalled, signalled.elapsed() < GRACE)
    });
}

/// The grace that the server gives its clients after the first signal.
const GRACE: Duration = Duration::from_secs(3);

/// The test returns when it sent that signal and whether it held, which it must unless the grace was over by then. In
/// that case the host was too busy, and the test runs again.
fn within_the_grace(mut test: impl FnMut() -> (Instant, bool)) {
    let held = (0..10).any(|_| {
        let (signalled, held) = test();
        assert!(held || signalled.elapsed() >= GRACE);
        held
    });
    assert!(held, "the grace was always over");
}

/// Its pending replies exceed the socket buffers.
fn client_that_does_not_read(server: &Server) -> TcpStream {
    cmd("SET").arg("big").arg(vec![b'x'; 8 << 20]).exec(&mut server.client()).unwrap();
    let mut deaf = server.socket();
    deaf.write_all(b"GET big\r\n").unwrap();
    assert_eq!(read(&mut deaf, 1), "$");
    deaf
}

#[test]
fn shutdown_does_not_wait_forever_for_a_client_that_does_not_read() {
    let server = Server::start(&[]);
    let deaf = client_that_does_not_read(&server);
    deaf.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.end(Signal::TERM), Some(0));
}

#[cfg(target_os = "linux")]
mod elsewhere {
    use std::net::{Ipv4Addr, UdpSocket};

    use redis::cmd;

    use crate::{
        server::*,
        support::namespace::{add_address, in_namespace},
    };

    /// Not a loopback address, although packets to it take the loopback device.
    const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 20, 30, 40);

    fn ping(server: &Server, ip: Ipv4Addr) -> redis::RedisResult<()> {
        cmd("PING").exec(&mut server.connect(format!("redis://{ip}:{}", server.port))?)
    }

    #[test]
    #[ignore = "needs CAP_SYS_ADMIN"]
    fn protected_mode_serves_only_this_host_and_gives_others_the_reason() {
        in_namespace(|| {
            add_address(ELSEWHERE);
            let server = Server::start(&["--bind", "0.0.0.0"]);
            let error = ping(&server, ELSEWHERE).unwrap_err();
            assert_eq!(error.code(), Some("DENIED"), "{error:?}");
            assert!(error.detail().unwrap().starts_with("Running in protected mode: "), "{error:?}");
            ping(&server, Ipv4Addr::LOCALHOST).unwrap();
            cmd("PING").exec(&mut server.client_unix()).unwrap();
            assert_eq!(info(&mut server.client_unix(), "rejected_connections"), 1);

            let open = Server::start(&["--bind", "0.0.0.0", "--protected-mode", "no"]);
            ping(&open, ELSEWHERE).unwrap();
        });
    }

    #[test]
    #[ignore = "needs CAP_SYS_ADMIN"]
    fn protected_mode_ignores_datagrams_from_other_hosts() {
        in_namespace(|| {
            add_address(ELSEWHERE);
            for (mode, is_answered) in [("yes", false), ("no", true)] {
                let server = Server::start(&["--bind", "0.0.0.0", "--udp", "--protected-mode", mode]);
                let asked = |from: Ipv4Addr| {
                    let client = UdpSocket::bind((from, 0)).unwrap();
                    client.set_read_timeout(Some(PATIENCE)).unwrap();
                    client.send_to(b"PING\r\n", (from, server.port)).unwrap();
                    client
                };
                let [elsewhere, here] = [ELSEWHERE, Ipv4Addr::LOCALHOST].map(asked);
                // The answer shows that the server has seen the datagram before it.
                assert_eq!(here.recv(&mut [0; 16]).unwrap(), "+PONG\r\n".len());
                elsewhere.set_nonblocking(true).unwrap();
                assert_eq!(elsewhere.recv(&mut [0; 16]).is_ok(), is_answered, "{mode}");
            }
        });
    }
}
