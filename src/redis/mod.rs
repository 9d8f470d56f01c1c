//! Texts and forms that only Redis has, for servers whose peers and logs must read as Redis's do.
//!
//! The other modules know nothing of it, but for [`capi`](crate#where-things-are), which speaks as `anet.c` does.
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
