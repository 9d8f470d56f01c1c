//! [`AddrError`]: an error and the address it concerns.

use core::fmt::{self, Write};

use super::{Cause, Errno, Error, ErrorKind, ErrorText, Op};
use crate::addr::Endpoint;

/// A failed operation on an address, such as `bind 127.0.0.1:80: Permission denied`.
///
/// Opening and connecting return this error, because a caller with a list of addresses needs to know which one failed.
/// In a function that returns `Box<dyn Error>` or `std::io::Result`, `?` keeps the address in the text; in one that
/// returns an [`Error`], which has no room for an address, `?` drops it.
///
/// ```
/// use anet::{SocketOptions, listen};
///
/// let error = listen::tcp("203.0.113.1:80".parse()?, &SocketOptions::new()).unwrap_err();
/// assert_eq!(error.to_string(), "bind 203.0.113.1:80: Cannot assign requested address");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct AddrError {
    error: Error,
    endpoint: Option<Endpoint>,
}

// With an index the size stays below Clippy's limit for errors returned by value.
const _: () = assert!(size_of::<AddrError>() <= 120);

impl AddrError {
    /// Attaches the address to the error of an operation on it.
    pub const fn new(error: Error, endpoint: Endpoint) -> Self {
        Self { error, endpoint: Some(endpoint) }
    }

    /// An error without an address: the list was empty, or the descriptor was inherited.
    pub(crate) const fn nowhere(error: Error) -> Self {
        Self { error, endpoint: None }
    }

    /// The error without the address.
    pub const fn error(&self) -> Error {
        self.error
    }

    /// The address that the operation bound or connected to; `None` if there is none, as for an inherited descriptor.
    pub const fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// The class of the error.
    pub const fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    /// The operation that failed.
    pub const fn op(&self) -> Op {
        self.error.op()
    }

    /// The cause of the failure.
    pub const fn cause(&self) -> Cause {
        self.error.cause()
    }

    /// The kernel's error number; `None` if this crate detected the error without the kernel.
    pub const fn errno(&self) -> Option<Errno> {
        self.error.errno()
    }
}

impl AddrError {
    /// The text of `Display`, cut at 255 bytes.
    pub fn to_text(&self) -> ErrorText {
        let mut text = ErrorText::new();
        // Writing to an `ErrorText` cannot fail.
        let _ = write!(text, "{self}");
        text
    }
}

/// `bind 127.0.0.1:80: Permission denied`.
impl fmt::Display for AddrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(endpoint) = &self.endpoint else { return self.error.fmt(f) };
        write!(f, "{} {endpoint}: {}", self.op(), self.error.reason())
    }
}

/// `AddrError("bind 127.0.0.1:80: Permission denied", EACCES 13)`.
impl fmt::Debug for AddrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddrError(\"{self}\"")?;
        self.error.fmt_number(f)?;
        f.write_str(")")
    }
}

impl core::error::Error for AddrError {}

/// Drops the address.
impl From<AddrError> for Error {
    fn from(error: AddrError) -> Self {
        error.error
    }
}

/// Compares the error and ignores the address.
impl PartialEq<Error> for AddrError {
    fn eq(&self, other: &Error) -> bool {
        self.error == *other
    }
}

/// Has the kind that std gives to the error number, and the address in its text; the wrapped [`AddrError`] has the
/// number.
#[cfg(feature = "std")]
impl From<AddrError> for std::io::Error {
    fn from(error: AddrError) -> Self {
        Self::new(Self::from(error.error).kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::ToString};

    #[test]
    fn the_text_has_the_address_between_the_operation_and_the_reason() {
        let refused = Error::new(Op::Bind, Errno::ACCESS);
        let cases = [
            ("127.0.0.1:80", "bind 127.0.0.1:80: Permission denied"),
            ("[::1]:80", "bind [::1]:80: Permission denied"),
            ("/run/kv.sock", "bind /run/kv.sock: Permission denied"),
            ("@kv", "bind @kv: Permission denied"),
        ];
        for (endpoint, text) in cases {
            let error = AddrError::new(refused, endpoint.parse().unwrap());
            assert_eq!(error.to_string(), text);
            assert_eq!(format!("{error:?}"), format!("AddrError(\"{text}\", EACCES 13)"));
        }
        assert_eq!(AddrError::nowhere(refused).to_string(), refused.to_string());
    }

    #[cfg(feature = "std")]
    #[test]
    fn the_std_error_has_the_kind_and_shows_the_address() {
        let endpoint: Endpoint = "127.0.0.1:80".parse().unwrap();
        let error = std::io::Error::from(AddrError::new(Error::new(Op::Bind, Errno::ADDRINUSE), endpoint));
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        assert_eq!(error.to_string(), "bind 127.0.0.1:80: Address already in use");
        let within = error.get_ref().and_then(|error| error.downcast_ref::<AddrError>()).unwrap();
        assert_eq!((within.errno(), within.endpoint()), (Some(Errno::ADDRINUSE), Some(&endpoint)));
    }
}
