#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca beside google/svcca and plain numpy, one thread each, on the arrays of its peers' recipe.

Usage: bench_svcca.py [--bin build/tangentd] [--rounds 3] [--large] [--grid 20] [--google FOLDER]

Both sides have their arrays: the daemon in its store, numpy in memory. The sides take turns. Times
are CPU seconds of the process that works, so that neighbours on the machine count for little; the
daemon's contain everything from the request to the answer. Without --google FOLDER (a copy of
https://github.com/google/svcca) it is cloned, or left out when that fails.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse  # noqa: E402
import importlib  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, Callable, Dict, List, Optional, Tuple  # noqa: E402

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness  # noqa: E402
from bench_kinds import gemm_flops_per_second, put, run  # noqa: E402
from harness import Daemon  # noqa: E402

GOOGLE = "https://github.com/google/svcca"
EPSILON = 1e-10  # what google's tutorial gives cca_core
Measure = Callable[[np.ndarray, np.ndarray], float]


def layer(rng: np.random.Generator, latents: np.ndarray, d: int) -> np.ndarray:
    """Units that see latents of power-law variance, with noise and means."""
    seen = latents @ rng.normal(size=(latents.shape[1], d))
    return seen + 0.02 * rng.normal(size=seen.shape) + rng.normal(size=d)


def latents(rng: np.random.Generator, n: int, rank: int) -> np.ndarray:
    return rng.normal(size=(n, rank)) / np.arange(1, rank + 1)


# The other sides ---------------------------------------------------------------------------


def leading(x: np.ndarray) -> np.ndarray:
    """The directions that hold 99 % of the variance, by thin SVD, as the paper's recipe has it."""
    x = x - x.mean(axis=0)
    _, s, vt = np.linalg.svd(x, full_matrices=False)
    k = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 0.99)) + 1
    out: np.ndarray = x @ vt[:k].T
    return out


def of_google(folder: Path) -> Dict[str, Measure]:
    sys.path.insert(0, str(folder))
    core = importlib.import_module("cca_core")
    weighted = importlib.import_module("pwcca")

    def cca(a: np.ndarray, b: np.ndarray) -> float:
        answer = core.get_cca_similarity(a.T, b.T, epsilon=EPSILON, verbose=False)
        return float(answer["cca_coef1"].mean())

    return {
        "cca": cca,
        "svcca": lambda a, b: cca(leading(a), leading(b)),
        "pwcca": lambda a, b: float(weighted.compute_pwcca(a.T, b.T, epsilon=EPSILON)[0]),
    }


def orthonormal(x: np.ndarray) -> np.ndarray:
    q, _ = np.linalg.qr(x - x.mean(axis=0))
    return q


def correlations(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.svd(orthonormal(a).T @ orthonormal(b), compute_uv=False).mean())


def pwcca(a: np.ndarray, b: np.ndarray) -> float:
    """Both sides' weights, their mean."""
    qa, qb = orthonormal(a), orthonormal(b)
    left, rho, right = np.linalg.svd(qa.T @ qb)
    sides = []
    for h, x in ((qa @ left, a), (qb @ right.T, b)):
        weight = np.abs(h.T @ (x - x.mean(axis=0))).sum(axis=1)
        sides.append(float(weight @ rho / weight.sum()))
    return sum(sides) / 2


def cka(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    own = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / own)


NUMPY: Dict[str, Measure] = {
    "cca": correlations,
    "svcca": lambda a, b: correlations(leading(a), leading(b)),
    "pwcca": pwcca,
    "cka": cka,
}
KEY = {"cca": "cca_mean", "svcca": "svcca_variance", "pwcca": "pwcca", "cka": "cka"}


# Side by side ------------------------------------------------------------------------------


