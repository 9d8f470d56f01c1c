//! Sockets as `ss` shows them, compared field by field.

use std::{collections::HashMap, fs, net::SocketAddr, os::unix::fs::MetadataExt, time::Duration};

use anet::{
    diag::{Details, InetFilter, InetProtocol, InetSocket, SockDiag, SocketState, TimerKind},
    option::{SocketMemory, TcpInfo},
};

use crate::{
    support::{PATIENCE, eventually},
    tools::output,
};

pub const BUF_LEN: usize = 32 * 1024;

pub fn inet(filter: InetFilter) -> Vec<InetSocket> {
    let mut buf = [0; BUF_LEN];
    SockDiag::open().unwrap().inet(filter, &mut buf).unwrap().map(Result::unwrap).collect()
}

/// One line of `ss -H -n -e -i -m -o --tos`.
#[derive(Debug)]
pub struct Line {
    pub words: Vec<String>,
}

impl Line {
    pub fn word(&self, index: usize) -> &str {
        &self.words[index]
    }

    /// The value of `key:value`.
    fn value(&self, key: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix(':'))
    }

    /// The word after `key`.
    fn after(&self, key: &str) -> Option<&str> {
        self.words.iter().skip_while(|word| *word != key).nth(1).map(String::as_str)
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }

    /// Decimal or hexadecimal; `ss` leaves out zeroes.
    fn number(&self, key: &str) -> u64 {
        let Some(text) = self.value(key) else { return 0 };
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.unwrap_or_else(|_| panic!("{key} in {self:?}"))
    }

    /// The microseconds in a number of milliseconds with decimals.
    fn micros(&self, key: &str) -> u64 {
        self.value(key).map_or(0, |text| in_micros(text.trim_end_matches("ms")))
    }

    /// Without what changes while nothing happens.
    fn without_clocks(&self) -> Vec<&String> {
        let is_clock = |word: &str| ["timer:", "last", "busy:", "rwnd_limited:"].iter().any(|it| word.starts_with(it));
        self.words.iter().filter(|word| !is_clock(word)).collect()
    }

    /// Numbers in `skmem:(r0,rb65536,...)`, by their letters.
    fn memory(&self) -> HashMap<String, u32> {
        let list = self.value("skmem").unwrap().trim_matches(['(', ')']);
        list.split(',')
            .map(|entry| {
                let at = entry.find(|letter: char| letter.is_ascii_digit()).unwrap();
                (entry[..at].to_owned(), entry[at..].parse().unwrap())
            })
            .collect()
    }
}

fn in_micros(milliseconds: &str) -> u64 {
    (milliseconds.parse::<f64>().unwrap() * 1000.0).round() as u64
}

fn lines(command: &str) -> Vec<Line> {
    let text = output(command);
    text.lines().map(|line| Line { words: line.split_whitespace().map(str::to_owned).collect() }).collect()
}

/// The address, and the device that the socket is bound to.
fn addr_of(text: &str) -> (SocketAddr, Option<&str>) {
    let (host, port) = text.rsplit_once(':').unwrap();
    let (host, device) = host.split_once('%').map_or((host, None), |(host, device)| (host, Some(device)));
    // `*` stands for both families, and a port of 0.
    let (host, port) = (if host == "*" { "[::]" } else { host }, if port == "*" { "0" } else { port });
    (format!("{host}:{port}").parse().unwrap_or_else(|error| panic!("{text}: {error}")), device)
}

fn shown(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip(), addr.port())
}

/// Ours, between two equal listings of `ss`, of which the second is returned.
pub fn settled<T>(command: &str, list: impl Fn() -> Vec<T>) -> (Vec<T>, Vec<Line>) {
    eventually(PATIENCE, || {
        let (before, ours, after) = (lines(command), list(), lines(command));
        let is_settled = before.iter().map(Line::without_clocks).eq(after.iter().map(Line::without_clocks));
        is_settled.then_some((ours, after))
    })
}

/// Compares all sockets of a protocol, and returns how many there are.
pub fn compare(protocol: InetProtocol, command: &str, details: Details) -> usize {
    let filter = InetFilter::of(protocol).with_details(details);
    let (ours, theirs) = settled(command, || inet(filter));
    assert_eq!(ours.len(), theirs.len());
    let cookie = |line: &Line| u64::from_str_radix(line.value("sk").unwrap_or("0"), 16).unwrap();
    let by_cookie: HashMap<u64, &Line> = theirs.iter().map(|line| (cookie(line), line)).collect();
    for socket in &ours {
        let line = by_cookie.get(&socket.cookie).unwrap_or_else(|| panic!("ss does not show {socket:?}"));
        compare_one(socket, line);
    }
    ours.len()
}

