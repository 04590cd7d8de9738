# SPDX-License-Identifier: GPL-3.0-or-later
"""Several arrays as runs of pca: what checkpoints of several models give, and what is refused."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import numpy as np
from arrays import inline, npy, npz, run, store
from harness import Daemon
from wire import Wire


def walks(lengths: List[int], d: int, seed: int) -> Dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(size=d) + np.cumsum(rng.normal(size=(n, d)), axis=0)
        for name, n in zip("abc", lengths)
    }


def test_arrays_are_runs_as_checkpoints_of_models_are(wire: Wire) -> None:
    runs = walks([8, 12, 9], 60, 1)
    loss = np.random.default_rng(2).exponential(size=29)
    params = {"start": 1, "components": 4}
    arrays = {name: {"sha256": store(wire, npy(x))} for name, x in runs.items()}
    inputs = {"trajectories": arrays, "loss": loss.tolist()}
    ours = run(wire, "pca", inputs, params).json()["result"]
    entries = [
        {"sha256": store(wire, npy(row)), "model": name} for name, x in runs.items() for row in x
    ]
    files = run(wire, "pca", {"checkpoints": entries, "loss": loss.tolist()}, params)
    theirs = files.json()["result"]
    del theirs["values"]["layers"]
    assert ours["values"] == theirs["values"]
    for name in ("scores", "run", "step_hidden", "distance_from_minimum", "principal_cosines"):
        assert ours["arrays"][name]["sha256"] == theirs["arrays"][name]["sha256"], name
    assert [row["model"] for row in ours["values"]["runs"]] == ["a", "b", "c"]
    points = np.vstack([x[1:] for x in runs.values()])
    values = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
    ratios = [row["ratio"] for row in ours["values"]["components"]]
    assert np.abs(np.array(ratios) - (values / values.sum())[:4]).max() < 1e-12
    assert set(ours["figures"]) == {"path", "panels", "runs_alike"}


def test_every_form_of_arrays_is_taken(wire: Wire) -> None:
    runs = walks([6, 6], 7, 3)
    file = store(wire, npz(**runs))
    forms: List[Any] = [
        {name: x.tolist() for name, x in runs.items()},
        [x.tolist() for x in runs.values()],
        [{**inline(x), "name": name} for name, x in runs.items()],
        {name: {"sha256": file, "key": name} for name in runs},
    ]
    found = []
    for form in forms:
        result = run(wire, "pca", {"trajectories": form}).json()["result"]
        found.append([row["ratio"] for row in result["values"]["components"]])
    assert all(ratios == found[0] for ratios in found)
    single = run(wire, "pca", {"trajectories": {"only": runs["a"].tolist()}}).json()["result"]
    plain = run(wire, "pca", {"trajectory": runs["a"].tolist()}).json()["result"]
    assert single["values"] == plain["values"]


def test_sums_of_arrays_are_kept_apart_from_those_of_checkpoints(
    make_daemon: Callable[..., Daemon],
) -> None:
    wire = Wire(make_daemon().start())
    runs = walks([4, 4, 4], 20000, 4)
    shas = [store(wire, npy(x)) for x in runs.values()]
    entries = [{"sha256": sha} for sha in shas]
    first = run(wire, "pca", {"trajectories": entries}).json()["result"]
    assert first["quality"]["data_bytes_read"] == 12 * 20000 * 8
    again = run(wire, "pca", {"trajectories": entries}, {"start": 1}).json()["result"]
    assert again["quality"]["data_bytes_read"] == 0
    files = run(wire, "pca", {"checkpoints": entries}).json()["result"]
    assert files["values"]["n"] == 3 and files["values"]["d"] == 4 * 20000
    assert files["quality"]["data_bytes_read"] == 12 * 20000 * 8


def test_runs_that_cannot_be_compared_are_refused(wire: Wire) -> None:
    a, b = (x.tolist() for x in walks([5, 5], 4, 5).values())
    for inputs, params, pointer, words in [
        ({"trajectories": {"a": a, "b": [row[:3] for row in b]}}, {}, "/b", "3 columns and `a`"),
        ({"trajectories": {"a": a, "b": b[:2]}}, {}, "/b", "3 to 5000 rows"),
        ({"trajectories": [a, b], "trajectory": a}, {}, "", "not both"),
        ({"trajectories": [a, b], "checkpoints": a}, {}, "", "not both"),
        ({"trajectories": [a, b]}, {"start": 3}, "/params/start", "leave 2 of 5"),
        ({"trajectories": [a, b]}, {"simulate": True}, "/trajectories", "needs no"),
        ({"trajectories": [a, b]}, {"tensors": ["*"]}, "/params/tensors", "Only `checkpoints`"),
        ({"trajectories": [a, b], "loss": [1] * 5}, {}, "/loss", "10 points and 5 losses"),
        (
            {"trajectories": [np.zeros((2600, 1)).tolist()] * 2},
            {},
            "/inputs/trajectories",
            "5200 points",
        ),
    ]:
        body = {"kind": "pca", "params": params, "inputs": inputs}
        answer = wire.json("POST", "/v1/jobs", body)
        (fault,) = answer.json()["errors"]
        assert answer.status == 422 and fault["pointer"].endswith(pointer), fault
        assert words in fault["detail"], fault
