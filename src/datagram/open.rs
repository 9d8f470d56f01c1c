//! Opening datagram sockets: servers, clients and pairs.

use rustix::fd::{AsFd, OwnedFd};

use super::Datagram;
use crate::{
    addr::{Endpoint, UnixAddr},
    error::{AddrError, Cause, Error, Op, Result, ResultExt},
    listen,
    option::SocketOptions,
    sys,
};

impl Datagram {
    /// Receives on an address: UDP as [`listen::udp`] does, or Unix.
    ///
    /// A Unix address is a path, where `bind` creates a file that stays until it is removed, an abstract name, or
    /// [`UNNAMED`](UnixAddr::UNNAMED), for which Linux chooses an abstract name of five digits. The socket is
    /// non-blocking and close-on-exec, and has the options for its family.
    ///
    /// ```
    /// use anet::{Datagram, Endpoint, SocketOptions, UnixAddr};
    ///
    /// let socket = Datagram::bind(&Endpoint::Unix(UnixAddr::UNNAMED), &SocketOptions::new())?;
    /// # #[cfg(target_os = "linux")]
    /// assert_eq!(socket.local_addr()?.as_unix().and_then(|addr| Some(addr.as_abstract_name()?.len())), Some(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`listen::udp`]. For a path `EADDRINUSE` if there is a file, whatever it is,
    /// `ENOENT`, `ENOTDIR`, `EACCES`, `EROFS`. [`UnknownFamily`](Cause::UnknownFamily) for an address of another
    /// family.
    pub fn bind(addr: &Endpoint, options: &SocketOptions) -> Result<Self, AddrError> {
        match addr {
            Endpoint::Inet(addr) => listen::udp(*addr, options),
            Endpoint::Unix(_) => bind_unix(addr, options).map_err(|error| AddrError::new(error, *addr)),
            Endpoint::Unknown { family } => {
                let cause = Cause::UnknownFamily { family: (*family).into() };
                Err(AddrError::new(Error::refused(Op::Socket, cause), *addr))
            }
        }
    }

    /// A client of one peer: [`send`](Self::send) sends there, and only its datagrams are received.
    ///
    /// The socket is non-blocking and close-on-exec, and has the options for its family before it connects. Over UDP
    /// the kernel chooses the local address. On Linux a Unix socket gets a name chosen by the kernel, so that the peer
    /// can answer.
    ///
    /// ```
    /// use anet::{Datagram, SocketOptions, listen};
    ///
    /// let server = listen::udp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
    /// let client = Datagram::connected(&server.local_addr()?, &SocketOptions::new())?;
    /// client.send(b"hello")?;
    /// let mut buf = [0; 16];
    /// let (request, from) = server.recv_from(&mut buf)?;
    /// assert_eq!((&*request.bytes, from), (&b"hello"[..], client.local_addr()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), `EMFILE`, `ENFILE`; those of the options.
    pub fn connected(peer: &Endpoint, options: &SocketOptions) -> Result<Self, AddrError> {
        open_client(peer, options).map_err(|error| AddrError::new(error, *peer))
    }

    /// Two Unix datagram sockets that are connected to each other, without names. Both are non-blocking and
    /// close-on-exec.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`.
    #[doc(alias = "socketpair")]
    pub fn pair() -> Result<(Self, Self)> {
        let (one, other) = sys::pair(sys::PairKind::Datagram).op(Op::SocketPair)?;
        Ok((Self::from(one), Self::from(other)))
    }

    /// Sets the peer. From now on [`send`](Self::send) works, only datagrams of the peer are received, and errors that
    /// its host reports are returned: an unconnected socket does not learn that no socket has the port. A connected
    /// socket may connect to another peer. Datagrams that are in the receive buffer stay there.
    ///
    /// # Errors
    ///
    /// `ENETUNREACH`, `EHOSTUNREACH`, `EACCES` for a broadcast address,
    /// [`MissingScope`](Cause::MissingScope), `EAFNOSUPPORT` for an address of another family than the socket's,
    /// `EAGAIN` if no port is free; for a Unix address `ENOENT`, `ECONNREFUSED` without a reader, `EPROTOTYPE` for
    /// another type of socket, `EACCES`, and `EPERM` if its socket is connected to another.
    pub fn connect(&self, peer: &Endpoint) -> Result<()> {
        sys::connect(self.fd.as_fd(), peer).op_with(Op::Connect, peer)
    }

    /// Removes the peer: the socket receives from all again. A UDP socket that was not bound explicitly loses its port,
    /// and gets another with the next datagram that it sends.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if the kernel is out of memory.
    #[doc(alias = "AF_UNSPEC")]
    pub fn disconnect(&self) -> Result<()> {
        sys::disconnect(self.fd.as_fd()).op(Op::Disconnect)
    }

    /// The address of the peer.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the socket is not connected.
    #[doc(alias = "getpeername")]
    pub fn peer_addr(&self) -> Result<Endpoint> {
        sys::peer_addr(self.fd.as_fd()).op(Op::PeerAddr)
    }
}

fn bind_unix(addr: &Endpoint, options: &SocketOptions) -> Result<Datagram> {
    let fd = unix_socket(options)?;
    sys::bind(fd.as_fd(), addr).op(Op::Bind)?;
    Ok(Datagram::from(fd))
}

fn unix_socket(options: &SocketOptions) -> Result<OwnedFd> {
    let fd = sys::datagram_socket(rustix::net::AddressFamily::UNIX).op(Op::Socket)?;
    options.set_on_unix(&fd)?;
    Ok(fd)
}

fn open_client(peer: &Endpoint, options: &SocketOptions) -> Result<Datagram> {
    let socket = match peer {
        Endpoint::Inet(_) => {
            let family = sys::family(peer).op(Op::Socket)?;
            let fd = sys::datagram_socket(family).op(Op::Socket)?;
            options.set_on_udp_client(&fd, peer)?;
            Datagram::from(fd)
        }
        Endpoint::Unix(_) if cfg!(target_os = "linux") => bind_unix(&Endpoint::Unix(UnixAddr::UNNAMED), options)?,
        Endpoint::Unix(_) => Datagram::from(unix_socket(options)?),
        Endpoint::Unknown { family } => {
            return Err(Error::refused(Op::Connect, Cause::UnknownFamily { family: (*family).into() }));
        }
    };
    socket.connect(peer)?;
    Ok(socket)
}
