//! A fast parser for the usual text of an address with its port, one word at a time.
//!
//! `None` does not mean that the text is invalid: it may have a less usual form (a zone, an IPv4 address within an IPv6
//! address, a very short text), and the cursor decides. `Some` is the cursor's result; a test compares the two. No
//! branch depends on the length of a number, only on the number of groups. The text must be UTF-8.
//!
//! A word is eight bytes of text, the first one lowest, and one operation applies to every byte (SWAR, SIMD within a
//! register). An address and its port are three words, one from the beginning and two from the end:
//!
//! ```text
//! 203.0.113.7:8080
//!         .7:8080        port: the digits at the end
//!     113.7:             tail: two octets before the colon
//! 203.0.11               head: two octets at the beginning
//! ```
//!
//! A byte that is not a digit is a mark. The places of the first two marks give the lengths of both octets and the
//! shifts that align them:
//!
//! ```text
//! head   2 0 3 . 0 . 1 1      marks 3 and 5
//! pair   2 0 3 . _ _ 0 .      each octet before its mark; `_` is masked
//!          203       0        hundreds, tens and units by multiplication
//! ```
//!
//! The marks of an IPv6 address are its colons, all in one set of bits; each group is the four bytes after a mark, with
//! the next mark and the bytes after it shifted out.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

/// One in every byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The digit zero in every byte.
const ZEROS: u64 = b'0' as u64 * ONES;

/// A colon in every byte.
const COLONS: u64 = b':' as u64 * ONES;

/// The highest bit of every byte.
const HIGHS: u64 = 0x80 * ONES;

/// The bytes above 9, as their highest bits; if any byte has its highest bit set, perhaps others too.
#[inline]
const fn above_nine(word: u64) -> u64 {
    // 10 or more reaches the highest bit; only a byte whose highest bit is set already carries into the next.
    (word.wrapping_add(0x76 * ONES) | word) & HIGHS
}

/// The ports of one length, each digit as a number of eight bits.
struct Ports {
    /// The bytes of the last word that are digits of the port.
    keep: u64,
    min: u64,
    /// The greatest minus the least.
    span: u64,
}

/// Indexed by the number of digits.
static PORTS: [Ports; 8] = {
    /// The mask keeps no byte, and no value reaches the minimum.
    const NEVER: Ports = Ports { keep: 0, min: 1, span: 0 };
    const fn digits(count: u32, min: u64, max: u64) -> Ports {
        Ports { keep: u64::MAX << (64 - 8 * count), min, span: max - min }
    }
    [
        NEVER,
        digits(1, 0, 9),
        digits(2, 0x0100, 0x0909),
        digits(3, 0x01_0000, 0x09_0909),
        digits(4, 0x0100_0000, 0x0909_0909),
        digits(5, 0x01_0000_0000, 0x06_0505_0305),
        NEVER,
        NEVER,
    ]
};

/// Splits off the port: the text before it, and its number.
#[inline(always)]
fn split_port(text: &[u8]) -> Option<(&[u8], u16)> {
    let word = u64::from_le_bytes(*text.last_chunk()?) ^ ZEROS;
    let count = above_nine(word).leading_zeros() as usize / 8;
    let ports = &PORTS[count % 8];
    let digits = word & ports.keep;
    if digits.swap_bytes().wrapping_sub(ports.min) > ports.span {
        return None;
    }
    // Pairs of digits in 16 bits each, then all of them from bit 32 on.
    let pairs = digits.wrapping_mul(10 << 8 | 1) >> 24 & 0x00ff_00ff_00ff;
    let port = pairs.wrapping_mul(10_000 << 32 | 100 << 16 | 1) >> 32;
    Some((text.get(..text.len() - count)?, port as u16))
}

/// Parses `1.2.3.4:80`.
#[inline(always)]
pub(super) fn v4(text: &[u8]) -> Option<SocketAddrV4> {
    let (host, port) = split_port(text)?;
    Some(SocketAddrV4::new(four_octets(host)?, port))
}

/// The address in `text`, which ends with a colon.
#[inline(always)]
fn four_octets(text: &[u8]) -> Option<Ipv4Addr> {
    let (head, tail) = (u64::from_le_bytes(*text.first_chunk()?), u64::from_le_bytes(*text.last_chunk()?));
    two_pairs(head, tail, text.len())
}

