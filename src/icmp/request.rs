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
        let [kind, code, _, _, id_high, id_low, high, low, payload @ ..] = message else {
            return Err(Error::new(Op::SendTo, Errno::MSGSIZE));
        };
        (*kind, *code) = (version.request(), 0);
        [*id_high, *id_low] = identifier.to_be_bytes();
        [*high, *low] = (self.sequence as u16).to_be_bytes();
        // Bytes that count up, and the token over the first.
        payload.iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
        payload.iter_mut().zip(self.token).for_each(|(byte, token)| *byte = token);
        set_checksum(message, version);
        Ok(message)
    }
}

/// Over IPv6 the kernel sets it, because it is about the addresses too.
fn set_checksum(message: &mut [u8], version: Version) {
    write_checksum(message, 0);
    if version == Version::V4 {
        write_checksum(message, packet::checksum(message));
    }
}

fn write_checksum(message: &mut [u8], checksum: u16) {
    if let [_, _, high, low, ..] = message {
        [*high, *low] = checksum.to_be_bytes();
    }
}

/// Whether all of these bytes, which may be fewer, are those of the request.
pub(super) fn is_ours(bytes: &[u8], cookie: u64, index: usize, sequence: u32) -> bool {
    let (start, rest) = bytes.split_at(bytes.len().min(TOKEN_LEN));
    token(cookie, index, sequence).starts_with(start)
        && rest.iter().zip(TOKEN_LEN..).all(|(&byte, at)| byte == at as u8)
}

pub(super) fn token(cookie: u64, index: usize, sequence: u32) -> [u8; TOKEN_LEN] {
    let numbers = u128::from(cookie) << 64 | u128::from(index as u32) << 32 | u128::from(sequence);
    numbers.to_be_bytes()
}