fn compare_one(socket: &InetSocket, line: &Line) {
    assert_eq!(socket.state.to_string(), line.word(0), "{line:?}");
    assert_eq!([socket.receive_queue, socket.send_queue].map(|n| n.to_string()), [line.word(1), line.word(2)]);
    let ((local, device), (peer, _)) = (addr_of(line.word(3)), addr_of(line.word(4)));
    assert_eq!((shown(socket.local), shown(socket.peer)), (local, peer), "{line:?}");
    assert_eq!((socket.interface == 1).then_some("lo"), device, "{line:?}");
    let numbers: [(&str, u64); 6] = [
        ("uid", socket.uid.into()),
        ("ino", socket.inode.into()),
        ("fwmark", socket.mark.unwrap_or(0).into()),
        ("v6only", socket.only_v6.unwrap_or(false).into()),
        ("tos", socket.tos.unwrap_or(0).into()),
        ("tclass", socket.traffic_class.unwrap_or(0).into()),
    ];
    for (key, number) in numbers {
        assert_eq!(number, line.number(key), "{key} of {line:?}");
    }
    compare_timer(socket, line);
    compare_cgroup(socket.cgroup, line);
    if let Some(directions) = socket.shutdown {
        let (receiving, sending) = (directions & 1 == 0, directions & 2 == 0);
        let arrow = [if receiving { "<" } else { "-" }, "-", if sending { ">" } else { "-" }].concat();
        assert!(line.has(&arrow), "{arrow} in {line:?}");
    }
    if let Some(memory) = socket.memory {
        compare_memory(memory, line);
    }
    if let Some(info) = socket.info.filter(|_| socket.state != SocketState::Listening) {
        compare_info(&info, line);
    }
    if let Some(congestion) = socket.congestion {
        assert!(line.has(&congestion.to_string()), "{congestion} in {line:?}");
    }
}

fn compare_timer(socket: &InetSocket, line: &Line) {
    let ours = socket.timer.map(|timer| {
        let kind = match timer.kind {
            TimerKind::Retransmit => "on",
            TimerKind::Keepalive => "keepalive",
            TimerKind::TimeWait => "timewait",
            TimerKind::ZeroWindow => "persist",
            other => panic!("{other:?}"),
        };
        (kind, timer.expirations.to_string())
    });
    let theirs = line.value("timer").map(|text| {
        let parts: Vec<_> = text.trim_matches(['(', ')']).split(',').collect();
        (parts[0], parts[2].to_owned())
    });
    assert_eq!(ours, theirs, "{line:?}");
}

/// `ss` shows the path of the control group, whose number is that of its directory.
fn compare_cgroup(ours: Option<u64>, line: &Line) {
    let path = line.value("cgroup").filter(|path| path.starts_with('/'));
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let place = mounts.lines().find(|mount| mount.starts_with("cgroup2 ")).and_then(|mount| mount.split(' ').nth(1));
    if let (Some(path), Some(place)) = (path, place) {
        assert_eq!(ours, Some(fs::metadata(format!("{place}{path}")).unwrap().ino()), "{line:?}");
    }
}

fn compare_memory(memory: SocketMemory, line: &Line) {
    let theirs = line.memory();
    let ours = [
        ("r", memory.receive_bytes),
        ("rb", memory.receive_limit_bytes),
        ("t", memory.transmit_bytes),
        ("tb", memory.send_limit_bytes),
        ("f", memory.reserved_bytes),
        ("w", memory.queued_bytes),
        ("o", memory.option_bytes),
        ("bl", memory.backlog_bytes),
        ("d", memory.drops),
    ];
    for (key, number) in ours {
        assert_eq!(number, theirs[key], "{key} of {line:?}");
    }
}

