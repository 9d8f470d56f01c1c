//! The configuration of the stub resolver: `/etc/resolv.conf`.

use core::{
    ffi::CStr,
    net::{SocketAddr, SocketAddrV6},
    str,
    time::Duration,
};

use arrayvec::{ArrayString, ArrayVec};

use crate::{
    addr::parse::{Host, HostPort, Zone},
    error::Result,
    resolve::text_file,
};

/// The usual path of the configuration.
pub const RESOLV_CONF: &CStr = c"/etc/resolv.conf";

/// The most name servers (`MAXNS`).
pub const NAME_SERVERS_MAX: usize = 3;

/// The room for the search list, in bytes with a separator for each domain.
pub const SEARCH_LIST_LEN: usize = 1024;

const PORT: u16 = 53;

/// Which servers to ask, how often, and for what (resolv.conf(5)).
///
/// ```
/// use anet::resolve::dns::Config;
///
/// let config = Config::parse(b"nameserver 10.0.0.53\nsearch prod.internal\noptions ndots:2 timeout:1 edns0\n");
/// assert_eq!(config.name_servers(), ["10.0.0.53:53".parse()?]);
/// assert_eq!(config.search().collect::<Vec<_>>(), ["prod.internal"]);
/// assert_eq!(config.timeout(), std::time::Duration::from_secs(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[doc(alias("resolv.conf", "res_init"))]
pub struct Config {
    name_servers: ArrayVec<SocketAddr, NAME_SERVERS_MAX>,
    /// The domains, each with a space after it.
    search: ArrayString<SEARCH_LIST_LEN>,
    ndots: u8,
    timeout: Duration,
    attempts: u8,
    rotate: bool,
    edns0: bool,
    use_vc: bool,
}

