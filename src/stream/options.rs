//! Options under the names that `std::net::TcpStream` gives them.

use core::time::Duration;

use super::Stream;
use crate::{error::Result, option};

impl Stream {
    /// Whether small segments are sent at once.
    ///
    /// # Errors
    ///
    /// Those of [`option::tcp_nodelay`].
    #[doc(alias = "TCP_NODELAY")]
    pub fn nodelay(&self) -> Result<bool> {
        option::tcp_nodelay(self)
    }

    /// Sends small segments at once, or not.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_tcp_nodelay`]: `EOPNOTSUPP` for a Unix connection.
    #[doc(alias = "TCP_NODELAY")]
    pub fn set_nodelay(&self, on: bool) -> Result<()> {
        option::set_tcp_nodelay(self, on)
    }

    /// How long closing waits for unsent bytes; `None`: it does not wait.
    ///
    /// # Errors
    ///
    /// Those of [`option::linger`].
    #[doc(alias = "SO_LINGER")]
    pub fn linger(&self) -> Result<Option<Duration>> {
        option::linger(self)
    }

    /// Lets closing wait this long for unsent bytes, in whole seconds, rounded up. Zero discards them and resets the
    /// connection.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_linger`].
    #[doc(alias = "SO_LINGER")]
    pub fn set_linger(&self, time: Option<Duration>) -> Result<()> {
        option::set_linger(self, time)
    }

    /// How many routers an IPv4 packet may pass.
    ///
    /// # Errors
    ///
    /// Those of [`option::ip_ttl`].
    #[doc(alias = "IP_TTL")]
    pub fn ttl(&self) -> Result<u32> {
        option::ip_ttl(self)
    }

    /// Lets an IPv4 packet pass this many routers.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_ip_ttl`].
    #[doc(alias = "IP_TTL")]
    pub fn set_ttl(&self, routers: u32) -> Result<()> {
        option::set_ip_ttl(self, routers)
    }

    /// How long a read waits; `None`: for ever.
    ///
    /// # Errors
    ///
    /// Those of [`option::recv_timeout`].
    #[doc(alias = "SO_RCVTIMEO")]
    pub fn read_timeout(&self) -> Result<Option<Duration>> {
        option::recv_timeout(self)
    }

    /// How long a write waits; `None`: for ever.
    ///
    /// # Errors
    ///
    /// Those of [`option::send_timeout`].
    #[doc(alias = "SO_SNDTIMEO")]
    pub fn write_timeout(&self) -> Result<Option<Duration>> {
        option::send_timeout(self)
    }
}
