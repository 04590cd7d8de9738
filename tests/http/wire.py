# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every response: checked against the daemon's own OpenAPI document."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

import jsonschema
import referencing
import referencing.jsonschema
from harness import Answer, Daemon

URI = "urn:tangentd:openapi"


class Wire:
    """A daemon whose every answer is validated."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.openapi: Dict[str, Any] = daemon.request("GET", "/openapi.json").json()
        resource = referencing.Resource.from_contents(
            self.openapi, default_specification=referencing.jsonschema.DRAFT202012
        )
        self.registry: Any = referencing.Registry().with_resource(URI, resource)
        self.routes: List[Tuple[re.Pattern[str], str]] = [
            (re.compile(re.sub(r"\\\{[^/]*\\\}", "[^/]+", re.escape(path)) + "$"), path)
            for path in sorted(self.openapi["paths"], key=lambda path: "{" in path)
        ]

    def request(self, method: str, path: str, *args: Any, **options: Any) -> Answer:
        return self.check(self.daemon.request(method, path, *args, **options))

    def json(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self.check(self.daemon.json(method, path, body, **headers))

    def operation(self, method: str, path: str) -> Optional[Mapping[str, Any]]:
        """The OpenAPI operation of a request; HEAD is that of GET."""
        wanted = "get" if method == "HEAD" else method.lower()
        for pattern, name in self.routes:
            if pattern.match(urlsplit(path).path):
                found: Optional[Mapping[str, Any]] = self.openapi["paths"][name].get(wanted)
                return found
        return None

    def validate(self, value: Any, schema: Mapping[str, Any]) -> None:
        text = json.dumps(schema).replace('"#/', f'"{URI}#/')
        validator = jsonschema.Draft202012Validator(json.loads(text), registry=self.registry)
        errors = sorted(validator.iter_errors(value), key=lambda error: list(error.path))
        assert not errors, "\n".join(
            f"{error.json_path}: {error.message[:300]} ({list(error.schema_path)})"
            for error in errors
        )

    def check(self, answer: Answer) -> Answer:
        assert answer.headers.get("server", "").startswith("tangentd"), answer.headers
        assert re.fullmatch("[0-9a-f]{32}", answer.headers.get("x-request-id", "")), answer.headers
        if answer.method == "HEAD":
            assert answer.body == b""
            return answer
        if answer.status >= 400:
            self.check_problem(answer)
            return answer
        operation = self.operation(answer.method, answer.path)
        assert operation is not None, f"{answer.method} {answer.path} is not in /openapi.json"
        responses = operation["responses"]
        response = responses.get(str(answer.status)) or responses.get("default")
        where = f"{answer.method} {answer.path}"
        assert response is not None, f"{where}: status {answer.status} is not documented"
        response = self.resolve(response)
        media = answer.type.partition(";")[0]
        if answer.body and "json" in media:
            value = answer.json()
            described = response.get("content", {}).get(media)
            assert described is not None, f"{where}: {media} is not documented"
            self.validate(value, described.get("schema", {}))
        return answer

    def check_problem(self, answer: Answer) -> None:
        assert answer.type == "application/problem+json", (answer.status, answer.type, answer.body)
        problem = answer.json()
        self.validate(problem, {"$ref": "#/components/schemas/Problem"})
        assert problem["status"] == answer.status
        assert re.fullmatch("/v1/problems/[a-z-]+", problem["type"])
        assert problem["title"]

    def resolve(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in value:
            node: Any = self.openapi
            for part in value["$ref"][2:].split("/"):
                node = node[part]
            value = node
        return value


def subset(expected: Any, got: Any, where: str = "") -> None:
    """Every member of `expected` is in `got`; "~regex" stands for any matching text."""
    if isinstance(expected, dict):
        assert isinstance(got, dict), f"{where or '/'}: {got!r} is no object"
        for key, value in expected.items():
            assert key in got, f"{where}/{key}: absent; there are {sorted(got)}"
            subset(value, got[key], f"{where}/{key}")
    elif isinstance(expected, list):
        assert isinstance(got, list) and len(got) == len(expected), f"{where or '/'}: {got!r}"
        for i, (want, have) in enumerate(zip(expected, got)):
            subset(want, have, f"{where}/{i}")
    elif isinstance(expected, str) and expected.startswith("~"):
        assert re.search(expected[1:], str(got), re.S), f"{where or '/'}: {got!r} !~ {expected}"
    elif isinstance(expected, float) and not isinstance(got, (str, type(None))):
        assert abs(got - expected) <= 1e-9 * max(1.0, abs(expected)), f"{where}: {got!r}"
    else:
        assert got == expected, f"{where or '/'}: {got!r}, not {expected!r}"


def pick(value: Any, pointer: str) -> Any:
    """What an RFC 6901 pointer leads to."""
    for part in pointer.split("/")[1:]:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value
