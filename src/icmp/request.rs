//! [`Request`]: an echo request, and the token in its payload. Pure.

use core::net::SocketAddr;

use super::packet::{self, HEADER_LEN, Version};
use crate::error::{Errno, Error, Op, Result};

/// The part of the payload that makes it ours: the pinger's cookie, the target, the number of the request.
pub(super) const TOKEN_LEN: usize = 16;

/// A request to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request {
    /// The index of the target.
    pub target: usize,
    /// The number of the request to this target, from 1 on; its lower 16 bits are the sequence number in the packet.
    pub sequence: u32,
    /// Where to send it, with port 0.
    pub to: SocketAddr,
    pub(super) token: [u8; TOKEN_LEN],
    pub(super) payload_len: u16,
}

impl Request {
    /// Writes the ICMP message. A socket whose kernel sets the identifier and the checksum overwrites both.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if `buf` is too short.
    pub fn encode<'b>(&self, identifier: u16, buf: &'b mut [u8]) -> Result<&'b [u8]> {
        let len = HEADER_LEN + usize::from(self.payload_len);
        let message = buf.get_mut(..len).ok_or(Error::new(Op::SendTo, Errno::MSGSIZE))?;
        let version = if self.to.is_ipv4() { Version::V4 } else { Version::V6 };
        let header = [version.request(), 0, 0, 0].into_iter();
        let header = header.chain(identifier.to_be_bytes()).chain((self.sequence as u16).to_be_bytes());
        for (to, from) in message.iter_mut().zip(header.chain(payload(&self.token))) {
            *to = from;
        }
        if version == Version::V4 {
            let [high, low] = packet::checksum(message).to_be_bytes();
            if let [_, _, a, b, ..] = message {
                (*a, *b) = (high, low);
            }
        }
        Ok(message)
    }
}

/// The token, and then bytes that count up.
fn payload(token: &[u8; TOKEN_LEN]) -> impl Iterator<Item = u8> {
    token.iter().copied().chain((TOKEN_LEN as u8..=u8::MAX).chain(core::iter::repeat(0..=u8::MAX).flatten()))
}

/// Whether all of these bytes, which may be fewer, are those of the request.
pub(super) fn is_ours(bytes: &[u8], cookie: u64, index: usize, sequence: u32) -> bool {
    bytes.iter().copied().zip(payload(&token(cookie, index, sequence))).all(|(found, sent)| found == sent)
}

pub(super) fn token(cookie: u64, index: usize, sequence: u32) -> [u8; TOKEN_LEN] {
    let numbers = u128::from(cookie) << 64 | u128::from(index as u32) << 32 | u128::from(sequence);
    numbers.to_be_bytes()
}
