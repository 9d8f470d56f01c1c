//! Tells the linker to take nothing from the system: no start files, no libraries, and an executable that needs no
//! loader. The code is position-independent and may be linked to a fixed place all the same; a static-pie would have to
//! relocate itself.

fn main() {
    for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
