# SPDX-License-Identifier: GPL-3.0-or-later
"""The loss along a path, and whether its plane shows it, against numpy on the data in full."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
from arrays import npy, run, safetensors, store
from wire import Wire


def walk(n: int, d: int, seed: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=(n, d)), axis=0)


def array(result: Dict[str, Any], name: str) -> np.ndarray:
    entry = result["arrays"][name]
    return np.array([np.nan if x is None else x for x in entry["data"]], float)


def codes(result: Dict[str, Any]) -> List[str]:
    return [warning["code"] for warning in result["quality"]["warnings"]]


def figure(wire: Wire, result: Dict[str, Any], name: str) -> Dict[str, Any]:
    document: Dict[str, Any] = wire.request("GET", result["figures"][name]["href"]).json()
    return document


def hidden(x: np.ndarray, axes: np.ndarray) -> np.ndarray:
    steps = np.diff(x, axis=0)
    return np.sum((steps - steps @ axes.T @ axes) ** 2, axis=1) / np.sum(steps**2, axis=1)


def plane_of(points: np.ndarray) -> np.ndarray:
    axes: np.ndarray = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][:2]
    return axes


def test_the_loss_finds_the_minimum_and_colours_the_path(wire: Wire) -> None:
    x = walk(30, 50, 1)
    loss = np.exp(-np.arange(30) / 9) + 0.01
    loss[[4, 29]] = np.nan, np.inf
    inputs = {
        "trajectory": {"sha256": store(wire, npy(x))},
        "loss": {"sha256": store(wire, npy(loss.astype(np.float32)))},
    }
    result = run(wire, "pca", inputs).json()["result"]
    (minimum,) = result["values"]["minima"]
    assert minimum["point"] == 28 and abs(minimum["loss"] - loss[28]) < 1e-7
    assert minimum["last_loss"] is None
    assert abs(minimum["from_start"] - np.linalg.norm(x[28] - x[0])) < 1e-9
    assert abs(minimum["from_end"] - np.linalg.norm(x[28] - x[29])) < 1e-9
    from_minimum = np.linalg.norm(x - x[28], axis=1)
    assert np.abs(array(result, "distance_from_minimum") - from_minimum).max() < 1e-9
    assert result["arrays"]["loss"]["nonfinite"] == [4, 29]
    assert "loss-not-finite" in codes(result)
    for name in ("path", "path_1_2", "path_1_3", "path_2_3"):
        spec = figure(wire, result, name)
        rows = spec["data"]["values"]
        assert abs(rows[7]["z"] - loss[7]) < 1e-7 and rows[4]["z"] is None
        (colour,) = [
            layer["encoding"]["color"]
            for layer in spec["layer"]
            if layer.get("encoding", {}).get("color", {}).get("field") == "z"
        ]
        assert colour["title"] == "loss" and colour["scale"]["type"] == "log"
    rows = figure(wire, result, "distance")["data"]["values"]
    assert abs([r["y"] for r in rows if r["series"] == "from the minimum"][5] - from_minimum[5]) < 1e-9


def test_faithfulness_is_that_of_projections(wire: Wire) -> None:
    x = walk(25, 40, 2)
    params = {"start": 3, "stride": 2}
    inputs = {"trajectory": {"sha256": store(wire, npy(x))}, "loss": np.arange(25.0).tolist()}
    answer = run(wire, "pca", inputs, params).json()
    result = answer["result"]
    points = x[3::2]
    axes = plane_of(points)
    share = hidden(points, axes)
    assert np.abs(array(result, "step_hidden") - share).max() < 1e-10
    off = points - points.mean(axis=0)
    off -= off @ axes.T @ axes
    steps_off = np.linalg.norm(off[1:], axis=1) / np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert np.abs(array(result, "steps_off_plane") - steps_off).max() < 1e-9
    (row,) = result["values"]["faithfulness"]
    assert row["steps"] == 10 and row["hides_more"] == np.mean(share > 0.5)
    assert abs(row["steps_off"] - np.median(steps_off)) < 1e-9
    assert row["walk_hidden"] == 1 - 2 / 10 and row["hides_more"] > 0.5
    assert "plane-not-faithful" in codes(result)
    assert [entry["point"] for entry in result["values"]["minima"]] == [0]
    assert array(result, "loss")[0] == 3
    panels = figure(wire, result, "panels")
    names = {row["pane"] for row in panels["data"]["values"]}
    assert {"loss", "length of steps", "distance from the plane"} <= names
    rows = [r for r in panels["data"]["values"] if r["pane"] == "share of steps that the plane hides"]
    assert [r["x"] for r in rows] == list(range(1, 11))
    assert np.abs(np.array([r["y"] for r in rows]) - share).max() < 1e-10
    text = wire.request("GET", answer["links"]["result"] + "?format=csv").text
    table = text.split("# components\n")[1].split("\n")
    assert table[0].split(",")[:4] == ["k", "explained_variance", "ratio", "ratio_error"]
    error = float(table[1].split(",")[3])
    assert error == result["values"]["components"][0]["ratio_error"]
    assert 0 < error < 1e-12 and "quality.negative_eigenvalues,0" in text


def test_each_run_has_a_minimum_and_a_plane_in_common(wire: Wire) -> None:
    runs = {"a": walk(8, 30, 3), "b": 2 + walk(11, 30, 4)}
    losses = {"a": np.linspace(1, 0, 8) ** 2, "b": np.abs(np.linspace(-1, 2, 11))}
    entries, loss = [], []
    for i in range(11):  # of both by turns, the last first
        for model, x in runs.items():
            if i < len(x):
                at = len(x) - 1 - i
                sha = store(wire, safetensors(w=x[at]))
                entries.append({"sha256": sha, "model": model, "step": 10 * at})
                loss.append(losses[model][at])
    result = run(wire, "pca", {"checkpoints": entries, "loss": loss}).json()["result"]
    order = [entries[0]["model"], entries[1]["model"]]
    points = np.vstack([runs[model] for model in order])
    axes = plane_of(points)
    share = array(result, "step_hidden")
    begin = 0
    for row, minimum, model in zip(
        result["values"]["faithfulness"], result["values"]["minima"], order
    ):
        n = len(runs[model])
        expected = hidden(runs[model], axes)
        assert row["model"] == minimum["model"] == model and row["walk_hidden"] is None
        assert np.abs(share[begin : begin + n - 1] - expected).max() < 1e-10
        assert row["hides_more"] == np.mean(expected > 0.5)
        least = int(np.argmin(losses[model]))
        assert minimum["point"] == begin + least and minimum["step"] == 10 * least
        assert minimum["loss"] == losses[model][least]
        assert list(array(result, "loss")[begin : begin + n]) == list(losses[model])
        begin += n
    assert np.isnan(share[len(runs[order[0]]) - 1])
    path = figure(wire, result, "path")
    assert path["layer"][1]["encoding"]["size"]["title"] == "loss"
    assert path["data"]["values"][0]["z"] == losses[order[0]][0]
    panels = figure(wire, result, "panels")
    assert {row["series"] for row in panels["data"]["values"]} == {"a", "b"}
    assert max(row["x"] for row in panels["data"]["values"]) == 100
    assert "distance" not in result["figures"]


def test_losses_for_other_points_are_refused(wire: Wire) -> None:
    points = walk(6, 3, 5).tolist()
    for inputs, params, words in [
        ({"trajectory": points, "loss": [1, 2, 3]}, {"stop": 3}, "6 points and 3 losses"),
        ({"checkpoints": points, "loss": [1] * 7}, {}, "6 points and 7 losses"),
        ({"loss": [1, 2, 3]}, {"simulate": True}, "no loss"),
    ]:
        body = {"kind": "pca", "params": params, "inputs": inputs}
        answer = wire.json("POST", "/v1/jobs", body)
        (fault,) = answer.json()["errors"]
        assert answer.status == 422 and fault["pointer"] == "/inputs/loss"
        assert words in fault["detail"]


def test_contours_are_refused_and_the_help_says_what_is_there_instead(wire: Wire) -> None:
    body = {
        "kind": "pca",
        "params": {"contours": True},
        "inputs": {"trajectory": walk(6, 3, 5).tolist()},
    }
    answer = wire.json("POST", "/v1/jobs", body)
    assert answer.status == 422 and answer.json()["errors"][0]["pointer"] == "/params/contours"
    inputs = wire.request("GET", "/v1/kinds/pca").json()["inputs"]
    (told,) = [entry["help"] for entry in inputs if entry["name"] == "loss"]
    assert "no contours" in told and "`faithfulness`" in told
