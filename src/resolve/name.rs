//! Host texts: addresses and names.

use core::net::{SocketAddr, SocketAddrV6};

use rustix::{fd::AsFd, net::AddressFamily};

use super::{Address, Addresses, Families, Resolve, Source};
use crate::{
    addr::parse::{self, Host, HostPort, Zone},
    error::{Cause, Error, Op, Result, ResultExt},
    sys,
};

/// Accepts addresses alone, and looks nothing up: Redis's `ANET_IP_ONLY`.
///
/// Formatting the result normalises the text: `2001:DB8:0::1` becomes `2001:db8::1`.
///
/// ```
/// use anet::{error::Cause, resolve::{Families, Numeric, Resolve}};
///
/// let addresses = Numeric.resolve("2001:DB8:0::1", 80, Families::Any)?;
/// assert_eq!(addresses.as_slice()[0].addr().to_string(), "[2001:db8::1]:80");
/// assert_eq!(Numeric.resolve("localhost", 80, Families::Any).unwrap_err().cause(), Cause::HostName);
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[doc(alias("ANET_IP_ONLY", "AI_NUMERICHOST"))]
pub struct Numeric;

impl Numeric {
    /// The one address of a text.
    ///
    /// ```
    /// let addr = anet::resolve::Numeric::addr("192.0.2.7", 80)?;
    /// assert_eq!(addr.to_string(), "192.0.2.7:80");
    /// # Ok::<(), anet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidHostName`](Cause::InvalidHostName) for a text that is neither an address nor a host name,
    /// [`HostName`](Cause::HostName) for a name; `ENODEV` for an address with the name of a missing interface.
    pub fn addr(host: &str, port: u16) -> Result<SocketAddr> {
        match parse::usual_ip(host) {
            Some(ip) => Ok(SocketAddr::new(ip, port)),
            None => addr_of_any_form(host, port),
        }
    }
}

#[inline(never)]
fn addr_of_any_form(host: &str, port: u16) -> Result<SocketAddr> {
    match text(host)? {
        Text::Addr(mut addr) => {
            addr.set_port(port);
            Ok(addr)
        }
        Text::Name(_) => Err(Error::refused(Op::Resolve, Cause::HostName)),
    }
}

/// Fails with [`HostName`](Cause::HostName) for a name; `ENODEV` for an address with the name of a missing interface.
impl Resolve for Numeric {
    fn resolve(&mut self, host: &str, port: u16, families: Families) -> Result<Addresses> {
        numeric(Self::addr(host, port)?, port, families)
    }
}

/// A host text.
pub(super) enum Text<'h> {
    /// An address, with port 0.
    Addr(SocketAddr),
    /// A host name, with its trailing dot if it has one.
    Name(&'h str),
}

/// Parses a host without brackets and without a port.
pub(super) fn text(host: &str) -> Result<Text<'_>> {
    if let Ok(ip) = parse::ip(host) {
        return Ok(Text::Addr(SocketAddr::new(ip, 0)));
    }
    let parsed = HostPort::parse(host).map_err(|error| invalid(error.at()))?;
    match parsed.host {
        _ if host.starts_with('[') => Err(invalid(0)),
        _ if parsed.port.is_some() => Err(invalid(host.find(':').unwrap_or(0))),
        Host::Ip(ip) => Ok(Text::Addr(SocketAddr::new(ip, 0))),
        Host::Zoned(ip, zone) => Ok(Text::Addr(SocketAddrV6::new(ip, 0, 0, index(zone)?).into())),
        Host::Name(name) => Ok(Text::Name(name)),
    }
}

#[cold]
fn invalid(at: usize) -> Error {
    Error::refused(Op::Resolve, Cause::InvalidHostName { at: u32::try_from(at).unwrap_or(u32::MAX) })
}

fn index(zone: Zone<'_>) -> Result<u32> {
    match zone {
        Zone::Index(index) => Ok(index),
        Zone::Name(name) => interface_index(name).op(Op::Resolve),
    }
}

/// The index of a network interface, through a socket made for the question.
pub(crate) fn interface_index(name: &str) -> sys::Result<u32> {
    let any_socket = sys::stream_socket(AddressFamily::UNIX, true)?;
    sys::interface_index(any_socket.as_fd(), name)
}

/// The result for a text that is an address.
pub(super) fn numeric(mut addr: SocketAddr, port: u16, families: Families) -> Result<Addresses> {
    addr.set_port(port);
    let mut addresses = Addresses::new();
    addresses.push_wanted(Address::new(addr, Source::Numeric), families);
    if addresses.is_empty() { Err(Error::refused(Op::Resolve, Cause::NoAddress)) } else { Ok(addresses) }
}

/// Whether the name is `localhost` or ends in `.localhost`.
pub(super) fn is_localhost(name: &str) -> bool {
    let last = without_dot(name).rsplit('.').next();
    last.is_some_and(|label| label.eq_ignore_ascii_case("localhost"))
}

pub(super) fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}
