//! Socket options and descriptor flags.

use core::{
    ffi::{c_char, c_int, c_longlong},
    time::Duration,
};

use rustix::fd::BorrowedFd;

use super::{
    ANET_OK, borrow, errno,
    failure::{answer, answer_mute},
    text,
};
use crate::{
    error::{ERR_LEN, Errno, Error, Op, Opt, Result, ResultExt},
    option::{self, TcpKeepalive},
    sys::{self, OFlags},
};

/// Runs `set` on `fd` and returns the result to C.
///
/// # Safety
///
/// `err` is NULL or an error buffer, and the caller may use `fd`.
unsafe fn set(err: *mut c_char, fd: c_int, op: Op, set: impl FnOnce(BorrowedFd<'_>) -> Result<()>) -> c_int {
    // SAFETY: the caller vouches for `fd`.
    let done = unsafe { borrow(fd, op) }.and_then(set);
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, done.map(|()| ANET_OK)) }
}

/// Makes calls on `fd` fail with `EAGAIN` instead of blocking ([`option::set_nonblocking`]).
///
/// # Errors
///
/// `fcntl(F_GETFL): …` with `EBADF`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetNonBlock(err: *mut c_char, fd: c_int) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { set(err, fd, Op::GetFlags, |fd| option::set_nonblocking(fd, true)) }
}

/// Makes calls on `fd` block.
///
/// # Errors
///
/// `fcntl(F_GETFL): …` with `EBADF`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetBlock(err: *mut c_char, fd: c_int) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { set(err, fd, Op::GetFlags, |fd| option::set_nonblocking(fd, false)) }
}

/// Returns 1 if calls on `fd` block and 0 if they do not.
///
/// # Errors
///
/// `fcntl(F_GETFL): …` with `EBADF`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetIsBlock(err: *mut c_char, fd: c_int) -> c_int {
    // SAFETY: the caller vouches for `fd`.
    let flags = unsafe { borrow(fd, Op::GetFlags) }.and_then(|fd| sys::status_flags(fd).op(Op::GetFlags));
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, flags.map(|flags| (!flags.contains(OFlags::NONBLOCK)).into())) }
}

/// Sets close-on-exec on `fd`; returns 1 if it was already set, 0 otherwise.
///
/// # Errors
///
/// -1 with `EBADF`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetCloexec(fd: c_int) -> c_int {
    // SAFETY: the caller vouches for `fd`.
    let before = unsafe { borrow(fd, Op::Cloexec) }.and_then(close_on_exec);
    answer_mute(before.map(c_int::from))
}

/// Returns the previous state.
fn close_on_exec(fd: BorrowedFd<'_>) -> Result<bool> {
    let before = sys::retry_on_intr(|| sys::cloexec(fd)).op(Op::Cloexec)?;
    if !before {
        sys::retry_on_intr(|| sys::set_cloexec(fd, true)).op(Op::Cloexec)?;
    }
    Ok(before)
}

/// Makes `fd` send small segments at once ([`option::set_tcp_nodelay`]).
///
/// # Errors
///
/// `setsockopt TCP_NODELAY: …` with `EBADF`, `ENOTSOCK`, or `EOPNOTSUPP` for a socket that is not TCP.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetEnableTcpNoDelay(err: *mut c_char, fd: c_int) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { set(err, fd, Op::Set(Opt::TCP_NODELAY), |fd| option::set_tcp_nodelay(fd, true)) }
}

/// Makes `fd` delay small segments until earlier ones are acknowledged.
///
/// # Errors
///
/// Those of [`anetEnableTcpNoDelay`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetDisableTcpNoDelay(err: *mut c_char, fd: c_int) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { set(err, fd, Op::Set(Opt::TCP_NODELAY), |fd| option::set_tcp_nodelay(fd, false)) }
}

/// Makes writes on `fd` fail with `EAGAIN` after `ms` milliseconds; 0: they block indefinitely.
///
/// # Errors
///
/// `setsockopt SO_SNDTIMEO: …` with `EBADF`, `ENOTSOCK`, or `EDOM` for a negative time.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetSendTimeout(err: *mut c_char, fd: c_int, ms: c_longlong) -> c_int {
    let op = Op::Set(Opt::SO_SNDTIMEO);
    // SAFETY: the caller vouches for both.
    unsafe { set(err, fd, op, |fd| option::set_send_timeout(fd, milliseconds(ms, op)?)) }
}

/// Makes reads on `fd` fail with `EAGAIN` after `ms` milliseconds; 0: they block indefinitely.
///
/// # Errors
///
/// `setsockopt SO_RCVTIMEO: …` with `EBADF`, `ENOTSOCK`, or `EDOM` for a negative time.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetRecvTimeout(err: *mut c_char, fd: c_int, ms: c_longlong) -> c_int {
    let op = Op::Set(Opt::SO_RCVTIMEO);
    // SAFETY: the caller vouches for both.
    unsafe { set(err, fd, op, |fd| option::set_recv_timeout(fd, milliseconds(ms, op)?)) }
}

