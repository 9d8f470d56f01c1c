//! Addresses as bytes of ASCII: the tables, and the line they are written to.
//!
//! A piece of text (an octet with its dot, a group with its colon, a port) is at most 8 bytes, so it is made in one
//! register and stored whole; what a piece has too much of, the next one overwrites. That leaves no loop and no
//! branch that depends on how many digits a number has, except where the run of zero groups of an IPv6 address is.

use core::net::{Ipv4Addr, Ipv6Addr};

/// What one store writes.
const WORD: usize = size_of::<u64>();

/// The size of a line: [`LONGEST`](super::format::SOCKET_TEXT_LEN), and what the last store has too much of.
pub(super) const LINE_LEN: usize = 64;

/// Every octet with the dot behind it, first character in the lowest byte.
static OCTETS: [u32; 256] = {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let (a, b, c) = (octet / 100, octet / 10 % 10, octet % 10);
        let digits = 0x2e30_3030 | c << 16 | b << 8 | a;
        table[octet as usize] = digits >> (8 * (3 - digit_count(octet)));
        octet += 1;
    }
    table
};

/// Two decimal digits for every number below 100; the rest makes an index of 7 bits a valid one.
static DECIMAL_PAIRS: [u16; 128] = {
    let mut table = [0; 128];
    let mut number = 0;
    while number < 100 {
        table[number] = 0x3030 + ((number as u16 % 10) << 8) + number as u16 / 10;
        number += 1;
    }
    table
};

/// Two hexadecimal digits, lower case, for every byte.
static HEX_PAIRS: [u16; 256] = {
    let digits = *b"0123456789abcdef";
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = u16::from_le_bytes([digits[byte >> 4], digits[byte & 15]]);
        byte += 1;
    }
    table
};

/// The zero groups that `::` stands for, the first and the one behind the last.
#[derive(Clone, Copy)]
struct Run {
    start: u8,
    end: u8,
}

impl Run {
    /// Two groups are the least that may be shortened (RFC 5952, 4.2.2).
    const NONE: Self = Self { start: 8, end: 8 };
}

/// For every set of zero groups, bit 7 being the first group: the longest run of at least two, the first of equals
/// (RFC 5952, 4.2).
static RUNS: [Run; 256] = {
    let mut table = [Run::NONE; 256];
    let mut zeros = 0;
    while zeros < 256 {
        table[zeros] = longest_run(zeros as u8);
        zeros += 1;
    }
    table
};

const fn longest_run(zeros: u8) -> Run {
    let mut best = Run::NONE;
    let mut start = 0;
    while start < 8 {
        let len = (zeros << start).leading_ones() as u8;
        if len >= 2 && len > best.end - best.start {
            best = Run { start, end: start + len };
        }
        start += 1;
    }
    best
}

const fn digit_count(number: u32) -> u32 {
    1 + (number > 9) as u32 + (number > 99) as u32 + (number > 999) as u32 + (number > 9999) as u32
}

/// A line of ASCII, and how much of it counts.
#[derive(Clone, Copy)]
#[repr(align(8))]
pub(super) struct Line {
    bytes: [u8; LINE_LEN],
    len: usize,
}

impl Line {
    #[inline]
    pub(super) const fn new() -> Self {
        Self { bytes: [0; LINE_LEN], len: 0 }
    }

