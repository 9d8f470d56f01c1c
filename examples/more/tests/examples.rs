//! The examples as processes.

mod client;
mod connect;
mod datagrams;
mod http;
mod pairs;
mod proxy;
mod server;
mod threads;
mod tls;
mod udp;

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use server::*;

const ALL: [&str; 7] = [
    env!("CARGO_BIN_EXE_client"),
    env!("CARGO_BIN_EXE_http"),
    env!("CARGO_BIN_EXE_proxy"),
    env!("CARGO_BIN_EXE_threads"),
    env!("CARGO_BIN_EXE_tls"),
    env!("CARGO_BIN_EXE_udp"),
    env!("CARGO_BIN_EXE_connect"),
];

#[test]
fn help_describes_every_flag() {
    for program in ALL {
        let (status, stdout, stderr) = output_of(program, &["--help"]);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{program}");
        assert!(stdout.starts_with("Usage: "), "{stdout}");
    }
}

#[test]
fn a_mistake_on_the_command_line_ends_a_program_with_status_2() {
    for program in ALL {
        let (status, stdout, stderr) = output_of(program, &["--no-such-flag"]);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{program}");
        assert_eq!(stderr, "unknown flag \"--no-such-flag\"; see --help\n");
    }
    let mistakes: [(&str, &[&str], &str); 5] = [
        (ALL[1], &["--listen"], "--listen needs a value"),
        (ALL[1], &["--listen", "nowhere"], "listen \"nowhere\": "),
        (ALL[1], &["--idle-time", "-1"], "idle-time \"-1\": "),
        (ALL[2], &["127.0.0.1:1"], "2 arguments expected, 1 found"),
        (ALL[0], &["--mode", "x", "127.0.0.1:1", "x"], "mode \"x\": neither waiting nor polling"),
    ];
    for (program, args, mistake) in mistakes {
        let (status, _, stderr) = output_of(program, args);
        assert_eq!(status, Some(2), "{program} {args:?}");
        assert!(stderr.starts_with(mistake), "{program} {args:?}: {stderr}");
    }
}

#[test]
fn a_port_in_use_ends_a_server_with_status_1_and_a_message() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for (program, words) in [(ALL[1], &[][..]), (ALL[2], &["127.0.0.1:1", "127.0.0.1:1"]), (ALL[4], &[])] {
        let (status, _, stderr) = output_of(program, &[&["--listen", &addr], words].concat());
        assert_eq!(status, Some(1), "{program}");
        assert!(stderr.contains("Address already in use"), "{stderr}");
    }
}
