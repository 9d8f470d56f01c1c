//! [`Candidates`]: the addresses of a race, by number, and their order. No system calls.

use super::race::{CANDIDATES_MAX, Order};
use crate::{addr::Endpoint, resolve::Family};

/// A set of addresses, by number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Set(u16);

const _: () = assert!(CANDIDATES_MAX == u16::BITS as usize);

impl Set {
    pub(super) const EMPTY: Self = Self(0);

    const fn bit(number: usize) -> u16 {
        if number < CANDIDATES_MAX { 1 << number } else { 0 }
    }

    pub(super) const fn insert(&mut self, number: usize) {
        self.0 |= Self::bit(number);
    }

    /// Returns whether it was in the set.
    pub(super) const fn remove(&mut self, number: usize) -> bool {
        let was_in = self.contains(number);
        self.0 &= !Self::bit(number);
        was_in
    }

    pub(super) const fn contains(self, number: usize) -> bool {
        self.0 & Self::bit(number) != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The lowest number.
    pub(super) const fn first(self) -> Option<usize> {
        if self.is_empty() { None } else { Some(self.0.trailing_zeros() as usize) }
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        (0..CANDIDATES_MAX).filter(move |&number| self.contains(number))
    }
}

/// The addresses of a race: which exist, of which family, and which have begun.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    order: Order,
    len: u8,
    untried: Set,
    v4: Set,
    v6: Set,
    /// The one that began last.
    last: Option<u8>,
}

impl Candidates {
    pub(super) const fn new(order: Order) -> Self {
        Self { order, len: 0, untried: Set::EMPTY, v4: Set::EMPTY, v6: Set::EMPTY, last: None }
    }

    pub(super) fn push(&mut self, endpoint: &Endpoint) -> Option<usize> {
        let number = usize::from(self.len);
        if number == CANDIDATES_MAX {
            return None;
        }
        self.len += 1;
        self.untried.insert(number);
        match endpoint {
            Endpoint::Inet(addr) if addr.is_ipv4() => self.v4.insert(number),
            Endpoint::Inet(_) => self.v6.insert(number),
            _ => {}
        }
        Some(number)
    }

    pub(super) const fn begin(&mut self, number: usize) {
        self.untried.remove(number);
        self.last = Some(number as u8);
    }

    #[cfg(feature = "dns")]
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) const fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    pub(super) const fn has_tried(&self, number: usize) -> bool {
        number < self.len as usize && !self.untried.contains(number)
    }

    pub(super) const fn untried(&self) -> Set {
        self.untried
    }

    /// Whether no address of the order's first family is known.
    pub(super) const fn lacks_first_family(&self) -> bool {
        match self.order {
            Order::Listed => false,
            Order::Alternating(family) => self.of(family).is_empty(),
        }
    }

    const fn of(&self, family: Family) -> Set {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// The first of these in the order.
    pub(super) fn pick(&self, these: Set) -> Option<usize> {
        let Order::Alternating(first) = self.order else { return these.first() };
        let preferred = match self.last {
            None => these.and(self.of(first)),
            Some(last) => these.without(self.family_of(last.into())),
        };
        preferred.first().or_else(|| these.first())
    }

    /// All addresses of the same family.
    fn family_of(&self, number: usize) -> Set {
        let known = [self.v4, self.v6].into_iter().find(|family| family.contains(number));
        known.unwrap_or_else(|| Set(u16::MAX).without(self.v4).without(self.v6))
    }
}
