//! The port file: written completely or not at all, and safe against symlinks.
#![cfg(target_os = "linux")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anet::{
    Errno, Error, Op, Result, SocketOptions,
    error::Cause,
    listen::{self, Access, BindList, ListenerSet, Protocols, port_file},
};
use support::*;
use tempfile::TempDir;

fn open(list: &str) -> ListenerSet {
    let list = BindList::parse(list, 0).unwrap();
    ListenerSet::open_with(&list, Protocols::TcpAndUdp, &SocketOptions::new(), &Access::default()).unwrap()
}

fn write(path: &Path, set: &ListenerSet) -> Result<()> {
    port_file::write(path, set, set.datagrams())
}

fn expected(set: &ListenerSet) -> String {
    let line = |protocol, addr: anet::Endpoint| {
        let addr = addr.as_inet()?;
        Some(format!("{protocol} {}: {}\n", if addr.is_ipv4() { "INET" } else { "INET6" }, addr.port()))
    };
    let tcp = set.iter().filter_map(|listener| line("TCP", listener.local_addr().unwrap()));
    let udp = set.datagrams().iter().filter_map(|datagram| line("UDP", datagram.local_addr().unwrap()));
    tcp.chain(udp).collect()
}

/// A directory with a path for the file, which may be there or not.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("kv.ports")
    }

    fn names(&self) -> BTreeSet<String> {
        fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn assert_is_all_there_is(&self) {
        assert_eq!(self.names(), BTreeSet::from(["kv.ports".to_owned()]));
    }
}

#[test]
fn there_is_a_line_for_each_socket_with_a_port() {
    if lacks_ipv6() {
        return;
    }
    let place = Place::new();
    let set = open(&format!("127.0.0.1 ::1 127.0.0.2 {}", place.0.path().join("socket").display()));
    write(&place.path(), &set).unwrap();
    let text = fs::read_to_string(place.path()).unwrap();
    let port = set.datagrams()[0].local_addr().unwrap().port().unwrap();
    let [v4, v6] = ["INET", "INET6"].map(|family| format!("{family}: {port}\n"));
    assert_eq!(text, format!("TCP {v4}TCP {v6}TCP {v4}UDP {v4}UDP {v6}UDP {v4}"));
    assert_eq!(text, expected(&set));
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_longest_file_has_32_lines() {
    let place = Place::new();
    let list: Vec<_> = (1..=16).map(|n| format!("127.0.1.{n}")).collect();
    let set = open(&list.join(" "));
    write(&place.path(), &set).unwrap();
    assert_eq!(fs::read_to_string(place.path()).unwrap(), expected(&set));
    assert_eq!(expected(&set).lines().count(), port_file::PORT_FILE_LINES);

    if lacks_ipv6() {
        return;
    }
    let v6 = listen::tcp(any_local_address_v6(), &SocketOptions::new()).unwrap();
    let one_too_many = std::iter::repeat_n(&v6, 64);
    let error = port_file::write(place.path(), one_too_many, []).unwrap_err();
    assert_eq!(error.cause(), Cause::TooManyAddresses);
    assert_eq!(fs::read_to_string(place.path()).unwrap(), expected(&set));
}

#[test]
fn a_server_without_ports_has_an_empty_file() {
    let place = Place::new();
    port_file::write(place.path(), [], []).unwrap();
    assert_eq!(fs::read(place.path()).unwrap(), b"");
}

#[test]
fn an_existing_file_is_replaced_and_not_overwritten() {
    let place = Place::new();
    fs::write(place.path(), "TCP INET: 1\n".repeat(100)).unwrap();
    let hard_link = place.0.path().join("link");
    fs::hard_link(place.path(), &hard_link).unwrap();
    let set = open("127.0.0.1");
    write(&place.path(), &set).unwrap();
    assert_eq!(fs::read_to_string(place.path()).unwrap(), expected(&set));
    assert_eq!(fs::read_to_string(&hard_link).unwrap().len(), 1200);
}

/// Readers see the lines of one server or the other, however many write at the same time.
#[test]
fn racing_readers_see_complete_files() {
    if lacks_ipv6() {
        return;
    }
    let place = Place::new();
    let sets = [open("127.0.0.1 ::1"), open("127.0.0.1 127.0.0.2 127.0.0.3"), open("::1")];
    let texts: BTreeSet<_> = sets.iter().map(expected).collect();
    write(&place.path(), &sets[0]).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = BTreeSet::new();
                    while !is_over.load(Ordering::SeqCst) {
                        seen.insert(fs::read_to_string(place.path()).unwrap());
                    }
                    seen
                })
            })
            .collect();
        let writers: Vec<_> =
            sets.iter().map(|set| scope.spawn(|| (0..100).for_each(|_| write(&place.path(), set).unwrap()))).collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        is_over.store(true, Ordering::SeqCst);
        for reader in readers {
            let seen = reader.join().unwrap();
            assert!(seen.is_subset(&texts), "{seen:?}");
        }
    });
    place.assert_is_all_there_is();
}

