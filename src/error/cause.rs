//! The causes of failures, one row per cause.

use core::fmt;

use super::{Errno, ErrorKind};

/// A row is a cause with its documentation, its [`ErrorKind`] and its text. A cause may carry one number.
macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident $({ $(#[$field_doc:meta])* $field:ident })?, $kind:ident, $text:literal;)*) => {
        /// Why an operation failed.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Cause {
            /// The error number that the kernel returned.
            Errno(Errno),
            $($(#[$doc])* $cause $({ $(#[$field_doc])* $field: u32 })?,)*
        }

        /// A cause without its number.
        #[derive(Clone, Copy, Eq, Hash, PartialEq)]
        pub(super) enum Code {
            Errno,
            $($cause,)*
        }

        impl Cause {
            pub(super) const fn code(self) -> Code {
                match self {
                    Self::Errno(_) => Code::Errno,
                    $(Self::$cause { .. } => Code::$cause,)*
                }
            }

            /// The cause's number, or 0.
            pub(super) const fn number(self) -> u32 {
                match self {
                    Self::Errno(errno) => errno.raw_os_error() as u32,
                    $(Self::$cause $({ $field })? => [$($field,)? 0][0],)*
                }
            }

            pub(super) const fn kind(self) -> ErrorKind {
                match self {
                    Self::Errno(errno) => ErrorKind::of(errno),
                    $(Self::$cause { .. } => ErrorKind::$kind,)*
                }
            }

            #[cfg(test)]
            pub(super) const EVERY: &[Self] = &[$(Self::$cause $({ $field: 7 })?,)*];
        }

        impl Code {
            pub(super) const fn with(self, number: u32) -> Cause {
                match self {
                    Self::Errno => Cause::Errno(Errno::from_raw_os_error(number as i32)),
                    $(Self::$cause => Cause::$cause $({ $field: number })?,)*
                }
            }
        }

        /// The text of the error number, or of the cause.
        impl fmt::Display for Cause {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Errno(errno) => super::errno::text(*errno).fmt(f),
                    $(Self::$cause $({ $field })? => write!(f, $text),)*
                }
            }
        }
    };
}

causes! {
    /// A buffer of the caller that is too short for a file.
    BufferTooShort, NoRoom, "Buffer too short";
    /// The caller's buffer is full before the delimiter has arrived.
    BufferFull, NoRoom, "Buffer full before the delimiter";
    /// A datagram longer than the protocol, the send buffer or a path that must not fragment allows. Over UDP the
    /// protocol's limit is 65,507 bytes for IPv4 and 65,527 for IPv6. The kernel returns `EMSGSIZE`.
    DatagramTooLong {
        /// Its length in bytes.
        len
    }, InvalidInput, "Datagram of {len} bytes, which is too long";
    /// The caller's deadline has passed.
    DeadlinePassed, TimedOut, "Deadline passed";
    /// The kernel's table changed while it was listed (`NLM_F_DUMP_INTR`): entries may be missing or listed twice.
    DumpInterrupted, Interrupted, "Changed while it was listed";
    /// A path or name with a NUL byte, at which the kernel would silently cut it.
    EmbeddedNul {
        /// The position of the first NUL.
        at
    }, InvalidInput, "NUL byte at position {at}";
    /// An empty Unix socket path, for which the kernel would choose a name.
    EmptyPath, InvalidInput, "Empty path";
    /// The peer closed its side before all bytes had arrived.
    EndOfStream, EndOfStream, "Unexpected end of stream";
    /// A host name where an address is required.
    HostName, InvalidInput, "Host name where an address is required";
    /// A host name that does not exist.
    HostNotFound, NotFound, "Host not found";
    /// An interface that is up and has no IP address.
    InterfaceWithoutAddress, NotFound, "Interface has no address";
    /// A text that is neither an address nor a host name.
    InvalidHostName {
        /// The position of the first offending byte.
        at
    }, InvalidInput, "Invalid host name, at position {at}";
    /// A message that does not have the form of its protocol.
    MalformedMessage, InvalidData, "Malformed message";
    /// A message of the kernel that is longer than the caller's buffer.
    MessageTruncated {
        /// Its length in bytes.
        len
    }, NoRoom, "Message of {len} bytes is longer than the buffer";
    /// The peer has sent more than the caller's limit.
    LimitReached, NoRoom, "Limit reached";
    /// A link-local IPv6 address (`fe80::/10`, `ff02::/16`) without a zone index. The kernel returns `EINVAL`.
    MissingScope, InvalidInput, "Link-local address without scope";
    /// The DNS servers failed to answer: `SERVFAIL`, `FORMERR`, `NOTIMP`, or an answer that cannot be read.
    NameServerFailed {
        /// The RCODE of the last answer (RFC 1035, 4.1.1); 0 for one that cannot be read.
        rcode
    }, Other, "Name server failed with RCODE {rcode}";
    /// The DNS servers refused to answer: `REFUSED`.
    NameServerRefused, PermissionDenied, "Name server refused to answer";
    /// A host that has no address of the requested families.
    NoAddress, NotFound, "Host has no address of this family";
    /// No DNS server answered in time.
    NoAnswer, TimedOut, "Name servers did not answer";
    /// No slot is vacant.
    NoRoom, NoRoom, "No vacant slot";
    /// An endpoint without an IP address where one is required.
    NotIp, InvalidInput, "Not an IP address";
    /// A socket that is not listening where a listener is required.
    NotListening, InvalidInput, "Socket is not listening";
    /// An empty list of addresses.
    NothingToTry, InvalidInput, "No address to try";
    /// A value that the kernel rejects; [`Opt::range`](super::Opt::range) is the accepted range.
    OutOfRange {
        /// The value.
        value
    }, InvalidInput, "{value} is out of range";
    /// A Unix socket path or name that does not fit into `sockaddr_un`.
    PathTooLong {
        /// Its length in bytes, without terminator.
        len
    }, InvalidInput, "Unix socket path of {len} bytes, which must be under 108";
    /// Neither this process's groups nor its capabilities permit a ping.
    PingForbidden, PermissionDenied, "Needs a group in net.ipv4.ping_group_range (IPv4 and IPv6), or CAP_NET_RAW";
    /// A TCP socket connected to itself, which happens if the destination port is in the ephemeral range and has no
    /// listener.
    SelfConnected, ConnectionRefused, "Connected to itself";
    /// The timeout of a blocking read or write has passed. The kernel returns `EAGAIN`.
    TimedOut, TimedOut, "Timed out";
    /// More addresses than fit.
    TooManyAddresses, NoRoom, "Too many addresses";
    /// An address of a family that this crate does not support.
    UnknownFamily {
        /// The kernel's number for the family.
        family
    }, Unsupported, "Unknown address family {family}";
}
