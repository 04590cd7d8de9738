# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from harness import Daemon
from wire import Wire


@pytest.fixture(scope="session")
def wire(daemon: Daemon) -> Wire:
    """The shared daemon, every answer checked."""
    return Wire(daemon)
