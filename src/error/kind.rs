//! [`ErrorKind`]: classes of errors.

use super::Errno;

/// A class of errors that callers handle alike, whatever their error numbers; see [`Error::kind`](super::Error::kind).
///
/// A class that [`std::io::ErrorKind`] has too has the same name here.
///
/// ```
/// use anet::{SocketOptions, error::ErrorKind, listen};
///
/// # let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let addr = taken.local_addr()?;
/// match listen::tcp(addr, &SocketOptions::new()) {
///     Err(error) if error.kind() == ErrorKind::AddrInUse => println!("{error}; is the server running already?"),
///     other => drop(other?),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Another socket uses the address: `EADDRINUSE`.
    AddrInUse,
    /// The address is not this host's, or no ephemeral port is left: `EADDRNOTAVAIL`.
    AddrNotAvailable,
    /// The peer no longer reads: `EPIPE`.
    BrokenPipe,
    /// The connection ended before it was accepted: `ECONNABORTED`.
    ConnectionAborted,
    /// The peer is not listening: `ECONNREFUSED`, or the socket connected to itself.
    ConnectionRefused,
    /// The peer reset the connection: `ECONNRESET`.
    ConnectionReset,
    /// The stream ended before all bytes had arrived.
    EndOfStream,
    /// A non-blocking connect is under way: `EINPROGRESS`.
    InProgress,
    /// A signal interrupted the call: `EINTR`; or the kernel's table changed while it was listed.
    Interrupted,
    /// A message does not have the form of its protocol.
    InvalidData,
    /// The kernel or this crate rejects a value or an address: `EINVAL`, `ENAMETOOLONG`.
    InvalidInput,
    /// A list or table of the caller is full, or `ENOSPC`.
    NoRoom,
    /// The socket is not connected, or no longer connected: `ENOTCONN`.
    NotConnected,
    /// No such file, interface or host: `ENOENT`, `ENODEV`.
    NotFound,
    /// The process or the system has no descriptors left: `EMFILE`, `ENFILE`.
    OutOfDescriptors,
    /// The kernel is out of memory or buffers: `ENOMEM`, `ENOBUFS`.
    OutOfMemory,
    /// `EACCES`, `EPERM`.
    PermissionDenied,
    /// A deadline or timeout has passed, or the peer does not respond: `ETIMEDOUT`.
    TimedOut,
    /// No route leads to the peer: `EHOSTUNREACH`, `ENETUNREACH`, `EHOSTDOWN`, `ENETDOWN`.
    Unreachable,
    /// The system does not support the operation: `ENOSYS`, `EOPNOTSUPP`, `EAFNOSUPPORT`, `EPFNOSUPPORT`,
    /// `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`, `ENOPROTOOPT`.
    Unsupported,
    /// The call would block; try again when the descriptor is ready: `EAGAIN`.
    WouldBlock,
    /// Any other error; [`Error::errno`](super::Error::errno) has the number.
    Other,
}

impl ErrorKind {
    pub(super) const fn of(errno: Errno) -> Self {
        match errno {
            Errno::ADDRINUSE => Self::AddrInUse,
            Errno::ADDRNOTAVAIL => Self::AddrNotAvailable,
            Errno::PIPE => Self::BrokenPipe,
            Errno::CONNABORTED => Self::ConnectionAborted,
            Errno::CONNREFUSED => Self::ConnectionRefused,
            Errno::CONNRESET => Self::ConnectionReset,
            Errno::INPROGRESS => Self::InProgress,
            Errno::INTR => Self::Interrupted,
            Errno::INVAL | Errno::NAMETOOLONG => Self::InvalidInput,
            Errno::NOSPC => Self::NoRoom,
            Errno::NOTCONN => Self::NotConnected,
            Errno::NOENT | Errno::NODEV => Self::NotFound,
            Errno::MFILE | Errno::NFILE => Self::OutOfDescriptors,
            Errno::NOMEM | Errno::NOBUFS => Self::OutOfMemory,
            Errno::ACCESS | Errno::PERM => Self::PermissionDenied,
            Errno::TIMEDOUT => Self::TimedOut,
            Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::HOSTDOWN | Errno::NETDOWN => Self::Unreachable,
            Errno::NOSYS | Errno::NOTSUP | Errno::AFNOSUPPORT | Errno::PFNOSUPPORT => Self::Unsupported,
            Errno::PROTONOSUPPORT | Errno::SOCKTNOSUPPORT | Errno::NOPROTOOPT => Self::Unsupported,
            Errno::AGAIN => Self::WouldBlock,
            _ => Self::Other,
        }
    }
}

