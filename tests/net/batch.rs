//! Batches: many datagrams in a call, answers in place, and segments that the kernel splits and joins.

use std::{fs::File, thread};

use anet::{
    Datagram, Endpoint, Errno, Error, Op, SocketOptions,
    datagram::{
        Batch, Request, Segmenter,
        cmsg::{self, Encoder},
    },
    error::Cause,
    fd::AsFd,
    listen,
    option::{
        self,
        raw::{self, OptionName},
    },
};

use crate::{
    datagram::{client_of, receive, server},
    support::*,
};

/// Receives until a batch holds this many.
pub fn receive_some<const N: usize, const LEN: usize, const C: usize>(
    batch: &mut Batch<N, LEN, C>,
    socket: &Datagram,
) -> usize {
    eventually(PATIENCE, || match batch.recv(socket) {
        Err(error) if error.is_would_block() => None,
        other => Some(other.unwrap()),
    })
}

fn bytes_of<const N: usize, const LEN: usize, const C: usize>(batch: &Batch<N, LEN, C>) -> Vec<Vec<u8>> {
    batch.iter().map(|entry| entry.bytes().to_vec()).collect()
}

#[test]
fn a_batch_receives_what_is_there_with_lengths_and_senders() {
    for addr in any_local_addresses() {
        let server = listen::udp(addr, &SocketOptions::new()).unwrap();
        let clients: [Datagram; 3] = std::array::from_fn(|_| client_of(&server));
        for (len, client) in clients.iter().enumerate() {
            client.send(&vec![b'a'; len * 50]).unwrap();
        }
        let mut batch = Batch::<4, 64>::new();
        assert_eq!(receive_some(&mut batch, &server), 3);
        assert_eq!(batch.len(), 3);
        for (at, (entry, client)) in batch.iter().zip(&clients).enumerate() {
            assert_eq!((entry.bytes().len(), entry.whole_len()), ((at * 50).min(64), at * 50));
            assert_eq!(entry.is_truncated(), at * 50 > 64);
            assert_eq!(entry.addr(), client.local_addr().unwrap());
        }
        assert_would_block(batch.recv(&server));
        assert!(batch.is_empty());
    }
}

/// A call leaves shorter lengths in its headers; the next one must not take them for the room it has.
#[test]
fn lengths_are_armed_anew_on_every_call() {
    let server = server();
    server.request(Request::all()).unwrap();
    let client = client_of(&server);
    let mut batch = Batch::<2, 1000, { cmsg::DETAILS_SPACE }>::new();
    for len in [0, 1, 1000, 3, 999] {
        client.send(&vec![b'x'; len]).unwrap();
        assert_eq!(receive_some(&mut batch, &server), 1);
        let entry = batch.iter().next().unwrap();
        assert_eq!((entry.bytes().len(), entry.is_truncated(), entry.is_control_truncated()), (len, false, false));
        assert_eq!((entry.details().ttl, entry.addr()), (Some(64), client.local_addr().unwrap()));
        // Moving a batch moves its memory, to which no header points between calls.
        batch = std::hint::black_box(batch);
    }
}

