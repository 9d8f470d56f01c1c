//! Which call failed: the operations of this crate and the labels they carry in error texts.
//!
//! A label is the name of the system call. [`redis::AnetError`](crate::redis::AnetError) has the labels of Redis.

use core::{fmt, ops::RangeInclusive};

/// The operation an [`Error`](super::Error) comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// Taking a connection from a listener.
    Accept,
    /// Making or using an address, before any system call.
    Address,
    /// Giving a socket its own address.
    Bind,
    /// Changing the mode of a Unix socket's file.
    Chmod,
    /// Changing the group of a Unix socket's file.
    Chown,
    /// Setting close-on-exec.
    Cloexec,
    /// Connecting to a peer.
    Connect,
    /// Creating a file.
    Create,
    /// Duplicating a descriptor.
    Duplicate,
    /// Creating an epoll or kqueue instance.
    EventCreate,
    /// Changing what an epoll or kqueue instance watches.
    EventControl,
    /// Waiting for events.
    EventWait,
    /// Reading an option.
    Get(Opt),
    /// Asking for close-on-exec.
    GetCloexec,
    /// Reading the file status flags.
    GetFlags,
    /// Asking whether a socket listens.
    IsListening,
    /// Giving a Unix socket's file the path it was bound beside.
    Link,
    /// Making a socket listen.
    Listen,
    /// Asking for a socket's own address.
    LocalAddr,
    /// Locking the directory of a Unix socket's path.
    Lock,
    /// Asking for the peer's address.
    PeerAddr,
    /// Creating a pipe.
    Pipe,
    /// Waiting for one descriptor.
    Poll,
    /// Reading from a socket.
    Read,
    /// Receiving a datagram.
    ReceiveFrom,
    /// Giving a file its final name.
    Rename,
    /// Sending a datagram.
    SendTo,
    /// Setting an option.
    Set(Opt),
    /// Setting the file status flags.
    SetFlags,
    /// Closing one or both directions of a connection.
    Shutdown,
    /// Creating a socket.
    Socket,
    /// Looking at a file.
    Stat,
    /// Bringing a file's content to the disk.
    Sync,
    /// Removing a Unix socket's file.
    Unlink,
    /// Creating what a wait is ended with: an eventfd on Linux, a pipe elsewhere.
    WakerCreate,
    /// Writing to a socket or file.
    Write,
}

impl Op {
    const fn label(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Address => "address",
            Self::Bind => "bind",
            Self::Chmod => "chmod",
            Self::Chown => "chown",
            Self::Cloexec => "fcntl(F_SETFD)",
            Self::Connect => "connect",
            Self::Create => "open",
            Self::Duplicate => "fcntl(F_DUPFD_CLOEXEC)",
            Self::EventCreate if cfg!(target_os = "linux") => "epoll_create1",
            Self::EventCreate => "kqueue",
            Self::EventControl if cfg!(target_os = "linux") => "epoll_ctl",
            Self::EventWait if cfg!(target_os = "linux") => "epoll_wait",
            Self::EventControl | Self::EventWait => "kevent",
            Self::Get(_) => "getsockopt",
            Self::GetCloexec => "fcntl(F_GETFD)",
            Self::GetFlags => "fcntl(F_GETFL)",
            Self::IsListening => "getsockopt SO_ACCEPTCONN",
            Self::Link => "link",
            Self::Listen => "listen",
            Self::LocalAddr => "getsockname",
            Self::Lock => "flock",
            Self::PeerAddr => "getpeername",
            Self::Pipe => "pipe",
            Self::Poll => "poll",
            Self::Read => "read",
            Self::ReceiveFrom => "recvfrom",
            Self::Rename => "rename",
            Self::SendTo => "sendto",
            Self::Set(_) => "setsockopt",
            Self::SetFlags => "fcntl(F_SETFL)",
            Self::Shutdown => "shutdown",
            Self::Socket => "socket",
            Self::Stat => "stat",
            Self::Sync => "fsync",
            Self::Unlink => "unlink",
            Self::WakerCreate if cfg!(target_os = "linux") => "eventfd",
            Self::WakerCreate => "pipe",
            Self::Write => "write",
        }
    }
}

/// The label, such as `bind` or `setsockopt TCP_KEEPIDLE`.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())?;
        match self {
            Self::Get(opt) | Self::Set(opt) => {
                f.write_str(" ")?;
                f.write_str(opt.name())
            }
            _ => Ok(()),
        }
    }
}

/// What errors need of the [table](crate::option): the names, and the ranges.
macro_rules! opt {
    ($([$os:meta] { $(
        $(#[$doc:meta])* $opt:ident $name:literal $level:ident $([$range:expr])? { $($fact:tt)* }
    )* })*) => {
        /// A socket option, by the kernel's name.
        #[allow(non_camel_case_types, reason = "the kernel's names")]
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Opt {
            $($(#[doc = concat!("`", $name, "`")] $opt,)*)*
            /// One that was named by number, through [`raw`](crate::option::raw).
            Raw,
        }

        impl Opt {
            /// All that have a name.
            pub const ALL: &[Self] = &[$($(Self::$opt,)*)*];

            /// The name in the kernel's headers.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$opt => $name,)*)*
                    Self::Raw => "by number",
                }
            }

            /// The values the kernel takes, where it refuses the others with a bare `EINVAL`: in the kernel's own unit,
            /// and bytes for a name.
            pub const fn range(self) -> Option<RangeInclusive<u32>> {
                match self {
                    $($($(Self::$opt => Some($range),)?)*)*
                    _ => None,
                }
            }
        }
    };
}

crate::option::table::option_table!(opt);
