# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that wait, run, are stopped, run out of time, and are made again."""

from __future__ import annotations

import re
import time
from typing import Any, Callable, Dict

import numpy as np
import pytest
from arrays import npy, store
from harness import Answer, Daemon
from wire import Wire


def long_job(wire: Wire, seed: int = 0) -> Dict[str, Any]:
    """A job of at least several seconds: many wide layers."""
    rng = np.random.default_rng(seed)
    layers = {
        f"layer{i}": {"sha256": store(wire, npy(rng.normal(size=(3000, 1400))))} for i in range(4)
    }
    return {"kind": "svcca", "inputs": {"layers": layers}, "name": f"long {seed}"}


def poll(wire: Wire, id: str, *states: str, seconds: float = 30) -> Dict[str, Any]:
    end = time.monotonic() + seconds
    while True:
        job: Dict[str, Any] = wire.request("GET", f"/v1/jobs/{id}").json()
        if job["state"] in states:
            return job
        assert time.monotonic() < end, job
        time.sleep(0.02)


@pytest.fixture
def one_worker(make_daemon: Callable[..., Daemon]) -> Wire:
    return Wire(make_daemon("--workers", "1", "--max-queued", "3").start())


SMALL = {"kind": "pca", "inputs": {"trajectory": [[0, 0], [1, 0], [2, 1], [3, 41]]}}


def small(i: int) -> Dict[str, Any]:
    return {"kind": "pca", "inputs": {"trajectory": [[0, 0], [1, 0], [2, 1], [3, 100 + i]]}}


def test_a_running_job_is_cancelled_inside_its_numerics(one_worker: Wire) -> None:
    wire = one_worker
    id = wire.json("POST", "/v1/jobs", long_job(wire)).json()["id"]
    poll(wire, id, "running")
    time.sleep(0.5)
    began = time.monotonic()
    answer = wire.request("DELETE", f"/v1/jobs/{id}")
    assert answer.status in (200, 202) and answer.json()["state"] in ("cancelling", "cancelled")
    job = poll(wire, id, "cancelled", seconds=10)
    assert time.monotonic() - began < 3
    assert job["problem"]["type"] == "/v1/problems/cancelled"
    assert wire.request("DELETE", f"/v1/jobs/{id}").status == 200
    assert wire.request("GET", f"/v1/jobs/{id}/result").status == 409

    retried = wire.request("POST", f"/v1/jobs/{id}/retry")
    assert retried.status == 202
    assert retried.json()["links"]["retry_of"] == f"/v1/jobs/{id}"
    wire.request("DELETE", retried.headers["location"])


def test_a_waiting_job_is_cancelled_at_once_and_a_full_queue_is_429(one_worker: Wire) -> None:
    wire = one_worker
    running = wire.json("POST", "/v1/jobs", long_job(wire)).json()["id"]
    poll(wire, running, "running")
    waiting = [wire.json("POST", "/v1/jobs", small(i)) for i in range(3)]
    assert [answer.status for answer in waiting] == [202] * 3
    full = wire.json("POST", "/v1/jobs", small(9))
    assert full.status == 429 and int(full.headers["retry-after"]) >= 1

    id = waiting[0].json()["id"]
    answer = wire.request("DELETE", f"/v1/jobs/{id}")
    assert (answer.status, answer.json()["state"]) == (200, "cancelled")
    assert wire.request("GET", f"/v1/jobs/{waiting[1].json()['id']}").json()["state"] == "queued"
    wire.request("DELETE", f"/v1/jobs/{running}")
    for answer in waiting[1:]:
        poll(wire, answer.json()["id"], "succeeded")


def test_progress_grows_and_has_a_phase(one_worker: Wire) -> None:
    wire = one_worker
    id = wire.json("POST", "/v1/jobs", long_job(wire)).json()["id"]
    poll(wire, id, "running")
    seen = []
    end = time.monotonic() + 20
    while len({p["fraction"] for p in seen}) < 3 and time.monotonic() < end:
        job = wire.request("GET", f"/v1/jobs/{id}").json()
        if job["state"] != "running":
            break
        if job.get("progress"):
            seen.append(job["progress"])
        time.sleep(0.02)
    wire.request("DELETE", f"/v1/jobs/{id}")
    fractions = [p["fraction"] for p in seen]
    assert fractions == sorted(fractions) and all(0 <= f <= 1 for f in fractions)
    assert len(set(fractions)) >= 2 and any(p["phase"] for p in seen)


def test_a_run_longer_than_allowed_is_cancelled(one_worker: Wire) -> None:
    wire = one_worker
    answer = wire.json("POST", "/v1/jobs", {**long_job(wire), "max_run_s": 0.5})
    job = poll(wire, answer.json()["id"], "cancelled")
    assert job["problem"]["type"] == "/v1/problems/deadline"


