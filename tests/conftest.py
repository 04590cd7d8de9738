# SPDX-License-Identifier: GPL-3.0-or-later
"""A running daemon for each test that wants one."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator, List

import pytest
from harness import BIN, Daemon


def pytest_configure(config: pytest.Config) -> None:
    if not BIN.exists():
        pytest.exit(f"{BIN} does not exist; build it or set TANGENTD_BIN", 2)


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon most tests share."""
    it = Daemon(tmp_path_factory.mktemp("shared") / "store").start()
    yield it
    status = it.stop()
    assert status == 0, it.log.read_text()[-4000:]


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Daemons of a test's own, with any arguments; not started yet."""
    made: List[Daemon] = []

    def make(*args: str, **options: object) -> Daemon:
        it = Daemon(tmp_path / f"store{len(made)}", args, **options)  # type: ignore[arg-type]
        made.append(it)
        return it

    yield make
    for it in made:
        it.kill()
