//! A server process, and sockets that talk to it.

use super::*;
use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than any step takes unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A time limit that a test waits out.
pub const SHORT: &str = "200";

/// The output of a program that exits.
pub fn output_of(program: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The program to test; the environment can name another one. `ANET_HTTP` and `ANET_PROXY` can name the same programs
/// on other crates (`benches/peers`), which pass the same tests.
pub fn program(variable: &str, ours: &str) -> String {
    env::var(variable).unwrap_or_else(|_| ours.to_owned())
}

/// A running server, ended with the test.
pub struct Server {
    child: Child,
    pub addr: SocketAddr,
}

impl Server {
    /// On a port that the kernel chooses.
    pub fn start(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0"]).args(args).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.trim_end().rsplit_once(' ').unwrap().1.parse().unwrap();
        Self { child, addr }
    }

    pub fn client(&self) -> TcpStream {
        configured(TcpStream::connect(self.addr).unwrap())
    }

    /// Asks the server to end.
    pub fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits until it has exited, and returns its status.
    pub fn status(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// With timeouts, so that a test fails instead of hanging.
pub fn configured(socket: TcpStream) -> TcpStream {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// Exactly this many bytes.
pub fn read(socket: &mut impl Read, len: usize) -> String {
    let mut bytes = vec![0; len];
    socket.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Everything until the end.
pub fn read_to_end(socket: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}
