//! Batches whose neighbours go to the kernel as one message.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use anet::{
    Datagram, Endpoint, Errno, Error, Op, SocketOptions,
    datagram::{
        Batch, Request, SEGMENTS_MAX, Segmenter,
        cmsg::{self, ControlMessage, Ecn, Encoder},
    },
    error::Cause,
    listen, option,
};

use crate::{
    batch::{receive_some, refuse_splitting},
    datagram::{client_of, receive, server},
    support::{
        namespace::{in_namespace, set_mtu},
        *,
    },
};

/// A datagram whose bytes follow from its place.
fn numbered(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (number + at) as u8).collect()
}

fn push_all<const N: usize, const LEN: usize, const C: usize>(
    batch: &mut Batch<N, LEN, C>,
    datagrams: &[Vec<u8>],
    to: Option<&Endpoint>,
) {
    for datagram in datagrams {
        batch.push(datagram, to).unwrap();
    }
}

fn assert_received(socket: &Datagram, datagrams: &[Vec<u8>]) {
    for expected in datagrams {
        assert_eq!(receive(socket), *expected);
    }
    assert_would_block(socket.recv(&mut [0; 8]).map(drop));
}

/// The lengths change in every way that ends a message or may not.
#[test]
fn joined_datagrams_arrive_as_they_were_pushed() {
    for addr in any_local_addresses() {
        let servers: [Datagram; 3] = std::array::from_fn(|_| listen::udp(addr, &SocketOptions::new()).unwrap());
        let sender = listen::udp(addr, &SocketOptions::new()).unwrap();
        let mut segmenter = Segmenter::for_socket(&sender);
        let mut batch = Batch::<256, 300>::new();
        let mut sent: [Vec<Vec<u8>>; 3] = Default::default();
        let mut seed = 1_u32;
        for number in 0..256 {
            seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12345);
            let len = [0, 1, 64, 64, 64, 64, 65, 300][(seed >> 16) as usize % 8];
            let to = [0, 0, 0, 0, 1, 2][(seed >> 20) as usize % 6];
            sent[to].push(numbered(number, len));
            batch.push(&numbered(number, len), Some(&servers[to].local_addr().unwrap())).unwrap();
        }
        assert_eq!(batch.send_joined(&sender, &mut segmenter), Ok(256));
        assert!(batch.is_empty() && segmenter.is_offloaded());
        for (server, datagrams) in servers.iter().zip(&sent) {
            assert_received(server, datagrams);
        }
    }
}

/// What the receiver finds joined is what the sender has joined, over loopback.
fn joined_counts(socket: &Datagram, datagrams: usize) -> Vec<usize> {
    let mut batch = Box::new(Batch::<4, 65535, { cmsg::DETAILS_SPACE }>::new());
    let mut counts = Vec::new();
    while counts.iter().sum::<usize>() < datagrams {
        receive_some(&mut batch, socket);
        counts.extend(batch.iter_mut().map(|mut entry| entry.segments_mut().count()));
    }
    counts
}

#[test]
fn a_message_ends_after_64_datagrams_or_65507_bytes_or_a_shorter_one() {
    let server = server();
    server.request(Request::SEGMENTS).unwrap();
    option::set_recv_buffer_size(&server, 16 << 20).unwrap();
    let client = client_of(&server);
    let mut segmenter = Segmenter::for_socket(&client);
    for (lengths, expected) in [
        (vec![10; 130], vec![SEGMENTS_MAX, SEGMENTS_MAX, 2]),
        (vec![1400; 50], vec![46, 4]),
        (vec![10, 10, 9, 9, 9, 10, 0, 0], vec![3, 2, 1, 1, 1]),
    ] {
        let mut batch = Box::new(Batch::<130, 1400>::new());
        let datagrams: Vec<_> = lengths.iter().enumerate().map(|(at, &len)| numbered(at, len)).collect();
        push_all(&mut batch, &datagrams, None);
        assert_eq!(batch.send_joined(&client, &mut segmenter), Ok(lengths.len()));
        assert_eq!(joined_counts(&server, lengths.len()), expected);
    }
}

