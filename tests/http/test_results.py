# SPDX-License-Identifier: GPL-3.0-or-later
"""Every representation of a result says the same."""

from __future__ import annotations

import csv
import io
from typing import Any, Dict

import numpy as np
import pytest
from arrays import run
from wire import Wire


@pytest.fixture(scope="module")
def job(wire: Wire) -> Dict[str, Any]:
    rng = np.random.default_rng(11)
    shared = rng.normal(size=(60, 3))
    layers = {
        name: (shared @ rng.normal(size=(3, 5)) + 0.3 * rng.normal(size=(60, 5))).tolist()
        for name in ("one", "two", "three")
    }
    document: Dict[str, Any] = run(wire, "svcca", {"layers": layers}).json()
    assert document["state"] == "succeeded", document
    return document


def load(data: bytes) -> Any:
    return np.load(io.BytesIO(data), allow_pickle=False)


def test_arrays_are_equal_in_npy_npz_csv_and_json(wire: Wire, job: Dict[str, Any]) -> None:
    base = f"/v1/jobs/{job['id']}/result"
    document = wire.request("GET", base).json()
    bundle = load(wire.request("GET", f"{base}?format=npz").body)
    assert set(bundle.files) == set(document["arrays"]) and bundle.files
    for name, entry in document["arrays"].items():
        answer = wire.request("GET", f"{entry['href']}?format=npy")
        assert answer.type == "application/x-npy"
        array = load(answer.body)
        assert list(array.shape) == entry["shape"] and array.dtype.name == entry["dtype"]
        np.testing.assert_array_equal(array, bundle[name])
        text = wire.request("GET", f"{entry['href']}?format=csv").text
        rows = [[float(x) for x in row] for row in csv.reader(io.StringIO(text)) if row]
        np.testing.assert_array_equal(np.array(rows).reshape(array.shape), array)
        if array.size <= 1000:
            np.testing.assert_array_equal(np.array(entry["data"]).reshape(array.shape), array)


def test_an_array_comes_in_ranges(wire: Wire, job: Dict[str, Any]) -> None:
    href = next(iter(job["result"]["arrays"].values()))["href"]
    whole = wire.request("GET", href, headers={"Accept": "application/x-npy"}).body
    part = wire.request(
        "GET", href, headers={"Accept": "application/x-npy", "Range": "bytes=10-19"}
    )
    assert (part.status, part.body) == (206, whole[10:20])


def test_figures_are_vega_lite_with_their_data_inside(wire: Wire, job: Dict[str, Any]) -> None:
    figures = job["result"]["figures"]
    assert figures
    for entry in figures.values():
        answer = wire.request("GET", entry["href"])
        assert answer.type == "application/vnd.vegalite.v5+json"
        spec = answer.json()
        assert spec["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json"
        assert spec["data"]["values"] or spec["layer"]
        assert "url" not in spec["data"]


def test_the_result_has_an_etag(wire: Wire, job: Dict[str, Any]) -> None:
    path = f"/v1/jobs/{job['id']}/result"
    etag = wire.request("GET", path).headers["etag"]
    assert wire.request("GET", path, headers={"If-None-Match": etag}).status == 304


def test_text_is_aligned_and_names_every_scalar(wire: Wire, job: Dict[str, Any]) -> None:
    text = wire.request("GET", f"/v1/jobs/{job['id']}/result?format=text").text
    for name, value in job["result"]["values"].items():
        if not isinstance(value, (list, dict)):
            assert name in text
    for layer in ("one", "two", "three"):
        assert layer in text
    assert "\t" not in text and text.endswith("\n")


def test_a_result_says_how_good_it_is_and_where_it_comes_from(job: Dict[str, Any]) -> None:
    assert "warnings" in job["result"]["quality"]
    assert job["result"]["provenance"]
