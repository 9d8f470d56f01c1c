//! A getter and a setter for each row of the [table](super::table), and what a row says about its option.

use core::time::Duration;

use rustix::fd::AsFd;

use super::{kind, raw::OptionName};
use crate::error::{Errno, Opt, Result};

#[cfg(target_os = "linux")]
use {
    super::{DeviceName, PeerCredentials, TcpName, TxTime},
    core::net::{Ipv4Addr, SocketAddrV4, SocketAddrV6},
};

/// Which sockets have an option.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Sockets {
    /// Those of every kind.
    Any,
    /// TCP and UDP.
    Inet,
    /// TCP and UDP over IPv4, which an IPv6 socket that takes IPv4 too counts among.
    Ipv4,
    /// UDP over IPv4.
    Ipv4Udp,
    /// TCP and UDP over IPv6.
    Ipv6,
    /// UDP over IPv6.
    Ipv6Udp,
    /// Raw ones.
    Raw,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Unix sockets.
    Unix,
}

/// The ends of a connection that an option can be for alone.
enum End {
    Listeners,
}

/// Whether a connection takes an option over from its listener.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Inherited {
    /// On every transport.
    Always,
    /// On none.
    Never,
    /// Over TCP, when the handshake completes; Unix connections do not.
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

        /// What the table says about an option.
        impl Opt {
            /// Its level and number; `None` on a system that does not have it.
            pub const fn option_name(self) -> Option<OptionName> {
                match self {
                    $($(#[cfg($os)] Self::$opt => Some(OptionName::$opt),)*)*
                    _ => None,
                }
            }

            /// Which sockets have it.
            pub const fn sockets(self) -> Sockets {
                match self {
                    $($(Self::$opt => Sockets::$on,)*)*
                    Self::Raw => Sockets::Any,
                }
            }

            /// Whether accepted connections take it over.
            pub const fn inherited(self) -> Inherited {
                match self {
                    $($(Self::$opt => Inherited::$inherited,)*)*
                    Self::Raw => Inherited::Never,
                }
            }

            /// Whether it concerns sockets that are bound to serve, and no others.
            pub(super) const fn is_for_listeners(self) -> bool {
                match self {
                    $($($(Self::$opt => matches!(End::$end, End::Listeners),)?)*)*
                    _ => false,
                }
            }

            /// The first version of Linux that has it; "2.6" stands for everything before it as well.
            pub const fn since(self) -> &'static str {
                match self {
                    $($(Self::$opt => $since,)*)*
                    Self::Raw => "",
                }
            }
        }
    };
}

/// The function that reads an option, if it can be read.
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

/// The function that sets an option, if it can be set.
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