    /// A line that begins with a bracket.
    #[inline]
    pub(super) const fn bracketed() -> Self {
        let mut bytes = [0; LINE_LEN];
        bytes[0] = b'[';
        Self { bytes, len: 1 }
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Appends the lowest `len` bytes of `word`.
    #[inline]
    fn put(&mut self, word: u64, len: u32) {
        let at = self.len.min(LINE_LEN - WORD);
        self.bytes[at..at + WORD].copy_from_slice(&word.to_le_bytes());
        self.len += len as usize;
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.put(u64::from(byte), 1);
    }

    /// A colon and the port.
    #[inline]
    pub(super) fn port(&mut self, port: u16) {
        let (text, len) = decimal(u32::from(port));
        self.put(text << 8 | u64::from(b':'), len + 1);
    }

    /// A closing bracket, a colon and the port.
    #[inline]
    pub(super) fn bracket_and_port(&mut self, port: u16) {
        let (text, len) = decimal(u32::from(port));
        self.put(text << 16 | u64::from(u16::from_le_bytes(*b"]:")), len + 2);
    }

    #[inline]
    pub(super) fn v4(&mut self, ip: Ipv4Addr) {
        let [a, b, c, d] = ip.octets();
        self.octets(a, b);
        self.octets(c, d);
        self.len -= 1;
    }

    /// Two octets, each with a dot.
    #[inline]
    fn octets(&mut self, first: u8, second: u8) {
        let (first, second) = (OCTETS[usize::from(first)], OCTETS[usize::from(second)]);
        let (first_len, second_len) = (used_bytes(first), used_bytes(second));
        self.put(u64::from(first) | u64::from(second) << (8 * first_len), first_len + second_len);
    }

    #[inline]
    pub(super) fn v6(&mut self, ip: Ipv6Addr) {
        let bits = ip.to_bits();
        let (high, low) = ((bits >> 64) as u64, bits as u64);
        let run = RUNS[usize::from(zero_groups(high) << 4 | zero_groups(low))];
        match (run.start, run.end) {
            (8, _) => self.all_groups(high, low),
            (0, 6) => self.carrier(b"::", low),
            (0, 5) if low >> 32 == 0xffff => self.carrier(b"::ffff:", low),
            _ => self.compressed(bits, run),
        }
    }

    /// An IPv6 address that ends in an IPv4 one, which is how the C library prints `::/96` and `::ffff:0:0/96`.
    fn carrier(&mut self, prefix: &[u8], low: u64) {
        prefix.iter().for_each(|&byte| self.byte(byte));
        self.v4(Ipv4Addr::from_bits(low as u32));
    }

    #[inline]
    fn all_groups(&mut self, high: u64, low: u64) {
        for half in [high, low] {
            self.group((half >> 48) as u16);
            self.group((half >> 32) as u16);
            self.group((half >> 16) as u16);
            self.group(half as u16);
        }
        self.len -= 1;
    }

    #[inline]
    fn compressed(&mut self, bits: u128, run: Run) {
        let (start, end) = (u32::from(run.start), u32::from(run.end));
        self.groups(bits, start);
        self.len -= usize::from(start > 0);
        self.put(u64::from(u16::from_le_bytes(*b"::")), 2);
        self.groups(bits.unbounded_shl(16 * end), 8 - end);
        self.len -= usize::from(end < 8);
    }

    /// The highest `count` groups, each with a colon.
    #[inline]
    fn groups(&mut self, bits: u128, count: u32) {
        let mut bits = bits;
        for _ in 0..count {
            self.group((bits >> 112) as u16);
            bits <<= 16;
        }
    }

    /// A group without leading zeros, and a colon.
    #[inline]
    fn group(&mut self, group: u16) {
        let [high, low] = group.to_be_bytes();
        let digits = u64::from(HEX_PAIRS[usize::from(high)]) | u64::from(HEX_PAIRS[usize::from(low)]) << 16;
        let skip = (group | 1).leading_zeros() / 4;
        self.put((digits | u64::from(b':') << 32) >> (8 * skip), 5 - skip);
    }

    /// A number of up to 10 digits.
    pub(super) fn number(&mut self, number: u32) {
        let (high, low) = (number / 100_000, number % 100_000);
        if high == 0 {
            let (text, len) = decimal(low);
            return self.put(text, len);
        }
        let (text, len) = decimal(high);
        self.put(text, len);
        self.put(five_digits(low), 5);
    }
}

/// Two hexadecimal digits.
pub(super) fn hex_pair(byte: u8) -> [u8; 2] {
    HEX_PAIRS[usize::from(byte)].to_le_bytes()
}

/// The number of bytes up to the highest that is not zero.
#[inline]
const fn used_bytes(text: u32) -> u32 {
    4 - text.leading_zeros() / 8
}

/// Which of four groups are zero, bit 3 being the first.
#[inline]
const fn zero_groups(groups: u64) -> u8 {
    const ONES: u64 = 0x0001_0001_0001_0001;
    const LOW: u64 = 0x7fff * ONES;
    // Bit 15 of each group tells whether any other is set, so no group carries into the next one.
    let zeros = !(((groups & LOW) + LOW) | groups | LOW);
    // One bit in 16, brought together in the highest four.
    ((zeros >> 15).wrapping_mul(0x1000_2000_4000_8000) >> 60) as u8
}

/// A number below 100 000 without leading zeros, and its length.
#[inline]
fn decimal(number: u32) -> (u64, u32) {
    let digits = five_digits(number);
    // The last digit counts, be it zero or not.
    let values = digits & 0x0f_0f0f_0f0f | 1 << 32;
    let skip = values.trailing_zeros() / 8;
    (digits >> (8 * skip), 5 - skip)
}

/// A number below 100 000 with leading zeros.
#[inline]
fn five_digits(number: u32) -> u64 {
    let (hundreds, low) = (number / 100, number % 100);
    let (first, high) = (hundreds / 100, hundreds % 100);
    let pair = |number: u32| u64::from(DECIMAL_PAIRS[(number & 127) as usize]);
    u64::from(b'0') + u64::from(first) + (pair(high) << 8) + (pair(low) << 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_run_wins_and_the_first_of_equals() {
        let run = |zeros: u8| (longest_run(zeros).start, longest_run(zeros).end);
        assert_eq!(run(0b0000_0000), (8, 8));
        assert_eq!(run(0b0101_0101), (8, 8));
        assert_eq!(run(0b1111_1111), (0, 8));
        assert_eq!(run(0b1100_0110), (0, 2));
        assert_eq!(run(0b1100_0111), (5, 8));
    }

    #[test]
    fn numbers_at_every_length_lose_their_leading_zeros() {
        for number in [0, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 65_535, 99_999] {
            let (text, len) = decimal(number);
            assert_eq!(&text.to_le_bytes()[..len as usize], std::format!("{number}").as_bytes());
        }
    }
}
