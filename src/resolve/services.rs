//! Names of ports.

use core::{ffi::CStr, iter, net::IpAddr, str};

use super::text_file;
use crate::{
    addr::{Host, HostPort, ParseError, ParseErrorKind, parse},
    error::Result,
};

/// The usual path of the services file.
pub const SERVICES_FILE: &CStr = c"/etc/services";

/// A transport protocol: a service may have another port with each.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Tcp => b"tcp",
            Self::Udp => b"udp",
        }
    }
}

/// The services file, in memory of the caller (services(5)).
///
/// ```
/// use anet::{addr::Host, resolve::{Services, Transport}};
///
/// let services = Services::new(b"http  80/tcp  www  # WorldWideWeb\ndomain  53/udp\n");
/// assert_eq!(services.port("www", Transport::Tcp), Some(80));
/// assert_eq!(services.name(80, Transport::Tcp), Some("http"));
/// assert_eq!(services.port("domain", Transport::Tcp), None);
///
/// let target = services.host_port("cache.local:http", Transport::Tcp)?;
/// assert_eq!((target.host, target.port), (Host::Name("cache.local"), Some(80)));
/// # Ok::<(), anet::addr::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Services<'b> {
    file: &'b [u8],
}

impl<'b> Services<'b> {
    /// The text of a services file.
    pub const fn new(file: &'b [u8]) -> Self {
        Self { file }
    }

    /// Reads `/etc/services` into the buffer. Debian's has 13 kB.
    ///
    /// ```no_run
    /// use anet::resolve::{Services, Transport};
    ///
    /// let mut buf = [0; 64 * 1024];
    /// let services = Services::read(&mut buf)?;
    /// println!("{:?}", services.port("ssh", Transport::Tcp));
    /// # Ok::<(), anet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`read_at`](Self::read_at).
    #[doc(alias = "setservent")]
    pub fn read(buf: &'b mut [u8]) -> Result<Self> {
        Self::read_at(SERVICES_FILE, buf)
    }

    /// Reads the file at this path into the buffer. A file that does not exist, or that the process may not read, is
    /// empty.
    ///
    /// # Errors
    ///
    /// [`BufferTooShort`](crate::error::Cause::BufferTooShort) if the file does not fit; `EMFILE`, `ENFILE`, `ENOMEM`, `EIO`.
    pub fn read_at(path: &CStr, buf: &'b mut [u8]) -> Result<Self> {
        let len = text_file::read_whole(path, buf)?;
        Ok(Self { file: buf.get(..len).unwrap_or_default() })
    }

    /// The port of a service, by its name or an alias.
    #[doc(alias = "getservbyname")]
    pub fn port(&self, name: &str, transport: Transport) -> Option<u16> {
        let has_name = |service: &Service<'_>| service.names().any(|known| known == name.as_bytes());
        self.of(transport).find(has_name).map(|service| service.port)
    }

    /// The name of the service at a port.
    #[doc(alias = "getservbyport")]
    pub fn name(&self, port: u16, transport: Transport) -> Option<&'b str> {
        let service = self.of(transport).find(|service| service.port == port)?;
        str::from_utf8(service.name).ok()
    }

    /// Parses a host and a port or service, such as `cache.local:http` or `[::1]:80`.
    ///
    /// # Errors
    ///
    /// Those of [`HostPort::parse`]; [`UnknownService`](ParseErrorKind::UnknownService) for a name that the file does
    /// not have.
    pub fn host_port<'t>(&self, text: &'t str, transport: Transport) -> Result<HostPort<'t>, ParseError> {
        let whole = HostPort::parse(text);
        let Some((host, service)) = text.rsplit_once(':').filter(|(_, service)| is_service_name(service)) else {
            return whole;
        };
        // `2001:db8::cafe` ends like `host:service`.
        whole.or_else(|_| self.with_port_of(HostPort::parse(host)?, host, service, transport))
    }

    fn with_port_of<'t>(
        &self,
        target: HostPort<'t>,
        host: &str,
        service: &str,
        transport: Transport,
    ) -> Result<HostPort<'t>, ParseError> {
        match target.host {
            _ if target.port.is_some() => Err(ParseError::new(ParseErrorKind::UnexpectedByte, host.len())),
            Host::Ip(IpAddr::V6(_)) | Host::Zoned(..) if !host.starts_with('[') => {
                Err(ParseError::new(ParseErrorKind::MissingBrackets, 0))
            }
            _ => match self.port(service, transport) {
                Some(port) => Ok(HostPort { port: Some(port), ..target }),
                None => Err(ParseError::new(ParseErrorKind::UnknownService, host.len() + 1)),
            },
        }
    }

    fn of(&self, transport: Transport) -> impl Iterator<Item = Service<'b>> {
        self.file.split(|&byte| byte == b'\n').filter_map(move |line| Service::parse(line, transport))
    }
}

