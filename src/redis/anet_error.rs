//! [`AnetError`]: errors with the texts of `anet.c`.

use core::fmt;

use crate::error::{Cause, Errno, Error, Op, Opt, errno};

/// An error with the text of Redis's `anet.c`, for logs that must read as Redis's do.
///
/// Errors for which Redis has no text have the text of [`Error`].
///
/// ```
/// use anet::{Errno, Error, Op, redis::AnetError};
///
/// let error = Error::new(Op::Socket, Errno::MFILE);
/// assert_eq!(error.to_string(), "socket: Too many open files");
/// assert_eq!(AnetError(error).to_string(), "creating socket: Too many open files");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "anetSetError")]
pub struct AnetError(pub Error);

impl fmt::Display for AnetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        if let Cause::PathTooLong { len } = error.cause() {
            return write!(f, "unix socket path too long ({len}), must be under 108");
        }
        match label(error.op()) {
            Some(label) => f.write_str(label)?,
            None => error.op().fmt(f)?,
        }
        f.write_str(": ")?;
        match error.cause() {
            Cause::MissingScope => errno::text(Errno::INVAL).fmt(f),
            _ => error.reason().fmt(f),
        }
    }
}

impl core::error::Error for AnetError {}

/// Redis's label of an operation; `None` if Redis uses the name of the system call.
const fn label(op: Op) -> Option<&'static str> {
    match op {
        Op::Cloexec | Op::GetCloexec => Some("anetCloexec"),
        Op::SetFlags => Some("fcntl(F_SETFL,O_NONBLOCK)"),
        Op::Set(Opt::SO_MARK | Opt::IPV6_V6ONLY) => Some("setsockopt"),
        Op::Socket => Some("creating socket"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn labels_match_redis() {
        let labels = [
            (Op::Socket, "creating socket"),
            (Op::Bind, "bind"),
            (Op::Listen, "listen"),
            (Op::Connect, "connect"),
            (Op::Accept, "accept"),
            (Op::Cloexec, "anetCloexec"),
            (Op::GetFlags, "fcntl(F_GETFL)"),
            (Op::SetFlags, "fcntl(F_SETFL,O_NONBLOCK)"),
            (Op::Set(Opt::SO_REUSEADDR), "setsockopt SO_REUSEADDR"),
            (Op::Set(Opt::SO_KEEPALIVE), "setsockopt SO_KEEPALIVE"),
            (Op::Set(Opt::TCP_KEEPIDLE), "setsockopt TCP_KEEPIDLE"),
            (Op::Set(Opt::TCP_KEEPINTVL), "setsockopt TCP_KEEPINTVL"),
            (Op::Set(Opt::TCP_KEEPCNT), "setsockopt TCP_KEEPCNT"),
            (Op::Set(Opt::TCP_NODELAY), "setsockopt TCP_NODELAY"),
            (Op::Set(Opt::SO_SNDTIMEO), "setsockopt SO_SNDTIMEO"),
            (Op::Set(Opt::SO_RCVTIMEO), "setsockopt SO_RCVTIMEO"),
            (Op::Set(Opt::IPV6_V6ONLY), "setsockopt"),
            (Op::Set(Opt::SO_MARK), "setsockopt"),
        ];
        for (op, label) in labels {
            let text = AnetError(Error::new(op, Errno::BADF)).to_string();
            assert_eq!(text, std::format!("{label}: Bad file descriptor"));
        }
    }

    #[test]
    fn reasons_match_redis() {
        let cases = [
            (Op::Address, Cause::PathTooLong { len: 200 }, "unix socket path too long (200), must be under 108"),
            (Op::Socket, Cause::MissingScope, "creating socket: Invalid argument"),
            (Op::Bind, Cause::EmptyPath, "bind: Empty path"),
        ];
        for (op, cause, text) in cases {
            assert_eq!(AnetError(Error::refused(op, cause)).to_string(), text);
        }
    }
}
