//! Reading and writing C strings.

use core::{
    ffi::{CStr, c_char, c_int},
    ptr,
};

use crate::addr::SocketText;

/// Reads a text from C; NULL is the empty text.
///
/// # Safety
///
/// `text` is NULL or ends with a NUL, and does not change during the borrow.
pub(super) unsafe fn read<'text>(text: *const c_char) -> &'text CStr {
    if text.is_null() {
        return c"";
    }
    // SAFETY: it is not NULL, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(text) }
}

/// Writes as much of `text` as fits, and a NUL.
///
/// # Safety
///
/// `to` is NULL or writable for `len` bytes, or for the length of the text and its NUL.
#[inline]
pub(super) unsafe fn write(text: &[u8], to: *mut c_char, len: usize) {
    if to.is_null() || len == 0 {
        return;
    }
    let visible = text.len().min(len - 1);
    // SAFETY: `text` has `visible` bytes, `to` has room for them, and a text of this crate does not overlap C's buffer.
    unsafe { ptr::copy_nonoverlapping(text.as_ptr(), to.cast(), visible) };
    // SAFETY: `visible` is less than `len`.
    let end = unsafe { to.add(visible) };
    // SAFETY: as above.
    unsafe { end.write(0) };
}

/// An IP address as text and a port, as Redis reports them.
pub(super) type Name = (SocketText, u16);

/// Writes the IP address and the port to C's buffers.
///
/// # Safety
///
/// `ip` is as in [`write`]; `port` is NULL or valid.
#[inline]
pub(super) unsafe fn write_name((text, number): &Name, ip: *mut c_char, ip_len: usize, port: *mut c_int) {
    // SAFETY: the caller vouches for `ip`.
    unsafe { write(text.as_bytes(), ip, ip_len) };
    if !port.is_null() {
        // SAFETY: the caller vouches for `port`.
        unsafe { port.write((*number).into()) };
    }
}
