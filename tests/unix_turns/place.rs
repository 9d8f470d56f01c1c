//! A path, its starters, and the checks after they have started.

use std::{
    fs::{self, File, Permissions},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::Barrier,
    thread,
};

use anet::{
    Listener, Result, SocketOptions, UnixAddr,
    listen::{self, Access},
};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use crate::support::*;

const STARTERS: usize = 20;
/// The mode of a directory.
pub(crate) const READABLE: u32 = 0o777;
pub(crate) const UNREADABLE: u32 = 0o333;

pub(crate) struct Place {
    pub(crate) directory: TempDir,
    mode: u32,
}

impl Place {
    pub(crate) fn with_mode(mode: u32) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap(), mode };
        place.set_mode(mode);
        place
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    pub(crate) fn listen(&self) -> Result<Listener> {
        listen_at(&self.path())
    }

    fn set_mode(&self, mode: u32) {
        fs::set_permissions(self.directory.path(), Permissions::from_mode(mode)).unwrap();
    }

    /// A lock that another program holds until this is dropped.
    pub(crate) fn lock(&self) -> Lock {
        let directory = File::open(self.directory.path()).unwrap();
        flock(&directory, FlockOperation::LockExclusive).unwrap();
        Lock(directory)
    }

    /// A stale socket file to which every user may connect.
    pub(crate) fn leave_stale_socket(&self) {
        drop(self.serve());
        await_end(&self.path());
    }

    /// A server that ignores the lock.
    pub(crate) fn serve(&self) -> UnixListener {
        let server = UnixListener::bind(self.path()).unwrap();
        fs::set_permissions(self.path(), Permissions::from_mode(0o777)).unwrap();
        server
    }

    pub(crate) fn files(&self) -> Vec<String> {
        self.set_mode(0o700);
        let names = fs::read_dir(self.directory.path()).unwrap().map(|file| file.unwrap().file_name());
        let names = names.map(|name| name.into_string().unwrap()).collect();
        self.set_mode(self.mode);
        names
    }

    /// Starters that run at the same time, each in a separate thread.
    pub(crate) fn contest(&self, begin: impl Fn(usize) + Sync) -> Vec<Result<Listener>> {
        let barrier = Barrier::new(STARTERS);
        let start = |number| {
            begin(number);
            barrier.wait();
            self.listen()
        };
        thread::scope(|scope| {
            let starters: Vec<_> = (0..STARTERS).map(|number| scope.spawn(move || start(number))).collect();
            starters.into_iter().map(|starter| starter.join().unwrap()).collect()
        })
    }

    /// Checks that one of the starters serves at the path, and that only its file is removed with it.
    pub(crate) fn assert_one_serves(&self, results: Vec<Result<Listener>>) {
        let (serving, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!((serving.len(), refused.len()), (1, STARTERS - 1));
        assert!(refused.into_iter().all(|result| is_refusal(&result)));
        let winner = serving.into_iter().next().unwrap().unwrap();
        self.assert_serves(&winner);
        assert_eq!(self.files(), ["s"]);
        assert_eq!(winner.remove_file(), Ok(true));
        assert!(self.files().is_empty());
        assert_eq!(winner.remove_file(), Ok(false));
    }

    /// Checks that clients of the path reach this listener.
    pub(crate) fn assert_serves(&self, listener: &Listener) {
        let _client = UnixStream::connect(self.path()).unwrap();
        accept_within(listener, SECOND);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.set_mode(0o700);
    }
}

pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that another test is starting may still have the descriptor.
        flock(&self.0, FlockOperation::Unlock).unwrap();
    }
}

/// Waits until a socket that was closed is gone: a process that another test is starting may still have it.
pub(crate) fn await_end(path: &Path) {
    eventually(SECOND, || UnixStream::connect(path).err());
}

pub(crate) fn listen_at(path: &Path) -> Result<Listener> {
    Ok(listen::unix(&addr_of(path), &SocketOptions::new(), &Access::default())?)
}

pub(crate) fn addr_of(path: &Path) -> UnixAddr {
    UnixAddr::path(path.as_os_str().as_encoded_bytes()).unwrap()
}

pub(crate) fn text_of(result: Result<Listener>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "serving".to_owned())
}

/// Checks that the path was taken, or may have been.
pub(crate) fn is_refusal(result: &Result<Listener>) -> bool {
    result.as_ref().is_err_and(|error| error.is_addr_in_use() || error.op().to_string() == "flock")
}

/// Drops root's rights in this thread.
pub(crate) fn become_unprivileged() {
    if rustix::process::geteuid().is_root() {
        let unchanged = -1_i64;
        // SAFETY: without the C library's wrapper it affects only the calling thread, which belongs to the test.
        let answer = unsafe { libc::syscall(libc::SYS_setresuid, unchanged, 65534_i64, unchanged) };
        assert_eq!(answer, 0);
    }
}

/// Runs `test` in a thread without root's rights.
pub(crate) fn unprivileged<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    let run = || {
        become_unprivileged();
        test()
    };
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
