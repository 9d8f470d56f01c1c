//! Unix listeners: ownership of the path, and access to it.

mod support;

use std::{
    fs,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
        net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Instant,
};

use anet::{
    Endpoint, Errno, Error, Listener, Op, SocketOptions, UnixAddr,
    error::{AddrError, Cause},
    listen::{self, Access},
};
use support::*;
use tempfile::TempDir;

const PRIVATE: Access = Access { mode: Some(0o600), group: None };

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn addr(&self) -> UnixAddr {
        addr_of(&self.path())
    }

    fn listen(&self) -> Result<Listener, AddrError> {
        self.listen_with(&Access::default())
    }

    fn listen_with(&self, access: &Access) -> Result<Listener, AddrError> {
        listen::unix(&self.addr(), &SocketOptions::new(), access)
    }

    /// A socket file without a listener.
    fn leave_stale_socket(&self) {
        drop(UnixListener::bind(self.path()).unwrap());
        assert!(self.path().exists());
    }

    fn mode(&self) -> u32 {
        fs::symlink_metadata(self.path()).unwrap().permissions().mode() & 0o777
    }
}

fn addr_of(path: &Path) -> UnixAddr {
    UnixAddr::path(path.as_os_str().as_encoded_bytes()).unwrap()
}

fn assert_in_use(result: Result<Listener, AddrError>) {
    assert_eq!(result.unwrap_err(), Error::new(Op::Bind, Errno::ADDRINUSE));
}

#[test]
fn clients_connect_by_path() {
    let place = Place::new();
    let listener = place.listen().unwrap();
    assert_eq!(listener.local_addr().unwrap(), Endpoint::Unix(place.addr()));
    let client = client_of(&listener);
    let (server, peer) = accept_within(&listener, PATIENCE);
    assert_eq!(peer, Endpoint::Unix(UnixAddr::UNNAMED));
    client.write_all(b"x").unwrap();
    server.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_stale_path_is_reclaimed() {
    let place = Place::new();
    place.leave_stale_socket();
    let listener = place.listen().unwrap();
    client_of(&listener);
}

#[test]
fn a_live_servers_path_is_never_stolen() {
    let place = Place::new();
    let live = UnixListener::bind(place.path()).unwrap();
    assert_in_use(place.listen());
    UnixStream::connect(place.path()).unwrap();
    live.accept().unwrap();
}

#[test]
fn a_server_with_a_full_backlog_is_live() {
    let place = Place::new();
    let live = listen::unix(&place.addr(), &SocketOptions::new().with_backlog(0), &Access::default()).unwrap();
    let _fills_the_backlog = client_of(&live);
    assert_in_use(place.listen());
}

#[test]
fn a_datagram_server_is_live() {
    let place = Place::new();
    let _live = UnixDatagram::bind(place.path()).unwrap();
    assert_in_use(place.listen());
    assert!(place.path().exists());
}

#[test]
fn a_file_that_is_no_socket_is_never_removed() {
    let place = Place::new();
    let target = place.directory.path().join("target");
    fs::write(&target, "kept").unwrap();
    let put_in_the_way: [&dyn Fn(); 4] = [
        &|| fs::write(place.path(), "kept").unwrap(),
        &|| fs::create_dir(place.path()).unwrap(),
        &|| symlink(&target, place.path()).unwrap(),
        &|| symlink("dangling", place.path()).unwrap(),
    ];
    for put in put_in_the_way {
        put();
        assert_in_use(place.listen());
        let metadata = fs::symlink_metadata(place.path()).unwrap();
        if metadata.is_dir() { fs::remove_dir(place.path()) } else { fs::remove_file(place.path()) }.unwrap();
    }
    assert_eq!(fs::read(target).unwrap(), b"kept");
}

#[test]
fn of_two_starters_at_a_stale_path_one_serves() {
    for _ in 0..50 {
        let place = Place::new();
        place.leave_stale_socket();
        let barrier = Barrier::new(4);
        let start = || {
            barrier.wait();
            place.listen()
        };
        let results: Vec<_> = thread::scope(|scope| {
            let starters: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
            starters.into_iter().map(|starter| starter.join().unwrap()).collect()
        });
        let (serving, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!((serving.len(), refused.len()), (1, 3));
        let winner = serving.into_iter().next().unwrap().unwrap();
        UnixStream::connect(place.path()).unwrap();
        accept_within(&winner, PATIENCE);
    }
}

#[test]
fn the_mode_is_the_requested_one_whatever_the_umask() {
    // The umask belongs to the process, so each one is tried in a separate process that runs this test again.
    const THIS: &str = "the_mode_is_the_requested_one_whatever_the_umask";
    const ASKED: &str = "ANET_TEST_MODE";
    if let Ok(asked) = std::env::var(ASKED) {
        let place = Place::new();
        let mode = u32::from_str_radix(&asked, 8).unwrap();
        let _listener = place.listen_with(&Access { mode: Some(mode), group: None }).unwrap();
        assert_eq!(place.mode(), mode);
        return;
    }
    for umask in ["000", "022", "077", "777"] {
        // A directory made under umask 777 is unusable to its owner, except root.
        if umask == "777" && !rustix::process::geteuid().is_root() {
            continue;
        }
        let again = format!("umask {umask}; exec \"$0\" --exact {THIS} --nocapture");
        for mode in ["700", "770", "777", "600", "666", "622"] {
            let mut child = Command::new("sh");
            child.args(["-c", &again]).arg(std::env::current_exe().unwrap()).env(ASKED, mode);
            // A child has copies of its parent's descriptors until it calls exec; here they must not include those of
            // concurrent tests, whose sockets would live on.
            let output = with_own_descriptors(|| child.output().unwrap());
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "umask {umask} mode {mode}: {said}");
        }
    }
}

#[test]
fn without_a_mode_the_umask_decides() {
    let place = Place::new();
    let _listener = place.listen().unwrap();
    let file = place.directory.path().join("file");
    fs::write(&file, "").unwrap();
    let by_umask = fs::metadata(file).unwrap().permissions().mode() & 0o666;
    assert_eq!(place.mode() & 0o666, by_umask);
}

/// Another thread watches the path; the file must never have more permissions than requested.
#[test]
fn the_mode_is_never_wider_than_requested() {
    let place = Place::new();
    let (done, widest) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if let Ok(metadata) = fs::symlink_metadata(place.path()) {
                    widest.fetch_or(metadata.permissions().mode() & 0o777, Ordering::Relaxed);
                }
            }
        });
        let (start, mut rounds) = (Instant::now(), 0);
        // On a busy host the watcher starts late.
        while rounds < 2000 || (widest.load(Ordering::Relaxed) == 0 && start.elapsed() < PATIENCE) {
            place.listen_with(&PRIVATE).unwrap().remove_file().unwrap();
            rounds += 1;
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(format!("{:o}", widest.into_inner()), "600");
}

