//! The words that the tests speak.
#![allow(dead_code, reason = "every test file uses some of them")]

use std::{
    fmt::Debug,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anet::{
    Endpoint, Error, Listener, Profile, Stream,
    connect::{self, Source},
    fd::OwnedFd,
    listen,
};

#[cfg(target_os = "linux")]
pub mod namespace;

pub const SECOND: Duration = Duration::from_secs(1);

pub fn any_local_address() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub fn any_local_address_v6() -> SocketAddr {
    "[::1]:0".parse().unwrap()
}

/// A TCP listener on the loopback address, as the kernel has it.
pub fn any_listener() -> Listener {
    listen::tcp(any_local_address(), &Profile::new()).unwrap()
}

/// A blocking client of a listener.
pub fn client_of(listener: &Listener) -> Stream {
    client_at(listener.local_addr().unwrap())
}

pub fn client_at(server: Endpoint) -> Stream {
    connect::blocking(&[server], Source::Any, Some(5 * SECOND)).unwrap()
}

/// A client, blocking, and the accepted stream, non-blocking.
pub fn connected_pair() -> (Stream, Stream) {
    let listener = any_listener();
    let client = client_of(&listener);
    let (server, _) = accept_within(&listener, SECOND);
    (client, server)
}

/// Accepts, once a connection has come.
pub fn accept_within(listener: &Listener, time: Duration) -> (Stream, Endpoint) {
    eventually(time, || match listener.accept() {
        Err(error) if error.is_would_block() => None,
        other => Some(other.unwrap()),
    })
}

/// Tries until it is there.
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

/// Runs `test` in a thread with a descriptor table of its own, so that [`open_fds`] counts what it opens alone.
pub fn with_own_descriptors<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: unsharing the table changes nothing for the other threads; this one opens and closes its own.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
            test()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Takes every descriptor that this thread's table has left.
pub fn occupy_all_descriptors() -> Vec<OwnedFd> {
    let first = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let mut occupied = vec![first];
    while let Ok(next) = occupied[0].try_clone() {
        occupied.push(next);
    }
    occupied
}

/// Runs `test` in a thread that gets a signal every 200 us; system calls are not restarted after it.
pub fn interrupted<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    extern "C" fn ignore(_: libc::c_int) {}
    // SAFETY: all zeroes is a valid `sigaction`, without flags and with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing at all.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) }, 0);
    let done = &std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (to_main, from_tested) = std::sync::mpsc::channel();
        let tested = scope.spawn(move || {
            // SAFETY: it only reads the thread's own handle.
            to_main.send(unsafe { libc::pthread_self() }).unwrap();
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test));
            done.store(true, std::sync::atomic::Ordering::SeqCst);
            // The handle stays valid until the other thread has stopped using it.
            std::thread::sleep(Duration::from_millis(20));
            result
        });
        let thread = from_tested.recv().unwrap();
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            // SAFETY: the thread lives for 20 ms after `done`.
            unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
            std::thread::sleep(Duration::from_micros(200));
        }
        tested.join().unwrap().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
