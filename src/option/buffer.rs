//! The largest buffers that the kernel really grants.
//!
//! Linux clips what it is asked for to `net.core.wmem_max` or `rmem_max` and reports no error (`socket(7)`), so a
//! search that trusts the answer, such as memcached's, ends with the number it began with: 28 calls for 268435456 bytes
//! on a kernel that gave 8388608. Asking once for more than any kernel has and reading back is enough.

use rustix::{
    fd::{AsFd, BorrowedFd},
    io::Errno,
};

use super::sockopt;
use crate::error::{Op, Opt, Result, ResultExt};

/// What is asked for first, and all that Linux has to be asked. A kernel counts in `int`.
const MOST: usize = i32::MAX as usize;
/// What is asked for where too much is refused instead of clipped; a half each time.
const SMALLER: usize = 16 << 20;
const SMALLER_TRIES: u32 = 8;

/// Makes the send buffer as large as this process may, and returns its size in bytes as the kernel accounts it.
///
/// Linux doubles what it grants, for its own bookkeeping: the answer is twice `net.core.wmem_max`. It takes two calls.
/// Systems that refuse what is too large are asked for ever less, down to 128 KiB, in ten calls at most; there the
/// answer is within a factor of two of the limit.
///
/// A size above the limit that was set with privilege ([`set_send_buffer_size_force`]) is lost. On TCP a fixed size
/// ends the kernel's own adjusting, which may have gone higher: this is for datagrams.
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
/// The same as [`maximize_send_buffer`], with `net.core.rmem_max`. The kernel counts what a datagram occupies and not
/// only its bytes, so small ones fill the buffer before their sum does.
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

/// Asks for as much as there is, and for less as long as the system has no room for it.
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

    /// The sizes asked of a system that refuses more than `limit`.
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
    fn a_system_that_clips_is_asked_once() {
        assert_eq!(asked(usize::MAX), ([MOST].into(), Ok(())));
    }

    #[test]
    fn a_system_that_refuses_is_asked_for_half_each_time() {
        assert_eq!(asked(5 << 20), ([MOST, 16 << 20, 8 << 20, 4 << 20].into(), Ok(())));
        let (sizes, answer) = asked(0);
        assert_eq!((sizes.len(), sizes.last(), answer), (9, Some(&(128 << 10)), Err(Errno::NOBUFS)));
    }
}