#[test]
fn received_datagrams_are_answered_joined() {
    let server = listen::udp("0.0.0.0:0".parse().unwrap(), &SocketOptions::new()).unwrap();
    server.request(Request::LOCAL_ADDR | Request::SEGMENTS).unwrap();
    let port = server.local_addr().unwrap().port().unwrap();
    // Answers come from the address that was asked, or a connected client does not receive them.
    let clients = ["127.0.0.8", "127.0.0.9"]
        .map(|ip| Datagram::connected(&format!("{ip}:{port}").parse().unwrap(), &SocketOptions::new()).unwrap());
    let questions: Vec<_> = (0..12).map(|number| numbered(number, 100)).collect();
    let mut sent = Segmenter::for_socket(&server);
    for mut segmenter in [Segmenter::for_socket(&server), Segmenter::one_by_one()] {
        for client in &clients {
            // Four of one message, and eight of their own.
            sent.send(client, &questions[..4].concat(), 100, None).unwrap();
            questions[4..].iter().for_each(|question| client.send(question).unwrap());
        }
        let mut batch = Box::new(Batch::<32, 2000, { cmsg::DETAILS_SPACE }>::new());
        let mut answered = 0;
        while answered < 24 {
            receive_some(&mut batch, &server);
            answered += batch.iter_mut().map(|mut entry| entry.segments_mut().count()).sum::<usize>();
            batch.send_joined(&server, &mut segmenter).unwrap();
            assert!(batch.is_empty());
        }
        for client in &clients {
            assert_received(client, &questions);
        }
    }
}

/// Two senders of one port: one whose datagrams the kernel splits, and one whose it does not.
fn wildcard_servers() -> [Datagram; 2] {
    let servers = std::array::from_fn(|_| listen::udp("0.0.0.0:0".parse().unwrap(), &SocketOptions::new()).unwrap());
    refuse_splitting(&servers[1]);
    servers
}

#[test]
fn pushed_datagrams_leave_from_the_address_that_is_asked_for() {
    for sender in wildcard_servers() {
        let port = sender.local_addr().unwrap().port().unwrap();
        let clients = ["127.0.0.8", "127.0.0.9"]
            .map(|ip| Datagram::connected(&format!("{ip}:{port}").parse().unwrap(), &SocketOptions::new()).unwrap());
        let mut segmenter = Segmenter::for_socket(&sender);
        let datagrams: Vec<_> = (0..6).map(|number| numbered(number, 50)).collect();
        let mut batch = Batch::<16, 64>::new();
        for is_joined in [false, true] {
            for client in &clients {
                let source = client.peer_addr().unwrap().ip();
                for datagram in &datagrams {
                    batch.push_from(datagram, Some(&client.local_addr().unwrap()), source).unwrap();
                }
            }
            let sent = if is_joined { batch.send_joined(&sender, &mut segmenter) } else { batch.send(&sender) };
            assert_eq!(sent, Ok(12));
            for client in &clients {
                assert_received(client, &datagrams);
            }
        }
    }
}

#[test]
fn a_dual_stack_server_answers_joined_from_the_address_that_was_asked() {
    if lacks_ipv6() {
        return;
    }
    let server = listen::udp("[::]:0".parse().unwrap(), &SocketOptions::new().with_only_v6(false)).unwrap();
    server.request(Request::LOCAL_ADDR).unwrap();
    let port = server.local_addr().unwrap().port().unwrap();
    let mut segmenter = Segmenter::for_socket(&server);
    let mut batch = Batch::<8, 64, { cmsg::DETAILS_SPACE }>::new();
    let mut outgoing = Batch::<8, 64>::new();
    for asked in ["127.0.0.9", "[::1]"] {
        let client = Datagram::connected(&format!("{asked}:{port}").parse().unwrap(), &SocketOptions::new()).unwrap();
        client.send(b"question").unwrap();
        receive_some(&mut batch, &server);
        let entry = batch.iter().next().unwrap();
        for _ in 0..3 {
            outgoing.push_from(entry.bytes(), Some(&entry.addr()), entry.details().local_ip).unwrap();
        }
        assert_eq!(outgoing.send_joined(&server, &mut segmenter), Ok(3));
        assert_received(&client, &[b"question"; 3].map(|answer| answer.to_vec()));
    }
    assert!(segmenter.is_offloaded());
}

