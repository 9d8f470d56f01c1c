//! The kernel's call to wait for many descriptors at once, for each system.
//!
//! A platform must supply, in a file of this folder:
//!
//! - `Selector`, which owns the descriptor of the kernel's registrations, is `AsFd` and `Send`, and converts from and to
//!   `OwnedFd`:
//!   - `new()`: close-on-exec from the start where the system can do that;
//!   - `add(source, key, flags)`, `modify(source, key, flags)`, `delete(source)`: one system call each where the
//!     system has one; a source whose last duplicate is closed is forgotten without a call;
//!   - `renew()`: a new instance that watches nothing, under the same descriptor number;
//!   - `wait(events, timeout)`: fills the array from its start and returns how many events there are. It may return
//!     early, after a signal with `EINTR`, and never waits longer than [`Selector::LONGEST`]; it may round the
//!     timeout up to a millisecond;
//!   - `wait_precisely(events, timeout)`: the same where parts of a millisecond count; `ENOSYS` if the kernel cannot;
//! - `Event`: plain data that is `Copy` and `Send`, with `NOTHING`, `key()` and `flags()`;
//! - the flags `READABLE`, `WRITABLE`, `PRIORITY`, `READ_HANGUP`, `HANGUP` and `ERROR`, which are asked for and
//!   reported, and `EDGE`, `ONE_SHOT` and `EXCLUSIVE`, which are asked for alone. `HANGUP` and `ERROR` are reported
//!   whether or not they are asked for. Without `EDGE` a source is reported at every wait for as long as it is ready.
//!
//! Nothing here retries or keeps state; [`Poller`](crate::event::Poller) does.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(not(target_os = "linux"))]
mod kqueue;

#[cfg(target_os = "linux")]
pub(crate) use epoll::*;
#[cfg(not(target_os = "linux"))]
pub(crate) use kqueue::*;
