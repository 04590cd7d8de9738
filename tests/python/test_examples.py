# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples run, and print what their analysis found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import Daemon
from tangentd import Tangent

pytest.importorskip("sklearn")

EXAMPLES = Path(__file__).parents[2] / "client" / "examples"


def output_of(example: str, daemon: Daemon) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / example],
        env={**os.environ, "TANGENTD_URL": daemon.url, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_saved_checkpoints_are_told_with_their_loss(daemon: Daemon) -> None:
    told = output_of("checkpoints.py", daemon)
    assert told.startswith("150 checkpoints of 8970 weights. The first component holds ")
    assert re.search(r"The loss is least at step \d+, 0\.\d+,", told)
    assert re.search(r"hides \d+ % of the steps \(a walk's 99 %\)", told)
    assert "\n0 bytes were read for this." in told
    with Tangent(daemon.url) as tg:
        job = tg.jobs(kind="pca", limit=2)[1]  # the newest is of the second half
        (minimum,) = job.result().values.minima
        assert f"least at step {minimum['step']}," in told
        assert set(job.result().figures) >= {"panels", "path", "scree", "layers"}
