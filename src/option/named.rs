//! A getter and a setter for each row of the [table](super::table), and the facts of each row.

use core::time::Duration;

use rustix::fd::AsFd;

use super::{kind, raw::OptionName};
use crate::error::{Errno, Opt, Result};

#[cfg(target_os = "linux")]
use {
    super::{DeviceName, PeerCredentials, TcpName, TxTime},
    core::net::{Ipv4Addr, SocketAddrV4, SocketAddrV6},
};

/// The sockets that have an option.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Sockets {
    /// Every kind.
    Any,
    /// TCP and UDP.
    Inet,
    /// TCP and UDP over IPv4, including IPv6 sockets that also take IPv4.
    Ipv4,
    /// UDP over IPv4.
    Ipv4Udp,
    /// TCP and UDP over IPv6.
    Ipv6,
    /// UDP over IPv6.
    Ipv6Udp,
    /// Raw sockets.
    Raw,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Unix sockets.
    Unix,
}

/// The end of a connection that an option is limited to.
enum End {
    Listeners,
}

/// Whether a connection inherits an option from its listener.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Inherited {
    /// On every transport.
    Always,
    /// On no transport.
    Never,
    /// Over TCP, when the handshake completes; not on Unix sockets.
    OverTcp,
}

macro_rules! named {
    ($([$os:meta] { $(
        $(#[$doc:meta])* $opt:ident $name:literal $level:ident $([$range:expr])? {
            $kind:ident($value:ty) on $on:ident, inherited $inherited:ident, since $since:literal;
            $(errors $errors:literal;)?
            $(get $get:ident)? $(set $set:ident)? $(with $with:ident($with_value:ty))? $(for $end:ident)?
        }
    )* })*) => {
        $($(
            getter!($($get)?; $opt $name $kind($value), $os, $since, $(#[$doc])*);
            setter!($($set)?; $opt $name $kind($value), $os, $since, [$($range)?], [$($errors)?], $(#[$doc])*);
        )*)*

        /// The table's facts about an option.
        impl Opt {
            /// Its level and number; `None` on a system that lacks it.
            pub const fn option_name(self) -> Option<OptionName> {
                match self {
                    $($(#[cfg($os)] Self::$opt => Some(OptionName::$opt),)*)*
                    _ => None,
                }
            }

            /// The sockets that have it.
            pub const fn sockets(self) -> Sockets {
                match self {
                    $($(Self::$opt => Sockets::$on,)*)*
                    Self::Raw => Sockets::Any,
                }
            }

            /// Whether accepted connections inherit it.
            pub const fn inherited(self) -> Inherited {
                match self {
                    $($(Self::$opt => Inherited::$inherited,)*)*
                    Self::Raw => Inherited::Never,
                }
            }

            /// Whether it applies to server sockets only.
            pub(super) const fn is_for_listeners(self) -> bool {
                match self {
                    $($($(Self::$opt => matches!(End::$end, End::Listeners),)?)*)*
                    _ => false,
                }
            }

            /// The first version of Linux that has it; "2.6" also covers earlier versions.
            pub const fn since(self) -> &'static str {
                match self {
                    $($(Self::$opt => $since,)*)*
                    Self::Raw => "",
                }
            }
        }
    };
}

/// The getter of a readable option.
macro_rules! getter {
    (; $($row:tt)*) => {};
    ($get:ident; $opt:ident $name:literal $kind:ident($value:ty), $os:meta, $since:literal, $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[doc = concat!("\n\nReads `", $name, "`; since Linux ", $since, ".")]
        #[doc = "# Errors\n\nSee the [module](crate::option)."]
        #[doc(alias = $name)]
        #[cfg($os)]
        pub fn $get(fd: impl AsFd) -> Result<$value> {
            kind::$kind::get(fd.as_fd(), OptionName::$opt, Opt::$opt)
        }
    };
}

/// The setter of a settable option.
macro_rules! setter {
    (; $($row:tt)*) => {};
    (
        $set:ident; $opt:ident $name:literal $kind:ident($value:ty), $os:meta, $since:literal,
        [$($range:expr)?], [$($errors:literal)?], $(#[$doc:meta])*
    ) => {
        $(#[$doc])*
        #[doc = concat!("\n\nSets `", $name, "`; since Linux ", $since, ".")]
        #[doc = "# Errors\n\n"]
        $(#[doc = concat!("[`OutOfRange`](crate::error::Cause::OutOfRange) outside `", stringify!($range), "`.")])?
        $(#[doc = $errors])?
        #[doc = "See the [module](crate::option)."]
        #[doc(alias = $name)]
        #[cfg($os)]
        pub fn $set(fd: impl AsFd, value: $value) -> Result<()> {
            kind::$kind::set(fd.as_fd(), OptionName::$opt, Opt::$opt, value)
        }
    };
}

super::table::option_table!(named);
