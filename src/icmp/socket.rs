//! [`IcmpSocket`]: sends requests and receives answers.

use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{
    control::{CONTROL_LEN, Facts, Queued},
    packet::{self, Answer, Failure, Quoted, Version},
    request::Request,
};
use crate::{
    addr::Endpoint,
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    option,
    sys::{
        self,
        raw::{Name, Receive, recvmsg},
    },
};

/// `SOF_TIMESTAMPING_TX_SOFTWARE`, `SOF_TIMESTAMPING_SOFTWARE`
const SEND_TIMES: u32 = 1 << 1 | 1 << 4;
/// Foreign messages that one call discards before other events have their turn.
const DISCARDS: usize = 64;

/// A socket for pings, non-blocking: an unprivileged one if this process may have it, otherwise a raw one.
///
/// Options of [`option`] apply, such as [`set_ip_ttl`](option::set_ip_ttl),
/// [`set_ipv6_unicast_hops`](option::set_ipv6_unicast_hops), [`set_bind_index`](option::set_bind_index), and
/// [`set_ip_mtu_discover`](option::set_ip_mtu_discover) with 2 or [`set_ipv6_dontfrag`](option::set_ipv6_dontfrag) for
/// packets that may not be fragmented. A raw socket receives the answers to all processes and discards those of others,
/// so prefer one socket for many targets.
#[derive(Debug)]
pub struct IcmpSocket {
    fd: OwnedFd,
    version: Version,
    is_raw: bool,
    identifier: u16,
    /// With send times: the requests whose time was not read yet.
    unread_times: Option<AtomicU32>,
}

/// An answer to a request of this socket.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Arrival<'b> {
    /// The host that has sent it: the target, or a router.
    pub from: IpAddr,
    /// When it arrived, on the monotonic clock: at the kernel, if the kernel says so.
    pub at: Duration,
    /// Whether [`at`](Self::at) is the kernel's time; otherwise that of the call.
    pub is_kernel_time: bool,
    /// The TTL or hop limit it had left.
    pub hop_limit: Option<u8>,
    /// What it says.
    pub answer: Answer<'b>,
}

impl<'b> Arrival<'b> {
    /// An arrival from elsewhere, such as a socket of your own or a test.
    pub const fn new(from: IpAddr, at: Duration, answer: Answer<'b>) -> Self {
        Self { from, at, is_kernel_time: false, hop_limit: None, answer }
    }
}

/// What was received, apart from its bytes.
struct Packet {
    len: usize,
    from: IpAddr,
    at: Duration,
    is_kernel_time: bool,
    hop_limit: Option<u8>,
    origin: Origin,
}

/// Where a packet comes from.
#[derive(Clone, Copy)]
enum Origin {
    Network,
    /// The error queue: the failure, and where the request was sent.
    Failed(Failure, IpAddr),
    /// The error queue: a request, as it has left.
    Sent,
}

impl IcmpSocket {
    /// A socket for IPv4 targets.
    ///
    /// # Errors
    ///
    /// [`PingForbidden`](Cause::PingForbidden), whose text names the sysctl; `EMFILE`, `ENFILE`.
    pub fn open_v4() -> Result<Self> {
        Self::open(Version::V4)
    }

    /// A socket for IPv6 targets.
    ///
    /// # Errors
    ///
    /// [`PingForbidden`](Cause::PingForbidden), whose text names the sysctl; `EAFNOSUPPORT` without IPv6; `EMFILE`,
    /// `ENFILE`.
    pub fn open_v6() -> Result<Self> {
        Self::open(Version::V6)
    }

    fn open(version: Version) -> Result<Self> {
        let is_v6 = version == Version::V6;
        match sys::icmp_socket(is_v6, false) {
            Ok(fd) => Self::unprivileged(fd, version),
            Err(Errno::ACCESS | Errno::PERM | Errno::PROTONOSUPPORT) => match sys::icmp_socket(is_v6, true) {
                Ok(fd) => Self::raw(fd, version),
                Err(Errno::ACCESS | Errno::PERM) => Err(Error::refused(Op::Socket, Cause::PingForbidden)),
                Err(errno) => Err(Error::new(Op::Socket, errno)),
            },
            Err(errno) => Err(Error::new(Op::Socket, errno)),
        }
    }

