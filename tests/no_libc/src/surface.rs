//! A call to every part of the crate, so that all of it is linked and checked without std.

use core::{net::SocketAddr, time::Duration};

use anet::{
    Datagram, Endpoint, Errno, Error, Listener, Op, Result, SocketOptions, Stream, UnixAddr,
    connect::{self, Connector, LocalAddr, Pending},
    datagram::{
        Batch,
        cmsg::{self, Encoder},
    },
    diag::{self, Changes, Details, InetFilter, InetProtocol, Route, SockDiag, SocketStates},
    event::{EventLoop, Events, FileSlot, Interest, Poller, TimerSlot},
    fd::AsFd,
    icmp::{self, IcmpSocket, Outcome, Pinger, Plan, Target},
    listen::{self, Access, BindList, ListenerSet, Protocols, port_file},
    option::{self, DeviceName, TcpKeepalive},
    pipe::{EndFlags, is_fifo, pipe},
    stream::{Deadline, IoSlice, IoSliceMut, Shutdown, Splice, Spliced},
};

/// Longer than any step takes here.
pub(crate) const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

/// Panics with the fact that does not hold.
pub(crate) fn check() -> Result<()> {
    errors_have_text();
    addresses_have_text();
    pipes_have_flags()?;
    a_loop_calls_handlers()?;
    tcp_connects_both_ways()?;
    unix_connects_by_name()?;
    streams_split_and_close()?;
    a_list_listens();
    a_list_receives();
    datagrams_pass()?;
    #[cfg(feature = "dns")]
    super::names::check()?;
    the_network_can_be_seen()?;
    hosts_answer()?;
    a_closed_port_refuses_connections()
}

/// Whether an accepted connection has the server's options.
pub(crate) fn is_configured(stream: &Stream) -> bool {
    option::tcp_nodelay(stream) == Ok(true)
        && option::keepalive(stream) == Ok(true)
        && option::tcp_keepidle(stream) == Ok(Duration::from_secs(300))
        && option::nonblocking(stream) == Ok(true)
        && option::cloexec(stream) == Ok(true)
}

fn errors_have_text() {
    let error = Error::new(Op::Bind, Errno::ADDRINUSE);
    assert_eq!(error.to_text().as_str(), "bind: Address already in use");
    let refused = TcpKeepalive::after_idle(Duration::ZERO).map_err(|error| error.to_text());
    assert_eq!(refused.unwrap_err().as_str(), "setsockopt TCP_KEEPIDLE: 0 is out of range 1..=32767");
}

fn addresses_have_text() {
    for text in ["1.2.3.4:80", "[2001:db8::1]:443", "[fe80::1%2]:80", "/run/anet.sock", "@anet"] {
        let endpoint: Endpoint = text.parse().unwrap_or(Endpoint::Unknown { family: 0 });
        assert_eq!(endpoint.to_text().as_str(), text);
    }
    assert!("1.2.3.4:65536".parse::<Endpoint>().is_err());
    assert_eq!(BindList::parse("127.0.0.1 -::1", 6379).map(|list| list.len()), Ok(2));
}

fn pipes_have_flags() -> Result<()> {
    let pipe = pipe(EndFlags::NONBLOCK, EndFlags::empty())?;
    assert!(option::nonblocking(&pipe.read)? && !option::nonblocking(&pipe.write)?);
    assert!(option::cloexec(&pipe.read)? && option::cloexec(&pipe.write)?);
    assert_eq!(is_fifo("/dev/null"), Ok(false));
    Ok(())
}

fn a_loop_calls_handlers() -> Result<()> {
    let pipe = pipe(EndFlags::empty(), EndFlags::empty())?;
    let (mut files, mut times) = ([FileSlot::VACANT; 64], [TimerSlot::VACANT; 1]);
    let mut events = EventLoop::new(&mut files, &mut times)?;
    events.on_writable(&pipe.write, 1, |_, called: &mut u64, number| *called |= number)?;
    let timer = events.after(Duration::ZERO, 2, |events, called, _, number| {
        *called |= number;
        events.stop();
    });
    assert!(timer.is_ok());
    let mut called = 0;
    events.run(&mut called)?;
    assert_eq!(called, 3);
    Ok(())
}

