# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints as points of a trajectory: which tensors, in which order, read how often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

import numpy as np
import pytest
from arrays import npy, npz, run, safetensors, store
from harness import Daemon
from wire import Wire

Make = Callable[..., Daemon]
Net = Dict[str, np.ndarray]


def networks(count: int, width: int = 24, seed: int = 5) -> List[Net]:
    """A network that walks, with a counter of its steps."""
    rng = np.random.default_rng(seed)
    shapes = {"conv.weight": (8, 3, 3), "conv.bias": (8,), "fc.weight": (width, 40), "scale": ()}
    now = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    nets = []
    for step in range(count):
        now = {name: x + 0.05 * rng.normal(size=x.shape) for name, x in now.items()}
        nets.append({**now, "bn.num_batches_tracked": np.array(step, np.int64)})
    return nets


def as_type(net: Net, dtype: str) -> Net:
    return {name: x.astype(dtype) if x.dtype.kind == "f" else x for name, x in net.items()}


def rounded_to_bfloat16(net: Net) -> Net:
    """The same with the lower half of each float32 cut off, in the upper half's own bits."""
    half = {n: np.frombuffer(x.astype("<f4").tobytes(), "<u2")[1::2] for n, x in net.items()}
    return {name: bits.reshape(net[name].shape).view("<f2") for name, bits in half.items()}


def vectors(nets: Sequence[Net], names: Sequence[str]) -> np.ndarray:
    return np.array([np.concatenate([net[name].ravel() for name in names]) for net in nets])


def ratios(points: np.ndarray) -> np.ndarray:
    values = np.linalg.svd(points - points.mean(0), compute_uv=False) ** 2
    return values / values.sum()


def measured(result: Dict[str, Any]) -> np.ndarray:
    return np.array([row["ratio"] for row in result["values"]["components"]])


def bfloat16(net: Net) -> bytes:
    """A safetensors file of bit patterns, whose header says what they are."""
    floats = {name: x for name, x in net.items() if x.dtype.kind == "f"}
    return safetensors(**rounded_to_bfloat16(floats)).replace(b'"dtype": "F16"', b'"dtype":"BF16"')


WRITERS: Dict[str, Callable[[Net], bytes]] = {
    "npz": lambda net: npz(**net),
    "npz deflated": lambda net: npz(True, **as_type(net, "f4")),
    "safetensors F64": lambda net: safetensors(**net),
    "safetensors F32": lambda net: safetensors(**as_type(net, "f4")),
    "safetensors F16": lambda net: safetensors(**as_type(net, "f2")),
    "safetensors BF16": bfloat16,
    "npy": lambda net: npy(net["fc.weight"]),
}
ERROR = {"F16": 2e-3, "BF16": 2e-2, "F32": 1e-6, "deflated": 1e-6}
FLOATS = ["conv.bias", "conv.weight", "fc.weight", "scale"]


@pytest.mark.parametrize("way", ["stored", "registered"])
@pytest.mark.parametrize("name", WRITERS)
def test_checkpoints_of_any_format_make_a_trajectory(
    make_daemon: Make, tmp_path: Path, name: str, way: str
) -> None:
    wire = Wire(make_daemon("--data-folders", str(tmp_path)).start())
    nets = networks(7)
    shas = []
    for i, net in enumerate(nets):
        data = WRITERS[name](net)
        if way == "stored":
            shas.append(store(wire, data))
            continue
        path = tmp_path / f"step{i}"
        path.write_bytes(data)
        answer = wire.json("POST", "/v1/data", {"path": str(path)}, Content_Type="application/json")
        assert answer.status == 201
        shas.append(answer.json()["sha256"])
    result = run(wire, "pca", {"checkpoints": [{"sha256": sha} for sha in shas]}).json()["result"]
    points = vectors(nets, ["fc.weight"] if name == "npy" else FLOATS)
    assert result["values"]["n"] == 7 and result["values"]["d"] == points.shape[1]
    error = ERROR.get(name.split()[-1], 1e-12)
    assert np.abs(measured(result) - ratios(points)[:6]).max() < error
    told = [w for w in result["quality"]["warnings"] if w["code"] == "tensors-left-out"]
    if name in ("npy", "safetensors BF16"):
        assert not told
    else:
        assert "bn.num_batches_tracked (int64)" in told[0]["message"]
    first = result["provenance"]["inputs"][0]
    assert first == {
        "input": "checkpoints",
        "name": "0",
        "sha256": shas[0],
        "tensors": 1 if name == "npy" else 4 if "BF16" in name else 5,
    }


