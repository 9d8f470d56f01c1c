//! The processes that hold sockets, found under `/proc`.
//!
//! The kernel names the user of a socket, not its process: a socket may be open in several, or in none. These functions
//! read the links of `/proc/<pid>/fd`, of which there are as many as open descriptors on the host: ask for diagnosis,
//! not on a hot path. They need `/proc`, see the processes of this PID namespace, and need the permission to trace a
//! process in order to read its links (`proc(5)`): your own, or all with `CAP_SYS_PTRACE`.
//!
//! ```
//! use anet::{SocketOptions, diag::{InetFilter, SockDiag, owner}, listen};
//!
//! let listener = listen::tcp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
//! let port = listener.local_addr()?.port().unwrap_or(0);
//! let mut buf = [0; 8192];
//! for socket in SockDiag::open()?.inet(InetFilter::tcp().with_local_port(port), &mut buf)? {
//!     let owner = owner::find(socket?.inode)?;
//!     assert!(owner.is_some_and(|process| process.pid == std::process::id()));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::{fmt, mem::MaybeUninit, ops::ControlFlow};

use arrayvec::ArrayString;
use rustix::fd::{AsFd, BorrowedFd};

use crate::{
    error::{Errno, Error, Op, Result, ResultExt},
    sys,
};

/// A descriptor of a process that is a socket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Holding {
    /// The process.
    pub pid: u32,
    /// Its descriptor.
    pub fd: u32,
    /// The inode number of the socket.
    pub inode: u32,
}

/// A process that holds a socket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its descriptor that is the socket.
    pub fd: u32,
    /// Its name.
    pub name: ProcessName,
}

/// `redis-server (pid 7, fd 6)`
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}, fd {})", self.name, self.pid, self.fd)
    }
}

/// The name of a process, at most 15 bytes. The process chooses it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[doc(alias = "TASK_COMM_LEN")]
pub struct ProcessName {
    bytes: [u8; 15],
    len: u8,
}

impl ProcessName {
    /// The name.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }
}

/// The name; bytes that are not printable ASCII become `\xNN`.
impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}

impl fmt::Debug for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessName({self})")
    }
}

/// Directory entries that one call reads, in bytes.
const ENTRIES_LEN: usize = 4096;
/// The longest link to a socket: `socket:[4294967295]`.
const LINK_LEN: usize = 32;

/// What a [`scan`] has not seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scan {
    /// The number of processes whose descriptors you may not examine.
    pub forbidden: u32,
}

/// Calls `found` for every socket that a process holds, until it returns `Break`. Processes that end meanwhile are
/// passed over.
///
/// # Errors
///
/// `ENOENT` without `/proc`, `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn scan(mut found: impl FnMut(Holding) -> ControlFlow<()>) -> Result<Scan> {
    let proc = sys::open_directory("/proc").op(Op::Open)?;
    let mut scan = Scan { forbidden: 0 };
    let mut outcome = Ok(());
    let walk = sys::each_name(proc.as_fd(), &mut [MaybeUninit::uninit(); ENTRIES_LEN], |name| {
        let Some(pid) = number(name) else { return true };
        match scan_descriptors(proc.as_fd(), pid, &mut found) {
            Ok(flow) => return flow.is_continue(),
            Err(Errno::ACCESS | Errno::PERM) => scan.forbidden += 1,
            // The process has ended.
            Err(Errno::NOENT | Errno::SRCH) => {}
            Err(errno) => outcome = Err(Error::new(Op::Open, errno)),
        }
        outcome.is_ok()
    });
    walk.op(Op::Read).and(outcome).map(|()| scan)
}