/// The address of which these are the first and the last eight bytes, the very last being a colon.
#[inline(always)]
fn two_pairs(head: u64, tail: u64, len: usize) -> Option<Ipv4Addr> {
    let head = Pair::new(head ^ ZEROS);
    let len = len as u64 * 8;
    // The tail begins where the head ends; if that is outside this word, their lengths do not add up.
    let tail = Pair::new((tail ^ ZEROS).wrapping_shr((64 + head.len).wrapping_sub(len) as u32));
    if head.len + tail.len != len {
        return None;
    }
    // From the lowest 16 bits up: the first octet, the third, the second, the fourth.
    const FIRST: u64 = 0x0000_ffff_0000_ffff;
    const TOP: u64 = 0x8000_8000_8000_8000;
    let values = head.values() >> 16 & FIRST | tail.values() & !FIRST;
    let mins = head.mins | tail.mins << 16;
    let below = !((values | TOP) - mins) & TOP;
    let above = values & 0xff00_ff00_ff00_ff00;
    let marks = (head.digits ^ marks(b'.', b'.') | tail.digits ^ marks(b'.', b':')) & marks(0xff ^ b'0', 0xff ^ b'0');
    let bits = (values | values >> 24) as u32;
    (below | above | marks == 0).then_some(Ipv4Addr::from(bits.to_le_bytes()))
}

/// The marks after two numbers, as `ZEROS` leaves them.
#[inline]
const fn marks(first: u8, second: u8) -> u64 {
    u64::from_le_bytes([0, 0, 0, first ^ b'0', 0, 0, 0, second ^ b'0'])
}

/// Two octets of at most three digits.
struct Pair {
    /// The digits of each octet, aligned to end before its mark.
    digits: u64,
    /// The bits of both octets and their marks.
    len: u64,
    /// The minimum of each octet, in 16 bits; the 16 bits next to it belong to another pair.
    mins: u64,
}

/// The bytes of a pair that are digits and marks, indexed by the places of the second mark and of the first. For
/// anything but two octets the mask keeps no byte, so the check of the marks fails.
static KEEPS: [u64; 64] = by_marks([u32::MAX << 16, u32::MAX << 8, u32::MAX]);

/// The minimum of two octets, with the same index.
static MINS: [u64; 64] = by_marks([0, 10, 100]);

/// Expands a table for one octet of one to three digits to two octets.
const fn by_marks(by_len: [u32; 3]) -> [u64; 64] {
    let mut table = [0; 64];
    let mut index = 0;
    while index < 9 {
        let (first, second) = (index / 3, index % 3);
        table[(first + second + 3) * 8 + first + 1] = by_len[first] as u64 | (by_len[second] as u64) << 32;
        index += 1;
    }
    table
}

impl Pair {
    /// The two octets at the beginning of a word.
    #[inline(always)]
    fn new(word: u64) -> Self {
        let mut marks = above_nine(word);
        let first = next(&mut marks);
        let second = next(&mut marks);
        let places = (second & 0x38 | first >> 3) as usize;
        // Each mark moves to the end of its half: its highest bit moves to the highest bit, a shift by the complement
        // of its position.
        let digits = u64::from((word as u32).wrapping_shl(!first)) | word.wrapping_shl(!second) >> 32 << 32;
        Self { digits: digits & KEEPS[places], len: u64::from(second) + 1, mins: MINS[places] }
    }

    /// The values of the octets, in the second and the last 16 bits.
    #[inline(always)]
    const fn values(&self) -> u64 {
        const HUNDREDS_AND_UNITS: u64 = 0x00ff_00ff_00ff_00ff;
        const TENS: u64 = 0x0000_ff00_0000_ff00;
        let sums = (self.digits & HUNDREDS_AND_UNITS).wrapping_mul(100 << 16 | 1);
        sums.wrapping_add((self.digits & TENS).wrapping_mul(10 << 8))
    }
}

/// Removes the lowest bit of a set and returns its position.
#[inline]
const fn next(set: &mut u64) -> u32 {
    let bit = set.trailing_zeros();
    *set &= set.wrapping_sub(1);
    bit
}

/// Parses `[::1]:80`; the caller has checked the first byte.
#[inline(always)]
pub(super) fn v6(text: &[u8]) -> Option<SocketAddrV6> {
    let (host, port) = split_port(text)?;
    let (address, b"]:") = host.split_last_chunk()? else { return None };
    // The bracket ends the last group as a colon ends the others; the colon after it ends no group.
    let marks = colons(text)? ^ 3 << address.len();
    let ip = Ipv6Addr::from_bits(groups(text, 1, marks, address.len())?);
    Some(SocketAddrV6::new(ip, port, 0, 0))
}

