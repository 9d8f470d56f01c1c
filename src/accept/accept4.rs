//! One connection: `accept4`, and its replacement where it is missing.

use core::sync::atomic::{AtomicU8, Ordering};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::{
    addr::Endpoint,
    error::{Errno, Error, Op, Result, ResultExt},
    listen::Listener,
    option,
    stream::Stream,
    sys,
};

impl Listener {
    /// Accepts the next connection, non-blocking and close-on-exec, and returns it with the peer's address.
    ///
    /// On TCP this is one system call, unless `SO_PRIORITY` was asked for; options that Unix sockets do not inherit
    /// from their listener are set here. Where the kernel has no `accept4` (`ENOSYS`) or a seccomp filter forbids it
    /// (`EPERM`), `accept` and `fcntl` do the same in four calls; under a filter it takes one more, because `accept4`
    /// is tried every time.
    ///
    /// The address is the one the connection was made with. It is correct even if the peer has since reset the
    /// connection, when `getpeername` fails with `ENOTCONN` (measured on Linux 6.18).
    ///
    /// # Errors
    ///
    /// `EAGAIN` if no connection waits. [`Error::is_peer_failure`] lists the errors of a single connection, which leave
    /// the listener usable. `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`: the connection stays queued. `EINVAL`: the socket
    /// does not listen, or no longer does. Those of the options set after accepting; that connection is closed.
    #[doc(alias = "accept4")]
    #[doc(alias = "anetTcpAccept")]
    #[doc(alias = "anetUnixAccept")]
    #[inline]
    pub fn accept(&self) -> Result<(Stream, Endpoint)> {
        let (fd, peer) = accept(self.as_fd())?;
        let stream = Stream::from(fd);
        if let Some(options) = self.after_accept() {
            options.set_on_accepted(&stream)?;
        }
        Ok((stream, peer))
    }
}

impl Error {
    /// Whether an accept failed because of one connection alone, so that the next accept may succeed.
    ///
    /// `ECONNABORTED` and, on Linux (`accept(2)`), errors that were pending on the new socket: `ENETDOWN`, `EPROTO`,
    /// `ENOPROTOOPT`, `EHOSTDOWN`, `ENONET`, `EHOSTUNREACH`, `EOPNOTSUPP`, `ENETUNREACH`.
    pub fn is_peer_failure(&self) -> bool {
        if self.op() != Op::Accept {
            return false;
        }
        #[cfg(target_os = "linux")]
        if self.is(Errno::NONET) {
            return true;
        }
        matches!(
            self.errno(),
            Some(
                Errno::CONNABORTED
                    | Errno::HOSTDOWN
                    | Errno::HOSTUNREACH
                    | Errno::NETDOWN
                    | Errno::NETUNREACH
                    | Errno::NOPROTOOPT
                    | Errno::OPNOTSUPP
                    | Errno::PROTO
            )
        )
    }
}

/// Whether this kernel has `accept4`.
static ACCEPT4: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const THERE: u8 = 1;
const MISSING: u8 = 2;

/// `accept4`, or its replacement.
#[inline]
pub(crate) fn accept(listener: BorrowedFd<'_>) -> Result<(OwnedFd, Endpoint)> {
    if cfg!(anet_force_accept_fallback) || ACCEPT4.load(Ordering::Relaxed) == MISSING {
        return accept_and_fcntl(listener);
    }
    match sys::retry_on_intr(|| sys::accept4(listener)) {
        Err(Errno::NOSYS) => without_accept4(listener),
        // The filter may let `accept` through.
        Err(Errno::PERM) => accept_and_fcntl(listener),
        answer => {
            if ACCEPT4.load(Ordering::Relaxed) == UNKNOWN {
                ACCEPT4.store(THERE, Ordering::Relaxed);
            }
            answer.op(Op::Accept)
        }
    }
}

/// Records that `accept4` is missing once `accept` has succeeded in its place, and only if `accept4` never has: a
/// killed tracer can leave a single `ENOSYS` behind.
#[cold]
fn without_accept4(listener: BorrowedFd<'_>) -> Result<(OwnedFd, Endpoint)> {
    let accepted = accept_and_fcntl(listener)?;
    let _ = ACCEPT4.compare_exchange(UNKNOWN, MISSING, Ordering::Relaxed, Ordering::Relaxed);
    Ok(accepted)
}

fn accept_and_fcntl(listener: BorrowedFd<'_>) -> Result<(OwnedFd, Endpoint)> {
    let (fd, peer) = sys::retry_on_intr(|| sys::accept(listener)).op(Op::Accept)?;
    // A new descriptor has no other flags to preserve.
    sys::set_cloexec(fd.as_fd(), true).op(Op::Cloexec)?;
    option::set_nonblocking(&fd, true)?;
    Ok((fd, peer))
}
