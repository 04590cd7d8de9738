# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca with heads: accuracy and loss by directions kept, and thin factors, against numpy."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

import numpy as np
import pytest
from arrays import inline, run
from wire import Wire

N, D, CLASSES = 90, 7, 4


def data() -> Dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    latent = rng.normal(size=(N, 3))
    layer = np.maximum(latent @ rng.normal(size=(3, D)) + 0.3 * rng.normal(size=(N, D)) + 1, 0)
    layer[:, 2] = 4.0  # never changes
    layer[:, 5] = layer[:, 1] - layer[:, 0]  # depends on others
    other = latent @ rng.normal(size=(3, 5)) + 0.5 * rng.normal(size=(N, 5))
    weights, bias = rng.normal(size=(D, CLASSES)), rng.normal(size=CLASSES)
    labels = (layer @ weights + bias + rng.normal(size=(N, CLASSES))).argmax(axis=1)
    return {"layer": layer, "other": other, "weights": weights, "bias": bias, "labels": labels}


def job(wire: Wire, inputs: Any, **params: Any) -> Dict[str, Any]:
    document = run(wire, "svcca", inputs, params).json()
    assert document["state"] == "succeeded", document
    result: Dict[str, Any] = document["result"]
    return result


def inputs_of(d: Dict[str, np.ndarray]) -> Dict[str, Any]:
    return {
        "layers": {"fc": inline(d["layer"]), "twin": inline(d["other"])},
        "head_weights": {"fc": inline(d["weights"])},
        "head_bias": {"fc": inline(d["bias"])},
        "labels": inline(d["labels"]),
    }


def array(result: Dict[str, Any], name: str) -> np.ndarray:
    entry = result["arrays"][name]
    return np.array(entry["data"], dtype=float).reshape(entry["shape"])


