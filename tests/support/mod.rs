//! The vocabulary of the tests.
#![allow(dead_code, unused_imports, reason = "every test file uses some of them")]

use std::{
    fmt::Debug,
    net::{SocketAddr, TcpListener},
    os::fd::IntoRawFd,
    time::{Duration, Instant},
};

use anet::{
    Endpoint, Error, Listener, SocketOptions, Stream,
    connect::{self, Connector, Pending},
    error::AddrError,
    event::{Events, Interest, Poller},
    fd::OwnedFd,
    listen,
};
use rustix::net::{AddressFamily, SocketType};

pub mod ipv6;
#[cfg(target_os = "linux")]
pub mod namespace;

pub use ipv6::lacks_ipv6;

pub const SECOND: Duration = Duration::from_secs(1);
/// Longer than any step takes unless it hangs, however busy the host is.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn any_local_address() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub fn any_local_address_v6() -> SocketAddr {
    "[::1]:0".parse().unwrap()
}

/// One of each family that this host has.
pub fn any_local_addresses() -> Vec<SocketAddr> {
    let mut addrs = vec![any_local_address()];
    if !lacks_ipv6() {
        addrs.push(any_local_address_v6());
    }
    addrs
}

/// A TCP listener on the loopback address, with default options.
pub fn any_listener() -> Listener {
    listen::tcp(any_local_address(), &SocketOptions::new()).unwrap()
}

/// A blocking client of a listener.
pub fn client_of(listener: &Listener) -> Stream {
    client_at(listener.local_addr().unwrap())
}

pub fn client_at(server: Endpoint) -> Stream {
    connect::blocking(&[server], Connector::new().with_timeout(Some(PATIENCE))).unwrap()
}

/// Completes a connection with a poller, as a program with other work to do would.
pub fn connected_by_poller<L: AsRef<[Endpoint]>>(pending: &mut Pending<L>) -> Result<Stream, AddrError> {
    let poller = Poller::new().unwrap();
    let start = Instant::now();
    loop {
        if let Some(stream) = pending.advance(|fd| poller.add(fd, 1, Interest::WRITABLE))? {
            return Ok(stream);
        }
        assert!(start.elapsed() < PATIENCE, "not in time");
        let timeout = pending.timeout().unwrap_or(PATIENCE).min(PATIENCE);
        poller.wait(&mut Events::<4>::new(), Some(timeout)).unwrap();
    }
}

/// A client, blocking, and the accepted stream, non-blocking.
pub fn connected_pair() -> (Stream, Stream) {
    let listener = any_listener();
    let client = client_of(&listener);
    let (server, _) = accept_within(&listener, PATIENCE);
    (client, server)
}

/// Waits for a connection and accepts it.
pub fn accept_within(listener: &Listener, time: Duration) -> (Stream, Endpoint) {
    eventually(time, || match listener.accept() {
        Err(error) if error.is_would_block() => None,
        other => Some(other.unwrap()),
    })
}

/// Retries until it returns a value.
pub fn eventually<T>(time: Duration, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(start.elapsed() < time, "not within {time:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn assert_would_block<T: Debug>(result: Result<T, Error>) {
    assert!(result.as_ref().is_err_and(Error::is_would_block), "{result:?}");
}

/// The descriptors open in this thread's table.
pub fn open_fds() -> usize {
    // The directory being read is one of them.
    std::fs::read_dir("/proc/thread-self/fd").unwrap().count() - 1
}

/// Runs `test` in a thread with a separate descriptor table that has only the standard streams, so that [`open_fds`]
/// counts what the test opens, and a close takes effect: a copy in another table would keep the socket listening, the
/// connection open and the lock held.
///
/// The table is empty, so `test` must open what it uses.
pub fn with_own_descriptors<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    // The harness's thread has the name of the test.
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name(name);
        let thread = builder.spawn_scoped(scope, || {
            leave_all_descriptors();
            test()
        });
        thread.unwrap().join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Gives this thread a new table with the standard streams. Nothing else is copied, not even briefly.
fn leave_all_descriptors() {
    const FIRST: libc::c_uint = libc::STDERR_FILENO as libc::c_uint + 1;
    // SAFETY: the other threads keep their table, and this thread owns nothing in it: it has just started.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE) };
    assert_eq!(answer, 0, "close_range: {}", std::io::Error::last_os_error());
}

/// Occupies every free descriptor of this thread's table.
pub fn occupy_all_descriptors() -> Occupied {
    let first = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let mut occupied = vec![first];
    while let Ok(next) = occupied[0].try_clone() {
        occupied.push(next);
    }
    Occupied(occupied)
}

/// Descriptors that fill the table.
pub struct Occupied(Vec<OwnedFd>);

impl Occupied {
    /// Makes room for one.
    pub fn pop(&mut self) {
        self.0.pop();
    }
}

impl Drop for Occupied {
    /// Closes each contiguous range with one call: there may be a million.
    fn drop(&mut self) {
        let mut numbers: Vec<_> = self.0.drain(..).map(|fd| fd.into_raw_fd() as libc::c_uint).collect();
        numbers.sort_unstable();
        for row in numbers.chunk_by(|one, next| one + 1 == *next) {
            // SAFETY: their owners released them above.
            let answer = unsafe { libc::syscall(libc::SYS_close_range, row[0], row[row.len() - 1], 0) };
            assert_eq!(answer, 0, "close_range: {}", std::io::Error::last_os_error());
        }
    }
}

/// A TCP port where no socket listens, and which the kernel does not assign to another socket while this lives. A
/// listener or client that asks for it by number gets it.
pub struct HeldPort(TcpListener);

impl HeldPort {
    pub fn new() -> Self {
        let bound = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        // With `SO_REUSEADDR` on both, a socket that does not listen does not keep the port from another one.
        anet::option::set_reuse_address(&bound, true).unwrap();
        rustix::net::bind(&bound, &any_local_address()).unwrap();
        // It becomes a listener only with `listen`.
        Self(bound.into())
    }

    pub fn addr(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub fn endpoint(&self) -> Endpoint {
        self.addr().into()
    }
}

/// Runs `test` in a thread that gets a signal every 200 us; system calls are not restarted after it.
pub fn interrupted<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    extern "C" fn ignore(_: libc::c_int) {}
    // SAFETY: all zeroes is a valid `sigaction`, without flags and with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) }, 0);
    let done = &std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (to_main, from_tested) = std::sync::mpsc::channel();
        let tested = scope.spawn(move || {
            // SAFETY: it only reads the thread's handle.
            to_main.send(unsafe { libc::pthread_self() }).unwrap();
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test));
            done.store(true, std::sync::atomic::Ordering::SeqCst);
            result
        });
        let thread = from_tested.recv().unwrap();
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            // SAFETY: the handle is valid until the thread is joined, which comes after the loop.
            unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
            std::thread::sleep(Duration::from_micros(200));
        }
        tested.join().unwrap().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
