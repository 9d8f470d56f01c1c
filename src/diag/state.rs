//! [`SocketState`] and sets of states.

use core::fmt;

/// A row is a state with its number in the kernel (`net/tcp_states.h`) and its name in `ss(8)`.
macro_rules! states {
    ($($(#[doc = $doc:literal])* $state:ident $constant:ident = $number:literal $text:literal,)*) => {
        /// The state of a TCP socket. Other sockets have some of these too: a UDP or Unix socket that is not connected
        /// is [`Closed`](Self::Closed).
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum SocketState {
            $($(#[doc = $doc])* $state,)*
            /// A state that this crate does not know, by the kernel's number.
            Other(u8),
        }

        impl SocketState {
            pub(super) const fn new(number: u8) -> Self {
                match number {
                    $($number => Self::$state,)*
                    other => Self::Other(other),
                }
            }
        }

        /// As in `ss(8)`: `LISTEN`, `ESTAB`, `TIME-WAIT`.
        impl fmt::Display for SocketState {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$state => f.pad($text),)*
                    Self::Other(number) => number.fmt(f),
                }
            }
        }

        bitflags::bitflags! {
            /// A set of [`SocketState`]s.
            #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
            pub struct SocketStates: u32 {
                $($(#[doc = $doc])* const $constant = 1 << $number;)*
                /// The states that a later kernel may add.
                const _ = !0;
            }
        }
    };
}

states! {
    /// The connection is open.
    Established ESTABLISHED = 1 "ESTAB",
    /// A connect is under way.
    SynSent SYN_SENT = 2 "SYN-SENT",
    /// A connection request has arrived and was answered.
    SynReceived SYN_RECEIVED = 3 "SYN-RECV",
    /// Closed here, and the peer has not acknowledged it yet.
    FinWait1 FIN_WAIT_1 = 4 "FIN-WAIT-1",
    /// Closed here, and the peer still sends.
    FinWait2 FIN_WAIT_2 = 5 "FIN-WAIT-2",
    /// Closed, and kept for packets that are late.
    TimeWait TIME_WAIT = 6 "TIME-WAIT",
    /// Neither connected nor listening.
    Closed CLOSED = 7 "UNCONN",
    /// Closed by the peer, and still open here.
    CloseWait CLOSE_WAIT = 8 "CLOSE-WAIT",
    /// Closed by the peer and then here, and the peer has not acknowledged it yet.
    LastAck LAST_ACK = 9 "LAST-ACK",
    /// It accepts connections.
    Listening LISTENING = 10 "LISTEN",
    /// Closed on both sides at once.
    Closing CLOSING = 11 "CLOSING",
    /// A connection request in the kernel's own table. It is listed as [`SynReceived`](Self::SynReceived).
    NewSynReceived NEW_SYN_RECEIVED = 12 "NEW-SYN-RECV",
    /// Bound, and neither connected nor listening; the kernel lists these since Linux 6.8, as
    /// [`Closed`](Self::Closed).
    BoundInactive BOUND_INACTIVE = 13 "BOUND-INACTIVE",
}

impl SocketStates {
    /// Sockets with a peer.
    #[doc(alias = "connected")]
    pub const CONNECTED: Self = Self::all_known().difference(Self::LISTENING).difference(Self::CLOSED);

    const fn all_known() -> Self {
        Self::from_bits_retain((1 << 13) - 2)
    }
}

/// All states.
impl Default for SocketStates {
    fn default() -> Self {
        Self::all()
    }
}
