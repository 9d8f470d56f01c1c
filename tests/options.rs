//! Sets every option to a value it did not have, and reads it back.

mod support;

use std::{fmt::Debug, time::Duration};

use anet::{
    Errno, Result,
    error::Cause,
    fd::OwnedFd,
    option::{
        self, DeviceName, TcpKeepalive,
        raw::{self, OptionName},
    },
};
use rustix::net::{AddressFamily, SocketType};
use support::*;

fn socket(family: AddressFamily) -> OwnedFd {
    rustix::net::socket(family, SocketType::STREAM, None).unwrap()
}

fn tcp_socket() -> OwnedFd {
    socket(AddressFamily::INET)
}

/// Sets `value` on a fresh TCP socket, where it was something else, and reads it back.
fn sets<T: Copy + Debug + PartialEq>(
    get: impl Fn(&OwnedFd) -> Result<T>,
    set: impl Fn(&OwnedFd, T) -> Result<()>,
    value: T,
) {
    reads_back(tcp_socket(), get, set, value, value);
}

fn reads_back<T: Copy + Debug + PartialEq>(
    fd: OwnedFd,
    get: impl Fn(&OwnedFd) -> Result<T>,
    set: impl Fn(&OwnedFd, T) -> Result<()>,
    value: T,
    expected: T,
) {
    assert_ne!(get(&fd).unwrap(), expected, "the value is there already");
    set(&fd, value).unwrap();
    assert_eq!(get(&fd).unwrap(), expected);
}

#[test]
fn flags_of_the_descriptor_are_set_and_cleared() {
    let fd = tcp_socket();
    option::set_nonblocking(&fd, true).unwrap();
    option::set_cloexec(&fd, false).unwrap();
    assert!(option::nonblocking(&fd).unwrap() && !option::cloexec(&fd).unwrap());
    option::set_nonblocking(&fd, false).unwrap();
    option::set_cloexec(&fd, true).unwrap();
    assert!(!option::nonblocking(&fd).unwrap() && option::cloexec(&fd).unwrap());
}

#[test]
fn switches_are_set() {
    sets(|fd| option::reuse_address(fd), |fd, on| option::set_reuse_address(fd, on), true);
    sets(|fd| option::reuse_port(fd), |fd, on| option::set_reuse_port(fd, on), true);
    sets(|fd| option::keepalive(fd), |fd, on| option::set_keepalive(fd, on), true);
    sets(|fd| option::tcp_nodelay(fd), |fd, on| option::set_tcp_nodelay(fd, on), true);
    sets(|fd| option::bind_address_no_port(fd), |fd, on| option::set_bind_address_no_port(fd, on), true);
    if lacks_ipv6() {
        return;
    }
    let v6 = socket(AddressFamily::INET6);
    let opposite = !option::only_v6(&v6).unwrap();
    reads_back(v6, |fd| option::only_v6(fd), |fd, on| option::set_only_v6(fd, on), opposite, opposite);
}

#[test]
fn times_are_set_and_rounded_up() {
    let ms = Duration::from_millis;
    let time = Some(ms(2500));
    sets(|fd| option::recv_timeout(fd), |fd, t| option::set_recv_timeout(fd, t), time);
    sets(|fd| option::send_timeout(fd), |fd, t| option::set_send_timeout(fd, t), time);
    sets(|fd| option::tcp_user_timeout(fd), |fd, t| option::set_tcp_user_timeout(fd, t), time);
    sets(|fd| option::linger(fd), |fd, t| option::set_linger(fd, t), Some(ms(3000)));
    sets(|fd| option::linger(fd), |fd, t| option::set_linger(fd, t), Some(ms(0)));

    let fd = tcp_socket();
    option::set_tcp_user_timeout(&fd, Some(Duration::from_micros(1500))).unwrap();
    assert_eq!(option::tcp_user_timeout(&fd).unwrap(), Some(ms(2)));
    option::set_tcp_user_timeout(&fd, None).unwrap();
    assert_eq!(option::tcp_user_timeout(&fd).unwrap(), None);
    option::set_linger(&fd, Some(ms(1))).unwrap();
    assert_eq!(option::linger(&fd).unwrap(), Some(SECOND));
}