/// One destination, two sources: they must not share a message.
#[test]
fn datagrams_from_two_addresses_are_not_joined() {
    let [sender, _] = wildcard_servers();
    let receiver = server();
    let mut batch = Batch::<16, 64>::new();
    let sources = ["127.0.0.8", "127.0.0.8", "127.0.0.9", "127.0.0.9", "127.0.0.8"];
    for source in sources {
        batch.push_from(b"same", Some(&receiver.local_addr().unwrap()), Some(source.parse().unwrap())).unwrap();
    }
    assert_eq!(batch.send_joined(&sender, &mut Segmenter::for_socket(&sender)), Ok(5));
    for source in sources {
        let (_, from) = receiver.recv_from(&mut [0; 8]).unwrap();
        assert_eq!(from.ip(), Some(source.parse().unwrap()));
    }
}

#[test]
fn control_messages_hold_for_every_segment() {
    for sender in wildcard_servers() {
        let receiver = server();
        receiver.request(Request::TRAFFIC_CLASS).unwrap();
        let to = receiver.local_addr().unwrap();
        let mut segmenter = Segmenter::for_socket(&sender);
        let mut space = [0; 64];
        let mut control = Encoder::new(&mut space);
        control.push(&ControlMessage::source("127.0.0.9".parse().unwrap())).unwrap();
        control.push(&ControlMessage::TypeOfService(Ecn::Capable0.bits())).unwrap();
        for mut segmenter in [segmenter, Segmenter::one_by_one()] {
            assert_eq!(segmenter.send_with(&sender, &[7; 250], 100, Some(&to), &control), Ok(250));
            for len in [100, 100, 50] {
                let (mut buf, mut space) = ([0; 300], [0; cmsg::DETAILS_SPACE]);
                let message = receiver.recv_with(&mut buf, &mut space).unwrap();
                assert_eq!((message.bytes.len(), message.details().ecn()), (len, Some(Ecn::Capable0)));
                assert_eq!(message.from.ip(), Some("127.0.0.9".parse().unwrap()));
            }
        }
        // More of them than are passed on with a size are sent with each datagram.
        let mut space = [0; 2 * cmsg::DETAILS_SPACE];
        let mut many = Encoder::new(&mut space);
        while many.as_bytes().len() <= cmsg::DETAILS_SPACE {
            many.push(&ControlMessage::TypeOfService(Ecn::Capable1.bits())).unwrap();
        }
        assert_eq!(segmenter.send_with(&sender, &[7; 250], 100, Some(&to), &many), Ok(250));
        assert_eq!([(); 3].map(|()| receive(&receiver).len()), [100, 100, 50]);
    }
}

/// Sends joined datagrams, which the kernel or the path refuses to split; returns what the sender has remembered.
fn assert_none_lost(sender: &Datagram, server: &Datagram, len: usize) -> Segmenter {
    let to = server.local_addr().unwrap();
    let mut segmenter = Segmenter::for_socket(sender);
    assert!(segmenter.is_offloaded());
    let datagrams: Vec<_> = (0..7).map(|number| numbered(number, len)).collect();
    let mut batch = Box::new(Batch::<16, 4096>::new());
    // The second round finds what the first has learnt.
    for _ in 0..2 {
        push_all(&mut batch, &datagrams, Some(&to));
        assert_eq!(batch.send_joined(sender, &mut segmenter), Ok(7));
        assert_received(server, &datagrams);
        assert_eq!(segmenter.send(sender, &datagrams.concat(), len as u16, Some(&to)), Ok(7 * len));
        assert_received(server, &datagrams);
    }
    segmenter
}

#[test]
fn datagrams_that_the_kernel_refuses_to_join_are_sent_one_by_one() {
    let sender = server();
    refuse_splitting(&sender);
    // EINVAL, as for one message alone: the path may do.
    assert!(assert_none_lost(&sender, &server(), 100).is_offloaded());
}

