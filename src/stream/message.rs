//! Streams with control messages: descriptors and credentials over Unix sockets, timestamps over TCP.

use rustix::fd::AsFd;

use super::Stream;
use crate::{
    datagram::cmsg::{Control, Encoder},
    error::{Op, Result, ResultExt},
    sys::raw::{self, Name, Outgoing, Receive},
};

impl Stream {
    /// Reads as [`read`](Self::read) does, and the control messages that came with the bytes.
    ///
    /// A read ends where the sender of the bytes changes or descriptors come with the next bytes, so that each read
    /// returns at most one message of descriptors. A plain [`read`](Self::read) closes them.
    ///
    /// ```
    /// use anet::{Stream, datagram::cmsg::{self, Encoder}, fd::AsFd};
    ///
    /// # let (one, other) = std::os::unix::net::UnixStream::pair()?;
    /// # let [one, other] = [one, other].map(|end| Stream::from(std::os::fd::OwnedFd::from(end)));
    /// let file = std::fs::File::open("/dev/null")?;
    /// let mut space = [0; cmsg::fds_space(1)];
    /// let mut control = Encoder::new(&mut space);
    /// control.push_fds(&[file.as_fd()])?;
    /// one.send_with(b"x", &control)?;
    ///
    /// let (mut buf, mut space) = ([0; 16], [0; cmsg::fds_space(1)]);
    /// let (len, mut control) = other.recv_with(&mut buf, &mut space)?;
    /// assert_eq!((len, control.take_fds().count()), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    #[doc(alias = "recvmsg")]
    #[inline]
    pub fn recv_with<'c>(&self, buf: &mut [u8], control: &'c mut [u8]) -> Result<(usize, Control<'c>)> {
        let mut name = Name::NONE;
        let received =
            raw::recvmsg(self.fd.as_fd(), buf, &mut name, control, Receive::Stream).op(Op::ReceiveMessage)?;
        let is_truncated = received.flags.is_control_truncated();
        Ok((received.whole_len, Control::new(received.control, is_truncated)))
    }

    /// Writes as [`write`](Self::write) does, with control messages, which go with the first byte: if not all bytes are
    /// written, do not send them again with the rest. At least one byte must be written for them to go.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write), and of control messages as for
    /// [`Datagram::send_with`](crate::Datagram::send_with).
    #[doc(alias = "sendmsg")]
    #[inline]
    pub fn send_with(&self, buf: &[u8], control: &Encoder<'_>) -> Result<usize> {
        let message = Outgoing { to: &Name::NONE, bytes: buf, control: control.as_bytes() };
        raw::sendmsg(self.fd.as_fd(), &message).op(Op::SendMessage)
    }
}