def test_a_deadline_passes_in_the_queue(one_worker: Wire) -> None:
    wire = one_worker
    running = wire.json("POST", "/v1/jobs", long_job(wire)).json()["id"]
    poll(wire, running, "running")
    answer = wire.json("POST", "/v1/jobs", {**SMALL, "deadline": time.time() + 0.5})
    job = poll(wire, answer.json()["id"], "expired", seconds=10)
    assert job["attempt"] == 0
    wire.request("DELETE", f"/v1/jobs/{running}")


def test_priorities_are_kept(one_worker: Wire) -> None:
    wire = one_worker
    running = wire.json("POST", "/v1/jobs", long_job(wire)).json()["id"]
    poll(wire, running, "running")
    order = ["low", "normal", "high"]
    ids = {
        priority: wire.json("POST", "/v1/jobs", {**small(i), "priority": priority}).json()["id"]
        for i, priority in enumerate(order)
    }
    wire.request("DELETE", f"/v1/jobs/{running}")
    started = {}
    for priority, id in ids.items():
        poll(wire, id, "succeeded")
        events = wire.request("GET", f"/v1/jobs/{id}/events").text
        match = re.search(r"id: (\d+)\nevent: running\n", events)
        assert match, events
        started[priority] = int(match.group(1))
    assert sorted(order, key=lambda p: started[p]) == ["high", "normal", "low"]


def test_a_job_that_can_never_fit_is_refused_with_the_numbers(
    make_daemon: Callable[..., Daemon]
) -> None:
    wire = Wire(make_daemon("--memory", "8M").start())
    x = {"sha256": store(wire, npy(np.random.default_rng(3).normal(size=(2000, 1000))))}
    y = {"sha256": store(wire, npy(np.random.default_rng(4).normal(size=(2000, 1000))))}
    answer = wire.json("POST", "/v1/jobs", {"kind": "svcca", "inputs": {"a": x, "b": y}})
    assert answer.status == 422, answer.body
    assert answer.json()["type"] == "/v1/problems/job-too-large"
    assert any(digit.isdigit() for digit in answer.json()["detail"])
    assert wire.json("POST", "/v1/jobs", small(1), Prefer="wait=20").json()["state"] == "succeeded"


def test_equal_jobs_at_the_same_time_run_once(one_worker: Wire) -> None:
    wire = one_worker
    running = wire.json("POST", "/v1/jobs", long_job(wire)).json()["id"]
    poll(wire, running, "running")
    first, second = (wire.json("POST", "/v1/jobs", small(77)) for _ in range(2))
    assert second.headers["tangent-cache"] in ("shared", "miss")
    wire.request("DELETE", f"/v1/jobs/{running}")
    for answer in (first, second):
        poll(wire, answer.json()["id"], "succeeded")


def test_retention_removes_the_oldest_and_says_so(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon().start()
    wire = Wire(daemon)
    pinned = wire.json("POST", "/v1/jobs", {**small(0), "keep": True}, Prefer="wait=20").json()
    ids = [
        wire.json("POST", "/v1/jobs", small(i), Prefer="wait=20").json()["id"] for i in range(1, 6)
    ]
    assert daemon.stop() == 0
    daemon.args = ("--keep-jobs", "2")
    daemon.start()

    def state(id: str) -> int:
        return wire.request("GET", f"/v1/jobs/{id}").status

    end = time.monotonic() + 75
    while state(ids[0]) != 410 and time.monotonic() < end:
        time.sleep(0.2)
    gone = wire.request("GET", f"/v1/jobs/{ids[0]}")
    assert gone.status == 410 and gone.json()["detail"]
    assert wire.request("GET", f"/v1/jobs/{ids[0]}/result").status == 410
    assert state(ids[-1]) == 200 and state(pinned["id"]) == 200


def test_a_restart_keeps_jobs_results_and_events(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon("--workers", "1", "--drain", "0").start()
    wire = Wire(daemon)
    done = wire.json("POST", "/v1/jobs", small(1), Prefer="wait=20").json()
    running = wire.json("POST", "/v1/jobs", long_job(wire)).json()["id"]
    waiting = wire.json("POST", "/v1/jobs", small(2)).json()["id"]
    poll(wire, running, "running")
    assert daemon.stop() == 0
    assert daemon.check().returncode == 0, daemon.check().stdout
    daemon.start()

    def result(answer: Answer) -> Any:
        return answer.json()["values"]

    assert result(wire.request("GET", f"/v1/jobs/{done['id']}/result")) == done["result"]["values"]
    job = poll(wire, running, "running", "succeeded")
    assert job["attempt"] == 1, "an orderly shutdown is no attempt"
    wire.request("DELETE", f"/v1/jobs/{running}")
    poll(wire, waiting, "succeeded")
