//! How a port file is written.

use std::{fs, path::PathBuf};

use anet::listen::port_file;

use crate::{
    trace::{between_marks, traced},
    *,
};

const CALLS: [&str; 8] = ["getsockname", "open", "openat", "write", "fsync", "renameat", "close", "close"];

/// Writes a file and checks the result.
fn write_one() {
    // The clock has been read before.
    let (listener, ..) = tcp_with_clients(&SocketOptions::new(), 0);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("port-file-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("ports");
    between_marks((), |()| port_file::write(&path, [&listener], []).unwrap());
    let text = format!("TCP INET: {}\n", listener.local_addr().unwrap().port().unwrap());
    // strace faked a partial write, so its bytes are missing.
    assert!(text.ends_with(&fs::read_to_string(&path).unwrap()));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
#[ignore = "needs strace"]
fn a_port_file_is_created_written_synced_and_renamed() {
    let trace = traced(&[], || {
        write_one();
    });
    assert_eq!(trace.between_marks(), CALLS);
    assert_eq!(trace.between_marks_matching("O_WRONLY|O_CREAT|O_EXCL|O_LARGEFILE|O_NOFOLLOW|O_CLOEXEC, 0600"), 1);
}

#[test]
#[ignore = "needs strace"]
fn an_interrupted_write_is_repeated() {
    let trace = traced(&["write:error=EINTR:when=1", "fsync:error=EINTR:when=1"], || {
        write_one();
    });
    assert_eq!((trace.between_marks_matching("write("), trace.between_marks_matching("fsync(")), (2, 2));
    assert_eq!(trace.between_marks_matching("\"TCP INET: "), 2);
}

#[test]
#[ignore = "needs strace"]
fn a_short_write_resumes_where_it_ended() {
    let trace = traced(&["write:retval=4:when=1"], || {
        write_one();
    });
    assert_eq!(trace.between_marks_matching("\"TCP INET: "), 1);
    assert_eq!(trace.between_marks_matching("\"INET: "), 1);
}