def stored(wire: Wire, nets: Sequence[Net]) -> List[Dict[str, Any]]:
    return [{"sha256": store(wire, safetensors(**net))} for net in nets]


@pytest.mark.parametrize(
    "params, names",
    [
        ({"tensors": ["fc.*"]}, ["fc.weight"]),
        ({"tensors": ["conv.*", "scale"]}, ["conv.bias", "conv.weight", "scale"]),
        ({"exclude": ["*.bias", "scal?"]}, ["conv.weight", "fc.weight"]),
        ({"tensors": ["*.weight", "*.bias"], "exclude": ["fc*"]}, ["conv.bias", "conv.weight"]),
    ],
)
def test_patterns_choose_tensors(wire: Wire, params: Dict[str, Any], names: List[str]) -> None:
    nets = networks(6)
    result = run(wire, "pca", {"checkpoints": stored(wire, nets)}, params).json()["result"]
    points = vectors(nets, names)
    assert result["values"]["d"] == points.shape[1]
    assert np.abs(measured(result) - ratios(points)[:5]).max() < 1e-12


def test_steps_order_the_points_and_label_them(wire: Wire) -> None:
    nets = networks(6)
    entries = stored(wire, nets)
    plain = run(wire, "pca", {"checkpoints": entries}).json()["result"]
    steps = [0, 10, 20, 40, 80, 160]
    mixed = [{**entries[i], "step": steps[i]} for i in (3, 0, 5, 1, 4, 2)]
    result = run(wire, "pca", {"checkpoints": mixed}, {"stride": 2}).json()["result"]
    assert result["arrays"]["step"]["data"] == [0, 20, 80]
    result = run(wire, "pca", {"checkpoints": mixed}).json()["result"]
    assert result["values"] == plain["values"]
    assert result["arrays"]["scores"]["sha256"] == plain["arrays"]["scores"]["sha256"]


def test_members_of_one_file_are_points_by_their_keys(wire: Wire) -> None:
    points = np.cumsum(np.random.default_rng(3).normal(size=(5, 200)), axis=0)
    sha = store(wire, npz(**{f"step{i}": row for i, row in enumerate(points)}))
    entries = [{"sha256": sha, "key": f"step{i}"} for i in range(5)]
    result = run(wire, "pca", {"checkpoints": entries}).json()["result"]
    assert np.abs(measured(result) - ratios(points)[:4]).max() < 1e-12


def faults(wire: Wire, inputs: Any, params: Any = None) -> List[Dict[str, Any]]:
    body = {"kind": "pca", "params": params or {}, "inputs": inputs}
    answer = wire.json("POST", "/v1/jobs", body)
    assert answer.status == 422, answer.body
    found: List[Dict[str, Any]] = answer.json()["errors"]
    return found


def test_the_first_difference_between_checkpoints_is_named(wire: Wire) -> None:
    nets = networks(6)
    good = stored(wire, nets)

    def fault(change: Callable[[Net], Any], params: Any = None) -> Dict[str, Any]:
        other = dict(nets[3])
        change(other)
        entries = [{**entry, "name": f"step{i}"} for i, entry in enumerate(good)]
        entries[3]["sha256"] = entries[4]["sha256"] = store(wire, safetensors(**other))
        (found,) = faults(wire, {"checkpoints": entries}, params)
        assert found["pointer"] == "/inputs/checkpoints/3"
        return found

    assert "`step3` has no tensor `conv.bias`, but `step0` has" in fault(
        lambda net: net.pop("conv.bias")
    )["detail"]
    assert "`step0` has no tensor `a.new`, but `step3` has" in fault(
        lambda net: net.update({"a.new": np.ones(3), "z.new": np.ones(3)})
    )["detail"]
    shape = fault(lambda net: net.update({"fc.weight": nets[3]["fc.weight"].T}))
    assert "`fc.weight` has the shape (40, 24) in `step3`, but (24, 40) in `step0`" in (
        shape["detail"]
    )
    assert shape["got"] == "(40, 24)" and shape["allowed"] == "(24, 40)"
    assert "`scale` is int64 in `step3` and a weight in `step0`" in fault(
        lambda net: net.update(scale=np.array(1))
    )["detail"]
    # What nobody asked for may differ.
    odd = dict(nets[3], extra=np.ones(2), **{"conv.bias": np.ones(9)})
    entries = [*good[:3], *stored(wire, [odd]), *good[4:]]
    run(wire, "pca", {"checkpoints": entries}, {"exclude": ["conv.bias"], "tensors": ["*.*"]})


