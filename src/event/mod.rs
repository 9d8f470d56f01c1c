//! Waiting: which descriptors are ready.

mod poller;

pub use poller::{Event, Events, Interest, Poller};
