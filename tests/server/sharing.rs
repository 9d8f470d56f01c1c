//! Descriptors shared with other processes: a close here must stop their events.

use super::*;
use anet::fd::{AsFd, OwnedFd};

fn duplicate(fd: impl AsFd) -> OwnedFd {
    fd.as_fd().try_clone_to_owned().unwrap()
}

/// A child like a snapshot writer: it inherits every descriptor and does not call `exec`.
struct Child(libc::pid_t);

impl Child {
    fn new() -> Self {
        // SAFETY: the child makes no call but `pause`.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            loop {
                // SAFETY: it has no arguments, and waits for the signal that ends this process.
                unsafe { libc::pause() };
            }
        }
        Self(pid)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: the process is this one's child, and was not waited for.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        // SAFETY: a status is not asked for.
        unsafe { libc::waitpid(self.0, std::ptr::null_mut(), 0) };
    }
}

#[test]
fn a_connection_that_lives_on_in_a_child_is_not_reported_after_its_close() {
    with_own_descriptors(|| {
        let mut slots = slots(8);
        let (mut server, addr) = server(&mut slots);
        let (leaving, _) = watched_client(&mut server, addr);
        let (staying, _) = watched_client(&mut server, addr);
        // The child has this end of the connections too, so they are shut down.
        let _child = Child::new();
        leaving.shutdown(Shutdown::Both).unwrap();
        echo_until(&mut server, |server| server.len() == 1);
        let spins = waits(&mut server, 4 * SHORT);
        println!("{spins} waits in 200 ms");
        assert!(spins <= 10, "{spins}");
        // Open connections, the listener and new connections are still watched.
        staying.write_all(b"x").unwrap();
        echo_until(&mut server, |_| staying.read_now());
        let next = client_at(addr);
        next.write_all(b"x").unwrap();
        echo_until(&mut server, |_| next.read_now());
        // From now on it costs no wait either.
        let _second_child = Child::new();
        next.shutdown(Shutdown::Both).unwrap();
        echo_until(&mut server, |server| server.len() == 1);
        assert!(waits(&mut server, SHORT) <= 3);
    });
}

/// The new poller watches everything that the old one watched.
#[test]
fn after_a_close_that_a_duplicate_outlives_everything_is_still_watched() {
    let mut slots = slots(16);
    let (mut server, addr) = server(&mut slots);
    let waker = Waker::new().unwrap();
    let watch = server.watch(&waker, Interest::READABLE).unwrap();
    let (writing, writing_key) = watched_client(&mut server, addr);
    let (lingering, lingering_key) = watched_client(&mut server, addr);
    let (client, key) = watched_client(&mut server, addr);
    server.close_lingering(lingering_key);
    let outlives = duplicate(server.get(key).unwrap().stream());
    client.write_all(b"x").unwrap();
    assert!(matches!(events(&mut server, SECOND)[..], [Event::Readable(readable)] if readable == key));
    server.close(key);
    assert!(waits(&mut server, SHORT) <= 4);
    waker.wake().unwrap();
    assert!(matches!(events(&mut server, SECOND)[..], [Event::Watched(id, _)] if id == watch));
    waker.reset().unwrap();
    server.set_interest(writing_key, Interest::WRITABLE);
    assert!(matches!(events(&mut server, SECOND)[..], [Event::Writable(key)] if key == writing_key));
    server.set_interest(writing_key, Interest::READABLE);
    drop(lingering);
    assert!(events(&mut server, SHORT).is_empty());
    let next = client_at(addr);
    next.write_all(b"x").unwrap();
    echo_until(&mut server, |_| next.read_now());
    drop((writing, outlives));
}

#[test]
fn with_shared_descriptors_nothing_is_ever_reported_after_its_close() {
    let mut slots = slots(8);
    let (mut server, addr) = listening(Server::new(&mut slots[..]).unwrap().with_shared_descriptors());
    let (client, key) = watched_client(&mut server, addr);
    let _outlives = duplicate(server.get(key).unwrap().stream());
    client.write_all(b"x").unwrap();
    assert!(matches!(events(&mut server, SECOND)[..], [Event::Readable(_)]));
    server.close(key);
    assert_eq!(waits(&mut server, SHORT), 1);
}

