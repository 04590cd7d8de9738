#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The analyses beside plain numpy (and scikit-learn where it is installed), one thread each.

Usage: bench_kinds.py [--bin build/tangentd] [--rounds 3]

Both sides read arrays they already have: the daemon from its store, numpy from memory. The sides
take turns and medians are compared. The daemon's time is that of the whole job, from submission to
answer. The share of the limit is the job's own count of FLOPs by its time, against numpy's dgemm.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, Callable, Dict, List, Optional  # noqa: E402

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness  # noqa: E402
from harness import Daemon  # noqa: E402

try:
    from sklearn.decomposition import PCA
except ImportError:
    PCA = None


def gemm_flops_per_second() -> float:
    n = 1500
    a = np.random.default_rng(0).normal(size=(n, n))
    times = []
    for _ in range(5):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2.0 * n**3 / statistics.median(times)


# The other side ----------------------------------------------------------------------------


def centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean(axis=0)


def correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    qx, _ = np.linalg.qr(x)
    qy, _ = np.linalg.qr(y)
    return np.linalg.svd(qx.T @ qy, compute_uv=False)


def directions(x: np.ndarray) -> np.ndarray:
    """The leading singular directions that hold 99 % of the variance."""
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    k = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 0.99)) + 1
    return u[:, :k] * s[:k]


def every_pair(
    layers: List[np.ndarray], measure: Callable[[np.ndarray, np.ndarray], float]
) -> List[float]:
    return [measure(a, b) for i, a in enumerate(layers) for b in layers[i + 1 :]]


def cca(a: np.ndarray, b: np.ndarray) -> float:
    return float(correlations(centred(a), centred(b)).mean())


def svcca(a: np.ndarray, b: np.ndarray) -> float:
    return float(correlations(directions(centred(a)), directions(centred(b))).mean())


def cka(a: np.ndarray, b: np.ndarray) -> float:
    a, b = centred(a), centred(b)
    product: float = np.linalg.norm(a.T @ b) ** 2
    return product / float(np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))


def ratios_by_gram(x: np.ndarray) -> float:
    """The cheapest exact way in numpy: the double Gram matrix of centred rows."""
    g = centred(x.astype(np.float64))
    values = np.linalg.eigvalsh(g @ g.T)
    return float(values[-1] / values.sum())


def ratios_by_sklearn(x: np.ndarray) -> float:
    return float(PCA(n_components=10, svd_solver="full").fit(x).explained_variance_ratio_[0])


# Side by side ------------------------------------------------------------------------------


def put(it: Daemon, array: np.ndarray) -> Dict[str, str]:
    out = io.BytesIO()
    np.save(out, array)
    answer = it.request("POST", "/v1/data", out.getvalue())
    return {"sha256": answer.json()["sha256"]}


def run(it: Daemon, body: Dict[str, Any]) -> Dict[str, Any]:
    headers = {"Prefer": "wait=600", "Cache-Control": "no-store"}
    answer = it.request("POST", "/v1/jobs", json.dumps(body), headers, timeout=600)
    document: Dict[str, Any] = answer.json()
    assert document.get("state") == "succeeded", document
    return document


def compare(
    it: Daemon,
    title: str,
    body: Dict[str, Any],
    value: Callable[[Dict[str, Any]], float],
    others: Dict[str, Optional[Callable[[], float]]],
    rounds: int,
    limit: float,
) -> None:
    ours: List[float] = []
    theirs: Dict[str, List[float]] = {name: [] for name, run in others.items() if run}
    document: Dict[str, Any] = {}
    for _ in range(rounds):
        began = time.perf_counter()
        document = run(it, body)
        ours.append(time.perf_counter() - began)
        for name in theirs:
            other = others[name]
            assert other
            began = time.perf_counter()
            expected = other()
            theirs[name].append(time.perf_counter() - began)
            got = value(document["result"]["values"])
            if abs(got - expected) > 1e-5 * abs(expected):
                print(f"{title}: {name} gives {expected!r}, the daemon {got!r}")
    took = statistics.median(ours)
    share = document["cost"]["flops"] / took / limit
    line = f"{title:<44} {took:7.3f} s, {share:4.0%} of dgemm"
    for name, times in theirs.items():
        seconds = statistics.median(times)
        line += f"; {name} {seconds:.3f} s = {seconds / took:.1f} x"
    print(line, flush=True)


def bench_svcca(it: Daemon, rounds: int, limit: float) -> None:
    rng = np.random.default_rng(1)
    measures: Dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "cca": cca,
        "svcca": svcca,
        "cka": cka,
    }
    key = {"cca": "cca_mean", "svcca": "svcca_variance", "cka": "cka"}
    for n, d, count in ((10000, 512, 2), (5000, 256, 6)):
        hidden = rng.normal(size=(n, d))
        layers = [
            hidden @ rng.normal(size=(d, d)) / np.sqrt(d) + rng.normal(size=(n, d))
            for _ in range(count)
        ]
        refs = [put(it, layer) for layer in layers]
        for name, measure in measures.items():
            body = {"kind": "svcca", "params": {"measures": [name]}, "inputs": {"layers": refs}}
            compare(
                it,
                f"{name}, {count} layers of {n} x {d}",
                body,
                lambda values, name=name: float(values["pairs"][0][key[name]]),  # type: ignore
                {"numpy": lambda measure=measure: every_pair(layers, measure)[0]},  # type: ignore
                rounds,
                limit,
            )


def bench_pca(it: Daemon, rounds: int, limit: float) -> None:
    rng = np.random.default_rng(2)
    for t, d in ((100, 1000000), (500, 200000)):
        x = np.cumsum(rng.normal(size=(t, d)).astype(np.float32), axis=0)
        body = {"kind": "pca", "inputs": {"trajectory": put(it, x)}}
        compare(
            it,
            f"pca, {t} x {d} float32",
            body,
            lambda values: float(values["first_component_ratio"]),
            {
                "numpy": lambda x=x: ratios_by_gram(x),  # type: ignore
                "scikit-learn": (lambda x=x: ratios_by_sklearn(x)) if PCA else None,  # type: ignore
            },
            rounds,
            limit,
        )
    if not PCA:
        print("scikit-learn is not installed and was left out")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--bin", type=Path, default=harness.BIN, help="the daemon")
    parser.add_argument("--rounds", type=int, default=3, help="of each side")
    options = parser.parse_args()
    harness.BIN = options.bin.resolve()
    limit = gemm_flops_per_second()
    print(f"numpy {np.__version__}, dgemm on one thread {limit / 1e9:.1f} GFLOP/s\n")
    with tempfile.TemporaryDirectory(prefix="tangentd-bench-") as folder:
        it = Daemon(Path(folder) / "store", ("--log-level", "error", "--workers", "1")).start()
        try:
            bench_svcca(it, options.rounds, limit)
            bench_pca(it, options.rounds, limit)
        finally:
            it.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
