//! [`Batch`]: many datagrams in one system call, in memory of the caller.
//!
//! A batch holds up to `N` datagrams of up to `LEN` bytes, each with its address. [`recv`](Batch::recv) fills it, and
//! [`send`](Batch::send) sends what it holds: a server receives a batch, turns each request into its answer in place,
//! discards those that get none, and sends the batch back.
//!
//! ```
//! use anet::{Datagram, SocketOptions, datagram::Batch, listen};
//!
//! let server = listen::udp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
//! # let client = Datagram::connected(&server.local_addr()?, &SocketOptions::new())?;
//! # for request in [&b"?one"[..], b"noise", b"?two"] {
//! #     client.send(request)?;
//! # }
//! let mut batch = Batch::<32, 1500>::new();
//! batch.recv(&server)?;
//! for mut request in batch.iter_mut() {
//!     match request.bytes_mut() {
//!         [first @ b'?', ..] => *first = b'!',
//!         _ => request.discard(),
//!     }
//! }
//! batch.send(&server)?;
//! assert!(batch.is_empty());
//! # let mut buf = [0; 8];
//! # assert_eq!(client.recv(&mut buf)?.bytes, b"!one");
//! # assert_eq!(client.recv(&mut buf)?.bytes, b"!two");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A system call is a small part of what a datagram costs the kernel. Two functions make the kernel do less:
//! [`send_joined`](Batch::send_joined) sends neighbours to one address as one message, and with
//! [`Request::SEGMENTS`](super::Request::SEGMENTS) an entry may hold many datagrams of one sender, which
//! [`segments_mut`](EntryMut::segments_mut) takes apart.

mod entry;
mod sending;

use core::{fmt, net::IpAddr};

use rustix::fd::AsFd;

use super::Datagram;
use crate::{
    addr::Endpoint,
    error::{Cause, Error, Op, Result, ResultExt},
    sys::{
        self,
        raw::{self, Flags, Name, Sender, Slot},
    },
};

use entry::State;
pub use entry::{Entry, EntryMut};

/// Up to `N` datagrams of up to `LEN` bytes, each with `CONTROL` bytes for control messages.
///
/// It takes `N * (LEN + CONTROL + 256)` bytes or a little less, wherever you place it: on the stack, in a `Box`, in a
/// `static`. Receiving and sending build the kernel's headers anew on the stack (at most 180 bytes each), so no length
/// is left over from the call before, and a batch may be moved.
pub struct Batch<const N: usize, const LEN: usize, const CONTROL: usize = 0> {
    slots: [Slot<LEN, CONTROL>; N],
    states: [State; N],
    /// How many slots are in use, from the front.
    used: usize,
    /// Whether a path has refused to have datagrams split for it.
    is_path_refused: bool,
}

impl<const N: usize, const LEN: usize, const CONTROL: usize> Batch<N, LEN, CONTROL> {
    /// An empty batch.
    pub const fn new() -> Self {
        Self { slots: [const { Slot::EMPTY }; N], states: [State::EMPTY; N], used: 0, is_path_refused: false }
    }

    /// How many datagrams the batch holds that are neither sent nor discarded.
    pub fn len(&self) -> usize {
        self.in_use().filter(|(_, state)| state.is_unsent()).count()
    }

    /// Whether the batch holds no datagram that is neither sent nor discarded.
    pub fn is_empty(&self) -> bool {
        !self.in_use().any(|(_, state)| state.is_unsent())
    }

    /// Whether [`push`](Self::push) has no room left. Sent and discarded datagrams keep their places until all are.
    pub fn is_full(&self) -> bool {
        N == 0 || (self.used == N && !self.is_empty())
    }

    /// Drops all datagrams, and closes the descriptors that came with them.
    pub fn clear(&mut self) {
        self.slots.iter_mut().take(self.used).for_each(|slot| slot.control.clear());
        self.used = 0;
    }

    fn in_use(&self) -> impl Iterator<Item = (&Slot<LEN, CONTROL>, &State)> {
        self.slots.iter().zip(&self.states).take(self.used)
    }

