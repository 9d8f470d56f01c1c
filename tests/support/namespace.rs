//! A network namespace for a test.

use std::{
    net::{Ipv4Addr, UdpSocket},
    os::fd::{AsFd, AsRawFd},
};

use super::with_own_descriptors;

/// Runs `test` in a thread with a separate network namespace, whose loopback device is up, and a separate descriptor
/// table.
pub fn in_namespace<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    with_own_descriptors(|| {
        // SAFETY: it affects only sockets that this thread makes later, and its view of `/proc/sys/net`.
        let answer = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(answer, 0, "unshare: {}", std::io::Error::last_os_error());
        bring_up_loopback();
        test()
    })
}

fn bring_up_loopback() {
    let mut request = request_for("lo");
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    configure(libc::SIOCSIFFLAGS, &request);
}

/// Adds an address to the loopback device.
pub fn add_address(ip: Ipv4Addr) {
    let mut request = request_for("lo:1");
    let addr = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from(ip).to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: both are 16 bytes, and any bytes are a valid `sockaddr`.
    request.ifr_ifru.ifru_addr = unsafe { std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(addr) };
    configure(libc::SIOCSIFADDR, &request);
}

/// Limits the packets of the loopback device.
pub fn set_mtu(bytes: i32) {
    let mut request = request_for("lo");
    request.ifr_ifru.ifru_mtu = bytes;
    configure(libc::SIOCSIFMTU, &request);
}

fn request_for(device: &str) -> libc::ifreq {
    // SAFETY: all zeroes is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

fn configure(what: libc::c_ulong, request: &libc::ifreq) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // SAFETY: the request is a whole `ifreq`, of which the kernel reads the name and the value.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), what as _, std::ptr::from_ref(request)) };
    assert_eq!(answer, 0, "ioctl {what:#x}: {}", std::io::Error::last_os_error());
}

/// Drops everything that arrives at a socket.
pub fn drop_all(fd: impl AsFd) {
    let mut reject = libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut reject };
    // SAFETY: the kernel copies the program, which has one instruction, during the call.
    let answer = unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    assert_eq!(answer, 0, "SO_ATTACH_FILTER: {}", std::io::Error::last_os_error());
}