def test_what_cannot_be_a_trajectory_is_refused(wire: Wire) -> None:
    entries = stored(wire, networks(4))
    points = np.arange(12.0).reshape(4, 3).tolist()
    for inputs, params, pointer, words in [
        ({"checkpoints": entries, "trajectory": points}, {}, "/inputs", "not both"),
        ({"checkpoints": entries}, {"simulate": True}, "/inputs/checkpoints", "needs no"),
        ({"checkpoints": entries[:2]}, {}, "/inputs/checkpoints", "at least 3"),
        ({"trajectory": points}, {"exclude": ["a"]}, "/params/exclude", "Only `checkpoints`"),
        ({"checkpoints": entries}, {"start": 2}, "/params/start", "leave 2 of 4"),
        ({"checkpoints": entries}, {"tensors": ["fc.wieght"]}, "/params/tensors/0", "fc.weight"),
        ({"checkpoints": entries}, {"exclude": ["*", "q*"]}, "/params/exclude/1", "q*"),
        ({"trajectory": points}, {"weights": ["a=2"]}, "/params/weights", "Only `checkpoints`"),
        ({"checkpoints": entries}, {"weights": ["fc.*"]}, "/params/weights/0", "pattern=weight"),
        ({"checkpoints": entries}, {"weights": ["fc.*=0"]}, "/params/weights/0", "`exclude`"),
        ({"checkpoints": entries}, {"weights": ["f.*=2"]}, "/params/weights/0", "no tensor"),
        ({"checkpoints": entries}, {"exclude": ["*"]}, "/inputs/checkpoints/0", "no floating"),
        ({"checkpoints": entries}, {"tensors": ["bn*"]}, "/inputs/checkpoints/0", "no floating"),
        (
            {"checkpoints": [*entries[:3], {**entries[3], "step": 3}]},
            {},
            "/inputs/checkpoints/3",
            "has a `step`",
        ),
        (
            {"checkpoints": [{**e, "model": "ab"[i > 0]} for i, e in enumerate(entries)]},
            {},
            "/inputs/checkpoints",
            "points of a model",
        ),
    ]:
        (fault,) = faults(wire, inputs, params)
        assert fault["pointer"] == pointer and words in fault["detail"], fault


def test_a_second_query_reads_no_data(make_daemon: Make) -> None:
    wire = Wire(make_daemon().start())
    nets = networks(12, width=1500)
    inputs = {"checkpoints": stored(wire, nets)}
    d = sum(nets[0][name].size for name in FLOATS)
    first = run(wire, "pca", inputs).json()["result"]
    assert first["quality"]["data_bytes_read"] == 12 * 8 * d
    for params, names, points in [
        ({"start": 2, "stride": 3}, FLOATS, slice(2, None, 3)),
        ({"tensors": ["fc.*"]}, ["fc.weight"], slice(None)),
        ({"exclude": ["conv.weight", "scale"], "stop": 9}, ["conv.bias", "fc.weight"], slice(9)),
    ]:
        again = run(wire, "pca", inputs, params).json()["result"]
        assert again["quality"]["data_bytes_read"] == 0
        expected = ratios(vectors(nets[points], names))
        got = measured(again)
        assert np.abs(got - expected[: len(got)]).max() < 1e-12
    scratch = Wire(make_daemon().start())
    params = {"start": 2, "stride": 3}
    fresh = run(scratch, "pca", {"checkpoints": stored(scratch, nets)}, params).json()["result"]
    again = run(wire, "pca", inputs, params, Cache_Control="no-store").json()["result"]
    assert fresh["quality"]["data_bytes_read"] > 0
    assert fresh["values"] == again["values"]