/// Whether the text after a colon can be a service: it has a letter, and only the characters that services have.
fn is_service_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+.".contains(&byte);
    text.bytes().all(is_part) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// A line of the file.
struct Service<'b> {
    name: &'b [u8],
    port: u16,
    aliases: &'b [u8],
}

impl<'b> Service<'b> {
    /// `name port/transport alias ... # comment`
    fn parse(line: &'b [u8], transport: Transport) -> Option<Self> {
        let line = line.split(|&byte| byte == b'#').next()?;
        let (name, rest) = first_word(line)?;
        let (port, aliases) = first_word(rest)?;
        let port = port.strip_suffix(transport.name())?.strip_suffix(b"/")?;
        let port = parse::port(str::from_utf8(port).ok()?).ok()?;
        Some(Self { name, port, aliases })
    }

    fn names(&self) -> impl Iterator<Item = &'b [u8]> {
        let aliases = self.aliases.split(u8::is_ascii_whitespace).filter(|alias| !alias.is_empty());
        iter::once(self.name).chain(aliases)
    }
}

fn first_word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii_start();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    line.split_at_checked(end).filter(|(word, _)| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;
    use Transport::{Tcp, Udp};

    const FILE: &[u8] = b"# services\n\
        http\t\t80/tcp\t\twww\t# WorldWideWeb\n\
        domain 53/tcp\n domain 53/udp\n\
        www 81/udp\n\
        # ssh 22/tcp\n\
        bad 65536/tcp\nbad 080/tcp\nbad 80\nbad\n80/tcp\n\xff\xff 9/tcp latin\n\
        last 99/tcp a b c";

    #[test]
    fn names_and_aliases_have_ports() {
        let services = Services::new(FILE);
        let cases = [
            ("http", Tcp, Some(80)),
            ("www", Tcp, Some(80)),
            ("www", Udp, Some(81)),
            ("HTTP", Tcp, None),
            ("domain", Udp, Some(53)),
            ("ssh", Tcp, None),
            ("bad", Tcp, None),
            ("latin", Tcp, Some(9)),
            ("c", Tcp, Some(99)),
            ("", Tcp, None),
        ];
        for (name, transport, port) in cases {
            assert_eq!(services.port(name, transport), port, "{name}");
        }
        assert_eq!(services.name(80, Tcp), Some("http"));
        assert_eq!(services.name(80, Udp), None);
        assert_eq!(services.name(9, Tcp), None);
    }

    #[test]
    fn a_service_can_take_the_place_of_a_port() {
        let services = Services::new(FILE);
        let cases = [
            ("db:http", "db:80"),
            ("1.2.3.4:www", "1.2.3.4:80"),
            ("[::1]:http", "[::1]:80"),
            ("[::1]:443", "[::1]:443"),
            ("2001:db8::cafe", "2001:db8::cafe"),
            ("db", "db"),
        ];
        for (text, parsed) in cases {
            assert_eq!(services.host_port(text, Tcp), HostPort::parse(parsed), "{text}");
        }
        let refused = [
            ("db:gopher", ParseErrorKind::UnknownService, 3),
            ("::1:http", ParseErrorKind::MissingBrackets, 0),
            ("db:80:http", ParseErrorKind::UnexpectedByte, 5),
            ("db:", ParseErrorKind::MissingPort, 3),
            (":http", ParseErrorKind::Empty, 0),
        ];
        for (text, kind, at) in refused {
            assert_eq!(services.host_port(text, Tcp), Err(ParseError::new(kind, at)), "{text}");
        }
    }

    #[test]
    fn a_file_that_does_not_fit_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("services");
        std::fs::write(&path, FILE).unwrap();
        let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let mut buf = [0; FILE.len()];
        assert_eq!(Services::read_at(&path, &mut buf).unwrap().port("http", Tcp), Some(80));
        let short = Services::read_at(&path, &mut buf[1..]).unwrap_err();
        assert_eq!(short.cause(), Cause::BufferTooShort);
        assert_eq!(Services::read_at(c"/nonexistent", &mut buf).unwrap().port("http", Tcp), None);
    }
}
