#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's figures, as ratios where the machine's speed would drown them.

Usage: bench_http.py [--bin build/tangentd] [--upload-gib 1] [--seconds 5]

Needs Python's standard library and numpy. Each figure runs on a daemon of its own; clients are raw
sockets in processes of their own, so that they cost the daemon little.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import mmap
import multiprocessing
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List, Sequence, Tuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness  # noqa: E402
from harness import Daemon  # noqa: E402

MIB = 1 << 20


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode() + body


def job(rows: Sequence[Sequence[float]]) -> bytes:
    body = {"kind": "pca", "inputs": {"trajectory": rows}}
    return json.dumps(body, separators=(",", ":")).encode()


class Connection:
    """A keep-alive connection that reads answers by their Content-Length."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def ask(self, data: bytes) -> Tuple[int, bytes]:
        self.sock.sendall(data)
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return int(head.split(b" ", 2)[1]), body

    def _more(self) -> None:
        piece = self.sock.recv(1 << 18)
        if not piece:
            raise ConnectionError("the daemon closed the connection")
        self.buffer += piece


@contextmanager
def daemon(*args: str) -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="tangentd-bench-") as folder:
        quiet = ("--log-level", "error", "--max-queued", "1000000")
        it = Daemon(Path(folder) / "store", (*quiet, *args)).start()
        try:
            yield it
        finally:
            it.kill()


def row(name: str, value: str, goal: str = "") -> None:
    print(f"{name:<58} {value:>16}  {goal}", flush=True)


# Accepts -----------------------------------------------------------------------------------


def accept_client(port: int, clients: int, seconds: float, seed: int, out: Any) -> None:
    """`clients` connections in threads, each submitting different jobs one after another."""
    counts = [0] * clients

    def one(index: int) -> None:
        connection = Connection(port)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            x = float(counts[index]) + seed * 1e9 + index * 1e7
            body = job([[0, x], [1, 0], [2, 1], [x, 3]])
            status, answer = connection.ask(request("POST", "/v1/jobs", body))
            if status != 202:
                raise RuntimeError(answer)
            counts[index] += 1

    threads = [threading.Thread(target=one, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put(sum(counts))


def accepts(clients: int, seconds: float) -> float:
    processes = min(clients, 4)
    with daemon() as it:
        out: Any = multiprocessing.Queue()
        children = [
            multiprocessing.Process(
                target=accept_client, args=(it.port, clients // processes, seconds, i + 1, out)
            )
            for i in range(processes)
        ]
        for child in children:
            child.start()
        total = sum(out.get() for _ in children)
        for child in children:
            child.join()
        return float(total) / seconds


def fsync_rate(folder: str, seconds: float = 1.0) -> float:
    """Appends of 4 KiB that are flushed, per second: what the disk can commit singly."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        n, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            n += 1
        return n / seconds


def bench_accepts(seconds: float) -> None:
    disk = fsync_rate(tempfile.gettempdir())
    one = accepts(1, seconds)
    many = accepts(64, seconds)
    row("the disk alone, flushed appends /s", f"{disk:.0f}")
    row("durable accepts /s, 1 client", f"{one:.0f}", f"{one / disk:.2f} of the disk")
    row("durable accepts /s, 64 clients", f"{many:.0f}", f"{many / one:.1f} x one client")


# Small jobs --------------------------------------------------------------------------------


def bench_small(seconds: float) -> None:
    rng = np.random.default_rng(1)
    with daemon() as it:
        connection = Connection(it.port)
        times = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            body = job(rng.normal(size=(50, 20)).tolist())
            began = time.perf_counter()
            status, answer = connection.ask(request("POST", "/v1/jobs", body, "Prefer: wait=20"))
            times.append(time.perf_counter() - began)
            assert status == 200, answer
    disk = 1e3 / fsync_rate(tempfile.gettempdir())
    p50 = 1e3 * statistics.median(times)
    row("pca of 50 x 20 by Prefer: wait, p50 ms", f"{p50:.2f}", "goal: < 5 ms + one commit")
    row("one flushed append, ms", f"{disk:.2f}")


# Uploads -----------------------------------------------------------------------------------


def npy_header(n: int) -> bytes:
    out = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (n,)}
    np.lib.format.write_array_header_1_0(out, header)
    return out.getvalue()


