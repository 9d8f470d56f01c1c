//! [`Segmenter`]: many datagrams in one call (GSO), or one by one where the kernel or the path refuses.

use rustix::fd::AsFd;

use super::{
    Datagram,
    cmsg::{self, Encoder},
    send_error,
};
use crate::{
    addr::Endpoint,
    error::{Errno, Error, Op, Result, ResultExt},
    option,
    sys::{
        self,
        cmsg::append,
        raw::{self, Name, Outgoing},
    },
};

/// The most datagrams that all kernels with `UDP_SEGMENT` take in one call.
pub const SEGMENTS_MAX: usize = 64;
/// The most bytes of one call: those of a UDP datagram over IPv4.
pub(super) const LEN_MAX: usize = 65507;
/// The most control messages that go with a segment size. With more, datagrams are sent one by one.
const CONTROL_MAX: usize = cmsg::DETAILS_SPACE;

/// Sends many datagrams of one size to one destination in one call: generic segmentation offload.
///
/// The kernel splits the bytes after it has passed them down its stack once, or leaves that to the network device. It
/// refuses for some sockets (`EINVAL`, such as for `SO_NO_CHECK`), segments longer than the MTU (`EINVAL`, `EMSGSIZE`)
/// and some paths (`EIO`: a device without checksum offload); the datagrams are then sent one by one at once, and none
/// is lost. Unix sockets and kernels before Linux 4.18 ignore the request, so for them they are sent one by one from the
/// start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[doc(alias = "UDP_SEGMENT")]
#[doc(alias = "GSO")]
pub struct Segmenter {
    is_offloaded: bool,
    /// The longest segments to ask the kernel for: longer ones it has refused.
    longest: usize,
}

impl Segmenter {
    /// Finds out whether the kernel splits for this socket, with one system call.
    pub fn for_socket(socket: &Datagram) -> Self {
        Self { is_offloaded: option::udp_segment(socket).is_ok(), longest: usize::MAX }
    }

    /// Sends one by one.
    pub const fn one_by_one() -> Self {
        Self { is_offloaded: false, longest: usize::MAX }
    }

    /// Whether the kernel is asked to split. After it has refused a path, it is no longer asked.
    pub const fn is_offloaded(&self) -> bool {
        self.is_offloaded
    }

    pub(super) const fn longest(&self) -> usize {
        self.longest
    }

    /// Notes that the kernel does not split into longer segments, though it sends them one by one.
    pub(super) fn limit_to(&mut self, longest: usize) {
        self.longest = self.longest.min(longest);
    }

    /// Sends `bytes` as datagrams of `segment_size` bytes, the last of which may be shorter, to the peer of a connected
    /// socket (`None`) or to an address. Returns how many bytes were sent: all, or a whole number of datagrams if the
    /// send buffer is full. Without bytes, it sends nothing.
    ///
    /// ```
    /// use anet::{Datagram, SocketOptions, datagram::Segmenter, listen};
    ///
    /// let server = listen::udp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
    /// let client = Datagram::connected(&server.local_addr()?, &SocketOptions::new())?;
    /// let mut segmenter = Segmenter::for_socket(&client);
    /// assert_eq!(segmenter.send(&client, &[0; 2500], 1200, None)?, 2500);
    ///
    /// let mut buf = [0; 2048];
    /// assert_eq!(server.recv_from(&mut buf)?.0.bytes.len(), 1200);
    /// assert_eq!(server.recv_from(&mut buf)?.0.bytes.len(), 1200);
    /// assert_eq!(server.recv_from(&mut buf)?.0.bytes.len(), 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Datagram::send_to`], if nothing was sent. `EINVAL` for a segment size of zero.
    pub fn send(&mut self, socket: &Datagram, bytes: &[u8], segment_size: u16, to: Option<&Endpoint>) -> Result<usize> {
        self.send_with(socket, bytes, segment_size, to, &Encoder::default())
    }

