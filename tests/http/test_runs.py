# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints of several models: what their paths have in common."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

import numpy as np
from arrays import npy, run, store
from harness import Daemon
from wire import Wire

Make = Callable[..., Daemon]


def walks() -> Dict[str, np.ndarray]:
    """Two models that share half of their noise, and one by itself."""
    rng = np.random.default_rng(31)
    shared = rng.normal(size=(20, 300))
    noises = {name: rng.normal(size=(n, 300)) for name, n in (("a", 20), ("b", 14), ("c", 17))}
    for name in "ab":
        noises[name] += shared[: len(noises[name])]
    return {name: 5 + np.cumsum(noise, axis=0) for name, noise in noises.items()}


def entries(wire: Wire, models: Dict[str, np.ndarray]) -> List[Dict[str, Any]]:
    """One file a point, the models mixed and the last steps first."""
    points = [
        {"sha256": store(wire, npy(point)), "model": name, "step": 10 * i}
        for name, walk in models.items()
        for i, point in enumerate(walk)
    ]
    order = np.random.default_rng(7).permutation(len(points) - 1) + 1
    return [points[0], *(points[i] for i in order)]


def directions(walk: np.ndarray, k: int) -> Tuple[np.ndarray, np.ndarray]:
    _, s, vt = np.linalg.svd(walk - walk.mean(0), full_matrices=False)
    return vt[:k], s**2 / np.sum(s**2)


def covariance(walk: np.ndarray) -> np.ndarray:
    x = walk - walk.mean(0)
    out: np.ndarray = x.T @ x
    return out


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    a, b = covariance(a), covariance(b)
    return float(np.sum(a * b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_runs_are_set_beside_each_other(make_daemon: Make) -> None:
    wire, models, k = Wire(make_daemon().start()), walks(), 4
    document = run(wire, "pca", {"checkpoints": entries(wire, models)}, {"components": k})
    result = document.json()["result"]
    values, arrays = result["values"], result["arrays"]
    names = [row["model"] for row in values["runs"]]
    assert names[0] == "a" and sorted(names) == ["a", "b", "c"]
    runs = [models[name] for name in names]
    every = np.concatenate(runs)
    assert arrays["run"]["data"] == [i for i, walk in enumerate(runs) for _ in walk]
    own = [directions(walk, k) for walk in runs]
    common, ratios = directions(every, 2)
    assert np.allclose([row["ratio"] for row in values["components"]], ratios[:k], atol=1e-12)
    for row, walk, (_, ratio) in zip(values["runs"], runs, own):
        x = walk - walk.mean(0)
        assert row["n"] == len(walk) and row["explained_by"] and row["most_likely_model"]
        assert abs(row["first_ratio"] - ratio[0]) < 1e-12
        assert abs(row["plane"] - np.sum((x @ common.T) ** 2) / np.sum(x**2)) < 1e-10
    cosines = np.array(arrays["principal_cosines"]["data"])
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert len(values["run_pairs"]) == len(pairs)
    for row, (i, j) in zip(values["run_pairs"], pairs):
        assert (row["a"], row["b"]) == (names[i], names[j])
        expected = np.linalg.svd(own[i][0] @ own[j][0].T, compute_uv=False)
        assert np.allclose(cosines[i, j], expected, atol=1e-7)
        assert abs(row["alike"] - np.mean(expected**2)) < 1e-10
        assert abs(row["overlap"] - overlap(runs[i], runs[j])) < 1e-10
        assert abs(row["end_distance"] - np.linalg.norm(runs[i][-1] - runs[j][-1])) < 1e-9
        ways = [walk[-1] - walk[0] for walk in (runs[i], runs[j])]
        cosine = ways[0] @ ways[1] / np.prod([np.linalg.norm(way) for way in ways])
        assert abs(row["displacement_cosine"] - cosine) < 1e-10
        shares = {row["a"], row["b"]} == {"a", "b"}
        assert (row["alike"] > row["chance"] + 3 * row["chance_sd"]) == shares
    within = sum(np.sum((walk - walk.mean(0)) ** 2) for walk in runs)
    between = 1 - within / np.sum((every - every.mean(0)) ** 2)
    assert abs(values["between_runs"] - between) < 1e-10
    assert {"path", "runs_alike"} <= set(result["figures"])


def test_a_window_counts_in_each_run(make_daemon: Make) -> None:
    wire, models = Wire(make_daemon().start()), walks()
    inputs = {"checkpoints": entries(wire, models)}
    result = run(wire, "pca", inputs, {"start": 2, "stop": 12, "stride": 3}).json()["result"]
    assert [row["n"] for row in result["values"]["runs"]] == [4, 4, 4]
    first = result["values"]["runs"][0]
    expected = directions(models[first["model"]][2:12:3], 1)[1]
    assert abs(first["first_ratio"] - expected[0]) < 1e-12
