//! One datagram of a batch.

use core::{fmt, net::IpAddr};

use crate::{
    addr::Endpoint,
    datagram::{
        Details, Segments,
        cmsg::{Decoder, Fds},
    },
    error::Result,
    sys::raw::Slot,
};

/// What is to be done with a slot.
#[derive(Clone, Copy)]
pub(super) struct State {
    /// The bytes that are left to send.
    start: usize,
    end: usize,
    /// 0: one datagram.
    segment_size: u16,
    is_unsent: bool,
    /// The address of this host to send from.
    source: Option<IpAddr>,
}

impl State {
    pub(super) const EMPTY: Self = Self { start: 0, end: 0, segment_size: 0, is_unsent: false, source: None };

    pub(super) const fn pushed(len: usize, segment_size: u16, source: Option<IpAddr>) -> Self {
        Self { start: 0, end: len, segment_size, is_unsent: true, source }
    }

    #[inline]
    pub(super) fn received<const LEN: usize, const CONTROL: usize>(slot: &Slot<LEN, CONTROL>) -> Self {
        let len = slot.whole_len.min(LEN);
        if slot.control.as_bytes().is_empty() {
            return Self::pushed(len, 0, None);
        }
        let details = Details::of(Decoder::new(slot.control.as_bytes()));
        Self::pushed(len, details.segment_size.unwrap_or(0), details.local_ip)
    }

    #[inline]
    pub(super) const fn is_unsent(&self) -> bool {
        self.is_unsent
    }

    /// Whether there is more than one datagram to send.
    #[inline]
    pub(super) const fn is_segmented(&self) -> bool {
        self.segment_size > 0 && self.end - self.start > self.segment_size as usize
    }

    pub(super) const fn source(&self) -> Option<IpAddr> {
        self.source
    }

    pub(super) const fn segment_size(&self) -> u16 {
        self.segment_size
    }

    #[inline]
    pub(super) fn bytes_of<'s, const LEN: usize, const CONTROL: usize>(
        &self,
        slot: &'s Slot<LEN, CONTROL>,
    ) -> &'s [u8] {
        slot.buf.0.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn finish(&mut self) {
        self.is_unsent = false;
    }

    /// Notes that whole datagrams of this many bytes were sent.
    pub(super) fn advance(&mut self, sent: usize) {
        self.start = self.start.saturating_add(sent).min(self.end);
        self.is_unsent = self.start < self.end;
    }
}

/// A datagram of a [`Batch`](super::Batch).
pub struct Entry<'b, const LEN: usize, const CONTROL: usize> {
    pub(super) slot: &'b Slot<LEN, CONTROL>,
    pub(super) state: &'b State,
}

impl<'b, const LEN: usize, const CONTROL: usize> Entry<'b, LEN, CONTROL> {
    /// Its bytes, as far as they fit into `LEN`.
    #[inline]
    pub fn bytes(&self) -> &'b [u8] {
        self.state.bytes_of(self.slot)
    }

    /// The length of the datagram or of each joined one.
    pub(super) fn datagram_len(&self) -> usize {
        match self.state.segment_size {
            0 => self.bytes().len(),
            size => self.bytes().len().min(size.into()),
        }
    }

    /// The sender of a received datagram, the destination of one to send: [`Endpoint::Unknown`] with family 0 for an
    /// unnamed Unix socket, and for the peer of a connected socket.
    #[inline]
    pub fn addr(&self) -> Endpoint {
        Endpoint::from_sockaddr(self.slot.name.as_bytes())
    }

    /// Whether a received datagram was longer than `LEN`.
    #[inline]
    pub fn is_truncated(&self) -> bool {
        self.slot.flags.is_truncated()
    }

    /// The length of a received datagram in bytes, which may exceed `LEN`.
    pub const fn whole_len(&self) -> usize {
        self.slot.whole_len
    }

    /// The control messages of a received datagram.
    pub fn messages(&self) -> Decoder<'b> {
        Decoder::new(self.slot.control.as_bytes())
    }

    /// Whether control messages did not fit into `CONTROL` bytes.
    pub fn is_control_truncated(&self) -> bool {
        self.slot.flags.is_control_truncated()
    }

    /// What the kernel reports of a received datagram.
    pub fn details(&self) -> Details {
        Details::of(self.messages())
    }
}

impl<const LEN: usize, const CONTROL: usize> fmt::Debug for Entry<'_, LEN, CONTROL> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("addr", &self.addr()).field("len", &self.bytes().len()).finish_non_exhaustive()
    }
}

/// A datagram of a [`Batch`](super::Batch), to change it.
pub struct EntryMut<'b, const LEN: usize, const CONTROL: usize> {
    pub(super) slot: &'b mut Slot<LEN, CONTROL>,
    pub(super) state: &'b mut State,
}

impl<const LEN: usize, const CONTROL: usize> EntryMut<'_, LEN, CONTROL> {
    /// The same, to read.
    #[inline]
    pub fn as_entry(&self) -> Entry<'_, LEN, CONTROL> {
        Entry { slot: self.slot, state: self.state }
    }

    /// Its bytes, as far as they fit into `LEN`.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.slot.buf.0.get_mut(self.state.start..self.state.end).unwrap_or_default()
    }

    /// The datagrams that the kernel has joined to this one, or the one datagram.
    #[doc(alias = "UDP_GRO")]
    pub fn segments_mut(&mut self) -> Segments<'_> {
        let size = Some(self.state.segment_size).filter(|&size| size > 0);
        Segments::new(self.bytes_mut(), size)
    }

    /// Replaces the bytes: `write` gets the whole buffer of `LEN` bytes, which begins with the present ones, and
    /// returns how many to send as one datagram, at most `LEN`.
    pub fn rewrite(&mut self, write: impl FnOnce(&mut [u8; LEN]) -> usize) {
        let len = write(&mut self.slot.buf.0).min(LEN);
        *self.state = State::pushed(len, 0, self.state.source);
    }

    /// Changes the destination.
    ///
    /// # Errors
    ///
    /// [`UnknownFamily`](crate::error::Cause::UnknownFamily).
    pub fn set_addr(&mut self, to: &Endpoint) -> Result<()> {
        self.slot.name = super::name_of(to)?;
        Ok(())
    }

    /// Takes the descriptors out of the control messages.
    pub fn take_fds(&mut self) -> Fds<'_> {
        Fds(self.slot.control.take_fds())
    }

    /// Drops the datagram: it is not sent.
    pub fn discard(self) {
        self.state.finish();
    }
}

impl<const LEN: usize, const CONTROL: usize> fmt::Debug for EntryMut<'_, LEN, CONTROL> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_entry().fmt(f)
    }
}
