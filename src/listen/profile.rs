//! [`Profile`]: what a listener's connections shall be like, said once.

use core::time::Duration;

use rustix::fd::AsFd;

#[cfg(target_os = "linux")]
use crate::option::DeviceName;
use crate::{
    error::Result,
    option::{self, TcpKeepalive},
};

/// Socket options as data, set on a socket before it listens or is bound.
///
/// A TCP connection takes nearly all of them over from its listener when the handshake completes (measured on Linux
/// 6.18: 69 of the 92 options that apply), so `accept4` alone yields a configured socket. What a transport does not
/// pass on, [`accept`](crate::Listener::accept) sets: `SO_PRIORITY` on TCP, everything on Unix sockets. Options that a
/// transport does not have are left out there.
///
/// ```
/// use anet::{listen::Profile, option::TcpKeepalive};
/// use core::time::Duration;
///
/// const PROFILE: Profile = Profile::new().with_backlog(128).with_tcp_nodelay(true);
/// let keepalive = TcpKeepalive::after_idle(Duration::from_secs(300))?;
/// let profile = PROFILE.with_tcp_keepalive(Some(keepalive));
/// # let _ = profile;
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Profile {
    backlog: u32,
    only_v6: bool,
    reuse_address: bool,
    reuse_port: bool,
    udp_reuse_address: bool,
    tcp_nodelay: bool,
    tcp_keepalive: Option<TcpKeepalive>,
    linger: Option<Duration>,
    recv_buffer_size: Option<u32>,
    recv_timeout: Option<Duration>,
    send_buffer_size: Option<u32>,
    send_timeout: Option<Duration>,
    #[cfg(target_os = "linux")]
    linux: Linux,
}

/// What only Linux has.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Linux {
    bind_device: Option<DeviceName>,
    mark: Option<u32>,
    priority: Option<u32>,
    tcp_defer_accept: Option<Duration>,
    tcp_fastopen: Option<u32>,
    tcp_user_timeout: Option<Duration>,
}

/// The backlog of Redis and nginx.
pub const BACKLOG_DEFAULT: u32 = 511;

impl Profile {
    /// A backlog of 511, `SO_REUSEADDR` and `IPV6_V6ONLY` on, everything else as the kernel has it.
    pub const fn new() -> Self {
        Self {
            backlog: BACKLOG_DEFAULT,
            only_v6: true,
            reuse_address: true,
            reuse_port: false,
            udp_reuse_address: false,
            tcp_nodelay: false,
            tcp_keepalive: None,
            linger: None,
            recv_buffer_size: None,
            recv_timeout: None,
            send_buffer_size: None,
            send_timeout: None,
            #[cfg(target_os = "linux")]
            linux: Linux::NOTHING,
        }
    }

    /// How many connections may wait to be accepted. The kernel keeps one more, and clips the number to
    /// `net.core.somaxconn` without an error.
    pub const fn with_backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Whether an IPv6 listener leaves IPv4 alone, set explicitly either way. With `false` its IPv4 peers have mapped
    /// addresses (`::ffff:127.0.0.1`).
    #[doc(alias = "IPV6_V6ONLY")]
    pub const fn with_only_v6(mut self, on: bool) -> Self {
        self.only_v6 = on;
        self
    }

    /// See [`option::set_reuse_address`]; without it a restarted server waits for `TIME_WAIT` to pass. Not for UDP,
    /// which has [`with_udp_reuse_address`](Self::with_udp_reuse_address).
    #[doc(alias = "SO_REUSEADDR")]
    pub const fn with_reuse_address(mut self, on: bool) -> Self {
        self.reuse_address = on;
        self
    }

    /// See [`option::set_reuse_port`].
    #[doc(alias = "SO_REUSEPORT")]
    pub const fn with_reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// See [`option::set_tcp_nodelay`].
    #[doc(alias = "TCP_NODELAY")]
    pub const fn with_tcp_nodelay(mut self, on: bool) -> Self {
        self.tcp_nodelay = on;
        self
    }

    /// See [`option::set_tcp_keepalive`].
    #[doc(alias = "SO_KEEPALIVE")]
    pub const fn with_tcp_keepalive(mut self, keepalive: Option<TcpKeepalive>) -> Self {
        self.tcp_keepalive = keepalive;
        self
    }

