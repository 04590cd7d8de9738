# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca over training: when layers converge and what freezing them saves, read off by hand."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
import pytest
from arrays import inline, run
from wire import Wire

STEPS = [0, 10, 20, 40]
NOISE = {"low": [3.0, 0.1, 0.05, 0.0], "high": [3.0, 2.0, 0.1, 0.0], "dead": [0.0] * 4}
FLOPS = [5.0, 2.0, 1.0]


def entries() -> List[Dict[str, Any]]:
    """Two layers that come to rest one after the other, and one that never changes."""
    rng = np.random.default_rng(7)
    final = {name: rng.normal(size=(60, 4)) for name in NOISE}
    final["dead"][:] = 1.0
    return [
        {"name": name, "model": "net", "step": step}
        | inline(final[name] + NOISE[name][i] * rng.normal(size=(60, 4)))
        for i, step in reversed(list(enumerate(STEPS)))
        for name in ("low", "high", "dead")
    ]


def result_of(wire: Wire, layers: Any, **params: Any) -> Dict[str, Any]:
    document = run(wire, "svcca", {"layers": layers}, params).json()
    assert document["state"] == "succeeded", document
    result: Dict[str, Any] = document["result"]
    return result


def test_convergence_and_freezing_over_a_grid(wire: Wire) -> None:
    layers = entries()
    result = result_of(wire, layers, layer_flops=FLOPS, measures=["cka", "svcca"], pairs="final")
    values, names = result["values"], [row["name"] for row in result["values"]["layers"]]
    matrix = np.array(result["arrays"]["cka"]["data"], dtype=float)
    curves = np.array(result["arrays"]["dynamics_similarity"]["data"], dtype=float)
    assert result["arrays"]["dynamics_steps"]["data"] == [STEPS] * 3
    assert curves.shape == (2, 3, 4)
    expected = [
        [matrix[names.index(f"net/{name}@{step}"), names.index(f"net/{name}@40")] for step in STEPS]
        for name in ("low", "high", "dead")
    ]
    np.testing.assert_array_equal(curves[1], expected)
    rows = {row["name"]: row for row in values["dynamics"]}
    for i, name in enumerate(("low", "high")):
        for m, measure in enumerate(("svcca", "cka")):
            similar = [step for step, s in zip(STEPS, curves[m, i]) if s >= 0.95]
            assert rows[name][f"{measure}_converged_step"] == similar[0]
    assert rows["low"]["freeze_step"] == 10
    assert rows["high"]["freeze_step"] == 20
    assert rows["dead"]["freeze_step"] is None
    assert rows["low"]["first_step"] == 0 and rows["low"]["last_step"] == 40
    # gradients by weights for 1/4, 1/2 and all of the steps; by inputs while those below train
    left = 5 / 4 + 2 / 2 + 1 + 2 / 4 + 1 / 2
    (freezing,) = values["freezing"]
    assert freezing["model"] == "net" and freezing["measure"] == "svcca"
    assert freezing["backward_saved"] == pytest.approx(1 - left / 11, rel=1e-12)
    assert freezing["training_saved"] == pytest.approx((11 - left) / 19, rel=1e-12)


def test_without_costs_there_is_a_schedule_and_no_saving(wire: Wire) -> None:
    values = result_of(wire, entries())["values"]
    assert "backward_saved" not in values["freezing"][0]
    assert {row["freeze_step"] for row in values["dynamics"]} == {10, 20, None}


def test_figures_over_training(wire: Wire) -> None:
    layers = [entry for entry in entries() if entry["name"] != "dead"]
    answer = wire.json(
        "POST", "/v1/jobs", {"kind": "svcca", "inputs": {"layers": layers}}, Prefer="wait=60"
    ).json()
    base = f"/v1/jobs/{answer['id']}/result/figures"
    curves = wire.request("GET", f"{base}/layer_curves").json()
    assert curves["facet"]["sort"] == ["net/low", "net/high"]
    assert len(curves["data"]["values"]) == 2 * 4 * 4
    panes = wire.request("GET", f"{base}/dynamics").json()
    assert panes["facet"]["sort"] == ["step 0", "step 10", "step 20", "step 40"]
    cell = [c for c in panes["data"]["values"] if c["pane"] == "step 40" and c["x"] == c["y"]]
    assert [c["z"] for c in cell] == [1, 1]
    heatmap = wire.request("GET", f"{base}/cka_heatmap").json()
    order = [f"net/{name}@{step}" for name in ("low", "high") for step in STEPS]
    assert heatmap["encoding"]["x"]["sort"] == order
    names = [row["name"] for row in answer["result"]["values"]["layers"]]
    matrix = np.array(answer["result"]["arrays"]["cka"]["data"], dtype=float)
    for c in heatmap["data"]["values"]:
        assert c["z"] == matrix[names.index(c["y"]), names.index(c["x"])]


def test_costs_that_do_not_fit_are_refused(wire: Wire) -> None:
    body = {"kind": "svcca", "params": {"layer_flops": [1, 2]}, "inputs": {"layers": entries()}}
    answer = wire.json("POST", "/v1/jobs", body)
    assert answer.status == 422
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "/params/layer_flops" and fault["allowed"] == "3 costs"
