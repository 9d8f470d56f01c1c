//! [`SocketMemory`]: what a socket's buffers hold.

use rustix::fd::AsFd;

use crate::{
    error::{Op, Opt, Result, ResultExt},
    sys::raw::{self, OptionName},
};

/// The memory of a socket, in bytes as the kernel accounts them: with its own structures, so more than the data.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[doc(alias = "SK_MEMINFO_VARS")]
#[non_exhaustive]
pub struct SocketMemory {
    /// Received and not read yet.
    pub receive_bytes: u32,
    /// The limit of [`receive_bytes`](Self::receive_bytes).
    pub receive_limit_bytes: u32,
    /// Handed to the device and not sent yet.
    pub transmit_bytes: u32,
    /// The limit of [`queued_bytes`](Self::queued_bytes).
    pub send_limit_bytes: u32,
    /// Reserved, for either direction.
    pub reserved_bytes: u32,
    /// Written and not acknowledged yet.
    pub queued_bytes: u32,
    /// Options and filters.
    pub option_bytes: u32,
    /// Received while the socket was in use, and not processed yet.
    pub backlog_bytes: u32,
    /// Datagrams or connections dropped since the socket was created, for want of room.
    pub drops: u32,
}

impl SocketMemory {
    /// Nine numbers; those that an older kernel lacks are 0.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut numbers = bytes.chunks_exact(4).map(|chunk| chunk.first_chunk().copied().map_or(0, u32::from_ne_bytes));
        let mut next = || numbers.next().unwrap_or(0);
        Self {
            receive_bytes: next(),
            receive_limit_bytes: next(),
            transmit_bytes: next(),
            send_limit_bytes: next(),
            reserved_bytes: next(),
            queued_bytes: next(),
            option_bytes: next(),
            backlog_bytes: next(),
            drops: next(),
        }
    }
}

/// What the buffers of a socket hold; since Linux 4.12.
///
/// # Errors
///
/// See the [module](super).
#[doc(alias = "SO_MEMINFO")]
pub fn memory(fd: impl AsFd) -> Result<SocketMemory> {
    let mut bytes = [0; 36];
    let len = raw::getsockopt(fd.as_fd(), OptionName::SO_MEMINFO, &mut bytes).op(Op::Get(Opt::SO_MEMINFO))?;
    Ok(SocketMemory::parse(bytes.get(..len).unwrap_or_default()))
}
