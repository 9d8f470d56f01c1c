//! Requests and responses of HTTP/1.1, independent of the transport.

use std::io::Write;

const HEADERS_MAX: usize = 64;
pub const HEAD_MAX: usize = 8 << 10;
pub const BODY_MAX: usize = 64 << 10;

/// The state of a connection.
#[derive(Default)]
pub struct Session {
    /// Unparsed input.
    pub input: Vec<u8>,
    /// Unsent responses.
    pub output: Vec<u8>,
    /// Whether the connection closes after them.
    pub ends: bool,
    /// Whether the client asked to close and has sent nothing after its last request.
    pub is_done: bool,
}

impl Session {
    /// Answers every complete request; returns whether there was one.
    pub fn answer(&mut self, is_last: bool) -> bool {
        let mut answered = 0;
        while !self.ends {
            match Request::parse(&self.input[answered..]) {
                Ok(Some(request)) => {
                    self.ends = request.closes || is_last;
                    request.answer(self.ends, &mut self.output);
                    answered += request.len;
                    self.is_done = request.closes && answered == self.input.len();
                }
                Ok(None) => break,
                Err(refusal) => self.refuse(refusal),
            }
        }
        self.input.drain(..if self.ends { self.input.len() } else { answered });
        answered > 0
    }

    pub fn refuse(&mut self, Refusal(status): Refusal) {
        self.ends = true;
        respond(status, status.as_bytes(), true, false, &mut self.output);
    }
}

/// The status of a response that ends the connection.
pub struct Refusal(pub &'static str);

struct Request<'a> {
    method: &'a str,
    body: &'a [u8],
    /// With its head.
    len: usize,
    closes: bool,
}

impl<'a> Request<'a> {
    /// `None` if it is not complete.
    fn parse(bytes: &'a [u8]) -> Result<Option<Self>, Refusal> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        let head_len = match head.parse(&bytes[..bytes.len().min(HEAD_MAX)]) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => {
                return Err(Refusal("431 Request Header Fields Too Large"));
            }
            Err(_) => return Err(Refusal("400 Bad Request")),
        };
        let (mut body_len, mut closes) = (None, head.version == Some(0));
        for header in head.headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                let len = content_length(header.value)?;
                if body_len.replace(len).is_some_and(|other| other != len) {
                    return Err(Refusal("400 Bad Request"));
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(Refusal("501 Not Implemented"));
            } else if header.name.eq_ignore_ascii_case("connection") {
                let mut options = header.value.split(|byte| *byte == b',');
                closes |= options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
            }
        }
        let len = head_len + body_len.unwrap_or(0);
        let method = head.method.unwrap_or_default();
        Ok(bytes.get(head_len..len).map(|body| Self { method, body, len, closes }))
    }

    fn answer(&self, ends: bool, output: &mut Vec<u8>) {
        match self.method {
            "GET" | "HEAD" => respond("200 OK", b"Hello\n", ends, self.method == "HEAD", output),
            "POST" => respond("200 OK", self.body, ends, false, output),
            _ => respond("501 Not Implemented", b"", ends, false, output),
        }
    }
}

fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal("400 Bad Request"));
    }
    let len = core::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
    len.filter(|len| *len <= BODY_MAX).ok_or(Refusal("413 Content Too Large"))
}

fn respond(status: &str, body: &[u8], ends: bool, is_head: bool, output: &mut Vec<u8>) {
    let connection = if ends { "connection: close\r\n" } else { "" };
    // Writing to a `Vec` cannot fail.
    let _ = write!(output, "HTTP/1.1 {status}\r\n{connection}content-length: {}\r\n\r\n", body.len());
    output.extend_from_slice(if is_head { b"" } else { body });
}
