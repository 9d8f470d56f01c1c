//! Calls on files: what a Unix socket's path and a port file need.

use core::ffi::CStr;

use rustix::{
    fd::{BorrowedFd, OwnedFd},
    fs::{self, AtFlags, CWD, FileType, FlockOperation, Gid, Mode, OFlags, RawMode},
    io::Errno,
    path::Arg,
};

use super::Result;

/// Identifies a file: equal ids are the same file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

/// The status of a file, without following a symlink.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileStatus {
    pub(crate) id: FileId,
    pub(crate) kind: FileType,
    /// The nine permission bits.
    pub(crate) permissions: u32,
}

impl From<fs::Stat> for FileStatus {
    // The fields' types differ between systems.
    #[allow(clippy::unnecessary_cast)]
    fn from(stat: fs::Stat) -> Self {
        let id = FileId { device: stat.st_dev as u64, inode: stat.st_ino as u64 };
        let mode = stat.st_mode as RawMode;
        Self { id, kind: FileType::from_raw_mode(mode), permissions: mode as u32 & 0o777 }
    }
}

/// `lstat(path)`
pub(crate) fn lstat(path: impl Arg) -> Result<FileStatus> {
    fs::lstat(path).map(FileStatus::from)
}

/// A file held open, so that its inode number is not reused. Only Linux can hold the file of a socket open; elsewhere
/// this is its status alone.
#[derive(Debug)]
pub(crate) struct HeldFile {
    #[cfg(target_os = "linux")]
    _fd: OwnedFd,
    status: FileStatus,
}

impl HeldFile {
    /// `open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC)` and `fstat`
    #[cfg(target_os = "linux")]
    pub(crate) fn open(path: impl Arg) -> Result<Self> {
        let fd = fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let status = fs::fstat(&fd)?.into();
        Ok(Self { _fd: fd, status })
    }

    /// `lstat(path)`
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn open(path: impl Arg) -> Result<Self> {
        lstat(path).map(|status| Self { status })
    }

    pub(crate) const fn status(&self) -> &FileStatus {
        &self.status
    }
}

/// Equal stamps are the same content, unless the file was changed in place, to the same length, within one tick of the
/// file system's clock.
#[cfg(feature = "dns")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileStamp {
    id: FileId,
    len: u64,
    modified_s: i64,
    modified_ns: i64,
}

#[cfg(feature = "dns")]
impl From<fs::Stat> for FileStamp {
    // The fields' types differ between systems.
    #[allow(clippy::unnecessary_cast)]
    fn from(stat: fs::Stat) -> Self {
        #[cfg(target_os = "linux")]
        let modified_ns = stat.st_mtime_nsec as i64;
        #[cfg(not(target_os = "linux"))]
        let modified_ns = 0;
        let id = FileId { device: stat.st_dev as u64, inode: stat.st_ino as u64 };
        Self { id, len: stat.st_size as u64, modified_s: stat.st_mtime as i64, modified_ns }
    }
}

/// `stat(path)`, which follows symlinks.
#[cfg(feature = "dns")]
pub(crate) fn stamp(path: &CStr) -> Result<FileStamp> {
    fs::stat(path).map(FileStamp::from)
}

/// `open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)`: the flag lets the open of a FIFO return at once.
pub(crate) fn open_to_read(path: &CStr) -> Result<OwnedFd> {
    fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
}

/// `stat(path)`, which follows symlinks.
#[allow(clippy::unnecessary_cast)]
pub(crate) fn file_type(path: impl Arg) -> Result<FileType> {
    fs::stat(path).map(|stat| FileType::from_raw_mode(stat.st_mode as RawMode))
}

/// An advisory lock on a directory, released on drop.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    /// The lock belongs to the open file.
    fd: OwnedFd,
}

impl DirectoryLock {
    /// `flock(open(path, O_DIRECTORY), LOCK_EX | LOCK_NB)`; `EWOULDBLOCK` if it is already held.
    pub(crate) fn try_take(path: impl Arg) -> Result<Self> {
        let fd = fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { fd })
    }
}

