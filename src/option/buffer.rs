//! The largest buffers that the kernel grants.
//!
//! Linux clips a requested size to `net.core.wmem_max` or `rmem_max` without an error (`socket(7)`), so a search that
//! trusts the return value, such as memcached's, ends with the number it started from: 28 calls for 268435456 bytes on
//! a kernel that granted 8388608. One request for more than any kernel grants, then reading the size back, is enough.

use rustix::{
    fd::{AsFd, BorrowedFd},
    io::Errno,
};

use super::sockopt;
use crate::error::{Op, Opt, Result, ResultExt};

/// The first size to request, and on Linux the only one. Kernels count in `int`.
const MOST: usize = i32::MAX as usize;
/// The first size to request, then halve, on systems that reject a large size instead of clipping it.
const SMALLER: usize = 16 << 20;
const SMALLER_TRIES: u32 = 8;

/// Makes the send buffer as large as this process may, and returns its size in bytes as the kernel accounts it.
///
/// Linux doubles the granted size for its own bookkeeping: the result is twice `net.core.wmem_max`, in two calls. On
/// systems that reject a size above the limit, the function requests smaller and smaller sizes, down to 128 KiB, in at
/// most ten calls; there the result is within a factor of two of the limit.
///
/// This overwrites a size above the limit that was set with privilege ([`set_send_buffer_size_force`]). On TCP a fixed
/// size disables the kernel's autotuning, which may go higher: use this for datagrams.
///
/// [`set_send_buffer_size_force`]: super::set_send_buffer_size_force
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "SO_SNDBUF")]
#[doc(alias = "maximize_sndbuf")]
pub fn maximize_send_buffer(fd: impl AsFd) -> Result<usize> {
    let set = |fd: BorrowedFd<'_>, bytes| sockopt::set_socket_send_buffer_size(fd, bytes);
    ask_for_most(fd.as_fd(), set).op(Op::Set(Opt::SO_SNDBUF))?;
    super::send_buffer_size(fd)
}

/// Makes the receive buffer as large as this process may, and returns its size in bytes as the kernel accounts it.
///
/// Like [`maximize_send_buffer`], with `net.core.rmem_max`. The kernel counts the memory a datagram occupies, not only
/// its bytes, so small datagrams fill the buffer before their bytes add up to its size.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "SO_RCVBUF")]
pub fn maximize_recv_buffer(fd: impl AsFd) -> Result<usize> {
    let set = |fd: BorrowedFd<'_>, bytes| sockopt::set_socket_recv_buffer_size(fd, bytes);
    ask_for_most(fd.as_fd(), set).op(Op::Set(Opt::SO_RCVBUF))?;
    super::recv_buffer_size(fd)
}

/// Requests the maximum, then smaller sizes while the system rejects them.
fn ask_for_most(fd: BorrowedFd<'_>, set: impl Fn(BorrowedFd<'_>, usize) -> Result<(), Errno>) -> Result<(), Errno> {
    let mut answer = set(fd, MOST);
    for halving in 0..SMALLER_TRIES {
        match answer {
            Err(Errno::NOBUFS) => answer = set(fd, SMALLER >> halving),
            _ => break,
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::RefCell;
    use std::vec::Vec;

    /// The sizes requested from a system that rejects more than `limit`.
    fn asked(limit: usize) -> (Vec<usize>, Result<(), Errno>) {
        let sizes = RefCell::new(Vec::new());
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let set = |_: BorrowedFd<'_>, bytes| {
            sizes.borrow_mut().push(bytes);
            if bytes > limit { Err(Errno::NOBUFS) } else { Ok(()) }
        };
        let answer = ask_for_most(socket.as_fd(), set);
        (sizes.into_inner(), answer)
    }

    #[test]
    fn a_system_that_clips_gets_one_request() {
        assert_eq!(asked(usize::MAX), ([MOST].into(), Ok(())));
    }

    #[test]
    fn a_system_that_rejects_gets_halved_requests() {
        assert_eq!(asked(5 << 20), ([MOST, 16 << 20, 8 << 20, 4 << 20].into(), Ok(())));
        let (sizes, answer) = asked(0);
        assert_eq!((sizes.len(), sizes.last(), answer), (9, Some(&(128 << 10)), Err(Errno::NOBUFS)));
    }
}
