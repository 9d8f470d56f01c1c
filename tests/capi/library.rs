//! `libanet.a` and `libanet.so`: how they are built, and what they export.

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{fallbacks, header, output, readme, source};

/// The target directory where the README's commands built both libraries, once for all tests.
pub fn target() -> &'static Path {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    TARGET.get_or_init(build)
}

/// The directory where a C compiler finds them.
pub fn folder() -> PathBuf {
    target().join("c")
}

fn build() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("capi");
    for command in readme::commands_that_begin_with("cargo rustc ") {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut cargo = Command::new(cargo);
        cargo.args(command.split_whitespace().skip(1)).args(["--offline", "--locked", "--target-dir"]).arg(&target);
        // It overrides all other sources of flags: those of this test (a sanitizer's, say) do not suit the library.
        cargo.env("CARGO_ENCODED_RUSTFLAGS", fallbacks::forced().join("\x1f"));
        output(cargo.env_remove("CARGO_BUILD_TARGET").current_dir(source("")));
    }
    target
}

#[test]
fn the_shared_library_exports_the_functions_of_the_header_and_nothing_else() {
    let listing = output(Command::new("nm").args(["-D", "--defined-only"]).arg(folder().join("libanet.so")));
    let exported: BTreeSet<_> = listing.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    let declared = header::functions();
    assert_eq!(exported, declared.iter().map(String::as_str).collect());
}

#[test]
fn the_shared_library_needs_libc_alone() {
    let dynamic = output(Command::new("readelf").args(["--wide", "--dynamic"]).arg(folder().join("libanet.so")));
    let needed: Vec<_> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    assert!(!needed.is_empty(), "{dynamic}");
    for line in needed {
        assert!(["[libc.so.", "[ld-linux"].iter().any(|name| line.contains(name)), "{line}");
    }
}

/// Code and data of the shared library; Redis's own `anet.o` has 12 KB.
const LOADED_MAX: u64 = 200_000;

#[test]
fn the_shared_library_is_small() {
    let sizes = output(Command::new("size").arg(folder().join("libanet.so")));
    let total = sizes.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)).unwrap();
    println!("libanet.so loads {total} bytes");
    assert!(total.parse::<u64>().unwrap() < LOADED_MAX, "{sizes}");
}
