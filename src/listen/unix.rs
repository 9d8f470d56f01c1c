//! One Unix listener: in whose turn it opens, and who may connect. What becomes of its path is in `socket_file`.
//!
//! The mode is set on the socket before it has a name: Linux gives the file `mode & !umask` at the moment it appears
//! (measured on 6.18), so it is never wider than asked, without touching the process's umask. What the umask took away
//! is given back afterwards, without following a symlink that may have been put in the path's place.

use rustix::{
    fd::{AsFd, OwnedFd},
    net::AddressFamily,
};

use super::{
    Listener,
    socket_file::{SocketFile, StaleFile, beside, lock_directory},
    start,
};
use crate::{
    addr::{Endpoint, UnixAddr},
    error::{AddrError, Op, Result, ResultExt},
    option::SocketOptions,
    sys,
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
/// Starters take turns at a path by a lock (`flock`) on its directory, for which this waits up to a tenth of a second.
/// If another program holds the lock for longer, or the process may not read the directory, a free path is taken all
/// the same; but a file that a dead server has left is in the way, because removing it without the lock could remove
/// the file of another starter.
///
/// A socket that was opened without the lock got its path by a link. The kernel knows it by the name it had before,
/// `.anet.` and 16 digits in the same directory: [`Listener::local_addr`] is the path, but clients have that name as
/// their peer's address, and accepted streams have it as their own.
///
/// ```
/// use anet::{SocketOptions, UnixAddr, listen::{self, Access}};
///
/// # let path = std::env::temp_dir().join(format!("anet-doc-{}.sock", std::process::id()));
/// # let path = path.to_str().ok_or("path")?;
/// let addr = UnixAddr::path(path)?;
/// let listener = listen::unix(&addr, &SocketOptions::new(), &Access { mode: Some(0o770), group: None })?;
/// listener.remove_file()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `EADDRINUSE` if a server listens on the path, the path names something that is no socket, or another program takes
/// it while this starts; `ENOENT` or `ENOTDIR` for a directory that is not there, `EACCES`, `EROFS`; `EPERM` for a
/// group that is not the user's, `EINVAL` for `u32::MAX`, which is none; `EMFILE`, `ENFILE`; those of `stat`, `chmod`
/// and `unlink` on the path, and of the options. After an error there is no file, unless the error is
/// that of `stat`.
///
/// With [`Op::Lock`] the reason why the lock could not be had, `EWOULDBLOCK` if another program holds it, `EACCES` if
/// the process may not read the directory: a socket that refuses connections is in the way, or the directory's path has
/// more than 84 bytes, which leaves no room for the other name. With [`Op::Link`] what kept the path from being linked
/// to it, such as `EPERM` on a file system without links.
#[doc(alias = "anetUnixServer")]
pub fn unix(addr: &UnixAddr, options: &SocketOptions, access: &Access) -> Result<Listener, AddrError> {
    open(addr, options, access).map_err(|error| AddrError::new(error, Endpoint::Unix(*addr)))
}

fn open(addr: &UnixAddr, options: &SocketOptions, access: &Access) -> Result<Listener> {
    let fd = sys::stream_socket(AddressFamily::UNIX, true).op(Op::Socket)?;
    options.set_on_unix(&fd)?;
    let file = match addr.as_path() {
        Some(path) => Some(listen_in_turn(&fd, addr, path, options, access)?),
        None => {
            sys::bind(fd.as_fd(), &Endpoint::Unix(*addr)).op(Op::Bind)?;
            start(&fd, options)?;
            None
        }
    };
    Ok(Listener { fd, after_accept: options.not_inherited(&Endpoint::Unix(*addr)), file })
}

fn listen_in_turn(
    fd: &OwnedFd,
    addr: &UnixAddr,
    path: &[u8],
    options: &SocketOptions,
    access: &Access,
) -> Result<SocketFile> {
    let turn = lock_directory(path);
    let stale = StaleFile::at(addr)?;
    match turn {
        // Held until the socket listens: one that is bound and not yet listening looks like a stale one.
        Ok(_turn) => {
            stale.map_or(Ok(()), StaleFile::remove)?;
            listen_on_path(fd, addr, options, access)
        }
        Err(no_turn) if stale.is_some() => Err(no_turn),
        Err(no_turn) => {
            let temporary = UnixAddr::path(&*beside(path)).map_err(|_| no_turn)?;
            listen_on_path(fd, &temporary, options, access)?.publish(addr)
        }
    }
}

fn listen_on_path(fd: &OwnedFd, addr: &UnixAddr, options: &SocketOptions, access: &Access) -> Result<SocketFile> {
    narrow_before_bind(fd, access)?;
    let file = SocketFile::bind(fd, addr)?;
    let listening = widen_after_bind(file.path(), access).and_then(|()| start(fd, options));
    match listening.and_then(|()| file.must_be_there()) {
        Ok(()) => Ok(file),
        Err(error) => {
            // The first error is the one to tell.
            let _ = file.take_away();
            Err(error)
        }
    }
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
