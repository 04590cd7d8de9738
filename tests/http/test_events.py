# SPDX-License-Identifier: GPL-3.0-or-later
"""Event streams and long polls."""

from __future__ import annotations

import http.client
import time
from typing import Dict, List

import numpy as np
from arrays import npy, run, store
from harness import Daemon
from wire import Wire


def stream(daemon: Daemon, path: str, seconds: float, **headers: str) -> List[Dict[str, str]]:
    """Events until the daemon ends the stream or the time is over."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=seconds)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=named)
    response = connection.getresponse()
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert "no-" in response.headers["Cache-Control"]
    events: List[Dict[str, str]] = []
    event: Dict[str, str] = {}
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            line = response.readline()
            if not line:
                break
            name, _, value = line.decode().rstrip("\n").partition(":")
            if name in ("id", "event", "data"):
                event[name] = value.strip()
            elif not line.strip() and "data" in event:
                events.append(event)
                event = {}
    except TimeoutError:
        pass
    connection.close()
    return events


def durable(events: List[Dict[str, str]]) -> List[Dict[str, str]]:
    return [event for event in events if "id" in event]


def test_a_finished_job_replays_its_events_and_ends_the_stream(wire: Wire) -> None:
    x = np.random.default_rng(31).normal(size=(6, 3)).tolist()
    job = run(wire, "pca", {"trajectory": x}).json()
    began = time.monotonic()
    events = durable(stream(wire.daemon, f"/v1/jobs/{job['id']}/events", 10))
    assert time.monotonic() - began < 5
    assert [event["event"] for event in events] == ["queued", "running", "succeeded"]
    ids = [int(event["id"]) for event in events]
    assert ids == sorted(set(ids))

    path = f"/v1/jobs/{job['id']}/events"
    after = durable(stream(wire.daemon, path, 10, Last_Event_ID=str(ids[0])))
    assert after == events[1:]
    after = durable(stream(wire.daemon, f"{path}?since={ids[1]}", 10))
    assert after == events[2:]


def test_the_stream_of_all_jobs_replays_too(wire: Wire) -> None:
    x = np.random.default_rng(32).normal(size=(6, 3)).tolist()
    job = run(wire, "pca", {"trajectory": x}).json()
    mine = durable(stream(wire.daemon, f"/v1/jobs/{job['id']}/events", 10))
    since = str(int(mine[0]["id"]) - 1)
    everything = durable(stream(wire.daemon, "/v1/events", 1, Last_Event_ID=since))
    assert [event for event in everything if job["id"] in event["data"]] == mine


def test_a_long_poll_returns_when_the_job_ends_not_when_time_is_over(wire: Wire) -> None:
    x = np.random.default_rng(33).normal(size=(400, 300))
    job = {"kind": "pca", "inputs": {"trajectory": {"sha256": store(wire, npy(x))}}}
    accepted = wire.json("POST", "/v1/jobs", job)
    assert accepted.status == 202
    began = time.monotonic()
    seen = wire.request("GET", f"{accepted.headers['location']}?wait=50").json()
    assert seen["state"] == "succeeded" and time.monotonic() - began < 40


def test_a_poller_that_knows_the_state_gets_304(wire: Wire) -> None:
    x = np.random.default_rng(34).normal(size=(6, 3)).tolist()
    job = run(wire, "pca", {"trajectory": x}).json()
    first = wire.request("GET", f"/v1/jobs/{job['id']}")
    again = wire.request(
        "GET", f"/v1/jobs/{job['id']}", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status, again.body) == (304, b"")
