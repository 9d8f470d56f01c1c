//! The file of a Unix listener: which socket may take a path, and which file may be removed.
//!
//! Connecting to a path shows whether it is in use: a socket that refuses is stale. But a live socket also refuses
//! between `bind` and `listen`, and `unlink` removes whichever file has the path by then. Hence these rules, which hold
//! however long any starter is delayed:
//!
//! - Each starter holds a lock (`flock`) on the directory from before it connects until it listens. So a socket that
//!   refuses a lock holder is not about to listen.
//! - A starter removes a stale file only under the lock. Without the lock (another program holds it for longer than a
//!   starter waits, or the process may not read the directory), a starter that finds a file, stale or not, fails.
//! - Without the lock, a starter binds its socket to a new name beside the path, listens there, and then links it to
//!   the path. The link succeeds for one starter only, and only where no file exists. So this socket never refuses a
//!   lock holder, and the recorded inode is its own, because no other program knows the name.
//! - With the lock, a starter records the inode right after `bind` and checks it again after `listen`. A starter that
//!   has lost its path in between fails.
//! - Removing a file means renaming it, then checking it: one atomic step moves the file at the path to a new name
//!   beside it, and only the intended file is unlinked there. Any other file gets its path back by a link, which
//!   replaces nothing.
//!
//! Among programs that use this crate no race remains: at most one starter serves a path, and its listener keeps the
//! path until it is closed or shut down. A killed starter leaves a stale file, or one beside the path; neither keeps a
//! successor that holds the lock from starting.
//!
//! Programs that do not take the lock are not bound by these rules; most releases of Redis unlink the path without
//! checking. Next to such a program three races remain, each a few microseconds wide. Its socket looks stale between
//! its `bind` and its `listen`, and a starter with the lock removes it. If it puts its socket at the path between a
//! starter's `bind` and the `lstat` that follows, a starter with the lock records the wrong inode. If it takes the path
//! of an unrelated file that was renamed, that file stays beside the path, and the removal fails.

use core::{fmt::Write, time::Duration};

use arrayvec::{ArrayString, ArrayVec};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::FileType,
    net::AddressFamily,
};

use crate::{
    addr::{Endpoint, SUN_PATH_LEN, UnixAddr},
    error::{Errno, Error, Op, Result, ResultExt},
    sys::{self, DirectoryLock, FileId, HeldFile},
};

/// The file that binding a Unix socket created.
#[derive(Clone, Copy, Debug)]
pub(super) struct SocketFile {
    addr: UnixAddr,
    id: FileId,
}

impl SocketFile {
    /// Binds a socket to the path `addr` and records the file this creates.
    pub(super) fn bind(fd: &OwnedFd, addr: &UnixAddr) -> Result<Self> {
        sys::bind(fd.as_fd(), &Endpoint::Unix(*addr)).op(Op::Bind)?;
        let id = sys::lstat(path_of(addr)).op(Op::Stat)?.id;
        Ok(Self { addr: *addr, id })
    }

    /// Moves the file to the path `addr` unless a file exists there.
    pub(super) fn publish(self, addr: &UnixAddr) -> Result<Self> {
        let linked = sys::link(self.path(), path_of(addr));
        // If this fails, the extra name stays and blocks no starter.
        let _ = sys::unlink(self.path());
        match linked {
            Ok(()) => Ok(Self { addr: *addr, ..self }),
            Err(Errno::EXIST) => Err(in_use()),
            Err(errno) => Err(Error::new(Op::Link, errno)),
        }
    }

    /// Fails unless the path still names the file.
    pub(super) fn must_be_there(&self) -> Result<()> {
        if self.is_named(self.path()).op(Op::Stat)? { Ok(()) } else { Err(in_use()) }
    }

    /// Removes the file if its path still names it; returns whether it did. Waits for the lock.
    pub(super) fn remove(&self) -> Result<bool> {
        // Without the lock, another file may briefly lose its path.
        let _turn = lock_directory(self.path());
        self.take_away()
    }

    /// As [`remove`](Self::remove), under the caller's lock.
    pub(super) fn take_away(&self) -> Result<bool> {
        let aside = beside(self.path());
        let renamed = match self.is_named(self.path()) {
            Ok(true) => sys::rename(self.path(), &*aside),
            Ok(false) | Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(Error::new(Op::Stat, errno)),
        };
        match renamed.and_then(|()| self.is_named(&aside)) {
            Ok(true) => sys::unlink(&*aside).op(Op::Unlink).map(|()| true),
            Ok(false) => self.give_back(&aside).map(|()| false),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => {
                // The file may have been renamed but cannot be checked.
                let _ = self.give_back(&aside);
                Err(Error::new(Op::Unlink, errno))
            }
        }
    }

