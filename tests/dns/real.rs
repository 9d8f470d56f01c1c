//! Debian's dnsmasq in a network namespace, and glibc's resolver beside this one on the same files.

use std::{
    collections::BTreeSet,
    ffi::CString,
    fmt::Write as _,
    fs,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    path::Path,
    process::{Child, Command},
    ptr,
    time::{Duration, Instant},
};

use anet::{
    Endpoint, Errno, Error, Op,
    connect::{Connector, race},
    error::Cause,
    resolve::{
        Addresses, Families, Family, Source,
        dns::{Progress, Stub},
    },
    server::{CloseReason, Event, Lookup, Server as Loop, Slot},
};

use super::{
    dead_server_at, error, ip, ips, resolve,
    server::{SERVFAIL, Server},
    slowest_call,
    support::{
        PATIENCE, SECOND, eventually,
        namespace::{drop_all, in_namespace},
        open_fds,
    },
};

/// How much longer than its time anything takes on an idle machine.
const SLACK: Duration = Duration::from_millis(20);
/// How many names glibc and this resolver are asked for.
const NAMES: usize = 200;

/// Runs `test` in a namespace whose files in `/etc` are these: hosts and resolv.conf.
fn with_files<T: Send>(hosts: &str, resolv_conf: &str, test: impl FnOnce(&Path) -> T + Send) -> T {
    let directory = tempfile::tempdir().unwrap();
    let files = [
        ("hosts", hosts),
        ("resolv.conf", resolv_conf),
        ("nsswitch.conf", "hosts: files dns\n"),
        ("host.conf", "multi on\n"),
    ];
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    in_namespace(|| {
        // SAFETY: the call affects this thread alone, and the processes and threads that it starts.
        let answer = unsafe { libc::unshare(libc::CLONE_NEWNS) };
        assert_eq!(answer, 0, "unshare: {}", std::io::Error::last_os_error());
        mount(None, Path::new("/"), libc::MS_REC | libc::MS_PRIVATE);
        for (name, _) in files {
            let place = Path::new("/etc").join(name);
            if place.exists() {
                mount(Some(&directory.path().join(name)), &place, libc::MS_BIND);
            }
        }
        test(directory.path())
    })
}

fn mount(source: Option<&Path>, target: &Path, flags: libc::c_ulong) {
    let c_path = |path: &Path| CString::new(path.to_str().unwrap()).unwrap();
    let (source, place) = (source.map(c_path), c_path(target));
    let source = source.as_ref().map_or(ptr::null(), |source| source.as_ptr());
    // SAFETY: the paths end with a NUL, and the other pointers may be NULL for these flags.
    let answer = unsafe { libc::mount(source, place.as_ptr(), ptr::null(), flags, ptr::null()) };
    assert_eq!(answer, 0, "mount {target:?}: {}", std::io::Error::last_os_error());
}

/// A running dnsmasq at port 53 of 127.0.0.1, until it is dropped.
struct Dnsmasq(Child);

