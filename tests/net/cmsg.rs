//! Control messages through the kernel: descriptors, credentials, what is cut off, and what is unknown.

use std::{fs::File, os::unix::net::UnixStream};

use anet::{
    Datagram, Errno, Error, Op, SocketOptions, Stream,
    datagram::{
        Request,
        cmsg::{self, ControlMessage, Credentials, Decoder, EncodeError, Encoder, FDS_MAX},
    },
    fd::{AsFd, OwnedFd},
    option::{
        self,
        raw::{self, OptionName},
    },
};

use crate::{datagram::server, support::*};

fn streams() -> (Stream, Stream) {
    let (one, other) = UnixStream::pair().unwrap();
    (OwnedFd::from(one).into(), OwnedFd::from(other).into())
}

fn null() -> File {
    File::open("/dev/null").unwrap()
}

/// Sends one byte with this many descriptors, all of the same file.
fn send_fds(from: &Datagram, count: usize) {
    let file = null();
    let mut space = vec![0; cmsg::fds_space(count)];
    let mut control = Encoder::new(&mut space);
    control.push_fds(&vec![file.as_fd(); count]).unwrap();
    from.send_with(b"x", None, &control).unwrap();
}

#[test]
fn descriptors_arrive_in_order_open_and_close_on_exec() {
    let (one, other) = Datagram::pair().unwrap();
    let (file, pipe) = (null(), rustix::pipe::pipe().unwrap());
    let mut space = [0; cmsg::fds_space(2)];
    let mut control = Encoder::new(&mut space);
    control.push_fds(&[file.as_fd(), pipe.1.as_fd()]).unwrap();
    one.send_with(b"two", None, &control).unwrap();

    let (mut buf, mut space) = ([0; 8], [0; cmsg::fds_space(2)]);
    let mut message = other.recv_with(&mut buf, &mut space).unwrap();
    let Some(ControlMessage::Rights(numbers)) = message.control.messages().next() else { panic!() };
    assert_eq!((numbers.len(), numbers.iter().filter(|&number| number >= 0).count()), (2, 2));
    let fds: Vec<OwnedFd> = message.control.take_fds().collect();
    assert_eq!(fds.len(), 2);
    assert!(fds.iter().all(|fd| option::cloexec(fd) == Ok(true)));
    assert_eq!(rustix::fs::fstat(&fds[0]).unwrap().st_rdev, rustix::fs::fstat(&file).unwrap().st_rdev);
    rustix::io::write(&fds[1], b"through").unwrap();
    let mut through = [0; 8];
    assert_eq!(rustix::io::read(&pipe.0, &mut through).unwrap(), 7);
    // What was taken is no longer there.
    assert_eq!(message.control.take_fds().count(), 0);
    assert!(format!("{:?}", message.control.messages().next().unwrap()).contains("[-1, -1]"));
}