#[test]
fn a_timeout_of_zero_is_refused_because_it_would_mean_none() {
    let fd = tcp_socket();
    for set in [option::set_recv_timeout, option::set_send_timeout] {
        let error = set(&fd, Some(Duration::ZERO)).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::INVAL));
    }
    let error = option::set_tcp_user_timeout(&fd, Some(Duration::ZERO)).unwrap_err();
    assert_eq!(error.cause(), Cause::OutOfRange { value: 0 });
}

#[test]
fn keepalive_is_set_as_redis_sets_it() {
    let fd = tcp_socket();
    let keepalive = TcpKeepalive::after_idle(Duration::from_secs(300)).unwrap();
    option::set_tcp_keepalive(&fd, &keepalive).unwrap();
    assert!(option::keepalive(&fd).unwrap());
    assert_eq!(option::tcp_keepidle(&fd).unwrap(), Duration::from_secs(300));
    assert_eq!(option::tcp_keepintvl(&fd).unwrap(), Duration::from_secs(100));
    assert_eq!(option::tcp_keepcnt(&fd).unwrap(), 3);
}

/// The ranges that errors name are the kernel's own: both ends are accepted, and the values beyond them are not.
#[test]
fn option_ranges_match_the_kernel() {
    let fd = tcp_socket();
    let idle = |seconds: u64| option::set_tcp_keepidle(&fd, Duration::from_secs(seconds));
    let interval = |seconds: u64| option::set_tcp_keepintvl(&fd, Duration::from_secs(seconds));
    for accepted in [1, 32767] {
        idle(accepted).unwrap();
        interval(accepted).unwrap();
    }
    for refused in [0, 32768] {
        assert!(idle(refused).is_err() && interval(refused).is_err());
        for option_number in [libc::TCP_KEEPIDLE, libc::TCP_KEEPINTVL] {
            assert_eq!(kernel_takes(&fd, option_number, refused as i32), Err(Errno::INVAL));
        }
    }
    for count in [1, 127] {
        option::set_tcp_keepcnt(&fd, count).unwrap();
    }
    for count in [0, 128] {
        assert!(option::set_tcp_keepcnt(&fd, count).is_err());
        assert_eq!(kernel_takes(&fd, libc::TCP_KEEPCNT, count as i32), Err(Errno::INVAL));
    }
}

fn kernel_takes(fd: &OwnedFd, option_number: i32, value: i32) -> Result<(), Errno> {
    // SAFETY: the options asked for are ints.
    let name = unsafe { OptionName::new(libc::IPPROTO_TCP, option_number) };
    raw::set(fd, name, &value.to_ne_bytes()).map_err(|error| error.errno().unwrap())
}

#[test]
fn buffers_read_back_as_the_kernel_accounts_them() {
    let fd = tcp_socket();
    option::set_send_buffer_size(&fd, 50_000).unwrap();
    option::set_recv_buffer_size(&fd, 60_000).unwrap();
    assert_eq!(option::send_buffer_size(&fd).unwrap(), 100_000);
    assert_eq!(option::recv_buffer_size(&fd).unwrap(), 120_000);
    option::set_send_buffer_size(&fd, usize::MAX).unwrap();
    assert!(option::send_buffer_size(&fd).unwrap() > 100_000);
}

#[test]
fn listener_options_are_set() {
    sets(|fd| option::tcp_fastopen(fd), |fd, len| option::set_tcp_fastopen(fd, len), 16);
    let seconds = |n| Some(Duration::from_secs(n));
    for (asked, granted) in [(1, 1), (2, 3), (8, 15), (30, 31)] {
        reads_back(
            tcp_socket(),
            |fd| option::tcp_defer_accept(fd),
            |fd, time| option::set_tcp_defer_accept(fd, time),
            seconds(asked),
            seconds(granted),
        );
    }
}

#[test]
fn priority_is_set() {
    sets(|fd| option::priority(fd), |fd, priority| option::set_priority(fd, priority), 6);
}

#[test]
#[ignore = "needs CAP_NET_ADMIN"]
fn mark_is_set() {
    sets(|fd| option::mark(fd), |fd, mark| option::set_mark(fd, mark), 0xcafe);
}

#[test]
#[ignore = "needs CAP_NET_RAW"]
fn a_socket_is_bound_to_a_device_and_freed_again() {
    let fd = tcp_socket();
    let loopback = DeviceName::new("lo").unwrap();
    assert_eq!(option::bind_device(&fd).unwrap(), None);
    option::set_bind_device(&fd, Some(loopback)).unwrap();
    assert_eq!(option::bind_device(&fd).unwrap(), Some(loopback));
    option::set_bind_device(&fd, None).unwrap();
    assert_eq!(option::bind_device(&fd).unwrap(), None);

    let nowhere = DeviceName::new("nosuchdevice").unwrap();
    let error = option::set_bind_device(&fd, Some(nowhere)).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::NODEV));
}