/// Parses an address alone.
#[inline(always)]
pub(super) fn ip(text: &[u8]) -> Option<IpAddr> {
    // The dot after the first octet.
    if text.get(1..4)?.contains(&b'.') {
        let (head, tail) = (u64::from_le_bytes(*text.first_chunk()?), u64::from_le_bytes(*text.last_chunk()?));
        // As if a colon followed.
        let tail = tail >> 8 | u64::from(b':') << 56;
        return two_pairs(head, tail, text.len() + 1).map(IpAddr::V4);
    }
    let bits = groups(text, 0, colons(text)? | 1 << text.len(), text.len())?;
    Some(IpAddr::V6(Ipv6Addr::from_bits(bits)))
}

/// The bytes of a text that are `:`, as a set.
#[inline(always)]
fn colons(text: &[u8]) -> Option<u64> {
    let len = text.len();
    Some(match len {
        49.. => return None,
        32.. => colon_bits::<32>(text.first_chunk()?) | colon_bits::<16>(text.last_chunk()?) << (len - 16),
        16.. => colon_bits::<16>(text.first_chunk()?) | colon_bits::<16>(text.last_chunk()?) << (len - 16),
        _ => colon_bits::<8>(text.first_chunk()?) | colon_bits::<8>(text.last_chunk()?) << (len - 8),
    })
}

/// One bit for each byte that is `:`, or `:` with its highest bit set: in UTF-8 such a byte is never the first of a
/// character, and the first byte of the character fails as a digit.
#[inline(always)]
fn colon_bits<const N: usize>(text: &[u8; N]) -> u64 {
    let (mut rest, mut set) = (text.as_slice(), 0);
    while let Some((before, word)) = rest.split_last_chunk() {
        let others = (u64::from_le_bytes(*word) ^ COLONS) & !HIGHS;
        // Only a zero leaves the highest bit set, and no byte borrows from the next.
        let highs = (HIGHS - others) & HIGHS;
        // The multiplication gathers the eight bits in the highest byte.
        set = set << 8 | highs.wrapping_mul(0x0002_0408_1020_4081) >> 56;
        rest = before;
    }
    set
}

/// The groups from `start` on. A group ends at a mark, the last one at the place `close`.
#[inline(always)]
fn groups(text: &[u8], mut start: usize, mut marks: u64, close: usize) -> Option<u128> {
    if text.get(start) == Some(&b':') {
        // The second colon of this gap, as of any other, ends a group of no digits.
        start = next(&mut marks) as usize + 1;
        if text.get(start) != Some(&b':') {
            return None;
        }
    }
    let head = Groups::read(text, &mut marks, start)?;
    if head.end > close {
        return (head.count == 8).then_some(head.bits);
    }
    let tail = match head.end + 1 {
        start if start < close => Groups::read(text, &mut marks, start)?,
        start if start == close => Groups { bits: 0, count: 0, end: close + 1 },
        _ => return None,
    };
    let left = head.bits.wrapping_shl((16 * head.count).wrapping_neg());
    (tail.end > close && head.count + tail.count < 8).then_some(left | tail.bits)
}

/// Groups separated by single colons.
struct Groups {
    /// The last one lowest.
    bits: u128,
    count: u32,
    /// The position after the mark of the last one.
    end: usize,
}

impl Groups {
    /// Parses the groups from `start` on, up to a group without digits or the last mark.
    #[inline(always)]
    fn read(text: &[u8], marks: &mut u64, start: usize) -> Option<Self> {
        let mut groups = Self { bits: 0, count: 0, end: start };
        while *marks != 0 {
            let mark = next(marks) as usize;
            if mark == groups.end {
                break;
            }
            groups.bits = groups.bits << 16 | u128::from(group(text, groups.end, mark - groups.end)?);
            groups.count += 1;
            groups.end = mark + 1;
        }
        Some(groups)
    }
}

/// The group of `len` digits at `start`.
#[inline(always)]
fn group(text: &[u8], start: usize, len: usize) -> Option<u32> {
    if len > 4 {
        return None;
    }
    let word = match text.get(start..start + 4) {
        Some(word) => u32::from_le_bytes(word.try_into().ok()?),
        // At the end of the text, some of the bytes before the digits are read too.
        None => u32::from_le_bytes(*text.last_chunk()?).wrapping_shr(32 + 8 * (start as u32) - 8 * (text.len() as u32)),
    };
    let digits = word ^ ZEROS as u32;
    // The shift drops the bytes after the digits and fills in the digit zero before them.
    let digits = digits.wrapping_shl((len as u32 * 8).wrapping_neg());
    let [a, b, c, d] = digits.to_le_bytes().map(|digit| HEX_VALUES[usize::from(digit)]);
    let group = a << 12 | b << 8 | c << 4 | d;
    (group <= 0xffff).then_some(group)
}

