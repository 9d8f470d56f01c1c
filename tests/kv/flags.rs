//! Valid flags, and the errors for wrong ones.

use crate::server::*;

#[test]
fn a_wrong_flag_is_reported_in_one_line() {
    let long_path = "x".repeat(108);
    let cases: [&[&str]; 18] = [
        &["--bind", "127.0.0.1:x"],
        &["--bind", ""],
        &["--port", "65536"],
        &["--port", "-1"],
        &["--port"],
        &["--unixsocketperm", "799"],
        &["--unixsocketperm", "1777"],
        &["--maxclients", "0"],
        &["--maxclients", "4294967296"],
        &["--max-per-source", "-1"],
        &["--protected-mode", "maybe"],
        &["--timeout", "1.5"],
        &["--timeout"],
        &["--tcp-keepalive", "32768"],
        &["--tcp-backlog", "x"],
        &["--unixsocket", &long_path],
        &["--sport", "1"],
        &["port"],
    ];
    for flags in cases {
        let output = kv(flags);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(text.starts_with("kv: ") && text.contains(flags[0]) && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn a_wrong_value_is_shown_truncated_and_quoted() {
    let huge = "é9".repeat(20_000);
    let shown = format!("{:?}...", "é9".repeat(32));
    for name in ["--bind", "--port", "--unixsocket", "--unixsocketperm", "--protected-mode", "--timeout"] {
        let text = stderr(&kv(&[name, &huge]));
        assert!(text.starts_with(&format!("kv: invalid value {shown} for {name}")) && text.len() < 300, "{text:.1000}");
    }
    let text = stderr(&kv(&[&huge]));
    assert_eq!(text, format!("kv: unknown flag {shown}; see --help\n"));
    let text = stderr(&kv(&["--port", "1\n2"]));
    assert_eq!(text, "kv: invalid value \"1\\n2\" for --port; see --help\n");
}

#[test]
fn help_shows_every_flag() {
    let output = kv(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let flags = ["bind", "port", "unixsocket", "unixsocketperm", "maxclients", "tcp-keepalive", "tcp-backlog"];
    for flag in flags.into_iter().chain(["max-per-source", "protected-mode", "timeout", "port-file"]) {
        assert!(text.contains(&format!("[--{flag} ")), "{flag}");
    }
    assert_eq!(output.status.code(), Some(0));
}
