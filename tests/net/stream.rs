//! Whole transfers under signals, short writes and resets; delimiters; corked and queued bytes.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anet::{
    Errno, Error, Op, Stream,
    error::Cause,
    option,
    stream::{Deadline, Incomplete, IoSlice, IoSliceMut, Shutdown},
};

use crate::support::*;

const LIMIT: Duration = Duration::from_millis(100);

/// Blocking ends: TCP and Unix.
fn pairs() -> [(Stream, Stream); 2] {
    let (client, server) = connected_pair();
    option::set_nonblocking(&server, false).unwrap();
    [(client, server), Stream::pair().unwrap()]
}

/// Bytes that differ from each other at every distance that matters.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Slices of changing lengths, some of them empty.
fn slices(bytes: &[u8]) -> Vec<IoSlice<'_>> {
    let (mut rest, mut slices) = (bytes, Vec::new());
    for len in [0, 1, 70, 3, 0, 409, 7, 200].into_iter().cycle() {
        let (part, after) = rest.split_at(rest.len().min(len));
        slices.push(IoSlice::new(part));
        rest = after;
        if rest.is_empty() {
            return slices;
        }
    }
    unreachable!()
}

fn left(slices: &[IoSlice<'_>]) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.iter().copied()).collect()
}

#[test]
fn a_pair_is_connected_blocking_and_close_on_exec() {
    let (one, other) = Stream::pair().unwrap();
    for end in [&one, &other] {
        assert_eq!((option::nonblocking(end), option::cloexec(end)), (Ok(false), Ok(true)));
        assert!(end.peer_addr().unwrap().as_unix().unwrap().is_unnamed());
    }
    one.write_all(b"x").unwrap();
    drop(one);
    assert_eq!((other.read(&mut [0; 2]), other.read(&mut [0])), (Ok(1), Ok(0)));
}

#[test]
fn vectored_writes_resume_within_a_slice_after_short_writes() {
    for (client, server) in pairs() {
        // The smallest that the kernel gives: every write is a short one.
        option::set_send_buffer_size(&client, 1).unwrap();
        // Each of them is acknowledged late.
        let sent = pattern(200_000);
        let mut received = vec![0; sent.len()];
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut slices = slices(&sent);
                assert!(slices.len() > 1024);
                client.write_all_vectored(&mut slices).unwrap();
                assert_eq!(left(&slices), []);
            });
            server.read_exact(&mut received).unwrap();
        });
        assert!(sent == received);
    }
}

#[test]
fn after_would_block_the_same_slices_continue_the_write() {
    for (client, server) in pairs() {
        option::set_nonblocking(&client, true).unwrap();
        option::set_nonblocking(&server, true).unwrap();
        option::set_send_buffer_size(&client, 4096).unwrap();
        let sent = pattern(200_000);
        let (mut slices, mut received, mut blocked, mut is_written) = (slices(&sent), Vec::new(), 0, false);
        eventually(PATIENCE, || {
            if !is_written {
                let written = client.write_all_vectored(&mut slices);
                is_written = written.is_ok();
                assert!(is_written || written.is_err_and(|left| left.error.is_would_block()));
                blocked += usize::from(!is_written);
            }
            let mut buf = vec![0; 100_000];
            let len = server.read(&mut buf).unwrap_or(0);
            received.extend_from_slice(&buf[..len]);
            (received.len() == sent.len()).then_some(())
        });
        assert!(blocked > 0 && sent == received, "{blocked}");
    }
}

#[test]
fn a_vectored_write_that_reaches_its_deadline_reports_what_was_written() {
    for (client, server) in pairs() {
        let sent = pattern(10_000_000);
        let mut slices = slices(&sent);
        let start = Instant::now();
        let deadline = Deadline::after(LIMIT);
        let Incomplete { done, error } =
            interrupted(|| client.write_all_vectored_deadline(&mut slices, deadline).unwrap_err());
        assert_eq!(error.cause(), Cause::DeadlinePassed);
        assert!(start.elapsed() >= LIMIT && start.elapsed() < PATIENCE);
        assert!(left(&slices) == sent[done..]);
        drop(client);
        let mut received = vec![0; done];
        server.read_exact(&mut received).unwrap();
        assert!(received == sent[..done] && server.read(&mut [0]) == Ok(0));
    }
}

