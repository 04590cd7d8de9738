# SPDX-License-Identifier: GPL-3.0-or-later
"""Where npm put what package.json asks for: beside the daemon, unless NODE_MODULES says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

from harness import BIN

PACKAGES = Path(os.environ.get("NODE_MODULES", BIN.parent / "browser" / "node_modules"))
