//! The command-line flags.

use core::{fmt, str::FromStr, time::Duration};
use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
};

use anet::{
    SocketOptions, UnixAddr,
    accept::Limits,
    listen::{Access, BindList, Protocols},
    option::TcpKeepalive,
};

/// The flags that take a value, and their defaults.
const FLAGS: [(&str, &str); 12] = [
    ("bind", "127.0.0.1 -::1"),
    ("max-delay", "0"),
    ("max-per-source", "0"),
    ("maxclients", "10000"),
    ("port", "6380"),
    ("port-file", ""),
    ("protected-mode", "yes"),
    ("tcp-backlog", "511"),
    ("tcp-keepalive", "300"),
    ("timeout", "0"),
    ("unixsocket", ""),
    ("unixsocketperm", "700"),
];
const MEANINGS: &str = "
Flags mean what they mean to Redis; --port 0 lets the system choose, and 0 is off for --tcp-keepalive, --timeout (both
in seconds) and --max-per-source, the most clients from one IPv4 address or IPv6 /64 network. --max-delay is how many
microseconds requests of many clients may wait for each other (200 is a good choice), 0 for none. --udp takes requests
as datagrams too, and --port-file writes down the ports in use, as memcached does. A forged source address sends replies
to a stranger: with --protected-mode no, --udp is for networks where no address can be forged.";

/// How many characters of a value an error shows.
const SHOWN: usize = 64;

/// The server's configuration.
pub struct Flags {
    bind: String,
    port: u16,
    pub unix_socket: Option<UnixAddr>,
    pub protocols: Protocols,
    pub access: Access,
    pub options: SocketOptions,
    pub limits: Limits,
    pub idle_timeout: Option<Duration>,
    pub max_delay: Option<Duration>,
    values: Values,
}

type Values = BTreeMap<&'static str, OsString>;

impl Flags {
    /// `None` if help is requested.
    pub fn from_args() -> Result<Option<Self>, String> {
        let mut values = Values::from(FLAGS.map(|(name, value)| (name, value.into())));
        let mut protocols = Protocols::Tcp;
        let mut args = env::args_os().skip(1);
        while let Some(flag) = args.next() {
            let name = flag.to_str().and_then(|flag| flag.strip_prefix("--")).unwrap_or_default();
            match (name, values.get_mut(name)) {
                ("help", _) => return Ok(None),
                ("udp", _) => protocols = Protocols::TcpAndUdp,
                (_, Some(value)) => *value = args.next().ok_or_else(|| format!("no value for --{name}"))?,
                _ => return Err(format!("unknown flag {}", shown(&flag))),
            }
        }
        Self::from_values(values, protocols).map(Some)
    }

    fn from_values(values: Values, protocols: Protocols) -> Result<Self, String> {
        let max_clients = parsed(&values, "maxclients", |text| number(text).filter(|max| *max > 0))?;
        let max_per_source = parsed(&values, "max-per-source", number)?;
        let permissions = |text: &str| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
        Ok(Self {
            bind: parsed(&values, "bind", number)?,
            port: parsed(&values, "port", number)?,
            unix_socket: unix_socket(&values)?,
            protocols,
            access: Access { mode: Some(parsed(&values, "unixsocketperm", permissions)?), group: None },
            options: SocketOptions::new()
                .with_tcp_nodelay(true)
                .with_tcp_keepalive(parsed(&values, "tcp-keepalive", keepalive)?)
                .with_backlog(parsed(&values, "tcp-backlog", number)?),
            limits: Limits::new()
                .with_max_clients(max_clients)
                .with_max_per_source(Some(max_per_source).filter(|max| *max > 0))
                .with_protected_mode(parsed(&values, "protected-mode", yes_or_no)?),
            idle_timeout: parsed(&values, "timeout", seconds)?,
            max_delay: Some(Duration::from_micros(parsed(&values, "max-delay", number)?))
                .filter(|time| !time.is_zero()),
            values,
        })
    }

    /// The addresses to serve over TCP, and over UDP with `--udp`.
    pub fn bind_list(&self) -> Result<BindList<'_>, String> {
        BindList::parse(&self.bind, self.port).map_err(|error| refused(&self.values, "bind", error))
    }

    /// `None` if none is given.
    pub fn port_file(&self) -> Option<&[u8]> {
        path(&self.values, "port-file")
    }

    /// The answers of `CONFIG GET`: the flags, and other parameters that Redis's clients query.
    pub fn config(&self) -> BTreeMap<&'static str, String> {
        let fixed = [("appendonly", "no"), ("databases", "1"), ("save", "")].map(|(name, value)| (name, value.into()));
        self.values.iter().map(|(name, value)| (*name, value.to_string_lossy().into())).chain(fixed).collect()
    }
}

/// The text of `--help`.
pub fn help() -> String {
    let flags = FLAGS.map(|(name, value)| format!(" [--{name} {value:?}]")).concat();
    format!("Usage: kv{flags} [--udp]{MEANINGS}")
}

fn parsed<T>(values: &Values, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, String> {
    let value = &values[name];
    value.to_str().and_then(parse).ok_or_else(|| format!("invalid value {} for --{name}", shown(value)))
}

fn unix_socket(values: &Values) -> Result<Option<UnixAddr>, String> {
    let addr = path(values, "unixsocket").map(UnixAddr::path).transpose();
    addr.map_err(|error| refused(values, "unixsocket", error))
}

/// `None` if none is given.
fn path<'a>(values: &'a Values, name: &str) -> Option<&'a [u8]> {
    values.get(name).map(|path| path.as_encoded_bytes()).filter(|path| !path.is_empty())
}

fn refused(values: &Values, name: &str, error: impl fmt::Display) -> String {
    format!("invalid value {} for --{name}: {error}", shown(&values[name]))
}

/// A value in quotes, truncated if it would fill the screen.
fn shown(value: &OsStr) -> String {
    let text = value.to_string_lossy();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn yes_or_no(text: &str) -> Option<bool> {
    ["no", "yes"].iter().position(|word| *word == text).map(|index| index == 1)
}

/// 0 is off.
fn seconds(text: &str) -> Option<Option<Duration>> {
    let seconds = number(text)?;
    Some(Some(Duration::from_secs(seconds)).filter(|time| !time.is_zero()))
}

fn keepalive(text: &str) -> Option<Option<TcpKeepalive>> {
    seconds(text)?.map(TcpKeepalive::after_idle).transpose().ok()
}