#[test]
fn a_symlink_under_the_name_is_replaced_and_its_target_left_alone() {
    let place = Place::new();
    let precious = place.0.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, place.path()).unwrap();
    let set = open("127.0.0.1");
    write(&place.path(), &set).unwrap();
    assert!(fs::symlink_metadata(place.path()).unwrap().is_file());
    assert_eq!(fs::read_to_string(place.path()).unwrap(), expected(&set));
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
}

/// Leftovers of a killed process, and files that an attacker puts there in advance.
#[test]
fn leftover_temporary_files_and_symlinks_do_not_interfere() {
    let place = Place::new();
    let precious = place.0.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    fs::write(place.0.path().join(".port-file.0000000000000001"), "stale").unwrap();
    symlink(&precious, place.0.path().join(".port-file.0000000000000002")).unwrap();
    let before = place.names();
    let set = open("127.0.0.1");
    for _ in 0..100 {
        write(&place.path(), &set).unwrap();
    }
    assert_eq!(place.names().len(), before.len() + 1);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), expected(&set));
}

#[test]
fn a_path_that_cannot_be_written_is_an_error_and_leaves_nothing() {
    let place = Place::new();
    let within = |name: &str| place.0.path().join(name);
    fs::write(within("file"), "").unwrap();
    fs::create_dir(within("directory")).unwrap();
    let names = place.names();
    let cases = [
        (within("nowhere/kv.ports"), Op::Create, Errno::NOENT),
        (within("file/kv.ports"), Op::Create, Errno::NOTDIR),
        (within("directory"), Op::Rename, Errno::ISDIR),
        (within("directory/"), Op::Rename, Errno::NOENT),
        (PathBuf::new(), Op::Rename, Errno::NOENT),
        (PathBuf::from("/proc/kv.ports"), Op::Create, Errno::NOENT),
        (within(&"x".repeat(256)), Op::Rename, Errno::NAMETOOLONG),
        (PathBuf::from("a\0b"), Op::Create, Errno::INVAL),
    ];
    with_own_descriptors(|| {
        let set = open("127.0.0.1");
        let before = open_fds();
        for (path, op, errno) in cases {
            assert_eq!(write(&path, &set), Err(Error::new(op, errno)), "{}", path.display());
        }
        assert_eq!(open_fds(), before);
    });
    assert_eq!(place.names(), names);
}

#[test]
fn the_longest_name_is_accepted() {
    let place = Place::new();
    let path = place.0.path().join("x".repeat(255));
    write(&path, &open("127.0.0.1")).unwrap();
    assert!(path.is_file());
}

/// Search and write permission suffice; the directory is not listed.
#[test]
fn a_directory_is_not_read() {
    as_ordinary_user(|user| {
        let place = Place::new();
        let set = open("127.0.0.1");
        fs::set_permissions(place.0.path(), fs::Permissions::from_mode(0o300)).unwrap();
        write(&place.path(), &set).unwrap();
        fs::set_permissions(place.0.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(fs::metadata(place.path()).unwrap().uid(), user);

        fs::set_permissions(place.0.path(), fs::Permissions::from_mode(0o500)).unwrap();
        let error = write(&place.path(), &open("127.0.0.1")).unwrap_err();
        assert_eq!(error.to_string(), "open: Permission denied");
        assert_eq!(fs::read_to_string(place.path()).unwrap(), expected(&set));
        fs::set_permissions(place.0.path(), fs::Permissions::from_mode(0o700)).unwrap();
        place.assert_is_all_there_is();
    });
}

/// Runs `test` as a user that file permissions restrict.
fn as_ordinary_user(test: impl FnOnce(u32) + Send) {
    const NOBODY: u32 = 65534;
    // SAFETY: it reads the thread's user id.
    let user = unsafe { libc::geteuid() };
    thread::scope(|scope| {
        let thread = scope.spawn(move || {
            if user != 0 {
                return test(user);
            }
            // The system call, unlike libc's function, is for this thread alone.
            // SAFETY: it changes the credentials of a thread that ends here.
            assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) }, 0);
            test(NOBODY);
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

#[test]
fn signals_do_not_disturb_a_write() {
    if lacks_ipv6() {
        return;
    }
    let place = Place::new();
    let set = open("127.0.0.1 ::1");
    interrupted(|| (0..200).for_each(|_| write(&place.path(), &set).unwrap()));
    assert_eq!(fs::read_to_string(place.path()).unwrap(), expected(&set));
    place.assert_is_all_there_is();
}
