//! Options with the names of `std::net::TcpStream`.

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

    /// Sets whether small segments are sent at once.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_tcp_nodelay`]: `EOPNOTSUPP` for a Unix connection.
    #[doc(alias = "TCP_NODELAY")]
    pub fn set_nodelay(&self, on: bool) -> Result<()> {
        option::set_tcp_nodelay(self, on)
    }

    /// Whether received bytes are acknowledged at once.
    ///
    /// # Errors
    ///
    /// Those of [`option::tcp_quickack`].
    #[cfg(target_os = "linux")]
    #[doc(alias = "TCP_QUICKACK")]
    pub fn quickack(&self) -> Result<bool> {
        option::tcp_quickack(self)
    }

    /// Sets whether received bytes are acknowledged at once, and if so, acknowledges those that were read and wait for
    /// it. Otherwise the kernel waits up to 40 ms for an answer to carry the acknowledgement. The kernel changes it as
    /// the connection goes on: a protocol that needs it sets it after each read.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_tcp_quickack`].
    #[cfg(target_os = "linux")]
    #[doc(alias = "TCP_QUICKACK")]
    pub fn set_quickack(&self, on: bool) -> Result<()> {
        option::set_tcp_quickack(self, on)
    }

    /// How long closing waits for unsent bytes; `None`: closing does not wait.
    ///
    /// # Errors
    ///
    /// Those of [`option::linger`].
    #[doc(alias = "SO_LINGER")]
    pub fn linger(&self) -> Result<Option<Duration>> {
        option::linger(self)
    }

    /// Sets how long closing waits for unsent bytes, in whole seconds, rounded up. Zero discards them and resets the
    /// connection.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_linger`].
    #[doc(alias = "SO_LINGER")]
    pub fn set_linger(&self, time: Option<Duration>) -> Result<()> {
        option::set_linger(self, time)
    }

    /// The time to live of IPv4 packets: the number of routers a packet may pass.
    ///
    /// # Errors
    ///
    /// Those of [`option::ip_ttl`].
    #[doc(alias = "IP_TTL")]
    pub fn ttl(&self) -> Result<u32> {
        option::ip_ttl(self)
    }

    /// Sets the time to live of IPv4 packets: the number of routers a packet may pass.
    ///
    /// # Errors
    ///
    /// Those of [`option::set_ip_ttl`].
    #[doc(alias = "IP_TTL")]
    pub fn set_ttl(&self, routers: u32) -> Result<()> {
        option::set_ip_ttl(self, routers)
    }

    /// How long a read waits; `None`: indefinitely.
    ///
    /// # Errors
    ///
    /// Those of [`option::recv_timeout`].
    #[doc(alias = "SO_RCVTIMEO")]
    pub fn read_timeout(&self) -> Result<Option<Duration>> {
        option::recv_timeout(self)
    }

    /// How long a write waits; `None`: indefinitely.
    ///
    /// # Errors
    ///
    /// Those of [`option::send_timeout`].
    #[doc(alias = "SO_SNDTIMEO")]
    pub fn write_timeout(&self) -> Result<Option<Duration>> {
        option::send_timeout(self)
    }
}