    /// The kernel chooses the identifier when the socket is bound, and delivers the answers to it alone.
    fn unprivileged(fd: OwnedFd, version: Version) -> Result<Self> {
        let any: IpAddr = match version {
            Version::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Version::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        sys::bind(fd.as_fd(), &SocketAddr::new(any, 0).into()).op(Op::Bind)?;
        let identifier = sys::local_addr(fd.as_fd()).op(Op::LocalAddr)?.port().unwrap_or(0);
        match version {
            Version::V4 => option::set_ip_recverr(&fd, true)?,
            Version::V6 => option::set_ipv6_recverr(&fd, true)?,
        }
        Self { fd, version, is_raw: false, identifier, unread_times: None }.configured()
    }

    fn raw(fd: OwnedFd, version: Version) -> Result<Self> {
        match version {
            Version::V4 => sys::set_icmp_filter(fd.as_fd(), version.answers()),
            Version::V6 => sys::set_icmp6_filter(fd.as_fd(), version.answers()),
        }
        .op(Op::Socket)?;
        // Unlike the process's number, it differs between the sockets of a process.
        let identifier = option::cookie(&fd).unwrap_or_else(|_| sys::now().as_nanos() as u64) as u16;
        Self { fd, version, is_raw: true, identifier, unread_times: None }.configured()
    }

    fn configured(self) -> Result<Self> {
        option::set_timestampns(&self.fd, true)?;
        match self.version {
            Version::V4 => option::set_ip_recvttl(&self.fd, true)?,
            Version::V6 => option::set_ipv6_recvhoplimit(&self.fd, true)?,
        }
        Ok(self)
    }

    /// Lets the kernel report when a request leaves. Otherwise the time before the call counts, and a round trip
    /// includes the way through the kernel: over loopback the median is 13 us instead of 5 us (measured).
    ///
    /// The time is an [arrival](Answer::Sent) of its own, which a [`Pinger`](super::Pinger) takes: for each request one
    /// call more, and usually one more event of a poller. A device whose driver does not report times has none.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the kernel has no such times.
    #[doc(alias = "SOF_TIMESTAMPING_TX_SOFTWARE")]
    pub fn with_send_times(mut self) -> Result<Self> {
        option::set_timestamping(&self.fd, SEND_TIMES)?;
        self.unread_times = Some(AtomicU32::new(0));
        Ok(self)
    }

    /// Whether it is a raw socket, which needed `CAP_NET_RAW`.
    pub const fn is_raw(&self) -> bool {
        self.is_raw
    }

    /// The identifier of its requests.
    pub const fn identifier(&self) -> u16 {
        self.identifier
    }

    /// Sends a request, and returns when, on the monotonic clock. `buf` is room for the message: 8 bytes and the
    /// payload.
    ///
    /// # Errors
    ///
    /// `ENETUNREACH`, `EHOSTUNREACH` without a route; `EAGAIN` if the send buffer is full, `ENOBUFS`; `EMSGSIZE` for a
    /// packet that is too big, or a `buf` that is too short; `EAFNOSUPPORT` for a target of the other version;
    /// `EACCES` for a broadcast address without [`set_broadcast`](option::set_broadcast).
    pub fn send(&self, request: &Request, buf: &mut [u8]) -> Result<Duration> {
        if request.to.is_ipv4() != (self.version == Version::V4) {
            return Err(Error::new(Op::SendTo, Errno::AFNOSUPPORT));
        }
        let message = request.encode(self.identifier, buf)?;
        let to = Endpoint::from(request.to);
        let mut at = sys::now();
        match sys::send_to(self.fd.as_fd(), message, &to) {
            Ok(()) => {}
            Err(errno @ (Errno::AGAIN | Errno::NOBUFS)) => return Err(Error::new(Op::SendTo, errno)),
            // It may be the error of an earlier request to another target, which is reported once.
            Err(_) => {
                at = sys::now();
                sys::send_to(self.fd.as_fd(), message, &to).op_with(Op::SendTo, &to)?;
            }
        }
        if let Some(unread) = &self.unread_times {
            unread.fetch_add(1, Relaxed);
        }
        Ok(at)
    }

    /// Receives the next answer to a request of this socket; `None` if there is none now. Never blocks.
    ///
    /// `buf` holds one packet: the payload and up to 68 bytes more, with send times 132.
    ///
    /// # Errors
    ///
    /// [`MessageTruncated`](Cause::MessageTruncated) if the buffer is too short, with the least length that is longer;
    /// `ENOMEM`. The next call continues.
    pub fn receive<'b>(&self, buf: &'b mut [u8]) -> Result<Option<Arrival<'b>>> {
        let mut found = None;
        for _ in 0..DISCARDS {
            let Some(packet) = self.receive_packet(buf)? else { return Ok(None) };
            if self.answer(&packet, buf).is_some() {
                found = Some(packet);
                break;
            }
        }
        let Some(packet) = found else { return Ok(None) };
        let Packet { from, at, is_kernel_time, hop_limit, .. } = packet;
        let arrival = |answer| Arrival { from, at, is_kernel_time, hop_limit, answer };
        Ok(self.answer(&packet, buf).map(arrival))
    }

    /// A packet, or if there is none a packet of the error queue. The time at which a request has left comes before its
    /// reply.
    fn receive_packet(&self, buf: &mut [u8]) -> Result<Option<Packet>> {
        let has_unread_time = self.unread_times.as_ref().is_some_and(|unread| unread.load(Relaxed) > 0);
        let has_errors = !self.is_raw || self.unread_times.is_some();
        let queues = [
            (has_unread_time, Receive::ErrorQueue),
            (true, Receive::ArrivedDatagram),
            (has_errors, Receive::ErrorQueue),
        ];
        for (_, queue) in queues.into_iter().filter(|(is_asked, _)| *is_asked) {
            let received = self.receive_from_queue(queue, buf)?;
            if received.is_some() {
                return Ok(received);
            }
        }
        Ok(None)
    }

    fn receive_from_queue(&self, queue: Receive, buf: &mut [u8]) -> Result<Option<Packet>> {
        let (mut name, mut control) = (Name::NONE, [0; CONTROL_LEN]);
        let mut errors = 0;
        let received = loop {
            match recvmsg(self.fd.as_fd(), buf, &mut name, &mut control, queue) {
                Ok(received) => break received,
                Err(Errno::AGAIN) => return Ok(None),
                // Errors of earlier requests, of which the error queue has the details; each is reported once.
                Err(_) if errors < DISCARDS => errors += 1,
                Err(errno) => return Err(Error::new(Op::ReceiveFrom, errno)),
            }
        };
        // An error may quote less than the whole request anyway.
        if received.flags.is_truncated() && queue != Receive::ErrorQueue {
            let len = u32::try_from(buf.len()).unwrap_or(u32::MAX).saturating_add(1);
            return Err(Error::refused(Op::ReceiveFrom, Cause::MessageTruncated { len }));
        }
        let facts = Facts::new(received.control.as_bytes());
        Ok(Some(self.packet(received.whole_len.min(buf.len()), ip(name.as_bytes()), &facts)))
    }

    fn packet(&self, len: usize, name: IpAddr, facts: &Facts<'_>) -> Packet {
        let now = sys::now();
        // The kernel's time is on the wall clock: what counts is how long ago it was.
        let age = facts.time.and_then(|time| sys::wall_clock().checked_sub(time));
        let (from, origin) = match facts.queued {
            None => (name, Origin::Network),
            Some(Queued::Error(error)) => {
                // A MTU is not in the rest of the header here, but apart.
                let failure = Failure::new(self.version, error.kind, error.code, error.info);
                (ip(error.from), failure.map_or(Origin::Network, |failure| Origin::Failed(failure, name)))
            }
            Some(Queued::Sent) => {
                if let Some(unread) = &self.unread_times {
                    // It stays at zero: a request in several fragments may have several times.
                    let _ = unread.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1));
                }
                (name, Origin::Sent)
            }
        };
        Packet {
            len,
            from,
            at: now.saturating_sub(age.unwrap_or_default()),
            is_kernel_time: age.is_some(),
            hop_limit: facts.hop_limit,
            origin,
        }
    }

    /// The answer in a packet, if it is one to this socket.
    fn answer<'b>(&self, packet: &Packet, buf: &'b [u8]) -> Option<Answer<'b>> {
        let bytes = buf.get(..packet.len)?;
        let answer = match packet.origin {
            Origin::Sent => packet::sent(self.version, bytes, self.identifier).map(Answer::Sent)?,
            Origin::Failed(failure, destination) => {
                let request = packet::quoted_request(self.version, bytes)?;
                Answer::Failure(failure, Quoted { destination, request })
            }
            Origin::Network if self.is_raw && self.version == Version::V4 => {
                let (_, message) = packet::split_v4(bytes)?;
                packet::parse(Version::V4, message).filter(|_| packet::checksum(message) == 0)?
            }
            Origin::Network => packet::parse(self.version, bytes)?,
        };
        let (Answer::Reply(echo)
        | Answer::Failure(_, Quoted { request: echo, .. })
        | Answer::Sent(Quoted { request: echo, .. })) = &answer;
        (echo.identifier == self.identifier).then_some(answer)
    }
}

/// The IP address in a `sockaddr`.
fn ip(sockaddr: &[u8]) -> IpAddr {
    Endpoint::from_sockaddr(sockaddr).ip().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

impl AsFd for IcmpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
