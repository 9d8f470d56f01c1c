//! C and C++ programs that use the library.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{flag, ipv6::lacks_ipv6, library, made, output, source};

/// How to build a program.
#[derive(Clone, Copy)]
pub struct Compiler {
    program: &'static str,
    flags: &'static [&'static str],
}

pub const C99: Compiler = Compiler { program: "cc", flags: &["-std=c99"] };
const CPP17: Compiler = Compiler { program: "c++", flags: &["-x", "c++", "-std=c++17"] };

const WARNINGS: [&str; 3] = ["-Wall", "-Wextra", "-Werror"];
/// A finding aborts the program.
const SANITIZERS: [&str; 3] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"];

/// The tests in C: all sources but the programs of their own.
fn tests() -> Vec<PathBuf> {
    let files = fs::read_dir(source("tests/capi")).unwrap().map(|file| file.unwrap().path());
    let in_c = files.filter(|path| path.extension().is_some_and(|extension| extension == "c"));
    in_c.filter(|path| !path.ends_with("echo.c") && !path.ends_with("interrupted.c")).collect()
}

/// The command that builds a program, without the library.
fn compile(compiler: Compiler, sources: &[PathBuf], to: &PathBuf) -> Command {
    let mut command = Command::new(compiler.program);
    command.args(compiler.flags).args(WARNINGS).arg(flag("-I", source("src/capi"))).arg("-o").arg(to).args(sources);
    if cfg!(anet_force_accept_fallback) {
        command.arg("-DANET_FORCE_ACCEPT_FALLBACK");
    }
    // The following arguments are not sources.
    command.args(["-x", "none"]);
    command
}

/// A program linked with the static library.
pub fn linked(name: &str, compiler: Compiler, sources: &[PathBuf], flags: &[&str]) -> PathBuf {
    let program = made(name);
    output(compile(compiler, sources, &program).arg(library::folder().join("libanet.a")).args(flags));
    program
}

fn run_tests(name: &str, compiler: Compiler, flags: &[&str]) {
    run(&linked(name, compiler, &tests(), flags));
}

/// They silently skip what needs IPv6 where the host has none.
fn run(program: &Path) {
    let printed = output(&mut Command::new(program));
    assert!(printed.ends_with("all passed\n"), "{printed}");
    lacks_ipv6();
}

/// Whether a compiler can build a program with these flags, and the program runs. If not, a message is printed past the
/// test harness.
fn works(compiler: Compiler, name: &str, flags: &[&str]) -> bool {
    let (probe, program) = (made(&format!("{name}_probe.c")), made(&format!("{name}_probe")));
    fs::write(&probe, "int main(void) { return 0; }\n").unwrap();
    let made =
        Command::new(compiler.program).args(compiler.flags).args(flags).arg("-o").arg(&program).arg(probe).output();
    let works =
        made.is_ok_and(|made| made.status.success()) && Command::new(program).status().is_ok_and(|it| it.success());
    if !works {
        let skipped = format!("\nSKIPPED: {name}: {} {} does not work here\n", compiler.program, flags.join(" "));
        io::stderr().write_all(skipped.as_bytes()).unwrap();
    }
    works
}

#[test]
fn every_function_keeps_its_contract_in_c99() {
    run_tests("c99", C99, &[]);
}

#[test]
fn every_function_keeps_its_contract_in_cpp17() {
    if works(CPP17, "cpp17", &[]) {
        run_tests("cpp17", CPP17, &[]);
    }
}

#[test]
fn every_function_keeps_its_contract_in_c99_under_sanitizers() {
    if works(C99, "c99_sanitized", &SANITIZERS) {
        run_tests("c99_sanitized", C99, &SANITIZERS);
    }
}

#[test]
fn every_function_keeps_its_contract_in_cpp17_under_sanitizers() {
    if works(CPP17, "cpp17_sanitized", &SANITIZERS) {
        run_tests("cpp17_sanitized", CPP17, &SANITIZERS);
    }
}

#[test]
fn every_function_keeps_its_contract_in_the_shared_library() {
    let program = made("shared");
    let mut command = compile(C99, &tests(), &program);
    output(command.arg(flag("-L", library::folder())).arg("-lanet").arg(flag("-Wl,-rpath,", library::folder())));
    run(&program);
}

#[test]
fn the_static_library_needs_libc_and_the_unwinder_alone() {
    let program = linked("two_libraries", C99, &tests(), &["-nodefaultlibs", "-lc", "-lgcc_s"]);
    run(&program);
}

/// The calls of `fcntl` are `F_GETFD`, `F_SETFD` and `F_GETFD`; each is interrupted once, by its place among all.
#[test]
#[ignore = "needs strace"]
fn an_interrupted_fcntl_is_called_again() {
    let program = linked("interrupted", C99, &[source("tests/capi/interrupted.c")], &[]);
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "-e", "inject=fcntl:error=EINTR:when=1+2"]).arg(program);
    output(strace.stdin(Stdio::null()));
}
