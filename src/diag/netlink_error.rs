//! [`NetlinkError`]: an error and the kernel's explanation.

use core::fmt::{self, Write};

use arrayvec::ArrayString;

use crate::error::{Cause, Errno, Error, ErrorKind, ErrorText};

/// The longest explanation that is kept, in bytes. The kernel limits those that it formats to 80.
const TEXT_MAX: usize = 96;

/// A failed request to the kernel, such as `netlink: Invalid argument (Invalid prefix length)`.
///
/// An [`Error`] has no room for the kernel's explanation; `?` drops it in a function that returns one, and keeps it in
/// one that returns `Box<dyn Error>` or `std::io::Result`.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[doc(alias = "extack")]
pub struct NetlinkError {
    error: Error,
    text: ArrayString<TEXT_MAX>,
}

const _: () = assert!(size_of::<NetlinkError>() <= 120);

impl NetlinkError {
    pub(super) fn new(error: Error, explanation: &str) -> Self {
        let longest = explanation.len().min(TEXT_MAX);
        let kept = (0..=longest).rev().find_map(|len| explanation.get(..len)).unwrap_or_default();
        let mut text = ArrayString::new();
        // It fits.
        let _ = text.try_push_str(kept);
        Self { error, text }
    }

    /// The error without the kernel's explanation.
    pub const fn error(&self) -> Error {
        self.error
    }

    /// The kernel's explanation, at most 96 bytes; empty if it gave none.
    #[doc(alias = "NLMSGERR_ATTR_MSG")]
    pub fn explanation(&self) -> &str {
        &self.text
    }

    /// The class of the error.
    pub const fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    /// The cause of the failure.
    pub const fn cause(&self) -> Cause {
        self.error.cause()
    }

    /// The kernel's error number; `None` if this crate detected the error without the kernel.
    pub const fn errno(&self) -> Option<Errno> {
        self.error.errno()
    }

    /// The table changed while the kernel listed it: entries may be missing or listed twice. List it again.
    #[doc(alias = "NLM_F_DUMP_INTR")]
    pub const fn is_interrupted_dump(&self) -> bool {
        matches!(self.error.cause(), Cause::DumpInterrupted)
    }

    /// The text of `Display`, cut at 255 bytes.
    pub fn to_text(&self) -> ErrorText {
        let mut text = ErrorText::new();
        // Writing to an `ErrorText` cannot fail.
        let _ = write!(text, "{self}");
        text
    }
}

impl From<Error> for NetlinkError {
    fn from(error: Error) -> Self {
        Self { error, text: ArrayString::new_const() }
    }
}

/// Drops the explanation.
impl From<NetlinkError> for Error {
    fn from(error: NetlinkError) -> Self {
        error.error
    }
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        if self.text.is_empty() { Ok(()) } else { write!(f, " ({})", self.text) }
    }
}

/// `NetlinkError("netlink: Invalid argument (Invalid prefix length)")`.
impl fmt::Debug for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetlinkError(\"{self}\")")
    }
}

impl core::error::Error for NetlinkError {}

/// Compares the error and ignores the explanation.
impl PartialEq<Error> for NetlinkError {
    fn eq(&self, other: &Error) -> bool {
        self.error == *other
    }
}

/// Has the kind that std gives to the error number, and the explanation in its text.
#[cfg(feature = "std")]
impl From<NetlinkError> for std::io::Error {
    fn from(error: NetlinkError) -> Self {
        Self::new(Self::from(error.error).kind(), error)
    }
}
