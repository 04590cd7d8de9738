# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result says of its own errors: bounds that hold, and warnings where they are large."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
import pytest
from arrays import npy, run, safetensors, store
from wire import Wire


def codes(result: Dict[str, Any]) -> List[str]:
    return [warning["code"] for warning in result["quality"]["warnings"]]


def exact_ratios(points: np.ndarray) -> np.ndarray:
    points = points.astype(float)
    values = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
    return values / values.sum()


def walk(n: int, d: int, step: float) -> np.ndarray:
    rng = np.random.default_rng(11)
    return rng.normal(size=d) + step * np.cumsum(rng.normal(size=(n, d)), axis=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("far", [0.0, 30.0])
def test_ratios_are_within_their_errors(wire: Wire, dtype: str, far: float) -> None:
    x = walk(60, 3000, 0.01)
    x[0] += far
    x = x.astype(dtype)
    params = {"start": 1} if far else {}  # the reference is not in the window
    result = run(wire, "pca", {"trajectory": {"sha256": store(wire, npy(x))}}, params).json()["result"]
    rows = result["values"]["components"]
    expected = exact_ratios(x[1:] if far else x)
    for row, ratio in zip(rows, expected):
        assert abs(row["ratio"] - ratio) <= row["ratio_error"]
    bound = result["quality"]["ratio_error"]
    assert rows[0]["ratio_error"] == pytest.approx(bound * (1 + rows[0]["ratio"]))
    assert ("inaccurate-ratios" in codes(result)) == (dtype == "float32" and far > 0)


def test_negative_eigenvalues_are_counted(wire: Wire) -> None:
    x = walk(60, 3000, 1e-4)
    x[0] += 30
    body = {"trajectory": {"sha256": store(wire, npy(x.astype(np.float32)))}}
    result = run(wire, "pca", body, {"start": 1}).json()["result"]
    assert result["quality"]["negative_eigenvalues"] > 0
    assert result["quality"]["ratio_error"] > 0.1
    assert "inaccurate-ratios" in codes(result)
    clean = run(wire, "pca", body, {"start": 1, "reference": "last"}).json()["result"]
    assert clean["quality"]["negative_eigenvalues"] == 0
    assert "inaccurate-ratios" not in codes(clean)


@pytest.mark.parametrize("step, floor", [(0.1, False), (2e-5, True)])
def test_the_floor_of_half_precision_is_told(wire: Wire, step: float, floor: bool) -> None:
    nets = walk(20, 2000, step).astype(np.float16)
    entries = [{"sha256": store(wire, safetensors(w=net))} for net in nets]
    result = run(wire, "pca", {"checkpoints": entries}).json()["result"]
    unchanged = np.mean(np.diff(nets.astype(float), axis=0) == 0)
    assert result["quality"]["unchanged_coordinates"] == pytest.approx(unchanged)
    assert ("half-precision-floor" in codes(result)) == floor
    single = [{"sha256": store(wire, safetensors(w=net.astype(np.float32)))} for net in nets]
    result = run(wire, "pca", {"checkpoints": single}).json()["result"]
    assert "half-precision-floor" not in codes(result)
