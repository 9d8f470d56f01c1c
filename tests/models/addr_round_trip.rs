//! Typed -> text -> typed is the identity, for endpoints of any content and for bind lists.

use core::net::{IpAddr, SocketAddr, SocketAddrV6};

use anet::{
    addr::{ADDR_TEXT_LEN, AddrText, Endpoint, HostPort, SOCKET_TEXT_LEN, SocketText, UnixAddr},
    listen::spec::{BIND_LIST_MAX, BindList, BindSpec},
    redis,
};
use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_oneof},
    prop_assert, prop_assert_eq, proptest,
};

fn socket_addrs() -> impl Strategy<Value = SocketAddr> {
    let zoned = (any::<u128>(), any::<u16>(), any::<u32>())
        .prop_map(|(ip, port, zone)| SocketAddrV6::new(ip.into(), port, 0, zone).into());
    let plain = (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port));
    prop_oneof![zoned, plain]
}

/// Bytes of every value, with the special ones more frequent.
fn names() -> impl Strategy<Value = Vec<u8>> {
    let special = proptest::sample::select(b"\0\\/x@:; ,-\n\x1b\x7f\xc2\x85\xe2\x80\xae\xff".to_vec());
    vec(prop_oneof![any::<u8>(), special], 0..=112)
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    let unix = names().prop_map(|bytes| Endpoint::Unix(UnixAddr::from_sun_path(&bytes)));
    let path = vec(1..=u8::MAX, 1..=108).prop_map(|bytes| Endpoint::Unix(UnixAddr::from_sun_path(&bytes)));
    prop_oneof![socket_addrs().prop_map(Endpoint::Inet), unix, path]
}

/// Texts of items, most of them valid.
fn items() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        socket_addrs().prop_map(|addr| addr.to_string()),
        any::<IpAddr>().prop_map(|ip| ip.to_string()),
        "[a-z0-9_-]{1,20}(\\.[a-z]{1,5})?(:[0-9]{1,5})?",
        "(fe80::1%[!-~]{1,16}|\\[fe80::1%[a-z]{1,15}\\]:80)",
        "(@|/|unix:)(\\PC|\\\\x[0-9a-f]{2}){0,40}",
        "(\\*|::\\*|fd@[0-9]{1,10}|\\*:[0-9]{1,5})",
        "(%|dev:)[!-~]{1,16}(:[0-9]{1,5})?",
    ];
    (any::<bool>(), text).prop_map(|(optional, text)| if optional { format!("-{text}") } else { text })
}

proptest! {
    #[test]
    fn endpoints_round_trip_through_text(endpoint in endpoints()) {
        let text = endpoint.to_text();
        prop_assert_eq!(text.parse::<Endpoint>(), Ok(endpoint), "{}", text);
        prop_assert_eq!(endpoint.to_string(), text.as_str());
        prop_assert!(text.len() <= ADDR_TEXT_LEN && !text.chars().any(char::is_control));
    }

    #[test]
    fn socket_text_and_addr_text_agree(addr in socket_addrs()) {
        let (small, large) = (SocketText::from(addr), AddrText::from(addr));
        prop_assert_eq!(small.as_str(), large.as_str());
        prop_assert!(small.len() <= SOCKET_TEXT_LEN);
    }

    #[test]
    fn unix_addresses_keep_the_kernels_bytes(bytes in names()) {
        let addr = UnixAddr::from_sun_path(&bytes);
        prop_assert_eq!(UnixAddr::from_sun_path(addr.as_sun_path()), addr);
        prop_assert!(bytes.starts_with(addr.as_sun_path()));
    }

    #[test]
    fn hosts_round_trip_through_text(text in items()) {
        if let Ok(host) = HostPort::parse(&text) {
            let again = host.to_string();
            prop_assert_eq!(HostPort::parse(&again), Ok(host));
        }
    }

    #[test]
    fn bind_lists_round_trip_through_text(items in vec(items(), 1..=BIND_LIST_MAX), port: u16, other: u16) {
        let good: Vec<_> = items.iter().filter(|item| BindSpec::parse(item, port).is_ok()).map(String::as_str).collect();
        for text in [good.join(" "), good.join(","), good.join(" ; "), items.join(" ")] {
            if let Ok(list) = BindList::parse(&text, port) {
                let again = list.to_string();
                prop_assert_eq!(BindList::parse(&again, other), Ok(list));
            }
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused_at_one_of_its_bytes(text in "\\PC{0,40}|[-0-9a-f:.%\\[\\]@/*,; \\\\x]{0,40}") {
        let refusals = [
            text.parse::<Endpoint>().err(),
            HostPort::parse(&text).err(),
            BindList::parse(&text, 0).err(),
            anet::addr::parse::ip(&text).err(),
            anet::addr::parse::port(&text).err(),
        ];
        prop_assert!(refusals.iter().flatten().all(|error| error.at() <= text.len()));
    }

    #[test]
    fn the_redis_form_matches_its_printf(ip in "[0-9a-z:.?/]{0,80}", port: i32, room in 0..100_usize) {
        let whole = if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") };
        let mut out = vec![0; room];
        prop_assert_eq!(redis::format_addr(ip.as_bytes(), port, &mut out), whole.len());
        let written = room.min(whole.len());
        prop_assert_eq!(&out[..written], &whole.as_bytes()[..written]);
    }
}