/// Converts to the class of std with the same meaning.
#[cfg(feature = "std")]
impl From<ErrorKind> for std::io::ErrorKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::AddrInUse => Self::AddrInUse,
            ErrorKind::AddrNotAvailable => Self::AddrNotAvailable,
            ErrorKind::BrokenPipe => Self::BrokenPipe,
            ErrorKind::ConnectionAborted => Self::ConnectionAborted,
            ErrorKind::ConnectionRefused => Self::ConnectionRefused,
            ErrorKind::ConnectionReset => Self::ConnectionReset,
            ErrorKind::EndOfStream => Self::UnexpectedEof,
            ErrorKind::Interrupted => Self::Interrupted,
            ErrorKind::InvalidData => Self::InvalidData,
            ErrorKind::InvalidInput => Self::InvalidInput,
            ErrorKind::NotConnected => Self::NotConnected,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::OutOfMemory => Self::OutOfMemory,
            ErrorKind::PermissionDenied => Self::PermissionDenied,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::Unreachable => Self::HostUnreachable,
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::WouldBlock => Self::WouldBlock,
            // Classes that std does not have, or has under an unstable name.
            ErrorKind::InProgress | ErrorKind::NoRoom | ErrorKind::OutOfDescriptors | ErrorKind::Other => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Op};

    fn errors() -> impl Iterator<Item = (ErrorKind, Error)> {
        (1..=133)
            .map(|number| Error::new(Op::Read, Errno::from_raw_os_error(number)))
            .map(|error| (error.kind(), error))
    }

    #[test]
    fn kinds_and_predicates_agree_on_every_errno() {
        use ErrorKind::*;
        for (kind, error) in errors() {
            assert_eq!(kind == WouldBlock, error.is_would_block(), "{error}");
            assert_eq!(kind == Interrupted, error.is_interrupted(), "{error}");
            assert_eq!(kind == InProgress, error.is_in_progress(), "{error}");
            assert_eq!(kind == AddrInUse, error.is_addr_in_use(), "{error}");
            assert_eq!(kind == OutOfDescriptors, error.is_out_of_files(), "{error}");
            assert_eq!([OutOfDescriptors, OutOfMemory].contains(&kind), error.is_out_of_resources(), "{error}");
            assert_eq!([ConnectionReset, BrokenPipe, NotConnected].contains(&kind), error.is_disconnected(), "{error}");
        }
    }

    /// std splits `Unreachable` into several classes, and has coarser classes for the rest of the list.
    #[cfg(feature = "std")]
    #[test]
    fn every_errno_has_the_class_that_std_gives_it_if_std_has_that_class() {
        use std::io;
        let ours_alone = [
            Errno::NODEV,
            Errno::NOBUFS,
            Errno::NAMETOOLONG,
            Errno::HOSTDOWN,
            Errno::NETDOWN,
            Errno::NETUNREACH,
            Errno::AFNOSUPPORT,
            Errno::PFNOSUPPORT,
            Errno::PROTONOSUPPORT,
            Errno::SOCKTNOSUPPORT,
            Errno::NOPROTOOPT,
            // std has it since a version later than the oldest one that is supported.
            Errno::OPNOTSUPP,
        ];
        for (kind, error) in errors().filter(|(_, error)| !ours_alone.contains(&error.errno().unwrap())) {
            let of_std = io::Error::from_raw_os_error(error.errno().unwrap().raw_os_error()).kind();
            let same = io::ErrorKind::from(kind);
            assert!(same == io::ErrorKind::Other || same == of_std, "{error}: {kind:?}, {of_std:?}");
        }
    }
}
