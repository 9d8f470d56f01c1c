//! The hosts file.

use core::{
    ffi::CStr,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::{
    Address, Addresses, Families, Resolve, Source,
    name::{self, Text},
    text_file,
};
use crate::{
    addr::parse,
    error::{Cause, Error, Op, Result},
};

/// The usual path of the hosts file.
pub const HOSTS_FILE: &CStr = c"/etc/hosts";

/// Resolves from the hosts file alone: numeric text, the file's names, and `localhost`.
///
/// The file is read for every name, so a change takes effect at once.
///
/// As in glibc, every line that has the name counts, in order, case is ignored, and lines without a valid address are
/// skipped. `localhost` and the names under it are loopback addresses even if the file does not list them (RFC 6761,
/// 6.3). Only the first 8192 bytes of a line count.
///
/// ```
/// use anet::resolve::{Families, Hosts, Resolve};
///
/// let addresses = Hosts::new().resolve("db.localhost", 5432, Families::OnlyV4)?;
/// assert_eq!(addresses.as_slice()[0].addr().to_string(), "127.0.0.1:5432");
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "gethostbyname")]
pub struct Hosts<'p> {
    path: &'p CStr,
}

/// What is known of a host without asking a server.
pub(super) struct Local {
    pub(super) addresses: Addresses,
    /// Whether the file has the name, perhaps with addresses of the other family only.
    pub(super) is_listed: bool,
}

impl Hosts<'static> {
    /// Reads `/etc/hosts`.
    pub const fn new() -> Self {
        Self { path: HOSTS_FILE }
    }
}

impl<'p> Hosts<'p> {
    /// Reads the file at this path. A file that does not exist, or that the process may not read, is empty.
    pub const fn at(path: &'p CStr) -> Self {
        Self { path }
    }

    pub(super) fn look_up(&self, host: &str, port: u16, families: Families) -> Result<Local> {
        match name::text(host)? {
            Text::Addr(addr) => {
                let addresses = name::numeric(addr, port, families)?;
                Ok(Local { addresses, is_listed: false })
            }
            Text::Name(name) => self.look_up_name(name, port, families),
        }
    }

    fn look_up_name(&self, name: &str, port: u16, families: Families) -> Result<Local> {
        let (mut addresses, mut is_listed) = (Addresses::new(), false);
        text_file::read_lines(self.path, &mut |lines| {
            find_host(lines, name::without_dot(name), |ip| {
                is_listed = true;
                addresses.push_wanted(Address::new(SocketAddr::new(ip, port), Source::Hosts), families);
            });
        })?;
        if addresses.is_empty() && name::is_localhost(name) {
            for ip in [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)] {
                addresses.push_wanted(Address::new(SocketAddr::new(ip, port), Source::Localhost), families);
            }
        }
        addresses.sort(families);
        Ok(Local { addresses, is_listed })
    }
}

impl Default for Hosts<'static> {
    fn default() -> Self {
        Self::new()
    }
}

/// Fails with [`HostNotFound`](Cause::HostNotFound) for a name that the file does not have, and with the errno of
/// reading it: `EMFILE`, `ENFILE`, `ENOMEM`, `EIO`.
impl Resolve for Hosts<'_> {
    fn resolve(&mut self, host: &str, port: u16, families: Families) -> Result<Addresses> {
        let local = self.look_up(host, port, families)?;
        if local.addresses.is_empty() { Err(local.not_found()) } else { Ok(local.addresses) }
    }
}

impl Local {
    fn not_found(&self) -> Error {
        let cause = if self.is_listed { Cause::NoAddress } else { Cause::HostNotFound };
        Error::refused(Op::Resolve, cause)
    }
}

/// Calls `found` with the address of each line of a hosts file that has the name. Makes no system call.
///
/// ```
/// let file = b"127.0.0.1 localhost\n10.0.0.1 db.internal DB # primary\n";
/// let mut found = Vec::new();
/// anet::resolve::find_host(file, "db", |ip| found.push(ip));
/// assert_eq!(found, ["10.0.0.1".parse::<std::net::IpAddr>()?]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn find_host(file: &[u8], name: &str, mut found: impl FnMut(IpAddr)) {
    let Some(search) = Search::new(name.as_bytes()) else { return };
    let mut at = 0;
    while let Some(place) = search.next(file, at) {
        at = place + 1;
        if is_word(file, place, name.len()) {
            let line = line_around(file, place);
            address_of(line.text, place - line.start).into_iter().for_each(&mut found);
            // Whether or not the line has the name: one word of it is enough to know.
            at = line.start + line.text.len();
        }
    }
}

/// A search for a text in any case that looks at few of the bytes (Horspool): at the byte under the text's end, which
/// shows how far the text can move.
struct Search<'n> {
    name: &'n [u8],
    last: usize,
    moves: [u8; 256],
}

