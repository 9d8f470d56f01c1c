//! A test that runs itself again under strace.

use std::{
    any, env, fs,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    process::{self, ChildStdout, Command, Output, Stdio},
};

/// Set in a traced test.
const TRACED: &str = "ANET_TRACED";
/// Paths that do not exist; accessing them leaves a mark in the trace.
const BEGIN: &str = "/anet/mark/begin";
const END: &str = "/anet/mark/end";

/// Does the counted work. Its result is allocated before and kept until after, so neither shows in the trace.
pub(crate) fn between_marks<T>(mut made: T, work: impl FnOnce(&mut T)) -> T {
    mark(BEGIN);
    work(&mut made);
    mark(END);
    made
}

fn mark(path: &str) {
    assert!(fs::metadata(path).is_err());
}

/// The system calls of the thread that left marks.
pub(crate) struct Trace {
    /// One call a line, with its arguments and its result.
    lines: Vec<String>,
    /// The output of the process.
    pub(crate) output: String,
}

/// Runs the test that contains `work` again under strace, with these injections, and returns its trace. In that
/// process, does the work and does not return.
pub(crate) fn traced<F: FnOnce()>(injections: &[&str], work: F) -> Trace {
    traced_beside(injections, work, |_| {})
}

/// The same; meanwhile runs `beside`, untraced, with the output of the traced process.
pub(crate) fn traced_beside<F: FnOnce()>(
    injections: &[&str],
    work: F,
    beside: impl FnOnce(&mut BufReader<ChildStdout>),
) -> Trace {
    if env::var_os(TRACED).is_some() {
        work();
        process::exit(0);
    }
    let test = test_of::<F>();
    let dir = TraceDir::new(test, injections);
    let mut strace = Command::new("strace");
    strace.args(["-ff", "-qq", "--string-limit=64", "--output"]).arg(dir.0.join("trace"));
    strace.args(injections.iter().map(|injection| format!("--inject={injection}")));
    strace.arg(env::current_exe().unwrap()).args(["--exact", test, "--include-ignored", "--nocapture"]).env(TRACED, "");
    let output = run(strace, beside);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{test} under strace {injections:?}: {}\n{text}{errors}", output.status);
    Trace { lines: dir.marked_lines(), output: text }
}

/// The rest of its output when the work beside it is done.
fn run(mut command: Command, beside: impl FnOnce(&mut BufReader<ChildStdout>)) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("strace, which this test needs: {error}"));
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    beside(&mut stdout);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    Output { stdout: rest, ..output }
}

/// The name of the test that contains a closure.
fn test_of<F>() -> &'static str {
    // `syscalls::module::test::{{closure}}`
    let name = any::type_name::<F>();
    name.split_once("::").and_then(|(_, name)| name.split_once("::{{closure}}")).map_or(name, |(test, _)| test)
}

impl Trace {
    /// The names of the calls between the marks, in order.
    ///
    /// With debug assertions std checks a descriptor before it closes it; those calls are left out.
    pub(crate) fn between_marks(&self) -> Vec<&str> {
        let lines: Vec<_> = self.marked().collect();
        let is_closed_next = |at: usize| lines.get(at + 1).is_some_and(|line| line.starts_with("close("));
        let calls = lines.iter().enumerate().filter(|(at, line)| !(line.contains("F_GETFD)") && is_closed_next(*at)));
        calls.filter_map(|(_, line)| line.split_once('(')).map(|(name, _)| name).collect()
    }

    /// The number of calls between the marks whose line contains `part`.
    pub(crate) fn between_marks_matching(&self, part: &str) -> usize {
        self.marked().filter(|line| line.contains(part)).count()
    }

    /// The number of calls after the last mark whose line contains `part`.
    pub(crate) fn answers_after(&self, part: &str) -> usize {
        self.lines
            .rsplit(|line| line.contains(END))
            .next()
            .unwrap_or_default()
            .iter()
            .filter(|line| line.contains(part))
            .count()
    }

    /// The lines between a beginning and its end, of all such pairs.
    fn marked(&self) -> impl Iterator<Item = &str> {
        let mut inside = false;
        self.lines.iter().map(String::as_str).filter(move |line| {
            let mark = line.contains(BEGIN) || line.contains(END);
            inside = if mark { line.contains(BEGIN) } else { inside };
            inside && !mark
        })
    }
}

/// The directory where strace writes a file for each thread, so threads never interleave lines.
struct TraceDir(PathBuf);

impl TraceDir {
    fn new(test: &str, injections: &[&str]) -> Self {
        let name = format!("{}-{}-{}", process::id(), test, injections.join("-")).replace([':', '='], "-");
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    /// The lines of the one thread that left both marks.
    fn marked_lines(&self) -> Vec<String> {
        let files = fs::read_dir(&self.0).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        let mut marked = files.filter(|trace| trace.contains(BEGIN) && trace.contains(END));
        let (Some(trace), None) = (marked.next(), marked.next()) else {
            panic!("not one thread has left marks: is the name right under which the test was run?");
        };
        trace.lines().map(str::to_owned).collect()
    }
}

impl Drop for TraceDir {
    fn drop(&mut self) {
        // A leftover lies in the target directory.
        let _ = fs::remove_dir_all(&self.0);
    }
}
