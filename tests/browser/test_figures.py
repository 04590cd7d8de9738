# SPDX-License-Identifier: GPL-3.0-or-later
"""Every figure is drawn by the page's Vega-Lite 5, and compiled by Vega-Lite 6 as well."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from browser_packages import PACKAGES
from harness import Daemon
from playwright.sync_api import Page, expect


def jobs_with_every_figure(daemon: Daemon) -> List[Dict[str, Any]]:
    kinds = [kind["name"] for kind in daemon.json("GET", "/v1/kinds").json()["kinds"]]
    jobs = [daemon.json("GET", f"/v1/kinds/{kind}").json()["example"] for kind in kinds]
    rng = np.random.default_rng(11)
    first = rng.normal(size=(60, 4))
    grid = [
        {
            "name": name,
            "model": model,
            "step": step,
            "data": (first + rng.normal(size=first.shape) / (1 + step)).round(3).tolist(),
        }
        for model in "ab"
        for name in ("low", "high")
        for step in (0, 10, 20, 30)
    ]
    svcca = {"measures": ["cca", "cka"], "intervals": "jackknife", "influence": True}
    jobs.append({"kind": "svcca", "params": svcca, "inputs": {"layers": grid}})
    labels = [i % 3 for i in range(60)]
    layers = {"a": first.tolist(), "b": (first @ rng.normal(size=(4, 4))).tolist()}
    head = {"a": rng.normal(size=(4, 3)).tolist()}
    inputs = {"layers": layers, "labels": labels, "head_weights": head}
    jobs.append({"kind": "svcca", "inputs": inputs})
    walk = {"simulate": True, "walk_points": 60, "walk_dimensions": 200}
    jobs.append({"kind": "pca", "params": walk, "inputs": {}})
    runs = [
        {"name": f"{model}{i}", "model": model, "step": i, "data": point.tolist()}
        for model in "ab"
        for i, point in enumerate(rng.normal(size=(12, 30)).cumsum(axis=0))
    ]
    jobs.append({"kind": "pca", "inputs": {"checkpoints": runs}})
    return jobs


def test_every_figure_is_drawn_and_compiles_with_the_next_version(
    page: Page, daemon: Daemon
) -> None:
    specs = []
    for job in jobs_with_every_figure(daemon):
        answer = daemon.json("POST", "/v1/jobs", job, Prefer="wait=60")
        document = answer.json()
        assert document.get("state") == "succeeded", answer.text
        figures = document["result"]["figures"]
        specs += [daemon.json("GET", figure["href"]).json() for figure in figures.values()]
        page.goto(f"/#/job/{document['id']}")
        expect(page.locator("figure")).to_have_count(len(figures))
        expect(page.locator("figure canvas")).to_have_count(len(figures))
    assert len(specs) >= 20
    compiled = subprocess.run(
        ["node", str(Path(__file__).with_name("compile.mjs")), str(PACKAGES)],
        input=json.dumps(specs),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(compiled.stdout) == []