def disk_write_rate(total: int, folder: str) -> float:
    """Bytes a second that the disk takes in pieces of 2 MiB past the page cache, and keeps."""
    piece = mmap.mmap(-1, 2 * MIB)
    piece.write(os.urandom(2 * MIB))
    path = os.path.join(folder, "disk-rate")
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DIRECT, 0o600)
    except OSError:  # a file system without such a way
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    began = time.perf_counter()
    for _ in range(total // len(piece)):
        os.write(fd, piece)
    os.fsync(fd)
    took = time.perf_counter() - began
    os.close(fd)
    os.unlink(path)
    return total / took


def bench_upload(gib: float) -> None:
    piece = np.random.default_rng(2).integers(0, 255, 8 * MIB, dtype=np.uint8).tobytes()
    pieces = int(gib * 1024 / 8)
    head = npy_header(pieces * len(piece) // 8)
    sha = hashlib.sha256(head)
    began = time.perf_counter()
    for _ in range(pieces):
        sha.update(piece)
    total = len(head) + pieces * len(piece)
    alone = total / (time.perf_counter() - began)
    disk = disk_write_rate(total, tempfile.gettempdir())
    with daemon() as it:
        it.request("GET", "/v1/status")
        before = highest = it.resident_bytes()
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", it.port)) as sock:
            start = f"PUT /v1/data/{sha.hexdigest()} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            sock.sendall(f"{start}Content-Length: {total}\r\n\r\n".encode() + head)
            for i in range(pieces):
                sock.sendall(piece)
                if i % 8 == 0:
                    highest = max(highest, it.resident_bytes())
            answer = sock.recv(65536)
        rate = total / (time.perf_counter() - began)
        assert answer.startswith(b"HTTP/1.1 201"), answer
    row("SHA-256 alone, MB/s", f"{alone / 1e6:.0f}")
    row("the disk alone, MB/s", f"{disk / 1e6:.0f}", f"{disk / alone:.2f} of SHA-256 alone")
    row(
        f"upload of {gib:g} GiB, MB/s",
        f"{rate / 1e6:.0f}",
        f"{rate / alone:.2f} of SHA-256 alone, goal: >= 0.60; {rate / disk:.2f} of the disk",
    )
    row("growth of resident memory, MiB", f"{(highest - before) / MIB:.1f}", "goal: < 64")


# Health under load -------------------------------------------------------------------------


def put(it: Daemon, array: np.ndarray) -> str:
    out = io.BytesIO()
    np.save(out, array)
    sha: str = it.request("POST", "/v1/data", out.getvalue()).json()["sha256"]
    return sha


def keep_busy(it: Daemon) -> None:
    """More computing than the benchmark lasts, for every worker."""
    rng = np.random.default_rng(3)
    shas = [put(it, rng.normal(size=(3000, 1000))) for _ in range(8)]
    for i in range(2 * (os.cpu_count() or 1)):
        layers = [{"sha256": sha} for sha in shas[i % 4 :]]
        body = json.dumps({"kind": "svcca", "inputs": {"layers": layers}})
        it.request("POST", "/v1/jobs", body, {"Cache-Control": "no-store"})


def slow_senders(it: Daemon, n: int) -> Callable[[], None]:
    socks = [socket.create_connection(("127.0.0.1", it.port)) for _ in range(n)]
    for sock in socks:
        sock.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n\r\n{")
    stop = threading.Event()

    def trickle() -> None:
        while not stop.wait(1):
            for sock in socks:
                try:
                    sock.sendall(b" ")
                except OSError:
                    pass

    threading.Thread(target=trickle, daemon=True).start()

    def end() -> None:
        stop.set()
        for sock in socks:
            sock.close()

    return end


def bench_livez(seconds: float) -> None:
    with daemon() as it:
        keep_busy(it)
        end_slow = slow_senders(it, 500)
        connection = Connection(it.port)
        times = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.perf_counter()
            status, _ = connection.ask(request("GET", "/livez"))
            times.append(time.perf_counter() - began)
            assert status == 200
            time.sleep(0.005)
        end_slow()
        busy = it.request("GET", "/v1/jobs?state=running").json()["jobs"]
        assert busy, "nothing was running"
    p99 = 1e3 * statistics.quantiles(times, n=100)[98]
    row("/livez p99 ms, all workers busy, 500 slow senders", f"{p99:.2f}", "goal: < 20")


def bench_streams(n: int) -> None:
    with daemon("--max-connections", "4096", "--max-connections-per-address", "0") as it:
        before = it.resident_bytes()
        socks: List[socket.socket] = []
        for _ in range(n):
            sock = socket.create_connection(("127.0.0.1", it.port))
            sock.sendall(request("GET", "/v1/events"))
            socks.append(sock)
        for sock in socks:
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        it.request("POST", "/v1/jobs", job([[0, 1], [1, 0], [2, 1]]), {"Prefer": "wait=10"})
        time.sleep(1)
        grown = it.resident_bytes() - before
        for sock in socks:
            sock.close()
    row(f"{n} event streams, MiB", f"{grown / MIB:.1f}", "goal: < 64")


# Start -------------------------------------------------------------------------------------


def bench_start() -> None:
    times = []
    with tempfile.TemporaryDirectory(prefix="tangentd-bench-") as folder:
        for _ in range(9):
            it = Daemon(Path(folder) / "store", ("--log-level", "error"))
            began = time.perf_counter()
            it.start(wait=False)
            while True:
                try:
                    socket.create_connection(("127.0.0.1", it.port)).close()
                    break
                except OSError:
                    time.sleep(0.0005)
            times.append(time.perf_counter() - began)
            it.wait_ready()
            time.sleep(0.3)
            resident = it.resident_bytes()
            it.stop()
    median = 1e3 * statistics.median(times)
    row("start, ms until connections are taken", f"{median:.1f}", "goal: < 50")
    row("idle, resident MiB", f"{resident / MIB:.1f}", "goal: < 20")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--bin", type=Path, default=harness.BIN, help="the daemon")
    parser.add_argument("--upload-gib", type=float, default=1.0, help="size of the upload")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each timed figure")
    parser.add_argument("--streams", type=int, default=1000, help="event streams")
    options = parser.parse_args()
    harness.BIN = options.bin.resolve()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    version = subprocess.run([harness.BIN, "--version"], capture_output=True, text=True).stdout
    print(f"{version.strip()}, {os.cpu_count()} cores\n")
    bench_start()
    bench_small(options.seconds)
    bench_accepts(options.seconds)
    bench_livez(options.seconds)
    bench_streams(options.streams)
    bench_upload(options.upload_gib)
    return 0


if __name__ == "__main__":
    sys.exit(main())
