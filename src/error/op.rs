//! The operations of this crate and their labels in error texts.
//!
//! A label is the name of the system call. [`redis::AnetError`](crate::redis::AnetError) uses Redis's labels.

use core::{fmt, ops::RangeInclusive};

/// The operation that failed with an [`Error`](super::Error).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// Accepting a connection.
    Accept,
    /// Creating or using an address, before any system call.
    Address,
    /// Testing whether a stream is at the out-of-band mark.
    AtMark,
    /// Binding a socket to a local address.
    Bind,
    /// Changing the mode of a Unix socket's file.
    Chmod,
    /// Changing the group of a Unix socket's file.
    Chown,
    /// Setting the close-on-exec flag.
    Cloexec,
    /// Connecting to a peer.
    Connect,
    /// Creating a file.
    Create,
    /// Removing the association of a datagram socket with its peer.
    Disconnect,
    /// Duplicating a descriptor.
    Duplicate,
    /// Creating an epoll or kqueue instance.
    EventCreate,
    /// Changing the registrations of an epoll or kqueue instance.
    EventControl,
    /// Reading or changing the parameters of an epoll instance.
    EventParameters,
    /// Waiting for events.
    EventWait,
    /// Reading an option.
    Get(Opt),
    /// Reading the close-on-exec flag.
    GetCloexec,
    /// Reading the file status flags.
    GetFlags,
    /// Testing whether a socket is listening.
    IsListening,
    /// Joining a multicast group.
    JoinGroup,
    /// Leaving a multicast group.
    LeaveGroup,
    /// Linking a Unix socket's file to its final path.
    Link,
    /// Making a socket listen.
    Listen,
    /// Reading a socket's local address.
    LocalAddr,
    /// Locking the directory of a Unix socket's path.
    Lock,
    /// A request to the kernel over netlink.
    Netlink,
    /// Opening a file or directory.
    Open,
    /// Reading the peer's address.
    PeerAddr,
    /// Creating a pipe.
    Pipe,
    /// Changing the capacity of a pipe.
    PipeSize,
    /// Waiting for one descriptor.
    Poll,
    /// Reading from a socket.
    Read,
    /// Receiving a datagram.
    ReceiveFrom,
    /// Receiving a message with control messages.
    ReceiveMessage,
    /// Receiving a batch of datagrams.
    ReceiveMessages,
    /// Reading the length of a stream's receive queue.
    ReceiveQueue,
    /// Renaming a file to its final name.
    Rename,
    /// Resolving a host name.
    Resolve,
    /// Sending a message with control messages.
    SendMessage,
    /// Sending a batch of datagrams.
    SendMessages,
    /// Reading the length of a stream's send queue.
    SendQueue,
    /// Sending a datagram.
    SendTo,
    /// Setting an option.
    Set(Opt),
    /// Setting the file status flags.
    SetFlags,
    /// Shutting down one or both directions of a connection.
    Shutdown,
    /// Creating a socket.
    Socket,
    /// Creating a pair of connected sockets.
    SocketPair,
    /// Moving bytes from a stream into a pipe.
    SpliceFrom,
    /// Moving bytes from a pipe to a stream.
    SpliceTo,
    /// Reading the status of a file.
    Stat,
    /// Flushing a file's content to disk.
    Sync,
    /// Removing a Unix socket's file.
    Unlink,
    /// Creating a waker: an eventfd on Linux, a pipe elsewhere.
    WakerCreate,
    /// Writing to a socket or file.
    Write,
}

impl Op {
    const fn label(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Address => "address",
            Self::AtMark => "ioctl SIOCATMARK",
            Self::Bind => "bind",
            Self::Chmod => "chmod",
            Self::Chown => "chown",
            Self::Cloexec => "fcntl(F_SETFD)",
            Self::Connect => "connect",
            Self::Create => "open",
            Self::Disconnect => "connect(AF_UNSPEC)",
            Self::Duplicate => "fcntl(F_DUPFD_CLOEXEC)",
            Self::EventCreate if cfg!(target_os = "linux") => "epoll_create1",
            Self::EventCreate => "kqueue",
            Self::EventControl if cfg!(target_os = "linux") => "epoll_ctl",
            Self::EventParameters => "ioctl EPIOCSPARAMS",
            Self::EventWait if cfg!(target_os = "linux") => "epoll_wait",
            Self::EventControl | Self::EventWait => "kevent",
            Self::Get(_) => "getsockopt",
            Self::GetCloexec => "fcntl(F_GETFD)",
            Self::GetFlags => "fcntl(F_GETFL)",
            Self::IsListening => "getsockopt SO_ACCEPTCONN",
            Self::JoinGroup => "setsockopt MCAST_JOIN_GROUP",
            Self::LeaveGroup => "setsockopt MCAST_LEAVE_GROUP",
            Self::Link => "link",
            Self::Listen => "listen",
            Self::LocalAddr => "getsockname",
            Self::Lock => "flock",
            Self::Netlink => "netlink",
            Self::Open => "open",
            Self::PeerAddr => "getpeername",
            Self::Pipe => "pipe",
            Self::PipeSize => "fcntl(F_SETPIPE_SZ)",
            Self::Poll => "poll",
            Self::Read => "read",
            Self::ReceiveFrom => "recvfrom",
            Self::ReceiveMessage => "recvmsg",
            Self::ReceiveMessages => "recvmmsg",
            Self::ReceiveQueue => "ioctl SIOCINQ",
            Self::Rename => "rename",
            Self::Resolve => "resolve",
            Self::SendMessage => "sendmsg",
            Self::SendMessages => "sendmmsg",
            Self::SendQueue => "ioctl SIOCOUTQ",
            Self::SendTo => "sendto",
            Self::Set(_) => "setsockopt",
            Self::SetFlags => "fcntl(F_SETFL)",
            Self::Shutdown => "shutdown",
            Self::Socket => "socket",
            Self::SocketPair => "socketpair",
            Self::SpliceFrom | Self::SpliceTo => "splice",
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

/// Generates [`Opt`] from the [table](crate::option) of options: their names and ranges.
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
            /// An option given by number, through [`raw`](crate::option::raw).
            Raw,
        }

        impl Opt {
            /// All options that have a name.
            pub const ALL: &[Self] = &[$($(Self::$opt,)*)*];

            /// The name in the kernel's headers.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$opt => $name,)*)*
                    Self::Raw => "by number",
                }
            }

            /// The values that the kernel accepts, in the kernel's unit, or the length in bytes for a name. `None`
            /// unless the kernel rejects other values with a bare `EINVAL`.
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
