//! Listening: sockets that clients connect to, configured before the first client can come.
//!
//! [`tcp`](tcp()), [`unix`](unix()) and [`udp`](udp()) open one socket each, [`ListenerSet`] a whole bind list or
//! nothing. [`SocketOptions`] are data, and all of them are set before `bind`. Sockets are non-blocking and
//! close-on-exec. [`port_file`] tells others the ports that the kernel has chosen.

mod convert;
pub mod port_file;
#[cfg(feature = "std")]
mod resolver;
mod set;
mod socket_file;
pub mod spec;
mod tcp;
mod udp;
mod unix;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

#[cfg(feature = "std")]
pub use resolver::system_resolver;
pub use set::{IntoIter, ListenerSet, Protocols, SpecError};
pub use spec::{BindList, BindSpec};
pub use tcp::tcp;
pub use udp::udp;
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
/// Connections are taken with [`accept`](Self::accept) and [`accept_batch`](Self::accept_batch). Dropping a listener
/// closes it and resets the connections still queued; the file of a Unix listener stays until
/// [`remove_file`](Self::remove_file), because a successor may have the path already.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    /// What accepted connections do not take over from the listener.
    after_accept: Option<SocketOptions>,
    /// The file a Unix listener has made.
    file: Option<SocketFile>,
}

impl Listener {
    /// Takes a socket that came from elsewhere, if it listens, and makes it non-blocking: the descriptor and its
    /// duplicates alike. Its connections have what it passes on by itself, and [`remove_file`](Self::remove_file) does
    /// nothing.
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
    /// [`NotListening`](Cause::NotListening) for a socket that does not listen, `ENOTSOCK` for what is no socket.
    #[doc(alias = "SO_ACCEPTCONN")]
    pub fn adopt(fd: impl Into<OwnedFd>) -> Result<Self> {
        let fd = fd.into();
        if !sys::is_listening(fd.as_fd()).op(Op::IsListening)? {
            return Err(Error::refused(Op::IsListening, Cause::NotListening));
        }
        option::set_nonblocking(&fd, true)?;
        Ok(Self::from(fd))
    }

    /// A second descriptor of the same socket, close-on-exec. Each connection goes to one of the two, and the queue
    /// is closed with the last of them.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    #[doc(alias = "dup")]
    pub fn try_clone(&self) -> Result<Self> {
        let fd = sys::duplicate(self.fd.as_fd()).op(Op::Duplicate)?;
        Ok(Self { fd, after_accept: self.after_accept, file: self.file })
    }

    /// The address listened on, with the port that the kernel has chosen if 0 was asked; the path that a Unix listener
    /// was asked for.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if the kernel is out of memory.
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> Result<Endpoint> {
        match &self.file {
            // The kernel may know the socket by the name it was bound to first.
            Some(file) => Ok(Endpoint::Unix(*file.addr())),
            None => sys::local_addr(self.fd.as_fd()).op(Op::LocalAddr),
        }
    }

    /// Removes the file of a Unix listener, if the path still names the socket that this listener has bound; says
    /// whether it did. A path that another server has taken over is left alone; one that is relative is looked for from
    /// where the process is by then. A lock on the directory is waited for as in [`unix`], and then it is done without.
    ///
    /// Unix has no call that removes a certain file. So the file is renamed first, to `.anet.` and 16 digits in the
    /// same directory, and looked at there. If it is that of a server which took the path in the microseconds before,
    /// the path is given back.
    ///
    /// # Errors
    ///
    /// `EACCES`, `EPERM` or `EROFS` if the directory may not be searched or changed; `EEXIST` if a path could not be
    /// given back because it was taken once more: the file is left under the other name.
    #[doc(alias = "unlink")]
    pub fn remove_file(&self) -> Result<bool> {
        self.file.as_ref().map_or(Ok(false), SocketFile::remove)
    }

    pub(crate) const fn after_accept(&self) -> Option<&SocketOptions> {
        self.after_accept.as_ref()
    }
}

/// Takes a listening socket as it is; [`adopt`](Listener::adopt) looks whether it listens. If it is a blocking one,
/// accepting waits.
impl From<OwnedFd> for Listener {
    fn from(fd: OwnedFd) -> Self {
        Self { fd, after_accept: None, file: None }
    }
}

/// Gives the socket away.
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
