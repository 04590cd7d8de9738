# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dry run says of the way that a comparison will take."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from arrays import npy, store
from harness import Daemon
from wire import Wire

Make = Callable[..., Daemon]


@pytest.mark.parametrize(
    "measures, extra, words",
    [
        (["svcca"], {}, ["Feature route", "decomposed once", "leading directions", "a quarter"]),
        (["svcca"], {"max_directions": 9}, ["keep `max_directions` directions"]),
        (["cca", "pwcca"], {}, ["Feature route", "decomposed once", "all their directions"]),
        (["cka", "procrustes"], {}, ["Feature route", "squared once", "units with units"]),
        (["cka_rbf"], {}, ["Sample route", "made once a layer and held"]),
        (["cka_rbf"], {"table_memory": 1}, ["Sample route", "made anew for each pair"]),
    ],
)
def test_the_plan_names_the_route(
    make_daemon: Make, measures: List[str], extra: Dict[str, Any], words: List[str]
) -> None:
    wire = Wire(make_daemon().start())
    rng = np.random.default_rng(3)
    layers = [{"sha256": store(wire, npy(rng.normal(size=(500, 40))))} for _ in range(4)]
    body = {"kind": "svcca", "params": {"measures": measures, **extra}, "inputs": {"layers": layers}}
    answer = wire.json("POST", "/v1/jobs?dry_run=true", body).json()
    assert all(word in answer["plan"] for word in words), answer["plan"]
    assert "4 layers" in answer["plan"] and "6 pairs" in answer["plan"]
    parts = [float(x) for x in re.findall(r"([\d.e+-]+) GFLOP", answer["plan"])]
    assert len(parts) == 2 and abs(sum(parts) * 1e9 / answer["cost"]["flops"] - 1) < 0.02
