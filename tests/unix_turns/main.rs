//! Starters at one Unix path: at most one of them serves, and nothing removes a file of another, whether or not they
//! can lock the directory.
#![cfg(target_os = "linux")]

mod again;
mod place;
#[path = "../support/mod.rs"]
mod support;

use std::{
    env,
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use again::*;
use anet::{
    Endpoint, SocketOptions,
    listen::{self, Access},
};
use place::*;
use support::*;

#[test]
fn in_a_directory_locked_by_another_program_one_starter_serves() {
    for _ in 0..20 {
        let place = Place::with_mode(READABLE);
        let _lock = place.lock();
        place.assert_one_serves(place.contest(|_| {}));
    }
}

#[test]
fn in_an_unreadable_directory_one_starter_serves() {
    for _ in 0..50 {
        let place = Place::with_mode(UNREADABLE);
        place.assert_one_serves(place.contest(|_| become_unprivileged()));
    }
}

#[test]
fn of_starters_with_and_without_the_lock_one_serves() {
    for round in 0..20 {
        let place = Place::with_mode(READABLE);
        let lock = place.lock();
        let results = thread::scope(|scope| {
            scope.spawn(|| {
                // About when they stop waiting.
                thread::sleep(Duration::from_millis(95 + 2 * round));
                drop(lock);
            });
            place.contest(|_| {})
        });
        place.assert_one_serves(results);
    }
}

#[test]
#[ignore = "needs root"]
fn of_starters_that_may_read_the_directory_and_those_that_may_not_one_serves() {
    for round in 0..50 {
        let place = Place::with_mode(UNREADABLE);
        if round % 2 == 0 {
            place.leave_stale_socket();
        }
        let results = place.contest(|number| {
            if number % 2 == 0 {
                become_unprivileged();
            }
        });
        place.assert_one_serves(results);
    }
}

/// Some hold the lock when they start and some do not, and half of them leave their file behind.
#[test]
fn servers_that_come_leave_and_die_have_the_path_one_at_a_time() {
    let place = Place::with_mode(READABLE);
    let (serving, served) = (AtomicU32::new(0), AtomicU32::new(0));
    let serve = |leaves_its_file: bool| match place.listen() {
        Ok(listener) => {
            assert_eq!(serving.fetch_add(1, Ordering::SeqCst), 0);
            place.assert_serves(&listener);
            assert_eq!(serving.fetch_sub(1, Ordering::SeqCst), 1);
            assert!(leaves_its_file || listener.remove_file().unwrap());
            served.fetch_add(1, Ordering::SeqCst);
        }
        refused => assert!(is_refusal(&refused)),
    };
    let start = Instant::now();
    thread::scope(|scope| {
        for number in 0..8 {
            let serve = &serve;
            scope.spawn(move || {
                while start.elapsed() < SECOND {
                    serve(number % 2 == 0);
                }
            });
        }
        while start.elapsed() < SECOND {
            let lock = place.lock();
            thread::sleep(Duration::from_millis(101));
            drop(lock);
            thread::sleep(Duration::from_millis(20));
        }
    });
    println!("{served:?} have served");
    assert!(served.into_inner() > 0);
    assert!(place.files().iter().all(|file| file == "s"));
}

/// The contests above, run again with every `listen` 3 ms late.
#[test]
#[ignore = "needs strace"]
fn starters_that_are_slow_to_listen_lose_nothing() {
    for test in [
        "in_a_directory_locked_by_another_program_one_starter_serves",
        "in_an_unreadable_directory_one_starter_serves",
        "of_starters_with_and_without_the_lock_one_serves",
        "of_starters_that_may_read_the_directory_and_those_that_may_not_one_serves",
        "servers_that_come_leave_and_die_have_the_path_one_at_a_time",
    ] {
        let output = again("listen:delay_enter=3000", test).stdout(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{test}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
#[ignore = "needs strace"]
fn a_starter_that_is_slow_to_listen_does_not_serve_a_path_that_another_has_taken() {
    if let Some(path) = env::var_os(PATH) {
        let listener = listen_at(path.as_ref());
        println!("ended: {}", listener.and_then(|listener| listener.remove_file()).is_ok());
        return;
    }
    let place = Place::with_mode(READABLE);
    let lock = place.lock();
    let mut slow = this_test_again("listen:delay_enter=500000", &place);
    eventually(20 * SECOND, || (!place.files().is_empty()).then_some(()));
    drop(lock);
    let quick = place.listen();
    assert!(slow.says("ended: ").contains(if quick.is_ok() { "false" } else { "true" }));
    slow.wait();
    if let Ok(listener) = quick {
        place.assert_serves(&listener);
    }
}

/// A program that ignores the lock puts its socket there between the check of the file and its removal.
#[test]
#[ignore = "needs strace"]
fn a_socket_bound_while_a_listener_removes_its_file_keeps_the_path() {
    if let Some(path) = env::var_os(PATH) {
        let listener = listen_at(path.as_ref()).unwrap();
        println!("removing");
        println!("ended: {:?}", listener.remove_file());
        return;
    }
    let place = Place::with_mode(READABLE);
    assert!(replaced_during_removal(&place).contains("Ok(false)"));
}

/// The same; the newcomer may have the inode number of the stale file.
#[test]
#[ignore = "needs strace"]
fn a_socket_bound_while_a_starter_removes_a_stale_file_keeps_the_path() {
    if let Some(path) = env::var_os(PATH) {
        println!("removing");
        println!("ended: {}", text_of(listen_at(path.as_ref())));
        return;
    }
    let place = Place::with_mode(READABLE);
    place.leave_stale_socket();
    assert!(replaced_during_removal(&place).contains("bind: Address already in use"));
}

/// Replaces a file that this test, run again, is about to remove; returns the result.
fn replaced_during_removal(place: &Place) -> String {
    let mut remover = this_test_again("unlink,unlinkat,renameat:delay_enter=400000", place);
    remover.says("removing");
    thread::sleep(Duration::from_millis(200));
    // It fails if this host was too slow.
    let _ = fs::remove_file(place.path());
    let newcomer = place.serve();
    let end = remover.says("ended: ");
    remover.wait();
    UnixStream::connect(place.path()).unwrap();
    newcomer.accept().unwrap();
    assert_eq!(place.files(), ["s"]);
    end
}

#[test]
fn without_the_lock_a_stale_file_stays_and_the_error_gives_the_reason() {
    let place = Place::with_mode(READABLE);
    place.leave_stale_socket();
    let lock = place.lock();
    assert_eq!(text_of(place.listen()), "flock: Resource temporarily unavailable");
    assert_eq!(place.files(), ["s"]);
    drop(lock);
    place.assert_serves(&place.listen().unwrap());

    let place = Place::with_mode(UNREADABLE);
    place.leave_stale_socket();
    assert_eq!(text_of(unprivileged(|| place.listen())), "flock: Permission denied");
    assert_eq!(place.files(), ["s"]);
}

#[test]
fn without_the_lock_an_existing_file_is_in_use() {
    let place = Place::with_mode(UNREADABLE);
    let live = place.serve();
    assert_eq!(text_of(unprivileged(|| place.listen())), "bind: Address already in use");
    UnixStream::connect(place.path()).unwrap();
    drop(live);
    fs::remove_file(place.path()).unwrap();
    fs::write(place.path(), "kept").unwrap();
    assert_eq!(text_of(unprivileged(|| place.listen())), "bind: Address already in use");
    assert_eq!((fs::read(place.path()).unwrap(), place.files()), (b"kept".to_vec(), vec!["s".to_owned()]));
}

#[test]
fn without_the_lock_the_file_has_the_mode_and_the_listener_the_address_asked_for() {
    let place = Place::with_mode(UNREADABLE);
    let (listener, group) = unprivileged(|| {
        let group = rustix::process::getegid().as_raw();
        let access = Access { mode: Some(0o622), group: Some(group) };
        (listen::unix(&addr_of(&place.path()), &SocketOptions::new(), &access).unwrap(), group)
    });
    let metadata = fs::symlink_metadata(place.path()).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o622);
    assert_eq!(std::os::unix::fs::MetadataExt::gid(&metadata), group);
    let addr = Endpoint::Unix(addr_of(&place.path()));
    assert_eq!(listener.local_addr(), Ok(addr));
    // The kernel has kept the name that the socket was bound to.
    let bound_to = client_at(addr).peer_addr().unwrap().to_string();
    assert!(bound_to.starts_with(&format!("{}/.anet.", place.directory.path().display())), "{bound_to}");
}

#[test]
fn without_the_lock_an_error_leaves_no_file() {
    let place = Place::with_mode(UNREADABLE);
    let access = Access { mode: Some(0o660), group: Some(u32::MAX) };
    let listen = || Ok(listen::unix(&addr_of(&place.path()), &SocketOptions::new(), &access)?);
    assert_eq!(text_of(unprivileged(listen)), "chown: Invalid argument");
    assert!(place.files().is_empty());
    let nowhere = place.directory.path().join("nowhere/s");
    assert_eq!(text_of(unprivileged(|| listen_at(&nowhere))), "bind: No such file or directory");
}

#[test]
fn where_no_name_beside_the_path_fits_a_starter_needs_the_lock() {
    for (directory_len, alternative) in [(84, "serving"), (85, "flock: Permission denied")] {
        let place = Place::with_mode(UNREADABLE);
        let pad = directory_len - place.directory.path().as_os_str().len() - 1;
        let directory = place.directory.path().join("d".repeat(pad));
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(UNREADABLE)).unwrap();
        let path = directory.join("s");
        assert_eq!(text_of(unprivileged(|| listen_at(&path))), alternative);
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        await_end(&path);
        assert_eq!(text_of(listen_at(&path)), "serving");
    }
}
