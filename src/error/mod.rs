//! Errors as small facts: which call failed and why, in 8 bytes.
//!
//! An [`Error`] is made on every wake-up that ends with `EAGAIN`, so making one is arithmetic and asking
//! [`is_would_block`](Error::is_would_block) is a comparison. Text comes only when somebody asks: from `Display`, or
//! as [`ErrorText`] in the 256 bytes that C callers hold ready.
//!
//! ```
//! use anet::{Error, Op, error::Errno};
//!
//! let error = Error::new(Op::Bind, Errno::ADDRINUSE);
//! assert!(error.is_addr_in_use());
//! assert_eq!(error.to_text().as_str(), "bind: Address already in use");
//! ```

pub mod errno;
mod op;
mod text;

use core::fmt::{self, Write};

pub use errno::Errno;
pub use op::{Op, Opt};
pub use text::{ERR_LEN, ErrorText};

/// What an operation of this crate returns.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// A failed operation: which one, and why.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Error {
    op: Op,
    kind: Kind,
    /// What `kind` says it is: an error number, a length, a position or a value.
    detail: u32,
}

// A return in two registers at most; `Op` and `Kind` have room for the discriminants of the results.
const _: () = assert!(size_of::<Error>() == 8);
const _: () = assert!(size_of::<Result<()>>() == 8);
const _: () = assert!(size_of::<Result<rustix::fd::OwnedFd>>() == 8);

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum Kind {
    DeadlinePassed,
    EmbeddedNul,
    EmptyPath,
    EndOfStream,
    Errno,
    HostName,
    HostNotFound,
    NoRoom,
    NothingToTry,
    OutOfRange,
    PathTooLong,
    SelfConnected,
    TooManyAddresses,
    UnknownFamily,
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The kernel said so.
    Errno(Errno),
    /// The caller's deadline has passed.
    DeadlinePassed,
    /// A path or name with a NUL byte at this position, which the kernel would silently cut there.
    EmbeddedNul {
        /// The position of the first NUL.
        at: u32,
    },
    /// A Unix socket path of no bytes, for which the kernel would make up a name.
    EmptyPath,
    /// The peer closed its side before all bytes had come.
    EndOfStream,
    /// A host name where only addresses are taken.
    HostName,
    /// A host name that the resolver does not know, or has no address for.
    HostNotFound,
    /// No slot is vacant.
    NoRoom,
    /// An empty list of addresses.
    NothingToTry,
    /// A value that the kernel does not take; [`Opt::range`] has those it takes.
    OutOfRange {
        /// The value.
        value: u32,
    },
    /// A Unix socket path or name that `sockaddr_un` has no room for.
    PathTooLong {
        /// Its length in bytes, without terminator.
        len: u32,
    },
    /// A TCP connection whose two ends are the same socket, which happens when the port connected to lies in the
    /// ephemeral range and nobody listens on it.
    SelfConnected,
    /// More addresses than there is room for.
    TooManyAddresses,
    /// An address of a family that this crate does not use.
    UnknownFamily {
        /// The kernel's number for the family.
        family: u32,
    },
}

impl Error {
    /// The error of a system call.
    #[inline]
    pub const fn new(op: Op, errno: Errno) -> Self {
        Self { op, kind: Kind::Errno, detail: errno.raw_os_error() as u32 }
    }

    /// An error found before or without a system call.
    #[cold]
    pub(crate) const fn refused(op: Op, cause: Cause) -> Self {
        let (kind, detail) = match cause {
            Cause::Errno(errno) => (Kind::Errno, errno.raw_os_error() as u32),
            Cause::DeadlinePassed => (Kind::DeadlinePassed, 0),
            Cause::EmbeddedNul { at } => (Kind::EmbeddedNul, at),
            Cause::EmptyPath => (Kind::EmptyPath, 0),
            Cause::EndOfStream => (Kind::EndOfStream, 0),
            Cause::HostName => (Kind::HostName, 0),
            Cause::HostNotFound => (Kind::HostNotFound, 0),
            Cause::NoRoom => (Kind::NoRoom, 0),
            Cause::NothingToTry => (Kind::NothingToTry, 0),
            Cause::OutOfRange { value } => (Kind::OutOfRange, value),
            Cause::PathTooLong { len } => (Kind::PathTooLong, len),
            Cause::SelfConnected => (Kind::SelfConnected, 0),
            Cause::TooManyAddresses => (Kind::TooManyAddresses, 0),
            Cause::UnknownFamily { family } => (Kind::UnknownFamily, family),
        };
        Self { op, kind, detail }
    }

    /// The operation that failed.
    pub const fn op(&self) -> Op {
        self.op
    }