#[test]
fn a_control_buffer_of_any_size_leaks_no_descriptor_and_reports_what_is_missing() {
    with_own_descriptors(|| {
        let (one, other) = Datagram::pair().unwrap();
        let before = open_fds();
        for sent in [1, 2, 3, 4] {
            for size in 0..=cmsg::fds_space(sent) + 9 {
                send_fds(&one, sent);
                let (mut buf, mut space) = ([0; 8], vec![0; size]);
                let mut message = other.recv_with(&mut buf, &mut space).unwrap();
                let fds: Vec<OwnedFd> = message.control.take_fds().collect();
                let room = size.saturating_sub(cmsg::fds_space(0)) / 4;
                assert_eq!(fds.len(), room.min(sent), "{sent} descriptors, {size} bytes");
                assert_eq!(message.control.is_truncated(), fds.len() < sent);
                assert_eq!(open_fds(), before + fds.len());
            }
        }
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn a_control_buffer_has_no_alignment() {
    let (one, other) = Datagram::pair().unwrap();
    option::set_passcred(&other, true).unwrap();
    for offset in 0..16 {
        let file = null();
        let mut space = [0; 16 + cmsg::fds_space(3)];
        let mut control = Encoder::new(&mut space[offset..]);
        control.push_fds(&[file.as_fd(); 3]).unwrap();
        one.send_with(b"x", None, &control).unwrap();
        let (mut buf, mut space) = ([0; 8], [0; 16 + cmsg::fds_space(3) + cmsg::space(12)]);
        let mut message = other.recv_with(&mut buf, &mut space[offset..]).unwrap();
        assert!(!message.control.is_truncated());
        assert_eq!(message.control.take_fds().count(), 3);
        assert!(message.details().credentials.is_some());
    }
}

#[test]
fn a_message_carries_253_descriptors_and_a_254th_is_refused() {
    with_own_descriptors(|| {
        let (one, other) = Datagram::pair().unwrap();
        let before = open_fds();
        send_fds(&one, FDS_MAX);
        let (mut buf, mut space) = ([0; 8], [0; cmsg::fds_space(FDS_MAX)]);
        let mut message = other.recv_with(&mut buf, &mut space).unwrap();
        let fds: Vec<OwnedFd> = message.control.take_fds().collect();
        assert_eq!((fds.len(), message.control.is_truncated()), (FDS_MAX, false));
        assert_eq!(open_fds(), before + FDS_MAX);
        drop(fds);

        let file = null();
        let mut space = vec![0; cmsg::fds_space(FDS_MAX + 1)];
        let mut control = Encoder::new(&mut space);
        let many = vec![file.as_fd(); FDS_MAX + 1];
        assert_eq!(control.push_fds(&many), Err(EncodeError::TooManyFds { count: FDS_MAX + 1 }));
        assert!(control.is_empty());
        // In two messages the kernel counts them together.
        control.push_fds(&many[..FDS_MAX]).unwrap();
        assert_eq!(control.push_fds(&many[..1]), Err(EncodeError::NoRoom));
        drop(file);
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn the_kernel_refuses_254_descriptors_in_two_messages_and_keeps_none() {
    with_own_descriptors(|| {
        let (one, other) = Datagram::pair().unwrap();
        let file = null();
        let before = open_fds();
        let mut space = vec![0; cmsg::fds_space(FDS_MAX) + cmsg::fds_space(1)];
        let mut control = Encoder::new(&mut space);
        control.push_fds(&[file.as_fd(); FDS_MAX]).unwrap();
        control.push_fds(&[file.as_fd()]).unwrap();
        let refused = one.send_with(b"x", None, &control);
        assert_eq!(refused, Err(Error::new(Op::SendMessage, Errno::INVAL)));
        assert_would_block(other.recv_with(&mut [0; 8], &mut [0; 64]).map(drop));
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn descriptors_that_are_not_taken_are_closed() {
    with_own_descriptors(|| {
        let (one, other) = Datagram::pair().unwrap();
        let before = open_fds();
        let receive = |taken: usize| {
            send_fds(&one, 5);
            let (mut buf, mut space) = ([0; 8], [0; cmsg::fds_space(5)]);
            let mut message = other.recv_with(&mut buf, &mut space).unwrap();
            assert_eq!(open_fds(), before + 5);
            let kept: Vec<_> = message.control.take_fds().take(taken).collect();
            // An iterator that ended early leaves the rest, and another goes on.
            kept.len() + message.control.take_fds().count()
        };
        for taken in 0..=5 {
            assert_eq!(receive(taken), 5);
            assert_eq!(open_fds(), before);
        }
        send_fds(&one, 5);
        drop(other.recv_with(&mut [0; 8], &mut [0; cmsg::fds_space(5)]));
        // A plain receive closes them, and so does closing the socket with them in its buffer.
        send_fds(&one, 5);
        other.recv(&mut [0; 8]).unwrap();
        send_fds(&one, 5);
        assert_eq!(open_fds(), before);
        drop(other);
        assert_eq!(open_fds(), before - 1);
    });
}

#[test]
fn a_receive_without_free_descriptors_is_truncated_and_leaks_none() {
    with_own_descriptors(|| {
        let (one, other) = Datagram::pair().unwrap();
        send_fds(&one, 3);
        let mut occupied = occupy_all_descriptors();
        occupied.pop();
        let (mut buf, mut space) = ([0; 8], [0; cmsg::fds_space(3)]);
        let mut message = other.recv_with(&mut buf, &mut space).unwrap();
        let fds: Vec<OwnedFd> = message.control.take_fds().collect();
        assert_eq!((fds.len(), message.control.is_truncated()), (1, true));
    });
}

#[test]
fn on_a_stream_each_read_returns_the_descriptors_of_one_write() {
    with_own_descriptors(|| {
        let (one, other) = streams();
        let before = open_fds();
        for count in [1, 2] {
            let file = null();
            let mut space = [0; cmsg::fds_space(2)];
            let mut control = Encoder::new(&mut space);
            control.push_fds(&vec![file.as_fd(); count]).unwrap();
            assert_eq!(one.send_with(b"abc", &control).unwrap(), 3);
        }
        let mut buf = [0; 16];
        for count in [1, 2] {
            let mut space = [0; cmsg::fds_space(FDS_MAX)];
            let (len, mut control) = other.recv_with(&mut buf, &mut space).unwrap();
            assert_eq!((len, control.take_fds().count()), (3, count));
        }
        drop(one);
        let (len, control) = other.recv_with(&mut buf, &mut []).unwrap();
        assert_eq!((len, control.messages().count()), (0, 0));
        drop(control);
        assert_eq!(open_fds(), before - 1);
    });
}

#[test]
fn a_peer_that_closes_at_any_step_costs_no_descriptor() {
    with_own_descriptors(|| {
        let file = null();
        let before = open_fds();
        let mut space = [0; cmsg::fds_space(3)];
        let mut control = Encoder::new(&mut space);
        control.push_fds(&[file.as_fd(); 3]).unwrap();
        for step in 0..4 {
            let (one, other) = streams();
            let mut receiver = Some(other);
            for at in 0..4 {
                if at == step {
                    receiver = None;
                }
                match (&receiver, one.send_with(b"abc", &control)) {
                    (Some(receiver), Ok(3)) if at % 2 == 0 => {
                        let (mut buf, mut space) = ([0; 2], [0; cmsg::fds_space(2)]);
                        let (_, control) = receiver.recv_with(&mut buf, &mut space).unwrap();
                        assert!(control.is_truncated());
                    }
                    (Some(_), Ok(3)) => {}
                    (None, Err(error)) => assert!(error.is_disconnected(), "{error:?}"),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn credentials_are_those_of_the_sender_on_datagrams_and_streams() {
    let ours = Credentials {
        pid: std::process::id(),
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    let (one, other) = Datagram::pair().unwrap();
    other.request(Request::CREDENTIALS).unwrap();
    let mut space = [0; cmsg::space(12)];
    let mut control = Encoder::new(&mut space);
    control.push(&ControlMessage::Credentials(ours)).unwrap();
    one.send_with(b"x", None, &control).unwrap();
    one.send(b"without asking").unwrap();
    for _ in 0..2 {
        let (mut buf, mut space) = ([0; 8], [0; cmsg::space(12)]);
        let message = other.recv_with(&mut buf, &mut space).unwrap();
        assert_eq!(message.details().credentials, Some(ours));
    }

    let (one, other) = streams();
    option::set_passcred(&other, true).unwrap();
    one.send_with(b"x", &control).unwrap();
    let (mut buf, mut space) = ([0; 8], [0; cmsg::space(12)]);
    let (_, control) = other.recv_with(&mut buf, &mut space).unwrap();
    assert_eq!(control.messages().collect::<Vec<_>>(), [ControlMessage::Credentials(ours)]);
}

#[test]
fn credentials_of_another_process_need_privilege() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let (one, _other) = Datagram::pair().unwrap();
    let mut space = [0; cmsg::space(12)];
    let mut control = Encoder::new(&mut space);
    control.push(&ControlMessage::Credentials(Credentials { pid: 1, uid: 0, gid: 0 })).unwrap();
    assert_eq!(one.send_with(b"x", None, &control), Err(Error::new(Op::SendMessage, Errno::PERM)));
}

/// The numbers of the sender's credentials, of the peer's, in a PID namespace that the sender is not in.
#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_sender_outside_the_pid_namespace_has_the_number_0() {
    let (outside, inside) = streams();
    option::set_passcred(&inside, true).unwrap();
    outside.write_all(b"x").unwrap();
    let status = in_pid_namespace(|| {
        let (mut buf, mut space) = ([0; 8], [0; cmsg::space(12)]);
        let Ok((1, control)) = inside.recv_with(&mut buf, &mut space) else { return 2 };
        let Some(ControlMessage::Credentials(sender)) = control.messages().next() else { return 3 };
        let Ok(peer) = option::peer_credentials(&inside) else { return 4 };
        i32::from((sender.pid, peer.pid) != (0, 0))
    });
    assert_eq!(status, 0);
}

/// Runs `child` in a new process, the first one of a PID namespace, and returns what it returned.
fn in_pid_namespace(child: impl FnOnce() -> i32 + Send) -> i32 {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: it affects the processes that this thread makes.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0, "{}", std::io::Error::last_os_error());
            // SAFETY: the child makes system calls alone, and exits without running the parent's destructors.
            match unsafe { libc::fork() } {
                // SAFETY: as above.
                0 => unsafe { libc::_exit(child()) },
                pid => {
                    let mut status = 0;
                    // SAFETY: `status` is writable, and the child is ours.
                    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
                    libc::WEXITSTATUS(status)
                }
            }
        });
        thread.join().unwrap()
    })
}

/// `SO_PASSPIDFD` delivers a descriptor in a message of its own; it has no function here, and does not leak either.
#[test]
fn a_pidfd_is_owned_like_any_received_descriptor() {
    with_own_descriptors(|| {
        let (one, other) = Datagram::pair().unwrap();
        // SAFETY: the value of SO_PASSPIDFD is an int.
        let name = unsafe { OptionName::new(libc::SOL_SOCKET, 76) };
        if raw::set(&other, name, &1_i32.to_ne_bytes()).is_err() {
            // Since Linux 6.5.
            return;
        }
        let before = open_fds();
        for _ in 0..2 {
            one.send(b"x").unwrap();
        }
        let (mut buf, mut space) = ([0; 8], [0; 64]);
        drop(other.recv_with(&mut buf, &mut space).unwrap());
        assert_eq!(open_fds(), before);
        let mut message = other.recv_with(&mut buf, &mut space).unwrap();
        let unknown = message.control.messages().next().unwrap();
        assert!(matches!(unknown, ControlMessage::Unknown { level: 1, kind: 4, data } if data.len() == 4));
        assert_eq!(message.control.take_fds().count(), 1);
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn an_unknown_message_is_returned_raw() {
    let server = server();
    option::set_ip_recvorigdstaddr(&server, true).unwrap();
    let client = Datagram::connected(&server.local_addr().unwrap(), &SocketOptions::new()).unwrap();
    client.send(b"x").unwrap();
    let (mut buf, mut space) = ([0; 8], [0; 64]);
    let message = server.recv_with(&mut buf, &mut space).unwrap();
    let Some(ControlMessage::Unknown { level: 0, kind: 20, data }) = message.control.messages().next() else {
        panic!("{:?}", message.control.messages().next())
    };
    assert_eq!(anet::Endpoint::from_sockaddr(data), server.local_addr().unwrap());
}

#[test]
fn details_in_a_control_buffer_of_any_size_are_whole_or_missing() {
    for addr in any_local_addresses() {
        let server = anet::listen::udp(addr, &SocketOptions::new()).unwrap();
        server.request(Request::all()).unwrap();
        let client = Datagram::connected(&server.local_addr().unwrap(), &SocketOptions::new()).unwrap();
        let mut enough = false;
        for size in 0..=cmsg::DETAILS_SPACE {
            client.send(b"datagram").unwrap();
            let (mut buf, mut space) = ([0; 8], vec![0; size]);
            let message = eventually(PATIENCE, || {
                server
                    .recv_with(&mut buf, &mut space)
                    .ok()
                    .map(|m| (m.bytes.to_vec(), m.details(), m.control.is_truncated()))
            });
            let (bytes, details, is_truncated) = message;
            assert_eq!(bytes, b"datagram");
            assert!(details.ttl.is_none_or(|ttl| ttl == 64));
            assert!(details.local_ip.is_none_or(|ip| ip == addr.ip()));
            let is_complete = details.ttl.and(details.local_ip).and(details.traffic_class).is_some();
            assert!(is_truncated || (is_complete && details.time.is_some()), "{size}: {details:?}");
            enough |= !is_truncated;
            assert!(!(enough && is_truncated));
        }
        assert!(enough);
    }
}

#[test]
fn what_the_socket_does_not_take_is_an_error_of_sending() {
    let server = server();
    let client = Datagram::connected(&server.local_addr().unwrap(), &SocketOptions::new()).unwrap();
    let mut space = [0; 64];
    let mut control = Encoder::new(&mut space);
    control.push(&ControlMessage::TypeOfService(0)).unwrap();
    control.push(&ControlMessage::Dropped(1)).unwrap();
    let refused = client.send_with(b"x", None, &control).unwrap_err();
    assert_eq!(refused, Error::new(Op::SendMessage, Errno::INVAL));
}

#[test]
fn descriptors_and_addresses_are_not_sent_as_plain_numbers() {
    let mut space = [0; 64];
    let mut control = Encoder::new(&mut space);
    let rights = ControlMessage::Unknown { level: libc::SOL_SOCKET, kind: libc::SCM_RIGHTS, data: &[0; 4] };
    let addresses = ControlMessage::Unknown { level: 276, kind: 1, data: &[0; 16] };
    for refused in [rights, addresses] {
        assert_eq!(control.push(&refused), Err(EncodeError::NotByValue));
    }
    let (file, mut other) = (null(), [0; 64]);
    let mut received = Encoder::new(&mut other);
    received.push_fds(&[file.as_fd()]).unwrap();
    let rights = Decoder::new(received.as_bytes()).next().unwrap();
    assert_eq!(control.push(&rights), Err(EncodeError::NotByValue));
    assert!(control.is_empty());
}
