//! Directories and links, for reading `/proc`.

use core::mem::MaybeUninit;

use rustix::{
    fd::{BorrowedFd, OwnedFd},
    fs::{self, CWD, FileType, Mode, OFlags, RawDir},
    path::Arg,
};

use super::Result;

/// `open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)`
pub(crate) fn open_directory(path: impl Arg) -> Result<OwnedFd> {
    fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// `openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)`
pub(crate) fn open_directory_in(directory: BorrowedFd<'_>, name: impl Arg) -> Result<OwnedFd> {
    fs::openat(directory, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// `openat(directory, name, O_RDONLY | O_CLOEXEC)`
pub(crate) fn open_file_in(directory: BorrowedFd<'_>, name: impl Arg) -> Result<OwnedFd> {
    fs::openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// `getdents64(directory, buf)` until the end: calls `each` with the name of every entry that is not a file or socket,
/// until it returns `false`.
pub(crate) fn each_name<const N: usize>(
    directory: BorrowedFd<'_>,
    buf: &mut [MaybeUninit<u8>; N],
    mut each: impl FnMut(&[u8]) -> bool,
) -> Result<()> {
    let mut entries = RawDir::new(directory, buf);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if matches!(entry.file_type(), FileType::Directory | FileType::Symlink | FileType::Unknown)
            && !each(entry.file_name().to_bytes())
        {
            break;
        }
    }
    Ok(())
}

/// `readlinkat(directory, name, buf)`, cut to fit.
pub(crate) fn read_link<'b>(directory: BorrowedFd<'_>, name: impl Arg, buf: &'b mut [u8]) -> Result<&'b [u8]> {
    let len = fs::readlinkat_raw(directory, name, &mut *buf)?;
    Ok(buf.get(..len).unwrap_or_default())
}
