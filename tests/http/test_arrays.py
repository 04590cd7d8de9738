# SPDX-License-Identifier: GPL-3.0-or-later
"""The same numbers give the same result, in whatever form they come."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import pytest
from arrays import inline, npy, npz, run, safetensors, store
from wire import Wire

X = np.random.default_rng(5).integers(-50, 50, (12, 4)).astype(np.float64)
RAGGED_NPY = b"\x93NUMPY\x01\x00\x06\x00{}  \n\x00"


@pytest.fixture(scope="module")
def plain(wire: Wire) -> Dict[str, Any]:
    document: Dict[str, Any] = run(wire, "pca", {"trajectory": X.tolist()}).json()
    assert document["state"] == "succeeded", document
    return document


def stored(wire: Wire, data: bytes, key: str = "") -> Dict[str, str]:
    return {"sha256": store(wire, data), **({"key": key} if key else {})}


FORMS = {
    "npy": lambda wire: stored(wire, npy(X)),
    "npy, Fortran order": lambda wire: stored(wire, npy(np.asfortranarray(X))),
    "npy, big-endian": lambda wire: stored(wire, npy(X.astype(">f8"))),
    "npy, float32": lambda wire: stored(wire, npy(X.astype(np.float32))),
    "npy, float16": lambda wire: stored(wire, npy(X.astype(np.float16))),
    "npy, int8": lambda wire: stored(wire, npy(X.astype(np.int8))),
    "npy, int64": lambda wire: stored(wire, npy(X.astype(np.int64))),
    "npy in the request": lambda wire: inline(X),
    "npz": lambda wire: stored(wire, npz(other=X[:3], x=X), "x"),
    "npz of one": lambda wire: stored(wire, npz(x=X)),
    "npz, compressed": lambda wire: stored(wire, npz(True, x=X, other=X[:3]), "x"),
    "safetensors": lambda wire: stored(wire, safetensors(other=X[:3], x=X), "x"),
    "csv": lambda wire: stored(
        wire, "\n".join(",".join(repr(v) for v in row) for row in X.tolist()).encode()
    ),
}


def known(document: Dict[str, Any]) -> Dict[str, Any]:
    """The values but for `worst`, which makes room for the error of products in single precision."""
    values = document["result"]["values"]
    models = [{k: v for k, v in row.items() if k != "worst"} for row in values["models"]]
    return {**values, "models": models}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_numbers(wire: Wire, plain: Dict[str, Any], form: str) -> None:
    document = run(wire, "pca", {"trajectory": FORMS[form](wire)}).json()
    assert known(document) == known(plain)
    assert {k: v["sha256"] for k, v in document["result"]["arrays"].items()} == {
        k: v["sha256"] for k, v in plain["result"]["arrays"].items()
    }


def test_numbers_in_json_and_in_npy_are_the_same_job(wire: Wire, plain: Dict[str, Any]) -> None:
    """The job's hash knows arrays by digest, so it cannot tell how they came."""
    answer = run(wire, "pca", {"trajectory": inline(X)})
    assert answer.json()["hash"] == plain["hash"]
    assert answer.headers["tangent-cache"] == "hit"


@pytest.mark.parametrize(
    "data",
    [
        npy(X)[:-8],
        npy(X)[:9],
        RAGGED_NPY,
        npy(X.astype(np.complex128)),
        npz(x=X)[:-30],
        safetensors(x=X)[:-8],
        b"\xff" * 8 + safetensors(x=X)[8:],
        b"1,2\n3\n",
    ],
    ids=["short", "header", "empty header", "complex", "npz", "safetensors", "length", "csv"],
)
def test_damaged_files_are_refused(wire: Wire, data: bytes) -> None:
    answer = wire.request("POST", "/v1/data", data)
    assert (answer.status, answer.json()["type"]) == (422, "/v1/problems/unreadable-array")


def test_an_unknown_member_is_a_fault_that_lists_the_members(wire: Wire) -> None:
    sha = store(wire, npz(left=X, right=X + 1))
    job = {"kind": "pca", "inputs": {"trajectory": {"sha256": sha, "key": "centre"}}}
    answer = wire.json("POST", "/v1/jobs", job)
    assert answer.status == 422
    assert "left" in answer.text and "right" in answer.text
    del job["inputs"]["trajectory"]["key"]  # type: ignore[index]
    assert wire.json("POST", "/v1/jobs", job).status == 422


def test_what_a_waiting_job_needs_cannot_be_deleted(wire: Wire) -> None:
    sha = store(wire, npy(X + 0.25))
    run(wire, "pca", {"trajectory": {"sha256": sha}})
    listed = wire.request("GET", "/v1/data?limit=1000").json()
    assert sha in {entry["sha256"] for entry in listed["data"]}
    assert wire.request("DELETE", f"/v1/data/{sha}").status in (204, 409)
