//! Errors: the operation that failed and its cause, in 8 bytes.
//!
//! Every wake-up that ends with `EAGAIN` creates an [`Error`], so creating one is arithmetic and
//! [`is_would_block`](Error::is_would_block) is a comparison. [`Error::kind`] returns a class to match on. Text is
//! formatted on request: by `Display`, or as [`ErrorText`] in the 256 bytes that C callers provide. [`AddrError`] is an
//! error with the address that the operation bound or connected to.
//!
//! ```
//! use anet::{Error, Op, error::Errno};
//!
//! let error = Error::new(Op::Bind, Errno::ADDRINUSE);
//! assert!(error.is_addr_in_use());
//! assert_eq!(error.to_text().as_str(), "bind: Address already in use");
//! ```

mod addr_error;
mod cause;
pub mod errno;
mod kind;
mod op;
mod text;

use core::fmt::{self, Write};

use crate::addr::Endpoint;
use cause::Code;

pub use addr_error::AddrError;
pub use cause::Cause;
pub use errno::Errno;
pub use kind::ErrorKind;
pub use op::{Op, Opt};
pub use text::{ERR_LEN, ErrorText};

/// The result of an operation of this crate.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// A failed operation and its cause.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Error {
    op: Op,
    code: Code,
    /// The number of `code`: an error number, a length, a position or a value.
    number: u32,
}

// Results are returned in at most two registers; `Op` and `Code` leave room for the discriminants.
const _: () = assert!(size_of::<Error>() == 8);
const _: () = assert!(size_of::<Result<()>>() == 8);
const _: () = assert!(size_of::<Result<rustix::fd::OwnedFd>>() == 8);

impl Error {
    /// The error of a system call.
    #[inline]
    pub const fn new(op: Op, errno: Errno) -> Self {
        Self { op, code: Code::Errno, number: errno.raw_os_error() as u32 }
    }

    /// An error found before or without a system call.
    #[cold]
    pub(crate) const fn refused(op: Op, cause: Cause) -> Self {
        Self { op, code: cause.code(), number: cause.number() }
    }

    /// The error of a system call with an address argument.
    #[cold]
    pub(crate) fn with_addr(op: Op, errno: Errno, endpoint: &Endpoint) -> Self {
        match errno {
            Errno::INVAL if endpoint.lacks_scope() => Self::refused(op, Cause::MissingScope),
            _ => Self::new(op, errno),
        }
    }

    /// The operation that failed.
    pub const fn op(&self) -> Op {
        self.op
    }

    /// The cause of the failure.
    pub const fn cause(&self) -> Cause {
        self.code.with(self.number)
    }

    /// The class of the error, for callers that handle several causes alike.
    ///
    /// ```
    /// use anet::{Errno, Error, Op, error::ErrorKind};
    ///
    /// let error = Error::new(Op::Bind, Errno::ACCESS);
    /// assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    /// ```
    pub const fn kind(&self) -> ErrorKind {
        self.cause().kind()
    }

    /// The kernel's error number; `None` if this crate detected the error without the kernel.
    pub const fn errno(&self) -> Option<Errno> {
        match self.cause() {
            Cause::Errno(errno) => Some(errno),
            _ => None,
        }
    }

    /// Whether the kernel returned this error number.
    #[inline]
    pub(crate) const fn is(&self, errno: Errno) -> bool {
        matches!(self.code, Code::Errno) && self.number == errno.raw_os_error() as u32
    }

    /// `EAGAIN`: the call would block; try again when the descriptor is ready.
    #[inline]
    pub const fn is_would_block(&self) -> bool {
        self.is(Errno::AGAIN) || self.is(Errno::WOULDBLOCK)
    }

    /// `EINTR`: a signal interrupted the call before it had done anything.
    #[inline]
    pub const fn is_interrupted(&self) -> bool {
        self.is(Errno::INTR)
    }

