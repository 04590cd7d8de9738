# SPDX-License-Identifier: MIT
"""The result of a job: numbers, arrays and figures, and how good they are."""

from __future__ import annotations

import html
import io
import json
import os
from typing import Any, Dict, List, Union

import numpy as np

from ._http import Transport

VEGA_LITE = "application/vnd.vegalite.v5+json"

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>%s</title>
<script src="https://cdn.jsdelivr.net/npm/vega@5"></script>
<script src="https://cdn.jsdelivr.net/npm/vega-lite@5"></script>
<script src="https://cdn.jsdelivr.net/npm/vega-embed@6"></script>
<div id="figure"></div>
<script>vegaEmbed("#figure", %s);</script>
"""


class Values(Dict[str, Any]):
    """A dict whose entries are attributes too: ``result.values.total_variance``."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no value {name!r}; there are {', '.join(self)}") from None

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *self]


class Figure:
    """A Vega-Lite figure; the last line of a notebook cell draws it."""

    def __init__(self, name: str, title: str, spec: Dict[str, Any]) -> None:
        self.name = name
        self.title = title
        self.spec = spec

    def __repr__(self) -> str:
        return f"<Figure {self.name}: {self.title}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, Any]:
        return {VEGA_LITE: self.spec, "text/plain": repr(self)}

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Write the specification as JSON, or a page that draws it where the name ends in .html.

        The page holds the numbers; it loads vega from cdn.jsdelivr.net when it is opened.
        """
        text = json.dumps(self.spec)
        if os.fspath(path).endswith(".html"):
            text = PAGE % (html.escape(self.title), text.replace("</", "<\\/"))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


class Result:
    """What a job computed. Arrays and figures are fetched when they are asked for.

    Attributes
    ----------
    values : dict
        Numbers, short lists and small tables; also as attributes.
    arrays : list of str
        Names of the arrays; ``result[name]`` is the array.
    figures : list of str
        Names of the figures; ``result.figure(name)`` is the figure.
    quality, warnings, provenance
        How good the numbers are, what to be careful about, and where they come from.
    """

    def __init__(self, transport: Transport, job: str, document: Dict[str, Any]) -> None:
        self._transport = transport
        self._path = f"/v1/jobs/{job}/result"
        self._fetched: Dict[str, np.ndarray] = {}
        self.document = document
        self.kind: str = document.get("kind", "")
        self.values = Values(document.get("values", {}))
        self.arrays: List[str] = list(document.get("arrays", {}))
        self.figures: List[str] = list(document.get("figures", {}))
        quality = dict(document.get("quality", {}))
        self.warnings: List[Dict[str, Any]] = quality.pop("warnings", [])
        self.quality = Values(quality)
        self.provenance = Values(document.get("provenance", {}))

    def numpy(self, name: str) -> np.ndarray:
        """The array `name`, fetched once."""
        if name not in self.document.get("arrays", {}):
            raise KeyError(f"no array {name!r}; there are {', '.join(self.arrays) or 'none'}")
        if name not in self._fetched:
            answer = self._transport.request(
                "GET", f"{self._path}/arrays/{name}", params={"format": "npy"}
            )
            self._fetched[name] = np.load(io.BytesIO(answer.content), allow_pickle=False)
        return self._fetched[name]

    def __getitem__(self, name: str) -> Any:
        """The array, or else the value, of this name."""
        if name in self.values and name not in self.arrays:
            return self.values[name]
        return self.numpy(name)

    def figure(self, name: str) -> Figure:
        """The figure `name`."""
        entry = self.document.get("figures", {}).get(name)
        if entry is None:
            raise KeyError(f"no figure {name!r}; there are {', '.join(self.figures) or 'none'}")
        answer = self._transport.request(
            "GET", f"{self._path}/figures/{name}", headers={"Accept": f"{VEGA_LITE}, */*;q=0.5"}
        )
        return Figure(name, entry.get("title", name), answer.json())

    def text(self) -> str:
        """The result as an aligned table for a terminal."""
        return self._transport.request("GET", self._path, params={"format": "text"}).text

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Write all arrays to an `.npz` file."""
        with self._transport.stream("GET", self._path, params={"format": "npz"}) as answer:
            with open(path, "wb") as file:
                for piece in answer.iter_bytes():
                    file.write(piece)

    def __repr__(self) -> str:
        warnings = f", {len(self.warnings)} warnings" if self.warnings else ""
        return (
            f"<Result of {self.kind}: {len(self.values)} values, "
            f"arrays: {', '.join(self.arrays) or 'none'}; "
            f"figures: {', '.join(self.figures) or 'none'}{warnings}>"
        )

    def _repr_html_(self) -> str:
        scalars = {k: v for k, v in self.values.items() if not isinstance(v, (list, dict))}
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(k)}</th>"
            f"<td>{html.escape(_short(v))}</td></tr>"
            for k, v in scalars.items()
        )
        notes = "".join(f"<li>{html.escape(str(w.get('message')))}</li>" for w in self.warnings)
        return (
            f"<b>{html.escape(self.kind)}</b><table>{rows}</table>"
            f"<p>arrays: {html.escape(', '.join(self.arrays))}<br>"
            f"figures: {html.escape(', '.join(self.figures))}</p>"
            f"{f'<ul>{notes}</ul>' if notes else ''}"
        )


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