#[test]
fn a_server_answers_in_place_and_discards() {
    let server = server();
    let clients: [Datagram; 4] = std::array::from_fn(|_| client_of(&server));
    for (number, client) in clients.iter().enumerate() {
        client.send(&[b'?', number as u8]).unwrap();
    }
    let mut batch = Batch::<8, 16>::new();
    receive_some(&mut batch, &server);
    for mut entry in batch.iter_mut() {
        match entry.bytes_mut() {
            [_, 2] => entry.discard(),
            [_, 3] => entry.rewrite(|buf| {
                buf[..6].copy_from_slice(b"longer");
                6
            }),
            [mark, _] => *mark = b'!',
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(batch.len(), 3);
    assert_eq!(batch.send(&server).unwrap(), 3);
    assert!(batch.is_empty());
    assert_eq!(receive(&clients[0]), [b'!', 0]);
    assert_eq!(receive(&clients[1]), [b'!', 1]);
    assert_eq!(receive(&clients[3]), b"longer");
    assert_would_block(clients[2].recv(&mut [0; 8]).map(drop));
    assert_eq!(batch.send(&server).unwrap(), 0, "nothing is left");
}

/// A pair whose sender has room for some short datagrams.
fn short_pair() -> (Datagram, Datagram) {
    let (one, other) = Datagram::pair().unwrap();
    option::set_send_buffer_size(&one, 1).unwrap();
    (one, other)
}

#[test]
fn a_partial_send_resumes_and_neither_loses_nor_repeats() {
    let (one, other) = short_pair();
    let mut batch = Batch::<64, 8>::new();
    for number in 0..64_u8 {
        batch.push(&[number], None).unwrap();
    }
    let mut received = Vec::new();
    let mut calls = 0;
    while !batch.is_empty() {
        let before = batch.len();
        let sent = batch.send(&one).unwrap();
        assert_eq!(batch.len(), before - sent);
        calls += 1;
        if !batch.is_empty() {
            assert_would_block(batch.send(&one));
        }
        let mut buf = [0; 8];
        while let Ok(datagram) = other.recv(&mut buf) {
            received.push(datagram.bytes[0]);
        }
    }
    assert_eq!(received, (0..64).collect::<Vec<u8>>());
    assert!(calls > 1, "a queue of 64 datagrams would prove nothing");
}

#[test]
fn an_entry_that_cannot_be_sent_is_reported_after_those_before_it_and_can_be_skipped() {
    let (first, second, sender) = (server(), server(), server());
    let mut batch = Batch::<4, 8>::new();
    batch.push(b"1", Some(&first.local_addr().unwrap())).unwrap();
    batch.push(b"2", Some(&"127.0.0.1:0".parse().unwrap())).unwrap();
    batch.push(b"3", Some(&second.local_addr().unwrap())).unwrap();
    assert_eq!(batch.send(&sender), Ok(1));
    for _ in 0..2 {
        assert_eq!(batch.send(&sender), Err(Error::new(Op::SendMessages, Errno::INVAL)));
        assert_eq!(bytes_of(&batch), [b"2", b"3"]);
    }
    assert!(batch.skip());
    assert_eq!(batch.send(&sender), Ok(1));
    assert_eq!((receive(&first), receive(&second)), (b"1".to_vec(), b"3".to_vec()));
    assert!(!batch.skip());
}

#[test]
fn a_full_batch_and_a_datagram_over_its_length_are_refused() {
    let to: Endpoint = "127.0.0.1:9".parse().unwrap();
    let mut batch = Batch::<2, 4>::new();
    let long = batch.push(b"12345", Some(&to)).unwrap_err();
    assert_eq!((long.op(), long.cause()), (Op::SendMessages, Cause::DatagramTooLong { len: 5 }));
    batch.push(b"1234", Some(&to)).unwrap();
    assert!(!batch.is_full());
    batch.push(b"", None).unwrap();
    assert!(batch.is_full());
    assert_eq!(batch.push(b"x", None).unwrap_err().cause(), Cause::NoRoom);
    assert_eq!(bytes_of(&batch), [&b"1234"[..], b""]);
    batch.clear();
    assert!(batch.is_empty() && !batch.is_full());
    let unknown = batch.push(b"", Some(&Endpoint::Unknown { family: 40 })).unwrap_err();
    assert_eq!(unknown.cause(), Cause::UnknownFamily { family: 40 });
    let mut none = Batch::<0, 4>::new();
    assert!(none.is_full());
    assert_eq!(none.push(b"", None).unwrap_err().cause(), Cause::NoRoom);
    assert_eq!(none.send(&server()), Ok(0));
}

#[test]
fn a_batch_larger_than_one_call_takes_is_sent_whole() {
    let (server, sender) = (server(), server());
    option::set_recv_buffer_size(&server, 16 << 20).unwrap();
    let to = server.local_addr().unwrap();
    let mut batch = Box::new(Batch::<1500, 4>::new());
    let mut sent = 0_u32;
    for number in 0..1500_u32 {
        batch.push(&number.to_ne_bytes(), Some(&to)).unwrap();
    }
    sent += batch.send(&sender).unwrap() as u32;
    assert_eq!(sent, 1500);
    // The buffer may be too small for all of them; those that arrive are in order.
    let mut last = None;
    while let Ok(count) = batch.recv(&server) {
        for entry in batch.iter() {
            let number = u32::from_ne_bytes(entry.bytes().try_into().unwrap());
            assert!(last < Some(number));
            last = Some(number);
        }
        assert!(count > 0);
    }
    assert!(last.is_some());
}

#[test]
fn a_blocking_socket_waits_for_the_first_datagram_alone() {
    let server = server();
    option::set_nonblocking(&server, false).unwrap();
    let client = client_of(&server);
    let receiver = thread::spawn(move || {
        let mut batch = Batch::<8, 16>::new();
        batch.recv(&server).unwrap()
    });
    thread::sleep(std::time::Duration::from_millis(20));
    client.send(b"one").unwrap();
    assert_eq!(receiver.join().unwrap(), 1);
}

#[test]
fn a_refusal_is_an_error_of_the_batch_and_the_next_call_goes_on() {
    let gone = server().local_addr().unwrap();
    let client = Datagram::connected(&gone, &SocketOptions::new()).unwrap();
    let mut batch = Batch::<4, 16>::new();
    client.send(b"x").unwrap();
    let refused = eventually(PATIENCE, || batch.recv(&client).err().filter(|error| !error.is_would_block()));
    assert_eq!(refused, Error::new(Op::ReceiveMessages, Errno::CONNREFUSED));
    assert_would_block(batch.recv(&client));
}

#[test]
fn descriptors_in_a_batch_are_taken_or_closed() {
    with_own_descriptors(|| {
        let (one, other) = Datagram::pair().unwrap();
        let before = open_fds();
        let send = || {
            let file = File::open("/dev/null").unwrap();
            for count in 1..=3 {
                let mut space = [0; cmsg::fds_space(3)];
                let mut control = Encoder::new(&mut space);
                control.push_fds(&vec![file.as_fd(); count]).unwrap();
                one.send_with(b"x", None, &control).unwrap();
            }
        };
        let mut batch = Batch::<4, 8, { cmsg::fds_space(2) }>::new();
        send();
        batch.recv(&other).unwrap();
        assert_eq!(open_fds(), before + 1 + 2 + 2);
        let truncated: Vec<bool> = batch.iter().map(|entry| entry.is_control_truncated()).collect();
        assert_eq!(truncated, [false, false, true]);
        let taken: Vec<_> =
            batch.iter_mut().take(2).flat_map(|mut entry| entry.take_fds().collect::<Vec<_>>()).collect();
        assert_eq!(taken.len(), 3);
        batch.clear();
        assert_eq!(open_fds(), before + 3);
        drop(taken);
        for _ in 0..2 {
            send();
            // The next call closes what the one before has left.
            assert_eq!(batch.recv(&other), Ok(3));
            assert_eq!(open_fds(), before + 5);
        }
        assert_would_block(batch.recv(&other));
        assert_eq!(open_fds(), before);
        send();
        batch.recv(&other).unwrap();
        drop(batch);
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn answers_of_a_wildcard_server_leave_from_the_address_that_was_asked() {
    let server = listen::udp("0.0.0.0:0".parse().unwrap(), &SocketOptions::new()).unwrap();
    server.request(Request::LOCAL_ADDR).unwrap();
    let port = server.local_addr().unwrap().port().unwrap();
    let client = Datagram::connected(&format!("127.0.0.9:{port}").parse().unwrap(), &SocketOptions::new()).unwrap();
    client.send(b"question").unwrap();
    let mut batch = Batch::<4, 16, { cmsg::DETAILS_SPACE }>::new();
    receive_some(&mut batch, &server);
    assert_eq!(batch.send(&server), Ok(1));
    assert_eq!(receive(&client), b"question");
}

#[test]
fn segments_arrive_as_datagrams_and_joined_ones_are_taken_apart() {
    for addr in any_local_addresses() {
        let joined = listen::udp(addr, &SocketOptions::new()).unwrap();
        joined.request(Request::SEGMENTS).unwrap();
        let plain = listen::udp(addr, &SocketOptions::new()).unwrap();
        let sender = listen::udp(addr, &SocketOptions::new()).unwrap();
        let mut batch = Batch::<8, 65507, { cmsg::DETAILS_SPACE }>::new();
        let payload: Vec<u8> = (0..10 * 100 + 7).map(|at| (at % 251) as u8).collect();
        for to in [&joined, &plain] {
            batch.push_segments(&payload, 100, Some(&to.local_addr().unwrap())).unwrap();
        }
        assert_eq!(batch.send(&sender), Ok(2));

        let mut datagrams: Vec<Vec<u8>> = Vec::new();
        let mut most = 0;
        while datagrams.len() < 11 {
            receive_some(&mut batch, &joined);
            for mut entry in batch.iter_mut() {
                let before = datagrams.len();
                datagrams.extend(entry.segments_mut().map(|datagram| datagram.to_vec()));
                most = most.max(datagrams.len() - before);
            }
        }
        assert!(datagrams.iter().map(Vec::as_slice).eq(payload.chunks(100)));
        assert!(most > 1, "loopback joins them");
        let apart: Vec<Vec<u8>> = (0..11).map(|_| receive(&plain)).collect();
        assert_eq!(apart, datagrams);
    }
}

/// Without the sizes, an answer would be one long datagram.
#[test]
fn joined_datagrams_are_answered_as_those_that_they_were() {
    let server = server();
    server.request(Request::SEGMENTS | Request::LOCAL_ADDR).unwrap();
    let client = client_of(&server);
    let mut batch = Batch::<4, 65507, { cmsg::DETAILS_SPACE }>::new();
    let sent: Vec<u8> = (0..5000).map(|at| (at / 1000) as u8).collect();
    for _ in 0..3 {
        Segmenter::for_socket(&client).send(&client, &sent, 1000, None).unwrap();
        let mut answered = 0;
        while answered < 5 {
            receive_some(&mut batch, &server);
            answered += batch.iter_mut().map(|mut entry| entry.segments_mut().count()).sum::<usize>();
            batch.send(&server).unwrap();
        }
        for number in 0..5 {
            assert_eq!(receive(&client), vec![number; 1000]);
        }
    }
}

/// The kernel refuses to split what it may not checksum (`EINVAL`).
pub fn refuse_splitting(socket: &Datagram) {
    // SAFETY: the value of SO_NO_CHECK is an int.
    let no_check = unsafe { OptionName::new(libc::SOL_SOCKET, 11) };
    raw::set(socket, no_check, &1_i32.to_ne_bytes()).unwrap();
}

#[test]
fn a_kernel_that_refuses_to_split_loses_no_datagram() {
    let (server, sender) = (server(), server());
    refuse_splitting(&sender);
    let to = server.local_addr().unwrap();
    let payload: Vec<u8> = (0..2050).map(|at| (at % 251) as u8).collect();
    let mut segmenter = Segmenter::for_socket(&sender);
    assert!(segmenter.is_offloaded());
    assert_eq!(segmenter.send(&sender, &payload, 100, Some(&to)), Ok(2050));
    for expected in payload.chunks(100) {
        assert_eq!(receive(&server), expected);
    }

    let mut batch = Batch::<4, 4096>::new();
    batch.push(b"before", Some(&to)).unwrap();
    batch.push_segments(&payload, 100, Some(&to)).unwrap();
    batch.push(b"after", Some(&to)).unwrap();
    assert_eq!(batch.send(&sender), Ok(3));
    assert_eq!(receive(&server), b"before");
    for expected in payload.chunks(100) {
        assert_eq!(receive(&server), expected);
    }
    assert_eq!(receive(&server), b"after");
}

#[test]
fn a_socket_that_cannot_split_sends_segments_one_by_one_and_resumes() {
    let (one, other) = short_pair();
    let mut segmenter = Segmenter::for_socket(&one);
    assert!(!segmenter.is_offloaded());
    let payload: Vec<u8> = (0..100).flat_map(|number| [number; 10]).collect();
    let (mut sent, mut received) = (0, Vec::new());
    let mut buf = [0; 16];
    while sent < payload.len() {
        match segmenter.send(&one, &payload[sent..], 10, None) {
            Ok(len) => {
                assert_eq!(len % 10, 0);
                sent += len;
            }
            Err(error) => {
                assert!(error.is_would_block());
                received.push(other.recv(&mut buf).unwrap().bytes[0]);
            }
        }
    }
    while let Ok(datagram) = other.recv(&mut buf) {
        assert_eq!(datagram.bytes.len(), 10);
        received.push(datagram.bytes[0]);
    }
    assert_eq!(received, (0..100).collect::<Vec<u8>>());

    // The same through a batch, whose entry keeps the place where it stopped.
    let mut batch = Batch::<1, 1000>::new();
    batch.push_segments(&payload, 10, None).unwrap();
    received.clear();
    while !batch.is_empty() {
        match batch.send(&one) {
            Ok(count) => assert_eq!(count, 1),
            Err(error) => assert!(error.is_would_block()),
        }
        while let Ok(datagram) = other.recv(&mut buf) {
            assert_eq!(datagram.bytes.len(), 10);
            received.push(datagram.bytes[0]);
        }
    }
    assert_eq!(received, (0..100).collect::<Vec<u8>>());
}

#[test]
fn more_segments_than_one_call_takes_are_all_sent() {
    let (server, sender) = (server(), server());
    option::set_recv_buffer_size(&server, 16 << 20).unwrap();
    let to = server.local_addr().unwrap();
    let payload = vec![7; 200 * 10];
    assert_eq!(Segmenter::for_socket(&sender).send(&sender, &payload, 10, Some(&to)), Ok(2000));
    for _ in 0..200 {
        assert_eq!(receive(&server), [7; 10]);
    }
    let mut batch = Batch::<1, 2000>::new();
    batch.push_segments(&payload, 10, Some(&to)).unwrap();
    assert_eq!(batch.send(&sender), Ok(1));
    for _ in 0..200 {
        assert_eq!(receive(&server), [7; 10]);
    }
    let zero = Segmenter::for_socket(&sender).send(&sender, &payload, 0, Some(&to));
    assert_eq!(zero, Err(Error::new(Op::SendMessage, Errno::INVAL)));
    assert_eq!(Segmenter::for_socket(&sender).send(&sender, &[], 10, Some(&to)), Ok(0));
}
