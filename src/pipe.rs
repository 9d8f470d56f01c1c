//! Pipes with flags for each end, and a test for FIFOs.

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::FileType,
    path::Arg,
};

use crate::{
    error::{Errno, Op, Result, ResultExt},
    option, sys,
};

bitflags::bitflags! {
    /// The flags of one end of a pipe. Both ends are always close-on-exec.
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    pub struct EndFlags: u8 {
        /// Calls fail with `EAGAIN` instead of blocking.
        const NONBLOCK = 1;
    }
}

/// The two ends of a pipe.
#[derive(Debug)]
pub struct Pipe {
    /// The end to read from.
    pub read: OwnedFd,
    /// The end to write to.
    pub write: OwnedFd,
}

/// Creates a pipe, with one call if both ends have the same flags.
///
/// Where the kernel has no `pipe2` (before Linux 2.6.27, or Apple), flags are set one by one. If any of these calls
/// fails, no descriptor is left open.
///
/// ```
/// use anet::pipe::{EndFlags, pipe};
///
/// let pipe = pipe(EndFlags::NONBLOCK, EndFlags::empty())?;
/// assert!(anet::option::nonblocking(&pipe.read)?);
/// assert!(!anet::option::nonblocking(&pipe.write)?);
/// # Ok::<(), anet::Error>(())
/// ```
///
/// # Errors
///
/// `EMFILE` and `ENFILE` if there are no descriptors left.
#[doc(alias = "pipe2")]
#[doc(alias = "anetPipe")]
pub fn pipe(read: EndFlags, write: EndFlags) -> Result<Pipe> {
    let common = read & write;
    let (pipe, done) = match pipe_at_once(common) {
        Err(Errno::NOSYS | Errno::INVAL) => (pipe_step_by_step().op(Op::Pipe)?, EndFlags::empty()),
        other => (other.op(Op::Pipe)?, common),
    };
    set_end(&pipe.read, read - done)?;
    set_end(&pipe.write, write - done)?;
    Ok(pipe)
}

/// Creates a pipe with the common flags already set.
fn pipe_at_once(common: EndFlags) -> Result<Pipe, Errno> {
    if cfg!(anet_force_pipe_fallback) {
        return Err(Errno::NOSYS);
    }
    let (read, write) = sys::pipe2(common.contains(EndFlags::NONBLOCK))?;
    Ok(Pipe { read, write })
}

fn pipe_step_by_step() -> Result<Pipe, Errno> {
    let (read, write) = sys::pipe()?;
    sys::set_cloexec(read.as_fd(), true)?;
    sys::set_cloexec(write.as_fd(), true)?;
    Ok(Pipe { read, write })
}

/// Makes no call for an end without flags, because a new pipe has none.
fn set_end(fd: &OwnedFd, flags: EndFlags) -> Result<()> {
    if flags.contains(EndFlags::NONBLOCK) { option::set_nonblocking(fd, true) } else { Ok(()) }
}

/// Whether `path` names a FIFO, possibly through a symlink.
///
/// # Errors
///
/// `ENOENT`, `EACCES`, `ENOTDIR`, `ELOOP` and the other errors of `stat(2)`; `EINVAL` for a NUL within.
#[doc(alias = "anetIsFifo")]
pub fn is_fifo(path: impl Arg) -> Result<bool> {
    sys::file_type(path).op(Op::Stat).map(|kind| kind == FileType::Fifo)
}
