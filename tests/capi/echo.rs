//! An echo server in C, and a thousand clients.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    program::{C99, linked},
    source,
};

/// Longer than any step of the server takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// At once, within the usual limit of 1024 descriptors a process.
const AT_ONCE: usize = 250;

#[test]
fn a_thousand_clients_get_their_echo_and_leave_no_descriptor_behind() {
    let server = Server::start();
    let descriptors = server.descriptors();
    for number in 0..500 {
        expect_echo(&mut server.connect(), number);
    }
    for _ in 0..2 {
        let mut clients: Vec<_> = (0..AT_ONCE).map(|_| server.connect()).collect();
        clients.iter_mut().enumerate().for_each(|(number, client)| client.write_all(&text(number)).unwrap());
        clients.iter_mut().enumerate().for_each(|(number, client)| expect(client, &text(number)));
        server.await_descriptors(descriptors + AT_ONCE);
    }
    server.await_descriptors(descriptors);
}

/// A different message for each client, of up to several segments.
fn text(number: usize) -> Vec<u8> {
    format!("client {number} ").repeat(1 + number % 100).into_bytes()
}

fn expect_echo(client: &mut TcpStream, number: usize) {
    client.write_all(&text(number)).unwrap();
    expect(client, &text(number));
}

fn expect(client: &mut TcpStream, text: &[u8]) {
    let mut echo = vec![0; text.len()];
    client.read_exact(&mut echo).unwrap();
    assert!(echo == text, "{}", String::from_utf8_lossy(&echo));
}

/// A running server, which does not outlive the test.
struct Server {
    child: Child,
    addr: String,
}

impl Server {
    fn start() -> Self {
        let program = linked("echo", C99, &[source("tests/capi/echo.c")], &[]);
        let mut child = Command::new(program).args(["0", "127.0.0.1"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.strip_prefix("listening on ").map(|addr| addr.trim_end().to_owned());
        Self { child, addr: addr.unwrap_or_else(|| panic!("the server said {line:?}")) }
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(&self.addr).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// It sees a close late if a compiler that another test started inherited the client's socket.
    fn await_descriptors(&self, expected: usize) {
        let start = Instant::now();
        while self.descriptors() != expected {
            assert!(start.elapsed() < PATIENCE, "{} descriptors, not {expected}", self.descriptors());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
