# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca's measures of samples beside samples, against numpy and permutations."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import pytest
from arrays import inline, run
from wire import Wire

N = 90


def result_of(wire: Wire, params: Dict[str, Any], **layers: np.ndarray) -> Dict[str, Any]:
    inputs = {"layers": {name: inline(x) for name, x in layers.items()}}
    document = run(wire, "svcca", inputs, params).json()
    assert document["state"] == "succeeded", document
    result: Dict[str, Any] = document["result"]
    return result


def two_layers() -> Dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    z = rng.normal(size=(N, 3))
    return {"x": z @ rng.normal(size=(3, 5)), "y": np.tanh(z @ rng.normal(size=(3, 4)))}


def apart(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(x[:, None] - x[None], axis=2))


def centred_kernel(x: np.ndarray, share: float) -> np.ndarray:
    d = apart(x)
    sigma = share * np.median(d[np.triu_indices(N, 1)])
    h = np.eye(N) - 1 / N
    return np.asarray(h @ np.exp(-(d**2) / (2 * sigma**2)) @ h)


def test_rbf_cka_and_its_chance(wire: Wire) -> None:
    layers = two_layers()
    params = {"measures": ["cka_rbf", "cka_rbf_debiased"], "rbf_bandwidth": 0.4}
    result = result_of(wire, params, **layers)
    row = result["values"]["pairs"][0]
    k, l = (centred_kernel(x, 0.4) for x in layers.values())
    norm = np.sqrt(np.sum(k * k) * np.sum(l * l))
    assert row["cka_rbf"] == pytest.approx(np.sum(k * l) / norm, abs=1e-12)
    assert row["cka_rbf_distance"] == pytest.approx(np.arccos(row["cka_rbf"]), abs=1e-12)
    rng = np.random.default_rng(12)
    drawn = [np.sum(k * l[np.ix_(p, p)]) / norm for p in (rng.permutation(N) for _ in range(1000))]
    assert row["cka_rbf_null_mean"] == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 1000**0.5)
    assert row["cka_rbf_null_sd"] == pytest.approx(np.std(drawn), rel=0.15)
    assert row["cka_rbf_debiased_null_sd"] == pytest.approx((2 / (N * (N - 3))) ** 0.5, rel=1e-12)
    sigma = 0.4 * np.median(apart(layers["x"])[np.triu_indices(N, 1)])
    assert result["values"]["layers"][0]["rbf_sigma"] == pytest.approx(sigma, rel=1e-12)
    anew = result_of(wire, {**params, "table_memory": 0}, **layers)
    assert anew["values"]["pairs"] == result["values"]["pairs"]


def test_a_layer_of_equal_samples_has_no_bandwidth(wire: Wire) -> None:
    layers = two_layers()
    layers["x"][: N * 3 // 4] = 0
    result = result_of(wire, {"measures": ["cka_rbf"]}, **layers)
    assert result["values"]["pairs"][0]["cka_rbf"] is None
    assert "no-bandwidth" in {warning["code"] for warning in result["quality"]["warnings"]}
