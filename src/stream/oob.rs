//! Out-of-band data: TCP's urgent byte (`tcp(7)`, RFC 6093).

use rustix::fd::AsFd;

use super::Stream;
use crate::{
    error::{Cause, Error, Op, Result, ResultExt},
    sys,
};

/// Out-of-band data: one byte that overtakes the others at the receiver, not on the way.
///
/// The byte keeps its place in the stream, the *mark*. A read never crosses the mark: it ends there, and the next one
/// continues behind it. A second out-of-band byte replaces the first, which then is an ordinary byte of the stream.
/// [`PRIORITY`](crate::event::Interest::PRIORITY) reports that one has arrived. Unix streams have it since Linux 5.15.
///
/// RFC 6093 advises new protocols against it: firewalls may clear the mark, and then the byte is read with the others.
impl Stream {
    /// Sends one out-of-band byte behind what was written before.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write); `EOPNOTSUPP` where Unix streams do not support it.
    #[doc(alias = "MSG_OOB")]
    #[doc(alias = "send_out_of_band")]
    pub fn write_oob(&self, byte: u8) -> Result<()> {
        sys::send_oob(self.as_fd(), &[byte]).op(Op::Write).map(drop)
    }

    /// Takes the out-of-band byte, whatever else is unread.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is none, it was taken already, or it is read [inline](crate::option::set_oobinline); `EAGAIN`
    /// if it is announced and still on the way; [`EndOfStream`](Cause::EndOfStream) after the end.
    #[doc(alias = "MSG_OOB")]
    pub fn read_oob(&self) -> Result<u8> {
        let mut byte = [0];
        match sys::recv_oob(self.as_fd(), &mut byte).op(Op::Read)? {
            0 => Err(Error::refused(Op::Read, Cause::EndOfStream)),
            _ => Ok(byte[0]),
        }
    }

    /// Whether the next byte to read is behind the mark, or is the out-of-band byte itself if it is read
    /// [inline](crate::option::set_oobinline). To discard everything before the mark, read until this returns `true`.
    ///
    /// # Errors
    ///
    /// `EINVAL`, `ENOTTY` or `EOPNOTSUPP` for a socket without out-of-band data.
    #[doc(alias = "sockatmark")]
    #[doc(alias = "SIOCATMARK")]
    pub fn at_mark(&self) -> Result<bool> {
        sys::at_mark(self.as_fd()).op(Op::AtMark)
    }
}
