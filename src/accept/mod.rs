//! Accepting: from a listener's queue to configured streams.

mod batch;
mod one;

pub use batch::{Batch, BatchEnd};
