//! Listening sockets, fully configured before the first client can connect.
//!
//! [`tcp`](tcp()), [`unix`](unix()) and [`udp`](udp()) open one socket each, [`ListenerSet`] opens a whole bind
//! list or nothing. [`SocketOptions`] are data, and all of them are set before `bind`. Sockets are non-blocking and
//! close-on-exec. [`port_file`] publishes the ports that the kernel chose.

mod convert;
pub mod port_file;
mod set;
mod socket_file;
pub mod spec;
mod tcp;
mod udp;
mod unix;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

pub use set::{IntoIter, ListenerSet, Protocols, SpecError};
pub use spec::{BindList, BindSpec};
#[cfg(feature = "capi")]
pub(crate) use tcp::open_on as tcp_on;
pub use tcp::tcp;
pub use udp::udp;
#[cfg(feature = "capi")]
pub(crate) use unix::open_on as unix_on;
pub use unix::{Access, unix};

use crate::{
    addr::Endpoint,
    error::{Cause, Error, Op, Result, ResultExt},
    option::{self, SocketOptions},
    sys,
};
use socket_file::SocketFile;

/// A listening socket, TCP or Unix.
///
/// [`accept`](Self::accept) and [`accept_batch`](Self::accept_batch) take connections. Dropping a listener closes it
/// and resets the connections still queued. The file of a Unix listener stays until you call
/// [`remove_file`](Self::remove_file), because a successor may already own the path.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    /// The options that accepted connections do not inherit.
    after_accept: Option<SocketOptions>,
    /// The file that a Unix listener created.
    file: Option<SocketFile>,
}

impl Listener {
    /// Takes over a listening socket opened elsewhere and makes it, and every duplicate of it, non-blocking. Its
    /// connections get only the options they inherit from it, and [`remove_file`](Self::remove_file) does nothing.
    ///
    /// ```
    /// let listening = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let listener = anet::Listener::adopt(listening)?;
    /// assert!(listener.accept().is_err_and(|error| error.is_would_block()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotListening`](Cause::NotListening) for a socket that does not listen, `ENOTSOCK` for a descriptor that is not
    /// a socket.
    #[doc(alias = "SO_ACCEPTCONN")]
    pub fn adopt(fd: impl Into<OwnedFd>) -> Result<Self> {
        let fd = fd.into();
        if !sys::is_listening(fd.as_fd()).op(Op::IsListening)? {
            return Err(Error::refused(Op::IsListening, Cause::NotListening));
        }
        option::set_nonblocking(&fd, true)?;
        Ok(Self::from(fd))
    }

    /// Returns a second descriptor of the same socket, close-on-exec. Each connection goes to one of the two; closing
    /// the last descriptor closes the queue.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    #[doc(alias = "dup")]
    pub fn try_clone(&self) -> Result<Self> {
        let fd = sys::duplicate(self.fd.as_fd()).op(Op::Duplicate)?;
        Ok(Self { fd, after_accept: self.after_accept, file: self.file })
    }

    /// Returns the address the socket listens on, with the port that the kernel chose for port 0. A Unix listener
    /// returns the path you asked for.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if the kernel is out of memory.
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> Result<Endpoint> {
        match &self.file {
            // The kernel may know the socket by the temporary name it was bound to.
            Some(file) => Ok(Endpoint::Unix(*file.addr())),
            None => sys::local_addr(self.fd.as_fd()).op(Op::LocalAddr),
        }
    }

    /// Removes the file of a Unix listener if the path still names the socket that this listener bound; returns whether
    /// it removed the file. It leaves alone a path that another server has taken over, and resolves a relative path
    /// against the current directory at the time of the call. It waits for a lock on the directory as [`unix`] does,
    /// then proceeds without it.
    ///
    /// Unix has no call that removes one particular file. So this call first renames the file to `.anet.` and 16 digits
    /// in the same directory, and checks it there. If the file belongs to a server that took the path microseconds
    /// earlier, the call restores the path.
    ///
    /// # Errors
    ///
    /// `EACCES`, `EPERM` or `EROFS` if the process may not search or change the directory; `EEXIST` if the call cannot
    /// restore a path because another file has taken it: the file stays under the other name.
    #[doc(alias = "unlink")]
    pub fn remove_file(&self) -> Result<bool> {
        self.file.as_ref().map_or(Ok(false), SocketFile::remove)
    }

    pub(crate) const fn after_accept(&self) -> Option<&SocketOptions> {
        self.after_accept.as_ref()
    }
}

/// Takes a listening socket unchanged, without the check of [`adopt`](Listener::adopt). On a blocking socket, accepting
/// blocks.
impl From<OwnedFd> for Listener {
    fn from(fd: OwnedFd) -> Self {
        Self { fd, after_accept: None, file: None }
    }
}

/// Releases the socket.
impl From<Listener> for OwnedFd {
    fn from(listener: Listener) -> Self {
        listener.fd
    }
}

impl AsFd for Listener {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The last step of opening any listener.
fn start(fd: &OwnedFd, options: &SocketOptions) -> Result<()> {
    let backlog = i32::try_from(options.backlog()).unwrap_or(i32::MAX);
    sys::listen(fd, backlog).op(Op::Listen)
}