    /// Why it failed.
    pub const fn cause(&self) -> Cause {
        match self.kind {
            Kind::Errno => Cause::Errno(Errno::from_raw_os_error(self.detail as i32)),
            Kind::DeadlinePassed => Cause::DeadlinePassed,
            Kind::EmbeddedNul => Cause::EmbeddedNul { at: self.detail },
            Kind::EmptyPath => Cause::EmptyPath,
            Kind::EndOfStream => Cause::EndOfStream,
            Kind::HostName => Cause::HostName,
            Kind::HostNotFound => Cause::HostNotFound,
            Kind::NoRoom => Cause::NoRoom,
            Kind::NothingToTry => Cause::NothingToTry,
            Kind::OutOfRange => Cause::OutOfRange { value: self.detail },
            Kind::PathTooLong => Cause::PathTooLong { len: self.detail },
            Kind::SelfConnected => Cause::SelfConnected,
            Kind::TooManyAddresses => Cause::TooManyAddresses,
            Kind::UnknownFamily => Cause::UnknownFamily { family: self.detail },
        }
    }

    /// The kernel's error number; `None` where the error was found without asking the kernel.
    pub const fn errno(&self) -> Option<Errno> {
        match self.cause() {
            Cause::Errno(errno) => Some(errno),
            _ => None,
        }
    }

    /// Whether the kernel answered with this number.
    #[inline]
    pub(crate) const fn is(&self, errno: Errno) -> bool {
        matches!(self.kind, Kind::Errno) && self.detail == errno.raw_os_error() as u32
    }

    /// `EAGAIN`: nothing to do now, try again when the descriptor is ready.
    #[inline]
    pub const fn is_would_block(&self) -> bool {
        self.is(Errno::AGAIN) || self.is(Errno::WOULDBLOCK)
    }

    /// `EINTR`: a signal came in before the call had done anything.
    #[inline]
    pub const fn is_interrupted(&self) -> bool {
        self.is(Errno::INTR)
    }

    /// `EINPROGRESS`: a non-blocking connect is under way.
    pub const fn is_in_progress(&self) -> bool {
        self.is(Errno::INPROGRESS)
    }

    /// `EADDRINUSE`: somebody else has the address.
    pub const fn is_addr_in_use(&self) -> bool {
        self.is(Errno::ADDRINUSE)
    }

    /// `EMFILE`, `ENFILE`: no descriptors left in the process or the system.
    pub const fn is_out_of_files(&self) -> bool {
        self.is(Errno::MFILE) || self.is(Errno::NFILE)
    }

    /// `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`: the machine is short of something, and the same call may succeed
    /// once something else has been released.
    pub const fn is_out_of_resources(&self) -> bool {
        self.is_out_of_files() || self.is(Errno::NOBUFS) || self.is(Errno::NOMEM)
    }

    /// `ECONNRESET`, `EPIPE`, `ENOTCONN`: the peer is gone.
    pub const fn is_disconnected(&self) -> bool {
        self.is(Errno::CONNRESET) || self.is(Errno::PIPE) || self.is(Errno::NOTCONN)
    }

    /// The text of `Display`, at most 255 bytes of it.
    pub fn to_text(&self) -> ErrorText {
        let mut text = ErrorText::new();
        // Writing to an `ErrorText` cannot fail.
        let _ = write!(text, "{self}");
        text
    }
}

/// `label: text`, as Redis logs it: `bind: Address already in use`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Kind::PathTooLong = self.kind {
            return write!(f, "unix socket path too long ({}), must be under 108", self.detail);
        }
        fmt::Display::fmt(&self.op, f)?;
        f.write_str(": ")?;
        match self.cause() {
            Cause::Errno(errno) => fmt::Display::fmt(&errno::text(errno), f),
            Cause::OutOfRange { value } => self.fmt_out_of_range(value, f),
            Cause::DeadlinePassed => f.write_str("Deadline passed"),
            Cause::EmbeddedNul { at } => write!(f, "NUL byte at position {at}"),
            Cause::EmptyPath => f.write_str("Empty path"),
            Cause::EndOfStream => f.write_str("Unexpected end of stream"),
            Cause::HostName => f.write_str("Host name where an address is needed"),
            Cause::HostNotFound => f.write_str("Host not found"),
            Cause::NoRoom => f.write_str("No vacant slot"),
            Cause::NothingToTry => f.write_str("No address to try"),
            Cause::PathTooLong { .. } => Ok(()),
            Cause::SelfConnected => f.write_str("Connected to itself"),
            Cause::TooManyAddresses => f.write_str("Too many addresses"),
            Cause::UnknownFamily { family } => write!(f, "Unknown address family {family}"),
        }
    }
}

impl Error {
    fn fmt_out_of_range(&self, value: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{value} is out of range")?;
        match self.op {
            Op::Set(opt) => opt.range().map_or(Ok(()), |range| write!(f, " {}..={}", range.start(), range.end())),
            _ => Ok(()),
        }
    }
}

/// `Error("bind: Address already in use", EADDRINUSE 98)`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error(\"{self}\"")?;
        if let Some(errno) = self.errno() {
            write!(f, ", {} {}", errno::name(errno).unwrap_or("errno"), errno.raw_os_error())?;
        }
        f.write_str(")")
    }
}

impl core::error::Error for Error {}

/// Names the operation of a bare errno: `sys::bind(..).op(Op::Bind)?`.
pub(crate) trait ResultExt<T> {
    fn op(self, op: Op) -> Result<T>;
}

