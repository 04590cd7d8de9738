# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Chromium on the page of a daemon; what it complains about fails the test."""

from __future__ import annotations

import os
from typing import Iterator, List

import pytest
from harness import Daemon
from playwright.sync_api import Browser, Page, expect, sync_playwright

expect.set_options(timeout=20_000)
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium has none for root
    with sync_playwright() as playwright:
        it = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield it
        it.close()


@pytest.fixture
def page(browser: Browser, daemon: Daemon) -> Iterator[Page]:
    """An empty tab that may ask nobody but the shared daemon."""
    complaints: List[str] = []
    context = browser.new_context(base_url=daemon.url, viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    it = context.new_page()
    it.set_default_timeout(20_000)
    it.on("pageerror", lambda error: complaints.append(str(error)))
    it.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    it.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((daemon.url, "data:", "blob:"))
            else complaints.append(f"asked {request.url}")
        ),
    )
    yield it
    context.close()
    # Chromium reports refused requests as errors; a test that provokes one says so by the wire.
    assert not [line for line in complaints if "Failed to load resource" not in line], complaints