#[test]
fn a_line_is_read_and_not_a_byte_more() {
    for (client, server) in pairs() {
        client.write_all(b"one\r\ntwo\r\n\r\nbody").unwrap();
        let mut buf = [0; 64];
        assert_eq!(server.read_until(b"\r\n", &mut buf, 0), Ok(5));
        assert_eq!(&buf[..5], b"one\r\n");
        let deadline = Deadline::after(PATIENCE);
        assert_eq!(server.read_until_deadline(b"\r\n\r\n", &mut buf, 0, deadline), Ok(7));
        assert_eq!(&buf[..7], b"two\r\n\r\n");
        assert_eq!(server.read(&mut buf), Ok(4));
        assert_eq!(&buf[..4], b"body");
    }
}

#[test]
fn a_delimiter_that_arrives_in_parts_is_found() {
    for (client, server) in pairs() {
        let text = b"head\r\n\r\r\n\r\nbody";
        thread::scope(|scope| {
            scope.spawn(|| {
                for byte in text {
                    client.write_all(&[*byte]).unwrap();
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let mut buf = [0; 64];
            assert_eq!(server.read_until(b"\r\n\r\n", &mut buf, 0), Ok(11));
            assert_eq!(&buf[..11], b"head\r\n\r\r\n\r\n");
            server.read_exact(&mut buf[..4]).unwrap();
            assert_eq!(&buf[..4], b"body");
        });
    }
}

#[test]
fn a_nonblocking_read_continues_where_it_stopped() {
    for (client, server) in pairs() {
        option::set_nonblocking(&server, true).unwrap();
        let (mut buf, mut len) = ([0; 64], 0);
        for byte in b"GET /\r" {
            client.write_all(&[*byte]).unwrap();
            eventually(PATIENCE, || {
                let Incomplete { done, error } = server.read_until(b"\r\n", &mut buf, len).unwrap_err();
                assert!(error.is_would_block(), "{error}");
                let is_more = done > len;
                len = done;
                is_more.then_some(())
            });
        }
        client.write_all(b"\nHost").unwrap();
        let end = eventually(PATIENCE, || server.read_until(b"\r\n", &mut buf, len).ok());
        assert_eq!(&buf[..end], b"GET /\r\n");
    }
}

#[test]
fn a_missing_delimiter_is_a_full_buffer_the_end_or_the_deadline() {
    for (client, server) in pairs() {
        client.write_all(b"0123456789").unwrap();
        let mut buf = [0; 8];
        let Incomplete { done, error } = server.read_until(b"\n", &mut buf, 0).unwrap_err();
        assert_eq!((done, error.cause(), &buf), (8, Cause::BufferFull, b"01234567"));
        let Incomplete { done, error } =
            server.read_until_deadline(b"\n", &mut buf, 0, Deadline::after(LIMIT)).unwrap_err();
        assert_eq!((done, error.cause(), &buf[..2]), (2, Cause::DeadlinePassed, &b"89"[..]));
        server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        assert_eq!(server.read_until(b"\n", &mut buf, 0).unwrap_err().error.cause(), Cause::TimedOut);
        client.write_all(b"ab").unwrap();
        drop(client);
        let Incomplete { done, error } = server.read_until(b"\n", &mut buf, 0).unwrap_err();
        assert_eq!((done, error.cause()), (2, Cause::EndOfStream));
    }
}

#[test]
fn bytes_that_arrive_one_by_one_do_not_postpone_the_deadline_of_a_line() {
    for (client, server) in pairs() {
        let is_over = &AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    client.write_all(b"x").unwrap();
                    thread::sleep(Duration::from_millis(5));
                }
            });
            let start = Instant::now();
            let mut buf = [0; 10_000];
            let Incomplete { done, error } =
                interrupted(|| server.read_until_deadline(b"\n", &mut buf, 0, Deadline::after(LIMIT)).unwrap_err());
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(error.cause(), Cause::DeadlinePassed);
            assert!(done > 0 && start.elapsed() < PATIENCE, "{done}");
        });
    }
}

/// Sends `text`, ended by a newline, in one of five ways.
fn send(stream: &Stream, way: usize, text: &[u8]) {
    let deadline = Deadline::after(PATIENCE);
    let (head, tail) = text.split_at(text.len() / 2);
    match way % 5 {
        0 => stream.write_all(text),
        1 => stream.write_all_deadline(text, deadline),
        2 => stream.write_all_vectored(&mut slices(text)),
        3 => stream.write_all_vectored_deadline(&mut [head, tail].map(IoSlice::new), deadline),
        _ => stream.write_all(head).and_then(|()| stream.write_all(tail)),
    }
    .unwrap();
}

