//! One UDP server socket.

use core::net::SocketAddr;

use rustix::fd::AsFd;

use crate::{
    addr::Endpoint,
    datagram::Datagram,
    error::{AddrError, Op, Result, ResultExt},
    option::SocketOptions,
    sys,
};

/// Receives on a UDP address; port 0 lets the kernel choose one.
///
/// The socket is non-blocking and close-on-exec. It gets the UDP options of `options`, and the largest send buffer that
/// the kernel grants unless they set a size. It owns the port: only
/// [`with_udp_reuse_address`](SocketOptions::with_udp_reuse_address) sets `SO_REUSEADDR`, which would let another
/// socket take the datagrams (measured on Linux 6.18: the socket bound last gets them).
///
/// ```
/// use anet::{SocketOptions, listen};
///
/// let server = listen::udp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
/// println!("receiving on {}", server.local_addr()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `EADDRINUSE` if another socket has the port, `EADDRNOTAVAIL` for an address that this host lacks,
/// [`MissingScope`](crate::error::Cause::MissingScope) for a link-local address without a scope, `EAFNOSUPPORT` on a
/// host without IPv6, `EACCES` for a port below 1024 without privilege, `EMFILE`, `ENFILE`; the errors of the options.
#[doc(alias = "server_socket")]
pub fn udp(addr: SocketAddr, options: &SocketOptions) -> Result<Datagram, AddrError> {
    let endpoint = Endpoint::from(addr);
    open(addr, &endpoint, options).map_err(|error| AddrError::new(error, endpoint))
}

fn open(addr: SocketAddr, endpoint: &Endpoint, options: &SocketOptions) -> Result<Datagram> {
    let family = sys::family(endpoint).op(Op::Socket)?;
    let fd = sys::datagram_socket(family).op(Op::Socket)?;
    options.set_on_udp(&fd, &addr)?;
    sys::bind(fd.as_fd(), endpoint).op_with(Op::Bind, endpoint)?;
    Ok(Datagram::from(fd))
}
