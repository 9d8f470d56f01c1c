//! `examples/client.rs` against `examples/echo.rs`.

use super::*;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

const CLIENT: &str = env!("CARGO_BIN_EXE_client");

/// The echo server, ended with the test.
struct Echo(Child, String);

impl Echo {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_echo"));
        let mut child = command.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
        Self(child, addr)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_echo_of_a_text_is_printed_in_both_modes() {
    let Echo(.., addr) = &Echo::start();
    let long = "x".repeat(100_000);
    for mode in ["waiting", "polling"] {
        for text in ["hello", "", &long] {
            let (status, stdout, stderr) = output_of(CLIENT, &["--mode", mode, addr, text]);
            assert_eq!((status, stderr.as_str()), (Some(0), ""), "{mode}");
            assert_eq!(stdout, text, "{mode}");
        }
    }
}

#[test]
fn an_absent_server_or_a_different_answer_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    for mode in ["waiting", "polling"] {
        thread::scope(|scope| {
            scope.spawn(|| listener.accept().unwrap().0.write_all(b"what?").unwrap());
            let (status, ..) = output_of(CLIENT, &["--mode", mode, &addr, "hello"]);
            assert_eq!(status, Some(1), "{mode}");
        });
    }
    drop(listener);
    for mode in ["waiting", "polling"] {
        let (status, stdout, stderr) = output_of(CLIENT, &["--mode", mode, &addr, "hello"]);
        assert_eq!((status, stdout.as_str()), (Some(1), ""), "{mode}");
        assert!(stderr.contains("Connection refused"), "{stderr}");
    }
}