/// The kernel rejects negative microseconds with `EDOM` but treats negative seconds as zero; this rejects both.
fn milliseconds(ms: c_longlong, op: Op) -> Result<Option<Duration>> {
    let ms = u64::try_from(ms).map_err(|_| Error::new(op, Errno::DOM))?;
    Ok((ms > 0).then(|| Duration::from_millis(ms)))
}

/// Drops a connection whose peer has been silent for `interval` seconds and then leaves three probes unanswered, sent a
/// third of that time apart ([`TcpKeepalive::after_idle`]).
///
/// # Errors
///
/// `setsockopt SO_KEEPALIVE: …` with `EBADF` or `ENOTSOCK`. `setsockopt TCP_KEEPIDLE: …` with `EINVAL` for an interval
/// outside 1 to 32767 and `EOPNOTSUPP` for a socket that is not TCP; keepalive is then on, with the socket's previous
/// times.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetKeepAlive(err: *mut c_char, fd: c_int, interval: c_int) -> c_int {
    // SAFETY: the caller vouches for both.
    unsafe { set(err, fd, Op::Set(Opt::SO_KEEPALIVE), |fd| set_keepalive(fd, interval)) }
}

/// A rejected interval still switches keepalive on: Redis sets the options in this order and ignores the failure.
fn set_keepalive(fd: BorrowedFd<'_>, interval: c_int) -> Result<()> {
    match keepalive_after_idle(interval) {
        Ok(keepalive) => option::set_tcp_keepalive(fd, &keepalive),
        Err(refused) => option::set_keepalive(fd, true).and(Err(refused)),
    }
}

fn keepalive_after_idle(seconds: c_int) -> Result<TcpKeepalive> {
    let seconds = u64::try_from(seconds).map_err(|_| Error::new(Op::Set(Opt::TCP_KEEPIDLE), Errno::INVAL))?;
    TcpKeepalive::after_idle(Duration::from_secs(seconds))
}

/// Marks the packets of `fd` for routing and packet filters: `SO_MARK` on Linux, `SO_USER_COOKIE` on FreeBSD,
/// `SO_RTABLE` on OpenBSD. Elsewhere it does nothing, returns success and writes a text to `err`.
///
/// # Errors
///
/// `setsockopt: …` with `EPERM` without privilege, `EBADF`, `ENOTSOCK`.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetSetSockMarkId(err: *mut c_char, fd: c_int, id: u32) -> c_int {
    if !cfg!(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd")) {
        // SAFETY: the caller vouches for `err`.
        unsafe { text::write(b"anetSetSockMarkid unsupported on this platform", err, ERR_LEN) };
        return ANET_OK;
    }
    // SAFETY: the caller vouches for both.
    unsafe { set(err, fd, Op::Set(Opt::SO_MARK), |fd| set_mark(fd, id)) }
}

#[cfg(target_os = "linux")]
use option::set_mark;

/// The same option under another name.
#[cfg(any(target_os = "freebsd", target_os = "openbsd"))]
fn set_mark(fd: BorrowedFd<'_>, id: u32) -> Result<()> {
    use crate::option::raw::OptionName;
    #[cfg(target_os = "openbsd")]
    use libc::SO_RTABLE as NUMBER;
    #[cfg(target_os = "freebsd")]
    use libc::SO_USER_COOKIE as NUMBER;

    // SAFETY: the option's value is a four-byte integer.
    let name = unsafe { OptionName::new(libc::SOL_SOCKET, NUMBER) };
    sys::raw::setsockopt(fd, name, &id.to_ne_bytes()).op(Op::Set(Opt::SO_MARK))
}

/// Never called.
#[cfg(not(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd")))]
fn set_mark(_: BorrowedFd<'_>, _: u32) -> Result<()> {
    Err(Error::new(Op::Set(Opt::SO_MARK), Errno::NOPROTOOPT))
}

/// Returns and clears a socket's pending error; 0 if there is none. If the call fails, returns its errno.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetGetError(fd: c_int) -> c_int {
    let op = Op::Get(Opt::SO_ERROR);
    // SAFETY: the caller vouches for `fd`.
    match unsafe { borrow(fd, op) }.and_then(option::take_error) {
        Ok(waiting) => waiting.map_or(0, Errno::raw_os_error),
        Err(error) => {
            let number = error.errno().unwrap_or(Errno::INVAL).raw_os_error();
            errno::set(number);
            number
        }
    }
}
