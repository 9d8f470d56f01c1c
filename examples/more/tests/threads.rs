//! `examples/threads.rs`.

use super::*;
use std::collections::BTreeSet;

#[test]
fn every_thread_serves_some_of_the_connections() {
    let server = Server::start(env!("CARGO_BIN_EXE_threads"), &["--threads", "3"]);
    let mut greetings = BTreeSet::new();
    // The probability that one of three threads gets none is about 3 * (2/3)^200.
    for _ in 0..200 {
        let mut client = server.client();
        greetings.insert(read(&mut client, "thread 1\n".len()));
        client.write_all(b"echo").unwrap();
        assert_eq!(read(&mut client, 4), "echo");
    }
    assert!(greetings.into_iter().eq(["thread 1\n", "thread 2\n", "thread 3\n"]));
}