impl Dnsmasq {
    /// Serves `test.` from a hosts file, and has these lines in its configuration.
    fn start(directory: &Path, hosts: &str, lines: &str) -> Self {
        fs::write(directory.join("served"), hosts).unwrap();
        let served = directory.join("served");
        let config = format!(
            "no-resolv\nno-hosts\nlisten-address=127.0.0.1\nbind-interfaces\nuser=root\ngroup=root\npid-file=\n\
            local-ttl=77\nlocal=/dns.test/\naddn-hosts={}\n{lines}",
            served.to_str().unwrap(),
        );
        fs::write(directory.join("dnsmasq.conf"), config).unwrap();
        let mut command = Command::new("/usr/sbin/dnsmasq");
        command.arg("--keep-in-foreground").arg("-C").arg(directory.join("dnsmasq.conf"));
        let child = Self(command.spawn().expect("dnsmasq, of the package dnsmasq-base"));
        eventually(PATIENCE, || TcpStream::connect("127.0.0.1:53").ok());
        child
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const CONFIG: &str = "nameserver 127.0.0.1\nsearch dns.test other.test\noptions timeout:20 attempts:1\n";

#[test]
#[ignore = "needs CAP_SYS_ADMIN and dnsmasq"]
fn a_real_server_is_understood() {
    with_files("10.9.9.9 listed.dns.test listed\n", CONFIG, |directory| {
        let failing = Server::answering(|asked| asked.reply().flags(SERVFAIL));
        let slow = Server::answering(|asked| {
            std::thread::sleep(Duration::from_millis(100));
            asked.addresses(&["10.0.0.7"])
        });
        let mut served = "10.0.0.1 db.dns.test\n2001:db8::1 db.dns.test\n10.0.0.2 v4.dns.test\n".to_owned();
        for n in 1..=60 {
            write!(served, "10.1.0.{n} many.dns.test\n2001:db8:1::{n} many.dns.test\n").unwrap();
        }
        let (failing, slow) = (failing.addr().port(), slow.addr().port());
        let lines = format!(
            "cname=web.dns.test,db.dns.test\ncname=www.dns.test,web.dns.test\n\
            server=/failing.test/127.0.0.1#{failing}\nserver=/slow.test/127.0.0.1#{slow}\n",
        );
        let _server = Dnsmasq::start(directory, &served, &lines);
        let mut stub = Stub::new().unwrap();

        let listed = resolve(&mut stub, "listed", Families::Any).unwrap();
        assert_eq!((ips(&listed), listed.as_slice()[0].source()), (vec![ip("10.9.9.9")], Source::Hosts));

        for name in ["db.dns.test", "db", "DB.dns.test.", "www.dns.test", "web"] {
            let addresses = resolve(&mut stub, name, Families::Any).unwrap();
            assert_eq!(ips(&addresses), [ip("2001:db8::1"), ip("10.0.0.1")], "{name}");
            let first = addresses.as_slice()[0];
            assert_eq!((first.source(), first.ttl()), (Source::Dns, Some(Duration::from_secs(77))), "{name}");
        }
        let many = resolve(&mut stub, "many.dns.test", Families::Any).unwrap();
        assert!(many.is_cut() && many.len() == 16);
        assert_eq!(many.of_family(Family::V4).count(), 8);
        assert!(resolve(&mut stub, "many", Families::OnlyV6).unwrap().is_cut());

        let cause = |stub: &mut Stub<'_>, name, families| error(resolve(stub, name, families)).cause();
        assert_eq!(cause(&mut stub, "v4.dns.test", Families::OnlyV6), Cause::NoAddress);
        assert_eq!(cause(&mut stub, "none.dns.test.", Families::Any), Cause::HostNotFound);
        assert_eq!(cause(&mut stub, "a.failing.test.", Families::Any), Cause::NameServerFailed { rcode: 2 });
        assert_eq!(ips(&resolve(&mut stub, "a.slow.test", Families::OnlyV4).unwrap()), [ip("10.0.0.7")]);

        let fds = open_fds();
        for n in 0..10_000 {
            let families = if n % 2 == 0 { Families::OnlyV4 } else { Families::Any };
            resolve_quickly(&mut stub, "db.dns.test", families);
        }
        assert_eq!(open_fds(), fds);
    });
}

fn resolve_quickly(stub: &mut Stub<'_>, name: &str, families: Families) {
    assert!(!stub.resolve_within(name, 80, families, PATIENCE).unwrap().is_empty());
}

/// Names of many kinds: the hosts file, what the server serves, the server's configuration, and the names to ask for.
fn names() -> (String, String, String, Vec<String>) {
    let (mut hosts, mut served, mut lines, mut names) = (String::new(), String::new(), String::new(), Vec::new());
    for n in 0..NAMES / 2 {
        let line = match n % 6 {
            0 => format!("10.2.0.{n} h{n}"),
            1 => format!("2001:db8:2::{n}\th{n}.local H{n} # h{}", n + 1),
            2 => format!("10.2.0.{n} h{n}\n2001:db8:2::{n} h{n}\n10.2.1.{n} x h{n}"),
            3 => format!("  10.2.0.{n}   a{n}   b{n}\t h{n}#comment\n::ffff:0.0 h{n}\nbad h{n}"),
            4 => format!("#10.2.0.{n} h{n}"),
            _ => format!("10.2.0.{n} {}\n10.2.1.{n} h{n}", "alias ".repeat(200)),
        };
        writeln!(hosts, "{line}").unwrap();
        names.push(format!("h{n}"));
    }
    for n in 0..NAMES / 2 {
        let name = format!("d{n}.dns.test");
        match n % 6 {
            0 => writeln!(served, "10.3.0.{n} {name}").unwrap(),
            1 => writeln!(served, "2001:db8:3::{n} {name}").unwrap(),
            2 => writeln!(served, "10.3.0.{n} {name}\n2001:db8:3::{n} {name}\n10.3.1.{n} {name}").unwrap(),
            3 => writeln!(lines, "cname={name},d{}.dns.test", n - 1).unwrap(),
            4 => {}
            _ => writeln!(served, "10.4.0.{n} d{n}.other.test").unwrap(),
        }
        names.push(if n % 2 == 0 { name } else { format!("d{n}") });
    }
    (hosts, served, lines, names)
}

/// The outcome of a connection to a name in a loop of its own: the address, or the error.
fn connected_to(name: &str, port: u16, connector: Connector) -> (Result<Endpoint, Error>, Duration) {
    let (mut slots, mut lookups) = ([const { Slot::<()>::VACANT }; 20], [Lookup::new(Stub::new().unwrap())]);
    let mut clients = Loop::new(&mut slots).unwrap().with_lookups(&mut lookups).unwrap();
    let start = Instant::now();
    let key = clients.connect_to_name(name, port, Families::Any, &connector, ()).unwrap();
    loop {
        clients.wait(Some(PATIENCE)).unwrap();
        if let Some(event) = clients.next_event() {
            let outcome = match event {
                Event::Connected(connected) if connected == key => Ok(*clients.get(key).unwrap().peer_addr()),
                Event::Closing(_, CloseReason::ConnectFailed(error)) => Err(error),
                other => panic!("{other:?}"),
            };
            return (outcome, start.elapsed());
        }
        assert!(start.elapsed() < PATIENCE, "not in time");
    }
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and dnsmasq"]
fn a_server_connects_to_names_of_a_real_server() {
    with_files("127.0.0.1 listed\n", CONFIG, |directory| {
        let failing = Server::answering(|asked| asked.reply().flags(SERVFAIL));
        let mut served = "127.0.0.3 db.dns.test\n2001:db8::1 v6.dns.test\n".to_owned();
        for n in 1..=60 {
            writeln!(served, "127.0.2.{n} many.dns.test").unwrap();
        }
        let lines =
            format!("cname=web.dns.test,db.dns.test\nserver=/failing.test/127.0.0.1#{}\n", failing.addr().port());
        let _server = Dnsmasq::start(directory, &served, &lines);
        let upstream = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = upstream.local_addr().unwrap().port();
        let to = |name| connected_to(name, port, Connector::new()).0;
        let at = |ip: [u8; 4]| Ok(Endpoint::from(SocketAddr::from((ip, port))));
        assert_eq!(to("listed"), at([127, 0, 0, 1]));
        for name in ["db.dns.test", "db", "WEB.dns.test."] {
            assert_eq!(to(name), at([127, 0, 0, 3]), "{name}");
        }
        // Over TCP, because so many addresses do not fit into a datagram.
        let many = to("many").unwrap().ip().unwrap();
        assert!(many.to_string().starts_with("127.0.2."), "{many}");
        assert_eq!(to("none.dns.test.").unwrap_err().cause(), Cause::HostNotFound);
        assert_eq!(to("a.failing.test.").unwrap_err().cause(), Cause::NameServerFailed { rcode: 2 });
        // The namespace has no route to it.
        assert_eq!(to("v6.dns.test").unwrap_err().op(), Op::Connect);
    });
}

/// Of the two addresses of the name, one drops every SYN, and dnsmasq gives either first.
#[test]
#[ignore = "needs CAP_SYS_ADMIN and dnsmasq"]
fn a_black_hole_among_the_addresses_of_a_name_costs_a_stagger() {
    with_files("", CONFIG, |directory| {
        let _server = Dnsmasq::start(directory, "127.0.0.2 db.dns.test\n127.0.0.3 db.dns.test\n", "");
        let live = TcpListener::bind("127.0.0.3:0").unwrap();
        let port = live.local_addr().unwrap().port();
        let dead = TcpListener::bind(("127.0.0.2", port)).unwrap();
        drop_all(&dead);
        let times: Vec<Duration> = (0..6)
            .map(|_| {
                let (peer, took) = connected_to("db.dns.test", port, Connector::new());
                assert_eq!(peer, Ok(live.local_addr().unwrap().into()));
                took
            })
            .collect();
        println!("connected after {times:?}");
        // The best of several: the machine is shared.
        let slow = times.into_iter().filter(|took| *took >= race::STAGGER_DEFAULT).min().unwrap();
        assert!(slow < race::STAGGER_DEFAULT + SLACK, "{slow:?}");

        let timeout = Duration::from_millis(300);
        drop_all(&live);
        let given_up = (0..3).map(|_| {
            let (outcome, took) = connected_to("db.dns.test", port, Connector::new().with_timeout(Some(timeout)));
            assert_eq!(outcome.unwrap_err().errno(), Some(Errno::TIMEDOUT));
            took
        });
        let took = given_up.min().unwrap();
        println!("given up after {took:?} of {timeout:?}");
        assert!(took >= timeout && took < timeout + SLACK, "{took:?}");
    });
}

/// What `getent` of glibc prints.
fn of_glibc(name: &str) -> BTreeSet<IpAddr> {
    let output = Command::new("getent").args(["ahosts", name]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| ip(line.split_whitespace().next().unwrap())).collect()
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and dnsmasq"]
fn glibc_finds_the_same_addresses_for_200_names() {
    let (hosts, served, lines, names) = names();
    with_files(&hosts, CONFIG, |directory| {
        let _server = Dnsmasq::start(directory, &served, &lines);
        let mut stub = Stub::new().unwrap();
        let mut found = 0;
        for name in &names {
            let addresses = resolve(&mut stub, name, Families::Any).unwrap_or_default();
            assert_eq!(ips(&addresses).into_iter().collect::<BTreeSet<_>>(), of_glibc(name), "{name}");
            found += usize::from(!addresses.is_empty());
        }
        assert!(names.len() == NAMES && found > NAMES / 2 && found < NAMES, "{found}");
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN; takes seconds"]
fn a_dead_server_does_not_hold_up_the_loop_as_getaddrinfo_does() {
    with_files("", "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n", |_| {
        let _dead = dead_server_at("127.0.0.1:53");
        let mut stub = Stub::new().unwrap();
        let (slowest, beats) = slowest_call(&mut stub, "db.internal");
        let start = Instant::now();
        assert!(("db.internal", 80).to_socket_addrs().is_err());
        let blocked = start.elapsed();
        println!(
            "longest call of the stub {slowest:?}, {beats} beats of the loop; getaddrinfo blocked for {blocked:?}"
        );
        assert!(blocked >= SECOND && slowest < blocked / 4);
    });
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN"]
fn without_a_route_the_lookup_fails_at_once() {
    with_files("", "nameserver 192.0.2.53\noptions timeout:30\n", |_| {
        let mut stub = Stub::new().unwrap();
        let failed = stub.start("db.internal", 80, Families::Any).unwrap_err();
        assert_eq!(failed.errno(), Some(Errno::NETUNREACH));
        assert_eq!(stub.advance(), Ok(Progress::Done));
        assert_eq!(stub.addresses(), &Addresses::new());
    });
}