/// UDP-Lite has no segmentation, which its `UDP_SEGMENT` does not show: `EIO`.
#[test]
fn datagrams_that_the_path_refuses_to_join_are_sent_one_by_one() {
    const UDP_LITE: i32 = 136;
    let open = || {
        // SAFETY: the arguments are numbers.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, UDP_LITE) };
        // SAFETY: the descriptor is new.
        (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
    };
    let (Some(sender), Some(server)) = (open(), open()) else {
        println!("skipped: the kernel has no UDP-Lite");
        return;
    };
    rustix::net::bind(server.as_fd(), &any_local_address()).unwrap();
    let segmenter = assert_none_lost(&sender.into(), &server.into(), 100);
    assert!(!segmenter.is_offloaded());
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn datagrams_longer_than_the_mtu_are_not_joined() {
    in_namespace(|| {
        set_mtu(1500);
        let (sender, server) = (server(), server());
        assert!(assert_none_lost(&sender, &server, 2000).is_offloaded());
        assert!(assert_none_lost(&sender, &server, 1472).is_offloaded());
        // Without fragments, a datagram that is too long remains an error, and those before it are sent.
        option::set_ip_mtu_discover(&sender, 2).unwrap();
        let to = server.local_addr().unwrap();
        let mut segmenter = Segmenter::for_socket(&sender);
        let mut batch = Box::new(Batch::<8, 4096>::new());
        let short: Vec<_> = (0..3).map(|number| numbered(number, 1000)).collect();
        push_all(&mut batch, &short, Some(&to));
        push_all(&mut batch, &[numbered(3, 2000), numbered(4, 2000)], Some(&to));
        push_all(&mut batch, &short, Some(&to));
        assert_eq!(batch.send_joined(&sender, &mut segmenter), Ok(3));
        for _ in 0..2 {
            let error = batch.send_joined(&sender, &mut segmenter).unwrap_err();
            assert_eq!(error.cause(), Cause::DatagramTooLong { len: 2000 });
            assert!(batch.skip());
        }
        assert_eq!(batch.send_joined(&sender, &mut segmenter), Ok(3));
        assert_received(&server, &[short.clone(), short].concat());
    });
}

#[test]
fn an_error_keeps_the_joined_entries_and_those_behind_them() {
    let (first, second, sender) = (server(), server(), server());
    let mut segmenter = Segmenter::for_socket(&sender);
    let mut batch = Batch::<16, 8>::new();
    let datagrams: Vec<_> = (0..4).map(|number| numbered(number, 8)).collect();
    let nowhere: Endpoint = "127.0.0.1:0".parse().unwrap();
    push_all(&mut batch, &datagrams, Some(&first.local_addr().unwrap()));
    push_all(&mut batch, &datagrams[..2], Some(&nowhere));
    push_all(&mut batch, &datagrams, Some(&second.local_addr().unwrap()));
    assert_eq!(batch.send_joined(&sender, &mut segmenter), Ok(4));
    for left in [6, 5] {
        assert_eq!(batch.len(), left);
        assert_eq!(batch.send_joined(&sender, &mut segmenter), Err(Error::new(Op::SendMessages, Errno::INVAL)));
        assert!(batch.skip());
    }
    assert_eq!(batch.send_joined(&sender, &mut segmenter), Ok(4));
    assert_received(&first, &datagrams);
    assert_received(&second, &datagrams);
}

#[test]
fn unix_datagrams_are_never_joined() {
    let (one, other) = Datagram::pair().unwrap();
    let mut segmenter = Segmenter::for_socket(&one);
    let datagrams: Vec<_> = (0..5).map(|number| numbered(number, 8)).collect();
    let mut batch = Batch::<8, 8>::new();
    push_all(&mut batch, &datagrams, None);
    assert_eq!(batch.send_joined(&one, &mut segmenter), Ok(5));
    assert_received(&other, &datagrams);
}

#[test]
fn a_connected_batch_has_no_senders_and_answers_the_peer() {
    let server = server();
    let client = client_of(&server);
    server.connect(&client.local_addr().unwrap()).unwrap();
    client.send(b"with").unwrap();
    let mut batch = Batch::<4, 8>::new();
    assert_eq!(receive_some(&mut batch, &server), 1);
    assert_eq!(batch.iter().next().unwrap().addr(), client.local_addr().unwrap());

    client.send(b"without").unwrap();
    let received = eventually(PATIENCE, || match batch.recv_connected(&server) {
        Err(error) if error.is_would_block() => None,
        other => Some(other.unwrap()),
    });
    assert_eq!(received, 1);
    let entry = batch.iter().next().unwrap();
    assert_eq!((entry.bytes(), entry.addr()), (&b"without"[..], Endpoint::Unknown { family: 0 }));
    assert_eq!(batch.send(&server), Ok(1));
    assert_eq!(receive(&client), b"without");
    assert_would_block(batch.recv_connected(&server));
}
