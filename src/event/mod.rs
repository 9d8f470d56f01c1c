//! Waiting: which descriptors are ready, which deadlines have come, and being woken from another thread.

mod event_loop;
mod file;
mod poller;
mod timer;
mod wait;
mod waker;

pub use event_loop::{EventLoop, FileHandler, SleepHandler, TimeHandler};
pub use poller::{Events, Interest, Iter, Poller, Readiness};
pub use timer::{Expired, TimerError, TimerId, Timers};
pub use waker::Waker;