impl Config {
    const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
    const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);
    const NDOTS_MAX: u8 = 15;
    const ATTEMPTS_MAX: u8 = 5;

    /// The defaults: the server on this host, no search list, one dot, 5 seconds, 2 attempts.
    pub const fn new() -> Self {
        Self {
            name_servers: ArrayVec::new_const(),
            search: ArrayString::new_const(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
            edns0: false,
            use_vc: false,
        }
    }

    /// Parses the text of a `resolv.conf`. As in glibc, lines and options that are not understood are ignored; unlike
    /// there, the search list is empty if the file has none, and no environment variable counts.
    ///
    /// A name server with the name of an interface as its zone (`fe80::1%eth0`) is ignored: only a
    /// [`Stub`](super::Stub), which may ask the kernel for its index, uses it.
    pub fn parse(file: &[u8]) -> Self {
        let mut config = Self::new();
        config.add_lines(file, &mut |_| None);
        config
    }

    /// Reads the file.
    pub(super) fn read(path: &CStr, index_of: &mut dyn FnMut(&str) -> Option<u32>) -> Result<Self> {
        let mut config = Self::new();
        text_file::read_lines(path, &mut |lines| config.add_lines(lines, index_of))?;
        Ok(config)
    }

    /// The servers, in the order in which they are asked. If the configuration names none, the server at port 53 of
    /// this host is asked.
    pub fn name_servers(&self) -> &[SocketAddr] {
        &self.name_servers
    }

    /// Replaces the servers. Only the first [`NAME_SERVERS_MAX`] count.
    pub fn with_name_servers(mut self, servers: &[SocketAddr]) -> Self {
        self.name_servers.clear();
        self.name_servers.extend(servers.iter().take(NAME_SERVERS_MAX).copied());
        self
    }

    /// The server with this number, modulo their count.
    pub(super) fn server(&self, number: usize) -> SocketAddr {
        let here = SocketAddr::from(([127, 0, 0, 1], PORT));
        self.name_servers.get(number % self.servers()).copied().unwrap_or(here)
    }

    /// How many servers there are, at least 1.
    pub(super) fn servers(&self) -> usize {
        self.name_servers.len().max(1)
    }

    /// The domains that are appended to names.
    pub fn search(&self) -> impl Iterator<Item = &str> + Clone {
        self.search.split_ascii_whitespace()
    }

    /// Replaces the search list: domains with spaces between them. A text that is not a host name is ignored, and so is
    /// a domain beyond the first [`SEARCH_LIST_LEN`] bytes.
    pub fn with_search(mut self, domains: &str) -> Self {
        self.search.clear();
        domains.split_ascii_whitespace().for_each(|domain| self.add_domain(domain));
        self
    }

    fn add_domain(&mut self, domain: &str) {
        let is_name = matches!(HostPort::parse(domain), Ok(HostPort { host: Host::Name(_), port: None }));
        if is_name && domain.len() < self.search.remaining_capacity() {
            self.search.push_str(domain);
            self.search.push(' ');
        }
    }

    /// A name with at least this many dots is first asked for as it is, a name with fewer after the search list.
    pub const fn ndots(&self) -> u8 {
        self.ndots
    }

    /// Sets [`ndots`](Self::ndots), at most 15.
    pub fn with_ndots(mut self, ndots: u8) -> Self {
        self.ndots = ndots.min(Self::NDOTS_MAX);
        self
    }

    /// How long to wait for a server before the next one is asked.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sets the [timeout](Self::timeout), 1 ms to 30 s.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.clamp(Self::SHORTEST_TIMEOUT, Self::LONGEST_TIMEOUT);
        self
    }

    /// How often each server is asked.
    pub const fn attempts(&self) -> u8 {
        self.attempts
    }

    /// Sets the [attempts](Self::attempts), 1 to 5.
    pub fn with_attempts(mut self, attempts: u8) -> Self {
        self.attempts = attempts.clamp(1, Self::ATTEMPTS_MAX);
        self
    }

    /// Whether each lookup begins with another server.
    pub const fn rotate(&self) -> bool {
        self.rotate
    }

    /// Sets [`rotate`](Self::rotate).
    pub const fn with_rotate(mut self, rotate: bool) -> Self {
        self.rotate = rotate;
        self
    }

    /// Whether queries offer 1232 bytes for an answer (EDNS0, RFC 6891) instead of 512.
    pub const fn edns0(&self) -> bool {
        self.edns0
    }

    /// Sets [`edns0`](Self::edns0).
    pub const fn with_edns0(mut self, edns0: bool) -> Self {
        self.edns0 = edns0;
        self
    }

    /// Whether queries go over TCP from the start.
    pub const fn use_vc(&self) -> bool {
        self.use_vc
    }

    /// Sets [`use_vc`](Self::use_vc).
    pub const fn with_use_vc(mut self, use_vc: bool) -> Self {
        self.use_vc = use_vc;
        self
    }

    fn add_lines(&mut self, lines: &[u8], index_of: &mut dyn FnMut(&str) -> Option<u32>) {
        for line in lines.split(|&byte| byte == b'\n').filter_map(|line| str::from_utf8(line).ok()) {
            self.add_line(line, index_of);
        }
    }

    fn add_line(&mut self, line: &str, index_of: &mut dyn FnMut(&str) -> Option<u32>) {
        // Comments begin in the first column; glibc ignores what follows a server's address.
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") => self.add_name_server(words.next().unwrap_or_default(), index_of),
            Some("domain" | "search") => {
                self.search.clear();
                words.for_each(|domain| self.add_domain(domain));
            }
            Some("options") => words.for_each(|option| self.add_option(option)),
            _ => {}
        }
    }

    fn add_name_server(&mut self, text: &str, index_of: &mut dyn FnMut(&str) -> Option<u32>) {
        let host = HostPort::parse(text).ok().filter(|target| target.port.is_none() && !text.starts_with('['));
        let addr = host.and_then(|target| match target.host {
            Host::Ip(ip) => Some(SocketAddr::new(ip, PORT)),
            Host::Zoned(ip, Zone::Index(index)) => Some(SocketAddrV6::new(ip, PORT, 0, index).into()),
            Host::Zoned(ip, Zone::Name(name)) => Some(SocketAddrV6::new(ip, PORT, 0, index_of(name)?).into()),
            Host::Name(_) => None,
        });
        if let Some(addr) = addr {
            // As in glibc, a fourth one is ignored.
            let _ = self.name_servers.try_push(addr);
        }
    }

    fn add_option(&mut self, option: &str) {
        let (name, number) = option.split_once(':').unwrap_or((option, ""));
        // Out of range means the nearest number in range, as in glibc.
        let number = number.parse::<u32>().map(|number| u8::try_from(number).unwrap_or(u8::MAX));
        match (name, number) {
            ("ndots", Ok(ndots)) => self.ndots = ndots.min(Self::NDOTS_MAX),
            ("timeout", Ok(seconds)) => {
                let timeout = Duration::from_secs(u64::from(seconds.max(1)));
                self.timeout = timeout.min(Self::LONGEST_TIMEOUT);
            }
            ("attempts", Ok(attempts)) => self.attempts = attempts.clamp(1, Self::ATTEMPTS_MAX),
            ("rotate", _) => self.rotate = true,
            ("edns0", _) => self.edns0 = true,
            ("use-vc", _) => self.use_vc = true,
            _ => {}
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::ToString, vec::Vec};

    fn servers(file: &str) -> Vec<std::string::String> {
        Config::parse(file.as_bytes()).name_servers().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_three_servers_with_an_address_count() {
        let file = "# nameserver 10.0.0.1\n;nameserver 10.0.0.2\nnameserver 10.0.0.3 # here\n\
            nameserver\nnameserver ns.internal\nnameserver 1.2.3\nnameserver [::1]\nnameserver 10.0.0.9:53\n\
            \tnameserver ::1\nnameserver fe80::1%3\nnameserver 10.0.0.6\n";
        assert_eq!(servers(file), ["10.0.0.3:53", "[::1]:53", "[fe80::1%3]:53"]);
        assert_eq!(servers("nameserver fe80::1%lo\n"), [""; 0]);
        let mut config = Config::new();
        config.add_lines(b"nameserver fe80::1%lo", &mut |name| (name == "lo").then_some(1));
        assert_eq!(config.name_servers(), ["[fe80::1%1]:53".parse().unwrap()]);
        assert_eq!(Config::new().server(7), "127.0.0.1:53".parse().unwrap());
    }

    #[test]
    fn the_last_search_list_counts_and_options_accumulate() {
        let config = Config::parse(
            b"domain a.internal\nsearch b.internal  c -bad .\n\noptions ndots:99 timeout:0\noptions attempts:9 rotate\r\n\
            options edns0 use-vc inet6 ndots: timeout:x\n",
        );
        assert_eq!(config.search().collect::<Vec<_>>(), ["b.internal", "c"]);
        assert_eq!((config.ndots(), config.attempts(), config.timeout()), (15, 5, Duration::from_secs(1)));
        assert!(config.rotate() && config.edns0() && config.use_vc());
        assert_eq!(Config::parse(b"options timeout:4000000000").timeout(), Duration::from_secs(30));
        assert_eq!(Config::parse(b"options attempts:0").attempts(), 1);
        assert_eq!(Config::parse(b""), Config::new());
    }

    #[test]
    fn the_search_list_is_bounded() {
        let domains: Vec<_> = (0..200).map(|n| format!("domain{n}.internal")).collect();
        let config = Config::new().with_search(&domains.join(" "));
        let kept: Vec<_> = config.search().collect();
        assert!(kept.len() > 40 && kept == domains[..kept.len()]);
    }
}
