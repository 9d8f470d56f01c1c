//! The C ABI from C: builds and examines the libraries with the README's commands, and links C and C++ programs with
//! them.

#![cfg(target_os = "linux")]

mod echo;
#[path = "../support/fallbacks.rs"]
mod fallbacks;
mod header;
#[path = "../support/ipv6.rs"]
mod ipv6;
mod library;
mod program;
mod readme;

use std::{ffi::OsString, path::PathBuf, process::Command};

/// The output of a command; a missing or failing command fails the test.
fn output(command: &mut Command) -> String {
    let program = command.get_program().to_owned();
    let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {}\n{printed}{errors}", program.display(), output.status);
    printed.into_owned()
}

/// A file of the crate.
fn source(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A directory for the files of a test, one per name.
fn made(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A flag followed by a path.
fn flag(name: &str, path: PathBuf) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(path);
    flag
}
