//! Datagrams with control messages: what the kernel reports of a datagram, and what a sender asks for.

use core::slice;

use rustix::fd::AsFd;

use super::{
    Datagram, Details, Request,
    cmsg::{Control, ControlMessage, Encoder, ExtendedError},
    details,
};
use crate::{
    addr::Endpoint,
    error::{Op, Result, ResultExt},
    sys::{
        self,
        raw::{self, Name, Outgoing, Receive},
    },
};

/// A received datagram, with all that the kernel reports of it.
#[derive(Debug)]
pub struct Message<'buf, 'c> {
    /// The bytes of the datagram that fit into the buffer.
    pub bytes: &'buf mut [u8],
    /// The sender; [`Endpoint::Unknown`] with family 0 for an unnamed Unix socket.
    pub from: Endpoint,
    /// The control messages, and the descriptors that arrived with them.
    pub control: Control<'c>,
    whole_len: usize,
}

impl Message<'_, '_> {
    /// Whether the datagram was longer than the buffer. The rest of it is lost.
    #[doc(alias = "MSG_TRUNC")]
    pub const fn is_truncated(&self) -> bool {
        self.whole_len > self.bytes.len()
    }

    /// The length of the datagram in bytes.
    pub const fn whole_len(&self) -> usize {
        self.whole_len
    }

    /// What the kernel reports of the datagram.
    pub fn details(&self) -> Details {
        self.control.details()
    }

    /// The datagrams that the kernel has joined to this one, or the one datagram.
    ///
    /// ```
    /// use anet::{Datagram, SocketOptions, datagram::{Request, Segmenter, cmsg}, listen};
    ///
    /// let server = listen::udp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
    /// server.request(Request::SEGMENTS)?;
    /// let client = Datagram::connected(&server.local_addr()?, &SocketOptions::new())?;
    /// Segmenter::for_socket(&client).send(&client, &[7; 2500], 1000, None)?;
    ///
    /// let (mut buf, mut space) = ([0; 65535], [0; cmsg::DETAILS_SPACE]);
    /// let mut lengths = Vec::new();
    /// while lengths.len() < 3 {
    ///     let mut message = server.recv_with(&mut buf, &mut space)?;
    ///     lengths.extend(message.segments().map(|datagram| datagram.len()));
    /// }
    /// assert_eq!(lengths, [1000, 1000, 500]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "UDP_GRO")]
    pub fn segments(&mut self) -> Segments<'_> {
        let size = self.details().segment_size;
        Segments::new(self.bytes, size)
    }
}

/// The datagrams in a buffer, in the order of their arrival.
#[derive(Debug)]
pub struct Segments<'buf> {
    chunks: slice::ChunksMut<'buf, u8>,
    /// An empty datagram, which has no chunk.
    is_empty: bool,
}

impl<'buf> Segments<'buf> {
    pub(super) fn new(bytes: &'buf mut [u8], size: Option<u16>) -> Self {
        let is_empty = bytes.is_empty();
        let size = size.map_or(bytes.len(), usize::from).max(1);
        Self { chunks: bytes.chunks_mut(size), is_empty }
    }
}

impl<'buf> Iterator for Segments<'buf> {
    type Item = &'buf mut [u8];

    #[inline]
    fn next(&mut self) -> Option<&'buf mut [u8]> {
        if core::mem::take(&mut self.is_empty) {
            return Some(&mut []);
        }
        self.chunks.next()
    }
}

/// A datagram that was not delivered, and why.
#[derive(Debug)]
pub struct Undelivered<'buf> {
    /// The bytes that the report quotes of the datagram, as many as fit into the buffer. Over loopback that is all; a
    /// router may quote as few as none.
    pub bytes: &'buf mut [u8],
    /// The destination of the datagram.
    pub to: Endpoint,
    /// The error; `None` if the control buffer has no room for it.
    pub error: Option<ExtendedError>,
}

impl Datagram {
    /// Asks the kernel to report more with each datagram, which [`recv_with`](Self::recv_with) then returns as
    /// [`Details`]. Requests that do not apply to the socket's family are ignored. The functions of
    /// [`option`](crate::option) turn a single one off.
    ///
    /// # Errors
    ///
    /// `ENOPROTOOPT` for [`SEGMENTS`](Request::SEGMENTS) before Linux 5.0; those of the options.
    pub fn request(&self, what: Request) -> Result<()> {
        details::request(self.fd.as_fd(), what)
    }

