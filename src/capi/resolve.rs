//! Resolving host names and address texts with the C library's `getaddrinfo`.
//!
//! Text that the crate parses as an address is never looked up. The C library accepts more forms (`127.1`,
//! `fe80::1%eth0`), and so do the functions here.

use core::{
    ffi::{CStr, c_char, c_int},
    iter,
    mem::MaybeUninit,
    net::{IpAddr, SocketAddr},
    ptr, slice,
};

use super::{
    ANET_IP_ONLY, ANET_NONE, ANET_OK, ANET_PREFER_IPV4, ANET_PREFER_IPV6, errno,
    failure::{Failure, answer},
    text,
};
use crate::{
    addr::{Endpoint, parse},
    redis::ip_and_port,
    resolve::{Families, Family},
};

const fn number(families: Families) -> c_int {
    match families {
        Families::OnlyV4 => libc::AF_INET,
        Families::OnlyV6 => libc::AF_INET6,
        Families::Any | Families::PreferV4 | Families::PreferV6 => libc::AF_UNSPEC,
    }
}

/// The addresses of a host: one if its text is an address, else the resolver's.
pub(super) struct Addresses {
    port: u16,
    ip: Option<IpAddr>,
    answer: Option<Answer>,
}

impl Addresses {
    /// The addresses of `host`, at least one.
    pub(super) fn of(host: &CStr, port: u16, families: Families) -> Result<Self, Failure> {
        Self::with_flags(host, port, families, 0)
    }

    fn with_flags(host: &CStr, port: u16, families: Families, flags: c_int) -> Result<Self, Failure> {
        let ip = host.to_str().ok().and_then(|host| parse::ip(host).ok());
        if let Some(ip) = ip.filter(|&ip| families.include(Family::of(&SocketAddr::new(ip, port)))) {
            return Ok(Self::one(ip, port));
        }
        let answer = Answer::of_resolver(host, families, flags)?;
        let addresses = Self { port, ip: None, answer: Some(answer) };
        if addresses.iter().next().is_none() {
            return Err(Failure::Resolver(libc::EAI_NONAME, errno::last()));
        }
        Ok(addresses)
    }

    pub(super) const fn one(ip: IpAddr, port: u16) -> Self {
        Self { port, ip: Some(ip), answer: None }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = SocketAddr> + Clone {
        let ips = self.answer.iter().flat_map(Answer::ips);
        let port = self.port;
        self.ip.map(|ip| SocketAddr::new(ip, port)).into_iter().chain(ips.map(move |mut addr| {
            addr.set_port(port);
            addr
        }))
    }
}

/// Converts a port from C's `int`.
pub(super) fn port(number: c_int) -> Result<u16, Failure> {
    u16::try_from(number).map_err(|_| Failure::Port(number))
}

/// The list that `getaddrinfo` returned.
struct Answer {
    first: *mut libc::addrinfo,
}

impl Answer {
    fn of_resolver(host: &CStr, families: Families, flags: c_int) -> Result<Self, Failure> {
        // SAFETY: all zeros is a valid `addrinfo`: no hints and NULL pointers.
        let mut hints: libc::addrinfo = unsafe { MaybeUninit::zeroed().assume_init() };
        hints.ai_family = number(families);
        hints.ai_socktype = libc::SOCK_STREAM;
        hints.ai_flags = flags;
        let mut first = ptr::null_mut();
        // SAFETY: `host` ends with a NUL, and the other pointers point to locals.
        match unsafe { libc::getaddrinfo(host.as_ptr(), ptr::null(), &raw const hints, &raw mut first) } {
            0 => Ok(Self { first }),
            // What the resolver has left in `errno` is not its outcome, but it is what C servers report.
            code => Err(Failure::Resolver(code, errno::last())),
        }
    }

    fn ips(&self) -> impl Iterator<Item = SocketAddr> + Clone {
        iter::successors(self.entry(self.first), |info| self.entry(info.ai_next))
            .filter_map(|info| endpoint(info).as_inet())
    }

    /// An entry of this list, or `None` past its end.
    fn entry(&self, entry: *mut libc::addrinfo) -> Option<&libc::addrinfo> {
        // SAFETY: the list is valid until `self` is dropped, and ends with NULL.
        unsafe { entry.as_ref() }
    }
}

fn endpoint(info: &libc::addrinfo) -> Endpoint {
    if info.ai_addr.is_null() {
        return Endpoint::Unknown { family: 0 };
    }
    // SAFETY: the resolver sets `ai_addrlen` to the length of the address.
    let bytes = unsafe { slice::from_raw_parts(info.ai_addr.cast(), info.ai_addrlen as usize) };
    Endpoint::from_sockaddr(bytes)
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the resolver allocated the list, and it is freed once.
        unsafe { libc::freeaddrinfo(self.first) };
    }
}

