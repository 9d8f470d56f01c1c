//! [`SocketOptions`]: the configuration of a socket, for both ends of a connection.

use core::{net::SocketAddr, time::Duration};

use rustix::fd::{AsFd, BorrowedFd};

use super::{DeadPeerPlan, Inherited, Sockets, TcpKeepalive, kind, maximize_send_buffer};
use crate::{
    addr::Endpoint,
    error::{Errno, Error, Op, Opt, Result},
};

#[cfg(target_os = "linux")]
use super::{DeviceName, TcpName, set_bind_device, set_tcp_congestion};

/// The default backlog of Redis and nginx.
pub const BACKLOG_DEFAULT: u32 = 511;

/// Socket options as one plain value, for listening, accepting, connecting and UDP.
///
/// Only the options you specify are set; an option that a transport lacks is skipped there.
///
/// - **Listening** sets them before `bind`. A TCP connection inherits nearly all of them from its listener when the
///   handshake completes, so `accept4` alone yields a configured connection.
/// - **Accepting** sets the options that the transport does not pass on ([`Opt::inherited`]): `SO_PRIORITY` on TCP,
///   everything on Unix sockets.
/// - **Connecting** sets them before `connect`: see
///   [`Connector::with_options`](crate::connect::Connector::with_options). It skips the options that apply to server
///   sockets only: the backlog, `SO_REUSEADDR`, `SO_REUSEPORT`, `IPV6_V6ONLY`, `TCP_DEFER_ACCEPT`, `TCP_FASTOPEN`,
///   `SO_INCOMING_CPU`.
///
/// Setting an option on a socket fails if its value is out of range. Each setter shares the documentation of the
/// function that sets the option on one socket.
///
/// ```
/// use anet::{SocketOptions, connect::Connector, listen, option::TcpKeepalive};
/// use core::time::Duration;
///
/// const OPTIONS: SocketOptions = SocketOptions::new().with_backlog(128).with_tcp_nodelay(true);
/// let keepalive = TcpKeepalive::after_idle(Duration::from_secs(300))?;
/// let options = OPTIONS.with_tcp_keepalive(Some(keepalive));
///
/// let listener = listen::tcp("127.0.0.1:0".parse()?, &options)?;
/// let connector = Connector::new().with_options(options);
/// # let _ = (listener, connector);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SocketOptions {
    backlog: u32,
    udp_reuse_address: bool,
    /// The options that have a value: one bit for each of [`CARRIED`].
    said: u128,
    /// Their values in the kernel's own unit; 0 without a value.
    words: [u32; CARRIED.len()],
    #[cfg(target_os = "linux")]
    bind_device: Option<DeviceName>,
    #[cfg(target_os = "linux")]
    tcp_congestion: Option<TcpName>,
}

