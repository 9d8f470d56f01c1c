//! Accepting: from a listener's queue to configured streams, and which of them may stay.

mod admission;
mod backoff;
mod batch;
mod engine;
mod one;
mod probe;
mod reserve;
mod sources;
mod turn;

pub use admission::{Admission, Limits, MAX_CLIENTS_DEFAULT, Reason, Ticket, Verdict};
pub use batch::{Batch, BatchEnd};
pub use engine::{Engine, LIMIT_DEFAULT};
#[cfg(feature = "capi")]
pub(crate) use one::accept;
pub(crate) use probe::Probe;
pub use reserve::Reserve;
pub use sources::{SourceAddr, Sources};
pub use turn::{Counters, Turn, Watch};
