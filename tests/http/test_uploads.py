# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads that break and go on, and bodies that are too long or of unknown length."""

from __future__ import annotations

import hashlib
import os
import socket
import time

import numpy as np
from arrays import npy
from harness import Answer, Daemon
from wire import Wire


def head(sha: str, length: int, **headers: str) -> bytes:
    lines = [f"PUT /v1/data/{sha} HTTP/1.1", "Host: localhost", f"Content-Length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def offset_of(wire: Wire, sha: str) -> int:
    return int(wire.request("HEAD", f"/v1/data/{sha}").headers.get("upload-offset", 0))


def test_a_broken_upload_goes_on_where_it_stopped(wire: Wire) -> None:
    data = npy(np.random.default_rng(int.from_bytes(os.urandom(4), "big")).normal(size=(900, 700)))
    sha = hashlib.sha256(data).hexdigest()
    with socket.create_connection(("127.0.0.1", wire.daemon.port)) as sock:
        sock.sendall(head(sha, len(data)) + data[: len(data) // 2])
        time.sleep(0.3)
    end = time.monotonic() + 10
    while not offset_of(wire, sha) and time.monotonic() < end:
        time.sleep(0.05)
    offset = offset_of(wire, sha)
    assert 0 < offset <= len(data) // 2

    def go_on(first: int) -> Answer:
        content_range = f"bytes {first}-{len(data) - 1}/{len(data)}"
        return wire.request(
            "PUT", f"/v1/data/{sha}", data[first:], {"Content-Range": content_range}
        )

    refused = go_on(offset + 1)
    while "under way" in refused.text and time.monotonic() < end:
        time.sleep(0.05)  # the daemon has yet to let go of the broken one
        refused = go_on(offset + 1)
    offset = offset_of(wire, sha)  # all that it had received is there now
    assert 0 < offset <= len(data) // 2
    refused = go_on(offset + 1)
    assert refused.status == 409 and "cannot go on" in refused.text, refused.text
    assert go_on(offset).status == 201
    assert wire.request("GET", f"/v1/data/{sha}").body == data
    assert offset_of(wire, sha) in (0, len(data))


def test_an_upload_without_an_offset_begins_again(wire: Wire) -> None:
    data = npy(np.arange(300_000.0) + time.time())
    sha = hashlib.sha256(data).hexdigest()
    with socket.create_connection(("127.0.0.1", wire.daemon.port)) as sock:
        sock.sendall(head(sha, len(data)) + b"nonsense" * 1000)
        time.sleep(0.3)
    end = time.monotonic() + 10
    while not offset_of(wire, sha) and time.monotonic() < end:
        time.sleep(0.05)
    answer = wire.request("PUT", f"/v1/data/{sha}", data)
    while answer.status == 409 and time.monotonic() < end:
        time.sleep(0.05)  # the daemon has yet to let go of the broken one
        answer = wire.request("PUT", f"/v1/data/{sha}", data)
    assert answer.status == 201, answer.text
    assert wire.request("GET", f"/v1/data/{sha}").body == data


def test_a_body_comes_in_parts(wire: Wire) -> None:
    """Parts that are requests of their own, each a Content-Range."""
    data = npy(np.arange(5000.0) + time.time())
    sha = hashlib.sha256(data).hexdigest()
    for first in range(0, len(data), 15_000):
        part = data[first : first + 15_000]
        content_range = f"bytes {first}-{first + len(part) - 1}/{len(data)}"
        answer = wire.request("PUT", f"/v1/data/{sha}", part, {"Content-Range": content_range})
        assert answer.status == (201 if first + len(part) == len(data) else 202)
    assert wire.request("GET", f"/v1/data/{sha}").body == data


def test_a_body_of_unknown_length_is_taken_in_chunks(wire: Wire) -> None:
    body = b'{"kind": "pca", "inputs": {"trajectory": [[0, 0], [1, 0], [2, 1], [51, 7]]}}'
    answer = wire.daemon.raw(
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    )
    assert answer.startswith((b"HTTP/1.1 202 ", b"HTTP/1.1 200 "))


def test_a_body_over_the_limit_is_refused_before_it_is_read(make_daemon) -> None:  # type: ignore
    daemon: Daemon = make_daemon("--max-body", "64K", "--max-data", "128K").start()
    began = time.monotonic()
    answer = daemon.raw(
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n"
        b"Connection: close\r\n\r\n{",
        timeout=5,
    )
    assert answer.startswith(b"HTTP/1.1 413 ") and b"/v1/problems/body-too-large" in answer
    answer = daemon.raw(head("0" * 64, 1 << 30) + b"x", timeout=5)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - began < 8
    sha = hashlib.sha256(b"1,2\n3,4\n").hexdigest()
    assert daemon.request("PUT", f"/v1/data/{sha}", "1,2\n3,4\n").status == 201


def test_a_large_upload_takes_constant_memory(make_daemon) -> None:  # type: ignore
    daemon: Daemon = make_daemon().start()
    daemon.request("GET", "/v1/status")
    before = daemon.resident_bytes()
    data = npy(np.zeros(16 << 20))  # 128 MiB
    sha = hashlib.sha256(data).hexdigest()
    with socket.create_connection(("127.0.0.1", daemon.port)) as sock:
        sock.sendall(head(sha, len(data), Connection="close"))
        highest = 0
        for start in range(0, len(data), 8 << 20):
            sock.sendall(data[start : start + (8 << 20)])
            highest = max(highest, daemon.resident_bytes())
        assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")
    if "asan" not in str(daemon.command()[0]):
        assert highest - before < 64 << 20
