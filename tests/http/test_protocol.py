# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP as clients abuse it."""

from __future__ import annotations

import json
import socket
import time

import pytest
from harness import Daemon
from openapi_spec_validator import OpenAPIV31SpecValidator
from wire import Wire

JOB = b'{"kind": "pca", "inputs": {"trajectory": [[0, 0], [1, 0], [2, 1], [31, 7]]}}'


def test_openapi_is_valid(wire: Wire) -> None:
    errors = [error.message for error in OpenAPIV31SpecValidator(wire.openapi).iter_errors()]
    assert not errors
    for path, item in wire.openapi["paths"].items():
        for operation in item.values():
            assert operation["summary"], path


def test_every_example_is_a_valid_job_by_its_own_schema_and_runs(wire: Wire) -> None:
    for kind in wire.request("GET", "/v1/kinds").json()["kinds"]:
        described = wire.request("GET", f"/v1/kinds/{kind['name']}").json()
        body = json.dumps(described["example"])
        answer = wire.request("POST", "/v1/jobs", body, {"Prefer": "wait=60"})
        assert answer.status == 200 and answer.json()["state"] == "succeeded", answer.body


def test_two_requests_in_one_packet_get_two_answers_in_order(wire: Wire) -> None:
    answer = wire.daemon.raw(
        b"POST /v1/jobs?dry_run=true HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % (len(JOB), JOB)
    )
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.index(b'"cost"') < answer.rindex(b"HTTP/1.1 200 ")


def test_a_connection_is_kept_after_a_refused_request(wire: Wire) -> None:
    answer = wire.daemon.raw(
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\noops"
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert b"HTTP/1.1 400 " in answer and b"HTTP/1.1 200 " in answer


def test_a_body_with_two_lengths_is_refused(wire: Wire) -> None:
    answer = wire.daemon.raw(
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
    )
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 411 "))
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA\x00B: c\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1x\r\n\r\n{",
        bytes(range(256)) * 40,
    ],
    ids=["tls", "no target", "version", "headers", "uri", "nul", "-1", "2^64", "1x", "noise"],
)
def test_malformed_requests_harm_nobody(wire: Wire, data: bytes) -> None:
    try:
        answer = wire.daemon.raw(data, timeout=1)
    except ConnectionError:
        answer = b""
    assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 500"))
    assert wire.request("GET", "/livez").status == 200


def test_slow_senders_are_dropped_and_nobody_waits_for_them(make_daemon) -> None:  # type: ignore
    daemon: Daemon = make_daemon("--request-timeout", "1", "--min-body-rate", "1K").start()
    trickles = {
        "headers": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: ",
        "body": b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
    }
    for name, start in trickles.items():
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=1) as sock:
            sock.sendall(start)
            began, closed = time.monotonic(), False
            while not closed and time.monotonic() - began < 15:
                try:
                    sock.sendall(b"a")
                    time.sleep(0.2)
                    sock.setblocking(False)
                    closed = sock.recv(65536) == b""
                except BlockingIOError:
                    pass
                except ConnectionError:
                    closed = True
                finally:
                    sock.settimeout(1)
                assert daemon.request("GET", "/livez", timeout=2).status == 200
            assert closed, f"a sender of one byte at a time in the {name} is still connected"
    assert "tangentd_http_dropped_total 0\n" not in daemon.request("GET", "/metrics").text


def test_an_idle_keep_alive_connection_may_send_again(make_daemon) -> None:  # type: ignore
    daemon: Daemon = make_daemon("--request-timeout", "3").start()
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=5) as sock:
        for _ in range(2):
            sock.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
            time.sleep(1)


def test_connections_over_the_limit_are_refused_and_come_back(make_daemon) -> None:  # type: ignore
    daemon: Daemon = make_daemon("--max-connections", "20").start()
    held = [socket.create_connection(("127.0.0.1", daemon.port), timeout=5) for _ in range(40)]
    for sock in held:
        sock.close()
    daemon.wait_ready(10)
