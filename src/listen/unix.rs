//! One Unix listener: whose path it may take, and who may connect.
//!
//! A path in use is found out by connecting to it. Only a socket that refuses is removed, so a live server keeps its
//! path and a file that is no socket is never touched. Starters that use this crate take turns by locking the
//! directory, so two of them cannot both find the same stale file. Against a program that does not, and puts its file
//! there in the microseconds between the look and the removal, nothing can be done by path.
//!
//! The mode is set on the socket before it has a name: Linux gives the file `mode & !umask` at the moment it appears
//! (measured on 6.18), so it is never wider than asked, without touching the process's umask. What the umask took away
//! is given back afterwards, without following a symlink that may have been put in the path's place.

use core::time::Duration;

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::FileType,
    net::AddressFamily,
};

use super::{Listener, Profile, start};
use crate::{
    addr::{Endpoint, UnixAddr},
    error::{Errno, Error, Op, Result, ResultExt},
    sys::{self, DirectoryLock, FileId},
};

/// Who may connect to a Unix listener's path; connecting takes write permission.
///
/// Abstract names have no permissions: everybody in the network namespace may connect.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Access {
    /// The mode of the file, such as `0o770`; `None`: what the umask leaves.
    pub mode: Option<u32>,
    /// The number of the group that owns the file; `None`: the process's own.
    pub group: Option<u32>,
}

/// The permission bits of a mode.
const PERMISSIONS: u32 = 0o777;
/// Those of the owner.
const OWNER: u32 = 0o700;

/// Listens on a Unix address.
///
/// A path is taken in turn with other starters in its directory: if somebody holds a lock (`flock`) on the directory,
/// this waits for up to a tenth of a second.
///
/// ```
/// use anet::{UnixAddr, listen::{self, Access, Profile}};
///
/// # let path = std::env::temp_dir().join(format!("anet-doc-{}.sock", std::process::id()));
/// # let path = path.to_str().ok_or("path")?;
/// let addr = UnixAddr::path(path)?;
/// let listener = listen::unix(&addr, &Profile::new(), &Access { mode: Some(0o770), group: None })?;
/// listener.remove_file()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `EADDRINUSE` if a server listens on the path or the path names something that is no socket, `ENOENT` or `ENOTDIR`
/// for a directory that is not there, `EACCES`, `EROFS`; `EPERM` for a group that is not the user's, `EINVAL` for
/// `u32::MAX`, which is none; `EMFILE`, `ENFILE`; those of `stat`, `chmod` and `unlink` on the path, and of the options
/// in the profile. After an error there is no file.
#[doc(alias = "anetUnixServer")]
pub fn unix(addr: &UnixAddr, profile: &Profile, access: &Access) -> Result<Listener> {
    let fd = sys::stream_socket(AddressFamily::UNIX, true).op(Op::Socket)?;
    profile.set_on_any(&fd)?;
    let file = match addr.as_path() {
        Some(path) => Some(listen_on_path(&fd, addr, path, profile, access)?),
        None => {
            sys::bind(fd.as_fd(), &Endpoint::Unix(*addr)).op(Op::Bind)?;
            start(&fd, profile)?;
            None
        }
    };
    Ok(Listener { fd, after_accept: profile.not_inherited_by_unix(), file })
}

fn listen_on_path(
    fd: &OwnedFd,
    addr: &UnixAddr,
    path: &[u8],
    profile: &Profile,
    access: &Access,
) -> Result<SocketFile> {
    // Held until the socket listens: one that is bound and not yet listening looks like a stale one. It is good
    // manners, not a guard against malice, so a directory that cannot be locked is used all the same.
    let _turn = lock_directory(path);
    remove_stale(addr, path)?;
    narrow_before_bind(fd, access)?;
    sys::bind(fd.as_fd(), &Endpoint::Unix(*addr)).op(Op::Bind)?;
    let listening = widen_after_bind(path, access).and_then(|()| start(fd, profile));
    match listening.and_then(|()| sys::lstat(path).op(Op::Stat)) {
        Ok(status) => Ok(SocketFile { addr: *addr, id: status.id }),
        Err(error) => {
            // The first error is the one to tell; the file is the one that was made above, in this turn.
            let _ = sys::unlink(path);
            Err(error)
        }
    }
}

/// Waits a tenth of a second at most: others hold the lock for some system calls only.
fn lock_directory(path: &[u8]) -> Option<DirectoryLock> {
    const TRIES: u32 = 100;
    let slash = path.iter().rposition(|&byte| byte == b'/');
    let directory = match slash {
        Some(0) => &b"/"[..],
        Some(at) => path.get(..at)?,
        None => &b"."[..],
    };
    for _ in 0..TRIES {
        match DirectoryLock::try_take(directory) {
            Err(Errno::WOULDBLOCK) => sys::sleep(Duration::from_millis(1)),
            answer => return answer.ok(),
        }
    }
    None
}

/// Clears the path if a dead server has left its socket there. Anything else in the way is left to `bind` to refuse.
fn remove_stale(addr: &UnixAddr, path: &[u8]) -> Result<()> {
    match sys::lstat(path) {
        Ok(status) if status.kind == FileType::Socket => {}
        _ => return Ok(()),
    }
    match probe(addr)? {
        Probe::Stale => sys::unlink(path).op(Op::Unlink),
        Probe::Gone => Ok(()),
        Probe::Live => Err(Error::new(Op::Bind, Errno::ADDRINUSE)),
    }
}

/// What connecting to a path has told.
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

/// With a group and a mode to come, the file is the owner's alone until it has the group. Without a mode it is what the
/// umask says, at every instant.
fn narrow_before_bind(fd: &OwnedFd, access: &Access) -> Result<()> {
    let Some(mode) = access.mode else { return Ok(()) };
    let first = if access.group.is_some() { mode & OWNER } else { mode & PERMISSIONS };
    sys::fchmod(fd.as_fd(), first).op(Op::Chmod)
}

fn widen_after_bind(path: &[u8], access: &Access) -> Result<()> {
    if let Some(group) = access.group {
        sys::set_group_nofollow(path, group).op(Op::Chown)?;
    }
    match access.mode {
        Some(mode) if sys::lstat(path).op(Op::Stat)?.permissions != mode & PERMISSIONS => {
            sys::chmod_nofollow(path, mode & PERMISSIONS).op(Op::Chmod)
        }
        _ => Ok(()),
    }
}

/// The file that binding a Unix socket has made.
#[derive(Clone, Copy, Debug)]
pub(super) struct SocketFile {
    addr: UnixAddr,
    id: FileId,
}

impl SocketFile {
    /// Removes the file if it is still this one; says whether it did.
    pub(super) fn remove(&self) -> Result<bool> {
        let path = self.addr.as_path().unwrap_or_default();
        let _turn = lock_directory(path);
        match sys::lstat(path) {
            Ok(status) if status.id == self.id => sys::unlink(path).op(Op::Unlink).map(|()| true),
            Ok(_) | Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(Error::new(Op::Stat, errno)),
        }
    }
}
