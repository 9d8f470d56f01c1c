//! Any text is a bind list or refused at one of its bytes; a list formats to a text that parses to the same list,
//! whatever the default port.
#![no_main]

use anet::listen::spec::{BIND_LIST_MAX, BindList};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, u16, &str)| {
    let (port, other, text) = input;
    match BindList::parse(text, port) {
        Ok(list) => {
            assert!((1..=BIND_LIST_MAX).contains(&list.len()));
            let written = list.to_string();
            assert_eq!(BindList::parse(&written, other).as_ref(), Ok(&list));
            assert_eq!(list.iter().count(), list.as_slice().len());
        }
        Err(error) => assert!(error.at() <= text.len()),
    }
});
