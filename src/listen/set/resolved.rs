//! The addresses of a bind list, with names and zones resolved.

use core::net::{SocketAddr, SocketAddrV6};

use arrayvec::ArrayVec;
use heapless::Vec;

use super::SpecError;
#[cfg(target_os = "linux")]
use super::interface::addresses as interface_addrs;
use crate::{
    addr::UnixAddr,
    error::{AddrError, Cause, Errno, Error, Op, Result, ResultExt},
    listen::spec::{BIND_LIST_MAX, BindList, BindSpec, Target},
    resolve::{self, Families, Resolve},
};

/// One address to open. The addresses of one name or interface are adjacent and share its index.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResolvedAddr<'a> {
    /// The position in the list, from 0.
    pub(super) index: usize,
    pub(super) optional: bool,
    /// Whether another address of the entry makes up for this one being in use: a name needs one address, an interface
    /// all.
    pub(super) is_alternative: bool,
    pub(super) socket: Socket<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Socket<'a> {
    Inet(SocketAddr),
    Unix(&'a UnixAddr),
    Fd(u32),
    /// An optional entry whose interface or address this host lacks.
    Missing(Error),
}

impl Socket<'_> {
    /// Whether the kernel chooses the port.
    pub(super) fn asks_for_any_port(&self) -> bool {
        matches!(self, Self::Inet(addr) if addr.port() == 0)
    }
}

/// The addresses of one interface.
pub(super) type InterfaceAddrs = ArrayVec<SocketAddr, BIND_LIST_MAX>;

/// Only implemented for Linux.
#[cfg(not(target_os = "linux"))]
fn interface_addrs(_: crate::addr::parse::Zone<'_>, _: u16) -> Result<InterfaceAddrs> {
    Err(Error::new(Op::Address, Errno::NODEV))
}

/// Tolerates, in an optional entry, that this host lacks the interface, or the interface an address.
fn missing<'a>(spec: &BindSpec<'_>, error: Error) -> Result<Socket<'a>> {
    let is_lacking =
        error.is(Errno::NODEV) || error.is(Errno::NETDOWN) || error.cause() == Cause::InterfaceWithoutAddress;
    if spec.optional && is_lacking { Ok(Socket::Missing(error)) } else { Err(error) }
}

/// The resolved addresses, at most as many as a list has entries.
pub(super) struct Resolved<'a> {
    resolved: Vec<ResolvedAddr<'a>, BIND_LIST_MAX>,
}

impl<'a> Resolved<'a> {
    pub(super) fn of(list: &'a BindList<'_>, resolver: &mut dyn Resolve) -> Result<Self, SpecError> {
        let mut resolved = Self { resolved: Vec::new() };
        for (index, spec) in list.iter().enumerate() {
            resolved.add(index, spec, resolver).map_err(|error| SpecError::new(index, AddrError::nowhere(error)))?;
        }
        Ok(resolved)
    }

    fn add(&mut self, index: usize, spec: &'a BindSpec<'_>, resolver: &mut dyn Resolve) -> Result<()> {
        let is_alternative = matches!(spec.target, Target::Name { .. });
        let entry = |socket| ResolvedAddr { index, optional: spec.optional, is_alternative, socket };
        match &spec.target {
            Target::Inet(addr) => self.push(entry(Socket::Inet(*addr))),
            Target::Zoned { ip, zone, port } => match resolve::interface_index(zone).op(Op::Address) {
                Ok(index) => self.push(entry(Socket::Inet(SocketAddrV6::new(*ip, *port, 0, index).into()))),
                Err(error) => self.push(entry(missing(spec, error)?)),
            },
            Target::Name { host, port } => {
                let addresses = resolver.resolve(host, *port, Families::Any)?;
                if addresses.is_cut() {
                    return Err(Error::refused(Op::Address, Cause::TooManyAddresses));
                }
                // No resolver of this crate returns an empty list; one of the caller might.
                if addresses.is_empty() {
                    return Err(Error::refused(Op::Resolve, Cause::HostNotFound));
                }
                addresses.iter().try_for_each(|address| self.push(entry(Socket::Inet(address.addr()))))
            }
            Target::Interface { zone, port } => match interface_addrs(*zone, *port) {
                Ok(addresses) => addresses.iter().try_for_each(|addr| self.push(entry(Socket::Inet(*addr)))),
                Err(error) => self.push(entry(missing(spec, error)?)),
            },
            Target::Unix(addr) => self.push(entry(Socket::Unix(addr))),
            Target::Fd(number) => self.push(entry(Socket::Fd(*number))),
        }
    }

    fn push(&mut self, entry: ResolvedAddr<'a>) -> Result<()> {
        self.resolved.push(entry).map_err(|_| Error::refused(Op::Address, Cause::TooManyAddresses))
    }

    /// The addresses, grouped by entry of the list.
    pub(super) fn by_spec(&self) -> impl Iterator<Item = &[ResolvedAddr<'a>]> {
        self.resolved.chunk_by(|one, next| one.index == next.index)
    }

    /// Whether an entry asks for this port by number.
    pub(super) fn ask_for_port(&self, port: u16) -> bool {
        self.resolved.iter().any(|entry| matches!(entry.socket, Socket::Inet(addr) if addr.port() == port))
    }

    /// Whether the kernel chooses the port of this entry.
    pub(super) fn asks_for_any_port(&self, index: usize) -> bool {
        self.resolved.iter().any(|entry| entry.index == index && entry.socket.asks_for_any_port())
    }
}
