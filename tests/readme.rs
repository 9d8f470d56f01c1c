//! The README's code is that of the repository, and it runs.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

const README: &str = include_str!("../README.md");
const GUIDE: &str = include_str!("../src/capi/guide.md");
const ECHO: &str = include_str!("../examples/echo.rs");

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `cargo test` puts the examples beside the tests.
fn example(name: &str) -> PathBuf {
    let tests = env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is not built: run `cargo build --example {name}`", path.display());
    path
}

#[test]
fn the_echo_server_of_the_readme_is_the_example() {
    assert!(README.contains(&format!("```rust,no_run\n{ECHO}```\n")));
}

#[test]
fn the_echo_server_echoes() {
    let mut server = Server(Command::new(example("echo")).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addr = line.trim().strip_prefix("listening on ").unwrap();
    let mut clients: Vec<_> = (0..20).map(|_| TcpStream::connect(addr).unwrap()).collect();
    for client in &mut clients {
        client.write_all(b"back to me").unwrap();
    }
    for client in &mut clients {
        let mut back = [0; 10];
        client.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"back to me");
    }
}

#[test]
fn the_table_lists_all_functions_of_redis_7_0() {
    let functions = [
        "anetTcpNonBlockConnect",
        "anetTcpNonBlockBestEffortBindConnect",
        "anetResolve",
        "anetTcpServer",
        "anetTcp6Server",
        "anetUnixServer",
        "anetTcpAccept",
        "anetUnixAccept",
        "anetNonBlock",
        "anetBlock",
        "anetCloexec",
        "anetEnableTcpNoDelay",
        "anetDisableTcpNoDelay",
        "anetSendTimeout",
        "anetRecvTimeout",
        "anetFdToString",
        "anetKeepAlive",
        "anetFormatAddr",
        "anetFormatFdAddr",
        "anetPipe",
        "anetSetSockMarkId",
    ];
    let table: Vec<_> = GUIDE.lines().filter(|line| line.starts_with("| `anet")).collect();
    for function in functions {
        let row = table.iter().find(|row| row.contains(&format!("`{function}`")));
        assert!(row.is_some(), "{function} is not in the table");
    }
}
