//! [`holder`]: the socket that has an address.

use core::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use super::{
    inet_filter::{InetFilter, InetProtocol},
    inet_socket::InetSocket,
    netlink::NetlinkResult,
    owner::{self, Process},
    sock_diag::SockDiag,
    state::{SocketState, SocketStates},
    unix_socket::UnixSocket,
};
use crate::{
    addr::{Endpoint, UnixAddr},
    error::Result,
};

/// A socket that has an address, so that another cannot bind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Its address, which may be a wildcard.
    pub local: Endpoint,
    /// Its state.
    pub state: SocketState,
    /// The user whose process created it; `None` for a Unix socket before Linux 5.3.
    pub uid: Option<u32>,
    /// Its inode number; 0 if no process holds it, as in `TIME-WAIT`.
    pub inode: u32,
}

impl Holder {
    /// The process that holds the socket; `None` if no process does.
    ///
    /// # Errors
    ///
    /// Those of [`owner::find`].
    pub fn process(&self) -> Result<Option<Process>> {
        if self.inode == 0 { Ok(None) } else { owner::find(self.inode) }
    }
}

/// `0.0.0.0:6379 LISTEN uid 7`
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.local, self.state)?;
        self.uid.map_or(Ok(()), |uid| write!(f, " uid {uid}"))
    }
}

/// Finds the socket because of which `endpoint` cannot be bound: one that listens if there is one, otherwise one that is
/// bound, otherwise one that is connected or was. `None` if there is none (any more). `protocol` has no effect on a Unix
/// address. Ask after an `EADDRINUSE`, for the message; it is not for a hot path.
///
/// ```
/// use anet::{SocketOptions, diag::{self, InetProtocol}, listen};
///
/// # let server = listen::tcp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
/// # let addr = server.local_addr()?.as_inet().unwrap();
/// let Err(error) = listen::tcp(addr, &SocketOptions::new()) else { unreachable!() };
/// if let (true, Some(addr)) = (error.error().is_addr_in_use(), error.endpoint()) {
///     let mut buf = [0; 8192];
///     if let Some(holder) = diag::holder(addr, InetProtocol::Tcp, &mut buf)? {
///         println!("{error}: {holder}");
///         if let Some(process) = holder.process()? {
///             println!("it belongs to {process}");
///         }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`SockDiag::open`], [`SockDiag::inet`] and [`SockDiag::unix`].
#[doc(alias = "EADDRINUSE")]
pub fn holder(endpoint: &Endpoint, protocol: InetProtocol, buf: &mut [u8]) -> NetlinkResult<Option<Holder>> {
    let mut sock_diag = SockDiag::open()?;
    match endpoint {
        Endpoint::Inet(addr) => inet_holder(&mut sock_diag, *addr, protocol, buf),
        Endpoint::Unix(addr) => unix_holder(&mut sock_diag, addr, buf),
        Endpoint::Unknown { .. } => Ok(None),
    }
}

fn inet_holder(
    sock_diag: &mut SockDiag,
    wanted: SocketAddr,
    protocol: InetProtocol,
    buf: &mut [u8],
) -> NetlinkResult<Option<Holder>> {
    let filter = InetFilter::of(protocol).with_local_port(wanted.port());
    let mut best = None;
    for socket in sock_diag.inet(filter, buf)? {
        let InetSocket { local, state, uid, inode, only_v6, .. } = socket?;
        if conflicts(local, only_v6 == Some(true), wanted) {
            better(&mut best, Holder { local: local.into(), state, uid: Some(uid), inode });
        }
    }
    Ok(best)
}

fn unix_holder(sock_diag: &mut SockDiag, wanted: &UnixAddr, buf: &mut [u8]) -> NetlinkResult<Option<Holder>> {
    let mut best = None;
    for socket in sock_diag.unix(SocketStates::all(), buf)? {
        let UnixSocket { addr, state, uid, inode, .. } = socket?;
        if addr == *wanted && !addr.is_unnamed() {
            better(&mut best, Holder { local: addr.into(), state, uid, inode });
        }
    }
    Ok(best)
}

/// Whether a socket bound to `local` keeps another from binding `wanted`: the same address, or a wildcard that includes
/// it. An IPv6 wildcard includes IPv4 unless the socket is limited to IPv6.
fn conflicts(local: SocketAddr, is_only_v6: bool, wanted: SocketAddr) -> bool {
    let (local, wanted) = (local.ip().to_canonical(), wanted.ip().to_canonical());
    let includes = |wildcard: IpAddr, is_only_v6: bool, ip: IpAddr| {
        wildcard.is_unspecified() && (wildcard.is_ipv4() == ip.is_ipv4() || (wildcard.is_ipv6() && !is_only_v6))
    };
    local == wanted || includes(local, is_only_v6, wanted) || includes(wanted, false, local)
}

/// Keeps the holder whose state is the likelier reason.
fn better(best: &mut Option<Holder>, holder: Holder) {
    let rank = |holder: &Holder| match holder.state {
        SocketState::Listening => 0,
        SocketState::Closed | SocketState::BoundInactive => 1,
        _ => 2,
    };
    if best.is_none_or(|best| rank(&holder) < rank(&best)) {
        *best = Some(holder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_conflicts_with_the_addresses_it_includes() {
        // Local, limited to IPv6, wanted.
        let cases = [
            ("127.0.0.1:1", false, "127.0.0.1:1", true),
            ("127.0.0.1:1", false, "127.0.0.2:1", false),
            ("127.0.0.1:1", false, "0.0.0.0:1", true),
            ("127.0.0.1:1", false, "[::]:1", true),
            ("127.0.0.1:1", false, "[::1]:1", false),
            ("[::]:1", false, "127.0.0.1:1", true),
            ("[::]:1", true, "127.0.0.1:1", false),
            ("[::]:1", true, "[::1]:1", true),
            ("0.0.0.0:1", false, "[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false, "127.0.0.1:1", true),
        ];
        for (local, is_only_v6, wanted, expected) in cases {
            let found = conflicts(local.parse().unwrap(), is_only_v6, wanted.parse().unwrap());
            assert_eq!(found, expected, "{local} {is_only_v6} {wanted}");
        }
    }
}
