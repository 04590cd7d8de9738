# SPDX-License-Identifier: MIT
"""Python client of tangentd, the daemon that runs analyses of neural networks."""

from ._arrays import DataRef
from ._client import Tangent
from ._events import Event
from ._job import Job
from ._problems import (
    BadArray,
    BadRequest,
    Conflict,
    DigestMismatch,
    Forbidden,
    Gone,
    InvalidJob,
    JobCancelled,
    JobExpired,
    JobFailed,
    JobInterrupted,
    JobTooLarge,
    KeyReused,
    NotFound,
    NumericalFailure,
    QueueFull,
    ServerFault,
    TangentError,
    TangentProblem,
    TangentTimeout,
    Unauthorized,
    Unavailable,
    UnknownData,
    Unreachable,
)
from ._result import Figure, Result

__version__ = "0.1.0"

__all__ = [
    "BadArray",
    "BadRequest",
    "Conflict",
    "DataRef",
    "DigestMismatch",
    "Event",
    "Figure",
    "Forbidden",
    "Gone",
    "InvalidJob",
    "Job",
    "JobCancelled",
    "JobExpired",
    "JobFailed",
    "JobInterrupted",
    "JobTooLarge",
    "KeyReused",
    "NotFound",
    "NumericalFailure",
    "QueueFull",
    "Result",
    "ServerFault",
    "Tangent",
    "TangentError",
    "TangentProblem",
    "TangentTimeout",
    "Unauthorized",
    "Unavailable",
    "UnknownData",
    "Unreachable",
]
