//! The address of a Unix socket: the content of the kernel's `sun_path`, with its length.
//!
//! The length decides, as in the kernel: a path ends at its first NUL or after 108 bytes; an abstract name has exactly
//! the given length, NULs included. A peer may have bound a path of all 108 bytes, which leaves no room for a
//! terminator; such an address is kept whole.

use core::{
    fmt,
    hash::{Hash, Hasher},
};

use super::AddrText;
use crate::error::{Cause, Error, Op, Result};

/// The size of `sun_path` in the kernel's `sockaddr_un`, in bytes (unix(7)).
#[doc(alias = "sun_path")]
pub const SUN_PATH_LEN: usize = 108;

/// The longest path or abstract name that a caller can give, in bytes: the terminator, or the NUL that marks an
/// abstract name, takes one byte of `sun_path`.
pub const UNIX_NAME_MAX: usize = SUN_PATH_LEN - 1;

/// The address of a Unix socket: a path, an abstract name, or none.
///
/// Two addresses are equal if their bytes are equal, whatever a path resolves to.
///
/// ```
/// use anet::addr::UnixAddr;
///
/// let addr = UnixAddr::path("/run/kv.sock")?;
/// assert_eq!(addr.as_path(), Some(&b"/run/kv.sock"[..]));
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Clone, Copy)]
#[doc(alias = "sockaddr_un")]
pub struct UnixAddr {
    /// As in the kernel: an abstract name with its leading NUL, a path without terminator; zeros after `len`.
    sun_path: [u8; SUN_PATH_LEN],
    /// At most [`SUN_PATH_LEN`].
    len: u8,
}

impl UnixAddr {
    /// No name: a client that did not bind, or one end of a socket pair.
    pub const UNNAMED: Self = Self { sun_path: [0; SUN_PATH_LEN], len: 0 };

    /// A path in the file system, 1 to 107 bytes.
    ///
    /// # Errors
    /// [`Cause::EmptyPath`]: the kernel would choose an abstract name instead.
    /// [`Cause::EmbeddedNul`]: the kernel would use only the part before the NUL.
    /// [`Cause::PathTooLong`]: more than 107 bytes.
    pub fn path(path: impl AsRef<[u8]>) -> Result<Self> {
        let path = path.as_ref();
        match path.iter().position(|&byte| byte == 0) {
            Some(at) => Err(Error::refused(Op::Address, Cause::EmbeddedNul { at: at as u32 })),
            None if path.is_empty() => Err(Error::refused(Op::Address, Cause::EmptyPath)),
            None => Self::named(&[], path),
        }
    }

    /// A name outside the file system (Linux only), 0 to 107 bytes of any content, without the leading NUL.
    ///
    /// # Errors
    /// [`Cause::PathTooLong`]: more than 107 bytes.
    #[doc(alias = "abstract")]
    pub fn abstract_name(name: impl AsRef<[u8]>) -> Result<Self> {
        Self::named(&[0], name.as_ref())
    }

    /// An address from the bytes that the kernel wrote into `sun_path`: as many as the address length says, of any
    /// content.
    ///
    /// Bytes beyond 108 are ignored: for a path without terminator the kernel reports one byte more than there is.
    pub fn from_sun_path(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..SUN_PATH_LEN).unwrap_or(bytes);
        match bytes.first() {
            Some(0) => Self::copied(&[], bytes),
            _ => Self::copied(&[], bytes.split(|&byte| byte == 0).next().unwrap_or_default()),
        }
    }

    /// The path, 1 to 108 bytes; `None` for an abstract name and an unnamed socket.
    pub fn as_path(&self) -> Option<&[u8]> {
        match self.as_sun_path() {
            [] | [0, ..] => None,
            path => Some(path),
        }
    }

    /// The abstract name, 0 to 107 bytes, without the leading NUL.
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        match self.as_sun_path() {
            [0, name @ ..] => Some(name),
            _ => None,
        }
    }

    /// Whether the socket has no name.
    pub const fn is_unnamed(&self) -> bool {
        self.len == 0
    }

    /// The address as the kernel stores it: empty, a path without terminator, or a NUL and the abstract name.
    pub fn as_sun_path(&self) -> &[u8] {
        self.sun_path.get(..usize::from(self.len)).unwrap_or(&self.sun_path)
    }

    /// The address `mark` followed by `name`, which must leave room for the terminator.
    fn named(mark: &[u8], name: &[u8]) -> Result<Self> {
        if name.len() > UNIX_NAME_MAX {
            let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
            return Err(Error::refused(Op::Address, Cause::PathTooLong { len }));
        }
        Ok(Self::copied(mark, name))
    }

    fn copied(mark: &[u8], name: &[u8]) -> Self {
        let mut addr = Self::UNNAMED;
        for &byte in mark.iter().chain(name) {
            addr.push(byte);
        }
        addr
    }

    /// Appends a byte; false if there is no room for it.
    pub(super) fn push(&mut self, byte: u8) -> bool {
        let slot = self.sun_path.get_mut(usize::from(self.len));
        let fits = slot.is_some();
        if let Some(slot) = slot {
            *slot = byte;
            self.len += 1;
        }
        fits
    }
}

