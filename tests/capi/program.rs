//! C and C++ programs that use the library, for each generation of `anet.h`.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{flag, header, ipv6::lacks_ipv6, library, made, output, source};

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

/// The values of `ANET_API`.
pub const GENERATIONS: [&str; 9] =
    ["60", "62", "70", "72", "74", "80", "ANET_VALKEY_80", "ANET_VALKEY_81", "ANET_VALKEY_90"];
/// The generation without an `ANET_API`.
const DEFAULT: &str = "70";

/// The programs of their own.
const PROGRAMS: [&str; 4] = ["echo.c", "interrupted.c", "mixed_70.c", "mixed_v90.c"];

/// The tests in C: all sources but the programs of their own.
fn tests() -> Vec<PathBuf> {
    let files = fs::read_dir(source("tests/capi")).unwrap().map(|file| file.unwrap().path());
    let in_c = files.filter(|path| path.extension().is_some_and(|extension| extension == "c"));
    in_c.filter(|path| !PROGRAMS.iter().any(|program| path.ends_with(program))).collect()
}

/// The flag for a generation; the default one is left out, so that the default is tested.
fn generation_flag(generation: &str) -> Option<String> {
    (generation != DEFAULT).then(|| format!("-DANET_API={generation}"))
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
    run(&GENERATIONS.map(|generation| {
        let program = made(&format!("{name}_{generation}"));
        let mut command = compile(compiler, &tests(), &program);
        output(command.args(generation_flag(generation)).arg(library::folder().join("libanet.a")).args(flags));
        program
    }));
}

/// Runs the tests of each program. They silently skip what needs IPv6 where the host has none, which is said once.
fn run(programs: &[PathBuf]) {
    for program in programs {
        let printed = output(&mut Command::new(program));
        assert!(printed.ends_with("all passed\n"), "{}: {printed}", program.display());
    }
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
    run(&[DEFAULT, "ANET_VALKEY_90"].map(|generation| {
        let program = made(&format!("shared_{generation}"));
        let mut command = compile(C99, &tests(), &program);
        command.args(generation_flag(generation)).arg(flag("-L", library::folder())).arg("-lanet");
        output(command.arg(flag("-Wl,-rpath,", library::folder())));
        program
    }));
}

#[test]
fn the_static_library_needs_libc_alone() {
    run(&[linked("libc_alone", C99, &tests(), &["-nodefaultlibs", "-lc"])]);
}

#[test]
fn a_program_exports_the_functions_of_the_header_and_nothing_else_of_the_library() {
    let empty = made("exports_nothing.c");
    fs::write(&empty, "int main(void) { return 0; }\n").unwrap();
    let without = exported(&linked("exports_nothing", C99, &[empty], &["-rdynamic"]));
    let with = exported(&linked("exports", C99, &[source("tests/capi/echo.c")], &["-rdynamic"]));
    let of_the_library: BTreeSet<_> = with.difference(&without).cloned().collect();
    assert_eq!(of_the_library, header::functions());
}

/// The symbols that a program defines for libraries loaded later, without those copied from the C library.
fn exported(program: &Path) -> BTreeSet<String> {
    let listing = output(Command::new("nm").args(["-D", "--defined-only"]).arg(program));
    let names = listing.lines().filter_map(|line| line.split(' ').nth(2));
    names.filter(|name| !name.contains('@')).map(str::to_owned).collect()
}

#[test]
fn two_generations_in_one_program_agree() {
    let parts = [source("tests/capi/mixed_70.c"), source("tests/capi/mixed_v90.c")];
    output(&mut Command::new(linked("mixed", C99, &parts, &[])));
}

/// What the compiler says of a program for a generation.
fn refused(name: &str, generation: &str, program: &str) -> String {
    let path = made(&format!("{name}.c"));
    fs::write(&path, program).unwrap();
    let mut command = compile(C99, &[path], &made(name));
    let output = command.arg(format!("-DANET_API={generation}")).arg(library::folder().join("libanet.a")).output();
    let output = output.unwrap();
    assert!(!output.status.success(), "it builds for {generation}: {program}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn code_for_another_generation_does_not_compile() {
    const CASES: [(&str, &str, &str); 11] = [
        ("72", "anetFdToString(0, 0, 0, 0, FD_TO_PEER_NAME)", "FD_TO_PEER_NAME"),
        ("72", "anetFormatFdAddr(0, 0, 0, 0)", "anetFormatFdAddr"),
        ("ANET_VALKEY_80", "anetUnixServer(0, 0, 0, 0)", "too few"),
        ("80", "anetUnixServer(0, 0, 0, 0, 0)", "too many"),
        ("ANET_VALKEY_90", "anetTcpServer(0, 0, 0, 0)", "too few"),
        ("ANET_VALKEY_81", "anetTcpServer(0, 0, 0, 0, 0)", "too many"),
        ("60", "anetResolve(0, 0, 0, 0, 0)", "too many"),
        ("62", "anetResolve(0, 0, 0, 0)", "too few"),
        ("72", "anetResolve(0, 0, 0, 0, ANET_PREFER_IPV4)", "ANET_PREFER_IPV4"),
        ("70", "anetGetError(0)", "anetGetError"),
        ("74", "anetRetryAcceptOnError(0)", "anetRetryAcceptOnError"),
    ];
    for (number, (generation, call, said)) in CASES.into_iter().enumerate() {
        let program = format!("#include \"anet.h\"\nint main(void) {{ return {call}; }}\n");
        let message = refused(&format!("foreign_{number}"), generation, &program);
        assert!(message.contains(said), "{generation}: {call}\n{message}");
    }
}

#[test]
fn a_generation_that_does_not_exist_is_refused() {
    for generation in ["71", "0", "1", "ANET_VALKEY_85", "1091"] {
        let message = refused("unknown", generation, "#include \"anet.h\"\nint main(void) { return 0; }\n");
        assert!(message.contains("is not a generation"), "{generation}: {message}");
    }
}

#[test]
fn one_file_cannot_have_two_generations() {
    let program = "#include \"anet.h\"\n#undef ANET_API\n#define ANET_API 72\n#include \"anet.h\"\nint main(void) { return 0; }\n";
    let message = refused("twice", "70", program);
    assert!(message.contains("for another ANET_API"), "{message}");
}

/// As a server that is compiled with its own `anet.h` calls them.
#[test]
fn a_function_that_differs_between_generations_has_no_symbol_of_its_own_name() {
    const CALLS: [&str; 7] = [
        "anetFdToString",
        "anetResolve",
        "anetTcpAccept",
        "anetTcpServer",
        "anetUnixAccept",
        "anetUnixServer",
        "anetTcpNonBlockBestEffortBindConnect",
    ];
    for call in CALLS {
        let message =
            refused("own_header", "70", &format!("int {call}(void);\nint main(void) {{ return {call}(); }}\n"));
        assert!(message.contains("undefined reference"), "{message}");
    }
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
