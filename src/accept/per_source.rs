//! [`Sources`]: how many connections each peer address has, in a table of fixed size.
//!
//! No system call, no allocation, no panic on any address.

use core::{fmt, net::IpAddr};

use super::Reason;
use crate::addr::Endpoint;

/// The source of a connection: an IPv4 address, or the upper 64 bits of an IPv6 address. 12 bytes.
///
/// The owner of an IPv6 network chooses the lower half of its addresses (RFC 4291, 2.5.1), so a limit on whole
/// addresses would have no effect. All link-local peers are therefore one source. An IPv4-mapped IPv6 address
/// (`::ffff:192.0.2.1`) is that IPv4 address.
///
/// ```
/// use anet::accept::SourceAddr;
///
/// let source = |text: &str| SourceAddr::from(text.parse::<core::net::IpAddr>().unwrap());
/// assert_eq!(source("2001:db8::1"), source("2001:db8::2:3"));
/// assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
/// assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SourceAddr {
    bits: [u32; 2],
    family: Family,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Family {
    V4,
    V6,
}

impl SourceAddr {
    /// The source of an endpoint; `None` without an IP address, as for a peer on a Unix socket.
    pub fn of(peer: &Endpoint) -> Option<Self> {
        peer.ip().map(Self::from)
    }
}

impl From<IpAddr> for SourceAddr {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self { bits: [0, v4.to_bits()], family: Family::V4 },
            IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                Self { bits: [(bits >> 96) as u32, (bits >> 64) as u32], family: Family::V6 }
            }
        }
    }
}

/// Counts of connections for up to `N` sources at a time. 32 bytes a source and 16 more.
///
/// Open addressing over `2 * N` slots: half of them are always free, so a search is short even when the table is full.
/// A source is removed with its last connection. A count stays until it is released: nothing is evicted, and a source
/// without room is refused.
///
/// ```
/// use anet::accept::{Reason, SourceAddr, Sources};
///
/// let mut sources = Sources::<1000>::new();
/// let source = SourceAddr::from(core::net::IpAddr::from([192, 0, 2, 1]));
/// sources.take(source, 2)?;
/// sources.take(source, 2)?;
/// assert_eq!(sources.take(source, 2), Err(Reason::MaxPerSource));
/// sources.release(source);
/// assert_eq!(sources.count(source), 1);
/// # Ok::<(), Reason>(())
/// ```
pub struct Sources<const N: usize> {
    slots: [[Slot; 2]; N],
    len: usize,
    seed: u64,
}

/// A source and the number of its connections; 0: a free slot.
#[derive(Clone, Copy)]
struct Slot {
    source: SourceAddr,
    count: u32,
}

const _: () = assert!(size_of::<Option<SourceAddr>>() == 12 && size_of::<Slot>() == 16);
// Less where 64-bit numbers are aligned to 32 bits.
const _: () = assert!(size_of::<Sources<1000>>() <= 32 * 1000 + 16);

impl<const N: usize> Sources<N> {
    /// No connections. Peers can predict where addresses go in the table; see [`seeded`](Self::seeded).
    pub const fn new() -> Self {
        Self::seeded(0)
    }

    /// No connections, with a secret seed, such as 8 bytes of `getrandom`. Without one, a peer that has many networks
    /// can choose those that lie close together in the table and make each search take `N` steps.
    pub const fn seeded(seed: u64) -> Self {
        const { assert!(N <= u32::MAX as usize / 2, "slots are numbered in 32 bits") };
        Self { slots: [[Slot::FREE; 2]; N], len: 0, seed }
    }

    /// Counts one more connection, unless the source already has `limit`.
    ///
    /// # Errors
    ///
    /// [`Reason::MaxPerSource`] at the limit, [`Reason::TooManySources`] for a new source when there are `N`. On error
    /// nothing is counted.
    pub fn take(&mut self, source: SourceAddr, limit: u32) -> Result<(), Reason> {
        let index = self.find(source).ok_or(Reason::TooManySources)?;
        let count = self.slots.as_flattened()[index].count;
        if count >= limit {
            return Err(Reason::MaxPerSource);
        }
        if count == 0 {
            self.reserve()?;
        }
        self.slots.as_flattened_mut()[index] = Slot { source, count: count + 1 };
        Ok(())
    }

    /// Counts one connection less. If the source has none, does nothing and returns `false`.
    pub fn release(&mut self, source: SourceAddr) -> bool {
        let Some(index) = self.find(source) else { return false };
        let slot = &mut self.slots.as_flattened_mut()[index];
        match slot.count {
            0 => return false,
            1 => self.remove(index),
            _ => slot.count -= 1,
        }
        true
    }

    /// The number of connections of a source.
    pub fn count(&self, source: SourceAddr) -> u32 {
        self.find(source).map_or(0, |index| self.slots.as_flattened()[index].count)
    }