/// The poller reports readable and nothing else; accepting fails with `EAGAIN`.
#[test]
fn a_unix_listener_whose_reading_half_was_shut_down_elsewhere_is_gone() {
    for listener in [unix_listener(), path_listener(), seqpacket_listener()] {
        let mut slots = slots(4);
        let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
        let shared = duplicate(&listener);
        let id = server.listen(listener).unwrap();
        assert!(events(&mut server, Duration::ZERO).is_empty());
        rustix::net::shutdown(&shared, rustix::net::Shutdown::Read).unwrap();
        let gone = wait_for(&mut server, |event| match event {
            Event::ListenerGone(id, error) => Some((id, error.errno())),
            _ => None,
        });
        assert_eq!(gone, (id, Some(anet::Errno::INVAL)));
        assert!(waits(&mut server, SHORT) <= 2 && server.listeners().count() == 0);
    }
}

fn path_listener() -> Listener {
    let directory = tempfile::tempdir().unwrap();
    let path = UnixAddr::path(directory.path().join("s").as_os_str().as_encoded_bytes()).unwrap();
    listen::unix(&path, &SocketOptions::new(), &Access::default()).unwrap()
}

fn seqpacket_listener() -> Listener {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    let name = format!("anet-test-{}-{:?}", std::process::id(), std::thread::current().id());
    bind(&fd, &SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap()).unwrap();
    listen(&fd, 16).unwrap();
    Listener::from(fd)
}

#[test]
fn an_event_of_an_unwatched_descriptor_reaches_no_other() {
    let mut slots = slots(8);
    let mut server = Server::<u32>::new(&mut slots[..]).unwrap();
    let wakers = [(); 3].map(|()| Waker::new().unwrap());
    let ids = [0, 1].map(|index| server.watch(&wakers[index], Interest::READABLE).unwrap());
    wakers[0].wake().unwrap();
    wakers[1].wake().unwrap();
    server.wait(Some(SECOND)).unwrap();
    let Some(Event::Watched(first, _)) = server.next_event() else { panic!("both are ready") };
    let other = ids.into_iter().find(|id| *id != first).unwrap();
    assert!(server.unwatch(other));
    // In the same slot.
    let third = server.watch(&wakers[2], Interest::READABLE).unwrap();
    assert!(server.next_event().is_none());
    wakers[2].wake().unwrap();
    wakers[0].reset().unwrap();
    wakers[1].reset().unwrap();
    assert!(matches!(events(&mut server, SECOND)[..], [Event::Watched(id, _)] if id == third));
}

#[test]
fn a_panic_while_data_is_made_leaks_no_slot() {
    let mut slots: Vec<Slot<u32>> = std::iter::repeat_with(|| Slot::VACANT).take(2).collect();
    let admission = Admission::<4>::new(Limits::new().with_max_clients(1).with_max_per_source(Some(1)));
    let server = Server::with_data(&mut slots[..], |incoming| match incoming.tag {
        0 => panic!("no data"),
        tag => tag as u32,
    });
    let mut server = server.unwrap().with_admission(admission);
    let (refused, served) = (any_listener(), any_listener());
    let addrs = [&refused, &served].map(|listener| listener.local_addr().unwrap());
    server.listen(refused).unwrap();
    server.listen_with(served, ListenOptions::new().with_tag(7)).unwrap();
    let first = client_at(addrs[0]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_for(&mut server, opened)));
    assert!(panicked.is_err() && server.admission().clients() == 0);
    assert_ends(&first);
    let _second = client_at(addrs[1]);
    let key = wait_for(&mut server, opened);
    let connection = server.get(key).unwrap();
    assert_eq!((connection.data, connection.tag(), server.admission().clients()), (7, 7, 1));
}

#[test]
fn a_server_can_move_to_another_thread() {
    let mut slots = slots(4);
    let (mut server, addr) = server(&mut slots);
    let client = client_at(addr);
    client.write_all(b"x").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || echo_until(&mut server, |server| server.iter().any(|(_, client)| client.data == 1)));
    });
    assert_reads(&client, "x");
}
