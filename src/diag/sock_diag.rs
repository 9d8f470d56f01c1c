//! [`SockDiag`]: lists sockets, and closes them.

use super::{
    inet_filter::{Family, InetFilter, InetProtocol},
    inet_socket::InetSocket,
    message::Message,
    netlink::{NetlinkError, NetlinkResult, Protocol, Replies, Socket},
    state::SocketStates,
    unix_socket::{self, UnixSocket},
};
use crate::error::Result;

/// Asks the kernel for the sockets of this thread's network namespace, those of all users (`sock_diag(7)`).
///
/// ```
/// use anet::diag::{InetFilter, SockDiag, SocketStates};
///
/// let mut sock_diag = SockDiag::open()?;
/// let mut buf = [0; 32 * 1024];
/// for socket in sock_diag.inet(InetFilter::tcp().with_states(SocketStates::LISTENING), &mut buf)? {
///     let socket = socket?;
///     println!("{} has {:?} and belongs to user {}", socket.local, socket.accept_queue(), socket.uid);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[doc(alias = "inet_diag")]
#[doc(alias = "ss")]
pub struct SockDiag {
    socket: Socket,
}

impl SockDiag {
    /// Opens a socket in this thread's network namespace; 3 calls.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`; `EPROTONOSUPPORT` if the kernel was built without `CONFIG_INET_DIAG`.
    pub fn open() -> Result<Self> {
        Socket::open(Protocol::SockDiag).map(|socket| Self { socket })
    }

    /// Lists TCP or UDP sockets, first those of IPv4, then those of IPv6. The order within a family is the kernel's.
    ///
    /// Sockets that are created or closed during the listing may be in it or not; unlike with interfaces, the kernel
    /// does not report that there were any. It continues by position in a hash chain, so that in rare cases a socket
    /// next to a closed one is missed.
    ///
    /// # Errors
    ///
    /// `ENOBUFS`, `ENOMEM`, and for each entry those of [`Replies::next`]: `EPERM` for a mark without
    /// `CAP_NET_ADMIN`, `ENOENT` if the kernel was built without `CONFIG_INET_TCP_DIAG` or `_UDP_DIAG`.
    pub fn inet<'s, 'b>(&'s mut self, filter: InetFilter, buf: &'b mut [u8]) -> Result<InetSockets<'s, 'b>> {
        let (first, rest) = match filter.families() {
            [first, rest @ ..] => (*first, rest),
            [] => (Family::V4, &[][..]),
        };
        let replies = self.socket.request(filter.request(first)?, buf)?;
        Ok(InetSockets { replies, filter, families: rest })
    }

    /// Lists Unix sockets in these states.
    ///
    /// # Errors
    ///
    /// `ENOBUFS`, `ENOMEM`, and for each entry those of [`Replies::next`]: `ENOENT` if the kernel was built without
    /// `CONFIG_UNIX_DIAG`.
    pub fn unix<'s, 'b>(&'s mut self, states: SocketStates, buf: &'b mut [u8]) -> Result<UnixSockets<'s, 'b>> {
        self.socket.request(unix_socket::request(states)?, buf).map(UnixSockets)
    }

    /// Closes a socket of any process: its calls fail with `ECONNABORTED`, and a TCP peer gets a reset. For tests and
    /// administration.
    ///
    /// The cookie makes sure that it is the socket that was listed, not another with the same addresses.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_ADMIN`, `ENOENT` if it is gone, `EOPNOTSUPP` if the kernel was built without
    /// `CONFIG_INET_DIAG_DESTROY`.
    #[doc(alias = "SOCK_DESTROY")]
    pub fn destroy(&mut self, socket: &InetSocket, buf: &mut [u8]) -> NetlinkResult<()> {
        self.socket.execute(socket.destruction()?, buf)
    }
}

/// The kernel's list of TCP or UDP sockets. After an error there are no more entries.
#[derive(Debug)]
pub struct InetSockets<'s, 'b> {
    replies: Replies<'s, 'b>,
    filter: InetFilter,
    /// Those that were not listed yet.
    families: &'static [Family],
}

impl Iterator for InetSockets<'_, '_> {
    type Item = NetlinkResult<InetSocket>;

    fn next(&mut self) -> Option<Self::Item> {
        let protocol: InetProtocol = self.filter.protocol();
        let parse = |message: &Message<'_>| InetSocket::parse(protocol, message);
        loop {
            if let Some(found) = self.replies.find_map(parse) {
                if found.is_err() {
                    self.families = &[];
                }
                return Some(found);
            }
            let (family, rest) = self.families.split_first()?;
            self.families = rest;
            let request = self.filter.request(*family);
            if let Err(error) = request.and_then(|request| self.replies.request_more(request)) {
                return Some(Err(NetlinkError::from(error)));
            }
        }
    }
}

/// The kernel's list of Unix sockets. After an error there are no more entries.
#[derive(Debug)]
pub struct UnixSockets<'s, 'b>(Replies<'s, 'b>);

impl Iterator for UnixSockets<'_, '_> {
    type Item = NetlinkResult<UnixSocket>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.find_map(UnixSocket::parse)
    }
}
