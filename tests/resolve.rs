//! Names to addresses without a server: numeric text, the hosts file, `localhost`, services.

mod support;

use std::{
    ffi::CString,
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use anet::{
    Errno, Error, Op,
    error::{Cause, ErrorKind},
    resolve::{Address, Addresses, Families, Family, Hosts, Numeric, Resolve, Source},
};
use support::*;
use tempfile::TempDir;

fn c_path(path: &Path) -> CString {
    CString::new(path.to_str().unwrap()).unwrap()
}

/// A hosts file with this text.
fn hosts_file(text: &str) -> (TempDir, CString) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hosts");
    fs::write(&path, text).unwrap();
    (directory, c_path(&path))
}

fn ips(addresses: &Addresses) -> Vec<IpAddr> {
    addresses.iter().map(|address| address.addr().ip()).collect()
}

fn cause(result: Result<Addresses, Error>) -> Cause {
    let error = result.unwrap_err();
    assert_eq!(error.op(), Op::Resolve);
    error.cause()
}

#[test]
fn numeric_text_is_normalised_and_names_are_refused() {
    let cases = [("127.0.0.1", "127.0.0.1:80"), ("2001:DB8:0::1", "[2001:db8::1]:80"), ("fe80::1%7", "[fe80::1%7]:80")];
    for (text, addr) in cases {
        let addresses = Numeric.resolve(text, 80, Families::Any).unwrap();
        let [address] = addresses.as_slice() else { panic!("{addresses:?}") };
        assert_eq!(*address, Address::new(addr.parse::<SocketAddr>().unwrap(), Source::Numeric));
        assert_eq!(address.ttl(), None);
    }
    assert_eq!(cause(Numeric.resolve("localhost", 80, Families::Any)), Cause::HostName);
}

#[test]
fn a_bad_name_is_an_error_with_its_position() {
    let cases = [("", 0), ("a..b", 2), ("a b", 1), ("127.1", 5), ("[::1]", 0), ("db:80", 2), ("-a", 0), ("a\0b", 1)];
    for (host, at) in cases {
        let error = Hosts::new().resolve(host, 80, Families::Any).unwrap_err();
        assert_eq!(error, Numeric.resolve(host, 80, Families::Any).unwrap_err());
        assert_eq!((error.cause(), error.kind()), (Cause::InvalidHostName { at }, ErrorKind::InvalidInput), "{host}");
    }
}

#[test]
fn an_address_of_the_other_family_is_no_address() {
    assert_eq!(cause(Numeric.resolve("::1", 80, Families::OnlyV4)), Cause::NoAddress);
    assert_eq!(cause(Numeric.resolve("127.0.0.1", 80, Families::OnlyV6)), Cause::NoAddress);
    let (_directory, path) = hosts_file("10.0.0.1 db\n");
    assert_eq!(cause(Hosts::at(&path).resolve("db", 80, Families::OnlyV6)), Cause::NoAddress);
    assert_eq!(cause(Hosts::at(&path).resolve("other", 80, Families::OnlyV6)), Cause::HostNotFound);
}

#[cfg(target_os = "linux")]
#[test]
fn a_zone_is_the_name_of_an_interface() {
    let addresses = Numeric.resolve("fe80::1%lo", 80, Families::Any).unwrap();
    assert_eq!(addresses.as_slice()[0].addr(), "[fe80::1%1]:80".parse().unwrap());
    let missing = Numeric.resolve("fe80::1%nosuch", 80, Families::Any).unwrap_err();
    assert_eq!(missing, Error::new(Op::Resolve, Errno::NODEV));
}

#[test]
fn the_hosts_file_is_read_again_for_every_name() {
    let (_directory, path) = hosts_file("10.0.0.1 db\n::2 db\n10.0.0.3 db # primary\n");
    let mut hosts = Hosts::at(&path);
    let addresses = hosts.resolve("DB.", 5432, Families::Any).unwrap();
    assert_eq!(ips(&addresses), ["10.0.0.1", "::2", "10.0.0.3"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    assert!(addresses.iter().all(|address| address.source() == Source::Hosts && address.addr().port() == 5432));

    let first = |addresses: Addresses| addresses.as_slice()[0].family();
    assert_eq!(first(hosts.resolve("db", 1, Families::PreferV6).unwrap()), Family::V6);
    assert_eq!(ips(&hosts.resolve("db", 1, Families::OnlyV6).unwrap()), ips(&addresses)[1..2]);

    fs::write(path.to_str().unwrap(), "10.0.0.9 db\n").unwrap();
    assert_eq!(ips(&hosts.resolve("db", 1, Families::Any).unwrap()), ["10.0.0.9".parse::<IpAddr>().unwrap()]);
}

#[test]
fn localhost_is_the_loopback_address_without_a_file() {
    let mut hosts = Hosts::at(c"/nonexistent");
    for name in ["localhost", "LOCALHOST.", "db.localhost"] {
        let addresses = hosts.resolve(name, 1, Families::Any).unwrap();
        assert_eq!(ips(&addresses), ["::1", "127.0.0.1"].map(|ip| ip.parse::<IpAddr>().unwrap()));
        assert!(addresses.iter().all(|address| address.source() == Source::Localhost));
        assert_eq!(hosts.resolve(name, 1, Families::OnlyV4).unwrap().len(), 1);
    }
    for name in ["mylocalhost", "localhost.local"] {
        assert_eq!(cause(hosts.resolve(name, 1, Families::Any)), Cause::HostNotFound);
    }
}

#[test]
fn a_name_with_many_addresses_keeps_16() {
    let file: String = (1..=60).map(|n| format!("10.0.0.{n} many\n")).collect();
    let (_directory, path) = hosts_file(&file);
    let addresses = Hosts::at(&path).resolve("many", 1, Families::Any).unwrap();
    assert!(addresses.is_cut() && addresses.len() == 16);
    assert_eq!(ips(&addresses)[15], "10.0.0.16".parse::<IpAddr>().unwrap());
}

#[test]
fn odd_files_have_no_names_and_end() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    for path in [&fifo, directory.path(), Path::new("/dev/null"), &fifo.join("below")] {
        assert_eq!(cause(Hosts::at(&c_path(path)).resolve("db", 1, Families::Any)), Cause::HostNotFound, "{path:?}");
    }
    let long_line = "x".repeat(1 << 20);
    let (_directory, path) = hosts_file(&format!("{long_line}\n10.0.0.1 db\0 a\r\n\r\n10.0.0.2 db"));
    assert_eq!(
        ips(&Hosts::at(&path).resolve("db", 1, Families::Any).unwrap()),
        ["10.0.0.2".parse::<IpAddr>().unwrap()]
    );
}

#[cfg(target_os = "linux")]
#[test]
fn no_descriptor_is_left_open_and_none_to_be_had_is_an_error() {
    let (_directory, path) = hosts_file("10.0.0.1 db\n");
    with_own_descriptors(|| {
        let before = open_fds();
        for _ in 0..100 {
            Hosts::at(&path).resolve("db", 1, Families::Any).unwrap();
        }
        assert_eq!(open_fds(), before);
        let _occupied = occupy_all_descriptors();
        let error = Hosts::at(&path).resolve("db", 1, Families::Any).unwrap_err();
        assert_eq!(error, Error::new(Op::Resolve, Errno::MFILE));
    });
}

#[test]
fn signals_do_not_disturb_reading() {
    let (_directory, path) = hosts_file("10.0.0.1 db\n");
    interrupted(|| {
        for _ in 0..2000 {
            assert_eq!(Hosts::at(&path).resolve("db", 1, Families::Any).unwrap().len(), 1);
        }
    });
}
