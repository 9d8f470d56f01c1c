//! One Unix listener: the lock it opens under, and its access rights. `socket_file` manages its path.
//!
//! The mode is set on the socket before `bind`: Linux creates the file with `mode & !umask` (measured on 6.18), so its
//! mode is never wider than requested, and the process's umask stays untouched. A later `chmod` adds the bits that the
//! umask removed, without following a symlink that may have replaced the path.

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

/// The access rights of a Unix listener's path; connecting requires write permission.
///
/// Abstract names have no permissions: any process in the network namespace may connect.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Access {
    /// The mode of the file, such as `0o770`; `None`: as the umask allows.
    pub mode: Option<u32>,
    /// The ID of the group that owns the file; `None`: the process's group.
    pub group: Option<u32>,
}

/// The permission bits of a mode.
const PERMISSIONS: u32 = 0o777;
/// The owner's permission bits.
const OWNER: u32 = 0o700;

/// Listens on a Unix address.
///
/// A lock (`flock`) on the directory of the path serializes starting servers; this call waits for it up to a tenth of a
/// second. If another program holds the lock for longer, or the process may not read the directory, the call still
/// takes a free path, but fails if a dead server left a file there: without the lock it could remove the file of
/// another starting server.
///
/// A socket opened without the lock gets its path by a link. The kernel knows it by its earlier name, `.anet.` and 16
/// digits in the same directory: [`Listener::local_addr`] returns the path, but clients see that name as their peer's
/// address, and accepted streams as their local address.
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
/// `EADDRINUSE` if a server listens on the path, the path names a file that is not a socket, or another program takes
/// the path during the call; `ENOENT` or `ENOTDIR` for a missing directory, `EACCES`, `EROFS`; `EPERM` for a group the
/// user is not in, `EINVAL` for the group `u32::MAX`, which is invalid; `EMFILE`, `ENFILE`; the errors of `stat`,
/// `chmod` and `unlink` on the path, and of the options. An error leaves no file, unless it comes from `stat`.
///
/// [`Op::Lock`] carries the reason why the lock was unavailable, `EWOULDBLOCK` if another program holds it, `EACCES` if
/// the process may not read the directory. The call then fails if a socket that refuses connections has the path, or if
/// the directory's path exceeds 84 bytes, which leaves no room for the other name. [`Op::Link`] carries the reason why
/// linking the path failed, such as `EPERM` on a file system without links.
#[doc(alias = "anetUnixServer")]
pub fn unix(addr: &UnixAddr, options: &SocketOptions, access: &Access) -> Result<Listener, AddrError> {
    open(addr, options, access).map_err(|error| AddrError::new(error, Endpoint::Unix(*addr)))
}

fn open(addr: &UnixAddr, options: &SocketOptions, access: &Access) -> Result<Listener> {
    open_on(sys::stream_socket(AddressFamily::UNIX, true).op(Op::Socket)?, addr, options, access)
}

/// Listens with a new socket.
pub(crate) fn open_on(fd: OwnedFd, addr: &UnixAddr, options: &SocketOptions, access: &Access) -> Result<Listener> {
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
        // Held until the socket listens: a socket between `bind` and `listen` looks stale.
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
            // Report the first error.
            let _ = file.take_away();
            Err(error)
        }
    }
}

/// If both a group and a mode are set, only the owner has access until the group is set. Without a mode, the umask
/// alone determines the file's mode throughout.
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