fn compare_info(info: &TcpInfo, line: &Line) {
    for (key, number) in numbers(info) {
        assert_eq!(number, line.number(key), "{key} of {line:?}");
    }
    let micros = |time: Option<Duration>| time.unwrap().as_micros() as u64;
    let (rtt, variation) = line.value("rtt").map_or(("0", "0"), |text| text.split_once('/').unwrap());
    assert_eq!((micros(info.rtt()), micros(info.rtt_variation())), (in_micros(rtt), in_micros(variation)), "{line:?}");
    // Not shown before there is one: the initial timeout of 3 s, and an infinite shortest time.
    let (timeout, shortest) = (micros(info.retransmission_timeout()), micros(info.min_rtt()));
    assert_eq!(if timeout == 3_000_000 { 0 } else { timeout }, line.micros("rto"), "{line:?}");
    assert_eq!(if shortest == u64::from(u32::MAX) { 0 } else { shortest }, line.micros("minrtt"), "{line:?}");
    assert_eq!(micros(info.acknowledgement_timeout()), line.micros("ato"), "{line:?}");
    assert_eq!(micros(info.receive_rtt()), line.micros("rcv_rtt"), "{line:?}");
    // Ours are from an earlier moment.
    let busy = micros(info.busy_time()) / 1000 * 1000;
    assert!(busy <= line.micros("busy"), "{busy} {line:?}");
    for (key, time) in [
        ("lastsnd", info.since_data_sent()),
        ("lastrcv", info.since_data_received()),
        ("lastack", info.since_ack_received()),
    ] {
        let earlier = micros(time) / 1000;
        assert!((earlier..=earlier + PATIENCE.as_millis() as u64).contains(&line.number(key)), "{key} {line:?}");
    }
    let bits_per_second =
        |key| line.after(key).map_or(0, |text| text.split('b').next().unwrap().parse::<f64>().unwrap() as u64);
    assert_eq!(info.pacing_rate().map_or(0, |rate| rate * 8), bits_per_second("pacing_rate"), "{line:?}");
    assert_eq!(info.delivery_rate().unwrap() * 8, bits_per_second("delivery_rate"), "{line:?}");
    compare_negotiated(info, line);
}

/// What `ss` shows as `key:number`, and leaves out if it is zero.
fn numbers(info: &TcpInfo) -> [(&'static str, u64); 29] {
    // Without a loss the threshold is infinite, and three segments are the usual tolerance.
    let threshold = info.slow_start_threshold().filter(|&segments| segments < 0xffff).unwrap_or(0);
    let reordering = info.reordering().filter(|&segments| segments != 3).unwrap_or(0);
    [
        ("mss", info.send_segment_bytes().unwrap().into()),
        ("rcvmss", info.receive_segment_bytes().unwrap().into()),
        ("advmss", info.advertised_segment_bytes().unwrap().into()),
        ("pmtu", info.path_mtu_bytes().unwrap().into()),
        ("cwnd", info.congestion_window().unwrap().into()),
        ("ssthresh", threshold.into()),
        ("reordering", reordering.into()),
        ("backoff", info.backoff().unwrap().into()),
        ("bytes_sent", info.bytes_sent().unwrap()),
        ("bytes_retrans", info.bytes_retransmitted().unwrap()),
        ("bytes_acked", info.bytes_acked().unwrap()),
        ("bytes_received", info.bytes_received().unwrap()),
        ("segs_out", info.segments_sent().unwrap().into()),
        ("segs_in", info.segments_received().unwrap().into()),
        ("data_segs_out", info.data_segments_sent().unwrap().into()),
        ("data_segs_in", info.data_segments_received().unwrap().into()),
        ("delivered", info.delivered().unwrap().into()),
        ("delivered_ce", info.delivered_marked().unwrap().into()),
        ("dsack_dups", info.duplicates_reported().unwrap().into()),
        ("reord_seen", info.reorderings_seen().unwrap().into()),
        ("rcv_ooopack", info.out_of_order_segments().unwrap().into()),
        ("rcv_ssthresh", info.receive_window_limit_bytes().unwrap().into()),
        ("rcv_space", info.receive_space_bytes().unwrap().into()),
        ("unacked", info.unacked().unwrap().into()),
        ("sacked", info.sacked().unwrap().into()),
        ("lost", info.lost().unwrap().into()),
        ("notsent", info.unsent_bytes().unwrap().into()),
        ("snd_wnd", info.send_window_bytes().unwrap().into()),
        ("sndbuf_limited", 0),
    ]
}

fn compare_negotiated(info: &TcpInfo, line: &Line) {
    let options = info.options().unwrap();
    for (bit, word) in [(1, "ts"), (2, "sack"), (8, "ecn"), (16, "ecnseen"), (32, "fastopen")] {
        assert_eq!(options & bit != 0, line.has(word), "{word} {line:?}");
    }
    let scales = (options & 4 != 0).then(|| info.window_scales().unwrap());
    let scales = scales.map(|(send, receive)| format!("{send},{receive}"));
    assert_eq!(scales.as_deref(), line.value("wscale"), "{line:?}");
    assert_eq!(info.is_delivery_rate_limited_by_program(), Some(line.has("app_limited")), "{line:?}");
    let (now, total) = (info.retransmitted().unwrap(), info.total_retransmits().unwrap());
    let retransmits = (now > 0 || total > 0).then(|| format!("{now}/{total}"));
    assert_eq!(retransmits.as_deref(), line.value("retrans"), "{line:?}");
}
