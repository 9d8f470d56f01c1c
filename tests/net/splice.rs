//! Moving bytes from one stream to another through a pipe.

use std::{thread, time::Duration};

use anet::{
    Errno, Op, Stream,
    event::Interest,
    option,
    server::{Event, Key, Server, Slot},
    stream::{Shutdown, Splice, Spliced},
};

use crate::support::*;

/// A client's end and a proxy's end: TCP and Unix. The proxy's end does not block.
fn pairs() -> [(Stream, Stream); 2] {
    let unix = Stream::pair().unwrap();
    option::set_nonblocking(&unix.1, true).unwrap();
    [connected_pair(), unix]
}

fn blocking(stream: &Stream) {
    option::set_nonblocking(stream, false).unwrap();
}

/// Bytes that differ from each other at every distance that matters.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Everything until the end.
fn read_all(stream: &Stream) -> Vec<u8> {
    let (mut received, mut buf) = (Vec::new(), vec![0; 65_536]);
    while let len @ 1.. = stream.read(&mut buf).unwrap() {
        received.extend_from_slice(&buf[..len]);
    }
    received
}

#[test]
fn every_byte_and_then_the_end_arrive() {
    for len in [0, 1, 4096, 65_536, 65_537, 3_000_000] {
        for ((client, from), (server, to)) in pairs().into_iter().zip(pairs()) {
            blocking(&from);
            blocking(&to);
            let sent = pattern(len);
            let mut received = Vec::new();
            let mut splice = Splice::new().unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    client.write_all(&sent).unwrap();
                    client.shutdown(Shutdown::Write).unwrap();
                });
                let splice = &mut splice;
                scope.spawn(|| assert_eq!(splice.step(&from, &to, usize::MAX), Ok(Spliced::Ended)));
                received = read_all(&server);
            });
            assert!(sent == received, "{len} bytes");
            assert_eq!((splice.passed_bytes(), splice.held_bytes()), (len as u64, 0));
        }
    }
}

#[test]
fn an_empty_source_and_a_full_sink_say_what_to_wait_for() {
    for ((client, from), (server, to)) in pairs().into_iter().zip(pairs()) {
        option::set_nonblocking(&client, true).unwrap();
        let mut splice = Splice::new().unwrap();
        assert_eq!(splice.step(&from, &to, usize::MAX), Ok(Spliced::SourceEmpty));
        let sent = pattern(50_000_000);
        let mut done = 0;
        // Nothing is read at the other end: the sender is held back.
        eventually(PATIENCE, || {
            let before = done;
            while let Ok(len) = client.write(&sent[done..]) {
                done += len;
            }
            let outcome = splice.step(&from, &to, usize::MAX).unwrap();
            assert!(splice.held_bytes() <= splice.capacity_bytes());
            (outcome == Spliced::SinkFull && done == before).then_some(())
        });
        assert!(done > 0 && done < sent.len(), "{done}");
        drop(client);
        blocking(&server);
        let mut received = vec![0; done];
        thread::scope(|scope| {
            scope.spawn(|| server.read_exact(&mut received).unwrap());
            eventually(PATIENCE, || (splice.step(&from, &to, usize::MAX) == Ok(Spliced::Ended)).then_some(()));
        });
        assert!(received == sent[..done]);
        assert_eq!(server.read(&mut [0]), Ok(0));
    }
}

#[test]
fn the_end_of_one_direction_leaves_the_other_open() {
    for ((client, from), (server, to)) in pairs().into_iter().zip(pairs()) {
        blocking(&from);
        blocking(&to);
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let (mut there, mut back) = (Splice::new().unwrap(), Splice::new().unwrap());
        assert_eq!(there.step(&from, &to, usize::MAX), Ok(Spliced::Ended));
        blocking(&server);
        let question = read_all(&server);
        server.write_all(b"answer").unwrap();
        drop(server);
        assert_eq!(back.step(&to, &from, usize::MAX), Ok(Spliced::Ended));
        let answer = read_all(&client);
        assert_eq!((&question[..], &answer[..]), (&b"question"[..], &b"answer"[..]));
    }
}

#[test]
fn a_limit_ends_the_step_with_an_empty_pipe() {
    for ((client, from), (server, to)) in pairs().into_iter().zip(pairs()) {
        blocking(&from);
        let sent = pattern(30_000);
        client.write_all(&sent).unwrap();
        let mut splice = Splice::new().unwrap();
        assert_eq!(splice.step(&from, &to, 0), Ok(Spliced::LimitReached));
        assert_eq!(splice.passed_bytes(), 0);
        for steps in 1..=20 {
            assert_eq!(splice.step(&from, &to, 500), Ok(Spliced::LimitReached));
            assert_eq!((splice.passed_bytes(), splice.held_bytes()), (500 * steps, 0));
        }
        blocking(&server);
        let mut received = vec![0; 10_000];
        server.read_exact(&mut received).unwrap();
        assert!(received == sent[..10_000]);
    }
}