fn tcp_connects_both_ways() -> Result<()> {
    let localhost = ([127, 0, 0, 1], 0).into();
    let options = SocketOptions::new().with_tcp_nodelay(true).with_priority(Some(3)).with_linger(Some(Duration::ZERO));
    let listener = listen::tcp(localhost, &options)?;
    let server_addr = listener.local_addr()?;

    let closed = Endpoint::from(SocketAddr::from(([127, 0, 0, 1], 1)));
    let client = finish(&mut Pending::new([closed, server_addr], LocalAddr::Bound(localhost)))?;
    let server = accept(&listener, &client)?;
    assert_eq!(client.peer_addr()?, server_addr);
    options_read_back(&server)?;
    bytes_pass(&client, &server)?;

    let client =
        connect::blocking(&[server_addr], Connector::from(LocalAddr::BestEffort(localhost)).with_timeout(PATIENCE))?;
    let server = accept(&listener, &client)?;
    bytes_pass(&server, &client)
}

fn unix_connects_by_name() -> Result<()> {
    let listener = listen::unix(&UnixAddr::UNNAMED, &SocketOptions::new(), &Access::default())?;
    let server_addr = listener.local_addr()?;
    assert!(server_addr.as_unix().is_some_and(|addr| addr.as_abstract_name().is_some()));
    let client = finish(&mut Pending::new(&[server_addr], LocalAddr::Any))?;
    let (server, _) = listener.accept()?;
    bytes_pass(&client, &server)?;
    assert_eq!(listener.remove_file(), Ok(false));

    let (one, other) = Datagram::pair()?;
    let mut batch = Batch::<4, 8, { cmsg::fds_space(1) }>::new();
    batch.push(b"batch", None)?;
    assert_eq!(batch.send(&one)?, 1);
    let (mut buf, mut space) = ([0; 8], [0; cmsg::DETAILS_SPACE]);
    assert_eq!(other.recv_with(&mut buf, &mut space)?.bytes, b"batch");
    let mut control = Encoder::new(&mut space);
    assert!(control.push_fds(&[one.as_fd()]).is_ok());
    one.send_with(b"fd", None, &control)?;
    assert_eq!(batch.recv(&other)?, 1);
    assert_eq!(batch.iter_mut().map(|mut entry| entry.take_fds().count()).sum::<usize>(), 1);

    // A path is refused here, and all the code behind paths is linked.
    let addr = UnixAddr::path("/proc/anet.sock")?;
    assert!(listen::unix(&addr, &SocketOptions::new(), &Access { mode: Some(0o700), group: None }).is_err());
    Ok(())
}

fn a_list_listens() {
    let set = BindList::parse("127.0.0.1 -::1", 0)
        .ok()
        .and_then(|list| ListenerSet::open(&list, &SocketOptions::new(), &Access::default()).ok());
    // One of the two is optional, and a host may not have it.
    assert!(set.is_some_and(|set| set.iter().count() + set.skipped().len() == 2));
}

fn a_list_receives() {
    let set = BindList::parse("127.0.0.1", 0).ok().and_then(|list| {
        ListenerSet::open_with(&list, Protocols::TcpAndUdp, &SocketOptions::new(), &Access::default()).ok()
    });
    let parts = set.map(ListenerSet::into_parts);
    let ports = parts.and_then(|(mut listeners, mut datagrams)| {
        Some([listeners.next()?.local_addr().ok()?, datagrams.next()?.local_addr().ok()?])
    });
    assert!(ports.is_some_and(|[tcp, udp]| tcp == udp));
}

