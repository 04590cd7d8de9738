# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca's scores beside chance, against permutations and closed forms by numpy and scipy."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import pytest
from arrays import inline, run
from wire import Wire

N = 120


def result_of(wire: Wire, **layers: np.ndarray) -> Dict[str, Any]:
    document = run(wire, "svcca", {"layers": {k: inline(v) for k, v in layers.items()}}, {}).json()
    assert document["state"] == "succeeded", document
    result: Dict[str, Any] = document["result"]
    return result


def gram(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=0)
    return np.asarray(x @ x.T)


def test_unrelated_layers_are_near_chance_and_related_ones_far_from_it(wire: Wire) -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(N, 9)), rng.normal(size=(N, 6))
    z = x[:, :2] @ rng.normal(size=(2, 6)) + 0.5 * rng.normal(size=(N, 6))
    apart, near = (result_of(wire, x=x, y=other)["values"]["pairs"][0] for other in (y, z))
    for measure in ("cca", "svcca", "cka", "cka_debiased"):
        assert abs(apart[f"{measure}_z"]) < 4
        assert apart[f"{measure}_p"] > 1e-4
        assert near[f"{measure}_p"] < 1e-6
    assert apart["cca_null_mean"] == pytest.approx(apart["cca_mean"], abs=4 * apart["cca_null_sd"])
    assert apart["cca_significant_directions"] <= 1
    assert near["cca_significant_directions"] == 2


def test_the_null_of_cka_is_that_of_permutations(wire: Wire) -> None:
    rng = np.random.default_rng(9)
    x, y = rng.normal(size=(N, 5)) ** 3, rng.normal(size=(N, 4)) * [1, 2, 3, 4]
    row = result_of(wire, x=x, y=y)["values"]["pairs"][0]
    k, l = gram(x), gram(y)
    norm = np.sqrt(np.sum(k * k) * np.sum(l * l))
    values = []
    for _ in range(2000):
        order = rng.permutation(N)
        values.append(np.sum(k * l[np.ix_(order, order)]) / norm)
    assert row["cka_null_mean"] == pytest.approx(np.mean(values), abs=4 * np.std(values) / 2000**0.5)
    assert row["cka_null_sd"] == pytest.approx(np.std(values), rel=0.15)
    reached = np.mean(np.asarray(values) >= row["cka"])
    assert row["cka_p"] == pytest.approx(reached, abs=0.05)
    assert row["cka_debiased_null_sd"] == pytest.approx((2 / (N * (N - 3))) ** 0.5, rel=1e-12)


def test_few_samples_are_told(wire: Wire) -> None:
    rng = np.random.default_rng(10)
    result = result_of(wire, x=rng.normal(size=(20, 12)), y=rng.normal(size=(20, 3)))
    assert "few-samples" in {warning["code"] for warning in result["quality"]["warnings"]}
