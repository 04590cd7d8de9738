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


def u_centred(x: np.ndarray) -> np.ndarray:
    n = len(x)
    k = x @ x.T * (1 - np.eye(n))
    rows = k.sum(axis=0) / (n - 2)
    k = k - rows[:, None] - rows[None] + k.sum() / ((n - 1) * (n - 2))
    return np.asarray(k * (1 - np.eye(n)))


def test_minibatch_cka_and_its_chance(wire: Wire) -> None:
    layers = two_layers()
    params = {"measures": ["cka_minibatch", "cka_debiased"], "batch_size": 15, "batch_shuffle": False}
    row = result_of(wire, params, **layers)["values"]["pairs"][0]
    k, l = (np.stack([u_centred(part) for part in np.split(x, 6)]) for x in layers.values())
    norm = np.sqrt(np.sum(k * k) * np.sum(l * l))
    assert row["cka_minibatch"] == pytest.approx(np.sum(k * l) / norm, abs=1e-12)
    rng = np.random.default_rng(13)
    drawn = [
        sum(np.sum(a * b[np.ix_(p, p)]) for a, b, p in ((a, b, rng.permutation(15)) for a, b in zip(k, l)))
        / norm
        for _ in range(1000)
    ]
    assert row["cka_minibatch_null_mean"] == 0
    assert row["cka_minibatch_null_sd"] == pytest.approx(np.std(drawn), rel=0.1)
    one = result_of(wire, {**params, "batch_size": 90}, **layers)["values"]["pairs"][0]
    assert one["cka_minibatch"] == pytest.approx(one["cka_debiased"], abs=1e-14)


def test_minibatches_are_drawn_from_the_seed(wire: Wire) -> None:
    layers = two_layers()

    def score(**params: Any) -> float:
        params.update(measures=["cka_minibatch"], batch_size=15)
        return float(result_of(wire, params, **layers)["values"]["pairs"][0]["cka_minibatch"])

    assert score(seed=1) == score(seed=1) != score(seed=2)
    assert score(seed=1, batch_shuffle=False) == score(seed=2, batch_shuffle=False)