#[test]
fn a_device_name_has_1_to_15_bytes_and_no_nul() {
    assert_eq!(DeviceName::new("").unwrap_err().cause(), Cause::OutOfRange { value: 0 });
    assert_eq!(DeviceName::new("a23456789012345").unwrap().as_bytes(), b"a23456789012345");
    let error = DeviceName::new("a234567890123456").unwrap_err();
    assert_eq!(error.to_string(), "setsockopt SO_BINDTODEVICE: 16 is out of range 1..=15");
    assert_eq!(DeviceName::new("l\0").unwrap_err().cause(), Cause::EmbeddedNul { at: 1 });
}

#[test]
fn the_error_of_a_failed_connect_is_taken_once() {
    let held = HeldPort::new();
    let fd = tcp_socket();
    option::set_nonblocking(&fd, true).unwrap();
    let _ = rustix::net::connect(&fd, &held.addr());
    let taken = eventually(PATIENCE, || option::take_error(&fd).unwrap());
    assert_eq!(taken, Errno::CONNREFUSED);
    assert_eq!(option::take_error(&fd).unwrap(), None);
}

#[test]
fn tcp_info_reads_what_this_kernel_has() {
    let (client, server) = connected_pair();
    client.write_all(b"twelve bytes").unwrap();
    eventually(PATIENCE, || (option::tcp_info(&server).unwrap().bytes_received() == Some(12)).then_some(()));
    let info = option::tcp_info(&client).unwrap();
    assert_eq!(info.state(), Some(1));
    assert!(info.rtt().unwrap() > Duration::ZERO);
    assert!(info.as_bytes().len() >= 104);
}

#[test]
fn a_shorter_buffer_gets_a_shorter_struct() {
    let (client, _server) = connected_pair();
    let mut short = [0xff; 8];
    let read = raw::get(&client, OptionName::TCP_INFO, &mut short).unwrap();
    assert_eq!((read.len(), read[0]), (8, 1));
    assert_eq!(raw::get(&client, OptionName::TCP_INFO, &mut []).unwrap(), []);
}

#[test]
fn the_accept_queue_is_counted() {
    let listener = any_listener();
    assert_eq!(option::accept_queue(&listener).unwrap().len, 0);
    let _clients: Vec<_> = (0..3).map(|_| client_of(&listener)).collect();
    let queue = option::accept_queue(&listener).unwrap();
    assert_eq!((queue.len, queue.backlog), (3, 511));
}

#[test]
fn an_option_by_number_is_the_option_by_name() {
    let fd = tcp_socket();
    // SAFETY: SO_KEEPALIVE is an int.
    let keepalive = unsafe { OptionName::new(libc::SOL_SOCKET, libc::SO_KEEPALIVE) };
    raw::set(&fd, keepalive, &1_i32.to_ne_bytes()).unwrap();
    assert!(option::keepalive(&fd).unwrap());
}

#[test]
fn errors_name_the_option() {
    let (read, _write) = rustix::pipe::pipe().unwrap();
    let texts = [
        (option::set_tcp_nodelay(&read, true), "setsockopt TCP_NODELAY: Socket operation on non-socket"),
        (option::tcp_nodelay(&read).map(drop), "getsockopt TCP_NODELAY: Socket operation on non-socket"),
        (option::set_mark(&read, 1), "setsockopt SO_MARK: Socket operation on non-socket"),
        (option::set_only_v6(&read, true), "setsockopt IPV6_V6ONLY: Socket operation on non-socket"),
        (option::tcp_info(&read).map(drop), "getsockopt TCP_INFO: Socket operation on non-socket"),
    ];
    for (result, text) in texts {
        assert_eq!(result.unwrap_err().to_string(), text);
    }
    let keepalive = TcpKeepalive::after_idle(SECOND).unwrap();
    let error = option::set_tcp_keepalive(socket(AddressFamily::UNIX), &keepalive).unwrap_err();
    assert_eq!(error.to_string(), "setsockopt TCP_KEEPIDLE: Operation not supported");
}
