//! [`UnixSocket`]: a Unix socket, from `struct unix_diag_msg`.

use super::{
    field,
    inet_filter::BY_FAMILY,
    message::{Attribute, Message, Request, RequestFlags, malformed},
    state::{SocketState, SocketStates},
};
use crate::{
    addr::UnixAddr,
    error::Result,
    option::{AcceptQueue, SocketMemory},
};

/// `AF_UNIX`
const UNIX: u8 = 1;
/// The length of `struct unix_diag_msg`.
const HEADER_LEN: usize = 16;
/// `UDIAG_SHOW_NAME`, `_VFS`, `_PEER`, `_ICONS`, `_RQLEN`, `_MEMINFO`, `_UID`
const SHOW_ALL: u32 = 0x7f;

/// How a Unix socket transfers bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum UnixKind {
    /// `SOCK_STREAM`
    Stream,
    /// `SOCK_DGRAM`
    Datagram,
    /// `SOCK_SEQPACKET`
    SeqPacket,
    /// Another, by the kernel's number.
    Other(u8),
}

/// The file of a Unix socket with a path.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct UnixFile {
    /// Its inode number in its file system, cut to 32 bits. It is not the socket's.
    pub inode: u32,
    /// Its device, in the kernel's form: 12 bits major, 20 bits minor.
    pub device: u32,
}

/// A Unix socket of this network namespace, of any process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[doc(alias = "unix_diag_msg")]
#[non_exhaustive]
pub struct UnixSocket {
    /// How it transfers bytes.
    pub kind: UnixKind,
    /// Its state: [`Listening`](SocketState::Listening), [`Established`](SocketState::Established),
    /// [`Closed`](SocketState::Closed), or [`SynReceived`](SocketState::SynReceived) before it is accepted.
    pub state: SocketState,
    /// Its inode number, for [`owner`](super::owner); 0 if it was not accepted yet.
    pub inode: u32,
    /// A number unique among all sockets of this host since boot.
    #[doc(alias = "SO_COOKIE")]
    pub cookie: u64,
    /// Its address.
    pub addr: UnixAddr,
    /// The file that its path names, or named when it was bound.
    #[doc(alias = "UNIX_DIAG_VFS")]
    pub file: Option<UnixFile>,
    /// The inode number of the peer's socket.
    #[doc(alias = "UNIX_DIAG_PEER")]
    pub peer: Option<u32>,
    /// The number of connections that wait to be accepted.
    #[doc(alias = "UNIX_DIAG_ICONS")]
    pub pending: Option<u32>,
    /// Bytes received and not read yet; of a listener, the pending connections.
    pub receive_queue: u32,
    /// Bytes sent and not read yet; of a listener, the backlog.
    pub send_queue: u32,
    /// Which directions are shut down: 1 receiving, 2 sending.
    pub shutdown: Option<u8>,
    /// The user whose process created it; since Linux 5.3.
    pub uid: Option<u32>,
    /// Its memory.
    pub memory: Option<SocketMemory>,
}

impl UnixSocket {
    /// Reads a reply to a request for Unix sockets; `None` for another message or family.
    ///
    /// # Errors
    ///
    /// [`MalformedMessage`](crate::error::Cause::MalformedMessage).
    pub fn parse(message: &Message<'_>) -> Result<Option<Self>> {
        if message.kind != BY_FAMILY || field::u8(message.payload, 0).ok_or(malformed())? != UNIX {
            return Ok(None);
        }
        let mut socket = Self::from_header(message.payload).ok_or(malformed())?;
        for attribute in message.attributes(HEADER_LEN) {
            socket.take(&attribute?);
        }
        Ok(Some(socket))
    }

    fn from_header(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        Some(Self {
            kind: match field::u8(bytes, 1)? {
                1 => UnixKind::Stream,
                2 => UnixKind::Datagram,
                5 => UnixKind::SeqPacket,
                other => UnixKind::Other(other),
            },
            state: SocketState::new(field::u8(bytes, 2)?),
            inode: field::u32(bytes, 4)?,
            cookie: u64::from(field::u32(bytes, 8)?) | u64::from(field::u32(bytes, 12)?) << 32,
            addr: UnixAddr::UNNAMED,
            file: None,
            peer: None,
            pending: None,
            receive_queue: 0,
            send_queue: 0,
            shutdown: None,
            uid: None,
            memory: None,
        })
    }

    /// Takes one attribute, by the numbers of `linux/unix_diag.h`.
    fn take(&mut self, attribute: &Attribute<'_>) {
        let second = field::u32(attribute.bytes(), 4);
        match attribute.kind() {
            0 => self.addr = UnixAddr::from_sun_path(attribute.bytes()),
            1 => self.file = attribute.u32().zip(second).map(|(inode, device)| UnixFile { inode, device }),
            2 => self.peer = attribute.u32(),
            3 => self.pending = Some((attribute.bytes().len() / 4) as u32),
            4 => {
                self.receive_queue = attribute.u32().unwrap_or(0);
                self.send_queue = second.unwrap_or(0);
            }
            5 => self.memory = Some(SocketMemory::parse(attribute.bytes())),
            6 => self.shutdown = attribute.u8(),
            7 => self.uid = attribute.u32(),
            _ => {}
        }
    }

    /// How full a listener's queue is; `None` for another socket.
    pub const fn accept_queue(&self) -> Option<AcceptQueue> {
        match self.state {
            SocketState::Listening => Some(AcceptQueue { len: self.receive_queue, backlog: self.send_queue }),
            _ => None,
        }
    }
}

/// `struct unix_diag_req` for all sockets in these states.
pub(super) fn request(states: SocketStates) -> Result<Request> {
    let mut header = [0; 24];
    let [family, _, _, _, a, b, c, d, _, _, _, _, e, f, g, h, ..] = &mut header;
    *family = UNIX;
    [*a, *b, *c, *d] = states.bits().to_ne_bytes();
    [*e, *f, *g, *h] = SHOW_ALL.to_ne_bytes();
    Request::new(BY_FAMILY, RequestFlags::DUMP, &header)
}
