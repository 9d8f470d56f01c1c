//! Fairness: a busy listener does not keep the clients of the others waiting.

use super::*;
use std::{
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Clients that connect, are answered and leave in a loop, until this is dropped.
struct Crowd {
    done: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Crowd {
    fn at(addr: Endpoint, clients: usize) -> Self {
        let addr = addr.as_inet().unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let client = |done: Arc<AtomicBool>| {
            move || {
                while !done.load(Ordering::Relaxed) {
                    let _ = come_and_go(addr);
                }
            }
        };
        let threads = (0..clients).map(|_| thread::spawn(client(done.clone()))).collect();
        Self { done, threads }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

/// Errors of these clients do not matter.
fn come_and_go(addr: SocketAddr) -> std::io::Result<()> {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])
}

/// Connects once to each address and reports how long it took to be served. Shares the descriptor table of the thread
/// that made it.
struct Visitor {
    addrs: mpsc::Sender<Endpoint>,
    served: mpsc::Receiver<Duration>,
}

impl Visitor {
    fn new() -> Self {
        let (addrs, to_visit) = mpsc::channel::<Endpoint>();
        let (answer, served) = mpsc::channel();
        thread::spawn(move || {
            for addr in to_visit {
                let start = Instant::now();
                come_and_go(addr.as_inet().unwrap()).unwrap();
                answer.send(start.elapsed()).unwrap();
            }
        });
        Self { addrs, served }
    }

    /// The clients of the other listeners are served soon, whichever listener is busy: within a second on an otherwise
    /// idle machine.
    fn assert_fair(&self, server: &mut Server<'_, u32>, addrs: &[Endpoint], crowded: usize) {
        let mut longest = Duration::ZERO;
        for (index, addr) in addrs.iter().enumerate().filter(|(index, _)| *index != crowded) {
            self.addrs.send(*addr).unwrap();
            let start = Instant::now();
            longest = longest.max(loop {
                echo_once(server);
                if let Ok(time) = self.served.try_recv() {
                    break time;
                }
                assert!(start.elapsed() < PATIENCE, "listener {index} starves while {crowded} is crowded: {server:?}");
            });
        }
        println!("served within {longest:?} beside a crowd at listener {crowded}");
    }
}

fn listen_often(server: &mut Server<'_, u32>) -> Vec<Endpoint> {
    let listen = |_| {
        let listener = any_listener();
        let addr = listener.local_addr().unwrap();
        server.listen(listener).unwrap();
        addr
    };
    (0..LISTENERS_MAX).map(listen).collect()
}

#[test]
fn with_few_slots_a_busy_listener_does_not_starve_the_others() {
    for crowded in [0, LISTENERS_MAX / 2, LISTENERS_MAX - 1] {
        let mut slots = slots(4);
        let mut server = Server::new(&mut slots[..]).unwrap();
        let addrs = listen_often(&mut server);
        let _crowd = Crowd::at(addrs[crowded], 16);
        // The crowd has connected.
        echo_until(&mut server, |server| server.counters().admitted > 50);
        Visitor::new().assert_fair(&mut server, &addrs, crowded);
    }
}

#[test]
fn with_few_descriptors_a_busy_listener_does_not_starve_the_others() {
    for crowded in [0, LISTENERS_MAX / 2, LISTENERS_MAX - 1] {
        let (to_crowd, from_server) = mpsc::channel::<Endpoint>();
        // The crowd's descriptors are not in the server's table.
        let crowd = thread::spawn(move || Crowd::at(from_server.recv().unwrap(), 16));
        let visitor = Visitor::new();
        with_own_descriptors(move || {
            let mut slots = slots(64);
            let mut server = Server::new(&mut slots[..]).unwrap();
            let addrs = listen_often(&mut server);
            to_crowd.send(addrs[crowded]).unwrap();
            let crowd = crowd.join().unwrap();
            let mut occupied = occupy_all_descriptors();
            (0..4).for_each(|_| occupied.pop());
            echo_until(&mut server, |server| server.counters().admitted > 50);
            visitor.assert_fair(&mut server, &addrs, crowded);
            drop(crowd);
        });
    }
}

/// Ten attempts a second after the first few, however many listeners there are.
#[test]
fn without_descriptors_all_listeners_together_retry_as_rarely_as_one() {
    with_own_descriptors(|| {
        let mut slots = slots(64);
        let mut server = Server::new(&mut slots[..]).unwrap();
        let addrs = listen_often(&mut server);
        let clients: Vec<_> = addrs.iter().map(|addr| client_at(*addr)).collect();
        let _occupied = occupy_all_descriptors();
        let start = Instant::now();
        let mut turns = 0;
        while start.elapsed() < 2 * SECOND {
            events(&mut server, SHORT);
            turns += 1;
        }
        let accept = server.counters().accept;
        println!("{} failing accepts and {turns} turns in two seconds", accept.failing_calls);
        assert!(accept.accepted == 0 && (5..=40).contains(&accept.failing_calls), "{accept:?}");
        assert!(turns < 200, "{turns}");
        drop(clients);
    });
}
