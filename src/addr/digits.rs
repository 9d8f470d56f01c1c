//! Formatting addresses as ASCII: the tables, and the line the text is written to.
//!
//! A line is written from its end to its beginning, one word for each piece of text (an octet with the byte after it, a
//! group with its colon, a port). Each number is written with its maximum number of digits, and the line begins after
//! the leading zeros; the next piece overwrites them. So nothing is cut or shifted, and no branch depends on the length
//! of a number.
//!
//! ```text
//!                     . . 0 0 0 0 8 0      the port: the last two bytes count
//!               . . . . 0 0 7 :|8 0        an octet and the byte after it: two
//!           . . . . 0 1 0 .|7 : 8 0        the next one: three
//! ```
//!
//! # The groups of an IPv6 address
//! The lengths of the texts of all eight groups are computed at once: an integer is a row of small numbers, its lanes,
//! and one operation applies to every lane (SWAR, SIMD within a register).
//!
//! ```text
//! group      2001  db8   0   0   0   0   0   1
//! digits        4    3   0   0   0   0   0   1     up to the highest that is not zero
//! addition      1    1   1   0   0   0   0   1     from a table, by which of the groups are zero
//! length        5    4   1   0   0   0   0   2     1 in the run is the second colon of `::`
//! end          -7   -3  -2  -2  -2  -2  -2   0     minus the lengths of all later groups, by one multiplication
//! ```

use core::{
    net::{Ipv4Addr, Ipv6Addr},
    str::from_utf8,
};

/// The size of one store.
const WORD: usize = size_of::<u64>();

/// The number of places where a store can begin: a power of two, so that a mask makes any place valid.
const PLACES: usize = 64;

/// The end of the text: one more byte leaves room for the byte after a number at the end of a line.
const END: usize = PLACES + WORD - 2;

/// The longest text: before it there is room for the excess bytes of a store.
pub(super) const LONGEST: usize = END - WORD;

/// The size of a line, in whole pairs of words.
const LINE_LEN: usize = PLACES + 2 * WORD;

/// Every number below 1000: three digits in the higher bytes, and the number of significant ones in the lowest byte.
static DECIMALS: [u32; 1000] = {
    let mut table = [0; 1000];
    let mut number = 0;
    while number < 1000 {
        let (a, b, c) = (number / 100, number / 10 % 10, number % 10);
        let count = 1 + (number > 9) as u32 + (number > 99) as u32;
        table[number as usize] = 0x3030_3000 | c << 24 | b << 16 | a << 8 | count;
        number += 1;
    }
    table
};

/// The first two digits of a group, lower case, at their place in its word.
static HEX_HEADS: [u64; 256] = hex_pairs(3, 0);

/// The last two digits of a group and the colon after them, at their place in its word.
static HEX_TAILS: [u64; 256] = hex_pairs(5, b':');

const fn hex_pairs(at: usize, behind: u8) -> [u64; 256] {
    let digits = *b"0123456789abcdef";
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut word = [0; WORD];
        (word[at], word[at + 1], word[WORD - 1]) = (digits[byte >> 4], digits[byte & 15], behind);
        table[byte] = u64::from_le_bytes(word);
        byte += 1;
    }
    table
}

/// A small number for each group of an IPv6 address, one per byte.
///
/// From the lowest byte up the groups are 7, 3, 6, 2, 5, 1, 4, 0: each half of an address has its groups in 16 bits,
/// and the numbers of the first half fit between those of the second.
type Lanes = u64;

/// The bit at which the lane of each group begins.
const LANES: [u32; 8] = [56, 40, 24, 8, 48, 32, 16, 0];

/// One in the lane of each group.
const ONES: Lanes = 0x0101_0101_0101_0101;

/// One in the lane of each group of the second half; those of the first half are one byte higher.
const HALF: Lanes = 0x0001_0001_0001_0001;

/// The length of each group's text minus its significant digits, for every set of groups that are not zero; the bit of
/// a group in the set is the number of its lane.
static ADDITIONS: [Lanes; 256] = {
    let mut table = [0; 256];
    let mut set = 0;
    while set < 256 {
        table[set] = additions(set as u8);
        set += 1;
    }
    table
};

const fn additions(not_zero: u8) -> Lanes {
    let (start, end) = longest_run(not_zero);
    let (mut lanes, mut group) = (0, 0);
    while group < 8 {
        let addition = if start <= group && group < end {
            // The first colon of `::` follows the group before the run; the second is all the text the run has.
            (group == start) as u64
        } else {
            // The byte after the group, and the digit of a zero outside the run.
            1 + !has(not_zero, group) as u64
        };
        lanes |= addition << LANES[group];
        group += 1;
    }
    lanes
}

