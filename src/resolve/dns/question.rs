//! [`Question`]: a DNS query and the answers to it.

use core::net::{IpAddr, SocketAddr};

use domain::{
    base::{
        Message, MessageBuilder, Name, ParseRecordData, ParsedName, Record, RecordSection, Rtype, StreamTarget, Ttl,
        iana::{Class, Opcode, Rcode},
        message_builder::OptBuilder,
        name::{NameBuilder, ToName},
    },
    dep::octseq::array::Array,
    rdata::{A, Aaaa, Cname},
};

use crate::{
    error::{Cause, Error, Op, Result},
    resolve::{Address, Addresses, Family, Source},
};

/// The size of an answer that a query with EDNS0 offers to take over UDP (DNS Flag Day 2020).
pub const EDNS0_LEN: u16 = 1232;

/// The most aliases (CNAME records) that lead from a name to its addresses.
pub const ALIASES_MAX: usize = 16;

/// 2 bytes of length for TCP, 12 of header, 255 of name, 4 of type and class, 11 of EDNS0.
const QUERY_LEN: usize = 2 + 12 + 255 + 4 + 11;

/// A question to a DNS server: the addresses of one family of a name. Makes no system call.
///
/// ```
/// use anet::resolve::{Addresses, Family, dns::{Answer, Question}};
///
/// let question = Question::new("cache.internal", Family::V4, 0x1234)?;
/// let query = question.to_query(false);
/// assert_eq!(query.as_bytes()[..2], [0x12, 0x34]);
///
/// // The query itself is no answer to it.
/// let mut addresses = Addresses::new();
/// assert_eq!(question.read_answer(query.as_bytes(), 6379, &mut addresses), Answer::Other);
/// # Ok::<(), anet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Question {
    name: Name<Array<255>>,
    family: Family,
    id: u16,
}

/// The message that asks a [`Question`].
#[derive(Clone, Debug)]
pub struct Query(Array<QUERY_LEN>);

impl Query {
    /// The message, as it is sent over UDP.
    pub fn as_bytes(&self) -> &[u8] {
        self.as_stream_bytes().get(2..).unwrap_or_default()
    }

    /// The message with its length before it, as it is sent over TCP.
    pub fn as_stream_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// What a message of a server says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// The name has addresses.
    Found,
    /// The name exists, and has no address of this family.
    NoAddress,
    /// The name does not exist (`NXDOMAIN`).
    NoName,
    /// The answer did not fit into a datagram: ask again over TCP.
    Truncated,
    /// The server failed, with this RCODE; 0 if the message answers the question and cannot be read, has more than
    /// [`ALIASES_MAX`] aliases, or refers to other servers.
    Failed(u8),
    /// The server refuses to answer (`REFUSED`).
    Refused,
    /// The message is no answer to this question.
    Other,
}

impl Question {
    /// Asks for the addresses of this family; the id should be random.
    ///
    /// # Errors
    ///
    /// [`InvalidHostName`](Cause::InvalidHostName) for a name with an empty label, a label of more than 63 bytes, or
    /// more than 253 bytes.
    pub fn new(name: &str, family: Family, id: u16) -> Result<Self> {
        let invalid = Error::refused(Op::Resolve, Cause::InvalidHostName { at: 0 });
        Ok(Self { name: encode(name).ok_or(invalid)?, family, id })
    }

    /// The family that is asked for.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The query, which asks for recursion, with EDNS0 on request.
    pub fn to_query(&self, edns0: bool) -> Query {
        // Every query fits; an empty message gets no answer.
        Query(self.write(edns0).unwrap_or_default())
    }

    fn write(&self, edns0: bool) -> Option<Array<QUERY_LEN>> {
        let target = StreamTarget::new(Array::new()).ok()?;
        let mut message = MessageBuilder::from_target(target).ok()?;
        message.header_mut().set_id(self.id);
        message.header_mut().set_rd(true);
        let mut question = message.question();
        question.push((&self.name, self.rtype())).ok()?;
        let mut additional = question.additional();
        if edns0 {
            let offer = |opt: &mut OptBuilder<'_, _>| {
                opt.set_udp_payload_size(EDNS0_LEN);
                Ok(())
            };
            additional.opt(offer).ok()?;
        }
        Some(additional.finish().into_target())
    }

    const fn rtype(&self) -> Rtype {
        match self.family {
            Family::V4 => Rtype::A,
            Family::V6 => Rtype::AAAA,
        }
    }

    /// Reads a message of a server, and adds the addresses that it has, with `port`.
    ///
    /// The message must have the id and the question of the query. Only records of the name and of its aliases count.
    pub fn read_answer(&self, message: &[u8], port: u16, addresses: &mut Addresses) -> Answer {
        self.read(message, Extent::Datagram, port, addresses)
    }

    pub(super) fn read(&self, message: &[u8], extent: Extent, port: u16, addresses: &mut Addresses) -> Answer {
        let Ok(message) = Message::from_slice(message) else { return Answer::Other };
        let header = message.header();
        if header.id() != self.id || !header.qr() || header.opcode() != Opcode::QUERY {
            return Answer::Other;
        }
        let Ok(question) = message.sole_question() else { return without_question(message) };
        let is_same = question.qname().name_eq(&self.name) && question.qtype() == self.rtype();
        match header.rcode() {
            _ if !is_same || question.qclass() != Class::IN => Answer::Other,
            _ if header.tc() && extent == Extent::Datagram => Answer::Truncated,
            Rcode::NOERROR => {
                let mut found = addresses.clone();
                let add = |ip, ttl| {
                    let address = Address::new(SocketAddr::new(ip, port), Source::Dns);
                    found.push(address.with_ttl_seconds(ttl));
                };
                let answer = self.read_records(message, *question.qname(), extent, add);
                // Nothing of a malformed answer counts.
                answer.inspect(|_| *addresses = found).unwrap_or(Answer::Failed(0))
            }
            Rcode::NXDOMAIN => Answer::NoName,
            Rcode::REFUSED => Answer::Refused,
            rcode => Answer::Failed(rcode.to_int()),
        }
    }

    fn read_records(
        &self,
        message: &Message<[u8]>,
        name: ParsedName<&[u8]>,
        extent: Extent,
        add: impl FnMut(IpAddr, u32),
    ) -> Result<Answer, Unreadable> {
        let records = Records { section: message.answer().map_err(|_| Unreadable)?, extent };
        let Alias { target, ttl } = records.follow_aliases(name)?;
        let found = match self.family {
            Family::V4 => records.add::<A>(&target, ttl, |data| data.addr().octets().into(), add)?,
            Family::V6 => records.add::<Aaaa>(&target, ttl, |data| data.addr().octets().into(), add)?,
        };
        let header = message.header();
        match found {
            true => Ok(Answer::Found),
            // A referral: this server does not resolve names for us.
            false if message.header_counts().ancount() == 0 && !header.aa() && !header.ra() => Err(Unreadable),
            false => Ok(Answer::NoAddress),
        }
    }
}