    /// See [`option::set_linger`].
    #[doc(alias = "SO_LINGER")]
    pub const fn with_linger(mut self, time: Option<Duration>) -> Self {
        self.linger = time;
        self
    }

    /// See [`option::set_recv_buffer_size`]; in bytes, `None`: the kernel's own choice.
    #[doc(alias = "SO_RCVBUF")]
    pub const fn with_recv_buffer_size(mut self, bytes: Option<u32>) -> Self {
        self.recv_buffer_size = bytes;
        self
    }

    /// See [`option::set_recv_timeout`]. On the listener itself it bounds a blocking accept.
    #[doc(alias = "SO_RCVTIMEO")]
    pub const fn with_recv_timeout(mut self, time: Option<Duration>) -> Self {
        self.recv_timeout = time;
        self
    }

    /// See [`option::set_send_buffer_size`]; in bytes, `None`: the kernel's own choice, and on UDP the largest that it
    /// grants ([`option::maximize_send_buffer`]), as memcached has it.
    #[doc(alias = "SO_SNDBUF")]
    pub const fn with_send_buffer_size(mut self, bytes: Option<u32>) -> Self {
        self.send_buffer_size = bytes;
        self
    }

    /// See [`option::set_send_timeout`].
    #[doc(alias = "SO_SNDTIMEO")]
    pub const fn with_send_timeout(mut self, time: Option<Duration>) -> Self {
        self.send_timeout = time;
        self
    }

    /// Lets a UDP socket be bound beside another one that allows it too. The last of them gets the datagrams, so this
    /// is for multicast, where each gets its copy. Off unless asked, unlike on TCP: UDP has no `TIME_WAIT`.
    #[doc(alias = "SO_REUSEADDR")]
    pub const fn with_udp_reuse_address(mut self, on: bool) -> Self {
        self.udp_reuse_address = on;
        self
    }

    pub(super) const fn backlog(&self) -> u32 {
        self.backlog
    }

    pub(super) const fn only_v6(&self) -> bool {
        self.only_v6
    }

    /// Sets everything on a TCP socket that is about to be bound.
    pub(super) fn set_on_tcp(&self, fd: impl AsFd) -> Result<()> {
        if self.reuse_address {
            option::set_reuse_address(&fd, true)?;
        }
        if self.reuse_port {
            option::set_reuse_port(&fd, true)?;
        }
        if self.tcp_nodelay {
            option::set_tcp_nodelay(&fd, true)?;
        }
        set(self.tcp_keepalive, |keepalive| option::set_tcp_keepalive(&fd, &keepalive))?;
        #[cfg(target_os = "linux")]
        self.linux.set_on_tcp(&fd)?;
        self.set_on_any(fd)
    }

    /// Sets everything on a UDP socket that is about to be bound.
    pub(super) fn set_on_udp(&self, fd: impl AsFd) -> Result<()> {
        if self.udp_reuse_address {
            option::set_reuse_address(&fd, true)?;
        }
        if self.reuse_port {
            option::set_reuse_port(&fd, true)?;
        }
        if self.send_buffer_size.is_none() {
            option::maximize_send_buffer(&fd)?;
        }
        #[cfg(target_os = "linux")]
        self.linux.set_on_udp(&fd)?;
        self.set_on_any(fd)
    }

    /// Sets what any kind of socket has.
    pub(crate) fn set_on_any(&self, fd: impl AsFd) -> Result<()> {
        set(self.linger, |time| option::set_linger(&fd, Some(time)))?;
        set(self.recv_buffer_size, |bytes| option::set_recv_buffer_size(&fd, bytes as usize))?;
        set(self.recv_timeout, |time| option::set_recv_timeout(&fd, Some(time)))?;
        set(self.send_buffer_size, |bytes| option::set_send_buffer_size(&fd, bytes as usize))?;
        set(self.send_timeout, |time| option::set_send_timeout(&fd, Some(time)))?;
        #[cfg(target_os = "linux")]
        self.linux.set_on_any(fd)?;
        Ok(())
    }

