//! Streams: whole and partial transfers, ends, and peers that are gone.

mod support;

use std::{thread, time::Duration};

use anet::{
    Errno, Error, Op, Stream,
    error::Cause,
    option,
    stream::{Incomplete, IoSlice, IoSliceMut, Shutdown},
};
use support::*;

/// Two ends that wait.
fn blocking_pair() -> (Stream, Stream) {
    let (client, server) = connected_pair();
    option::set_nonblocking(&server, false).unwrap();
    (client, server)
}

fn reset(stream: Stream) {
    option::set_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Bytes of which no two neighbours are the same.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn what_is_written_is_read() {
    let (client, server) = blocking_pair();
    assert_eq!(client.write(b"hello").unwrap(), 5);
    let mut buf = [0; 16];
    assert_eq!(server.read(&mut buf).unwrap(), 5);
    assert_eq!(&buf[..5], b"hello");
}

#[test]
fn nothing_to_read_would_block() {
    let (_client, server) = connected_pair();
    assert_would_block(server.read(&mut [0]));
}

#[test]
fn a_full_send_buffer_would_block() {
    let (_client, server) = connected_pair();
    let chunk = [0; 65536];
    let error = loop {
        if let Err(error) = server.write(&chunk) {
            break error;
        }
    };
    assert!(error.is_would_block());
}

#[test]
fn vectored_transfers_fill_buffer_after_buffer() {
    let (client, server) = blocking_pair();
    let parts = [IoSlice::new(b"one"), IoSlice::new(b""), IoSlice::new(b"three")];
    assert_eq!(client.write_vectored(&parts).unwrap(), 8);
    let (mut first, mut second) = ([0; 2], [0; 10]);
    let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(server.read_vectored(&mut bufs).unwrap(), 8);
    assert_eq!((&first, &second[..6]), (b"on", &b"ethree"[..]));
}

#[test]
fn more_than_1024_buffers_are_refused() {
    let (client, _server) = blocking_pair();
    let parts = [IoSlice::new(b"x"); 1025];
    assert_eq!(client.write_vectored(&parts).unwrap_err(), Error::new(Op::Write, Errno::MSGSIZE));
    assert_eq!(client.write_vectored(&parts[..1024]).unwrap(), 1024);
}

#[test]
fn the_end_of_the_stream_is_zero_bytes() {
    let (client, server) = blocking_pair();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    server.write_all(b"still open").unwrap();
    client.read_exact(&mut [0; 10]).unwrap();
}

#[test]
fn shutting_down_both_ways_ends_both_ways() {
    let (client, server) = blocking_pair();
    server.shutdown(Shutdown::Both).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.write(b"x").unwrap_err(), Error::new(Op::Write, Errno::PIPE));
    server.shutdown(Shutdown::Read).unwrap();
}

#[test]
fn shutting_down_a_lost_connection_is_an_error() {
    let (client, server) = blocking_pair();
    reset(client);
    eventually(SECOND, || server.take_error().unwrap());
    assert_eq!(server.shutdown(Shutdown::Both).unwrap_err(), Error::new(Op::Shutdown, Errno::NOTCONN));
}

/// The Rust runtime ignores the signal, so this is tried in a process that does not: this test, run again.
#[test]
fn writing_to_a_closed_peer_is_an_error_and_no_sigpipe() {
    const CHILD: &str = "ANET_TEST_SIGPIPE";
    if std::env::var_os(CHILD).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", thread::current().name().unwrap()]).env(CHILD, "");
        let output = child.output().unwrap();
        assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stdout));
        return;
    }
    // SAFETY: the default action is what most programs have.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let (client, server) = blocking_pair();
    reset(client);
    let parts = [IoSlice::new(b"x")];
    let errors: Vec<_> = eventually(SECOND, || {
        let results = [server.write(b"x"), server.write_vectored(&parts), server.write(b"x")];
        results.into_iter().map(Result::err).collect::<Option<Vec<_>>>()
    });
    assert!(errors.iter().all(Error::is_disconnected), "{errors:?}");
    assert_eq!(errors.last().unwrap().to_string(), "write: Broken pipe");
}

