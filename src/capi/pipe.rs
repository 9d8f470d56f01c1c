//! Pipes and FIFOs.

use core::{
    ffi::{c_char, c_int},
    ptr,
};

use rustix::fd::{AsFd, IntoRawFd, OwnedFd};

use super::{ANET_OK, errno, failure::answer, text};
use crate::{
    error::{Errno, Error, Op, Result, ResultExt},
    pipe::{self, EndFlags, Pipe},
    sys::{self, OFlags},
};

/// Makes a pipe: `fds[0]` to read from, `fds[1]` to write to, both close-on-exec, each with its flags of `open(2)`,
/// such as `O_NONBLOCK` ([`pipe::pipe`]). What `fcntl(F_SETFL)` ignores is ignored.
///
/// # Errors
///
/// -1 with `EMFILE`, `ENFILE`, what `fcntl(F_SETFL)` says to the flags, or `EFAULT` for NULL; `fds` is not touched
/// then.
///
/// # Safety
///
/// See the [module](super). `fds` is NULL or has room for two numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetPipe(fds: *mut c_int, read_flags: c_int, write_flags: c_int) -> c_int {
    let made = if fds.is_null() { Err(Error::new(Op::Pipe, Errno::FAULT)) } else { make(read_flags, write_flags) };
    // SAFETY: the caller answers for `fds`, and it is not NULL where there is a pipe.
    let written = made.map(|pipe| unsafe { fds.cast::<[c_int; 2]>().write(numbers(pipe)) });
    // SAFETY: NULL is always right.
    unsafe { answer(ptr::null_mut(), written.map(|()| ANET_OK)) }
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

/// Costs nothing for an end whose flags are set already, and one call for any other.
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
/// 0 with what `stat(2)` says in `errno`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetIsFifo(filepath: *mut c_char) -> c_int {
    // SAFETY: the caller answers for `filepath`.
    let path = unsafe { text::read(filepath) };
    match pipe::is_fifo(path) {
        Ok(is_fifo) => is_fifo.into(),
        Err(error) => {
            errno::set(error.errno().unwrap_or(Errno::INVAL));
            0
        }
    }
}
