//! [`BusyPoll`]: how a wait polls network devices before it sleeps.

use core::time::Duration;

use super::Poller;
use crate::{
    error::{Op, Result, ResultExt},
    sys::selector::Params,
};

/// How a wait polls the devices of its sockets, instead of sleeping until one interrupts: the kernel's own way of
/// coalescing, on devices whose drivers have NAPI. It trades CPU time for latency.
///
/// A wait polls for `time`, takes up to `packets` at a time, and then sleeps. `prefers_polling` keeps the device's
/// interrupts off between waits, for a loop that waits again soon; `napi_defer_hard_irqs` and `gro_flush_timeout` of the
/// device must be set for it (`Documentation/networking/napi.rst`). Sockets of one device queue belong on one poller:
/// [`SO_INCOMING_NAPI_ID`](crate::option::incoming_napi_id) names the queue.
///
/// The loopback device has no NAPI, so there the parameters are stored and change nothing.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct BusyPoll {
    /// How long a wait polls, in whole microseconds, rounded up. Zero: as long as `net.core.busy_poll` says.
    pub time: Duration,
    /// The most packets taken at a time. Zero: the kernel's default, 8.
    pub packets: u16,
    /// Whether interrupts stay off while the application polls often enough.
    pub prefers_polling: bool,
}

/// Busy polling.
impl Poller {
    /// Sets how its waits poll devices. A new poller has the default of [`BusyPoll`].
    ///
    /// ```no_run
    /// # let poller = anet::event::Poller::new()?;
    /// use anet::event::BusyPoll;
    /// use core::time::Duration;
    ///
    /// poller.set_busy_poll(BusyPoll { time: Duration::from_micros(50), packets: 32, prefers_polling: true })?;
    /// # Ok::<(), anet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `EINVAL` for more than 2³¹ - 1 microseconds, `EPERM` for more than 64 packets without `CAP_NET_ADMIN`,
    /// `EOPNOTSUPP` from a kernel built without busy polling, and before Linux 6.9 `ENOTTY`.
    #[doc(alias = "EPIOCSPARAMS")]
    pub fn set_busy_poll(&self, busy_poll: BusyPoll) -> Result<()> {
        let BusyPoll { time, packets, prefers_polling } = busy_poll;
        // The kernel refuses the largest number.
        let micros = u32::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u32::MAX);
        let params = Params {
            busy_poll_usecs: micros,
            busy_poll_budget: packets,
            prefer_busy_poll: prefers_polling.into(),
            pad: 0,
        };
        self.selector.set_params(params).op(Op::EventParameters)
    }

    /// How its waits poll devices.
    ///
    /// # Errors
    ///
    /// Before Linux 6.9 `ENOTTY`; `EOPNOTSUPP` as for [`set_busy_poll`](Self::set_busy_poll).
    #[doc(alias = "EPIOCGPARAMS")]
    pub fn busy_poll(&self) -> Result<BusyPoll> {
        let params = self.selector.params().op(Op::EventParameters)?;
        Ok(BusyPoll {
            time: Duration::from_micros(params.busy_poll_usecs.into()),
            packets: params.busy_poll_budget,
            prefers_polling: params.prefer_busy_poll != 0,
        })
    }
}
