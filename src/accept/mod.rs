//! Accepting: from a listener's queue to configured streams, and which of them may stay.

mod acceptor;
mod admission;
mod backoff;
mod batch;
mod one;
mod outcome;
mod probe;
mod reserve;
mod sources;

pub use acceptor::{Acceptor, LIMIT_DEFAULT};
pub use admission::{Admission, Limits, MAX_CLIENTS_DEFAULT, Reason, Ticket, Verdict};
pub(crate) use backoff::Backoff;
pub use batch::{Batch, BatchEnd};
#[cfg(feature = "capi")]
pub(crate) use one::accept;
pub use outcome::{Counters, Outcome, Watch};
pub(crate) use probe::Probe;
pub use reserve::Reserve;
pub use sources::{SourceAddr, Sources};