#[test]
fn a_reset_is_read_as_an_error() {
    let (client, server) = blocking_pair();
    reset(client);
    let error = eventually(SECOND, || server.read(&mut [0]).err());
    assert_eq!(error, Error::new(Op::Read, Errno::CONNRESET));
}

#[test]
fn whole_transfers_of_any_size_are_exact() {
    for len in [0, 1, 4095, 1 << 20, 5_000_000] {
        let (client, server) = blocking_pair();
        let sent = pattern(len);
        let mut received = vec![0; len];
        thread::scope(|scope| {
            scope.spawn(|| client.write_all(&sent).unwrap());
            server.read_exact(&mut received).unwrap();
        });
        assert!(sent == received, "{len} bytes");
    }
}

#[test]
fn whole_transfers_go_on_through_signals() {
    let (client, server) = blocking_pair();
    option::set_send_buffer_size(&client, 4096).unwrap();
    let sent = pattern(2_000_000);
    let mut received = vec![0; sent.len()];
    thread::scope(|scope| {
        scope.spawn(|| interrupted(|| client.write_all(&sent).unwrap()));
        interrupted(|| {
            for part in received.chunks_mut(777) {
                server.read_exact(part).unwrap();
            }
        });
    });
    assert!(sent == received);
}

#[test]
fn a_stream_that_ends_early_tells_how_far_it_came() {
    let (client, server) = blocking_pair();
    client.write_all(b"abc").unwrap();
    drop(client);
    let mut buf = [0; 8];
    let incomplete = server.read_exact(&mut buf).unwrap_err();
    assert_eq!((incomplete.done, incomplete.error.cause()), (3, Cause::EndOfStream));
    assert_eq!(&buf[..3], b"abc");
    assert_eq!(incomplete.to_string(), "read: Unexpected end of stream after 3 bytes");
    assert_eq!(Error::from(incomplete).errno(), None);
}

#[test]
fn a_whole_transfer_that_would_block_tells_how_far_it_came() {
    let (client, server) = connected_pair();
    client.write_all(b"abc").unwrap();
    eventually(SECOND, || (option::tcp_info(&server).unwrap().bytes_received() == Some(3)).then_some(()));
    let Incomplete { done, error } = server.read_exact(&mut [0; 8]).unwrap_err();
    assert_eq!((done, error.is_would_block()), (3, true));

    let sent = pattern(50_000_000);
    let Incomplete { done, error } = server.write_all(&sent).unwrap_err();
    assert!(done > 0 && error.is_would_block());
    drop(server);
    let mut received = vec![0; done];
    client.read_exact(&mut received).unwrap();
    assert!(received == sent[..done]);
}

#[test]
fn a_read_timeout_ends_the_wait() {
    let (_client, server) = blocking_pair();
    server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    assert_would_block(server.read(&mut [0]));
    server.set_read_timeout(None).unwrap();
    assert_eq!(option::recv_timeout(&server).unwrap(), None);
}

#[test]
fn a_write_timeout_ends_the_wait() {
    let (_client, server) = blocking_pair();
    server.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    let incomplete = server.write_all(&pattern(50_000_000)).unwrap_err();
    assert!(incomplete.error.is_would_block());
}

#[test]
#[cfg(feature = "std")]
fn std_reads_and_writes_a_stream() {
    use std::io::{ErrorKind, Read, Write, copy};
    let (mut client, server) = blocking_pair();
    write!(client, "through std {}", 1).unwrap();
    drop(client);
    let mut text = String::new();
    (&server).read_to_string(&mut text).unwrap();
    assert_eq!(text, "through std 1");
    assert_eq!(copy(&mut &server, &mut std::io::sink()).unwrap(), 0);
    let error = std::io::Error::from(Stream::read_exact(&server, &mut [0]).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn the_ends_name_each_other() {
    let (client, server) = connected_pair();
    assert_eq!(client.local_addr().unwrap(), server.peer_addr().unwrap());
    assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
}

#[test]
fn a_socket_pair_has_no_names() {
    let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let stream = Stream::from(anet::fd::OwnedFd::from(one));
    assert!(stream.local_addr().unwrap().as_unix().unwrap().is_unnamed());
    assert!(stream.peer_addr().unwrap().as_unix().unwrap().is_unnamed());
}
