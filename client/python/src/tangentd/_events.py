# SPDX-License-Identifier: MIT
"""Server-sent events, with reconnection where the stream broke off."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

import httpx

from ._http import Transport, pause_after


@dataclass(frozen=True)
class Event:
    """One event of a job.

    Attributes
    ----------
    id : str
        Number of the durable event, "" for progress and other passing news.
    type : str
        The state the job entered, or "progress", "partial", "removed", "resync".
    data : dict
        What the daemon says about it. Of a "partial" these are `name`, `shape` and `data`, the
        rows so far of an output, with None where nothing is known; of a large one every
        `step[0]`-th row and `step[1]`-th column.
    """

    id: str
    type: str
    data: Dict[str, Any] = field(default_factory=dict)


def parse(lines: Iterable[str]) -> Iterator[Event]:
    """Events from the lines of a text/event-stream."""
    event_id, kind = "", "message"
    data: List[str] = []
    for line in lines:
        if not line:
            if data:
                yield Event(event_id, kind, _object("\n".join(data)))
            event_id, kind, data = "", "message", []
            continue
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "id":
            event_id = value
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)


def _object(text: str) -> Dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return value if isinstance(value, dict) else {"value": value}


def follow(
    transport: Transport,
    path: str,
    since: Optional[str] = None,
    ended: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Events from `path`, taken up again after the last durable event when the stream breaks.

    A stream also ends in order when the daemon shuts down; `ended` then tells whether there is
    anything more to come.
    """
    last, attempt = since, 0
    while True:
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = last
        try:
            timeout = httpx.Timeout(10.0, read=60.0)
            with transport.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.status_code == 204:
                    return  # nothing will ever come after `last`
                for event in parse(answer.iter_lines()):
                    attempt = 0
                    last = event.id or last
                    yield event
            if ended():
                return
        except httpx.TransportError as fault:
            if attempt >= transport.retries():
                raise transport.unreachable(fault) from fault
        time.sleep(pause_after(attempt))
        attempt += 1
