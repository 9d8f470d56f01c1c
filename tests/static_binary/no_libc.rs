//! The crate without std, libc and allocator: links the package in `tests/no_libc` that way, examines it and runs it.
//!
//! Ordinary tests cannot show this: std's test harness links all three.

// The package's entry point is written in assembly for this architecture.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "../support/fallbacks.rs"]
mod fallbacks;

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Longer than any step of the server takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than the server needs, and less than it would be with a part of std; without and with the feature `dns`.
const SIZES_MAX: [u64; 2] = [350_000, 410_000];

#[test]
fn a_server_without_libc_echoes_and_exits_on_quit() {
    let mut server = Server::start(binary());
    let mut clients: Vec<_> = (0..16).map(|_| server.connect()).collect();
    for round in 0..100 {
        for (number, client) in clients.iter_mut().enumerate() {
            expect_echo(client, format!("client {number} in round {round}").repeat(1 + round).as_bytes());
        }
    }
    clients.truncate(8);
    expect_echo(&mut server.connect(), b"quitting is not quit");

    clients[0].write_all(b"quit\n").unwrap();
    assert_eq!(server.exit_code(), Some(0));
}

/// It resolves and connects before it listens.
#[test]
fn names_are_resolved_without_libc() {
    let mut server = Server::start(binary_with_names());
    server.connect().write_all(b"quit\n").unwrap();
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn nothing_is_undefined() {
    for binary in [binary(), binary_with_names()] {
        let defined = output(Command::new("nm").arg("--defined-only").arg(binary));
        assert!(defined.lines().any(|line| line.ends_with(" T _start")), "no symbol table to judge by:\n{defined}");
        let undefined = output(Command::new("nm").arg("--undefined-only").arg(binary));
        assert_eq!(undefined, "");
    }
}

#[test]
fn the_executable_is_static_and_small() {
    for (binary, size_max) in [binary(), binary_with_names()].into_iter().zip(SIZES_MAX) {
        is_static_and_small(binary, size_max);
    }
}

fn is_static_and_small(binary: &Path, size_max: u64) {
    let headers = output(Command::new("readelf").args(["--wide", "--file-header", "--program-headers"]).arg(binary));
    assert!(headers.contains("EXEC (Executable file)"), "{headers}");
    for needed_by_a_loader in ["INTERP", "DYNAMIC"] {
        assert!(!headers.contains(needed_by_a_loader), "{headers}");
    }
    let size = fs::metadata(binary).unwrap().len();
    println!("the server without libc has {size} bytes");
    assert!(size <= size_max, "{size} bytes");
}

#[test]
fn the_package_has_the_dependencies_of_the_crate() {
    let locked = |path: &Path| packages(&fs::read_to_string(path).unwrap());
    let own = locked(&package().join("Cargo.lock"));
    let crates = locked(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock"));
    let others: Vec<_> = own.difference(&crates).filter(|(name, _)| name != "\"anet-no-libc\"").collect();
    assert!(own.len() > 3 && others.is_empty(), "not in the crate's Cargo.lock: {others:?}");
}

/// Names and versions in the text of a lock file.
fn packages(lock: &str) -> BTreeSet<(String, String)> {
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().to_owned()
    };
    lock.split("[[package]]").skip(1).map(|package| (value(package, "name = "), value(package, "version = "))).collect()
}

fn expect_echo(client: &mut TcpStream, text: &[u8]) {
    client.write_all(text).unwrap();
    let mut echo = vec![0; text.len()];
    client.read_exact(&mut echo).unwrap();
    assert!(echo == text, "{}", String::from_utf8_lossy(&echo));
}

/// A running server, which does not outlive the test.
struct Server {
    child: Child,
    addr: String,
    /// Kept open, so that the server can print.
    _output: BufReader<ChildStdout>,
}

impl Server {
    fn start(binary: &Path) -> Self {
        let mut child = Command::new(binary).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let addr = line.strip_prefix("listening on ").map(|addr| addr.trim_end().to_owned());
        Self { child, addr: addr.unwrap_or_else(|| panic!("the server said {line:?}")), _output: output }
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(&self.addr).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("the server goes on");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../no_libc")
}

/// The server's executable, built once for all tests.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("no_libc", &[]))
}

/// The same with the feature `dns`.
fn binary_with_names() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("no_libc_dns", &["--features", "dns"]))
}

fn build(folder: &str, features: &[&str]) -> PathBuf {
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(folder);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .arg("build")
        .args(features)
        .args(["--release", "--locked", "--target", TARGET, "--target-dir"])
        .arg(&target_dir);
    // It overrides all other sources of flags: those of this test (a sanitizer's, say) do not suit the package.
    command.env("CARGO_ENCODED_RUSTFLAGS", fallbacks::forced().join("\x1f"));
    output(command.current_dir(package()));
    target_dir.join(TARGET).join("release/echo")
}

/// The output of a command; a missing or failing command fails the test.
fn output(command: &mut Command) -> String {
    let program = command.get_program().to_owned();
    let output = command.output().unwrap_or_else(|error| panic!("{program:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?} failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}
