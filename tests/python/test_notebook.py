# SPDX-License-Identifier: GPL-3.0-or-later
"""The client in a notebook: cells run, figures and bars draw themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from harness import Daemon

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

CELLS = [
    "import numpy as np\nfrom tangentd import Tangent\ntg = Tangent()\n"
    "x = np.random.default_rng(0).normal(size=(80, 500)).cumsum(axis=0)",
    "job = tg.pca(trajectory=x)\njob",
    "result = job.wait().result()\nresult",
    "result.figure(result.figures[0])",
    "result[result.arrays[0]].shape",
]


def test_a_notebook_runs(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANGENTD_URL", daemon.url)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    manager = __import__("jupyter_client").KernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = sys.executable
    nbclient.NotebookClient(notebook, timeout=120, km=manager).execute()

    def bundle(cell: int) -> dict:
        return {
            mime: data
            for output in notebook.cells[cell].outputs
            for mime, data in output.get("data", {}).items()
        }

    assert "<progress" in bundle(1)["text/html"]
    assert "text/html" in bundle(2)
    assert bundle(3)["application/vnd.vegalite.v5+json"]["$schema"].endswith("v5.json")
    assert bundle(4)["text/plain"].startswith("(")
