//! Received control messages.

use rustix::fd::OwnedFd;

use super::Decoder;
use crate::{datagram::Details, sys::raw};

/// The control messages of a received message, and the owner of the descriptors in them.
///
/// Dropping it closes the descriptors that were not taken.
#[derive(Debug)]
pub struct Control<'c> {
    raw: raw::Control<'c>,
    is_truncated: bool,
}

impl<'c> Control<'c> {
    pub(crate) const fn new(raw: raw::Control<'c>, is_truncated: bool) -> Self {
        Self { raw, is_truncated }
    }

    /// Whether the buffer was too small: messages are missing, or the last one was cut short. Of the descriptors in a
    /// message that was cut, those that fit are here; the kernel has closed the others.
    #[doc(alias = "MSG_CTRUNC")]
    pub const fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// The messages.
    pub fn messages(&self) -> Decoder<'_> {
        Decoder::new(self.raw.as_bytes())
    }

    /// Takes the descriptors out of the messages, in order: those of `SCM_RIGHTS`, and of `SCM_PIDFD`. If the iterator
    /// is dropped early, the rest stay here.
    pub fn take_fds(&mut self) -> Fds<'_> {
        Fds(self.raw.take_fds())
    }

    /// The messages that describe a datagram, as one value.
    pub fn details(&self) -> Details {
        Details::of(self.messages())
    }
}

/// The received descriptors, each owned by the caller once it is returned.
#[derive(Debug)]
pub struct Fds<'c>(pub(crate) raw::TakeFds<'c>);

impl Iterator for Fds<'_> {
    type Item = OwnedFd;

    fn next(&mut self) -> Option<OwnedFd> {
        self.0.next()
    }
}
