# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca's reduction dft: what flatten gives where data are closed under translation, and a warning
where they are far from it."""

from __future__ import annotations

import itertools
from typing import Any, Dict

import numpy as np
import pytest
from arrays import inline, run
from wire import Wire

H, W = 3, 4
MEASURES = ["cca", "cka", "procrustes", "shape", "regression"]


def result_of(wire: Wire, layers: Dict[str, np.ndarray], **params: Any) -> Dict[str, Any]:
    document = run(wire, "svcca", {"layers": {k: inline(v) for k, v in layers.items()}}, params).json()
    assert document["state"] == "succeeded", document
    result: Dict[str, Any] = document["result"]
    return result


def closed(maps: np.ndarray) -> np.ndarray:
    """All cyclic shifts of maps n x h x w x c."""
    shifts = itertools.product(range(maps.shape[1]), range(maps.shape[2]))
    return np.concatenate([np.roll(maps, shift, axis=(1, 2)) for shift in shifts])


def numbers(result: Dict[str, Any], name: str) -> np.ndarray:
    array = result["arrays"][name]
    data = [np.nan if x is None else x for x in np.ravel(array["data"])]
    return np.reshape(np.array(data, dtype=float), array["shape"])


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_frequencies_add_up_to_flattened_layers_on_closed_data(wire: Wire, layout: str) -> None:
    rng = np.random.default_rng(11)
    x = rng.normal(size=(8, H, W, 2))
    y = np.maximum(x @ rng.normal(size=(2, 3)) + np.roll(x, 1, axis=2)[..., :1], 0)
    layers = {"x": closed(x), "y": closed(y + 0.3 * rng.normal(size=y.shape))}
    if layout == "nchw":
        layers = {k: v.transpose(0, 3, 1, 2) for k, v in layers.items()}
    got, flat = (
        result_of(wire, layers, layout=layout, reduction=reduction, measures=MEASURES)
        for reduction in ("dft", "flatten")
    )
    row, expected = got["values"]["pairs"][0], flat["values"]["pairs"][0]
    for name, value in row.items():
        if name != "null_cca_mean_squared":
            assert value == pytest.approx(expected[name], abs=1e-12), name
    for gauge in got["quality"]["off_block"]:
        assert gauge["share"] < 1e-20
    codes = {warning["code"] for warning in got["quality"]["warnings"]}
    assert "off-block-energy" not in codes
    assert numbers(got, "frequency_energy").sum(axis=(1, 2)) == pytest.approx(1)
    rho = numbers(got, "frequency_correlations")[0]
    assert rho.shape == (H, W)
    assert rho.mean() == pytest.approx(row["cca"])


def test_one_frequency_is_the_complex_cca_of_its_coefficients(wire: Wire) -> None:
    rng = np.random.default_rng(12)
    x = rng.normal(size=(50, 2, 4, 6))
    y = x[:, :1] + rng.normal(size=(50, 3, 4, 6))
    got = result_of(wire, {"x": x, "y": y}, layout="nchw", reduction="dft")
    rho = numbers(got, "frequency_correlations")[0]
    for fy, fx in ((0, 0), (1, 2), (3, 5), (2, 3)):
        bases = []
        for z in (x, y):
            f = np.fft.fft2(z - z.mean(axis=0))[:, :, fy, fx]
            bases.append(np.linalg.qr(f)[0])
        expected = np.linalg.svd(bases[0].conj().T @ bases[1], compute_uv=False)
        assert rho[fy, fx] == pytest.approx(expected.mean(), abs=1e-12)


def test_maps_of_other_sizes_and_dense_layers_stand_side_by_side(wire: Wire) -> None:
    rng = np.random.default_rng(13)
    x = rng.normal(size=(40, 6, 6, 2))
    pooled = x.reshape(40, 3, 2, 3, 2, 2).mean(axis=(2, 4))
    layers = {"conv": x, "pooled": pooled, "dense": x.mean(axis=(1, 2)) @ rng.normal(size=(2, 2))}
    got = result_of(wire, layers, layout="nhwc", reduction="dft", measures=["cca"])
    rho = numbers(got, "frequency_correlations")
    assert np.isfinite(rho).sum(axis=(1, 2)).tolist() == [9, 1, 1]
    assert [row["cca"] for row in got["values"]["pairs"]][1:] == pytest.approx([1, 1], abs=1e-12)
    assert "frequency_curve" in got["figures"]


def test_data_that_are_not_the_same_when_shifted_are_told(wire: Wire) -> None:
    rng = np.random.default_rng(14)
    blob = rng.normal(size=(200, 1, 1, 1)) * np.exp(-np.arange(6.0) ** 2)[None, :, None, None]
    layers = {k: blob + 0.1 * rng.normal(size=(200, 6, 2, 1)) for k in ("x", "y")}
    got = result_of(wire, layers, layout="nhwc", reduction="dft")
    share = [gauge["share"] for gauge in got["quality"]["off_block"]]
    for name, value in zip(layers, share):
        f = np.fft.fft2(layers[name] - layers[name].mean(axis=0), axes=(1, 2)).reshape(200, -1)
        energy = np.abs(f.conj().T @ f) ** 2
        assert value == pytest.approx(1 - np.trace(energy) / energy.sum(), abs=0.2)
        assert value > 0.4
    warnings = {w["code"]: w["message"] for w in got["quality"]["warnings"]}
    assert warnings["off-block-energy"].startswith("2 of 2 layers")


def test_what_frequencies_have_not_is_refused(wire: Wire) -> None:
    x = np.random.default_rng(15).normal(size=(9, 2, 2, 2))
    inputs = {"layers": {"x": inline(x), "y": inline(x)}}
    params = {"layout": "nhwc", "reduction": "dft", "measures": ["pwcca"]}
    problem = wire.json("POST", "/v1/jobs", {"kind": "svcca", "params": params, "inputs": inputs})
    assert problem.status == 422
    assert problem.json()["errors"][0]["pointer"] == "/params/measures"
