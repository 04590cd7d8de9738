# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are registered and stay where they are."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import numpy as np
import pytest
from arrays import npy, npz, run, safetensors, store
from harness import Answer, Daemon
from wire import Wire

Make = Callable[..., Daemon]


@pytest.fixture
def shelf(make_daemon: Make, tmp_path: Path) -> Tuple[Wire, Path]:
    """A daemon and the folder that it may read."""
    folder = tmp_path / "data"
    folder.mkdir()
    return Wire(make_daemon("--data-folders", str(folder)).start()), folder


def register(wire: Wire, path: Path) -> Answer:
    return wire.json("POST", "/v1/data", {"path": str(path)}, Content_Type="application/json")


def registered(wire: Wire, path: Path) -> str:
    answer = register(wire, path)
    assert answer.status in (200, 201), answer.body
    sha: str = answer.json()["sha256"]
    assert sha == hashlib.sha256(path.read_bytes()).hexdigest()
    return sha


def slug(answer: Answer) -> str:
    kind: str = answer.json()["type"]
    return kind.rsplit("/", 1)[1]


X = np.random.default_rng(71).normal(size=(60, 4000))
CSV = "\n".join(",".join(repr(float(x)) for x in row[:40]) for row in X[:20]).encode()
FILES: Dict[str, Tuple[bytes, Dict[str, str]]] = {
    "npy": (npy(X), {}),
    "npz": (npz(a=X, b=X[:9]), {"key": "a"}),
    "npz deflated": (npz(True, a=X, b=X[:9]), {"key": "b"}),
    "safetensors": (safetensors(w=X, v=X[:7]), {"key": "v"}),
    "csv": (CSV, {}),
}


@pytest.mark.parametrize("name", FILES)
def test_a_registered_file_is_used_as_an_upload_is(
    shelf: Tuple[Wire, Path], wire: Wire, name: str
) -> None:
    here, folder = shelf
    data, more = FILES[name]
    path = folder / "checkpoint"
    path.write_bytes(data)
    answer = register(here, path)
    assert answer.status == 201
    row = answer.json()
    assert row["path"] == str(path) and row["bytes"] == len(data)
    assert row["format"] == name.split()[0]
    sha = row["sha256"]
    assert answer.headers["location"] == f"/v1/data/{sha}"
    assert register(here, path).status == 200
    assert here.request("GET", "/v1/data").json()["data"] == [row]

    assert here.request("GET", f"/v1/data/{sha}").body == data
    part = here.request("GET", f"/v1/data/{sha}", None, {"Range": "bytes=100-299"})
    assert part.status == 206 and part.body == data[100:300]

    source = {"trajectory": {"sha256": sha, **more}}
    there = {"trajectory": {"sha256": store(wire, data), **more}}
    params = {"components": 3}
    mine = run(here, "pca", source, params).json()["result"]
    theirs = run(wire, "pca", there, params, Cache_Control="no-store").json()["result"]
    assert mine["values"] == theirs["values"]

    assert here.request("DELETE", f"/v1/data/{sha}").status == 204
    assert path.read_bytes() == data
    assert not list((here.daemon.store / "data").rglob(sha))


