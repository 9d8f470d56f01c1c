//! Control messages written to bytes and read back are the same, whatever the alignment, and a buffer of any size holds
//! whole messages alone.
#![cfg(target_os = "linux")]

use std::{
    fs::File,
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use anet::{
    Endpoint, Errno, UnixAddr,
    datagram::{
        Details,
        cmsg::{
            ControlMessage, Credentials, Decoder, EncodeError, Encoder, ErrorOrigin, ExtendedError, FDS_MAX,
            PacketInfoV4, PacketInfoV6, Timestamping, fds_space, space,
        },
    },
};
use proptest::{
    collection::vec,
    option,
    prelude::{Just, ProptestConfig, Strategy, any, prop_oneof},
    prop_assert, prop_assert_eq, proptest,
    test_runner::RngSeed,
};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 2000, rng_seed: RngSeed::Fixed(20), failure_persistence: None, ..ProptestConfig::default() }
}

/// A time that the kernel's struct represents.
fn times() -> impl Strategy<Value = Duration> {
    (0..=i64::MAX as u64, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

/// Zero means none in a message with several times.
fn some_time() -> impl Strategy<Value = Option<Duration>> {
    option::of(times().prop_filter("zero means none", |time| !time.is_zero()))
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    let v6 = (any::<Ipv6Addr>(), any::<u16>(), any::<u32>(), any::<u32>());
    prop_oneof![
        (any::<Ipv4Addr>(), any::<u16>()).prop_map(|(ip, port)| SocketAddrV4::new(ip, port).into()),
        v6.prop_map(|(ip, port, flow, scope)| SocketAddrV6::new(ip, port, flow, scope).into()),
        vec(any::<u8>(), 0..107).prop_map(|name| UnixAddr::abstract_name(name).unwrap().into()),
        Just(Endpoint::Unknown { family: 0 }),
        (11..u16::MAX).prop_map(|family| Endpoint::Unknown { family }),
    ]
}

fn errors() -> impl Strategy<Value = ExtendedError> {
    let origins = prop_oneof![
        Just(ErrorOrigin::Local),
        Just(ErrorOrigin::Icmp),
        Just(ErrorOrigin::Icmp6),
        (4..=u8::MAX).prop_map(ErrorOrigin::Other),
        Just(ErrorOrigin::Other(0)),
    ];
    let errnos = option::of((1..4096).prop_map(Errno::from_raw_os_error));
    (errnos, origins, any::<[u8; 2]>(), any::<[u32; 2]>(), endpoints()).prop_map(
        |(errno, origin, [kind, code], [info, data], offender)| ExtendedError {
            errno,
            origin,
            kind,
            code,
            info,
            data,
            offender,
        },
    )
}

/// Everything but descriptors and unknown messages.
fn known() -> impl Strategy<Value = ControlMessage<'static>> {
    prop_oneof![
        any::<[u32; 3]>().prop_map(|[pid, uid, gid]| ControlMessage::Credentials(Credentials { pid, uid, gid })),
        (any::<u32>(), any::<Ipv4Addr>(), any::<Ipv4Addr>()).prop_map(|(interface, local, destination)| {
            ControlMessage::PacketInfoV4(PacketInfoV4 { interface, local, destination })
        }),
        (any::<Ipv6Addr>(), any::<u32>()).prop_map(|(destination, interface)| {
            ControlMessage::PacketInfoV6(PacketInfoV6 { destination, interface })
        }),
        any::<u8>().prop_map(ControlMessage::TypeOfService),
        any::<u8>().prop_map(ControlMessage::TrafficClass),
        any::<u8>().prop_map(ControlMessage::TimeToLive),
        any::<u8>().prop_map(ControlMessage::HopLimit),
        times().prop_map(ControlMessage::Time),
        (some_time(), some_time())
            .prop_map(|(software, hardware)| ControlMessage::Timestamping(Timestamping { software, hardware })),
        any::<u16>().prop_map(ControlMessage::JoinedSegments),
        any::<u16>().prop_map(ControlMessage::SegmentSize),
        any::<u32>().prop_map(ControlMessage::Dropped),
        any::<u32>().prop_map(ControlMessage::Mark),
        any::<u64>().prop_map(ControlMessage::TransmitTime),
        errors().prop_map(ControlMessage::ErrorV4),
        errors().prop_map(ControlMessage::ErrorV6),
    ]
}

/// An unknown message: the levels of this crate's messages are below 1000.
type Raw = (i32, i32, Vec<u8>);

fn raws() -> impl Strategy<Value = Raw> {
    (1000..i32::MAX, any::<i32>(), vec(any::<u8>(), 0..70))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_encoded_decodes_to_the_same(
        known in vec(known(), 0..6),
        raws in vec(raws(), 0..4),
        count in 0..=FDS_MAX,
        offset in 0..16_usize,
    ) {
        let file = File::open("/dev/null").unwrap();
        let mut room = vec![0xff; offset + 6 * space(144) + 4 * space(70) + fds_space(FDS_MAX)];
        let mut encoder = Encoder::new(&mut room[offset..]);
        let unknown = raws.iter().map(|(level, kind, data)| ControlMessage::Unknown { level: *level, kind: *kind, data });
        let messages: Vec<_> = known.iter().copied().chain(unknown).collect();
        for message in &messages {
            encoder.push(message).unwrap();
        }
        encoder.push_fds(&vec![file.as_fd(); count]).unwrap();

        let mut decoder = Decoder::new(encoder.as_bytes());
        for message in messages {
            prop_assert_eq!(decoder.next(), Some(message));
        }
        match decoder.next() {
            Some(ControlMessage::Rights(numbers)) => {
                prop_assert!(numbers.iter().eq(std::iter::repeat_n(file.as_raw_fd(), count)));
            }
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert_eq!(decoder.next(), None);
    }

    #[test]
    fn a_buffer_of_any_size_holds_whole_messages_alone(messages in vec(known(), 1..6), size in 0..400_usize) {
        let mut room = vec![0xff; size];
        let mut encoder = Encoder::new(&mut room);
        let held: Vec<_> = messages.into_iter().take_while(|message| encoder.push(message).is_ok()).collect();
        prop_assert!(Decoder::new(encoder.as_bytes()).eq(held));
    }

    #[test]
    fn bytes_cut_anywhere_decode_to_the_messages_before(messages in vec(known(), 1..6), cut in 0..600_usize) {
        let mut room = vec![0; 6 * space(144)];
        let mut encoder = Encoder::new(&mut room);
        messages.iter().for_each(|message| encoder.push(message).unwrap());
        let bytes = encoder.as_bytes();
        let cut = &bytes[..cut.min(bytes.len())];
        let decoded: Vec<_> = Decoder::new(cut).collect();
        prop_assert_eq!(&decoded[..], &messages[..decoded.len()]);
    }

    #[test]
    fn any_bytes_decode_without_a_panic(bytes in vec(any::<u8>(), 0..200), lengths in vec((0..24_usize, 0..40_usize), 0..4)) {
        let mut bytes = bytes;
        // Lengths that are nearly right lead further than arbitrary ones.
        for (at, len) in lengths {
            if let Some(length) = bytes.get_mut(8 * at..8 * at + 8) {
                length.copy_from_slice(&len.to_ne_bytes());
            }
        }
        prop_assert!(Decoder::new(&bytes).count() <= bytes.len() / 16);
        let _ = Details::of(Decoder::new(&bytes));
    }
}

#[test]
fn a_time_that_the_kernel_cannot_represent_is_refused() {
    let mut room = [0; 128];
    let mut encoder = Encoder::new(&mut room);
    let zero = Timestamping { software: Some(Duration::ZERO), hardware: None };
    for refused in [ControlMessage::Time(Duration::MAX), ControlMessage::Timestamping(zero)] {
        assert_eq!(encoder.push(&refused), Err(EncodeError::OutOfRange));
    }
    assert!(encoder.is_empty());
}
