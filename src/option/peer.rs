//! `SO_PEERPIDFD`: the process at the other end of a Unix connection.

use rustix::fd::{AsFd, OwnedFd};

use crate::{
    error::{Op, Opt, Result, ResultExt},
    sys::raw,
};

/// A descriptor of the process that was the peer of a Unix connection when it connected; since Linux 6.5.
///
/// Unlike the number in [`peer_credentials`](super::peer_credentials), it cannot come to mean another process. It is
/// readable when the process has ended (`pidfd_open(2)`), and close-on-exec.
///
/// # Errors
///
/// `ENOPROTOOPT` before Linux 6.5, `ENODATA` for a socket without a peer, `EINVAL` or `ESRCH` if the process has ended
/// and was reaped (before Linux 6.16), `EMFILE`; `EBADF`, `ENOTSOCK`.
#[doc(alias = "SO_PEERPIDFD")]
pub fn peer_pidfd(fd: impl AsFd) -> Result<OwnedFd> {
    raw::peer_pidfd(fd.as_fd()).op(Op::Get(Opt::Raw))
}
