//! stub
#![no_std]
#![deny(missing_debug_implementations, missing_docs, rustdoc::broken_intra_doc_links, unreachable_pub, unsafe_code)]
#![warn(clippy::alloc_instead_of_core, clippy::missing_errors_doc, clippy::std_instead_of_core)]

#[cfg(any(feature = "std", test))]
extern crate std;

pub mod accept;
pub mod addr;
pub mod connect;
pub mod error;
pub mod event;
pub mod listen;
pub mod option;
pub mod pipe;
pub mod stream;
mod sys;

pub use addr::{Endpoint, UnixAddr};
pub use error::{Errno, Error, ErrorText, Op, Result};
pub use listen::{Listener, Profile};
pub use rustix::fd;
pub use stream::Stream;