#[test]
fn one_pipe_serves_many_pairs_in_turn() {
    let mut splice = Splice::new().unwrap();
    let ends: Vec<_> = (0..20).flat_map(|_| pairs().into_iter().zip(pairs())).collect();
    for round in 0..3 {
        for (number, ((client, from), (server, to))) in ends.iter().enumerate() {
            let text = format!("{round} of {number}");
            client.write_all(text.as_bytes()).unwrap();
            let passed = splice.passed_bytes();
            eventually(PATIENCE, || {
                assert_eq!(splice.step(from, to, usize::MAX), Ok(Spliced::SourceEmpty));
                (splice.passed_bytes() == passed + text.len() as u64).then_some(())
            });
            blocking(server);
            let mut received = vec![0; text.len()];
            server.read_exact(&mut received).unwrap();
            assert_eq!(received, text.as_bytes());
        }
    }
}

#[test]
fn a_larger_pipe_reads_further_ahead() {
    let mut splice = Splice::with_capacity(1 << 20).unwrap();
    assert_eq!((splice.capacity_bytes(), Splice::new().unwrap().capacity_bytes()), (1 << 20, 65_536));
    let ((client, from), (server, to)) = (Stream::pair().unwrap(), Stream::pair().unwrap());
    option::set_nonblocking(&to, true).unwrap();
    while to.write(&[0; 4096]).is_ok() {}
    client.write_all(&pattern(150_000)).unwrap();
    assert_eq!(splice.step(&from, &to, 150_000), Ok(Spliced::SinkFull));
    assert!(splice.held_bytes() > 65_536, "{}", splice.held_bytes());
    drop(server);
}

#[test]
fn a_capacity_beyond_any_limit_is_refused() {
    for bytes in [usize::MAX, 1 << 31] {
        let error = Splice::with_capacity(bytes).unwrap_err();
        assert_eq!(error.op(), Op::PipeSize);
    }
}

#[test]
fn an_error_names_the_side_it_came_from() {
    let ((client, from), (_server, to)) = (connected_pair(), connected_pair());
    client.abort().unwrap();
    let error = eventually(PATIENCE, || Splice::new().unwrap().step(&from, &to, usize::MAX).err());
    assert_eq!((error.op(), error.errno()), (Op::SpliceFrom, Some(Errno::CONNRESET)));
    assert_eq!(error.to_string(), "splice: Connection reset by peer");

    let ((client, from), (server, to)) = (connected_pair(), connected_pair());
    server.abort().unwrap();
    let mut splice = Splice::new().unwrap();
    let error = eventually(PATIENCE, || {
        client.write_all(b"x").unwrap();
        splice.step(&from, &to, usize::MAX).err()
    });
    assert_eq!(error.op(), Op::SpliceTo);
    assert!(error.is_disconnected(), "{error}");
    assert!(splice.held_bytes() > 0);
}

#[test]
fn the_end_cannot_be_passed_to_a_peer_that_is_gone() {
    let ((client, from), (server, to)) = (connected_pair(), connected_pair());
    server.abort().unwrap();
    eventually(PATIENCE, || to.take_error().unwrap());
    drop(client);
    let error = eventually(PATIENCE, || Splice::new().unwrap().step(&from, &to, usize::MAX).err());
    assert_eq!((error.op(), error.errno()), (Op::Shutdown, Some(Errno::NOTCONN)));
}

#[test]
fn signals_and_tiny_buffers_lose_nothing() {
    for ((client, from), (server, to)) in pairs().into_iter().zip(pairs()) {
        for stream in [&client, &from, &server, &to] {
            blocking(stream);
            option::set_send_buffer_size(stream, 1).unwrap();
        }
        let sent = pattern(200_000);
        let mut received = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                interrupted(|| client.write_all(&sent).unwrap());
                client.shutdown(Shutdown::Write).unwrap();
            });
            scope.spawn(|| {
                let mut splice = Splice::new().unwrap();
                interrupted(|| assert_eq!(splice.step(&from, &to, usize::MAX), Ok(Spliced::Ended)));
            });
            received = read_all(&server);
        });
        assert!(sent == received);
    }
}

