//! Accepting: from a listener's queue to configured streams, and which of them may stay.

mod accept4;
mod acceptor;
mod admission;
mod backoff;
mod batch;
mod outcome;
mod per_source;
mod probe;
mod reserve;

#[cfg(feature = "capi")]
pub(crate) use accept4::accept;
pub use acceptor::{Acceptor, LIMIT_DEFAULT};
pub use admission::{Admission, Limits, MAX_CLIENTS_DEFAULT, Reason, Ticket, Verdict};
pub(crate) use backoff::Backoff;
pub use batch::{BatchEnd, BatchOutcome};
pub use outcome::{Counters, Outcome, Watch};
pub use per_source::{SourceAddr, Sources};
pub(crate) use probe::Probe;
pub use reserve::Reserve;