fn datagrams_pass() -> Result<()> {
    let localhost = ([127, 0, 0, 1], 0).into();
    let server: Datagram = listen::udp(localhost, &SocketOptions::new())?;
    let client = listen::udp(localhost, &SocketOptions::new().with_send_buffer_size(Some(50_000)))?;
    client.send_to(b"request", &server.local_addr()?)?;
    wait(&server, Interest::READABLE)?;
    let mut buf = [0; 4];
    let (request, from) = server.recv_from(&mut buf)?;
    assert!(request.is_truncated() && request.whole_len() == Some(7));
    assert_eq!((&*request.bytes, from), (&b"requ"[..], client.local_addr()?));
    assert!(option::maximize_recv_buffer(&client)? >= option::recv_buffer_size(&server)?);

    // A path is refused here, and all the code behind paths is linked.
    assert!(port_file::write("/proc/anet.ports", [], &[server]).is_err());
    Ok(())
}

fn the_network_can_be_seen() -> Result<()> {
    let (mut buf, mut change_buf) = ([0; 8192], [0; 8192]);
    let mut changes = Changes::open(&mut change_buf)?;
    let mut route = Route::open()?;
    let loopback = route.interface_named("lo", &mut buf)?;
    assert!(loopback.is_loopback());
    for interface in route.interfaces(&mut buf)? {
        assert!(!interface?.name.as_bytes().is_empty());
    }
    for addr in route.addresses_of(loopback.index, &mut buf)? {
        assert!(addr?.ip.is_loopback());
    }
    changes.next_change()?;

    let listener = listen::tcp(([127, 0, 0, 1], 0).into(), &SocketOptions::new())?;
    let addr = listener.local_addr()?;
    let filter = InetFilter::tcp().with_states(SocketStates::LISTENING).with_details(Details::all());
    for socket in SockDiag::open()?.inet(filter, &mut buf)? {
        assert!(socket?.accept_queue().is_some());
    }
    for socket in SockDiag::open()?.unix(SocketStates::all(), &mut buf)? {
        let _ = socket?;
    }
    let holder = diag::holder(&addr, InetProtocol::Tcp, &mut buf)?;
    let process = holder.and_then(|holder| holder.process().ok()?);
    assert!(process.is_some_and(|process| process.name.as_bytes() == b"echo"));
    Ok(())
}

/// Without permission, the error names the setting.
fn hosts_answer() -> Result<()> {
    let socket = match IcmpSocket::open_v4() {
        Ok(socket) => socket,
        Err(error) => {
            assert!(error.to_text().as_str().contains("net.ipv4.ping_group_range"));
            return Ok(());
        }
    };
    let mut targets = [Target::new([127, 0, 0, 1].into())];
    let mut pinger = Pinger::new(&mut targets, Plan::default().with_count(Some(1)), icmp::now());
    let mut buf = [0; 256];
    while let Some(request) = pinger.next_request(icmp::now()) {
        pinger.sent(&request, socket.send(&request, &mut buf));
    }
    wait(&socket, Interest::READABLE)?;
    let arrival = socket.receive(&mut buf)?;
    let outcome = arrival.and_then(|arrival| pinger.take(&arrival));
    assert!(matches!(outcome, Some((0, Outcome::Reply { sequence: 1, .. }))));
    Ok(())
}

fn a_closed_port_refuses_connections() -> Result<()> {
    // Outside the range that the kernel chooses from, so no other process comes to listen there.
    let closed = Endpoint::from(SocketAddr::from(([127, 0, 0, 1], 1)));
    let error = connect::blocking(&[closed], Connector::new().with_timeout(PATIENCE)).map(drop).unwrap_err();
    assert_eq!(error.to_text().as_str(), "connect 127.0.0.1:1: Connection refused");
    Ok(())
}

/// Accepts the connection of `client`.
fn accept(listener: &Listener, client: &Stream) -> Result<Stream> {
    wait(listener, Interest::READABLE)?;
    let (server, peer) = listener.accept()?;
    assert_eq!(peer, client.local_addr()?);
    Ok(server)
}

