#!/usr/bin/env python3
"""The examples http and proxy beside the same programs on mio and tokio: lines, system calls, rate and CPU time.

    cargo build --release -p anet-examples -p anet-peers
    python3 benches/beside_peers.py [--rounds N] [--only LOAD] [--target DIR] [--calls]

The programs take turns in each round, the server on one core and the load on another; the output is medians, and
the ratios of anet to each peer. --calls counts system calls under strace instead, which makes everything slower.

Lines are those of the program's file that are neither blank nor only comments, formatted alike. The code that all three
share is not counted: the command line (examples/args), and for HTTP the requests and responses
(examples/more/http/protocol.rs).
"""

import argparse
import os
import re
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ["anet", "mio", "tokio"]
SOURCES = {
    "http": ["examples/more/http.rs", "benches/peers/http_mio.rs", "benches/peers/http_tokio.rs"],
    "proxy": ["examples/proxy.rs", "benches/peers/proxy_mio.rs", "benches/peers/proxy_tokio.rs"],
}
# name, program, flags of the load
LOADS = [
    ("HTTP keep-alive", "http", ["--requests", "200000"]),
    ("HTTP 16 in flight", "http", ["--depth", "16", "--requests", "800000"]),
    ("HTTP, the server closes", "http", ["--depth", "0", "--requests", "20000"]),
    ("proxy", "proxy", ["--requests", "100000"]),
    ("proxy, bulk", "proxy", ["--body", "60000", "--connections", "10", "--requests", "20000"]),
    ("proxy, short connections", "proxy", ["--depth", "0", "--requests", "10000"]),
]
SERVER_CORE, LOAD_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")


def binary(target, program, library):
    return str(target / (program if library == "anet" else f"{program}_{library}"))


def lines(path):
    text = (ROOT / path).read_text().splitlines()
    return sum(1 for line in text if line.strip() and not line.strip().startswith("//"))


class Server:
    """A running program, ended with the block."""

    def __init__(self, command, core):
        pin = lambda: os.sched_setaffinity(0, {core % os.cpu_count()})
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=pin)
        self.addr = self.process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def started(target, program, library, upstream):
    words = [upstream, upstream] if program == "proxy" else []
    command = [binary(target, program, library), "--listen", "127.0.0.1:0", *words]
    return Server(command, SERVER_CORE)


def measure(target, program, library, flags, upstream):
    """Requests a second, and the server's CPU microseconds a request."""
    requests = int(flags[flags.index("--requests") + 1])
    with started(target, program, library, upstream) as server:
        before = server.cpu_seconds()
        pin = lambda: os.sched_setaffinity(0, {LOAD_CORE % os.cpu_count()})
        load = [str(target / "load"), *flags, server.addr]
        seconds = float(subprocess.run(load, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=pin).stdout)
        return requests / seconds, (server.cpu_seconds() - before) / requests * 1e6


def compare(target, rounds, only):
    with Server([str(target / "http"), "--listen", "127.0.0.1:0"], LOAD_CORE) as upstream:
        for name, program, flags in (load for load in LOADS if only in load[0]):
            seen = {library: [] for library in LIBRARIES}
            for number in range(rounds):
                order = LIBRARIES[number % 3:] + LIBRARIES[:number % 3]
                for library in order:
                    seen[library].append(measure(target, program, library, flags, upstream.addr))
            medians = {library: [statistics.median(column) for column in zip(*runs)] for library, runs in seen.items()}
            rate, cpu = medians["anet"]
            ratios = ", ".join(
                f"{library} rate {rate / medians[library][0]:.2f} CPU {cpu / medians[library][1]:.2f}"
                for library in LIBRARIES[1:]
            )
            print(f"{name}: {rate:.0f}/s, {cpu:.1f} us CPU each; beside {ratios}", flush=True)


def serve_answers(listener):
    """An upstream that answers each connection once, and ends when its client does."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            if connection.recv(100):
                connection.sendall(b"answer")
                connection.recv(100)


def converse(addr, question, ends):
    host, port = addr.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(question)
        while connection.recv(1000) and ends:
            pass


def count_calls(target, connections=300):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener, tempfile.TemporaryDirectory() as directory:
        threading.Thread(target=serve_answers, args=[listener], daemon=True).start()
        upstream = "127.0.0.1:%d" % listener.getsockname()[1]
        for name, program, question, ends in [
            ("HTTP, the server closes", "http", b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", True),
            ("HTTP, the server refuses and lingers", "http", b"GET / HTTP/9\r\n\r\n", True),
            ("proxied short connection", "proxy", b"question", False),
        ]:
            counts = []
            for library in LIBRARIES:
                trace = Path(directory) / library
                with started(target, program, library, upstream) as server:
                    strace = ["strace", "-qq", "-f", "-o", str(trace), "-p", str(server.process.pid)]
                    tracer = subprocess.Popen(strace)
                    time.sleep(0.5)
                    for _ in range(connections):
                        converse(server.addr, question, ends)
                    time.sleep(0.5)
                tracer.wait()
                calls = [line for line in trace.read_text().splitlines() if re.match(r"\d+ +\w+\(", line)]
                counts.append(f"{library} {len(calls) / connections:.2f}")
            print(f"calls, {name}: {', '.join(counts)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="loads whose name contains this")
    parser.add_argument("--target", type=Path, default=ROOT / "target" / "release")
    parser.add_argument("--calls", action="store_true")
    args = parser.parse_args()
    for program, sources in SOURCES.items():
        counts = [lines(source) for source in sources]
        print(f"lines of {program}: {', '.join(f'{library} {count}' for library, count in zip(LIBRARIES, counts))}")
    if args.calls:
        count_calls(args.target)
    else:
        compare(args.target, args.rounds, args.only)


if __name__ == "__main__":
    main()