    /// The datagrams that are neither sent nor discarded.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_, LEN, CONTROL>> {
        self.in_use().filter(|(_, state)| state.is_unsent()).map(|(slot, state)| Entry { slot, state })
    }

    /// The same, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = EntryMut<'_, LEN, CONTROL>> {
        let in_use = self.slots.iter_mut().zip(&mut self.states).take(self.used);
        in_use.filter(|(_, state)| state.is_unsent()).map(|(slot, state)| EntryMut { slot, state })
    }

    /// Drops what the batch holds, and receives up to `N` datagrams; returns how many. On a blocking socket it waits
    /// for the first.
    ///
    /// # Errors
    ///
    /// Those of [`Datagram::recv_from`]. An error that strikes after the first datagram is returned by the next call.
    #[doc(alias = "recvmmsg")]
    #[inline]
    pub fn recv(&mut self, socket: &Datagram) -> Result<usize> {
        self.receive(socket, Sender::Named)
    }

    /// Receives as [`recv`](Self::recv) does, on a connected socket: the kernel does not copy the address of the peer
    /// for each datagram, so [`addr`](Entry::addr) does not return it. [`send`](Self::send) answers the peer.
    ///
    /// It takes a seventh less time than `recv` (64 datagrams of 64 bytes over loopback, Linux 6.18).
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv).
    #[inline]
    pub fn recv_connected(&mut self, socket: &Datagram) -> Result<usize> {
        self.receive(socket, Sender::Peer)
    }

    #[inline]
    fn receive(&mut self, socket: &Datagram, sender: Sender) -> Result<usize> {
        self.clear();
        self.used = raw::recvmmsg(socket.as_fd(), &mut self.slots, sender).op(Op::ReceiveMessages)?;
        for (slot, state) in self.slots.iter().zip(&mut self.states).take(self.used) {
            *state = State::received(slot);
        }
        Ok(self.used)
    }

    /// Appends a datagram to an address, or to the peer of a connected socket (`None`).
    ///
    /// # Errors
    ///
    /// [`NoRoom`](Cause::NoRoom) if the batch is full, [`DatagramTooLong`](Cause::DatagramTooLong) for more than `LEN`
    /// bytes, [`UnknownFamily`](Cause::UnknownFamily).
    pub fn push(&mut self, bytes: &[u8], to: Option<&Endpoint>) -> Result<()> {
        self.append(bytes, 0, to, None)
    }

    /// Appends a datagram that leaves from the address `source` of this host: a server that listens on all addresses
    /// answers from [the one that was asked](super::Details::local_ip). With `None`, routing chooses.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    #[doc(alias = "IP_PKTINFO")]
    pub fn push_from(&mut self, bytes: &[u8], to: Option<&Endpoint>, source: Option<IpAddr>) -> Result<()> {
        self.append(bytes, 0, to, source)
    }

    /// Appends `bytes` as datagrams of `segment_size` bytes, which count as one; see [`Segmenter`](super::Segmenter).
    /// With a size of zero they are one datagram. The kernel splits at most 64 datagrams and 65507 bytes; more are sent
    /// one by one.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    #[doc(alias = "UDP_SEGMENT")]
    pub fn push_segments(&mut self, bytes: &[u8], segment_size: u16, to: Option<&Endpoint>) -> Result<()> {
        self.append(bytes, segment_size, to, None)
    }

    fn append(&mut self, bytes: &[u8], segment_size: u16, to: Option<&Endpoint>, source: Option<IpAddr>) -> Result<()> {
        let name = match to {
            Some(to) => name_of(to)?,
            None => Name::NONE,
        };
        if self.is_empty() {
            self.clear();
        }
        let (Some(slot), Some(state)) = (self.slots.get_mut(self.used), self.states.get_mut(self.used)) else {
            return Err(Error::refused(Op::SendMessages, Cause::NoRoom));
        };
        let Some(buf) = slot.buf.0.get_mut(..bytes.len()) else {
            return Err(too_long(bytes.len()));
        };
        buf.copy_from_slice(bytes);
        slot.name = name;
        (slot.whole_len, slot.flags) = (bytes.len(), Flags::NONE);
        *state = State::pushed(bytes.len(), segment_size, source);
        self.used += 1;
        Ok(())
    }

    /// Discards the first datagram, such as one that cannot be sent; returns whether there was one.
    pub fn skip(&mut self) -> bool {
        let first = self.iter_mut().next();
        first.map(EntryMut::discard).is_some()
    }
}

fn name_of(to: &Endpoint) -> Result<Name> {
    sys::name_of(to).map_err(|errno| match to {
        Endpoint::Unknown { family } => {
            Error::refused(Op::SendMessages, Cause::UnknownFamily { family: (*family).into() })
        }
        _ => Error::new(Op::SendMessages, errno),
    })
}

fn too_long(len: usize) -> Error {
    Error::refused(Op::SendMessages, Cause::DatagramTooLong { len: u32::try_from(len).unwrap_or(u32::MAX) })
}

impl<const N: usize, const LEN: usize, const CONTROL: usize> Default for Batch<N, LEN, CONTROL> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize, const LEN: usize, const CONTROL: usize> fmt::Debug for Batch<N, LEN, CONTROL> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
