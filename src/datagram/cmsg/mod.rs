//! Control messages: what travels beside the bytes of a message, in both directions (`cmsg(3)`).
//!
//! [`Encoder`] writes them into a buffer of the caller, and [`Decoder`] reads them from one. Neither allocates, neither
//! asks for alignment, and no input makes them panic: a message of an unknown kind, or one that was cut short, is
//! [`ControlMessage::Unknown`] with its bytes as they are.
//!
//! [`Control`] holds what the kernel wrote, and owns the descriptors in it. Those that you do not
//! [take](Control::take_fds) are closed when it is dropped, also if the messages were truncated or the call's result is
//! discarded. All are close-on-exec from the start.
//!
//! ```
//! use anet::{Datagram, datagram::cmsg::{self, Encoder}, fd::AsFd};
//!
//! let (one, other) = Datagram::pair()?;
//! let file = std::fs::File::open("/dev/null")?;
//!
//! let mut space = [0; cmsg::fds_space(1)];
//! let mut outgoing = Encoder::new(&mut space);
//! outgoing.push_fds(&[file.as_fd()])?;
//! one.send_with(b"here is a file", None, &outgoing)?;
//!
//! let (mut buf, mut space) = ([0; 64], [0; cmsg::fds_space(1)]);
//! let mut message = other.recv_with(&mut buf, &mut space)?;
//! assert!(!message.control.is_truncated());
//! let received = message.control.take_fds().next();
//! assert!(received.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod control;
mod decode;
mod encode;
mod message;

pub use control::{Control, Fds};
pub use decode::Decoder;
pub use encode::{EncodeError, Encoder};
pub use message::*;

/// The most descriptors that one message carries.
#[doc(alias = "SCM_MAX_FD")]
pub const FDS_MAX: usize = 253;

/// The bytes that a control message with `len` bytes of data takes in a buffer.
#[doc(alias = "CMSG_SPACE")]
pub const fn space(len: usize) -> usize {
    crate::sys::cmsg::space(len)
}

/// The bytes that a control message with `count` descriptors takes in a buffer.
///
/// On 64-bit systems the space for an odd number also holds one more: a peer that sends one more gets it through.
pub const fn fds_space(count: usize) -> usize {
    space(count.saturating_mul(size_of::<i32>()))
}

/// The bytes that hold all that [`Request`](super::Request) can ask for, and the report of an error.
pub const DETAILS_SPACE: usize = {
    let (credentials, packet_info_v4, packet_info_v6, time) = (space(12), space(12), space(20), space(16));
    // Traffic class and hop limit of both families, the segment size, the drops.
    let numbers = 6 * space(4);
    // `sock_extended_err` and `sockaddr_in6`.
    let error = space(16 + 28);
    credentials + packet_info_v4 + packet_info_v6 + time + numbers + error
};
