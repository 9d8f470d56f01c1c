//! Accepting: from a listener's queue to configured streams, and which of them may stay.

mod admission;
mod batch;
mod one;
mod sources;

pub use admission::{Admission, Limits, MAX_CLIENTS_DEFAULT, Reason, Ticket, Verdict};
pub use batch::{Batch, BatchEnd};
pub use sources::{SourceAddr, Sources};
