#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference values for several runs of pca beside each other, to runs.txt beside this file.

Needs numpy and scipy: components by singular value decomposition of each run and of all together,
scipy.linalg.subspace_angles between the spans of directions, cosines of covariance matrices in
full; and, for random subspaces, mean and deviation of their cosines over many draws.
"""
import pathlib

import numpy as np
from scipy.linalg import subspace_angles

DRAWS = 4000


def centred(x):
    return x - x.mean(axis=0)


def directions(x, k):
    return np.linalg.svd(centred(x), full_matrices=False)[2][:k]


def covariance(x):
    return centred(x).T @ centred(x)


def walk_from(starts, steps2):
    """Ratios of walks whose steps have axes of their own, from starts that are given."""
    own = sum(map(len, steps2))
    rows, used = [], 0
    for start, step2 in zip(starts, steps2):
        at = np.zeros(own)
        rows.append(np.concatenate([start, at]))
        for length2 in step2:
            at = at.copy()
            at[used] = length2**0.5
            used += 1
            rows.append(np.concatenate([start, at]))
    values = np.linalg.svd(centred(np.array(rows)), compute_uv=False) ** 2
    return values / values.sum()


def cases():
    rng = np.random.default_rng(1973)

    def short(x):
        """Few digits on paper, exact in binary and in single precision."""
        return np.round(np.asarray(x) * 256) / 256

    def walk(n, d, start):
        return short(start + np.vstack([np.zeros(d), np.cumsum(rng.normal(size=(n - 1, d)), axis=0)]))

    start = rng.normal(size=30)
    yield "alike", 3, [walk(12, 30, start), walk(9, 30, start)], np.float64
    shared = rng.normal(size=(12, 24))
    yield "related", 2, [
        short(np.cumsum(shared, axis=0) + w * rng.normal(size=(12, 24)) + at)
        for w, at in ((0.5, 0), (1, 40), (2, 0))
    ], np.float64
    line = np.outer(np.arange(6), short(rng.normal(size=20)))
    yield "unequal", 4, [line, walk(4, 20, 0), walk(15, 20, 3)], np.float64
    yield "float32", 2, [walk(10, 26, 1), walk(10, 26, 2)], np.float32


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def rank(x, k):
    s = np.linalg.svd(centred(x), compute_uv=False)
    return min(k, int(np.sum(s > 1e-6 * s[0])))


def describe(k, runs):
    """The rows of one case, in the order in which they are read."""
    together = centred(np.vstack(runs))
    plane = directions(together, 2)
    within = sum(np.sum(centred(x) ** 2) for x in runs)
    yield [1 - within / np.sum(together**2)]
    steps2 = [np.sum(np.diff(x, axis=0) ** 2, axis=1) for x in runs]
    yield walk_from([x[0] for x in runs], steps2)[:k]
    for x in runs:
        s2 = np.linalg.svd(centred(x), compute_uv=False) ** 2
        yield [s2.sum() / (len(x) - 1), np.sum((centred(x) @ plane.T) ** 2) / s2.sum()]
        yield (s2 / s2.sum())[: rank(x, k)]
    for a in runs:
        for b in runs:
            ca, cb = covariance(a), covariance(b)
            ways = [a[-1] - a[0], b[-1] - b[0]]
            yield [
                np.sum(ca * cb) / np.linalg.norm(ca) / np.linalg.norm(cb),
                np.linalg.norm(a[0] - b[0]),
                np.linalg.norm(a[-1] - b[-1]),
                ways[0] @ ways[1] / np.linalg.norm(ways[0]) / np.linalg.norm(ways[1]),
            ]
            angles = subspace_angles(directions(a, rank(a, k)).T, directions(b, rank(b, k)).T)
            yield np.sort(np.cos(angles))[::-1]


def chance():
    rng = np.random.default_rng(5)
    for k, l, d in ((1, 1, 5), (2, 2, 12), (3, 7, 20), (10, 10, 60)):
        alike = []
        for _ in range(DRAWS):
            p, q = (np.linalg.qr(rng.normal(size=(d, m)))[0] for m in (k, l))
            alike.append(np.sum((p.T @ q) ** 2) / min(k, l))
        yield k, l, d, np.mean(alike), np.std(alike)


def main():
    out = []
    for name, k, runs, dtype in cases():
        out.append(f"case {name} {len(runs)} {runs[0].shape[1]} {int(dtype == np.float32)} {k}")
        out.append(" ".join(f"{len(x)} {rank(x, k)}" for x in runs))
        out.extend(numbers(row) for x in runs for row in x)
        out.extend(numbers(row) for row in describe(k, [x.astype(float) for x in runs]))
    out.extend("chance " + numbers(row) for row in chance())
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
