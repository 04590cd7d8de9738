# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca's scores beside chance, against permutations and closed forms by numpy and scipy."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import pytest
from arrays import inline, run
from wire import Wire

N = 120


def result_of(wire: Wire, params: Any = None, **layers: np.ndarray) -> Dict[str, Any]:
    inputs = {"layers": {name: inline(layer) for name, layer in layers.items()}}
    document = run(wire, "svcca", inputs, params).json()
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


def similarities(x: np.ndarray, y: np.ndarray) -> Dict[str, float]:
    """Straight from the definitions."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    u, v = np.linalg.qr(x)[0], np.linalg.qr(y)[0]
    nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    return {
        "cca": float(np.linalg.svd(u.T @ v, compute_uv=False).mean()),
        "procrustes": float(nuclear / np.linalg.norm(x) / np.linalg.norm(y)),
        "regression_a_to_b": float(np.sum((u.T @ y) ** 2) / np.sum(y * y)),
    }


def test_permutations_give_every_measure_a_null(wire: Wire) -> None:
    rng = np.random.default_rng(12)
    x, y = rng.normal(size=(N, 5)) ** 3, np.exp(rng.normal(size=(N, 4)))
    z = y + x[:, :4]
    measures = ["cca", "procrustes", "regression", "pwcca", "shape", "cka"]
    params = {"measures": measures, "permutations": 999, "seed": 3}
    result = result_of(wire, params, x=x, y=y, z=z)
    rows = {(r["a"], r["b"], r["score"]): r for r in result["values"]["permutations"]}
    assert len(rows) == 3 * 8  # cca and regression are two scores each
    drawn = [similarities(x, y[rng.permutation(N)]) for _ in range(999)]
    for score, value in similarities(x, y).items():
        row, null = rows["x", "y", score], np.array([draw[score] for draw in drawn])
        assert row["value"] == pytest.approx(value, abs=1e-10)
        assert row["null_mean"] == pytest.approx(null.mean(), abs=6 * null.std() / 999**0.5)
        assert row["null_sd"] == pytest.approx(null.std(), rel=0.15)
        assert row["null_95"] == pytest.approx(np.quantile(null, 0.95), abs=null.std() / 2)
        assert row["p"] == pytest.approx(np.mean(null >= value), abs=0.08)
    for (a, b, _), row in rows.items():
        assert row["p_family"] >= row["p"]
        if b == "z":
            assert row["p"] == 0.001


def test_the_seed_decides_what_is_drawn(wire: Wire) -> None:
    rng = np.random.default_rng(13)
    layers = {"x": rng.normal(size=(N, 5)), "y": rng.normal(size=(N, 4))}
    one, other = (
        result_of(wire, {"permutations": 19, "seed": seed}, **layers)["values"]["permutations"]
        for seed in (1, 2)
    )
    assert [row["null_mean"] for row in one] != [row["null_mean"] for row in other]
    assert [row["value"] for row in one] == [row["value"] for row in other]


def shared(n: int, seed: int) -> Dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)) @ rng.normal(size=(5, 5))
    y = x[:, :4] + 0.5 * rng.normal(size=(n, 4))
    return {"x": x, "y": y, "z": x[:, 1:] + 2 * rng.normal(size=(n, 4))}


def test_a_jackknife_is_leaving_blocks_out(wire: Wire) -> None:
    layers = shared(400, 21)
    measures = ["cca", "procrustes", "regression"]
    params = {"measures": measures, "intervals": "jackknife", "interval_blocks": 16}
    result = result_of(wire, params, **layers)
    rows = {(r["a"], r["b"], r["score"]): r for r in result["values"]["intervals"]}
    assert len(rows) == 3 * 5
    blocks = np.array_split(np.arange(400), 16)
    for score in ("cca", "procrustes", "regression_a_to_b"):
        whole = similarities(layers["x"], layers["y"])[score]
        parts = np.array([similarities(*(np.delete(layers[k], b, axis=0) for k in "xy"))[score]
                          for b in blocks])
        pseudo = 16 * whole - 15 * parts
        row, se = rows["x", "y", score], pseudo.std(ddof=1) / 4
        assert row["corrected"] == pytest.approx(pseudo.mean(), abs=1e-9)
        assert row["se"] == pytest.approx(se, rel=1e-6)
        assert row["high"] - row["low"] == pytest.approx(2 * 2.1314495 * se, rel=1e-5)
        assert row["undercovers"] is None
    spec = wire.request("GET", result["figures"]["intervals"]["href"]).json()
    assert len(spec["data"]["values"]) == 15


def test_differences_are_paired(wire: Wire) -> None:
    layers = shared(500, 22)
    params = {"measures": ["cka"], "intervals": "bootstrap", "interval_replicates": 400}
    values = result_of(wire, params, **layers)["values"]
    single = {(r["a"], r["b"]): r for r in values["intervals"]}
    row = values["differences"][0]
    assert (row["a"], row["b"], row["other_a"], row["other_b"]) == ("x", "y", "x", "z")
    first, second = single["x", "y"], single["x", "z"]
    assert row["difference"] == pytest.approx(first["value"] - second["value"], abs=1e-12)
    assert row["corrected"] == pytest.approx(first["corrected"] - second["corrected"], abs=1e-9)
    assert row["low"] > 0
    assert row["p"] < 0.01
    # both pairs lose the same samples, so what they share falls out
    assert row["se"] ** 2 != pytest.approx(first["se"] ** 2 + second["se"] ** 2, rel=1e-3)


def test_few_samples_and_measures_without_intervals_are_told(wire: Wire) -> None:
    rng = np.random.default_rng(23)
    x, y = rng.normal(size=(40, 12)), rng.normal(size=(40, 12))
    result = result_of(wire, {"intervals": "bootstrap"}, x=x, y=y)
    rows = {row["score"]: row for row in result["values"]["intervals"]}
    assert rows["cca"]["low"] is None  # 20 samples do not span 24 dimensions
    assert rows["cka"]["low"] is not None
    codes = {warning["code"] for warning in result["quality"]["warnings"]}
    assert {"interval-unknown", "few-samples"} <= codes
    body = {
        "kind": "svcca",
        "params": {"measures": ["cka_rbf"], "intervals": "jackknife"},
        "inputs": {"a": inline(x), "b": inline(y)},
    }
    answer = wire.json("POST", "/v1/jobs", body)
    assert answer.status == 422
    error = answer.json()["errors"][0]
    assert error["pointer"] == "/params/intervals"
    assert "cka_debiased" in str(error) and "cka_rbf" in str(error)