const fn has(set: u8, group: usize) -> bool {
    set >> (LANES[group] / 8) & 1 == 1
}

/// The zero groups that `::` replaces, as the first group and the one after the last: the longest run of at least two,
/// the first of equals (RFC 5952, 4.2).
const fn longest_run(not_zero: u8) -> (usize, usize) {
    let mut best = (8, 8);
    let (mut start, mut group) = (0, 0);
    while group < 8 {
        if has(not_zero, group) {
            start = group + 1;
        } else if group > start && group + 1 - start > best.1 - best.0 {
            best = (start, group + 1);
        }
        group += 1;
    }
    best
}

/// A line of ASCII that grows to the left.
#[derive(Clone, Copy)]
#[repr(align(8))]
pub(crate) struct Line {
    bytes: [u8; LINE_LEN],
    /// The word before the text.
    place: usize,
}

impl Line {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; LINE_LEN], place: END - WORD }
    }

    /// A line whose first piece has one excess byte at its end.
    #[inline]
    pub(super) const fn beyond() -> Self {
        Self { bytes: [0; LINE_LEN], place: END - WORD + 1 }
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.place + WORD..END).unwrap_or_default()
    }

    #[inline]
    pub(super) fn as_str(&self) -> &str {
        // All bytes of a line are ASCII, and checking whole pairs of words is faster than checking the text alone.
        let line = from_utf8(&self.bytes).unwrap_or_default();
        line.get(self.place + WORD..END).unwrap_or_default()
    }

    /// Stores a word whose last `len` bytes are text, and returns the place before them.
    #[inline]
    fn put(&mut self, place: usize, word: u64, len: u32) -> usize {
        let place = place % PLACES;
        self.bytes[place..place + WORD].copy_from_slice(&word.to_le_bytes());
        place.wrapping_sub(len as usize) % PLACES
    }

    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.place = self.put(self.place, last(byte), 1);
    }

    #[inline]
    pub(super) fn v4(&mut self, ip: Ipv4Addr, behind: u8) {
        let [a, b, c, d] = ip.octets();
        let place = self.octet(self.place, d, behind);
        let place = self.octet(place, c, b'.');
        let place = self.octet(place, b, b'.');
        self.place = self.octet(place, a, b'.');
    }

    #[inline]
    fn octet(&mut self, place: usize, octet: u8, behind: u8) -> usize {
        let text = DECIMALS[usize::from(octet)];
        self.put(place, u64::from(text) << 24 | last(behind), (text & 0xff) + 1)
    }

    #[inline]
    pub(super) fn port(&mut self, port: u16) {
        let port = u32::from(port);
        let (high, low) = (DECIMALS[(port / 1000) as usize], DECIMALS[(port % 1000) as usize]);
        let len = if port < 1000 { low & 0xff } else { (high & 0xff) + 3 };
        self.place = self.put(self.place, u64::from(high) << 8 | u64::from(low & !0xff) << 32, len);
    }

    #[inline]
    pub(super) fn v6(&mut self, ip: Ipv6Addr, behind: u8) {
        let bits = ip.to_bits();
        let (high, low) = ((bits >> 64) as u64, bits as u64);
        match (high, low >> 32, low as u32) {
            // The forms in which the C library prints `::/96` and `::ffff:0:0/96`.
            (0, 0, 0x1_0000..) => self.carrier(*b"......::", 2, low, behind),
            (0, 0xffff, _) => self.carrier(*b".::ffff:", 7, low, behind),
            _ => self.groups(high, low, behind),
        }
    }

    /// An IPv6 address that ends in an IPv4 address.
    #[inline(never)]
    fn carrier(&mut self, prefix: [u8; WORD], len: u32, low: u64, behind: u8) {
        self.v4(Ipv4Addr::from_bits(low as u32), behind);
        self.place = self.put(self.place, u64::from_le_bytes(prefix), len);
    }

    #[inline]
    fn groups(&mut self, high: u64, low: u64, behind: u8) {
        let lengths = lengths(high, low);
        // A run at either end of the address has no group there that writes the byte after it.
        let place = self.put(self.place, last(behind), u32::from(lane(lengths, 7) == 0));
        let (places, start) = places(lengths, place);
        self.group(places, 7, low, behind);
        self.group(places, 6, low >> 16, b':');
        self.group(places, 5, low >> 32, b':');
        self.group(places, 4, low >> 48, b':');
        self.group(places, 3, high, b':');
        self.group(places, 2, high >> 16, b':');
        self.group(places, 1, high >> 32, b':');
        self.group(places, 0, high >> 48, b':');
        self.place = self.put(start, last(b':'), u32::from(lane(lengths, 0) == 1));
    }

    /// The four digits of a group, from the lowest 16 of `bits`, and the byte after them.
    #[inline]
    fn group(&mut self, places: Lanes, group: usize, bits: u64, behind: u8) {
        let (head, tail) = (HEX_HEADS[usize::from((bits >> 8) as u8)], HEX_TAILS[usize::from(bits as u8)]);
        self.put(usize::from(lane(places, group)), head | tail ^ last(behind ^ b':'), 0);
    }

    /// Writes a zone and the bracket after it, and returns the byte that goes before it.
    #[cold]
    pub(super) fn zone(&mut self, zone: u32) -> u8 {
        self.byte(b']');
        self.number(zone);
        b'%'
    }

    /// A number of any length.
    pub(crate) fn number(&mut self, number: u32) {
        let mut rest = number;
        while rest > u16::MAX.into() {
            self.place = self.put(self.place, u64::from(DECIMALS[(rest % 1000) as usize]) << 32, 3);
            rest /= 1000;
        }
        self.port(rest as u16);
    }
}

