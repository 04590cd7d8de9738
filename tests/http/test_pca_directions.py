# SPDX-License-Identifier: GPL-3.0-or-later
"""The directions of pca's components, against numpy's singular vectors."""

from __future__ import annotations

import io
from typing import Any, Dict, Tuple

import numpy as np
import pytest
from arrays import npy, run, store
from wire import Wire


def directions_of(
    wire: Wire, x: np.ndarray, **params: Any
) -> Tuple[Dict[str, Any], np.ndarray, np.ndarray]:
    inputs = {"trajectory": {"sha256": store(wire, npy(x))}}
    document = run(wire, "pca", inputs, params).json()
    assert document["state"] == "succeeded", document
    result: Dict[str, Any] = document["result"]
    arrays = []
    for name in ("directions", "scores"):
        answer = wire.request("GET", result["arrays"][name]["href"])
        arrays.append(np.load(io.BytesIO(answer.body), allow_pickle=False))
    return result, arrays[0], arrays[1]


@pytest.mark.parametrize("dtype, bound", [("float64", 1e-11), ("float32", 1e-5)])
def test_directions_are_singular_vectors_with_the_scores_signs(
    wire: Wire, dtype: str, bound: float
) -> None:
    rng = np.random.default_rng(21)
    x = (7 + np.cumsum(rng.normal(size=(40, 5000)), axis=0)).astype(dtype)
    result, v, scores = directions_of(wire, x, components=6, return_directions=4)
    assert v.dtype == dtype and v.shape == (4, 5000)
    y = x.astype(float) - x.astype(float).mean(axis=0)
    expected = np.linalg.svd(y, full_matrices=False)[2][:4]
    v = v.astype(float)
    assert np.abs(np.abs(np.sum(v * expected, axis=1)) - 1).max() < bound
    assert np.abs(v @ v.T - np.eye(4)).max() < bound
    assert result["quality"]["direction_error"] < bound
    assert np.abs(y @ v.T - scores[:, :4]).max() < bound * np.abs(scores).max()


def test_a_window_has_directions_of_its_own(wire: Wire) -> None:
    rng = np.random.default_rng(22)
    x = np.cumsum(rng.normal(size=(60, 300)), axis=0)
    _, v, _ = directions_of(wire, x, start=10, stop=50, stride=3, return_directions=2)
    y = x[10:50:3] - x[10:50:3].mean(axis=0)
    expected = np.linalg.svd(y, full_matrices=False)[2][:2]
    assert np.abs(np.abs(np.sum(v * expected, axis=1)) - 1).max() < 1e-12


def test_too_many_are_refused_with_the_number_that_is_not(wire: Wire) -> None:
    params = {"simulate": True, "walk_points": 5, "walk_dimensions": 10_000_000}
    job = {"kind": "pca", "params": {**params, "components": 40, "return_directions": 40}}
    answer = wire.json("POST", "/v1/jobs", {**job, "inputs": {}})
    assert answer.status == 422
    fault = answer.json()["errors"][0]
    assert fault["pointer"] == "/params/return_directions"
    assert "at most 13" in fault["detail"]
