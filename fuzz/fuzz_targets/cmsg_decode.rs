//! Any bytes of any alignment are control messages, in order and within the bytes; a message that was decoded encodes to
//! one that decodes to the same, and its details are those of the messages.
#![no_main]

use anet::datagram::{
    Details,
    cmsg::{ControlMessage, Decoder, EncodeError, Encoder, space},
};
use libfuzzer_sys::fuzz_target;

/// The size of `struct cmsghdr`, the least that a message takes.
const HEADER: usize = size_of::<usize>() + 8;

fuzz_target!(|bytes: &[u8]| {
    let messages: Vec<_> = Decoder::new(bytes).collect();
    assert!(messages.len() <= bytes.len() / HEADER);
    let _ = Details::of(Decoder::new(bytes)).ecn();
    for message in &messages {
        within(message, bytes);
        round_trip(message);
    }
    // The same bytes elsewhere.
    for offset in 1..8 {
        let mut moved = vec![0xff; offset];
        moved.extend_from_slice(bytes);
        assert!(Decoder::new(&moved[offset..]).eq(messages.iter().copied()));
    }
});

fn within(message: &ControlMessage<'_>, bytes: &[u8]) {
    match message {
        ControlMessage::Unknown { data, .. } => {
            let (all, part) = (bytes.as_ptr_range(), data.as_ptr_range());
            assert!(data.is_empty() || (all.start <= part.start && part.end <= all.end));
        }
        ControlMessage::Rights(numbers) => assert_eq!(numbers.iter().count(), numbers.len()),
        _ => {}
    }
}

fn round_trip(message: &ControlMessage<'_>) {
    let len = if let ControlMessage::Unknown { data, .. } = message { data.len() } else { 160 };
    let mut room = vec![0xff; space(len) + 1];
    let mut encoder = Encoder::new(&mut room[1..]);
    match encoder.push(message) {
        Ok(()) => assert!(Decoder::new(encoder.as_bytes()).eq([*message])),
        Err(error) => {
            assert!(matches!(error, EncodeError::NotByValue | EncodeError::OutOfRange), "{message:?}: {error}");
            assert!(encoder.is_empty());
        }
    }
}