/// Writes the first address of `host` to `ipbuf`; 46 bytes always suffice. `flags` are [`ANET_IP_ONLY`], which accepts
/// numeric addresses only, and [`ANET_PREFER_IPV4`] or [`ANET_PREFER_IPV6`], which fall back to the other family.
///
/// # Errors
///
/// The resolver's text alone, such as `Name or service not known`; `address buffer too short (N), must be at least M`
/// with `ENOSPC`: a truncated address would be a different address, so the buffer then holds the empty text.
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetResolve_62(
    err: *mut c_char,
    host: *mut c_char,
    ipbuf: *mut c_char,
    ipbuf_len: usize,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller vouches for `host`.
    let resolved = first_address(unsafe { text::read(host) }, flags);
    // SAFETY: the caller vouches for `ipbuf`.
    let written = resolved.and_then(|addr| unsafe { write_whole(addr, ipbuf, ipbuf_len) });
    // SAFETY: the caller vouches for `err`.
    unsafe { answer(err, written.map(|()| ANET_OK)) }
}

/// [`anetResolve_62`] with [`ANET_NONE`].
///
/// # Errors
///
/// Those of [`anetResolve_62`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetResolve_60(
    err: *mut c_char,
    host: *mut c_char,
    ipbuf: *mut c_char,
    ipbuf_len: usize,
) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { anetResolve_62(err, host, ipbuf, ipbuf_len, ANET_NONE) }
}

/// [`anetResolve_62`] with [`ANET_IP_ONLY`].
///
/// # Errors
///
/// Those of [`anetResolve_62`].
///
/// # Safety
///
/// See the [module](super).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anetResolveIP(
    err: *mut c_char,
    host: *mut c_char,
    ipbuf: *mut c_char,
    ipbuf_len: usize,
) -> c_int {
    // SAFETY: the caller vouches for all of them.
    unsafe { anetResolve_62(err, host, ipbuf, ipbuf_len, ANET_IP_ONLY) }
}

fn first_address(host: &CStr, flags: c_int) -> Result<SocketAddr, Failure> {
    let numeric = if flags & ANET_IP_ONLY != 0 { libc::AI_NUMERICHOST } else { 0 };
    let addrs = Addresses::with_flags(host, 0, Families::Any, numeric)?;
    preferred(addrs.iter(), flags).ok_or_else(|| Failure::Resolver(libc::EAI_NONAME, errno::last()))
}

/// The first address of the preferred family, or else the first address.
fn preferred(mut addrs: impl Iterator<Item = SocketAddr> + Clone, flags: c_int) -> Option<SocketAddr> {
    let first = addrs.clone().next();
    // Both flags together mean no preference.
    let preferred = match flags & (ANET_PREFER_IPV4 | ANET_PREFER_IPV6) {
        ANET_PREFER_IPV4 => Family::V4,
        ANET_PREFER_IPV6 => Family::V6,
        _ => return first,
    };
    addrs.find(|addr| Family::of(addr) == preferred).or(first)
}

/// # Safety
///
/// `to` is NULL or writable for `len` bytes.
unsafe fn write_whole(addr: SocketAddr, to: *mut c_char, len: usize) -> Result<(), Failure> {
    let (ip, _) = ip_and_port(&addr.into());
    let needed = ip.as_bytes().len() + 1;
    let fits = needed <= len || to.is_null();
    // SAFETY: the caller vouches for `to`.
    unsafe { text::write(if fits { ip.as_bytes() } else { b"" }, to, len) };
    if fits { Ok(()) } else { Err(Failure::Room { len, needed }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_preferred_family_the_first_address_is_chosen() {
        let [v4, v6, other_v4]: [SocketAddr; 3] =
            ["1.2.3.4:0", "[::1]:0", "5.6.7.8:0"].map(|addr| addr.parse().unwrap());
        let both = ANET_PREFER_IPV4 | ANET_PREFER_IPV6;
        let cases: [(&[SocketAddr], _, _); 8] = [
            (&[v4, v6], ANET_PREFER_IPV4, Some(v4)),
            (&[v4, v6], ANET_PREFER_IPV6, Some(v6)),
            (&[v6, v4, other_v4], ANET_PREFER_IPV4, Some(v4)),
            (&[v6, v4], ANET_PREFER_IPV6 | ANET_IP_ONLY, Some(v6)),
            (&[v4, other_v4], ANET_PREFER_IPV6, Some(v4)),
            (&[v6, v4], 0, Some(v6)),
            (&[v6, v4], both, Some(v6)),
            (&[], both, None),
        ];
        for (addrs, flags, expected) in cases {
            assert_eq!(preferred(addrs.iter().copied(), flags), expected, "{addrs:?}, {flags}");
        }
    }
}
