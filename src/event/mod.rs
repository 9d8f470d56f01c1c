//! Waiting: which descriptors are ready, and being woken from another thread.

mod poller;
mod waker;

pub use poller::{Event, Events, Interest, Iter, Poller};
pub use waker::Waker;
