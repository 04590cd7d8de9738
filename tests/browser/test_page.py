# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as people use it: every flow in a real browser against a real daemon."""

from __future__ import annotations

import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from browser_packages import PACKAGES
from harness import BIN, Daemon
from playwright.sync_api import Browser, Page, expect

AXE = PACKAGES / "axe-core" / "axe.min.js"


def example(daemon: Daemon, kind: str) -> Dict[str, Any]:
    job = daemon.json("GET", f"/v1/kinds/{kind}").json()["example"]
    assert isinstance(job, dict)
    return job


def finished(daemon: Daemon, job: Dict[str, Any]) -> str:
    answer = daemon.json("POST", "/v1/jobs", job, Prefer="wait=30")
    assert answer.json()["state"] == "succeeded", answer.text
    return str(answer.json()["id"])


def endless(name: str) -> Dict[str, Any]:
    """A job that runs until it is cancelled: many permutations of one pair."""
    rng = np.random.default_rng(7)
    layers = {f"l{i}": rng.normal(size=(80, 4)).round(3).tolist() for i in range(2)}
    params = {"measures": ["cka"], "permutations": 100_000}
    return {"kind": "svcca", "name": name, "params": params, "inputs": {"layers": layers}}


def test_the_first_paint_needs_one_request(daemon: Daemon) -> None:
    answer = daemon.request("GET", "/")
    head = answer.text[: answer.text.index("<body>")]
    assert "stylesheet" not in head and "--text:" in head
    assert re.findall(r"<script[^>]*>", head) == ['<script type="module" src="/page/page.js">']
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy
    nonce = re.search(r'<style nonce="([0-9a-f]{32})">', answer.text)
    assert nonce and f"style-src 'nonce-{nonce.group(1)}'" in policy
    assert nonce.group(1) not in daemon.request("GET", "/").text
    assert daemon.request("GET", "/page/index.html").status == 404
    tag = daemon.request("GET", "/page/vega.js").headers["etag"]
    again = daemon.request("GET", "/page/vega.js", headers={"If-None-Match": tag})
    assert again.status == 304 and not again.body


def test_the_list_is_live(page: Page, daemon: Daemon) -> None:
    page.goto("/")
    expect(page.get_by_role("status")).to_contain_text("workers busy")
    job = daemon.json("POST", "/v1/jobs", {**endless("seen live"), "keep": True}).json()
    row = page.get_by_role("row").filter(has_text="seen live")
    expect(row).to_contain_text("running")
    expect(row.get_by_role("progressbar")).to_be_visible()
    row.get_by_role("button", name="Cancel seen live").click()
    expect(row).to_contain_text("cancelled")
    page.get_by_label("State").select_option("succeeded")
    expect(row).to_have_count(0)
    page.get_by_label("State").select_option("cancelled")
    page.get_by_label("Name").fill("no such name")
    expect(page.get_by_text("No jobs here yet")).to_be_visible()
    page.get_by_label("Name").fill("seen")
    expect(row).to_have_count(1)
    assert daemon.json("GET", f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"


@pytest.mark.parametrize("kind", ["svcca", "pca"])
def test_an_example_is_submitted_and_its_result_is_shown(page: Page, kind: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="New job").click()
    page.locator(f'a[href="#/new/{kind}"]').click()
    page.get_by_role("button", name="Example").click()
    page.get_by_label("Name of the job").fill(f"an example of {kind}")
    page.get_by_label("Name of the job").press("Tab")
    page.get_by_role("button", name="Check and price it").click()
    expect(page.get_by_text("It is valid; about")).to_be_visible()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name=f"an example of {kind}")).to_contain_text("succeeded")
    expect(page.locator("canvas").first).to_be_visible()
    assert page.locator("figure").count() == page.locator("canvas").count()
    for title in ["Numbers", "Figures", "Tables", "How good the numbers are"]:
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl -H 'Prefer: wait=30'")
    for button, magic in [("SVG", b"<svg"), ("PNG", b"\x89PNG"), ("Save npz", b"PK")]:
        with page.expect_download() as download:
            page.get_by_role("button", name=button).first.click()
        assert Path(download.value.path()).read_bytes().startswith(magic)


def test_what_is_copied_as_python_runs(page: Page, daemon: Daemon) -> None:
    job = example(daemon, "svcca")
    page.goto(f"/#/job/{finished(daemon, {**job, 'params': {'measures': ['cka']}})}")
    page.get_by_role("button", name="Copy as Python").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    names: Dict[str, Any] = {}
    exec(page.evaluate("navigator.clipboard.readText()"), names)
    assert names["result"].values["n"] == 16
    assert names["result"]["cka"].shape == (2, 2)


def test_faults_are_told_at_their_fields(page: Page) -> None:
    page.goto("/#/new/svcca")
    page.get_by_role("button", name="Example").click()
    page.get_by_text(re.compile("^Parameters")).click()
    page.get_by_text(re.compile("^Parameters")).click()
    threshold = page.locator("#param-threshold")
    threshold.fill("7")
    threshold.press("Tab")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("/params/threshold")
    expect(threshold).to_have_attribute("aria-invalid", "true")
    request = page.get_by_label("The request; edit it here, too")
    request.fill("{")
    request.press("Tab")
    expect(page.get_by_role("alert")).to_contain_text("no JSON")


