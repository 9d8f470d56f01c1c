//! Watching interfaces and addresses.

use anet::{
    diag::{Change, Changes},
    error::Cause,
    event::{Events, Interest, Poller},
};

use crate::{
    support::{PATIENCE, namespace::in_namespace},
    tools::ip,
};

/// Waits until there is a change, as a server does.
fn next_change(changes: &mut Changes<'_>) -> Change {
    let poller = Poller::new().unwrap();
    poller.add(&*changes, 1, Interest::READABLE).unwrap();
    loop {
        if let Some(change) = changes.next_change().unwrap() {
            return change;
        }
        assert_eq!(poller.wait(&mut Events::<1>::new(), Some(PATIENCE)), Ok(1));
    }
}

/// The change, in few words.
fn describe(change: &Change) -> String {
    match change {
        Change::Interface(interface) => format!("{} up: {}", interface.name, interface.is_up()),
        Change::InterfaceRemoved(interface) => format!("{} removed", interface.name),
        Change::Address(addr) => format!("{}/{}", addr.ip, addr.prefix_len),
        Change::AddressRemoved(addr) => format!("{} removed", addr.ip),
        other => format!("{other:?}"),
    }
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn changes_are_reported_as_they_happen() {
    in_namespace(|| {
        let mut buf = [0; 8192];
        let mut changes = Changes::open(&mut buf).unwrap();
        assert_eq!(changes.next_change(), Ok(None));
        let steps = [
            ("link add br0 type bridge", "br0 up: false"),
            ("link set br0 up", "br0 up: true"),
            ("addr add 10.1.0.1/24 dev br0", "10.1.0.1/24"),
            ("addr add 2001:db8::1/64 dev br0 nodad", "2001:db8::1/64"),
            ("addr del 10.1.0.1/24 dev br0", "10.1.0.1 removed"),
            ("link set br0 name br1", "br1 up: true"),
            ("link del br1", "br1 removed"),
        ];
        for (command, expected) in steps {
            ip(command);
            // The kernel reports consequences too, such as a link-local address.
            while describe(&next_change(&mut changes)) != expected {}
        }
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn lost_changes_are_reported() {
    in_namespace(|| {
        let mut buf = [0; 8192];
        let mut changes = Changes::open(&mut buf).unwrap();
        anet::option::set_recv_buffer_size(&changes, 1).unwrap();
        let commands: String = (0..100).map(|n| format!("addr add 10.1.{n}.1/32 dev lo\n")).collect();
        ip(&commands);
        let first_lost = (0..100).find(|_| next_change(&mut changes) == Change::Lost);
        assert!(first_lost.is_some());
        while changes.next_change().unwrap().is_some() {}
        ip("addr add 10.2.0.1/32 dev lo");
        assert_eq!(describe(&next_change(&mut changes)), "10.2.0.1/32");
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn a_change_that_does_not_fit_is_an_error_and_the_next_is_reported() {
    in_namespace(|| {
        let mut buf = [0; 400];
        let mut changes = Changes::open(&mut buf).unwrap();
        ip("link add br0 type bridge
            addr add 10.2.0.1/32 dev lo");
        let error = loop {
            if let Err(error) = changes.next_change() {
                break error;
            }
        };
        assert!(matches!(error.cause(), Cause::MessageTruncated { .. }), "{error}");
        while !matches!(changes.next_change(), Ok(Some(Change::Address(_)))) {}
    });
}