/// Receives a text of this length in one of four ways.
fn receive(stream: &Stream, way: usize, text: &mut [u8]) {
    let deadline = Deadline::after(PATIENCE);
    let len = text.len();
    match way % 4 {
        0 => stream.read_exact(text).map(|()| len),
        1 => stream.read_exact_deadline(text, deadline).map(|()| len),
        2 => stream.read_until(b"\n", text, 0),
        _ => stream.read_until_deadline(b"\n", text, 0, deadline),
    }
    .map(|received| assert_eq!(received, len))
    .unwrap();
}

#[test]
fn ten_thousand_transfers_survive_a_storm_of_signals() {
    const TRANSFERS: usize = 10_000;
    // Longer than the smallest send buffer, shorter, and a byte.
    let lens = [9_000, 1, 120, 2_500, 64];
    let text = |number: usize| {
        let mut text = vec![b'a' + (number % 26) as u8; lens[number % lens.len()]];
        *text.last_mut().unwrap() = b'\n';
        text
    };
    for (client, server) in pairs() {
        option::set_send_buffer_size(&client, 1).unwrap();
        option::set_send_buffer_size(&server, 1).unwrap();
        for stream in [&client, &server] {
            // Nagle's algorithm would wait for acknowledgements that are delayed.
            let _ = stream.set_nodelay(true);
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                interrupted(|| {
                    for number in 0..TRANSFERS {
                        let mut received = vec![0; lens[number % lens.len()]];
                        receive(&server, number, &mut received);
                        assert!(received == text(number), "{number}");
                    }
                });
            });
            interrupted(|| (0..TRANSFERS).for_each(|number| send(&client, number, &text(number))));
        });
    }
}

/// A call by name, and its error.
type Step = (&'static str, fn(&Stream) -> Option<Error>);

/// What a caller can be doing when the peer resets the connection.
fn steps() -> Vec<Step> {
    fn deadline() -> Deadline {
        Deadline::after(PATIENCE)
    }
    fn error<T>(result: Result<T, Incomplete>) -> Option<Error> {
        result.err().map(|incomplete| incomplete.error)
    }
    const MANY: usize = 50_000_000;
    vec![
        ("read", |s| s.read(&mut [0]).err()),
        ("peek", |s| s.peek(&mut [0]).err()),
        ("read_vectored", |s| s.read_vectored(&mut [IoSliceMut::new(&mut [0])]).err()),
        ("read_exact", |s| error(s.read_exact(&mut [0; 9]))),
        ("read_exact_deadline", |s| error(s.read_exact_deadline(&mut [0; 9], deadline()))),
        ("read_until", |s| error(s.read_until(b"\n", &mut [0; 9], 0))),
        ("read_until_deadline", |s| error(s.read_until_deadline(b"\n", &mut [0; 9], 0, deadline()))),
        ("write_all", |s| error(s.write_all(&vec![0; MANY]))),
        ("write_all_deadline", |s| error(s.write_all_deadline(&vec![0; MANY], deadline()))),
        ("write_all_vectored", |s| error(s.write_all_vectored(&mut [IoSlice::new(&vec![0; MANY])]))),
        ("write_all_vectored_deadline", |s| {
            error(s.write_all_vectored_deadline(&mut [IoSlice::new(&vec![0; MANY])], deadline()))
        }),
        ("close_lingering", |s| error(s.try_clone().unwrap().close_lingering(100, deadline()))),
    ]
}

#[test]
fn a_peer_that_resets_ends_every_waiting_call_with_an_error() {
    for (name, step) in steps() {
        let [(client, server), _] = pairs();
        let reset = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            client.abort().unwrap();
        });
        let error = step(&server);
        reset.join().unwrap();
        let is_expected = error.is_some_and(|error| error.is_disconnected() || error.errno() == Some(Errno::NOTCONN));
        assert!(is_expected, "{name}: {error:?}");
    }
}

#[test]
fn after_a_reset_every_call_fails_or_ends_and_none_waits() {
    for (name, step) in steps() {
        let [(client, server), _] = pairs();
        client.abort().unwrap();
        eventually(PATIENCE, || (option::tcp_info(&server).unwrap().state() == Some(7)).then_some(()));
        // The first call reports the reset; later ones the end or the missing peer.
        let first = step(&server);
        let is_expected = first.is_some_and(|error| error.is_disconnected() || error.errno() == Some(Errno::NOTCONN));
        assert!(is_expected, "{name}: {first:?}");
        step(&server);
        for call in [server.write(b"x").err(), server.write_oob(b'x').err(), server.write_more(b"x").err()] {
            assert!(call.is_some_and(|error| error.is_disconnected()), "{name}: {call:?}");
        }
        assert!(server.read_oob().is_err());
        assert_eq!(server.shutdown(Shutdown::Both), Err(Error::new(Op::Shutdown, Errno::NOTCONN)));
        assert_eq!((server.recv_queue_bytes(), server.send_queue_bytes()), (Ok(0), Ok(0)));
    }
}

