# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca's compare_with against numbers that peers have published."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import pytest
from arrays import inline, run
from wire import Wire

# What Demo.ipynb of google-research/representation_similarity prints, to its five digits.
NOTEBOOK = {"cca": 0.54312, "cka": 0.55761, "cka_debiased": 0.51346, "cka_rbf": 0.65483}


def peers_of(wire: Wire, x: np.ndarray, y: np.ndarray, **params: Any) -> Dict[Any, Dict[str, Any]]:
    document = run(wire, "svcca", {"a": inline(x), "b": inline(y)}, params).json()
    assert document["state"] == "succeeded", document
    rows = document["result"]["values"]["peers"]
    return {(row["peer"], row["measure"]): row for row in rows}


def test_the_notebook_of_kornblith_prints_what_it_printed(wire: Wire) -> None:
    random = np.random.RandomState(1337)
    x = random.randn(100, 10)
    y = random.randn(100, 10) + x
    rows = peers_of(
        wire,
        x,
        y,
        compare_with=["kornblith"],
        rbf_bandwidth=0.5,
        measures=["cca", "cka", "cka_debiased", "cka_rbf"],
    )
    assert {measure for _, measure in rows} == set(NOTEBOOK)
    for measure, printed in NOTEBOOK.items():
        row = rows["kornblith", measure]
        assert row["value"] == pytest.approx(printed, abs=5e-6), measure
        assert row["sense"] == "similarity"
        if measure.startswith("cka") and measure != "cka_rbf":
            assert row["ours"] == pytest.approx(row["value"], abs=1e-13)
        else:  # not centred; the zero distances of samples to themselves
            assert 1e-9 < abs(row["ours"] - row["value"]) < 0.01


def test_svcca_by_either_rule_is_set_beside_the_peer_that_takes_it(wire: Wire) -> None:
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(90, 5)) @ rng.normal(size=(5, 12))
    x, y = (shared + w * rng.normal(size=shared.shape) for w in (0.1, 0.2))
    params = {"compare_with": ["anatome", "resi"], "both_rules": True}
    rows = peers_of(wire, x, y, **params)
    ours = {name: row["ours"] for (name, measure), row in rows.items() if measure == "svcca"}
    assert ours["anatome"] is not None and ours["resi"] is not None
    assert ours["anatome"] != ours["resi"]
    alone = peers_of(wire, x, y, **{**params, "both_rules": False})
    assert alone["anatome", "svcca"]["ours"] is None  # the other rule was not asked for
    assert alone["resi", "svcca"]["ours"] == ours["resi"]
