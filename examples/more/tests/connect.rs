//! `examples/connect.rs`.

use super::*;

const CONNECT: &str = env!("CARGO_BIN_EXE_connect");

#[test]
fn the_attempts_and_both_addresses_are_printed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for target in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
        let (status, stdout, stderr) = output_of(CONNECT, &[&target]);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{target}");
        assert!(stdout.contains(&format!(" ms  127.0.0.1:{port}: connected after ")), "{stdout}");
        assert!(stdout.contains(&format!(" -> 127.0.0.1:{port}\n")) && stdout.contains("round-trip time "), "{stdout}");
    }
}

#[test]
fn an_absent_server_is_a_failure_that_lists_the_attempts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (status, stdout, stderr) = output_of(CONNECT, &[&addr]);
    assert_eq!(status, Some(1));
    assert!(stdout.contains(&format!("{addr}: Connection refused after ")), "{stdout}");
    assert_eq!(stderr, format!("connect {addr}: Connection refused\n"));
}
