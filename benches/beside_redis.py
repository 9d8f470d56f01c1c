#!/usr/bin/env python3
"""The example `kv` beside redis-server and memcached: requests a second, latency, CPU time and system calls a request.

    cargo build --release --example kv
    cargo build --release -p anet-peers
    benches/beside_redis.py [--rounds 5] [--requests 200000] [--only 50] [--calls] [--svg FILE]

All servers run at the same time, bound to one core; benches/peers/ping_load.rs loads one after the other from a second
core. Each round loads all of them, starting with another one. `kv, 200 us` is `kv --max-delay 200`. CPU time is what
the scheduler counts for the server's threads, /proc/PID/task/*/schedstat; on loopback it includes the kernel's work for
the receiving side of the server's output. Results are medians of the rounds; a ratio is the median of each round's
ratio to redis-server, so a disturbance of all at the same time cancels out.

All have their defaults, except for the number of clients, that redis-server never saves, and that memcached has one
worker thread. memcached is asked for a key that it does not have, `mg k`. System calls are counted in one run more, by
perf, waits included.
"""

import argparse
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

# Without keepalive the client's port stays in TIME_WAIT towards one address of the server for a minute, if the client
# closes first. Linux has 28,232 ports for that. So every round uses another address, and makes fewer connections.
CONNECTIONS = 20_000
# redis-server binds no more addresses than that.
MAX_ROUNDS = 16
REFERENCE = "redis-server"
# Enough for every load.
MAX_CLIENTS = 16_000
RESERVED_DESCRIPTORS = 200


class Load:
    """`share` of the requests, on so many connections with so many requests in flight; 0: a connection for each.
    `idle` connections more are open meanwhile."""

    def __init__(self, name, connections, depth, share, idle=0):
        self.name, self.connections, self.depth, self.share, self.idle = name, connections, depth, share, idle

    def requests(self, most):
        return min(int(most * self.share), most if self.depth else CONNECTIONS)

    def flags(self, most):
        numbers = {"connections": self.connections, "depth": self.depth, "requests": self.requests(most)}
        return [word for name, number in numbers.items() for word in (f"--{name}", str(number))]


LOADS = [
    Load("1 connection", 1, 1, 0.1),
    Load("2 connections", 2, 1, 0.2),
    Load("5 connections", 5, 1, 0.5),
    Load("10 connections", 10, 1, 0.5),
    Load("50 connections", 50, 1, 1),
    Load("200 connections", 200, 1, 1),
    Load("2,000 connections", 2000, 1, 1),
    Load("50 connections, 32 in flight", 50, 32, 1),
    Load("50 at a time, one request each", 50, 0, 0.1),
    Load("50 connections, 100 idle", 50, 1, 1, 100),
    Load("50 connections, 2,000 idle", 50, 1, 1, 2000),
    Load("50 connections, 15,000 idle", 50, 1, 1, 15_000),
]


