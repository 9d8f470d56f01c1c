//! Names to addresses.
//!
//! A text that is an address never leaves the process; a name is looked up in the hosts file, then by the resolver you
//! choose. Every resolver takes a host, a port and the wanted [`Families`], and returns [`Addresses`]: at most
//! [`ADDRESSES_MAX`], each with its [`Source`] and, from DNS, its time to live.
//!
//! [`Resolve`] is the trait of all of them, and of your own ([`from_fn`]).

mod address;
#[cfg(feature = "dns")]
pub mod dns;
mod hosts;
mod name;
mod services;
#[cfg(feature = "std")]
mod system;
mod text_file;

pub use address::{ADDRESSES_MAX, Address, Addresses, Families, Family, Source};
pub use hosts::{HOSTS_FILE, Hosts, find_host};
pub use name::Numeric;
pub(crate) use name::interface_index;
pub use services::{SERVICES_FILE, Services, Transport};
#[cfg(feature = "std")]
pub use system::System;

use crate::error::Result;

/// Resolves host names, waiting for the answer.
pub trait Resolve {
    /// Returns the addresses of `host`, at least one, with `port`.
    ///
    /// # Errors
    ///
    /// All with the operation [`Resolve`](crate::Op::Resolve). [`InvalidHostName`](crate::error::Cause::InvalidHostName) for a text that is
    /// neither an address nor a host name, [`HostNotFound`](crate::error::Cause::HostNotFound) for a name that does not exist,
    /// [`NoAddress`](crate::error::Cause::NoAddress) for one that exists without an address of these families; and what the resolver
    /// itself may meet.
    fn resolve(&mut self, host: &str, port: u16, families: Families) -> Result<Addresses>;
}

impl<R: Resolve + ?Sized> Resolve for &mut R {
    fn resolve(&mut self, host: &str, port: u16, families: Families) -> Result<Addresses> {
        (**self).resolve(host, port, families)
    }
}

/// A resolver made of a function.
#[derive(Clone, Copy, Debug)]
pub struct FromFn<F>(F);

/// Makes a resolver of a function.
///
/// ```
/// use anet::resolve::{self, Address, Addresses, Families, Resolve, Source};
///
/// let mut table = resolve::from_fn(|host, port, _| {
///     assert_eq!(host, "cache.internal");
///     let mut addresses = Addresses::new();
///     addresses.push(Address::new(([10, 0, 0, 1], port).into(), Source::Other));
///     Ok(addresses)
/// });
/// let addresses = table.resolve("cache.internal", 6379, Families::Any)?;
/// assert_eq!(addresses.as_slice()[0].addr().to_string(), "10.0.0.1:6379");
/// # Ok::<(), anet::Error>(())
/// ```
pub const fn from_fn<F: FnMut(&str, u16, Families) -> Result<Addresses>>(resolve: F) -> FromFn<F> {
    FromFn(resolve)
}

impl<F: FnMut(&str, u16, Families) -> Result<Addresses>> Resolve for FromFn<F> {
    fn resolve(&mut self, host: &str, port: u16, families: Families) -> Result<Addresses> {
        (self.0)(host, port, families)
    }
}
