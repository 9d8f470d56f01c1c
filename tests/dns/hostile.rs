//! Answers that no server should give: none is believed, none hangs or panics.

use std::{
    io::Write,
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anet::{error::Cause, resolve::Families};

use super::{
    config, error, ip, ips, resolve,
    server::{A, AAAA, Asked, CNAME, Reply, Server, TRUNCATED, encode, question},
    stub,
    support::PATIENCE,
    with_config,
};

/// What the attacker wants to be believed.
const FORGED: &str = "10.66.66.66";

fn forged(asked: &Asked) -> Reply {
    asked.addresses(&[FORGED])
}

fn honest(asked: &Asked) -> Vec<u8> {
    asked.addresses(&["10.0.0.1"]).bytes()
}

/// The addresses if a server sends this before its honest answer.
fn believed_before_the_honest_answer(
    forge: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static,
) -> Vec<std::net::IpAddr> {
    let server = Server::start(move |asked| vec![forge(asked), honest(asked)]);
    ips(&resolve(&mut stub(&[server.addr()]), "db.internal", Families::OnlyV4).unwrap())
}

#[test]
fn a_datagram_that_does_not_answer_the_question_is_ignored() {
    type Forge = fn(&Asked) -> Vec<u8>;
    let forgeries: [(&str, Forge); 14] = [
        ("another id", |asked| Reply { id: asked.id ^ 1, ..forged(asked) }.bytes()),
        ("a query", |asked| Reply { flags: 0x0100, ..forged(asked) }.bytes()),
        ("another opcode", |asked| Reply { flags: 0xa180, ..forged(asked) }.bytes()),
        ("another name", |asked| Reply { question: question("db.internat", A), ..forged(asked) }.bytes()),
        ("a longer name", |asked| Reply { question: question("x.db.internal", A), ..forged(asked) }.bytes()),
        ("another type", |asked| Reply { question: question("db.internal", AAAA), ..forged(asked) }.bytes()),
        ("another class", |asked| {
            let mut question = question("db.internal", A);
            *question.last_mut().unwrap() = 3;
            Reply { question, ..forged(asked) }.bytes()
        }),
        ("no question", |asked| Reply { question: Vec::new(), ..forged(asked) }.bytes()),
        ("two questions", |asked| {
            let mut bytes = Reply { question: question("db.internal", A).repeat(2), ..forged(asked) }.bytes();
            bytes[5] = 2;
            bytes
        }),
        ("nothing", |_| Vec::new()),
        ("a short header", |asked| forged(asked).bytes()[..11].to_vec()),
        ("a header that promises a question", |asked| forged(asked).bytes()[..12].to_vec()),
        ("a cut question", |asked| forged(asked).bytes()[..20].to_vec()),
        ("random bytes", |_| (0..512_u16).map(|n| (n * 37 + 11) as u8).collect()),
    ];
    for (what, forge) in forgeries {
        assert_eq!(believed_before_the_honest_answer(forge), [ip("10.0.0.1")], "{what}");
    }
}

#[test]
fn a_datagram_from_another_socket_is_ignored() {
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    let other_host = UdpSocket::bind("127.0.0.2:0").unwrap();
    let believed = believed_before_the_honest_answer(move |asked| {
        for socket in [&elsewhere, &other_host] {
            socket.send_to(&forged(asked).bytes(), asked.from).unwrap();
        }
        Vec::new()
    });
    assert_eq!(believed, [ip("10.0.0.1")]);
}

/// The error if the only server answers like this.
fn error_of(reply: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Cause {
    let server = Server::start(move |asked| vec![reply(asked)]);
    let start = Instant::now();
    let error = error(resolve(&mut stub(&[server.addr()]), "db.internal", Families::OnlyV4));
    assert!(start.elapsed() < PATIENCE / 6, "the malformed answer should count as one");
    error.cause()
}

#[test]
fn a_malformed_answer_is_a_failure_of_the_server_and_nothing_of_it_counts() {
    let pointer = |at: u16| (0xc000 | at).to_be_bytes();
    // The first record begins here: 12 bytes of header, 13 of name, 4 of type and class.
    const RECORD: u16 = 29;
    let address = |owner: &[u8]| [owner, &[0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 66, 66, 66]].concat();
    let records: [(&str, Vec<u8>); 11] = [
        ("a name that points to itself", address(&pointer(RECORD))),
        ("a name that points forward", address(&pointer(RECORD + 2))),
        ("a name that points past the end", address(&pointer(0x3fff))),
        ("two names that point at each other", address(&[&[1, b'a'][..], &pointer(RECORD)].concat())),
        ("a label of a reserved kind", address(&[0x80, 0])),
        ("a label longer than the message", address(&[63])),
        ("a name of more than 255 bytes", address(&encode(&["a".repeat(63).as_str(); 5].join(".")))),
        ("data past the end", [&encode("db.internal")[..], &[0, 1, 0, 1, 0, 0, 0, 60, 0xff, 0xff, 1]].concat()),
        ("a cut record", encode("db.internal")),
        ("an address of 3 bytes", [&encode("db.internal")[..], &[0, 1, 0, 1, 0, 0, 0, 60, 0, 3, 1, 2, 3]].concat()),
        (
            "an address of 5 bytes",
            [&encode("db.internal")[..], &[0, 1, 0, 1, 0, 0, 0, 60, 0, 5, 1, 2, 3, 4, 5]].concat(),
        ),
    ];
    for (what, record) in records {
        let alone = record.clone();
        let reply = move |asked: &Asked| asked.reply().raw(&alone).bytes();
        assert_eq!(error_of(reply), Cause::NameServerFailed { rcode: 0 }, "{what}");
        let with_a_good_one =
            move |asked: &Asked| asked.reply().raw(&record).address("db.internal", 1, ip(FORGED)).bytes();
        assert_eq!(error_of(with_a_good_one), Cause::NameServerFailed { rcode: 0 }, "{what}, and a good one");
    }
}

#[test]
fn counts_that_lie_are_malformed() {
    for count in [2, 0xffff_u16] {
        let lie = move |asked: &Asked| {
            let mut bytes = forged(asked).bytes();
            bytes[6..8].copy_from_slice(&count.to_be_bytes());
            bytes
        };
        assert_eq!(error_of(lie), Cause::NameServerFailed { rcode: 0 });
    }
    // Fewer than there are: the rest belongs to no section.
    let server = Server::start(|asked| {
        let mut bytes = asked.addresses(&["10.0.0.1", FORGED]).bytes();
        bytes[7] = 1;
        vec![bytes]
    });
    let addresses = resolve(&mut stub(&[server.addr()]), "db.internal", Families::OnlyV4).unwrap();
    assert_eq!(ips(&addresses), [ip("10.0.0.1")]);
}

#[test]
fn chains_of_aliases_are_bounded() {
    let looping = |asked: &Asked| asked.reply().alias("db.internal", 1, "a.b").alias("a.b", 1, "db.internal").bytes();
    assert_eq!(error_of(looping), Cause::NameServerFailed { rcode: 0 });
    let own = |asked: &Asked| asked.reply().alias("db.internal", 1, "DB.internal").bytes();
    assert_eq!(error_of(own), Cause::NameServerFailed { rcode: 0 });

    let chain = |len: usize| {
        let server = Server::answering(move |asked| {
            let name = |n: usize| if n == 0 { "db.internal".to_owned() } else { format!("a{n}") };
            let aliases = (0..len).rev().fold(asked.reply(), |reply, n| reply.alias(&name(n), 1, &name(n + 1)));
            aliases.address(&name(len), 1, ip("10.0.0.1"))
        });
        resolve(&mut stub(&[server.addr()]), "db.internal", Families::OnlyV4)
    };
    assert_eq!(ips(&chain(16).unwrap()), [ip("10.0.0.1")]);
    assert_eq!(error(chain(17)).cause(), Cause::NameServerFailed { rcode: 0 });
}

#[test]
fn a_referral_and_an_alias_without_address_are_no_addresses() {
    let referral = |asked: &Asked| Reply { flags: 0x8000, ..asked.reply() }.bytes();
    assert_eq!(error_of(referral), Cause::NameServerFailed { rcode: 0 });
    let dangling = |asked: &Asked| asked.reply().alias("db.internal", 1, "gone.internal").bytes();
    assert_eq!(error_of(dangling), Cause::NoAddress);
    let of_others = |asked: &Asked| asked.reply().address("gone.internal", 1, ip(FORGED)).bytes();
    assert_eq!(error_of(of_others), Cause::NoAddress);
    let of_another_class = |asked: &Asked| {
        let record = [&encode("db.internal")[..], &[0, 1, 0, 3, 0, 0, 0, 60, 0, 4, 10, 66, 66, 66]].concat();
        asked.reply().raw(&record).bytes()
    };
    assert_eq!(error_of(of_another_class), Cause::NoAddress);
}

#[test]
fn a_ttl_with_the_highest_bit_is_zero() {
    let server = Server::answering(|asked| asked.reply().address("db.internal", u32::MAX, ip("10.0.0.1")));
    let addresses = resolve(&mut stub(&[server.addr()]), "db.internal", Families::OnlyV4).unwrap();
    assert_eq!(addresses.as_slice()[0].ttl(), Some(Duration::ZERO));
}

#[test]
fn a_flood_of_forgeries_neither_delays_nor_deceives() {
    let server = Server::start(|asked| {
        let wrong = Reply { id: asked.id ^ 0x55, ..forged(asked) }.bytes();
        let mut messages = vec![wrong; 100];
        messages.push(honest(asked));
        messages
    });
    assert_eq!(ips(&resolve(&mut stub(&[server.addr()]), "db.internal", Families::OnlyV4).unwrap()), [ip("10.0.0.1")]);
}

#[test]
fn answers_of_earlier_lookups_do_not_count() {
    // Answers every question, and the one before it again.
    let last = std::sync::Mutex::new(Vec::new());
    let server = Server::start(move |asked| {
        let answer = asked.addresses(&[if asked.name == "a.internal." { FORGED } else { "10.0.0.1" }]).bytes();
        let earlier = std::mem::replace(&mut *last.lock().unwrap(), answer.clone());
        vec![earlier, answer]
    });
    let mut stub = stub(&[server.addr()]);
    assert_eq!(ips(&resolve(&mut stub, "a.internal", Families::OnlyV4).unwrap()), [ip(FORGED)]);
    for _ in 0..50 {
        assert_eq!(ips(&resolve(&mut stub, "b.internal", Families::OnlyV4).unwrap()), [ip("10.0.0.1")]);
        assert_eq!(ips(&resolve(&mut stub, "a.internal", Families::OnlyV4).unwrap()), [ip(FORGED)]);
    }
}

fn over_tcp(send: impl Fn(&mut std::net::TcpStream, &[u8]) + Send + Sync + 'static) -> Server {
    let handler = |asked: &Asked| match asked.over_tcp {
        true => vec![honest(asked)],
        false => vec![asked.reply().flags(TRUNCATED).bytes()],
    };
    Server::start_stream(handler, send)
}

#[test]
fn an_answer_over_tcp_may_come_a_byte_at_a_time() {
    let server = over_tcp(|stream, message| {
        stream.set_nodelay(true).unwrap();
        for byte in (message.len() as u16).to_be_bytes().iter().chain(message) {
            let _ = stream.write_all(&[*byte]);
            thread::sleep(Duration::from_micros(200));
        }
    });
    let addresses = resolve(&mut stub(&[server.addr()]), "db.internal", Families::OnlyV4).unwrap();
    assert_eq!(ips(&addresses), [ip("10.0.0.1")]);
}

#[test]
fn a_stream_that_ends_or_stalls_or_lies_is_a_failure_within_the_timeout() {
    type Send = fn(&mut std::net::TcpStream, &[u8]);
    let streams: [(&str, Send, Cause); 5] = [
        ("nothing", |_, _| {}, Cause::NameServerFailed { rcode: 0 }),
        ("half a length", |stream, _| stream.write_all(&[0]).unwrap(), Cause::NameServerFailed { rcode: 0 }),
        (
            "a cut message",
            |stream, message| stream.write_all(&[&[0, 255], message].concat()).unwrap(),
            Cause::NameServerFailed { rcode: 0 },
        ),
        ("an empty message", |stream, _| stream.write_all(&[0, 0]).unwrap(), Cause::NameServerFailed { rcode: 0 }),
        (
            "a trickle",
            |stream, message| {
                for byte in message.iter().cycle().take(100) {
                    let _ = stream.write_all(&[255 - byte % 2]);
                    thread::sleep(Duration::from_millis(10));
                }
            },
            Cause::NoAnswer,
        ),
    ];
    for (what, send, cause) in streams {
        let server = over_tcp(send);
        let start = Instant::now();
        let config = config(&[server.addr()]).with_timeout(Duration::from_millis(400));
        let failed = error(resolve(&mut with_config(config), "db.internal", Families::OnlyV4));
        assert_eq!(failed.cause(), cause, "{what}");
        assert!(start.elapsed() < PATIENCE, "{what}");
    }
}

#[test]
fn another_answer_over_tcp_is_a_failure() {
    let handler = |asked: &Asked| match asked.over_tcp {
        true => vec![Reply { id: asked.id ^ 1, ..forged(asked) }.bytes()],
        false => vec![asked.reply().flags(TRUNCATED).bytes()],
    };
    let server = Server::start(handler);
    let failed = error(resolve(&mut stub(&[server.addr()]), "db.internal", Families::OnlyV4));
    assert_eq!(failed.cause(), Cause::NameServerFailed { rcode: 0 });
}

#[test]
fn a_server_without_tcp_is_followed_by_the_next() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let truncating: SocketAddr = udp.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let mut buf = [0; 512];
        let (len, from) = udp.recv_from(&mut buf).unwrap();
        buf[2..4].copy_from_slice(&[0x83, 0x80]);
        udp.send_to(&buf[..len], from).unwrap();
    });
    let good = Server::answering(|asked| asked.addresses(&["10.0.0.1"]));
    let addresses = resolve(&mut stub(&[truncating, good.addr()]), "db.internal", Families::OnlyV4).unwrap();
    assert_eq!(ips(&addresses), [ip("10.0.0.1")]);
    thread.join().unwrap();
}

#[test]
fn every_cut_and_every_changed_byte_of_an_answer_is_survived() {
    use anet::resolve::{Addresses, Family, dns::Question};

    let question = Question::new("db.internal", Family::V4, 7).unwrap();
    let asked = Asked {
        id: 7,
        name: "db.internal.".into(),
        kind: A,
        over_tcp: false,
        from: "127.0.0.1:1".parse().unwrap(),
        offers: None,
    };
    let pointer = [&[0xc0, 12][..], &[0, CNAME as u8, 0, 1, 0, 0, 0, 1, 0, 4, 1, b'a', 0xc0, 15]].concat();
    let answer = asked.reply().raw(&pointer).address("a.internal", 5, ip("10.0.0.1")).bytes();
    let mut addresses = Addresses::new();
    question.read_answer(&answer, 80, &mut addresses);
    assert_eq!(ips(&addresses), [ip("10.0.0.1")]);
    for at in 0..answer.len() {
        question.read_answer(&answer[..at], 80, &mut Addresses::new());
        for value in 0..=255 {
            let mut changed = answer.clone();
            changed[at] = value;
            let mut addresses = Addresses::new();
            question.read_answer(&changed, 80, &mut addresses);
            assert!(addresses.len() <= 1);
        }
    }
}
