# SPDX-License-Identifier: MIT
"""Requests that survive a restart of the daemon.

A request is repeated only when repeating it is harmless: GET, HEAD, PUT and DELETE always, POST
when it carries an Idempotency-Key. It is repeated after connection faults, 429 and 503, with
growing pauses, or as long as Retry-After says.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional, Sequence

import httpx

from ._problems import Unreachable, problem_from

RETRIES = 7
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0


def pause_after(attempt: int, retry_after: Optional[str] = None) -> float:
    """Seconds to wait before the next try; `attempt` counts from 0."""
    if retry_after is not None and retry_after.strip().isdigit():
        return min(float(retry_after), LONGEST_PAUSE_S)
    pause: float = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
    return pause * random.uniform(0.75, 1.25)


class Transport:
    """One keep-alive HTTP client with this package's rules for repeating and for faults."""

    def __init__(self, url: str, token: Optional[str], timeout: float, verify: Any) -> None:
        headers = {"User-Agent": "tangentd-python", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.url = url.rstrip("/")
        self.http = httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, verify=verify, trust_env=False
        )
        self._reached = False

    def close(self) -> None:
        self.http.close()

    def retries(self) -> int:
        """How often a request may be repeated: seldom while nobody ever answered."""
        return RETRIES if self._reached else 2

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Optional[Dict[str, str]] = None,
        wait_s: float = 0.0,
        allow: Sequence[int] = (),
        **options: Any,
    ) -> httpx.Response:
        """The answer to a request, or the exception of its problem document.

        `wait_s` is how long the daemon was asked to hold the answer; statuses in `allow` are
        answers, not faults.
        """
        headers = dict(headers or {})
        repeatable = method != "POST" or "Idempotency-Key" in headers
        if wait_s:
            options["timeout"] = httpx.Timeout(self.http.timeout.connect or 10.0, read=wait_s + 30)
        attempt = 0
        while True:
            try:
                answer = self.http.request(method, path, headers=headers, **options)
            except httpx.TransportError as fault:
                if not repeatable or attempt >= self.retries():
                    raise self.unreachable(fault) from fault
                time.sleep(pause_after(attempt))
            else:
                self._reached = True
                if answer.status_code in allow:
                    return answer
                busy = answer.status_code in (429, 503)
                if not (busy and repeatable and attempt < RETRIES):
                    return self.checked(answer)
                time.sleep(pause_after(attempt, answer.headers.get("Retry-After")))
            attempt += 1

    @contextmanager
    def stream(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        """An answer whose body is read piece by piece; connection faults are the caller's."""
        with self.http.stream(method, path, **options) as answer:
            self._reached = True
            if answer.is_error:
                answer.read()
            yield self.checked(answer)

    def unreachable(self, fault: Exception) -> Unreachable:
        reason = str(fault) or type(fault).__name__
        return Unreachable(
            f"no answer from tangentd at {self.url}: {reason}. Is the daemon running? "
            "Set TANGENTD_URL or pass url= if it listens elsewhere."
        )

    @staticmethod
    def checked(answer: httpx.Response) -> httpx.Response:
        """The answer itself if it is none of the faults."""
        if not answer.is_error:
            return answer
        document: Any = None
        if "json" in answer.headers.get("Content-Type", ""):
            try:
                document = answer.json()
            except ValueError:
                pass
        if not isinstance(document, dict):
            document = {"title": answer.reason_phrase, "detail": answer.text[:200]}
        raise problem_from(document, answer.status_code)
