# SPDX-License-Identifier: GPL-3.0-or-later
"""What analyses derive from their inputs: kept between jobs and lives, and never wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from arrays import npy, run, store
from harness import Daemon, has_fault_points
from wire import Wire

Make = Callable[..., Daemon]
X = np.cumsum(np.random.default_rng(81).normal(size=(96, 30_000)), axis=0)


def count(daemon: Daemon, name: str) -> int:
    lines = daemon.request("GET", "/metrics").text.splitlines()
    return int(next(line for line in lines if line.startswith(f"tangentd_derived_{name} ")).split()[1])


def analyse(daemon: Daemon) -> Dict[str, Any]:
    """A job over X that no stored result answers; what came out, without times."""
    wire = Wire(daemon)
    params = {"return_gram": True}
    inputs = {"trajectory": {"sha256": store(wire, npy(X))}}
    answer = run(wire, "pca", inputs, params, Cache_Control="no-store").json()
    result = answer["result"]
    return {**result["values"], "gram": result["arrays"]["gram"]["sha256"]}


def files(daemon: Daemon) -> List[Path]:
    return sorted((daemon.store / "derived").iterdir())


def test_a_second_job_recalls_what_the_first_derived(make_daemon: Make) -> None:
    daemon = make_daemon().start()
    first = analyse(daemon)
    assert count(daemon, "hits_total") == 0
    assert count(daemon, "bytes") >= sum(path.stat().st_size for path in files(daemon)) > 0
    assert analyse(daemon) == first
    assert count(daemon, "hits_total") == 1
    daemon.kill()
    daemon.start()
    assert analyse(daemon) == first
    assert count(daemon, "hits_total") == 1
    assert daemon.stop() == 0
    assert daemon.check().returncode == 0


def test_the_result_is_the_same_with_nothing_kept(make_daemon: Make) -> None:
    kept, none = make_daemon().start(), make_daemon("--max-derived", "0").start()
    analyse(kept)
    assert analyse(kept) == analyse(none) == analyse(none)
    assert count(none, "hits_total") == 0 and count(none, "bytes") == 0 and not files(none)


def test_spoilt_and_foreign_files_are_dropped_and_derived_again(make_daemon: Make) -> None:
    daemon = make_daemon().start()
    first = analyse(daemon)
    (path,) = files(daemon)
    whole = path.read_bytes()
    daemon.stop()
    for spoilt in (whole[: len(whole) // 2], whole[:-1] + bytes([whole[-1] ^ 1]), b"", b"x" * 9):
        path.write_bytes(spoilt)
        (path.parent / "new-3").write_bytes(b"not finished")
        assert daemon.check().returncode == 0
        daemon.start()
        assert analyse(daemon) == first
        assert count(daemon, "hits_total") == 0
        assert [path] == files(daemon) and path.read_bytes() == whole
        daemon.stop()


@pytest.mark.parametrize("point", ["create", "write", "rename", "open", "map", "mkdir"])
def test_a_disk_in_trouble_costs_no_job(make_daemon: Make, point: str) -> None:
    if not has_fault_points():
        pytest.skip("needs --enable-testing")
    well = analyse(make_daemon().start())
    daemon = make_daemon(env={"TANGENTD_POINTS": f"derived.{point}=full"}).start()
    assert analyse(daemon) == well
    assert analyse(daemon) == well
    assert daemon.request("GET", "/readyz").status == 200


@pytest.mark.parametrize("point", ["create", "write", "rename"])
def test_a_kill_while_it_is_kept_leaves_a_store_that_works(make_daemon: Make, point: str) -> None:
    if not has_fault_points():
        pytest.skip("needs --enable-testing")
    well = analyse(make_daemon().start())
    daemon = make_daemon(env={"TANGENTD_POINTS": f"derived.{point}=kill"}).start()
    with pytest.raises(OSError):
        analyse(daemon)
    assert daemon.process and daemon.process.wait(10) == -9
    assert daemon.check().returncode == 0
    daemon.env = {}
    daemon.start()
    assert analyse(daemon) == well
    assert all(len(path.name) == 64 for path in files(daemon))
