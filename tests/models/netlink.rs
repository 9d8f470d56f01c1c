//! The netlink format, against messages and attributes in lists.

use anet::diag::{
    Interface, InterfaceAddr,
    netlink::{Attributes, Messages},
};
use proptest::{
    collection::vec,
    prelude::{Strategy, any},
    prop_assert, prop_assert_eq, proptest,
};

use super::config;

/// The header with a length, and padding to a multiple of 4.
fn framed(header: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = [header, value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn attribute((kind, value): &(u16, Vec<u8>)) -> Vec<u8> {
    let len = 4 + value.len() as u16;
    framed(&[len.to_ne_bytes(), kind.to_ne_bytes()].concat(), value)
}

fn message((kind, payload): &(u16, Vec<u8>)) -> Vec<u8> {
    let len = 16 + payload.len() as u32;
    let rest = [kind.to_ne_bytes(), [0; 2], [1, 0], [0; 2], [2, 0], [0; 2]].concat();
    framed(&[&len.to_ne_bytes()[..], &rest].concat(), payload)
}

fn entries() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    vec((0..0x4000_u16, vec(any::<u8>(), 0..40)), 0..20)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn attributes_read_back(list in entries()) {
        let bytes: Vec<u8> = list.iter().flat_map(attribute).collect();
        let read: Vec<_> = Attributes::new(&bytes).map(|read| read.unwrap()).collect();
        prop_assert_eq!(read.len(), list.len());
        for (read, (kind, value)) in read.iter().zip(&list) {
            prop_assert_eq!((read.kind(), read.bytes()), (*kind, &value[..]));
            prop_assert_eq!(read.u8(), value.first().copied());
            prop_assert_eq!(read.u32(), value.first_chunk().copied().map(u32::from_ne_bytes));
            prop_assert_eq!(read.u64(), value.first_chunk().copied().map(u64::from_ne_bytes));
            prop_assert!(!read.text().contains(&0) && value.starts_with(read.text()));
        }
    }

    #[test]
    fn messages_read_back(list in entries()) {
        let bytes: Vec<u8> = list.iter().flat_map(message).collect();
        let read: Vec<_> = Messages::new(&bytes).map(|read| read.unwrap()).collect();
        prop_assert_eq!(read.len(), list.len());
        for (read, (kind, payload)) in read.iter().zip(&list) {
            prop_assert_eq!((read.kind, read.sequence, read.port, read.payload), (*kind, 1, 2, &payload[..]));
        }
    }

    /// A cut within an entry is an error after the entries before it; a cut between two, or within padding, is none.
    #[test]
    fn a_truncated_list_is_an_error_after_the_whole_entries(list in entries(), cut in 0..2000_usize) {
        let attributes: Vec<u8> = list.iter().flat_map(attribute).collect();
        let ends = |header: usize| list.iter().scan(0_usize, move |start, (_, value)| {
            let end = *start + header + value.len();
            *start = end.next_multiple_of(4);
            Some((end, *start))
        });
        let cut_at = cut.min(attributes.len());
        let whole = ends(4).filter(|&(end, _)| end <= cut_at).count();
        let is_between = cut_at == 0 || ends(4).any(|(end, next)| (end..=next).contains(&cut_at));
        let read: Vec<_> = Attributes::new(&attributes[..cut_at]).collect();
        prop_assert_eq!(read.iter().filter(|read| read.is_ok()).count(), whole);
        prop_assert_eq!(read.iter().filter(|read| read.is_err()).count(), usize::from(!is_between));
        prop_assert!(read.iter().rev().skip(1).all(|read| read.is_ok()));
    }

    /// Every entry takes at least its header, so no bytes make a loop.
    #[test]
    fn any_bytes_are_read_to_an_end(bytes in vec(any::<u8>(), 0..300), kind in 16..22_u8) {
        prop_assert!(Attributes::new(&bytes).count() <= bytes.len().div_ceil(4));
        prop_assert!(Messages::new(&bytes).count() <= bytes.len().div_ceil(16));
        let framed = message(&(kind.into(), bytes));
        for message in Messages::new(&framed).flatten() {
            let _ = (Interface::parse(&message), InterfaceAddr::parse(&message), message.outcome());
        }
    }
}
