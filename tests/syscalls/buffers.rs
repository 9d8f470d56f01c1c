//! The system calls of the largest buffers and of UDP sockets.

use anet::Datagram;

use crate::{
    trace::{between_marks, traced},
    *,
};

fn udp(options: &SocketOptions) -> Datagram {
    listen::udp(([127, 0, 0, 1], 0).into(), options).unwrap()
}

#[test]
#[ignore = "needs strace"]
fn the_largest_buffer_is_found_in_two_calls() {
    let trace = traced(&[], || {
        let socket = udp(&SocketOptions::new().with_send_buffer_size(Some(10_000)));
        let sizes = between_marks([0; 2], |sizes| {
            *sizes = [option::maximize_send_buffer(&socket).unwrap(), option::maximize_recv_buffer(&socket).unwrap()];
        });
        assert_eq!(sizes, [option::send_buffer_size(&socket).unwrap(), option::recv_buffer_size(&socket).unwrap()]);
    });
    assert_eq!(trace.between_marks(), ["setsockopt", "getsockopt"].repeat(2));
}

/// As on the BSDs, which refuse too large a value.
#[test]
#[ignore = "needs strace"]
fn where_the_largest_is_refused_a_few_calls_find_the_limit() {
    let trace = traced(&["setsockopt:error=ENOBUFS"], || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        between_marks((), |()| assert!(option::maximize_recv_buffer(&socket).is_err()));
    });
    assert_eq!(trace.between_marks(), ["setsockopt"; 9]);
}

#[test]
#[ignore = "needs strace"]
fn a_udp_server_costs_four_calls() {
    let trace = traced(&[], || {
        let options = SocketOptions::new();
        between_marks(None, |made| *made = Some(udp(&options)));
    });
    assert_eq!(trace.between_marks(), ["socket", "setsockopt", "getsockopt", "bind"]);
    assert_eq!(trace.between_marks_matching("SOCK_DGRAM|SOCK_CLOEXEC|SOCK_NONBLOCK"), 1);
    assert_eq!(trace.between_marks_matching("SO_REUSEADDR"), 0);
}

#[test]
#[ignore = "needs strace"]
fn a_datagram_costs_one_call_each_way() {
    let trace = traced(&[], || {
        let server = udp(&SocketOptions::new());
        let addr = server.local_addr().unwrap();
        between_marks((), |()| {
            for _ in 0..MANY {
                server.send_to(b"request", &addr).unwrap();
                let mut buf = [0; 4];
                assert!(server.recv_from(&mut buf).unwrap().0.is_truncated());
            }
        });
    });
    assert_eq!(trace.between_marks(), ["sendto", "recvfrom"].repeat(MANY));
}
