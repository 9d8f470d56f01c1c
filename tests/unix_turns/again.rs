//! A test that runs again as another process, under strace.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
};

use crate::place::Place;

/// The path that a test uses when it runs again.
pub(crate) const PATH: &str = "ANET_TEST_PATH";

/// This binary under strace, with system calls delayed.
pub(crate) fn again(injection: &str, test: &str) -> Command {
    let (calls, _) = injection.split_once(':').unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "--seccomp-bpf", "--output=/dev/null"]);
    strace.args([format!("--trace={calls}"), format!("--inject={injection}")]);
    strace.arg(env::current_exe().unwrap()).args(["--exact", test, "--include-ignored", "--nocapture"]);
    strace
}

/// The running test as another process, which finds `PATH` in its environment.
pub(crate) fn this_test_again(injection: &str, place: &Place) -> Process {
    let mut command = again(injection, thread::current().name().unwrap());
    let child = command.env(PATH, place.path()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("strace, which this test needs: {error}"));
    let output = BufReader::new(child.stdout.take().unwrap());
    Process { child, output }
}

pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Reads up to the line that contains this.
    pub(crate) fn says(&mut self, part: &str) -> String {
        let line = self.output.by_ref().lines().map(|line| line.unwrap()).find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("it never says {part}"))
    }

    pub(crate) fn wait(&mut self) {
        self.output.read_to_string(&mut String::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}