    /// What a TCP connection does not take over: `SO_PRIORITY`, even where `IP_TOS` would imply one.
    pub(super) fn not_inherited_by_tcp(&self) -> Option<Self> {
        let rest = Self {
            #[cfg(target_os = "linux")]
            linux: Linux { priority: self.linux.priority, ..Linux::NOTHING },
            ..Self::new()
        };
        rest.unless_nothing()
    }

    /// What a Unix connection does not take over: everything.
    pub(super) fn not_inherited_by_unix(&self) -> Option<Self> {
        let rest = Self {
            linger: self.linger,
            recv_buffer_size: self.recv_buffer_size,
            recv_timeout: self.recv_timeout,
            send_buffer_size: self.send_buffer_size,
            send_timeout: self.send_timeout,
            #[cfg(target_os = "linux")]
            linux: Linux { mark: self.linux.mark, priority: self.linux.priority, ..Linux::NOTHING },
            ..Self::new()
        };
        rest.unless_nothing()
    }

    fn unless_nothing(self) -> Option<Self> {
        (self != Self::new()).then_some(self)
    }
}

#[cfg(target_os = "linux")]
impl Profile {
    /// See [`option::set_bind_device`].
    #[doc(alias = "SO_BINDTODEVICE")]
    pub const fn with_bind_device(mut self, device: Option<DeviceName>) -> Self {
        self.linux.bind_device = device;
        self
    }

    /// See [`option::set_mark`].
    #[doc(alias = "SO_MARK")]
    #[doc(alias = "anetSetSockMarkId")]
    pub const fn with_mark(mut self, mark: Option<u32>) -> Self {
        self.linux.mark = mark;
        self
    }

    /// See [`option::set_priority`].
    #[doc(alias = "SO_PRIORITY")]
    pub const fn with_priority(mut self, priority: Option<u32>) -> Self {
        self.linux.priority = priority;
        self
    }

    /// See [`option::set_tcp_defer_accept`]; for the listener alone.
    #[doc(alias = "TCP_DEFER_ACCEPT")]
    pub const fn with_tcp_defer_accept(mut self, time: Option<Duration>) -> Self {
        self.linux.tcp_defer_accept = time;
        self
    }

    /// See [`option::set_tcp_fastopen`]; for the listener alone.
    #[doc(alias = "TCP_FASTOPEN")]
    pub const fn with_tcp_fastopen(mut self, queue_len: Option<u32>) -> Self {
        self.linux.tcp_fastopen = queue_len;
        self
    }

    /// See [`option::set_tcp_user_timeout`].
    #[doc(alias = "TCP_USER_TIMEOUT")]
    pub const fn with_tcp_user_timeout(mut self, time: Option<Duration>) -> Self {
        self.linux.tcp_user_timeout = time;
        self
    }
}

#[cfg(target_os = "linux")]
impl Linux {
    const NOTHING: Self = Self {
        bind_device: None,
        mark: None,
        priority: None,
        tcp_defer_accept: None,
        tcp_fastopen: None,
        tcp_user_timeout: None,
    };

    fn set_on_udp(&self, fd: impl AsFd) -> Result<()> {
        set(self.bind_device, |device| option::set_bind_device(&fd, Some(&device)))
    }

    fn set_on_tcp(&self, fd: impl AsFd) -> Result<()> {
        set(self.bind_device, |device| option::set_bind_device(&fd, Some(&device)))?;
        set(self.tcp_defer_accept, |time| option::set_tcp_defer_accept(&fd, Some(time)))?;
        set(self.tcp_fastopen, |queue_len| option::set_tcp_fastopen(&fd, queue_len))?;
        set(self.tcp_user_timeout, |time| option::set_tcp_user_timeout(&fd, Some(time)))
    }

    fn set_on_any(&self, fd: impl AsFd) -> Result<()> {
        set(self.mark, |mark| option::set_mark(&fd, mark))?;
        set(self.priority, |priority| option::set_priority(&fd, priority))
    }
}

fn set<T>(value: Option<T>, setter: impl FnOnce(T) -> Result<()>) -> Result<()> {
    value.map_or(Ok(()), setter)
}

impl Default for Profile {
    fn default() -> Self {
        Self::new()
    }
}
