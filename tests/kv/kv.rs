//! `examples/kv.rs` from its clients' side: the `redis` crate as a real client, bare sockets for input that no real
//! client sends.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    thread,
    time::{Duration, Instant},
};

use redis::{cmd, pipe};
use rustix::process::Signal;

mod datagrams;
mod flags;
mod limits;
mod server;
#[path = "../support/mod.rs"]
mod support;

use server::*;
use support::lacks_ipv6;

/// So few clients that no host's descriptor limit causes a warning.
const FEW: &[&str] = &["--maxclients", "100"];

#[test]
fn a_client_is_served_over_ipv4_ipv6_and_a_unix_socket() {
    if lacks_ipv6() {
        return;
    }
    let server = Server::start(&[]);
    let mut clients = [server.client(), server.client_v6(), server.client_unix()];
    for (client, visit) in clients.iter_mut().zip(1..) {
        let replies: (String, i64) = pipe().cmd("PING").cmd("INCR").arg("visits").query(client).unwrap();
        assert_eq!(replies, ("PONG".to_owned(), visit));
    }
    let list: String = cmd("CLIENT").arg("LIST").query(&mut clients[0]).unwrap();
    for addr in [" addr=127.0.0.1:", " addr=[::1]:"] {
        assert!(list.lines().count() == 3 && list.contains(addr), "{list}");
    }
}

#[test]
fn keys_are_set_counted_and_deleted() {
    let server = Server::start(&[]);
    let mut client = server.client();
    pipe().cmd("SET").arg("a").arg("1").cmd("SET").arg("b").arg(b"\0\r\n\xff").exec(&mut client).unwrap();
    let values: Vec<Option<Vec<u8>>> = cmd("MGET").arg(&["a", "b", "c"]).query(&mut client).unwrap();
    assert_eq!(values, [Some(b"1".to_vec()), Some(b"\0\r\n\xff".to_vec()), None]);
    let counts: (i64, i64, i64, i64) = pipe()
        .cmd("EXISTS")
        .arg(&["a", "a", "c"])
        .cmd("DBSIZE")
        .cmd("DEL")
        .arg(&["a", "c"])
        .cmd("DBSIZE")
        .query(&mut client)
        .unwrap();
    assert_eq!(counts, (2, 2, 1, 1));
    let left: (String, i64) = pipe().cmd("FLUSHALL").cmd("DBSIZE").query(&mut client).unwrap();
    assert_eq!(left, ("OK".to_owned(), 0));
}

#[test]
fn ten_thousand_pipelined_commands_are_answered_in_order() {
    let server = Server::start(&[]);
    for mut client in [server.client(), server.client_unix()] {
        let mut requests = pipe();
        for number in 0..5_000 {
            requests.cmd("SET").arg(number).arg(format!("value {number}")).ignore().cmd("GET").arg(number);
        }
        let values: Vec<String> = requests.query(&mut client).unwrap();
        assert!(values.iter().enumerate().all(|(number, value)| *value == format!("value {number}")));
        assert_eq!(values.len(), 5_000);
    }
}

#[test]
fn a_value_of_a_megabyte_is_returned_intact() {
    let server = Server::start(&[]);
    let value: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
    for mut client in [server.client(), server.client_unix()] {
        let mut requests = pipe();
        for key in ["a", "b", "c"] {
            requests.cmd("SET").arg(key).arg(&value).ignore().cmd("GET").arg(key);
        }
        let values: Vec<Vec<u8>> = requests.query(&mut client).unwrap();
        assert!(values.iter().all(|found| *found == value));
        assert_eq!(values.len(), 3);
    }
}

#[test]
fn five_hundred_connections_are_served_at_once() {
    let server = Server::start(&[]);
    let mut clients: Vec<_> = (0..500).map(|_| server.client()).collect();
    for client in &mut clients {
        cmd("INCR").arg("n").exec(client).unwrap();
    }
    assert_eq!(info(&mut clients[0], "connected_clients"), 500);
    let count: i64 = cmd("INCR").arg("n").query(&mut clients[499]).unwrap();
    assert_eq!(count, 501);
}

#[test]
fn connections_that_drop_mid_command_leave_the_others_alone() {
    let server = Server::start(&[]);
    let mut client = server.client();
    for torn in ["*2\r\n$4\r\nINCR\r\n$1\r\n", "*2\r\n$4\r\nIN", "*2", "INCR n", "*1\r\n$1000000\r\nx"] {
        for _ in 0..20 {
            server.socket().write_all(torn.as_bytes()).unwrap();
        }
    }
    wait_until(|| info(&mut client, "connected_clients") == 1);
    let count: i64 = cmd("EXISTS").arg("n").query(&mut client).unwrap();
    assert_eq!(count, 0);
}