def basis(x: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    rank = int(np.sum(s > s[0] * 1e-12))
    return u[:, :rank], s[:rank]


def svcca_directions(x: np.ndarray, y: np.ndarray, share: float) -> np.ndarray:
    """Variates of x, orthonormal."""
    kept = []
    for z in (x, y):
        u, s = basis(z)
        kept.append(u[:, : int(np.argmax(np.cumsum(s**2) >= share * np.sum(s**2))) + 1])
    left, _, _ = np.linalg.svd(kept[0].T @ kept[1], full_matrices=False)
    return np.asarray(kept[0] @ left)


def told(d: Dict[str, np.ndarray], projected: np.ndarray) -> Tuple[float, float]:
    """Accuracy, and share of the outputs' variance lost, of a layer that was projected."""
    full, some = (x @ d["weights"] + d["bias"] for x in (d["layer"], projected))
    lost = np.sum((full - some) ** 2) / np.sum((full - full.mean(axis=0)) ** 2)
    return float(np.mean(some.argmax(axis=1) == d["labels"])), float(lost)


def projections(d: Dict[str, np.ndarray], h: np.ndarray) -> Iterator[np.ndarray]:
    mean = d["layer"].mean(axis=0)
    for k in range(h.shape[1] + 1):
        yield mean + h[:, :k] @ (h[:, :k].T @ (d["layer"] - mean))


def kept_units(d: Dict[str, np.ndarray]) -> Iterator[np.ndarray]:
    order = np.argsort(-np.abs(d["layer"]).mean(axis=0), kind="stable")
    for k in range(D + 1):
        some = np.tile(d["layer"].mean(axis=0), (N, 1))
        some[:, order[:k]] = d["layer"][:, order[:k]]
        yield some


def rows_of(result: Dict[str, Any]) -> Dict[str, int]:
    return {row["directions"]: i for i, row in enumerate(result["values"]["heads"])}


def test_curves_are_those_of_projected_layers(wire: Wire) -> None:
    d = data()
    result = job(wire, inputs_of(d), draws=400, seed=3)
    at, rows = rows_of(result), result["values"]["heads"]
    accuracy, loss = array(result, "head_accuracy"), array(result, "head_loss")
    expected = {
        "svd": projections(d, basis(d["layer"])[0]),
        "svcca": projections(d, svcca_directions(d["layer"], d["other"], 0.99)),
        "largest_units": kept_units(d),
    }
    full = told(d, d["layer"])[0]
    for way, layers in expected.items():
        numbers = np.array([told(d, layer) for layer in layers])
        i, count = at[way], len(numbers)
        np.testing.assert_allclose(accuracy[i, :count], numbers[:, 0], atol=1e-12, err_msg=way)
        np.testing.assert_allclose(loss[i, :count], numbers[:, 1], atol=1e-12, err_msg=way)
        assert rows[i]["count"] == count - 1
        assert np.isnan(accuracy[i, count:]).all()
        assert rows[i]["accuracy"] == full
        reach = np.flatnonzero(numbers[:, 0] >= 0.99 * full)
        assert rows[i]["k_accuracy"] == (reach[0] if len(reach) else None)
        hold = np.flatnonzero(numbers[:, 1] <= 0.01)
        assert rows[i]["k_variance"] == (hold[0] if len(hold) else None)
    # k of r random directions keep k / r of anything, in the mean
    rank = rows[at["random"]]["count"]
    assert rank == D - 2
    np.testing.assert_allclose(
        loss[at["random"], : rank + 1], 1 - np.arange(rank + 1) / rank, atol=0.06
    )
    assert accuracy[at["random"], rank] == pytest.approx(full, abs=0.012)
    assert accuracy[at["units"], D] == pytest.approx(full, abs=0.012)
    again = job(wire, inputs_of(d), draws=400, seed=4)
    assert (array(again, "head_loss")[at["units"]] != loss[at["units"]]).any()
    np.testing.assert_allclose(
        array(again, "head_loss")[at["units"]], loss[at["units"]], atol=0.2
    )


def test_factors_do_what_is_predicted(wire: Wire) -> None:
    d = data()
    k = 3
    result = job(wire, inputs_of(d), compress_to=k, return_factors=True, threshold=0.999)
    at, rows = rows_of(result), result["values"]["heads"]
    a, b, c = (array(result, f"factors_{part}") for part in ("in", "out", "bias"))
    directions = {
        "svd": basis(d["layer"])[0],
        "svcca": svcca_directions(d["layer"], d["other"], 0.999),
    }
    for way, h in directions.items():
        row = rows[at[way]]
        outputs = (d["layer"] @ a[row["factors"]]) @ b[row["factors"]] + c[row["factors"]]
        projected = list(projections(d, h))[k]
        np.testing.assert_allclose(
            outputs, projected @ d["weights"] + d["bias"], atol=1e-11, err_msg=way
        )
        expected = told(d, projected)
        assert row["k"] == k
        assert row["accuracy_at_k"] == expected[0]
        assert row["measured_loss"] == pytest.approx(expected[1], rel=1e-9)
        assert row["predicted_loss"] == pytest.approx(expected[1], rel=1e-9)
        assert row["weights_saved"] == pytest.approx(1 - k * (D + CLASSES) / (D * CLASSES))
    assert "k" not in rows[at["units"]]


def test_weights_between_hidden_layers_need_no_labels(wire: Wire) -> None:
    d = data()
    rng = np.random.default_rng(12)
    result = job(
        wire,
        {
            "a": inline(d["layer"]),
            "b": inline(d["other"]),
            "head_weights": {"a": inline(d["weights"]), "b": inline(rng.normal(size=(5, 6)))},
        },
        compress_to=2,
    )
    rows = result["values"]["heads"]
    assert [row["layer"] for row in rows] == ["a"] * 4 + ["b"] * 4 + ["a", "b"]
    assert [row.get("with") for row in rows[8:]] == ["b", "a"]
    assert all("accuracy" not in row for row in rows)
    assert "head_accuracy" not in result["arrays"]
    assert rows[8]["measured_loss"] == pytest.approx(rows[8]["predicted_loss"], rel=1e-9)
    assert rows[9]["outputs"] == 6


FAULTS: List[Tuple[str, Any, Dict[str, Any], str]] = [
    ("/inputs/head_weights/fc", ("head_weights", "fc", lambda x: x.T), {}, "transpose"),
    ("/inputs/head_bias/fc", ("head_bias", "fc", lambda x: x[1:]), {}, "each column"),
    ("/inputs/labels", ("labels", None, lambda x: x[1:]), {}, "Every sample"),
    ("/inputs/labels", ("labels", None, lambda x: x - 1), {}, "counted from 0"),
    ("/inputs/labels", ("labels", None, lambda x: x + 0.5), {}, "counted from 0"),
    ("/params/return_factors", None, {"return_factors": True}, "compress_to"),
]


@pytest.mark.parametrize("pointer, change, params, words", FAULTS)
def test_what_does_not_fit_is_refused(
    wire: Wire, pointer: str, change: Any, params: Dict[str, Any], words: str
) -> None:
    d = data()
    d = {**d, "head_weights": d["weights"], "head_bias": d["bias"]}
    if change:
        name, _, turn = change
        key = {"head_weights": "weights", "head_bias": "bias"}.get(name, name)
        d[key] = turn(d[key])
    body = {"kind": "svcca", "params": params, "inputs": inputs_of(d)}
    answer = wire.json("POST", "/v1/jobs", body)
    assert answer.status == 422, answer.body
    faults = {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}
    assert words in faults[pointer]


def test_a_head_without_its_layer_is_refused(wire: Wire) -> None:
    inputs = inputs_of(data())
    inputs["head_weights"]["elsewhere"] = inputs["head_weights"].pop("fc")
    answer = wire.json("POST", "/v1/jobs", {"kind": "svcca", "inputs": inputs})
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/inputs/head_weights/elsewhere", "/inputs/head_bias/fc"}