/// The value of a hexadecimal digit without the bits of `0`; any other byte has a value that does not fit into 16 bits,
/// whatever the shift.
static HEX_VALUES: [u32; 256] = {
    let mut table = [1 << 16; 256];
    let mut value = 0;
    while value < 16 {
        table[(b"0123456789abcdef"[value] ^ b'0') as usize] = value as u32;
        table[(b"0123456789ABCDEF"[value] ^ b'0') as usize] = value as u32;
        value += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::parse::{exact, exact_ip};
    use core::net::SocketAddr;
    use std::{format, string::String, vec::Vec};

    fn swift_is_exact(text: &str) -> bool {
        let swar = match text.as_bytes() {
            text @ [b'[', ..] => v6(text).map(SocketAddr::V6),
            text => v4(text).map(SocketAddr::V4),
        };
        assert!(swar.is_none() || swar == exact(text).ok(), "{text:?}");
        // The address alone, and a piece that may not be one.
        let (host, _) = text.rsplit_once(':').unwrap_or((text, ""));
        for host in [host, host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or_default()] {
            let swar = ip(host.as_bytes());
            assert!(swar.is_none() || swar == exact_ip(host).ok(), "{host:?}");
        }
        swar.is_some()
    }

    #[test]
    fn the_fast_parser_accepts_usual_addresses_without_a_port() {
        for text in
            ["10.0.0.1", "255.255.255.255", "1.22.133.4", "fe80::1:255", "ab::cd:ef", "2001:db8:85a3::8a2e:370:7334"]
        {
            assert_eq!(ip(text.as_bytes()), text.parse().ok(), "{text}");
        }
        let longest = ["ffff"; 8].join(":");
        assert_eq!(ip(longest.as_bytes()), longest.parse().ok());
        for text in ["", "1", "::", "1.2.3", "1.2.3.4:", "1.2.3.4.", "255.255.255.2555", "[::1", "::1]", ":::1", "é::1"]
        {
            assert_eq!(ip(text.as_bytes()), None, "{text}");
        }
        assert_eq!(ip(format!("{longest}f").as_bytes()), None);
    }

    /// Tries every text that differs in one or two bytes from a valid one.
    #[test]
    fn the_fast_parser_accepts_nothing_that_the_exact_one_rejects() {
        let right = ["1.2.3.4:80", "255.10.0.199:65535", "[::1]:8080", "[1:2:30:4:5:6:7:f]:0", "[ab::cd:ef]:443"];
        let bytes = *b"0129:.]/[;gG@ \0\x7f";
        for text in right {
            assert!(swift_is_exact(text));
            for (first, second) in (0..text.len()).flat_map(|at| (at..text.len()).map(move |other| (at, other))) {
                for (a, b) in bytes.iter().flat_map(|a| bytes.iter().map(move |b| (*a, *b))) {
                    let mut text: Vec<u8> = text.into();
                    (text[first], text[second]) = (a, b);
                    swift_is_exact(core::str::from_utf8(&text).unwrap());
                    text.remove(first);
                    swift_is_exact(core::str::from_utf8(&text).unwrap());
                    text.insert(second, b);
                    text.insert(second, a);
                    swift_is_exact(core::str::from_utf8(&text).unwrap());
                }
            }
        }
    }

    #[test]
    fn the_fast_parser_accepts_every_usual_text() {
        for groups in 1..=8 {
            for gap in 0..=groups {
                let all: Vec<String> = (0..groups).map(|group| format!("{:x}", 0xf_u16 << (4 * (group % 4)))).collect();
                let text = format!("[{}::{}]:8080", all[..gap].join(":"), all[gap..].join(":"));
                assert_eq!(swift_is_exact(&text), groups < 8, "{text}");
            }
        }
        assert!(swift_is_exact(&format!("[{}]:65535", ["ffff"; 8].join(":"))));
        assert!(!swift_is_exact(&format!("[{}]:165535", ["ffff"; 8].join(":"))));
        assert!(!swift_is_exact("[é::1]:8080"));
        for text in ["0.0.0.0:0", "255.255.255.255:65535", "1.22.133.4:9999"] {
            assert!(swift_is_exact(text));
        }
    }
}
