//! Out-of-band data.

use anet::{
    Errno, Error, Op, Stream,
    event::{Events, Interest, Poller},
    option,
};

use crate::support::*;

/// Over TCP and Unix: the ends are blocking.
fn pairs() -> [(Stream, Stream); 2] {
    let (client, server) = connected_pair();
    option::set_nonblocking(&server, false).unwrap();
    [(client, server), Stream::pair().unwrap()]
}

/// Sends bytes in order; those after `!` are out-of-band. Waits until all have arrived.
fn send(from: &Stream, text: &[u8]) {
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'!' => from.write_oob(*bytes.next().unwrap()).unwrap(),
            byte => from.write_all(&[byte]).unwrap(),
        }
    }
    // A Unix stream has delivered them already.
    if option::tcp_info(from).is_ok() {
        eventually(PATIENCE, || (from.send_queue_bytes() == Ok(0)).then_some(()));
    }
}

fn read(stream: &Stream) -> Vec<u8> {
    let mut buf = [0; 64];
    let len = stream.read(&mut buf).unwrap();
    buf[..len].to_vec()
}

fn no_oob<T>() -> Result<T, Error> {
    Err(Error::new(Op::Read, Errno::INVAL))
}

#[test]
fn without_an_out_of_band_byte_there_is_none_to_take_and_no_mark() {
    for (client, server) in pairs() {
        assert_eq!(server.read_oob(), no_oob());
        assert_eq!(server.at_mark(), Ok(false));
        send(&client, b"abc");
        assert_eq!(server.read_oob(), no_oob());
        assert_eq!(server.at_mark(), Ok(false));
        assert_eq!(read(&server), b"abc");
    }
}

#[test]
fn the_out_of_band_byte_overtakes_the_others_and_is_taken_once() {
    for (client, server) in pairs() {
        send(&client, b"abc!xdef");
        assert_eq!(server.read_oob(), Ok(b'x'));
        assert_eq!(server.read_oob(), no_oob());
        assert_eq!(read(&server), b"abc");
        assert_eq!(server.at_mark(), Ok(true));
        assert_eq!(read(&server), b"def");
        assert_eq!(server.at_mark(), Ok(false));
    }
}

#[test]
fn reads_end_at_the_mark_and_leave_the_byte_out() {
    for (client, server) in pairs() {
        send(&client, b"abc!xdef");
        assert_eq!(server.at_mark(), Ok(false));
        assert_eq!(read(&server), b"abc");
        assert_eq!(server.at_mark(), Ok(true));
        assert_eq!(server.read_oob(), Ok(b'x'));
        assert_eq!(read(&server), b"def");
    }
}

#[test]
fn everything_before_the_mark_can_be_discarded() {
    for (client, server) in pairs() {
        send(&client, b"old old old!xnew");
        while !server.at_mark().unwrap() {
            server.read(&mut [0; 3]).unwrap();
        }
        assert_eq!(read(&server), b"new");
    }
}

#[test]
fn a_second_out_of_band_byte_replaces_the_first() {
    for (client, server) in pairs() {
        send(&client, b"a!xb!yc");
        assert_eq!(server.read_oob(), Ok(b'y'));
        let mut before = Vec::new();
        while !server.at_mark().unwrap() {
            before.extend(read(&server));
        }
        // The first one is an ordinary byte now.
        assert_eq!(before, b"axb");
        assert_eq!(read(&server), b"c");
    }
}

#[test]
fn inline_the_byte_stays_in_its_place() {
    for (client, server) in pairs() {
        option::set_oobinline(&server, true).unwrap();
        send(&client, b"abc!xdef");
        assert_eq!(server.read_oob(), no_oob());
        assert_eq!(read(&server), b"abc");
        assert_eq!(server.at_mark(), Ok(true));
        assert_eq!(server.read(&mut [0]), Ok(1));
        assert_eq!(server.at_mark(), Ok(false));
        assert_eq!(read(&server), b"def");
    }
}

#[test]
fn the_receive_queue_is_counted_up_to_the_mark() {
    let [(client, server), _] = pairs();
    send(&client, b"abc!xdef");
    assert_eq!(server.recv_queue_bytes(), Ok(3));
    assert_eq!(read(&server), b"abc");
    assert_eq!((server.at_mark(), server.recv_queue_bytes()), (Ok(true), Ok(0)));
    assert_eq!(server.read(&mut [0]), Ok(1));
    assert_eq!(server.recv_queue_bytes(), Ok(2));
}

#[test]
fn a_poller_reports_the_byte_as_priority() {
    for (client, server) in pairs() {
        let poller = Poller::new().unwrap();
        poller.add(&server, 1, Interest::PRIORITY).unwrap();
        let mut events = Events::<1>::new();
        client.write_all(b"ordinary").unwrap();
        assert_eq!(poller.wait(&mut events, Some(std::time::Duration::ZERO)), Ok(0));
        client.write_oob(b'x').unwrap();
        assert_eq!(poller.wait(&mut events, Some(PATIENCE)), Ok(1));
        assert!(events.at(0).unwrap().is_priority());
        assert_eq!(server.read_oob(), Ok(b'x'));
        assert_eq!(poller.wait(&mut events, Some(std::time::Duration::ZERO)), Ok(0));
    }
}

/// The announcement travels ahead of the byte, which the full buffer keeps out.
#[test]
fn a_byte_that_is_announced_and_still_on_the_way_would_block() {
    let (client, server) = connected_pair();
    option::set_nonblocking(&client, true).unwrap();
    let mut sent = 0;
    while let Ok(len) = client.write(&[b'-'; 65536]) {
        sent += len;
    }
    // Room in the send buffer for one more byte.
    option::set_send_buffer_size(&client, 8 << 20).unwrap();
    client.write_oob(b'x').unwrap();
    eventually(PATIENCE, || (server.read_oob() == Err(Error::new(Op::Read, Errno::AGAIN))).then_some(()));
    let mut buf = vec![0; 1 << 20];
    let mut received = 0;
    while received < sent {
        match server.read(&mut buf) {
            Ok(len) => received += len,
            Err(error) => assert!(error.is_would_block(), "{error}"),
        }
    }
    eventually(PATIENCE, || (server.read_oob() == Ok(b'x')).then_some(()));
}

#[test]
fn after_the_end_and_a_reset_there_is_no_byte() {
    for (client, server) in pairs() {
        drop(client);
        eventually(PATIENCE, || server.peek(&mut [0]).ok());
        assert!(server.read_oob().is_err());
        assert_eq!(server.at_mark(), Ok(false));
        let lost = eventually(PATIENCE, || server.write_oob(b'x').err());
        assert!(lost.is_disconnected(), "{lost}");
    }
    let [(client, server), _] = pairs();
    client.abort().unwrap();
    eventually(PATIENCE, || server.take_error().unwrap());
    assert!(server.read_oob().is_err());
}
