//! Every public type can be sent to another thread and shared between threads.

use core::time::Duration;

use anet::{
    AddrText, BindList, Datagram, Endpoint, Error, ErrorText, Listener, ListenerSet, Op, Stream, UnixAddr,
    accept::{self, Acceptor, Admission, BatchOutcome, Limits, Reserve, SourceAddr, Sources, Ticket},
    connect::{Connector, LocalAddr, Outcome, Pending, race::Race},
    datagram::{self, Details, Message, Segmenter, Undelivered, cmsg, seqpacket::SeqPacketListener},
    event::{
        EventLoop, Events, Expired, FileSlot, Interest, Iter, Poller, Readiness, TimerId, TimerSlot, Timers, Waker,
    },
    heartbeat::Heartbeat,
    listen::Access,
    option::TcpKeepalive,
    server::{Connection, Event, Io, Key, ListenOptions, ListenerId, Refused, Server, Slot, Slots, WatchId},
    stream::{Deadline, Incomplete, Shutdown},
};

const fn is_send_and_sync<T: Send + Sync>() {}

/// Checked by the compiler: the test passes if this compiles.
#[test]
fn public_types_are_send_and_sync() {
    const {
        is_send_and_sync::<(AddrText, BindList<'_>, Endpoint, UnixAddr, Access)>();
        is_send_and_sync::<(Error, ErrorText, Op)>();
        is_send_and_sync::<(Datagram, Listener, ListenerSet, Stream, Incomplete, Shutdown, Deadline)>();
        is_send_and_sync::<(
            Acceptor,
            Admission<8>,
            BatchOutcome,
            Limits,
            accept::Outcome,
            Reserve<'_>,
            SourceAddr,
            Sources<8>,
            Ticket,
        )>();
        is_send_and_sync::<(Connector, Pending<[Endpoint; 2]>, Race, Outcome, LocalAddr, TcpKeepalive)>();
        is_send_and_sync::<(datagram::Batch<1, 1, 1>, Details, Message<'_, '_>, Segmenter, Undelivered<'_>)>();
        is_send_and_sync::<(cmsg::Control<'_>, cmsg::Decoder<'_>, cmsg::Encoder<'_>, SeqPacketListener)>();
        is_send_and_sync::<(Events<8>, Expired, Interest, Iter<'_>, Poller, Readiness, Waker)>();
        is_send_and_sync::<(TimerId, TimerSlot, Timers<[TimerSlot; 8]>, Heartbeat, Duration)>();
        is_send_and_sync::<(EventLoop<'_, u32>, FileSlot<u32>)>();
        is_send_and_sync::<(Connection<u32>, Event, Io<'_>, Key, ListenOptions, ListenerId, WatchId)>();
        is_send_and_sync::<(Refused<u32>, Server<'_, u32, 8>, Slot<u32>, Slots<'_, u32>)>();
        #[cfg(feature = "dns")]
        is_send_and_sync::<(anet::server::Lookup, anet::server::Lookups<'_>, anet::resolve::dns::Stub<'_>)>();
    }
}
