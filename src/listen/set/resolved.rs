//! The addresses of a bind list, with names and zones resolved.

use core::net::{SocketAddr, SocketAddrV6};

use heapless::Vec;
use rustix::{fd::AsFd, net::AddressFamily};

use super::SpecError;
use crate::{
    addr::UnixAddr,
    error::{AddrError, Cause, Error, Op, Result, ResultExt},
    listen::spec::{BIND_LIST_MAX, BindList, BindSpec, Target},
    sys,
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

/// Receives the addresses of a name.
pub(super) type Add<'add> = &'add mut dyn FnMut(SocketAddr);

/// The resolved addresses, at most as many as a list has entries.
pub(super) struct Resolved<'a> {
    resolved: Vec<ResolvedAddr<'a>, BIND_LIST_MAX>,
}

impl<'a> Resolved<'a> {
    pub(super) fn of(
        list: &'a BindList<'_>,
        mut resolve: impl FnMut(&str, u16, Add<'_>) -> Result<()>,
    ) -> Result<Self, SpecError> {
        let mut resolved = Self { resolved: Vec::new() };
        for (index, spec) in list.iter().enumerate() {
            resolved
                .add(index, spec, &mut resolve)
                .map_err(|error| SpecError::new(index, AddrError::nowhere(error)))?;
        }
        Ok(resolved)
    }

    fn add(
        &mut self,
        index: usize,
        spec: &'a BindSpec<'_>,
        mut resolve: impl FnMut(&str, u16, Add<'_>) -> Result<()>,
    ) -> Result<()> {
        let entry = |socket| ResolvedAddr { index, optional: spec.optional, socket };
        match &spec.target {
            Target::Inet(addr) => self.push(entry(Socket::Inet(*addr))),
            Target::Zoned { ip, zone, port } => {
                let addr = SocketAddrV6::new(*ip, *port, 0, interface_index(zone)?);
                self.push(entry(Socket::Inet(addr.into())))
            }
            Target::Name { host, port } => {
                let first = self.resolved.len();
                let mut pushed = Ok(());
                resolve(host, *port, &mut |addr| {
                    // A resolver yields an address twice if `/etc/hosts` lists it twice.
                    if pushed.is_ok() && !self.has(first, addr) {
                        pushed = self.push(entry(Socket::Inet(addr)));
                    }
                })?;
                if self.resolved.len() == first {
                    Err(Error::refused(Op::Address, Cause::HostNotFound))
                } else {
                    pushed
                }
            }
            Target::Unix(addr) => self.push(entry(Socket::Unix(addr))),
            Target::Fd(number) => self.push(entry(Socket::Fd(*number))),
        }
    }

    /// Whether this address is among those from index `first` on.
    fn has(&self, first: usize, addr: SocketAddr) -> bool {
        let is_it = |entry: &ResolvedAddr<'_>| matches!(entry.socket, Socket::Inet(known) if known == addr);
        self.resolved.iter().skip(first).any(is_it)
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

fn interface_index(name: &str) -> Result<u32> {
    let any_socket = sys::stream_socket(AddressFamily::UNIX, true).op(Op::Socket)?;
    sys::interface_index(any_socket.as_fd(), name).op(Op::Address)
}