def drop(page: Page, selector: str, name: str, content: bytes) -> None:
    """What a person does who drags a file there."""
    page.eval_on_selector(
        selector,
        """(zone, [name, content]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(content)], name));
            zone.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
        }""",
        [name, list(content)],
    )


def npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def test_files_are_dropped_and_their_arrays_compared(page: Page) -> None:
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(200, 3))
    mixed = {name: shared @ rng.normal(size=(3, 5)) + rng.normal(size=(200, 5)) for name in "ab"}
    page.goto("/#/new/svcca")
    drop(page, "fieldset .drop", "layers.npz", npz(**mixed))
    expect(page.get_by_label("name of entry 1 of layers")).to_have_value("a")
    page.get_by_label("name of entry 2 of layers").fill("second")
    page.get_by_label("name of entry 2 of layers").press("Tab")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("succeeded")
    expect(page.get_by_role("table", name="pairs")).to_contain_text("second")
    page.get_by_role("link", name="New job from this one").click()
    expect(page.get_by_label("name of entry 2 of layers")).to_have_value("second")
    page.get_by_role("link", name="Data", exact=True).click()
    expect(page.get_by_role("columnheader", name="SHA-256")).to_be_visible()
    drop(page, ".drop", "broken.npy", b"no npy at all")
    expect(page.get_by_role("alert")).to_contain_text("broken.npy")
    drop(page, ".drop", "one.npz", npz(one=rng.normal(size=(11, 13))))
    expect(page.get_by_role("row").filter(has_text="one: float64 11 x 13")).to_be_visible()


def test_two_jobs_stand_side_by_side(page: Page, daemon: Daemon) -> None:
    job = example(daemon, "svcca")
    for threshold in (0.9, 0.95):
        name = f"pair at {threshold}"
        finished(daemon, {**job, "name": name, "params": {"threshold": threshold}})
    page.goto("/")
    for threshold in (0.9, 0.95):
        page.get_by_label(f"Choose pair at {threshold}", exact=True).check()
    page.get_by_role("button", name="Compare two chosen jobs").click()
    row = page.get_by_role("table", name="Parameters that differ").get_by_role("row").nth(1)
    expect(row).to_have_text("threshold0.90.95")
    expect(page.locator(".pair").first.locator("canvas")).to_have_count(2)


def test_a_running_job_shows_progress_and_is_cancelled(page: Page, daemon: Daemon) -> None:
    job = daemon.json("POST", "/v1/jobs", endless("long")).json()
    page.goto(f"/#/job/{job['id']}")
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("cancelled")
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text(re.compile("queued|running"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("cancelled")


def test_a_token_is_asked_for(
    browser: Browser, make_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    made = subprocess.run(
        [BIN, "--make-token", "page:submit"], capture_output=True, text=True, check=True
    )
    token, line = made.stdout.strip().splitlines()[-2:]
    tokens = tmp_path / "tokens"
    tokens.write_text(line + "\n")
    tokens.chmod(0o600)
    it = make_daemon("--token-file", str(tokens)).start()
    page = browser.new_page(base_url=it.url)
    page.goto("/")
    page.get_by_role("textbox", name="Token").fill(token.split()[-1])
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("No jobs here yet")).to_be_visible()
    page.reload()
    expect(page.get_by_text("No jobs here yet")).to_be_visible()
    page.close()


def test_without_npm_the_page_says_what_is_missing(page: Page, daemon: Daemon) -> None:
    detail = "This daemon was built without npm"
    page.route(
        "**/page/vega.js",
        lambda route: route.fulfill(status=404, body=json.dumps({"detail": detail})),
    )
    page.goto(f"/#/job/{finished(daemon, example(daemon, 'pca'))}")
    expect(page.locator("figure").first.get_by_role("alert")).to_contain_text(detail)


def test_the_keyboard_is_enough(page: Page, daemon: Daemon) -> None:
    finished(daemon, {**example(daemon, "pca"), "name": "by keyboard"})
    page.goto("/")
    link = page.get_by_role("link", name="by keyboard").first
    expect(link).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#view")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if link.evaluate("node => node === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="by keyboard")).to_be_visible()
    expect(page.locator("#view")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, daemon: Daemon, scheme: str) -> None:
    first = finished(daemon, example(daemon, "svcca"))
    second = finished(daemon, example(daemon, "pca"))
    views = ["", "#/new", "#/new/svcca", "#/data", f"#/job/{first}", f"#/compare/{first}/{second}"]
    context = browser.new_context(base_url=daemon.url, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    faults: List[str] = []
    for view in views:
        page = context.new_page()
        page.goto(f"/{view}")
        expect(page.get_by_role("heading", level=2).first).to_be_visible()
        page.wait_for_load_state("load")
        if "job" in view or "compare" in view:
            expect(page.locator("canvas").first).to_be_visible()
        page.add_script_tag(path=str(AXE))
        found = page.evaluate("axe.run()")["violations"]
        faults += [f"{view}: {v['id']}: {v['nodes'][0]['html'][:200]}" for v in found]
        page.close()
    context.close()
    assert not faults, "\n".join(faults)