def test_without_the_setting_the_problem_names_it(wire: Wire, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(npy(X))
    answer = register(wire, path)
    assert answer.status == 403 and slug(answer) == "path-not-allowed"
    assert "data-folders" in answer.json()["detail"]


def test_only_files_below_the_folder_are_taken(shelf: Tuple[Wire, Path]) -> None:
    wire, folder = shelf
    beside = folder.parent / "data2"  # begins as the folder does
    beside.mkdir()
    for outside in (beside / "a.npy", folder.parent / "a.npy"):
        outside.write_bytes(npy(X))
        assert register(wire, outside).status == 403
    assert register(wire, folder / ".." / "a.npy").status == 403
    (folder / "link.npy").symlink_to(beside / "a.npy")
    (folder / "sub").symlink_to(beside)
    for name in ("link.npy", "sub/a.npy"):
        answer = register(wire, folder / name)
        assert answer.status == 403 and "leads out" in answer.json()["detail"]
    assert register(wire, folder / "none.npy").status == 404
    assert wire.request("GET", "/v1/data").json()["data"] == []


@pytest.mark.parametrize(
    "body, status",
    [
        ({}, 422),
        ({"path": 3}, 422),
        ({"path": "/x", "sha256": "0" * 64}, 422),
        ([], 422),
        ({"path": "a.npy"}, 403),
        ({"path": "/" + "x" * 5000}, 403),
        ({"path": "/" + "x" * 20000}, 413),
    ],
)
def test_a_wrong_order_is_refused(shelf: Tuple[Wire, Path], body: Any, status: int) -> None:
    answer = shelf[0].json("POST", "/v1/data", body, Content_Type="application/json")
    assert answer.status == status, answer.body


def test_json_that_is_none_is_refused(shelf: Tuple[Wire, Path]) -> None:
    for body in ("", "{", '{"path": "/a", "path": "/b"}', "\x00"):
        answer = shelf[0].request("POST", "/v1/data", body, {"Content-Type": "application/json"})
        assert answer.status == 400 and slug(answer) == "malformed-json", body


def test_a_file_appended_to_is_a_clear_problem_until_it_is_registered_again(
    shelf: Tuple[Wire, Path],
) -> None:
    wire, folder = shelf
    path = folder / "log.csv"
    path.write_bytes(CSV)
    old = registered(wire, path)
    job = {"kind": "pca", "inputs": {"trajectory": {"sha256": old}}}
    before = run(wire, "pca", job["inputs"]).json()
    with path.open("ab") as file:
        file.write(b"\n" + CSV)

    got = wire.request("GET", f"/v1/data/{old}")
    assert got.status == 409 and slug(got) == "data-changed"
    refused = wire.json("POST", "/v1/jobs", job, Cache_Control="no-store")
    assert refused.status == 409 and slug(refused) == "data-changed"
    (fault,) = refused.json()["errors"]
    assert fault["pointer"] == "/inputs/trajectory"
    for word in (str(path)[-90:], str(len(CSV)), str(2 * len(CSV) + 1), "register it again"):
        assert word in fault["detail"]

    new = registered(wire, path)
    assert new != old
    after = run(wire, "pca", {"trajectory": {"sha256": new}}).json()
    assert after["result"]["provenance"]["inputs"][0]["shape"][0] == 40
    # The earlier result is one of bytes that are gone, and stays.
    assert wire.request("GET", f"/v1/jobs/{before['id']}/result").status == 200


def test_what_changed_can_be_uploaded(shelf: Tuple[Wire, Path]) -> None:
    wire, folder = shelf
    path = folder / "a.npy"
    path.write_bytes(npy(X))
    sha = registered(wire, path)
    assert wire.request("PUT", f"/v1/data/{sha}", npy(X)).status == 200
    path.write_bytes(npy(X + 1))
    assert wire.request("PUT", f"/v1/data/{sha}", npy(X)).status == 201
    assert "path" not in wire.request("PUT", f"/v1/data/{sha}", npy(X)).json()
    path.unlink()
    assert wire.request("GET", f"/v1/data/{sha}").body == npy(X)


def wait_for_progress(wire: Wire, job: str) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        row = wire.request("GET", f"/v1/jobs/{job}").json()
        if row["state"] == "running" and row["progress"] and row["progress"]["done"] > 0:
            return
        time.sleep(0.005)
    raise AssertionError("the job makes no progress")


@pytest.mark.parametrize("change", ["cut", "written"])
def test_a_job_whose_file_changes_under_it_fails_and_the_daemon_goes_on(
    shelf: Tuple[Wire, Path], change: str
) -> None:
    wire, folder = shelf
    rng = np.random.default_rng(72)
    layers = {}
    for i in range(12):
        path = folder / f"layer{i}.npy"
        path.write_bytes(npy(rng.normal(size=(1500, 600))))
        layers[f"l{i}"] = {"sha256": registered(wire, path)}
    job = wire.json("POST", "/v1/jobs", {"kind": "svcca", "inputs": {"layers": layers}}).json()
    wait_for_progress(wire, job["id"])
    if change == "cut":
        os.truncate(path, 4096)
    else:
        with path.open("r+b") as file:
            file.seek(5000)
            file.write(b"\x00")
    ended = wire.request("GET", f"/v1/jobs/{job['id']}?wait=60").json()
    assert ended["state"] == "failed"
    assert ended["problem"]["type"].endswith("/data-changed")
    assert "layer11.npy" in ended["problem"]["detail"]
    # Nothing that was derived from the changed bytes is trusted later.
    again = folder / "again.npy"
    again.write_bytes(npy(X))
    run(wire, "pca", {"trajectory": {"sha256": registered(wire, again)}})


def cpu_seconds(daemon: Daemon) -> float:
    assert daemon.process
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def begin_registering(daemon: Daemon, path: Path) -> socket.socket:
    body = f'{{"path": "{path}"}}'
    sock = socket.create_connection(("127.0.0.1", daemon.port))
    sock.sendall(
        (
            "POST /v1/data HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
    )
    time.sleep(1)
    return sock


def test_hashing_takes_constant_memory_and_ends_with_its_client_or_the_daemon(
    shelf: Tuple[Wire, Path],
) -> None:
    wire, folder = shelf
    path = folder / "huge.npy"  # a file of holes: minutes to hash, nothing on the disk
    path.write_bytes(npy(X[:1]))
    os.truncate(path, 1 << 38)
    before = wire.daemon.resident_bytes()
    sock = begin_registering(wire.daemon, path)
    assert wire.daemon.resident_bytes() - before < 16 << 20
    assert wire.request("GET", "/livez").status == 200
    sock.close()
    time.sleep(1)
    began = cpu_seconds(wire.daemon)
    time.sleep(1)
    assert cpu_seconds(wire.daemon) - began < 0.3
    assert wire.request("GET", "/v1/data").json()["data"] == []

    begin_registering(wire.daemon, path)
    wire.daemon.kill()
    checked = wire.daemon.check()
    assert checked.returncode == 0, checked.stdout
    wire.daemon.start()
    assert wire.request("GET", "/v1/data").json()["data"] == []
    begin_registering(wire.daemon, path)
    assert wire.daemon.stop(20) == 0


def test_a_file_of_any_length_takes_a_window_of_memory(shelf: Tuple[Wire, Path]) -> None:
    wire, folder = shelf
    path = folder / "long.npy"
    n, d, told = 100, 2000000, 1000
    x = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))  # holes, but for some columns
    moves = np.random.default_rng(73).normal(size=(n, told)).astype(np.float32)
    x[:, d - told :] = np.cumsum(moves, axis=0, dtype=np.float32)
    walk = np.array(x[:, d - told :], np.float64)
    x.flush()
    del x
    assert path.stat().st_size > 4 * (160 << 20)
    sha = register(wire, path).json()["sha256"]
    before = wire.daemon.most_resident_bytes()
    values = run(wire, "pca", {"trajectory": {"sha256": sha}}).json()["result"]["values"]
    assert wire.daemon.most_resident_bytes() - before < 160 << 20
    spread = np.linalg.svd(walk - walk.mean(axis=0), compute_uv=False) ** 2
    for row, ratio in zip(values["components"], spread / spread.sum()):
        assert abs(row["ratio"] - ratio) < 1e-6
