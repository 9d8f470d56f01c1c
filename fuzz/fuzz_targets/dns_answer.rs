//! Any bytes are an answer with addresses or none at all: behind the header and the question that were asked for, or
//! from the first byte on.
#![no_main]

use anet::resolve::{
    ADDRESSES_MAX, Addresses, Family, Source,
    dns::{Answer, Question},
};
use libfuzzer_sys::fuzz_target;

/// `db.internal`.
const NAME: &[u8] = b"\x02db\x08internal\0";

fuzz_target!(|input: (bool, bool, u16, [u16; 4], &[u8])| {
    let (is_v4, is_framed, flags, counts, bytes) = input;
    let (family, kind) = if is_v4 { (Family::V4, 1_u16) } else { (Family::V6, 28) };
    let question = Question::new("db.internal", family, 0x1234).unwrap();
    let message = if is_framed {
        let header = [0x1234, flags, 1, counts[0] % 64, counts[1], counts[2]].map(u16::to_be_bytes).concat();
        [&header[..], NAME, &kind.to_be_bytes(), &[0, 1], bytes].concat()
    } else {
        bytes.to_vec()
    };
    let mut addresses = Addresses::new();
    let answer = question.read_answer(&message, 53, &mut addresses);
    assert_eq!(answer == Answer::Found, !addresses.is_empty());
    assert!(addresses.len() <= ADDRESSES_MAX);
    for address in &addresses {
        assert_eq!((address.family(), address.source()), (family, Source::Dns));
        assert!(address.ttl().is_some_and(|ttl| ttl.as_secs() <= 0x7fff_ffff));
    }
});