#[test]
fn a_request_sent_byte_by_byte_is_served() {
    let server = Server::start(&[]);
    let mut socket = server.socket();
    for byte in b"*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\nPING\r\n" {
        socket.write_all(&[*byte]).unwrap();
    }
    assert_eq!(read(&mut socket, 16), "$3\r\nabc\r\n+PONG\r\n");
}

#[test]
fn incr_refuses_what_is_not_an_integer_and_what_would_overflow() {
    let server = Server::start(&[]);
    let mut client = server.client();
    for value in ["x", "", " 1", "01", "+1", "-0", "1.0", "9223372036854775808"] {
        cmd("SET").arg("n").arg(value).exec(&mut client).unwrap();
        let error = refusal(cmd("INCR").arg("n").query(&mut client));
        assert_eq!(error, "ERR value is not an integer or out of range", "{value:?}");
    }
    cmd("SET").arg("n").arg(i64::MAX).exec(&mut client).unwrap();
    assert_eq!(refusal(cmd("INCR").arg("n").query(&mut client)), "ERR increment or decrement would overflow");
    cmd("SET").arg("n").arg(i64::MIN).exec(&mut client).unwrap();
    assert_eq!(cmd("INCR").arg("n").query::<i64>(&mut client).unwrap(), i64::MIN + 1);
}

#[test]
fn clients_can_query_the_server() {
    let server = Server::start(&["--maxclients", "77"]);
    let mut client = server.client();
    let pairs: Vec<String> = cmd("CONFIG").arg("Get").arg("save").arg("maxclients").query(&mut client).unwrap();
    assert_eq!(pairs, ["maxclients", "77", "save", ""]);
    cmd("CLIENT").arg("SETNAME").arg("me").exec(&mut client).unwrap();
    let name: String = cmd("CLIENT").arg("GETNAME").query(&mut client).unwrap();
    assert_eq!(name, "me");
    assert_eq!(refusal(cmd("HELLO").arg(3).query(&mut client)), "NOPROTO unsupported protocol version");
    assert!(cmd("HELLO").arg(2).exec(&mut client).is_ok());
    assert_eq!((info(&mut client, "connected_clients"), info(&mut client, "maxclients")), (1, 77));
    assert!(info(&mut client, "total_net_input_bytes") > 0 && info(&mut client, "total_net_output_bytes") > 0);
    assert!(info(&mut client, "total_connections_received") > 0 && info(&mut client, "total_commands_processed") > 0);
}

#[test]
fn commands_are_refused_in_redis_wording() {
    let cases = [
        ("FOO a 'b c'", "-ERR unknown command 'FOO', with args beginning with: 'a' 'b c' \r\n"),
        ("Get", "-ERR wrong number of arguments for 'get' command\r\n"),
        ("set k v EX 1", "-ERR syntax error\r\n"),
        ("client foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n"),
        ("client setname", "-ERR wrong number of arguments for 'client|setname' command\r\n"),
        ("client setname \"a b\"", "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"),
        ("select 1", "-ERR DB index is out of range\r\n"),
        ("select x", "-ERR value is not an integer or out of range\r\n"),
    ];
    let server = Server::start(&[]);
    let mut socket = server.socket();
    for (request, reply) in cases {
        write!(socket, "{request}\r\n").unwrap();
        assert_eq!(read(&mut socket, reply.len()), reply);
    }
}

#[test]
fn inline_requests_are_split_at_blanks_outside_of_quotes() {
    let cases = [
        ("PING\r\n", "+PONG\r\n"),
        ("ping\n", "+PONG\r\n"),
        ("\r\n  \r\n\techo  a \r\n", "$1\r\na\r\n"),
        ("ECHO \"a b\"\r\n", "$3\r\na b\r\n"),
        ("ECHO 'a \"b'\r\n", "$4\r\na \"b\r\n"),
        ("ECHO \"\\\"\\\\\\n\"\r\n", "$3\r\n\"\\\n\r\n"),
        ("ECHO 'it\\'s'\r\n", "$4\r\nit's\r\n"),
        ("ECHO \"\"\r\n", "$0\r\n\r\n"),
    ];
    let server = Server::start(&[]);
    let mut socket = server.socket();
    for (request, reply) in cases {
        socket.write_all(request.as_bytes()).unwrap();
        assert_eq!(read(&mut socket, reply.len()), reply, "{request:?}");
    }
}