impl<'n> Search<'n> {
    /// `None` for a text that is not a word, and one too long for a host name.
    fn new(name: &'n [u8]) -> Option<Self> {
        if name.iter().any(|&byte| is_blank(byte) || b"\n#".contains(&byte)) {
            return None;
        }
        let len = u8::try_from(name.len()).ok()?;
        let last = name.len().checked_sub(1)?;
        let mut moves = [len; 256];
        for (byte, to_end) in name.iter().take(last).zip((1..len).rev()) {
            for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                moves[usize::from(byte)] = to_end;
            }
        }
        Some(Self { name, last, moves })
    }

    /// The first place of the text from `at` on.
    fn next(&self, file: &[u8], mut at: usize) -> Option<usize> {
        loop {
            let end = *file.get(at + self.last)?;
            let found = file.get(at..at + self.name.len())?;
            if found.eq_ignore_ascii_case(self.name) {
                return Some(at);
            }
            at += usize::from(self.moves[usize::from(end)]);
        }
    }
}

struct Line<'f> {
    /// Where it starts in the file.
    start: usize,
    /// Without its newline.
    text: &'f [u8],
}

fn line_around(file: &[u8], place: usize) -> Line<'_> {
    let (before, after) = file.split_at(place.min(file.len()));
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let end = after.iter().position(|&byte| byte == b'\n').map_or(file.len(), |at| place + at);
    Line { start, text: file.get(start..end).unwrap_or_default() }
}

/// Whether the text of this length is a word, and not the first of its line.
fn is_word(file: &[u8], place: usize, len: usize) -> bool {
    let before = place.checked_sub(1).and_then(|at| file.get(at));
    let after = file.get(place + len);
    before.is_some_and(|&byte| is_blank(byte)) && after.is_none_or(|&byte| is_blank(byte) || b"\n#".contains(&byte))
}

/// The address of a line, if the word at `place` is one of its names.
fn address_of(line: &[u8], place: usize) -> Option<IpAddr> {
    let head = line.get(..place).filter(|head| !head.contains(&b'#'))?;
    let address = head.split(|&byte| is_blank(byte)).find(|word| !word.is_empty())?;
    parse::ip(core::str::from_utf8(address).ok()?).ok()
}

/// C's `isspace` without the newline.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::String, string::ToString, vec::Vec};

    fn found(file: &str, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        find_host(file.as_bytes(), name, |ip| found.push(ip.to_string()));
        found
    }

    const FILE: &str = "# comment\n\
        127.0.0.1\tlocalhost\n\
        ::1 localhost ip6-localhost # v6\n\
        10.0.0.1 db.internal db\r\n\
        \t 10.0.0.2   DB.Internal\tdb2 db2\n\
        10.0.0.3 db3 # db4\n\
        10.0.0.5 db5#db6\n\
        #10.0.0.6 db\n\
        10.0.0 bad\nbad 10.0.0.7 bad\nfe80::1%lo bad\n10.0.0.8\n\
        10.0.0.9 last";

    #[test]
    fn all_lines_with_the_name_count_in_any_case() {
        let cases: [(&str, &[&str]); 19] = [
            ("localhost", &["127.0.0.1", "::1"]),
            ("LOCALHOST", &["127.0.0.1", "::1"]),
            ("db.internal", &["10.0.0.1", "10.0.0.2"]),
            ("db", &["10.0.0.1"]),
            ("db2", &["10.0.0.2"]),
            ("db3", &["10.0.0.3"]),
            ("db4", &[]),
            ("db5", &["10.0.0.5"]),
            ("db6", &[]),
            ("internal", &[]),
            ("v6", &[]),
            ("bad", &[]),
            ("10.0.0.8", &[]),
            ("last", &["10.0.0.9"]),
            ("las", &[]),
            ("", &[]),
            ("\n", &[]),
            ("\n::1", &[]),
            ("db.internal db", &[]),
        ];
        for (name, addresses) in cases {
            assert_eq!(found(FILE, name), addresses, "{name}");
        }
    }

    #[test]
    fn the_search_agrees_with_looking_at_every_word() {
        let words = ["a", "aa", "aba", "abab", "ba.ab", "baab", "x", "aXa"];
        let mut random = 1_u32;
        for _ in 0..2000 {
            let mut file = String::new();
            let mut next = || {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 16) as usize
            };
            for line in 0..4 {
                file += &format!("10.0.0.{line}");
                for _ in 0..next() % 4 {
                    file += &format!("{}{}", [" ", "\t", " #", "  "][next() % 4], words[next() % 8]);
                }
                file += "\n";
            }
            for name in words {
                let has_name = |line: &&str| {
                    let line = line.split('#').next().unwrap();
                    line.split_whitespace().skip(1).any(|word| word.eq_ignore_ascii_case(name))
                };
                let slow: Vec<_> = file.lines().filter(has_name).map(|line| &line[..8]).collect();
                assert_eq!(found(&file, name), slow, "{name} in {file:?}");
            }
        }
    }
}
