# SPDX-License-Identifier: GPL-3.0-or-later
"""Running daemons for tests: TANGENTD_BIN, or the build that ./quickstart check makes."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(os.environ.get("TANGENTD_BIN") or ROOT / "build" / "check" / "tangentd")
USER = ["--user", "root"] if os.geteuid() == 0 else []


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class Answer:
    """A response as it came over the wire."""

    method: str
    path: str
    status: int
    headers: Dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Daemon:
    """One daemon on a store of its own; may be stopped, killed and started again."""

    store: Path
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    tls: Optional[ssl.SSLContext] = None
    port: int = field(default_factory=free_port)
    process: Optional[subprocess.Popen[bytes]] = None

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.store.with_suffix(".log")

    def command(self) -> List[str]:
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        return [str(BIN), *listen, "--store", str(self.store), *USER, *self.args]

    def start(self, wait: bool = True) -> Daemon:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.store.parent), **self.env}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=environment, stdin=subprocess.DEVNULL, stderr=log, stdout=log
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout: float = 30.0) -> None:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            assert self.process and self.process.poll() is None, self.log.read_text()[-4000:]
            try:
                if self.request("GET", "/readyz").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise AssertionError(f"not ready after {timeout} s: {self.log.read_text()[-4000:]}")

    def request(
        self,
        method: str,
        path: str,
        body: Union[bytes, str, None] = None,
        headers: Optional[Mapping[str, str]] = None,
        timeout: float = 60.0,
    ) -> Answer:
        """One request on a connection of its own, exactly as given."""
        if self.tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=timeout, context=self.tls
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            data = body.encode() if isinstance(body, str) else body
            connection.request(method, path, body=data, headers=dict(headers or {}))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(method, path, response.status, names, response.read())
        finally:
            connection.close()

    def json(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """The same with a JSON body; header names have _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request(method, path, None if body is None else json.dumps(body), named)

    def raw(self, data: bytes, timeout: float = 10.0) -> bytes:
        """Bytes in, bytes out until the daemon closes or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as sock:
            sock.sendall(data)
            received = b""
            try:
                while piece := sock.recv(65536):
                    received += piece
            except socket.timeout:
                pass
            return received

    def resident_bytes(self) -> int:
        return self.status_bytes("VmRSS")

    def most_resident_bytes(self) -> int:
        """The most that it ever had at a time."""
        return self.status_bytes("VmHWM")

    def status_bytes(self, name: str) -> int:
        assert self.process
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(f"{name}:"):
                    return int(line.split()[1]) * 1024
        return 0

    def kill(self) -> None:
        """No warning, no time to tidy up."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self, timeout: float = 40.0) -> int:
        """SIGTERM; the exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        finally:
            self.kill()

    def check(self) -> subprocess.CompletedProcess[str]:
        """tangentd --check on the store, which no daemon may hold."""
        return subprocess.run(
            [str(BIN), "--check", "--store", str(self.store), *USER],
            capture_output=True,
            text=True,
            timeout=300,
        )


def has_fault_points() -> bool:
    """Whether the daemon was configured with --enable-testing."""
    return b"TANGENTD_POINTS" in BIN.read_bytes()
