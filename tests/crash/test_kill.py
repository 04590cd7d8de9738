# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at random instants under load: nothing accepted is lost, nothing happens twice.

TANGENTD_CRASH_ROUNDS rounds (default 10). In each, clients submit small jobs, some with data of
their own, and the daemon is killed after a random time; the next one continues on the same store.
A job counts as accepted when its 202 or 200 has been read. Submissions whose answer was not read
are repeated with the same Idempotency-Key, as the Python client does it, and must give one job.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import random
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import pytest
from harness import Daemon, has_fault_points

ROUNDS = int(os.environ.get("TANGENTD_CRASH_ROUNDS", "10"))
CLIENTS = 8
TERMINAL = {"succeeded", "failed", "cancelled", "expired"}


class Client(threading.Thread):
    """Submits jobs, one after another, until told to stop; notes what was accepted."""

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.rng = random.Random(seed)
        self.stopping = threading.Event()
        self.accepted: Dict[str, str] = {}  # Idempotency-Key -> job id
        self.stored: List[str] = []  # digests whose PUT was answered with 200 or 201
        self.faults: List[str] = []

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                self.submit(str(uuid.uuid4()), self.trajectory())
            except Exception as fault:  # any: the test reports it
                self.faults.append(repr(fault))
                return

    def trajectory(self) -> List[List[float]]:
        return [[self.rng.random() for _ in range(5)] for _ in range(8)]

    def submit(self, key: str, rows: List[List[float]]) -> None:
        source: Any = rows
        if self.rng.random() < 0.3:
            # Large enough to be a file beside the database.
            array = np.tile(np.array(rows), (1, 400))
            out = io.BytesIO()
            np.save(out, array)
            source = {"sha256": self.put(out.getvalue())}
        body = json.dumps({"kind": "pca", "name": key, "inputs": {"trajectory": source}}).encode()
        status, document = self.until_answered("POST", "/v1/jobs", body, {"Idempotency-Key": key})
        if status not in (200, 202):
            self.faults.append(f"{status} {document}")
        else:
            self.accepted[key] = document["id"]

    def put(self, data: bytes) -> str:
        sha = hashlib.sha256(data).hexdigest()
        status, document = self.until_answered("PUT", f"/v1/data/{sha}", data, {})
        if status in (200, 201):
            self.stored.append(sha)
        else:
            self.faults.append(f"{status} {document}")
        return sha

    def until_answered(
        self, method: str, path: str, body: bytes, headers: Dict[str, str]
    ) -> Tuple[int, Dict[str, Any]]:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                document = json.loads(answer.read())
                # A broken upload of the same digest may still be closing.
                if answer.status not in (409, 429, 503):
                    return answer.status, document
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.02)


def all_jobs(daemon: Daemon) -> List[Dict[str, Any]]:
    jobs: List[Dict[str, Any]] = []
    path = "/v1/jobs?limit=1000"
    while path:
        page = daemon.request("GET", path).json()
        jobs += page["jobs"]
        path = page.get("next")
    return jobs


def wait_until_idle(daemon: Daemon, seconds: float) -> List[Dict[str, Any]]:
    end = time.monotonic() + seconds
    while True:
        open_jobs = daemon.request("GET", "/v1/jobs?state=queued,running,cancelling&limit=1")
        if not open_jobs.json()["jobs"]:
            return all_jobs(daemon)
        assert time.monotonic() < end, f"still not ended: {open_jobs.text}"
        time.sleep(0.2)