/// A byte as the last one of a word.
#[inline]
const fn last(byte: u8) -> u64 {
    (byte as u64) << 56
}

/// Two hexadecimal digits.
pub(super) fn hex_pair(byte: u8) -> [u8; 2] {
    let [.., high, low, _] = HEX_TAILS[usize::from(byte)].to_le_bytes();
    [high, low]
}

/// The number of a group.
#[inline]
const fn lane(lanes: Lanes, group: usize) -> u8 {
    (lanes >> LANES[group]) as u8
}

/// The length of each group's text, counted from its last byte.
#[inline]
fn lengths(high: u64, low: u64) -> Lanes {
    let digits = digit_counts(low) | digit_counts(high) << 8;
    // Any nonzero number plus seven reaches bit 3, and the multiplication gathers those bits in the highest byte.
    let not_zero = ((digits + 7 * ONES) & (8 * ONES)).wrapping_mul(0x0020_4081_0204_0810) >> 56;
    digits + ADDITIONS[not_zero as usize]
}

/// The number of digits of four groups, none for a zero.
#[inline]
const fn digit_counts(groups: u64) -> Lanes {
    /// One in every digit.
    const DIGITS: u64 = 0x1111 * HALF;
    // Every digit is combined with those above it: first the next one, then the two above both.
    let filled = groups | (groups >> 4 & (0x0fff * HALF));
    let filled = filled | (filled >> 8 & (0x00ff * HALF));
    // Any nonzero digit plus seven reaches bit 3.
    let not_zero = (((filled & (7 * DIGITS)) + 7 * DIGITS) | filled) >> 3 & DIGITS;
    // The highest digit of a group becomes the sum of its four.
    not_zero.wrapping_mul(0x1111) >> 12 & (0xf * HALF)
}

/// The place of each group's text if the last group's is at `place`, and the place before all of them.
#[inline]
fn places(lengths: Lanes, place: usize) -> (Lanes, usize) {
    // Each lane becomes the sum of itself and the lanes of its half that follow it in the text.
    let sums = lengths.wrapping_mul(HALF);
    let [.., second, first] = sums.to_le_bytes();
    let before = (place as u64) * ONES - ((u64::from(second) * HALF) << 8);
    (before - (sums << 16), place - usize::from(second) - usize::from(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The zero groups of `zeros`, bit 7 being the first group.
    fn run(zeros: u8) -> (usize, usize) {
        longest_run((0..8).filter(|group| zeros << group & 0x80 == 0).map(|group| 1 << (LANES[group] / 8)).sum())
    }

    #[test]
    fn the_longest_run_wins_and_the_first_of_equals() {
        assert_eq!(run(0b0000_0000), (8, 8));
        assert_eq!(run(0b0101_0101), (8, 8));
        assert_eq!(run(0b1111_1111), (0, 8));
        assert_eq!(run(0b1100_0110), (0, 2));
        assert_eq!(run(0b1100_0111), (5, 8));
    }

    #[test]
    fn numbers_of_every_length_have_no_leading_zeros() {
        let mut number = u32::MAX;
        for edge in [0, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 65_535, 65_536, 99_999, u32::MAX] {
            for number in [edge, number] {
                let mut line = Line::new();
                line.number(number);
                assert_eq!(line.as_bytes(), std::format!("{number}").as_bytes());
            }
            number /= 5;
        }
    }
}
