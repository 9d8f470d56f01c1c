//! IPv6, which a host need not have: many containers do without.

use std::{
    env,
    io::{self, Write},
    net::TcpListener,
    thread,
};

/// Whether this host has no IPv6 on its loopback device. The test leaves out what needs it then, and passes; a line on
/// the standard error says so, past the test harness, which keeps what passing tests print to itself.
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
    // Only the macros are captured. A message that is lost is no reason to fail.
    let _ = writeln!(io::stderr(), "\nSKIPPED: {test}: this host has no IPv6");
}
