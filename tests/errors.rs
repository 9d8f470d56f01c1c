//! Error texts against the C library.

use std::ffi::{CStr, c_char, c_int};

use anet::{Errno, Error, Op, error::errno};

unsafe extern "C" {
    fn strerrorname_np(number: c_int) -> *const c_char;
}

fn c_text(number: i32) -> String {
    // SAFETY: it takes any number.
    let text = unsafe { libc::strerror(number) };
    // SAFETY: it is a terminated string, which no other test of this process changes.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}

fn c_name(number: i32) -> Option<&'static str> {
    // SAFETY: the function returns null or a terminated static string.
    let name = unsafe { strerrorname_np(number) };
    // SAFETY: as above, and it is not null.
    (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_str().unwrap())
}

#[test]
fn every_errno_has_the_text_of_libc() {
    for number in 1..=4095 {
        let errno = Errno::from_raw_os_error(number);
        assert_eq!(errno::text(errno).to_string(), c_text(number), "errno {number}");
    }
}

#[test]
fn every_errno_has_the_name_of_libc() {
    for number in 1..=4095 {
        assert_eq!(errno::name(Errno::from_raw_os_error(number)), c_name(number), "errno {number}");
    }
}

#[test]
fn an_error_is_eight_bytes_and_so_are_its_results() {
    assert_eq!(size_of::<Error>(), 8);
    assert_eq!(size_of::<anet::Result<()>>(), 8);
    assert_eq!(size_of::<anet::Result<anet::fd::OwnedFd>>(), 8);
}

#[test]
fn an_error_text_converts_to_a_c_string() {
    let text = Error::new(Op::Bind, Errno::ADDRINUSE).to_text();
    assert_eq!(text.as_c_str(), c"bind: Address already in use");
}
