//! Texts and formats specific to Redis, for servers whose replies and logs must match Redis's.
//!
//! Of the other modules only [`capi`](crate#where-things-are) uses it, to match `anet.c`.
//!
//! ```
//! use anet::{accept::Reason, redis};
//!
//! assert_eq!(redis::rejection(Reason::MaxClients), "-ERR max number of clients reached\r\n");
//! ```

mod anet_error;
mod name;
mod rejection;

pub use anet_error::AnetError;
pub use name::{format_addr, ip_and_port};
pub use rejection::rejection;
