//! The file of a Unix listener: which socket may have a path, and which file may be removed.
//!
//! A path in use is found out by connecting to it: a socket that refuses is stale. But between `bind` and `listen` a
//! live one refuses too, and unlinking a path removes whatever has it by then. Hence these rules, which hold however
//! long one starter is delayed and another is not:
//!
//! - Starters take turns by a lock (`flock`) on the directory, from before they connect until they listen. So a socket
//!   that refuses a holder of the lock is not about to listen.
//! - A stale file is removed only under the lock. Without it (another program has it for longer than a starter waits,
//!   or the process may not read the directory) a starter that finds a file, stale or not, does not start.
//! - Without the lock a socket is bound to a new name beside the path, listens there, and is then linked to the path.
//!   The link succeeds for one starter and only where there is no file. So this socket never refuses a holder of the
//!   lock, and the inode recorded is its own, because no other program knows the name.
//! - With the lock the inode is recorded right after `bind` and looked at again after `listen`. A starter whose path
//!   was taken away in between does not start.
//! - A file is removed by renaming and then looking: in one step what has the path gets a new name beside it, and only
//!   the file meant is unlinked there. Another one gets its path back by a link, which replaces nothing.
//!
//! Among programs that use this crate no window is left: one starter at most serves a path, and the path is its
//! listener's until that is closed or shut down. A starter that is killed leaves a file that is stale, or one beside
//! the path, and neither keeps a successor with the lock from starting.
//!
//! A program that takes no turns can do as it likes; most releases of Redis unlink the path without looking. Three
//! windows are open beside such a program, for some microseconds each. Its socket looks stale between its `bind` and
//! its `listen`, and a starter with the lock removes it. If it puts its socket at the path between `bind` and the look
//! that follows, a starter with the lock records the wrong inode. If it takes the path of a file that was renamed and
//! not meant, that file stays beside the path, and the removal fails.

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

/// The file that binding a Unix socket has made.
#[derive(Clone, Copy, Debug)]
pub(super) struct SocketFile {
    addr: UnixAddr,
    id: FileId,
}

impl SocketFile {
    /// Gives a socket the name `addr`, a path, and records the file that this makes.
    pub(super) fn bind(fd: &OwnedFd, addr: &UnixAddr) -> Result<Self> {
        sys::bind(fd.as_fd(), &Endpoint::Unix(*addr)).op(Op::Bind)?;
        let id = sys::lstat(path_of(addr)).op(Op::Stat)?.id;
        Ok(Self { addr: *addr, id })
    }

    /// Gives the file the path `addr` in the place of its own, if there is no file.
    pub(super) fn publish(self, addr: &UnixAddr) -> Result<Self> {
        let linked = sys::link(self.path(), path_of(addr));
        // If it stays, it is one name too many and in no starter's way.
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

    /// Removes the file if its path still names it; says whether it did. Waits for the lock.
    pub(super) fn remove(&self) -> Result<bool> {
        // Without the lock a file that was not meant may be away from its path for a moment.
        let _turn = lock_directory(self.path());
        self.take_away()
    }

    /// The same in the turn of the caller.
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
                // It may have been renamed and cannot be looked at.
                let _ = self.give_back(&aside);
                Err(Error::new(Op::Unlink, errno))
            }
        }
    }

    /// Gives the path back to a file that has it no more.
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

/// A socket file that refuses to be connected to.
pub(super) struct StaleFile {
    file: SocketFile,
    /// Until it is dropped no other file has the inode number.
    _held: HeldFile,
}

impl StaleFile {
    /// The one at a path, if there is one; a socket that does not refuse is `EADDRINUSE`. What is no socket is left to
    /// the kernel to refuse.
    pub(super) fn at(addr: &UnixAddr) -> Result<Option<Self>> {
        let held = match HeldFile::open(path_of(addr)) {
            Ok(held) if held.status().kind == FileType::Socket => held,
            Ok(_) | Err(Errno::NOENT) => return Ok(None),
            // `bind` would say the same.
            Err(errno) => return Err(Error::new(Op::Bind, errno)),
        };
        let file = SocketFile { addr: *addr, id: held.status().id };
        match probe(addr)? {
            Probe::Stale => Ok(Some(Self { file, _held: held })),
            Probe::Gone => Ok(None),
            Probe::Live => Err(in_use()),
        }
    }

    /// Removes it if the path still names it, in the turn of the caller.
    pub(super) fn remove(self) -> Result<()> {
        self.file.take_away().map(drop)
    }
}

/// Waits a tenth of a second at most: others hold the lock for some system calls only.
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

/// What connecting to a path has shown.
enum Probe {
    Live,
    Stale,
    Gone,
}

/// A full backlog (`EAGAIN`), a datagram socket (`EPROTOTYPE`) and one that may not be connected to (`EACCES`) have an
/// owner, or may have.
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

/// A path in the same directory that no file has, unless another program had the same nanosecond.
pub(super) fn beside(path: &[u8]) -> Beside {
    let mut name = ArrayString::<{ LONGEST_NAME.len() }>::new();
    // Both fit: the name has as many digits, and a directory is shorter than the path.
    let _ = write!(name, ".anet.{:016x}", sys::now().as_nanos() as u64);
    let mut beside = Beside::new();
    let _ = beside.try_extend_from_slice(directory_of(path));
    let _ = beside.try_extend_from_slice(name.as_bytes());
    beside
}

/// The directory of a path with its slash, empty for a bare name.
fn directory_of(path: &[u8]) -> &[u8] {
    let len = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    path.get(..len).unwrap_or_default()
}