impl PartialEq for UnixAddr {
    fn eq(&self, other: &Self) -> bool {
        self.as_sun_path() == other.as_sun_path()
    }
}

impl Eq for UnixAddr {}

impl Hash for UnixAddr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_sun_path().hash(state);
    }
}

/// The text of [`Endpoint`](super::Endpoint): `/run/kv.sock`, `unix:relative/path`, `@abstract`, `unix:`.
impl fmt::Display for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(AddrText::from(*self).as_str())
    }
}

/// `UnixAddr("/run/kv.sock")`.
impl fmt::Debug for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnixAddr").field(&AddrText::from(*self)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(result: Result<UnixAddr>) -> Cause {
        let error = result.unwrap_err();
        assert_eq!(error.op(), Op::Address);
        error.cause()
    }

    #[test]
    fn a_path_has_1_to_107_bytes_and_no_nul() {
        assert_eq!(UnixAddr::path([b'x'; 107]).unwrap().as_path(), Some(&[b'x'; 107][..]));
        assert_eq!(cause(UnixAddr::path([b'x'; 108])), Cause::PathTooLong { len: 108 });
        assert_eq!(cause(UnixAddr::path("ab\0cd")), Cause::EmbeddedNul { at: 2 });
        assert_eq!(cause(UnixAddr::path("")), Cause::EmptyPath);
    }

    #[test]
    fn an_abstract_name_has_0_to_107_bytes_of_any_content() {
        for name in [&b""[..], b"\0", b"a\0b\0", &[0xff; 107]] {
            let addr = UnixAddr::abstract_name(name).unwrap();
            assert_eq!(addr.as_abstract_name(), Some(name));
            assert_eq!((addr.as_path(), addr.is_unnamed()), (None, false));
        }
        assert_eq!(cause(UnixAddr::abstract_name([0; 108])), Cause::PathTooLong { len: 108 });
    }

    #[test]
    fn trailing_nuls_end_a_path_but_are_part_of_an_abstract_name() {
        let path = UnixAddr::from_sun_path(b"/a\0garbage");
        assert_eq!(path, UnixAddr::path("/a").unwrap());
        let (one, two) = (UnixAddr::from_sun_path(b"\0a\0"), UnixAddr::from_sun_path(b"\0a"));
        assert_ne!(one, two);
        assert_eq!(one.as_abstract_name(), Some(&b"a\0"[..]));
    }

    #[test]
    fn a_full_sun_path_without_terminator_is_kept_whole() {
        for len in [108, 109, 111, 4096] {
            let addr = UnixAddr::from_sun_path(&std::vec![b'p'; len]);
            assert_eq!(addr.as_path(), Some(&[b'p'; 108][..]));
        }
    }

    #[test]
    fn kernel_bytes_of_any_length_make_an_address() {
        for len in 0..=256 {
            for first in [0, b'/', 0xff] {
                let mut bytes = std::vec![b'x'; len];
                bytes.iter_mut().take(1).for_each(|byte| *byte = first);
                let addr = UnixAddr::from_sun_path(&bytes);
                assert_eq!(addr.as_sun_path(), &bytes[..len.min(108)]);
                assert_eq!(addr.is_unnamed(), len == 0);
            }
        }
    }

    #[test]
    fn the_autobound_name_of_five_digits_is_abstract() {
        let addr = UnixAddr::from_sun_path(b"\x00000f3");
        assert_eq!(addr.as_abstract_name(), Some(&b"000f3"[..]));
    }

    #[test]
    fn equality_and_hash_ignore_bytes_after_the_path() {
        use std::collections::HashSet;
        let both = [UnixAddr::from_sun_path(b"/a\0rest"), UnixAddr::from_sun_path(b"/a")];
        assert_eq!(HashSet::from(both).len(), 1);
    }
}