    /// Sends as [`send`](Self::send) does, with control messages that hold for each of the datagrams, such as the
    /// source address and the traffic class.
    ///
    /// ```
    /// use anet::{Datagram, SocketOptions, datagram::{Segmenter, cmsg::{self, ControlMessage, Ecn, Encoder}}, listen};
    ///
    /// # let peer = listen::udp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
    /// # let to = peer.local_addr()?;
    /// let server = listen::udp("0.0.0.0:0".parse()?, &SocketOptions::new())?;
    /// let mut segmenter = Segmenter::for_socket(&server);
    /// let mut space = [0; 64];
    /// let mut control = Encoder::new(&mut space);
    /// control.push(&ControlMessage::source("127.0.0.9".parse()?))?;
    /// control.push(&ControlMessage::TypeOfService(Ecn::Capable0.bits()))?;
    /// segmenter.send_with(&server, &[0; 2500], 1200, Some(&to), &control)?;
    /// # let mut buf = [0; 2048];
    /// # assert_eq!(peer.recv_from(&mut buf)?.1.ip(), Some("127.0.0.9".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send) and of [`Datagram::send_with`].
    pub fn send_with(
        &mut self,
        socket: &Datagram,
        bytes: &[u8],
        segment_size: u16,
        to: Option<&Endpoint>,
        control: &Encoder<'_>,
    ) -> Result<usize> {
        let name = match to {
            Some(to) => sys::name_of(to).op_with(Op::SendMessage, to)?,
            None => Name::NONE,
        };
        let size = usize::from(segment_size);
        let per_call =
            LEN_MAX.checked_div(size).ok_or(Error::new(Op::SendMessage, Errno::INVAL))?.clamp(1, SEGMENTS_MAX);
        let mut sent = 0;
        for chunk in bytes.chunks(per_call * size) {
            let message = Outgoing { to: &name, bytes: chunk, control: control.as_bytes() };
            let (done, refused) = self.send_chunk(socket, &message, segment_size);
            sent += done;
            match refused {
                Some(errno) if sent == 0 => return Err(send_error(Op::SendMessage, errno, size.min(chunk.len()), to)),
                Some(_) => return Ok(sent),
                None => {}
            }
        }
        Ok(sent)
    }

    /// Sends what fits into one call; returns how many bytes went, and the error that kept the rest.
    fn send_chunk(&mut self, socket: &Datagram, message: &Outgoing<'_>, segment_size: u16) -> (usize, Option<Errno>) {
        let size = usize::from(segment_size);
        let is_room = message.control.len() <= CONTROL_MAX;
        if !self.is_offloaded || message.bytes.len() <= size || size > self.longest || !is_room {
            return send_one_by_one(socket, message, size);
        }
        match send_split_by_kernel(socket, message, segment_size) {
            Ok(()) => (message.bytes.len(), None),
            Err(errno) if self.accepts_refusal(errno) => {
                let outcome = send_one_by_one(socket, message, size);
                if outcome.0 > 0 {
                    self.limit_to(size.saturating_sub(1));
                }
                outcome
            }
            Err(errno) => (0, Some(errno)),
        }
    }

    /// Whether an error means that the kernel does not split these bytes. `EIO` holds for the whole path. Segments that
    /// are longer than the MTU are refused with `EINVAL`, and with `EMSGSIZE` since Linux 6.14.
    pub(super) fn accepts_refusal(&mut self, errno: Errno) -> bool {
        self.is_offloaded &= errno != Errno::IO;
        matches!(errno, Errno::IO | Errno::INVAL | Errno::MSGSIZE)
    }
}

fn send_split_by_kernel(socket: &Datagram, message: &Outgoing<'_>, segment_size: u16) -> sys::Result<()> {
    let mut space = [0; CONTROL_MAX + cmsg::space(size_of::<u16>())];
    let given = message.control.len();
    space.get_mut(..given).ok_or(Errno::INVAL)?.copy_from_slice(message.control);
    let (level, kind) = (raw::name::SOL_UDP, raw::name::UDP_SEGMENT);
    let len = append(&mut space, given, level, kind, &segment_size.to_ne_bytes()).ok_or(Errno::INVAL)?;
    let control = space.get(..len).unwrap_or_default();
    raw::sendmsg(socket.as_fd(), &Outgoing { control, ..*message }).map(drop)
}

fn send_one_by_one(socket: &Datagram, message: &Outgoing<'_>, size: usize) -> (usize, Option<Errno>) {
    let mut sent = 0;
    for bytes in message.bytes.chunks(size.max(1)) {
        let outcome = match message.control {
            [] => sys::send_to_name(socket.as_fd(), bytes, message.to),
            _ => raw::sendmsg(socket.as_fd(), &Outgoing { bytes, ..*message }).map(drop),
        };
        if let Err(errno) = outcome {
            return (sent, Some(errno));
        }
        sent += bytes.len();
    }
    (sent, None)
}