def cpu_of(it: Daemon) -> float:
    assert it.process
    fields = Path(f"/proc/{it.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(it: Daemon, body: Dict[str, Any]) -> Tuple[float, Dict[str, Any]]:
    before = cpu_of(it)
    document = run(it, body)
    return cpu_of(it) - before, document


def bench_pair(
    it: Daemon, n: int, d: int, sides: Dict[str, Dict[str, Measure]], rounds: int, limit: float
) -> None:
    rng = np.random.default_rng(20171205)
    shared = latents(rng, n, d // 2)
    a, b = layer(rng, shared, d), layer(rng, shared, d)
    refs = [put(it, a), put(it, b)]
    for name in NUMPY:
        body = {"kind": "svcca", "params": {"measures": [name]}, "inputs": {"layers": refs}}
        others = {side: found[name] for side, found in sides.items() if name in found}
        ours: List[float] = []
        theirs: Dict[str, List[float]] = {side: [] for side in others}
        values: Dict[str, float] = {}
        document: Dict[str, Any] = {}
        for _ in range(rounds):
            seconds, document = timed(it, body)
            ours.append(seconds)
            for side, measure in others.items():
                began = time.process_time()
                values[side] = measure(a, b)
                theirs[side].append(time.process_time() - began)
        took = statistics.median(ours)
        share = document["cost"]["flops"] / took / limit
        value = document["result"]["values"]["pairs"][0][KEY[name]]
        line = f"{name:<6} {n} x {d}: {took:7.3f} s ({value:.10f}), {share:4.0%} of dgemm"
        for side, times in theirs.items():
            other = statistics.median(times)
            line += f"; {side} {other:.3f} s ({values[side]:.10f}) = {other / took:.1f} x"
        print(line, flush=True)


def bench_all_pairs(
    it: Daemon, count: int, google: Optional[Dict[str, Measure]], limit: float
) -> None:
    n, d = 10000, 512
    rng = np.random.default_rng(20171206)
    shared = latents(rng, n, d // 2)
    layers = [layer(rng, shared, d) for _ in range(count)]
    refs = [put(it, x) for x in layers]
    pairs = count * (count - 1) // 2
    for name in ("svcca", "cca"):
        body = {"kind": "svcca", "params": {"measures": [name]}, "inputs": {"layers": refs}}
        took, document = timed(it, body)
        share = document["cost"]["flops"] / took / limit
        line = f"{name}, {pairs} pairs of {count} layers: {took:.2f} s, {share:.0%} of dgemm"
        if google:
            began = time.process_time()
            google[name](layers[0], layers[1])
            other = (time.process_time() - began) * pairs
            line += f"; the recipe pair by pair {other:.0f} s = {other / took:.0f} x"
        print(line, flush=True)


def bench_grid(it: Daemon, count: int, limit: float) -> None:
    """The job's time over that of its FLOPs at dgemm's speed; float32 arrays of n x d."""
    n, d = 10000, 512
    rng = np.random.default_rng(20171207)
    shared = latents(rng, n, d // 2)
    refs = [put(it, layer(rng, shared, d).astype(np.float32)) for _ in range(count)]
    params = {"measures": ["svcca"], "max_directions": 100}
    took, document = timed(it, {"kind": "svcca", "params": params, "inputs": {"layers": refs}})
    counted = document["cost"]["flops"] / limit
    print(f"svcca, grid of {count} arrays: {took:.1f} s, {took / counted:.2f} x its FLOP count's")


def fetch_google(folder: Optional[Path], scratch: str) -> Optional[Dict[str, Measure]]:
    if not folder:
        folder = Path(scratch) / "google-svcca"
        clone = ["git", "clone", "-q", "--depth", "1", GOOGLE, str(folder)]
        if subprocess.run(clone, check=False, timeout=300).returncode:
            print("google/svcca could not be cloned and was left out")
            return None
    return of_google(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--bin", type=Path, default=harness.BIN, help="the daemon")
    parser.add_argument("--rounds", type=int, default=3, help="of each side")
    parser.add_argument("--large", action="store_true", help="also 5000 x 2048; minutes")
    parser.add_argument("--layers", type=int, default=12, help="of the job of all pairs")
    parser.add_argument("--grid", type=int, default=20, help="arrays of the grid")
    parser.add_argument("--google", type=Path, help="folder with cca_core.py and pwcca.py")
    options = parser.parse_args()
    harness.BIN = options.bin.resolve()
    limit = gemm_flops_per_second()
    print(f"numpy {np.__version__}, dgemm on one thread {limit / 1e9:.1f} GFLOP/s; CPU seconds")
    with tempfile.TemporaryDirectory(prefix="tangentd-bench-") as folder:
        google = fetch_google(options.google, folder)
        sides = {"google": google or {}, "numpy": NUMPY}
        args = ("--log-level", "error", "--workers", "1", "--max-derived", "0")
        it = Daemon(Path(folder) / "store", args).start()
        try:
            bench_pair(it, 10000, 512, sides, options.rounds, limit)
            if options.large:
                bench_pair(it, 5000, 2048, sides, 1, limit)
            bench_all_pairs(it, options.layers, google, limit)
            bench_grid(it, options.grid, limit)
        finally:
            it.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