#[test]
fn a_protocol_error_is_reported_and_ends_the_connection() {
    let long = "1".repeat(70_000);
    let cases = [
        ("*x\r\n", "invalid multibulk length"),
        ("*1048577\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        (&format!("*{long}"), "too big mbulk count string"),
        ("*1\r\n:1\r\n", "expected '$', got ':'"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$67108865\r\n", "invalid bulk length"),
        ("*1\r\n$1x\r\n", "invalid bulk length"),
        (&format!("*1\r\n${long}"), "too big bulk count string"),
        (&long, "too big inline request"),
        ("ECHO \"a\r\n", "unbalanced quotes in request"),
        ("ECHO 'a'b\r\n", "unbalanced quotes in request"),
    ];
    let server = Server::start(&[]);
    for (request, text) in cases {
        let mut socket = server.socket();
        // The server may have closed before it has read everything.
        let _ = socket.write_all(request.as_bytes());
        assert_eq!(read_to_end(&mut socket), format!("-ERR Protocol error: {text}\r\n"), "{request:.20}");
    }
}

#[test]
fn a_request_over_128_mib_is_refused_before_it_has_arrived() {
    let server = Server::start(&[]);
    let mut socket = server.socket();
    let largest = "$67108864\r\n";
    write!(socket, "*2\r\n{largest}").unwrap();
    (0..64).for_each(|_| socket.write_all(&[b'x'; 1 << 20]).unwrap());
    write!(socket, "\r\n{largest}").unwrap();
    assert_eq!(read_to_end(&mut socket), "-ERR Protocol error: too big request\r\n");
}

#[test]
fn requests_before_a_protocol_error_or_quit_are_answered_and_none_after_it() {
    let server = Server::start(&[]);
    for (ending, reply) in [("*x", "-ERR Protocol error: invalid multibulk length"), ("QUIT", "+OK")] {
        for mut socket in server.sockets() {
            write!(socket, "PING\r\n*1\r\n$4\r\nPING\r\n{ending}\r\nPING\r\n").unwrap();
            assert_eq!(read_to_end(&mut socket), format!("+PONG\r\n+PONG\r\n{reply}\r\n"));
        }
    }
}

#[test]
fn a_request_that_a_browser_was_made_to_send_ends_the_connection_unanswered() {
    let server = Server::start(&[]);
    for request in ["POST / HTTP/1.1\r\nSET k v\r\n", "GET\r\nHost: kv\r\nSET k v\r\n"] {
        let mut socket = server.socket();
        socket.write_all(request.as_bytes()).unwrap();
        let answer = read_to_end(&mut socket);
        assert!(!answer.contains("+OK") && !answer.contains("unknown"), "{answer}");
    }
    assert_eq!(cmd("DBSIZE").query(&mut server.client()), Ok(0));
}

#[test]
fn flushall_with_an_argument_that_it_does_not_know_keeps_the_keys() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let (): () = cmd("SET").arg("k").arg("v").query(&mut client).unwrap();
    assert_eq!(refusal(cmd("FLUSHALL").arg("ASINC").query(&mut client)), "ERR syntax error");
    assert_eq!(cmd("DBSIZE").query(&mut client), Ok(1));
    assert_eq!(cmd("FLUSHALL").arg("async").query(&mut client), Ok("OK".to_owned()));
    assert_eq!(cmd("DBSIZE").query(&mut client), Ok(0));
}

#[test]
fn unread_input_does_not_reset_the_connection() {
    let server = Server::start(&[]);
    let mut other = server.client();
    for (mut socket, left) in server.sockets().into_iter().zip([2, 1]) {
        // Stopped, so that everything has arrived when it reads for the first time.
        server.signal(Signal::STOP);
        socket.write_all(b"QUIT\r\n").unwrap();
        socket.write_all(&[b'x'; 90_000]).unwrap();
        server.signal(Signal::CONT);
        wait_until(|| info(&mut other, "connected_clients") == left);
        assert_eq!(read_to_end(&mut socket), "+OK\r\n");
    }
}

#[test]
fn a_client_that_half_closes_is_answered_before_the_end() {
    let server = Server::start(&[]);
    cmd("SET").arg("big").arg(vec![b'x'; 8 << 20]).exec(&mut server.client()).unwrap();
    let mut socket = server.socket();
    socket.write_all(b"GET big\r\n").unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut socket).len(), "$8388608\r\n\r\n".len() + (8 << 20));
}

#[test]
fn a_client_that_does_not_read_is_dropped_while_others_are_served() {
    let server = Server::start(&[]);
    let mut other = server.client();
    cmd("SET").arg("big").arg(vec![b'x'; 1 << 20]).exec(&mut other).unwrap();
    for mut deaf in server.sockets() {
        let begun = Instant::now();
        // The write that finds the connection gone fails.
        while deaf.write_all(&b"GET big\r\n".repeat(10)).is_ok() {
            assert!(begun.elapsed() < PATIENCE);
            cmd("PING").exec(&mut other).unwrap();
        }
    }
    wait_until(|| info(&mut other, "connected_clients") == 1);
    assert!(server.peak_memory_mib() < 300, "{} MiB", server.peak_memory_mib());
}

