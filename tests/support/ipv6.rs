//! Detects hosts without IPv6, such as many containers.

use std::{
    env,
    io::{self, Write},
    net::TcpListener,
    thread,
};

/// Whether this host has no IPv6 on its loopback device. If so, the test skips the parts that need it and passes; a
/// line on standard error reports that, past the test harness, which hides the output of passing tests.
///
/// # Panics
///
/// If it has none and `ANET_TESTS_SKIP_NOTHING` is set.
pub fn lacks_ipv6() -> bool {
    let lacks = TcpListener::bind("[::1]:0").is_err();
    if lacks {
        skip();
    }
    lacks
}

fn skip() {
    let thread = thread::current();
    let test = thread.name().unwrap_or_default();
    assert!(env::var_os("ANET_TESTS_SKIP_NOTHING").is_none(), "{test} needs IPv6, which this host does not have");
    // The harness captures only the macros. A lost message is no reason to fail.
    let _ = writeln!(io::stderr(), "\nSKIPPED: {test}: this host has no IPv6");
}
