//! Waiting for ready descriptors, for deadlines, and for other threads.

#[cfg(target_os = "linux")]
mod busy_poll;
mod coalesce;
mod event_loop;
mod file;
pub(crate) mod heap;
mod poller;
pub(crate) mod slots;
mod timer;
mod wait;
mod waker;

#[cfg(target_os = "linux")]
pub use busy_poll::BusyPoll;
pub use coalesce::Coalescer;
pub use event_loop::{EventLoop, FileHandler, SleepHandler, TimeHandler, TimeSlot};
pub use file::FileSlot;
pub use poller::{Events, Interest, Iter, Poller, Readiness};
pub use timer::{Expired, TimerError, TimerId, TimerSlot, Timers};
pub use waker::Waker;