impl<T> ResultExt<T> for Result<T, Errno> {
    #[inline]
    fn op(self, op: Op) -> Result<T> {
        self.map_err(|errno| Error::new(op, errno))
    }
}

/// Keeps the error number, so that `raw_os_error` and `kind` say what they would for a std call.
#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        use std::io::ErrorKind;
        match error.cause() {
            Cause::Errno(errno) => Self::from_raw_os_error(errno.raw_os_error()),
            Cause::DeadlinePassed => Self::new(ErrorKind::TimedOut, error),
            Cause::EndOfStream => Self::new(ErrorKind::UnexpectedEof, error),
            Cause::SelfConnected => Self::new(ErrorKind::ConnectionRefused, error),
            _ => Self::new(ErrorKind::InvalidInput, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    /// The longest label and the longest errno text always fit, so only context that a caller adds can be cut.
    #[test]
    fn no_label_with_any_errno_text_is_ever_cut() {
        let longest = Opt::ALL.iter().map(|&opt| Op::Set(opt).to_string().len()).max().unwrap();
        assert!(longest + ": ".len() + errno::LONGEST_TEXT < ERR_LEN);
    }

    #[test]
    fn labels_are_those_of_redis() {
        let labels = [
            (Op::Socket, "creating socket"),
            (Op::Bind, "bind"),
            (Op::Listen, "listen"),
            (Op::Connect, "connect"),
            (Op::Accept, "accept"),
            (Op::Cloexec, "anetCloexec"),
            (Op::GetFlags, "fcntl(F_GETFL)"),
            (Op::SetFlags, "fcntl(F_SETFL,O_NONBLOCK)"),
            (Op::Set(Opt::ReuseAddress), "setsockopt SO_REUSEADDR"),
            (Op::Set(Opt::KeepAlive), "setsockopt SO_KEEPALIVE"),
            (Op::Set(Opt::KeepIdle), "setsockopt TCP_KEEPIDLE"),
            (Op::Set(Opt::KeepInterval), "setsockopt TCP_KEEPINTVL"),
            (Op::Set(Opt::KeepCount), "setsockopt TCP_KEEPCNT"),
            (Op::Set(Opt::NoDelay), "setsockopt TCP_NODELAY"),
            (Op::Set(Opt::SendTimeout), "setsockopt SO_SNDTIMEO"),
            (Op::Set(Opt::ReceiveTimeout), "setsockopt SO_RCVTIMEO"),
            (Op::Set(Opt::V6Only), "setsockopt"),
            (Op::Set(Opt::Mark), "setsockopt"),
        ];
        for (op, label) in labels {
            let text = Error::new(op, Errno::BADF).to_text();
            assert_eq!(text.as_str(), std::format!("{label}: Bad file descriptor"));
        }
    }

    #[test]
    fn causes_survive_the_packing_and_say_what_is_wrong() {
        let cases = [
            (Cause::Errno(Errno::ADDRINUSE), "bind: Address already in use"),
            (Cause::DeadlinePassed, "bind: Deadline passed"),
            (Cause::EmbeddedNul { at: 3 }, "bind: NUL byte at position 3"),
            (Cause::EmptyPath, "bind: Empty path"),
            (Cause::EndOfStream, "bind: Unexpected end of stream"),
            (Cause::HostName, "bind: Host name where an address is needed"),
            (Cause::HostNotFound, "bind: Host not found"),
            (Cause::NoRoom, "bind: No vacant slot"),
            (Cause::NothingToTry, "bind: No address to try"),
            (Cause::PathTooLong { len: 200 }, "unix socket path too long (200), must be under 108"),
            (Cause::SelfConnected, "bind: Connected to itself"),
            (Cause::TooManyAddresses, "bind: Too many addresses"),
            (Cause::UnknownFamily { family: 40 }, "bind: Unknown address family 40"),
        ];
        for (cause, text) in cases {
            let error = Error::refused(Op::Bind, cause);
            assert_eq!((error.cause(), error.op()), (cause, Op::Bind));
            assert_eq!(error.to_text().as_str(), text);
        }
    }

    #[test]
    fn a_value_out_of_range_is_told_the_range() {
        let error = Error::refused(Op::Set(Opt::KeepIdle), Cause::OutOfRange { value: 32768 });
        assert_eq!(error.to_string(), "setsockopt TCP_KEEPIDLE: 32768 is out of range 1..=32767");
    }

    #[test]
    fn debug_adds_the_name_and_the_number() {
        let error = Error::new(Op::Bind, Errno::ADDRINUSE);
        assert_eq!(std::format!("{error:?}"), "Error(\"bind: Address already in use\", EADDRINUSE 98)");
    }

    #[cfg(feature = "std")]
    #[test]
    fn std_reads_the_same_error_number() {
        let error = std::io::Error::from(Error::new(Op::Accept, Errno::AGAIN));
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(error.raw_os_error(), Some(Errno::AGAIN.raw_os_error()));
    }
}
