//! The error that Redis sends to a rejected client.

use crate::accept::Reason;

/// The RESP error for a rejected client, including the final `\r\n`.
#[doc(alias = "clientAcceptHandler")]
pub const fn rejection(reason: Reason) -> &'static str {
    match reason {
        Reason::MaxClients => "-ERR max number of clients reached\r\n",
        Reason::MaxPerSource => "-ERR max number of clients from this address reached\r\n",
        Reason::ProtectedMode => {
            "-DENIED Running in protected mode: connections are only accepted from the loopback interface and from \
             Unix sockets. To connect from another computer, disable protected mode on the server, after making \
             sure that it is not publicly accessible from the internet.\r\n"
        }
        Reason::TooManySources => "-ERR max number of client addresses reached\r\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_is_one_protocol_line() {
        for reason in [Reason::MaxClients, Reason::MaxPerSource, Reason::ProtectedMode, Reason::TooManySources] {
            let line = rejection(reason).strip_suffix("\r\n").unwrap();
            assert!(line.starts_with("-ERR ") || line.starts_with("-DENIED Running in protected mode"));
            assert!(line.is_ascii() && !line.contains(|byte: char| byte.is_ascii_control()), "{line:?}");
        }
    }
}