def test_kill_9_loses_nothing_and_doubles_nothing(make_daemon: Callable[..., Daemon]) -> None:
    rng = random.Random(int(os.environ.get("TANGENTD_CRASH_SEED", "1")))
    daemon = make_daemon("--max-queued", "1000000", "--request-timeout", "10").start()
    clients = [Client(daemon.port, seed) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in range(ROUNDS):
        time.sleep(rng.choice([0.0, 0.05, 0.3, 1.0]) * rng.random())
        daemon.kill()
        check = daemon.check()
        assert check.returncode == 0, check.stdout + check.stderr
        daemon.start()
    time.sleep(0.3)
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(60)
        assert not client.is_alive() and client.faults == []

    jobs = wait_until_idle(daemon, 120 + ROUNDS)
    by_id = {job["id"]: job for job in jobs}
    accepted = {key: id for client in clients for key, id in client.accepted.items()}
    assert len(accepted) > ROUNDS, "hardly any load"
    lost = [id for id in accepted.values() if id not in by_id]
    assert lost == []
    doubled = [name for name, n in Counter(job["name"] for job in jobs).items() if n > 1]
    assert doubled == []
    ended = Counter(job["state"] for job in jobs)
    assert set(ended) <= TERMINAL
    # Three interrupted attempts make a job fail; nothing else may.
    for job in jobs:
        if job["state"] != "succeeded":
            assert job["problem"]["type"] == "/v1/problems/interrupted", job
    for job in rng.sample(jobs, min(50, len(jobs))):
        events = daemon.request("GET", f"/v1/jobs/{job['id']}/events").text
        ends = sum(events.count(f"event: {state}\n") for state in TERMINAL)
        assert ends == 1, events
        if job["state"] == "succeeded":
            assert daemon.request("GET", f"/v1/jobs/{job['id']}/result").status == 200
    for sha in {sha for client in clients for sha in client.stored}:
        answer = daemon.request("GET", f"/v1/data/{sha}")
        assert hashlib.sha256(answer.body).hexdigest() == sha
    assert daemon.stop() == 0
    check = daemon.check()
    assert check.returncode == 0, check.stdout + check.stderr


def small(i: int) -> Dict[str, Any]:
    return {"kind": "pca", "inputs": {"trajectory": [[0, 0], [1, 0], [2, 1], [3, i]]}}


def test_a_store_that_cannot_write_refuses_and_recovers(make_daemon: Callable[..., Daemon]) -> None:
    """The third commit fails: that job is refused with 503, nothing of it is kept."""
    if not has_fault_points():
        pytest.skip("the daemon was built without --enable-testing")
    daemon = make_daemon(env={"TANGENTD_POINTS": "store.commit=error@5"}).start()
    answers = []
    for i in range(8):
        answers.append(daemon.json("POST", "/v1/jobs", {**small(i), "name": f"job {i}"}))
        time.sleep(0.1)
    refused = [answer for answer in answers if answer.status == 503]
    assert all(answer.headers.get("retry-after") for answer in refused)
    end = time.monotonic() + 10
    while daemon.request("GET", "/readyz").status != 200 and time.monotonic() < end:
        time.sleep(0.1)
    last = daemon.json("POST", "/v1/jobs", small(99), Prefer="wait=20")
    assert last.status == 200 and last.json()["state"] == "succeeded"
    jobs = wait_until_idle(daemon, 20)
    accepted = {answer.json()["id"] for answer in answers if answer.status in (200, 202)}
    assert accepted <= {job["id"] for job in jobs}
    assert len(jobs) == len(accepted) + 1
    assert all(job["state"] == "succeeded" for job in jobs)
    assert daemon.stop() == 0 and daemon.check().returncode == 0


def test_death_right_after_a_commit_is_as_good_as_an_answer(
    make_daemon: Callable[..., Daemon]
) -> None:
    if not has_fault_points():
        pytest.skip("the daemon was built without --enable-testing")
    daemon = make_daemon(env={"TANGENTD_POINTS": "store.after_commit=kill@2"}).start(wait=False)
    key = {"Idempotency_Key": "once"}
    try:
        daemon.wait_ready()
        daemon.json("POST", "/v1/jobs", small(1), **key)
    except (AssertionError, OSError, http.client.HTTPException):
        pass
    assert daemon.process
    daemon.process.wait(10)
    daemon.env = {}
    daemon.start()
    answer = daemon.json("POST", "/v1/jobs", small(1), Prefer="wait=20", **key)
    assert answer.status == 200 and answer.json()["state"] == "succeeded"
    assert len(all_jobs(daemon)) == 1


def test_a_full_disk_refuses_and_recovers(make_daemon: Callable[..., Daemon]) -> None:
    """A store on a small tmpfs that fills up: reads go on, and space brings it back."""
    import subprocess

    daemon = make_daemon()
    daemon.store.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(daemon.store)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        daemon.start()
        first = daemon.json("POST", "/v1/jobs", small(1), Prefer="wait=20").json()
        filler = daemon.store / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
                    file.flush()
            except OSError:
                pass
        x = np.random.default_rng(0).normal(size=(300, 300))
        out = io.BytesIO()
        np.save(out, x)
        sha = hashlib.sha256(out.getvalue()).hexdigest()
        assert daemon.request("PUT", f"/v1/data/{sha}", out.getvalue()).status == 503
        assert daemon.request("GET", f"/v1/jobs/{first['id']}/result").status == 200
        assert daemon.request("GET", "/livez").status == 200
        statuses = {daemon.json("POST", "/v1/jobs", small(i)).status for i in range(2, 40)}
        assert statuses <= {200, 202, 503}
        filler.unlink()
        end = time.monotonic() + 10
        while daemon.request("GET", "/readyz").status != 200 and time.monotonic() < end:
            time.sleep(0.1)
        assert daemon.request("PUT", f"/v1/data/{sha}", out.getvalue()).status in (200, 201)
        last = daemon.json("POST", "/v1/jobs", small(99), Prefer="wait=20")
        assert last.status == 200 and last.json()["state"] == "succeeded"
        assert daemon.stop() == 0 and daemon.check().returncode == 0
    finally:
        daemon.kill()
        subprocess.run(["umount", "-l", str(daemon.store)], check=False)


def register(daemon: Daemon, path: Path) -> str:
    answer = daemon.json("POST", "/v1/data", {"path": str(path)}, Content_Type="application/json")
    assert answer.status in (200, 201), answer.body
    sha: str = answer.json()["sha256"]
    return sha


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """A trajectory that takes about a second to read, a file in a folder of its own."""
    path = tmp_path / "data" / "walk.npy"
    path.parent.mkdir()
    rng = np.random.default_rng(11)
    x = np.lib.format.open_memmap(path, "w+", np.float32, (400, 180000))
    at = np.zeros(x.shape[1], np.float32)
    for row in x:
        at += rng.standard_normal(len(at), np.float32)
        row[:] = at
    return path


def bytes_read_after_death(
    make_daemon: Callable[..., Daemon], path: Path, keep: int
) -> Tuple[int, Any]:
    """Kill a daemon as it keeps its sums for the keep-th time; what the next one reads, and finds."""
    points = {"TANGENTD_POINTS": f"derived.rename=kill@{keep}"} if keep else {}
    options = ("--data-folders", str(path.parent), "--workers", "1")
    daemon = make_daemon(*options, env=points).start()
    job = {"kind": "pca", "inputs": {"trajectory": {"sha256": register(daemon, path)}}}
    row = daemon.json("POST", "/v1/jobs", job).json()
    if keep:
        assert daemon.process
        daemon.process.wait(60)
        daemon.env = {}
        daemon.start()
    ended = daemon.request("GET", f"/v1/jobs/{row['id']}?wait=60").json()
    assert ended["state"] == "succeeded" and ended["attempt"] == (2 if keep else 1)
    result = daemon.request("GET", f"/v1/jobs/{row['id']}/result").json()
    assert daemon.stop() == 0 and daemon.check().returncode == 0
    return result["quality"]["data_bytes_read"], result["values"]["components"]


def test_a_pass_over_data_goes_on_where_kill_9_left_it(
    make_daemon: Callable[..., Daemon], walk: Path
) -> None:
    """Sums are kept block by block; the block that is being kept when death comes is lost."""
    if not has_fault_points():
        pytest.skip("the daemon was built without --enable-testing")
    total = 4 * 400 * 180000
    whole, expected = bytes_read_after_death(make_daemon, walk, 0)
    assert whole == total
    read = [bytes_read_after_death(make_daemon, walk, keep) for keep in (1, 2, 3)]
    block = total - read[1][0]
    assert 0 < block < total / 3
    assert [total - n for n, _ in read] == [0, block, 2 * block]
    assert all(found == expected for _, found in read)
