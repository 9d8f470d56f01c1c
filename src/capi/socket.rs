//! New sockets, as C's callers expect them.

use core::ffi::c_int;

use rustix::fd::OwnedFd;

use crate::{
    addr::Endpoint,
    error::{Errno, Op, Result, ResultExt},
    sys,
};

/// TCP, or Multipath TCP where the kernel has it.
#[derive(Clone, Copy)]
pub(super) enum Transport {
    Tcp,
    Mptcp,
}

impl Transport {
    /// From C's `int mptcp`.
    pub(super) const fn of(mptcp: c_int) -> Self {
        if mptcp == 0 { Self::Tcp } else { Self::Mptcp }
    }
}

/// A socket for this address, non-blocking and close-on-exec.
pub(super) fn nonblocking(endpoint: &Endpoint, transport: Transport) -> Result<OwnedFd> {
    let family = sys::family(endpoint).op(Op::Socket)?;
    with_fallback(transport, |protocol| sys::nonblocking_stream_socket(family, protocol))
}

/// A socket for this address, blocking and not close-on-exec.
pub(super) fn inherited(endpoint: &Endpoint, transport: Transport) -> Result<OwnedFd> {
    let family = sys::family(endpoint).op(Op::Socket)?;
    with_fallback(transport, |protocol| sys::inherited_stream_socket(family, protocol))
}

/// A kernel has no Multipath TCP if it is old (`EINVAL`), built without it (`EPROTONOSUPPORT`), or if
/// `net.mptcp.enabled` is 0 (`ENOPROTOOPT`).
fn with_fallback(
    transport: Transport,
    socket: impl Fn(Option<sys::Protocol>) -> sys::Result<OwnedFd>,
) -> Result<OwnedFd> {
    let made = match transport {
        Transport::Mptcp if sys::MULTIPATH.is_some() => match socket(sys::MULTIPATH) {
            Err(Errno::INVAL | Errno::PROTONOSUPPORT | Errno::NOPROTOOPT) => socket(None),
            made => made,
        },
        _ => socket(None),
    };
    made.op(Op::Socket)
}