def test_weights_of_tensors_weigh_their_squared_distances(make_daemon: Make) -> None:
    wire = Wire(make_daemon().start())
    nets = networks(12, width=1500)
    inputs = {"checkpoints": stored(wire, nets)}
    run(wire, "pca", inputs)
    params = {"weights": ["*=0.25", "conv.*=100", "*.bias=9"], "components": 4}
    result = run(wire, "pca", inputs, params).json()["result"]
    assert result["quality"]["data_bytes_read"] == 0
    weights = {"conv.bias": 9, "conv.weight": 100, "fc.weight": 0.25, "scale": 0.25}
    scaled = [{name: net[name] * np.sqrt(weights[name]) for name in FLOATS} for net in nets]
    points = vectors(scaled, FLOATS)
    assert np.abs(measured(result) - ratios(points)[:4]).max() < 1e-12
    centred = points - points.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    layers = {row["layer"]: row for row in result["values"]["layers"]}
    assert list(layers) == FLOATS
    sizes = [nets[0][name].size for name in FLOATS]
    for name, part in zip(FLOATS, np.split(np.arange(points.shape[1]), np.cumsum(sizes)[:-1])):
        row = layers[name]
        steps = np.diff([net[name].ravel() for net in nets], axis=0)
        assert row["coordinates"] == len(part) and row["weight"] == weights[name]
        expected = {
            "share": (centred[:, part] ** 2).sum() / (centred**2).sum(),
            "component_1": (directions[0, part] ** 2).sum(),
            "component_2": (directions[1, part] ** 2).sum(),
            "step_norm": np.linalg.norm(steps, axis=1).mean(),
            "path_length": np.linalg.norm(steps, axis=1).sum(),
            "distance": np.linalg.norm(steps.sum(axis=0)),
            "first_ratio": ratios(np.array([net[name].ravel() for net in nets]))[0],
        }
        for key, value in expected.items():
            assert abs(row[key] - value) < 1e-9 * max(1, value), (name, key)
    figure = wire.request("GET", result["figures"]["layers"]["href"]).json()
    assert [row["x"] for row in figure["data"]["values"]] == FLOATS
    assert figure["data"]["values"][2]["bar"] == layers["fc.weight"]["share"]


def test_names_of_any_bytes_do_no_harm(wire: Wire) -> None:
    rng = np.random.default_rng(4)
    long = "é" * 120
    files = [npz(**{long: rng.normal(size=9), "a" + long: np.arange(4)}) for _ in range(5)]
    inputs = {"checkpoints": [{"sha256": store(wire, data)} for data in files]}
    result = run(wire, "pca", inputs).json()["result"]
    assert result["values"]["layers"][0]["layer"] == long[:99]
    assert "é (int64)" in result["quality"]["warnings"][-1]["message"]


def test_an_appended_checkpoint_gives_the_bits_of_a_fresh_start(make_daemon: Make) -> None:
    nets = [as_type(net, "f4") for net in networks(40, width=700)]
    params = {"return_gram": True}
    grown = Wire(make_daemon().start())
    entries = stored(grown, nets)
    for count in (35, 36, 40):
        appended = run(grown, "pca", {"checkpoints": entries[:count]}, params).json()["result"]
    fresh = Wire(make_daemon().start())
    stored(fresh, nets)
    scratch = run(fresh, "pca", {"checkpoints": entries}, params).json()["result"]
    assert appended["values"] == scratch["values"]
    for name in ("gram", "scores", "step_norm"):
        assert appended["arrays"][name]["sha256"] == scratch["arrays"][name]["sha256"]
    assert "tangentd_derived_hits_total 0\n" not in grown.request("GET", "/metrics").text


def test_five_thousand_checkpoints_are_one_job(wire: Wire) -> None:
    points = np.cumsum(np.random.default_rng(9).normal(size=(5000, 40)), axis=0).astype("f4")
    with ThreadPoolExecutor(16) as pool:
        shas = list(pool.map(lambda row: store(wire, npy(row)), points))
    inputs = {"checkpoints": [{"sha256": sha, "step": 5 * i} for i, sha in enumerate(shas)]}
    result = run(wire, "pca", inputs, {"stride": 50, "components": 3}).json()["result"]
    assert result["values"]["n"] == 100 and result["values"]["d"] == 40
    assert np.abs(measured(result) - ratios(points[::50].astype("f8"))[:3]).max() < 1e-6
    assert result["arrays"]["step"]["data"][-1] == 5 * 4950
    inputs["checkpoints"].append({"sha256": shas[0]})
    (fault,) = faults(wire, inputs)
    assert fault["pointer"] == "/inputs/checkpoints" and "5000" in fault["detail"]


def test_directions_of_checkpoints_lie_over_their_tensors(wire: Wire) -> None:
    nets = networks(6)
    params = {"return_directions": 2, "tensors": ["conv.*", "scale"]}
    result = run(wire, "pca", {"checkpoints": stored(wire, nets)}, params).json()["result"]
    points = vectors(nets, ["conv.bias", "conv.weight", "scale"])
    directions = np.array(result["arrays"]["directions"]["data"]).reshape(2, -1)
    scores = (points - points.mean(0)) @ directions.T
    expected = np.array(result["arrays"]["scores"]["data"]).reshape(6, -1)[:, :2]
    assert np.abs(scores - expected).max() < 1e-10
