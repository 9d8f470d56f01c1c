//! The system's resolver.

use core::fmt::Write;
use std::{io, net::ToSocketAddrs};

use super::{
    Address, Addresses, Families, Resolve, Source,
    name::{self, Text},
};
use crate::error::{Cause, Errno, Error, ErrorText, Op, Result};

/// The resolver of the C library, through std: every source that `/etc/nsswitch.conf` lists, in the order of RFC 6724.
///
/// It blocks the thread for as long as the servers take, and allocates. Addresses in numeric text never reach it.
///
/// ```
/// use anet::resolve::{Families, Resolve, System};
///
/// let addresses = System.resolve("localhost", 80, Families::Any)?;
/// assert!(addresses.iter().all(|address| address.addr().ip().is_loopback()));
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[doc(alias = "getaddrinfo")]
pub struct System;

/// std keeps only the text of the C library's error. Texts of glibc and musl are recognised:
/// [`NoAnswer`](Cause::NoAnswer) for `EAI_AGAIN`, [`NoAddress`](Cause::NoAddress) for `EAI_NODATA` and
/// `EAI_ADDRFAMILY`; every other failure without an errno is [`HostNotFound`](Cause::HostNotFound).
impl Resolve for System {
    fn resolve(&mut self, host: &str, port: u16, families: Families) -> Result<Addresses> {
        if let Text::Addr(addr) = name::text(host)? {
            return name::numeric(addr, port, families);
        }
        let found = (host, port).to_socket_addrs().map_err(|error| reason(&error))?;
        let mut addresses = Addresses::new();
        for addr in found {
            addresses.push_wanted(Address::new(addr, Source::System), families);
        }
        addresses.sort(families);
        if addresses.is_empty() { Err(Error::refused(Op::Resolve, Cause::NoAddress)) } else { Ok(addresses) }
    }
}

fn reason(error: &io::Error) -> Error {
    match error.raw_os_error() {
        Some(number @ 1..4096) => Error::new(Op::Resolve, Errno::from_raw_os_error(number)),
        _ => {
            let mut text = ErrorText::new();
            // Writing to an `ErrorText` cannot fail.
            let _ = write!(text, "{error}");
            Error::refused(Op::Resolve, cause(&text))
        }
    }
}

fn cause(text: &str) -> Cause {
    let says = |texts: &[&str]| texts.iter().any(|known| text.contains(known));
    if says(&["Temporary failure in name resolution", "Try again"]) {
        Cause::NoAnswer
    } else if says(&["No address associated", "Address family for hostname", "Name has no usable address"]) {
        Cause::NoAddress
    } else {
        Cause::HostNotFound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_c_library_have_causes() {
        let cases = [
            ("failed to lookup address information: Name or service not known", Cause::HostNotFound),
            ("failed to lookup address information: Temporary failure in name resolution", Cause::NoAnswer),
            ("failed to lookup address information: Try again", Cause::NoAnswer),
            ("failed to lookup address information: No address associated with hostname", Cause::NoAddress),
        ];
        for (text, cause) in cases {
            assert_eq!(reason(&io::Error::other(text)).cause(), cause, "{text}");
        }
        assert_eq!(reason(&io::Error::from_raw_os_error(110)).errno(), Some(Errno::TIMEDOUT));
    }
}