#[test]
fn a_client_over_the_limit_reads_the_reason_and_then_the_end() {
    let server = Server::start(&["--maxclients", "1"]);
    let mut client = server.client();
    cmd("PING").exec(&mut client).unwrap();
    for mut socket in server.sockets() {
        // Real clients write first.
        let _ = socket.write_all(b"PING\r\n");
        assert_eq!(read_to_end(&mut socket), "-ERR max number of clients reached\r\n");
    }
    assert_eq!(info(&mut client, "rejected_connections"), 2);
    drop(client);
    wait_until(|| server.try_client().is_ok());
}

#[test]
fn connections_wait_while_there_are_no_descriptors_and_the_server_does_not_spin() {
    let server = Server::start_with_descriptors(24);
    let mut sockets: Vec<_> = (0..40).map(|_| server.socket()).collect();
    wait_until(|| server.open_fds() >= 24);
    let before = server.cpu_ticks();
    thread::sleep(Duration::from_secs(1));
    let used = server.cpu_ticks() - before;
    assert!(used < 30, "used {used} hundredths of a second while waiting");
    let mut last = sockets.pop().unwrap();
    last.write_all(b"PING\r\n").unwrap();
    drop(sockets);
    assert_eq!(read(&mut last, 7), "+PONG\r\n");
}

#[test]
fn sigterm_and_sigint_end_the_server_cleanly_and_remove_its_socket_file() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::start(&["--unixsocketperm", "750"]);
        let _connected = server.client();
        let file = fs::metadata(&server.path).unwrap();
        assert!(file.file_type().is_socket() && file.permissions().mode() & 0o777 == 0o750);
        assert_eq!(server.end(signal), Some(0));
        assert!(!server.path.exists());
    }
}

#[test]
fn a_socket_file_of_another_server_stays() {
    let server = Server::start(&[]);
    fs::remove_file(&server.path).unwrap();
    let _successor = UnixListener::bind(&server.path).unwrap();
    assert_eq!(server.end(Signal::TERM), Some(0));
    assert!(UnixStream::connect(&server.path).is_ok());
}

#[test]
fn an_address_in_use_is_reported_in_redis_wording() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let output = kv(&[FEW, &["--port", &addr.port().to_string()]].concat());
    let text = format!("Could not create server TCP listening socket {addr}: bind: Address already in use\n");
    assert_eq!((stderr(&output), output.status.code()), (text, Some(1)));
}

#[test]
fn a_unix_path_in_use_is_reported_in_redis_wording() {
    let server = Server::start(&[]);
    let output = kv(&[FEW, &["--port", "0", "--unixsocket", server.path.to_str().unwrap()]].concat());
    let text = "Failed opening Unix socket: bind: Address already in use";
    // Without IPv6 a warning precedes it.
    assert_eq!((stderr(&output).lines().last(), output.status.code()), (Some(text), Some(1)));
    assert!(cmd("PING").exec(&mut server.client_unix()).is_ok());
}

#[test]
fn all_addresses_of_an_interface_are_served() {
    let server = Server::start(&[FEW, &["--bind", "%lo -%none9"]].concat());
    assert!(cmd("PING").exec(&mut server.client()).is_ok());
    if !lacks_ipv6() {
        assert!(cmd("PING").exec(&mut server.client_v6()).is_ok());
    }
    assert_eq!(server.end(Signal::TERM), Some(0));
    let warning = "Warning: Could not create server TCP listening socket %none9:0: address: No such device\n";
    assert_eq!(server.stderr(), warning);
}

#[test]
fn an_optional_address_of_another_host_is_a_warning() {
    // 192.0.2.0/24 is reserved for documentation, so no host has it.
    let server = Server::start(&[FEW, &["--bind", "127.0.0.1 -192.0.2.1"]].concat());
    assert!(cmd("PING").exec(&mut server.client()).is_ok());
    assert_eq!(server.end(Signal::TERM), Some(0));
    let warning =
        "Warning: Could not create server TCP listening socket 192.0.2.1:0: bind: Cannot assign requested address\n";
    assert_eq!(server.stderr(), warning);
    let output = kv(&[FEW, &["--bind", "127.0.0.1 192.0.2.1", "--port", "0"]].concat());
    assert_eq!((stderr(&output).as_str(), output.status.code()), (&warning["Warning: ".len()..], Some(1)));
}
