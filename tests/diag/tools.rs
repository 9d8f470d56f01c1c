//! The system's tools, run in the namespace of the calling thread.

use std::{
    fmt::Display,
    io::{self, Write},
    process::{Command, Stdio},
    thread,
};

use serde_json::Value;

/// The output of a command that succeeds.
pub fn output(command: &str) -> String {
    let mut words = command.split_whitespace();
    let said = Command::new(words.next().unwrap()).args(words).output().unwrap_or_else(|error| {
        panic!("{command}: {error}");
    });
    assert!(said.status.success(), "{command}: {}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap()
}

/// Runs commands of `ip`, one a line.
pub fn ip(commands: &str) {
    let refused = run_ip(commands);
    assert!(refused.is_empty(), "{commands}: {refused}");
}

/// Runs commands of `ip` that need a part of the kernel that it may lack.
pub fn ip_for_kernels_with(what: &str, commands: &str) {
    let refused = run_ip(commands);
    if !refused.is_empty() {
        skip_for_kernel(what, refused.trim_end());
    }
}

fn run_ip(commands: &str) -> String {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("ip: {error}"));
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    if said.status.success() { String::new() } else { format!("ip: {}", String::from_utf8_lossy(&said.stderr)) }
}

pub fn json(command: &str) -> Vec<Value> {
    match serde_json::from_str(&output(command)) {
        Ok(Value::Array(values)) => values,
        other => panic!("{command}: {other:?}"),
    }
}

/// Says, past the test harness, which part of a test this kernel was built without.
pub fn skip_for_kernel(what: &str, error: impl Display) {
    let thread = thread::current();
    let test = thread.name().unwrap_or_default();
    // The harness captures only the macros. A lost message is no reason to fail.
    let _ = writeln!(io::stderr(), "\nSKIPPED: {test}: this kernel lacks {what}: {error}");
}
