#!/usr/bin/env python3
"""The example `kv` beside redis-server: requests a second, and the server's cost of a request.

    cargo build --release --example kv
    benches/beside_redis.py [--rounds 7] [--requests 500000]

Both servers run at the same time, bound to one core; `redis-benchmark -t ping_mbulk` with 50 clients loads one after
the other from a second core. Each round loads both, alternating the order, with keepalive, with keepalive and 32
requests in flight (`-P 32`), and with a connection for every request (`-k 0`). CPU is the server's user and system time
during the run, from /proc/PID/stat, which counts in ticks of 10 ms. On loopback it includes the kernel's work for the
receiving side of the server's output. Results are medians of the rounds; the ratio is the median of each round's ratio,
so a disturbance of both at the same time cancels out.

Both have their defaults (redis-server: TCP keepalive of 300 s, one I/O thread), but redis-server never saves.
"""

import argparse
import contextlib
import csv
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# redis-benchmark closes first, so every connection leaves a port in TIME_WAIT on its side, for a minute and towards one
# address of the server. Linux has 28,232 ports for that, fewer than several rounds need. So every round uses another
# address, and makes fewer connections than there are ports.
CONNECTIONS = 20_000
# redis-server binds no more addresses than that.
MAX_ROUNDS = 16

TICKS = os.sysconf("SC_CLK_TCK")


class Mode:
    def __init__(self, name, flags, requests):
        self.name, self.flags, self.requests = name, flags, requests


class Server:
    """A server process that answers on the same port of several addresses."""

    def __init__(self, name, command, core, directory):
        self.name = name
        self.log = pathlib.Path(directory, name + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=bound_to(core))
        self.port = None

    def wait_until(self, is_ready):
        deadline = time.monotonic() + 10
        while not is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{self.name} does not serve; it said:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.02)

    def cpu_seconds(self):
        """User and system time until now."""
        # Behind the name, which may contain anything, come the fields from the third on.
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) / TICKS, int(fields[12]) / TICKS

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def bound_to(core):
    return lambda: os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def running(server):
    try:
        yield server
    finally:
        server.stop()


def start_kv(path, addresses, core, directory):
    port_file = pathlib.Path(directory, "kv.port")
    command = [path, "--bind", " ".join(addresses), "--port", "0", "--port-file", port_file]
    server = Server("kv", command, core, directory)

    def is_ready():
        if port_file.exists():
            server.port = int(port_file.read_text().split()[-1])
        return port_file.exists() and answers(addresses[-1], server.port)

    return server, is_ready


def start_redis(path, addresses, core, directory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [path, "--bind", *addresses, "--port", str(port), "--dir", directory]
    server = Server("redis-server", [*command, "--save", "", "--appendonly", "no"], core, directory)
    server.port = port
    return server, lambda: answers(addresses[-1], port)


def answers(address, port):
    try:
        with socket.create_connection((address, port), 1) as client:
            client.sendall(b"PING\r\n")
            return client.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def measure(benchmark, server, address, mode, core):
    """Requests a second, and user and system seconds per million requests."""
    command = [benchmark, "-h", address, "-p", str(server.port), "-t", "ping_mbulk", "-n", str(mode.requests), "--csv"]
    before = server.cpu_seconds()
    ran = subprocess.run([*command, *mode.flags], capture_output=True, text=True, preexec_fn=bound_to(core))
    after = server.cpu_seconds()
    rows = [row for row in csv.reader(ran.stdout.splitlines()) if row[:1] == ["PING_MBULK"]]
    if ran.returncode != 0 or len(rows) != 1:
        sys.exit(f"redis-benchmark failed with {server.name}:\n{ran.stdout}{ran.stderr}")
    user, system = ((end - start) / mode.requests * 1e6 for start, end in zip(before, after))
    return float(rows[0][1]), user, system


def show(mode, kv, redis):
    """The rounds of both servers as a row each, and one of ratios."""
    print(f"\n{mode.name}, {mode.requests} requests a round")
    for name, rounds in [("kv", kv), ("redis-server", redis)]:
        rate, user, system = (statistics.median(column) for column in zip(*rounds))
        total = statistics.median(user + system for _, user, system in rounds)
        print(f"  {name:14}{rate:12,.0f}{total:14.2f}{user:10.2f}{system:10.2f}")
    ratios = [(a[0] / b[0], (a[1] + a[2]) / (b[1] + b[2])) for a, b in zip(kv, redis)]
    rate, cpu = (statistics.median(column) for column in zip(*ratios))
    print(f"  {'kv / redis':14}{rate:12.2f}{cpu:14.2f}")


def program(name, hint):
    path = shutil.which(name)
    if path is None:
        sys.exit(f"{name} is not there: {hint}")
    return path


def options():
    root = pathlib.Path(__file__).resolve().parent.parent
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help=f"at most {MAX_ROUNDS}")
    requests_help = "of each run with keepalive; 4 times as many with -P 32"
    parser.add_argument("--requests", type=int, default=500_000, help=requests_help)
    connections_help = f"of each run without keepalive; at most {CONNECTIONS}"
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help=connections_help)
    parser.add_argument("--kv", default=str(target / "release/examples/kv"), help="path")
    parser.add_argument("--redis-server", default="redis-server", help="name or path")
    parser.add_argument("--redis-benchmark", default="redis-benchmark", help="name or path")
    chosen = parser.parse_args()
    if not 1 <= chosen.rounds <= MAX_ROUNDS or not 1 <= chosen.connections <= CONNECTIONS or chosen.requests < 1:
        parser.error("a number is out of range")
    chosen.kv = program(chosen.kv, "cargo build --release --example kv")
    for name in ["redis_server", "redis_benchmark"]:
        setattr(chosen, name, program(getattr(chosen, name), "Debian has it in redis-server and redis-tools"))
    return chosen


def main():
    # Ends through the `finally`s, which stop the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    chosen = options()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("two cores are needed, one for the server and one for its clients")
    modes = [
        Mode("keepalive", [], chosen.requests),
        Mode("keepalive, -P 32", ["-P", "32"], 4 * chosen.requests),
        Mode("no keepalive, -k 0", ["-k", "0"], chosen.connections),
    ]
    addresses = [f"127.0.0.{last}" for last in range(1, chosen.rounds + 1)]
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        servers = []
        for start, path in [(start_kv, chosen.kv), (start_redis, chosen.redis_server)]:
            server, is_ready = start(path, addresses, cores[0], directory)
            servers.append(stack.enter_context(running(server)))
            server.wait_until(is_ready)
        measured = {(mode.name, server.name): [] for mode in modes for server in servers}
        for number, address in enumerate(addresses):
            for mode in modes:
                for server in servers[:: 1 if number % 2 == 0 else -1]:
                    result = measure(chosen.redis_benchmark, server, address, mode, cores[1])
                    measured[mode.name, server.name].append(result)
    print(f"{'':16}{'requests/s':>12}{'CPU s/million':>14}{'user':>10}{'system':>10}")
    for mode in modes:
        show(mode, *(measured[mode.name, server.name] for server in servers))


if __name__ == "__main__":
    main()
