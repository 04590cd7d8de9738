# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs every file in cases/: requests in order, and what must come back.

A case is a TOML file:

    title = "a sentence"
    [[step]]
    send = "POST /v1/jobs?dry_run=true"   # method and target; {name} is a saved value
    with = { Prefer = "wait=10" }         # request headers
    body = '''...'''                      # sent as it stands; {{name}} is a saved value
    status = 422
    problem = "invalid-parameters"        # the problem's slug
    pointers = ["/params/x"]              # exactly the pointers of its errors
    json = '''{"state": "~succ.*"}'''     # a subset of the body; "~" begins a regex
    text = ["..."]                        # each is in the body
    type = "text/csv"                     # how the content type begins
    headers = { Allow = "~GET" }          # response headers
    save = { id = "/id" }                 # JSON pointers into the body
    until = "/state"                      # repeat (10 s at most) until `json` holds
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict

import pytest
import tomllib
from harness import Answer
from wire import Wire, pick, subset

CASES = sorted((Path(__file__).parent / "cases").glob("*.toml"))


def fill(text: str, saved: Dict[str, str]) -> str:
    for name, value in saved.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def verify(step: Dict[str, Any], answer: Answer, saved: Dict[str, str]) -> None:
    assert answer.status == step["status"], (answer.status, answer.body[:2000])
    for name, value in step.get("headers", {}).items():
        assert name.lower() in answer.headers, (name, answer.headers)
        subset(fill(value, saved), answer.headers[name.lower()], name)
    if "type" in step:
        assert answer.type.startswith(step["type"]), answer.type
    for part in step.get("text", []):
        assert fill(part, saved) in answer.text, answer.text[:2000]
    if "problem" in step:
        assert answer.json()["type"] == f"/v1/problems/{step['problem']}", answer.text
    if "pointers" in step:
        pointers = sorted(error.get("pointer", "") for error in answer.json().get("errors", []))
        assert pointers == sorted(step["pointers"]), answer.text
    if "json" in step:
        subset(json.loads(fill(step["json"], saved)), answer.json())


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(wire: Wire, path: Path) -> None:
    case = tomllib.loads(path.read_text())
    saved: Dict[str, str] = {}
    for number, step in enumerate(case["step"], 1):
        method, _, target = fill(step["send"], saved).partition(" ")
        headers = {name: fill(value, saved) for name, value in step.get("with", {}).items()}
        body = fill(step["body"], saved) if "body" in step else None
        end = time.monotonic() + (10 if step.get("until") else 0)
        while True:
            answer = wire.request(method, target, body, headers)
            try:
                verify(step, answer, saved)
                break
            except AssertionError as fault:
                if time.monotonic() > end:
                    where = f"{path.name}, step {number}, {method} {target}"
                    raise AssertionError(f"{where}: {fault}") from None
            time.sleep(0.05)
        saved.update(
            (name, str(pick(answer.json(), pointer)))
            for name, pointer in step.get("save", {}).items()
        )
