//! Texts from C and for C.

use core::{
    ffi::{CStr, c_char, c_int},
    ptr,
};

use crate::addr::SocketText;

/// A text that C has given; NULL is the empty one.
///
/// # Safety
///
/// `text` is NULL or ends with a NUL, and stays as it is as long as the borrow.
pub(super) unsafe fn read<'text>(text: *const c_char) -> &'text CStr {
    if text.is_null() {
        return c"";
    }
    // SAFETY: it is not NULL, and the caller answers for the rest.
    unsafe { CStr::from_ptr(text) }
}

/// Writes as much of `text` as fits, and a NUL.
///
/// # Safety
///
/// `to` is NULL or writable for `len` bytes, or for as many as the text and its NUL have.
#[inline]
pub(super) unsafe fn write(text: &[u8], to: *mut c_char, len: usize) {
    if to.is_null() || len == 0 {
        return;
    }
    let visible = text.len().min(len - 1);
    // SAFETY: `text` has as many bytes, `to` has room for them, and a text of this crate is not in C's memory.
    unsafe { ptr::copy_nonoverlapping(text.as_ptr(), to.cast(), visible) };
    // SAFETY: `visible` is less than `len`.
    let end = unsafe { to.add(visible) };
    // SAFETY: as above.
    unsafe { end.write(0) };
}

/// An IP address as text and a port, as Redis tells them.
pub(super) type Name = (SocketText, u16);

/// Writes the IP address and the port where C wants them.
///
/// # Safety
///
/// `ip` is as in [`write`]; `port` is NULL or valid.
#[inline]
pub(super) unsafe fn write_name((text, number): &Name, ip: *mut c_char, ip_len: usize, port: *mut c_int) {
    // SAFETY: the caller answers for `ip`.
    unsafe { write(text.as_bytes(), ip, ip_len) };
    if !port.is_null() {
        // SAFETY: the caller answers for `port`.
        unsafe { port.write((*number).into()) };
    }
}
