//! Streams: exact and partial transfers, end of stream, and lost peers.

mod support;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anet::{
    Errno, Error, Op, Stream,
    error::{Cause, ErrorKind},
    option,
    stream::{Deadline, Incomplete, IoSlice, IoSliceMut, Shutdown},
};
use support::*;

/// Two blocking ends.
fn blocking_pair() -> (Stream, Stream) {
    let (client, server) = connected_pair();
    option::set_nonblocking(&server, false).unwrap();
    (client, server)
}

fn reset(stream: Stream) {
    option::set_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Bytes in which no two neighbours are equal.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn written_bytes_are_read() {
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

/// A TLS session writes its records this way.
#[cfg(feature = "std")]
#[test]
fn the_traits_of_std_transfer_several_buffers_in_one_call() {
    use std::io::{Read, Write};

    fn write(mut stream: impl Write) -> usize {
        stream.write_vectored(&[IoSlice::new(b"one"), IoSlice::new(b"three")]).unwrap()
    }
    fn read(mut stream: impl Read, bufs: &mut [IoSliceMut<'_>]) -> usize {
        stream.read_vectored(bufs).unwrap()
    }
    let (client, server) = blocking_pair();
    for round in 0..2 {
        let (mut first, mut second) = ([0; 2], [0; 10]);
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        if round == 0 {
            assert_eq!(write(&client), 8);
            assert_eq!(read(&server, &mut bufs), 8);
        } else {
            assert_eq!(write(client.try_clone().unwrap()), 8);
            assert_eq!(read(server.try_clone().unwrap(), &mut bufs), 8);
        }
        assert_eq!((&first, &second[..6]), (b"on", &b"ethree"[..]));
    }
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
    eventually(PATIENCE, || server.take_error().unwrap());
    assert_eq!(server.shutdown(Shutdown::Both).unwrap_err(), Error::new(Op::Shutdown, Errno::NOTCONN));
}

/// The Rust runtime ignores the signal, so a process with the default action runs this test again.
#[test]
fn writing_to_a_closed_peer_is_an_error_and_no_sigpipe() {
    const THIS: &str = "writing_to_a_closed_peer_is_an_error_and_no_sigpipe";
    const CHILD: &str = "ANET_TEST_SIGPIPE";
    if std::env::var_os(CHILD).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", THIS]).env(CHILD, "");
        let output = child.output().unwrap();
        assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stdout));
        return;
    }
    // SAFETY: it sets the default action, which most programs have.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let (client, server) = blocking_pair();
    reset(client);
    let parts = [IoSlice::new(b"x")];
    let errors: Vec<_> = eventually(PATIENCE, || {
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
    let error = eventually(PATIENCE, || server.read(&mut [0]).err());
    assert_eq!(error, Error::new(Op::Read, Errno::CONNRESET));
}

#[test]
fn exact_transfers_of_any_size_are_complete() {
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
fn exact_transfers_resume_after_signals() {
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

/// A blocking and a non-blocking end, each with its peer.
fn both_kinds() -> [(Stream, Stream); 2] {
    let ((blocking, other), (peer, nonblocking)) = (blocking_pair(), connected_pair());
    [(blocking, other), (nonblocking, peer)]
}

const LIMIT: Duration = Duration::from_millis(100);

/// The result of `transfer`, which must end at its deadline, or at most a second later.
fn ended_by_its_deadline(transfer: impl FnOnce(Deadline) -> Result<(), Incomplete>) -> usize {
    let start = Instant::now();
    let Incomplete { done, error } = transfer(Deadline::after(LIMIT)).unwrap_err();
    let elapsed = start.elapsed();
    assert_eq!(error.cause(), Cause::DeadlinePassed);
    assert!(elapsed >= LIMIT && elapsed < SECOND, "{elapsed:?}");
    done
}

#[test]
fn signals_do_not_postpone_a_deadline() {
    for (stream, _peer) in both_kinds() {
        // Each of them would restart with each signal.
        stream.set_read_timeout(Some(SECOND)).unwrap();
        stream.set_write_timeout(Some(SECOND)).unwrap();
        let read = interrupted(|| ended_by_its_deadline(|deadline| stream.read_exact_deadline(&mut [0], deadline)));
        assert_eq!(read, 0);
        let all = vec![0; 50_000_000];
        let written = interrupted(|| ended_by_its_deadline(|deadline| stream.write_all_deadline(&all, deadline)));
        assert!(written > 0 && written < all.len());
    }
}

#[test]
fn bytes_that_arrive_one_by_one_do_not_postpone_a_deadline() {
    for (stream, peer) in both_kinds() {
        let is_over = &AtomicBool::new(false);
        let done = thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    peer.write_all(b"x").unwrap();
                    thread::sleep(Duration::from_millis(5));
                }
            });
            let done = ended_by_its_deadline(|deadline| stream.read_exact_deadline(&mut [0; 10_000], deadline));
            is_over.store(true, Ordering::SeqCst);
            done
        });
        assert!(done > 0, "{done}");
    }
}

