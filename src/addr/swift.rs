//! The usual text of an address with its port, read 4 and 8 bytes at a time.
//!
//! `None` says nothing about a text: it is one of the others (a zone, an IPv4 address within an IPv6 one, very short)
//! or it is wrong, and the cursor finds out which. `Some` is what the cursor would read; a test holds both
//! against each other. Nothing here branches on how long a number is, only on the number of groups.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// One in every byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The digit zero in every byte.
const ZEROS: u64 = b'0' as u64 * ONES;

/// The highest bit of every byte.
const HIGHS: u64 = 0x80 * ONES;

/// The longest text that is read here, `[`, 39 bytes, `]:` and a port of 5 digits, ends within 6 words.
const WORDS: usize = 6;

#[inline(always)]
pub(super) fn socket_addr(text: &[u8]) -> Option<SocketAddr> {
    if text.first() == Some(&b'[') {
        let (ip, port) = v6(text)?;
        return Some(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from_bits(ip), port, 0, 0)));
    }
    let (ip, port) = v4(text)?;
    Some(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from_bits(ip), port)))
}

#[inline(always)]
fn word(text: &[u8], at: usize) -> Option<u64> {
    bytes(text, at).map(u64::from_le_bytes)
}

#[inline(always)]
fn half_word(text: &[u8], at: usize) -> Option<u32> {
    bytes(text, at).map(u32::from_le_bytes)
}

/// `N` bytes of a text that has as many.
#[inline(always)]
fn bytes<const N: usize>(text: &[u8], at: usize) -> Option<[u8; N]> {
    // One comparison instead of the two that a slice of unknown place needs.
    if text.len() < N || at > text.len() - N {
        return None;
    }
    text.get(at..)?.first_chunk().copied()
}

