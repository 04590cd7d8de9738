# SPDX-License-Identifier: MIT
"""A job and the ways to wait for it."""

from __future__ import annotations

import html
import sys
import time
from typing import Any, Dict, Iterator, Optional

from tqdm.auto import tqdm

from . import _events
from ._events import Event
from ._http import Transport
from ._problems import TangentTimeout, problem_of_job
from ._result import Result

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "expired"})


class Job:
    """A job on the daemon, by its id. It lives there, not here: losing this object loses nothing.

    Attributes
    ----------
    id, kind, name, state : str
    info : dict
        The job document as last seen; ``refresh()`` gets it anew.
    cache : str
        "hit" when the submission was answered from a stored result, "" for jobs from a list.
    """

    def __init__(self, transport: Transport, info: Dict[str, Any], cache: str = "") -> None:
        self._transport = transport
        self._path = f"/v1/jobs/{info['id']}"
        self.info = info
        self.cache = cache

    @property
    def id(self) -> str:
        return str(self.info["id"])

    @property
    def kind(self) -> str:
        return str(self.info.get("kind", ""))

    @property
    def name(self) -> str:
        return str(self.info.get("name") or "")

    @property
    def state(self) -> str:
        return str(self.info["state"])

    @property
    def progress(self) -> Dict[str, Any]:
        """fraction, done, total, unit, phase and eta_s as last seen; empty when not running."""
        return dict(self.info.get("progress") or {})

    @property
    def is_done(self) -> bool:
        """Whether the job has ended, in whatever way, as last seen."""
        return self.state in TERMINAL

    def refresh(self) -> Job:
        """Look again."""
        self.info = self._transport.request("GET", self._path).json()
        return self

    def wait(self, timeout: Optional[float] = None, progress: Optional[bool] = None) -> Job:
        """Wait until the job has ended, in whatever way, and return it.

        Ctrl-C detaches: the job goes on, and ``tg.job(id)`` finds it again. A second Ctrl-C right
        after the first cancels it. KeyboardInterrupt is raised in both cases.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; TangentTimeout is raised after that and the job goes on.
        progress : bool, optional
            Show a progress bar; by default in notebooks and on terminals.
        """
        if self.is_done:
            return self
        end = None if timeout is None else time.monotonic() + timeout
        show = _is_interactive() if progress is None else progress
        try:
            with _Bar(self, show) as bar:
                while not self.is_done:
                    left = 30.0 if end is None else end - time.monotonic()
                    if left <= 0:
                        raise TangentTimeout(
                            f"job {self.id} is still {self.state} after {timeout:g} s; it goes on"
                        )
                    self._long_poll(min(left, 1.0 if show else 30.0))
                    bar.update()
        except KeyboardInterrupt:
            self._detach()
            raise
        return self

    def _long_poll(self, seconds: float) -> None:
        self.info = self._transport.request(
            "GET", self._path, params={"wait": f"{seconds:.3f}"}, wait_s=seconds
        ).json()

    def _detach(self) -> None:
        try:
            print(
                f'\ntangentd: detached; job {self.id} goes on, tg.job("{self.id}") finds it again. '
                "Press Ctrl-C again now to cancel it.",
                file=sys.stderr,
                flush=True,
            )
            time.sleep(1.0)
        except KeyboardInterrupt:
            self.cancel()
            print(f"tangentd: job {self.id} is {self.state}.", file=sys.stderr, flush=True)

    def cancel(self) -> Job:
        """Ask for the job to be stopped; harmless when it has ended. See ``state`` and ``wait``."""
        self._transport.request("DELETE", self._path)
        return self.refresh()

    def retry(self) -> Job:
        """Submit a failed, cancelled or expired job again, as a new job."""
        answer = self._transport.request("POST", f"{self._path}/retry")
        return Job(self._transport, answer.json())

    def events(self, since: Optional[str] = None) -> Iterator[Event]:
        """What happens to the job, from its beginning or after the event `since`, to its end.

        The iteration survives broken connections and restarts of the daemon without losing or
        repeating an event.
        """

        def ended() -> bool:
            return self.refresh().is_done

        for event in _events.follow(self._transport, f"{self._path}/events", since, ended):
            yield event
            if event.type in TERMINAL or event.type == "removed":
                self.refresh()
                return

    def result(self, timeout: Optional[float] = None) -> Result:
        """The result, waiting for it when the job has not ended.

        Raises
        ------
        JobFailed
            The job failed; JobCancelled and JobExpired are kinds of it.
        """
        self.wait(timeout)
        if self.state != "succeeded":
            raise problem_of_job(self.info)
        document = self._transport.request("GET", f"{self._path}/result").json()
        return Result(self._transport, self.id, document)

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<Job {self.id} {self.kind}{name}: {self._line()}>"

    def _line(self) -> str:
        progress = self.progress
        if self.is_done or not progress:
            return self.state
        line = f"{self.state}, {100 * float(progress.get('fraction') or 0):.0f} %"
        return line + (f", {progress['phase']}" if progress.get("phase") else "")

    def _repr_html_(self) -> str:
        done = float(self.progress.get("fraction") or 0)
        fraction = 1.0 if self.state == "succeeded" else done
        text = " &middot; ".join(
            html.escape(part) for part in (self.kind, self.name, self._line(), self.id) if part
        )
        return f"<div>{text}<br><progress value='{fraction:.4f}' max='1'></progress></div>"


class _Bar:
    """A tqdm bar of the job's fraction and phase; appears after half a second."""

    def __init__(self, job: Job, show: bool) -> None:
        self.job = job
        layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
        self.bar = tqdm(
            total=1.0, desc=job.name or job.kind, disable=not show, delay=0.5, bar_format=layout
        )

    def __enter__(self) -> _Bar:
        return self

    def update(self) -> None:
        progress = self.job.progress
        fraction = 1.0 if self.job.state == "succeeded" else float(progress.get("fraction") or 0)
        self.bar.set_postfix_str(str(progress.get("phase") or self.job.state), refresh=False)
        self.bar.update(fraction - self.bar.n)

    def __exit__(self, *_: Any) -> None:
        self.bar.close()


def _is_interactive() -> bool:
    """Whether somebody watches: a notebook or a terminal."""
    try:
        get_ipython  # type: ignore[name-defined]
        return True
    except NameError:
        return sys.stderr is not None and sys.stderr.isatty()
