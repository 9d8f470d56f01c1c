//! Makes the linker take nothing from the system: no start files, no libraries, and an executable that needs no loader.
//! The position-independent code is linked to a fixed address; a static-pie would have to relocate itself.

fn main() {
    for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