/// `flock(fd, LOCK_UN)`: a child that was forked meanwhile has the open file too, and closing would leave it the lock.
impl Drop for DirectoryLock {
    fn drop(&mut self) {
        let _ = fs::flock(&self.fd, FlockOperation::Unlock);
    }
}

/// `unlink(path)`
pub(crate) fn unlink(path: impl Arg) -> Result<()> {
    fs::unlink(path)
}

/// `rename(from, to)`
pub(crate) fn rename(from: impl Arg, to: impl Arg) -> Result<()> {
    fs::rename(from, to)
}

/// `link(from, to)`
pub(crate) fn link(from: impl Arg, to: impl Arg) -> Result<()> {
    fs::link(from, to)
}

/// `fchmod(fd, mode)`
pub(crate) fn fchmod(fd: BorrowedFd<'_>, mode: u32) -> Result<()> {
    fs::fchmod(fd, Mode::from_raw_mode(mode as RawMode))
}

/// `fchownat(AT_FDCWD, path, -1, group, AT_SYMLINK_NOFOLLOW)`
pub(crate) fn set_group_nofollow(path: impl Arg, group: u32) -> Result<()> {
    // -1 makes the kernel leave the group as it is, and rustix does not allow it.
    if group == u32::MAX {
        return Err(Errno::INVAL);
    }
    fs::chownat(CWD, path, None, Some(Gid::from_raw(group)), AtFlags::SYMLINK_NOFOLLOW)
}

/// Changes the mode of the file that `path` names, without following a symlink.
#[cfg(target_os = "linux")]
pub(crate) fn chmod_nofollow(path: &[u8], mode: u32) -> Result<()> {
    path.into_with_c_str(|path| match super::raw::chmod_nofollow(path, mode) {
        Err(Errno::NOSYS | Errno::PERM) => chmod_by_descriptor(path, mode),
        other => other,
    })
}

/// Before Linux 6.6: an `O_PATH` descriptor refers to the file itself, and `chmod` follows its name in `/proc`. The
/// name is in the thread's own directory, because a thread may have its own descriptor table.
#[cfg(target_os = "linux")]
fn chmod_by_descriptor(path: &CStr, mode: u32) -> Result<()> {
    use core::fmt::Write;
    use rustix::fd::AsRawFd;

    let fd = fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let mut name = arrayvec::ArrayString::<32>::new();
    write!(name, "/proc/thread-self/fd/{}", fd.as_raw_fd()).map_err(|_| Errno::NAMETOOLONG)?;
    fs::chmod(name.as_str(), Mode::from_raw_mode(mode as RawMode))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn chmod_nofollow(path: &[u8], mode: u32) -> Result<()> {
    fs::chmodat(CWD, path, Mode::from_raw_mode(mode as RawMode), AtFlags::SYMLINK_NOFOLLOW)
}

/// An open directory, which stays the same one even if its name is given to another.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
}

/// Opening files in a directory takes permission to search it, not to list it.
#[cfg(target_os = "linux")]
const SEARCH: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const SEARCH: OFlags = OFlags::RDONLY;

impl Directory {
    /// `open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)`
    pub(crate) fn open(path: impl Arg) -> Result<Self> {
        let fd = fs::open(path, SEARCH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { fd })
    }

    /// `openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)`
    pub(crate) fn create_new(&self, name: impl Arg, mode: u32) -> Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(&self.fd, name, flags, Mode::from_raw_mode(mode as RawMode))
    }

    /// `renameat(directory, from, directory, to)`
    pub(crate) fn rename(&self, from: impl Arg, to: impl Arg) -> Result<()> {
        fs::renameat(&self.fd, from, &self.fd, to)
    }

    /// `unlinkat(directory, name, 0)`
    pub(crate) fn unlink(&self, name: impl Arg) -> Result<()> {
        fs::unlinkat(&self.fd, name, AtFlags::empty())
    }
}
