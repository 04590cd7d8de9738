# SPDX-License-Identifier: MIT
"""The client: one object, one method for each kind of job."""

from __future__ import annotations

import datetime
import json
import os
import uuid
from typing import Any, Dict, Iterator, List, Mapping, Optional, Union

import httpx

from . import _events
from ._arrays import (
    ArrayLike,
    Body,
    DataRef,
    FileBody,
    NpyBody,
    TensorsBody,
    as_array,
    encode_input,
    upload,
)
from ._events import Event
from ._http import Transport
from ._job import Job
from ._kinds import KindMethods

DEFAULT_URL = "http://127.0.0.1:8748"
REGISTER_S = 3600.0  # a terabyte, read once


class Tangent(KindMethods):
    """A connection to tangentd.

    Each kind of job is a method that submits one and returns a ``Job`` at once. Objects of this
    class may be used from several threads.

    An input that is a list of arrays takes a mapping of names to arrays, or a list whose entries
    are arrays, paths of files, what ``upload()`` returned, or, where layers have to be told apart
    by more than a name, ``dict(data=..., name="conv1", model="a", step=1000)``. An input of whole
    files (checkpoints) takes paths and, as one file each, mappings of names to arrays such as a
    state dict. Arrays are of numpy, torch, jax or any other library. What the daemon does not
    have yet is uploaded first, several files at a time.

    Parameters
    ----------
    url : str, optional
        Address of the daemon; default $TANGENTD_URL, else http://127.0.0.1:8748.
    token : str, optional
        Bearer token; default $TANGENTD_TOKEN.
    timeout : float
        Seconds a connection may be silent before it counts as broken.
    verify : bool or str or ssl.SSLContext
        How to check a TLS certificate, as httpx takes it.

    Examples
    --------
    >>> with Tangent() as tg:
    ...     result = tg.pca(trajectory=weights).result()
    """

    def __init__(
        self,
        url: Optional[str] = None,
        token: Optional[str] = None,
        timeout: float = 60.0,
        verify: Any = True,
    ) -> None:
        self._transport = Transport(
            url or os.environ.get("TANGENTD_URL") or DEFAULT_URL,
            token or os.environ.get("TANGENTD_TOKEN"),
            timeout,
            verify,
        )

    @property
    def url(self) -> str:
        """Address of the daemon; a browser shows its page there."""
        return self._transport.url

    def __enter__(self) -> Tangent:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; jobs go on."""
        self._transport.close()

    def __repr__(self) -> str:
        return f"Tangent({self.url!r})"

    # Jobs

    def submit(
        self,
        kind: str,
        params: Optional[Mapping[str, Any]] = None,
        inputs: Optional[Mapping[str, Any]] = None,
        *,
        name: Optional[str] = None,
        priority: Optional[str] = None,
        max_run_s: Optional[float] = None,
        deadline: Union[datetime.datetime, str, float, None] = None,
        keep: bool = False,
        cache: bool = True,
    ) -> Job:
        """Submit a job of any kind; the generated methods are the pleasant way to do it.

        Parameters
        ----------
        kind : str
            Name of the kind, see ``kinds()``.
        params, inputs : mapping
            Parameters and arrays by name; entries that are None are left out.
        name : str, optional
            A name for people.
        priority : {"high", "normal", "low"}, optional
        max_run_s : float, optional
            Seconds the job may run.
        deadline : datetime, str or float, optional
            When the job must have ended: a time, RFC 3339 text, or Unix seconds.
        keep : bool
            Never remove the job by retention.
        cache : bool
            Take a stored result of the same job on the same data if there is one.

        Returns
        -------
        Job
            Accepted and on disk.
        """
        body = self._body(kind, params, inputs)
        options = {
            "name": name,
            "priority": priority,
            "max_run_s": max_run_s,
            "deadline": _timestamp(deadline),
            "keep": keep or None,
        }
        body.update((key, value) for key, value in options.items() if value is not None)
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        if not cache:
            headers["Cache-Control"] = "no-store"
        answer = self._transport.request(
            "POST", "/v1/jobs", content=_dumps(body), headers=headers
        )
        return Job(self._transport, answer.json(), answer.headers.get("Tangent-Cache", ""))

    def _submit_kind(
        self, kind: str, params: Mapping[str, Any], inputs: Mapping[str, Any], **options: Any
    ) -> Job:
        return self.submit(kind, params, inputs, **options)

    def _body(
        self,
        kind: str,
        params: Optional[Mapping[str, Any]],
        inputs: Optional[Mapping[str, Any]],
    ) -> Dict[str, Any]:
        return {
            "kind": kind,
            "params": {k: v for k, v in (params or {}).items() if v is not None},
            "inputs": {
                k: encode_input(self._transport, v)
                for k, v in (inputs or {}).items()
                if v is not None
            },
        }

    def dry_run(
        self,
        kind: str,
        params: Optional[Mapping[str, Any]] = None,
        inputs: Optional[Mapping[str, Any]] = None,
    ) -> Dict[str, Any]:
        """Check a job and tell its cost; arrays are uploaded, but no job is made.

        Returns
        -------
        dict
            `cost` (`peak_bytes`, `flops`, `seconds`), whether the result is in the `cache`, the
            `expected_wait_s`, and for kinds that choose between ways a `plan` in words.
        """
        answer = self._transport.request(
            "POST",
            "/v1/jobs",
            params={"dry_run": "true"},
            content=_dumps(self._body(kind, params, inputs)),
            headers={"Content-Type": "application/json"},
        )
        document: Dict[str, Any] = answer.json()
        return document

    def job(self, id: str) -> Job:
        """The job of this id."""
        return Job(self._transport, self._transport.request("GET", f"/v1/jobs/{id}").json())

    def jobs(
        self,
        kind: Optional[str] = None,
        state: Optional[str] = None,
        name: Optional[str] = None,
        since: Union[datetime.datetime, str, float, None] = None,
        until: Union[datetime.datetime, str, float, None] = None,
        limit: Optional[int] = 100,
    ) -> List[Job]:
        """Jobs, the newest first.

        Parameters
        ----------
        kind, state, name : str, optional
            Only of this kind, in this state, with this text in the name.
        since, until : datetime, str or float, optional
            Only created in this span of time.
        limit : int or None
            At most so many; None for all.
        """
        query: Dict[str, Any] = {
            "kind": kind,
            "state": state,
            "name": name,
            "since": _timestamp(since),
            "until": _timestamp(until),
        }
        query = {key: value for key, value in query.items() if value is not None}
        found: List[Job] = []
        query["limit"] = 200 if limit is None else max(1, min(limit, 200))
        path = str(httpx.URL("/v1/jobs", params=query))
        while path and (limit is None or len(found) < limit):
            page = self._transport.request("GET", path).json()
            found += [Job(self._transport, info) for info in page["jobs"]]
            path = page.get("next", "")
        return found[:limit]

    def events(self, since: Optional[str] = None) -> Iterator[Event]:
        """What happens to all jobs, without end."""
        return _events.follow(self._transport, "/v1/events", since)

    # Data

    def upload(
        self, source: Union[ArrayLike, Mapping[str, ArrayLike], str, os.PathLike[str]]
    ) -> DataRef:
        """Store an array, a file (.npy, .npz, .safetensors, .csv), or arrays by name, once.

        Parameters
        ----------
        source : array_like, path, or mapping of str to array_like
            An array of any shape; a file; or named arrays of any shapes (a state dict), which
            are stored as one safetensors file.

        Returns
        -------
        DataRef
            Usable as an input; ``ref["name"]`` is a member of an npz or safetensors file.
        """
        body: Body
        if isinstance(source, (str, os.PathLike)):
            body = FileBody(source)
        elif isinstance(source, Mapping):
            body = TensorsBody(source)
        else:
            body = NpyBody(as_array(source))
        ref = upload(self._transport, body)
        if ref.info:
            return ref
        # Data that is stored already is described to whoever puts it, whatever the body.
        info = self._transport.request("PUT", f"/v1/data/{ref.sha256}").json()
        return DataRef(ref.sha256, info=info)

    def register(self, path: Union[str, os.PathLike[str]]) -> DataRef:
        """Name a file that the daemon can read where it lies, instead of sending it.

        The daemon reads it once, for its digest, and after that only what jobs need of it. A file
        that changes later fails the jobs that name it; register it again.

        Parameters
        ----------
        path : path
            On the daemon's machine, in one of the folders of its setting `data-folders`; a
            relative path is taken from where this program runs.

        Returns
        -------
        DataRef
            Usable as an input, as from ``upload()``.
        """
        answer = self._transport.request(
            "POST",
            "/v1/data",
            content=_dumps({"path": os.path.abspath(path)}),
            headers={"Content-Type": "application/json"},
            wait_s=REGISTER_S,
        )
        info: Dict[str, Any] = answer.json()
        return DataRef(info["sha256"], info=info)

    # Around it

    def kinds(self) -> Dict[str, Dict[str, Any]]:
        """Name, title and summary of every kind of job."""
        listed = self._transport.request("GET", "/v1/kinds").json()["kinds"]
        return {kind["name"]: kind for kind in listed}

    def kind(self, name: str) -> Dict[str, Any]:
        """All about one kind: parameters, inputs, outputs, reference, an example."""
        document: Dict[str, Any] = self._transport.request("GET", f"/v1/kinds/{name}").json()
        return document

    def status(self) -> Dict[str, Any]:
        """How the daemon is doing."""
        document: Dict[str, Any] = self._transport.request("GET", "/v1/status").json()
        return document


def _dumps(body: Dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False, default=_scalar).encode()
    except ValueError as fault:
        raise ValueError(
            "NaN and infinity cannot be sent in lists; make the list a numpy array"
        ) from fault


def _scalar(value: Any) -> Any:
    """numpy scalars and 0-d arrays in parameters."""
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot stand in a job")


def _timestamp(when: Union[datetime.datetime, str, float, None]) -> Union[str, float, None]:
    if isinstance(when, datetime.datetime):
        return when.astimezone(datetime.timezone.utc).isoformat()
    return when