    /// Receives one datagram into `buf`, and its control messages into `control`, which may be of any size and
    /// alignment: [`cmsg::DETAILS_SPACE`](super::cmsg::DETAILS_SPACE) bytes hold all that can be
    /// [requested](Self::request). Messages without room are left out, which [`Control::is_truncated`] reports.
    ///
    /// ```
    /// use anet::{Datagram, SocketOptions, datagram::{Request, cmsg}, listen};
    ///
    /// let server = listen::udp("0.0.0.0:0".parse()?, &SocketOptions::new())?;
    /// server.request(Request::LOCAL_ADDR | Request::TTL)?;
    /// # let port = server.local_addr()?.port().ok_or("port")?;
    /// # let client = Datagram::connected(&format!("127.0.0.1:{port}").parse()?, &SocketOptions::new())?;
    /// # client.send(b"hello")?;
    ///
    /// let (mut buf, mut control) = ([0; 2048], [0; cmsg::DETAILS_SPACE]);
    /// let message = server.recv_with(&mut buf, &mut control)?;
    /// let details = message.details();
    /// assert_eq!(details.local_ip, Some("127.0.0.1".parse()?));
    /// assert_eq!(details.ttl, Some(64));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`recv_from`](Self::recv_from).
    #[doc(alias = "recvmsg")]
    #[inline]
    pub fn recv_with<'buf, 'c>(&self, buf: &'buf mut [u8], control: &'c mut [u8]) -> Result<Message<'buf, 'c>> {
        self.receive(buf, control, Receive::Datagram)
    }

    fn receive<'buf, 'c>(&self, buf: &'buf mut [u8], control: &'c mut [u8], how: Receive) -> Result<Message<'buf, 'c>> {
        let mut name = Name::NONE;
        let received = raw::recvmsg(self.fd.as_fd(), buf, &mut name, control, how).op(Op::ReceiveMessage)?;
        let len = buf.len().min(received.whole_len);
        Ok(Message {
            bytes: buf.get_mut(..len).unwrap_or_default(),
            from: Endpoint::from_sockaddr(name.as_bytes()),
            control: Control::new(received.control, received.flags.is_control_truncated()),
            whole_len: received.whole_len,
        })
    }

    /// Sends one datagram with control messages, to the peer of a connected socket (`None`) or to an address.
    ///
    /// ```
    /// use anet::{Datagram, SocketOptions, datagram::cmsg::{self, ControlMessage, Ecn, Encoder}};
    ///
    /// # let server = anet::listen::udp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
    /// let client = Datagram::connected(&server.local_addr()?, &SocketOptions::new())?;
    /// let mut space = [0; cmsg::space(4)];
    /// let mut control = Encoder::new(&mut space);
    /// control.push(&ControlMessage::TypeOfService(Ecn::Capable0.bits()))?;
    /// client.send_with(b"hello", None, &control)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`send_to`](Self::send_to); `EINVAL` for a message that the socket does not take, `EBADF` for a
    /// descriptor that is not open, `ETOOMANYREFS` for too many descriptors in flight, `EPERM` for credentials of
    /// another process without privilege.
    #[doc(alias = "sendmsg")]
    #[inline]
    pub fn send_with(&self, bytes: &[u8], to: Option<&Endpoint>, control: &Encoder<'_>) -> Result<()> {
        let name = match to {
            Some(to) => sys::name_of(to).op_with(Op::SendMessage, to)?,
            None => Name::NONE,
        };
        let message = Outgoing { to: &name, bytes, control: control.as_bytes() };
        let sent = raw::sendmsg(self.fd.as_fd(), &message);
        sent.map(drop).map_err(|errno| super::send_error(Op::SendMessage, errno, bytes.len(), to))
    }

    /// Takes the report of a datagram that was not delivered, after
    /// [`request(Request::ERRORS)`](Self::request). Never blocks.
    ///
    /// With this request, errors from the network are returned also on a socket that is not connected, by the next call
    /// that sends or receives, and the report names the destination and the host that refused. While reports are
    /// queued, the socket has the readiness of an error, and is readable.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if no report is queued.
    #[doc(alias = "MSG_ERRQUEUE")]
    #[doc(alias = "IP_RECVERR")]
    pub fn recv_error<'buf>(&self, buf: &'buf mut [u8]) -> Result<Undelivered<'buf>> {
        let mut space = [0; super::cmsg::DETAILS_SPACE];
        let message = self.receive(buf, &mut space, Receive::ErrorQueue)?;
        let error = message.control.messages().find_map(|message| match message {
            ControlMessage::ErrorV4(error) | ControlMessage::ErrorV6(error) => Some(error),
            _ => None,
        });
        Ok(Undelivered { bytes: message.bytes, to: message.from, error })
    }
}
