# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons with other settings: tokens, TLS, and addresses that are refused."""

from __future__ import annotations

import json
import ssl
import subprocess
from pathlib import Path
from typing import Callable, Dict

import pytest
from harness import BIN, USER, Daemon, free_port
from wire import Wire


def make_token(spec: str) -> Dict[str, str]:
    """A token and the line for the token file, from the two lines --make-token prints."""
    lines = subprocess.run(
        [str(BIN), "--make-token", spec], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    line = next(text for text in lines if text.startswith(spec.split(":")[0] + " "))
    words = " ".join(text for text in lines if text != line).split()
    return {"token": max(words, key=len), "line": line}


@pytest.fixture
def tokens(tmp_path: Path) -> Dict[str, str]:
    made = {scope: make_token(f"{scope}er:{scope}") for scope in ("read", "submit", "admin")}
    path = tmp_path / "tokens"
    path.write_text("# tokens\n" + "".join(f"{entry['line']}\n" for entry in made.values()))
    path.chmod(0o600)
    return {"file": str(path), **{scope: entry["token"] for scope, entry in made.items()}}


def test_tokens_and_scopes(make_daemon: Callable[..., Daemon], tokens: Dict[str, str]) -> None:
    daemon = make_daemon("--token-file", tokens["file"])
    daemon.start(wait=False)
    daemon.wait_ready()

    def bearer(scope: str) -> Dict[str, str]:
        return {"Authorization": f"Bearer {tokens[scope]}"}

    missing = daemon.request("GET", "/v1/jobs")
    assert missing.status == 401 and "Bearer" in missing.headers["www-authenticate"]
    assert daemon.request("GET", "/v1/jobs", headers={"Authorization": "Bearer x"}).status == 401
    assert daemon.request("GET", "/v1/jobs", headers={"Authorization": "Basic eA=="}).status == 401
    assert daemon.request("GET", "/livez").status == 200
    for scope in ("read", "submit", "admin"):
        assert daemon.request("GET", "/v1/jobs", headers=bearer(scope)).status == 200

    job = '{"kind": "pca", "inputs": {"trajectory": [[0, 0], [1, 0], [2, 1], [5, 7]]}}'
    forbidden = daemon.request("POST", "/v1/jobs", job, bearer("read"))
    assert forbidden.status == 403
    assert forbidden.json()["type"] == "/v1/problems/forbidden"
    answer = daemon.request("POST", "/v1/jobs", job, {**bearer("submit"), "Prefer": "wait=20"})
    assert answer.status == 200
    assert tokens["submit"] not in Path(tokens["file"]).read_text()


def test_registering_a_file_needs_the_scope_submit(
    make_daemon: Callable[..., Daemon], tokens: Dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    daemon = make_daemon("--token-file", tokens["file"], "--data-folders", str(tmp_path)).start()
    for scope, status in (("read", 403), ("submit", 201)):
        headers = {"Authorization": f"Bearer {tokens[scope]}", "Content-Type": "application/json"}
        body = json.dumps({"path": f"{tmp_path}/a.csv"})
        assert daemon.request("POST", "/v1/data", body, headers).status == status


def test_a_token_file_that_others_may_write_is_refused(
    make_daemon: Callable[..., Daemon], tokens: Dict[str, str]
) -> None:
    Path(tokens["file"]).chmod(0o666)
    daemon = make_daemon("--token-file", tokens["file"]).start(wait=False)
    assert daemon.process and daemon.process.wait(20) != 0


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]"])
def test_other_addresses_than_loopback_need_tokens(tmp_path: Path, address: str) -> None:
    done = subprocess.run(
        [str(BIN), "--listen", f"{address}:{free_port()}", "--store", str(tmp_path / "s"), *USER],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode != 0
    assert "token" in done.stderr


def test_tls(make_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-keyout", str(key), "-out", str(cert), "-subj", "/CN=127.0.0.1"]
        + ["-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(cafile=str(cert))
    daemon = make_daemon("--tls-cert", str(cert), "--tls-key", str(key), tls=context).start()
    wire = Wire(daemon)
    job = '{"kind": "pca", "inputs": {"trajectory": [[0, 0], [1, 0], [2, 1], [5, 8]]}}'
    answer = wire.request("POST", "/v1/jobs", job, {"Prefer": "wait=20"})
    assert answer.status == 200 and answer.json()["state"] == "succeeded"
    with pytest.raises(ssl.SSLError):
        Daemon(tmp_path, port=daemon.port, tls=ssl.create_default_context()).request("GET", "/")


def test_a_store_is_held_by_one_daemon(make_daemon: Callable[..., Daemon]) -> None:
    first = make_daemon().start()
    second = Daemon(first.store).start(wait=False)
    assert second.process and second.process.wait(20) != 0
    assert first.request("GET", "/livez").status == 200


@pytest.mark.parametrize(
    "args", [["--nonsense"], ["--workers", "-1"], ["--listen", "nowhere"], ["--max-body", "1Q"]]
)
def test_wrong_settings_are_told(args: list) -> None:
    done = subprocess.run([str(BIN), *USER, *args], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and args[0].strip("-") in done.stderr


def test_the_command_line_describes_everything() -> None:
    def out(*args: str) -> str:
        return subprocess.run(
            [str(BIN), *args], capture_output=True, text=True, check=True, timeout=20
        ).stdout

    assert "--max-body" in out("--help")
    assert "0.1" in out("--version")
    assert {"pca", "svcca"} <= set(out("--kinds").split())
    assert "trajectory" in out("--describe", "pca")