/// The Rust runtime ignores the signal, so a process with the default action runs this test again.
#[test]
fn a_closed_peer_raises_sigpipe_unless_it_is_ignored() {
    use std::os::unix::process::ExitStatusExt;
    const THIS: &str = "splice::a_closed_peer_raises_sigpipe_unless_it_is_ignored";
    const CHILD: &str = "ANET_TEST_SIGPIPE";
    if std::env::var_os(CHILD).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let status = child.args(["--exact", THIS]).env(CHILD, "").output().unwrap().status;
        assert_eq!(status.signal(), Some(libc::SIGPIPE), "{status}");
        return;
    }
    let ((client, from), (server, to)) = (Stream::pair().unwrap(), Stream::pair().unwrap());
    drop(server);
    client.write_all(b"x").unwrap();
    let mut splice = Splice::new().unwrap();
    let ignored = splice.step(&from, &to, 1).unwrap_err();
    assert_eq!(ignored.errno(), Some(Errno::PIPE));
    // SAFETY: it sets the default action, which most programs have.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let _ = splice.step(&from, &to, 1);
}

/// One pair of a proxy: each side knows the other, and has the pipe of the direction that it sends.
struct Side {
    other: Key,
    splice: Option<Splice>,
    /// Whether it sends no more, and whether it waits for room.
    is_over: bool,
    is_full: bool,
}

/// Moves what `from` has sent, and watches both for what they wait for. Returns whether the pair is finished.
fn pass(server: &mut Server<'_, Option<Side>>, from: Key) -> bool {
    const SHARE: usize = 100_000;
    let Some(side) = server.get_mut(from).and_then(|connection| connection.data.as_mut()) else { return true };
    let (to, Some(mut splice)) = (side.other, side.splice.take()) else { return false };
    let (source, sink) = (server.get(from).unwrap().stream(), server.get(to).unwrap().stream());
    let outcome = splice.step(source, sink, SHARE).unwrap();
    let side = server.get_mut(from).unwrap().data.as_mut().unwrap();
    side.is_over |= outcome == Spliced::Ended;
    side.is_full = outcome == Spliced::SinkFull;
    side.splice = (!side.is_over).then_some(splice);
    for key in [from, to] {
        let side = server.get(key).unwrap().data.as_ref().unwrap();
        let other = server.get(side.other).unwrap().data.as_ref().unwrap();
        let mut interest = Interest::empty();
        interest.set(Interest::READABLE, !side.is_over && !side.is_full);
        interest.set(Interest::WRITABLE, other.is_full);
        server.set_interest(key, interest);
    }
    let is_over = |key| server.get(key).unwrap().data.as_ref().unwrap().is_over;
    is_over(from) && is_over(to)
}

#[test]
fn a_server_passes_many_pairs_in_both_directions() {
    const PAIRS: usize = 16;
    let mut slots = [const { Slot::<Option<Side>>::VACANT }; 2 * PAIRS];
    let mut server = Server::new(&mut slots).unwrap();
    let mut peers = Vec::new();
    for ((client, one), (upstream, other)) in (0..PAIRS / 2).flat_map(|_| pairs().into_iter().zip(pairs())) {
        let unknown = anet::Endpoint::Unknown { family: 0 };
        let keys = [one, other].map(|stream| server.insert(stream, unknown, None).map_err(|r| r.error).unwrap());
        for (key, other) in [(keys[0], keys[1]), (keys[1], keys[0])] {
            let splice = Some(Splice::new().unwrap());
            server.get_mut(key).unwrap().data = Some(Side { other, splice, is_over: false, is_full: false });
        }
        blocking(&upstream);
        peers.push((client, upstream));
    }
    thread::scope(|scope| {
        for (number, (client, upstream)) in peers.iter().enumerate() {
            for (from, to) in [(client, upstream), (upstream, client)] {
                scope.spawn(move || {
                    from.write_all(&pattern(1_000_000 + number)).unwrap();
                    from.shutdown(Shutdown::Write).unwrap();
                });
                scope.spawn(move || {
                    assert!(read_all(to) == pattern(1_000_000 + number), "{number}");
                });
            }
        }
        while !server.is_empty() {
            server.wait(Some(Duration::from_secs(60))).unwrap();
            while let Some(event) = server.next_event() {
                let (Event::Readable(key) | Event::Writable(key)) = event else { continue };
                let Some(side) = server.get(key).and_then(|connection| connection.data.as_ref()) else { continue };
                let from = if matches!(event, Event::Readable(_)) { key } else { side.other };
                if pass(&mut server, from) {
                    let other = server.close(from).flatten().unwrap().other;
                    server.close(other);
                }
            }
        }
    });
}
