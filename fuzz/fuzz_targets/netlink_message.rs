//! Any datagram is read to its end: messages, attributes in attributes, outcomes, interfaces and addresses.
#![no_main]

use anet::diag::{
    Interface, InterfaceAddr,
    netlink::{Attributes, Messages},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for message in Messages::new(bytes).flatten() {
        walk(message.attributes(0), 0);
        if let Some(Err(error)) = message.outcome() {
            assert!(!error.to_text().is_empty() && error.explanation().len() <= 96);
        }
        if let Ok(Some(interface)) = Interface::parse(&message) {
            assert!(interface.name.as_bytes().len() <= 15);
            assert!(interface.address.is_none_or(|address| (1..=32).contains(&address.as_bytes().len())));
            let _ = format!("{interface:?} {}", interface.name);
        }
        if let Ok(Some(addr)) = InterfaceAddr::parse(&message) {
            assert_eq!(addr.with_port(1).ip(), addr.ip);
        }
    }
});

/// Attributes of attributes, as deep as a hostile message may go.
fn walk(attributes: Attributes<'_>, depth: usize) {
    for attribute in attributes.flatten() {
        assert!(attribute.text().len() <= attribute.bytes().len());
        assert_eq!(attribute.u64().is_some(), attribute.bytes().len() >= 8);
        if depth < 8 {
            walk(attribute.nested(), depth + 1);
        }
    }
}