    /// `EINPROGRESS`: a non-blocking connect is under way.
    pub const fn is_in_progress(&self) -> bool {
        self.is(Errno::INPROGRESS)
    }

    /// `EADDRINUSE`: another socket uses the address.
    pub const fn is_addr_in_use(&self) -> bool {
        self.is(Errno::ADDRINUSE)
    }

    /// `EMFILE`, `ENFILE`: the process or the system has no descriptors left.
    pub const fn is_out_of_files(&self) -> bool {
        self.is(Errno::MFILE) || self.is(Errno::NFILE)
    }

    /// `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`: the system is out of a resource; the same call may succeed after some
    /// have been released.
    pub const fn is_out_of_resources(&self) -> bool {
        self.is_out_of_files() || self.is(Errno::NOBUFS) || self.is(Errno::NOMEM)
    }

    /// `ECONNRESET`, `EPIPE`, `ENOTCONN`: the peer has disconnected.
    pub const fn is_disconnected(&self) -> bool {
        self.is(Errno::CONNRESET) || self.is(Errno::PIPE) || self.is(Errno::NOTCONN)
    }

    /// The text of `Display`, cut at 255 bytes.
    pub fn to_text(&self) -> ErrorText {
        let mut text = ErrorText::new();
        // Writing to an `ErrorText` cannot fail.
        let _ = write!(text, "{self}");
        text
    }
}

/// The operation and the reason: `bind: Address already in use`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.op, self.reason())
    }
}

impl Error {
    /// The text without the operation.
    pub(crate) const fn reason(&self) -> Reason {
        Reason(*self)
    }

    /// `, EADDRINUSE 98`, or nothing if there is no error number.
    fn fmt_number(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(errno) = self.errno() else { return Ok(()) };
        write!(f, ", {} {}", errno::name(errno).unwrap_or("errno"), errno.raw_os_error())
    }
}

/// The part of an error's text after the operation.
pub(crate) struct Reason(Error);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.0.cause();
        cause.fmt(f)?;
        match (cause, self.0.op) {
            (Cause::OutOfRange { .. }, Op::Set(opt)) => {
                opt.range().map_or(Ok(()), |range| write!(f, " {}..={}", range.start(), range.end()))
            }
            _ => Ok(()),
        }
    }
}

/// `Error("bind: Address already in use", EADDRINUSE 98)`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error(\"{self}\"")?;
        self.fmt_number(f)?;
        f.write_str(")")
    }
}

impl core::error::Error for Error {}

/// Adds the operation to a bare errno: `sys::bind(..).op(Op::Bind)?`.
pub(crate) trait ResultExt<T> {
    fn op(self, op: Op) -> Result<T>;

    /// The same for a call with this address.
    fn op_with(self, op: Op, endpoint: &Endpoint) -> Result<T>;
}

impl<T> ResultExt<T> for Result<T, Errno> {
    #[inline]
    fn op(self, op: Op) -> Result<T> {
        self.map_err(|errno| Error::new(op, errno))
    }

    #[inline]
    fn op_with(self, op: Op, endpoint: &Endpoint) -> Result<T> {
        self.map_err(|errno| Error::with_addr(op, errno, endpoint))
    }
}