/// A server that cannot read the query may leave its question out.
fn without_question(message: &Message<[u8]>) -> Answer {
    match message.header().rcode() {
        Rcode::NOERROR | Rcode::NXDOMAIN => Answer::Other,
        _ if message.header_counts().qdcount() > 0 => Answer::Other,
        Rcode::REFUSED => Answer::Refused,
        rcode => Answer::Failed(rcode.to_int()),
    }
}

/// How much of a message there is, and how it came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Extent {
    /// All of it, over UDP.
    Datagram,
    /// All of it, over TCP.
    Whole,
    /// The first bytes, over TCP: the rest is no error.
    Beginning,
}

/// A message that answers the question, but is malformed.
struct Unreadable;

/// What an alias stands for.
struct Alias<'m> {
    target: ParsedName<&'m [u8]>,
    ttl: u32,
}

/// The records of the answer section.
#[derive(Clone, Copy)]
struct Records<'m> {
    section: RecordSection<'m, [u8]>,
    extent: Extent,
}

impl<'m> Records<'m> {
    /// The records of one type, up to the end or an error.
    fn of<D: ParseRecordData<'m, [u8]>>(
        self,
    ) -> impl Iterator<Item = Result<Record<ParsedName<&'m [u8]>, D>, Unreadable>> {
        let records = self.section.limit_to_in::<D>().map(|record| record.map_err(|_| Unreadable));
        // Without this the iterator goes on after an error in one record.
        let mut is_over = false;
        records.map_while(move |record| {
            let ends = is_over || record.is_err() && self.extent == Extent::Beginning;
            is_over |= record.is_err();
            (!ends).then_some(record)
        })
    }

    /// The name that `name` is an alias of in the end, and the smallest TTL on the way.
    fn follow_aliases(self, name: ParsedName<&'m [u8]>) -> Result<Alias<'m>, Unreadable> {
        let mut end = Alias { target: name, ttl: u32::MAX };
        for _ in 0..=ALIASES_MAX {
            match self.alias(&end.target)? {
                Some(Alias { target, ttl }) => end = Alias { target, ttl: end.ttl.min(ttl) },
                None => return Ok(end),
            }
        }
        Err(Unreadable)
    }

    fn alias(self, name: &ParsedName<&[u8]>) -> Result<Option<Alias<'m>>, Unreadable> {
        for record in self.of::<Cname<ParsedName<&'m [u8]>>>() {
            let record = record?;
            if record.owner().name_eq(name) {
                return Ok(Some(Alias { target: *record.data().cname(), ttl: seconds(record.ttl()) }));
            }
        }
        Ok(None)
    }

    /// Passes on the addresses of a name; returns whether there is one.
    fn add<D: ParseRecordData<'m, [u8]>>(
        self,
        owner: &ParsedName<&[u8]>,
        ttl: u32,
        addr: impl Fn(&D) -> IpAddr,
        mut add: impl FnMut(IpAddr, u32),
    ) -> Result<bool, Unreadable> {
        let mut found = false;
        for record in self.of::<D>() {
            let record = record?;
            if record.owner().name_eq(owner) {
                add(addr(record.data()), ttl.min(seconds(record.ttl())));
                found = true;
            }
        }
        Ok(found)
    }
}

/// A TTL with the highest bit set means 0 (RFC 2181, 8).
fn seconds(ttl: Ttl) -> u32 {
    i32::try_from(ttl.as_secs()).map_or(0, i32::unsigned_abs)
}

/// A host name in the form of messages.
fn encode(name: &str) -> Option<Name<Array<255>>> {
    let mut encoded = NameBuilder::<Array<255>>::new();
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        encoded.append_label(Some(label.as_bytes()).filter(|label| !label.is_empty())?).ok()?;
    }
    encoded.into_name().ok()
}