/// One bit a byte, from its highest one; the first byte lowest.
#[inline]
const fn byte_set(highs: u64) -> u64 {
    (highs >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The bytes that are not `0` to `9`, as their highest bits.
#[inline]
const fn not_digits(word: u64) -> u64 {
    above_nine(word ^ ZEROS)
}

/// The bytes above 9, as their highest bits.
#[inline]
const fn above_nine(word: u64) -> u64 {
    // 10 or more reaches the highest bit; one that is set already is left out, so that nothing is carried.
    (((word & !HIGHS) + 0x76 * ONES) | word) & HIGHS
}

/// The lowest set bit's place, and the set without it.
#[inline]
const fn next(set: &mut u64) -> usize {
    let place = set.trailing_zeros();
    *set &= set.wrapping_sub(1);
    place as usize
}

#[inline(always)]
fn v4(text: &[u8]) -> Option<(u32, u16)> {
    let first = word(text, 0)?;
    // The colon is the 16th byte at the latest, so the second word, moved back where the text is shorter, has it.
    let second_at = text.len().min(16) - 8;
    let second = word(text, second_at)?;
    let mut marks = byte_set(not_digits(first)) | byte_set(not_digits(second)) << second_at;
    let (a, b, c, d) = (next(&mut marks), next(&mut marks), next(&mut marks), next(&mut marks));
    let leading = (first as u32).unbounded_shl((3_u32.wrapping_sub(a as u32)).wrapping_mul(8));
    let bits = octet(leading, a, b'.')? << 24
        | octet(half_word(text, b.wrapping_sub(3))?, b.wrapping_sub(a + 1), b'.')? << 16
        | octet(half_word(text, c.wrapping_sub(3))?, c.wrapping_sub(b + 1), b'.')? << 8
        | octet(half_word(text, d.wrapping_sub(3))?, d.wrapping_sub(c + 1), b':')?;
    Some((bits, port(text, d)?))
}

/// What an octet of some length may be.
struct Octets {
    /// The bytes of the word that are its digits, and the mark.
    keep: u32,
    min: u32,
    /// The greatest less the least.
    span: u32,
}

/// By the number of digits.
static OCTETS: [Octets; 5] = {
    /// No value of 17 bits lies there.
    const NEVER: Octets = Octets { keep: 0, min: 1 << 31, span: 0 };
    [
        NEVER,
        Octets { keep: 0xffff_0000, min: 0, span: 9 },
        Octets { keep: 0xffff_ff00, min: 10, span: 89 },
        Octets { keep: 0xffff_ffff, min: 100, span: 155 },
        NEVER,
    ]
};

/// The octet of `len` digits that ends before the last byte of `word`, which must be `mark`.
#[inline(always)]
fn octet(word: u32, len: usize, mark: u8) -> Option<u32> {
    let octets = OCTETS.get(len.min(4))?;
    let digits = (word ^ u32::from_le_bytes([b'0', b'0', b'0', mark])) & octets.keep;
    // Any other mark makes this more than 255.
    let value = (digits >> 16) + (digits >> 8 & 0xff) * 10 + (digits & 0xff) * 100;
    (value.wrapping_sub(octets.min) <= octets.span).then_some(value)
}

/// The least port of 1 to 5 digits.
static PORT_MINS: [u64; 5] = [0, 10, 100, 1000, 10_000];

/// The port behind the colon, to the end.
#[inline(always)]
fn port(text: &[u8], colon: usize) -> Option<u16> {
    let more_than_one = text.len().wrapping_sub(colon + 2);
    let min = *PORT_MINS.get(more_than_one)?;
    let used = u64::MAX << (56 - 8 * more_than_one);
    let digits = (word(text, text.len().wrapping_sub(8))? ^ ZEROS) & used;
    let value = eight_digits(digits);
    (above_nine(digits) == 0 && value >= min && value <= u64::from(u16::MAX)).then_some(value as u16)
}

/// The number that eight digits of one byte each make, the first in the lowest byte.
#[inline]
const fn eight_digits(digits: u64) -> u64 {
    const PAIRS: u64 = 0x00ff_00ff_00ff_00ff;
    const QUADS: u64 = 0x0000_ffff_0000_ffff;
    let pairs = digits.wrapping_mul(10 << 8 | 1) >> 8 & PAIRS;
    let quads = pairs.wrapping_mul(100 << 16 | 1) >> 16 & QUADS;
    quads.wrapping_mul(10_000 << 32 | 1) >> 32
}

/// The bytes that are `:`, as a set; `None` if one is no ASCII.
#[inline]
fn colons(text: &[u8]) -> Option<u64> {
    let last = text.len().checked_sub(8)?;
    let (mut set, mut seen) = (0, 0);
    for index in 0..WORDS {
        let at = (index * 8).min(last);
        let word = word(text, at)?;
        let others = word ^ (u64::from(b':') * ONES);
        seen |= word;
        // Without highest bits among the bytes, only a zero leaves one, and nothing is borrowed.
        set |= byte_set(HIGHS.wrapping_sub(others & !HIGHS) & HIGHS) << at;
        if at == last {
            break;
        }
    }
    (seen & HIGHS == 0 && text.len() <= WORDS * 8).then_some(set)
}

#[inline(always)]
fn v6(text: &[u8]) -> Option<(u128, u16)> {
    let mut marks = colons(text)?;
    let port_colon = 63 - marks.leading_zeros().min(63) as usize;
    let close = port_colon.checked_sub(1)?;
    if text.get(close) != Some(&b']') {
        return None;
    }
    // The bracket ends the last group as a colon ends the others.
    marks ^= 3 << close;
    Some((groups(text, marks, close)?, port(text, port_colon)?))
}

/// The groups between the opening bracket and `close`, each ended by a mark.
#[inline]
fn groups(text: &[u8], marks: u64, close: usize) -> Option<u128> {
    let (mut marks, mut start) = (marks, 1);
    let (mut bits, mut count) = (0_u128, 0_u32);
    let mut head = None;
    if text.get(1) == Some(&b':') {
        // The second colon of this gap ends a group of no digits, as that of any other.
        start = next(&mut marks) + 1;
        if text.get(start) != Some(&b':') {
            return None;
        }
    }
    while start <= close {
        let end = next(&mut marks);
        if end == start {
            if end == close || head.is_some() {
                return None;
            }
            head = Some((bits, count));
            bits = 0;
            if end + 1 == close {
                break;
            }
        } else {
            bits = bits << 16 | u128::from(group(text, start, end - start)?);
            count += 1;
        }
        start = end + 1;
    }
    match head {
        Some((head, before)) if count < 8 => Some(head.unbounded_shl(128 - 16 * before) | bits),
        None if count == 8 => Some(bits),
        _ => None,
    }
}

/// What stands before the digits of a short group, by the number of digits.
static FILLS: [u32; 5] = [0, 0x0030_3030, 0x3030, 0x30, 0];

#[inline(always)]
fn group(text: &[u8], start: usize, len: usize) -> Option<u16> {
    let fill = *FILLS.get(len)?;
    let digits = half_word(text, start)?.unbounded_shl(32 - 8 * len as u32) | fill;
    let [a, b, c, d] = digits.to_le_bytes().map(|byte| HEX_VALUES[usize::from(byte)]);
    let value = a << 12 | b << 8 | c << 4 | d;
    (value <= 0xffff).then_some(value as u16)
}

/// The value of a hexadecimal digit; any other byte has one that does not fit into 16 bits, however it is shifted.
static HEX_VALUES: [u32; 256] = {
    let mut table = [1 << 16; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u32;
        table[b"0123456789ABCDEF"[value] as usize] = value as u32;
        value += 1;
    }
    table
};