class Server:
    """A server process that answers on one port of several addresses."""

    def __init__(self, name, command, port, core, directory):
        self.name, self.port = name, port
        self.protocol = name if name == "memcached" else "redis"
        self.log = pathlib.Path(directory, re.sub(r"\W+", "_", name) + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=bound_to(core))

    def wait_until_ready(self, address):
        deadline = time.monotonic() + 10
        while not self.answers(address):
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{self.name} does not serve; it said:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.02)

    def answers(self, address):
        try:
            with socket.create_connection((address, self.port), 1) as client:
                return self.answers_to(client)
        except OSError:
            return False

    def answers_to(self, client):
        client.sendall(b"mn\r\n" if self.protocol == "memcached" else b"PING\r\n")
        return client.recv(7) in (b"MN\r\n", b"+PONG\r\n")

    @contextlib.contextmanager
    def holding(self, count, address):
        """So many idle connections, all of them accepted."""
        clients = []
        try:
            for _ in range(count):
                clients.append(socket.create_connection((address, self.port), 10))
                # Closed with a reset, which leaves no port in TIME_WAIT.
                clients[-1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if clients and not self.answers_to(clients[-1]):
                sys.exit(f"{self.name} does not answer beside {count} connections")
            yield
        finally:
            for client in clients:
                client.close()

    def cpu_seconds(self):
        """The time its threads have run."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def bound_to(core):
    return lambda: os.sched_setaffinity(0, {core})


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def running(chosen, addresses, core):
    """All servers."""
    ports = [free_port() for _ in range(4)]
    kv, redis, memcached = chosen.kv, chosen.redis_server, chosen.memcached
    kv_flags = ["--bind", " ".join(addresses), "--maxclients", MAX_CLIENTS, "--port"]
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        commands = {
            "kv": [kv, *kv_flags, ports[0]],
            "kv, 200 us": [kv, *kv_flags, ports[1], "--max-delay", "200"],
            REFERENCE: [redis, "--bind", *addresses, "--port", ports[2], "--dir", directory, "--save", ""]
            + ["--maxclients", MAX_CLIENTS],
            "memcached": [memcached, "-u", "root", "-t", "1", "-U", "0", "-c", MAX_CLIENTS, "-l", ",".join(addresses)]
            + ["-p", ports[3]],
        }
        servers = []
        for (name, command), port in zip(commands.items(), ports):
            server = Server(name, [str(word) for word in command], port, core, directory)
            stack.callback(server.stop)
            server.wait_until_ready(addresses[-1])
            servers.append(server)
        yield servers


def run_load(chosen, server, address, load, core):
    """The numbers that the load prints: seconds, and latencies in microseconds."""
    flags = [*load.flags(chosen.requests), "--protocol", server.protocol, f"{address}:{server.port}"]
    ran = subprocess.run([chosen.ping_load, *flags], capture_output=True, text=True, preexec_fn=bound_to(core))
    if ran.returncode != 0:
        sys.exit(f"the load failed with {server.name}, {load.name}:\n{ran.stdout}{ran.stderr}")
    return [float(word) for word in ran.stdout.split()]


def measure(chosen, server, address, load, core):
    """Requests a second, CPU microseconds a request, and latencies in microseconds."""
    requests = load.requests(chosen.requests)
    with server.holding(load.idle, address):
        before = server.cpu_seconds()
        seconds, *latencies = run_load(chosen, server, address, load, core)
        cpu_seconds = server.cpu_seconds() - before
    return requests / seconds, cpu_seconds / requests * 1e6, *latencies


def count_calls(chosen, server, address, load, core):
    """System calls a request."""
    perf = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", str(server.process.pid)]
    counting = subprocess.Popen(perf, stderr=subprocess.PIPE, text=True)
    time.sleep(0.3)
    run_load(chosen, server, address, load, core)
    counting.send_signal(signal.SIGINT)
    counted = counting.communicate()[1].split(",")[0]
    if not counted.strip().isdigit():
        sys.exit(f"perf counted no system calls: {counted}")
    return int(counted) / load.requests(chosen.requests)


def medians(rounds):
    return [statistics.median(column) for column in zip(*rounds)]


def ratios(rounds, reference):
    """Of the rate, the CPU time and the 99th percentile."""
    return [statistics.median(a[at] / b[at] for a, b in zip(rounds, reference)) for at in (0, 1, 4)]


def show(load, measured, calls):
    """A row for each server."""
    print(f"\n{load.name:32}{'requests/s':>17}{'CPU us':>13}{'mean':>8}{'p50':>8}{'p99':>15}{'p99.9':>9}{'calls':>7}")
    for name, rounds in measured.items():
        rate, cpu, mean, p50, p99, p999 = medians(rounds)
        of_rate, of_cpu, of_p99 = ratios(rounds, measured[REFERENCE])
        counted = f"{calls[name]:.2f}" if name in calls else "-"
        print(
            f"  {name:30}{rate:10,.0f} {of_rate:5.2f}x{cpu:7.2f} {of_cpu:4.2f}x{mean:8.0f}{p50:8.0f}"
            f"{p99:8.0f} {of_p99:5.2f}x{p999:9.0f}{counted:>7}"
        )
    sys.stdout.flush()


COLOURS = {"kv": "#3b6ea8", "kv, 200 us": "#79a7d9", REFERENCE: "#b0413e", "memcached": "#8a8a8a"}
LEFT, BAR, WIDTH = 220, 12, 260


def svg(results):
    """Two bars a server and load: its rate and its CPU time a request, as multiples of redis-server's."""
    columns = [(LEFT, "requests a second", 0), (LEFT + WIDTH + 60, "CPU time a request", 1)]
    largest = [max(ratios(rounds, all[REFERENCE])[at] for all in results.values() for rounds in all.values())
               for at in (0, 1)]
    parts, y = [], 40
    text = lambda x, y, words, more="": parts.append(f'<text x="{x}" y="{y}" {more}>{words}</text>')
    for x, title, _ in columns:
        text(x, 20, f"{title}, redis-server = 1", 'font-weight="bold"')
    for load, measured in results.items():
        text(0, y + BAR * len(measured) // 2 + 4, load)
        for name, rounds in measured.items():
            for x, _, at in columns:
                ratio = ratios(rounds, measured[REFERENCE])[at]
                length = round(ratio / largest[at] * WIDTH)
                parts.append(f'<rect x="{x}" y="{y}" width="{length}" height="{BAR - 2}" fill="{COLOURS[name]}"/>')
                text(x + length + 4, y + BAR - 3, f"{ratio:.2f}", 'font-size="9"')
            y += BAR
        y += BAR
    for number, (name, colour) in enumerate(COLOURS.items()):
        x = LEFT + number * 130
        parts.append(f'<rect x="{x}" y="{y}" width="{BAR}" height="{BAR}" fill="{colour}"/>')
        text(x + BAR + 6, y + BAR - 2, name)
    size = f'width="{LEFT + 2 * WIDTH + 110}" height="{y + 30}"'
    style = 'font-family="sans-serif" font-size="12" fill="#333"'
    background = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>', background, *parts, "</svg>\n"])


def program(name, hint):
    path = shutil.which(name)
    if path is None:
        sys.exit(f"{name} is not there: {hint}")
    return path


def options():
    root = pathlib.Path(__file__).resolve().parent.parent
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help=f"at most {MAX_ROUNDS}")
    parser.add_argument("--requests", type=int, default=200_000, help="of each run; fewer with few connections")
    parser.add_argument("--only", default="", help="loads whose name contains this")
    parser.add_argument("--calls", action="store_true", help="count system calls; perf must be there")
    parser.add_argument("--svg", type=pathlib.Path, help="draw the ratios into this file")
    parser.add_argument("--kv", default=str(target / "release/examples/kv"), help="path")
    parser.add_argument("--ping-load", default=str(target / "release/ping_load"), help="path")
    parser.add_argument("--redis-server", default="redis-server", help="name or path")
    parser.add_argument("--memcached", default="memcached", help="name or path")
    chosen = parser.parse_args()
    if not 1 <= chosen.rounds <= MAX_ROUNDS or chosen.requests < 2000:
        parser.error("a number is out of range")
    chosen.loads = [load for load in LOADS if chosen.only in load.name]
    chosen.kv = program(chosen.kv, "cargo build --release --example kv")
    chosen.ping_load = program(chosen.ping_load, "cargo build --release -p anet-peers")
    for name in ["redis_server", "memcached"]:
        setattr(chosen, name, program(getattr(chosen, name), "Debian has it"))
    return chosen


def main():
    # Ends through the `finally`s, which stop the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    chosen = options()
    # The servers inherit it.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("two cores are needed, one for the servers and one for their clients")
    addresses = [f"127.0.0.{last}" for last in range(1, chosen.rounds + 1)]
    results = {}
    with running(chosen, addresses, cores[0]) as servers:
        for load in chosen.loads:
            if load.idle + RESERVED_DESCRIPTORS > hard:
                print(f"\n{load.name}: LEFT OUT, it needs {load.idle + RESERVED_DESCRIPTORS} descriptors, not {hard}")
                continue
            measured, calls = {server.name: [] for server in servers}, {}
            for number, address in enumerate(addresses):
                first = number % len(servers)
                for server in servers[first:] + servers[:first]:
                    measured[server.name].append(measure(chosen, server, address, load, cores[1]))
            if chosen.calls:
                calls = {server.name: count_calls(chosen, server, addresses[0], load, cores[1]) for server in servers}
            show(load, measured, calls)
            results[load.name] = measured
    if chosen.svg:
        chosen.svg.write_text(svg(results))


if __name__ == "__main__":
    main()