macro_rules! carried {
    ($([$os:meta] { $(
        $(#[$doc:meta])* $opt:ident $name:literal $level:ident $([$range:expr])? {
            $kind:ident($value:ty) on $on:ident, inherited $inherited:ident, since $since:literal;
            $(errors $errors:literal;)?
            $(get $get:ident)? $(set $set:ident)? $(with $with:ident($with_value:ty))? $(for $end:ident)?
        }
    )* })*) => {
        /// The options that a [`SocketOptions`] can carry.
        const CARRIED: &[Opt] = &[$($($(#[cfg($os)] { stringify!($with); Opt::$opt },)?)*)*];

        /// Their positions in [`CARRIED`].
        #[allow(non_camel_case_types, reason = "the kernel's names")]
        #[derive(Clone, Copy)]
        enum At {
            $($($(#[cfg($os)] #[doc = stringify!($with)] $opt,)?)*)*
        }

        impl SocketOptions {
            $($(with!($($with($with_value))?; $opt $name $kind, $os, $(#[$doc])*);)*)*
        }
    };
}
/// The setter of an option that a [`SocketOptions`] can carry.
macro_rules! with {
    (; $($row:tt)*) => {};
    ($with:ident($value:ty); $opt:ident $name:literal $kind:ident, $os:meta, $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[doc = concat!("\n\nSets `", $name, "`; `None` and `false` flags leave it alone.")]
        #[doc(alias = $name)]
        #[must_use]
        #[cfg($os)]
        pub const fn $with(self, value: $value) -> Self {
            self.say(At::$opt, kind::$kind::word(value))
        }
    };
}

super::table::option_table!(carried);

const _: () = assert!(CARRIED.len() <= u128::BITS as usize);

/// The options of [`CARRIED`] that apply to server sockets only, as bits.
const FOR_LISTENERS: u128 = {
    let (mut bits, mut at) = (0, 0);
    while at < CARRIED.len() {
        bits |= (CARRIED[at].is_for_listeners() as u128) << at;
        at += 1;
    }
    bits
};

impl SocketOptions {
    /// A backlog of 511, `SO_REUSEADDR` and `IPV6_V6ONLY` on, and the kernel's default for every other option.
    pub const fn new() -> Self {
        let nothing = Self {
            backlog: BACKLOG_DEFAULT,
            udp_reuse_address: false,
            said: 0,
            words: [0; CARRIED.len()],
            #[cfg(target_os = "linux")]
            bind_device: None,
            #[cfg(target_os = "linux")]
            tcp_congestion: None,
        };
        nothing.with_reuse_address(true).with_only_v6(true)
    }

    /// How many connections may be pending. The kernel queues one more, and clips the number to `net.core.somaxconn`
    /// without an error.
    #[must_use]
    pub const fn with_backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Lets a UDP socket share its port with another socket that allows it too. The socket bound last gets the
    /// datagrams, so use this for multicast, where each socket gets a copy. Off by default, unlike on TCP: UDP has no
    /// `TIME_WAIT`.
    #[doc(alias = "SO_REUSEADDR")]
    #[must_use]
    pub const fn with_udp_reuse_address(mut self, on: bool) -> Self {
        self.udp_reuse_address = on;
        self
    }

    /// Whether and when to probe idle connections; see [`set_tcp_keepalive`](super::set_tcp_keepalive). OpenBSD has no
    /// per-socket times.
    #[doc(alias = "SO_KEEPALIVE")]
    #[doc(alias = "anetKeepAlive")]
    #[must_use]
    pub const fn with_tcp_keepalive(self, keepalive: Option<TcpKeepalive>) -> Self {
        let (idle, interval, count) = match keepalive {
            Some(keepalive) => (Some(keepalive.idle()), Some(keepalive.interval()), Some(keepalive.count())),
            None => (None, None, None),
        };
        let options = self.with_keepalive(keepalive.is_some());
        #[cfg(not(target_os = "openbsd"))]
        let options = options.with_tcp_keepidle(idle).with_tcp_keepintvl(interval).with_tcp_keepcnt(count);
        #[cfg(target_os = "openbsd")]
        let _: (Option<Duration>, Option<Duration>, Option<u32>) = (idle, interval, count);
        options
    }

    /// How to notice a dead peer: keepalive and the user timeout together. Systems other than Linux have no user timeout.
    #[must_use]
    pub const fn with_dead_peer_plan(self, plan: Option<DeadPeerPlan>) -> Self {
        let (keepalive, user_timeout) = match plan {
            Some(plan) => (Some(plan.keepalive()), Some(plan.user_timeout())),
            None => (None, None),
        };
        let options = self.with_tcp_keepalive(keepalive);
        #[cfg(target_os = "linux")]
        let options = options.with_tcp_user_timeout(user_timeout);
        #[cfg(not(target_os = "linux"))]
        let _: Option<Duration> = user_timeout;
        options
    }

    const fn say(mut self, at: At, word: Option<u32>) -> Self {
        let bit = 1 << at as u32;
        (self.said, self.words[at as usize]) = match word {
            Some(word) => (self.said | bit, word),
            None => (self.said & !bit, 0),
        };
        self
    }

    const fn says(&self, at: At) -> bool {
        self.said & (1 << at as u32) != 0
    }

    pub(crate) const fn backlog(&self) -> u32 {
        self.backlog
    }

    const fn only_v6(&self) -> bool {
        self.words[At::IPV6_V6ONLY as usize] != 0
    }

    /// Sets the options on a TCP socket before it binds to `addr` and listens.
    pub(crate) fn set_on_tcp_listener(&self, fd: impl AsFd, addr: &SocketAddr) -> Result<()> {
        self.set(fd.as_fd(), Transport::of_server(Protocol::Tcp, addr, self.only_v6()))
    }

    /// Sets the options on a UDP socket before it binds to `addr`. Without a configured size, the send buffer is the
    /// largest that the kernel grants, as in memcached.
    pub(crate) fn set_on_udp(&self, fd: impl AsFd, addr: &SocketAddr) -> Result<()> {
        if !self.says(At::SO_SNDBUF) {
            maximize_send_buffer(&fd)?;
        }
        let options = self.with_reuse_address(self.udp_reuse_address);
        options.set(fd.as_fd(), Transport::of_server(Protocol::Udp, addr, self.only_v6()))
    }

    /// Sets the options on a Unix socket before it listens.
    pub(crate) fn set_on_unix(&self, fd: impl AsFd) -> Result<()> {
        self.set(fd.as_fd(), Transport::UNIX)
    }

    /// Sets the options on a socket before it connects.
    pub(crate) fn set_on_client(&self, fd: impl AsFd, peer: &Endpoint) -> Result<()> {
        let Some(transport) = Transport::to(peer) else { return Ok(()) };
        let options = Self { said: self.said & !FOR_LISTENERS, ..*self };
        options.set(fd.as_fd(), transport)
    }

    /// Sets the options on a UDP socket before it connects.
    pub(crate) fn set_on_udp_client(&self, fd: impl AsFd, peer: &Endpoint) -> Result<()> {
        let Some(transport) = Transport::to(peer) else { return Ok(()) };
        let options = Self { said: self.said & !FOR_LISTENERS, ..*self };
        options.set(fd.as_fd(), Transport { protocol: Protocol::Udp, ..transport })
    }

    /// Sets the options that [`not_inherited`](Self::not_inherited) returned.
    pub(crate) fn set_on_accepted(&self, fd: impl AsFd) -> Result<()> {
        self.set_words(fd.as_fd(), |_| true)
    }

    /// The options that a connection does not inherit from a listener on `addr`, if any.
    pub(crate) fn not_inherited(&self, addr: &Endpoint) -> Option<Self> {
        let transport = Transport::of_listener(addr, self.only_v6())?;
        let mut left = self.said & !FOR_LISTENERS;
        for (at, opt) in CARRIED.iter().enumerate() {
            if transport.passes_on(*opt) || !transport.has(opt.sockets()) {
                left &= !(1 << at);
            }
        }
        (left != 0).then_some(Self { said: left, ..*self })
    }

    fn set(&self, fd: BorrowedFd<'_>, transport: Transport) -> Result<()> {
        #[cfg(target_os = "linux")]
        self.set_names(fd, transport)?;
        self.set_words(fd, |opt| transport.has(opt.sockets()))
    }

    #[cfg(target_os = "linux")]
    fn set_names(&self, fd: BorrowedFd<'_>, transport: Transport) -> Result<()> {
        if self.bind_device.is_some() && transport.has(Opt::SO_BINDTODEVICE.sockets()) {
            set_bind_device(fd, self.bind_device)?;
        }
        match self.tcp_congestion {
            Some(name) if transport.has(Opt::TCP_CONGESTION.sockets()) => set_tcp_congestion(fd, name),
            _ => Ok(()),
        }
    }

    fn set_words(&self, fd: BorrowedFd<'_>, has: impl Fn(Opt) -> bool) -> Result<()> {
        let mut left = self.said;
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            left &= left - 1;
            match (CARRIED.get(at), self.words.get(at)) {
                (Some(&opt), Some(&word)) if has(opt) => set_word(fd, opt, word)?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
impl SocketOptions {
    /// The only device that may carry a socket's packets; see [`set_bind_device`].
    #[doc(alias = "SO_BINDTODEVICE")]
    #[must_use]
    pub const fn with_bind_device(mut self, device: Option<DeviceName>) -> Self {
        self.bind_device = device;
        self
    }

    /// The congestion control algorithm; see [`set_tcp_congestion`].
    #[doc(alias = "TCP_CONGESTION")]
    #[must_use]
    pub const fn with_tcp_congestion(mut self, name: Option<TcpName>) -> Self {
        self.tcp_congestion = name;
        self
    }
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Sets an option whose value is a struct through its kind, any other option as a number.
fn set_word(fd: BorrowedFd<'_>, opt: Opt, word: u32) -> Result<()> {
    let name = opt.option_name().ok_or_else(|| Error::new(Op::Set(opt), Errno::NOPROTOOPT))?;
    match opt {
        Opt::SO_LINGER => kind::linger::set(fd, name, opt, Some(Duration::from_secs(word.into()))),
        Opt::SO_RCVTIMEO | Opt::SO_SNDTIMEO => {
            kind::timeout::set(fd, name, opt, Some(Duration::from_millis(word.into())))
        }
        _ => kind::number::set(fd, name, opt, word),
    }
}

/// The protocol of a socket and the families of its peers.
#[derive(Clone, Copy)]
struct Transport {
    protocol: Protocol,
    v4: bool,
    v6: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    Tcp,
    Udp,
    Unix,
}

impl Transport {
    const UNIX: Self = Self { protocol: Protocol::Unix, v4: false, v6: false };

    /// A dual-stack IPv6 socket has peers of both families.
    const fn of_server(protocol: Protocol, addr: &SocketAddr, only_v6: bool) -> Self {
        Self { protocol, v4: addr.is_ipv4() || !only_v6, v6: addr.is_ipv6() }
    }

    fn of_listener(addr: &Endpoint, only_v6: bool) -> Option<Self> {
        match addr {
            Endpoint::Inet(addr) => Some(Self::of_server(Protocol::Tcp, addr, only_v6)),
            Endpoint::Unix(_) => Some(Self::UNIX),
            Endpoint::Unknown { .. } => None,
        }
    }

    /// An IPv6 socket reaches an IPv4-mapped address over IPv4.
    fn to(peer: &Endpoint) -> Option<Self> {
        let is_mapped = |addr: &SocketAddr| addr.is_ipv6() && addr.ip().to_canonical().is_ipv4();
        match peer {
            Endpoint::Inet(addr) => Some(Self::of_server(Protocol::Tcp, addr, !is_mapped(addr))),
            Endpoint::Unix(_) => Some(Self::UNIX),
            Endpoint::Unknown { .. } => None,
        }
    }

    fn has(self, sockets: Sockets) -> bool {
        match sockets {
            Sockets::Any => true,
            Sockets::Inet => self.protocol != Protocol::Unix,
            Sockets::Ipv4 => self.v4,
            Sockets::Ipv4Udp => self.v4 && self.protocol == Protocol::Udp,
            Sockets::Ipv6 => self.v6,
            Sockets::Ipv6Udp => self.v6 && self.protocol == Protocol::Udp,
            Sockets::Raw => false,
            Sockets::Tcp => self.protocol == Protocol::Tcp,
            Sockets::Udp => self.protocol == Protocol::Udp,
            Sockets::Unix => self.protocol == Protocol::Unix,
        }
    }

    fn passes_on(self, opt: Opt) -> bool {
        match opt.inherited() {
            Inherited::Always => true,
            Inherited::Never => false,
            Inherited::OverTcp => self.protocol == Protocol::Tcp,
        }
    }
}