fn finish<L: AsRef<[Endpoint]>>(pending: &mut Pending<L>) -> Result<Stream> {
    let poller = Poller::new()?;
    loop {
        if let Some(stream) = pending.advance(|fd| poller.add(fd, 7, Interest::WRITABLE))? {
            return Ok(stream);
        }
        poller.wait(&mut Events::<4>::new(), pending.timeout().or(PATIENCE))?;
    }
}

pub(crate) fn wait(fd: impl AsFd, interest: Interest) -> Result<()> {
    let poller = Poller::new()?;
    poller.add(&fd, 7, interest)?;
    let mut events = Events::<1>::new();
    assert_eq!(poller.wait(&mut events, PATIENCE), Ok(1));
    assert_eq!(events.at(0).map(|event| event.key()), Some(7));
    poller.modify(&fd, 8, interest)?;
    poller.delete(&fd)
}

fn options_read_back(stream: &Stream) -> Result<()> {
    assert!(option::tcp_nodelay(stream)?);
    assert_eq!(option::priority(stream)?, 3);
    assert_eq!(option::linger(stream)?, Some(Duration::ZERO));
    option::set_linger(stream, None)?;
    let keepalive = TcpKeepalive::after_idle(Duration::from_secs(60))?;
    option::set_tcp_keepalive(stream, &keepalive)?;
    assert_eq!(option::tcp_keepintvl(stream)?, keepalive.interval());
    stream.set_read_timeout(PATIENCE)?;
    assert_eq!(option::recv_timeout(stream)?, PATIENCE);
    assert_eq!(stream.take_error()?, None);
    assert_eq!(option::tcp_info(stream)?.unacked(), Some(0));
    let nowhere = option::set_bind_device(stream, Some(DeviceName::new("anet-no-device")?)).unwrap_err();
    assert_eq!(nowhere.op(), Op::Set(anet::error::Opt::SO_BINDTODEVICE));
    Ok(())
}

fn bytes_pass(from: &Stream, to: &Stream) -> Result<()> {
    assert_eq!(from.write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b"two")])?, 7);
    wait(to, Interest::READABLE)?;
    let (mut first, mut second) = ([0; 3], [0; 4]);
    assert_eq!(to.read_vectored(&mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)])?, 7);
    assert_eq!((&first, &second), (b"one", b" two"));

    from.write_all(b"three")?;
    wait(to, Interest::READABLE)?;
    let mut third = [0; 5];
    to.read_exact(&mut third)?;
    assert_eq!(&third, b"three");

    let deadline = Deadline::after(PATIENCE);
    from.write_all_deadline(b"four", deadline)?;
    from.shutdown(Shutdown::Write)?;
    to.read_exact_deadline(&mut second, deadline)?;
    assert_eq!(&second, b"four");
    Ok(())
}

fn streams_split_and_close() -> Result<()> {
    let ((client, from), (to, server)) = (Stream::pair()?, Stream::pair()?);
    client.write_all_vectored(&mut [IoSlice::new(b"line\n"), IoSlice::new(b"rest")])?;
    assert_eq!(client.write_more(b"")?, 0);
    let mut line = [0; 8];
    assert_eq!(from.read_until(b"\n", &mut line, 0)?, 5);
    assert!(from.recv_queue_bytes()? == 4 && client.send_queue_bytes()? > 0 && !from.at_mark()?);
    assert!(from.read_oob().is_err());
    client.shutdown(Shutdown::Write)?;
    assert_eq!(Splice::new()?.step(&from, &to, usize::MAX)?, Spliced::Ended);
    server.read_exact(&mut line[..4])?;
    client.abort()?;
    assert_eq!(from.close_lingering(100, Deadline::after(PATIENCE)).map_err(|left| left.error), Ok(0));
    Ok(())
}