#[test]
fn a_flood_does_not_postpone_a_deadline() {
    for (stream, peer) in both_kinds() {
        thread::scope(|scope| {
            scope.spawn(|| while peer.write_all(&[0; 65536]).is_ok() {});
            let mut buf = vec![0; 10_000_000];
            // Some complete buffers may arrive in time; all of them share one deadline.
            ended_by_its_deadline(|deadline| {
                loop {
                    stream.read_exact_deadline(&mut buf, deadline)?;
                }
            });
            // Ends the flood.
            reset(stream);
        });
    }
}

#[test]
fn available_bytes_are_transferred_even_after_the_deadline() {
    for (stream, peer) in both_kinds() {
        let over = Deadline::after(Duration::ZERO);
        peer.write_all(b"abc").unwrap();
        eventually(SECOND, || (option::tcp_info(&stream).unwrap().bytes_received() == Some(3)).then_some(()));
        let mut buf = [0; 8];
        stream.read_exact_deadline(&mut buf[..2], over).unwrap();
        let Incomplete { done, error } = stream.read_exact_deadline(&mut buf[2..], over).unwrap_err();
        assert_eq!((done, error.to_string().as_str(), &buf[..3]), (1, "read: Deadline passed", &b"abc"[..]));
        stream.write_all_deadline(b"def", over).unwrap();
        assert!(over.is_over() && Deadline::after(None).remaining().is_none());
    }
}

#[test]
fn exact_transfers_without_a_deadline_resume_after_signals() {
    for (stream, peer) in both_kinds() {
        let was_nonblocking = option::nonblocking(&stream);
        option::set_send_buffer_size(&stream, 4096).unwrap();
        let sent = pattern(2_000_000);
        let mut received = vec![0; sent.len()];
        let never = Deadline::after(None);
        thread::scope(|scope| {
            scope.spawn(|| interrupted(|| stream.write_all_deadline(&sent, never).unwrap()));
            interrupted(|| received.chunks_mut(777).for_each(|part| peer.read_exact_deadline(part, never).unwrap()));
        });
        assert!(sent == received);
        assert_eq!(option::nonblocking(&stream), was_nonblocking);
    }
}

#[test]
fn a_transfer_with_a_deadline_reports_the_end_and_the_lost_peer() {
    let deadline = Deadline::after(5 * SECOND);
    for (stream, peer) in both_kinds() {
        peer.write_all(b"abc").unwrap();
        drop(peer);
        let Incomplete { done, error } = stream.read_exact_deadline(&mut [0; 8], deadline).unwrap_err();
        assert_eq!((done, error.cause()), (3, Cause::EndOfStream));
        let lost = eventually(SECOND, || stream.write_all_deadline(b"x", deadline).err());
        assert!(lost.error.is_disconnected(), "{lost}");
    }
}

