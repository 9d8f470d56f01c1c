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

const ALL: [&str; 15] = [
    env!("CARGO_BIN_EXE_client"),
    env!("CARGO_BIN_EXE_http"),
    env!("CARGO_BIN_EXE_proxy"),
    env!("CARGO_BIN_EXE_threads"),
    env!("CARGO_BIN_EXE_tls"),
    env!("CARGO_BIN_EXE_udp"),
    env!("CARGO_BIN_EXE_connect"),
    env!("CARGO_BIN_EXE_graceful_close"),
    env!("CARGO_BIN_EXE_heartbeat"),
    env!("CARGO_BIN_EXE_one_port"),
    env!("CARGO_BIN_EXE_oob"),
    env!("CARGO_BIN_EXE_udp_client"),
    env!("CARGO_BIN_EXE_udp_connected"),
    env!("CARGO_BIN_EXE_unix_stream"),
    env!("CARGO_BIN_EXE_writev"),
];

/// Those with a role for each of two terminals.
const PAIRS: [&str; 4] = [ALL[7], ALL[8], ALL[10], ALL[13]];

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
    let mistakes: [(&str, &[&str], &str); 7] = [
        (ALL[7], &["--how", "x", "server", "127.0.0.1:0"], "how \"x\": not one of plain, shutdown, lingering"),
        (ALL[11], &["nowhere"], "address \"nowhere\": "),
        (ALL[1], &["--listen"], "--listen needs a value"),
        (ALL[1], &["--listen", "nowhere"], "listen \"nowhere\": "),
        (ALL[1], &["--idle-time", "-1"], "idle-time \"-1\": "),
        (ALL[2], &["127.0.0.1:1", "x"], "argument \"x\": "),
        (ALL[0], &["--mode", "x", "127.0.0.1:1", "x"], "mode \"x\": neither waiting nor polling"),
    ];
    for (program, args, mistake) in mistakes {
        let (status, _, stderr) = output_of(program, args);
        assert_eq!(status, Some(2), "{program} {args:?}");
        assert!(stderr.starts_with(mistake), "{program} {args:?}: {stderr}");
    }
}

#[test]
fn an_unknown_role_ends_a_program_of_two_terminals_with_status_2() {
    for program in PAIRS {
        let (status, stdout, stderr) = output_of(program, &["peer", "127.0.0.1:0"]);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{program}");
        assert!(stderr.starts_with("role \"peer\": not one of ") && stderr.ends_with("; see --help\n"), "{stderr}");
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
