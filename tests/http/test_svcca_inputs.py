# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca on arrays of several axes: each reduction equals the same job on what numpy makes of it."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import pytest
from arrays import inline, run
from wire import Wire


def pair(wire: Wire, layers: Dict[str, np.ndarray], **params: Any) -> Dict[str, Any]:
    answer = run(wire, "svcca", {"layers": {k: inline(v) for k, v in layers.items()}}, params)
    document: Dict[str, Any] = answer.json()
    assert document["state"] == "succeeded", document
    values: Dict[str, Any] = document["result"]["values"]["pairs"][0]
    return values


def reduced(x: np.ndarray, layout: str, reduction: str) -> np.ndarray:
    if layout == "nchw" and reduction != "flatten":
        x = x.transpose(0, 2, 3, 1)
    if reduction == "samples":
        return x.reshape(-1, x.shape[-1])
    x = x.reshape(len(x), -1, x.shape[-1])
    return x.mean(axis=1) if reduction == "mean" else x.reshape(len(x), -1)


@pytest.mark.parametrize("reduction", ["flatten", "samples", "mean"])
@pytest.mark.parametrize("layout", ["ntd", "nchw", "nhwc"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_reduction_is_what_it_says(
    wire: Wire, layout: str, reduction: str, order: Any
) -> None:
    rng = np.random.default_rng(5)
    shape = {"ntd": (40, 3, 4), "nchw": (40, 4, 2, 3), "nhwc": (40, 2, 3, 4)}[layout]
    shared = rng.normal(size=shape)
    layers = {
        k: np.asarray(shared + w * rng.normal(size=shape), dtype=np.float32, order=order)
        for k, w in (("x", 0.5), ("y", 1.0))
    }
    flat = {k: reduced(v.astype(float), layout, reduction) for k, v in layers.items()}
    expected = pair(wire, flat)
    got = pair(wire, layers, layout=layout, reduction=reduction)
    for name, value in expected.items():
        if isinstance(value, float):
            assert got[name] == pytest.approx(value, abs=1e-12), name
        else:
            assert got[name] == value, name