    /// Restores the path of a renamed file.
    fn give_back(&self, aside: &[u8]) -> Result<()> {
        sys::link(aside, self.path()).and_then(|()| sys::unlink(aside)).op(Op::Unlink)
    }

    fn is_named(&self, path: &[u8]) -> Result<bool, Errno> {
        sys::lstat(path).map(|status| status.id == self.id)
    }

    pub(super) const fn addr(&self) -> &UnixAddr {
        &self.addr
    }

    pub(super) fn path(&self) -> &[u8] {
        path_of(&self.addr)
    }
}

fn path_of(addr: &UnixAddr) -> &[u8] {
    addr.as_path().unwrap_or_default()
}

const fn in_use() -> Error {
    Error::new(Op::Bind, Errno::ADDRINUSE)
}

/// A socket file that refuses connections.
pub(super) struct StaleFile {
    file: SocketFile,
    /// Keeps the inode number from being reused until dropped.
    _held: HeldFile,
}

impl StaleFile {
    /// Returns the stale file at a path, if any; a socket that does not refuse is `EADDRINUSE`. The kernel refuses any
    /// other kind of file in `bind`.
    pub(super) fn at(addr: &UnixAddr) -> Result<Option<Self>> {
        let held = match HeldFile::open(path_of(addr)) {
            Ok(held) if held.status().kind == FileType::Socket => held,
            Ok(_) | Err(Errno::NOENT) => return Ok(None),
            // `bind` would return the same error.
            Err(errno) => return Err(Error::new(Op::Bind, errno)),
        };
        let file = SocketFile { addr: *addr, id: held.status().id };
        match probe(addr)? {
            Probe::Stale => Ok(Some(Self { file, _held: held })),
            Probe::Gone => Ok(None),
            Probe::Live => Err(in_use()),
        }
    }

    /// Removes the file if the path still names it, under the caller's lock.
    pub(super) fn remove(self) -> Result<()> {
        self.file.take_away().map(drop)
    }
}

/// Waits at most a tenth of a second: others hold the lock for a few system calls only.
pub(super) fn lock_directory(path: &[u8]) -> Result<DirectoryLock> {
    const TRIES: u32 = 100;
    let directory = match directory_of(path) {
        [] => b".",
        directory => directory,
    };
    for _ in 0..TRIES {
        match DirectoryLock::try_take(directory) {
            Err(Errno::WOULDBLOCK) => sys::sleep(Duration::from_millis(1)),
            answer => return answer.op(Op::Lock),
        }
    }
    Err(Error::new(Op::Lock, Errno::WOULDBLOCK))
}

/// The state of a path, as connecting to it shows.
enum Probe {
    Live,
    Stale,
    Gone,
}

/// Counts a full backlog (`EAGAIN`), a datagram socket (`EPROTOTYPE`) and a socket without write permission (`EACCES`)
/// as live: each has an owner, or may have one.
fn probe(addr: &UnixAddr) -> Result<Probe> {
    let fd = sys::stream_socket(AddressFamily::UNIX, true).op(Op::Socket)?;
    Ok(match sys::connect(fd.as_fd(), &Endpoint::Unix(*addr)) {
        Err(Errno::CONNREFUSED) => Probe::Stale,
        Err(Errno::NOENT) => Probe::Gone,
        _ => Probe::Live,
    })
}

const LONGEST_NAME: &str = ".anet.0123456789abcdef";
type Beside = ArrayVec<u8, { SUN_PATH_LEN + LONGEST_NAME.len() }>;

/// A path in the same directory that no file has, unless another process used the same nanosecond.
pub(super) fn beside(path: &[u8]) -> Beside {
    let mut name = ArrayString::<{ LONGEST_NAME.len() }>::new();
    // Both fit: `LONGEST_NAME` has as many digits, and a directory is shorter than its path.
    let _ = write!(name, ".anet.{:016x}", sys::now().as_nanos() as u64);
    let mut beside = Beside::new();
    let _ = beside.try_extend_from_slice(directory_of(path));
    let _ = beside.try_extend_from_slice(name.as_bytes());
    beside
}

/// The directory of a path, with its slash; empty for a bare name.
fn directory_of(path: &[u8]) -> &[u8] {
    let len = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    path.get(..len).unwrap_or_default()
}