/// The segments with data that were sent: `tcpi_data_segs_out`.
fn data_segments(stream: &Stream) -> u32 {
    let info = option::tcp_info(stream).unwrap();
    u32::from_ne_bytes(info.as_bytes()[156..160].try_into().unwrap())
}

#[test]
fn bytes_written_with_more_to_follow_share_a_segment() {
    // A pause of 200 ms between the two calls would split them, so a busy host gets more tries.
    eventually(PATIENCE, || {
        let [(client, server), _] = pairs();
        client.set_nodelay(true).unwrap();
        let segments = || data_segments(&client);
        let before = segments();
        assert_eq!(client.write_more(b"head "), Ok(5));
        assert_eq!(client.write_more(b"and "), Ok(4));
        let is_held = segments() == before;
        assert_eq!(client.write(b"body"), Ok(4));
        let mut received = [0; 13];
        server.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"head and body");
        (is_held && segments() == before + 1).then_some(())
    });
}

#[test]
fn a_cork_holds_back_what_is_written_until_it_is_pulled() {
    eventually(PATIENCE, || {
        let [(client, server), _] = pairs();
        let segments = || data_segments(&client);
        let before = segments();
        option::set_tcp_cork(&client, true).unwrap();
        client.write_all(b"head ").unwrap();
        client.write_all(b"body").unwrap();
        let is_held = segments() == before;
        option::set_tcp_cork(&client, false).unwrap();
        let mut received = [0; 9];
        server.read_exact(&mut received).unwrap();
        (is_held && segments() == before + 1).then_some(())
    });
}

#[test]
fn a_unix_stream_ignores_that_more_follows() {
    let (one, other) = Stream::pair().unwrap();
    assert_eq!(one.write_more(b"head"), Ok(4));
    assert_eq!(other.read(&mut [0; 9]), Ok(4));
}

#[test]
fn an_acknowledgement_waits_for_an_answer_unless_it_is_to_be_quick() {
    // A pause of 40 ms hides the wait, so a busy host gets more tries.
    eventually(PATIENCE, || {
        let [(client, server), _] = pairs();
        server.set_quickack(false).unwrap();
        assert_eq!(server.quickack(), Ok(false));
        client.write_all(b"hello").unwrap();
        eventually(PATIENCE, || (server.recv_queue_bytes() == Ok(5)).then_some(()));
        server.read_exact(&mut [0; 5]).unwrap();
        let has_waited = client.send_queue_bytes() == Ok(5);
        let start = Instant::now();
        server.set_quickack(true).unwrap();
        eventually(PATIENCE, || (client.send_queue_bytes() == Ok(0)).then_some(()));
        (has_waited && start.elapsed() < Duration::from_millis(20)).then_some(())
    });
}

#[test]
fn queues_tell_what_is_unread_and_what_is_unacknowledged() {
    for (client, server) in pairs() {
        assert_eq!((client.send_queue_bytes(), server.recv_queue_bytes()), (Ok(0), Ok(0)));
        client.write_all(&[0; 5000]).unwrap();
        eventually(PATIENCE, || (server.recv_queue_bytes() == Ok(5000)).then_some(()));
        server.read_exact(&mut [0; 2000]).unwrap();
        assert_eq!(server.recv_queue_bytes(), Ok(3000));
        server.read_exact(&mut [0; 3000]).unwrap();
        eventually(PATIENCE, || (client.send_queue_bytes() == Ok(0)).then_some(()));
        assert_eq!(server.recv_queue_bytes(), Ok(0));

        option::set_nonblocking(&client, true).unwrap();
        let Incomplete { done, .. } = client.write_all(&vec![0; 50_000_000]).unwrap_err();
        let unacknowledged = client.send_queue_bytes().unwrap();
        assert!(unacknowledged > 0, "{unacknowledged} of {done}");
    }
    let listener = any_listener();
    let stream = Stream::from(anet::fd::OwnedFd::from(listener));
    assert_eq!(stream.recv_queue_bytes(), Err(Error::new(Op::ReceiveQueue, Errno::INVAL)));
    assert_eq!(stream.send_queue_bytes(), Err(Error::new(Op::SendQueue, Errno::INVAL)));
}