#[test]
fn a_stream_that_ends_early_reports_the_bytes_transferred() {
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
fn an_exact_transfer_that_would_block_reports_the_bytes_transferred() {
    let (client, server) = connected_pair();
    client.write_all(b"abc").unwrap();
    eventually(PATIENCE, || (option::tcp_info(&server).unwrap().bytes_received() == Some(3)).then_some(()));
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
    assert_eq!(incomplete.error.cause(), Cause::TimedOut);
}

#[test]
fn an_exact_read_fails_with_timed_out_and_not_would_block() {
    let (client, server) = blocking_pair();
    client.write_all(b"abc").unwrap();
    server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let Incomplete { done, error } = server.read_exact(&mut [0; 8]).unwrap_err();
    assert_eq!((done, error.cause(), error.kind()), (3, Cause::TimedOut, ErrorKind::TimedOut));
    assert_eq!(error.to_string(), "read: Timed out");
}

#[test]
#[cfg(feature = "std")]
fn std_distinguishes_a_timeout_from_a_nonblocking_socket() {
    use std::io::{ErrorKind, Read, Write};
    let (_client, mut server) = blocking_pair();
    server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    server.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    assert_eq!(Read::read(&mut server, &mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
    let full = Write::write_all(&mut server, &pattern(50_000_000)).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::TimedOut);
    option::set_nonblocking(&server, true).unwrap();
    assert_eq!(Read::read(&mut server, &mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let full = Write::write_all(&mut server, &pattern(50_000_000)).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
}

#[test]
fn peeked_bytes_are_read_again() {
    let (client, server) = blocking_pair();
    client.write_all(b"hello").unwrap();
    let mut buf = [0; 2];
    assert_eq!(server.peek(&mut buf), Ok(2));
    assert_eq!(server.peek(&mut buf), Ok(2));
    assert_eq!(&buf, b"he");
    let mut buf = [0; 5];
    server.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"hello");
}

#[test]
fn a_clone_keeps_the_connection_open() {
    let (client, server) = blocking_pair();
    let clone = server.try_clone().unwrap();
    assert!(option::cloexec(&clone).unwrap());
    drop(server);
    clone.write_all(b"x").unwrap();
    drop(clone);
    let mut buf = [0; 2];
    assert_eq!((client.read(&mut buf), client.read(&mut buf)), (Ok(1), Ok(0)));
}

#[test]
#[cfg(feature = "std")]
fn a_stream_converts_to_std_and_back() {
    use std::os::{fd::AsRawFd, unix::net::UnixStream};
    let (_client, server) = connected_pair();
    let (number, peer) = (server.as_raw_fd(), server.peer_addr().unwrap());
    let of_std = std::net::TcpStream::from(server);
    assert_eq!(anet::Endpoint::from(of_std.peer_addr().unwrap()), peer);
    assert_eq!(Stream::from(of_std).as_raw_fd(), number);

    let (one, other) = UnixStream::pair().unwrap();
    Stream::from(one).write_all(b"x").unwrap();
    assert_eq!(std::io::Read::read(&mut &UnixStream::from(Stream::from(other)), &mut [0; 2]).unwrap(), 1);
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
    let (client, _server) = blocking_pair();
    let incomplete = client.read_exact_deadline(&mut [0], Deadline::after(Duration::ZERO)).unwrap_err();
    assert_eq!(std::io::Error::from(incomplete).kind(), ErrorKind::TimedOut);
}

#[test]
fn the_ends_name_each_other() {
    let (client, server) = connected_pair();
    assert_eq!(client.local_addr().unwrap(), server.peer_addr().unwrap());
    assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
}

#[test]
fn a_socket_pair_is_unnamed() {
    let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let stream = Stream::from(anet::fd::OwnedFd::from(one));
    assert!(stream.local_addr().unwrap().as_unix().unwrap().is_unnamed());
    assert!(stream.peer_addr().unwrap().as_unix().unwrap().is_unnamed());
}
