//! The system's tools, run in the namespace of the calling thread.

use std::{
    io::Write,
    process::{Command, Stdio},
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

/// Runs commands of `ip` and returns whether this kernel can do them.
pub fn try_ip(commands: &str) -> bool {
    run_ip(commands).is_empty()
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
