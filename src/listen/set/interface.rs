//! The addresses of an interface, for an entry such as `%eth0`.

use super::resolved::InterfaceAddrs;
use crate::{
    addr::parse::Zone,
    diag::{Interface, Route},
    error::{Cause, Errno, Error, Op, Result},
};

/// Enough for any message of the kernel.
const BUF_LEN: usize = 8192;
/// How often to list the addresses if they change meanwhile, as they do while a host starts.
const TRIES: usize = 8;

/// All addresses of an interface, at least one, with this port.
pub(super) fn addresses(zone: Zone<'_>, port: u16) -> Result<InterfaceAddrs> {
    let (mut route, mut buf) = (Route::open()?, [0; BUF_LEN]);
    let interface = match zone {
        Zone::Index(index) => route.interface(index, &mut buf),
        Zone::Name(name) => route.interface_named(name, &mut buf),
    };
    let interface = interface.map_err(|error| of_address(error.error()))?;
    let addresses = list_unchanged(&mut route, &interface, port, &mut buf).map_err(of_address)?;
    match addresses.is_empty() {
        false => Ok(addresses),
        true if interface.is_up() => Err(Error::refused(Op::Address, Cause::InterfaceWithoutAddress)),
        true => Err(Error::new(Op::Address, Errno::NETDOWN)),
    }
}

fn list_unchanged(route: &mut Route, interface: &Interface, port: u16, buf: &mut [u8]) -> Result<InterfaceAddrs> {
    for _ in 1..TRIES {
        match list(route, interface, port, buf) {
            Err(error) if error.cause() == Cause::DumpInterrupted => {}
            outcome => return outcome,
        }
    }
    list(route, interface, port, buf)
}

fn list(route: &mut Route, interface: &Interface, port: u16, buf: &mut [u8]) -> Result<InterfaceAddrs> {
    let mut addresses = InterfaceAddrs::new();
    for addr in route.addresses_of(interface.index, buf)? {
        let pushed = addresses.try_push(addr?.with_port(port));
        pushed.map_err(|_| Error::refused(Op::Address, Cause::TooManyAddresses))?;
    }
    Ok(addresses)
}

/// An error number of the kernel's answer, as one of the address that it is about.
fn of_address(error: Error) -> Error {
    error.errno().map_or(error, |errno| Error::new(Op::Address, errno))
}