/// Keeps the error number, so that `raw_os_error` and `kind` return the same as for a std call. An error without a
/// number becomes an error of the same class that wraps it.
#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        match error.errno() {
            Some(errno) => Self::from_raw_os_error(errno.raw_os_error()),
            None => Self::new(error.kind().into(), error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    /// The longest label and the longest errno text fit, so only context added by a caller can be cut.
    #[test]
    fn a_label_with_an_errno_text_is_never_cut() {
        let longest = Opt::ALL.iter().map(|&opt| Op::Set(opt).to_string().len()).max().unwrap();
        assert!(longest + ": ".len() + errno::LONGEST_TEXT < ERR_LEN);
    }

    #[test]
    fn labels_are_the_names_of_the_system_calls() {
        let labels = [
            (Op::Socket, "socket"),
            (Op::Bind, "bind"),
            (Op::Accept, "accept"),
            (Op::GetCloexec, "fcntl(F_GETFD)"),
            (Op::Cloexec, "fcntl(F_SETFD)"),
            (Op::GetFlags, "fcntl(F_GETFL)"),
            (Op::SetFlags, "fcntl(F_SETFL)"),
            (Op::Duplicate, "fcntl(F_DUPFD_CLOEXEC)"),
            (Op::IsListening, "getsockopt SO_ACCEPTCONN"),
            (Op::Set(Opt::TCP_KEEPIDLE), "setsockopt TCP_KEEPIDLE"),
            (Op::Set(Opt::IPV6_V6ONLY), "setsockopt IPV6_V6ONLY"),
            (Op::Set(Opt::SO_MARK), "setsockopt SO_MARK"),
            (Op::Get(Opt::SO_ERROR), "getsockopt SO_ERROR"),
            #[cfg(target_os = "linux")]
            (Op::WakerCreate, "eventfd"),
            #[cfg(target_os = "linux")]
            (Op::EventCreate, "epoll_create1"),
        ];
        for (op, label) in labels {
            let text = Error::new(op, Errno::BADF).to_text();
            assert_eq!(text.as_str(), std::format!("{label}: Bad file descriptor"));
        }
    }

    #[test]
    fn causes_survive_packing() {
        for &cause in Cause::EVERY.iter().chain([&Cause::Errno(Errno::ADDRINUSE)]) {
            let error = Error::refused(Op::Bind, cause);
            assert_eq!((error.cause(), error.op(), error.kind()), (cause, Op::Bind, cause.kind()));
            assert_eq!(error.to_string(), std::format!("bind: {cause}"));
        }
    }

    #[test]
    fn the_text_shows_the_number_of_the_cause() {
        let error = Error::refused(Op::Address, Cause::PathTooLong { len: 200 });
        assert_eq!(error.to_string(), "address: Unix socket path of 200 bytes, which must be under 108");
    }

    #[test]
    fn a_link_local_address_without_scope_is_a_missing_scope_and_not_an_invalid_argument() {
        let refused = |endpoint: &str| Error::with_addr(Op::Bind, Errno::INVAL, &endpoint.parse().unwrap());
        for endpoint in ["[fe80::1]:80", "[febf::1]:80", "[ff02::1]:80"] {
            assert_eq!(refused(endpoint).cause(), Cause::MissingScope, "{endpoint}");
        }
        for endpoint in ["[fe80::1%2]:80", "[::1]:80", "[ff05::1]:80", "169.254.1.1:80", "/run/x"] {
            assert_eq!(refused(endpoint), Error::new(Op::Bind, Errno::INVAL), "{endpoint}");
        }
    }

    #[test]
    fn an_out_of_range_error_shows_the_range() {
        let error = Error::refused(Op::Set(Opt::TCP_KEEPIDLE), Cause::OutOfRange { value: 32768 });
        assert_eq!(error.to_string(), "setsockopt TCP_KEEPIDLE: 32768 is out of range 1..=32767");
    }

    #[test]
    fn debug_adds_the_name_and_the_number() {
        let error = Error::new(Op::Bind, Errno::ADDRINUSE);
        assert_eq!(std::format!("{error:?}"), "Error(\"bind: Address already in use\", EADDRINUSE 98)");
    }

    #[cfg(feature = "std")]
    #[test]
    fn the_std_error_has_the_same_error_number() {
        let error = std::io::Error::from(Error::new(Op::Accept, Errno::AGAIN));
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(error.raw_os_error(), Some(Errno::AGAIN.raw_os_error()));
    }

    #[cfg(feature = "std")]
    #[test]
    fn the_std_error_of_an_unknown_host_is_not_found_and_keeps_the_operation() {
        let error = std::io::Error::from(Error::refused(Op::Address, Cause::HostNotFound));
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), "address: Host not found");
    }
}
