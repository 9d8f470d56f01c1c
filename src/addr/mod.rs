//! Addresses: typed values, their text, and their classes.
//!
//! This module makes no system call, does not allocate and does not panic on any input. IP addresses are those of
//! `core::net`; an [`Endpoint`] is an IP address with a port, or the address of a Unix socket. Formatting loses
//! nothing: parsing the output of [`Endpoint::to_text`] returns the same endpoint, except that the flow label of an
//! IPv6 socket address has no text.
//!
//! ```
//! use anet::addr::Endpoint;
//!
//! let peer: Endpoint = "[2001:db8::1]:443".parse()?;
//! assert_eq!(peer.port(), Some(443));
//! assert_eq!(peer.to_text().as_str(), "[2001:db8::1]:443");
//! # Ok::<(), anet::addr::ParseError>(())
//! ```

mod class;
mod cursor;
mod digits;
mod escape;
mod format;
mod host;
pub mod parse;
mod parse_error;
mod swar;
mod unix;

use core::{
    fmt,
    net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use crate::error::{Cause, Error, Op, Result};

pub(crate) use digits::Line;
pub use format::{ADDR_TEXT_LEN, AddrText, SOCKET_TEXT_LEN, SocketText};
pub use host::{HOST_NAME_MAX, LABEL_MAX};
pub use parse::{Host, HostPort, ParseError, ParseErrorKind, Zone};
pub use unix::{SUN_PATH_LEN, UNIX_NAME_MAX, UnixAddr};

/// The address of one end of a connection: the local address or the peer's.
///
/// Later versions may add families, such as vsock.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "sockaddr")]
#[non_exhaustive]
pub enum Endpoint {
    /// An IP address with a port.
    Inet(SocketAddr),
    /// A Unix socket's path or name.
    Unix(UnixAddr),
    /// An address of a family that this crate does not support. Its text is `?`, which no parser accepts.
    Unknown {
        /// The kernel's number for the family.
        family: u16,
    },
}

impl Endpoint {
    /// Formats the address; see [`AddrText`] for the forms. [`SocketText`] is smaller and faster for IP addresses.
    #[inline]
    pub fn to_text(&self) -> AddrText {
        AddrText::from(self)
    }

    /// The IP address and port.
    pub const fn as_inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) => Some(*addr),
            _ => None,
        }
    }

    /// The Unix socket's path or name.
    pub const fn as_unix(&self) -> Option<&UnixAddr> {
        match self {
            Self::Unix(addr) => Some(addr),
            _ => None,
        }
    }

    /// The IP address.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Inet(addr) => Some(addr.ip()),
            _ => None,
        }
    }

    /// The port.
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Inet(addr) => Some(addr.port()),
            _ => None,
        }
    }
}

/// The same text as [`Endpoint::to_text`].
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.to_text().as_str())
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self::Inet(addr)
    }
}

impl From<SocketAddrV4> for Endpoint {
    fn from(addr: SocketAddrV4) -> Self {
        Self::Inet(SocketAddr::V4(addr))
    }
}

impl From<SocketAddrV6> for Endpoint {
    fn from(addr: SocketAddrV6) -> Self {
        Self::Inet(SocketAddr::V6(addr))
    }
}

impl From<UnixAddr> for Endpoint {
    fn from(addr: UnixAddr) -> Self {
        Self::Unix(addr)
    }
}

/// ```
/// use anet::Endpoint;
/// use core::net::SocketAddr;
///
/// let endpoint: Endpoint = "127.0.0.1:6379".parse()?;
/// let addr = SocketAddr::try_from(endpoint)?;
/// assert_eq!(addr.port(), 6379);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<Endpoint> for SocketAddr {
    type Error = Error;

    /// The IP address and port.
    ///
    /// # Errors
    ///
    /// [`NotIp`](Cause::NotIp) if the endpoint has no IP address.
    fn try_from(endpoint: Endpoint) -> Result<Self> {
        endpoint.as_inet().ok_or(Error::refused(Op::Address, Cause::NotIp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_unmaps_a_v4_mapped_endpoint() {
        let endpoint: Endpoint = "[::ffff:127.0.0.1]:80".parse().unwrap();
        assert!(endpoint.is_v4_mapped() && endpoint.is_loopback());
        assert_eq!(endpoint.canonical(), "127.0.0.1:80".parse().unwrap());
        for text in ["[::1%3]:80", "10.0.0.1:0", "/run/x", "@x"] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.canonical(), endpoint);
        }
    }

    #[test]
    fn only_an_ip_endpoint_has_a_class() {
        let unix = Endpoint::Unix(UnixAddr::UNNAMED);
        assert!(!unix.is_loopback() && !unix.is_unspecified() && !unix.is_private());
        assert_eq!((unix.ip(), unix.port(), unix.as_inet()), (None, None, None));
        assert_eq!(unix.as_unix(), Some(&UnixAddr::UNNAMED));
    }
}
