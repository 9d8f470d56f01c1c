//! The example as a process, and its clients.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use redis::{Connection, IntoConnectionInfo, RedisResult, cmd};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longer than any step takes unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, ended with the test.
pub(crate) struct Server {
    pub(crate) child: Arc<Mutex<Child>>,
    /// Informs the watchdog that the test is over.
    _alive: Sender<()>,
    pub(crate) port: u16,
    pub(crate) path: PathBuf,
    _dir: TempDir,
}

impl Server {
    /// On a port that the kernel chooses, and with a Unix socket.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut command = Command::new(executable());
        command.args(flags);
        Self::spawn(command)
    }

    /// With at most this many descriptors.
    pub(crate) fn start_with_descriptors(limit: u32) -> Self {
        Self::start_with_descriptors_raisable(limit, limit)
    }

    /// With this many descriptors, which it can raise to `most`.
    pub(crate) fn start_with_descriptors_raisable(limit: u32, most: u32) -> Self {
        let mut command = Command::new("sh");
        let script = format!("ulimit -Sn {limit}; ulimit -Hn {most}; exec \"$0\" \"$@\"");
        command.args(["-c", &script]).arg(executable());
        Self::spawn(command)
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kv.sock");
        command.args(["--port", "0", "--unixsocket"]).arg(&path).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let child = Arc::new(Mutex::new(child));
        let mut server = Self { _alive: watchdog(Arc::clone(&child)), child, port: 0, path, _dir: dir };
        let last = format!("listening on {}", server.path.display());
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if line == last {
                return server;
            }
            let addr: SocketAddr = line.strip_prefix("listening on ").unwrap().parse().unwrap();
            server.port = addr.port();
        }
        panic!("the server has ended: {}", server.stderr());
    }

    /// Without a read timeout: with one, a read fails with `EINTR` when another test's server exits, which the client
    /// takes for a failure. The watchdog bounds the wait.
    ///
    /// The client does not send its name first: it would ignore the answer, which may be a rejection.
    pub(crate) fn connect(&self, url: String) -> RedisResult<Connection> {
        let info = url.into_connection_info()?;
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        redis::Client::open(info.set_redis_settings(settings))?.get_connection_with_timeout(PATIENCE)
    }

    pub(crate) fn try_client(&self) -> RedisResult<Connection> {
        self.connect(format!("redis://127.0.0.1:{}", self.port))
    }

    pub(crate) fn client(&self) -> Connection {
        self.try_client().unwrap()
    }

    pub(crate) fn client_v6(&self) -> Connection {
        self.connect(format!("redis://[::1]:{}", self.port)).unwrap()
    }

    pub(crate) fn client_unix(&self) -> Connection {
        self.connect(format!("redis+unix://{}", self.path.display())).unwrap()
    }

    pub(crate) fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    pub(crate) fn socket_unix(&self) -> UnixStream {
        let socket = UnixStream::connect(&self.path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// One of each kind.
    pub(crate) fn sockets(&self) -> [Socket; 2] {
        [Socket::Tcp(self.socket()), Socket::Unix(self.socket_unix())]
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child.lock().unwrap()), signal).unwrap();
    }

    /// The exit status after a signal.
    pub(crate) fn end(&self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.wait()
    }

    /// The exit status of a server that exits by itself.
    pub(crate) fn wait(&self) -> Option<i32> {
        let mut child = self.child.lock().unwrap();
        wait_until(|| child.try_wait().unwrap().is_some());
        child.wait().unwrap().code()
    }

    /// The output of a server that has exited.
    pub(crate) fn stderr(&self) -> String {
        let mut text = String::new();
        let stderr = self.child.lock().unwrap().stderr.take();
        stderr.unwrap().read_to_string(&mut text).unwrap();
        text
    }

    pub(crate) fn open_fds(&self) -> usize {
        let pid = self.child.lock().unwrap().id();
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
    }

    /// Processor time used so far, in hundredths of a second.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.lock().unwrap().id())).unwrap();
        let (_, behind_name) = stat.rsplit_once(')').unwrap();
        behind_name.split(' ').skip(12).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    pub(crate) fn peak_memory_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.lock().unwrap().id())).unwrap();
        let peak_kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).unwrap();
        peak_kib.trim().parse::<u64>().unwrap() >> 10
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&self.child);
    }
}

/// Kills the server of a test that hangs, so that nothing in the test waits forever.
pub(crate) fn watchdog(child: Arc<Mutex<Child>>) -> Sender<()> {
    let (alive, watched) = mpsc::channel();
    thread::spawn(move || {
        if watched.recv_timeout(2 * PATIENCE) == Err(RecvTimeoutError::Timeout) {
            end(&child);
        }
    });
    alive
}

pub(crate) fn end(child: &Mutex<Child>) {
    // A test that fails with the lock held poisons it.
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = child.kill();
    let _ = child.wait();
}

/// A bare connection of either kind.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buf),
            Self::Unix(stream) => stream.read(buf),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buf),
            Self::Unix(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The example, which `cargo test` has built beside this test.
pub(crate) fn executable() -> PathBuf {
    let test = env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples/kv");
    assert!(path.exists(), "{} is not there: run `cargo build --example kv`", path.display());
    path
}

/// Runs the server until it exits.
pub(crate) fn kv(flags: &[&str]) -> Output {
    Command::new(executable()).args(flags).output().unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn read(socket: &mut impl Read, len: usize) -> String {
    let mut reply = vec![0; len];
    socket.read_exact(&mut reply).unwrap();
    String::from_utf8(reply).unwrap()
}

pub(crate) fn read_to_end(socket: &mut impl Read) -> String {
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

pub(crate) fn refusal(answer: RedisResult<i64>) -> String {
    let error = answer.unwrap_err();
    format!("{} {}", error.code().unwrap_or_default(), error.detail().unwrap_or_default())
}

/// A number from `INFO`.
pub(crate) fn info(client: &mut Connection, name: &str) -> u64 {
    let text: String = cmd("INFO").query(client).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap().parse().unwrap()
}

pub(crate) fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain");
        thread::sleep(Duration::from_millis(5));
    }
}