    /// The number of sources with connections.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no source has connections.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn reserve(&mut self) -> Result<(), Reason> {
        if self.len >= N {
            return Err(Reason::TooManySources);
        }
        self.len += 1;
        Ok(())
    }

    /// The slot of a source, or the free one that it would get; `None` only if `N` is zero, since half are free.
    fn find(&self, source: SourceAddr) -> Option<usize> {
        let home = self.home(source);
        let (before, from) = self.slots.as_flattened().split_at(home);
        let steps = from.iter().chain(before).position(|slot| slot.count == 0 || slot.source == source)?;
        Some(wrapped(home + steps, 2 * N))
    }

    /// Frees a slot and moves later ones up, so that no search ends early.
    fn remove(&mut self, mut hole: usize) {
        self.len -= 1;
        let mut index = self.after(hole);
        while let Some(slot) = self.taken(index) {
            // Except those that would move before their home.
            if self.distance(self.home(slot.source), index) >= self.distance(hole, index) {
                self.slots.as_flattened_mut()[hole] = slot;
                hole = index;
            }
            index = self.after(index);
        }
        self.slots.as_flattened_mut()[hole] = Slot::FREE;
    }

    fn taken(&self, index: usize) -> Option<Slot> {
        self.slots.as_flattened().get(index).copied().filter(|slot| slot.count > 0)
    }

    const fn after(&self, index: usize) -> usize {
        wrapped(index + 1, 2 * N)
    }

    /// How many steps a search takes from one slot to another.
    const fn distance(&self, from: usize, to: usize) -> usize {
        wrapped(2 * N + to - from, 2 * N)
    }

    /// The slot where the search for a source begins: below `2 * N`, or 0.
    fn home(&self, source: SourceAddr) -> usize {
        let [high, low] = source.bits;
        let addr = u64::from(high) << 32 | u64::from(low);
        let hash = mix(mix(addr ^ self.seed, FACTORS[0]) ^ source.family as u64, FACTORS[1] ^ self.seed);
        (((hash >> 32) * 2 * N as u64) >> 32) as usize
    }
}

/// Two odd numbers without a pattern: the fractions of the golden ratio and of the square root of 3.
const FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xbb67_ae85_84ca_a73b];

/// Both halves of the product, so that every bit counts.
fn mix(value: u64, factor: u64) -> u64 {
    let product = u128::from(value) * u128::from(factor);
    (product >> 64) as u64 ^ product as u64
}

/// Wraps an index below two rounds into the first.
const fn wrapped(index: usize, round: usize) -> usize {
    if index < round { index } else { index - round }
}

impl Slot {
    const FREE: Self = Self { source: SourceAddr { bits: [0; 2], family: Family::V4 }, count: 0 };
}

impl<const N: usize> Default for Sources<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the number of sources, neither the sources nor the seed.
impl<const N: usize> fmt::Debug for Sources<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("len", &self.len).field("capacity", &N).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(number: u32) -> SourceAddr {
        SourceAddr::from(IpAddr::V4(number.into()))
    }

    fn of(text: &str) -> Option<SourceAddr> {
        SourceAddr::of(&text.parse().unwrap())
    }

    #[test]
    fn an_ipv6_source_is_a_network_of_64_bits() {
        assert_eq!(of("[2001:db8:0:1::]:1"), of("[2001:db8:0:1:ffff:ffff:ffff:ffff]:2"));
        assert_ne!(of("[2001:db8:0:1::]:1"), of("[2001:db8:0:2::]:1"));
        assert_eq!(of("[::ffff:10.0.0.1]:1"), of("10.0.0.1:2"));
        // The same 64 bits, but not the same family.
        assert_ne!(of("[::a00:1:0:0:0:0]:1"), of("10.0.0.1:1"));
        assert_ne!(of("[::1]:1"), of("0.0.0.0:1"));
        assert_eq!((of("/run/x"), of("@x")), (None, None));
        assert_eq!(SourceAddr::of(&Endpoint::Unknown { family: 40 }), None);
    }

    /// Fills and empties the table several times, and looks up every source at every step.
    #[test]
    fn a_full_table_loses_nothing() {
        let mut sources = Sources::<64>::seeded(7);
        for round in 0..5 {
            let source = |number: u32| v4(number * 7919 + round);
            for taken in 0..64 {
                assert_eq!(sources.take(source(taken), 1), Ok(()));
                assert!((0..64).all(|number| sources.count(source(number)) == u32::from(number <= taken)));
            }
            assert_eq!(sources.take(source(64), 1), Err(Reason::TooManySources));
            assert_eq!(sources.take(source(0), 1), Err(Reason::MaxPerSource));
            for released in 0..64 {
                assert!(sources.release(source(released)));
                assert!((0..64).all(|number| sources.count(source(number)) == u32::from(number > released)));
            }
            assert!(sources.is_empty());
        }
    }

    #[test]
    fn a_source_that_was_not_taken_is_not_released() {
        let mut sources = Sources::<1>::new();
        assert!(!sources.release(v4(0)));
        sources.take(v4(1), u32::MAX).unwrap();
        assert!(!sources.release(v4(2)));
        assert_eq!((sources.count(v4(1)), sources.len()), (1, 1));
    }

    #[test]
    fn a_table_without_room_refuses_every_source() {
        let mut sources = Sources::<0>::new();
        assert_eq!(sources.take(v4(1), 1), Err(Reason::TooManySources));
        assert!(!sources.release(v4(1)));
        assert_eq!(sources.count(v4(1)), 0);
    }

    /// Adjacent addresses, such as those of one network, spread well: a search of a full table takes a few steps.
    #[test]
    fn adjacent_addresses_spread_over_the_table() {
        let mut sources = Sources::<1000>::new();
        (0..1000).for_each(|number| sources.take(v4(0x0a00_0000 + number), 1).unwrap());
        let steps = |number: u32| {
            let source = v4(0x0a00_0000 + number);
            sources.distance(sources.home(source), sources.find(source).unwrap())
        };
        assert!((0..2000).map(steps).sum::<usize>() < 2000 * 3);
    }
}