/// Calls `found` for every socket that one process holds, until it returns `Break`. It reads as many links as the
/// process has descriptors.
///
/// ```
/// use core::ops::ControlFlow;
/// use anet::{SocketOptions, diag::{Details, InetFilter, SockDiag, owner}, listen};
///
/// # let _listener = listen::tcp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
/// let mut own = Vec::new();
/// owner::scan_process(std::process::id(), |holding| {
///     own.push(holding.inode);
///     ControlFlow::Continue(())
/// })?;
/// let mut buf = [0; 32 * 1024];
/// let filter = InetFilter::tcp().with_details(Details::TCP_INFO);
/// for socket in SockDiag::open()?.inet(filter, &mut buf)? {
///     let socket = socket?;
///     if own.contains(&socket.inode) {
///         println!("{} {:?}", socket.local, socket.info.and_then(|info| info.rtt()));
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `ENOENT` if there is no such process, or no `/proc`; `EACCES` if you may not examine it; `ESRCH`, `EMFILE`,
/// `ENFILE`, `ENOMEM`.
pub fn scan_process(pid: u32, mut found: impl FnMut(Holding) -> ControlFlow<()>) -> Result<()> {
    let proc = sys::open_directory("/proc").op(Op::Open)?;
    scan_descriptors(proc.as_fd(), pid, &mut found).op(Op::Open).map(drop)
}

/// Finds a process that holds the socket with this inode number; `None` if no process does.
///
/// # Errors
///
/// `EACCES` if no process that you may examine holds it, but there are others; those of [`scan`].
pub fn find(inode: u32) -> Result<Option<Process>> {
    let mut holder = None;
    let scan = scan(|holding| {
        if holding.inode != inode {
            return ControlFlow::Continue(());
        }
        holder = Some(holding);
        ControlFlow::Break(())
    })?;
    match holder {
        Some(Holding { pid, fd, .. }) => Ok(Some(Process { pid, fd, name: name(pid)? })),
        None if scan.forbidden > 0 => Err(Error::new(Op::Open, Errno::ACCESS)),
        None => Ok(None),
    }
}

/// The name of a process.
///
/// # Errors
///
/// `ENOENT` if there is no such process, or no `/proc`; `ESRCH`, `EMFILE`, `ENFILE`.
#[doc(alias = "comm")]
pub fn name(pid: u32) -> Result<ProcessName> {
    let proc = sys::open_directory("/proc").op(Op::Open)?;
    let file = sys::open_file_in(proc.as_fd(), path(pid, "comm").as_str()).op(Op::Open)?;
    let mut name = ProcessName { bytes: [0; 15], len: 0 };
    let read = sys::read(file.as_fd(), &mut name.bytes).op(Op::Read)?;
    let text = name.bytes.get(..read).unwrap_or_default();
    name.len = text.iter().position(|&byte| byte == b'\n').unwrap_or(read) as u8;
    Ok(name)
}

/// `<pid>/<entry>`
fn path(pid: u32, entry: &str) -> ArrayString<24> {
    let mut path = ArrayString::new();
    // It fits.
    let _ = fmt::Write::write_fmt(&mut path, format_args!("{pid}/{entry}"));
    path
}

fn scan_descriptors(
    proc: BorrowedFd<'_>,
    pid: u32,
    found: &mut impl FnMut(Holding) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Errno> {
    let descriptors = sys::open_directory_in(proc, path(pid, "fd").as_str())?;
    let mut flow = ControlFlow::Continue(());
    let mut link = [0; LINK_LEN];
    sys::each_name(descriptors.as_fd(), &mut [MaybeUninit::uninit(); ENTRIES_LEN], |name| {
        let Some(fd) = number(name) else { return true };
        // A descriptor may be closed meanwhile.
        let target = sys::read_link(descriptors.as_fd(), name, &mut link).unwrap_or_default();
        if let Some(inode) = inode(target) {
            flow = found(Holding { pid, fd, inode });
        }
        flow.is_continue()
    })?;
    Ok(flow)
}

/// The number in `socket:[7]`.
fn inode(target: &[u8]) -> Option<u32> {
    number(target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

fn number(digits: &[u8]) -> Option<u32> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_to_a_socket_has_an_inode_number() {
        assert_eq!(inode(b"socket:[4294967295]"), Some(u32::MAX));
        for link in ["socket:[]", "socket:[4294967296]", "socket:[7", "pipe:[7]", "/dev/null", "", "socket:[-7]"] {
            assert_eq!(inode(link.as_bytes()), None, "{link}");
        }
    }
}
