# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands in the README do what it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
from harness import ROOT
from wire import Wire


def test_the_shell_examples_of_the_readme_run(wire: Wire, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    script = "\n".join(block for block in blocks if "curl" in block)
    assert "/v1/jobs" in script
    script = script.replace("http://127.0.0.1:8748", wire.daemon.url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert '"state":"succeeded"' in done.stdout.replace(" ", "")
    with np.load(tmp_path / "result.npz") as arrays:
        assert arrays.files