#[test]
fn the_group_is_set() {
    let place = Place::new();
    let own = rustix::process::getegid().as_raw();
    let access = Access { mode: Some(0o770), group: Some(own) };
    let _listener = place.listen_with(&access).unwrap();
    assert_eq!(fs::symlink_metadata(place.path()).unwrap().gid(), own);
    assert_eq!(place.mode(), 0o770);
}

#[test]
#[ignore = "needs CAP_CHOWN"]
fn the_group_may_be_a_foreign_one() {
    let place = Place::new();
    let _listener = place.listen_with(&Access { mode: Some(0o660), group: Some(12345) }).unwrap();
    assert_eq!(fs::symlink_metadata(place.path()).unwrap().gid(), 12345);
    assert_eq!(place.mode(), 0o660);
}

#[test]
fn a_group_that_cannot_be_set_is_an_error_that_leaves_no_file() {
    let place = Place::new();
    let error = place.listen_with(&Access { mode: Some(0o660), group: Some(u32::MAX) }).unwrap_err();
    assert_eq!(error, Error::new(Op::Chown, Errno::INVAL));
    assert!(!place.path().exists());
}

#[test]
fn a_listener_removes_only_the_file_it_made() {
    let place = Place::new();
    let first = place.listen().unwrap();
    assert!(first.remove_file().unwrap());
    assert!(!place.path().exists());
    let _second = place.listen().unwrap();
    assert!(!first.remove_file().unwrap());
    client_at(Endpoint::Unix(place.addr()));
}

#[test]
fn a_file_that_replaced_the_socket_is_left_alone() {
    let place = Place::new();
    let listener = place.listen().unwrap();
    fs::remove_file(place.path()).unwrap();
    fs::write(place.path(), "mine").unwrap();
    assert!(!listener.remove_file().unwrap());
    assert_eq!(fs::read(place.path()).unwrap(), b"mine");
}

#[test]
fn bad_paths_are_refused_before_any_system_call() {
    assert_eq!(
        UnixAddr::path([b'x'; 108]).unwrap_err().to_string(),
        "address: Unix socket path of 108 bytes, which must be under 108"
    );
    assert_eq!(UnixAddr::path("a\0b").unwrap_err().cause(), Cause::EmbeddedNul { at: 1 });
    assert!(UnixAddr::path([b'x'; 107]).is_ok());
    assert!(UnixAddr::path("").is_err());
}

#[test]
fn a_missing_directory_is_an_error() {
    let error = listen::unix(&addr_of(Path::new("/nowhere/at/all")), &SocketOptions::new(), &PRIVATE).unwrap_err();
    assert_eq!(error, Error::new(Op::Bind, Errno::NOENT));
}

#[test]
fn an_abstract_name_has_no_file() {
    let name = format!("anet-test-{}", std::process::id());
    let addr = UnixAddr::abstract_name(&name).unwrap();
    let listener = listen::unix(&addr, &SocketOptions::new(), &PRIVATE).unwrap();
    client_at(Endpoint::Unix(addr));
    assert!(!listener.remove_file().unwrap());
    assert_in_use(listen::unix(&addr, &SocketOptions::new(), &PRIVATE));
}

#[test]
fn an_unnamed_listener_gets_an_abstract_name() {
    let listener = listen::unix(&UnixAddr::UNNAMED, &SocketOptions::new(), &Access::default()).unwrap();
    let local = listener.local_addr().unwrap();
    assert_eq!(local.as_unix().unwrap().as_abstract_name().unwrap().len(), 5);
    client_at(local);
}

/// A local client can have a name of 108 bytes without terminator; the kernel reports an address length of 111.
#[test]
fn a_peer_with_the_longest_name_is_named_in_full() {
    let place = Place::new();
    let listener = place.listen().unwrap();
    let pad = 108 - place.path().as_os_str().len();
    let long = format!("{}{}", place.path().display(), "x".repeat(pad));
    let client = rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&client, &rustix::net::SocketAddrUnix::new(long.as_str()).unwrap()).unwrap();
    rustix::net::connect(&client, &rustix::net::SocketAddrUnix::new(place.path()).unwrap()).unwrap();
    let (server, peer) = accept_within(&listener, PATIENCE);
    assert_eq!(peer.as_unix().unwrap().as_path(), Some(long.as_bytes()));
    assert_eq!(server.peer_addr().unwrap(), peer);
    assert_eq!(peer.to_string(), long);
    assert!(fs::symlink_metadata(&long).unwrap().file_type().is_socket());
}
