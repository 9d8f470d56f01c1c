//! The port file: publishes a server's ports when the kernel chooses them.
//!
//! The format is memcached's, one line per socket: `TCP INET: 11211`, `TCP INET6: 11211`, `UDP INET: 11211`,
//! `UDP INET6: 11211`. A reader finds the whole file or none: [`write()`] writes it under another name in the same
//! directory, syncs it to disk and renames it.
//!
//! ```
//! use anet::{SocketOptions, listen::{Access, BindList, ListenerSet, Protocols, port_file}};
//!
//! let list = BindList::parse("127.0.0.1", 0)?;
//! let set = ListenerSet::open_with(&list, Protocols::TcpAndUdp, &SocketOptions::new(), &Access::default())?;
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("kv.ports");
//! port_file::write(&path, &set, set.datagrams())?;
//!
//! let port = set.datagrams()[0].local_addr()?.port().ok_or("no port")?;
//! assert_eq!(std::fs::read_to_string(&path)?, format!("TCP INET: {port}\nUDP INET: {port}\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In a directory that others can write to
//! The temporary file is always a new one (`O_EXCL`, `O_NOFOLLOW`), so a symlink planted in its place has no effect.
//! Its name contains the time in nanoseconds, and a name already taken is skipped: files that a killed process left
//! behind block no later write. Renaming replaces a symlink under the final name and leaves its target alone. The
//! directory is opened once, so changing its path meanwhile has no effect.

use core::{ffi::CStr, fmt::Write, net::SocketAddr};

use arrayvec::ArrayString;
use rustix::{fd::OwnedFd, path::Arg};

use super::{Listener, spec::BIND_LIST_MAX};
use crate::{
    datagram::Datagram,
    error::{Cause, Errno, Error, Op, Result, ResultExt},
    sys::{self, Directory},
};

/// How many lines always fit, even if all have the maximum length: a full bind list with TCP and UDP.
pub const PORT_FILE_LINES: usize = 2 * BIND_LIST_MAX;

/// Readable and writable by the owner only.
const MODE: u32 = 0o600;
/// How many names to try. If all of these are taken, further tries would fail too.
const NAME_TRIES: u32 = 16;

const LONGEST_LINE: &str = "UDP INET6: 65535\n";
type Lines = ArrayString<{ PORT_FILE_LINES * LONGEST_LINE.len() }>;

const LONGEST_NAME: &str = ".port-file.0123456789abcdef";
type Name = ArrayString<{ LONGEST_NAME.len() }>;

/// Writes the ports of these sockets to the file, in order, and replaces any file at the path. A Unix socket has no
/// port and gets no line.
///
/// The file has mode 0600, minus the umask, and is synced before it gets its name. The directory is not synced: after a
/// machine crash, the old file and the new one both hold ports of a dead server.
///
/// # Errors
///
/// An error leaves the path unchanged and removes the temporary file. `ENOENT`, `ENOTDIR`, `EACCES`, `EROFS` for
/// the directory; `EISDIR` if the path is a directory; `EPERM` for a file of another user in a directory like `/tmp`;
/// `ENOSPC`, `EDQUOT`, `EIO` from writing; `EMFILE`, `ENFILE`; `EEXIST` if every temporary name is taken; `EINVAL` for
/// a NUL in the path; `ENAMETOOLONG`, without std from 256 bytes on. [`TooManyAddresses`](Cause::TooManyAddresses) for
/// more lines than fit; at least [`PORT_FILE_LINES`] always fit.
#[doc(alias = "MEMCACHED_PORT_FILENAME")]
pub fn write<'s>(
    path: impl Arg,
    listeners: impl IntoIterator<Item = &'s Listener>,
    datagrams: impl IntoIterator<Item = &'s Datagram>,
) -> Result<()> {
    let mut lines = Lines::new();
    for listener in listeners {
        add_line(&mut lines, "TCP", listener.local_addr()?.as_inet())?;
    }
    for datagram in datagrams {
        add_line(&mut lines, "UDP", datagram.local_addr()?.as_inet())?;
    }
    path.into_with_c_str(|path| Ok(replace(path, lines.as_bytes()))).op(Op::Create)?
}

fn add_line(lines: &mut Lines, protocol: &str, addr: Option<SocketAddr>) -> Result<()> {
    let Some(addr) = addr else { return Ok(()) };
    let family = if addr.is_ipv4() { "INET" } else { "INET6" };
    writeln!(lines, "{protocol} {family}: {}", addr.port())
        .map_err(|_| Error::refused(Op::Address, Cause::TooManyAddresses))
}

/// Replaces the file at `path` with a new one.
fn replace(path: &CStr, content: &[u8]) -> Result<()> {
    let (directory, name) = split(path);
    let directory = Directory::open(directory).op(Op::Create)?;
    let temporary = Temporary::create(&directory)?;
    temporary.fill(content)?;
    temporary.rename(name)
}

/// The directory of a path, and the name in it.
fn split(path: &CStr) -> (&[u8], &[u8]) {
    let path = path.to_bytes();
    match path.iter().rposition(|&byte| byte == b'/') {
        // The directory keeps its slash, so the directory of `/name` is `/`.
        Some(slash) => path.split_at_checked(slash + 1).unwrap_or_default(),
        None => (b".", path),
    }
}

/// A file without its final name yet; dropping it removes the file.
struct Temporary<'a> {
    directory: &'a Directory,
    fd: OwnedFd,
    name: Name,
    is_renamed: bool,
}

impl<'a> Temporary<'a> {
    fn create(directory: &'a Directory) -> Result<Self> {
        let mut answer = Errno::EXIST;
        for attempt in 0..NAME_TRIES {
            let name = new_name(attempt);
            match directory.create_new(name.as_str(), MODE) {
                Ok(fd) => return Ok(Self { directory, fd, name, is_renamed: false }),
                Err(errno) => answer = errno,
            }
            if ![Errno::EXIST, Errno::INTR].contains(&answer) {
                break;
            }
        }
        Err(Error::new(Op::Create, answer))
    }

    fn fill(&self, mut content: &[u8]) -> Result<()> {
        while !content.is_empty() {
            match uninterrupted(|| sys::write(&self.fd, content)).op(Op::Write)? {
                // The call wrote nothing and reported no error: retrying could loop forever.
                0 => return Err(Error::new(Op::Write, Errno::IO)),
                written => content = content.get(written..).unwrap_or_default(),
            }
        }
        uninterrupted(|| sys::fsync(&self.fd)).op(Op::Sync)
    }

    fn rename(mut self, name: &[u8]) -> Result<()> {
        self.directory.rename(self.name.as_str(), name).op(Op::Rename)?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.is_renamed {
            // Report the error that led here, not this one.
            let _ = self.directory.unlink(self.name.as_str());
        }
    }
}

/// A name that no file has, unless another process used the same nanosecond.
fn new_name(attempt: u32) -> Name {
    let unique = (sys::now().as_nanos() as u64).wrapping_add(attempt.into());
    let mut name = Name::new();
    // The name fits: `LONGEST_NAME` has as many digits.
    let _ = write!(name, ".port-file.{unique:016x}");
    name
}

fn uninterrupted<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            answer => return answer,
        }
    }
}
