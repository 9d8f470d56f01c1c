//! Pipes and FIFOs.

use core::ffi::{c_char, c_int};

use rustix::fd::{AsFd, IntoRawFd, OwnedFd};

use super::{ANET_OK, errno, failure::answer_mute, text};
use crate::{
    error::{Errno, Error, Op, Result, ResultExt},
    pipe::{self, EndFlags, Pipe},
    sys::{self, OFlags},
};

/// Creates a pipe: `fds[0]` is the read end, `fds[1]` the write end, both close-on-exec, each with its `open(2)` flags,
/// such as `O_NONBLOCK` ([`pipe::pipe`]). Flags that `fcntl(F_SETFL)` ignores are ignored.
///
/// # Errors
///
/// -1 with `EMFILE`, `ENFILE`, the errors of `fcntl(F_SETFL)`, or `EFAULT` for NULL. An error leaves `fds` untouched.
///
/// # Safety
///
/// See the [module](super). `fds` is NULL or has room for two numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetPipe(fds: *mut c_int, read_flags: c_int, write_flags: c_int) -> c_int {
    let made = if fds.is_null() { Err(Error::new(Op::Pipe, Errno::FAULT)) } else { make(read_flags, write_flags) };
    // SAFETY: the caller vouches for `fds`, and if there is a pipe it is not NULL.
    let written = made.map(|pipe| unsafe { fds.cast::<[c_int; 2]>().write(numbers(pipe)) });
    answer_mute(written.map(|()| ANET_OK))
}

fn numbers(pipe: Pipe) -> [c_int; 2] {
    [pipe.read, pipe.write].map(OwnedFd::into_raw_fd)
}

fn make(read_flags: c_int, write_flags: c_int) -> Result<Pipe> {
    let [read, write] = [read_flags, write_flags].map(|flags| OFlags::from_bits_retain(flags as u32) - OFlags::CLOEXEC);
    let common = read & write & OFlags::NONBLOCK;
    let pipe = pipe::pipe(end_flags(common), end_flags(common))?;
    set_end(&pipe.read, read, common)?;
    set_end(&pipe.write, write, common)?;
    Ok(pipe)
}

fn end_flags(flags: OFlags) -> EndFlags {
    if flags.contains(OFlags::NONBLOCK) { EndFlags::NONBLOCK } else { EndFlags::empty() }
}

/// Makes no call for an end whose flags are already set.
fn set_end(fd: &OwnedFd, flags: OFlags, done: OFlags) -> Result<()> {
    if flags == done {
        return Ok(());
    }
    sys::set_status_flags(fd.as_fd(), flags).op(Op::SetFlags)
}

/// Returns 1 if `filepath` names a FIFO, perhaps through a symlink, and 0 if not ([`pipe::is_fifo`]).
///
/// # Errors
///
/// 0 with the error of `stat(2)` in `errno`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetIsFifo(filepath: *mut c_char) -> c_int {
    // SAFETY: the caller vouches for `filepath`.
    let path = unsafe { text::read(filepath) };
    match pipe::is_fifo(path) {
        Ok(is_fifo) => is_fifo.into(),
        Err(error) => {
            errno::set(error.errno().unwrap_or(Errno::INVAL).raw_os_error());
            0
        }
    }
}
