# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca against single classes, and directions in subsets of units, by least squares in numpy."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
import pytest
from arrays import inline, run
from wire import Wire

N, CLASSES = 120, 3


def layers() -> Dict[str, np.ndarray]:
    rng = np.random.default_rng(21)
    latent = rng.normal(size=(N, 4))
    low = latent @ rng.normal(size=(4, 9)) + 2.0 * rng.normal(size=(N, 9)) + 50
    high = latent @ rng.normal(size=(4, 6)) + 0.1 * rng.normal(size=(N, 6))
    high[:, 3] = 7.0  # never changes
    return {"low": low, "high": high}


def logits() -> np.ndarray:
    rng = np.random.default_rng(22)
    y = layers()["high"] @ rng.normal(size=(6, CLASSES)) + rng.normal(size=(N, CLASSES))
    return np.asarray(y)


def job(wire: Wire, inputs: Any, **params: Any) -> Dict[str, Any]:
    document = run(wire, "svcca", inputs, params).json()
    assert document["state"] == "succeeded", document
    result: Dict[str, Any] = document["result"]
    return result


def array(result: Dict[str, Any], name: str) -> np.ndarray:
    entry = result["arrays"][name]
    return np.array(entry["data"], dtype=float).reshape(entry["shape"])


def explained(x: np.ndarray, y: np.ndarray) -> float:
    """R squared of y by linear regression on x."""
    x, y = x - x.mean(axis=0), y - y.mean()
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - float(rest @ rest / (y @ y))


def leading(x: np.ndarray, share: float) -> np.ndarray:
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    k = int(np.argmax(np.cumsum(s**2) >= share * np.sum(s**2) * (1 - 1e-12))) + 1
    return np.asarray(u[:, :k])


@pytest.mark.parametrize("by_labels", [False, True])
def test_each_layer_beside_each_class(wire: Wire, by_labels: bool) -> None:
    x, y = layers(), logits()
    inputs: Dict[str, Any] = {"layers": {name: inline(value) for name, value in x.items()}}
    if by_labels:
        labels = (y - y.mean(axis=0)).argmax(axis=1)
        inputs["labels"] = inline(labels)
        y = np.eye(CLASSES)[labels]
    else:
        inputs["logits"] = inline(y)
    result = job(wire, inputs, threshold=0.9)
    cca, svcca, adjusted = (array(result, f"class_{name}") for name in ("cca", "svcca", "adjusted"))
    assert cca.shape == (2, CLASSES)
    for i, layer in enumerate(x.values()):
        rank = np.linalg.matrix_rank(layer - layer.mean(axis=0))
        for j in range(CLASSES):
            r2 = explained(layer, y[:, j])
            assert cca[i, j] == pytest.approx(r2**0.5, abs=1e-12)
            part = explained(leading(layer, 0.9), y[:, j])
            assert svcca[i, j] == pytest.approx(part**0.5, abs=1e-12)
            free = 1 - (1 - r2) * (N - 1) / (N - 1 - rank)
            assert adjusted[i, j] == pytest.approx(free, abs=1e-11)
    row = result["values"]["classes"][1]
    assert row["layer"] == "high" and row["classes"] == CLASSES
    assert row["best"] == cca[1].argmax() and row["worst"] == cca[1].argmin()
    assert row["mean"] == pytest.approx(cca[1].mean())


def test_a_class_that_never_comes_has_no_correlation(wire: Wire) -> None:
    x = layers()
    labels = np.arange(N) % 2 * 2
    result = job(
        wire, {"a": inline(x["low"]), "b": inline(x["high"]), "labels": inline(labels)}
    )
    cca = array(result, "class_cca")
    assert np.isnan(cca[:, 1]).all() and np.isfinite(cca[:, [0, 2]]).all()
    np.testing.assert_allclose(cca[:, 0], cca[:, 2])
    assert result["values"]["classes"][0]["classes"] == 2


