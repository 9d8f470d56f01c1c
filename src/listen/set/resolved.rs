//! The addresses of a bind list, with names and zones resolved.

use core::net::{SocketAddr, SocketAddrV6};

use heapless::Vec;

use super::SpecError;
use crate::{
    addr::UnixAddr,
    error::{AddrError, Cause, Error, Op, Result, ResultExt},
    listen::spec::{BIND_LIST_MAX, BindList, BindSpec, Target},
    resolve::{self, Families, Resolve},
};

/// One address to open. The addresses of one name are adjacent and share its index.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResolvedAddr<'a> {
    /// The position in the list, from 0.
    pub(super) index: usize,
    pub(super) optional: bool,
    pub(super) socket: Socket<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Socket<'a> {
    Inet(SocketAddr),
    Unix(&'a UnixAddr),
    Fd(u32),
}

impl Socket<'_> {
    /// Whether the kernel chooses the port.
    pub(super) fn asks_for_any_port(&self) -> bool {
        matches!(self, Self::Inet(addr) if addr.port() == 0)
    }
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
        let entry = |socket| ResolvedAddr { index, optional: spec.optional, socket };
        match &spec.target {
            Target::Inet(addr) => self.push(entry(Socket::Inet(*addr))),
            Target::Zoned { ip, zone, port } => {
                let addr = SocketAddrV6::new(*ip, *port, 0, resolve::interface_index(zone).op(Op::Address)?);
                self.push(entry(Socket::Inet(addr.into())))
            }
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
