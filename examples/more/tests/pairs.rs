//! The examples of two programs: each runs in a process of its own, as by hand in two terminals.

use super::*;
use std::{
    io::{BufRead, BufReader, Lines},
    net::UdpSocket,
    process::{Child, ChildStdout, Command, Stdio},
};

/// The program that runs in the first terminal, ended with the test.
struct First {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl First {
    fn start(program: &str, args: &[&str]) -> Self {
        let mut child = Command::new(program).args(args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// The address at the end of its first line.
    fn addr(&mut self) -> String {
        self.line().rsplit_once(' ').unwrap().1.to_owned()
    }

    /// What it prints until it exits, which must be without an error.
    fn rest(&mut self) -> Vec<String> {
        let rest = self.lines.by_ref().map(Result::unwrap).collect();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

impl Drop for First {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that the program in the second terminal prints.
fn second(program: &str, args: &[&str]) -> Vec<String> {
    let (status, stdout, stderr) = output_of(program, args);
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{args:?}");
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_unix_stream_carries_lines_and_leaves_no_file() {
    const UNIX_STREAM: &str = env!("CARGO_BIN_EXE_unix_stream");
    let path = std::env::temp_dir().join(format!("anet-example-{}.sock", std::process::id()));
    let path_text = path.to_str().unwrap();
    let mut server = First::start(UNIX_STREAM, &["server", path_text]);
    assert_eq!(server.addr(), path_text);
    assert_eq!(second(UNIX_STREAM, &["client", path_text]), ["to be -> TO BE", "or not to be -> OR NOT TO BE"]);
    let rest = server.rest();
    assert!(rest[0].starts_with("a client of user ") && rest[0].ends_with("(without a name: true)"), "{rest:?}");
    assert_eq!(rest[1], "the client has closed");
    assert!(!path.exists());
}

#[test]
fn a_plain_close_loses_the_answer_and_the_graceful_ones_do_not() {
    const GRACEFUL_CLOSE: &str = env!("CARGO_BIN_EXE_graceful_close");
    for how in ["plain", "shutdown", "lingering"] {
        let mut server = First::start(GRACEFUL_CLOSE, &["--how", how, "server", "127.0.0.1:0"]);
        let client = second(GRACEFUL_CLOSE, &["client", &server.addr()]);
        let server = server.rest();
        assert!(server[0].ends_with(&format!("answered with 200000; closing: {how}")), "{server:?}");
        if how == "plain" {
            assert!(client[1].starts_with("lost the answer after "), "{client:?}");
            continue;
        }
        assert_eq!(client, ["sent 1000000 bytes", "the answer has 200000 of 200000 bytes"]);
        assert!(server[1].ends_with(" bytes until the client closed"), "{server:?}");
    }
}

#[test]
fn a_vectored_write_is_one_segment_and_its_echo_is_the_same() {
    let mut echo = First::start(env!("CARGO_BIN_EXE_echo"), &["127.0.0.1:0"]);
    let lines = second(env!("CARGO_BIN_EXE_writev"), &[&echo.addr()]);
    let echoed = "echoed \"5\\r\\nhello\\r\\n\"";
    assert_eq!(lines[0], format!("three writes: 3 segments, {echoed}"));
    assert_eq!(lines[1], format!("one vectored write: 1 segments, {echoed}"));
    // A pause of 200 ms would send more segments.
    assert!(lines[2].starts_with("three writes with MSG_MORE: ") && lines[2].ends_with(echoed), "{lines:?}");
}

#[test]
fn an_out_of_band_byte_overtakes_what_was_sent_before_it() {
    const OOB: &str = env!("CARGO_BIN_EXE_oob");
    let mut receiver = First::start(OOB, &["receiver", "127.0.0.1:0"]);
    let sender = second(OOB, &["sender", &receiver.addr()]);
    assert_eq!(sender, ["sent \"one two three\", '!' out of band, \" four\""]);
    let expected = [
        "out of band: '!'",
        "still unread before the mark: 13 bytes",
        "before the mark: \"one two three\"",
        "behind the mark: \" four\"",
    ];
    assert_eq!(receiver.rest(), expected);
}

#[test]
fn a_client_that_hangs_is_pinged_and_given_up() {
    const HEARTBEAT: &str = env!("CARGO_BIN_EXE_heartbeat");
    let mut server = First::start(HEARTBEAT, &["--interval", SHORT, "server", "127.0.0.1:0"]);
    let addr = server.addr();
    let client = second(HEARTBEAT, &["--answers", "2", "client", &addr]);
    assert_eq!(client, ["PING -> PONG", "PING -> PONG", "hanging", "the server has closed the connection"]);
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.contains("dead")) {
        lines.push(server.line());
    }
    let expected = ["ping", "alive", "ping", "alive", "ping", "ping", "dead after 2 unanswered pings"];
    assert_eq!(lines, expected.map(|what| format!("client 1: {what}")));
}

#[test]
fn one_port_and_one_loop_serve_tcp_and_udp() {
    let server = Server::start(env!("CARGO_BIN_EXE_one_port"), &[]);
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    datagrams.set_read_timeout(Some(PATIENCE)).unwrap();
    datagrams.connect(server.addr).unwrap();
    let mut connection = server.client();
    for number in 0..200 {
        let text = format!("question {number}");
        connection.write_all(text.as_bytes()).unwrap();
        datagrams.send(text.as_bytes()).unwrap();
        assert_eq!(read(&mut connection, text.len()), text);
        let mut buffer = [0; 64];
        let len = datagrams.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], text.as_bytes());
    }
}