def test_classes_over_training_are_drawn(wire: Wire) -> None:
    rng = np.random.default_rng(23)
    x, y = layers(), logits()
    entries: List[Dict[str, Any]] = [
        {"name": name, "step": step} | inline(x[name] + (9 - step) * rng.normal(size=x[name].shape))
        for step in (9, 0, 5)
        for name in x
    ]
    body = {"kind": "svcca", "inputs": {"layers": entries, "logits": inline(y)}}
    answer = wire.json("POST", "/v1/jobs", body, Prefer="wait=60").json()
    base = f"/v1/jobs/{answer['id']}/result/figures"
    curves = wire.request("GET", f"{base}/class_curves").json()
    assert curves["facet"]["sort"] == ["low", "high"]
    cca = array(answer["result"], "class_cca")
    names = [row["name"] for row in answer["result"]["values"]["layers"]]
    points = curves["data"]["values"]
    assert len(points) == 2 * 3 * CLASSES
    for point in points:
        i = names.index(f"{point['pane']}@{int(point['x'])}")
        assert point["y"] == cca[i, int(point["series"].split()[1])]
    heatmap = wire.request("GET", f"{base}/class_heatmap").json()
    assert heatmap["encoding"]["y"]["sort"][:3] == ["low@0", "low@5", "low@9"]


def directions(x: np.ndarray, y: np.ndarray, share: float) -> np.ndarray:
    """Variates of x by SVCCA with y."""
    u, v = leading(x, share), leading(y, share)
    return np.asarray(u @ np.linalg.svd(u.T @ v, full_matrices=False)[0])


def test_all_units_hold_every_direction_and_few_their_share(wire: Wire) -> None:
    x = layers()
    size, draws = 3, 300
    result = job(
        wire,
        {"layers": {name: inline(value) for name, value in x.items()}},
        unit_subsets=[size, 9],
        draws=draws,
        threshold=0.9,
    )
    shares = array(result, "unit_subset_shares")
    rows = result["values"]["unit_subsets"]
    assert [(row["layer"], row["units"]) for row in rows] == [
        ("low", 3), ("low", 9), ("high", 3), ("high", 5)
    ]  # fmt: skip
    rng = np.random.default_rng(24)
    for side, (name, other) in enumerate((("low", "high"), ("high", "low"))):
        h = directions(x[name], x[other], 0.9)
        count = h.shape[1]
        np.testing.assert_allclose(shares[0, side, 1, :count], 1, atol=1e-12)
        assert np.isnan(shares[0, side, :, count:]).all()
        assert rows[2 * side + 1]["held"] == count and rows[2 * side + 1]["chance"] == 1
        changing = [j for j in range(x[name].shape[1]) if np.ptp(x[name][:, j])]
        sample = np.array([
            [explained(x[name][:, rng.choice(changing, size, replace=False)], h[:, j])
             for j in range(count)]
            for _ in range(draws)
        ])  # fmt: skip
        error = 5 * sample.std(axis=0) * (2 / draws) ** 0.5
        assert (np.abs(shares[0, side, 0, :count] - sample.mean(axis=0)) < error).all()
        assert rows[2 * side]["directions"] == count
        assert rows[2 * side]["first"] == shares[0, side, 0, 0]
        assert rows[2 * side]["chance"] == pytest.approx(size / len(changing))


def test_what_does_not_fit_is_refused(wire: Wire) -> None:
    inputs: Dict[str, Any] = {name: inline(v) for name, v in zip("ab", layers().values())}
    answer = wire.json(
        "POST", "/v1/jobs", {"kind": "svcca", "inputs": {**inputs, "logits": inline(logits()[1:])}}
    )
    assert answer.status == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/inputs/logits"]
    bad = logits()
    bad[5, 1] = np.nan
    document = run(wire, "svcca", {**inputs, "logits": inline(bad)}).json()
    assert document["state"] == "failed"
    assert "logits" in document["problem"]["detail"]
