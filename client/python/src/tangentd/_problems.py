# SPDX-License-Identifier: MIT
"""What can go wrong, as exceptions: one class for each thing a program may want to catch."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Type


class TangentError(Exception):
    """Base of everything this package raises on purpose."""


class Unreachable(TangentError, ConnectionError):
    """The daemon cannot be reached."""


class TangentTimeout(TangentError, TimeoutError):
    """The job did not end in the time given to ``wait``; it goes on."""


class TangentProblem(TangentError):
    """A problem document (RFC 9457) from the daemon.

    Attributes
    ----------
    status : int
        HTTP status, 0 when unknown.
    slug : str
        Name of the problem, the last part of its type.
    title, detail : str
        What happened, in general and in this case.
    errors : list of dict
        Every fault, each with ``pointer`` and ``detail``, and ``got`` and ``allowed`` where
        they say something.
    """

    def __init__(
        self,
        title: str,
        *,
        status: int = 0,
        slug: str = "",
        detail: str = "",
        errors: Optional[List[Dict[str, Any]]] = None,
        document: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.title = title
        self.status = status
        self.slug = slug
        self.detail = detail
        self.errors = list(errors or [])
        self.document = dict(document or {})
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [self.title + (f" ({self.status})" if self.status else "")]
        if self.detail and [self.detail] != [fault.get("detail") for fault in self.errors]:
            lines.append(self.detail)
        for fault in self.errors:
            line = f"  {fault.get('pointer') or '/'}: {fault.get('detail', '')}"
            if fault.get("got"):
                line += f" Got {fault['got']}."
            if fault.get("allowed"):
                line += f" Allowed: {fault['allowed']}."
            lines.append(line)
        return "\n".join(lines)


class BadRequest(TangentProblem):
    """The request is malformed; with this client that is a fault in the client or a proxy."""


class InvalidJob(TangentProblem):
    """The request does not describe a valid job; ``errors`` says why."""


class BadArray(InvalidJob):
    """An array cannot be read."""


class UnknownData(InvalidJob):
    """The job names data that is not stored (any more)."""


class JobTooLarge(InvalidJob):
    """The job can never fit into the daemon's memory."""


class KeyReused(TangentProblem):
    """The Idempotency-Key was used for another request."""


class DigestMismatch(TangentProblem):
    """An uploaded body does not have the SHA-256 it was announced with."""


class Unauthorized(TangentProblem):
    """The daemon wants a valid token: pass ``token=`` or set TANGENTD_TOKEN."""


class Forbidden(TangentProblem):
    """The token does not have the needed scope, or the daemon may not read that file."""


class NotFound(TangentProblem):
    """There is no such job, kind, array or figure."""


class Gone(NotFound):
    """The job was removed by retention."""


class Conflict(TangentProblem):
    """The job or data is not in the needed state; a registered file has changed."""


class QueueFull(TangentProblem):
    """Too many jobs are waiting."""


class Unavailable(TangentProblem):
    """The daemon takes no new work now: its store, memory, or a shutdown."""


class ServerFault(TangentProblem):
    """A fault inside the daemon."""


class JobFailed(TangentProblem):
    """The job ended without a result; ``job`` is its id."""

    job: str = ""


class JobCancelled(JobFailed):
    """The job was cancelled."""


class JobExpired(JobFailed):
    """The job ran past its time limit or deadline."""


class JobInterrupted(JobFailed):
    """The daemon died too often while the job ran."""


class NumericalFailure(JobFailed):
    """The numbers do not allow this analysis."""


_BY_SLUG: Dict[str, Type[TangentProblem]] = {
    "invalid-parameters": InvalidJob,
    "malformed-json": BadRequest,
    "bad-request": BadRequest,
    "unreadable-array": BadArray,
    "unknown-data": UnknownData,
    "job-too-large": JobTooLarge,
    "idempotency-key-reused": KeyReused,
    "digest-mismatch": DigestMismatch,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "not-found": NotFound,
    "gone": Gone,
    "conflict": Conflict,
    "data-changed": Conflict,
    "path-not-allowed": Forbidden,
    "queue-full": QueueFull,
    "internal": ServerFault,
    "out-of-memory": Unavailable,
    "store-unavailable": Unavailable,
    "shutting-down": Unavailable,
}
_BY_END: Dict[str, Type[JobFailed]] = {
    "cancelled": JobCancelled,
    "deadline": JobExpired,
    "interrupted": JobInterrupted,
    "numerical-failure": NumericalFailure,
}
_BY_STATE: Dict[str, Type[JobFailed]] = {
    "failed": JobFailed,
    "cancelled": JobCancelled,
    "expired": JobExpired,
}


def _make(cls: Type[TangentProblem], document: Mapping[str, Any], title: str) -> TangentProblem:
    errors = document.get("errors")
    return cls(
        str(document.get("title", title)),
        status=int(document.get("status", 0)),
        slug=str(document.get("type", "")).rsplit("/", 1)[-1],
        detail=str(document.get("detail", "")),
        errors=errors if isinstance(errors, list) else [],
        document=document,
    )


def problem_from(document: Mapping[str, Any], status: int) -> TangentProblem:
    """The exception of a problem document that answered a request."""
    slug = str(document.get("type", "")).rsplit("/", 1)[-1]
    fallback = ServerFault if status >= 500 else BadRequest
    return _make(_BY_SLUG.get(slug, fallback), {"status": status, **document}, f"HTTP {status}")


def problem_of_job(job: Mapping[str, Any]) -> JobFailed:
    """The exception of a job document whose job ended without a result."""
    document = job.get("problem") or {}
    state = str(job.get("state", "failed"))
    slug = str(document.get("type", "")).rsplit("/", 1)[-1]
    cls = _BY_END.get(slug) or _BY_STATE.get(state, JobFailed)
    problem = _make(cls, document, f"The job is {state}")
    assert isinstance(problem, JobFailed)
    problem.job = str(job.get("id", ""))
    return problem
