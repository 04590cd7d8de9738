# SPDX-License-Identifier: GPL-3.0-or-later
"""The client in a notebook: cells run, figures and bars draw themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest
from harness import Daemon

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

VEGA_LITE = "application/vnd.vegalite.v5+json"

ARRAY = [
    "import numpy as np\nfrom tangentd import Tangent\ntg = Tangent()\n"
    "x = np.random.default_rng(0).normal(size=(80, 500)).cumsum(axis=0)",
    "job = tg.pca(trajectory=x)\njob",
    "result = job.wait().result()\nresult",
    "result.figure(result.figures[0])",
    "result[result.arrays[0]].shape",
]

# Files, state dicts and stored data, in any order, with the loss at each.
CHECKPOINTS = [
    "import numpy as np\nfrom tangentd import Tangent\ntg = Tangent()\n"
    "rng = np.random.default_rng(1)\n"
    "w, b = (rng.normal(size=(30, n)).cumsum(axis=0) for n in (400, 20))\n"
    "states = [{'fc.weight': w[i].reshape(20, 20), 'fc.bias': b[i]} for i in range(30)]\n"
    "np.savez('step0.npz', **states[0])\n"
    "points = ['step0.npz', tg.upload(states[1]), *states[2:]]\n"
    "loss = np.abs(np.arange(30.0) - 21) + 0.5\nloss[3] = np.nan",
    "order = rng.permutation(30)\n"
    "job = tg.pca(checkpoints=[dict(data=points[i], step=10 * i) for i in order], loss=loss[order])\n"
    "result = job.wait().result()\nresult",
    "result.figure('panels')",
    "result.figure('path')",
    "x = np.hstack([b, w])\n"
    "apart = np.linalg.norm(x - x[21], axis=1)\n"
    "minimum = result.values.minima[0]\n"
    "[int(minimum['point']), int(minimum['step']),\n"
    " bool(np.allclose(result['distance_from_minimum'], apart, rtol=1e-6))]",
    "x -= x.mean(axis=0)\nplane = np.linalg.svd(x, full_matrices=False)[2][:2]\n"
    "steps = np.diff(x, axis=0)\n"
    "hidden = 1 - ((steps @ plane.T) ** 2).sum(axis=1) / (steps ** 2).sum(axis=1)\n"
    "[bool(np.allclose(result['step_hidden'], hidden, atol=1e-5)),\n"
    " [w['code'] for w in result.warnings]]",
]


def bundles(
    cells: List[str], daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> List[Dict[str, Any]]:
    """What each cell of a notebook shows, by MIME type."""
    monkeypatch.setenv("TANGENTD_URL", daemon.url)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    manager = __import__("jupyter_client").KernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = sys.executable
    nbclient.NotebookClient(notebook, timeout=120, km=manager).execute()
    return [
        {
            mime: data
            for output in cell.outputs
            for mime, data in output.get("data", {}).items()
        }
        for cell in notebook.cells
    ]


def test_a_notebook_runs(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = bundles(ARRAY, daemon, tmp_path, monkeypatch)
    assert "<progress" in shown[1]["text/html"]
    assert "text/html" in shown[2]
    assert shown[3][VEGA_LITE]["$schema"].endswith("v5.json")
    assert shown[4]["text/plain"].startswith("(")


def test_a_notebook_follows_checkpoints_with_their_loss(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = bundles(CHECKPOINTS, daemon, tmp_path, monkeypatch)
    assert "text/html" in shown[1]
    panels, path = (shown[i][VEGA_LITE] for i in (2, 3))
    rows = [row for row in panels["data"]["values"] if row["pane"] == "loss"]
    assert [row["x"] for row in rows] == list(range(0, 300, 10))
    assert [row["y"] for row in rows][2:5] == [19.5, None, 17.5]
    assert path["data"]["values"][21]["z"] == 0.5
    assert shown[4]["text/plain"] == "[21, 210, True]"
    assert shown[5]["text/plain"] == "[True, ['loss-not-finite', 'plane-not-faithful']]"
