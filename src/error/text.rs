//! [`ErrorText`]: an error's text in 256 bytes, for logs and for C.

use arrayvec::ArrayString;
use core::{ffi::CStr, fmt, ops::Deref};

/// The size of a C caller's error buffer, terminator included, as in Redis's `anet.h`.
#[doc(alias = "ANET_ERR_LEN")]
pub const ERR_LEN: usize = 256;

/// The longest error text without its terminator, in bytes.
const VISIBLE_MAX: usize = ERR_LEN - 1;

/// A text of at most 255 bytes, followed by a NUL.
///
/// Writing never fails: a text that does not fit is cut at a character boundary, and later writes are discarded.
///
/// ```
/// use anet::error::ErrorText;
/// use core::fmt::Write;
///
/// let mut text = ErrorText::new();
/// write!(text, "{:>300}", 'x')?;
/// assert_eq!(text.len(), 255);
/// assert_eq!(text.as_c_str().to_bytes_with_nul().len(), 256);
/// # Ok::<(), core::fmt::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct ErrorText {
    /// The text, which contains no NUL, and one NUL.
    terminated: ArrayString<ERR_LEN>,
    cut: bool,
}

impl ErrorText {
    /// An empty text.
    pub fn new() -> Self {
        let mut terminated = ArrayString::new();
        terminated.push('\0');
        Self { terminated, cut: false }
    }

    /// The text without its terminator.
    pub fn as_str(&self) -> &str {
        self.terminated.strip_suffix('\0').unwrap_or_default()
    }

    /// The text as a C string.
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(self.terminated.as_bytes()).unwrap_or_default()
    }

    /// Whether the text was cut.
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// Appends as much of `piece` as fits, up to its first NUL: for C the text ends there.
    fn append(&mut self, piece: &str) {
        let visible = piece.split('\0').next().unwrap_or_default();
        let room = VISIBLE_MAX - self.as_str().len();
        let longest = visible.len().min(room);
        let fits = (0..=longest).rev().find_map(|len| visible.get(..len)).unwrap_or_default();
        self.cut = fits.len() < piece.len();
        self.terminated.pop();
        self.terminated.push_str(fits);
        self.terminated.push('\0');
    }
}

impl fmt::Write for ErrorText {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        if !self.cut {
            self.append(piece);
        }
        Ok(())
    }
}

impl Default for ErrorText {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for ErrorText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for ErrorText {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for ErrorText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ErrorText {}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    fn written(pieces: &[&str]) -> ErrorText {
        let mut text = ErrorText::new();
        for piece in pieces {
            text.write_str(piece).unwrap();
        }
        text
    }

    #[test]
    fn a_text_of_255_bytes_fits_and_a_longer_one_is_cut() {
        let longest = "x".repeat(255);
        assert!(!written(&[&longest]).is_cut());
        let cut = written(&[&longest, "y"]);
        assert!(cut.is_cut());
        assert_eq!(cut.as_str(), longest);
    }

    #[test]
    fn a_text_is_cut_at_a_character_boundary_and_later_writes_are_discarded() {
        let text = written(&[&"x".repeat(254), "é", "z"]);
        assert_eq!(text.as_str(), "x".repeat(254));
    }

    #[test]
    fn the_c_string_equals_the_str() {
        for pieces in [&["bind: ", "Permission denied"][..], &[], &["a\0b", "c"]] {
            let text = written(pieces);
            assert_eq!(text.as_c_str().to_str().unwrap(), text.as_str());
        }
        assert_eq!(written(&["a\0b", "c"]).as_str(), "a");
    }
}
